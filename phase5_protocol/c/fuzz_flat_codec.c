/* fuzz_flat_codec.c - any bytes as records: what passes is right, and both ways of judging agree.
 *
 * The first byte chooses commands or events, how far from an aligned address they lie, the limit
 * and what is permitted; the rest is what a datagram would hold.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/flat_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 64 };

static void check_command(const command_record *record)
{
    CHECK(record->kind >= COMMAND_NEW && record->kind <= COMMAND_MASS_CANCEL);
    CHECK(record->sequence == 0 && record->reserved == 0 && record->reserved2 == 0);
    CHECK(record->side <= SIDE_ASK && record->order_type <= ORDER_TYPE_MARKET);
    CHECK(record->time_in_force <= TIME_IN_FORCE_FOK);
    CHECK(record->self_trade <= SELF_TRADE_CANCEL_BOTH && record->flags <= FLAG_POST_ONLY);
    CHECK((record->order_id == 0) == (record->kind == COMMAND_MASS_CANCEL));
}

static void check_event(const event_record *record)
{
    CHECK(record->kind >= EVENT_ACCEPTED && record->kind <= EVENT_REJECTED);
    CHECK(record->sequence != 0 && record->reserved == 0);
    CHECK((record->contra_order_id != 0) == (record->kind == EVENT_TRADE));
    CHECK((record->reason != 0) ==
          (record->kind == EVENT_CANCELLED || record->kind == EVENT_REJECTED));
    if (record->kind != EVENT_REJECTED) {
        CHECK(record->side <= SIDE_ASK && record->order_id != 0);
        CHECK(record->quantity >= 1 && record->quantity <= MAX_QUANTITY);
        CHECK(record->leaves <= MAX_QUANTITY);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(8) uint8_t room[8 + (MOST + 1) * FLAT_RECORD_BYTES];
    static uint8_t records[MOST * FLAT_RECORD_BYTES] __attribute__((aligned(8)));
    if (size == 0) {
        return 0;
    }
    const unsigned choice = *data++;
    size -= 1;
    const bool events = choice & 1;
    const size_t shift = choice >> 1 & 7;
    const size_t limit = choice & 16 ? MOST : 2;
    const unsigned permitted = choice & 32 ? FLAT_PERMIT_ALL : FLAT_PERMIT_ORDERS;
    if (size > sizeof room - 8) {
        size = sizeof room - 8;
    }
    memcpy(room + shift, data, size);

    flat_counts counts = {0}, expected = {0};
    const size_t taken =
        events ? flat_events_decode(room + shift, size, (event_record *)records, limit, &counts)
               : flat_commands_decode(room + shift, size, (command_record *)records, limit,
                                      permitted, &counts);
    size_t right = 0;
    const size_t whole = size / FLAT_RECORD_BYTES;
    for (size_t i = 0; i < whole && i < limit; i++) {
        const uint8_t *bytes = data + i * FLAT_RECORD_BYTES;
        const int outcome =
            events ? flat_event_outcome(bytes) : flat_command_outcome(bytes, permitted);
        CHECK(outcome >= 0 && outcome < FLAT_OUTCOMES);
        expected.of[outcome]++;
        if (outcome == FLAT_TAKEN) {
            const uint8_t *kept = records + right * FLAT_RECORD_BYTES;
            CHECK(memcmp(kept, bytes, FLAT_RECORD_BYTES) == 0);
            events ? check_event((const event_record *)kept)
                   : check_command((const command_record *)kept);
            right++;
        }
    }
    expected.of[FLAT_BEYOND_LIMIT] = whole > limit ? whole - limit : 0;
    expected.of[FLAT_SHORT_RECORD] = size % FLAT_RECORD_BYTES != 0;
    CHECK(taken == right);
    CHECK(memcmp(&counts, &expected, sizeof counts) == 0);
    CHECK(memcmp(room + shift, data, size) == 0); /* what was received is as it was */
    return 0;
}
