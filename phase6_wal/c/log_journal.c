/* log_journal.c - see log_journal.h. */
#include "phase6_wal/c/log_journal.h"

#include <stdatomic.h>
#include <stdlib.h>

struct log_journal {
    log_writer *log;
    int reserve;
    log_problem problem; /* written before the code is returned that tells of it */
    /* Written by the stage alone, a relaxed load and store each; read by any. */
    _Atomic int full;
    _Atomic uint64_t commands;
    _Atomic uint64_t batches;
    _Atomic uint64_t largest_batch;
    _Atomic uint64_t reserved;
    _Atomic uint64_t expected;
    _Atomic uint64_t found;
};

log_journal *log_journal_new(log_writer *log, int reserve)
{
    log_journal *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->log = log;
        self->reserve = reserve;
    }
    return self;
}

void log_journal_free(log_journal *self)
{
    free(self);
}

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void set(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

/* into_log: append, out of the reserve if need be. */
static int into_log(log_journal *self, const command_record *commands, size_t count)
{
    int code = log_append(self->log, commands, count);
    int full = code == LOG_FULL;
    if (full && self->reserve) {
        code = log_append_reserved(self->log, commands, count);
        if (code == 0) {
            set(&self->reserved, get(&self->reserved) + count);
        }
    }
    atomic_store_explicit(&self->full, full, memory_order_relaxed);
    return code;
}

/* commit: what waits under group need not wait for company: this was the company. Time is what a poll
 * goes by, so it gets its begin and its end. (log_flush would do more: it also waits until the log's own
 * thread has made the next segment.) */
static int commit(log_journal *self)
{
    int flushed = log_poll(self->log, 1);
    if (flushed == 0) {
        flushed = log_poll(self->log, UINT64_MAX);
    }
    return flushed < 0 ? flushed : 0;
}

/* --8<-- [start:append] */
int log_journal_append(void *context, const command_record *commands, size_t count)
{
    log_journal *self = context;
    uint64_t next = log_sequence(self->log) + 1;
    if (count > 0 && commands[0].sequence != next) {
        set(&self->expected, next);
        set(&self->found, commands[0].sequence);
        return JOURNAL_OUT_OF_STEP;
    }
    int code = into_log(self, commands, count);
    if (code == 0 && log_acknowledged(self->log) < log_sequence(self->log)) {
        code = commit(self);
    }
    if (code != 0) {
        log_problem_of(self->log, &self->problem);
        return code;
    }
    set(&self->commands, get(&self->commands) + count);
    set(&self->batches, get(&self->batches) + 1);
    if (count > get(&self->largest_batch)) {
        set(&self->largest_batch, count);
    }
    return 0;
}
/* --8<-- [end:append] */

int log_journal_is_full(const log_journal *self)
{
    return atomic_load_explicit(&self->full, memory_order_relaxed);
}

void log_journal_problem(const log_journal *self, log_problem *problem)
{
    *problem = self->problem;
}

void log_journal_count(const log_journal *self, log_journal_counters *counters)
{
    counters->commands = get(&self->commands);
    counters->batches = get(&self->batches);
    counters->largest_batch = get(&self->largest_batch);
    counters->reserved = get(&self->reserved);
    counters->expected = get(&self->expected);
    counters->found = get(&self->found);
}
