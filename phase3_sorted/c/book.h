/* book.h - what the files of phase 3's book share; others see contract/c/engine.h. */
#ifndef PHASE3_BOOK_H
#define PHASE3_BOOK_H

#include "cells.h"
#include "contract/c/engine.h"
#include "id_index.h"
#include "level_index.h"

#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

struct book {
    cell_arena arena;
    id_index ids;
    tree_pool nodes;
    level_index sides[2];
    uint64_t event_sequence;
    int64_t min_price;
    int64_t max_price;
    uint32_t instrument;
    size_t bytes;
};

/* The price of a level or of an order that stands on it. */
static inline int64_t key_price(const level_index *side, int64_t key) {
    return key ^ side->mirror;
}

/* Whether an aggressor with that limit (a key of the side it would trade with) meets its best
 * level. An empty side has the lowest key of all, which is also a possible limit: hence the second
 * test, made only when the first has said yes. */
static inline int side_crosses(const level_index *opposite, int64_t limit_key) {
    return opposite->best_key >= limit_key && opposite->best_level != CELL_NONE;
}

/* The lowest key of all: a MARKET order's limit. */
#define LIMIT_KEY_NONE INT64_MIN

/* What is matched: an order on its way through the other side of the book. */
typedef struct {
    uint64_t order_id;
    uint64_t open;
    uint64_t timestamp_ns;
    int64_t limit_key; /* in keys of the opposite side */
    int64_t price;
    uint32_t account;
    uint8_t side;
    uint8_t self_trade;
} aggressor;

/* How aggressor and maker of one account meet, when neither is ready to trade with the other. */
static inline int is_self_trade(const aggressor *taker, const order_cell *maker) {
    return taker->account != 0 && taker->account == maker->account &&
           taker->self_trade != SELF_TRADE_NONE;
}

/* book_events_needed: how many events the command would cause, without applying it.
 * O(makers it would meet); O(live orders) for MASS_CANCEL. */
size_t book_events_needed(book *self, const command_record *command);

/* book_can_fill: whether a FOK aggressor would trade to the last lot. O(makers it would meet). */
int book_can_fill(const book *self, const aggressor *taker);

/* book_place: put an order at the back of its level. O(1), O(log levels) for a new level. */
void book_place(book *self, uint32_t cell, level_index *side, int64_t key);

/* book_unplace: take an order off its level, and the level off its side if that was all. */
void book_unplace(book *self, uint32_t cell);

#endif
