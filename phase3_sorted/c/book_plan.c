/* book_plan.c - looking ahead without touching: can it be filled whole, how many events will it
 * cause. Both walk the makers an aggressor would meet, in priority order. */
#include "validate.h"

/* The makers of a side within a limit, best first; `cell` is CELL_NONE at the end. */
typedef struct {
    const book *self;
    const level_index *side;
    int64_t limit_key;
    uint32_t level;
    uint32_t cell;
} maker_walk;

static void maker_enter_level(maker_walk *walk, uint32_t level_number) {
    const level_cell *level = cell_level(&walk->self->arena, level_number);
    walk->level = level_number;
    walk->cell = level_number != CELL_NONE && level->key >= walk->limit_key ? level->links.next
                                                                            : CELL_NONE;
}

static maker_walk maker_first(const book *self, const aggressor *taker) {
    const level_index *side = &self->sides[taker->side ^ 1];
    maker_walk walk = {self, side, taker->limit_key, CELL_NONE, CELL_NONE};
    maker_enter_level(&walk, side->best_level);
    return walk;
}

static void maker_next(maker_walk *walk) {
    walk->cell = cell_order(&walk->self->arena, walk->cell)->links.next;
    if (walk->cell == walk->level)
        maker_enter_level(walk, level_index_next(walk->side, walk->level));
}

/* --8<-- [start:fok] */
int book_can_fill(const book *self, const aggressor *taker) {
    uint64_t missing = taker->open;
    for (maker_walk walk = maker_first(self, taker); walk.cell != CELL_NONE; maker_next(&walk)) {
        const order_cell *maker = cell_order(&self->arena, walk.cell);
        if (is_self_trade(taker, maker)) {
            if (taker->self_trade != SELF_TRADE_CANCEL_OLDEST) return 0;
            continue;
        }
        if (missing <= order_open(maker)) return 1;
        missing -= order_open(maker);
    }
    return 0;
}
/* --8<-- [end:fok] */

/* match_events: the events of matching and of what becomes of the rest. */
static size_t match_events(const book *self, const aggressor *taker, int rests) {
    uint64_t open = taker->open;
    size_t events = 0;
    maker_walk walk = maker_first(self, taker);
    for (; open && walk.cell != CELL_NONE; maker_next(&walk)) {
        const order_cell *maker = cell_order(&self->arena, walk.cell);
        events++;
        if (is_self_trade(taker, maker)) {
            if (taker->self_trade == SELF_TRADE_CANCEL_OLDEST) continue;
            return events + (taker->self_trade == SELF_TRADE_CANCEL_BOTH);
        }
        open -= open < order_open(maker) ? open : order_open(maker);
    }
    return events + (open && !rests);
}

static size_t mass_cancel_events(const book *self, uint32_t account) {
    if (account == 0) return self->arena.live_orders ? self->arena.live_orders : 1;
    size_t events = 0;
    for (uint32_t cell = 1; cell <= self->arena.capacity; cell++) {
        const order_cell *order = cell_order(&self->arena, cell);
        events += order->level != CELL_NONE && order->account == account;
    }
    return events ? events : 1;
}

static size_t new_events(book *self, const command_record *c) {
    uint32_t live = id_find(&self->ids, &self->arena, c->order_id).cell;
    if (new_rejection(self, c, live != CELL_NONE)) return 1;
    aggressor taker = aggressor_of_new(self, c);
    if ((c->flags & FLAG_POST_ONLY) && side_crosses(&self->sides[c->side ^ 1], taker.limit_key))
        return 1;
    if (c->time_in_force == TIME_IN_FORCE_FOK && !book_can_fill(self, &taker)) return 2;
    return 1 + match_events(self, &taker, c->time_in_force == TIME_IN_FORCE_GTC);
}

static size_t replace_events(book *self, const command_record *c) {
    uint32_t cell = id_find(&self->ids, &self->arena, c->order_id).cell;
    if (c->order_id == 0 || c->instrument != self->instrument || cell == CELL_NONE) return 1;
    const order_cell *order = cell_order(&self->arena, cell);
    const level_cell *level = cell_level(&self->arena, order->level);
    if (replace_rejection(self, c, order, level->side)) return 1;
    if (replace_keeps_place(c, order, key_price(&self->sides[level->side], level->key))) return 1;
    aggressor taker = aggressor_of_replace(self, c, order, level->side);
    return 1 + match_events(self, &taker, 1);
}

size_t book_events_needed(book *self, const command_record *c) {
    switch (c->kind) {
    case COMMAND_NEW:
        return new_events(self, c);
    case COMMAND_REPLACE:
        return replace_events(self, c);
    case COMMAND_MASS_CANCEL:
        return c->instrument == self->instrument ? mass_cancel_events(self, c->account) : 1;
    default:
        return 1;
    }
}
