/* snapshot_write.c - makes the file of a snapshot, in steps that may each be the last.
 *
 *     create tmp ─▶ images ─▶ head ─▶ sync ─▶ read again ─▶ rename ─▶ sync the directory ─▶ prune
 *     └───────────── a .tmp, which nobody reads ─────────┘   └── whole, under its name ──┘
 *
 * An error before the rename removes the temporary file and changes nothing else. A failed sync is not
 * asked for again: the next snapshot is another file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "phase6_wal/c/crc32c.h"
#include "phase6_wal/c/snapshot_parts.h"

int snapshot_problem_set(snapshot_problem *problem, const char *call, int error, uint64_t offset)
{
    *problem = (snapshot_problem){.error = error < 0 ? -error : error, .offset = offset};
    strncpy(problem->call, call, sizeof problem->call - 1);
    return -1;
}

/* --8<-- [start:write] */
/* write_image: in pieces, summed up as they go. 0, or a negative errno. */
static int write_image(storage *disk, int file, snapshot_entry *entry, const uint8_t *image,
                       uint64_t *offset)
{
    image_sums sums;
    image_begin(&sums);
    for (uint64_t done = 0; done < entry->bytes;) {
        const uint64_t rest = entry->bytes - done;
        const size_t piece = rest < SNAPSHOT_PIECE_BYTES ? (size_t)rest : SNAPSHOT_PIECE_BYTES;
        *offset = entry->offset + done;
        const int error = disk->file_write(disk, file, *offset, image + done, piece);
        if (error < 0) {
            return error;
        }
        image_take(&sums, image + done, piece);
        done += piece;
    }
    entry->crc = sums.crc;
    image_end(&sums, entry->state_hash);
    return 0;
}

static int write_all(storage *disk, int file, uint8_t *head, const image_source *source,
                     snapshot_problem *problem)
{
    snapshot_header header;
    memcpy(&header, head, sizeof header);
    for (size_t book = 0; book < header.books; book++) {
        snapshot_entry entry;
        uint64_t offset = 0;
        memcpy(&entry, head + snapshot_head_bytes(book), sizeof entry);
        const uint8_t *image = source->image(source->context, book);
        if (image == NULL) {
            return snapshot_problem_set(problem, "orders", 0, entry.offset);
        }
        const int error = write_image(disk, file, &entry, image, &offset);
        if (error < 0) {
            return snapshot_problem_set(problem, "write", error, offset);
        }
        memcpy(head + snapshot_head_bytes(book), &entry, sizeof entry);
    }
    snapshot_seal(head);
    int error = disk->file_write(disk, file, 0, head, snapshot_head_bytes(header.books));
    if (error < 0) {
        return snapshot_problem_set(problem, "write", error, 0);
    }
    error = disk->file_sync(disk, file);
    return error < 0 ? snapshot_problem_set(problem, "sync", error, 0) : 0;
}
/* --8<-- [end:write] */

int snapshot_write_temporary(storage *disk, uint8_t *head, const image_source *source,
                             const char *temporary, snapshot_problem *problem)
{
    snapshot_header header;
    snapshot_entry last;
    memcpy(&header, head, sizeof header);
    memcpy(&last, head + snapshot_head_bytes(header.books - 1u), sizeof last);
    int file = disk->file_create(disk, temporary, last.offset + last.bytes);
    if (file == -EEXIST) { /* an interrupted writer's */
        disk->file_remove(disk, temporary);
        file = disk->file_create(disk, temporary, last.offset + last.bytes);
    }
    if (file < 0) {
        return snapshot_problem_set(problem, "create", file, 0);
    }
    const int failed = write_all(disk, file, head, source, problem);
    const int error = disk->file_close(disk, file);
    return failed == 0 && error < 0 ? snapshot_problem_set(problem, "close", error, 0) : failed;
}

/* --- reading it again --- */

