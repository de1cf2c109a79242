/* log_segments.c - see log_segments.h. */
#include "phase6_wal/c/log_segments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"

/* --- failures ------------------------------------------------------------------------------ */

void depot_set_problem(log_problem *problem, int code, const char *call, const char *name,
                        uint64_t offset, int error)
{
    *problem = (log_problem){.code = code, .error = error, .offset = offset};
    snprintf(problem->call, sizeof problem->call, "%s", call);
    snprintf(problem->name, sizeof problem->name, "%s", name);
}

/* fail_locked: `error` as storages give it, negative. */
void depot_fail_locked(log_depot *self, const char *call, const char *name, uint64_t offset,
                        int error)
{
    if (atomic_load_explicit(&self->code, memory_order_relaxed) == 0) {
        depot_set_problem(&self->problem, LOG_FAILED, call, name, offset, -error);
        atomic_store_explicit(&self->code, LOG_FAILED, memory_order_release);
    }
    pthread_cond_broadcast(&self->changed);
}

int depot_fail(log_depot *self, const char *call, const char *name, uint64_t offset, int error)
{
    pthread_mutex_lock(&self->mutex);
    depot_fail_locked(self, call, name, offset, error);
    pthread_mutex_unlock(&self->mutex);
    return LOG_FAILED;
}

int depot_code(const log_depot *self)
{
    return atomic_load_explicit(&self->code, memory_order_acquire);
}

int depot_problem(const log_depot *self, log_problem *problem)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)&self->mutex;
    pthread_mutex_lock(mutex);
    *problem = self->problem;
    pthread_mutex_unlock(mutex);
    return depot_code(self);
}

void depot_close_segment(log_depot *self, log_segment *segment)
{
    if (segment->memory != NULL) {
        self->disk->unmap(self->disk, segment->memory, segment->bytes);
        segment->memory = NULL;
    }
    if (segment->file >= 0) {
        self->disk->file_close(self->disk, segment->file);
        segment->file = -1;
    }
}

static void list_free(log_depot *self, segment_list *list)
{
    for (log_segment *segment; (segment = segment_pop(list)) != NULL;) {
        depot_close_segment(self, segment);
        free(segment);
    }
}

/* after_change: the thread is told, or the owner does it now. The mutex is held. */
static int after_change(log_depot *self)
{
    if (self->has_thread) {
        pthread_cond_broadcast(&self->changed);
    } else {
        while (depot_work(self, 0)) {
        }
    }
    return depot_code(self);
}

/* --- for the owner ------------------------------------------------------------------------- */

int depot_open(log_depot *self, storage *disk, const log_options *options)
{
    memset(self, 0, sizeof *self);
    self->disk = disk;
    self->options = options;
    if (pthread_mutex_init(&self->mutex, NULL) != 0) {
        return LOG_NO_MEMORY;
    }
    if (pthread_cond_init(&self->changed, NULL) != 0) {
        pthread_mutex_destroy(&self->mutex);
        return LOG_NO_MEMORY;
    }
    return 0;
}

int depot_start(log_depot *self)
{
    self->wanted = (size_t)self->options->spares + (self->options->reserve != 0);
    if (self->options->prepare_thread) {
        if (pthread_create(&self->thread, NULL, depot_run, self) != 0) {
            return LOG_NO_MEMORY;
        }
        self->has_thread = 1;
    }
    return 0;
}

void depot_end(log_depot *self, int finish, int tidy)
{
    pthread_mutex_lock(&self->mutex);
    if (!finish && depot_code(self) == 0) {
        atomic_store_explicit(&self->code, LOG_CLOSED, memory_order_release);
    }
    self->ending = 1;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
    if (self->has_thread) {
        pthread_join(self->thread, NULL);
        self->has_thread = 0;
    }
    if (depot_code(self) == 0) {
        atomic_store_explicit(&self->code, LOG_CLOSED, memory_order_release);
    }
    segment_list *spares[] = {&self->ready, &self->cold};
    for (int which = 0; which < 2; which++) {
        for (log_segment *spare; (spare = segment_pop(spares[which])) != NULL;) {
            depot_close_segment(self, spare);
            if (tidy) {
                self->disk->file_remove(self->disk, spare->name);
            }
            free(spare);
        }
    }
    list_free(self, &self->old);
    list_free(self, &self->kept);
    list_free(self, &self->released);
}

