/* window.c - candidate: a window of ticks that follows the touch; see window.h. The tree for all
 * other levels is compiled in here, under the names window.h gives it. */
#include "window.h"

#include <inttypes.h>
#include <string.h>

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
#include "tree.c"
#include "tree_check.c"
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

void level_tree_clear(level_tree *tree, tree_pool *pool, uint32_t side) {
    memset(tree, 0, sizeof *tree);
    tree->side = side;
    tree->mirror = side == SIDE_BID ? 0 : -1;
    tree->best_key = INT64_MIN;
    tree->best_level = CELL_NONE;
    outer_tree_clear(&tree->outer, pool, side);
}

/* ring_distance_down: from a place, going down and around, how far it is to one with a level. The
 * ring is not empty. */
static uint64_t ring_distance_down(const level_tree *tree, uint64_t place) {
    uint64_t word = place / 64, bits = tree->bits[word] << (63 - place % 64);
    if (bits) return (uint64_t)__builtin_clzll(bits);
    /* Turned so that the word before this one is the highest, and this one the lowest. */
    uint64_t words = tree->words_with_bits;
    words = words << ((64 - word) & 63) | words >> word;
    uint64_t back = (uint64_t)__builtin_clzll(words) + 1;
    uint64_t found = (word - back) % 64;
    return place % 64 + 1 + (back - 1) * 64 + (uint64_t)__builtin_clzll(tree->bits[found]);
}

/* ring_distance_up: the same, going up. */
static uint64_t ring_distance_up(const level_tree *tree, uint64_t place) {
    for (uint64_t distance = 0;;) {
        uint64_t at = (place + distance) % RING_TICKS;
        uint64_t bits = tree->bits[at / 64] >> at % 64;
        if (bits) return distance + (uint64_t)__builtin_ctzll(bits);
        distance += 64 - at % 64;
    }
}

static uint32_t ring_take(level_tree *tree, int64_t key) {
    uint64_t place = (uint64_t)key % RING_TICKS;
    uint32_t cell = tree->cells[place];
    tree->cells[place] = CELL_NONE;
    uint64_t left = tree->bits[place / 64] &= ~(UINT64_C(1) << place % 64);
    if (left == 0) tree->words_with_bits &= ~(UINT64_C(1) << place / 64);
    tree->ring_count--;
    if (key == tree->ring_best && tree->ring_count)
        tree->ring_best -= (int64_t)ring_distance_down(tree, place);
    return cell;
}

static void window_update_best(level_tree *tree) {
    int outer_is_best = tree->ring_count == 0 || tree->outer.best_key > tree->ring_best;
    tree->best_key = outer_is_best ? tree->outer.best_key : tree->ring_best;
    tree->best_level = outer_is_best ? tree->outer.best_level
                                     : tree->cells[(uint64_t)tree->ring_best % RING_TICKS];
}

/* window_open: around a new best key, which the ring, now empty, is to take in; not further down
 * than the tree allows. */
static void window_open(level_tree *tree, int64_t key) {
    const int64_t half = RING_TICKS / 2;
    if (key < INT64_MIN + half || key > INT64_MAX - half) return;
    int64_t low = key - half;
    if (tree->outer.level_count && tree->outer.best_key >= low) low = tree->outer.best_key + 1;
    tree->low = low;
    tree->width = (uint64_t)(key + half) - (uint64_t)low;
}

/* window_reach: whether the window could be moved up to take in `key`, and was. */
static int window_reach(level_tree *tree, tree_pool *pool, int64_t key) {
    if (tree->ring_count == 0) {
        window_open(tree, key);
        return window_has(tree, key);
    }
    uint64_t distance = (uint64_t)key - (uint64_t)tree->low;
    if (key < tree->low || tree->outer.best_key >= tree->low || key > INT64_MAX - RING_TICKS)
        return 0;
    if (distance < RING_TICKS) {
        tree->width = RING_TICKS;
        return 1;
    }
    int64_t low = key - RING_TICKS * 3 / 4, leaving[MOVED_MOST] = {0};
    uint32_t moved = 0;
    for (uint64_t place = (uint64_t)tree->low; moved < tree->ring_count; moved++) {
        uint64_t worst = place + ring_distance_up(tree, place % RING_TICKS);
        if ((int64_t)worst >= low) break;
        if (moved == MOVED_MOST) return 0;
        leaving[moved] = (int64_t)worst;
        place = worst + 1;
    }
    for (uint32_t i = 0; i < moved; i++)
        outer_tree_put(&tree->outer, pool, leaving[i], ring_take(tree, leaving[i]));
    tree->low = low;
    tree->width = RING_TICKS;
    return 1;
}

