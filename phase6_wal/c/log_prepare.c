/* log_prepare.c - see log_segments.h: what a thread does for a log, or its owner where there is
 * none.
 *
 * Each piece of work takes its segment off a list under the mutex, does its step without it, and
 * puts the segment where it belongs next. Steps talk to the storage; nothing else here does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "phase6_wal/c/log_segments.h"

enum { CHUNK = 1 << 20 };
static const uint8_t zeros[CHUNK];

/* --- steps, without the mutex -------------------------------------------------------------- */

/* What a step came to: 0, or a negative errno and where. */
typedef struct {
    int error;
    const char *call;
    char name[STORAGE_NAME_BYTES];
    uint64_t offset;
} step_result;

static int step_failed(step_result *result, const char *call, const char *name, uint64_t offset,
                       int error)
{
    if (error < 0) {
        result->error = error;
        result->call = call;
        result->offset = offset;
        snprintf(result->name, sizeof result->name, "%s", name);
    }
    return error < 0;
}

static void spare_name(char *name, uint64_t number)
{
    snprintf(name, STORAGE_NAME_BYTES, "%020llu.spare", (unsigned long long)number);
}

static int is_synced_by_batch(const log_depot *self)
{
    return self->options->durability >= DURABLE_GROUP;
}

/* fill: zeros on the disk. Blocks that were never written are marked so in the file's metadata, and
 * the first fdatasync after each first write would have to write that too. Where nobody waits for
 * records to be synced, only the header needs it. */
static int fill(log_depot *self, log_segment *made, step_result *result)
{
    const uint64_t end = is_synced_by_batch(self) ? made->bytes : LOG_HEADER_BYTES;
    for (uint64_t at = 0; at < end; at += CHUNK) {
        const uint64_t left = end - at;
        const size_t size = left < CHUNK ? (size_t)left : CHUNK;
        const int error = self->disk->file_write(self->disk, made->file, at, zeros, size);
        if (step_failed(result, "write", made->name, at, error)) {
            return -1;
        }
    }
    const int error = self->disk->file_sync(self->disk, made->file);
    return step_failed(result, "sync", made->name, 0, error) ? -1 : 0;
}

/* prepare: map and touch, if the log is mapped. */
static int prepare(log_depot *self, log_segment *made, step_result *result)
{
    if (self->options->method != LOG_MAPPED) {
        return 0;
    }
    void *memory;
    int error = self->disk->map(self->disk, made->file, made->bytes, &memory);
    if (step_failed(result, "map", made->name, 0, error)) {
        return -1;
    }
    made->memory = memory;
    error = self->disk->map_touch(self->disk, memory, 0, made->bytes);
    return step_failed(result, "touch", made->name, 0, error) ? -1 : 0;
}

/* make: a new one. NULL: *result says why, and nothing is left of it. */
static log_segment *make(log_depot *self, uint64_t number, step_result *result)
{
    log_segment *made = calloc(1, sizeof *made);
    if (made == NULL) {
        step_failed(result, "memory", "", 0, -ENOMEM);
        return NULL;
    }
    spare_name(made->name, number);
    made->bytes = self->options->segment_bytes;
    made->file = self->disk->file_create(self->disk, made->name, made->bytes);
    if (!step_failed(result, "create", made->name, 0, made->file)) {
        if (fill(self, made, result) == 0 && prepare(self, made, result) == 0) {
            return made;
        }
        depot_close_segment(self, made);
        self->disk->file_remove(self->disk, made->name);
    }
    free(made);
    return NULL;
}

/* warm: a cold one made ready. NULL and no error: it was of another size, and is gone. */
static log_segment *warm(log_depot *self, log_segment *cold, step_result *result)
{
    cold->file = self->disk->file_open(self->disk, cold->name, &cold->bytes);
    if (!step_failed(result, "open", cold->name, 0, cold->file)) {
        if (cold->bytes == self->options->segment_bytes) {
            cold->recycled = 1;
            if (prepare(self, cold, result) == 0) {
                return cold;
            }
            depot_close_segment(self, cold);
        } else {
            depot_close_segment(self, cold);
            step_failed(result, "remove", cold->name, 0,
                        self->disk->file_remove(self->disk, cold->name));
        }
    }
    free(cold);
    return NULL;
}

/* sync_old: what page-cache and none have left to the system, and the name. */
static int sync_old(log_depot *self, log_segment *old, step_result *result)
{
    if (is_synced_by_batch(self)) {
        return 0;
    }
    const uint64_t from = old->synced;
    int error = old->memory != NULL
                    ? self->disk->map_sync(self->disk, old->memory, from, old->end - from)
                    : self->disk->file_sync(self->disk, old->file);
    if (step_failed(result, "sync", old->name, from, error)) {
        return -1;
    }
    error = self->disk->directory_sync(self->disk);
    return step_failed(result, "directory", old->name, 0, error) ? -1 : 0;
}

