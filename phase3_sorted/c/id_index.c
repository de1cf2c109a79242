/* id_index.c - moving the id table from one size to the next, a group at a time. */
#include "id_index.h"

#include <inttypes.h>
#include <string.h>

#include "memory.h"

/* The tables of all sizes lie one after the other, the smallest first. */
static size_t groups_below(uint32_t bits) {
    return ((size_t)1 << bits) - ((size_t)1 << ID_MIN_BITS);
}

static id_table id_table_of_bits(const id_index *index, uint32_t bits) {
    return (id_table){index->tag_memory + groups_below(bits),
                      index->cell_memory + groups_below(bits) * GROUP_STRIDE,
                      (uint32_t)(((uint64_t)1 << bits) - 1), 32 - bits};
}

/* id_table_use: from now on this is the table; also says for which loads it is the right one. */
static void id_table_use(id_index *index, uint32_t bits) {
    uint64_t places = GROUP_PLACES * ((uint64_t)1 << bits);
    uint64_t most = bits < index->max_bits ? places / ID_FEWEST_PLACES : UINT32_MAX - 1;
    index->now = id_table_of_bits(index, bits);
    index->fewest_orders = bits > ID_MIN_BITS ? (uint32_t)(places / ID_MOST_PLACES) : 0;
    index->order_span = (uint32_t)most - index->fewest_orders + 1;
}

size_t id_index_init(id_index *index, uint32_t capacity) {
    uint32_t bits = ID_MIN_BITS;
    while (GROUP_PLACES * ((uint64_t)1 << bits) < (uint64_t)ID_FEWEST_PLACES * capacity) bits++;
    size_t groups = groups_below(bits + 1);
    index->max_bits = bits;
    index->tag_memory = memory_take(groups * sizeof(uint64_t));
    index->cell_memory = memory_take(groups * GROUP_STRIDE * sizeof(uint32_t));
    if (!index->tag_memory || !index->cell_memory) {
        id_index_free(index);
        return 0;
    }
    id_index_clear(index);
    return groups * (sizeof(uint64_t) + GROUP_STRIDE * sizeof(uint32_t));
}

void id_index_free(id_index *index) {
    memory_give(index->tag_memory);
    memory_give(index->cell_memory);
    index->tag_memory = NULL;
    index->cell_memory = NULL;
}

void id_index_clear(id_index *index) {
    size_t groups = groups_below(index->max_bits + 1);
    memset(index->tag_memory, 0, groups * sizeof(uint64_t));
    memset(index->cell_memory, 0, groups * GROUP_STRIDE * sizeof(uint32_t));
    id_table_use(index, ID_MIN_BITS);
    index->old.tags = NULL;
}

/* --8<-- [start:move] */
/* id_move_group: move the ids whose home is that group of `old`. They are in it, or, when it has
 * sent ids on, in the groups after it. */
static void id_move_group(id_index *index, const cell_arena *arena, uint32_t home) {
    id_table *old = &index->old;
    uint32_t group = home;
    do {
        uint64_t tags = old->tags[group];
        for (uint32_t place = 0; place < GROUP_PLACES; place++) {
            if ((tags >> place * 8 & 0xFF) == 0) continue;
            uint32_t cell = old->cells[group * GROUP_STRIDE + place];
            uint64_t hash = id_hash(cell_order(arena, cell)->order_id);
            if (id_home(old, hash) != home) continue;
            id_put(&index->now, hash, cell);
            id_take_out(old, hash, group, place);
        }
        if (tags < SOME_WENT_PAST) return;
        group = (group + 1) & old->mask;
    } while (group != home);
}

void id_index_resize_step(id_index *index, const cell_arena *arena) {
    uint32_t bits = 32 - index->now.shift;
    if (!index->old.tags) {
        index->old = index->now;
        index->moved = 0;
        id_table_use(index, arena->live_orders < index->fewest_orders ? bits - 1 : bits + 1);
        index->order_span = 0;
    }
    id_move_group(index, arena, index->moved++);
    if (index->moved > index->old.mask) {
        index->old.tags = NULL; /* its places and counts are all 0 again, ready for the next time */
        id_table_use(index, 32 - index->now.shift);
    }
}
/* --8<-- [end:move] */

/* table_check: every entry is an order's, has its tag, and is found where looking for it ends.
 * Adds up the entries. */
static int table_check(const id_index *index, const id_table *table, const cell_arena *arena,
                       uint64_t *entries, char *message, size_t size) {
    for (uint64_t i = 0; i <= (uint64_t)table->mask * GROUP_STRIDE + GROUP_PLACES - 1; i++) {
        uint32_t group = (uint32_t)(i / GROUP_STRIDE), place = (uint32_t)(i % GROUP_STRIDE);
        uint64_t tag = table->tags[group] >> place * 8 & 0xFF;
        if (place == GROUP_PLACES || tag == 0) continue;
        uint64_t order_id = cell_order(arena, table->cells[i])->order_id;
        id_place found = id_find((id_index *)index, arena, order_id);
        if (tag != id_tag(id_hash(order_id)) || found.table->tags != table->tags ||
            found.group != group || found.place != place) {
            snprintf(message, size, "id index: order %" PRIu64 " in group %u is astray", order_id,
                     group);
            return 0;
        }
        ++*entries;
    }
    return 1;
}

int id_index_check(const id_index *index, const cell_arena *arena, char *message, size_t size) {
    uint64_t entries = 0;
    if (!table_check(index, &index->now, arena, &entries, message, size)) return 0;
    if (index->old.tags && !table_check(index, &index->old, arena, &entries, message, size))
        return 0;
    if (entries != arena->live_orders) {
        snprintf(message, size, "id index: %" PRIu64 " entries for %u orders", entries,
                 arena->live_orders);
        return 0;
    }
    return 1;
}
