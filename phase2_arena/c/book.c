/* book.c - matching: commands in, events out, and not one byte of memory asked for.
 *
 * A command is handled in three steps. Look: is it refused, and why. Count: do its events fit
 * into what room is left, answered without looking in almost every case. Act: change the book and
 * write the events, with nothing left that could fail.
 */
#include "phase2_arena/c/book.h"

#include <stdbool.h>

#include "phase2_arena/c/event.h"

/* A command's events beside one for each maker it meets: ACCEPTED or REPLACED, and a remainder
 * CANCELLED. With room for these and for all live orders, any command fits. */
#define EVENTS_BESIDE_MAKERS 2

/* An incoming order on its way through the other side. */
typedef struct {
    uint64_t order_id;
    int64_t price; /* 0 for MARKET */
    uint64_t open;
    int64_t limit_rank; /* the worst rank it trades with on the other side */
    uint32_t account;
    uint8_t side;
    uint8_t self_trade;
} aggressor;

/* What matching an aggressor would do. */
typedef struct {
    uint64_t open;  /* left of the aggressor */
    size_t events;  /* caused on the way */
    bool stopped;   /* by self-trade prevention, which then cancelled what was left */
} preview;

uint32_t book_slot_add(book *self, uint64_t order_id)
{
    uint32_t slot = arena_slot_take(&self->orders);
    self->orders.slots[slot].order_id = order_id;
    table_insert(&self->ids, order_id, slot);
    return slot;
}

void book_slot_drop(book *self, uint32_t slot)
{
    table_erase(&self->ids, self->orders.slots[slot].order_id);
    arena_slot_give(&self->orders, slot);
}

/* --8<-- [start:rest] */
void book_order_rest(book *self, uint32_t slot)
{
    const order *resting = &self->orders.slots[slot];
    uint32_t index = level_find(&self->levels, resting->price);
    if (index == NONE)
        index = level_open(&self->levels, resting->side, resting->price);
    level_order_append(&self->levels, &self->orders, index, slot);
}

void book_order_lift(book *self, uint32_t slot)
{
    const order *lifted = &self->orders.slots[slot];
    level_order_unlink(&self->levels, &self->orders, slot);
    if (self->levels.pool[lifted->level].order_count == 0)
        level_close(&self->levels, lifted->side, lifted->level);
}
/* --8<-- [end:rest] */

static void order_remove(book *self, uint32_t slot)
{
    book_order_lift(self, slot);
    book_slot_drop(self, slot);
}

/* Self-trade prevention is in force when the aggressor has a mode and meets its own account. */
static bool is_own_and_prevented(const aggressor *taker, const order *maker)
{
    return taker->self_trade != SELF_TRADE_NONE && taker->account != 0 &&
           taker->account == maker->account;
}

/* Cancel maker, aggressor or both, as the aggressor's mode says. Returns whether it goes on. */
static bool self_trade_prevent(book *self, aggressor *taker, uint32_t slot, event_writer *out)
{
    const order *maker = &self->orders.slots[slot];
    if (taker->self_trade != SELF_TRADE_CANCEL_NEWEST) {
        event_cancelled(out, maker->order_id, maker->side, maker->price, maker->quantity,
                        REASON_SELF_TRADE);
        order_remove(self, slot);
    }
    if (taker->self_trade == SELF_TRADE_CANCEL_OLDEST)
        return true;
    event_cancelled(out, taker->order_id, taker->side, taker->price, taker->open,
                    REASON_SELF_TRADE);
    taker->open = 0;
    return false;
}

/* Trade `quantity` off a resting order; one that is traded out leaves the book. */
static void maker_reduce(book *self, uint32_t slot, uint64_t quantity)
{
    order *maker = &self->orders.slots[slot];
    if (quantity == maker->quantity) {
        order_remove(self, slot);
    } else {
        maker->quantity -= quantity;
        self->levels.pool[maker->level].quantity -= quantity;
    }
}

/* --8<-- [start:match] */
/* Fill the aggressor maker by maker: the head of the best level, until nothing is open, nothing
 * is left, or the best level is worse than the limit. */
static void book_match(book *self, aggressor *taker, event_writer *out)
{
    int other = 1 - taker->side;
    while (taker->open > 0) {
        uint32_t best = self->levels.best[other];
        if (best == NONE)
            return;
        const level *touched = &self->levels.pool[best];
        if (level_rank(other, touched->price) > taker->limit_rank)
            return;
        uint32_t slot = touched->head;
        const order *maker = &self->orders.slots[slot];
        if (is_own_and_prevented(taker, maker)) {
            if (!self_trade_prevent(self, taker, slot, out))
                return;
            continue;
        }
        uint64_t traded = taker->open < maker->quantity ? taker->open : maker->quantity;
        taker->open -= traded;
        event_put(out, (event_record){.kind = EVENT_TRADE, .order_id = taker->order_id,
                                      .contra_order_id = maker->order_id, .side = taker->side,
                                      .price = maker->price, .quantity = traded,
                                      .leaves = taker->open});
        maker_reduce(self, slot, traded);
    }
}
/* --8<-- [end:match] */

