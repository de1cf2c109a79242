/* flat_codec.h - the 64-byte records on the wire: who may send them, and what is believed.
 *
 * The four messages of order entry and market data are the records of contract/c/contract.h as they
 * lie in memory: NewOrder, CancelOrder and ReplaceOrder are a command_record, ExecutionReport is an
 * event_record. There is no header: the channel says which of the two it carries, and each record
 * says its kind. So encoding is a copy, and decoding is a cast.
 *
 *     command   offset  type  field                event     offset  type  field
 *               0       u64   sequence                       0       u64   sequence
 *               8       u64   timestamp_ns                   8       u64   timestamp_ns
 *               16      u64   order_id                       16      u64   order_id
 *               24      i64   price                          24      u64   contra_order_id
 *               32      u64   quantity                       32      i64   price
 *               40      i64   reserved                       40      u64   quantity
 *               48      u32   instrument                     48      u64   leaves
 *               52      u32   account                        56      u32   instrument
 *               56      u8    kind                           60      u8    kind
 *               57      u8    side                           61      u8    side
 *               58      u8    order_type                     62      u8    reason
 *               59      u8    time_in_force                  63      u8    reserved
 *               60      u8    self_trade
 *               61      u8    flags
 *               62      u16   reserved
 *
 * Little endian, as contract.h and flat_codec.c check when they are compiled. A cast needs one more
 * thing: an address that is a multiple of 8. The first record of a datagram seldom has one (after
 * the header and the length of MoldUDP64 it is at byte 22), so flat_*_decode copies while it
 * checks: the copy is cheap, and an unaligned struct is undefined in C. flat_is_aligned tells; where
 * it says yes, `records` may be the same address as `bytes`: the check is then in place.
 *
 * What is checked here, and what is left to the engine
 *
 * Whoever can reach a port can send any 64 bytes. The wire refuses what no honest encoder of this
 * format writes: such a record is counted by reason and dropped, for it has no sender who could be
 * told. What an encoder can write, and a book cannot do, is the engine's to reject, with an event.
 *
 *     the wire, of a command                          the engine
 *     a kind that is none, or not permitted here      MARKET with GTC, POST_ONLY with IOC
 *     a sequence (the sequencer alone gives them)     unknown instrument
 *     side, type, time in force, self-trade mode,     unknown or duplicate order id
 *       flags outside their enumerations              quantity 0 or above MAX_QUANTITY
 *     reserved bytes that are not 0                   price outside the book's, or of a MARKET
 *     order id 0, but for MASS_CANCEL                 would cross, book full
 *     a field that the kind does not use and that is not 0 (account and side may stand)
 *
 * The last rule is stricter than the engine, which ignores such fields: with it a command has one
 * encoding, and a later version can give a meaning to bytes that were 0 so far. Account and side
 * are excepted, as gateways write them in every command. MASS_CANCEL with account 0 cancels the
 * orders of everybody: `permitted` leaves it out unless the channel is the operator's.
 *
 *     the wire, of an event
 *     sequence 0; reserved byte; a kind that is none
 *     side outside its enumeration
 *     order id 0; a TRADE's maker 0 or the aggressor itself; a maker where nothing was traded
 *     quantity 0 or above MAX_QUANTITY
 *     leaves: ACCEPTED and REPLACED the quantity, CANCELLED and REJECTED 0, TRADE such that
 *       quantity and leaves are together at most MAX_QUANTITY
 *     reason: CANCELLED 1 to 5, REJECTED 16 to 23, else 0
 *
 * A REJECTED event repeats the command's side, price, quantity and order id, whatever they were;
 * those four are not checked. Every event that an engine emits passes.
 *
 * Nothing here keeps state or allocates; any thread may call anything on its own memory. O(n).
 */
#ifndef PHASE5_FLAT_CODEC_H
#define PHASE5_FLAT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "contract/c/contract.h"

/* cdef:begin */
/* What became of a record: the index of its counter. The order is that of the checks: the first
 * that fails names the reason. */
enum {
    FLAT_TAKEN = 0,
    FLAT_SHORT_RECORD = 1,  /* bytes behind the last whole record: counted once a buffer */
    FLAT_BEYOND_LIMIT = 2,  /* more whole records than there is room for: each of them */
    FLAT_UNKNOWN_KIND = 3,
    FLAT_NOT_PERMITTED = 4, /* a kind that this channel does not take */
    FLAT_SEQUENCE = 5,      /* a command with one, an event without */
    FLAT_RESERVED = 6,
    FLAT_SIDE = 7,
    FLAT_ORDER_TYPE = 8,
    FLAT_TIME_IN_FORCE = 9,
    FLAT_SELF_TRADE = 10,
    FLAT_FLAGS = 11,
    FLAT_ORDER_ID = 12,
    FLAT_CONTRA_ORDER_ID = 13,
    FLAT_QUANTITY = 14,
    FLAT_LEAVES = 15,
    FLAT_REASON = 16,
    FLAT_UNUSED_FIELD = 17, /* a field that the kind does not use, not 0 */
    FLAT_OUTCOMES = 18
};

/* Kinds of commands a channel takes: bit k for kind k. */
enum { FLAT_PERMIT_ORDERS = 14 /* NEW, CANCEL, REPLACE */, FLAT_PERMIT_ALL = 30 };

enum { FLAT_RECORD_BYTES = 64 };

/* How many records had each outcome since the counters were last set to 0. */
typedef struct {
    uint64_t of[18];
} flat_counts;

/* Whether a record at this address can be read where it lies. */
bool flat_is_aligned(const void *address);

/* Check the commands in `size` bytes and copy those that may pass to `records`, in their order.
 *
 * bytes:     any address; may be that of `records` (in place), and overlaps it in no other way.
 * limit:     most records that are looked at: `records` has room for so many.
 * permitted: FLAT_PERMIT_...
 * counts:    added to; how many of all outcomes grows by the number of records begun.
 *
 * Returns how many were taken. What lies in `records` behind those is unspecified. */
size_t flat_commands_decode(const void *bytes, size_t size, command_record *records, size_t limit,
                            unsigned permitted, flat_counts *counts);

/* The same for events. */
size_t flat_events_decode(const void *bytes, size_t size, event_record *records, size_t limit,
                          flat_counts *counts);

/* What a single record's outcome would be: FLAT_TAKEN or the reason. `bytes` are 64, anywhere. */
int flat_command_outcome(const void *bytes, unsigned permitted);
int flat_event_outcome(const void *bytes);

/* Copy as many whole records as `room` bytes hold; returns how many. They are not checked: own
 * records are right, and what is not would be refused by whoever receives it. */
size_t flat_encode(const void *records, size_t count, void *bytes, size_t room);
/* cdef:end */

#endif
