/* pipeline.c - see pipeline.h: making, starting, ending and watching the stages, and publishing. */
#include "phase4_ring/c/pipeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase4_ring/c/pin.h"
#include "phase4_ring/c/pipeline_state.h"

/* --- stages --------------------------------------------------------------------------------- */

void stage_fail(stage *self, int32_t code)
{
    pipeline *home = self->home;
    int32_t nobody = -1;
    atomic_store_explicit(&self->code, code, memory_order_relaxed);
    /* The first failure is the cause; what fails after it may be its consequence. */
    atomic_compare_exchange_strong_explicit(&home->failed, &nobody,
                                            (int32_t)(self - home->stages), memory_order_acq_rel,
                                            memory_order_relaxed);
    pipeline_abort(home);
}

/* settle_dead_claim: if what we wait for was claimed by a process that is dead: fill the gap. */
static void settle_dead_claim(stage *self)
{
    pipeline *home = self->home;
    dead_claim claim;
    if (self != &home->stages[STAGE_MATCH] ||
        !sequencer_blocked(home->commands, self->consumer, &claim)) {
        return;
    }
    uint32_t count = atomic_load_explicit(&home->dead_count, memory_order_relaxed);
    if (count < MOST_DEAD_CLAIMS) {
        home->dead[count] = claim;
    }
    /* Release: who sees the count sees the claim. Before the fill: no event of it is unexplained. */
    atomic_store_explicit(&home->dead_count, count + 1, memory_order_release);
    sequencer_fill(home->commands, &claim);
}

/* stage_idle: wait for commands. 1: there may be some; 0: everything is done. */
static int stage_idle(stage *self)
{
    pipeline *home = self->home;
    int state = sequencer_wait(home->commands, self->consumer, home->options.strategy, PARK_NS);
    account(self, &self->idle_ns);
    if (state == WAIT_TIMEOUT) {
        settle_dead_claim(self);
    }
    return state != WAIT_CLOSED;
}

/* journal_work: append `count` commands that lie in the sequencer's slots. 0: it is over. */
static int journal_work(stage *self, const command_record *commands, size_t count)
{
    int code = self->home->journal(self->home->journal_context, commands, count);
    if (code < 0) {
        stage_fail(self, code);
        return 0;
    }
    sequencer_advance(self->home->commands, self->consumer, count);
    count_batch(self, count, 0);
    account(self, &self->busy_ns);
    return 1;
}

/* --8<-- [start:run] */
/* stage_run: take what is there, all of it up to a batch, until the end. What the stage ends in. */
static int32_t stage_run(stage *self, size_t batch,
                         int (*work)(stage *, const command_record *, size_t))
{
    pipeline *home = self->home;
    while (!is_over(home)) {
        size_t found;
        const command_record *commands =
            sequencer_peek(home->commands, self->consumer, batch, &found);
        if (found == 0) {
            if (!stage_idle(self)) {
                return STAGE_DRAINED;
            }
        } else if (!work(self, commands, found)) {
            break;
        }
    }
    return STAGE_ABORTED;
}
/* --8<-- [end:run] */

static void *stage_main(void *argument)
{
    stage *self = argument;
    pipeline *home = self->home;
    atomic_store_explicit(&self->pinned, thread_pin(self->core), memory_order_relaxed);
    self->marked_ns = clock_ns();
    atomic_store_explicit(&self->up, 1, memory_order_release);
    int is_match = self == &home->stages[STAGE_MATCH];
    uint32_t batch = home->options.batch;
    if (!is_match && home->options.journal_batch > 0) {
        batch = home->options.journal_batch;
    }
    int32_t state = stage_run(self, batch, is_match ? match_work : journal_work);
    if (atomic_load_explicit(&self->code, memory_order_relaxed) != 0) {
        state = STAGE_FAILED;
    }
    /* Release: who sees the end sees everything before it. */
    atomic_store_explicit(&self->state, state, memory_order_release);
    if (is_match) {
        spsc_close(home->events);
    }
    return NULL;
}

/* --- making and ending ---------------------------------------------------------------------- */

/* take_place: be consumer `number` of the sequencer. */
static int take_place(sequencer *commands, int number)
{
    if (sequencer_consumers(commands) > number) {
        return sequencer_take_consumer(commands, number) == 0 ? 0 : PIPELINE_IN_USE;
    }
    return sequencer_add_consumer(commands, 0) == number ? 0 : PIPELINE_OTHER_CONSUMERS;
}

