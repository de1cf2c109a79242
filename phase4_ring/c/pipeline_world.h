/* pipeline_world.h - a pipeline around a book that is none, for the plain-C tests of pipeline.h.
 *
 * The book answers a command with as many events as its quantity says (none: one, as to a void
 * command), and writes into each which command it belongs to and how many are still to come. So a
 * reader sees from the events alone whether one was lost, doubled, cut short or out of place, and
 * whether the command behind it was journaled.
 */
#ifndef PHASE4_PIPELINE_WORLD_H
#define PHASE4_PIPELINE_WORLD_H

#include <sched.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase4_ring/c/pipeline.h"

/* Nothing here takes as long, unless somebody waits for what never comes. */
#define LIMIT_NS UINT64_C(60000000000)

/* UNTIL: let others run until the condition holds; a test that would hang fails instead. */
#define UNTIL(condition)                                                                       \
    for (uint64_t limit_ = clock_ns() + LIMIT_NS; !(condition);) {                             \
        CHECK(clock_ns() < limit_);                                                            \
        sched_yield();                                                                         \
    }

static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state >> 33) % bound;
}

/* --- the book ------------------------------------------------------------------------------ */

struct book {
    uint64_t applied;  /* commands */
    uint64_t events;
    uint64_t stuck_at; /* the order id of a command it never takes */
    uint64_t misplaced; /* commands that did not come right after the one before */
    uint64_t last;     /* sequence of the command before */
};

static inline uint64_t events_of(const command_record *command)
{
    return command->quantity > 0 ? command->quantity : 1;
}

/* A pipeline_apply. */
static size_t count_apply(book *self, const command_record *commands, size_t count,
                          event_record *events, size_t room, size_t *written)
{
    size_t taken = 0;
    *written = 0;
    for (; taken < count; taken++) {
        const command_record *command = &commands[taken];
        uint64_t left = events_of(command);
        if (left > room - *written || (self->stuck_at && command->order_id == self->stuck_at)) {
            break;
        }
        self->misplaced += command->sequence != self->last + 1;
        self->last = command->sequence;
        self->applied++;
        while (left > 0) {
            events[(*written)++] = (event_record){.sequence = ++self->events,
                                                  .timestamp_ns = command->timestamp_ns,
                                                  .order_id = command->order_id,
                                                  .contra_order_id = command->sequence,
                                                  .quantity = events_of(command),
                                                  .leaves = --left,
                                                  .instrument = command->account};
        }
    }
    return taken;
}

/* --- the reader ---------------------------------------------------------------------------- */

typedef struct {
    uint64_t events;  /* read so far */
    uint64_t command; /* sequence of the command whose events are being read */
    uint64_t left;    /* of them */
} event_reader;

/* read_event: it is the next one, or the test has failed. */
static inline void read_event(event_reader *self, const event_record *event)
{
    CHECK(event->sequence == ++self->events);
    if (self->left == 0) {
        self->command++;
        self->left = event->quantity;
    }
    CHECK(event->contra_order_id == self->command);
    CHECK(event->leaves == --self->left);
}

/* --- the world ----------------------------------------------------------------------------- */

typedef struct {
    uint64_t command_slots;
    uint64_t event_slots;
    uint64_t start;       /* of both rings' cursors */
    uint64_t most_events; /* of one command */
    pipeline_journal journal;
    void *journal_context;
    uint32_t batch;
    int strategy;
    int parking; /* of the rings */
} world_plan;

typedef struct {
    sequencer *commands;
    spsc_ring *events;
    pipeline *pipe;
    book book;
    event_reader reader;
    uint64_t start;
    uint64_t sent; /* commands accepted; the order id of the last one */
    int producer;
} world;

static const world_plan SMALL = {.command_slots = 16,
                                 .event_slots = 16,
                                 .most_events = 40,
                                 .batch = 4,
                                 .strategy = WAIT_PARK,
                                 .parking = 1};

/* world_open: rings and a pipeline between them, not started. */
static inline void world_open(world *self, const world_plan *plan)
{
    region_problem problem;
    memset(self, 0, sizeof *self);
    self->start = plan->start;
    self->book.last = plan->start;
    self->reader.command = plan->start;
    CHECK(sequencer_create(NULL, plan->command_slots, plan->parking, plan->start, &self->commands,
                           &problem) == 0);
    CHECK(spsc_create(NULL, plan->event_slots, plan->parking, plan->start, &self->events,
                      &problem) == 0);
    pipeline_options options = {.strategy = plan->strategy,
                                .match_core = -1,
                                .journal_core = -1,
                                .batch = plan->batch,
                                .spill_events = plan->most_events};
    CHECK(pipeline_new(self->commands, self->events, count_apply, &self->book, plan->journal,
                       plan->journal_context, &options, &self->pipe) == 0);
    self->producer = sequencer_join(self->commands);
    CHECK(self->producer >= 0);
}

static inline void world_start(world *self, const world_plan *plan)
{
    world_open(self, plan);
    CHECK(pipeline_start(self->pipe) == 0);
}

/* world_free: the pipeline has ended, or never started. */
static inline void world_free(world *self)
{
    char message[256];
    CHECK(self->book.misplaced == 0);
    CHECK(spsc_check(self->events, message, sizeof message));
    CHECK(sequencer_check(self->commands, message, sizeof message));
    pipeline_free(self->pipe);
    spsc_detach(self->events);
    sequencer_detach(self->commands);
}

/* world_send: one command with so many events; what the push returned. */
static inline int64_t world_send(world *self, uint64_t events)
{
    command_record command = {.order_id = self->sent + 1, .quantity = events, .kind = COMMAND_NEW};
    int64_t pushed = sequencer_push(self->commands, self->producer, &command, 1, 1);
    self->sent += pushed == 1;
    return pushed;
}

/* world_send_all: `count` commands with `events` each; there is room for them sooner or later. */
static inline void world_send_all(world *self, uint64_t count, uint64_t events)
{
    for (uint64_t i = 0; i < count; i++) {
        UNTIL(world_send(self, events) == 1);
    }
}

/* world_read: receive up to `most` events and look at each. */
static inline size_t world_read(world *self, size_t most)
{
    event_record events[64];
    size_t got = pipeline_receive(self->pipe, events, most < 64 ? most : 64);
    for (size_t i = 0; i < got; i++) {
        read_event(&self->reader, &events[i]);
    }
    return got;
}

/* world_read_all: until the pipeline says that no more will come. */
static inline void world_read_all(world *self, int strategy)
{
    for (;;) {
        int state = pipeline_wait_events(self->pipe, strategy, LIMIT_NS);
        CHECK(state != WAIT_TIMEOUT);
        if (state == WAIT_CLOSED) {
            CHECK(world_read(self, 64) == 0);
            return;
        }
        CHECK(world_read(self, 64) > 0);
    }
}

static inline stage_stats stage_of(const world *self, int stage)
{
    stage_stats stats;
    pipeline_stage(self->pipe, stage, &stats);
    return stats;
}

/* world_cursor: commands that match has done. */
static inline uint64_t world_done(const world *self)
{
    return sequencer_cursor(self->commands, STAGE_MATCH) - self->start;
}

static inline void world_join(world *self)
{
    CHECK(pipeline_join(self->pipe, LIMIT_NS) == WAIT_READY);
}

#endif
