/* bench.h - what an append costs, taken apart; and a log under a load that does not wait for it.
 *
 *     frame     bodies ──▶ slots in memory                  what 80 bytes cost without any file
 *     appends   bodies ──▶ log_append                       the writer, as fast as it goes
 *     pages     stores ──▶ a mapped file                    what a page costs that nobody has touched
 *     syncs     records ─▶ a file ──▶ the disk, one by one  the ways to make a file longer for good
 *     load      due ──▶ log_append ──▶ acknowledged         each record is due at its time
 *
 * Times are of log_clock_ns. Files are made anew at `path`, and removed.
 * Functions return 0, a negative errno, or a LOG_... code where a writer is driven.
 */
#ifndef PHASE6_BENCH_H
#define PHASE6_BENCH_H

#include "phase6_wal/c/log_writer.h"

/* cdef:begin */
/* What is done beforehand to the file that is mapped, or appended to. */
enum {
    BENCH_SPARSE = 0,    /* pages: a size and no blocks; syncs: it grows with each append */
    BENCH_ALLOCATED = 1, /* blocks that were never written (-ENOTSUP where there is no such call) */
    BENCH_ZEROED = 2,    /* zeros written and synced */
    BENCH_TOUCHED = 3,   /* pages: and every page stored to; syncs: mapped, stores and msync */
    BENCH_WAYS = 4
};
typedef struct {
    uint64_t elapsed_ns; /* from when the first record was due until the last was acknowledged */
    uint64_t latest_ns;  /* how long after its time a record was appended, at the most */
    uint64_t appends;    /* calls of log_append */
    uint64_t flushes;    /* syncs of records meanwhile */
} bench_load;

/* How a record is made: its crc left 0; with a call of crc32c for each; as the log does, all of a
 * batch in one pass (log_records.h). */
enum { BENCH_COPIED = 0, BENCH_CHECKED = 1, BENCH_SEALED = 2 };
/* bench_frame: write `count` records into `slots`, from the front again after `slot_count` of them,
 * which is also the batch. Returns something that depends on all of their crcs. */
uint32_t bench_frame(const void *bodies, size_t count, void *slots, size_t slot_count, int how);
/* bench_appends: `count` bodies, `batch` of them to a log_append. */
int bench_appends(log_writer *log, const void *bodies, size_t count, size_t batch, uint64_t *ns);
/* bench_pages: 64-byte stores, one behind the other, over a map of `bytes`, a multiple of 4,096. */
int bench_pages(const char *path, int way, uint64_t bytes, uint64_t *ns);
/* bench_syncs: `count` times `size` bytes, up to 131,072, and a sync; the ns of each in `times`. */
int bench_syncs(const char *path, int way, size_t size, size_t count, uint32_t *times);
/* bench_open_loop: record i is due at i / per_second and appended with what else is due by then, up
 * to `batch`. times[i]: from when it was due until it was acknowledged; more than four seconds stand
 * as four seconds. A log that waits for more to come (group) is flushed after the last. */
int bench_open_loop(log_writer *log, const void *bodies, size_t count, double per_second,
                    size_t batch, uint32_t *times, bench_load *result);
/* cdef:end */

#endif
