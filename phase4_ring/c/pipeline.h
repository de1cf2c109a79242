/* pipeline.h - an engine on a thread of its own, between two rings.
 *
 *                            ┌▶ journal ──(gate)─┐
 *   gateways ─▶ [sequencer] ─┤                   ▼
 *                            └▶ match ─▶ [SPSC ring of events] ─▶ publish = the subscriber
 *
 * `match` is a thread that drives a book (any that implements contract/c/engine.h, handed over as
 * two addresses) straight from the slots of the sequencer into the slots of the event ring: no
 * copy. `journal`, if there is one, is a thread that appends the same commands somewhere. They run
 * side by side. The subscriber sees an event only when the command that caused it is journaled:
 * before match applies commands it says how far it will go (`begun`), so whoever reads the event
 * ring's head and then `begun` knows a bound for the commands behind those events.
 *
 * Room. The event ring is full: match waits for the subscriber, the sequencer fills, producers are
 * refused. Commands whose events do not fit into what is left of a lap, or into a whole lap, go
 * through a spill buffer that holds the most events one command can cause (capacity of the book
 * plus two; untouched pages cost nothing).
 *
 * Gate. It opens by whole looks: all events up to a head once the journal has passed what had begun
 * by then. So when the journal fails, some events of the last commands that it did take may stay
 * unseen; none of a command that it did not take is seen. Who restarts replays the journal.
 *
 * Credit. A subscriber that can only take so many events says so (pipeline_grant); match stops
 * before the first command that does not fit, and says that it stands (pipeline_is_stalled). The
 * subscriber grants more, or drops what is queued (pipeline_discard).
 *
 * Ownership. The book belongs to the match thread. When the sequencer's cursor for match has
 * reached all that was pushed, and nobody pushes, whoever saw it there may look into the book: the
 * cursor's release store ordered the book's changes before it, and the next push orders the look
 * before the next change.
 *
 * Ends. pipeline_close lets everything drain; pipeline_abort does not. A stage that fails stops
 * all others and closes the sequencer; pipeline_failure tells which and why. Nobody hangs: each
 * wait looks around every 10 ms at the latest.
 */
#ifndef PHASE4_PIPELINE_H
#define PHASE4_PIPELINE_H

#include "contract/c/engine.h"
#include "phase4_ring/c/sequencer.h"
#include "phase4_ring/c/spsc_ring.h"

/* cdef:begin */
typedef struct book book; /* any: see engine.h */
typedef struct pipeline pipeline;

/* As book_apply of engine.h. */
typedef size_t (*pipeline_apply)(book *self, const command_record *commands, size_t command_count,
                                 event_record *events, size_t event_capacity,
                                 size_t *events_written);
/* Append commands durably or not at all: 0, or a negative code, which ends the pipeline. */
typedef int (*pipeline_journal)(void *context, const command_record *commands, size_t count);

typedef struct {
    int strategy;       /* how stages wait (wait.h) */
    int match_core;     /* to pin to; -1: wherever */
    int journal_core;
    uint32_t batch;     /* most commands between two hand-overs, at least 1 */
    uint32_t journal_batch; /* most that the journal takes at once; 0: as many */
    uint64_t spill_events; /* most events of one command */
} pipeline_options;

enum { STAGE_MATCH = 0, STAGE_JOURNAL = 1, STAGE_COUNT = 2 };
enum { STAGE_ABSENT = 0, STAGE_RUNNING = 1, STAGE_DRAINED = 2, STAGE_ABORTED = 3, STAGE_FAILED = 4 };
/* Why a stage failed, besides what a journal says. */
enum { FAILED_ENGINE_STUCK = -1001, FAILED_EVENTS_CLOSED = -1002 };

/* Counters of one stage, since the start. Each is exact by itself; together they are a moment
 * apart while the stage runs. */
