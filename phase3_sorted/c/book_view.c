/* book_view.c - building a book, and what others may see of it. Nothing here is on the hot path. */
#include <stdlib.h>

#include "book.h"

static void book_clear(book *self) {
    cells_clear(&self->arena);
    id_index_clear(&self->ids);
    tree_pool_clear(&self->nodes);
    for (uint32_t side = SIDE_BID; side <= SIDE_ASK; side++)
        level_index_clear(&self->sides[side], &self->nodes);
    self->event_sequence = 0;
}

book *book_new(uint32_t instrument, int64_t min_price, int64_t max_price, uint32_t capacity) {
    CHECK(capacity >= 1 && capacity <= 1u << 30 && min_price <= max_price);
    book *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->instrument = instrument;
    self->min_price = min_price;
    self->max_price = max_price;
    size_t cells = cells_init(&self->arena, capacity);
    size_t ids = cells ? id_index_init(&self->ids, capacity) : 0;
    size_t nodes = ids ? tree_pool_init(&self->nodes, capacity) : 0;
    size_t bids = nodes ? level_index_init(&self->sides[SIDE_BID], &self->arena, SIDE_BID) : 0;
    size_t asks = bids ? level_index_init(&self->sides[SIDE_ASK], &self->arena, SIDE_ASK) : 0;
    if (!asks) {
        book_free(self);
        return NULL;
    }
    self->bytes = sizeof *self + cells + ids + nodes + bids + asks;
    book_clear(self);
    return self;
}

void book_free(book *self) {
    if (!self) return;
    cells_free(&self->arena);
    id_index_free(&self->ids);
    tree_pool_free(&self->nodes);
    level_index_free(&self->sides[SIDE_BID]);
    level_index_free(&self->sides[SIDE_ASK]);
    free(self);
}

size_t book_depth(const book *self, int side, level_view *levels, size_t limit) {
    const level_index *index = &self->sides[side];
    size_t count = 0;
    uint32_t number = index->best_level;
    for (; count < limit && number != CELL_NONE; number = level_index_next(index, number)) {
        const level_cell *level = cell_level(&self->arena, number);
        levels[count++] =
            (level_view){key_price(index, level->key), level->quantity, level->order_count};
    }
    return count;
}

static order_image image_of(const book *self, uint32_t cell) {
    const order_cell *order = cell_order(&self->arena, cell);
    const level_cell *level = cell_level(&self->arena, order->level);
    return (order_image){.order_id = order->order_id,
                         .price = key_price(&self->sides[level->side], level->key),
                         .quantity = order_open(order),
                         .timestamp_ns = self->arena.timestamp_ns[cell],
                         .account = order->account,
                         .self_trade = (uint8_t)order_self_trade(order),
                         .flags = (uint8_t)order_flags(order),
                         .side = (uint16_t)level->side};
}

size_t book_orders(const book *self, int side, order_image *orders, size_t limit) {
    const level_index *index = &self->sides[side];
    size_t count = 0;
    uint32_t number = index->best_level;
    for (; number != CELL_NONE; number = level_index_next(index, number)) {
        uint32_t cell = cell_level(&self->arena, number)->links.next;
        for (; cell != number; cell = cell_order(&self->arena, cell)->links.next) {
            if (count == limit) return count;
            orders[count++] = image_of(self, cell);
        }
    }
    return count;
}

int book_order(const book *self, uint64_t order_id, order_image *order) {
    uint32_t cell = id_lookup(&self->ids, &self->arena, order_id);
    if (cell == CELL_NONE) return 0;
    *order = image_of(self, cell);
    return 1;
}

size_t book_order_count(const book *self) {
    return self->arena.live_orders;
}

size_t book_level_count(const book *self, int side) {
    return self->sides[side].level_count;
}

uint64_t book_event_sequence(const book *self) {
    return self->event_sequence;
}

size_t book_bytes(const book *self) {
    return self->bytes;
}

void book_restore(book *self, const order_image *orders, size_t count, uint64_t event_sequence) {
    CHECK(count <= self->arena.capacity);
    book_clear(self);
    for (size_t i = 0; i < count; i++) {
        const order_image *image = &orders[i];
        uint32_t cell = cell_take_order(&self->arena);
        order_cell *order = cell_order(&self->arena, cell);
        order->order_id = image->order_id;
        order->open_and_mode = image->quantity | (uint64_t)image->self_trade << MODE_SHIFT |
                               (image->flags & FLAG_POST_ONLY ? POST_ONLY_BIT : 0);
        order->account = image->account;
        self->arena.timestamp_ns[cell] = image->timestamp_ns;
        level_index *side = &self->sides[image->side];
        book_place(self, cell, side, image->price ^ side->mirror);
        id_insert(&self->ids, &self->arena, image->order_id, cell);
    }
    self->event_sequence = event_sequence;
}
