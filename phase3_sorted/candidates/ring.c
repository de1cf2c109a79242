/* ring.c - candidate: one side's levels: the far ones, and the check of them all. */
#include "ring.h"

#include <inttypes.h>

size_t level_index_init(level_index *index, cell_arena *arena, uint32_t side) {
    index->arena = arena;
    index->side = side;
    index->mirror = side == SIDE_BID ? 0 : -1;
    return ring_init(&index->ring);
}

void level_index_free(level_index *index) {
    ring_free(&index->ring);
}

void level_index_clear(level_index *index, tree_pool *pool) {
    ring_clear(&index->ring);
    level_tree_clear(&index->tree, pool);
    index->level_count = 0;
    index->best_key = INT64_MIN;
    index->best_level = CELL_NONE;
    index->second_key = SECOND_UNKNOWN;
    index->second_level = CELL_NONE;
}

uint32_t level_index_find_or_add_far(level_index *index, int64_t key) {
    uint32_t cell = level_tree_find(&index->tree, key);
    if (cell != CELL_NONE) return cell;
    cell = cell_take_level(index->arena, index->side, key);
    cell_level(index->arena, cell)->is_in_tree = 1;
    level_tree_add(&index->tree, key, cell);
    level_index_count_in(index, key, cell);
    return cell;
}

void level_index_remove_far(level_index *index, int64_t key) {
    level_tree_remove(&index->tree, key);
}

int level_index_check(const level_index *index, char *message, size_t size) {
    uint32_t near = 0;
    if (!ring_check(&index->ring, index->arena, &near, message, size) ||
        !level_tree_check(&index->tree, index->arena, message, size))
        return 0;
    if (near + index->tree.level_count != index->level_count) {
        snprintf(message, size, "%u levels in the ring, %u in the tree, %u counted", near,
                 index->tree.level_count, index->level_count);
        return 0;
    }
    uint32_t best = level_index_at_or_below(index, INT64_MAX);
    if (best != index->best_level || level_index_key(index, best) != index->best_key) {
        snprintf(message, size, "best level %u at key %" PRId64 ", not %u", index->best_level,
                 index->best_key, best);
        return 0;
    }
    if (index->second_key == SECOND_UNKNOWN && index->second_level == CELL_NONE) return 1;
    uint32_t second = best == CELL_NONE ? CELL_NONE : level_index_next(index, best);
    if (second != index->second_level || level_index_key(index, second) != index->second_key) {
        snprintf(message, size, "second level %u at key %" PRId64 ", not %u", index->second_level,
                 index->second_key, second);
        return 0;
    }
    return 1;
}
