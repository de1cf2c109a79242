/* traffic.c - see traffic.h. */
#include "phase4_ring/c/traffic.h"

#include <string.h>

#include "phase4_ring/c/pin.h"
#include "phase4_ring/c/pipeline_state.h"

/* Credit that no subscriber uses up: half the circle of the cursors. */
#define ENDLESS_CREDIT (UINT64_C(1) << 63)
/* Commands sent and events received in one turn of a loop. */
#define TURN_COMMANDS 64u
#define TURN_EVENTS 256u
#define PAUSES_BETWEEN_LOOKS 8

int64_t pipeline_exchange(pipeline *self, int producer, const command_record *commands,
                          size_t command_count, event_record *events, size_t event_capacity,
                          size_t *events_written)
{
    uint64_t first = sequencer_claimed(self->commands);
    uint64_t first_event = spsc_tail(self->events);
    size_t sent = 0;
    size_t received = 0;
    waiter wait;
    if (stage_has_ended(self, STAGE_MATCH)) {
        return EXCHANGE_ENDED;
    }
    if (self->journal != NULL) {
        return EXCHANGE_JOURNALED;
    }
    if (spsc_head(self->events) != first_event ||
        sequencer_cursor(self->commands, STAGE_MATCH) != first) {
        return EXCHANGE_NOT_AT_REST;
    }
    pipeline_grant(self, first_event + event_capacity);
    waiter_start(&wait, WAIT_YIELD, WAIT_FOREVER);
    for (;;) {
        /* Ends and cursors first, events after: what the cursor says is done has its events in the
         * ring by then. */
        int ended = stage_has_ended(self, STAGE_MATCH);
        int stalled = pipeline_is_stalled(self);
        uint64_t done = sequencer_cursor(self->commands, STAGE_MATCH) - first;
        size_t got = pipeline_receive(self, events + received, event_capacity - received);
        received += got;
        int all_seen = spsc_head(self->events) == spsc_tail(self->events);
        if (all_seen && (stalled || done == command_count)) {
            if (stalled) {
                pipeline_discard(self, first + sent);
            }
            /* So that whoever goes on without exchanging is not short of credit. */
            pipeline_grant(self, first_event + ENDLESS_CREDIT);
            *events_written = received;
            return (int64_t)done;
        }
        if (ended) {
            *events_written = received;
            return EXCHANGE_ENDED;
        }
        if (sent < command_count && !stalled) {
            size_t some = command_count - sent < TURN_COMMANDS ? command_count - sent
                                                               : TURN_COMMANDS;
            int64_t pushed = sequencer_push(self->commands, producer, commands + sent, some, 1);
            if (pushed > 0) {
                sent += (size_t)pushed;
                waiter_start(&wait, WAIT_YIELD, WAIT_FOREVER);
                continue;
            }
        }
        if (got == 0) {
            waiter_step(&wait);
        }
    }
}

/* push_due: claim, copy and publish commands, each stamped with the time it was due. */
static size_t push_due(pipeline *self, int producer, const command_record *commands, size_t count,
                       uint64_t due_ns, double gap_ns)
{
    size_t granted;
    uint64_t first = sequencer_claim(self->commands, producer, count, 1, &granted);
    for (size_t i = 0; i < granted; i++) {
        command_record *slot = sequencer_slot(self->commands, first + i);
        const size_t stamp = sizeof slot->sequence;
        memcpy((char *)slot + stamp, (const char *)&commands[i] + stamp, sizeof *slot - stamp);
        slot->timestamp_ns = due_ns + (uint64_t)((double)i * gap_ns);
    }
    if (granted > 0) {
        sequencer_publish(self->commands, producer, first, granted);
    }
    return granted;
}

/* push_some: as many as there is room for now, as they are. */
static size_t push_some(pipeline *self, int producer, const command_record *commands, size_t count)
{
    int64_t pushed = sequencer_push(self->commands, producer, commands, count, 1);
    return pushed > 0 ? (size_t)pushed : 0;
}

