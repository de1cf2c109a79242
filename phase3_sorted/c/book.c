/* book.c - phase 3's book: validation, matching, resting. The hot path, whole, in one file.
 *
 * Events are written straight into the caller's array, one 64-byte record after the other; nobody
 * is called back from inside matching. The `tape` says where the next one goes; it is passed and
 * returned by value, so that it lives in two registers.
 */
#include <string.h>

#include "book.h"
#include "validate.h"

typedef struct {
    event_record *next;
    uint64_t sequence; /* of the last event written */
} tape;

static_assert(offsetof(event_record, instrument) == 56 && offsetof(event_record, kind) == 60 &&
                  offsetof(event_record, side) == 61 && offsetof(event_record, reason) == 62,
              "write_event packs the last eight bytes of an event");

/* write_event: every field once, the four small ones at the end as a single word. */
static inline tape write_event(tape out, const command_record *command, uint8_t kind, uint32_t side,
                               uint8_t reason, uint64_t order_id, uint64_t contra_order_id,
                               int64_t price, uint64_t quantity, uint64_t leaves) {
    event_record *event = out.next++;
    uint64_t tail = command->instrument | (uint64_t)kind << 32 | (uint64_t)side << 40 |
                    (uint64_t)reason << 48;
    event->sequence = ++out.sequence;
    event->timestamp_ns = command->timestamp_ns;
    event->order_id = order_id;
    event->contra_order_id = contra_order_id;
    event->price = price;
    event->quantity = quantity;
    event->leaves = leaves;
    memcpy(&event->instrument, &tail, sizeof tail);
    return out;
}

static inline tape write_rejected(tape out, const command_record *c, uint8_t reason) {
    return write_event(out, c, EVENT_REJECTED, c->side, reason, c->order_id, 0, c->price,
                       c->quantity, 0);
}

static inline tape write_cancelled(tape out, const command_record *c, uint64_t order_id,
                                   int64_t price, uint64_t quantity, uint32_t side,
                                   uint8_t reason) {
    return write_event(out, c, EVENT_CANCELLED, side, reason, order_id, 0, price, quantity, 0);
}

/* write_open: ACCEPTED or REPLACED, with the whole quantity open. */
static inline tape write_open(tape out, const command_record *c, uint8_t kind, uint32_t side) {
    return write_event(out, c, kind, side, REASON_NONE, c->order_id, 0, c->price, c->quantity,
                       c->quantity);
}

static inline tape write_trade(tape out, const command_record *c, const aggressor *taker,
                               uint64_t maker_id, int64_t price, uint64_t traded) {
    return write_event(out, c, EVENT_TRADE, taker->side, REASON_NONE, taker->order_id, maker_id,
                       price, traded, taker->open);
}

/* --8<-- [start:list] */
/* book_place: at the back of the level, which is before its sentinel. No branch: in an empty level
 * the last order is the level itself.
 *
 *      level ⇄ a ⇄ b ⇄ (level)         →      level ⇄ a ⇄ b ⇄ new ⇄ (level)
 */
static inline void level_append(book *self, uint32_t level_number, uint32_t cell) {
    level_cell *level = cell_level(&self->arena, level_number);
    order_cell *order = cell_order(&self->arena, cell);
    uint32_t last = level->links.prev;
    order->level = level_number;
    *cell_links_of(&self->arena, cell) = (cell_links){level_number, last};
    cell_links_of(&self->arena, last)->next = cell;
    cell_links_of(&self->arena, level_number)->prev = cell;
    level->order_count++;
    level->quantity += order_open(order);
}

static inline void level_unlink(book *self, level_cell *level, const order_cell *order) {
    cell_links links = order->links;
    cell_links_of(&self->arena, links.prev)->next = links.next;
    cell_links_of(&self->arena, links.next)->prev = links.prev;
    level->order_count--;
    level->quantity -= order_open(order);
}
/* --8<-- [end:list] */

void book_place(book *self, uint32_t cell, level_index *side, int64_t key) {
    level_append(self, level_index_find_or_add(side, key), cell);
}

