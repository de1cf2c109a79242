/* test_flat_codec.c - what the wire takes and what it refuses, and by which name. */
#include "phase5_protocol/c/flat_codec.h"

#include <string.h>

#include "contract/c/check.h"
#include "contract/c/engine_stream.h"

enum { COUNT = 64, ROOM = COUNT * FLAT_RECORD_BYTES + 64 };

static const command_record a_new = {.order_id = 7,
                                     .timestamp_ns = 9,
                                     .price = -3,
                                     .quantity = 1,
                                     .account = 4,
                                     .instrument = 2,
                                     .kind = COMMAND_NEW,
                                     .side = SIDE_ASK,
                                     .order_type = ORDER_TYPE_MARKET,
                                     .time_in_force = TIME_IN_FORCE_FOK,
                                     .self_trade = SELF_TRADE_CANCEL_BOTH,
                                     .flags = FLAG_POST_ONLY};
static const command_record a_cancel = {
    .order_id = UINT64_MAX, .account = 4, .kind = COMMAND_CANCEL, .side = SIDE_ASK};
static const command_record a_replace = {
    .order_id = 1, .price = INT64_MIN, .quantity = UINT64_MAX, .kind = COMMAND_REPLACE};
static const command_record a_mass_cancel = {.account = 4, .kind = COMMAND_MASS_CANCEL};

static const event_record an_acceptance = {
    .sequence = 1, .order_id = 7, .quantity = 5, .leaves = 5, .kind = EVENT_ACCEPTED};
static const event_record a_trade = {.sequence = UINT64_MAX,
                                     .order_id = 7,
                                     .contra_order_id = 8,
                                     .quantity = MAX_QUANTITY - 1,
                                     .leaves = 1,
                                     .kind = EVENT_TRADE,
                                     .side = SIDE_ASK};
static const event_record a_cancellation = {.sequence = 2,
                                            .order_id = 7,
                                            .quantity = MAX_QUANTITY,
                                            .kind = EVENT_CANCELLED,
                                            .reason = REASON_MASS_CANCEL};
static const event_record a_replacement = {
    .sequence = 3, .order_id = 7, .quantity = 5, .leaves = 5, .kind = EVENT_REPLACED};
static const event_record a_rejection = {.sequence = 4,
                                         .quantity = UINT64_MAX,
                                         .kind = EVENT_REJECTED,
                                         .side = 255,
                                         .reason = REASON_UNKNOWN_INSTRUMENT};

/* Both ways of judging must agree: a batch of one, and the outcome by name. */
static int command_becomes(command_record record, unsigned permitted)
{
    flat_counts counts = {0};
    command_record out;
    const int outcome = flat_command_outcome(&record, permitted);
    const size_t taken = flat_commands_decode(&record, sizeof record, &out, 1, permitted, &counts);
    CHECK(taken == (outcome == FLAT_TAKEN));
    CHECK(counts.of[outcome] == 1);
    CHECK(taken == 0 || memcmp(&out, &record, sizeof out) == 0);
    return outcome;
}

static int event_becomes(event_record record)
{
    flat_counts counts = {0};
    event_record out;
    const int outcome = flat_event_outcome(&record);
    const size_t taken = flat_events_decode(&record, sizeof record, &out, 1, &counts);
    CHECK(taken == (outcome == FLAT_TAKEN));
    CHECK(counts.of[outcome] == 1);
    CHECK(taken == 0 || memcmp(&out, &record, sizeof out) == 0);
    return outcome;
}

#define COMMAND(base, field, value, expected)                                                      \
    do {                                                                                           \
        command_record changed = base;                                                             \
        changed.field = value;                                                                     \
        const int outcome = (expected);                                                            \
        CHECK(command_becomes(changed, FLAT_PERMIT_ALL) == outcome);                               \
    } while (0)

#define EVENT(base, field, value, expected)                                                        \
    do {                                                                                           \
        event_record changed = base;                                                               \
        changed.field = value;                                                                     \
        const int outcome = (expected);                                                            \
        CHECK(event_becomes(changed) == outcome);                                                  \
    } while (0)

