/* log_scan.c - what is valid in a segment, and what lies behind it. */
#include "phase6_wal/c/log_scan.h"

#include <string.h>

#include "contract/c/check.h"
#include "phase6_wal/c/crc32c.h"

enum { CRC_BYTES = sizeof(uint32_t), SALTED_BYTES = LOG_RECORD_BYTES - CRC_BYTES };

const char *scan_field(int reason)
{
    static const char *const names[SCAN_REASONS] = {
        [SCAN_GOOD] = "full",         [SCAN_SHORT] = "bytes",
        [SCAN_MAGIC] = "magic",       [SCAN_HEADER_CRC] = "crc",
        [SCAN_VERSION] = "version",   [SCAN_CONTENT] = "content",
        [SCAN_BYTES] = "bytes",       [SCAN_LOG_ID] = "log_id",
        [SCAN_NUMBER] = "number",     [SCAN_FIRST_SEQUENCE] = "first_sequence",
        [SCAN_CHAIN] = "chain",       [SCAN_DURABILITY] = "durability",
        [SCAN_EMPTY] = "empty",       [SCAN_CRC] = "crc",
        [SCAN_LENGTH] = "length",     [SCAN_KIND] = "kind",
        [SCAN_SEQUENCE] = "sequence", [SCAN_DURABLE] = "durable",
        [SCAN_ZERO] = "zero",         [SCAN_MARK_CHAIN] = "chain",
        [SCAN_STALE] = "stale",       [SCAN_SALT] = "salt",
    };
    return reason >= 0 && reason < SCAN_REASONS ? names[reason] : "";
}

/* The verdict on a header or a slot: `reason` if `found` is not `expected`. */
static int differs(scan_result *result, int reason, uint64_t found, uint64_t expected)
{
    if (found == expected) {
        return SCAN_GOOD;
    }
    result->found = found;
    result->expected = expected;
    return reason;
}

/* --- the header ---------------------------------------------------------------------------- */

static int judge_header(const log_header *header, const uint8_t *bytes, scan_result *result)
{
    uint64_t magic, right;
    int wrong;
    memcpy(&magic, header->magic, sizeof magic);
    memcpy(&right, LOG_MAGIC, sizeof right);
    if ((wrong = differs(result, SCAN_MAGIC, magic, right)) ||
        (wrong = differs(result, SCAN_HEADER_CRC, header->crc,
                         crc32c(0, bytes + 12, LOG_HEADER_BYTES - 12))) ||
        (wrong = differs(result, SCAN_VERSION, header->version, LOG_VERSION))) {
        return wrong;
    }
    /* What follows had a right crc: only another program would have written it. */
    if (header->content != LOG_COMMANDS) {
        wrong = differs(result, SCAN_CONTENT, header->content, LOG_EVENTS);
    }
    if (!wrong && header->durability > DURABLE_SYNC) {
        wrong = differs(result, SCAN_DURABILITY, header->durability, DURABLE_SYNC);
    }
    if (!wrong && header->bytes < LOG_HEADER_BYTES + LOG_RECORD_BYTES) {
        wrong = differs(result, SCAN_BYTES, header->bytes, LOG_HEADER_BYTES + LOG_RECORD_BYTES);
    }
    if (!wrong && result->file_bytes > header->bytes) {
        wrong = differs(result, SCAN_BYTES, result->file_bytes, header->bytes);
    }
    if (!wrong && header->salt == 0) {
        wrong = differs(result, SCAN_SALT, 0, 1);
    }
    if (!wrong && header->log_id == 0) {
        wrong = differs(result, SCAN_LOG_ID, 0, 1);
    }
    if (!wrong && header->number == 0) {
        wrong = differs(result, SCAN_NUMBER, 0, 1);
    }
    if (!wrong && header->first_sequence == 0) {
        wrong = differs(result, SCAN_FIRST_SEQUENCE, 0, 1);
    }
    return wrong;
}

static int judge_continuation(const log_header *header, const scan_expect *expect,
                              scan_result *result)
{
    int wrong = SCAN_GOOD;
    if (expect->content != 0) {
        wrong = differs(result, SCAN_CONTENT, header->content, expect->content);
    }
    if (wrong || expect->log_id == 0) {
        return wrong;
    }
    (void)((wrong = differs(result, SCAN_LOG_ID, header->log_id, expect->log_id)) ||
           (wrong = differs(result, SCAN_NUMBER, header->number, expect->number + 1)) ||
           (wrong = differs(result, SCAN_FIRST_SEQUENCE, header->first_sequence,
                            expect->sequence + 1)) ||
           (wrong = differs(result, SCAN_CHAIN, header->chain, expect->chain)));
    return wrong;
}