/* book_unplace_inline: off the level, and the level off its side when that was its last order. */
static inline void book_unplace_inline(book *self, uint32_t cell) {
    const order_cell *order = cell_order(&self->arena, cell);
    uint32_t level_number = order->level;
    level_cell *level = cell_level(&self->arena, level_number);
    level_unlink(self, level, order);
    if (level->order_count == 0)
        level_index_remove(&self->sides[level->side], level_number);
}

void book_unplace(book *self, uint32_t cell) {
    book_unplace_inline(self, cell);
}

/* self_trade_step: aggressor and maker have one owner. CANCEL_OLDEST and CANCEL_BOTH cancel the
 * maker, CANCEL_NEWEST and CANCEL_BOTH what is left of the aggressor. */
static __attribute__((noinline)) tape self_trade_step(book *self, const command_record *command,
                                                      aggressor *taker, uint32_t maker_cell,
                                                      tape out) {
    const order_cell *maker = cell_order(&self->arena, maker_cell);
    if (taker->self_trade != SELF_TRADE_CANCEL_NEWEST) {
        const level_cell *level = cell_level(&self->arena, maker->level);
        const level_index *side = &self->sides[level->side];
        out = write_cancelled(out, command, maker->order_id, key_price(side, level->key),
                              order_open(maker), level->side, REASON_SELF_TRADE);
        id_place place = id_find(&self->ids, &self->arena, maker->order_id);
        book_unplace(self, maker_cell);
        cell_give_order(&self->arena, maker_cell);
        id_remove(&self->ids, &self->arena, place, maker->order_id);
    }
    if (taker->self_trade != SELF_TRADE_CANCEL_OLDEST) {
        out = write_cancelled(out, command, taker->order_id, taker->price, taker->open,
                              taker->side, REASON_SELF_TRADE);
        taker->open = 0;
    }
    return out;
}

/* --8<-- [start:match] */
/* match_level: trade with the makers of the best level, first come first served, until the
 * aggressor or the level is used up or a maker of its own account stands next. Filled makers leave
 * the index and their cells at once; the list is mended once, when it is known who is first now:
 *
 *      level ⇄ a ⇄ b ⇄ c ⇄ (level)      a, b filled →      level ⇄ c ⇄ (level)
 */
static inline tape match_level(book *self, const command_record *command, level_index *side,
                               aggressor *taker, tape out) {
    uint32_t level_number = side->best_level, cell;
    level_cell *level = cell_level(&self->arena, level_number);
    int64_t price = key_price(side, level->key);
    uint64_t level_traded = 0;
    uint32_t filled = 0;
    for (cell = level->links.next; cell != level_number && taker->open;) {
        order_cell *maker = cell_order(&self->arena, cell);
        if (UNLIKELY(is_self_trade(taker, maker))) break;
        uint64_t open = order_open(maker);
        uint64_t traded = taker->open < open ? taker->open : open;
        taker->open -= traded;
        level_traded += traded;
        out = write_trade(out, command, taker, maker->order_id, price, traded);
        if (traded < open) {
            maker->open_and_mode -= traded;
            break;
        }
        uint32_t next = maker->links.next;
        id_place place = id_find(&self->ids, &self->arena, maker->order_id);
        cell_give_order(&self->arena, cell);
        id_remove(&self->ids, &self->arena, place, maker->order_id);
        filled++;
        cell = next;
    }
    cell_links_of(&self->arena, level_number)->next = cell;
    cell_links_of(&self->arena, cell)->prev = level_number;
    level->quantity -= level_traded;
    level->order_count -= filled;
    if (cell == level_number) level_index_remove(side, level_number);
    return out;
}

/* match: fill the aggressor from the best level of the other side, and the next, while it has open
 * quantity and the level is within its limit. The caller knows that the side crosses. */
static inline tape match(book *self, const command_record *command, aggressor *taker, tape out) {
    level_index *side = &self->sides[taker->side ^ 1];
    do {
        uint32_t first = cell_level(&self->arena, side->best_level)->links.next;
        if (UNLIKELY(is_self_trade(taker, cell_order(&self->arena, first))))
            out = self_trade_step(self, command, taker, first, out);
        else
            out = match_level(self, command, side, taker, out);
    } while (taker->open && side_crosses(side, taker->limit_key));
    return out;
}
/* --8<-- [end:match] */

