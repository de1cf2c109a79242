/* level_tree.h - the levels of one side in order of price: a B+tree whose best end is kept in hand.
 *
 * Prices are turned into keys so that the best level of either side has the largest key: a bid's
 * key is its price, an ask's the complement of it. One code path then serves both sides.
 *
 *      node   keys      [ k0 ≤ k1 ≤ … ≤ kn , MAX, MAX, … ]    unused keys are INT64_MAX
 *             children  [ c0   c1   …   cn  ]
 *
 *      leaf:  ki is a level's key and ci its cell.
 *      inner: ki is an upper bound of all keys below ci. The last bound of every inner node is
 *             INT64_MAX, so that each key has a child to go to, wherever its parent's bound lies.
 *
 * Where x belongs in a node is the number of its keys below x, counted over the whole fixed array
 * without a branch, which compilers turn into vector instructions. The best level is the last
 * entry of the last leaf, so taking it off shortens a leaf by one and the next best stands before
 * it. Nodes come from an array taken at the start; a node that falls empty, or fits into its
 * neighbour with room to spare, goes back.
 */
#ifndef PHASE3_LEVEL_TREE_H
#define PHASE3_LEVEL_TREE_H

#include "cells.h"

#ifndef NODE_FANOUT
#define NODE_FANOUT 20
#endif
#define TREE_MAX_HEIGHT 24
#define NODE_NONE UINT32_MAX

typedef struct {
    int64_t keys[NODE_FANOUT];
    uint32_t children[NODE_FANOUT];
    uint32_t count;
    uint32_t worse_leaf;  /* of a leaf: the one before it; of a free node: the next free one */
    uint32_t better_leaf; /* of a leaf: the one after it */
    uint32_t is_leaf;
} tree_node;

static_assert(sizeof(tree_node) == 256, "a node is four cache lines");

/* The nodes both sides of a book share. */
typedef struct {
    tree_node *nodes;
    uint32_t free_node;
    uint32_t capacity;
    uint32_t used;
} tree_pool;

#define LEVEL_CACHE_SLOTS 16384u

typedef struct {
    int64_t best_key;    /* INT64_MIN when there is no level */
    uint32_t best_level; /* CELL_NONE when there is no level */
    uint32_t best_leaf;  /* the last leaf */
    uint32_t root;
    uint32_t height; /* of the root above the leaves: 0 when the root is a leaf */
    uint32_t level_count;
    uint32_t side;
    int64_t mirror;                     /* key = price ^ mirror */
    uint32_t recent[LEVEL_CACHE_SLOTS]; /* a level lately used, by the low bits of its key */
} level_tree;

/* tree_pool_init: nodes enough for `levels` levels. Returns bytes, or 0 when there is none. */
size_t tree_pool_init(tree_pool *pool, uint32_t levels);
void tree_pool_free(tree_pool *pool);
void tree_pool_clear(tree_pool *pool);

void level_tree_clear(level_tree *tree, tree_pool *pool, uint32_t side);

/* level_tree_find_or_add: the level of that key, made if there was none. O(log levels). */
uint32_t level_tree_find_or_add_slow(level_tree *tree, tree_pool *pool, cell_arena *arena,
                                     int64_t key);
/* level_tree_remove: take out an empty level and free its cell. O(1) for the best level, else
 * O(log levels). */
void level_tree_remove(level_tree *tree, tree_pool *pool, cell_arena *arena, uint32_t cell);

static inline uint32_t level_tree_find_or_add(level_tree *tree, tree_pool *pool, cell_arena *arena,
                                              int64_t key) {
    if (key == tree->best_key && tree->best_level != CELL_NONE) return tree->best_level;
    uint32_t recent = tree->recent[(uint64_t)key % LEVEL_CACHE_SLOTS];
    const level_cell *level = cell_level(arena, recent);
    if (level->key == key && level->order_count && level->side == tree->side) return recent;
    return level_tree_find_or_add_slow(tree, pool, arena, key);
}

/* Walking the levels from the best to the worst: level_tree_first, then level_tree_next until the
 * cell is CELL_NONE. The tree must not change meanwhile. O(1) a step. */
typedef struct {
    uint32_t leaf;
    uint32_t entry;
    uint32_t cell;
} level_cursor;

static inline level_cursor level_tree_first(const level_tree *tree, const tree_pool *pool) {
    uint32_t count = pool->nodes[tree->best_leaf].count;
    return (level_cursor){tree->best_leaf, count ? count - 1 : 0, tree->best_level};
}

static inline void level_tree_next(const tree_pool *pool, level_cursor *at) {
    if (at->entry == 0) {
        at->leaf = pool->nodes[at->leaf].worse_leaf;
        if (at->leaf == NODE_NONE) {
            at->cell = CELL_NONE;
            return;
        }
        at->entry = pool->nodes[at->leaf].count;
    }
    at->cell = pool->nodes[at->leaf].children[--at->entry];
}

/* level_tree_at_or_below: the best level whose key is at most `key`, or CELL_NONE. O(log levels). */
uint32_t level_tree_at_or_below(const level_tree *tree, const tree_pool *pool, int64_t key);

/* level_tree_check: 1, or 0 with the broken invariant in `message`. O(levels). */
int level_tree_check(const level_tree *tree, const tree_pool *pool, const cell_arena *arena,
                     char *message, size_t size);

#endif
