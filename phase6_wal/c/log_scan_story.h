/* log_scan_story.h - segments made by hand, for the tests of the scanner: from the comment of
 * log_format.h, and with the CRC by table.
 */
#ifndef PHASE6_LOG_SCAN_STORY_H
#define PHASE6_LOG_SCAN_STORY_H

#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"
#include "contract/c/engine_stream.h"
#include "phase6_wal/c/crc32c.h"
#include "phase6_wal/c/log_scan.h"

#define STORY_LOG_ID UINT64_C(0x1122334455667788)

typedef struct {
    uint8_t *bytes;
    uint64_t size;
    uint64_t slots;
    uint64_t records;  /* put in so far */
    uint64_t sequence; /* of the last one */
    uint32_t chain;
    uint32_t salt;
    command_stream random;
} story;

static inline uint8_t *story_slot(const story *self, uint64_t slot)
{
    return self->bytes + LOG_HEADER_BYTES + slot * LOG_RECORD_BYTES;
}

static inline void story_seal_header(uint8_t *bytes)
{
    const uint32_t crc = crc32c_table(0, bytes + 12, LOG_HEADER_BYTES - 12);
    memcpy(bytes + 8, &crc, sizeof crc);
}

/* A segment of zeros with its header; `before`: what it continues, or NULL. */
static inline story story_begin(uint64_t size, const story *before, uint32_t salt)
{
    story self = {.size = size, .slots = log_slots(size), .salt = salt};
    log_header header = {.version = LOG_VERSION, .content = LOG_COMMANDS, .first_sequence = 1,
                         .number = 1, .log_id = STORY_LOG_ID, .bytes = size, .salt = salt,
                         .durability = DURABLE_GROUP};
    memcpy(header.magic, LOG_MAGIC, sizeof header.magic);
    self.random.state = salt;
    if (before != NULL) {
        log_header old;
        memcpy(&old, before->bytes, sizeof old);
        header.number = old.number + 1;
        header.first_sequence = before->sequence + 1;
        header.chain = self.chain = before->chain;
        self.sequence = before->sequence;
    }
    CHECK(posix_memalign((void **)&self.bytes, 4096, size) == 0);
    memset(self.bytes, 0, size);
    memcpy(self.bytes, &header, sizeof header);
    story_seal_header(self.bytes);
    return self;
}

/* Give the record in a slot its crc, after whatever was done to it. */
static inline void story_seal(const story *self, uint64_t slot)
{
    uint8_t *at = story_slot(self, slot);
    const uint32_t crc = crc32c_table(self->salt, at + 4, LOG_RECORD_BYTES - 4);
    memcpy(at, &crc, sizeof crc);
}

/* The next record: a command of random bytes, or a mark. */
static inline void story_put(story *self, int is_mark)
{
    log_record record = {.length = LOG_RECORD_BYTES,
                         .kind = is_mark ? RECORD_MARK : RECORD_COMMAND,
                         .durable = self->sequence - self->sequence % 16};
    CHECK(self->records < self->slots);
    for (size_t i = 1; i < 8; i++) {
        record.body[i] = stream_word(&self->random);
    }
    self->sequence += !is_mark;
    record.body[0] = self->sequence;
    if (is_mark) {
        log_mark mark;
        memcpy(&mark, record.body, sizeof mark);
        mark.chain = self->chain;
        memcpy(record.body, &mark, sizeof mark);
    }
    uint8_t *at = story_slot(self, self->records);
    memcpy(at, &record, sizeof record);
    story_seal(self, self->records++);
    self->chain = crc32c_table(self->chain, at, 4);
}

/* So many records more, every 23rd a mark, which is at no even place in any sector. */
static inline void story_fill(story *self, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        story_put(self, self->records % 23 == 22);
    }
}

/* Commands (no marks) among the first `records` of a story that story_fill made. */
static inline uint64_t story_commands(uint64_t records)
{
    return records - records / 23;
}

static inline scan_result story_scan(const story *self, uint64_t bytes)
{
    scan_result result;
    scan_segment(self->bytes, bytes, NULL, &result);
    return result;
}

/* The two results say the same about the log, wherever they were interrupted. */
static inline void story_same(const scan_result *one, const scan_result *other)
{
    CHECK(memcmp(one, other, sizeof *one) == 0);
}

#endif
