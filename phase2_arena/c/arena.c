/* arena.c - see arena.h. */
#include "phase2_arena/c/arena.h"

#include <string.h>

size_t arena_bytes(uint32_t capacity)
{
    return (size_t)capacity * sizeof(order);
}

/* After it, slot 0 is taken first and the last slot last:
 *
 *   free_head -> 0 -> 1 -> 2 -> ... -> capacity - 1 -> NONE
 */
void arena_place(arena *self, void *memory, uint32_t capacity)
{
    CHECK((uintptr_t)memory % CACHE_LINE_BYTES == 0);
    self->slots = memory;
    self->capacity = capacity;
    self->free_head = 0;
    self->live = 0;
    memset(memory, 0, arena_bytes(capacity));
    for (uint32_t slot = 0; slot < capacity; slot++)
        self->slots[slot].next = slot + 1 < capacity ? slot + 1 : NONE;
}
