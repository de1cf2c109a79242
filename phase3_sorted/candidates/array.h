/* array.h - candidate: the levels of a side in one sorted array, the best at its end.
 *
 *      keys    [ worst … second best, best ]          cells beside them, in an array of their own
 *
 * A level better than the best is appended and the best is taken off the end, both in a few
 * instructions. Any other place is found by bisection and made by moving all that is better:
 * O(levels), at some 30 bytes a nanosecond.
 */
#ifndef PHASE3_LEVEL_TREE_H
#define PHASE3_LEVEL_TREE_H

#include "../c/cells.h"

#ifndef CACHE_SLOTS
#define CACHE_SLOTS 1024
#endif

typedef struct {
    int64_t *keys[2];
    uint32_t *cells[2];
    uint32_t capacity;
    uint32_t used;
} tree_pool;

typedef struct {
    int64_t best_key;    /* INT64_MIN when there is no level */
    uint32_t best_level; /* CELL_NONE when there is no level */
    uint32_t level_count;
    uint32_t side;
    int64_t mirror; /* key = price ^ mirror */
    tree_pool *pool;
    cell_arena *arena;
    int64_t *keys;
    uint32_t *cells;
    uint32_t recent[CACHE_SLOTS];
} level_tree;

size_t tree_pool_init(tree_pool *pool, uint32_t levels);
void tree_pool_free(tree_pool *pool);
void tree_pool_clear(tree_pool *pool);
void level_tree_clear(level_tree *tree, tree_pool *pool, uint32_t side);

uint32_t level_tree_find_or_add_slow(level_tree *tree, cell_arena *arena, int64_t key);
void level_tree_remove_inside(level_tree *tree, cell_arena *arena, uint32_t cell);

static inline uint32_t level_tree_find_or_add(level_tree *tree, tree_pool *pool, cell_arena *arena,
                                              int64_t key) {
    (void)pool;
    if (key > tree->best_key) {
        uint32_t cell = cell_take_level(arena, tree->side, key);
        tree->keys[tree->level_count] = key;
        tree->cells[tree->level_count++] = cell;
        tree->best_key = key;
        tree->best_level = cell;
        tree->recent[(uint64_t)key % CACHE_SLOTS] = cell;
        return cell;
    }
    if (key == tree->best_key && tree->best_level != CELL_NONE) return tree->best_level;
    uint32_t recent = tree->recent[(uint64_t)key % CACHE_SLOTS];
    const level_cell *level = cell_level(arena, recent);
    if (level->key == key && level->order_count && level->side == tree->side) return recent;
    return level_tree_find_or_add_slow(tree, arena, key);
}

static inline void level_tree_remove(level_tree *tree, tree_pool *pool, cell_arena *arena,
                                     uint32_t cell) {
    (void)pool;
    if (cell != tree->best_level || tree->level_count == 1) {
        level_tree_remove_inside(tree, arena, cell);
        return;
    }
    uint32_t last = --tree->level_count;
    tree->best_key = tree->keys[last - 1];
    tree->best_level = tree->cells[last - 1];
    cell_give_level(arena, cell);
}

uint32_t level_tree_at_or_below(const level_tree *tree, const tree_pool *pool, int64_t key);
int level_tree_check(const level_tree *tree, const tree_pool *pool, const cell_arena *arena,
                     char *message, size_t size);

#endif
