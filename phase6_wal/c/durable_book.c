/* durable_book.c - the order of things: log, apply, sum up; then flush, then tell. */
#include "phase6_wal/c/durable_book.h"

#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase6_wal/c/crc32c.h"

/* Commands that go into the log, and then into the books, at a time. They, their records and their events
 * fit into a second-level cache of 256 KiB. Shorter runs cost more, not less: each change from storing
 * into the log, where every line is new, to the book's own work waits until those stores are through. */
enum { RUN_COMMANDS = 1024, REPLAY_COMMANDS = 256 };

typedef struct {
    durable_apply_fn apply;
    void *book;
    uint32_t instrument;
} driven_book;

struct durable_book {
    log_writer *log;
    uint64_t mark_every;
    uint64_t sequence;
    uint32_t event_crc;
    size_t count;
    driven_book books[]; /* by instrument */
};

static int by_instrument(const void *left, const void *right)
{
    uint32_t a = ((const driven_book *)left)->instrument;
    uint32_t b = ((const driven_book *)right)->instrument;
    return (a > b) - (a < b);
}

durable_book *durable_new(const durable_entry *books, size_t count, log_writer *log,
                          uint64_t mark_every, uint64_t sequence, uint32_t event_crc)
{
    CHECK(count >= 1);
    durable_book *self = calloc(1, sizeof *self + count * sizeof self->books[0]);
    if (!self) return NULL;
    self->log = log;
    self->mark_every = mark_every;
    self->sequence = sequence;
    self->event_crc = event_crc;
    self->count = count;
    for (size_t i = 0; i < count; i++) {
        self->books[i].apply = (durable_apply_fn)(uintptr_t)books[i].apply;
        self->books[i].book = (void *)(uintptr_t)books[i].book; // NOLINT: an address, lent as a number
        self->books[i].instrument = books[i].instrument;
    }
    qsort(self->books, count, sizeof self->books[0], by_instrument);
    for (size_t i = 1; i < count; i++)
        CHECK(self->books[i - 1].instrument < self->books[i].instrument);
    return self;
}

void durable_free(durable_book *self)
{
    free(self);
}

uint32_t durable_event_crc(const durable_book *self)
{
    return self->event_crc;
}

uint64_t durable_sequence(const durable_book *self)
{
    return self->sequence;
}

/* The book of an instrument, or the first of all. O(log books). */
static const driven_book *book_of(const durable_book *self, uint32_t instrument)
{
    size_t low = 0, high = self->count;
    while (low + 1 < high) {
        size_t middle = low + (high - low) / 2;
        if (self->books[middle].instrument <= instrument)
            low = middle;
        else
            high = middle;
    }
    return self->books[low].instrument == instrument ? &self->books[low] : &self->books[0];
}

/* apply_run: apply commands, each to its book, those of one book behind each other in one call. */
static size_t apply_run(durable_book *self, const command_record *commands, size_t count,
                        event_record *events, size_t capacity, size_t *written)
{
    size_t done = 0;
    *written = 0;
    while (done < count) {
        const driven_book *one = &self->books[0];
        size_t end = count;
        if (self->count > 1) {
            one = book_of(self, commands[done].instrument);
            for (end = done + 1; end < count; end++)
                if (book_of(self, commands[end].instrument) != one) break;
        }
        size_t wrote = 0;
        done += one->apply(one->book, commands + done, end - done, events + *written,
                           capacity - *written, &wrote);
        *written += wrote;
        if (done < end) break;
    }
    self->event_crc = crc32c(self->event_crc, events, *written * sizeof events[0]);
    self->sequence += done;
    return done;
}

static int may_use_reserve(const command_record *command)
{
    return command->kind == COMMAND_CANCEL || command->kind == COMMAND_MASS_CANCEL;
}

/* log_run: put commands into the log: how many of them, no more than its present segment takes. */
static size_t log_run(durable_book *self, const command_record *commands, size_t count, int *code)
{
    size_t room = log_room(self->log);
    if (count > room) count = room ? room : 1;
    *code = log_put(self->log, commands, count);
    if (*code == LOG_FULL && may_use_reserve(commands)) {
        count = 1;
        *code = log_put_reserved(self->log, commands, 1);
    }
    return *code ? 0 : count;
}

/* --8<-- [start:apply] */
size_t durable_apply(durable_book *self, const command_record *commands, size_t count,
                     event_record *events, size_t event_capacity, size_t *written, int *code)
{
    size_t done = 0;
    *written = 0;
    *code = 0;
    if (self->mark_every && count > self->mark_every - self->sequence % self->mark_every)
        count = (size_t)(self->mark_every - self->sequence % self->mark_every);
    while (done < count) {
        size_t run = count - done, wrote = 0;
        if (run > RUN_COMMANDS) run = RUN_COMMANDS;
        /* No command without an event: more than this could only be taken back. */
        if (run > event_capacity - *written) run = event_capacity - *written;
        if (run && self->log) run = log_run(self, commands + done, run, code);
        if (run == 0) break;
        size_t took = apply_run(self, commands + done, run, events + *written,
                                event_capacity - *written, &wrote);
        done += took;
        *written += wrote;
        if (took < run) {
            if (self->log) *code = log_withdraw(self->log, run - took);
            break;
        }
    }
    if (self->log && (*code == 0 || *code == LOG_FULL)) {
        int settled = log_settle(self->log);
        if (settled) *code = settled;
    }
    return done;
}
/* --8<-- [end:apply] */

/* A slot is 80 bytes, a command in an array 64: a run of bodies is copied together first. */
size_t durable_replay(durable_book *self, const void *slots, size_t count, event_record *events,
                      size_t event_capacity)
{
    const log_record *records = slots;
    command_record run[REPLAY_COMMANDS];
    size_t done = 0;
    while (done < count) {
        size_t length = 0, wrote = 0;
        while (length < REPLAY_COMMANDS && done + length < count &&
               records[done + length].kind == RECORD_COMMAND) {
            memcpy(&run[length], records[done + length].body, LOG_BODY_BYTES);
            length++;
        }
        size_t took = apply_run(self, run, length, events, event_capacity, &wrote);
        done += took;
        /* Of a run that fills the array the rest comes again; alone, it would have the whole of it. */
        if (took == 0) break;
    }
    return done;
}
