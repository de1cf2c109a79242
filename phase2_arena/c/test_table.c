/* test_table.c - the open-addressing table against the plainest one there is. */
#include <stdlib.h>

#include "contract/c/engine_stream.h"
#include "phase2_arena/c/table.h"

enum { CAPACITY = 1000, KEYS = 4000, STEPS = 200000, RECORD_SHIFT = 3 };

static uint64_t records[CAPACITY]; /* a record is its key and nothing else */

static table table_new(void)
{
    table self;
    void *memory = aligned_alloc(CACHE_LINE_BYTES, table_bytes(CAPACITY));
    CHECK(memory != NULL);
    table_place(&self, memory, CAPACITY, records, RECORD_SHIFT);
    return self;
}

/* Cells between a key's home and where it is. */
static uint32_t probe_length(const table *self, uint64_t key)
{
    return (table_cell_find(self, key) - table_home(self, key)) & self->mask;
}

/* Guards: a key lost or a stale one found after erasures moved others, above all where a run of
 * cells wraps around the end of the table. */
static void test_random_insertions_and_erasures(uint64_t seed)
{
    static uint32_t where[KEYS]; /* the plain table: key number -> record */
    static uint32_t free_records[CAPACITY];
    uint32_t free_count = CAPACITY;
    table self = table_new();
    command_stream random = {.state = seed};
    for (uint32_t i = 0; i < KEYS; i++)
        where[i] = NONE;
    for (uint32_t i = 0; i < CAPACITY; i++)
        free_records[i] = i;
    for (int step = 0; step < STEPS; step++) {
        uint32_t number = (uint32_t)stream_below(&random, KEYS);
        uint64_t key = number * UINT64_C(0x100000001) + 1;
        CHECK(table_find(&self, key) == where[number]);
        if (where[number] == NONE && free_count > 0) {
            uint32_t index = free_records[--free_count];
            records[index] = key;
            table_insert(&self, key, index);
            where[number] = index;
        } else if (where[number] != NONE) {
            table_erase(&self, key);
            free_records[free_count++] = where[number];
            where[number] = NONE;
        }
        if (step % 5000 == 0) {
            uint32_t full = 0;
            for (uint32_t cell = 0; cell <= self.mask; cell++)
                full += self.cells[cell] != NONE;
            CHECK(full == CAPACITY - free_count);
            for (uint32_t i = 0; i < KEYS; i++)
                CHECK(table_find(&self, i * UINT64_C(0x100000001) + 1) == where[i]);
        }
    }
    free(self.cells);
}

/* Guards: a hash under which ids of an ordinary pattern pile up in one place. */
static void test_patterned_keys_stay_near_home(void)
{
    const uint64_t strides[] = {1,
                                2,
                                64,
                                1000,
                                UINT64_C(1) << 20,
                                UINT64_C(1) << 32,
                                UINT64_C(1) << 44,
                                UINT64_C(1) << 54,
                                UINT64_C(0x100000001),
                                UINT64_C(0x9E3779B97F4A7C15),
                                UINT64_C(0xF1DE83E19937733D), /* times the one above: 1 */
                                0 - UINT64_C(1)};
    for (size_t s = 0; s < sizeof strides / sizeof *strides; s++) {
        table self = table_new();
        uint64_t total = 0;
        for (uint32_t i = 0; i < CAPACITY; i++) {
            records[i] = (i + 1) * strides[s];
            table_insert(&self, records[i], i);
        }
        for (uint32_t i = 0; i < CAPACITY; i++) {
            CHECK(table_find(&self, records[i]) == i);
            total += probe_length(&self, records[i]);
        }
        /* Half full and well spread, a found key is half a cell from home on average (Knuth). */
        CHECK(total < CAPACITY);
        free(self.cells);
    }
}

/* Guards: sizes off by one, and a table of the least capacity, which has to keep a cell empty. */
static void test_sizes(void)
{
    CHECK(table_cells(1) == 2);
    CHECK(table_cells(2) == 4);
    CHECK(table_cells(3) == 8);
    CHECK(table_cells(1u << 20) == 1u << 21);
    CHECK(table_cells((1u << 20) + 1) == 1u << 22);
    CHECK(table_cells(1u << 30) == UINT64_C(1) << 31);
    table self;
    _Alignas(CACHE_LINE_BYTES) uint32_t cells[CACHE_LINE_BYTES / sizeof(uint32_t)];
    CHECK(table_bytes(1) == sizeof cells);
    table_place(&self, cells, 1, records, RECORD_SHIFT);
    for (uint64_t key = 1; key < 100; key++) {
        records[0] = key;
        CHECK(table_find(&self, key) == NONE);
        table_insert(&self, key, 0);
        CHECK(table_find(&self, key) == 0);
        CHECK(table_find(&self, key + 1) == NONE);
        table_erase(&self, key);
        CHECK(table_find(&self, key) == NONE);
    }
}

int main(void)
{
    test_random_insertions_and_erasures(1);
    test_random_insertions_and_erasures(2);
    test_patterned_keys_stay_near_home();
    test_sizes();
    return 0;
}
