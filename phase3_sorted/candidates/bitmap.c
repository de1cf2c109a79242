/* bitmap.c - candidate: setting and clearing bits in a tree of hashed words; see bitmap.h. */
#include "bitmap.h"

#include <inttypes.h>
#include <string.h>

#include "../c/memory.h"

static uint32_t bits_for(uint64_t count) {
    uint32_t bits = 4;
    while ((UINT64_C(1) << bits) < count) bits++;
    return bits;
}

/* The most words that `levels` levels of two sides can need: in the layers near the root as many as
 * there can be, in the others one a level. And the two roots, and words[0]. */
static uint64_t words_needed(uint64_t levels) {
    uint64_t words = 3, most = 2;
    for (uint32_t layer = 0; layer < BITMAP_LAYERS; layer++) {
        words += most < levels ? most : levels;
        if (most < levels) most *= layer ? 64 : 16;
    }
    return words;
}

size_t tree_pool_init(tree_pool *pool, uint32_t levels) {
    memset(pool, 0, sizeof *pool);
    uint64_t words = words_needed(levels);
    uint32_t word_bits = bits_for(words / 2), level_bits = bits_for(2 * (uint64_t)levels);
    pool->capacity = (uint32_t)words;
    pool->first_level = levels + 1;
    pool->word_slots = 1u << word_bits;
    pool->word_shift = 64 - word_bits;
    pool->level_slots = 1u << level_bits;
    pool->level_shift = level_bits > 4 ? 64 - (level_bits - 4) : 63;
    if (level_bits == 4) pool->level_slots = 32;
    size_t word_bytes = (size_t)words * sizeof(bitmap_word);
    size_t head_bytes = pool->word_slots * sizeof(uint32_t);
    size_t level_bytes = pool->level_slots * sizeof(uint32_t);
    size_t next_bytes = (size_t)levels * sizeof(uint32_t);
    pool->words = memory_take(word_bytes);
    pool->word_heads = memory_take(head_bytes);
    pool->level_heads = memory_take(level_bytes);
    pool->level_next = memory_take(next_bytes);
    if (!pool->words || !pool->word_heads || !pool->level_heads || !pool->level_next) {
        tree_pool_free(pool);
        return 0;
    }
    tree_pool_clear(pool);
    return word_bytes + head_bytes + level_bytes + next_bytes;
}

void tree_pool_free(tree_pool *pool) {
    memory_give(pool->words);
    memory_give(pool->word_heads);
    memory_give(pool->level_heads);
    memory_give(pool->level_next);
    memset(pool, 0, sizeof *pool);
}

void tree_pool_clear(tree_pool *pool) {
    memset(pool->word_heads, 0, pool->word_slots * sizeof(uint32_t));
    memset(pool->level_heads, 0, pool->level_slots * sizeof(uint32_t));
    for (uint32_t i = 0; i < pool->capacity; i++)
        pool->words[i].next = i + 1 < pool->capacity ? i + 1 : WORD_NONE;
    pool->free_word = 1;
    pool->used = 0;
}

static inline uint64_t word_tag(uint32_t side, uint32_t layer, uint64_t number) {
    return number << 5 | layer << 1 | side;
}

static inline uint32_t *word_head(const tree_pool *pool, uint64_t tag) {
    return &pool->word_heads[tag * UINT64_C(0x9E3779B97F4A7C15) >> pool->word_shift];
}

static inline uint32_t word_find(const tree_pool *pool, uint64_t tag) {
    uint32_t index = *word_head(pool, tag);
    while (index != WORD_NONE && pool->words[index].tag != tag) index = pool->words[index].next;
    return index;
}

static uint32_t word_take(tree_pool *pool, uint64_t tag, uint64_t bits) {
    uint32_t index = pool->free_word, *head = word_head(pool, tag);
    CHECK(index != WORD_NONE);
    bitmap_word *word = &pool->words[index];
    pool->free_word = word->next;
    pool->used++;
    *word = (bitmap_word){tag, bits, *head, WORD_NONE};
    *head = index;
    return index;
}

static void word_give(tree_pool *pool, uint32_t index) {
    uint32_t *link = word_head(pool, pool->words[index].tag);
    while (*link != index) link = &pool->words[*link].next;
    *link = pool->words[index].next;
    pool->words[index].next = pool->free_word;
    pool->free_word = index;
    pool->used--;
}