int pipeline_new(sequencer *commands, spsc_ring *events, pipeline_apply apply, book *book,
                 pipeline_journal journal, void *journal_context,
                 const pipeline_options *options, pipeline **made)
{
    CHECK(options->batch >= 1 && options->spill_events >= 2);
    int stages = journal != NULL ? 2 : 1;
    int consumers = sequencer_consumers(commands);
    if (consumers != 0 && consumers != stages) {
        return PIPELINE_OTHER_CONSUMERS;
    }
    void *memory;
    if (posix_memalign(&memory, CACHE_LINE_BYTES, sizeof(struct pipeline)) != 0) {
        return PIPELINE_NO_MEMORY;
    }
    pipeline *self = memset(memory, 0, sizeof(struct pipeline));
    if (pthread_mutex_init(&self->joining, NULL) != 0) {
        free(self);
        return PIPELINE_NO_MEMORY;
    }
    self->spill = malloc((size_t)options->spill_events * sizeof(event_record));
    int why = self->spill == NULL ? PIPELINE_NO_MEMORY : 0;
    self->commands = commands;
    while (self->places < stages && why == 0) {
        why = take_place(commands, self->places);
        self->places += why == 0;
    }
    if (why == 0 && spsc_take_side(events, 0) != 0) {
        why = PIPELINE_IN_USE;
    }
    if (why != 0) {
        pipeline_free(self);
        return why;
    }
    self->events = events;
    self->apply = apply;
    self->book = book;
    self->journal = journal;
    self->journal_context = journal_context;
    self->options = *options;
    self->published = spsc_tail(events);
    self->pending = self->published;
    /* What a dead predecessor left in the event ring stems from commands before this. */
    atomic_store_explicit(&self->begun, sequencer_cursor(commands, STAGE_MATCH),
                          memory_order_relaxed);
    atomic_store_explicit(&self->failed, -1, memory_order_relaxed);
    atomic_store_explicit(&self->discard, sequencer_cursor(commands, 0), memory_order_relaxed);
    for (int number = 0; number < STAGE_COUNT; number++) {
        stage *one = &self->stages[number];
        one->home = self;
        one->consumer = number;
        one->core = number == STAGE_MATCH ? options->match_core : options->journal_core;
        one->joined = 1;
        atomic_store_explicit(&one->pinned, -1, memory_order_relaxed);
    }
    *made = self;
    return 0;
}

int pipeline_start(pipeline *self)
{
    int stages = self->journal != NULL ? 2 : 1;
    for (int number = 0; number < stages; number++) {
        stage *one = &self->stages[number];
        atomic_store_explicit(&one->state, STAGE_RUNNING, memory_order_relaxed);
        int failed = pthread_create(&one->thread, NULL, stage_main, one);
        if (failed != 0) {
            atomic_store_explicit(&one->state, STAGE_ABORTED, memory_order_relaxed);
            pipeline_abort(self);
            pipeline_join(self, WAIT_FOREVER);
            return -failed;
        }
        one->joined = 0;
        /* It is up when it is where it was pinned to: a caller who goes on spinning on the core
         * that it was born on would keep it from getting there. */
        waiter wait;
        waiter_start(&wait, WAIT_PARK, WAIT_FOREVER);
        while (!atomic_load_explicit(&one->up, memory_order_acquire)) {
            nap(&wait);
        }
    }
    return 0;
}

void pipeline_close(pipeline *self)
{
    sequencer_close(self->commands);
}

void pipeline_abort(pipeline *self)
{
    atomic_store_explicit(&self->aborted, 1, memory_order_seq_cst);
    sequencer_close(self->commands);
    event_count_notify(&self->commands->items);
    event_count_notify(&self->events->space);
    event_count_notify(&self->more);
}

static int32_t state_of(const pipeline *self, int stage)
{
    return atomic_load_explicit(&self->stages[stage].state, memory_order_acquire);
}

int pipeline_join(pipeline *self, uint64_t timeout_ns)
{
    waiter wait;
    waiter_start(&wait, WAIT_PARK, timeout_ns);
    while (!stage_has_ended(self, STAGE_MATCH) || !stage_has_ended(self, STAGE_JOURNAL)) {
        if (nap(&wait) < 0) {
            return WAIT_TIMEOUT;
        }
    }
    /* One at a time: a thread joined twice may be another one by then, and the join for ever. */
    pthread_mutex_lock(&self->joining);
    for (int number = 0; number < STAGE_COUNT; number++) {
        stage *one = &self->stages[number];
        if (!one->joined) {
            pthread_join(one->thread, NULL);
            one->joined = 1;
        }
    }
    pthread_mutex_unlock(&self->joining);
    return WAIT_READY;
}

void pipeline_free(pipeline *self)
{
    if (self == NULL) {
        return;
    }
    for (int number = 0; number < STAGE_COUNT; number++) {
        CHECK(self->stages[number].home == NULL || self->stages[number].joined);
    }
    /* What another process can go on with, at the cursors as they are. */
    while (self->places > 0) {
        sequencer_give_consumer(self->commands, --self->places);
    }
    if (self->events != NULL) {
        spsc_give_side(self->events, 0);
    }
    pthread_mutex_destroy(&self->joining);
    free(self->spill);
    free(self);
}

/* --- watching ------------------------------------------------------------------------------- */

