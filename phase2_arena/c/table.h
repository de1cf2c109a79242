/* table.h - from a 64-bit key to the record that holds it, by open addressing.
 *
 * A cell is only the 32-bit index of a record; the key stands in the record itself, in its first
 * eight bytes. So a cell costs 4 bytes and not 16, and the cost of that is paid only by a probe
 * that meets a foreign key: it has to visit that record. The table is at most half full and never
 * grows, so such probes are rare and no insertion is ever slow.
 *
 * The book has two: order id -> order slot, and price -> level.
 */
#ifndef PHASE2_TABLE_H
#define PHASE2_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "phase2_arena/c/arena.h"

typedef struct {
    uint32_t *cells;     /* indexes of records, NONE where empty */
    const char *records; /* what they index; the key is a record's first eight bytes */
    uint32_t mask;       /* cells - 1; cells is a power of two */
    uint8_t hash_shift;  /* 64 - log2(cells) */
    uint8_t record_shift;
} table;

/* table_cells: cells for at most `capacity` keys: a power of two, at least twice as many. */
uint64_t table_cells(uint32_t capacity);
/* table_bytes: what those cells need, in whole cache lines. */
size_t table_bytes(uint32_t capacity);
/* table_place: an empty table in `memory` (table_bytes(capacity)), over records of
 * 1 << record_shift bytes. Writes every cell. O(capacity). */
void table_place(table *self, void *memory, uint32_t capacity, const void *records,
                 uint8_t record_shift);

/* table_key_at: the key of a record. */
static inline uint64_t table_key_at(const table *self, uint32_t index)
{
    uint64_t key;
    memcpy(&key, self->records + ((size_t)index << self->record_shift), sizeof key);
    return key;
}

/* --8<-- [start:home] */
/* table_home: the cell where the search for a key starts.
 *
 * Ids are the senders' and prices come in runs, so no pattern in the bits may survive: two rounds
 * of xor-shift and multiply by an odd constant, then the top bits. A multiplication alone is
 * linear: whatever the constant, ids that count in steps of its inverse would all meet in the
 * same few cells. (Nothing here stops a sender who looks for collisions on purpose: the hash has
 * no secret key.) */
static inline uint32_t table_home(const table *self, uint64_t key)
{
    key ^= key >> 32;
    key *= UINT64_C(0x9E3779B97F4A7C15);
    key ^= key >> 29;
    key *= UINT64_C(0xBF58476D1CE4E5B9);
    return (uint32_t)(key >> self->hash_shift);
}
/* --8<-- [end:home] */

/* --8<-- [start:find] */
/* table_cell_find: the cell of `key`, or the empty cell where its search ends. */
static inline uint32_t table_cell_find(const table *self, uint64_t key)
{
    uint32_t cell = table_home(self, key);
    while (self->cells[cell] != NONE && table_key_at(self, self->cells[cell]) != key)
        cell = (cell + 1) & self->mask;
    return cell;
}

/* table_find: the index stored for `key`, or NONE. O(1) expected. */
static inline uint32_t table_find(const table *self, uint64_t key)
{
    return self->cells[table_cell_find(self, key)];
}

/* table_insert: store `index`, whose record already holds `key`. The caller has seen that the key
 * is not in the table and that the table has room. O(1) expected. */
static inline void table_insert(table *self, uint64_t key, uint32_t index)
{
    uint32_t cell = table_home(self, key);
    while (self->cells[cell] != NONE)
        cell = (cell + 1) & self->mask;
    self->cells[cell] = index;
}
/* --8<-- [end:find] */

/* --8<-- [start:erase] */
/* table_erase: forget `key`, which is in the table; its record still holds it. O(1) expected.
 *
 * A hole would end the search for every key that was pushed past it, so the cells behind it move
 * back instead of a tombstone staying for ever. Here the homes are A 4, B 4, C 6, D 5, E 8:
 *
 *   cell       4   5   6   7   8   9
 *            | A | B | C | D | E | . |   erase B: the hole is 5
 *            | A | . | C | D | E | . |   C is at home, and 6 is not in reach of 5: it stays
 *            | A | D | C | . | E | . |   D wanted 5 all along: it moves, and the hole is 7
 *            | A | D | C | . | E | . |   E is at home; 9 is empty: done
 *
 * A key moves if and only if its home is not behind the hole, seen along the probe's way round. */
static inline void table_erase(table *self, uint64_t key)
{
    uint32_t hole = table_cell_find(self, key);
    CHECK(self->cells[hole] != NONE);
    uint32_t cell = hole;
    for (;;) {
        cell = (cell + 1) & self->mask;
        uint32_t index = self->cells[cell];
        if (index == NONE)
            break;
        uint32_t home = table_home(self, table_key_at(self, index));
        uint32_t distance_from_home = (cell - home) & self->mask;
        uint32_t distance_from_hole = (cell - hole) & self->mask;
        if (distance_from_home >= distance_from_hole) {
            self->cells[hole] = index;
            hole = cell;
        }
    }
    self->cells[hole] = NONE;
}
/* --8<-- [end:erase] */

#endif
