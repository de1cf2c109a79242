/* log_writer.c - see log_writer.h. log_open.c makes a writer and ends it, log_turn.c
 * turns from one segment to the next. */
#include "phase6_wal/c/log_writer.h"

#include <string.h>
#include <time.h>

#include "phase6_wal/c/log_records.h"
#include "phase6_wal/c/log_writer_state.h"

uint64_t log_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* acknowledge: what the mode's promise holds for. */
static void acknowledge(log_writer *self)
{
    /* Pairs with log_acknowledged. */
    atomic_store_explicit(
        &self->acknowledged,
        writer_is_synced_by_batch(self) ? writer_durable(self) : writer_sequence(self),
        memory_order_release);
}

/* --- put and withdraw ---------------------------------------------------------------------- */

/* make_room: the slow side of a put: segments for `count` records, nothing written yet. */
static int make_room(log_writer *self, size_t count, int reserved)
{
    const uint64_t here = (self->slots_end - self->offset) / LOG_RECORD_BYTES;
    const uint64_t each = log_slots(self->options.segment_bytes);
    const uint64_t more = count > here ? (count - here + each - 1) / each : 0;
    if (more > 0 && !depot_is_ready(&self->depot, (size_t)more, reserved)) {
        self->counters.waits++;
    }
    const int code = depot_ensure(&self->depot, (size_t)more, reserved);
    if (code == 0 && !reserved) {
        self->short_of_reserve = 0;
    }
    return code;
}

/* put: `count` records of a kind. What can be withdrawn is what goes into one window. */
static int put(log_writer *self, const uint8_t *bodies, size_t count, uint32_t kind, int reserved)
{
    int code = writer_code(self);
    if (__builtin_expect(code != 0, 0)) {
        return code;
    }
    const int is_short = self->short_of_reserve && !reserved;
    if (__builtin_expect(count > (self->slots_end - self->offset) / LOG_RECORD_BYTES || is_short,
                         0)) {
        code = make_room(self, count, reserved);
        if (code != 0) {
            return code;
        }
    }
    if (count * LOG_RECORD_BYTES > self->window_end - self->offset &&
        (code = writer_write_out(self)) != 0) {
        return code;
    }
    writer_cannot_withdraw(self);
    while (count > 0) {
        size_t some = (size_t)(self->window_end - self->offset) / LOG_RECORD_BYTES;
        if (some == 0) {
            code = self->offset < self->slots_end ? writer_write_out(self) : writer_rotate(self);
            if (code != 0) {
                return code;
            }
            continue;
        }
        some = some < count ? some : count;
        const uint64_t sequence = writer_sequence(self);
        const uint64_t numbered = kind == RECORD_MARK ? 0 : some;
        const log_batch batch = {.sequence = sequence + (numbered > 0),
                                 .durable = writer_durable(self),
                                 .salt = self->present->salt,
                                 .chain = self->chain,
                                 .kind = kind};
        self->chain = log_records_seal(self->window + (self->offset - self->window_at), bodies,
                                       some, &batch);
        self->offset += some * LOG_RECORD_BYTES;
        atomic_store_explicit(&self->sequence, sequence + numbered, memory_order_release);
        self->counters.records += numbered;
        bodies += some * LOG_BODY_BYTES;
        count -= some;
    }
    return 0;
}

int log_put(log_writer *self, const void *bodies, size_t count)
{
    return put(self, bodies, count, self->options.content, 0);
}

int log_put_reserved(log_writer *self, const void *bodies, size_t count)
{
    return put(self, bodies, count, self->options.content, 1);
}

int log_append_mark(log_writer *self, const log_mark *mark)
{
    /* A segment that holds no command yet, but something, holds a mark: of this very sequence.
     * Another one would say nothing new, and segments of nothing but marks would all have one
     * name. */
    const int is_marked = self->present->first_sequence > writer_sequence(self) &&
                          self->offset > LOG_HEADER_BYTES;
    if (is_marked) {
        return writer_code(self);
    }
    log_mark made = *mark;
    made.chain = self->chain;
    made.sequence = writer_sequence(self);
    memset(made.zeros, 0, sizeof made.zeros);
    if (self->offset == self->slots_end) {
        int code = writer_code(self);
        code = code != 0 ? code : make_room(self, 1, 0);
        code = code != 0 ? code : writer_rotate(self);
        if (code != 0) {
            return code;
        }
        made.chain = self->chain;
    }
    const int code = put(self, (const uint8_t *)&made, 1, RECORD_MARK, 0);
    writer_cannot_withdraw(self);
    if (code == 0 && writer_is_synced_by_batch(self)) {
        acknowledge(self); /* a turn of the segment has synced all before it */
    }
    return code;
}

