/* bench_run.h - threads that start together, and how long they and their processors took.
 *
 *   thread     pin ─ prepare ─┐         ┌─ warm up ─┐         ┌─ timed part ─┐
 *                             ├ lined up ┤           ├ lined up ┤              ├▶ join
 *   thread     pin ─ prepare ─┘         └─ warm up ─┘         └─ timed part ─┘
 */
#ifndef PHASE4_BENCH_RUN_H
#define PHASE4_BENCH_RUN_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "phase4_ring/c/bench.h"
#include "phase4_ring/c/pin.h"

/* How long a side waits for the other before it gives up. */
#define STUCK_NS UINT64_C(10000000000)
#define MOST_SIDES (BENCH_MOST_PRODUCERS + 1)
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* lineup: nobody goes on before all are here. Used once for each place of the run. */
typedef struct {
    OWN_LINE _Atomic uint32_t arrived;
    _Atomic uint32_t cancelled;
    uint32_t sides;
} lineup;

/* lineup_wait: 1 when all sides have come to place `place` (1, 2, ...), 0 if one never will. */
static inline int lineup_wait(lineup *self, uint32_t place)
{
    /* L1, pairs with L2 in the others: what each has prepared is there when they go on. */
    atomic_fetch_add_explicit(&self->arrived, 1, memory_order_acq_rel);
    while (atomic_load_explicit(&self->arrived, memory_order_acquire) < place * self->sides) {
        /* L2 is the line above. A yield, for two sides may share a core. */
        if (atomic_load_explicit(&self->cancelled, memory_order_relaxed)) {
            return 0;
        }
        sched_yield();
    }
    return 1;
}

/* thread_cpu_ns: processor time of the calling thread. */
static inline uint64_t thread_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* side: one thread of a run, on lines of its own. */
typedef struct side side;
struct side {
    OWN_LINE lineup *together;
    void (*body)(side *self); /* calls side_start before the timed part, side_stop after it */
    void *work;
    int core;
    int number;
    int pinned;
    int code;        /* BENCH_DONE or why not */
    uint64_t waits;  /* how often the other side was not ready, in the timed part */
    uint64_t started_ns;
    uint64_t stopped_ns;
    uint64_t cpu_ns;
    pthread_t thread;
};

/* side_fail: the others need not wait for this one. */
static inline void side_fail(side *self, int code)
{
    self->code = code;
    /* Relaxed: it carries nothing with it. */
    atomic_store_explicit(&self->together->cancelled, 1, memory_order_relaxed);
}

/* side_restart: the timed part begins here, and not where the others' did. */
static inline void side_restart(side *self)
{
    self->cpu_ns = thread_cpu_ns();
    self->started_ns = clock_ns();
}

/* side_start: the warm-up is over; begins the timed part. 0 if the run is cancelled. */
static inline int side_start(side *self, uint32_t place)
{
    if (!lineup_wait(self->together, place)) {
        return 0;
    }
    self->waits = 0;
    side_restart(self);
    return 1;
}

static inline void side_stop(side *self)
{
    self->stopped_ns = clock_ns();
    self->cpu_ns = thread_cpu_ns() - self->cpu_ns;
}

static void *side_main(void *argument)
{
    side *self = argument;
    self->pinned = thread_pin(self->core);
    if (lineup_wait(self->together, 1)) {
        self->body(self);
    }
    return NULL;
}

/* sides_run: start all, wait for all. BENCH_DONE, or the first side's trouble. Sides that line up
 * again do so at places 2, 3, ... */
static inline int sides_run(side *sides, uint32_t count, lineup *together)
{
    uint32_t started = 0;
    int code = BENCH_DONE;

    together->sides = count;
    atomic_init(&together->arrived, 0);
    atomic_init(&together->cancelled, 0);
    for (; started < count; started++) {
        side *self = &sides[started];
        self->together = together;
        self->number = (int)started;
        if (pthread_create(&self->thread, NULL, side_main, self) != 0) {
            side_fail(self, BENCH_NO_RESOURCES);
            code = BENCH_NO_RESOURCES;
            break;
        }
    }
    for (uint32_t i = 0; i < started; i++) {
        pthread_join(sides[i].thread, NULL);
        if (code == BENCH_DONE) {
            code = sides[i].code;
        }
    }
    return code;
}

/* sides_span_ns: from the first start to the last stop. */
static inline uint64_t sides_span_ns(const side *sides, uint32_t count)
{
    uint64_t first = UINT64_MAX;
    uint64_t last = 0;
    for (uint32_t i = 0; i < count; i++) {
        first = sides[i].started_ns < first ? sides[i].started_ns : first;
        last = sides[i].stopped_ns > last ? sides[i].stopped_ns : last;
    }
    return last - first;
}

#endif
