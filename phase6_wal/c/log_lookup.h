/* log_lookup.h - one record of a log by its sequence, out of the files, while somebody writes them.
 *
 *     sequence ──▶ segment: the largest first_sequence that is not above it (names, a table)
 *              ──▶ slot:    sequence - first_sequence, and as many more as there are marks before it
 *
 * For the store of phase5_protocol/c/mold_store.h: what was published and is too old for its memory
 * comes from the event log, message `number` being event `number`. log_lookup_read is a mold_log_read.
 *
 * Nothing is shared with the writer but the files. A record is taken if its crc is right under the
 * salt of its segment and its sequence is the one that is wanted: so one that is just being written, or
 * that an earlier use of the file has left, is not there. Whether a record that is there was
 * acknowledged, the caller knows: who asks for what was published asks for nothing else.
 *
 * Records are read 51 at a time: who asks for one will ask for the next.
 *
 * Threads: one at a time. The storage may be the writer's.
 */
#ifndef PHASE6_LOG_LOOKUP_H
#define PHASE6_LOG_LOOKUP_H

#include "phase6_wal/c/log_format.h"
#include "phase6_wal/c/storage.h"

/* cdef:begin */
typedef struct log_lookup log_lookup;

enum {
    LOOKUP_MISSING = -1, /* the log has no such record (any more, or yet) */
    LOOKUP_FAILED = -2,  /* the storage failed: log_lookup_counters.error */
    LOOKUP_NO_ROOM = -3
};

typedef struct {
    uint64_t found;
    uint64_t missing;
    uint64_t failed;
    uint64_t reads;   /* of records, from the storage */
    uint64_t opened;  /* segments */
    uint64_t listed;  /* the directory */
    int64_t error;    /* the last errno */
} log_lookup_counters;

/* log_lookup_new: `disk` stays the caller's. log_id 0: the first segment that is opened decides. NULL:
 * no memory. */
log_lookup *log_lookup_new(storage *disk, uint32_t content, uint64_t log_id);
void log_lookup_free(log_lookup *self);
/* log_lookup_read: the 64 bytes of record `sequence`, a command or an event, copied to `to`: 64, or
 * LOOKUP_... O(1) within a run of sequences; another segment costs O(log segments); a record that is
 * not where the names say it is, a look at the whole directory. */
int64_t log_lookup_read(void *self, uint64_t sequence, void *to, size_t room);
void log_lookup_count(const log_lookup *self, log_lookup_counters *counters);
/* cdef:end */

#endif
