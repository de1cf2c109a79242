/* id_index.h - order id -> order cell, in a hash table that is as small as the book.
 *
 * Open addressing in groups of seven. The tags of a group, eight bits of the hash each, lie in one
 * 64-bit word, so "where in this group could the id be" and "which place is free" are a few
 * instructions on that word, and the processor has no branch to guess wrong:
 *
 *      tags    [ past? | t6 | t5 | t4 | t3 | t2 | t1 | t0 ]     0: the place is free
 *      cells   [ past  | c6 | c5 | c4 | c3 | c2 | c1 | c0 ]
 *
 * A group that is full sends the next id on to its neighbour and counts it in `past`; looking for
 * an id goes on past a group only while that count is not 0, which `past?` says. Taking an id out
 * clears its tag and takes it off the counts it went past: nothing moves, no tombstone is left.
 *
 * A table for the capacity would be megabytes, and each new id a cold line of it. So the table in
 * use is as large as the book asks for, and it moves to twice or half its size a group at a time,
 * one with each insertion or removal: no command ever waits for a whole table to be copied.
 *
 *      old   [ moved | moved | moved | ... | ... | ... ]    ids whose home group has been moved
 *      now   [ ...   ...   ...   ...   ...   ...   ... ]    are in `now`, the others in `old`
 *
 * The tables of all sizes are taken at the start, together twice the largest.
 * Not a defence against ids chosen to collide: whoever faces hostile ids adds a secret to the hash.
 */
#ifndef PHASE3_ID_INDEX_H
#define PHASE3_ID_INDEX_H

#include "cells.h"

#define GROUP_PLACES 7
#define GROUP_STRIDE 8 /* words in `cells` for each group: its places, and the count `past` */
#define ID_MIN_BITS 5  /* of the number of groups */

/* Places for each live order: with fewer the table moves to twice its size, with more to half. */
#define ID_FEWEST_PLACES 2
#define ID_MOST_PLACES 16

typedef struct {
    uint64_t *tags;  /* one word a group */
    uint32_t *cells; /* GROUP_STRIDE a group */
    uint32_t mask;   /* groups - 1 */
    uint32_t shift;  /* home group of a hash = hash >> shift */
} id_table;

typedef struct {
    id_table now;
    id_table old;           /* tags == NULL: no move is going on */
    uint32_t moved;         /* groups of `old` dealt with, from the first */
    uint32_t fewest_orders; /* `now` is right for this many live orders… */
    uint32_t order_span;    /* …and less than this many more; 0 while a move is going on */
    uint32_t max_bits;
    uint64_t *tag_memory;
    uint32_t *cell_memory;
} id_index;

/* Where an id is. Any change of the index makes it void. */
typedef struct {
    id_table *table;
    uint32_t group;
    uint32_t place;
    uint32_t cell; /* CELL_NONE when the id is not there */
} id_place;

/* id_index_init: take all memory for `capacity` orders. Returns bytes, or 0 when there is none. */
size_t id_index_init(id_index *index, uint32_t capacity);
void id_index_free(id_index *index);
/* id_index_clear: forget every id. O(capacity). */
void id_index_clear(id_index *index);
/* id_index_resize_step: begin a move, or go on with the one under way. O(1). */
void id_index_resize_step(id_index *index, const cell_arena *arena);
/* id_index_check: 1, or 0 with the broken invariant in `message`. O(table). */
int id_index_check(const id_index *index, const cell_arena *arena, char *message, size_t size);

/* Fibonacci hashing: the odd multiplier nearest to 2**64 / golden ratio spreads runs of ids
 * evenly over the high bits (Knuth, The Art of Computer Programming 3, section 6.4). */
static inline uint64_t id_hash(uint64_t order_id) {
    return order_id * UINT64_C(0x9E3779B97F4A7C15);
}

/* The tag comes from bits that the choice of the group hardly ever reaches; 0 is not a tag. */
static inline uint64_t id_tag(uint64_t hash) {
    uint64_t tag = hash >> 32 & 0xFF;
    return tag + (tag == 0);
}

static inline uint32_t id_home(const id_table *table, uint64_t hash) {
    return (uint32_t)(hash >> 32) >> table->shift;
}

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define LOW_SEVEN_BITS UINT64_C(0x7F7F7F7F7F7F7F7F)
#define PLACE_HIGH_BITS UINT64_C(0x0080808080808080)
#define SOME_WENT_PAST (UINT64_C(1) << 56)

