/* arena.h - every order the book will ever hold, taken from the system once.
 *
 * An array of order slots. Each slot is one cache line, and an order keeps its slot, so a slot's
 * number (32 bits) is all that links, tables and levels need to name it: half a pointer's size,
 * and still right when the memory moves. Free slots are chained through `next`, last freed first
 * taken: what was touched last is what the cache still holds.
 *
 * The arena does not own its memory: the caller places it in a block that starts on a cache line
 * (struct book keeps one block for everything).
 */
#ifndef PHASE2_ARENA_H
#define PHASE2_ARENA_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "contract/c/check.h"

/* "No slot", "no level", "no cell": the one index that is never handed out. */
#define NONE UINT32_MAX
#define CACHE_LINE_BYTES 64
#define ORDER_SHIFT 6 /* log2 of an order slot's bytes */

/* --8<-- [start:order] */
/* cdef:begin */
typedef struct {
    uint64_t order_id; /* 0: the slot is free. First, because the id table reads it here */
    int64_t price;
    uint64_t quantity; /* open lots */
    uint64_t timestamp_ns;
    uint32_t account;
    uint32_t level;
    uint32_t previous; /* towards the front of the level's queue */
    uint32_t next;     /* towards its back; of a free slot: the next free slot */
    uint8_t side;
    uint8_t self_trade;
    uint8_t flags;
    uint8_t unused[13]; /* the rest of the cache line */
} order;
/* cdef:end */
/* --8<-- [end:order] */

static_assert(sizeof(order) == CACHE_LINE_BYTES, "an order slot is one cache line");
static_assert(1 << ORDER_SHIFT == sizeof(order), "ORDER_SHIFT is the log2 of the slot");
static_assert(offsetof(order, order_id) == 0, "the id table reads the key at the front");

typedef struct {
    order *slots;
    uint32_t capacity;
    uint32_t free_head; /* the slot given back last, or NONE */
    uint32_t live;      /* slots taken */
} arena;

/* whole_lines: `bytes` rounded up to whole cache lines, so that what follows starts on one. */
static inline size_t whole_lines(size_t bytes)
{
    return (bytes + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
}

/* arena_bytes: what `capacity` slots need. */
size_t arena_bytes(uint32_t capacity);
/* arena_place: an empty arena in `memory`, which holds arena_bytes(capacity) and starts on a
 * cache line. Writes every slot, so that all of its pages are there afterwards. O(capacity). */
void arena_place(arena *self, void *memory, uint32_t capacity);

/* --8<-- [start:take] */
/* arena_slot_take: the slot freed last, its fields not yet set. The caller has seen that
 * live < capacity. O(1), no branch but the check. */
static inline uint32_t arena_slot_take(arena *self)
{
    uint32_t slot = self->free_head;
    CHECK(slot != NONE);
    self->free_head = self->slots[slot].next;
    self->live++;
    return slot;
}

/* arena_slot_give: take a slot back. The caller has unlinked it from everything. O(1). */
static inline void arena_slot_give(arena *self, uint32_t slot)
{
    self->slots[slot].order_id = 0;
    self->slots[slot].next = self->free_head;
    self->free_head = slot;
    self->live--;
}
/* --8<-- [end:take] */

#endif
