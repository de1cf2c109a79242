/* snapshotter_work.c - what a snapshotter's thread does, or its owner where there is none: the steps of
 * the drawing in snapshotter.c. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "phase6_wal/c/snapshotter_state.h"

/* wait_for_child: 0 if it has written everything. It is seen to have ended first, and only then, under
 * the lock, let go: while self->child is a number, that number is nobody else's. */
static int wait_for_child(snapshotter *self)
{
    siginfo_t info;
    int status = 0, failed;
    const pid_t child = self->child;
    do {
        failed = waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
    } while (failed != 0 && errno == EINTR);
    pthread_mutex_lock(&self->lock);
    const pid_t ended = waitpid(child, &status, WNOHANG);
    self->child = 0;
    pthread_mutex_unlock(&self->lock);
    /* Somebody else may have waited for it, or nobody may (SIGCHLD ignored): its page knows. */
    if (snapshot_child_result(&self->books, &self->work.problem) == 0) {
        return 0;
    }
    self->work.signal = ended > 0 && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return -1;
}

static int write_step(snapshotter *self)
{
    snapshot_problem *problem = &self->work.problem;
    int failed;
    if (self->report.by_fork) {
        failed = wait_for_child(self);
    } else {
        const image_source source = snapshot_books_copied(&self->books);
        failed = snapshot_write_temporary(self->disk, self->books.head, &source,
                                          self->temporary, problem);
    }
    if (!failed) {
        failed = snapshot_verify(self->disk, self->temporary, self->report.sequence, self->buffer,
                                 problem);
    }
    if (failed) {
        self->disk->file_remove(self->disk, self->temporary);
    }
    return failed;
}

static void forget_oldest(snapshotter *self)
{
    self->kept_count--;
    memmove(self->kept, self->kept + 1, self->kept_count * sizeof *self->kept);
}

/* remove_old: all but the newest `keep`. What cannot be removed now is tried again the next time. */
static void remove_old(snapshotter *self)
{
    while (self->kept_count > self->options.keep) {
        char name[STORAGE_NAME_BYTES];
        snapshot_name(name, self->kept[0], 0);
        const int error = self->disk->file_remove(self->disk, name);
        if (error < 0 && error != -ENOENT) {
            snapshot_problem_set(&self->work.problem, "remove", error, 0);
            return;
        }
        forget_oldest(self);
        self->work.removed++;
    }
}

static void keep(snapshotter *self, uint64_t sequence)
{
    /* Any beyond it are of a future that was cut off: not ours to count, nor to remove. */
    while (self->kept_count > 0 && self->kept[self->kept_count - 1] >= sequence) {
        self->kept_count--;
    }
    if (self->kept_count == self->kept_room) {
        forget_oldest(self); /* they have not let themselves be removed for long */
    }
    if (sequence > 0) {
        self->kept[self->kept_count++] = sequence;
    }
}

/* --8<-- [start:publish] */
static int publish_step(snapshotter *self)
{
    const uint64_t sequence = self->report.sequence;
    if (snapshot_publish(self->disk, self->temporary, sequence, &self->work.problem)) {
        return -1;
    }
    keep(self, sequence);
    remove_old(self);
    return 0;
}
/* --8<-- [end:publish] */

void snapshotter_end(snapshotter *self, int failed)
{
    snapshot_report *report = &self->report;
    report->problem = self->work.problem;
    report->signal = self->work.signal;
    report->removed = self->work.removed;
    report->done = !failed;
    report->made += !failed;
    report->failed += failed != 0;
    report->whole_ns = snapshotter_now_ns() - self->began_ns;
    report->oldest = self->kept_count > 0 ? self->kept[0] : 0;
    snapshotter_set_state(self, SNAPSHOT_ENDED);
    pthread_cond_broadcast(&self->changed);
}

void snapshotter_run_write(snapshotter *self)
{
    pthread_mutex_unlock(&self->lock);
    const int failed = write_step(self);
    pthread_mutex_lock(&self->lock);
    if (failed) {
        snapshotter_end(self, failed);
    } else {
        snapshotter_set_state(self, SNAPSHOT_WRITTEN);
        pthread_cond_broadcast(&self->changed);
    }
}

void snapshotter_run_publish(snapshotter *self)
{
    pthread_mutex_unlock(&self->lock);
    const int failed = publish_step(self);
    pthread_mutex_lock(&self->lock);
    snapshotter_end(self, failed);
}
