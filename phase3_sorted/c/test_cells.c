/* test_cells.c - the arena of orders and levels: what is taken, given back, and kept. */
#include <string.h>

#include "phase3_sorted/c/cells.h"

enum { CAPACITY = 1000 };

static cell_arena arena_of(uint32_t capacity) {
    cell_arena arena;
    size_t bytes = cells_init(&arena, capacity);
    CHECK(bytes == (1 + 2 * (size_t)capacity) * CELL_BYTES + (1 + (size_t)capacity) * 8);
    return arena;
}

/* Guards: a cell handed out twice, a cell that is none, an order cell given as a level's. */
static void test_every_cell_is_handed_out_once(uint32_t capacity) {
    static unsigned char seen[1 + 2 * CAPACITY];
    cell_arena arena = arena_of(capacity);
    for (int round = 0; round < 3; round++) {
        memset(seen, 0, sizeof seen);
        for (uint32_t i = 0; i < capacity; i++) {
            uint32_t order = cell_take_order(&arena);
            uint32_t level = cell_take_level(&arena, SIDE_ASK, INT64_MIN + i);
            CHECK(order >= 1 && order <= capacity && !seen[order]);
            CHECK(level > capacity && level <= 2 * capacity && !seen[level]);
            seen[order] = seen[level] = 1;
            cell_order(&arena, order)->level = level;
            arena.timestamp_ns[order] = i;
        }
        CHECK(arena.live_orders == capacity);
        CHECK(arena.free_order == CELL_NONE && arena.free_level == CELL_NONE);
        if (round == 0) {
            cells_clear(&arena);
            continue;
        }
        for (uint32_t i = 0; i < capacity; i++) {
            uint32_t order = 1 + (i * 7 + (uint32_t)round) % capacity; /* 7 divides no capacity */
            cell_give_level(&arena, cell_order(&arena, order)->level);
            cell_give_order(&arena, order);
        }
        CHECK(arena.live_orders == 0);
    }
    cells_free(&arena);
    CHECK(arena.base == NULL && arena.timestamp_ns == NULL);
}

/* Guards: a queue instead of a stack, with which a small book would wander through all its memory
 * and find every cell cold. */
static void test_the_last_freed_is_the_first_used(void) {
    cell_arena arena = arena_of(CAPACITY);
    uint32_t orders[3], levels[3];
    for (int i = 0; i < 3; i++) {
        orders[i] = cell_take_order(&arena);
        levels[i] = cell_take_level(&arena, SIDE_BID, i);
    }
    for (int i = 0; i < 3; i++) {
        cell_give_order(&arena, orders[i]);
        cell_give_level(&arena, levels[i]);
    }
    for (int i = 2; i >= 0; i--) {
        CHECK(cell_take_order(&arena) == orders[i]);
        CHECK(cell_take_level(&arena, SIDE_BID, i) == levels[i]);
    }
    for (int i = 0; i < 100000; i++) {
        uint32_t order = cell_take_order(&arena);
        CHECK(order <= 4);
        cell_give_order(&arena, order);
    }
    cells_free(&arena);
}

/* Guards: a level that comes with what its cell held before, and is taken for one with orders. */
static void test_a_level_is_born_empty(void) {
    cell_arena arena = arena_of(2);
    uint32_t cell = cell_take_level(&arena, SIDE_BID, 77);
    level_cell *level = cell_level(&arena, cell);
    memset(level, 0xA5, sizeof *level);
    level->links = (cell_links){cell, cell};
    cell_give_level(&arena, cell);
    CHECK(cell_take_level(&arena, SIDE_ASK, INT64_MAX) == cell);
    CHECK(level->key == INT64_MAX && level->side == SIDE_ASK);
    CHECK(level->quantity == 0 && level->order_count == 0);
    CHECK(level->links.next == cell && level->links.prev == cell);
    cells_free(&arena);
}

/* Guards: neighbours in one word that spill into each other at the ends of their ranges. */
static void test_quantity_and_mode_share_a_word(void) {
    const uint64_t quantities[] = {1, MAX_QUANTITY / 2, MAX_QUANTITY - 1, MAX_QUANTITY};
    for (size_t q = 0; q < sizeof quantities / sizeof *quantities; q++)
        for (unsigned mode = 0; mode <= SELF_TRADE_CANCEL_BOTH; mode++)
            for (unsigned flags = 0; flags <= FLAG_POST_ONLY; flags++) {
                order_cell order = {.open_and_mode = quantities[q] | (uint64_t)mode << MODE_SHIFT |
                                                     (flags ? POST_ONLY_BIT : 0)};
                for (uint64_t left = quantities[q];;) {
                    CHECK(order_open(&order) == left);
                    CHECK(order_self_trade(&order) == mode && order_flags(&order) == flags);
                    if (left == 0) break;
                    uint64_t traded = left > 2 ? left / 2 + 1 : left;
                    order.open_and_mode -= traded;
                    left -= traded;
                }
            }
}

/* Guards: a cell that straddles two lines, so that every touch of it costs two. */
static void test_cells_are_aligned(void) {
    cell_arena arena = arena_of(CAPACITY);
    CHECK((uintptr_t)arena.base % 64 == 0);
    CHECK((unsigned char *)cell_order(&arena, 5) == arena.base + 5 * CELL_BYTES);
    CHECK((void *)cell_links_of(&arena, 5) == (void *)&cell_order(&arena, 5)->links);
    CHECK((void *)cell_links_of(&arena, 5) == (void *)&cell_level(&arena, 5)->links);
    cells_free(&arena);
    cells_free(&arena); /* twice is harmless */
}

int main(void) {
    test_every_cell_is_handed_out_once(1);
    test_every_cell_is_handed_out_once(2);
    test_every_cell_is_handed_out_once(CAPACITY);
    test_the_last_freed_is_the_first_used();
    test_a_level_is_born_empty();
    test_quantity_and_mode_share_a_word();
    test_cells_are_aligned();
    return 0;
}