size_t log_room(const log_writer *self)
{
    const uint64_t bytes = self->offset < self->slots_end
                               ? self->slots_end - self->offset
                               : self->options.segment_bytes - LOG_HEADER_BYTES;
    const uint64_t most = self->present->memory != NULL || self->options.buffer_bytes > bytes
                              ? bytes
                              : self->options.buffer_bytes;
    return (size_t)(most / LOG_RECORD_BYTES);
}

int log_withdraw(log_writer *self, size_t count)
{
    const int code = writer_code(self);
    if (code != 0) {
        return code;
    }
    if (count > (self->offset - self->put_offset) / LOG_RECORD_BYTES) {
        return LOG_BAD_OPTIONS;
    }
    const uint64_t end = self->offset;
    self->offset -= count * LOG_RECORD_BYTES;
    const size_t left = (size_t)(self->offset - self->put_offset) / LOG_RECORD_BYTES;
    self->chain = log_records_chain(self->window + (self->put_offset - self->window_at), left,
                                    self->put_chain);
    memset(self->window + (self->offset - self->window_at), 0, (size_t)(end - self->offset));
    atomic_store_explicit(&self->sequence, self->put_sequence + left, memory_order_release);
    self->counters.withdrawn += count;
    self->counters.records -= count;
    return 0;
}

/* --- settle and flush ---------------------------------------------------------------------- */

/* --8<-- [start:settle] */
int log_settle(log_writer *self)
{
    int code = writer_code(self);
    if (code != 0) {
        return code;
    }
    const uint64_t waiting = writer_sequence(self) - writer_durable(self);
    switch (self->options.durability) {
    case DURABLE_PAGE_CACHE:
        code = writer_write_out(self);
        break;
    case DURABLE_GROUP:
        code = waiting >= self->options.group_count ? writer_flush(self) : 0;
        break;
    case DURABLE_SYNC:
        code = waiting > 0 ? writer_flush(self) : 0;
        break;
    default:
        break;
    }
    if (code == 0) {
        writer_cannot_withdraw(self);
        acknowledge(self);
    }
    return code;
}
/* --8<-- [end:settle] */

int log_append(log_writer *self, const void *bodies, size_t count)
{
    const int code = log_put(self, bodies, count);
    return code != 0 ? code : log_settle(self);
}

int log_append_reserved(log_writer *self, const void *bodies, size_t count)
{
    const int code = log_put_reserved(self, bodies, count);
    return code != 0 ? code : log_settle(self);
}

int log_flush(log_writer *self)
{
    int code = depot_drain(&self->depot);
    code = code != 0 ? code : writer_flush(self);
    return code != 0 ? code : log_settle(self);
}

int log_poll(log_writer *self, uint64_t now_ns)
{
    int code = writer_code(self);
    const uint64_t waiting = writer_sequence(self) - writer_durable(self);
    if (code != 0 || self->options.durability != DURABLE_GROUP || waiting == 0) {
        return code;
    }
    if (self->first_waits_ns == 0) {
        self->first_waits_ns = now_ns > 0 ? now_ns : 1;
    }
    if (waiting < self->options.group_count &&
        now_ns - self->first_waits_ns < self->options.group_ns) {
        return 0;
    }
    code = writer_flush(self);
    code = code != 0 ? code : log_settle(self);
    return code != 0 ? code : 1;
}

int log_release(log_writer *self, uint64_t sequence)
{
    const int code = writer_code(self);
    return code != 0 ? code : depot_release(&self->depot, sequence);
}

/* --- what it says -------------------------------------------------------------------------- */

uint64_t log_sequence(const log_writer *self)
{
    return atomic_load_explicit(&self->sequence, memory_order_acquire);
}

uint64_t log_durable(const log_writer *self)
{
    return atomic_load_explicit(&self->depot.durable, memory_order_acquire);
}

uint64_t log_acknowledged(const log_writer *self)
{
    return atomic_load_explicit(&self->acknowledged, memory_order_acquire);
}

uint32_t log_chain(const log_writer *self)
{
    return self->chain;
}

uint64_t log_id_of(const log_writer *self)
{
    return self->options.log_id;
}

void log_where(const log_writer *self, log_position *position)
{
    const log_segment *present = self->present;
    *position = (log_position){.sequence = log_sequence(self),
                               .number = present->number,
                               .first_sequence = present->first_sequence,
                               .slot = (self->offset - LOG_HEADER_BYTES) / LOG_RECORD_BYTES,
                               .chain = self->chain,
                               .salt = present->salt};
}

void log_count(const log_writer *self, log_counters *counters)
{
    *counters = self->counters;
}

int log_problem_of(const log_writer *self, log_problem *problem)
{
    return depot_problem(&self->depot, problem);
}