void depot_free(log_depot *self)
{
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
}

int depot_ensure(log_depot *self, size_t count, int reserved)
{
    const size_t needed = count + (!reserved && self->options->reserve != 0);
    pthread_mutex_lock(&self->mutex);
    self->wanted = self->wanted > needed ? self->wanted : needed;
    self->full = 0;
    self->asked++;
    if (self->has_thread && self->ready.count < needed) {
        pthread_cond_broadcast(&self->changed);
    }
    while (self->ready.count < needed && self->full == 0 && depot_code(self) == 0) {
        if (self->has_thread) {
            pthread_cond_wait(&self->changed, &self->mutex);
        } else {
            depot_make(self);
        }
    }
    const int code = depot_code(self);
    const int made = self->ready.count >= needed;
    pthread_mutex_unlock(&self->mutex);
    return code != 0 ? code : made ? 0 : LOG_FULL;
}

int depot_is_ready(log_depot *self, size_t count, int reserved)
{
    const size_t needed = count + (!reserved && self->options->reserve != 0);
    pthread_mutex_lock(&self->mutex);
    const int is_ready = self->ready.count >= needed;
    pthread_mutex_unlock(&self->mutex);
    return is_ready;
}

int depot_is_short(log_depot *self)
{
    pthread_mutex_lock(&self->mutex);
    const int is_short = self->ready.count < (self->options->reserve != 0);
    pthread_mutex_unlock(&self->mutex);
    return is_short;
}

log_segment *depot_take(log_depot *self)
{
    pthread_mutex_lock(&self->mutex);
    log_segment *taken = segment_pop(&self->ready);
    CHECK(taken != NULL);
    self->wanted = (size_t)self->options->spares + (self->options->reserve != 0);
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
    return taken;
}

int depot_retire(log_depot *self, log_segment *segment)
{
    pthread_mutex_lock(&self->mutex);
    segment_push(&self->old, segment);
    const int code = after_change(self);
    pthread_mutex_unlock(&self->mutex);
    return code;
}

log_segment *depot_keep(log_depot *self, const char *name)
{
    log_segment *segment = calloc(1, sizeof *segment);
    if (segment != NULL) {
        snprintf(segment->name, sizeof segment->name, "%s", name);
        segment->file = -1;
        segment_push(&self->kept, segment);
    }
    return segment;
}

int depot_release(log_depot *self, uint64_t sequence)
{
    int count = 0;
    pthread_mutex_lock(&self->mutex);
    while (self->kept.first != NULL && self->kept.first->last_sequence < sequence) {
        segment_push(&self->released, segment_pop(&self->kept));
        count++;
    }
    const int code = after_change(self);
    pthread_mutex_unlock(&self->mutex);
    return code != 0 ? code : count;
}

int depot_sync_header(log_depot *self, log_segment *segment)
{
    return segment->memory != NULL
               ? self->disk->map_sync(self->disk, segment->memory, 0, LOG_HEADER_BYTES)
               : self->disk->file_sync(self->disk, segment->file);
}

int depot_name(log_depot *self, log_segment *segment)
{
    pthread_mutex_lock(&self->mutex);
    self->unnamed = segment;
    const int code = after_change(self);
    pthread_mutex_unlock(&self->mutex);
    return code;
}

int depot_drain(log_depot *self)
{
    pthread_mutex_lock(&self->mutex);
    while (self->has_thread && !depot_is_idle(self) && depot_code(self) == 0) {
        pthread_cond_wait(&self->changed, &self->mutex);
    }
    const int code = depot_code(self);
    pthread_mutex_unlock(&self->mutex);
    return code;
}
