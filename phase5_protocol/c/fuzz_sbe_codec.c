/* fuzz_sbe_codec.c - any bytes as SBE messages: what is taken is right, and encodes to itself. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/sbe_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 32 };

static uint64_t messages_counted(const sbe_counts *counts)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < SBE_OUTCOMES; i++) {
        sum += counts->of[i];
    }
    return sum;
}

static void fuzz_commands(const uint8_t *data, size_t size)
{
    command_record records[MOST], again[MOST];
    uint8_t wire[MOST * SBE_LARGEST_BYTES];
    sbe_counts counts = {{0}, {{0}}};
    size_t written;
    const size_t taken = sbe_commands_decode(data, size, records, MOST, &counts);
    CHECK(taken <= MOST && counts.of[SBE_TAKEN] == taken);
    CHECK((messages_counted(&counts) == 0) == (size == 0));
    for (size_t i = 0; i < taken; i++) {
        CHECK(flat_command_outcome(&records[i], FLAT_PERMIT_ORDERS) == FLAT_TAKEN);
    }
    CHECK(sbe_commands_encode(records, taken, wire, sizeof wire, &written) == taken);
    sbe_counts second = {{0}, {{0}}};
    CHECK(sbe_commands_decode(wire, written, again, MOST, &second) == taken);
    CHECK(memcmp(records, again, taken * sizeof *records) == 0);
    CHECK(messages_counted(&second) == taken);
}

static void fuzz_events(const uint8_t *data, size_t size)
{
    event_record records[MOST], again[MOST];
    uint8_t wire[MOST * SBE_LARGEST_BYTES];
    sbe_counts counts = {{0}, {{0}}};
    size_t written;
    const size_t taken = sbe_events_decode(data, size, records, MOST, &counts);
    CHECK(taken <= MOST && counts.of[SBE_TAKEN] == taken);
    for (size_t i = 0; i < taken; i++) {
        CHECK(flat_event_outcome(&records[i]) == FLAT_TAKEN);
    }
    CHECK(sbe_events_encode(records, taken, wire, sizeof wire, &written) == taken);
    CHECK(sbe_events_decode(wire, written, again, MOST, &counts) == taken);
    CHECK(memcmp(records, again, taken * sizeof *records) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_commands(data, size);
    fuzz_events(data, size);
    return 0;
}
