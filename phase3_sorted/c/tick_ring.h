/* tick_ring.h - levels near each other in price: one cell number a tick, under three layers of bits.
 *
 * The ring has a place for each of 262,144 neighbouring ticks, in 64 pages of 4,096. A key's place
 * is its low 18 bits; a page of the ring belongs to one page of prices at a time, the one whose
 * number it holds, as long as a level is in it:
 *
 *      pages       one bit a page         …0110            which pages have levels
 *      numbers     one number a page      [ 261 | - | 263 | … ]     key >> 12
 *      summaries   one bit a word         …0010100
 *      words       one bit a tick         …0100100  …0000001
 *      levels      one cell a tick        0 for none
 *
 * The best level at or below a tick is the highest bit below a bit, three times at most. Nothing is
 * moved when the market moves: a page that falls empty is free for the next price that needs it.
 * A price whose page is taken by prices far away has no place here; level_index.h sends it on.
 */
#ifndef PHASE3_TICK_RING_H
#define PHASE3_TICK_RING_H

#include "cells.h"

#define RING_PAGES 64u
#define RING_WORDS 4096u
#define RING_TICKS 262144u
#define PAGE_TICK_BITS 12

typedef struct {
    uint64_t pages;
    int64_t numbers[RING_PAGES];
    uint64_t summaries[RING_PAGES];
    uint64_t words[RING_WORDS];
    uint32_t *levels; /* RING_TICKS */
} tick_ring;

static inline int64_t page_number(int64_t key) {
    return key >> PAGE_TICK_BITS;
}

static inline uint32_t ring_page(int64_t key) {
    return (uint32_t)((uint64_t)key >> PAGE_TICK_BITS) % RING_PAGES;
}

static inline uint32_t ring_word(int64_t key) {
    return (uint32_t)((uint64_t)key >> 6) % RING_WORDS;
}

static inline uint32_t ring_tick(int64_t key) {
    return (uint32_t)((uint64_t)key % RING_TICKS);
}

static inline uint64_t bit_at(uint64_t index) {
    return UINT64_C(1) << index % 64;
}

/* The highest bit set; the word is not 0. */
static inline uint32_t bit_highest(uint64_t word) {
    return 63 - (uint32_t)__builtin_clzll(word);
}

/* ring_holds: whether the page of that key belongs to the key's prices. */
static inline int ring_holds(const tick_ring *ring, int64_t key) {
    uint32_t page = ring_page(key);
    return ring->numbers[page] == page_number(key) && ring->pages & bit_at(page);
}

/* ring_has_room: whether a level of that key is, or could be, in the ring. */
static inline int ring_has_room(const tick_ring *ring, int64_t key) {
    uint32_t page = ring_page(key);
    return ring->numbers[page] == page_number(key) || !(ring->pages & bit_at(page));
}

/* ring_find: the level of a key that the ring has room for, or CELL_NONE. O(1). */
static inline uint32_t ring_find(const tick_ring *ring, int64_t key) {
    return ring->levels[ring_tick(key)];
}

/* --8<-- [start:ring] */
/* ring_add: a level that is not there, at a key that the ring has room for. O(1). */
static inline void ring_add(tick_ring *ring, int64_t key, uint32_t cell) {
    uint32_t page = ring_page(key), word = ring_word(key);
    ring->levels[ring_tick(key)] = cell;
    ring->words[word] |= bit_at((uint64_t)key);
    ring->summaries[page] |= bit_at(word);
    ring->numbers[page] = page_number(key);
    ring->pages |= bit_at(page);
}

/* ring_remove: the level of a key that is there. O(1), and without a branch. */
static inline void ring_remove(tick_ring *ring, int64_t key) {
    uint32_t page = ring_page(key), word = ring_word(key);
    ring->levels[ring_tick(key)] = CELL_NONE;
    uint64_t ticks = ring->words[word] & ~bit_at((uint64_t)key);
    ring->words[word] = ticks;
    uint64_t words = ring->summaries[page] & ~((uint64_t)(ticks == 0) << word % 64);
    ring->summaries[page] = words;
    ring->pages &= ~((uint64_t)(words == 0) << page);
}
/* --8<-- [end:ring] */

/* page_best: the best level of a page that has one. */
static inline uint32_t page_best(const tick_ring *ring, uint32_t page) {
    uint32_t word = page * 64 + bit_highest(ring->summaries[page]);
    return ring->levels[word * 64 + bit_highest(ring->words[word])];
}

/* ring_best_page_below: the best level in the pages of lower numbers, or CELL_NONE. The ring is
 * walked downwards from the page; nearly always the first page met has the number that its distance
 * says. Pages from further away are looked at only when none has. */
uint32_t ring_best_page_below(const tick_ring *ring, int64_t number);

/* ring_at_or_below: the level of the highest key up to that one, or CELL_NONE. O(1). */
static inline uint32_t ring_at_or_below(const tick_ring *ring, int64_t key) {
    if (ring_holds(ring, key)) {
        uint32_t page = ring_page(key), word = ring_word(key);
        uint64_t ticks = ring->words[word] & (bit_at((uint64_t)key) * 2 - 1);
        if (ticks) return ring->levels[word * 64 + bit_highest(ticks)];
        uint64_t words = ring->summaries[page] & (bit_at(word) - 1);
        if (words) {
            word = page * 64 + bit_highest(words);
            return ring->levels[word * 64 + bit_highest(ring->words[word])];
        }
    }
    return ring_best_page_below(ring, page_number(key));
}

/* ring_init: take the memory of one side. Returns bytes, or 0 when there is none. */
size_t ring_init(tick_ring *ring);
void ring_free(tick_ring *ring);
void ring_clear(tick_ring *ring);
/* ring_check: 1, or 0 with the broken invariant in `message`. Adds up the levels. */
int ring_check(const tick_ring *ring, const cell_arena *arena, uint32_t *levels, char *message,
               size_t size);

#endif
