/* level_tree.h - levels far apart in price: a B+tree whose best end is kept in hand.
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
 * entry of the last leaf, so taking it off shortens a leaf by one, and the next best stands before
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

/* The nodes that both sides of a book share. */
typedef struct {
    tree_node *nodes;
    uint32_t free_node;
    uint32_t capacity;
} tree_pool;

typedef struct {
    tree_pool *pool;
    uint32_t root;
    uint32_t height;    /* of the root above the leaves: 0 when the root is a leaf */
    uint32_t best_leaf; /* the last leaf */
    uint32_t level_count;
} level_tree;

/* tree_pool_init: nodes enough for `levels` levels. Returns bytes, or 0 when there is none. */
size_t tree_pool_init(tree_pool *pool, uint32_t levels);
void tree_pool_free(tree_pool *pool);
void tree_pool_clear(tree_pool *pool);

/* level_tree_clear: an empty tree that takes its nodes from the pool, which has been cleared. */
void level_tree_clear(level_tree *tree, tree_pool *pool);
/* level_tree_find: the level of that key, or CELL_NONE. O(log levels). */
uint32_t level_tree_find(const level_tree *tree, int64_t key);
/* level_tree_at_or_below: the best level whose key is at most `key`, or CELL_NONE. O(log levels). */
uint32_t level_tree_at_or_below(const level_tree *tree, int64_t key);
/* level_tree_add: a level whose key is not there. O(log levels). */
void level_tree_add(level_tree *tree, int64_t key, uint32_t cell);
/* level_tree_remove: the level of a key that is there. O(1) for the best, else O(log levels). */
void level_tree_remove(level_tree *tree, int64_t key);

/* level_tree_best: the level of the largest key, or CELL_NONE. O(1). */
static inline uint32_t level_tree_best(const level_tree *tree) {
    const tree_node *leaf = &tree->pool->nodes[tree->best_leaf];
    return leaf->count ? leaf->children[leaf->count - 1] : CELL_NONE;
}

/* level_tree_check: 1, or 0 with the broken invariant in `message`. O(levels). */
int level_tree_check(const level_tree *tree, const cell_arena *arena, char *message, size_t size);

#endif
