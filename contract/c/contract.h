/* contract.h - the two 64-byte records every part of the engine speaks.
 *
 * Little-endian, naturally aligned, no padding: the same bytes are a ring slot, a write-ahead-log
 * payload, a batch element and a decoded message. The layout is stated here for C, in messages.py
 * and records.py for Python; the static assertions below and test_records.py pin them together.
 *
 * Prices are signed counts of ticks, quantities unsigned counts of lots, times nanoseconds.
 */
#ifndef MATCHBOOK_CONTRACT_H
#define MATCHBOOK_CONTRACT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the records are little-endian; a big-endian machine would need conversion at the edges"
#endif

#define MAX_QUANTITY ((UINT64_C(1) << 40) - 1)

enum { SIDE_BID = 0, SIDE_ASK = 1 };
enum { COMMAND_NEW = 1, COMMAND_CANCEL = 2, COMMAND_REPLACE = 3, COMMAND_MASS_CANCEL = 4 };
enum { ORDER_TYPE_LIMIT = 0, ORDER_TYPE_MARKET = 1 };
enum { TIME_IN_FORCE_GTC = 0, TIME_IN_FORCE_IOC = 1, TIME_IN_FORCE_FOK = 2 };
enum {
    SELF_TRADE_NONE = 0,
    SELF_TRADE_CANCEL_NEWEST = 1,
    SELF_TRADE_CANCEL_OLDEST = 2,
    SELF_TRADE_CANCEL_BOTH = 3
};
enum { FLAG_POST_ONLY = 1 };
enum {
    EVENT_ACCEPTED = 1,
    EVENT_TRADE = 2,
    EVENT_CANCELLED = 3,
    EVENT_REPLACED = 4,
    EVENT_REJECTED = 5
};
enum {
    REASON_NONE = 0,
    /* of a cancellation */
    REASON_USER = 1,
    REASON_IOC = 2,
    REASON_FOK = 3,
    REASON_SELF_TRADE = 4,
    REASON_MASS_CANCEL = 5,
    /* of a rejection */
    REASON_UNKNOWN_ORDER = 16,
    REASON_DUPLICATE_ORDER_ID = 17,
    REASON_INVALID_QUANTITY = 18,
    REASON_INVALID_PRICE = 19,
    REASON_INVALID_COMMAND = 20,
    REASON_WOULD_CROSS = 21,
    REASON_BOOK_FULL = 22,
    REASON_UNKNOWN_INSTRUMENT = 23
};

/* cdef:begin */
typedef struct {
    uint64_t sequence;
    uint64_t timestamp_ns;
    uint64_t order_id;
    int64_t price;
    uint64_t quantity;
    int64_t reserved;
    uint32_t instrument;
    uint32_t account;
    uint8_t kind;
    uint8_t side;
    uint8_t order_type;
    uint8_t time_in_force;
    uint8_t self_trade;
    uint8_t flags;
    uint16_t reserved2;
} command_record;

typedef struct {
    uint64_t sequence;
    uint64_t timestamp_ns;
    uint64_t order_id;
    uint64_t contra_order_id;
    int64_t price;
    uint64_t quantity;
    uint64_t leaves;
    uint32_t instrument;
    uint8_t kind;
    uint8_t side;
    uint8_t reason;
    uint8_t reserved;
} event_record;

/* One live order in the canonical image of a book (contract/canonical.py), 40 bytes. */
typedef struct {
    uint64_t order_id;
    int64_t price;
    uint64_t quantity;
    uint64_t timestamp_ns;
    uint32_t account;
    uint8_t self_trade;
    uint8_t flags;
    uint16_t side;
} order_image;

/* One price level as others see it. */
typedef struct {
    int64_t price;
    uint64_t quantity;
    uint64_t order_count;
} level_view;
/* cdef:end */

static_assert(sizeof(command_record) == 64, "a command is 64 bytes");
static_assert(offsetof(command_record, sequence) == 0, "layout");
static_assert(offsetof(command_record, timestamp_ns) == 8, "layout");
static_assert(offsetof(command_record, order_id) == 16, "layout");
static_assert(offsetof(command_record, price) == 24, "layout");
static_assert(offsetof(command_record, quantity) == 32, "layout");
static_assert(offsetof(command_record, reserved) == 40, "layout");
static_assert(offsetof(command_record, instrument) == 48, "layout");
static_assert(offsetof(command_record, account) == 52, "layout");
static_assert(offsetof(command_record, kind) == 56, "layout");
static_assert(offsetof(command_record, side) == 57, "layout");
static_assert(offsetof(command_record, order_type) == 58, "layout");
static_assert(offsetof(command_record, time_in_force) == 59, "layout");
static_assert(offsetof(command_record, self_trade) == 60, "layout");
static_assert(offsetof(command_record, flags) == 61, "layout");
static_assert(offsetof(command_record, reserved2) == 62, "layout");

static_assert(sizeof(event_record) == 64, "an event is 64 bytes");
static_assert(offsetof(event_record, sequence) == 0, "layout");
static_assert(offsetof(event_record, timestamp_ns) == 8, "layout");
static_assert(offsetof(event_record, order_id) == 16, "layout");
static_assert(offsetof(event_record, contra_order_id) == 24, "layout");
static_assert(offsetof(event_record, price) == 32, "layout");
static_assert(offsetof(event_record, quantity) == 40, "layout");
static_assert(offsetof(event_record, leaves) == 48, "layout");
static_assert(offsetof(event_record, instrument) == 56, "layout");
static_assert(offsetof(event_record, kind) == 60, "layout");
static_assert(offsetof(event_record, side) == 61, "layout");
static_assert(offsetof(event_record, reason) == 62, "layout");
static_assert(offsetof(event_record, reserved) == 63, "layout");

static_assert(sizeof(order_image) == 40, "an order in an image is 40 bytes");

#endif