static void test_every_refusal_of_a_command(void)
{
    const command_record all[] = {a_new, a_cancel, a_replace, a_mass_cancel};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        CHECK(command_becomes(all[i], FLAT_PERMIT_ALL) == FLAT_TAKEN);
        CHECK(command_becomes(all[i], 0) == FLAT_NOT_PERMITTED);
        COMMAND(all[i], kind, 0, FLAT_UNKNOWN_KIND);
        COMMAND(all[i], kind, 5, FLAT_UNKNOWN_KIND);
        COMMAND(all[i], kind, 255, FLAT_UNKNOWN_KIND);
        COMMAND(all[i], sequence, 1, FLAT_SEQUENCE);
        COMMAND(all[i], sequence, UINT64_C(1) << 63, FLAT_SEQUENCE);
        COMMAND(all[i], reserved, -1, FLAT_RESERVED);
        COMMAND(all[i], reserved2, 256, FLAT_RESERVED);
        COMMAND(all[i], side, 2, FLAT_SIDE);
        COMMAND(all[i], side, 128, FLAT_SIDE);
    }
    CHECK(command_becomes(a_mass_cancel, FLAT_PERMIT_ORDERS) == FLAT_NOT_PERMITTED);
    CHECK(command_becomes(a_replace, FLAT_PERMIT_ORDERS) == FLAT_TAKEN);
    COMMAND(a_new, kind, 0, FLAT_UNKNOWN_KIND);
    command_record kindless = a_cancel; /* a kind of 0 must not be permitted by a bit 0 */
    kindless.kind = 0;
    CHECK(command_becomes(kindless, UINT32_MAX) == FLAT_UNKNOWN_KIND);

    COMMAND(a_new, order_type, 2, FLAT_ORDER_TYPE);
    COMMAND(a_new, time_in_force, 3, FLAT_TIME_IN_FORCE);
    COMMAND(a_new, time_in_force, 4, FLAT_TIME_IN_FORCE);
    COMMAND(a_new, self_trade, 4, FLAT_SELF_TRADE);
    COMMAND(a_new, flags, 2, FLAT_FLAGS);
    COMMAND(a_new, order_id, 0, FLAT_ORDER_ID);
    COMMAND(a_cancel, order_id, 0, FLAT_ORDER_ID);
    COMMAND(a_replace, order_id, 0, FLAT_ORDER_ID);

    COMMAND(a_cancel, price, 1, FLAT_UNUSED_FIELD);
    COMMAND(a_cancel, quantity, 1, FLAT_UNUSED_FIELD);
    COMMAND(a_mass_cancel, order_id, 1, FLAT_UNUSED_FIELD);
    COMMAND(a_mass_cancel, price, INT64_MIN, FLAT_UNUSED_FIELD);
    COMMAND(a_mass_cancel, quantity, 1, FLAT_UNUSED_FIELD);
    const command_record others[] = {a_cancel, a_replace, a_mass_cancel};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        COMMAND(others[i], order_type, 1, FLAT_UNUSED_FIELD);
        COMMAND(others[i], time_in_force, 3, FLAT_UNUSED_FIELD);
        COMMAND(others[i], self_trade, 1, FLAT_UNUSED_FIELD);
        COMMAND(others[i], flags, 1, FLAT_UNUSED_FIELD);
    }
    /* What the engine judges passes: it has an owner who will be told. */
    COMMAND(a_new, quantity, 0, FLAT_TAKEN);
    COMMAND(a_new, quantity, UINT64_MAX, FLAT_TAKEN);
    COMMAND(a_new, price, INT64_MAX, FLAT_TAKEN);
    COMMAND(a_new, instrument, UINT32_MAX, FLAT_TAKEN);
}

static void test_every_refusal_of_an_event(void)
{
    const event_record all[] = {an_acceptance, a_trade, a_cancellation, a_replacement, a_rejection};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const bool rejected = all[i].kind == EVENT_REJECTED;
        CHECK(event_becomes(all[i]) == FLAT_TAKEN);
        EVENT(all[i], kind, 0, FLAT_UNKNOWN_KIND);
        EVENT(all[i], kind, 6, FLAT_UNKNOWN_KIND);
        EVENT(all[i], sequence, 0, FLAT_SEQUENCE);
        EVENT(all[i], reserved, 1, FLAT_RESERVED);
        EVENT(all[i], side, 2, rejected ? FLAT_TAKEN : FLAT_SIDE);
        EVENT(all[i], order_id, 0, rejected ? FLAT_TAKEN : FLAT_ORDER_ID);
        EVENT(all[i], quantity, 0, rejected ? FLAT_TAKEN : FLAT_QUANTITY);
        EVENT(all[i], quantity, MAX_QUANTITY + 1, rejected ? FLAT_TAKEN : FLAT_QUANTITY);
        EVENT(all[i], quantity, UINT64_MAX, rejected ? FLAT_TAKEN : FLAT_QUANTITY);
        EVENT(all[i], leaves, MAX_QUANTITY, FLAT_LEAVES);
        EVENT(all[i], leaves, UINT64_MAX, FLAT_LEAVES);
        EVENT(all[i], reason, 6, FLAT_REASON);
        EVENT(all[i], reason, 15, FLAT_REASON);
        EVENT(all[i], reason, 24, FLAT_REASON);
        EVENT(all[i], reason, 255, FLAT_REASON);
        EVENT(all[i], contra_order_id, all[i].kind == EVENT_TRADE ? 0 : 1, FLAT_CONTRA_ORDER_ID);
        EVENT(all[i], price, INT64_MIN, FLAT_TAKEN);
    }
    EVENT(a_trade, contra_order_id, a_trade.order_id, FLAT_CONTRA_ORDER_ID);
    EVENT(a_trade, leaves, 2, FLAT_LEAVES);
    EVENT(a_trade, leaves, 0, FLAT_TAKEN);
    EVENT(a_trade, reason, 1, FLAT_REASON);
    EVENT(an_acceptance, leaves, 0, FLAT_LEAVES);
    EVENT(a_cancellation, leaves, 1, FLAT_LEAVES);
    EVENT(a_cancellation, reason, 0, FLAT_REASON);
    EVENT(a_cancellation, reason, 17, FLAT_REASON);
    EVENT(a_rejection, leaves, 1, FLAT_LEAVES);
    EVENT(a_rejection, reason, 0, FLAT_REASON);
    EVENT(a_rejection, reason, 5, FLAT_REASON);
}

