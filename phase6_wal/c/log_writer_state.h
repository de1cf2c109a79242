/* log_writer_state.h - the inside of a writer, for its own sources.
 *
 * The window is the memory that slots are made in: the map of the present segment, or the buffer.
 *
 *      file     |header|#################|=========|                          |
 *               0      4096              window_at  offset         window_end  bytes
 *                       known to the      the buffer, or, mapped,
 *                       system            all of it (window_at 0)
 */
#ifndef PHASE6_LOG_WRITER_STATE_H
#define PHASE6_LOG_WRITER_STATE_H

#include "phase6_wal/c/log_segments.h"

struct log_writer {
    storage *disk;
    log_options options;
    log_depot depot;
    log_segment *present;
    uint8_t *window;
    uint64_t window_at;       /* offset in the file of the window's first byte */
    uint64_t window_end;      /* of the byte behind the last slot that fits into it */
    uint64_t offset;          /* of the next slot */
    uint64_t slots_end;       /* of the byte behind the last slot */
    uint8_t *buffer;          /* of a written log */
    uint32_t chain;
    uint32_t short_of_reserve;
    /* The state before the last put, as far as it can be withdrawn. */
    uint64_t put_offset;
    uint64_t put_sequence;
    uint32_t put_chain;
    uint32_t named;           /* the present segment's name is synced */
    uint32_t after_promise;   /* the one before was of group or sync: see writer_begin */
    uint64_t first_waits_ns;  /* 0: no poll has seen anything wait */
    int closed;
    _Atomic uint64_t sequence;
    _Atomic uint64_t acknowledged;
    log_counters counters;
};

/* writer_begin: the first segment, or the next one: header, sync, name. depot_ensure has been
 * called. */
int writer_begin(log_writer *self);
/* writer_rotate: the present segment ends, the next one begins; likewise. */
int writer_rotate(log_writer *self);
/* writer_write_out: what the buffer holds, to the system. */
int writer_write_out(log_writer *self);
/* writer_flush: all of it on the disk, and durable. What older segments still wait for has been
 * drained before. */
int writer_flush(log_writer *self);
/* writer_look_at: the window of the present segment, from `offset` on. */
void writer_look_at(log_writer *self, uint64_t offset);
/* writer_seal_header: the crc of a header that is complete but for it. */
void writer_seal_header(log_header *header);
/* writer_write_header: into the present segment. */
int writer_write_header(log_writer *self, const log_header *header, int synced);
/* writer_cannot_withdraw: what is there now stays. */
void writer_cannot_withdraw(log_writer *self);

/* writer_mend: the present segment, which has so many records, and those before it are on the disk,
 * and end there. */
int writer_mend(log_writer *self, const log_header *header, uint64_t slots);
int writer_open_segment(log_writer *self, log_segment *segment);
int writer_read_at(log_writer *self, const log_segment *from, uint64_t offset, void *to,
                   size_t size);

static inline int writer_is_synced_by_batch(const log_writer *self)
{
    return self->options.durability >= DURABLE_GROUP;
}

static inline uint64_t writer_sequence(const log_writer *self)
{
    return atomic_load_explicit(&self->sequence, memory_order_relaxed);
}

static inline uint64_t writer_durable(const log_writer *self)
{
    return atomic_load_explicit(&self->depot.durable, memory_order_relaxed);
}

static inline int writer_code(const log_writer *self)
{
    return atomic_load_explicit(&self->depot.code, memory_order_relaxed);
}

static inline int writer_fail(log_writer *self, const char *call, uint64_t offset, int error)
{
    return depot_fail(&self->depot, call, self->present->name, offset, error);
}

static inline int writer_fail_at(log_writer *self, const char *call, const char *name,
                                 uint64_t offset, int error)
{
    return depot_fail(&self->depot, call, name, offset, error);
}

#endif
