/* book_view.c - what others may see of the book. Nothing here changes it, but a walk over the
 * levels uses the book's scratch memory, so even two readers must not overlap. */
#include "phase2_arena/c/book.h"

static order_image image_of(const order *seen)
{
    return (order_image){
        .order_id = seen->order_id,
        .price = seen->price,
        .quantity = seen->quantity,
        .timestamp_ns = seen->timestamp_ns,
        .account = seen->account,
        .self_trade = seen->self_trade,
        .flags = seen->flags,
        .side = seen->side,
    };
}

static level_view view_of(const level *seen)
{
    return (level_view){seen->price, seen->quantity, seen->order_count};
}

/* The best level is known; the others have to be put in order first: O(levels + n log levels). */
size_t book_depth(const book *self, int side, level_view *levels, size_t limit)
{
    if (limit == 0 || self->levels.best[side] == NONE)
        return 0;
    if (limit == 1) {
        levels[0] = view_of(&self->levels.pool[self->levels.best[side]]);
        return 1;
    }
    level_walk walk = level_walk_start(&self->levels, side);
    size_t count = 0;
    uint32_t index;
    while (count < limit && (index = level_walk_next(&walk)) != NONE)
        levels[count++] = view_of(&self->levels.pool[index]);
    return count;
}

size_t book_orders(const book *self, int side, order_image *orders, size_t limit)
{
    level_walk walk = level_walk_start(&self->levels, side);
    size_t count = 0;
    uint32_t index;
    while (count < limit && (index = level_walk_next(&walk)) != NONE) {
        uint32_t slot = self->levels.pool[index].head;
        for (; slot != NONE && count < limit; slot = self->orders.slots[slot].next)
            orders[count++] = image_of(&self->orders.slots[slot]);
    }
    return count;
}

int book_order(const book *self, uint64_t order_id, order_image *found)
{
    uint32_t slot = table_find(&self->ids, order_id);
    if (slot == NONE)
        return 0;
    *found = image_of(&self->orders.slots[slot]);
    return 1;
}

size_t book_order_count(const book *self)
{
    return self->orders.live;
}

size_t book_level_count(const book *self, int side)
{
    return self->levels.live_count[side];
}

uint64_t book_event_sequence(const book *self)
{
    return self->event_sequence;
}

size_t book_bytes(const book *self)
{
    return self->bytes;
}
