/* level.h - price levels: a queue of orders each, found by price, compared by scanning.
 *
 * A level is a doubly linked list threaded through its orders' own slots (intrusive: the links
 * are fields of the order, so joining and leaving a queue touches no other memory than the
 * orders themselves):
 *
 *        level 101
 *        +------+----------------------------------.
 *        | tail |                                   v
 *        | head |---> #7 <------> #9 <------> #12
 *        +------+     front                   back, joins here
 *
 * Levels are found through one hash table for both sides: a price belongs to one side only,
 * because a price with bids and asks would be a crossed book.
 *
 * Each side also lists its live levels in an array, in no order. The best price is found by
 * looking at all of them whenever the best level empties: O(levels), and the one thing this phase
 * leaves for the next.
 */
#ifndef PHASE2_LEVEL_H
#define PHASE2_LEVEL_H

#include "contract/c/contract.h"
#include "phase2_arena/c/arena.h"
#include "phase2_arena/c/table.h"

#define LEVEL_SHIFT 5 /* log2 of a level's bytes */
#define SIDES 2

/* --8<-- [start:level] */
/* cdef:begin */
typedef struct {
    int64_t price;     /* first, because the price table reads it here */
    uint64_t quantity; /* open lots of all its orders; wraps beyond 2**64 - 1 */
    uint32_t head;     /* the order that trades first; of a free level: the next free level */
    uint32_t tail;
    uint32_t order_count; /* 0: the level is free */
    uint32_t place;       /* where it stands in its side's list */
} level;
/* cdef:end */
/* --8<-- [end:level] */

static_assert(sizeof(level) == 1 << LEVEL_SHIFT, "two levels to a cache line");
static_assert(offsetof(level, price) == 0, "the price table reads the key at the front");

typedef struct {
    level *pool;
    uint32_t *live[SIDES]; /* each side's live levels, in no order */
    uint32_t live_count[SIDES];
    uint32_t best[SIDES]; /* the level that trades first, or NONE */
    uint32_t *scratch;    /* room for one heap over a side's levels */
    table by_price;
    uint64_t scans;   /* how often a best level was looked for so far, */
    uint64_t scanned; /* and how many levels were looked at: what this phase gets wrong */
    uint32_t capacity;
    uint32_t free_head;
} level_set;

/* --8<-- [start:rank] */
/* level_rank: a price as its side sees it: the lower the rank, the earlier it trades. Bids are
 * mirrored by flipping all bits, which reverses the order of all 2**64 prices; negating would
 * overflow on the lowest. One comparison then serves both sides. */
static inline int64_t level_rank(int side, int64_t price)
{
    return price ^ ((int64_t)side - 1); /* a bid: price ^ -1 */
}
/* --8<-- [end:rank] */

/* levels_bytes: what the levels of a book of `capacity` orders need, in whole
 * cache lines. Each live level holds at least one live order, so `capacity` levels are enough for
 * both sides together. */
size_t levels_bytes(uint32_t capacity);
/* levels_place: no levels, in `memory` (levels_bytes(capacity), on a cache line). Writes all of
 * it. O(capacity). */
void levels_place(level_set *self, void *memory, uint32_t capacity);

/* level_find: the live level of that price, whichever side it is on, or NONE. O(1) expected. */
uint32_t level_find(const level_set *self, int64_t price);
/* level_open: a new, empty level; the caller puts an order on it at once. A level with no worse
 * rank than the best becomes the best. O(1) expected. */
uint32_t level_open(level_set *self, int side, int64_t price);
/* level_close: forget a level that holds no order any more. O(1) expected; when it was the best,
 * the next best is looked for: O(levels of the side). */
void level_close(level_set *self, int side, uint32_t index);
/* level_forget: level_close without looking for the next best; when the best was forgotten, the
 * caller calls level_rescan before anyone asks for the best again. O(1) expected. */
void level_forget(level_set *self, int side, uint32_t index);
/* level_rescan: find the best level of a side by looking at every one. O(levels of the side). */
void level_rescan(level_set *self, int side);
/* level_next: the best of the side's levels that are worse than `index`, or NONE.
 * O(levels of the side). */
uint32_t level_next(const level_set *self, int side, uint32_t index);

/* level_order_append: put an order at the back of its level's queue. O(1). */
void level_order_append(level_set *self, arena *orders, uint32_t index, uint32_t slot);
/* level_order_unlink: take an order out of its level's queue; the level may be left empty, and is
 * the caller's to close. The slot stays taken. O(1). */
void level_order_unlink(level_set *self, arena *orders, uint32_t slot);

/* A side's levels from best to worst, for those who need many of them: a heap in the level set's
 * scratch memory, so at most one walk at a time. The levels may be closed on the way. */
typedef struct {
    const level *pool;
    uint32_t *heap;
    uint32_t count;
    int side;
} level_walk;

/* level_walk_start: O(levels of the side). */
level_walk level_walk_start(const level_set *self, int side);
/* level_walk_next: the best level not yet seen, or NONE. O(log levels). */
uint32_t level_walk_next(level_walk *walk);

#endif
