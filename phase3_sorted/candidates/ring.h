/* ring.h - candidate: the levels of one side in order of price, in the place of level_index.h.
 *
 * Prices are turned into keys so that the best level of either side has the largest key: a bid's
 * key is its price, an ask's the complement of it. One code path then serves both sides.
 *
 *      near each other   a ring of ticks under bitmaps (tick_ring.h): a handful of instructions
 *      far apart         a B+tree (level_tree.h): O(log levels), whatever the range of prices
 *
 * A level goes into the ring if its page is free or its own, and into the tree otherwise; it stays
 * where it was put.
 *
 * The best level is in hand. When it empties, the next one is the better of the ring's and the
 * tree's, and mostly need not be looked for: whoever becomes the best remembers whom it put second,
 * so that an order which improves the price and is withdrawn again costs no search either way.
 */
#ifndef PHASE3_LEVEL_INDEX_H
#define PHASE3_LEVEL_INDEX_H

#include "../c/tick_ring.h"
#include "../c/level_tree.h"

#define SECOND_UNKNOWN INT64_MAX /* above every key that could be second */

typedef struct {
    int64_t best_key;    /* INT64_MIN when there is no level */
    uint32_t best_level; /* CELL_NONE when there is no level */
    uint32_t level_count;
    int64_t second_key;    /* SECOND_UNKNOWN: look for it when it is wanted */
    uint32_t second_level; /* CELL_NONE when there is one level, or when it is unknown */
    uint32_t side;
    int64_t mirror; /* key = price ^ mirror */
    cell_arena *arena;
    tick_ring ring;
    level_tree tree;
} level_index;

/* level_index_init: take the memory of one side. Returns bytes, or 0 when there is none. */
size_t level_index_init(level_index *index, cell_arena *arena, uint32_t side);
void level_index_free(level_index *index);
/* level_index_clear: no levels. The pool has been cleared. */
void level_index_clear(level_index *index, tree_pool *pool);
/* level_index_check: 1, or 0 with the broken invariant in `message`. */
int level_index_check(const level_index *index, char *message, size_t size);

/* What the ring has no room for. O(log levels). */
uint32_t level_index_find_or_add_far(level_index *index, int64_t key);
void level_index_remove_far(level_index *index, int64_t key);

/* level_index_at_or_below: the best level whose key is at most `key`, or CELL_NONE. */
static inline uint32_t level_index_at_or_below(const level_index *index, int64_t key) {
    uint32_t near = ring_at_or_below(&index->ring, key);
    if (__builtin_expect(index->tree.level_count == 0, 1)) return near;
    uint32_t far = level_tree_at_or_below(&index->tree, key);
    if (near == CELL_NONE || far == CELL_NONE) return near | far;
    return cell_level(index->arena, near)->key > cell_level(index->arena, far)->key ? near : far;
}

/* level_index_next: the next worse level, or CELL_NONE. */
static inline uint32_t level_index_next(const level_index *index, uint32_t cell) {
    int64_t key = cell_level(index->arena, cell)->key;
    return key == INT64_MIN ? CELL_NONE : level_index_at_or_below(index, key - 1);
}

static inline int64_t level_index_key(const level_index *index, uint32_t cell) {
    return cell == CELL_NONE ? INT64_MIN : cell_level(index->arena, cell)->key;
}

static inline void level_index_count_in(level_index *index, int64_t key, uint32_t cell) {
    index->level_count++;
    if (key > index->best_key || index->best_level == CELL_NONE) {
        index->second_key = index->best_key;
        index->second_level = index->best_level;
        index->best_key = key;
        index->best_level = cell;
    } else if (key > index->second_key || index->level_count == 2) {
        index->second_key = key;
        index->second_level = cell;
    }
}

/* level_index_count_out: the level is in neither ring nor tree any more. */
static inline void level_index_count_out(level_index *index, int64_t key, uint32_t cell) {
    index->level_count--;
    if (cell == index->best_level) {
        if (index->second_key != SECOND_UNKNOWN) {
            index->best_key = index->second_key;
            index->best_level = index->second_level;
        } else {
            index->best_level = level_index_at_or_below(index, key);
            index->best_key = level_index_key(index, index->best_level);
        }
    } else if (cell != index->second_level) {
        return;
    }
    index->second_key = SECOND_UNKNOWN;
    index->second_level = CELL_NONE;
}

/* level_index_find_or_add: the level of that key, made if there was none. */
static inline uint32_t level_index_find_or_add(level_index *index, int64_t key) {
    if (__builtin_expect(!ring_has_room(&index->ring, key), 0))
        return level_index_find_or_add_far(index, key);
    uint32_t cell = ring_find(&index->ring, key);
    if (cell != CELL_NONE) return cell;
    if (__builtin_expect(index->tree.level_count != 0, 0)) {
        cell = level_tree_find(&index->tree, key);
        if (cell != CELL_NONE) return cell;
    }
    cell = cell_take_level(index->arena, index->side, key);
    ring_add(&index->ring, key, cell);
    level_index_count_in(index, key, cell);
    return cell;
}

/* level_index_remove: take out a level whose last order has gone, and free its cell. */
static inline void level_index_remove(level_index *index, uint32_t cell) {
    const level_cell *level = cell_level(index->arena, cell);
    int64_t key = level->key;
    if (__builtin_expect(level->is_in_tree, 0))
        level_index_remove_far(index, key);
    else
        ring_remove(&index->ring, key);
    level_index_count_out(index, key, cell);
    cell_give_level(index->arena, cell);
}

#endif
