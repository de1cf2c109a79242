/* snapshotter.c - see snapshotter.h.
 *
 *            take          written           durable >= sequence        poll
 *     IDLE ───────▶ WRITING ───────▶ WRITTEN ───────────────────▶ ENDED ─────▶ IDLE
 *                      └───── failed ─────────────────────────────▲
 *
 * The state changes under the lock; the thread works without it, and the owner does not touch what the
 * thread works with between WRITING and ENDED. Without a thread the owner does the thread's work.
 */
#include "phase6_wal/c/snapshotter.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "phase6_wal/c/snapshotter_state.h"

static void *thread_main(void *context)
{
    snapshotter *self = context;
    pthread_mutex_lock(&self->lock);
    while (!self->stop) {
        if (self->state == SNAPSHOT_WRITING) {
            snapshotter_run_write(self);
        } else if (snapshotter_may_publish(self)) {
            snapshotter_run_publish(self);
        } else {
            pthread_cond_wait(&self->changed, &self->lock);
        }
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* --- the owner's --- */

enum { MOST_KEPT = 1 << 20, MOST_COPIED = 1 << 24, ROOM_FOR_STUBBORN = 64 };

/* list_kept: what is there, with room for those to come. */
static int list_kept(snapshotter *self, snapshot_problem *problem)
{
    const int there = snapshot_list(self->disk, NULL, 0, problem);
    if (there < 0) {
        return -1;
    }
    const size_t room = (size_t)there + ROOM_FOR_STUBBORN;
    self->kept_room = room + self->options.keep + 1;
    self->kept = malloc(self->kept_room * sizeof *self->kept);
    if (self->kept == NULL) {
        return snapshot_problem_set(problem, "memory", ENOMEM, 0);
    }
    const int count = snapshot_list(self->disk, self->kept, room, problem);
    if (count < 0) {
        return -1;
    }
    self->kept_count = (size_t)count < room ? (size_t)count : room;
    if (count > 0 && self->kept[0] == 0) {
        self->kept_count--;
        memmove(self->kept, self->kept + 1, self->kept_count * sizeof *self->kept);
    }
    self->report.oldest = self->kept_count > 0 ? self->kept[0] : 0;
    return 0;
}

/* start_thread: it takes no signals: they are the owner's process's. */
static int start_thread(snapshotter *self)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    const int failed = pthread_create(&self->thread, NULL, thread_main, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static int options_are_good(const snapshot_source *books, size_t count,
                            const snapshot_options *options)
{
    int good = count >= 1 && count <= SNAPSHOT_MOST_BOOKS && options->keep >= 1 &&
               options->keep <= MOST_KEPT &&
               options->copy_below <= MOST_COPIED &&
               (options->how == SNAPSHOT_BY_COPY || options->thread);
    for (size_t i = 1; i < count; i++) {
        good = good && books[i - 1].instrument < books[i].instrument;
    }
    return good;
}

int snapshotter_new(storage *disk, const snapshot_source *books, size_t count,
                    const snapshot_options *options, snapshotter **made, snapshot_problem *problem)
{
    *problem = (snapshot_problem){0};
    if (!options_are_good(books, count, options)) {
        return snapshot_problem_set(problem, "options", EINVAL, 0);
    }
    snapshotter *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return snapshot_problem_set(problem, "memory", ENOMEM, 0);
    }
    self->disk = disk;
    self->options = *options;
    self->options.thread = 0; /* until there is one */
    self->owner = getpid();
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    self->buffer = malloc(snapshot_head_bytes(count) + SNAPSHOT_PIECE_BYTES);
    int failed = snapshot_books_init(&self->books, books, count, options);
    if (failed || self->buffer == NULL) {
        snapshot_problem_set(problem, "memory", ENOMEM, 0);
    } else if (snapshot_clean(disk, problem) >= 0 && list_kept(self, problem) == 0) {
        failed = options->thread ? start_thread(self) : 0;
        if (failed) {
            snapshot_problem_set(problem, "thread", failed, 0);
        }
    }
    if (problem->call[0] != '\0') {
        snapshotter_free(self);
        return -1;
    }
    self->options.thread = options->thread;
    *made = self;
    return 0;
}

void snapshotter_free(snapshotter *self)
{
    if (self == NULL) {
        return;
    }
    if (getpid() == self->owner) {
        pthread_mutex_lock(&self->lock);
        self->stop = 1;
        if (self->child > 0) {
            kill(self->child, SIGKILL);
        }
        pthread_cond_broadcast(&self->changed);
        pthread_mutex_unlock(&self->lock);
        if (self->options.thread) {
            pthread_join(self->thread, NULL);
        }
        if (self->state == SNAPSHOT_WRITING && self->report.by_fork) {
            pthread_mutex_lock(&self->lock); /* the thread had not begun to wait for the child */
            snapshotter_run_write(self);
            pthread_mutex_unlock(&self->lock);
        }
        if (self->state == SNAPSHOT_WRITTEN) {
            self->disk->file_remove(self->disk, self->temporary);
        }
        pthread_mutex_destroy(&self->lock);
        pthread_cond_destroy(&self->changed);
    }
    snapshot_books_free(&self->books);
    free(self->buffer);
    free(self->kept);
    free(self);
}

/* --8<-- [start:take] */
int snapshotter_take(snapshotter *self, uint64_t sequence, uint32_t chain, uint32_t event_crc)
{
    const uint64_t began = snapshotter_now_ns();
    snapshot_report *report = &self->report;
    pthread_mutex_lock(&self->lock);
    if (self->state == SNAPSHOT_WRITING || self->state == SNAPSHOT_WRITTEN) {
        pthread_mutex_unlock(&self->lock);
        return SNAPSHOT_BUSY;
    }
    const snapshot_header header = {.books = (uint16_t)self->books.count,
                                    .sequence = sequence,
                                    .log_id = self->options.log_id,
                                    .chain = chain,
                                    .event_crc = event_crc};
    report->sequence = sequence;
    self->work.problem = (snapshot_problem){0};
    self->work.signal = 0;
    self->began_ns = began;
    self->durable = 0;
    snapshot_name(self->temporary, sequence, (uint32_t)self->owner);
    report->bytes = snapshot_books_begin(&self->books, &header);
    report->by_fork =
        self->options.how == SNAPSHOT_BY_FORK && !snapshot_books_fit(&self->books, report->bytes);
    if (report->by_fork) {
        self->child = snapshot_child_start(&self->books, self->disk, self->temporary,
                                           &self->work.problem);
    } else {
        snapshot_books_copy(&self->books);
    }
    report->pause_ns = snapshotter_now_ns() - began;
    const int refused = self->child < 0;
    if (refused) {
        self->child = 0;
        snapshotter_end(self, 1);
    } else {
        snapshotter_set_state(self, SNAPSHOT_WRITING);
        pthread_cond_broadcast(&self->changed);
        if (!self->options.thread) {
            snapshotter_run_write(self);
        }
    }
    pthread_mutex_unlock(&self->lock);
    return refused ? SNAPSHOT_REFUSED : SNAPSHOT_TAKEN;
}
/* --8<-- [end:take] */

/* tell: how far the log is; true if one has ended, which is then forgotten. */
static int tell(snapshotter *self, uint64_t durable)
{
    if (durable > self->durable) {
        self->durable = durable;
    }
    if (snapshotter_may_publish(self)) {
        pthread_cond_broadcast(&self->changed);
        if (!self->options.thread) {
            snapshotter_run_publish(self);
        }
    }
    if (self->state != SNAPSHOT_ENDED) {
        return 0;
    }
    snapshotter_set_state(self, SNAPSHOT_IDLE);
    return 1;
}

int snapshotter_poll(snapshotter *self, uint64_t durable)
{
    const int state = atomic_load_explicit(&self->state, memory_order_acquire); /* P1 */
    if (state == SNAPSHOT_IDLE || state == SNAPSHOT_WRITING) {
        return 0;
    }
    pthread_mutex_lock(&self->lock);
    const int ended = tell(self, durable);
    pthread_mutex_unlock(&self->lock);
    return ended;
}

int snapshotter_wait(snapshotter *self, uint64_t durable)
{
    pthread_mutex_lock(&self->lock);
    int ended = tell(self, durable);
    while (!ended && self->state != SNAPSHOT_IDLE &&
           (self->state != SNAPSHOT_WRITTEN || snapshotter_may_publish(self))) {
        pthread_cond_wait(&self->changed, &self->lock);
        ended = tell(self, durable);
    }
    pthread_mutex_unlock(&self->lock);
    return ended;
}

void snapshotter_look(snapshotter *self, snapshot_report *report)
{
    pthread_mutex_lock(&self->lock);
    const int state = self->state;
    *report = self->report;
    report->state = state;
    report->child = state == SNAPSHOT_WRITING ? (int32_t)self->child : 0;
    pthread_mutex_unlock(&self->lock);
}
