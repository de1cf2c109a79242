/* codec_loops.c - see codec_loops.h. */
#include "phase5_protocol/c/codec_loops.h"

#include "contract/c/check.h"

/* What was written may be read by somebody unknown: the compiler has to write it, every round. */
#define SEEN_BY_OTHERS(address) __asm__("" : : "r"(address) : "memory")

__attribute__((noinline)) static uint64_t sum_commands(const command_record *records, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const command_record *record = &records[i];
        sum += record->sequence + record->timestamp_ns + record->order_id +
               (uint64_t)record->price + record->quantity + (uint64_t)record->reserved +
               record->instrument + record->account + record->kind + record->side +
               record->order_type + record->time_in_force + record->self_trade + record->flags +
               record->reserved2;
    }
    return sum;
}

__attribute__((noinline)) static uint64_t sum_events(const event_record *records, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const event_record *record = &records[i];
        sum += record->sequence + record->timestamp_ns + record->order_id +
               record->contra_order_id + (uint64_t)record->price + record->quantity +
               record->leaves + record->instrument + record->kind + record->side + record->reason +
               record->reserved;
    }
    return sum;
}

/* The loops of both kinds of records differ in names alone. */
#define LOOPS(kind, PERMITTED)                                                                     \
    uint64_t codec_##kind##s_floor(const kind##_record *records, size_t count, size_t rounds)      \
    {                                                                                              \
        uint64_t sum = 0;                                                                          \
        for (size_t round = 0; round < rounds; round++) {                                          \
            SEEN_BY_OTHERS(records);                                                               \
            sum += sum_##kind##s(records, count);                                                  \
        }                                                                                          \
        return sum;                                                                                \
    }                                                                                              \
                                                                                                   \
    uint64_t codec_##kind##s_cast(const kind##_record *records, size_t count, size_t rounds,       \
                                  void *wire)                                                      \
    {                                                                                              \
        uint64_t sum = 0;                                                                          \
        CHECK(flat_is_aligned(wire));                                                              \
        for (size_t round = 0; round < rounds; round++) {                                          \
            flat_encode(records, count, wire, count * FLAT_RECORD_BYTES);                          \
            SEEN_BY_OTHERS(wire);                                                                  \
            sum += sum_##kind##s(wire, count);                                                     \
        }                                                                                          \
        return sum;                                                                                \
    }                                                                                              \
                                                                                                   \
    uint64_t codec_##kind##s_flat(const kind##_record *records, size_t count, size_t rounds,       \
                                  void *wire, kind##_record *out)                                  \
    {                                                                                              \
        uint64_t sum = 0;                                                                          \
        flat_counts counts = {0};                                                                  \
        const size_t size = count * FLAT_RECORD_BYTES;                                             \
        for (size_t round = 0; round < rounds; round++) {                                          \
            flat_encode(records, count, wire, size);                                               \
            SEEN_BY_OTHERS(wire);                                                                  \
            const size_t taken = flat_##kind##s_decode(wire, size, out, count PERMITTED, &counts); \
            sum += sum_##kind##s(out, taken);                                                      \
        }                                                                                          \
        return sum;                                                                                \
    }                                                                                              \
                                                                                                   \
    uint64_t codec_##kind##s_in_place(const kind##_record *records, size_t count, size_t rounds,   \
                                      void *wire)                                                  \
    {                                                                                              \
        CHECK(flat_is_aligned(wire));                                                              \
        return codec_##kind##s_flat(records, count, rounds, wire, wire);                           \
    }                                                                                              \
                                                                                                   \
    uint64_t codec_##kind##s_sbe(const kind##_record *records, size_t count, size_t rounds,        \
                                 void *wire, kind##_record *out)                                   \
    {                                                                                              \
        uint64_t sum = 0;                                                                          \
        sbe_counts counts = {{0}, {{0}}};                                                          \
        const size_t room = count * SBE_LARGEST_BYTES;                                             \
        for (size_t round = 0; round < rounds; round++) {                                          \
            size_t size;                                                                           \
            CHECK(sbe_##kind##s_encode(records, count, wire, room, &size) == count);               \
            SEEN_BY_OTHERS(wire);                                                                  \
            const size_t taken = sbe_##kind##s_decode(wire, size, out, count, &counts);            \
            sum += sum_##kind##s(out, taken);                                                      \
        }                                                                                          \
        return sum;                                                                                \
    }

#define COMMANDS_PERMITTED , FLAT_PERMIT_ALL
#define EVENTS_PERMITTED

LOOPS(command, COMMANDS_PERMITTED)
LOOPS(event, EVENTS_PERMITTED)
