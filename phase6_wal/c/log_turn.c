/* log_turn.c - see log_writer_state.h: the present segment, from its header to its end.
 *
 *      rotate    1 finish the old one: what the buffer holds goes out; (*) and is synced
 *                2 take one that is ready; number, first sequence, chain, a new salt
 *                3 header ──▶ (*) sync ──▶ name FIRST.log ──▶ (*) directory sync
 *                4 the old one is retired: synced where 1 has not, closed, by the thread
 *
 *      (*) under group and sync; under page-cache and none the thread does it, a little later
 */
#include <stdio.h>
#include <string.h>

#include "phase6_wal/c/crc32c.h"
#include "phase6_wal/c/log_writer_state.h"

void writer_cannot_withdraw(log_writer *self)
{
    self->put_offset = self->offset;
    self->put_sequence = writer_sequence(self);
    self->put_chain = self->chain;
}

void writer_look_at(log_writer *self, uint64_t offset)
{
    const log_segment *present = self->present;
    self->offset = offset;
    self->slots_end = LOG_HEADER_BYTES + log_slots(present->bytes) * LOG_RECORD_BYTES;
    if (present->memory != NULL) {
        self->window = present->memory;
        self->window_at = 0;
        self->window_end = self->slots_end;
    } else {
        const uint64_t room = self->options.buffer_bytes / LOG_RECORD_BYTES * LOG_RECORD_BYTES;
        const uint64_t left = self->slots_end - offset;
        self->window = self->buffer;
        self->window_at = offset;
        self->window_end = offset + (room < left ? room : left);
    }
    writer_cannot_withdraw(self);
}

void writer_seal_header(log_header *header)
{
    header->crc = crc32c(0, (const uint8_t *)header + 12, LOG_HEADER_BYTES - 12);
}

int writer_write_header(log_writer *self, const log_header *header, int synced)
{
    log_segment *present = self->present;
    if (present->memory != NULL) {
        memcpy(present->memory, header, sizeof *header);
    } else {
        const int error =
            self->disk->file_write(self->disk, present->file, 0, header, sizeof *header);
        if (error < 0) {
            return writer_fail(self, "write", 0, error);
        }
    }
    present->synced = 0;
    if (synced) {
        const int error = depot_sync_header(&self->depot, present);
        if (error < 0) {
            return writer_fail(self, "sync", 0, error);
        }
        present->synced = LOG_HEADER_BYTES;
    }
    return 0;
}

/* salt_of: another one for each number, from the seed. */
static uint32_t salt_of(const log_writer *self, uint64_t number)
{
    uint64_t mixed = self->options.seed ^ self->options.log_id;
    for (uint32_t salt = 0;; mixed++) {
        mixed += number * UINT64_C(0x9E3779B97F4A7C15);
        mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
        salt = (uint32_t)(mixed ^ mixed >> 31);
        if (salt != 0) {
            return salt;
        }
    }
}

/* Under group and sync a header is on the disk before the file has its name: whatever is called
 * FIRST.log has a good one, after a power cut too, and one that is not good is damage. That holds
 * for the first segment behind theirs as well, whatever it promises itself: recovery has only the
 * one before to judge it by. Otherwise the writer does not wait for the disk: the thread syncs
 * header and name, right afterwards. */
int writer_begin(log_writer *self)
{
    const uint64_t number = self->present != NULL ? self->present->number + 1 : 1;
    log_segment *made = depot_take(&self->depot);
    self->present = made;
    made->number = number;
    made->first_sequence = writer_sequence(self) + 1;
    made->salt = salt_of(self, number);
    log_header header = {.version = LOG_VERSION,
                         .content = (uint16_t)self->options.content,
                         .first_sequence = made->first_sequence,
                         .number = number,
                         .log_id = self->options.log_id,
                         .bytes = made->bytes,
                         .salt = made->salt,
                         .chain = number == 1 ? 0 : self->chain,
                         .durability = (uint8_t)self->options.durability};
    memcpy(header.magic, LOG_MAGIC, sizeof header.magic);
    writer_seal_header(&header);
    const int waits = writer_is_synced_by_batch(self) || self->after_promise ||
                      !self->options.prepare_thread;
    if (writer_write_header(self, &header, waits) != 0) {
        return LOG_FAILED;
    }
    char name[STORAGE_NAME_BYTES];
    snprintf(name, sizeof name, "%020llu.log", (unsigned long long)made->first_sequence);
    int error = self->disk->file_rename(self->disk, made->name, name);
    if (error < 0) {
        return writer_fail(self, "rename", 0, error);
    }
    memcpy(made->name, name, sizeof name);
    self->named = (uint32_t)waits;
    self->after_promise = 0;
    if (waits) {
        error = self->disk->directory_sync(self->disk);
        if (error < 0) {
            return writer_fail(self, "directory", 0, error);
        }
    } else if (depot_name(&self->depot, made) != 0) {
        return LOG_FAILED;
    }
    self->chain = header.chain;
    self->counters.segments++;
    self->counters.recycled += (uint64_t)made->recycled;
    self->short_of_reserve = (uint32_t)depot_is_short(&self->depot);
    writer_look_at(self, LOG_HEADER_BYTES);
    return 0;
}

/* writer_write_out: what the buffer holds, to the system. */
int writer_write_out(log_writer *self)
{
    if (self->present->memory != NULL || self->offset == self->window_at) {
        return 0;
    }
    const size_t size = (size_t)(self->offset - self->window_at);
    const int error = self->disk->file_write(self->disk, self->present->file, self->window_at,
                                             self->window, size);
    if (error < 0) {
        return writer_fail(self, "write", self->window_at, error);
    }
    self->counters.bytes += size;
    writer_look_at(self, self->offset);
    return 0;
}

/* --8<-- [start:sync] */
/* sync_present: all of it on the disk. A failed sync is never asked for again: the writer has
 * ended. */
static int sync_present(log_writer *self)
{
    log_segment *present = self->present;
    if (writer_write_out(self) != 0) {
        return LOG_FAILED;
    }
    if (present->synced < self->offset) {
        const uint64_t from = present->synced;
        const int error =
            present->memory != NULL
                ? self->disk->map_sync(self->disk, present->memory, from, self->offset - from)
                : self->disk->file_sync(self->disk, present->file);
        if (error < 0) {
            return writer_fail(self, "sync", from, error);
        }
        present->synced = self->offset;
        self->counters.flushes++;
    }
    if (!self->named) {
        const int error = self->disk->directory_sync(self->disk);
        if (error < 0) {
            return writer_fail(self, "directory", 0, error);
        }
        self->named = 1;
    }
    return 0;
}
/* --8<-- [end:sync] */

/* writer_flush: sync_present, and durable. What older segments still wait for has been drained
 * before. */
int writer_flush(log_writer *self)
{
    if (sync_present(self) != 0) {
        return LOG_FAILED;
    }
    self->first_waits_ns = 0;
    writer_cannot_withdraw(self);
    /* Pairs with log_durable: who sees the number may tell others. */
    atomic_store_explicit(&self->depot.durable, writer_sequence(self), memory_order_release);
    return 0;
}

int writer_rotate(log_writer *self)
{
    log_segment *old = self->present;
    const int failed =
        writer_is_synced_by_batch(self) ? writer_flush(self) : writer_write_out(self);
    if (failed != 0) {
        return failed;
    }
    old->end = self->offset;
    old->last_sequence = writer_sequence(self);
    const int code = writer_begin(self);
    if (depot_retire(&self->depot, old) != 0 || code != 0) {
        return LOG_FAILED;
    }
    return 0;
}