int traffic_run(pipeline *self, int producer, const command_record *commands, size_t count,
                event_record *events, size_t event_capacity, uint32_t *latency_ns,
                const traffic_plan *plan, traffic_result *result)
{
    const double gap_ns = plan->commands_per_s > 0 ? 1e9 / plan->commands_per_s : 0;
    memset(result, 0, sizeof *result);
    thread_pin(plan->core);
    uint64_t last = sequencer_claimed(self->commands) + count;
    uint64_t start = clock_ns();
    uint64_t now = start;
    uint64_t heard = start;
    int state = WAIT_READY;
    for (;;) {
        int over = spsc_is_closed(self->events) && stage_has_ended(self, STAGE_JOURNAL);
        int done = result->commands == count &&
                   (int64_t)(sequencer_cursor(self->commands, STAGE_MATCH) - last) >= 0;
        uint64_t due = (uint64_t)((double)result->commands * gap_ns);
        uint64_t before = result->commands;
        int is_due = result->commands < count && now - start >= due;
        if (is_due) {
            size_t most = gap_ns > 0 ? (size_t)((double)(now - start - due) / gap_ns) + 1 : count;
            size_t left = count - (size_t)result->commands;
            most = most < plan->burst ? most : plan->burst;
            most = most < left ? most : left;
            const command_record *next = commands + result->commands;
            size_t pushed =
                latency_ns != NULL
                    ? push_due(self, producer, next, most, gap_ns > 0 ? start + due : now, gap_ns)
                    : push_some(self, producer, next, most);
            result->commands += pushed;
            result->refused += pushed == 0;
            if (gap_ns > 0 && now - start - due > result->latest_ns) {
                result->latest_ns = now - start - due;
            }
        }
        size_t room = event_capacity - (size_t)result->events;
        size_t got = pipeline_receive(self, events + result->events,
                                      room < TURN_EVENTS ? room : TURN_EVENTS);
        now = clock_ns();
        for (size_t i = 0; latency_ns != NULL && i < got; i++) {
            uint64_t took = now - events[result->events + i].timestamp_ns;
            latency_ns[result->events + i] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
        }
        result->events += got;
        int waits = is_due || result->commands == count; /* for room, or for the last events */
        heard = got > 0 || result->commands != before || !waits ? now : heard;
        if (gap_ns == 0 && got == 0 && result->commands == before) {
            /* Not at once again: each look takes a cursor's line away from the engine's core. */
            for (int pause = 0; pause < PAUSES_BETWEEN_LOOKS; pause++) {
                wait_pause();
            }
        }
        if (got == 0 && (done || over || room == 0)) {
            /* What there is now is all there will be; the journal may be behind with it. */
            int all_seen = spsc_head(self->events) == spsc_tail(self->events);
            if (over || (done && all_seen)) {
                state = done && all_seen ? WAIT_READY : WAIT_CLOSED;
                break;
            }
            if (room == 0 && !all_seen) {
                state = TRAFFIC_NO_ROOM;
                break;
            }
        }
        if (now - heard > plan->timeout_ns) {
            state = WAIT_TIMEOUT;
            break;
        }
    }
    result->elapsed_ns = now - start;
    return state;
}

size_t traffic_hiccups(uint64_t duration_ns, uint64_t least_ns, int core, uint32_t *gaps_ns,
                       size_t capacity)
{
    thread_pin(core);
    size_t count = 0;
    uint64_t start = clock_ns();
    for (uint64_t before = start, now; before - start < duration_ns; before = now) {
        now = clock_ns();
        uint64_t gap = now - before;
        if (gap >= least_ns) {
            if (count < capacity) {
                gaps_ns[count] = gap < UINT32_MAX ? (uint32_t)gap : UINT32_MAX;
            }
            count++;
        }
    }
    return count;
}
