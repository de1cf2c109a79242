/* cells.c - taking the book's memory at the start, and touching every page of it. */
#include "cells.h"

#include "memory.h"

size_t cells_init(cell_arena *arena, uint32_t capacity) {
    arena->capacity = capacity;
    size_t cells = 1 + 2 * (size_t)capacity;
    arena->base = memory_take(cells * CELL_BYTES);
    arena->timestamp_ns = memory_take(((size_t)capacity + 1) * sizeof(uint64_t));
    if (!arena->base || !arena->timestamp_ns) {
        cells_free(arena);
        return 0;
    }
    cells_clear(arena);
    return cells * CELL_BYTES + ((size_t)capacity + 1) * sizeof(uint64_t);
}

void cells_free(cell_arena *arena) {
    memory_give(arena->base);
    memory_give(arena->timestamp_ns);
    arena->base = NULL;
    arena->timestamp_ns = NULL;
}

void cells_clear(cell_arena *arena) {
    for (uint32_t i = 0; i < arena->capacity; i++) {
        order_cell *order = cell_order(arena, 1 + i);
        order->level = CELL_NONE;
        order->links.next = i + 1 < arena->capacity ? 2 + i : CELL_NONE;
        level_cell *level = cell_level(arena, arena->capacity + 1 + i);
        level->order_count = 0;
        level->links.next = i + 1 < arena->capacity ? arena->capacity + 2 + i : CELL_NONE;
    }
    arena->free_order = 1;
    arena->free_level = arena->capacity + 1;
    arena->live_orders = 0;
}
