/* plain_levels.h - for the tests of levels: a sorted array of keys, which cannot be wrong. */
#ifndef PHASE3_PLAIN_LEVELS_H
#define PHASE3_PLAIN_LEVELS_H

#include <string.h>

#include "phase3_sorted/c/cells.h"

enum { PLAIN_MOST = 6000 };

typedef struct {
    int64_t keys[PLAIN_MOST]; /* the worst first */
    uint32_t cells[PLAIN_MOST];
    uint32_t count;
} plain_levels;

/* How many keys are below `key`: where it is or belongs. */
static inline uint32_t plain_rank(const plain_levels *plain, int64_t key) {
    uint32_t low = 0, high = plain->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (plain->keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static inline uint32_t plain_find(const plain_levels *plain, int64_t key) {
    uint32_t rank = plain_rank(plain, key);
    return rank < plain->count && plain->keys[rank] == key ? plain->cells[rank] : CELL_NONE;
}

static inline uint32_t plain_at_or_below(const plain_levels *plain, int64_t key) {
    uint32_t rank = plain_rank(plain, key);
    if (rank < plain->count && plain->keys[rank] == key) return plain->cells[rank];
    return rank > 0 ? plain->cells[rank - 1] : CELL_NONE;
}

static inline void plain_add(plain_levels *plain, int64_t key, uint32_t cell) {
    uint32_t rank = plain_rank(plain, key);
    size_t after = plain->count - rank;
    CHECK(plain->count < PLAIN_MOST && plain_find(plain, key) == CELL_NONE);
    memmove(&plain->keys[rank + 1], &plain->keys[rank], after * sizeof *plain->keys);
    memmove(&plain->cells[rank + 1], &plain->cells[rank], after * sizeof *plain->cells);
    plain->keys[rank] = key;
    plain->cells[rank] = cell;
    plain->count++;
}

static inline void plain_remove(plain_levels *plain, uint32_t rank) {
    size_t after = --plain->count - rank;
    memmove(&plain->keys[rank], &plain->keys[rank + 1], after * sizeof *plain->keys);
    memmove(&plain->cells[rank], &plain->cells[rank + 1], after * sizeof *plain->cells);
}

#endif
