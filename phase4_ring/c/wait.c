/* wait.c - see wait.h. */
#include "phase4_ring/c/wait.h"

#include <sched.h>
#include <time.h>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* How many steps between two looks at the clock: a look costs as much as a few pauses. */
#define STEPS_BETWEEN_LOOKS 64u

uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void waiter_start(waiter *self, uint32_t strategy, uint64_t timeout_ns)
{
    self->strategy = strategy;
    self->steps = 0;
    self->timeout_ns = timeout_ns;
    self->deadline_ns = WAIT_FOREVER;
}

/* is_late: the clock starts at the first look. */
static int is_late(waiter *self)
{
    if (self->timeout_ns == WAIT_FOREVER) {
        return 0;
    }
    uint64_t now = clock_ns();
    if (self->deadline_ns == WAIT_FOREVER) {
        self->deadline_ns =
            self->timeout_ns < WAIT_FOREVER - now ? now + self->timeout_ns : WAIT_FOREVER - 1;
    }
    return now >= self->deadline_ns;
}

int waiter_step(waiter *self)
{
    if (self->timeout_ns == 0) {
        return -1;
    }
    uint32_t step = self->steps++;
    if (step % STEPS_BETWEEN_LOOKS == 0 || step >= SPINS_BEFORE_YIELD) {
        if (is_late(self)) {
            return -1;
        }
    }
    if (self->strategy == WAIT_SPIN || step < SPINS_BEFORE_YIELD) {
        wait_pause();
        /* WAIT_SPIN must come round to look at the clock, not stay past the bound. */
        if (self->strategy == WAIT_SPIN && self->steps >= SPINS_BEFORE_YIELD) {
            self->steps = 1;
        }
        return 0;
    }
    if (self->strategy == WAIT_YIELD || step < SPINS_BEFORE_YIELD + YIELDS_BEFORE_PARK) {
        sched_yield();
        if (self->strategy == WAIT_YIELD) {
            self->steps = SPINS_BEFORE_YIELD; /* it goes on yielding */
        }
        return 0;
    }
    self->steps = SPINS_BEFORE_YIELD + YIELDS_BEFORE_PARK;
    return 1;
}

uint64_t waiter_left_ns(const waiter *self)
{
    if (self->timeout_ns == WAIT_FOREVER) {
        return PARK_NS;
    }
    uint64_t now = clock_ns();
    uint64_t left = self->deadline_ns > now ? self->deadline_ns - now : 0;
    return left < PARK_NS ? left : PARK_NS;
}

uint32_t event_count_prepare(event_count *self)
{
    /* E1: seq_cst, see the head of wait.h. */
    return atomic_fetch_or_explicit(&self->word, 1u, memory_order_seq_cst) | 1u;
}

void event_count_wait(event_count *self, uint32_t seen, uint64_t most_ns)
{
    struct timespec most = {.tv_sec = (time_t)(most_ns / 1000000000u),
                            .tv_nsec = (long)(most_ns % 1000000000u)};
#if defined(__linux__)
    /* Not FUTEX_PRIVATE: the other side may be another process. The kernel compares the word with
     * `seen` itself, so a wake-up between E2 and here is not slept through. */
    syscall(SYS_futex, &self->word, FUTEX_WAIT, seen, &most, NULL, 0);
#else
    /* No portable futex: short sleeps until the word moves. */
    uint64_t step_ns = 50000;
    for (uint64_t slept = 0; slept < most_ns; slept += step_ns) {
        if (atomic_load_explicit(&self->word, memory_order_seq_cst) != seen) {
            return;
        }
        most.tv_sec = 0;
        most.tv_nsec = (long)step_ns;
        nanosleep(&most, NULL);
    }
#endif
}

void event_count_wake(event_count *self)
{
    uint32_t word = atomic_load_explicit(&self->word, memory_order_relaxed);
    /* One of several wakers clears the bit and counts; the others find it done. */
    while (word & 1u) {
        if (atomic_compare_exchange_weak_explicit(&self->word, &word, word + 1u,
                                                  memory_order_seq_cst, memory_order_relaxed)) {
#if defined(__linux__)
            syscall(SYS_futex, &self->word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
#endif
            return;
        }
    }
}
