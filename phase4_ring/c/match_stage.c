/* match_stage.c - the engine thread: commands out of one ring, events into the other, no copy.
 *
 *      sequencer slots                 book                event ring slots
 *      ┌──┬──┬──┬──┬──┐   at most      ┌──────────────┐    ┌──┬──┬──┬──┬──┬──┐
 *      │c5│c6│c7│c8│  │ ──`batch`───▶  │ apply (C)    │ ─▶ │e9│e…│  │  │  │  │ ── commit ──▶
 *      └──┴──┴──┴──┴──┘   of them      └──────────────┘    └──┴──┴──┴──┴──┴──┘
 *          advance ◀── done with them       │ one command's events do not fit here:
 *                                           └▶ spill buffer ─ copied into the ring as it drains
 */
#include "contract/c/check.h"
#include "phase4_ring/c/pipeline_state.h"

/* credit_left: events that the subscriber still takes; practically endless without credit. */
static uint64_t credit_left(pipeline *self)
{
    if (!atomic_load_explicit(&self->credit, memory_order_relaxed)) {
        return UINT64_MAX;
    }
    /* Acquire, pairs with the store in pipeline_grant. */
    uint64_t granted = atomic_load_explicit(&self->granted, memory_order_acquire);
    return granted - spsc_head(self->events);
}

/* wait_for_space: until at least one event slot is free. 0: everything is over. */
static int wait_for_space(stage *self)
{
    pipeline *home = self->home;
    account(self, &self->busy_ns);
    int state = WAIT_TIMEOUT;
    while (state == WAIT_TIMEOUT && !is_over(home)) {
        state = spsc_wait_space(home->events, home->options.strategy, PARK_NS);
    }
    account(self, &self->blocked_ns);
    if (state == WAIT_CLOSED) {
        stage_fail(self, FAILED_EVENTS_CLOSED); /* full, and never to be emptied */
    }
    return state == WAIT_READY;
}

/* hand_over_spill: copy what lies in the spill buffer into the ring, piece by piece as the
 * subscriber makes room. 0: everything was over first. */
static int hand_over_spill(stage *self, size_t count)
{
    pipeline *home = self->home;
    size_t done = 0;
    while (done < count) {
        done += spsc_push(home->events, home->spill + done, count - done);
        if (done < count && !wait_for_space(self)) {
            return 0;
        }
    }
    return 1;
}

/* has_more: whether the subscriber has decided anything since match came to stand at `cursor` with
 * `credit` left: E2 of wait.h. */
static int has_more(pipeline *self, uint64_t cursor, uint64_t credit)
{
    uint64_t discard = atomic_load_explicit(&self->discard, memory_order_seq_cst);
    uint64_t granted = atomic_load_explicit(&self->granted, memory_order_seq_cst);
    return granted - spsc_head(self->events) != credit || (int64_t)(discard - cursor) > 0 ||
           is_over(self);
}

/* stand: no credit for the next command: wait until there is more, or the command is dropped. */
static void stand(stage *self, uint64_t credit)
{
    pipeline *home = self->home;
    uint64_t cursor = sequencer_cursor(home->commands, self->consumer);
    account(self, &self->busy_ns);
    atomic_store_explicit(&home->stalled, 1, memory_order_release);
    waiter wait;
    waiter_start(&wait, waiter_strategy(home->options.strategy, 1), WAIT_FOREVER);
    while (!has_more(home, cursor, credit)) {
        if (waiter_step(&wait) > 0) {
            uint32_t seen = event_count_prepare(&home->more);
            if (!has_more(home, cursor, credit)) {
                event_count_wait(&home->more, seen, PARK_NS);
            }
        }
    }
    uint64_t discard = atomic_load_explicit(&home->discard, memory_order_acquire);
    while ((int64_t)(discard - cursor) > 0) {
        size_t found;
        sequencer_peek(home->commands, self->consumer, (size_t)(discard - cursor), &found);
        sequencer_advance(home->commands, self->consumer, found);
        cursor += found;
    }
    /* Release: who sees that match stands no longer sees what it dropped. */
    atomic_store_explicit(&home->stalled, 0, memory_order_release);
    account(self, &self->blocked_ns);
}

