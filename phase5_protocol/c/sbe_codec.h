/* sbe_codec.h - the same four messages in Simple Binary Encoding, for comparison with the records.
 *
 * The schema is phase5_protocol/flat/orders.xml; test_sbe.py holds what stands here to it, both
 * ways. Little endian. A message is a header and a block:
 *
 *     offset  type  field
 *     0       u16   blockLength: bytes behind the header
 *     2       u16   templateId
 *     4       u16   schemaId, 64
 *     6       u16   version of the sender's schema, 0
 *
 *     offset in the block   NewOrder 1       CancelOrder 2   ReplaceOrder 3   ExecutionReport 4
 *     0                     timestampNs      timestampNs     timestampNs      sequence
 *     8                     orderId          orderId         orderId          timestampNs
 *     16                    price            instrument u32  price            orderId
 *     20                                     account u32
 *     24                    quantity         side u8         quantity         contraOrderId
 *     32                    instrument u32   end             instrument u32   price
 *     36                    account u32                      account u32
 *     40                    side u8                          side u8          quantity
 *     41                    orderType u8
 *     42                    timeInForce u8
 *     43                    selfTrade u8
 *     44                    flags u8
 *     48                    end              .               end              leaves
 *     56                                                                      instrument u32
 *     60                                                                      kind, side, reason u8
 *     64                                                                      end
 *
 * A block may be longer than that: a newer version of the schema adds fields behind the others, and
 * who does not know them steps over them by blockLength. It may not be shorter: version 0 is the
 * first. Messages follow each other without anything between.
 *
 * MASS_CANCEL has no message here. Bytes that a kind does not use are not sent, so what decoding
 * gives has 0 there. Decoding checks the structure, and then the records as flat_codec.h says.
 *
 * No state, no allocation; O(n).
 */
#ifndef PHASE5_SBE_CODEC_H
#define PHASE5_SBE_CODEC_H

#include "phase5_protocol/c/flat_codec.h"

/* cdef:begin */
/* What became of a message; the first that fails. Those marked * end the buffer: where the next
 * message begins is not known. */
enum {
    SBE_TAKEN = 0,
    SBE_SHORT_HEADER = 1,   /* * fewer than 8 bytes left */
    SBE_UNKNOWN_SCHEMA = 2, /* * its rules may be others */
    SBE_SHORT_BUFFER = 3,   /* * the block ends behind the buffer */
    SBE_UNKNOWN_TEMPLATE = 4,
    SBE_SHORT_BLOCK = 5,    /* shorter than the fields that there have always been */
    SBE_BEYOND_LIMIT = 6,   /* * no room for its record */
    SBE_CONTENT = 7,        /* well formed, and refused by flat_codec: see its counts */
    SBE_OUTCOMES = 8
};

enum { SBE_HEADER_BYTES = 8, SBE_LARGEST_BYTES = 72 /* of our messages: ExecutionReport */ };

typedef struct {
    uint64_t of[8];
    flat_counts content;
} sbe_counts;

/* Encode commands one behind the other. Stops before the first that has no message (MASS_CANCEL, an
 * unknown kind) or no room. Returns how many were encoded; *written: bytes. */
size_t sbe_commands_encode(const command_record *records, size_t count, void *bytes, size_t room,
                           size_t *written);
size_t sbe_events_encode(const event_record *records, size_t count, void *bytes, size_t room,
                         size_t *written);

/* Decode messages one behind the other into at most `limit` records. A message of the other
 * direction (an ExecutionReport among commands) counts as an unknown template. Returns how many
 * were taken; each message begun is counted once. */
size_t sbe_commands_decode(const void *bytes, size_t size, command_record *records, size_t limit,
                           sbe_counts *counts);
size_t sbe_events_decode(const void *bytes, size_t size, event_record *records, size_t limit,
                         sbe_counts *counts);
/* cdef:end */

#endif
