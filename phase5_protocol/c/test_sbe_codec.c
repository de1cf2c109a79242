/* test_sbe_codec.c - records to messages and back, and what is refused on the way. */
#include "phase5_protocol/c/sbe_codec.h"

#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/byte_order.h"
#include "phase5_protocol/c/codec_loops.h"

enum { COUNT = 3, ROOM = 8 * SBE_LARGEST_BYTES };

static const command_record commands[COUNT] = {
    {.timestamp_ns = 9,
     .order_id = 7,
     .price = INT64_MIN,
     .quantity = UINT64_MAX,
     .instrument = UINT32_MAX,
     .account = 4,
     .kind = COMMAND_NEW,
     .side = SIDE_ASK,
     .order_type = ORDER_TYPE_MARKET,
     .time_in_force = TIME_IN_FORCE_FOK,
     .self_trade = SELF_TRADE_CANCEL_BOTH,
     .flags = FLAG_POST_ONLY},
    {.timestamp_ns = 10, .order_id = 7, .instrument = 2, .account = 4, .kind = COMMAND_CANCEL},
    {.timestamp_ns = 11, .order_id = 7, .price = 3, .quantity = 8, .kind = COMMAND_REPLACE,
     .side = SIDE_ASK}};

static const event_record events[COUNT] = {
    {.sequence = 1, .order_id = 7, .quantity = 5, .leaves = 5, .kind = EVENT_ACCEPTED},
    {.sequence = 2, .order_id = 7, .contra_order_id = 6, .price = -1, .quantity = 2, .leaves = 3,
     .instrument = 9, .kind = EVENT_TRADE, .side = SIDE_ASK, .timestamp_ns = 77},
    {.sequence = 3, .order_id = 7, .quantity = 3, .kind = EVENT_CANCELLED, .reason = REASON_USER}};

static uint8_t wire[ROOM];

static size_t encode_all(void)
{
    size_t size;
    memset(wire, 0xEE, sizeof wire);
    CHECK(sbe_commands_encode(commands, COUNT, wire, sizeof wire, &size) == COUNT);
    CHECK(size == 56 + 40 + 56 && wire[size] == 0xEE);
    return size;
}

static void test_round_trip(void)
{
    command_record out[COUNT];
    event_record event_out[COUNT];
    sbe_counts counts = {{0}, {{0}}};
    size_t size = encode_all();
    CHECK(load_little_u16(wire) == 48 && load_little_u16(wire + 2) == 1);
    CHECK(load_little_u16(wire + 4) == 64 && load_little_u16(wire + 6) == 0);
    CHECK(sbe_commands_decode(wire, size, out, COUNT, &counts) == COUNT);
    CHECK(memcmp(out, commands, sizeof out) == 0);
    CHECK(sbe_events_encode(events, COUNT, wire, sizeof wire, &size) == COUNT);
    CHECK(size == COUNT * SBE_LARGEST_BYTES);
    CHECK(sbe_events_decode(wire, size, event_out, COUNT, &counts) == COUNT);
    CHECK(memcmp(event_out, events, sizeof event_out) == 0);
    CHECK(counts.of[SBE_TAKEN] == 2 * COUNT);
}

/* Cut anywhere, a buffer gives the messages that are whole, and one count for the rest. */
static void test_every_cut(void)
{
    const size_t ends[] = {0, 56, 96, 152};
    const size_t size = encode_all();
    for (size_t cut = 0; cut <= size; cut++) {
        command_record out[COUNT];
        sbe_counts counts = {{0}, {{0}}};
        size_t whole = 0;
        while (whole < COUNT && ends[whole + 1] <= cut) {
            whole++;
        }
        const size_t rest = cut - ends[whole];
        CHECK(sbe_commands_decode(wire, cut, out, COUNT, &counts) == whole);
        CHECK(counts.of[SBE_SHORT_HEADER] == (rest > 0 && rest < SBE_HEADER_BYTES));
        CHECK(counts.of[SBE_SHORT_BUFFER] == (rest >= SBE_HEADER_BYTES));
    }
}

/* Room for less than all: what is encoded is whole messages, and nothing behind them. */
static void test_every_room(void)
{
    size_t size, written;
    for (size_t room = 0; room < 152; room++) {
        memset(wire, 0xEE, sizeof wire);
        const size_t done = sbe_commands_encode(commands, COUNT, wire, room, &written);
        CHECK(done == (size_t)(room >= 56) + (room >= 96) && written <= room);
        CHECK(wire[written] == 0xEE);
    }
    CHECK(sbe_events_encode(events, COUNT, wire, 2 * SBE_LARGEST_BYTES + 71, &size) == 2);
    const command_record none = {.kind = COMMAND_MASS_CANCEL};
    CHECK(sbe_commands_encode(&none, 1, wire, sizeof wire, &written) == 0 && written == 0);
}

