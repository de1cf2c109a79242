/* fuzz_log_scan.c - any bytes as a segment: the scanner reads none beyond them, and what it says
 * holds.
 *
 * The first byte chooses what is mended, so that damage gets past the first check: the header's
 * crc, the size in it, and the crc of every slot that has a record's length. The second says in
 * what pieces the scan goes. Then come the 57 bytes of the header that are not always 0, and the
 * slots.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase6_wal/c/crc32c.h"
#include "phase6_wal/c/log_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEND_HEADER = 1, MEND_BYTES = 2, MEND_RECORDS = 4, EXPECTING = 8 };
enum { CHOICES = 2, HEAD = 57, MOST_SLOTS = 64 };

static void mend(uint8_t *file, size_t size, unsigned how)
{
    if (size < LOG_HEADER_BYTES) {
        return;
    }
    uint32_t salt, crc;
    const uint64_t bytes = size;
    memcpy(&salt, file + 48, sizeof salt);
    if (how & MEND_BYTES) {
        memcpy(file + 40, &bytes, sizeof bytes);
    }
    if (how & MEND_HEADER) {
        memcpy(file, LOG_MAGIC, 8);
        crc = crc32c(0, file + 12, LOG_HEADER_BYTES - 12);
        memcpy(file + 8, &crc, sizeof crc);
    }
    for (size_t at = LOG_HEADER_BYTES; how & MEND_RECORDS && at + LOG_RECORD_BYTES <= size;
         at += LOG_RECORD_BYTES) {
        if (file[at + 4] == LOG_RECORD_BYTES) {
            crc = crc32c(salt, file + at + 4, LOG_RECORD_BYTES - 4);
            memcpy(file + at, &crc, sizeof crc);
        }
    }
}

static void scan_in_pieces(const uint8_t *file, size_t size, size_t piece,
                           const scan_expect *expect, scan_result *result)
{
    if (scan_header(file, size, expect, result) != SCAN_GOOD) {
        return;
    }
    for (size_t at = LOG_HEADER_BYTES; at < size; at += piece) {
        scan_slots(file + at, piece < size - at ? piece : size - at, result);
    }
    scan_end(result);
}

/* The rules once more, as a reader would: the records found valid are. */
static void check_valid(const uint8_t *file, const scan_result *got)
{
    uint64_t sequence = got->first_sequence - 1, marks = 0, durable = 0;
    uint32_t chain;
    memcpy(&chain, file + 52, sizeof chain);
    for (uint64_t i = 0; i < got->records; i++) {
        log_record record;
        memcpy(&record, file + LOG_HEADER_BYTES + i * LOG_RECORD_BYTES, sizeof record);
        const uint8_t *salted = file + LOG_HEADER_BYTES + i * LOG_RECORD_BYTES + 4;
        CHECK(record.crc == crc32c_table(got->salt, salted, LOG_RECORD_BYTES - 4));
        CHECK(record.length == LOG_RECORD_BYTES && record.zero == 0);
        CHECK(record.kind == got->content || record.kind == RECORD_MARK);
        sequence += record.kind != RECORD_MARK;
        marks += record.kind == RECORD_MARK;
        CHECK(record.body[0] == sequence && record.durable <= sequence);
        durable = record.durable > durable ? record.durable : durable;
        chain = crc32c_table(chain, &record.crc, sizeof record.crc);
    }
    CHECK(sequence == got->sequence && marks == got->marks && chain == got->chain);
    CHECK(durable == got->durable);
}

static void check_result(const uint8_t *file, size_t size, const scan_result *got)
{
    CHECK(got->reason >= 0 && got->reason < SCAN_REASONS && scan_field(got->reason)[0] != 0);
    if (got->end == 0) { /* the header */
        CHECK(got->reason != SCAN_GOOD && got->records == 0 && got->later == 0);
        return;
    }
    CHECK(size >= LOG_HEADER_BYTES && got->end <= size && got->slot <= log_slots(size));
    CHECK(got->end == LOG_HEADER_BYTES + got->records * LOG_RECORD_BYTES);
    CHECK(got->end + got->written_tail <= size);
    CHECK(got->records + got->later + got->torn <= log_slots(size) + 1); /* and a part of one */
    CHECK((got->reason == SCAN_GOOD) == (got->records == log_slots(got->bytes)));
    CHECK(got->later == 0 || (got->later_offset >= got->end && got->later_offset < size));
    if (got->written_tail > 0 && got->reason != SCAN_SHORT) {
        CHECK(file[got->end + got->written_tail - 1] != 0);
    }
    check_valid(file, got);
}

/* The file that an input stands for, in memory of just its size. */
static uint8_t *make_file(const uint8_t *data, size_t *size)
{
    const unsigned how = data[0];
    data += CHOICES;
    *size -= CHOICES;
    const size_t head = *size < HEAD ? *size : HEAD;
    const size_t slots = *size - head;
    *size = head < HEAD ? head : LOG_HEADER_BYTES + slots;
    uint8_t *file = calloc(1, *size + (*size == 0));
    CHECK(file != NULL);
    memcpy(file, data, head);
    memcpy(file + (head < HEAD ? head : LOG_HEADER_BYTES), data + head, slots);
    mend(file, *size, how);
    return file;
}

static void check_bodies(const uint8_t *file, const scan_result *got)
{
    static uint64_t bodies[MOST_SLOTS][8];
    size_t marks = 0;
    const size_t taken =
        scan_bodies(file + LOG_HEADER_BYTES, got->records, bodies, NULL, NULL, &marks);
    CHECK(taken + marks == got->records && marks == got->marks);
    for (size_t i = 0; i < taken; i++) {
        CHECK(bodies[i][0] == got->first_sequence + i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const scan_expect next = {1, 1, 0, 0, LOG_COMMANDS};
    if (size < CHOICES || size > CHOICES + HEAD + MOST_SLOTS * LOG_RECORD_BYTES) {
        return 0;
    }
    const scan_expect *expect = data[0] & EXPECTING ? &next : NULL;
    const size_t piece = (1 + data[1] % 7) * LOG_RECORD_BYTES;
    uint8_t *file = make_file(data, &size);
    scan_result got, same;
    scan_segment(file, size, expect, &got);
    check_result(file, size, &got);
    scan_in_pieces(file, size, piece, expect, &same);
    CHECK(memcmp(&got, &same, sizeof got) == 0);
    if (got.end != 0) {
        check_bodies(file, &got);
    } else {
        scan_salvage(&got);
        if (size > LOG_HEADER_BYTES) {
            scan_slots(file + LOG_HEADER_BYTES, size - LOG_HEADER_BYTES, &got);
        }
        CHECK(got.later + got.torn <= size / LOG_RECORD_BYTES + 1 && got.records == 0);
    }
    free(file);
    return 0;
}
