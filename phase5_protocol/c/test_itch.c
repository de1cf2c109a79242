/* test_itch.c - the ITCH decoder on bytes written by hand, and on every way a stream can be wrong.
 *
 * What holds of any bytes is checked in fuzz_itch.c.
 */
#include <stdio.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/itch.h"

/* Framed messages, as string literals: a byte's worth of offsets can be counted in them. */
#define ADD                                                                            \
    "\x00\x24" "A" "\x01\x02" "\x03\x04" "\x05\x06\x07\x08\x09\x0a"                    \
    "\x11\x12\x13\x14\x15\x16\x17\x18" "B" "\x21\x22\x23\x24" "MBOOK   " "\x31\x32\x33\x34"
#define DELETE                                                                         \
    "\x00\x13" "D" "\x01\x02" "\x00\x00" "\x00\x00\x00\x00\x00\x01"                    \
    "\x00\x00\x00\x00\x00\x00\x00\x07"
#define DIRECTORY                                                                      \
    "\x00\x27" "R" "\x00\x09" "\x00\x00" "\x00\x00\x00\x00\x00\x02" "MBOOK   " "Q " "\x00\x00\x00\x64" \
    "N" "C" "Z " "P" "N" "N" "1" "N" "\x00\x00\x00\x00" "N"
#define UNKNOWN "\x00\x03" "zzz"
#define TOO_LONG "\x00\x14" "D" "0123456789012345678"
#define END "\x00\x00"

enum { ADD_BYTES = 38, DELETE_BYTES = 21, DIRECTORY_BYTES = 41, UNKNOWN_BYTES = 5, LONG_BYTES = 22 };

#define SCAN(text, flags, tally) itch_scan((const uint8_t *)(text), sizeof(text) - 1, flags, tally)

/* A field taken from the wrong bytes, or with its bytes the wrong way round. */
static void test_fields_are_those_of_the_bytes(void)
{
    static const uint8_t data[] = ADD DELETE DIRECTORY;
    itch_record records[3];
    itch_tally tally;
    CHECK(itch_records(data, sizeof data - 1, ITCH_LAST, records, 3, &tally) == ITCH_OK);
    CHECK(tally.messages == 3 && tally.consumed == ADD_BYTES + DELETE_BYTES + DIRECTORY_BYTES);
    const itch_record *add = &records[0];
    CHECK(add->type == 'A' && add->side == 'B' && add->at == 0);
    CHECK(add->stock_locate == 0x0102 && add->tracking_number == 0x0304);
    CHECK(add->timestamp_ns == 0x05060708090a);
    CHECK(add->reference == 0x1112131415161718 && add->shares == 0x21222324);
    CHECK(add->price == 0x31323334 && memcmp(&add->stock, "MBOOK   ", 8) == 0);
    CHECK(add->new_reference == 0 && add->match_number == 0 && add->attribution == 0);
    CHECK(records[1].type == 'D' && records[1].reference == 7 && records[1].at == ADD_BYTES);
    CHECK(records[1].shares == 0 && records[1].stock == 0 && records[1].side == 0);
    CHECK(records[2].type == 'R' && records[2].stock_locate == 9 && records[2].timestamp_ns == 2);
    CHECK(memcmp(&records[2].stock, "MBOOK   ", 8) == 0 && records[2].reference == 0);
}

/* Rows in another order than the stream's, or with another's index. */
static void test_rows_keep_the_order_of_the_stream(void)
{
    static const uint8_t data[] = DELETE ADD DELETE;
    itch_order_delete deletes[2];
    itch_add_order adds[1];
    itch_tables tables = {.first_index = 10};
    itch_tally tally;
    for (int slot = 0; slot < ITCH_TYPES; slot++) {
        const int is_add = itch_types[slot].letter == 'A';
        const int is_delete = itch_types[slot].letter == 'D';
        tables.rows[slot] = is_add ? (void *)adds : is_delete ? (void *)deletes : NULL;
        tables.room[slot] = is_add ? 1 : is_delete ? 2 : 0;
    }
    CHECK(itch_decode(data, sizeof data - 1, ITCH_LAST, &tables, &tally) == ITCH_OK);
    CHECK(deletes[0].index == 10 && adds[0].index == 11 && deletes[1].index == 12);
    CHECK(deletes[1].reference == 7 && adds[0].reference == 0x1112131415161718);
    CHECK(adds[0].side[0] == 'B' && adds[0].price == 0x31323334);
}

