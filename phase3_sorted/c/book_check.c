/* book_check.c - every structural invariant of the book, in full, with the broken one in words. */
#include <inttypes.h>

#include "book.h"

/* REQUIRE: the invariant as a format, with what was found. */
#define REQUIRE(condition, ...)                       \
    do {                                              \
        if (!(condition)) {                           \
            snprintf(message, size, __VA_ARGS__);     \
            return 0;                                 \
        }                                             \
    } while (0)

/* The orders of one level: linked both ways, pointing back, none empty, sums right. */
static int check_level(const book *self, uint32_t number, char *message, size_t size) {
    const level_cell *level = cell_level(&self->arena, number);
    uint64_t quantity = 0;
    uint32_t count = 0, before = number;
    for (uint32_t cell = level->links.next; cell != number;) {
        const order_cell *order = cell_order(&self->arena, cell);
        REQUIRE(cell >= 1 && cell <= self->arena.capacity, "level %u: order cell %u", number, cell);
        REQUIRE(order->level == number, "order cell %u: level %u, on %u", cell, order->level, number);
        REQUIRE(order->links.prev == before, "order cell %u: prev %u, not %u", cell, order->links.prev, before);
        REQUIRE(order_open(order) > 0, "order cell %u: nothing open", cell);
        REQUIRE(id_lookup(&self->ids, &self->arena, order->order_id) == cell,
                "order %" PRIu64 " in cell %u: the index does not say so", order->order_id, cell);
        quantity += order_open(order);
        REQUIRE(++count <= level->order_count, "level %u: more than %u orders", number,
                level->order_count);
        before = cell;
        cell = order->links.next;
    }
    REQUIRE(level->links.prev == before, "level %u: last order %u, not %u", number, level->links.prev, before);
    REQUIRE(count > 0 && count == level->order_count, "level %u: %u orders, counted %u", number,
            level->order_count, count);
    REQUIRE(quantity == level->quantity, "level %u: quantity %" PRIu64 ", summed %" PRIu64, number,
            level->quantity, quantity);
    return 1;
}

/* The levels of one side: from best to worst, within the price range. Adds up their orders. */
static int check_side(const book *self, uint32_t side, uint64_t *orders, char *message,
                      size_t size) {
    const level_index *index = &self->sides[side];
    if (!level_index_check(index, message, size)) return 0;
    uint32_t number = index->best_level, levels = 0;
    for (; number != CELL_NONE; number = level_index_next(index, number)) {
        const level_cell *level = cell_level(&self->arena, number);
        int64_t price = key_price(index, level->key);
        REQUIRE(level->side == side, "level %u: side %u, not %u", number, level->side, side);
        REQUIRE(price >= self->min_price && price <= self->max_price,
                "level %u: price %" PRId64 " outside the range", number, price);
        if (!check_level(self, number, message, size)) return 0;
        *orders += level->order_count;
        levels++;
    }
    REQUIRE(levels == index->level_count, "side %u: %u levels, counted %u", side,
            index->level_count, levels);
    return 1;
}

static int check_free_cells(const book *self, char *message, size_t size) {
    const cell_arena *arena = &self->arena;
    uint64_t orders = 0, levels = 0;
    for (uint32_t cell = arena->free_order; cell != CELL_NONE; cell = cell_order(arena, cell)->links.next) {
        REQUIRE(cell <= arena->capacity, "free order cell %u out of range", cell);
        REQUIRE(cell_order(arena, cell)->level == CELL_NONE, "free order cell %u is in use", cell);
        REQUIRE(++orders <= arena->capacity, "the stack of free orders runs in a circle");
    }
    for (uint32_t cell = arena->free_level; cell != CELL_NONE; cell = cell_level(arena, cell)->links.next) {
        REQUIRE(cell > arena->capacity && cell <= 2 * (uint64_t)arena->capacity,
                "free level cell %u out of range", cell);
        REQUIRE(cell_level(arena, cell)->order_count == 0, "free level cell %u is in use", cell);
        REQUIRE(++levels <= arena->capacity, "the stack of free levels runs in a circle");
    }
    uint64_t live_levels = (uint64_t)self->sides[0].level_count + self->sides[1].level_count;
    REQUIRE(orders + arena->live_orders == arena->capacity,
            "%" PRIu64 " free orders and %u live ones in %u cells", orders, arena->live_orders,
            arena->capacity);
    REQUIRE(levels + live_levels == arena->capacity,
            "%" PRIu64 " free levels and %" PRIu64 " live ones in %u cells", levels, live_levels,
            arena->capacity);
    return 1;
}

int book_check(const book *self, char *message, size_t size) {
    uint64_t orders = 0;
    for (uint32_t side = SIDE_BID; side <= SIDE_ASK; side++)
        if (!check_side(self, side, &orders, message, size)) return 0;
    REQUIRE(orders == self->arena.live_orders, "%" PRIu64 " orders on levels, %u live", orders,
            self->arena.live_orders);
    const level_index *bids = &self->sides[SIDE_BID], *asks = &self->sides[SIDE_ASK];
    REQUIRE(!bids->level_count || !asks->level_count ||
                key_price(bids, bids->best_key) < key_price(asks, asks->best_key),
            "the book is crossed");
    return check_free_cells(self, message, size) && id_index_check(&self->ids, &self->arena, message, size);
}