/* --8<-- [start:preview] */
/* The same walk without touching anything: what a fill-or-kill order asks before it trades, and
 * what a batch asks when room for events runs short. O(makers met), and O(levels) more for each
 * level it goes on to. */
static preview book_preview(const book *self, const aggressor *taker)
{
    preview seen = {.open = taker->open};
    int other = 1 - taker->side;
    uint32_t index = self->levels.best[other];
    while (index != NONE) {
        const level *met = &self->levels.pool[index];
        if (level_rank(other, met->price) > taker->limit_rank)
            return seen;
        for (uint32_t slot = met->head; slot != NONE; slot = self->orders.slots[slot].next) {
            const order *maker = &self->orders.slots[slot];
            seen.events++;
            if (!is_own_and_prevented(taker, maker)) {
                seen.open -= seen.open < maker->quantity ? seen.open : maker->quantity;
                if (seen.open == 0)
                    return seen;
            } else if (taker->self_trade != SELF_TRADE_CANCEL_OLDEST) {
                seen.stopped = true;
                seen.events += taker->self_trade == SELF_TRADE_CANCEL_BOTH;
                return seen;
            }
        }
        index = level_next(&self->levels, other, index);
    }
    return seen;
}
/* --8<-- [end:preview] */

static aggressor new_aggressor(const command_record *command)
{
    int other = 1 - command->side;
    bool is_limit = command->order_type == ORDER_TYPE_LIMIT;
    return (aggressor){
        .order_id = command->order_id,
        .price = command->price,
        .open = command->quantity,
        .limit_rank = is_limit ? level_rank(other, command->price) : INT64_MAX,
        .account = command->account,
        .side = command->side,
        .self_trade = command->self_trade,
    };
}

/* The order again, with the price and quantity the command asks for. */
static aggressor replaced_aggressor(const book *self, const command_record *command, uint32_t slot)
{
    const order *found = &self->orders.slots[slot];
    return (aggressor){
        .order_id = found->order_id,
        .price = command->price,
        .open = command->quantity,
        .limit_rank = level_rank(1 - found->side, command->price),
        .account = found->account,
        .side = found->side,
        .self_trade = found->self_trade,
    };
}

static void new_rest(book *self, const command_record *command, uint64_t open)
{
    uint32_t slot = book_slot_add(self, command->order_id);
    order *resting = &self->orders.slots[slot];
    resting->price = command->price;
    resting->quantity = open;
    resting->timestamp_ns = command->timestamp_ns;
    resting->account = command->account;
    resting->side = command->side;
    resting->self_trade = command->self_trade;
    resting->flags = command->flags;
    book_order_rest(self, slot);
}

/* --8<-- [start:new] */
static void book_new_order(book *self, const command_record *command, event_writer *out)
{
    aggressor taker = new_aggressor(command);
    event_put(out, (event_record){.kind = EVENT_ACCEPTED, .order_id = taker.order_id,
                                  .side = taker.side, .price = taker.price,
                                  .quantity = taker.open, .leaves = taker.open});
    int reason = REASON_IOC;
    if (command->time_in_force == TIME_IN_FORCE_FOK && book_preview(self, &taker).open > 0)
        reason = REASON_FOK;
    else
        book_match(self, &taker, out);
    if (taker.open == 0)
        return;
    if (command->time_in_force == TIME_IN_FORCE_GTC)
        new_rest(self, command, taker.open);
    else
        event_cancelled(out, taker.order_id, taker.side, taker.price, taker.open, reason);
}
/* --8<-- [end:new] */

static bool keeps_its_place(const order *found, const command_record *command)
{
    return command->price == found->price && command->quantity <= found->quantity;
}

/* --8<-- [start:replace] */
static void book_replace(book *self, const command_record *command, uint32_t slot,
                         event_writer *out)
{
    order *found = &self->orders.slots[slot];
    event_put(out, (event_record){.kind = EVENT_REPLACED, .order_id = found->order_id,
                                  .side = found->side, .price = command->price,
                                  .quantity = command->quantity, .leaves = command->quantity});
    if (keeps_its_place(found, command)) {
        self->levels.pool[found->level].quantity -= found->quantity - command->quantity;
        found->quantity = command->quantity;
        return;
    }
    /* It keeps its slot and its id, so a full book can always move an order. */
    aggressor taker = replaced_aggressor(self, command, slot);
    book_order_lift(self, slot);
    book_match(self, &taker, out);
    if (taker.open == 0) {
        book_slot_drop(self, slot);
        return;
    }
    found->price = command->price;
    found->quantity = taker.open;
    found->timestamp_ns = command->timestamp_ns;
    book_order_rest(self, slot);
}
/* --8<-- [end:replace] */

