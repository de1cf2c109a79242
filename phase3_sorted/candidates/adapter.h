/* adapter.h - a candidate, included before this, in the place of ../c/level_index.h.
 *
 * The candidates get the pool and the arena with each call; the book leaves them to the index. */
#ifndef PHASE3_LEVEL_INDEX_H
#define PHASE3_LEVEL_INDEX_H

typedef level_tree level_index;

/* Returns 1 and not 0, which would say that memory is short: the pool has taken it all. */
static inline size_t level_index_init(level_index *index, cell_arena *arena, uint32_t side) {
    index->arena = arena;
    index->side = side;
    return 1;
}

static inline void level_index_free(level_index *index) {
    index->arena = NULL;
}

static inline void level_index_clear(level_index *index, tree_pool *pool) {
    cell_arena *arena = index->arena;
    level_tree_clear(index, pool, index->side);
    index->arena = arena;
    index->pool = pool;
}

static inline int level_index_check(const level_index *index, char *message, size_t size) {
    return level_tree_check(index, index->pool, index->arena, message, size);
}

static inline uint32_t level_index_find_or_add(level_index *index, int64_t key) {
    return level_tree_find_or_add(index, index->pool, index->arena, key);
}

static inline void level_index_remove(level_index *index, uint32_t cell) {
    level_tree_remove(index, index->pool, index->arena, cell);
}

static inline uint32_t level_index_at_or_below(const level_index *index, int64_t key) {
    return level_tree_at_or_below(index, index->pool, key);
}

static inline uint32_t level_index_next(const level_index *index, uint32_t cell) {
    int64_t key = cell_level(index->arena, cell)->key;
    return key == INT64_MIN ? CELL_NONE : level_index_at_or_below(index, key - 1);
}

#endif