/* let_go: a released one loses its name; `number` is its new one, 0: it is removed. */
static int let_go(log_depot *self, log_segment *segment, uint64_t number, step_result *result)
{
    int error;
    if (number == 0) {
        error = self->disk->file_remove(self->disk, segment->name);
        if (step_failed(result, "remove", segment->name, 0, error)) {
            return -1;
        }
    } else {
        char name[STORAGE_NAME_BYTES];
        spare_name(name, number);
        error = self->disk->file_rename(self->disk, segment->name, name);
        if (step_failed(result, "rename", segment->name, 0, error)) {
            return -1;
        }
        memcpy(segment->name, name, sizeof name);
    }
    error = self->disk->directory_sync(self->disk);
    return step_failed(result, "directory", segment->name, 0, error) ? -1 : 0;
}

/* --- work, with the mutex held but for the steps ------------------------------------------- */

static void end_step(log_depot *self, const step_result *result)
{
    pthread_mutex_lock(&self->mutex);
    self->working = 0;
    if (result->error < 0) {
        depot_fail_locked(self, result->call, result->name, result->offset, result->error);
    }
    pthread_cond_broadcast(&self->changed);
}

static void begin_step(log_depot *self)
{
    self->working = 1;
    pthread_mutex_unlock(&self->mutex);
}

static int is_no_space(int error)
{
    return error == -ENOSPC || error == -EDQUOT;
}

void depot_make(log_depot *self)
{
    step_result result = {0};
    log_segment *cold = segment_pop(&self->cold);
    const uint64_t number = cold == NULL ? ++self->spares : 0;
    const uint64_t asked = self->asked;
    begin_step(self);
    log_segment *made = cold != NULL ? warm(self, cold, &result) : make(self, number, &result);
    const int full = is_no_space(result.error) ? -result.error : 0;
    if (full != 0) {
        result.error = 0;
    }
    end_step(self, &result);
    self->full = asked == self->asked ? full : 0;
    if (full != 0) {
        depot_set_problem(&self->problem, LOG_FULL, result.call, result.name, result.offset, full);
    }
    if (made != NULL) {
        segment_push(&self->ready, made);
    }
}

static void work_retire(log_depot *self)
{
    step_result result = {0};
    log_segment *old = segment_pop(&self->old);
    begin_step(self);
    if (sync_old(self, old, &result) == 0 &&
        old->last_sequence > atomic_load_explicit(&self->durable, memory_order_relaxed)) {
        atomic_store_explicit(&self->durable, old->last_sequence, memory_order_release);
    }
    depot_close_segment(self, old);
    end_step(self, &result);
    segment_push(&self->kept, old);
}

static void work_release(log_depot *self)
{
    step_result result = {0};
    log_segment *segment = segment_pop(&self->released);
    const uint64_t number = self->cold.count < self->options->spares ? ++self->spares : 0;
    begin_step(self);
    const int gone = let_go(self, segment, number, &result);
    end_step(self, &result);
    if (gone == 0 && number != 0) {
        segment_push(&self->cold, segment);
    } else {
        free(segment);
    }
}

static void work_name(log_depot *self)
{
    step_result result = {0};
    log_segment *named = self->unnamed;
    self->unnamed = NULL;
    begin_step(self);
    if (!step_failed(&result, "sync", named->name, 0, depot_sync_header(self, named))) {
        step_failed(&result, "directory", named->name, 0, self->disk->directory_sync(self->disk));
    }
    end_step(self, &result);
}

int depot_is_idle(const log_depot *self)
{
    return self->old.count == 0 && self->released.count == 0 && self->unnamed == NULL &&
           !self->working;
}

/* work_once: the next thing there is to do. 0: there is none. */
int depot_work(log_depot *self, int making)
{
    if (depot_code(self) != 0) {
        return 0;
    }
    if (making && self->ready.count < self->wanted && self->full == 0) {
        depot_make(self);
    } else if (self->unnamed != NULL) {
        work_name(self);
    } else if (self->old.count > 0) {
        work_retire(self);
    } else if (self->released.count > 0) {
        work_release(self);
    } else {
        return 0;
    }
    return 1;
}

void *depot_run(void *argument)
{
    log_depot *self = argument;
    pthread_mutex_lock(&self->mutex);
    for (;;) {
        if (depot_work(self, !self->ending)) {
            continue;
        }
        if (self->ending) {
            break;
        }
        pthread_cond_wait(&self->changed, &self->mutex);
    }
    pthread_mutex_unlock(&self->mutex);
    return NULL;
}

