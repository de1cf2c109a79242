/* log_story.h - logs for the tests of the writer: bodies that follow from their sequence, and a
 * reader of whole logs written from the comment of log_format.h, with the CRC by table.
 */
#ifndef PHASE6_LOG_STORY_H
#define PHASE6_LOG_STORY_H

#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"
#include "contract/c/engine_stream.h"
#include "phase6_wal/c/crc32c.h"
#include "phase6_wal/c/log_writer.h"
#include "phase6_wal/c/storage_sim.h"

enum { STORY_MOST = 512 };
#define STORY_ROOM (UINT64_C(1) << 24)

/* On the simulated disk every call looks at the maps, as a kernel may at any time; that a store of
 * another thread goes on meanwhile is what mapping means, and a race to ThreadSanitizer. With a
 * thread a mapped log is its business in test_log_threads.c, on a real disk. */
#if defined(__SANITIZE_THREAD__)
#define STORY_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STORY_UNDER_TSAN 1
#endif
#endif
#ifndef STORY_UNDER_TSAN
#define STORY_UNDER_TSAN 0
#endif

/* story_threads: how many of "no thread" and "a thread" to try. */
static inline uint32_t story_threads(uint32_t method)
{
    return STORY_UNDER_TSAN && method == LOG_MAPPED ? 1 : 2;
}

/* The bodies of commands `sequence` and on, without their sequences: those are the writer's. */
static inline const uint8_t *story_bodies(uint64_t sequence, size_t count)
{
    static _Thread_local uint64_t bodies[STORY_MOST][8];
    CHECK(count <= STORY_MOST);
    for (size_t i = 0; i < count; i++) {
        command_stream random = {.state = sequence + i};
        bodies[i][0] = 0xBAD;
        for (int word = 1; word < 8; word++) {
            bodies[i][word] = stream_word(&random);
        }
    }
    return (const uint8_t *)bodies;
}

static inline log_options story_options(uint32_t durability, uint32_t method, uint32_t thread)
{
    return (log_options){.content = LOG_COMMANDS,
                         .durability = durability,
                         .method = method,
                         .spares = 1,
                         .prepare_thread = thread,
                         .reserve = 1,
                         .segment_bytes = 8192,
                         .buffer_bytes = 4096,
                         .group_count = 64,
                         .group_ns = 1000,
                         .seed = 1};
}

static inline log_writer *story_open(storage *disk, const log_options *options,
                                     const log_position *position)
{
    static const log_position beginning;
    log_problem problem;
    log_writer *made = NULL;
    const int code =
        log_writer_new(disk, options, position != NULL ? position : &beginning, &made, &problem);
    if (code != 0) {
        fprintf(stderr, "code %d: %s of %s: errno %d\n", code, problem.call, problem.name,
                problem.error);
    }
    CHECK(code == 0);
    return made;
}

static inline void story_close(log_writer *writer)
{
    CHECK(log_writer_close(writer) == 0);
    log_writer_free(writer);
}

/* Append the next `count` commands. */
static inline int story_append(log_writer *writer, size_t count)
{
    return log_append(writer, story_bodies(log_sequence(writer) + 1, count), count);
}

/* What a reader found. */
typedef struct {
    uint64_t segments;
    uint64_t first_sequence; /* of the first segment */
    uint64_t sequence;
    uint64_t marks;
    uint64_t stale;          /* bytes behind the end that are not 0 */
    uint64_t later;          /* records behind it that pass for this segment's */
    uint32_t chain;
} story_log;

static inline int story_record(const uint8_t *slot, const log_header *header, story_log *found)
{
    log_record record;
    memcpy(&record, slot, sizeof record);
    if (record.length != 80 || record.zero != 0 ||
        record.crc != crc32c_table(header->salt, slot + 4, 76) ||
        (record.kind != RECORD_MARK && record.kind != header->content) ||
        record.body[0] != found->sequence + (record.kind != RECORD_MARK)) {
        return 0;
    }
    if (record.kind == RECORD_MARK) {
        log_mark mark;
        memcpy(&mark, record.body, sizeof mark);
        CHECK(mark.chain == found->chain && record.durable <= found->sequence);
        found->marks++;
    } else {
        const uint8_t *body = story_bodies(record.body[0], 1);
        CHECK(memcmp(slot + 24, body + 8, LOG_BODY_BYTES - 8) == 0);
        CHECK(record.durable < record.body[0]);
        found->sequence++;
    }
    found->chain = crc32c_table(found->chain, slot, 4);
    return 1;
}

/* story_segment: read one; 0: it does not continue what was found so far. */
static inline int story_segment(const uint8_t *bytes, uint64_t size, uint64_t number,
                                story_log *found)
{
    log_header header;
    memcpy(&header, bytes, sizeof header);
    if (memcmp(header.magic, LOG_MAGIC, 8) != 0 ||
        header.crc != crc32c_table(0, bytes + 12, LOG_HEADER_BYTES - 12)) {
        return 0;
    }
    CHECK(header.version == 1 && header.bytes == size && header.salt != 0 && header.log_id != 0);
    if (found->segments == 0) {
        found->first_sequence = header.first_sequence;
        found->sequence = header.first_sequence - 1;
        found->chain = header.chain;
    }
    CHECK(header.first_sequence == number);
    if (header.first_sequence != found->sequence + 1 || header.chain != found->chain) {
        return 0;
    }
    found->segments++;
    const uint64_t slots = log_slots(size);
    uint64_t slot = 0;
    while (slot < slots &&
           story_record(bytes + LOG_HEADER_BYTES + slot * LOG_RECORD_BYTES, &header, found)) {
        slot++;
    }
    found->stale = found->later = 0;
    for (uint64_t at = LOG_HEADER_BYTES + slot * LOG_RECORD_BYTES; at < size; at++) {
        found->stale += bytes[at] != 0;
    }
    for (; slot < slots; slot++) {
        const uint8_t *at = bytes + LOG_HEADER_BYTES + slot * LOG_RECORD_BYTES;
        uint32_t crc;
        memcpy(&crc, at, sizeof crc);
        found->later += crc == crc32c_table(header.salt, at + 4, 76);
    }
    return 1;
}

/* story_read: the log that stands in a storage. */
static inline story_log story_read(storage *disk)
{
    story_log found = {0};
    char name[STORAGE_NAME_BYTES];
    for (size_t index = 0; disk->directory_list(disk, index, name) == 1; index++) {
        if (strlen(name) != 24 || strcmp(name + 20, ".log") != 0) {
            continue;
        }
        uint64_t size;
        const int file = disk->file_open(disk, name, &size);
        CHECK(file >= 0);
        uint8_t *bytes = malloc(size);
        CHECK(bytes != NULL && disk->file_read(disk, file, 0, bytes, size) == 0);
        disk->file_close(disk, file);
        const int goes_on = story_segment(bytes, size, strtoull(name, NULL, 10), &found);
        free(bytes);
        if (!goes_on) {
            break;
        }
    }
    return found;
}

static inline size_t story_files(storage *disk, const char *suffix)
{
    size_t count = 0;
    char name[STORAGE_NAME_BYTES];
    for (size_t index = 0; disk->directory_list(disk, index, name) == 1; index++) {
        const size_t length = strlen(name);
        count += length > strlen(suffix) && strcmp(name + length - strlen(suffix), suffix) == 0;
    }
    return count;
}

#endif