static void book_cancel(book *self, uint32_t slot, int reason, event_writer *out)
{
    const order *found = &self->orders.slots[slot];
    event_cancelled(out, found->order_id, found->side, found->price, found->quantity, reason);
    order_remove(self, slot);
}

/* Levels are sorted once, and the best price is looked for once a side, at its end. */
static void book_mass_cancel(book *self, uint32_t account, event_writer *out)
{
    for (int side = SIDE_BID; side <= SIDE_ASK; side++) {
        level_walk walk = level_walk_start(&self->levels, side);
        uint32_t index;
        while ((index = level_walk_next(&walk)) != NONE) {
            uint32_t slot = self->levels.pool[index].head;
            while (slot != NONE) {
                const order *found = &self->orders.slots[slot];
                uint32_t next = found->next;
                if (account == 0 || found->account == account) {
                    event_cancelled(out, found->order_id, side, found->price, found->quantity,
                                    REASON_MASS_CANCEL);
                    level_order_unlink(&self->levels, &self->orders, slot);
                    book_slot_drop(self, slot);
                }
                slot = next;
            }
            if (self->levels.pool[index].order_count == 0)
                level_forget(&self->levels, side, index);
        }
        level_rescan(&self->levels, side);
    }
}

size_t book_account_count(const book *self, uint32_t account, size_t enough)
{
    if (account == 0)
        return self->orders.live;
    size_t count = 0;
    for (int side = SIDE_BID; side <= SIDE_ASK; side++) {
        for (uint32_t i = 0; i < self->levels.live_count[side] && count < enough; i++) {
            uint32_t slot = self->levels.pool[self->levels.live[side][i]].head;
            for (; slot != NONE && count < enough; slot = self->orders.slots[slot].next)
                count += self->orders.slots[slot].account == account;
        }
    }
    return count;
}

/* How many events the command will cause, which is not to be rejected. Changes nothing. */
static size_t events_needed(const book *self, const command_record *command, uint32_t slot)
{
    if (command->kind == COMMAND_CANCEL)
        return 1;
    if (command->kind == COMMAND_MASS_CANCEL)
        return book_account_count(self, command->account, SIZE_MAX);
    if (command->kind == COMMAND_REPLACE) {
        if (keeps_its_place(&self->orders.slots[slot], command))
            return 1;
        aggressor taker = replaced_aggressor(self, command, slot);
        return 1 + book_preview(self, &taker).events;
    }
    aggressor taker = new_aggressor(command);
    preview seen = book_preview(self, &taker);
    if (command->time_in_force == TIME_IN_FORCE_FOK && seen.open > 0)
        return EVENTS_BESIDE_MAKERS;
    bool leaves_remainder = seen.open > 0 && !seen.stopped;
    return 1 + seen.events + (leaves_remainder && command->time_in_force != TIME_IN_FORCE_GTC);
}

/* --8<-- [start:apply] */
size_t book_apply(book *self, const command_record *commands, size_t command_count,
                  event_record *events, size_t event_capacity, size_t *events_written)
{
    event_writer out = {.next = events, .sequence = self->event_sequence};
    size_t consumed = 0;
    for (; consumed < command_count; consumed++) {
        const command_record *command = &commands[consumed];
        uint32_t slot = table_find(&self->ids, command->order_id);
        int reason = book_rejection(self, command, slot);
        size_t room = event_capacity - (size_t)(out.next - events);
        if (room < (size_t)self->orders.live + EVENTS_BESIDE_MAKERS &&
            room < (reason ? 1 : events_needed(self, command, slot)))
            break;

        out.timestamp_ns = command->timestamp_ns;
        out.instrument = command->instrument;
        if (reason)
            event_put(&out, (event_record){.kind = EVENT_REJECTED, .order_id = command->order_id,
                                           .side = command->side, .price = command->price,
                                           .quantity = command->quantity,
                                           .reason = (uint8_t)reason});
        else if (command->kind == COMMAND_NEW)
            book_new_order(self, command, &out);
        else if (command->kind == COMMAND_CANCEL)
            book_cancel(self, slot, REASON_USER, &out);
        else if (command->kind == COMMAND_REPLACE)
            book_replace(self, command, slot, &out);
        else
            book_mass_cancel(self, command->account, &out);
    }
    self->event_sequence = out.sequence;
    *events_written = (size_t)(out.next - events);
    return consumed;
}
/* --8<-- [end:apply] */
