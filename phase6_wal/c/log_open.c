/* log_open.c - makes a writer, from nothing or from where a recovery has found the log's end; ends
 * it.
 *
 * What is done to the end of a log before a writer goes on from it is in log_mend.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <sys/random.h>
#endif

#include "phase6_wal/c/log_writer_state.h"

enum { DIGITS = 20 };

/* --- options ------------------------------------------------------------------------------- */

static int are_good(const log_options *options)
{
    const uint64_t bytes = options->segment_bytes;
    return (options->content == LOG_COMMANDS || options->content == LOG_EVENTS) &&
           options->durability <= DURABLE_SYNC && options->method <= LOG_MAPPED &&
           options->spares >= 1 && options->group_count >= 1 && bytes >= LOG_LEAST_SEGMENT &&
           bytes <= UINT64_C(1) << 32 && bytes % 4096 == 0 &&
           options->buffer_bytes >= LOG_RECORD_BYTES && options->buffer_bytes <= UINT64_C(1) << 32;
}

/* random_or: `given`, or a random number if that is 0; not 0. */
static uint64_t random_or(uint64_t given)
{
    while (given == 0) {
        if (getentropy(&given, sizeof given) != 0) {
            return log_clock_ns() | 1;
        }
    }
    return given;
}

/* --- what is there ------------------------------------------------------------------------- */

static int ends_with(const char *name, const char *suffix)
{
    const size_t length = strlen(name);
    const size_t wanted = strlen(suffix);
    return length >= wanted && strcmp(name + length - wanted, suffix) == 0;
}

/* is_segment: twenty digits and ".log"; which. */
static int is_segment(const char *name, uint64_t *first_sequence)
{
    if (strspn(name, "0123456789") != DIGITS || strcmp(name + DIGITS, ".log") != 0) {
        return 0;
    }
    *first_sequence = strtoull(name, NULL, 10);
    return 1;
}

/* look_around: spares of an earlier writer go: nobody knows what salts they have seen. Segments
 * before the present one are kept; one behind it means that the position is not this log's end. */
static int look_around(log_writer *self, const log_position *position)
{
    log_segment *last = NULL;
    size_t index = 0;
    for (char name[STORAGE_NAME_BYTES];;) {
        const int found = self->disk->directory_list(self->disk, index, name);
        if (found < 0) {
            return writer_fail_at(self, "list", "", 0, found);
        }
        if (found == 0) {
            return 0;
        }
        uint64_t first;
        if (ends_with(name, ".spare")) {
            const int error = self->disk->file_remove(self->disk, name);
            if (error < 0) {
                return writer_fail_at(self, "remove", name, 0, error);
            }
            continue;
        }
        index++;
        if (!is_segment(name, &first)) {
            continue;
        }
        if (last != NULL) {
            last->last_sequence = first - 1;
        }
        if (position->number == 0 || first > position->first_sequence) {
            return LOG_BAD_OPTIONS;
        }
        if (first < position->first_sequence) {
            last = depot_keep(&self->depot, name);
            if (last == NULL) {
                return LOG_NO_MEMORY;
            }
        }
    }
}

/* --- going on ------------------------------------------------------------------------------ */

static int map_present(log_writer *self, uint64_t from)
{
    log_segment *present = self->present;
    if (self->options.method != LOG_MAPPED) {
        return 0;
    }
    void *memory;
    int error = self->disk->map(self->disk, present->file, present->bytes, &memory);
    if (error < 0) {
        return writer_fail_at(self, "map", present->name, 0, error);
    }
    present->memory = memory;
    error = from < present->bytes
                ? self->disk->map_touch(self->disk, memory, from, present->bytes - from)
                : 0;
    return error < 0 ? writer_fail_at(self, "touch", present->name, from, error) : 0;
}