/* --8<-- [start:new] */
static inline tape apply_new(book *self, const command_record *c, tape out) {
    uint32_t live = id_find(&self->ids, &self->arena, c->order_id).cell;
    uint8_t reason = new_rejection(self, c, live != CELL_NONE);
    if (UNLIKELY(reason)) return write_rejected(out, c, reason);

    aggressor taker = aggressor_of_new(self, c);
    if (side_crosses(&self->sides[c->side ^ 1], taker.limit_key)) {
        if (UNLIKELY(c->flags & FLAG_POST_ONLY)) return write_rejected(out, c, REASON_WOULD_CROSS);
        out = write_open(out, c, EVENT_ACCEPTED, c->side);
        if (c->time_in_force != TIME_IN_FORCE_FOK || book_can_fill(self, &taker))
            out = match(self, c, &taker, out);
        if (taker.open == 0) return out;
    } else {
        out = write_open(out, c, EVENT_ACCEPTED, c->side);
    }
    if (c->time_in_force != TIME_IN_FORCE_GTC) {
        uint8_t why = c->time_in_force == TIME_IN_FORCE_FOK ? REASON_FOK : REASON_IOC;
        return write_cancelled(out, c, c->order_id, c->price, taker.open, c->side, why);
    }
    uint32_t cell = cell_take_order(&self->arena);
    order_cell *order = cell_order(&self->arena, cell);
    order->order_id = c->order_id;
    order->open_and_mode = taker.open | (uint64_t)c->self_trade << MODE_SHIFT |
                           (c->flags & FLAG_POST_ONLY ? POST_ONLY_BIT : 0);
    order->account = c->account;
    self->arena.timestamp_ns[cell] = c->timestamp_ns;
    level_index *side = &self->sides[c->side];
    book_place(self, cell, side, c->price ^ side->mirror);
    id_insert(&self->ids, &self->arena, c->order_id, cell);
    return out;
}
/* --8<-- [end:new] */

static inline tape apply_cancel(book *self, const command_record *c, tape out) {
    if (UNLIKELY(c->order_id == 0)) return write_rejected(out, c, REASON_INVALID_COMMAND);
    if (UNLIKELY(c->instrument != self->instrument))
        return write_rejected(out, c, REASON_UNKNOWN_INSTRUMENT);
    id_place place = id_find(&self->ids, &self->arena, c->order_id);
    if (place.cell == CELL_NONE) return write_rejected(out, c, REASON_UNKNOWN_ORDER);

    const order_cell *order = cell_order(&self->arena, place.cell);
    const level_cell *level = cell_level(&self->arena, order->level);
    int64_t price = key_price(&self->sides[level->side], level->key);
    out = write_cancelled(out, c, c->order_id, price, order_open(order), level->side, REASON_USER);
    book_unplace_inline(self, place.cell);
    cell_give_order(&self->arena, place.cell);
    id_remove(&self->ids, &self->arena, place, c->order_id);
    return out;
}

/* --8<-- [start:replace] */
/* A REPLACE that keeps its price and does not grow changes the order in place. Any other takes it
 * off its level and through the book like a NEW, and what is left rests in the same cell: a full
 * book cannot refuse it. */
static inline tape apply_replace(book *self, const command_record *c, tape out) {
    if (UNLIKELY(c->order_id == 0)) return write_rejected(out, c, REASON_INVALID_COMMAND);
    if (UNLIKELY(c->instrument != self->instrument))
        return write_rejected(out, c, REASON_UNKNOWN_INSTRUMENT);
    uint32_t cell = id_find(&self->ids, &self->arena, c->order_id).cell;
    if (cell == CELL_NONE) return write_rejected(out, c, REASON_UNKNOWN_ORDER);

    order_cell *order = cell_order(&self->arena, cell);
    level_cell *level = cell_level(&self->arena, order->level);
    uint32_t side_number = level->side;
    level_index *side = &self->sides[side_number], *opposite = &self->sides[side_number ^ 1];
    uint8_t reason = replace_rejection(self, c, order, side_number);
    if (UNLIKELY(reason)) return write_rejected(out, c, reason);

    out = write_open(out, c, EVENT_REPLACED, side_number);
    uint64_t open = order_open(order);
    int64_t key = c->price ^ side->mirror;
    if (key == level->key && c->quantity <= open) {
        level->quantity -= open - c->quantity;
        order->open_and_mode -= open - c->quantity;
        return out;
    }
    book_unplace_inline(self, cell);
    aggressor taker = aggressor_of_replace(self, c, order, side_number);
    if (side_crosses(opposite, taker.limit_key)) {
        out = match(self, c, &taker, out);
        if (taker.open == 0) {
            id_place place = id_find(&self->ids, &self->arena, c->order_id);
            cell_give_order(&self->arena, cell);
            id_remove(&self->ids, &self->arena, place, c->order_id);
            return out;
        }
    }
    order->open_and_mode = (order->open_and_mode & ~MAX_QUANTITY) | taker.open;
    self->arena.timestamp_ns[cell] = c->timestamp_ns;
    book_place(self, cell, side, key);
    return out;
}
/* --8<-- [end:replace] */

