/* log_mend.c - see log_writer_state.h: the end of a log, before a writer goes on from it.
 *
 * Going on with a segment, three things come before the first append:
 *
 *      |header|### known durable ###|### perhaps only cached ###|--- tail of no record ---|
 *                                    written again               filled with zeros
 *                                   └───────────── one sync ─────────────┘
 *
 * The tail, so that nothing of it can become valid by what is appended. The middle, because a
 * process before this one may have had a sync that failed: the system then holds pages that it
 * takes for clean and the disk does not have. A sync alone would say yes; written again they are
 * written for good.
 */
#include <stdlib.h>
#include <string.h>

#include "phase6_wal/c/log_writer_state.h"

enum { CHUNK = 1 << 20 };

int writer_read_at(log_writer *self, const log_segment *from, uint64_t offset, void *to,
                   size_t size)
{
    const int error = self->disk->file_read(self->disk, from->file, offset, to, size);
    return error < 0 ? writer_fail_at(self, "read", from->name, offset, error) : 0;
}

int writer_open_segment(log_writer *self, log_segment *segment)
{
    segment->file = self->disk->file_open(self->disk, segment->name, &segment->bytes);
    return segment->file < 0 ? writer_fail_at(self, "open", segment->name, 0, segment->file) : 0;
}

/* write_again: a range of a file as it is, or zeros over what is not zeros in it. */
static int write_again(log_writer *self, const log_segment *file, uint64_t from, uint64_t end,
                       int zeros)
{
    static const uint8_t nothing[CHUNK];
    uint8_t *chunk = malloc(CHUNK);
    int code = chunk != NULL ? 0 : LOG_NO_MEMORY;
    for (uint64_t at = from; code == 0 && at < end; at += CHUNK) {
        const size_t size = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
        code = writer_read_at(self, file, at, chunk, size);
        if (code == 0 && !(zeros && memcmp(chunk, nothing, size) == 0)) {
            const int error = self->disk->file_write(self->disk, file->file, at,
                                                     zeros ? nothing : chunk, size);
            code = error < 0 ? writer_fail_at(self, "write", file->name, at, error) : 0;
        }
    }
    free(chunk);
    return code;
}

/* durable_in: the `durable` of the record in a slot, for what is before it. */
static int durable_in(log_writer *self, const log_segment *segment, uint64_t slot,
                      uint64_t *durable)
{
    log_record record;
    const int code = writer_read_at(self, segment, LOG_HEADER_BYTES + slot * LOG_RECORD_BYTES,
                                    &record, sizeof record);
    *durable = code == 0 ? record.durable : 0;
    return code;
}

/* first_after: the first of `slots` valid slots whose sequence is greater. */
static int first_after(log_writer *self, uint64_t sequence, uint64_t slots, uint64_t *slot)
{
    uint64_t low = 0;
    for (uint64_t high = slots; low < high;) {
        const uint64_t middle = low + (high - low) / 2;
        log_record record;
        const int code = writer_read_at(self, self->present,
                                 LOG_HEADER_BYTES + middle * LOG_RECORD_BYTES, &record,
                                 sizeof record);
        if (code != 0) {
            return code;
        }
        if (record.body[0] > sequence) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    *slot = low;
    return 0;
}

/* resync_kept: older segments that were not known to be on the disk, at `durable`. */
static int resync_kept(log_writer *self, uint64_t durable)
{
    int code = 0;
    for (log_segment *kept = self->depot.kept.first; code == 0 && kept != NULL;
         kept = kept->next) {
        if (kept->last_sequence <= durable) {
            continue;
        }
        code = writer_open_segment(self, kept);
        code = code != 0 ? code : write_again(self, kept, 0, kept->bytes, 0);
        if (code == 0) {
            const int error = self->disk->file_sync(self->disk, kept->file);
            code = error < 0 ? writer_fail_at(self, "sync", kept->name, 0, error) : 0;
        }
        depot_close_segment(&self->depot, kept);
    }
    return code;
}

/* known_durable: up to where the log was known to be on the disk. */
static int known_durable(log_writer *self, const log_header *header, uint64_t slots,
                         uint64_t *durable)
{
    log_segment *before = self->depot.kept.last;
    if (slots > 0) {
        return durable_in(self, self->present, slots - 1, durable);
    }
    if (header->durability >= DURABLE_GROUP || before == NULL) {
        *durable = header->first_sequence - 1;
        return 0;
    }
    int code = writer_open_segment(self, before);
    code = code != 0 ? code : durable_in(self, before, 0, durable);
    depot_close_segment(&self->depot, before);
    return code;
}

/* writer_mend: the present segment and those before are on the disk, and end where the position
 * says. */
int writer_mend(log_writer *self, const log_header *header, uint64_t slots)
{
    log_segment *present = self->present;
    const uint64_t end = LOG_HEADER_BYTES + slots * LOG_RECORD_BYTES;
    uint64_t durable = 0;
    uint64_t slot = 0;
    int code = known_durable(self, header, slots, &durable);
    code = code != 0 ? code : resync_kept(self, durable);
    code = code != 0 ? code : first_after(self, durable, slots, &slot);
    if (code == 0) {
        const uint64_t from = LOG_HEADER_BYTES + slot * LOG_RECORD_BYTES;
        code = write_again(self, present, from, end, 0);
    }
    code = code != 0 ? code : write_again(self, present, end, present->bytes, 1);
    if (code != 0) {
        return code;
    }
    int error = self->disk->file_sync(self->disk, present->file);
    if (error < 0) {
        return writer_fail_at(self, "sync", present->name, 0, error);
    }
    error = self->disk->directory_sync(self->disk);
    self->named = 1;
    present->synced = end;
    return error < 0 ? writer_fail_at(self, "directory", present->name, 0, error) : 0;
}
