/* id_world.h - for the tests of the id table: the table beside the plainest one there is, an array
 * of cells by number.
 *
 * The hash is a multiplication by an odd number, so it can be undone, and ids can be made for any
 * place of any table: that is how the rare cases are brought about.
 */
#ifndef PHASE3_ID_WORLD_H
#define PHASE3_ID_WORLD_H

#include "contract/c/engine_stream.h"
#include "phase3_sorted/c/breaking.h"
#include "phase3_sorted/c/id_index.h"

enum { NUMBERS = 20000, LEAST_GROUPS = 1 << ID_MIN_BITS };
/* The most live orders that the smallest table is right for. */
enum { LEAST_MOST = LEAST_GROUPS * GROUP_PLACES / ID_FEWEST_PLACES };

/* Times the multiplier of id_hash: 1. */
#define UNHASH UINT64_C(0xF1DE83E19937733D)

typedef struct {
    cell_arena arena;
    id_index ids;
    uint64_t id[NUMBERS];
    uint32_t cell[NUMBERS]; /* CELL_NONE: the id is not live */
    uint32_t count;         /* of numbers in use */
} world;

static world w; /* large: not for the stack */

static inline void world_open(uint32_t capacity) {
    CHECK(cells_init(&w.arena, capacity) && id_index_init(&w.ids, capacity));
    memset(w.cell, 0, sizeof w.cell);
    w.count = 0;
}

static inline void world_close(void) {
    id_index_free(&w.ids);
    cells_free(&w.arena);
}

/* An id of that home group in the smallest table (and its like in larger ones) and that tag. */
static inline uint64_t id_for(uint32_t home, uint32_t tag, uint32_t distinct) {
    uint64_t hash = (uint64_t)home << (64 - ID_MIN_BITS) | (uint64_t)tag << 32 | distinct;
    CHECK(id_hash(hash * UNHASH) == hash);
    return hash * UNHASH;
}

static inline uint32_t number_of(uint64_t order_id) {
    w.id[w.count] = order_id;
    return w.count++;
}

static inline void put(uint32_t number) {
    uint32_t cell = cell_take_order(&w.arena);
    CHECK(cell != CELL_NONE && w.cell[number] == CELL_NONE);
    cell_order(&w.arena, cell)->order_id = w.id[number];
    id_insert(&w.ids, &w.arena, w.id[number], cell);
    w.cell[number] = cell;
}

/* As the book does it: the order's cell is given back first, and may be reused at once. */
static inline void drop(uint32_t number) {
    id_place place = id_find(&w.ids, &w.arena, w.id[number]);
    CHECK(place.cell == w.cell[number] && place.cell != CELL_NONE);
    cell_give_order(&w.arena, place.cell);
    id_remove(&w.ids, &w.arena, place, w.id[number]);
    w.cell[number] = CELL_NONE;
}

/* The ids that went past each group, counted one by one. */
static inline void require_past_counts(const id_table *table) {
    static uint32_t past[NUMBERS];
    CHECK(table->mask < NUMBERS);
    memset(past, 0, sizeof past);
    for (uint32_t at = 0; at <= table->mask; at++)
        for (uint32_t place = 0; place < GROUP_PLACES; place++) {
            if ((table->tags[at] >> place * 8 & 0xFF) == 0) continue;
            uint32_t cell = table->cells[at * GROUP_STRIDE + place];
            uint32_t group = id_home(table, id_hash(cell_order(&w.arena, cell)->order_id));
            for (; group != at; group = (group + 1) & table->mask) past[group]++;
        }
    for (uint32_t group = 0; group <= table->mask; group++) {
        CHECK(table->cells[group * GROUP_STRIDE + GROUP_PLACES] == past[group]);
        CHECK((table->tags[group] >= SOME_WENT_PAST) == (past[group] > 0));
    }
}

static inline int is_blank(const id_table *table) {
    for (uint32_t group = 0; group <= table->mask; group++)
        if (table->tags[group] || table->cells[group * GROUP_STRIDE + GROUP_PLACES]) return 0;
    return 1;
}

static const char *complaint(void) {
    static char message[256];
    return id_index_check(&w.ids, &w.arena, message, sizeof message) ? "" : message;
}

/* Everything is found, nothing else is, and the check agrees. */
static inline void require_all(void) {
    for (uint32_t number = 0; number < w.count; number++)
        CHECK(id_lookup(&w.ids, &w.arena, w.id[number]) == w.cell[number]);
    require_sound();
}

static inline uint32_t bits_now(void) {
    return 32 - w.ids.now.shift;
}

#endif
