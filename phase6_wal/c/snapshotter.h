/* snapshotter.h - takes snapshots of running books, and keeps the last few.
 *
 *     fork                                        copy
 *
 *     owner ──fork──▶ goes on matching            owner ──orders──▶ memory, goes on matching
 *       │ (pages are shared until it writes)                          │
 *       └─ child: orders ▶ checksums ▶ file                           └─ thread: checksums ▶ file
 *                                  └─────▶ thread: reads it again, renames, removes old ones
 *
 * The pause is what snapshotter_take costs the owner. By fork that is the copying of page tables, whatever
 * the books hold; and afterwards, until the child has ended, the first store into each page costs a
 * fault and a copy of the page. By copy it is the walk over all orders, and nothing afterwards. So few
 * orders are copied, and for many the process is forked.
 *
 * The child has one thread, and other threads' locks as they were in the middle of anything: it calls
 * nothing that could take one. It reads the books through their read-only functions, writes through
 * storage_posix.c's, which only call the system, reports through a page shared with its parent, and
 * closes every file but directories first: the log's lock, sockets and pipes would live on in it. If
 * its parent ends before it, it leaves a temporary file whose name no other process writes to.
 *
 * Nothing gets its final name before the caller has said, through snapshotter_poll, that the log is on the
 * disk as far as the snapshot is: a snapshot of commands that a power cut took from the log would be
 * of no use, and those that it pushed out would be missed.
 *
 * A failure is never the engine's: it is reported, the temporary file removed, older snapshots stay.
 *
 * Threads: one owner calls everything; the books must be at rest only during snapshotter_take.
 */
#ifndef PHASE6_SNAPSHOTTER_H
#define PHASE6_SNAPSHOTTER_H

#include "phase6_wal/c/snapshot.h"

/* cdef:begin */
typedef struct snapshotter snapshotter;

/* A book as contract/native.py lends it: addresses of itself and of functions of contract/c/engine.h. */
typedef struct {
    uint64_t book;
    uint64_t orders;
    uint64_t order_count;
    uint64_t event_sequence;
    int64_t min_price;
    int64_t max_price;
    uint32_t instrument;
    uint32_t capacity;
} snapshot_source;

enum { SNAPSHOT_BY_COPY = 0, SNAPSHOT_BY_FORK = 1 };
typedef struct {
    uint32_t how;
    uint32_t thread;     /* 0: no thread, all of it in take and poll; then only by copy */
    uint64_t keep;       /* how many, beside number 0; 1 or more */
    uint64_t log_id;
    uint64_t copy_below; /* by fork, but while the books hold fewer orders by copy; 0: always by fork */
} snapshot_options;

enum { SNAPSHOT_IDLE = 0, SNAPSHOT_WRITING = 1, SNAPSHOT_WRITTEN = 2, SNAPSHOT_ENDED = 3 };
enum { SNAPSHOT_TAKEN = 0, SNAPSHOT_BUSY = -1, SNAPSHOT_REFUSED = -2 };

typedef struct {
    int32_t state;            /* SNAPSHOT_IDLE, ... */
    int32_t done;             /* 1: the last one that ended has its name and is on the disk */
    snapshot_problem problem; /* of the last one; with done 1: older ones could not be removed */
    int32_t signal;           /* that ended its child */
    int32_t child;            /* process that writes just now, or 0 */
    int32_t by_fork;          /* how the last one was taken */
    uint64_t sequence;        /* of the last one begun */
    uint64_t bytes;
    uint64_t pause_ns;        /* what taking it cost the owner */
    uint64_t whole_ns;        /* until it had its name */
    uint64_t made;            /* so far */
    uint64_t failed;
    uint64_t removed;
    uint64_t oldest;          /* sequence of the oldest that is kept, but for 0; 0: there is none */
} snapshot_report;

/* snapshotter_new: for books in the order of their instruments. By fork only over a storage of
 * storage_posix.c. All memory is taken here, and what copies go to is touched: 40 bytes for each order
 * that the books have room for, or for copy_below. Temporary files of earlier ones are removed. 0, or -1
 * and the problem. */
int snapshotter_new(storage *disk, const snapshot_source *books, size_t count,
                    const snapshot_options *options, snapshotter **made, snapshot_problem *problem);
/* snapshotter_free: gives up what is not ended, and ends the child and the thread. */
void snapshotter_free(snapshotter *self);

/* snapshotter_take: begin one, of the books as they are. SNAPSHOT_BUSY: the one before is not ended;
 * SNAPSHOT_REFUSED: the report has the problem. */
int snapshotter_take(snapshotter *self, uint64_t sequence, uint32_t chain, uint32_t event_crc);
/* snapshotter_poll: the log is durable up to there. 1: one has ended since the last poll: see the report;
 * else 0. While nothing is under way this reads one variable. */
int snapshotter_poll(snapshotter *self, uint64_t durable);
/* snapshotter_wait: the same, waiting until it has ended, or waits for a log that is behind it: 0. */
int snapshotter_wait(snapshotter *self, uint64_t durable);
void snapshotter_look(snapshotter *self, snapshot_report *report);
/* cdef:end */

#endif
