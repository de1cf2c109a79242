/* rejection.c - which commands are refused, and why: the first check that fails decides. */
#include <stdbool.h>

#include "phase2_arena/c/book.h"

/* Whether a NEW makes no sense whatever the book holds. */
static bool new_is_malformed(const command_record *command)
{
    bool is_limit = command->order_type == ORDER_TYPE_LIMIT;
    bool is_gtc = command->time_in_force == TIME_IN_FORCE_GTC;
    if (command->side > SIDE_ASK || command->order_type > ORDER_TYPE_MARKET ||
        command->time_in_force > TIME_IN_FORCE_FOK ||
        command->self_trade > SELF_TRADE_CANCEL_BOTH || command->flags > FLAG_POST_ONLY)
        return true;
    if (!is_limit && is_gtc)
        return true;
    if (command->flags == FLAG_POST_ONLY && !(is_limit && is_gtc))
        return true;
    return command->reserved != 0 || command->reserved2 != 0;
}

static bool would_cross(const book *self, int side, int64_t price)
{
    int other = 1 - side;
    uint32_t best = self->levels.best[other];
    return best != NONE &&
           level_rank(other, self->levels.pool[best].price) <= level_rank(other, price);
}

static bool price_is_outside(const book *self, int64_t price)
{
    return price < self->min_price || price > self->max_price;
}

static bool quantity_is_outside(uint64_t quantity)
{
    return quantity == 0 || quantity > MAX_QUANTITY;
}

static int new_rejection(const book *self, const command_record *command, uint32_t slot)
{
    if (slot != NONE)
        return REASON_DUPLICATE_ORDER_ID;
    if (quantity_is_outside(command->quantity))
        return REASON_INVALID_QUANTITY;
    if (command->order_type == ORDER_TYPE_MARKET)
        return command->price == 0 ? REASON_NONE : REASON_INVALID_PRICE;
    if (price_is_outside(self, command->price))
        return REASON_INVALID_PRICE;
    if (command->time_in_force == TIME_IN_FORCE_GTC &&
        self->orders.live >= self->orders.capacity)
        return REASON_BOOK_FULL;
    if (command->flags == FLAG_POST_ONLY && would_cross(self, command->side, command->price))
        return REASON_WOULD_CROSS;
    return REASON_NONE;
}

/* The order's own side and flags count, not the command's. */
static int replace_rejection(const book *self, const command_record *command, uint32_t slot)
{
    if (slot == NONE)
        return REASON_UNKNOWN_ORDER;
    if (quantity_is_outside(command->quantity))
        return REASON_INVALID_QUANTITY;
    if (price_is_outside(self, command->price))
        return REASON_INVALID_PRICE;
    const order *found = &self->orders.slots[slot];
    if (found->flags == FLAG_POST_ONLY && would_cross(self, found->side, command->price))
        return REASON_WOULD_CROSS;
    return REASON_NONE;
}

/* --8<-- [start:rejection] */
int book_rejection(const book *self, const command_record *command, uint32_t slot)
{
    int kind = command->kind;
    if (kind < COMMAND_NEW || kind > COMMAND_MASS_CANCEL)
        return REASON_INVALID_COMMAND;
    if (kind != COMMAND_MASS_CANCEL && command->order_id == 0)
        return REASON_INVALID_COMMAND;
    if (kind == COMMAND_NEW && new_is_malformed(command))
        return REASON_INVALID_COMMAND;
    if (command->instrument != self->instrument)
        return REASON_UNKNOWN_INSTRUMENT;
    if (kind == COMMAND_NEW)
        return new_rejection(self, command, slot);
    if (kind == COMMAND_CANCEL)
        return slot == NONE ? REASON_UNKNOWN_ORDER : REASON_NONE;
    if (kind == COMMAND_REPLACE)
        return replace_rejection(self, command, slot);
    return book_account_count(self, command->account, 1) ? REASON_NONE : REASON_UNKNOWN_ORDER;
}
/* --8<-- [end:rejection] */
