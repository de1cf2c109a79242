/* node.c - see node.h. */
#include "phase2_arena/c/node.h"

#include "phase2_arena/c/book.h"

order *node_slots(book *self)
{
    return self->orders.slots;
}

level *node_levels(book *self)
{
    return self->levels.pool;
}

uint32_t node_slot_take(book *self)
{
    return arena_slot_take(&self->orders);
}

void node_slot_give(book *self, uint32_t slot)
{
    arena_slot_give(&self->orders, slot);
}

uint32_t node_slot_free_head(const book *self)
{
    return self->orders.free_head;
}

uint32_t node_id_find(const book *self, uint64_t order_id)
{
    return table_find(&self->ids, order_id);
}

void node_id_insert(book *self, uint64_t order_id, uint32_t slot)
{
    table_insert(&self->ids, order_id, slot);
}

void node_id_erase(book *self, uint64_t order_id)
{
    table_erase(&self->ids, order_id);
}

uint32_t node_level_find(const book *self, int64_t price)
{
    return level_find(&self->levels, price);
}

uint32_t node_level_open(book *self, int side, int64_t price)
{
    return level_open(&self->levels, side, price);
}

void node_level_close(book *self, int side, uint32_t index)
{
    level_close(&self->levels, side, index);
}

uint32_t node_level_best(const book *self, int side)
{
    return self->levels.best[side];
}

uint32_t node_level_next(const book *self, int side, uint32_t index)
{
    return level_next(&self->levels, side, index);
}

void node_queue_append(book *self, uint32_t index, uint32_t slot)
{
    level_order_append(&self->levels, &self->orders, index, slot);
}

void node_queue_unlink(book *self, uint32_t slot)
{
    level_order_unlink(&self->levels, &self->orders, slot);
}

void node_events_add(book *self, uint64_t count)
{
    self->event_sequence += count;
}

uint64_t node_scans(const book *self)
{
    return self->levels.scans;
}

uint64_t node_levels_scanned(const book *self)
{
    return self->levels.scanned;
}
