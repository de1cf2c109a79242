/* book_memory.c - the one block a book lives in: taken, filled from an image, given back. */
#include <stdlib.h>
#include <string.h>

#include "phase2_arena/c/book.h"

#define MAX_CAPACITY (UINT32_C(1) << 30)

static size_t block_bytes(uint32_t capacity)
{
    return whole_lines(sizeof(book)) + arena_bytes(capacity) + levels_bytes(capacity) +
           table_bytes(capacity);
}

/* An empty book in its block. Every cell, slot and level is written, so every page is there. */
static void book_place(book *self, uint32_t capacity)
{
    char *at = (char *)self + whole_lines(sizeof(book));
    arena_place(&self->orders, at, capacity);
    at += arena_bytes(capacity);
    levels_place(&self->levels, at, capacity);
    at += levels_bytes(capacity);
    table_place(&self->ids, at, capacity, self->orders.slots, ORDER_SHIFT);
}

/* --8<-- [start:new] */
book *book_new(uint32_t instrument, int64_t min_price, int64_t max_price, uint32_t capacity)
{
    CHECK(capacity >= 1 && capacity <= MAX_CAPACITY);
    CHECK(min_price <= max_price);
    size_t bytes = block_bytes(capacity);
    book *self = aligned_alloc(CACHE_LINE_BYTES, bytes);
    if (self == NULL)
        return NULL;
    *self = (book){.min_price = min_price, .max_price = max_price, .bytes = bytes,
                   .instrument = instrument};
    book_place(self, capacity);
    return self;
}
/* --8<-- [end:new] */

void book_free(book *self)
{
    free(self);
}

/* An image lists the orders of a level in priority order, so appending them gives the queue. */
void book_restore(book *self, const order_image *orders, size_t count, uint64_t event_sequence)
{
    CHECK(count <= self->orders.capacity);
    book_place(self, self->orders.capacity);
    for (size_t i = 0; i < count; i++) {
        const order_image *image = &orders[i];
        uint32_t slot = book_slot_add(self, image->order_id);
        order *restored = &self->orders.slots[slot];
        restored->price = image->price;
        restored->quantity = image->quantity;
        restored->timestamp_ns = image->timestamp_ns;
        restored->account = image->account;
        restored->side = (uint8_t)image->side;
        restored->self_trade = image->self_trade;
        restored->flags = image->flags;
        book_order_rest(self, slot);
    }
    self->event_sequence = event_sequence;
}