int scan_header(const void *bytes, uint64_t file_bytes, const scan_expect *expect,
                scan_result *result)
{
    static const scan_expect anything;
    log_header header;
    memset(result, 0, sizeof *result);
    result->file_bytes = file_bytes;
    if (file_bytes < LOG_HEADER_BYTES) {
        result->found = file_bytes;
        result->expected = LOG_HEADER_BYTES;
        return result->reason = SCAN_SHORT;
    }
    memcpy(&header, bytes, sizeof header);
    result->number = header.number;
    result->log_id = header.log_id;
    result->bytes = header.bytes;
    result->salt = header.salt;
    result->content = header.content;
    result->durability = header.durability;
    result->first_sequence = header.first_sequence;
    result->reason = judge_header(&header, bytes, result);
    if (result->reason == SCAN_GOOD) {
        result->reason = judge_continuation(&header, expect ? expect : &anything, result);
    }
    if (result->reason == SCAN_GOOD) {
        result->sequence = result->marked = header.first_sequence - 1;
        result->chain = header.chain;
        result->end = LOG_HEADER_BYTES;
    }
    return result->reason;
}

void scan_salvage(scan_result *result)
{
    CHECK(result->reason != SCAN_GOOD && result->end == 0 && result->slot == 0);
    result->ended = 1;
    /* The size in the header is worth no more than the header. */
    result->bytes =
        result->file_bytes > LOG_HEADER_BYTES ? result->file_bytes : LOG_HEADER_BYTES;
}

/* --- records ------------------------------------------------------------------------------- */