typedef struct {
    int32_t state;
    int32_t code;    /* STAGE_FAILED: why */
    int32_t pinned;  /* the core it is pinned to, or -1 */
    uint32_t dead_producers; /* claims of dead processes that were filled */
    uint64_t cursor; /* commands before it are done; STAGE_FAILED: the first that is not */
    uint64_t commands;
    uint64_t events;
    uint64_t batches;
    uint64_t largest_batch;
    uint64_t spilled;     /* commands that went through the spill buffer */
    uint64_t busy_ns;     /* applying and handing over */
    uint64_t idle_ns;     /* no commands */
    uint64_t blocked_ns;  /* no room for events */
} stage_stats;

/* Why a pipeline could not be made. */
enum { PIPELINE_NO_MEMORY = -1, PIPELINE_OTHER_CONSUMERS = -2, PIPELINE_IN_USE = -3 };

/* pipeline_new: everything but the threads. Its stages are the sequencer's consumers: match number
 * 0 and, with a journal, journal number 1. A sequencer without consumers gets them; in one that
 * has them their places are taken over at their cursors, if whoever had them is dead. It is also
 * the event ring's producer, until it is freed. 0, or why not. O(1); the spill is not touched. */
int pipeline_new(sequencer *commands, spsc_ring *events, pipeline_apply apply, book *book,
                 pipeline_journal journal, void *journal_context,
                 const pipeline_options *options, pipeline **made);
/* pipeline_start: start the stages; they are up and pinned on return. 0, or a negative errno with
 * nothing running. Once only. */
int pipeline_start(pipeline *self);
/* pipeline_close: take no more commands; stages end when they have done all that was claimed. */
void pipeline_close(pipeline *self);
/* pipeline_abort: stages end at once, between two batches; or while the events of one command are
 * handed over from the spill buffer, and the rest of them is lost. */
void pipeline_abort(pipeline *self);
/* pipeline_join: wait for the stages, in any number of threads. WAIT_READY when all have ended and
 * are joined, WAIT_TIMEOUT. */
int pipeline_join(pipeline *self, uint64_t timeout_ns);
/* pipeline_free: after a join, or before the start. NULL is allowed. */
void pipeline_free(pipeline *self);

void pipeline_stage(const pipeline *self, int stage, stage_stats *stats);
/* pipeline_failure: the stage that failed first, or -1. */
int pipeline_failure(const pipeline *self);
/* pipeline_dead_claim: the n-th claim of a dead process that match has filled, n below
 * dead_producers and below 64: 1, else 0. */
int pipeline_dead_claim(const pipeline *self, uint32_t n, dead_claim *claim);

/* pipeline_receive: the publish stage: copy out events whose commands are journaled. Returns how
 * many; it does not wait. One subscriber. */
size_t pipeline_receive(pipeline *self, event_record *events, size_t count);
/* pipeline_wait_events: WAIT_READY when pipeline_receive has something, WAIT_TIMEOUT, or
 * WAIT_CLOSED when the stages have ended and everything is received. */
int pipeline_wait_events(pipeline *self, int strategy, uint64_t timeout_ns);
/* pipeline_wait_done: WAIT_READY when match has done all commands before `cursor` or stands
 * without credit, WAIT_TIMEOUT, WAIT_CLOSED when it has ended. Pauses and yields, never sleeps. */
int pipeline_wait_done(pipeline *self, uint64_t cursor, uint64_t timeout_ns);

/* pipeline_grant: events may go up to this cursor of the event ring, exclusive. The first call, to
 * be made before the start, puts credit into force. */
void pipeline_grant(pipeline *self, uint64_t event_cursor);
/* pipeline_is_stalled: 1 while match stands before a command that the credit does not cover. */
int pipeline_is_stalled(const pipeline *self);
/* pipeline_discard: consume, without applying, everything before `cursor`. While stalled only, by
 * the only producer, and only without a journal: it would have what was never applied. WAIT_READY when it is done, or match was told to end; WAIT_CLOSED when match
 * has ended. */
int pipeline_discard(pipeline *self, uint64_t cursor);
/* cdef:end */

#endif
