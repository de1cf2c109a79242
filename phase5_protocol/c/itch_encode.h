/* itch_encode.h - rows and records back to messages: for tests, which compare bytes with bytes.
 *
 * itch_encode_TYPE(row, message) writes the message of a row of itch_decode, all fields but its
 * index. itch_encode_record does it for a record, and returns the length; 0 for a type of which a
 * record does not hold everything.
 */
#ifndef PHASE5_ITCH_ENCODE_H
#define PHASE5_ITCH_ENCODE_H

#include <string.h>

#include "phase5_protocol/c/byte_order.h"
#include "phase5_protocol/c/itch.h"

#define ITCH_STORE_u16(to, value, size) store_big_u16(to, value)
#define ITCH_STORE_u32(to, value, size) store_big_u32(to, value)
#define ITCH_STORE_u48(to, value, size) store_big_u48(to, value)
#define ITCH_STORE_u64(to, value, size) store_big_u64(to, value)
#define ITCH_STORE_text(to, value, size) memcpy(to, &(value), size)
#define ITCH_STORE(wire, name, offset, size, kind) \
    ITCH_STORE_##wire(message + (offset), from->name, size);

#define ITCH_ENCODER(type, letter, length)                                              \
    static inline void itch_encode_##type(const itch_##type *from, uint8_t *message)    \
    {                                                                                   \
        message[0] = letter;                                                            \
        ITCH_FIELDS_##type(ITCH_STORE)                                                  \
    }
ITCH_EACH_TYPE(ITCH_ENCODER)

static inline size_t itch_encode_record(const itch_record *from, uint8_t *message)
{
    message[0] = from->type;
    switch (from->type) {
    case 'A': ITCH_FIELDS_add_order(ITCH_STORE) return 36;
    case 'F': ITCH_FIELDS_add_order_mpid(ITCH_STORE) return 40;
    case 'E': ITCH_FIELDS_order_executed(ITCH_STORE) return 31;
    case 'C': ITCH_FIELDS_order_executed_with_price(ITCH_STORE) return 36;
    case 'X': ITCH_FIELDS_order_cancel(ITCH_STORE) return 23;
    case 'D': ITCH_FIELDS_order_delete(ITCH_STORE) return 19;
    case 'U': ITCH_FIELDS_order_replace(ITCH_STORE) return 35;
    case 'P': ITCH_FIELDS_trade(ITCH_STORE) return 44;
    default: return 0;
    }
}

#endif
