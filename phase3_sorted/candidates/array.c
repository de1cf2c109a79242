/* array.c - candidate: bisection in, and moving of, a sorted array of levels; see array.h. */
#include "array.h"

#include <inttypes.h>
#include <string.h>

#include "../c/memory.h"

size_t tree_pool_init(tree_pool *pool, uint32_t levels) {
    size_t key_bytes = (size_t)levels * sizeof(int64_t), cell_bytes = levels * sizeof(uint32_t);
    memset(pool, 0, sizeof *pool);
    pool->capacity = levels;
    for (uint32_t side = SIDE_BID; side <= SIDE_ASK; side++) {
        pool->keys[side] = memory_take(key_bytes);
        pool->cells[side] = memory_take(cell_bytes);
        if (pool->keys[side] && pool->cells[side]) continue;
        tree_pool_free(pool);
        return 0;
    }
    return 2 * (key_bytes + cell_bytes);
}

void tree_pool_free(tree_pool *pool) {
    for (uint32_t side = SIDE_BID; side <= SIDE_ASK; side++) {
        memory_give(pool->keys[side]);
        memory_give(pool->cells[side]);
    }
    memset(pool, 0, sizeof *pool);
}

void tree_pool_clear(tree_pool *pool) {
    pool->used = 0;
}

void level_tree_clear(level_tree *tree, tree_pool *pool, uint32_t side) {
    memset(tree, 0, sizeof *tree);
    tree->side = side;
    tree->mirror = side == SIDE_BID ? 0 : -1;
    tree->best_key = INT64_MIN;
    tree->best_level = CELL_NONE;
    tree->keys = pool->keys[side];
    tree->cells = pool->cells[side];
}

/* array_rank: how many keys are below `key`. Bisection whose steps are arithmetic, not branches. */
static uint32_t array_rank(const level_tree *tree, int64_t key) {
    const int64_t *base = tree->keys;
    uint32_t left = tree->level_count;
    while (left > 1) {
        uint32_t half = left / 2;
        base += half & (uint32_t)-(base[half - 1] < key);
        left -= half;
    }
    uint32_t rank = (uint32_t)(base - tree->keys);
    return left ? rank + (*base < key) : rank;
}

static void array_update_best(level_tree *tree) {
    uint32_t count = tree->level_count;
    tree->best_key = count ? tree->keys[count - 1] : INT64_MIN;
    tree->best_level = count ? tree->cells[count - 1] : CELL_NONE;
}

uint32_t level_tree_find_or_add_slow(level_tree *tree, cell_arena *arena, int64_t key) {
    uint32_t at = array_rank(tree, key), cell;
    if (at < tree->level_count && tree->keys[at] == key) {
        cell = tree->cells[at];
    } else {
        cell = cell_take_level(arena, tree->side, key);
        size_t moved = tree->level_count++ - at;
        memmove(&tree->keys[at + 1], &tree->keys[at], moved * sizeof *tree->keys);
        memmove(&tree->cells[at + 1], &tree->cells[at], moved * sizeof *tree->cells);
        tree->keys[at] = key;
        tree->cells[at] = cell;
        array_update_best(tree);
    }
    tree->recent[(uint64_t)key % CACHE_SLOTS] = cell;
    return cell;
}

void level_tree_remove_inside(level_tree *tree, cell_arena *arena, uint32_t cell) {
    uint32_t at = array_rank(tree, cell_level(arena, cell)->key);
    size_t moved = --tree->level_count - at;
    memmove(&tree->keys[at], &tree->keys[at + 1], moved * sizeof *tree->keys);
    memmove(&tree->cells[at], &tree->cells[at + 1], moved * sizeof *tree->cells);
    array_update_best(tree);
    cell_give_level(arena, cell);
}

uint32_t level_tree_at_or_below(const level_tree *tree, const tree_pool *pool, int64_t key) {
    (void)pool;
    uint32_t at = array_rank(tree, key);
    if (at < tree->level_count && tree->keys[at] == key) return tree->cells[at];
    return at ? tree->cells[at - 1] : CELL_NONE;
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
    (void)pool;
    uint32_t count = tree->level_count;
    for (uint32_t i = 0; i < count; i++) {
        REQUIRE(i == 0 || tree->keys[i - 1] < tree->keys[i], "key %u is out of order", i);
        REQUIRE(cell_level(arena, tree->cells[i])->key == tree->keys[i], "level %u: wrong key", i);
    }
    REQUIRE(tree->best_level == (count ? tree->cells[count - 1] : CELL_NONE), "best level %u",
            tree->best_level);
    REQUIRE(tree->best_key == (count ? tree->keys[count - 1] : INT64_MIN), "best key %" PRId64,
            tree->best_key);
    return 1;
}
