/* ladder.c - see ladder.h. */
#include "ladder.h"

#include <stdlib.h>

#include "check.h"
#include "contract.h"

bool ladder_init(ladder *self, int32_t price_count, uint32_t order_limit)
{
    *self = (ladder){
        .price_count = price_count,
        .order_limit = order_limit,
        .best = {[SIDE_BID] = -1, [SIDE_ASK] = price_count},
        .orders = calloc(order_limit, sizeof(ladder_order)),
        .levels = calloc((size_t)price_count, sizeof(ladder_level)),
        .live = calloc(order_limit, sizeof(uint32_t)),
    };
    if (self->orders == NULL || self->levels == NULL || self->live == NULL)
        return false;
    for (int32_t price = 0; price < price_count; price++)
        self->levels[price] = (ladder_level){LADDER_NONE, LADDER_NONE, 0};
    return true;
}

void ladder_free(ladder *self)
{
    free(self->orders);
    free(self->levels);
    free(self->live);
    *self = (ladder){0};
}

static int side_of(const ladder *self, int32_t price)
{
    return price <= self->best[SIDE_BID] ? SIDE_BID : SIDE_ASK;
}

uint32_t ladder_pass(ladder *self)
{
    CHECK(self->order_count < self->order_limit);
    return self->order_count++;
}

uint32_t ladder_add(ladder *self, int side, int32_t price, uint32_t quantity)
{
    CHECK(price >= 0 && price < self->price_count && quantity > 0);
    CHECK(side == SIDE_BID ? price < self->best[SIDE_ASK] : price > self->best[SIDE_BID]);
    uint32_t number = ladder_pass(self);
    self->orders[number] = (ladder_order){
        .next = LADDER_NONE,
        .price = (uint32_t)price,
        .quantity = quantity,
        .live_at = self->live_count,
    };
    self->live[self->live_count++] = number;
    self->side_count[side]++;

    ladder_level *level = &self->levels[price];
    if (level->last == LADDER_NONE)
        level->first = number;
    else
        self->orders[level->last].next = number;
    level->last = number;
    level->live_count++;
    if (side == SIDE_BID ? price > self->best[side] : price < self->best[side])
        self->best[side] = price;
    return number;
}

/* The best level emptied: walk to the next, or to the end if the side is empty. */
static void find_best(ladder *self, int side)
{
    if (self->side_count[side] == 0) {
        self->best[side] = side == SIDE_BID ? -1 : self->price_count;
        return;
    }
    while (self->levels[self->best[side]].live_count == 0)
        self->best[side] += side == SIDE_BID ? -1 : 1;
}

void ladder_cancel(ladder *self, uint32_t number)
{
    ladder_order *order = &self->orders[number];
    CHECK(order->quantity > 0);
    int32_t price = (int32_t)order->price;
    int side = side_of(self, price);
    order->quantity = 0;

    uint32_t moved = self->live[--self->live_count];
    self->live[order->live_at] = moved;
    self->orders[moved].live_at = order->live_at;
    self->side_count[side]--;

    ladder_level *level = &self->levels[price];
    if (--level->live_count == 0) {
        *level = (ladder_level){LADDER_NONE, LADDER_NONE, 0};
        if (price == self->best[side])
            find_best(self, side);
    }
}

/* The first live order of a side; drops dead ones before it from its level. */
static uint32_t front(ladder *self, int side)
{
    ladder_level *level = &self->levels[self->best[side]];
    while (self->orders[level->first].quantity == 0)
        level->first = self->orders[level->first].next;
    return level->first;
}

ladder_taken ladder_sweep(ladder *self, int side, uint32_t makers, bool spare)
{
    CHECK(makers > 0 && makers < self->side_count[side]);
    ladder_taken taken = {0, 0};
    for (uint32_t i = 1; i <= makers; i++) {
        uint32_t number = front(self, side);
        ladder_order *order = &self->orders[number];
        taken.price = (int32_t)order->price;
        if (i == makers && spare && order->quantity > 1) {
            taken.quantity += order->quantity - 1;
            order->quantity = 1;
        } else {
            taken.quantity += order->quantity;
            ladder_cancel(self, number);
        }
    }
    return taken;
}
