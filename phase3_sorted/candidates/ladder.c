/* ladder.c - candidate, as a yardstick: memory for every price; see ladder.h. */
#include "ladder.h"

#include <string.h>

#include "../c/memory.h"

struct ladder_range ladder_range = {1, 1 << 20};

size_t tree_pool_init(tree_pool *pool, uint32_t levels) {
    size_t bytes = 0;
    memset(pool, 0, sizeof *pool);
    pool->capacity = levels;
    for (uint32_t side = SIDE_BID; side <= SIDE_ASK; side++) {
        size_t cell_bytes = (size_t)ladder_range.ticks * sizeof(uint32_t);
        if (!(pool->cells[side] = memory_take(cell_bytes))) break;
        bytes += cell_bytes;
        uint64_t words = (uint64_t)ladder_range.ticks;
        pool->layers = 0;
        do {
            words = (words + 63) / 64;
            CHECK(pool->layers < LADDER_MAX_LAYERS);
            uint64_t *bits = memory_take(words * sizeof *bits);
            if (!bits) break;
            pool->bits[side][pool->layers++] = bits;
            bytes += words * sizeof *bits;
        } while (words > 1);
        if (words == 1 && side == SIDE_ASK) return bytes;
    }
    tree_pool_free(pool);
    return 0;
}

void tree_pool_free(tree_pool *pool) {
    for (uint32_t side = SIDE_BID; side <= SIDE_ASK; side++) {
        memory_give(pool->cells[side]);
        for (uint32_t layer = 0; layer < LADDER_MAX_LAYERS; layer++)
            memory_give(pool->bits[side][layer]);
    }
    memset(pool, 0, sizeof *pool);
}

void tree_pool_clear(tree_pool *pool) {
    for (uint32_t side = SIDE_BID; side <= SIDE_ASK; side++) {
        uint64_t words = (uint64_t)ladder_range.ticks;
        memset(pool->cells[side], 0, words * sizeof(uint32_t));
        for (uint32_t layer = 0; layer < pool->layers; layer++) {
            words = (words + 63) / 64;
            memset(pool->bits[side][layer], 0, words * sizeof(uint64_t));
        }
    }
}

void level_tree_clear(level_tree *tree, tree_pool *pool, uint32_t side) {
    memset(tree, 0, sizeof *tree);
    tree->side = side;
    tree->mirror = side == SIDE_BID ? 0 : -1;
    tree->best_key = INT64_MIN;
    tree->best_level = CELL_NONE;
    tree->layers = pool->layers;
    tree->cells = pool->cells[side];
    memcpy(tree->bits, pool->bits[side], sizeof tree->bits);
    int64_t last_price = ladder_range.first_price + (ladder_range.ticks - 1);
    tree->lowest_key = (side == SIDE_BID ? ladder_range.first_price : last_price) ^ tree->mirror;
}

uint32_t level_tree_at_or_below(const level_tree *tree, const tree_pool *pool, int64_t key) {
    (void)pool;
    if (key < tree->lowest_key) return CELL_NONE;
    int64_t last = ladder_range.ticks - 1;
    int64_t place = key > tree->lowest_key + last ? last : key - tree->lowest_key;
    place = ladder_at_or_below(tree, place);
    return place < 0 ? CELL_NONE : tree->cells[place];
}

#define REQUIRE(condition, ...)                   \
    do {                                          \
        if (!(condition)) {                       \
            snprintf(message, size, __VA_ARGS__); \
            return 0;                             \
        }                                         \
    } while (0)

int level_tree_check(const level_tree *tree, const tree_pool *pool, const cell_arena *arena,
                     char *message, size_t size) {
    uint32_t levels = 0;
    for (int64_t place = 0; place < ladder_range.ticks; place++) {
        uint32_t cell = tree->cells[place];
        uint64_t bit = tree->bits[0][place >> 6] >> (place & 63) & 1;
        REQUIRE(bit == (cell != CELL_NONE), "place %lld: bit and cell differ", (long long)place);
        if (cell == CELL_NONE) continue;
        REQUIRE(cell_level(arena, cell)->key == tree->lowest_key + place, "level %u: wrong key",
                cell);
        levels++;
    }
    REQUIRE(levels == tree->level_count, "%u levels, %u counted", levels, tree->level_count);
    REQUIRE(level_tree_at_or_below(tree, pool, INT64_MAX) == tree->best_level, "best level %u",
            tree->best_level);
    return 1;
}