/* apply_spilling: one command whose events do not fit where they should go. 0: it is over. */
static int apply_spilling(stage *self, const command_record *command)
{
    pipeline *home = self->home;
    uint64_t credit = credit_left(home);
    uint64_t room = credit < home->options.spill_events ? credit : home->options.spill_events;
    size_t written;
    size_t consumed = home->apply(home->book, command, 1, home->spill, (size_t)room, &written);
    if (consumed == 0 && room == home->options.spill_events) {
        stage_fail(self, FAILED_ENGINE_STUCK);
        return 0;
    }
    if (consumed == 0) {
        stand(self, credit);
        return 1;
    }
    counter_add(&self->spilled, 1);
    int all = hand_over_spill(self, written);
    /* Done, whoever saw its events: the book has it, and must not get it again. */
    sequencer_advance(home->commands, self->consumer, 1);
    count_batch(self, 1, written);
    account(self, &self->busy_ns);
    return all;
}

/* fetch_for_writing: ask for the lines of the next event slots, which the subscriber's core has
 * from the last lap, all at once and ahead of the stores. */
static inline void fetch_for_writing(const ring_record *slots, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        __builtin_prefetch(&slots[i], 1, 3);
    }
}

/* --8<-- [start:apply] */
/* match_work: apply `count` commands that lie in the sequencer's slots. 0: it is over. */
int match_work(stage *self, const command_record *commands, size_t count)
{
    pipeline *home = self->home;
    size_t room;
    /* Twice the batch: most commands cause one event. The most there is, known or not, would cost
     * a look at the subscriber's cursor, and its cache line, each time. */
    ring_record *slots = spsc_claim_known(home->events, 2 * home->options.batch, &room);
    uint64_t credit = credit_left(home);
    if (room == 0 && credit != 0) {
        return wait_for_space(self);
    }
    room = room < credit ? room : (size_t)credit;
    /* Before the events can be seen. Relaxed: the commit below releases it with them. */
    uint64_t cursor = sequencer_cursor(home->commands, self->consumer);
    atomic_store_explicit(&home->begun, cursor + count, memory_order_relaxed);
    fetch_for_writing(slots, count < room ? count : room);
    size_t written;
    size_t consumed = home->apply(home->book, commands, count, (event_record *)slots, room,
                                  &written);
    CHECK(consumed <= count && written <= room);
    if (consumed == 0) {
        return apply_spilling(self, commands);
    }
    spsc_commit(home->events, written);
    sequencer_advance(home->commands, self->consumer, consumed);
    count_batch(self, consumed, written);
    account(self, &self->busy_ns);
    return 1;
}
/* --8<-- [end:apply] */

/* --- credit: the subscriber's side of stand() ------------------------------------------------ */

void pipeline_grant(pipeline *self, uint64_t event_cursor)
{
    /* E3 of wait.h, and a release for credit_left. */
    atomic_store_explicit(&self->granted, event_cursor, memory_order_seq_cst);
    atomic_store_explicit(&self->credit, 1, memory_order_relaxed);
    event_count_notify(&self->more);
}

int pipeline_is_stalled(const pipeline *self)
{
    return atomic_load_explicit(&self->stalled, memory_order_acquire) != 0;
}

int pipeline_discard(pipeline *self, uint64_t cursor)
{
    CHECK(self->journal == NULL);
    CHECK(pipeline_is_stalled(self) || is_over(self));
    atomic_store_explicit(&self->discard, cursor, memory_order_seq_cst);
    event_count_notify(&self->more);
    waiter wait;
    waiter_start(&wait, WAIT_YIELD, WAIT_FOREVER);
    while (pipeline_is_stalled(self)) {
        if (stage_has_ended(self, STAGE_MATCH)) {
            return WAIT_CLOSED;
        }
        waiter_step(&wait);
    }
    return WAIT_READY;
}
