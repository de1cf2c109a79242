/* validate.h - which commands are refused, and what the others ask of the book. Looks, never
 * changes; the book and its look-ahead (book_plan.c) decide by the same lines. */
#ifndef PHASE3_VALIDATE_H
#define PHASE3_VALIDATE_H

#include <string.h>

#include "book.h"

/* --8<-- [start:validate] */
/* The commonest orders, LIMIT with GTC or IOC and no flags, on either side and in any self-trade
 * mode, seen at a glance: the last eight bytes of the record hold nothing but these bits. */
#define PLAIN_ORDER_BITS                                                                  \
    ((UINT64_C(1) << 8 * (offsetof(command_record, side) - 56)) |                         \
     (UINT64_C(1) << 8 * (offsetof(command_record, time_in_force) - 56)) |                \
     (UINT64_C(3) << 8 * (offsetof(command_record, self_trade) - 56)))

static inline int is_plain_order(const command_record *c) {
    uint64_t last_eight_bytes;
    memcpy(&last_eight_bytes, &c->kind, sizeof last_eight_bytes);
    return (last_eight_bytes & ~PLAIN_ORDER_BITS) == COMMAND_NEW && c->reserved == 0;
}

static inline int is_malformed(const command_record *c) {
    if (is_plain_order(c)) return 0;
    int is_limit_gtc =
        c->order_type == ORDER_TYPE_LIMIT && c->time_in_force == TIME_IN_FORCE_GTC;
    return c->side > SIDE_ASK || c->order_type > ORDER_TYPE_MARKET ||
           c->time_in_force > TIME_IN_FORCE_FOK || c->self_trade > SELF_TRADE_CANCEL_BOTH ||
           c->flags > FLAG_POST_ONLY ||
           (c->order_type == ORDER_TYPE_MARKET && c->time_in_force == TIME_IN_FORCE_GTC) ||
           (c->flags == FLAG_POST_ONLY && !is_limit_gtc) || c->reserved != 0 ||
           c->reserved2 != 0;
}

/* Quantities from 1 to MAX_QUANTITY; 0 wraps to the largest number there is. */
static inline int is_quantity(uint64_t quantity) {
    return quantity - 1 < MAX_QUANTITY;
}

static inline int is_price(const book *self, int64_t price) {
    return price >= self->min_price && price <= self->max_price;
}

/* new_rejection: why a NEW is refused, in the order of the contract, or REASON_NONE. The caller
 * has looked the order id up. */
static inline uint8_t new_rejection(const book *self, const command_record *c, int is_live) {
    if (UNLIKELY(is_malformed(c) || c->order_id == 0)) return REASON_INVALID_COMMAND;
    if (UNLIKELY(c->instrument != self->instrument)) return REASON_UNKNOWN_INSTRUMENT;
    if (UNLIKELY(is_live)) return REASON_DUPLICATE_ORDER_ID;
    if (UNLIKELY(!is_quantity(c->quantity))) return REASON_INVALID_QUANTITY;
    if (c->order_type == ORDER_TYPE_MARKET)
        return c->price == 0 ? REASON_NONE : REASON_INVALID_PRICE;
    if (UNLIKELY(!is_price(self, c->price))) return REASON_INVALID_PRICE;
    if (UNLIKELY(self->arena.live_orders == self->arena.capacity) &&
        c->time_in_force == TIME_IN_FORCE_GTC)
        return REASON_BOOK_FULL;
    return REASON_NONE;
}
/* --8<-- [end:validate] */

/* replace_rejection: why a REPLACE of that live order is refused, or REASON_NONE. */
static inline uint8_t replace_rejection(const book *self, const command_record *c,
                                        const order_cell *order, uint32_t side) {
    if (UNLIKELY(!is_quantity(c->quantity))) return REASON_INVALID_QUANTITY;
    if (UNLIKELY(!is_price(self, c->price))) return REASON_INVALID_PRICE;
    const level_index *opposite = &self->sides[side ^ 1];
    if (UNLIKELY(order->open_and_mode & POST_ONLY_BIT) &&
        side_crosses(opposite, c->price ^ opposite->mirror))
        return REASON_WOULD_CROSS;
    return REASON_NONE;
}

static inline aggressor aggressor_of_new(const book *self, const command_record *c) {
    int64_t key = c->price ^ self->sides[c->side ^ 1].mirror;
    return (aggressor){.order_id = c->order_id,
                       .open = c->quantity,
                       .limit_key = c->order_type == ORDER_TYPE_MARKET ? LIMIT_KEY_NONE : key,
                       .price = c->price,
                       .account = c->account,
                       .side = c->side,
                       .self_trade = c->self_trade};
}

static inline aggressor aggressor_of_replace(const book *self, const command_record *c,
                                             const order_cell *order, uint32_t side) {
    return (aggressor){.order_id = c->order_id,
                       .open = c->quantity,
                       .limit_key = c->price ^ self->sides[side ^ 1].mirror,
                       .price = c->price,
                       .account = order->account,
                       .side = (uint8_t)side,
                       .self_trade = (uint8_t)order_self_trade(order)};
}

/* Whether a REPLACE leaves the order where it is in its queue. */
static inline int replace_keeps_place(const command_record *c, const order_cell *order,
                                      int64_t level_price) {
    return c->price == level_price && c->quantity <= order_open(order);
}

#endif