/* group_zeros: the high bit of each place whose byte is 0. Adding 0x7F to the low seven bits of a
 * byte reaches its high bit unless they are 0, and never the next byte. (The shorter formula with
 * a subtraction borrows from byte to byte and can report a free place as a match.) */
static inline uint64_t group_zeros(uint64_t word) {
    uint64_t low_bits = (word & LOW_SEVEN_BITS) + LOW_SEVEN_BITS;
    return ~(low_bits | word) & PLACE_HIGH_BITS;
}

static inline uint32_t group_first(uint64_t bits) {
    return (uint32_t)__builtin_ctzll(bits) / 8;
}

static inline id_table *id_table_of(id_index *index, uint64_t hash) {
    if (__builtin_expect(index->old.tags == NULL, 1)) return &index->now;
    return id_home(&index->old, hash) < index->moved ? &index->now : &index->old;
}

/* --8<-- [start:find] */
/* id_find: the place of an id. O(1) expected. */
static inline id_place id_find(id_index *index, const cell_arena *arena, uint64_t order_id) {
    uint64_t hash = id_hash(order_id), wanted = id_tag(hash) * EACH_BYTE;
    id_table *table = id_table_of(index, hash);
    uint32_t home = id_home(table, hash), group = home;
    for (;;) {
        uint64_t tags = table->tags[group];
        for (uint64_t bits = group_zeros(tags ^ wanted); bits; bits &= bits - 1) {
            uint32_t place = group_first(bits);
            uint32_t cell = table->cells[group * GROUP_STRIDE + place];
            if (cell_order(arena, cell)->order_id == order_id)
                return (id_place){table, group, place, cell};
        }
        if (__builtin_expect(tags < SOME_WENT_PAST, 1)) break;
        group = (group + 1) & table->mask;
        if (group == home) break;
    }
    return (id_place){table, group, 0, CELL_NONE};
}
/* --8<-- [end:find] */

/* id_lookup: the order cell of an id, or CELL_NONE. O(1) expected. */
static inline uint32_t id_lookup(const id_index *index, const cell_arena *arena,
                                 uint64_t order_id) {
    return id_find((id_index *)index, arena, order_id).cell; /* finding changes nothing */
}

static inline void group_goes_past(id_table *table, uint32_t group) {
    if (table->cells[group * GROUP_STRIDE + GROUP_PLACES]++ == 0)
        table->tags[group] |= SOME_WENT_PAST;
}

static inline void group_comes_back(id_table *table, uint32_t group) {
    if (--table->cells[group * GROUP_STRIDE + GROUP_PLACES] == 0)
        table->tags[group] &= ~SOME_WENT_PAST;
}

/* id_put: an id that is not there into the first free place from its home on. O(1) expected. */
static inline void id_put(id_table *table, uint64_t hash, uint32_t cell) {
    uint32_t group = id_home(table, hash);
    uint64_t free_places = group_zeros(table->tags[group]);
    while (__builtin_expect(free_places == 0, 0)) {
        group_goes_past(table, group);
        group = (group + 1) & table->mask;
        free_places = group_zeros(table->tags[group]);
    }
    uint32_t place = group_first(free_places);
    table->tags[group] |= id_tag(hash) << place * 8;
    table->cells[group * GROUP_STRIDE + place] = cell;
}

/* id_take_out: free a place, and tell the groups the id went past. */
static inline void id_take_out(id_table *table, uint64_t hash, uint32_t group, uint32_t place) {
    table->tags[group] &= ~(UINT64_C(0xFF) << place * 8);
    uint32_t passed = id_home(table, hash);
    for (; __builtin_expect(passed != group, 0); passed = (passed + 1) & table->mask)
        group_comes_back(table, passed);
}

static inline void id_tend(id_index *index, const cell_arena *arena) {
    if (__builtin_expect(arena->live_orders - index->fewest_orders >= index->order_span, 0))
        id_index_resize_step(index, arena);
}

/* id_insert: an id that is not there. Its order is already in the arena. O(1) expected. */
static inline void id_insert(id_index *index, const cell_arena *arena, uint64_t order_id,
                             uint32_t cell) {
    uint64_t hash = id_hash(order_id);
    id_put(id_table_of(index, hash), hash, cell);
    id_tend(index, arena);
}

/* id_remove: the id at a place. Its order may be free already. O(1) expected. */
static inline void id_remove(id_index *index, const cell_arena *arena, id_place at,
                             uint64_t order_id) {
    id_take_out(at.table, id_hash(order_id), at.group, at.place);
    id_tend(index, arena);
}

#endif