/* verify_image: its sums and its header, off the disk. */
static int verify_image(storage *disk, int file, const snapshot_entry *entry, uint32_t book,
                        uint8_t *buffer, snapshot_problem *problem)
{
    image_sums sums;
    uint8_t state_hash[BLAKE2B_DIGEST_BYTES];
    snapshot_fault fault;
    image_begin(&sums);
    for (uint64_t done = 0; done < entry->bytes;) {
        const uint64_t rest = entry->bytes - done;
        const size_t piece = rest < SNAPSHOT_PIECE_BYTES ? (size_t)rest : SNAPSHOT_PIECE_BYTES;
        const int error = disk->file_read(disk, file, entry->offset + done, buffer, piece);
        if (error < 0) {
            return snapshot_problem_set(problem, "read", error, entry->offset + done);
        }
        if (done == 0 && snapshot_check_image_header(buffer, entry, book, &fault)) {
            return snapshot_problem_set(problem, "verify", EIO, fault.offset);
        }
        image_take(&sums, buffer, piece);
        done += piece;
    }
    image_end(&sums, state_hash);
    if (snapshot_check_sums(&sums, state_hash, entry, book, &fault)) {
        return snapshot_problem_set(problem, "verify", EIO, fault.offset);
    }
    return 0;
}

static int verify_file(storage *disk, int file, uint64_t size, uint64_t sequence, uint8_t *buffer,
                       snapshot_problem *problem)
{
    snapshot_header header;
    int error = disk->file_read(disk, file, 0, &header, sizeof header);
    if (error < 0) {
        return snapshot_problem_set(problem, "read", error, 0);
    }
    const uint64_t head_bytes = snapshot_head_bytes(header.books);
    snapshot_fault fault = {.offset = 0};
    if (memcmp(header.magic, SNAPSHOT_MAGIC_BYTES, sizeof header.magic) != 0 || header.books < 1 ||
        header.books > SNAPSHOT_MOST_BOOKS || head_bytes > size) {
        return snapshot_problem_set(problem, "verify", EIO, 0);
    }
    /* The head stays at the front of the buffer, and the images go through the rest of it. */
    error = disk->file_read(disk, file, 0, buffer, head_bytes);
    if (error < 0) {
        return snapshot_problem_set(problem, "read", error, 0);
    }
    if (snapshot_check_head(buffer, size, sequence, &fault)) {
        return snapshot_problem_set(problem, "verify", EIO, fault.offset);
    }
    for (uint32_t book = 0; book < header.books; book++) {
        snapshot_entry entry;
        memcpy(&entry, buffer + snapshot_head_bytes(book), sizeof entry);
        if (verify_image(disk, file, &entry, book, buffer + head_bytes, problem)) {
            return -1;
        }
    }
    return 0;
}

int snapshot_verify(storage *disk, const char *temporary, uint64_t sequence, uint8_t *buffer,
                    snapshot_problem *problem)
{
    uint64_t size;
    const int file = disk->file_open(disk, temporary, &size);
    if (file < 0) {
        return snapshot_problem_set(problem, "open", file, 0);
    }
    const int failed = verify_file(disk, file, size, sequence, buffer, problem);
    disk->file_close(disk, file); /* it was only read */
    return failed;
}

/* --- its name, and what it makes superfluous --- */

int snapshot_publish(storage *disk, const char *temporary, uint64_t sequence,
                     snapshot_problem *problem)
{
    char name[STORAGE_NAME_BYTES];
    snapshot_name(name, sequence, 0);
    int error = disk->file_rename(disk, temporary, name);
    if (error < 0) {
        disk->file_remove(disk, temporary);
        return snapshot_problem_set(problem, "rename", error, 0);
    }
    error = disk->directory_sync(disk);
    return error < 0 ? snapshot_problem_set(problem, "directory_sync", error, 0) : 0;
}