/* What is wrong is told too late, at another place, or as something else. */
static void test_what_is_wrong_is_told_where_it_stands(void)
{
    itch_tally tally;
    CHECK(SCAN(ADD UNKNOWN, ITCH_LAST, &tally) == ITCH_UNKNOWN_TYPE);
    CHECK(tally.consumed == ADD_BYTES && tally.messages == 1);
    CHECK(SCAN(ADD TOO_LONG ADD, 0, &tally) == ITCH_WRONG_LENGTH && tally.consumed == ADD_BYTES);
    CHECK(SCAN("\xff\xffz", 0, &tally) == ITCH_UNKNOWN_TYPE); /* before all of it is there */
    CHECK(SCAN(ADD "\x00", ITCH_LAST, &tally) == ITCH_CUT_SHORT && tally.consumed == ADD_BYTES);
    CHECK(SCAN(ADD "\x00\x24", ITCH_LAST, &tally) == ITCH_CUT_SHORT);
    CHECK(SCAN(ADD "\x00\x24" "A12", ITCH_LAST, &tally) == ITCH_CUT_SHORT);
    CHECK(SCAN(ADD "\x00\x24" "A12", 0, &tally) == ITCH_OK && tally.consumed == ADD_BYTES);
    CHECK(SCAN(ADD END, ITCH_LAST, &tally) == ITCH_ENDED && tally.consumed == ADD_BYTES + 2);
    CHECK(SCAN(ADD END, 0, &tally) == ITCH_OK && tally.consumed == ADD_BYTES);
    CHECK(SCAN(ADD END ADD, 0, &tally) == ITCH_AFTER_END && tally.consumed == ADD_BYTES + 2);
    CHECK(SCAN("", ITCH_LAST, &tally) == ITCH_OK && tally.consumed == 0);
    CHECK(SCAN(ADD END ADD, ITCH_BLOCKS, &tally) == ITCH_WRONG_LENGTH);
}

/* A wrong message takes right ones with it, or is not counted. */
static void test_what_is_wrong_can_be_passed_over(void)
{
    itch_tally tally;
    CHECK(SCAN(UNKNOWN ADD TOO_LONG TOO_LONG DELETE, ITCH_TOLERANT | ITCH_LAST, &tally) == ITCH_OK);
    CHECK(tally.messages == 2 && tally.unknown_types == 1 && tally.wrong_lengths == 2);
    CHECK(tally.skipped == UNKNOWN_BYTES + 2 * LONG_BYTES);
    CHECK(SCAN(END END ADD, ITCH_TOLERANT | ITCH_BLOCKS | ITCH_LAST, &tally) == ITCH_OK);
    CHECK(tally.messages == 1 && tally.wrong_lengths == 2 && tally.skipped == 4);
    CHECK(SCAN(ADD TOO_LONG "\x00\x05zzz", ITCH_TOLERANT, &tally) == ITCH_OK);
    CHECK(tally.consumed == ADD_BYTES + LONG_BYTES); /* the last one may be whole some day */
}

/* The number of a message passed over is given to the next. */
static void test_a_message_passed_over_keeps_its_number(void)
{
    static const uint8_t data[] = DELETE UNKNOWN DELETE;
    itch_order_delete deletes[2];
    itch_tables tables = {0};
    itch_tally tally;
    for (int slot = 0; slot < ITCH_TYPES; slot++) {
        if (itch_types[slot].letter == 'D') {
            tables.rows[slot] = deletes;
            tables.room[slot] = 2;
        }
    }
    CHECK(itch_decode(data, sizeof data - 1, ITCH_TOLERANT, &tables, &tally) == ITCH_OK);
    CHECK(deletes[0].index == 0 && deletes[1].index == 2);
}

/* More records than there is room for: they end up behind the array, or are lost. */
static void test_full_goes_on_where_it_stopped(void)
{
    static const uint8_t data[] = ADD DELETE DIRECTORY;
    itch_record records[2];
    itch_tally tally;
    CHECK(itch_records(data, sizeof data - 1, ITCH_LAST, records, 2, &tally) == ITCH_FULL);
    CHECK(tally.messages == 2 && tally.consumed == ADD_BYTES + DELETE_BYTES);
    CHECK(itch_records(data + tally.consumed, DIRECTORY_BYTES, ITCH_LAST, records, 2, &tally) ==
          ITCH_OK);
    CHECK(tally.messages == 1 && records[0].type == 'R' && records[0].at == 0);
    CHECK(itch_records(data, sizeof data - 1, ITCH_LAST, records, 0, &tally) == ITCH_FULL);
    CHECK(tally.messages == 0 && tally.consumed == 0);
}

/* Batches end at 128 messages: the next one begins with the wrong message, or forgets some. */
static void test_many_batches(void)
{
    enum { COUNT = 1000 };
    static uint8_t data[COUNT * DELETE_BYTES];
    static itch_record records[COUNT];
    itch_tally tally;
    for (int i = 0; i < COUNT; i++) {
        memcpy(data + i * DELETE_BYTES, DELETE, DELETE_BYTES);
        data[i * DELETE_BYTES + 19] = (uint8_t)(i >> 8);
        data[i * DELETE_BYTES + 20] = (uint8_t)i;
    }
    CHECK(itch_records(data, sizeof data, ITCH_LAST, records, COUNT, &tally) == ITCH_OK);
    CHECK(tally.messages == COUNT);
    for (int i = 0; i < COUNT; i++) {
        CHECK(records[i].reference == (uint64_t)i && records[i].at == (uint32_t)i * DELETE_BYTES);
    }
}

int main(void)
{
    test_fields_are_those_of_the_bytes();
    test_rows_keep_the_order_of_the_stream();
    test_what_is_wrong_is_told_where_it_stands();
    test_what_is_wrong_can_be_passed_over();
    test_a_message_passed_over_keeps_its_number();
    test_full_goes_on_where_it_stopped();
    test_many_batches();
    puts("ITCH: ok");
    return 0;
}
