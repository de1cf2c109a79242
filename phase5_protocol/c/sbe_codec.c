/* sbe_codec.c - see sbe_codec.h. */
#include "phase5_protocol/c/sbe_codec.h"

#include <string.h>

#include "phase5_protocol/c/byte_order.h"

enum { SCHEMA = 64, VERSION = 0 };
enum { NEW_ORDER = 1, CANCEL_ORDER = 2, REPLACE_ORDER = 3, EXECUTION_REPORT = 4 };
enum { NEW_BYTES = 48, CANCEL_BYTES = 32, REPLACE_BYTES = 48, REPORT_BYTES = 64 };

static_assert(SBE_LARGEST_BYTES == SBE_HEADER_BYTES + REPORT_BYTES, "the largest is the report");
static_assert(sizeof(((sbe_counts *)0)->of) == SBE_OUTCOMES * sizeof(uint64_t), "a counter each");

static inline void put_header(uint8_t *to, uint16_t block_bytes, uint16_t template_id)
{
    store_little_u16(to, block_bytes);
    store_little_u16(to + 2, template_id);
    store_little_u16(to + 4, SCHEMA);
    store_little_u16(to + 6, VERSION);
}

/* What NewOrder and ReplaceOrder have in common. */
static inline void put_priced(uint8_t *block, const command_record *record)
{
    store_little_u64(block, record->timestamp_ns);
    store_little_u64(block + 8, record->order_id);
    store_little_u64(block + 16, (uint64_t)record->price);
    store_little_u64(block + 24, record->quantity);
    store_little_u32(block + 32, record->instrument);
    store_little_u32(block + 36, record->account);
    store_little_u64(block + 40, 0); /* bytes that no field has are 0 */
    block[40] = record->side;
}

/* Returns the message's size, or 0 if there is no message for it or no room. */
static inline size_t encode_command(const command_record *record, uint8_t *to, size_t room)
{
    uint8_t *block = to + SBE_HEADER_BYTES;
    switch (record->kind) {
    case COMMAND_NEW:
        if (room < SBE_HEADER_BYTES + NEW_BYTES) {
            return 0;
        }
        put_header(to, NEW_BYTES, NEW_ORDER);
        put_priced(block, record);
        block[41] = record->order_type;
        block[42] = record->time_in_force;
        block[43] = record->self_trade;
        block[44] = record->flags;
        return SBE_HEADER_BYTES + NEW_BYTES;
    case COMMAND_CANCEL:
        if (room < SBE_HEADER_BYTES + CANCEL_BYTES) {
            return 0;
        }
        put_header(to, CANCEL_BYTES, CANCEL_ORDER);
        store_little_u64(block, record->timestamp_ns);
        store_little_u64(block + 8, record->order_id);
        store_little_u32(block + 16, record->instrument);
        store_little_u32(block + 20, record->account);
        store_little_u64(block + 24, 0);
        block[24] = record->side;
        return SBE_HEADER_BYTES + CANCEL_BYTES;
    case COMMAND_REPLACE:
        if (room < SBE_HEADER_BYTES + REPLACE_BYTES) {
            return 0;
        }
        put_header(to, REPLACE_BYTES, REPLACE_ORDER);
        put_priced(block, record);
        return SBE_HEADER_BYTES + REPLACE_BYTES;
    default: return 0;
    }
}

size_t sbe_commands_encode(const command_record *records, size_t count, void *bytes, size_t room,
                           size_t *written)
{
    size_t done = 0, at = 0;
    for (; done < count; done++) {
        const size_t size = encode_command(&records[done], (uint8_t *)bytes + at, room - at);
        if (size == 0) {
            break;
        }
        at += size;
    }
    *written = at;
    return done;
}

size_t sbe_events_encode(const event_record *records, size_t count, void *bytes, size_t room,
                         size_t *written)
{
    uint8_t *to = bytes;
    const size_t fits = room / SBE_LARGEST_BYTES;
    const size_t done = count < fits ? count : fits;
    for (size_t i = 0; i < done; i++, to += SBE_LARGEST_BYTES) {
        uint8_t *block = to + SBE_HEADER_BYTES;
        const event_record *record = &records[i];
        put_header(to, REPORT_BYTES, EXECUTION_REPORT);
        store_little_u64(block, record->sequence);
        store_little_u64(block + 8, record->timestamp_ns);
        store_little_u64(block + 16, record->order_id);
        store_little_u64(block + 24, record->contra_order_id);
        store_little_u64(block + 32, (uint64_t)record->price);
        store_little_u64(block + 40, record->quantity);
        store_little_u64(block + 48, record->leaves);
        store_little_u32(block + 56, record->instrument);
        block[60] = record->kind;
        block[61] = record->side;
        block[62] = record->reason;
        block[63] = 0;
    }
    *written = done * SBE_LARGEST_BYTES;
    return done;
}

/* One message as its header tells, or why there is none. */
typedef struct {
    const uint8_t *block;
    size_t block_bytes;
    unsigned template_id;
} message;