/* number_of: 1 and the sequence if `name` is a snapshot's. */
static int number_of(const char *name, uint64_t *sequence)
{
    char again[STORAGE_NAME_BYTES];
    *sequence = 0;
    for (const char *at = name; *at >= '0' && *at <= '9'; at++) {
        *sequence = *sequence * 10 + (uint64_t)(*at - '0'); /* may wrap: then the names differ */
    }
    snapshot_name(again, *sequence, 0);
    return strcmp(again, name) == 0;
}

/* list_once: one that is renamed meanwhile may come twice or not at all: see storage.h. *names is a
 * sum over all of them. */
static int list_once(storage *disk, uint64_t *sequences, size_t room, uint32_t *names)
{
    char name[STORAGE_NAME_BYTES];
    uint64_t found, last = 0;
    int more;
    size_t count = 0;
    *names = 0;
    for (size_t i = 0; (more = disk->directory_list(disk, i, name)) > 0; i++) {
        *names = crc32c(*names, name, strlen(name) + 1);
        if (number_of(name, &found) && (count == 0 || found > last) && count < INT32_MAX) {
            if (count < room) {
                sequences[count] = found;
            }
            last = found;
            count++;
        }
    }
    return more < 0 ? more : (int)count;
}

int snapshot_list(storage *disk, uint64_t *sequences, size_t room, snapshot_problem *problem)
{
    enum { MOST_PASSES = 100 }; /* somebody who never rests shall not keep an engine from beginning */
    uint32_t names, before = 0;
    int count = list_once(disk, sequences, room, &names);
    for (int pass = 1; count >= 0 && names != before && pass < MOST_PASSES; pass++) {
        before = names;
        count = list_once(disk, sequences, room, &names);
    }
    return count < 0 ? snapshot_problem_set(problem, "list", count, 0) : count;
}

int snapshot_clean(storage *disk, snapshot_problem *problem)
{
    char name[STORAGE_NAME_BYTES];
    int more, removed = 0;
    for (size_t i = 0; (more = disk->directory_list(disk, i, name)) > 0;) {
        const size_t length = strlen(name);
        if (length < sizeof ".snap.tmp" || strcmp(name + length - 9, ".snap.tmp") != 0) {
            i++;
            continue;
        }
        const int error = disk->file_remove(disk, name);
        if (error < 0 && error != -ENOENT) {
            return snapshot_problem_set(problem, "remove", error, 0);
        }
        removed += error == 0;
    }
    return more < 0 ? snapshot_problem_set(problem, "list", more, 0) : removed;
}

/* --- all at once --- */

static const void *image_in_memory(void *context, size_t book)
{
    return ((const void *const *)context)[book];
}

int snapshot_write(storage *disk, uint64_t sequence, uint64_t log_id, uint32_t chain,
                   uint32_t event_crc, const snapshot_entry *entries, size_t books,
                   const void *const *images, snapshot_problem *problem)
{
    snapshot_header header = {.books = (uint16_t)books,
                              .sequence = sequence,
                              .log_id = log_id,
                              .chain = chain,
                              .event_crc = event_crc};
    const uint64_t head_bytes = snapshot_head_bytes(books);
    uint8_t *head = malloc(head_bytes);
    uint8_t *buffer = malloc(head_bytes + SNAPSHOT_PIECE_BYTES);
    char temporary[STORAGE_NAME_BYTES];
    int failed = -1;
    snapshot_name(temporary, sequence, 1);
    if (head == NULL || buffer == NULL) {
        snapshot_problem_set(problem, "memory", ENOMEM, 0);
    } else {
        memcpy(head, &header, sizeof header);
        memcpy(head + sizeof header, entries, books * sizeof *entries);
        snapshot_place(head);
        const image_source source = {image_in_memory, (void *)images};
        if (snapshot_write_temporary(disk, head, &source, temporary, problem) == 0 &&
            snapshot_verify(disk, temporary, sequence, buffer, problem) == 0) {
            failed = snapshot_publish(disk, temporary, sequence, problem);
        } else {
            disk->file_remove(disk, temporary);
        }
    }
    free(head);
    free(buffer);
    return failed;
}