/* Keys in order as unsigned numbers. */
static inline uint64_t key_rank(int64_t key) {
    return (uint64_t)key ^ UINT64_C(1) << 63;
}

static inline int64_t rank_key(uint64_t rank) {
    return (int64_t)(rank ^ UINT64_C(1) << 63);
}

static inline uint64_t highest_bit(uint64_t bits) {
    return 63 - (uint64_t)__builtin_clzll(bits);
}

static inline uint64_t word_number(const bitmap_word *word) {
    return word->tag >> 5;
}

void level_tree_clear(level_tree *tree, tree_pool *pool, uint32_t side) {
    memset(tree, 0, sizeof *tree);
    tree->side = side;
    tree->mirror = side == SIDE_BID ? 0 : -1;
    tree->best_key = INT64_MIN;
    tree->best_level = CELL_NONE;
    tree->root = word_take(pool, word_tag(side, BITMAP_LAYERS - 1, 0), 0);
}

/* word_climb: make the words above a new word of layer 0, up to the first that is there. */
static void word_climb(tree_pool *pool, uint32_t side, uint32_t child) {
    uint64_t number = word_number(&pool->words[child]);
    for (uint32_t layer = 1; layer < BITMAP_LAYERS; layer++) {
        uint64_t bit = UINT64_C(1) << (number & 63);
        number >>= 6;
        uint64_t tag = word_tag(side, layer, number);
        uint32_t parent = word_find(pool, tag);
        if (parent != WORD_NONE) {
            pool->words[parent].bits |= bit;
            pool->words[child].parent = parent;
            return;
        }
        parent = word_take(pool, tag, bit);
        pool->words[child].parent = parent;
        child = parent;
    }
}

uint32_t level_tree_add(level_tree *tree, tree_pool *pool, cell_arena *arena, int64_t key) {
    uint32_t cell = cell_take_level(arena, tree->side, key), *head = bitmap_level_head(pool, key);
    pool->level_next[cell - pool->first_level] = *head;
    *head = cell;

    uint64_t rank = key_rank(key), bit = UINT64_C(1) << (rank & 63);
    uint64_t tag = word_tag(tree->side, 0, rank >> 6);
    uint32_t word = tree->best_word;
    if (word == WORD_NONE || pool->words[word].tag != tag) word = word_find(pool, tag);
    if (word != WORD_NONE) {
        pool->words[word].bits |= bit;
    } else {
        word = word_take(pool, tag, bit);
        word_climb(pool, tree->side, word);
    }
    if (key > tree->best_key || tree->best_level == CELL_NONE) {
        tree->best_key = key;
        tree->best_level = cell;
        tree->best_word = word;
    }
    tree->level_count++;
    return cell;
}

/* word_highest: the word of layer 0 with the highest key at or below that word, which is of the
 * layer and has a bit set. */
static uint32_t word_highest(const tree_pool *pool, uint32_t side, uint32_t layer, uint32_t word) {
    while (layer > 0) {
        uint64_t number = word_number(&pool->words[word]) << 6;
        number |= highest_bit(pool->words[word].bits);
        word = word_find(pool, word_tag(side, --layer, number));
    }
    return word;
}

static inline uint64_t word_highest_rank(const bitmap_word *word) {
    return word_number(word) << 6 | highest_bit(word->bits);
}

/* word_drop: give a word of layer 0 without bits back, and those above it that lose their last one.
 * The best level was in it when `was_best`: then the next best word is returned. */
static uint32_t word_drop(level_tree *tree, tree_pool *pool, uint32_t word, int was_best) {
    for (uint32_t layer = 1; layer < BITMAP_LAYERS; layer++) {
        uint32_t parent = pool->words[word].parent;
        uint64_t bit = UINT64_C(1) << (word_number(&pool->words[word]) & 63);
        pool->words[parent].bits &= ~bit;
        word_give(pool, word);
        if (pool->words[parent].bits)
            return was_best ? word_highest(pool, tree->side, layer, parent) : WORD_NONE;
        word = parent;
    }
    return WORD_NONE;
}