/* apply_mass_cancel: every live order of the account, bids then asks, best level first. */
static __attribute__((noinline)) tape apply_mass_cancel(book *self, const command_record *c,
                                                        tape out) {
    if (c->instrument != self->instrument)
        return write_rejected(out, c, REASON_UNKNOWN_INSTRUMENT);
    const event_record *first = out.next;
    for (uint32_t side_number = SIDE_BID; side_number <= SIDE_ASK; side_number++) {
        level_index *side = &self->sides[side_number];
        for (uint32_t number = side->best_level; number != CELL_NONE;) {
            level_cell *level = cell_level(&self->arena, number);
            int64_t key = level->key;
            for (uint32_t cell = level->links.next; cell != number;) {
                order_cell *order = cell_order(&self->arena, cell);
                uint32_t next = order->links.next;
                if (c->account == 0 || order->account == c->account) {
                    out = write_cancelled(out, c, order->order_id, key_price(side, key),
                                          order_open(order), side_number, REASON_MASS_CANCEL);
                    id_place place = id_find(&self->ids, &self->arena, order->order_id);
                    level_unlink(self, level, order);
                    cell_give_order(&self->arena, cell);
                    id_remove(&self->ids, &self->arena, place, order->order_id);
                }
                cell = next;
            }
            if (level->order_count == 0) level_index_remove(side, number);
            number = key == INT64_MIN ? CELL_NONE
                                      : level_index_at_or_below(side, key - 1);
        }
    }
    return out.next == first ? write_rejected(out, c, REASON_UNKNOWN_ORDER) : out;
}

/* most_events: a bound that needs no look into the book. A trade takes at least one lot off the
 * order, so a small order cannot cause many events: with room for a few of them, as in a ring, most
 * commands are settled here. */
static inline uint64_t most_events(const command_record *c) {
    if (c->kind == COMMAND_CANCEL) return 1;
    if (c->kind != COMMAND_NEW || c->self_trade != SELF_TRADE_NONE) return UINT64_MAX;
    /* Accepted, and a trade for each lot; or fewer trades and one event for what is left. */
    return c->quantity <= MAX_QUANTITY ? c->quantity + 1 : 1;
}

/* --8<-- [start:apply] */
size_t book_apply(book *self, const command_record *commands, size_t command_count,
                  event_record *events, size_t event_capacity, size_t *events_written) {
    tape out = {events, self->event_sequence};
    const event_record *end = events + event_capacity;
    size_t consumed = 0;
    for (; consumed < command_count; consumed++) {
        const command_record *c = &commands[consumed];
        size_t room = (size_t)(end - out.next);
        /* No command causes more than one event for each live order and two of its own. */
        if (UNLIKELY(room < (size_t)self->arena.live_orders + 2) && room < most_events(c) &&
            room < book_events_needed(self, c))
            break;
        switch (c->kind) {
        case COMMAND_NEW:
            out = apply_new(self, c, out);
            break;
        case COMMAND_CANCEL:
            out = apply_cancel(self, c, out);
            break;
        case COMMAND_REPLACE:
            out = apply_replace(self, c, out);
            break;
        case COMMAND_MASS_CANCEL:
            out = apply_mass_cancel(self, c, out);
            break;
        default:
            out = write_rejected(out, c, REASON_INVALID_COMMAND);
        }
    }
    self->event_sequence = out.sequence;
    *events_written = (size_t)(out.next - events);
    return consumed;
}
/* --8<-- [end:apply] */
