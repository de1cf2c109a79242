/* order_flow.c - see order_flow.h. */
#include "order_flow.h"

#include "check.h"
#include "ladder.h"

enum { MILLION = 1000000, NANOSECONDS_APART = 1000 };

typedef struct {
    const order_flow_shape *shape;
    uint64_t random;
    int32_t middle; /* as an index into the ladder, like every price in here */
    ladder book;
} order_flow;

/* SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint32_t draw_word(order_flow *self)
{
    uint64_t z = self->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

/* A share of `limit`: `word` taken as a fraction of 2**32. */
static uint32_t scale(uint32_t word, uint32_t limit)
{
    return (uint32_t)((uint64_t)word * limit >> 32);
}

static uint32_t draw_below(order_flow *self, uint32_t limit)
{
    return scale(draw_word(self), limit);
}

/* Ticks from the middle, less one. The cube of a uniform draw is small more often than not: half
 * of all adds then stand in the nearest eighth. */
static uint32_t draw_distance(order_flow *self)
{
    uint32_t word = draw_word(self);
    uint32_t cubed = scale(scale(word, word), word);
    return scale(self->shape->concentrated ? cubed : word, self->shape->half_width);
}

static void walk(order_flow *self)
{
    const order_flow_shape *shape = self->shape;
    int32_t lowest = (int32_t)shape->half_width;
    int32_t highest = lowest + 2 * (int32_t)shape->walk_range;
    int32_t moved = self->middle + (draw_below(self, 2) ? 1 : -1);
    if (moved >= lowest && moved <= highest)
        self->middle = moved;
}

static int64_t outer_price(const order_flow_shape *shape, int32_t price)
{
    return shape->middle_price + price - (int64_t)shape->half_width - shape->walk_range;
}

static void add(order_flow *self, command_record *out)
{
    int side = (int)draw_below(self, 2);
    int32_t distance = 1 + (int32_t)draw_distance(self);
    uint32_t quantity = 1 + draw_below(self, ORDER_FLOW_MAX_QUANTITY);
    int32_t price = side == SIDE_BID ? self->middle - distance : self->middle + distance;
    /* Where the walk has left stale orders behind, join them from this side of the touch. */
    if (side == SIDE_BID && price >= self->book.best[SIDE_ASK])
        price = self->book.best[SIDE_ASK] - 1;
    if (side == SIDE_ASK && price <= self->book.best[SIDE_BID])
        price = self->book.best[SIDE_BID] + 1;
    *out = (command_record){
        .order_id = 1 + (uint64_t)ladder_add(&self->book, side, price, quantity),
        .price = outer_price(self->shape, price),
        .quantity = quantity,
        .kind = COMMAND_NEW,
        .side = (uint8_t)side,
    };
}

static void cancel(order_flow *self, command_record *out)
{
    uint32_t number = self->book.live[draw_below(self, self->book.live_count)];
    ladder_cancel(&self->book, number);
    *out = (command_record){.order_id = 1 + (uint64_t)number, .kind = COMMAND_CANCEL};
}

/* A limit order at the price of the last maker it takes, for just what it takes. */
static bool cross(order_flow *self, command_record *out)
{
    int maker_side = (int)draw_below(self, 2);
    uint32_t makers = 1 + draw_below(self, self->shape->most_makers);
    bool spare = draw_below(self, 2) != 0;
    if (makers >= self->book.side_count[maker_side])
        return false;
    ladder_taken taken = ladder_sweep(&self->book, maker_side, makers, spare);
    *out = (command_record){
        .order_id = 1 + (uint64_t)ladder_pass(&self->book),
        .price = outer_price(self->shape, taken.price),
        .quantity = taken.quantity,
        .kind = COMMAND_NEW,
        .side = maker_side == SIDE_BID ? SIDE_ASK : SIDE_BID,
    };
    return true;
}

/* How many orders should rest after command `at` of the measured part. */
static uint32_t wanted_resting(const order_flow_shape *shape, uint32_t at)
{
    int64_t growth = (int64_t)shape->last_resting - shape->first_resting;
    return (uint32_t)(shape->first_resting + growth * at / shape->measured);
}

/* The share of adds that holds the book on its course: half of what does not cross makes up for
 * the other half, the makers taken come on top, and a part of what is missing. */
static uint32_t add_share_ppm(const order_flow *self, uint32_t wanted)
{
    const order_flow_shape *shape = self->shape;
    int64_t growth_ppm = ((int64_t)shape->last_resting - shape->first_resting) * MILLION;
    growth_ppm /= shape->measured;
    int64_t taken_ppm = (int64_t)shape->crossing_ppm * shape->most_makers / 2;
    int64_t share = (MILLION - (int64_t)shape->crossing_ppm + growth_ppm + taken_ppm) / 2;
    int64_t missing = (int64_t)wanted - self->book.live_count;
    share += missing * (MILLION / 2) / (wanted + 1);
    int64_t most = MILLION - (int64_t)shape->crossing_ppm;
    return (uint32_t)(share < 0 ? 0 : share > most ? most : share);
}

static void mix(order_flow *self, uint32_t wanted, command_record *out)
{
    const order_flow_shape *shape = self->shape;
    if (shape->walk_period != 0 && draw_below(self, shape->walk_period) == 0)
        walk(self);
    uint32_t dice = draw_below(self, MILLION);
    uint32_t add_share = add_share_ppm(self, wanted);
    if (dice >= add_share && dice < MILLION - shape->crossing_ppm && self->book.live_count > 0)
        cancel(self, out);
    else if (dice < add_share || !cross(self, out))
        add(self, out);
}

int order_flow_generate(const order_flow_shape *shape, command_record *out)
{
    CHECK(shape->half_width >= 1 && shape->most_makers >= 1 && shape->measured >= 1);
    CHECK(shape->warmup >= shape->first_resting && shape->crossing_ppm <= MILLION);
    uint32_t total = shape->warmup + shape->measured;
    CHECK(total >= shape->measured && total < LADDER_NONE);
    uint64_t width = 2 * ((uint64_t)shape->half_width + shape->walk_range) + 1;
    CHECK(width <= INT32_MAX);
    order_flow self = {
        .shape = shape,
        .random = shape->seed,
        .middle = (int32_t)(shape->half_width + shape->walk_range),
    };
    bool ready = ladder_init(&self.book, (int32_t)width, total);
    for (uint32_t i = 0; ready && i < total; i++) {
        if (i < shape->first_resting)
            add(&self, &out[i]);
        else if (i < shape->warmup)
            mix(&self, shape->first_resting, &out[i]);
        else
            mix(&self, wanted_resting(shape, i - shape->warmup), &out[i]);
        out[i].timestamp_ns = (uint64_t)i * NANOSECONDS_APART;
    }
    ladder_free(&self.book);
    return ready;
}
