/* bitmap.h - candidate: the prices of levels as a 64-ary tree of bits whose words are hashed.
 *
 * A key has 64 bits; six of them choose a bit in a word, the rest names the word:
 *
 *      layer 10                    one word, always there: the root
 *        …
 *      layer 1    word = key >> 12     a bit for each word of layer 0 that is not empty
 *      layer 0    word = key >> 6      a bit for each level
 *
 * Only words with a bit set exist. They are found through a hash table (layer, side, number) →
 * word, and each knows its parent, so going up needs no hashing. The level of a price is found
 * through another hash table. The next best level is the highest bit left in the word of the best;
 * when there is none, the way leads up until there is one, and down again, a probe a layer.
 *
 * n levels need at most about 7 n words: a level far from all others has its own word in each
 * layer, but for the few at the top that all share.
 */
#ifndef PHASE3_LEVEL_TREE_H
#define PHASE3_LEVEL_TREE_H

#include "../c/cells.h"

#define BITMAP_LAYERS 11
#define WORD_NONE 0u

typedef struct {
    uint64_t tag; /* number << 5 | layer << 1 | side */
    uint64_t bits;
    uint32_t next; /* in its chain of the hash table, or of free words */
    uint32_t parent;
} bitmap_word;

typedef struct {
    bitmap_word *words;   /* words[0] is none */
    uint32_t *word_heads; /* chains by hash */
    uint32_t *level_heads;
    uint32_t *level_next; /* by level cell - first_level */
    uint32_t word_shift, word_slots;
    uint32_t level_shift, level_slots;
    uint32_t first_level;
    uint32_t free_word;
    uint32_t capacity;
    uint32_t used;
} tree_pool;

typedef struct {
    int64_t best_key;    /* INT64_MIN when there is no level */
    uint32_t best_level; /* CELL_NONE when there is no level */
    uint32_t best_word;  /* the word of layer 0 with its bit */
    uint32_t root;
    uint32_t level_count;
    uint32_t side;
    int64_t mirror; /* key = price ^ mirror */
    tree_pool *pool;
    cell_arena *arena;
} level_tree;

size_t tree_pool_init(tree_pool *pool, uint32_t levels);
void tree_pool_free(tree_pool *pool);
void tree_pool_clear(tree_pool *pool);
void level_tree_clear(level_tree *tree, tree_pool *pool, uint32_t side);

uint32_t level_tree_add(level_tree *tree, tree_pool *pool, cell_arena *arena, int64_t key);
void level_tree_remove(level_tree *tree, tree_pool *pool, cell_arena *arena, uint32_t cell);

/* The line of sixteen heads comes from the upper bits, the place in it from the lowest four: near
 * prices share lines, and prices at regular distances spread all the same. */
static inline uint32_t *bitmap_level_head(const tree_pool *pool, int64_t key) {
    uint64_t hash = (uint64_t)(key >> 4) * UINT64_C(0x9E3779B97F4A7C15);
    uint64_t line = hash >> pool->level_shift;
    return &pool->level_heads[line * 16 + (((uint64_t)key ^ hash >> 20) & 15)];
}

static inline uint32_t bitmap_level_find(const tree_pool *pool, const cell_arena *arena,
                                         uint32_t side, int64_t key) {
    uint32_t cell = *bitmap_level_head(pool, key);
    while (cell != CELL_NONE) {
        const level_cell *level = cell_level(arena, cell);
        if (level->key == key && level->side == side) break;
        cell = pool->level_next[cell - pool->first_level];
    }
    return cell;
}

static inline uint32_t level_tree_find_or_add(level_tree *tree, tree_pool *pool, cell_arena *arena,
                                              int64_t key) {
    if (key <= tree->best_key) {
        if (key == tree->best_key && tree->best_level != CELL_NONE) return tree->best_level;
        uint32_t cell = bitmap_level_find(pool, arena, tree->side, key);
        if (cell != CELL_NONE) return cell;
    }
    return level_tree_add(tree, pool, arena, key);
}

/* bitmap_at_or_below: whether there is a level with a key of at most `key`; its key in `found`. */
int bitmap_at_or_below(const level_tree *tree, const tree_pool *pool, int64_t key, int64_t *found);

uint32_t level_tree_at_or_below(const level_tree *tree, const tree_pool *pool, int64_t key);
int level_tree_check(const level_tree *tree, const tree_pool *pool, const cell_arena *arena,
                     char *message, size_t size);

#endif
