/* pipeline_state.h - what the stages of a pipeline share; for pipeline.c and the stages alone. */
#ifndef PHASE4_PIPELINE_STATE_H
#define PHASE4_PIPELINE_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "phase4_ring/c/pipeline.h"

#define MOST_DEAD_CLAIMS 64
/* How long to sleep where nobody knows that we wait. */
#define NAP_NS 50000

/* stage: a thread and its counters, on lines of its own. Only its thread writes the counters, by a
 * relaxed load and store each: no read-modify-write, and everybody may read them at any time. */
typedef struct {
    OWN_LINE pipeline *home;
    pthread_t thread;
    int consumer;       /* its number at the sequencer */
    int core;           /* to pin to, or -1 */
    int joined;
    uint64_t marked_ns; /* when the current stretch of time began */
    OWN_LINE _Atomic int32_t state;
    _Atomic int32_t up; /* it has reached its core */
    _Atomic int32_t code;
    _Atomic int32_t pinned;
    _Atomic uint64_t commands;
    _Atomic uint64_t events;
    _Atomic uint64_t batches;
    _Atomic uint64_t largest_batch;
    _Atomic uint64_t spilled;
    _Atomic uint64_t busy_ns;
    _Atomic uint64_t idle_ns;
    _Atomic uint64_t blocked_ns;
} stage;

struct pipeline {
    sequencer *commands;
    spsc_ring *events;
    pipeline_apply apply;
    book *book;
    pipeline_journal journal;
    void *journal_context;
    pipeline_options options;
    event_record *spill;
    int places; /* how many of the sequencer's consumers it is */
    pthread_mutex_t joining; /* whoever joins the stages; any thread may stop a pipeline */
    stage stages[STAGE_COUNT];
    /* Match's line: before it applies commands it says here which, at most. */
    OWN_LINE _Atomic uint64_t begun; /* relaxed: it rides on P2 of the event ring */
    _Atomic uint32_t stalled; /* it stands before a command without credit */
    _Atomic uint32_t dead_count;
    /* The others' line. */
    OWN_LINE _Atomic uint64_t granted; /* events may go up to here, if credit is in force */
    _Atomic uint64_t discard;          /* commands before it are to be dropped */
    _Atomic uint32_t credit;
    _Atomic uint32_t aborted;
    _Atomic int32_t failed; /* the stage that failed first, or -1 */
    event_count more; /* match sleeps here while it stands */
    /* The subscriber's own: events before `published` may be seen; those before `pending` once
     * all commands before `pending_begun` are journaled. */
    OWN_LINE uint64_t published;
    uint64_t pending;
    uint64_t pending_begun;
    dead_claim dead[MOST_DEAD_CLAIMS];
};

static inline void counter_add(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

/* account: the time since the last account belongs to `counter`. */
static inline void account(stage *self, _Atomic uint64_t *counter)
{
    uint64_t now = clock_ns();
    counter_add(counter, now - self->marked_ns);
    self->marked_ns = now;
}

static inline void count_batch(stage *self, uint64_t commands, uint64_t events)
{
    counter_add(&self->commands, commands);
    counter_add(&self->events, events);
    counter_add(&self->batches, 1);
    if (commands > atomic_load_explicit(&self->largest_batch, memory_order_relaxed)) {
        atomic_store_explicit(&self->largest_batch, commands, memory_order_relaxed);
    }
}

/* is_over: whether all stages are to end at once. */
static inline int is_over(const pipeline *self)
{
    return atomic_load_explicit(&self->aborted, memory_order_relaxed) != 0;
}

/* stage_has_ended: or was never there. Acquire, pairs with the end of stage_main. */
static inline int stage_has_ended(const pipeline *self, int number)
{
    return atomic_load_explicit(&self->stages[number].state, memory_order_acquire) !=
           STAGE_RUNNING;
}

/* take_nap: where nobody ends the wait by a wake-up. */
static inline void take_nap(void)
{
    struct timespec time = {.tv_sec = 0, .tv_nsec = NAP_NS};
    nanosleep(&time, NULL);
}

/* nap: one step of such a wait. Too late: -1. */
static inline int nap(waiter *wait)
{
    int step = waiter_step(wait);
    if (step > 0) {
        take_nap();
    }
    return step;
}

/* stage_fail: this stage cannot go on; nobody else shall either. */
void stage_fail(stage *self, int32_t code);
/* match_work: what the match stage does with commands that are there (match_stage.c). 0: it is
 * over. */
int match_work(stage *self, const command_record *commands, size_t count);

#endif
