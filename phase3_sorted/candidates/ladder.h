/* ladder.h - candidate, as a yardstick: a place for every price there can be, and a bitmap over it.
 *
 *      cells   [ . . . c . . c . … ]       one 32-bit number for each tick of the range
 *      layer 0 [ 0 0 0 1 0 0 1 0 … ]       a bit for each tick; layer 1 a bit for each word of
 *                                          layer 0, and so on up to a single word
 *
 * Nothing is searched, ever. Its memory is that of the range, not of the book: it exists only where
 * the range is some millions of ticks, and two levels far apart are two cold lines of it. The range
 * is set in `ladder_range` before a book is made.
 */
#ifndef PHASE3_LEVEL_TREE_H
#define PHASE3_LEVEL_TREE_H

#include "../c/cells.h"

#define LADDER_MAX_LAYERS 5

extern struct ladder_range {
    int64_t first_price;
    int64_t ticks;
} ladder_range;

typedef struct {
    uint32_t *cells[2];
    uint64_t *bits[2][LADDER_MAX_LAYERS];
    uint32_t layers;
    uint32_t capacity;
    uint32_t used;
} tree_pool;

typedef struct {
    int64_t best_key;    /* INT64_MIN when there is no level */
    uint32_t best_level; /* CELL_NONE when there is no level */
    uint32_t level_count;
    uint32_t side;
    uint32_t layers;
    int64_t mirror; /* key = price ^ mirror */
    tree_pool *pool;
    cell_arena *arena;
    int64_t lowest_key;
    uint32_t *cells;
    uint64_t *bits[LADDER_MAX_LAYERS];
} level_tree;

size_t tree_pool_init(tree_pool *pool, uint32_t levels);
void tree_pool_free(tree_pool *pool);
void tree_pool_clear(tree_pool *pool);
void level_tree_clear(level_tree *tree, tree_pool *pool, uint32_t side);

/* ladder_at_or_below: the highest place with a level that is at most `place`, or -1. */
static inline int64_t ladder_at_or_below(const level_tree *tree, int64_t place) {
    uint64_t index = (uint64_t)place, allowed = UINT64_MAX >> (63 - (index & 63));
    for (uint32_t layer = 0; layer < tree->layers; layer++) {
        uint64_t bits = tree->bits[layer][index >> 6] & allowed;
        index >>= 6;
        if (bits) {
            index = index << 6 | (63 - (uint64_t)__builtin_clzll(bits));
            while (layer > 0) {
                bits = tree->bits[--layer][index];
                index = index << 6 | (63 - (uint64_t)__builtin_clzll(bits));
            }
            return (int64_t)index;
        }
        allowed = (UINT64_C(1) << (index & 63)) - 1;
    }
    return -1;
}

static inline uint32_t level_tree_find_or_add(level_tree *tree, tree_pool *pool, cell_arena *arena,
                                              int64_t key) {
    (void)pool;
    uint64_t place = (uint64_t)(key - tree->lowest_key);
    uint32_t cell = tree->cells[place];
    if (cell != CELL_NONE) return cell;
    cell = cell_take_level(arena, tree->side, key);
    tree->cells[place] = cell;
    tree->level_count++;
    for (uint32_t layer = 0; layer < tree->layers; layer++) {
        uint64_t *word = &tree->bits[layer][place >> 6], before = *word;
        *word = before | UINT64_C(1) << (place & 63);
        if (before) break;
        place >>= 6;
    }
    if (key >= tree->best_key) {
        tree->best_key = key;
        tree->best_level = cell;
    }
    return cell;
}

static inline void level_tree_remove(level_tree *tree, tree_pool *pool, cell_arena *arena,
                                     uint32_t cell) {
    (void)pool;
    int64_t key = cell_level(arena, cell)->key;
    uint64_t place = (uint64_t)(key - tree->lowest_key), index = place;
    tree->cells[place] = CELL_NONE;
    tree->level_count--;
    for (uint32_t layer = 0; layer < tree->layers; layer++) {
        uint64_t left = tree->bits[layer][index >> 6] &= ~(UINT64_C(1) << (index & 63));
        if (left) break;
        index >>= 6;
    }
    if (cell == tree->best_level) {
        int64_t best = ladder_at_or_below(tree, (int64_t)place);
        tree->best_key = best < 0 ? INT64_MIN : tree->lowest_key + best;
        tree->best_level = best < 0 ? CELL_NONE : tree->cells[best];
    }
    cell_give_level(arena, cell);
}

uint32_t level_tree_at_or_below(const level_tree *tree, const tree_pool *pool, int64_t key);
int level_tree_check(const level_tree *tree, const tree_pool *pool, const cell_arena *arena,
                     char *message, size_t size);

#endif