/* Records of all kinds, every third of them spoilt, at any address and in place. */
static void test_a_batch_keeps_what_is_right_in_order(void)
{
    command_stream random = {.state = 3};
    static uint8_t wire[ROOM];
    for (size_t round = 0; round < 500; round++) {
        const size_t shift = round % 9;
        command_record sent[COUNT], expected[COUNT], out[COUNT];
        flat_counts one = {0}, batch = {0};
        size_t right = 0;
        for (size_t i = 0; i < COUNT; i++) {
            const command_record kinds[] = {a_new, a_cancel, a_replace, a_mass_cancel};
            sent[i] = kinds[stream_below(&random, 4)];
            sent[i].timestamp_ns = i;
            if (stream_below(&random, 3) == 0) {
                ((uint8_t *)&sent[i])[stream_below(&random, sizeof *sent)] ^= 0x81;
            }
            const int outcome = flat_command_outcome(&sent[i], FLAT_PERMIT_ORDERS);
            one.of[outcome]++;
            if (outcome == FLAT_TAKEN) {
                expected[right++] = sent[i];
            }
        }
        CHECK(flat_encode(sent, COUNT, wire + shift, ROOM - shift) == COUNT);
        CHECK(flat_commands_decode(wire + shift, sizeof sent, out, COUNT, FLAT_PERMIT_ORDERS,
                                   &batch) == right);
        CHECK(memcmp(out, expected, right * sizeof *out) == 0);
        CHECK(memcmp(&one, &batch, sizeof one) == 0);
        CHECK(flat_commands_decode(sent, sizeof sent, sent, COUNT, FLAT_PERMIT_ORDERS, &batch) ==
              right);
        CHECK(memcmp(sent, expected, right * sizeof *out) == 0);
    }
}

static void test_bounds(void)
{
    command_record two[] = {a_cancel, a_replace};
    command_record out[2];
    uint8_t wire[2 * FLAT_RECORD_BYTES];
    for (size_t size = 0; size <= sizeof wire; size++) {
        flat_counts counts = {0};
        CHECK(flat_encode(two, 2, wire, size) == size / FLAT_RECORD_BYTES);
        CHECK(flat_commands_decode(wire, size, out, 1, FLAT_PERMIT_ALL, &counts) == (size >= 64));
        CHECK(counts.of[FLAT_TAKEN] == (size >= 64));
        CHECK(counts.of[FLAT_SHORT_RECORD] == (size % 64 != 0));
        CHECK(counts.of[FLAT_BEYOND_LIMIT] == (size == 128));
    }
    flat_counts counts = {0};
    CHECK(flat_commands_decode(NULL, 0, NULL, 0, FLAT_PERMIT_ALL, &counts) == 0);
    CHECK(flat_events_decode(NULL, 0, NULL, 0, &counts) == 0);
    CHECK(flat_encode(NULL, 0, NULL, 0) == 0);
    const uint64_t words[2] = {0};
    CHECK(flat_is_aligned(words) && !flat_is_aligned((const uint8_t *)words + 4));
}

int main(void)
{
    test_every_refusal_of_a_command();
    test_every_refusal_of_an_event();
    test_a_batch_keeps_what_is_right_in_order();
    test_bounds();
    return 0;
}
