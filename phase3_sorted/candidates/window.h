/* window.h - candidate: a ring of ticks for the prices near the touch, a tree for all others.
 *
 *      keys            tree  │ low      the window      high │  tree
 *                      ──────┼───────────────────────────────┼──────▶ better
 *      ring place            │        key % RING_TICKS       │
 *
 * The window is a stretch of at most RING_TICKS keys that has none of the tree's levels in it; all
 * levels within are in the ring, all others in the tree. In the ring a level is found by its key and
 * the next best by a bitmap: 64 words with a bit for each tick, one word over them.
 *
 * The window moves with the touch. A new best level above it pulls its upper end up, and levels
 * that leave at the lower end go to the tree, a few at most: with more to move, or with levels of
 * the tree in between, the new level goes to the tree itself. When the ring falls empty the window
 * opens again around the best level of the tree and takes a few from there. So no command moves
 * more than MOVED_MOST levels.
 */
#ifndef PHASE3_LEVEL_TREE_H
#define level_tree outer_tree
#define level_tree_clear outer_tree_clear
#define level_tree_find_or_add outer_tree_find_or_add
#define level_tree_find_or_add_slow outer_tree_find_or_add_slow
#define level_tree_remove outer_tree_remove
#define level_tree_remove_slow outer_tree_remove_slow
#define level_tree_recent outer_tree_recent
#define level_tree_put outer_tree_put
#define level_tree_take outer_tree_take
#define level_tree_find outer_tree_find
#define level_tree_at_or_below outer_tree_at_or_below
#define level_tree_check outer_tree_check
#include "tree.h"
#undef level_tree
#undef level_tree_clear
#undef level_tree_find_or_add
#undef level_tree_find_or_add_slow
#undef level_tree_remove
#undef level_tree_remove_slow
#undef level_tree_recent
#undef level_tree_put
#undef level_tree_take
#undef level_tree_find
#undef level_tree_at_or_below
#undef level_tree_check

#define RING_TICKS 4096
#define RING_WORDS (RING_TICKS / 64)
#ifndef MOVED_MOST
#define MOVED_MOST 2
#endif

static_assert(RING_WORDS == 64, "one word over all words of the ring");

typedef struct {
    int64_t best_key;    /* INT64_MIN when there is no level */
    uint32_t best_level; /* CELL_NONE when there is no level */
    uint32_t level_count;
    uint32_t ring_count;
    uint32_t side;
    int64_t mirror;    /* key = price ^ mirror */
    tree_pool *pool;
    cell_arena *arena;
    int64_t low;       /* the window is [low, low + width) */
    uint64_t width;    /* 0: there is none, and the ring is empty */
    int64_t ring_best; /* the best key in the ring, when that is not empty */
    uint64_t words_with_bits;
    uint64_t bits[RING_WORDS];
    uint32_t cells[RING_TICKS];
    outer_tree outer;
} level_tree;

void level_tree_clear(level_tree *tree, tree_pool *pool, uint32_t side);
uint32_t level_tree_find_or_add_slow(level_tree *tree, tree_pool *pool, cell_arena *arena,
                                     int64_t key);
void level_tree_remove(level_tree *tree, tree_pool *pool, cell_arena *arena, uint32_t cell);

static inline int window_has(const level_tree *tree, int64_t key) {
    return (uint64_t)key - (uint64_t)tree->low < tree->width;
}

static inline void ring_put(level_tree *tree, int64_t key, uint32_t cell) {
    uint64_t place = (uint64_t)key % RING_TICKS;
    tree->cells[place] = cell;
    tree->bits[place / 64] |= UINT64_C(1) << place % 64;
    tree->words_with_bits |= UINT64_C(1) << place / 64;
    if (tree->ring_count++ == 0 || key > tree->ring_best) tree->ring_best = key;
}

static inline uint32_t level_tree_find_or_add(level_tree *tree, tree_pool *pool, cell_arena *arena,
                                              int64_t key) {
    if (!window_has(tree, key)) return level_tree_find_or_add_slow(tree, pool, arena, key);
    uint32_t cell = tree->cells[(uint64_t)key % RING_TICKS];
    if (cell != CELL_NONE) return cell;
    cell = cell_take_level(arena, tree->side, key);
    ring_put(tree, key, cell);
    tree->level_count++;
    if (key >= tree->best_key) {
        tree->best_key = key;
        tree->best_level = cell;
    }
    return cell;
}

uint32_t level_tree_at_or_below(const level_tree *tree, const tree_pool *pool, int64_t key);
int level_tree_check(const level_tree *tree, const tree_pool *pool, const cell_arena *arena,
                     char *message, size_t size);

#endif