void level_tree_remove(level_tree *tree, tree_pool *pool, cell_arena *arena, uint32_t cell) {
    int64_t key = cell_level(arena, cell)->key;
    uint32_t *link = bitmap_level_head(pool, key);
    while (*link != cell) link = &pool->level_next[*link - pool->first_level];
    *link = pool->level_next[cell - pool->first_level];
    cell_give_level(arena, cell);
    tree->level_count--;

    int was_best = cell == tree->best_level;
    uint64_t rank = key_rank(key);
    uint32_t word = was_best ? tree->best_word
                             : word_find(pool, word_tag(tree->side, 0, rank >> 6));
    pool->words[word].bits &= ~(UINT64_C(1) << (rank & 63));
    if (pool->words[word].bits == 0) word = word_drop(tree, pool, word, was_best);
    if (!was_best) return;
    tree->best_word = word;
    if (word == WORD_NONE) {
        tree->best_key = INT64_MIN;
        tree->best_level = CELL_NONE;
    } else {
        tree->best_key = rank_key(word_highest_rank(&pool->words[word]));
        tree->best_level = bitmap_level_find(pool, arena, tree->side, tree->best_key);
    }
}

int bitmap_at_or_below(const level_tree *tree, const tree_pool *pool, int64_t key, int64_t *found) {
    uint64_t number = key_rank(key), allowed = UINT64_MAX >> (63 - (number & 63));
    for (uint32_t layer = 0; layer < BITMAP_LAYERS; layer++) {
        number >>= 6;
        uint32_t word = word_find(pool, word_tag(tree->side, layer, number));
        uint64_t bits = word == WORD_NONE ? 0 : pool->words[word].bits & allowed;
        if (bits) {
            uint64_t rank = number << 6 | highest_bit(bits);
            for (; layer > 0; layer--) {
                word = word_find(pool, word_tag(tree->side, layer - 1, rank));
                rank = rank << 6 | highest_bit(pool->words[word].bits);
            }
            *found = rank_key(rank);
            return 1;
        }
        allowed = (UINT64_C(1) << (number & 63)) - 1;
    }
    return 0;
}

uint32_t level_tree_at_or_below(const level_tree *tree, const tree_pool *pool, int64_t key) {
    int64_t found;
    if (!bitmap_at_or_below(tree, pool, key, &found)) return CELL_NONE;
    return bitmap_level_find(pool, tree->arena, tree->side, found);
}

#define REQUIRE(condition, ...)                   \
    do {                                          \
        if (!(condition)) {                       \
            snprintf(message, size, __VA_ARGS__); \
            return 0;                             \
        }                                         \
    } while (0)

/* A word and all below it: each bit has its word or its level, each word its parent. */
static int word_check(const level_tree *tree, const tree_pool *pool, uint32_t index, uint32_t layer,
                      uint32_t *levels, char *message, size_t size) {
    const bitmap_word *word = &pool->words[index];
    REQUIRE(word->bits || index == tree->root, "word %u is empty", index);
    for (uint64_t bits = word->bits; bits; bits &= bits - 1) {
        uint64_t number = word_number(word) << 6 | (uint64_t)__builtin_ctzll(bits);
        if (layer == 0) {
            REQUIRE(bitmap_level_find(pool, tree->arena, tree->side, rank_key(number)) != CELL_NONE,
                    "key %" PRId64 " has a bit and no level", rank_key(number));
            ++*levels;
            continue;
        }
        uint32_t child = word_find(pool, word_tag(tree->side, layer - 1, number));
        REQUIRE(child != WORD_NONE, "word %u: a bit without a word", index);
        REQUIRE(pool->words[child].parent == index, "word %u: wrong parent", child);
        if (!word_check(tree, pool, child, layer - 1, levels, message, size)) return 0;
    }
    return 1;
}

int level_tree_check(const level_tree *tree, const tree_pool *pool, const cell_arena *arena,
                     char *message, size_t size) {
    uint32_t levels = 0;
    (void)arena;
    if (!word_check(tree, pool, tree->root, BITMAP_LAYERS - 1, &levels, message, size)) return 0;
    REQUIRE(levels == tree->level_count, "%u levels, %u counted", levels, tree->level_count);
    REQUIRE(level_tree_at_or_below(tree, pool, INT64_MAX) == tree->best_level, "best level %u",
            tree->best_level);
    int64_t best = INT64_MIN;
    bitmap_at_or_below(tree, pool, INT64_MAX, &best);
    REQUIRE(tree->best_key == best, "best key %" PRId64, tree->best_key);
    REQUIRE(!levels || word_highest_rank(&pool->words[tree->best_word]) == key_rank(best),
            "best word %u", tree->best_word);
    return 1;
}
