/* fuzz_itch.c - any bytes as an ITCH stream: what is decoded must be what stands there.
 *
 * The first byte chooses the flags (its low three bits) and where the stream is cut in two. Of the
 * rest must hold:
 *
 *     - every byte is accounted for, by messages, by what was passed over, by the end
 *     - rows and records, encoded again, are the bytes that itch_split gives and that stand at `at`
 *     - each message's index is used once
 *     - a stream that comes in two parts is the same messages as one that comes whole
 *     - tables with too little room are full, and nothing is written behind them
 */
#include <stdlib.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/itch_encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Tables of exactly the counted size, so that a sanitizer sees a row too many. */
static itch_tables new_tables(const itch_tally *counted, int wire)
{
    itch_tables tables = {.first_index = 1000};
    for (int slot = 0; slot < ITCH_TYPES; slot++) {
        const size_t row = wire ? itch_types[slot].length : itch_types[slot].row_bytes;
        tables.room[slot] = counted->counts[slot];
        tables.rows[slot] = malloc(row * tables.room[slot] + (tables.room[slot] == 0));
        CHECK(tables.rows[slot] != NULL);
    }
    return tables;
}

static void free_tables(itch_tables *tables)
{
    for (int slot = 0; slot < ITCH_TYPES; slot++) {
        free(tables->rows[slot]);
    }
}

static uint64_t frames(const itch_tally *tally)
{
    return tally->messages + tally->unknown_types + tally->wrong_lengths;
}

static void check_bytes(const itch_tally *tally, size_t size, unsigned flags)
{
    uint64_t messages = 0, bytes = tally->skipped;
    for (int slot = 0; slot < ITCH_TYPES; slot++) {
        messages += tally->counts[slot];
        bytes += tally->counts[slot] * (2u + itch_types[slot].length);
    }
    const int at_end = tally->status == ITCH_ENDED || tally->status == ITCH_AFTER_END;
    CHECK(messages == tally->messages);
    CHECK(tally->consumed == bytes + (at_end ? 2 : 0));
    CHECK(tally->consumed <= size);
    CHECK(!at_end || !(flags & ITCH_BLOCKS));
    if ((flags & ITCH_LAST) && tally->status >= 0) {
        CHECK(tally->consumed == size);
    }
    if (!(flags & ITCH_TOLERANT)) {
        CHECK(tally->skipped == 0 && tally->unknown_types == 0 && tally->wrong_lengths == 0);
    } else {
        CHECK(tally->status != ITCH_UNKNOWN_TYPE && tally->status != ITCH_WRONG_LENGTH);
    }
}

/* Rows of one type against its messages, and their indexes against those of all. */
#define CHECK_ROWS(type, letter, size_of)                                               \
    {                                                                                   \
        const itch_##type *row = rows->rows[slot];                                      \
        const uint8_t *expected = wire->rows[slot];                                     \
        for (uint64_t i = 0; i < rows->room[slot]; i++, expected += (size_of)) {        \
            uint8_t message[size_of];                                                   \
            itch_encode_##type(&row[i], message);                                       \
            CHECK(memcmp(message, expected, size_of) == 0);                             \
            CHECK(row[i].index >= 1000 && row[i].index < 1000 + total);                 \
            CHECK(!seen[row[i].index - 1000]);                                          \
            seen[row[i].index - 1000] = 1;                                              \
        }                                                                               \
        slot++;                                                                         \
    }

static void check_rows(const itch_tables *rows, const itch_tables *wire, uint64_t total)
{
    uint8_t *seen = calloc(total + 1, 1);
    int slot = 0;
    CHECK(seen != NULL);
    ITCH_EACH_TYPE(CHECK_ROWS)
    free(seen);
}

static void check_tables(const uint8_t *data, size_t size, unsigned flags,
                         const itch_tally *counted)
{
    itch_tally tally;
    itch_tables rows = new_tables(counted, 0), wire = new_tables(counted, 1);
    CHECK(itch_decode(data, size, flags, &rows, &tally) == counted->status);
    CHECK(memcmp(&tally, counted, sizeof tally) == 0);
    CHECK(itch_split(data, size, flags, &wire, &tally) == counted->status);
    CHECK(memcmp(&tally, counted, sizeof tally) == 0);
    check_rows(&rows, &wire, frames(counted));
    for (int slot = 0; slot < ITCH_TYPES; slot++) {
        if (rows.room[slot] > 0) {
            rows.room[slot]--;
            CHECK(itch_decode(data, size, flags, &rows, &tally) == ITCH_FULL);
            CHECK(tally.counts[slot] <= rows.room[slot]);
            rows.room[slot]++;
        }
    }
    free_tables(&rows);
    free_tables(&wire);
}

static void check_records(const uint8_t *data, size_t size, unsigned flags,
                          const itch_tally *counted)
{
    itch_tally tally;
    itch_record *records = malloc((size_t)counted->messages * sizeof *records + 1);
    CHECK(records != NULL);
    CHECK(itch_records(data, size, flags, records, (size_t)counted->messages, &tally) ==
          counted->status);
    CHECK(memcmp(&tally, counted, sizeof tally) == 0);
    for (uint64_t i = 0; i < tally.messages; i++) {
        uint8_t message[64];
        const uint8_t *stands = data + records[i].at + 2;
        const size_t length = itch_encode_record(&records[i], message);
        CHECK(records[i].type == *stands);
        CHECK(i == 0 || records[i].at > records[i - 1].at);
        CHECK(length == 0 || memcmp(message, stands, length) == 0);
        CHECK(records[i].stock_locate == load_big_u16(stands + 1));
        CHECK(records[i].timestamp_ns == load_big_u48(stands + 5));
    }
    if (counted->messages > 0) {
        CHECK(itch_records(data, size, flags, records, 1, &tally) != ITCH_FULL ||
              (tally.messages == 1 && counted->messages > 1));
    }
    free(records);
}

static void check_parts(const uint8_t *data, size_t size, unsigned flags, size_t cut,
                        const itch_tally *whole)
{
    itch_tally first, second;
    itch_scan(data, cut, flags & ~(unsigned)ITCH_LAST, &first);
    CHECK(first.status <= ITCH_OK);
    if (first.status == ITCH_OK) {
        itch_scan(data + first.consumed, size - first.consumed, flags, &second);
        CHECK(first.messages + second.messages == whole->messages);
        CHECK(first.consumed + second.consumed == whole->consumed);
        CHECK(second.status == whole->status);
    } else {
        CHECK(first.status == whole->status && first.consumed == whole->consumed);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const unsigned flags = data[0] & 7;
    itch_tally tally;
    data++;
    size--;
    CHECK(itch_scan(data, size, flags, &tally) == tally.status);
    check_bytes(&tally, size, flags);
    check_tables(data, size, flags, &tally);
    check_records(data, size, flags, &tally);
    check_parts(data, size, flags, size * (data[-1] >> 3) / 31, &tally);
    return 0;
}