/* What one change in the header of the middle message does; how many of three are taken. */
static sbe_counts with_header(size_t offset, uint16_t value, size_t expected)
{
    command_record out[COUNT];
    sbe_counts counts = {{0}, {{0}}};
    const size_t size = encode_all();
    store_little_u16(wire + 56 + offset, value);
    CHECK(sbe_commands_decode(wire, size, out, COUNT, &counts) == expected);
    return counts;
}

static void test_refusals(void)
{
    CHECK(with_header(2, 5, 2).of[SBE_UNKNOWN_TEMPLATE] == 1);
    CHECK(with_header(2, 4, 2).of[SBE_UNKNOWN_TEMPLATE] == 1); /* a report among the commands */
    CHECK(with_header(2, 3, 2).of[SBE_SHORT_BLOCK] == 1);
    CHECK(with_header(4, 65, 1).of[SBE_UNKNOWN_SCHEMA] == 1);
    CHECK(with_header(0, 600, 1).of[SBE_SHORT_BUFFER] == 1);
    CHECK(with_header(6, 9, 3).of[SBE_TAKEN] == 3); /* a newer version is no fault */
    command_record out[COUNT];
    sbe_counts counts = {{0}, {{0}}};
    size_t size = encode_all();
    wire[56 + 8 + 24] = 2;
    CHECK(sbe_commands_decode(wire, size, out, COUNT, &counts) == 2);
    CHECK(counts.of[SBE_CONTENT] == 1 && counts.content.of[FLAT_SIDE] == 1);
    CHECK(memcmp(&out[1], &commands[2], sizeof *out) == 0);
    size = encode_all();
    CHECK(sbe_commands_decode(wire, size, out, 2, &counts) == 2);
    CHECK(counts.of[SBE_BEYOND_LIMIT] == 1);
}

/* A sender with a newer schema: blocks are longer, and what they have in common is read. */
static void test_a_longer_block_is_stepped_over(void)
{
    uint8_t newer[ROOM];
    command_record out[COUNT];
    sbe_counts counts = {{0}, {{0}}};
    const size_t starts[] = {0, 56, 96, 152};
    size_t at = 0;
    encode_all();
    for (size_t i = 0; i < COUNT; i++) {
        const size_t bytes = starts[i + 1] - starts[i];
        memcpy(newer + at, wire + starts[i], bytes);
        memset(newer + at + bytes, 0xDD, 8 * (i + 1));
        store_little_u16(newer + at, (uint16_t)(bytes - SBE_HEADER_BYTES + 8 * (i + 1)));
        store_little_u16(newer + at + 6, 1);
        at += bytes + 8 * (i + 1);
    }
    CHECK(sbe_commands_decode(newer, at, out, COUNT, &counts) == COUNT);
    CHECK(memcmp(out, commands, sizeof out) == 0);
}

/* All loops over the same records give the same sum, a sum that changes with any field. */
static void test_loops(void)
{
    static _Alignas(8) uint8_t room[ROOM];
    command_record out[COUNT];
    event_record event_out[COUNT];
    const uint64_t sum = codec_commands_floor(commands, COUNT, 5);
    CHECK(codec_commands_cast(commands, COUNT, 5, room) == sum);
    CHECK(codec_commands_flat(commands, COUNT, 5, room + 3, out) == sum);
    CHECK(codec_commands_in_place(commands, COUNT, 5, room) == sum);
    CHECK(codec_commands_sbe(commands, COUNT, 5, room + 3, out) == sum);
    const uint64_t event_sum = codec_events_floor(events, COUNT, 5);
    CHECK(codec_events_cast(events, COUNT, 5, room) == event_sum);
    CHECK(codec_events_flat(events, COUNT, 5, room + 3, event_out) == event_sum);
    CHECK(codec_events_in_place(events, COUNT, 5, room) == event_sum);
    CHECK(codec_events_sbe(events, COUNT, 5, room + 3, event_out) == event_sum);
    for (size_t i = 0; i < sizeof commands; i++) {
        command_record changed[COUNT];
        memcpy(changed, commands, sizeof changed);
        ((uint8_t *)changed)[i]++;
        CHECK(codec_commands_floor(changed, COUNT, 5) != sum);
    }
}

int main(void)
{
    test_round_trip();
    test_every_cut();
    test_every_room();
    test_refusals();
    test_a_longer_block_is_stepped_over();
    test_loops();
    return 0;
}
