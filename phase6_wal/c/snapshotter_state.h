/* snapshotter_state.h - what snapshotter.c and snapshotter_work.c share. */
#ifndef PHASE6_SNAPSHOTTER_STATE_H
#define PHASE6_SNAPSHOTTER_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "phase6_wal/c/snapshot_child.h"

struct snapshotter {
    storage *disk;
    snapshot_options options;
    snapshot_books books;
    uint8_t *buffer;       /* of the one who verifies */
    uint64_t *kept;        /* sequences of the snapshots that are there, but for 0, ascending */
    size_t kept_count;
    size_t kept_room;
    pid_t owner;           /* a fork of the process has neither the thread nor the child */
    pid_t child;
    uint64_t began_ns;
    char temporary[STORAGE_NAME_BYTES];
    struct {               /* what the report will say: the worker's, without the lock */
        snapshot_problem problem;
        int32_t signal;
        uint64_t removed;
    } work;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t durable;
    int stop;
    _Atomic int state;
    snapshot_report report;
};

static inline uint64_t snapshotter_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static inline void snapshotter_set_state(snapshotter *self, int state)
{
    atomic_store_explicit(&self->state, state, memory_order_release); /* P0 pairs with P1 */
}

static inline int snapshotter_may_publish(const snapshotter *self)
{
    return self->state == SNAPSHOT_WRITTEN && self->durable >= self->report.sequence;
}

/* The steps, entered and left with the lock, which is let go for the work. */
void snapshotter_run_write(snapshotter *self);
void snapshotter_run_publish(snapshotter *self);
/* snapshotter_end: to ENDED, with the report. */
void snapshotter_end(snapshotter *self, int failed);

#endif
