/* cells.h - the memory of the book: orders and levels as cells of one array.
 *
 *   cell 0              nothing: the number 0 means "none"
 *   cell 1 … n          an order each: 32 bytes, two to a cache line
 *   cell n+1 … 2n       a level each: as large
 *
 * An order and a level keep `next` and `prev` at the same place, so a level is the sentinel of the
 * circular list of its own orders and unlinking an order needs no branch at all:
 *
 *      ┌────────── level ──────────┐
 *      │  next = first             │
 *      ▼                           │        an empty level points at itself, twice
 *   order ⇄ order ⇄ order ─ next ──┘
 *
 * Free cells are stacked: the last one freed is the first one used, so that what is live stays in
 * the cache however large the capacity. The time an order joined its queue is needed by snapshots
 * only and lies in an array of its own, away from the lines that matching touches.
 */
#ifndef PHASE3_CELLS_H
#define PHASE3_CELLS_H

#include "contract/c/check.h"
#include "contract/c/contract.h"

#define CELL_BYTES 32
#define CELL_NONE 0u

/* The neighbours of a cell in its list. They are always written through this type, whichever kind
 * of cell they are in: a compiler may take it for granted that a store to an order is none to a
 * level. */
typedef struct {
    uint32_t next;
    uint32_t prev;
} cell_links;

typedef struct {
    uint64_t order_id;
    uint64_t open_and_mode; /* bits 0-39 open quantity, 40-41 self-trade mode, 42 POST_ONLY */
    cell_links links;
    uint32_t level;
    uint32_t account;
} order_cell;

typedef struct {
    int64_t key; /* see level_index.h: the best level of a side has the largest key */
    uint64_t quantity;
    cell_links links; /* next: the first order, prev: the last */
    uint32_t order_count;
    uint16_t side;
    uint16_t is_in_tree; /* or else in the ring */
} level_cell;

static_assert(sizeof(order_cell) == CELL_BYTES, "an order is half a cache line");
static_assert(sizeof(level_cell) == CELL_BYTES, "so is a level");
static_assert(offsetof(order_cell, links) == offsetof(level_cell, links), "one sentinel for all");

#define MODE_SHIFT 40
#define POST_ONLY_BIT (UINT64_C(1) << 42)

static inline uint64_t order_open(const order_cell *order) {
    return order->open_and_mode & MAX_QUANTITY;
}

static inline unsigned order_self_trade(const order_cell *order) {
    return (unsigned)(order->open_and_mode >> MODE_SHIFT) & 3;
}

static inline unsigned order_flags(const order_cell *order) {
    return order->open_and_mode & POST_ONLY_BIT ? FLAG_POST_ONLY : 0;
}

typedef struct {
    unsigned char *base;    /* cell i is at base + i * CELL_BYTES */
    uint64_t *timestamp_ns; /* by order cell */
    uint32_t free_order;    /* top of the stack of free orders, linked through `links.next` */
    uint32_t free_level;
    uint32_t capacity; /* orders, and as many levels */
    uint32_t live_orders;
} cell_arena;

static inline order_cell *cell_order(const cell_arena *arena, uint32_t cell) {
    return (order_cell *)(void *)(arena->base + (size_t)cell * CELL_BYTES);
}

static inline level_cell *cell_level(const cell_arena *arena, uint32_t cell) {
    return (level_cell *)(void *)(arena->base + (size_t)cell * CELL_BYTES);
}

static inline cell_links *cell_links_of(const cell_arena *arena, uint32_t cell) {
    return (cell_links *)(void *)(arena->base + (size_t)cell * CELL_BYTES +
                                  offsetof(order_cell, links));
}

/* cells_init: take and touch all memory. Returns its size in bytes, or 0 when there is none. */
size_t cells_init(cell_arena *arena, uint32_t capacity);
void cells_free(cell_arena *arena);
/* cells_clear: every cell is free again. O(capacity). */
void cells_clear(cell_arena *arena);

/* cell_take_order: a free order cell; the caller has made sure that there is one. O(1). */
static inline uint32_t cell_take_order(cell_arena *arena) {
    uint32_t cell = arena->free_order;
    arena->free_order = cell_links_of(arena, cell)->next;
    arena->live_orders++;
    return cell;
}

static inline void cell_give_order(cell_arena *arena, uint32_t cell) {
    order_cell *order = cell_order(arena, cell);
    order->level = CELL_NONE; /* marks the cell as free */
    cell_links_of(arena, cell)->next = arena->free_order;
    arena->free_order = cell;
    arena->live_orders--;
}

/* cell_take_level: an empty level of that key. There are as many level cells as order cells and a
 * level lives only while an order does, so one is always free. O(1). */
static inline uint32_t cell_take_level(cell_arena *arena, uint32_t side, int64_t key) {
    uint32_t cell = arena->free_level;
    level_cell *level = cell_level(arena, cell);
    arena->free_level = level->links.next;
    level->key = key;
    level->quantity = 0;
    level->links = (cell_links){cell, cell};
    level->order_count = 0;
    level->side = (uint16_t)side;
    level->is_in_tree = 0;
    return cell;
}

static inline void cell_give_level(cell_arena *arena, uint32_t cell) {
    cell_links_of(arena, cell)->next = arena->free_level;
    arena->free_level = cell;
}

#endif