static inline int read_header(const uint8_t *from, size_t left, message *self)
{
    if (left < SBE_HEADER_BYTES) {
        return SBE_SHORT_HEADER;
    }
    if (load_little_u16(from + 4) != SCHEMA) {
        return SBE_UNKNOWN_SCHEMA;
    }
    self->block_bytes = load_little_u16(from);
    self->template_id = load_little_u16(from + 2);
    self->block = from + SBE_HEADER_BYTES;
    return self->block_bytes <= left - SBE_HEADER_BYTES ? SBE_TAKEN : SBE_SHORT_BUFFER;
}

static inline void get_priced(const uint8_t *block, uint8_t kind, command_record *record)
{
    *record = (command_record){.timestamp_ns = load_little_u64(block),
                               .order_id = load_little_u64(block + 8),
                               .price = (int64_t)load_little_u64(block + 16),
                               .quantity = load_little_u64(block + 24),
                               .instrument = load_little_u32(block + 32),
                               .account = load_little_u32(block + 36),
                               .kind = kind,
                               .side = block[40]};
}

static inline int decode_command(const message *self, command_record *record)
{
    const uint8_t *block = self->block;
    switch (self->template_id) {
    case NEW_ORDER:
        if (self->block_bytes < NEW_BYTES) {
            return SBE_SHORT_BLOCK;
        }
        get_priced(block, COMMAND_NEW, record);
        record->order_type = block[41];
        record->time_in_force = block[42];
        record->self_trade = block[43];
        record->flags = block[44];
        return SBE_TAKEN;
    case CANCEL_ORDER:
        if (self->block_bytes < CANCEL_BYTES) {
            return SBE_SHORT_BLOCK;
        }
        *record = (command_record){.timestamp_ns = load_little_u64(block),
                                   .order_id = load_little_u64(block + 8),
                                   .instrument = load_little_u32(block + 16),
                                   .account = load_little_u32(block + 20),
                                   .kind = COMMAND_CANCEL,
                                   .side = block[24]};
        return SBE_TAKEN;
    case REPLACE_ORDER:
        if (self->block_bytes < REPLACE_BYTES) {
            return SBE_SHORT_BLOCK;
        }
        get_priced(block, COMMAND_REPLACE, record);
        return SBE_TAKEN;
    default: return SBE_UNKNOWN_TEMPLATE;
    }
}

static inline int decode_event(const message *self, event_record *record)
{
    const uint8_t *block = self->block;
    if (self->template_id != EXECUTION_REPORT) {
        return SBE_UNKNOWN_TEMPLATE;
    }
    if (self->block_bytes < REPORT_BYTES) {
        return SBE_SHORT_BLOCK;
    }
    *record = (event_record){.sequence = load_little_u64(block),
                             .timestamp_ns = load_little_u64(block + 8),
                             .order_id = load_little_u64(block + 16),
                             .contra_order_id = load_little_u64(block + 24),
                             .price = (int64_t)load_little_u64(block + 32),
                             .quantity = load_little_u64(block + 40),
                             .leaves = load_little_u64(block + 48),
                             .instrument = load_little_u32(block + 56),
                             .kind = block[60],
                             .side = block[61],
                             .reason = block[62]};
    return SBE_TAKEN;
}

size_t sbe_commands_decode(const void *bytes, size_t size, command_record *records, size_t limit,
                           sbe_counts *counts)
{
    const uint8_t *from = bytes;
    size_t formed = 0;
    for (size_t at = 0; at < size;) {
        message next;
        int outcome = read_header(from + at, size - at, &next);
        if (outcome == SBE_TAKEN && formed == limit) {
            outcome = SBE_BEYOND_LIMIT;
        }
        if (outcome != SBE_TAKEN) {
            counts->of[outcome]++;
            break;
        }
        outcome = decode_command(&next, &records[formed]);
        if (outcome == SBE_TAKEN) {
            formed++;
        } else {
            counts->of[outcome]++;
        }
        at += SBE_HEADER_BYTES + next.block_bytes;
    }
    const size_t taken = flat_commands_decode(records, formed * sizeof *records, records, formed,
                                              FLAT_PERMIT_ORDERS, &counts->content);
    counts->of[SBE_TAKEN] += taken;
    counts->of[SBE_CONTENT] += formed - taken;
    return taken;
}

size_t sbe_events_decode(const void *bytes, size_t size, event_record *records, size_t limit,
                         sbe_counts *counts)
{
    const uint8_t *from = bytes;
    size_t formed = 0;
    for (size_t at = 0; at < size;) {
        message next;
        int outcome = read_header(from + at, size - at, &next);
        if (outcome == SBE_TAKEN && formed == limit) {
            outcome = SBE_BEYOND_LIMIT;
        }
        if (outcome != SBE_TAKEN) {
            counts->of[outcome]++;
            break;
        }
        outcome = decode_event(&next, &records[formed]);
        if (outcome == SBE_TAKEN) {
            formed++;
        } else {
            counts->of[outcome]++;
        }
        at += SBE_HEADER_BYTES + next.block_bytes;
    }
    const size_t taken = flat_events_decode(records, formed * sizeof *records, records, formed,
                                            &counts->content);
    counts->of[SBE_TAKEN] += taken;
    counts->of[SBE_CONTENT] += formed - taken;
    return taken;
}
