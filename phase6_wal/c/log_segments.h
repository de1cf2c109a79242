/* log_segments.h - segments before and after their turn: made ready, retired, used again.
 *
 *      made ──▶ ready ──▶ PRESENT ──▶ old ──▶ kept ──▶ released ──▶ cold ──▶ ready
 *           thread    owner      owner   thread    owner      thread   └──▶ removed
 *
 *   ready     NUMBER.spare: blocks behind all of it, zeros (or an earlier use's bytes) in it,
 *             mapped and touched if the log is; no header yet
 *   present   FIRST.log: the owner writes to it
 *   old       full; still open; under page-cache and none not synced yet
 *   kept      closed; part of the log until a snapshot covers it
 *   cold      NUMBER.spare: bytes of an earlier use; opened when one is needed
 *
 * With a thread, it does what takes long: making, syncing the old, closing and unmapping, renaming.
 * Without one, the owner does it at once. Either way in an order that a power cut at any place
 * leaves as a log: a released segment has lost its name, durably, before its bytes change, and the
 * oldest goes first.
 *
 * Threads: all but the thread's own functions are the owner's. `code` and `durable` may be read by
 * any.
 */
#ifndef PHASE6_LOG_SEGMENTS_H
#define PHASE6_LOG_SEGMENTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "phase6_wal/c/log_writer.h"

typedef struct log_segment {
    struct log_segment *next;
    char name[STORAGE_NAME_BYTES];
    int file;                /* -1: closed */
    int recycled;
    uint8_t *memory;         /* its map, if it has one */
    uint64_t bytes;
    uint64_t number;         /* from here on once it is begun */
    uint64_t first_sequence;
    uint64_t last_sequence;  /* once it is old */
    uint64_t synced;         /* bytes of it known to be on the disk, once written */
    uint64_t end;            /* bytes of it written */
    uint32_t salt;
} log_segment;

typedef struct {
    log_segment *first;
    log_segment *last;
    size_t count;
} segment_list;

typedef struct {
    storage *disk;
    const log_options *options;
    _Atomic int code;         /* 0, or why the log has ended: the first reason */
    _Atomic uint64_t durable;
    pthread_mutex_t mutex;    /* for all below */
    pthread_cond_t changed;
    pthread_t thread;
    int has_thread;
    int ending;               /* the thread shall end when nothing is left to do */
    int working;              /* the thread is at something */
    segment_list ready;
    segment_list old;
    segment_list kept;
    segment_list released;
    segment_list cold;
    size_t wanted;            /* ready ones */
    int full;                 /* the errno of the last attempt to make one, if it was no space */
    uint64_t asked;           /* how often the owner has asked for some: an attempt begun before the
                                 last time says nothing about the space there is now */
    log_segment *unnamed;     /* its header and its name are not synced */
    uint64_t spares;          /* names given so far */
    log_problem problem;
} log_depot;

static inline void segment_push(segment_list *list, log_segment *segment)
{
    segment->next = NULL;
    if (list->last != NULL) {
        list->last->next = segment;
    } else {
        list->first = segment;
    }
    list->last = segment;
    list->count++;
}

static inline log_segment *segment_pop(segment_list *list)
{
    log_segment *segment = list->first;
    if (segment != NULL) {
        list->first = segment->next;
        list->last = list->first != NULL ? list->last : NULL;
        list->count--;
    }
    return segment;
}

/* --- the owner's (log_segments.c) ---------------------------------------------------------- */

/* depot_open: nothing in it. 0 or LOG_NO_MEMORY. */
int depot_open(log_depot *self, storage *disk, const log_options *options);
/* depot_start: with its thread, if the options want one. 0 or LOG_NO_MEMORY. */
int depot_start(log_depot *self);
/* depot_end: end the thread, after its work or at once; close what is open. With `tidy` the files
 * of those made ready are removed. */
void depot_end(log_depot *self, int finish, int tidy);
void depot_free(log_depot *self);

/* depot_ensure: as many ready ones, and the reserve besides unless `reserved`. Waits for the
 * thread, or makes them. 0, LOG_FULL or LOG_FAILED. */
int depot_ensure(log_depot *self, size_t count, int reserved);
/* depot_is_ready: whether depot_ensure would neither wait nor make any. */
int depot_is_ready(log_depot *self, size_t count, int reserved);
/* depot_is_short: fewer are ready than the reserve needs. */
int depot_is_short(log_depot *self);
/* depot_take: the first ready one, which depot_ensure has promised. */
log_segment *depot_take(log_depot *self);
/* depot_retire: a segment that is full (name and last_sequence say of what). */
int depot_retire(log_depot *self, log_segment *segment);
/* depot_keep: a segment that was there before, closed; the caller fills in last_sequence. NULL: no
 * memory. */
log_segment *depot_keep(log_depot *self, const char *name);
/* depot_release: let go of kept ones whose last sequence is less; how many, or LOG_... */
int depot_release(log_depot *self, uint64_t sequence);
/* depot_name: a segment has got its name: sync its header and the directory, soon. */
int depot_name(log_depot *self, log_segment *segment);
/* depot_sync_header: 0 or -errno. */
int depot_sync_header(log_depot *self, log_segment *segment);
/* depot_drain: until the thread has nothing left to do but to make spares. The code. */
int depot_drain(log_depot *self);
/* depot_fail: the storage has failed; the first one counts. LOG_FAILED. */
int depot_fail(log_depot *self, const char *call, const char *name, uint64_t offset, int error);
/* depot_code: 0, or why the log has ended. depot_problem: the last one. */
int depot_code(const log_depot *self);
int depot_problem(const log_depot *self, log_problem *problem);
/* depot_close_segment: unmap, close. */
void depot_close_segment(log_depot *self, log_segment *segment);

/* --- with the mutex held (depot_run but for the thread itself) ----------------------------- */

void depot_set_problem(log_problem *problem, int code, const char *call, const char *name,
                       uint64_t offset, int error);
/* depot_fail_locked: `error` as storages give it, negative. */
void depot_fail_locked(log_depot *self, const char *call, const char *name, uint64_t offset,
                       int error);
/* depot_work: the next thing there is to do; spares only if `making`. 0: there is none. */
int depot_work(log_depot *self, int making);
/* depot_make: one more ready one, or *full or *code says why not. */
void depot_make(log_depot *self);
/* depot_is_idle: nothing is left to do, but for spares. */
int depot_is_idle(const log_depot *self);
/* depot_run: the thread. */
void *depot_run(void *depot);

#endif