static int is_zero(const uint8_t *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* How many bytes there are up to the last one that is not 0. */
static uint64_t written(const uint8_t *bytes, uint64_t size)
{
    uint64_t word = 0;
    while (size >= sizeof word) {
        memcpy(&word, bytes + size - sizeof word, sizeof word);
        if (word != 0) {
            break;
        }
        size -= sizeof word;
    }
    while (size > 0 && bytes[size - 1] == 0) {
        size--;
    }
    return size;
}

static uint32_t right_crc(const uint8_t *slot, const scan_result *result)
{
    return crc32c(result->salt, slot + CRC_BYTES, SALTED_BYTES);
}

/* --8<-- [start:valid] */
/* Whether the record continues the log: SCAN_GOOD, or the first thing that is wrong with it. */
static int judge_record(const uint8_t *slot, const log_record *record, scan_result *result)
{
    int wrong;
    if (is_zero(slot, LOG_RECORD_BYTES)) {
        return SCAN_EMPTY;
    }
    if ((wrong = differs(result, SCAN_LENGTH, record->length, LOG_RECORD_BYTES)) ||
        (wrong = differs(result, SCAN_CRC, record->crc, right_crc(slot, result))) ||
        (wrong = differs(result, SCAN_ZERO, record->zero, 0))) {
        return wrong;
    }
    const int is_mark = record->kind == RECORD_MARK;
    if (!is_mark && (wrong = differs(result, SCAN_KIND, record->kind, result->content))) {
        return wrong;
    }
    const uint64_t expected = result->sequence + !is_mark;
    if ((wrong = differs(result, SCAN_SEQUENCE, record->body[0], expected))) {
        return wrong;
    }
    if (record->durable > record->body[0]) {
        return differs(result, SCAN_DURABLE, record->durable, record->body[0]);
    }
    if (is_mark) {
        log_mark mark;
        memcpy(&mark, record->body, sizeof mark);
        wrong = differs(result, SCAN_MARK_CHAIN, mark.chain, result->chain);
    }
    return wrong;
}
/* --8<-- [end:valid] */

static void take(const log_record *record, scan_result *result)
{
    result->chain = crc32c(result->chain, &record->crc, CRC_BYTES);
    result->sequence = record->body[0];
    if (record->durable > result->durable) {
        result->durable = record->durable;
    }
    if (record->kind == RECORD_MARK) {
        result->marks++;
        result->marked = record->body[0];
    }
    result->records++;
    result->end += LOG_RECORD_BYTES;
}

/* --- behind the end ------------------------------------------------------------------------ */

static uint64_t offset_of(uint64_t slot)
{
    return LOG_HEADER_BYTES + slot * LOG_RECORD_BYTES;
}

static int is_shaped(const log_record *record)
{
    return record->length == LOG_RECORD_BYTES && record->zero == 0 &&
           record->kind >= RECORD_COMMAND && record->kind <= RECORD_MARK;
}

/* A slot that may be stale is torn until a neighbour differs from right by the same. */
static void look_for_stale(const log_record *record, uint32_t difference, scan_result *result)
{
    const uint32_t before = result->candidate;
    result->candidate = 0;
    if (record->body[0] >= result->first_sequence) {
        result->torn++;
        return;
    }
    if (difference == result->difference) {
        return; /* one more of those */
    }
    if (difference != before) {
        result->candidate = difference;
        result->torn++;
        return;
    }
    result->difference = difference;
    result->torn--; /* the one before was stale, too */
    if (offset_of(result->slot - 1) == result->end && result->reason == SCAN_CRC) {
        result->reason = SCAN_STALE;
        result->found = result->expected = 0;
    }
}

static void look_behind(const uint8_t *slot, scan_result *result)
{
    log_record record;
    memcpy(&record, slot, sizeof record);
    if (!is_shaped(&record)) {
        result->candidate = 0;
        result->torn += !is_zero(slot, LOG_RECORD_BYTES);
        return;
    }
    const uint32_t difference = record.crc ^ right_crc(slot, result);
    if (difference != 0) {
        look_for_stale(&record, difference, result);
        return;
    }
    result->candidate = 0;
    if (result->later++ == 0) {
        result->later_offset = offset_of(result->slot);
    }
    if (record.body[0] > result->later_sequence) {
        result->later_sequence = record.body[0];
    }
    if (record.durable > result->later_durable) {
        result->later_durable = record.durable;
    }
}

/* --- all together -------------------------------------------------------------------------- */

static void end_here(int reason, scan_result *result)
{
    result->reason = reason;
    result->ended = 1;
}

void scan_slots(const void *slots, uint64_t size, scan_result *result)
{
    const uint8_t *bytes = slots;
    const uint64_t from = offset_of(result->slot);
    if (result->reason != SCAN_GOOD && !result->ended) {
        return; /* the header was not good */
    }
    const uint64_t room = log_slots(result->bytes) - result->slot;
    if (size > room * LOG_RECORD_BYTES) {
        size = room * LOG_RECORD_BYTES;
    }
    const uint64_t count = size / LOG_RECORD_BYTES;
    uint64_t i = 0;
    for (; i < count && !result->ended; i++) {
        const uint8_t *slot = bytes + i * LOG_RECORD_BYTES;
        log_record record;
        memcpy(&record, slot, sizeof record);
        const int wrong = judge_record(slot, &record, result);
        if (wrong != SCAN_GOOD) {
            end_here(wrong, result);
            break; /* and look at it once more, as at those behind it */
        }
        take(&record, result);
        result->slot++;
    }
    for (; i < count; i++) {
        look_behind(bytes + i * LOG_RECORD_BYTES, result);
        result->slot++;
    }
    const uint64_t part = size % LOG_RECORD_BYTES;
    if (part != 0) { /* the file ends in a slot */
        result->torn += !is_zero(bytes + count * LOG_RECORD_BYTES, part);
    }
    if (result->ended) {
        const uint64_t last = written(bytes, size);
        if (last != 0 && from + last > result->end) {
            result->written_tail = from + last - result->end;
        }
    }
}

void scan_end(scan_result *result)
{
    if (result->reason == SCAN_GOOD && result->slot < log_slots(result->bytes)) {
        result->found = result->file_bytes;
        result->expected = result->bytes;
        end_here(SCAN_SHORT, result);
        if (result->file_bytes > result->end) {
            result->written_tail = result->file_bytes - result->end;
        }
    }
}

void scan_segment(const void *segment, uint64_t bytes, const scan_expect *expect,
                  scan_result *result)
{
    if (scan_header(segment, bytes, expect, result) == SCAN_GOOD) {
        scan_slots((const uint8_t *)segment + LOG_HEADER_BYTES, bytes - LOG_HEADER_BYTES, result);
        scan_end(result);
    }
}

size_t scan_bodies(const void *slots, size_t count, void *bodies, log_mark *marks,
                   uint64_t *positions, size_t *mark_count)
{
    uint8_t *to = bodies;
    size_t taken = 0, marked = 0;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *slot = (const uint8_t *)slots + i * LOG_RECORD_BYTES;
        const uint8_t *body = slot + offsetof(log_record, body);
        if (slot[offsetof(log_record, kind)] != RECORD_MARK) {
            memcpy(to + taken++ * LOG_BODY_BYTES, body, LOG_BODY_BYTES);
            continue;
        }
        if (marks != NULL) {
            memcpy(&marks[marked], body, LOG_BODY_BYTES);
            positions[marked] = taken;
        }
        marked++;
    }
    if (mark_count != NULL) {
        *mark_count = marked;
    }
    return taken;
}
