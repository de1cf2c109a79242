/* table.c - see table.h. */
#include "phase2_arena/c/table.h"

#define KEY_BITS 64

uint64_t table_cells(uint32_t capacity)
{
    uint64_t cells = 2;
    while (cells < 2 * (uint64_t)capacity)
        cells *= 2;
    return cells;
}

size_t table_bytes(uint32_t capacity)
{
    return whole_lines((size_t)table_cells(capacity) * sizeof(uint32_t));
}

void table_place(table *self, void *memory, uint32_t capacity, const void *records,
                 uint8_t record_shift)
{
    uint64_t cells = table_cells(capacity);
    self->cells = memory;
    self->records = records;
    self->mask = (uint32_t)(cells - 1);
    self->record_shift = record_shift;
    self->hash_shift = KEY_BITS;
    while (cells > 1) {
        cells /= 2;
        self->hash_shift--;
    }
    memset(memory, 0xFF, table_bytes(capacity)); /* every cell is NONE */
}
