/* log_writer.h - appends to a log, and says how far it has got.
 *
 *     put    ──▶ slots of the present segment ──┬─ mapped: stores into the page cache
 *                                               └─ written: a buffer, pwrite when it is full, at a
 *                                                  flush, under page-cache at each settle
 *     settle ──▶ what the durability demands; then it is acknowledged. append = put + settle
 *     flush  ──▶ msync / fdatasync ──▶ durable = appended
 *     segment full ──▶ the next one, which a thread has made ready: blocks, zeros, pages. Its
 *                      header and its name it gets now, from the owner, who under group and sync
 *                      waits until both are on the disk; under page-cache and none the thread syncs
 *                      them a little later, and then all of the old one: that is durable then
 *
 * An append into a mapped log under page-cache asks nothing of the system and takes no memory, but
 * for the one that turns to the next segment: that one renames a file, and waits if the thread is
 * behind.
 *
 * A mark is a record without a number: it takes a slot, is never withdrawn, and becomes durable
 * with what is around it. It is left out where the segment holds nothing but a mark already: it
 * would say the same.
 *
 *     durability    when append returns, a crash of ... loses     acknowledged, after an append
 *                   the process          the machine
 *     none          up to a buffer       anything                 all of it, with no promise
 *     page-cache    nothing              what is not synced       all of it
 *     group         what is not flushed  what is not flushed      up to the last flush
 *     sync          nothing              nothing                  all of it: each append flushes
 *
 * A flush is due under `group` after group_count records or group_ns since the first that waits,
 * whichever comes first; append looks at the count, log_poll at both.
 *
 * The first error ends the writer: everything after it returns the same code, nothing is retried,
 * and `acknowledged` stays where it was. LOG_FULL alone is not an end: there is no space for
 * another segment; nothing was written; cancels still go into the reserve (log_append_reserved),
 * and as soon as a segment can be made, everything goes on.
 *
 * Threads: one owner. log_durable, log_acknowledged and log_sequence may be read by any.
 */
#ifndef PHASE6_LOG_WRITER_H
#define PHASE6_LOG_WRITER_H

#include "phase6_wal/c/log_format.h"
#include "phase6_wal/c/storage.h"

/* cdef:begin */
typedef struct log_writer log_writer;

enum { LOG_WRITTEN = 0, LOG_MAPPED = 1 };
enum { LOG_LEAST_SEGMENT = 8192 };
enum {
    LOG_FULL = -1,       /* no space for another segment; may pass */
    LOG_FAILED = -2,     /* the storage failed: log_problem says where; the writer has ended */
    LOG_CLOSED = -3,
    LOG_NO_MEMORY = -4,
    LOG_BAD_OPTIONS = -5
};

typedef struct {
    uint32_t content;       /* LOG_COMMANDS or LOG_EVENTS */
    uint32_t durability;    /* DURABLE_... */
    uint32_t method;        /* LOG_MAPPED or LOG_WRITTEN */
    uint32_t spares;        /* segments made ready ahead: 1 or more */
    uint32_t prepare_thread;/* 1: by a thread; 0: in append, when needed */
    uint32_t reserve;       /* 1: keep one more, for cancels on a full disk */
    uint64_t segment_bytes; /* a multiple of 4,096, 8,192 to 2**32 */
    uint64_t buffer_bytes;  /* of a written log: the most it holds back */
    uint64_t group_count;
    uint64_t group_ns;
    uint64_t log_id;
    uint64_t seed;          /* of the salts; 0: from the system */
} log_options;

/* Where a log stands: what recovery finds, and a writer goes on from. */
typedef struct {
    uint64_t sequence;      /* of the last record; 0 at the beginning */
    uint64_t number;        /* of the present segment; 0: there is none */
    uint64_t first_sequence;/* of the present segment */
    uint64_t slot;          /* the next free one in it */
    uint32_t chain;
    uint32_t salt;          /* of the present segment */
} log_position;

typedef struct {
    int32_t code;           /* LOG_... */
    int32_t error;          /* errno */
    char call[16];          /* "write", "sync", ... */
    char name[64];          /* of the file */
    uint64_t offset;        /* in it */
} log_problem;

typedef struct {
    uint64_t records;
    uint64_t bytes;         /* handed to the storage, or stored into maps */
    uint64_t flushes;       /* syncs of records */
    uint64_t segments;      /* begun by this writer */
    uint64_t recycled;      /* among them */
    uint64_t waits;         /* for a segment that was not ready */
    uint64_t withdrawn;
} log_counters;

/* log_writer_new: goes on from `position` (all zeros: a new log). The segment of a position is cut
 * there: its rest is filled with zeros and synced before anything is appended, so that nothing of
 * the old tail can become valid. 0 or LOG_...; *problem says more. */
int log_writer_new(storage *disk, const log_options *options, const log_position *position,
                   log_writer **made, log_problem *problem);
/* log_writer_close: flush, sync, end the thread. The writer's last code. Twice is harmless; all
 * else is LOG_CLOSED from then on. */
int log_writer_close(log_writer *self);
void log_writer_free(log_writer *self);

/* log_append: log_put, then log_settle: `count` bodies of 64 bytes, whose first 8 bytes become the
 * next sequences. All of them are in the log when it returns 0, none if it is LOG_FULL; after
 * LOG_FAILED nobody knows. */
int log_append(log_writer *self, const void *bodies, size_t count);
/* log_append_reserved: the same, out of the reserve too. */
int log_append_reserved(log_writer *self, const void *bodies, size_t count);
/* log_put: the first half of an append: into the slots, with no flush, so that it can be withdrawn.
 * log_settle: the second: what the mode demands after an append. `none`: nothing; page-cache: the
 * buffer of a written log goes to the system; group: a flush if group_count wait; sync: a flush if
 * any waits. Acknowledged is what has been settled. */
int log_put(log_writer *self, const void *bodies, size_t count);
int log_put_reserved(log_writer *self, const void *bodies, size_t count);
int log_settle(log_writer *self);
/* log_append_mark: sequence and chain are filled in here. Nothing of before can be withdrawn
 * then. */
int log_append_mark(log_writer *self, const log_mark *mark);
/* log_room: records that go into the present segment, at least 1 if there is a next one: an append
 * of no more than this can be withdrawn. */
size_t log_room(const log_writer *self);
/* log_withdraw: take back the last `count` records of the last log_put, before it is settled. Their
 * slots are zeroed. */
int log_withdraw(log_writer *self, size_t count);
/* log_flush: everything appended is durable when it returns 0, in every mode. */
int log_flush(log_writer *self);
/* log_poll: flush if one is due at `now_ns` (log_clock_ns). The time of the first that waits is
 * that of the first poll that sees it: append reads no clock. 1: flushed; 0: not due. */
uint64_t log_clock_ns(void);
int log_poll(log_writer *self, uint64_t now_ns);
/* log_release: segments whose records are all before `sequence` may be used again or removed, but
 * for the present one. How many were. */
int log_release(log_writer *self, uint64_t sequence);

uint64_t log_sequence(const log_writer *self);     /* of the last record appended */
uint64_t log_durable(const log_writer *self);      /* up to here it survives the machine */
uint64_t log_acknowledged(const log_writer *self); /* up to here the mode's promise holds */
uint32_t log_chain(const log_writer *self);
uint64_t log_id_of(const log_writer *self);
void log_where(const log_writer *self, log_position *position);
void log_count(const log_writer *self, log_counters *counters);
/* log_problem_of: 0 or why the writer has ended; *problem also says why there was no space last. */
int log_problem_of(const log_writer *self, log_problem *problem);
/* cdef:end */

#endif