/* go_on: with the segment of a position, as `header` says it is. */
static int go_on(log_writer *self, const log_position *position, log_header *header)
{
    log_segment *present = calloc(1, sizeof *present);
    if (present == NULL) {
        return LOG_NO_MEMORY;
    }
    self->present = present;
    snprintf(present->name, sizeof present->name, "%020llu.log",
             (unsigned long long)position->first_sequence);
    present->file = -1;
    int code = writer_open_segment(self, present);
    code = code != 0 ? code : writer_read_at(self, present, 0, header, sizeof *header);
    if (code != 0) {
        return code;
    }
    if (header->number != position->number || header->first_sequence != position->first_sequence ||
        header->content != self->options.content || header->bytes != present->bytes ||
        (position->salt != 0 && header->salt != position->salt) ||
        (self->options.log_id != 0 && header->log_id != self->options.log_id) ||
        present->bytes < LOG_LEAST_SEGMENT || position->slot > log_slots(present->bytes)) {
        return LOG_BAD_OPTIONS;
    }
    self->options.log_id = header->log_id;
    present->number = header->number;
    present->first_sequence = header->first_sequence;
    present->salt = header->salt;
    const uint64_t end = LOG_HEADER_BYTES + position->slot * LOG_RECORD_BYTES;
    code = writer_mend(self, header, position->slot);
    code = code != 0 ? code : map_present(self, end);
    if (code == 0) {
        writer_look_at(self, end);
    }
    return code;
}

/* renew_promise: the header says what the writer promises. A segment that has commands keeps what
 * was promised for them, and another one begins; one that has none is given the new promise. */
static int renew_promise(log_writer *self, log_header *header)
{
    if (header->durability == self->options.durability) {
        return 0;
    }
    if (self->present->first_sequence <= log_sequence(self)) {
        self->after_promise = header->durability >= DURABLE_GROUP;
        return writer_rotate(self);
    }
    header->durability = (uint8_t)self->options.durability;
    writer_seal_header(header);
    return writer_write_header(self, header, 1);
}

/* --- new, close, free ---------------------------------------------------------------------- */

/* begin_or_go_on: everything but the memory. */
static int begin_or_go_on(log_writer *self, const log_position *position)
{
    static const log_header no_header;
    log_header header = no_header;
    atomic_store(&self->sequence, position->sequence);
    atomic_store(&self->acknowledged, position->sequence);
    atomic_store(&self->depot.durable, position->sequence);
    self->chain = position->chain;
    int code = look_around(self, position);
    if (code == 0 && position->number != 0) {
        code = go_on(self, position, &header);
    }
    if (code == 0) {
        self->options.log_id = random_or(self->options.log_id);
        code = depot_start(&self->depot);
    }
    if (code != 0) {
        return code;
    }
    const int begins = self->present == NULL ||
                       (header.durability != self->options.durability &&
                        self->present->first_sequence <= position->sequence);
    code = depot_ensure(&self->depot, (size_t)begins, 0);
    if (code == LOG_FULL) {
        code = depot_ensure(&self->depot, (size_t)begins, 1);
    }
    self->short_of_reserve = (uint32_t)depot_is_short(&self->depot);
    if (code == 0) {
        code = self->present == NULL ? writer_begin(self) : renew_promise(self, &header);
    }
    return code;
}

int log_writer_new(storage *disk, const log_options *options, const log_position *position,
                   log_writer **made, log_problem *problem)
{
    memset(problem, 0, sizeof *problem);
    problem->code = LOG_BAD_OPTIONS;
    if (!are_good(options)) {
        return LOG_BAD_OPTIONS;
    }
    log_writer *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return LOG_NO_MEMORY;
    }
    self->disk = disk;
    self->options = *options;
    self->options.seed = random_or(options->seed);
    int code = depot_open(&self->depot, disk, &self->options);
    if (code != 0) {
        free(self);
        return code;
    }
    if (options->method == LOG_WRITTEN) {
        self->buffer = malloc(options->buffer_bytes);
        code = self->buffer == NULL ? LOG_NO_MEMORY : 0;
    }
    if (code == 0) {
        code = begin_or_go_on(self, position);
    }
    if (code != 0) {
        depot_problem(&self->depot, problem);
        log_writer_free(self);
        return code;
    }
    *made = self;
    return 0;
}

static void leave(log_writer *self, int finish)
{
    if (!self->closed) {
        self->closed = 1;
        depot_end(&self->depot, finish, finish);
        if (self->present != NULL) {
            depot_close_segment(&self->depot, self->present);
        }
    }
}

int log_writer_close(log_writer *self)
{
    if (!self->closed) {
        const int code = log_flush(self);
        leave(self, code == 0);
    }
    const int code = depot_code(&self->depot);
    return code == LOG_CLOSED ? 0 : code;
}

void log_writer_free(log_writer *self)
{
    if (self != NULL) {
        leave(self, 0);
        depot_free(&self->depot);
        free(self->present);
        free(self->buffer);
        free(self);
    }
}
