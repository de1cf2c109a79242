/* tree.h - candidate: a B+tree of levels, with switches for what was tried on it.
 *
 * The structure is that of ../c/level_tree.h, whose guard this header takes so that it stands in
 * for it; all levels are in it, with a table of recent ones beside it. What can be varied:
 *
 *      NODE_FANOUT    entries of a node: 4 fill 64 bytes, 20 fill 256, 36 fill 448, 41 fill 512
 *      CACHE_SLOTS    entries of the table of recent levels; 0 leaves it out
 *      CACHE_MIXED    1: the upper bits of a key take part in choosing its entry
 *      APPEND         1: a level better than the best goes straight to the end of the last leaf
 *      LAST_LEAF      1: so do and leave, without a descent, all levels that belong there
 *      INLINE_REMOVE  1: taking off the best level is inlined into the book
 *      LEAF_OF        1: each level knows its leaf, so that taking it off needs no descent
 *      MOVE_BYTES     1: gaps are opened and closed by memmove instead of a loop
 */
#ifndef PHASE3_LEVEL_TREE_H
#define PHASE3_LEVEL_TREE_H

#include "../c/cells.h"

#ifndef NODE_FANOUT
#define NODE_FANOUT 20
#endif
#ifndef CACHE_SLOTS
#define CACHE_SLOTS 4096
#endif
#ifndef CACHE_MIXED
#define CACHE_MIXED 1
#endif
#ifndef APPEND
#define APPEND 1
#endif
#ifndef LAST_LEAF
#define LAST_LEAF 1
#endif
#ifndef INLINE_REMOVE
#define INLINE_REMOVE 1
#endif
#ifndef LEAF_OF
#define LEAF_OF 0
#endif
#ifndef MOVE_BYTES
#define MOVE_BYTES 0
#endif

#define TREE_MAX_HEIGHT 32
#define NODE_NONE UINT32_MAX

/* Neighbours under one parent are merged when together they fill at most this much of a node. */
#define MERGED_MOST (NODE_FANOUT < 8 ? NODE_FANOUT - 1 : NODE_FANOUT / 2)

typedef struct {
    int64_t keys[NODE_FANOUT];
    uint32_t children[NODE_FANOUT];
    uint32_t count;
    uint32_t worse_leaf;  /* of a leaf: the one before it; of a free node: the next free one */
    uint32_t better_leaf; /* of a leaf: the one after it */
    uint32_t is_leaf;
} tree_node;

typedef struct {
    tree_node *nodes;
    uint32_t *leaf_of; /* by level cell, when LEAF_OF */
    uint32_t free_node;
    uint32_t capacity;
    uint32_t used;
} tree_pool;

typedef struct {
    int64_t best_key;    /* INT64_MIN when there is no level */
    uint32_t best_level; /* CELL_NONE when there is no level */
    uint32_t best_leaf;  /* the last leaf */
    uint32_t root;
    uint32_t height; /* of the root above the leaves: 0 when the root is a leaf */
    uint32_t level_count;
    uint32_t side;
    int64_t mirror; /* key = price ^ mirror */
    tree_pool *pool;
    cell_arena *arena;
    uint32_t recent[CACHE_SLOTS ? CACHE_SLOTS : 1];
} level_tree;

size_t tree_pool_init(tree_pool *pool, uint32_t levels);
void tree_pool_free(tree_pool *pool);
void tree_pool_clear(tree_pool *pool);
void level_tree_clear(level_tree *tree, tree_pool *pool, uint32_t side);

uint32_t level_tree_find_or_add_slow(level_tree *tree, tree_pool *pool, cell_arena *arena,
                                     int64_t key);
void level_tree_remove_slow(level_tree *tree, tree_pool *pool, cell_arena *arena, uint32_t cell);

/* For a structure that keeps some levels elsewhere: put a level in, take it out, find it. */
void level_tree_put(level_tree *tree, tree_pool *pool, int64_t key, uint32_t cell);
void level_tree_take(level_tree *tree, tree_pool *pool, int64_t key);
uint32_t level_tree_find(const level_tree *tree, const tree_pool *pool, int64_t key);

static inline uint32_t *level_tree_recent(level_tree *tree, int64_t key) {
    uint64_t bits = (uint64_t)key;
    if (CACHE_MIXED) bits ^= bits >> 12 ^ bits >> 22;
    return &tree->recent[CACHE_SLOTS ? bits % (CACHE_SLOTS ? CACHE_SLOTS : 1) : 0];
}

static inline uint32_t level_tree_find_or_add(level_tree *tree, tree_pool *pool, cell_arena *arena,
                                              int64_t key) {
    if (APPEND && key > tree->best_key) {
        tree_node *leaf = &pool->nodes[tree->best_leaf];
        uint32_t count = leaf->count;
        if (count < NODE_FANOUT) {
            uint32_t cell = cell_take_level(arena, tree->side, key);
            leaf->keys[count] = key;
            leaf->children[count] = cell;
            leaf->count = count + 1;
            if (LEAF_OF) pool->leaf_of[cell] = tree->best_leaf;
            tree->best_key = key;
            tree->best_level = cell;
            tree->level_count++;
            if (CACHE_SLOTS) *level_tree_recent(tree, key) = cell;
            return cell;
        }
        return level_tree_find_or_add_slow(tree, pool, arena, key);
    }
    if (key == tree->best_key && tree->best_level != CELL_NONE) return tree->best_level;
    if (CACHE_SLOTS) {
        uint32_t recent = *level_tree_recent(tree, key);
        const level_cell *level = cell_level(arena, recent);
        if (level->key == key && level->order_count && level->side == tree->side) return recent;
    }
    return level_tree_find_or_add_slow(tree, pool, arena, key);
}

static inline void level_tree_remove(level_tree *tree, tree_pool *pool, cell_arena *arena,
                                     uint32_t cell) {
    if (INLINE_REMOVE && cell == tree->best_level) {
        tree_node *leaf = &pool->nodes[tree->best_leaf];
        if (leaf->count > 1) {
            uint32_t last = --leaf->count;
            leaf->keys[last] = INT64_MAX;
            tree->best_key = leaf->keys[last - 1];
            tree->best_level = leaf->children[last - 1];
            tree->level_count--;
            cell_give_level(arena, cell);
            return;
        }
    }
    level_tree_remove_slow(tree, pool, arena, cell);
}

uint32_t level_tree_at_or_below(const level_tree *tree, const tree_pool *pool, int64_t key);
int level_tree_check(const level_tree *tree, const tree_pool *pool, const cell_arena *arena,
                     char *message, size_t size);

#endif
