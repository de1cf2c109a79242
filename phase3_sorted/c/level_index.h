/* level_index.h - the levels of one side in order of price.
 *
 * Prices are turned into keys so that the best level of either side has the largest key: a bid's
 * key is its price, an ask's the complement of it. One code path then serves both sides.
 *
 *      near each other   a ring of ticks under bitmaps (tick_ring.h): a handful of instructions
 *      far apart         a B+tree (level_tree.h): O(log levels), whatever the range of prices
 *
 * A level goes into the ring when its page of the ring belongs to its prices already, or when that
 * page is free and the level is within a quarter of the ring of the best; otherwise into the tree. It
 * stays where it was put. So the pages in use are mostly neighbours: the way from one to the next is
 * a step, and prices that wander over millions of ticks do not leave levels all around the ring, each
 * a cold line, with pages between them that belong elsewhere. The tree has such levels next to each
 * other, and its best in hand.
 *
 * The best level is in hand. When it empties, the next one is the better of the ring's and the
 * tree's, and mostly need not be looked for: whoever becomes the best remembers whom it put second,
 * so that an order which improves the price and is withdrawn again costs no search either way.
 */
#ifndef PHASE3_LEVEL_INDEX_H
#define PHASE3_LEVEL_INDEX_H

#include "level_tree.h"
#include "tick_ring.h"

/* How near to the best a level opens a page of the ring. */
#define NEAR_TICKS (RING_TICKS / 4)

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

/* level_index_far_best_key: the largest key in the tree, or INT64_MIN when that is empty. */
static inline int64_t level_index_far_best_key(const level_index *index) {
    const tree_node *leaf = &index->tree.pool->nodes[index->tree.best_leaf];
    return leaf->count ? leaf->keys[leaf->count - 1] : INT64_MIN;
}

/* level_index_next_best: the best level, at `key`, has gone: the ring's best is next, or the
 * tree's. */
static inline void level_index_next_best(level_index *index, int64_t key) {
    index->best_level = ring_at_or_below(&index->ring, key);
    index->best_key = level_index_key(index, index->best_level);
    if (index->tree.level_count != 0 && index->best_key <= level_index_far_best_key(index)) {
        index->best_level = level_tree_best(&index->tree);
        index->best_key = level_index_far_best_key(index);
    }
}

/* --8<-- [start:second] */
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
            level_index_next_best(index, key);
        }
    } else if (cell != index->second_level) {
        return;
    }
    index->second_key = SECOND_UNKNOWN;
    index->second_level = CELL_NONE;
}
/* --8<-- [end:second] */

/* level_index_find_far: the level of a key in the tree, or CELL_NONE. Above the tree's best there
 * is nothing to look for: that is where most new levels are. */
static inline uint32_t level_index_find_far(const level_index *index, int64_t key) {
    if (index->tree.level_count == 0 || key > level_index_far_best_key(index)) return CELL_NONE;
    return level_tree_find(&index->tree, key);
}

/* level_index_add_far: a new level into the tree. One better than all there goes to the end of the
 * last leaf, whose bound above is open. O(1) for that, else O(log levels). */
static inline void level_index_add_far(level_index *index, int64_t key, uint32_t cell) {
    tree_node *last = &index->tree.pool->nodes[index->tree.best_leaf];
    uint32_t count = last->count;
    cell_level(index->arena, cell)->is_in_tree = 1;
    if (key > level_index_far_best_key(index) && count < NODE_FANOUT) {
        last->keys[count] = key;
        last->children[count] = cell;
        last->count = count + 1;
        index->tree.level_count++;
    } else {
        level_tree_add(&index->tree, key, cell);
    }
}

/* level_index_remove_far: a level out of the tree. O(1) for the best there, but for the last one of
 * its leaf, else O(log levels). */
static inline void level_index_remove_far(level_index *index, int64_t key) {
    tree_node *last = &index->tree.pool->nodes[index->tree.best_leaf];
    uint32_t count = last->count;
    if (count > 1 && last->keys[count - 1] == key) {
        last->keys[count - 1] = INT64_MAX;
        last->count = count - 1;
        index->tree.level_count--;
    } else {
        level_tree_remove(&index->tree, key);
    }
}

/* level_index_opens_page: whether a new level is near enough to the best for a page of its own. */
static inline int level_index_opens_page(const level_index *index, int64_t key) {
    uint64_t above_lowest = (uint64_t)key - (uint64_t)index->best_key + NEAR_TICKS;
    return above_lowest <= 2 * NEAR_TICKS || index->level_count == 0;
}

/* level_index_find_or_add: the level of that key, made if there was none. */
static inline uint32_t level_index_find_or_add(level_index *index, int64_t key) {
    int is_near = ring_holds(&index->ring, key);
    if (is_near) {
        uint32_t cell = ring_find(&index->ring, key);
        if (cell != CELL_NONE) return cell;
    } else {
        is_near = ring_has_room(&index->ring, key) && level_index_opens_page(index, key);
    }
    uint32_t cell = level_index_find_far(index, key);
    if (cell != CELL_NONE) return cell;
    cell = cell_take_level(index->arena, index->side, key);
    if (is_near)
        ring_add(&index->ring, key, cell);
    else
        level_index_add_far(index, key, cell);
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
