/* wait.h - what to do while there is nothing to do.
 *
 *   strategy    while waiting            the other side pays       use when
 *   WAIT_SPIN   a pause instruction      nothing                   a core for each thread
 *   WAIT_YIELD  gives its core away      nothing                   more threads than cores
 *   WAIT_PARK   pauses, yields, then     a look for sleepers at    always right: the default
 *               sleeps in the kernel     every hand-over
 *
 * Sleeping has one trap, the lost wake-up: the sleeper looks, finds nothing, and lies down just
 * while the waker, who saw nobody asleep, walks past. So the sleeper first says that it sleeps and
 * then looks once more, and the waker first hands over and then looks for sleepers:
 *
 *      sleeper                                waker
 *      E1 word |= asleep  (seq_cst)           E3 cursor = new   (seq_cst)
 *      E2 look at cursor  (seq_cst)           E4 look at word   (seq_cst)
 *
 * In one total order of these four, E2 sees E3 or E4 sees E1. With release and acquire alone both
 * could look too early, each store still in its core's store buffer; on x86 too. That is why a
 * ring with `parking` stores its cursors seq_cst, and why one without does not: the fence costs
 * more than the rest of the hand-over. models/park.pml shows both.
 *
 * Where a hand-over is several stores, as of a batch of stamps, the last is seq_cst and those before
 * it release. The letter of C11 puts only the last into the one order; x86, arm64 and POWER drain
 * the earlier ones with it. On a machine that did not, a sleeper could miss one, for PARK_NS.
 *
 * A sleeper is woken by a futex on Linux (across processes too) and looks again after at most
 * PARK_NS by itself; elsewhere it only sleeps that long, in shorter steps first.
 */
#ifndef PHASE4_WAIT_H
#define PHASE4_WAIT_H

#include <stdatomic.h>
#include <stdint.h>

/* cdef:begin */
enum { WAIT_SPIN = 0, WAIT_YIELD = 1, WAIT_PARK = 2 };
/* What a wait ends with. */
enum { WAIT_READY = 1, WAIT_TIMEOUT = 0, WAIT_CLOSED = -1 };

/* clock_ns: CLOCK_MONOTONIC in nanoseconds, without entering the kernel where that can be had. */
uint64_t clock_ns(void);
/* cdef:end */

#define WAIT_FOREVER UINT64_MAX
/* How often WAIT_PARK pauses, then yields, before it sleeps; WAIT_YIELD pauses as often first. */
#define SPINS_BEFORE_YIELD 256u
#define YIELDS_BEFORE_PARK 16u
/* The longest sleep without a look around: whoever waits also watches for ends and deaths. */
#define PARK_NS UINT64_C(10000000)

/* wait_pause: tell the core that this is a spin loop. */
static inline void wait_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ __volatile__("yield");
#endif
}

/* waiter: one wait. Starts with waiter_start, takes steps until ready or late. */
typedef struct {
    uint32_t strategy;
    uint32_t steps;
    uint64_t deadline_ns; /* WAIT_FOREVER, or a time of clock_ns; looked at rarely */
    uint64_t timeout_ns;
} waiter;

/* waiter_strategy: nobody wakes who parks at a ring made without parking, so there he yields. */
static inline uint32_t waiter_strategy(int wanted, uint32_t parking)
{
    return wanted == WAIT_PARK && !parking ? WAIT_YIELD : (uint32_t)wanted;
}

void waiter_start(waiter *self, uint32_t strategy, uint64_t timeout_ns);
/* waiter_step: wait a little. Returns 1 when the caller should park, -1 when it is too late,
 * else 0. */
int waiter_step(waiter *self);
/* waiter_left_ns: the longest sleep allowed now: at most PARK_NS and what is left. */
uint64_t waiter_left_ns(const waiter *self);

/* event_count: bit 0 says that somebody sleeps, the rest counts wake-ups. 32 bits: a futex. */
typedef struct {
    _Atomic uint32_t word;
} event_count;

/* event_count_prepare: E1. The caller then looks once more (E2) and either waits or goes on. */
uint32_t event_count_prepare(event_count *self);
/* event_count_wait: sleep until the word is no longer `seen`, or `most_ns` have passed. */
void event_count_wait(event_count *self, uint32_t seen, uint64_t most_ns);
/* event_count_wake: wake all who sleep. Enters the kernel. */
void event_count_wake(event_count *self);

/* --8<-- [start:notify] */
/* event_count_notify: E4, after a hand-over by a seq_cst store (E3). No system call unless
 * somebody sleeps. */
static inline void event_count_notify(event_count *self)
{
    if (__builtin_expect(atomic_load_explicit(&self->word, memory_order_seq_cst) & 1u, 0)) {
        event_count_wake(self);
    }
}
/* --8<-- [end:notify] */

#endif