uint32_t level_tree_find_or_add_slow(level_tree *tree, tree_pool *pool, cell_arena *arena,
                                     int64_t key) {
    int is_new_best = key > tree->best_key || tree->best_level == CELL_NONE;
    if (is_new_best && window_reach(tree, pool, key))
        return level_tree_find_or_add(tree, pool, arena, key);
    uint32_t before = tree->outer.level_count;
    uint32_t cell = outer_tree_find_or_add(&tree->outer, pool, arena, key);
    if (tree->outer.level_count != before) {
        tree->level_count++;
        if (is_new_best) {
            tree->best_key = key;
            tree->best_level = cell;
        }
    }
    return cell;
}

/* window_refill: the ring is empty; open it around the best level of the tree and take in a few. */
static void window_refill(level_tree *tree, tree_pool *pool) {
    int64_t best = tree->outer.best_key;
    if (best > INT64_MAX - RING_TICKS / 4 || best < INT64_MIN + RING_TICKS) return;
    int64_t lowest = best - RING_TICKS * 3 / 4;
    tree->low = best;
    tree->width = RING_TICKS / 4;
    for (uint32_t moved = 0; moved < MOVED_MOST && tree->outer.level_count; moved++) {
        int64_t key = tree->outer.best_key;
        if (key < lowest) break;
        uint32_t cell = tree->outer.best_level;
        outer_tree_take(&tree->outer, pool, key);
        tree->width += (uint64_t)tree->low - (uint64_t)key;
        tree->low = key;
        ring_put(tree, key, cell);
    }
    if (tree->outer.best_key < lowest) {
        tree->width += (uint64_t)tree->low - (uint64_t)lowest;
        tree->low = lowest;
    }
}

void level_tree_remove(level_tree *tree, tree_pool *pool, cell_arena *arena, uint32_t cell) {
    int64_t key = cell_level(arena, cell)->key;
    tree->level_count--;
    if (window_has(tree, key)) {
        ring_take(tree, key);
        cell_give_level(arena, cell);
        if (tree->ring_count == 0) tree->width = 0;
    } else {
        outer_tree_remove(&tree->outer, pool, arena, cell);
    }
    if (cell != tree->best_level) return;
    if (tree->ring_count == 0 && tree->outer.level_count) window_refill(tree, pool);
    window_update_best(tree);
}

uint32_t level_tree_at_or_below(const level_tree *tree, const tree_pool *pool, int64_t key) {
    uint32_t outer = outer_tree_at_or_below(&tree->outer, pool, key);
    if (tree->ring_count == 0 || key < tree->low) return outer;
    int64_t last = tree->low + (int64_t)(tree->width - 1);
    int64_t from = key < last ? key : last;
    uint64_t down = ring_distance_down(tree, (uint64_t)from % RING_TICKS);
    /* Beyond the lower end the ring has come around to its upper one. */
    if (down > (uint64_t)from - (uint64_t)tree->low) return outer;
    int64_t found = from - (int64_t)down;
    if (outer != CELL_NONE && cell_level(tree->arena, outer)->key > found) return outer;
    return tree->cells[(uint64_t)found % RING_TICKS];
}

int level_tree_check(const level_tree *tree, const tree_pool *pool, const cell_arena *arena,
                     char *message, size_t size) {
    uint32_t ring_levels = 0;
    if (!outer_tree_check(&tree->outer, pool, arena, message, size)) return 0;
    for (uint64_t place = 0; place < RING_TICKS; place++) {
        uint32_t cell = tree->cells[place];
        uint64_t bit = tree->bits[place / 64] >> place % 64 & 1;
        REQUIRE(bit == (cell != CELL_NONE), "place %" PRIu64 ": bit and cell differ", place);
        if (cell == CELL_NONE) continue;
        int64_t key = cell_level(arena, cell)->key;
        REQUIRE((uint64_t)key % RING_TICKS == place && window_has(tree, key),
                "level %u: key %" PRId64 " in the ring", cell, key);
        ring_levels++;
    }
    REQUIRE(ring_levels == tree->ring_count, "%u levels in the ring, %u counted", ring_levels,
            tree->ring_count);
    REQUIRE(ring_levels + tree->outer.level_count == tree->level_count, "%u levels counted",
            tree->level_count);
    REQUIRE(tree->width <= RING_TICKS, "window of %" PRIu64, tree->width);
    uint32_t levels = 0;
    int64_t above = INT64_MAX;
    for (uint32_t cell = level_tree_at_or_below(tree, pool, above); cell != CELL_NONE;) {
        int64_t key = cell_level(arena, cell)->key;
        REQUIRE(levels ? key < above : cell == tree->best_level && key == tree->best_key,
                "level %u: key %" PRId64 " out of order", cell, key);
        above = key;
        levels++;
        cell = key == INT64_MIN ? CELL_NONE : level_tree_at_or_below(tree, pool, key - 1);
    }
    REQUIRE(levels == tree->level_count, "%u levels walked, %u counted", levels,
            tree->level_count);
    return 1;
}
