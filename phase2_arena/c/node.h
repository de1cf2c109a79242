/* node.h - the book's smallest operations, one function each, for a caller outside C.
 *
 * Everything book.c does is made of these: take a slot, look up an id, join a queue. Exposed one
 * by one they let Python be the book's logic over C's nodes (pernode.py), which is how one finds
 * out what crossing the boundary costs. They check nothing that book.c would not check: handing
 * in a slot that is not live breaks the book, and book_check will say so.
 */
#ifndef PHASE2_NODE_H
#define PHASE2_NODE_H

#include "contract/c/engine.h"
#include "phase2_arena/c/arena.h"
#include "phase2_arena/c/level.h"

/* cdef:begin */
/* The arrays themselves, to read and write fields of: all slots and all levels. O(1). */
order *node_slots(book *self);
level *node_levels(book *self);

/* A slot off the free list, and back onto it. O(1). */
uint32_t node_slot_take(book *self);
void node_slot_give(book *self, uint32_t slot);
uint32_t node_slot_free_head(const book *self);

/* The id table: a slot or NONE; the slot already holds the id. O(1) expected. */
uint32_t node_id_find(const book *self, uint64_t order_id);
void node_id_insert(book *self, uint64_t order_id, uint32_t slot);
void node_id_erase(book *self, uint64_t order_id);

/* The price table: a level or NONE; a new level; an empty one forgotten. O(1) expected, but
 * O(levels of the side) to close the best level. */
uint32_t node_level_find(const book *self, int64_t price);
uint32_t node_level_open(book *self, int side, int64_t price);
void node_level_close(book *self, int side, uint32_t index);
/* The best level, or NONE. O(1). The best that is worse than `index`. O(levels of the side). */
uint32_t node_level_best(const book *self, int side);
uint32_t node_level_next(const book *self, int side, uint32_t index);

/* The queue of a level: join it at the back, leave it from anywhere. O(1). */
void node_queue_append(book *self, uint32_t index, uint32_t slot);
void node_queue_unlink(book *self, uint32_t slot);

/* Number `count` more events. O(1). */
void node_events_add(book *self, uint64_t count);
/* How often a best level was looked for so far, and how many levels were looked at. O(1). */
uint64_t node_scans(const book *self);
uint64_t node_levels_scanned(const book *self);
/* cdef:end */

#endif