void pipeline_stage(const pipeline *self, int number, stage_stats *stats)
{
    CHECK(number >= 0 && number < STAGE_COUNT);
    const stage *one = &self->stages[number];
    memset(stats, 0, sizeof *stats);
    stats->state = state_of(self, number);
    stats->pinned = -1;
    if (stats->state == STAGE_ABSENT && (number != STAGE_MATCH && self->journal == NULL)) {
        return;
    }
    stats->code = atomic_load_explicit(&one->code, memory_order_relaxed);
    stats->pinned = atomic_load_explicit(&one->pinned, memory_order_relaxed);
    if (number == STAGE_MATCH) {
        stats->dead_producers = atomic_load_explicit(&self->dead_count, memory_order_relaxed);
    }
    stats->cursor = sequencer_cursor(self->commands, one->consumer);
    stats->commands = atomic_load_explicit(&one->commands, memory_order_relaxed);
    stats->events = atomic_load_explicit(&one->events, memory_order_relaxed);
    stats->batches = atomic_load_explicit(&one->batches, memory_order_relaxed);
    stats->largest_batch = atomic_load_explicit(&one->largest_batch, memory_order_relaxed);
    stats->spilled = atomic_load_explicit(&one->spilled, memory_order_relaxed);
    stats->busy_ns = atomic_load_explicit(&one->busy_ns, memory_order_relaxed);
    stats->idle_ns = atomic_load_explicit(&one->idle_ns, memory_order_relaxed);
    stats->blocked_ns = atomic_load_explicit(&one->blocked_ns, memory_order_relaxed);
}

int pipeline_failure(const pipeline *self)
{
    return atomic_load_explicit(&self->failed, memory_order_acquire);
}

int pipeline_dead_claim(const pipeline *self, uint32_t n, dead_claim *claim)
{
    /* Acquire, pairs with settle_dead_claim. */
    if (n >= atomic_load_explicit(&self->dead_count, memory_order_acquire) ||
        n >= MOST_DEAD_CLAIMS) {
        return 0;
    }
    *claim = self->dead[n];
    return 1;
}

/* --- publishing ----------------------------------------------------------------------------- */

/* --8<-- [start:publish] */
/* look_for_events: how many may be seen now: all, or those whose commands are journaled. First the
 * head of the events, then `begun`: so `begun` covers every command behind those events. The pair
 * stays until the journal has come so far: compared with a new `begun` each time, a journal that is
 * always a little behind match would never be far enough. */
static uint64_t look_for_events(pipeline *self)
{
    uint64_t head = spsc_head(self->events); /* C1 */
    if (self->journal == NULL) {
        self->published = head;
        return head - spsc_tail(self->events);
    }
    uint64_t journaled = sequencer_cursor(self->commands, STAGE_JOURNAL); /* B3 */
    while (self->published != head) {
        if (self->pending == self->published) {
            self->pending = head;
            self->pending_begun = atomic_load_explicit(&self->begun, memory_order_relaxed);
        }
        if ((int64_t)(journaled - self->pending_begun) < 0) {
            break;
        }
        self->published = self->pending;
    }
    return self->published - spsc_tail(self->events);
}
/* --8<-- [end:publish] */

size_t pipeline_receive(pipeline *self, event_record *events, size_t count)
{
    uint64_t visible = self->published - spsc_tail(self->events);
    if (visible < count) {
        visible = look_for_events(self);
    }
    return spsc_pop(self->events, events, visible < count ? (size_t)visible : count);
}

int pipeline_wait_events(pipeline *self, int strategy, uint64_t timeout_ns)
{
    waiter wait;
    waiter_start(&wait, waiter_strategy(strategy, self->events->header.parking), timeout_ns);
    for (;;) {
        /* Ends are looked for before events, so that none is missed in between. */
        int over = spsc_is_closed(self->events) && stage_has_ended(self, STAGE_JOURNAL);
        if (look_for_events(self) > 0) {
            return WAIT_READY;
        }
        if (over) {
            return WAIT_CLOSED;
        }
        int step = waiter_step(&wait);
        if (step < 0) {
            return WAIT_TIMEOUT;
        }
        if (step > 0 && spsc_head(self->events) == self->published &&
            !spsc_is_closed(self->events)) {
            /* Nothing yet: the commit of the first event wakes. */
            spsc_wait_items(self->events, WAIT_PARK, waiter_left_ns(&wait));
        } else if (step > 0) {
            take_nap(); /* it waits for the journal, which wakes nobody */
        }
    }
}

int pipeline_wait_done(pipeline *self, uint64_t cursor, uint64_t timeout_ns)
{
    waiter wait;
    waiter_start(&wait, WAIT_YIELD, timeout_ns);
    for (;;) {
        int over = stage_has_ended(self, STAGE_MATCH);
        if ((int64_t)(sequencer_cursor(self->commands, STAGE_MATCH) - cursor) >= 0 ||
            pipeline_is_stalled(self)) {
            return WAIT_READY;
        }
        if (over) {
            return WAIT_CLOSED;
        }
        if (waiter_step(&wait) < 0) {
            return WAIT_TIMEOUT;
        }
    }
}
