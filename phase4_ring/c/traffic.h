/* traffic.h - one thread at both ends of a pipeline: gateway and subscriber at once.
 *
 *       ┌──▶ [sequencer] ──▶ match ──┐
 *   caller                           │
 *       └◀────── [events] ◀──────────┘
 *
 * With two cores, one for the engine, the other has to send and to receive; so a loop that does a
 * little of each is the fastest way through, and the simplest to reason about.
 */
#ifndef PHASE4_TRAFFIC_H
#define PHASE4_TRAFFIC_H

#include "phase4_ring/c/pipeline.h"

/* cdef:begin */
/* pipeline_exchange: what book_apply promises (engine.h), through the rings: send commands, receive
 * their events, stop before the first command whose events do not fit. The caller is the only
 * producer and the subscriber, and has received all earlier events. Returns commands consumed;
 * *events_written says the rest. EXCHANGE_ENDED: a stage ended. EXCHANGE_NOT_AT_REST, and nothing
 * done: earlier commands or their events are still under way. EXCHANGE_JOURNALED, and nothing done:
 * the pipeline has a journal, from which what does not fit could not be taken back. */
enum { EXCHANGE_ENDED = -1, EXCHANGE_NOT_AT_REST = -2, EXCHANGE_JOURNALED = -3 };
int64_t pipeline_exchange(pipeline *self, int producer, const command_record *commands,
                          size_t command_count, event_record *events, size_t event_capacity,
                          size_t *events_written);

typedef struct {
    double commands_per_s; /* open loop: command i is due at start + i / rate; 0: at once */
    uint32_t burst;        /* most commands in one push */
    int core;              /* pin the caller here meanwhile, -1: leave it */
    uint64_t timeout_ns;   /* give up after as long without an event, or room for a command */
} traffic_plan;

typedef struct {
    uint64_t commands;  /* accepted */
    uint64_t events;    /* received */
    uint64_t refused;   /* pushes that found the ring full, and were tried again */
    uint64_t elapsed_ns;
    uint64_t latest_ns; /* the furthest that a command was sent behind its time */
} traffic_result;

/* traffic_run: send all commands and receive all of their events into `events` (room for all of
 * them). With `latency_ns` (one for each event, or NULL): from when the command was *due* to when
 * its event was received; a sender that falls behind does not hide it. With latencies the commands
 * are sent with the time they were due as timestamp_ns, without them as they are. Returns
 * WAIT_READY; WAIT_TIMEOUT; WAIT_CLOSED if the pipeline ended first; TRAFFIC_NO_ROOM if there are
 * more events than room for them. *result says how far it came. */
enum { TRAFFIC_NO_ROOM = -2 };
int traffic_run(pipeline *self, int producer, const command_record *commands, size_t count,
                event_record *events, size_t event_capacity, uint32_t *latency_ns,
                const traffic_plan *plan, traffic_result *result);

/* traffic_hiccups: look at the clock and at nothing else for `duration_ns`, pinned to `core`: what
 * the machine itself does to a thread that never waits. Writes the gaps between two looks that last
 * at least `least_ns`, as they come; returns how many there were (more than `capacity`
 * are counted, not written). */
size_t traffic_hiccups(uint64_t duration_ns, uint64_t least_ns, int core, uint32_t *gaps_ns,
                       size_t capacity);
/* cdef:end */

#endif
