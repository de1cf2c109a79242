/* workload.c - see workload.h.
 *
 * The arithmetic is written in the order in which the benchmark defines it, and every draw from
 * the random stream stands on a line of its own: C does not say in which order the two sides of
 * an operator are evaluated, and a swapped pair of draws is another workload.
 */
#include "workload.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "check.h"
#include "twister.h"

enum {
    DEPTH_LEVELS = 800,
    /* arrival, modification, cancellation, duplicate cancellation, late modification */
    MAX_MESSAGES_PER_ORDER = 5
};

static const double TICK = 0.005;
static const double FIRST_MID = 167.52;
static const double HALF_LIFE_MS = 0.431;
static const double PI = 3.14159265358979323846;
static const double SMALLEST_DRAW = 1e-300;

static const double SHARE_IOC = 0.15;
static const double SHARE_MODIFIED = 0.20;
static const double SHARE_MODIFIED_IN_PRICE = 0.80;
static const double SHARE_CANCELLED = 0.95;
static const double SHARE_REPEATED = 0.02;

typedef struct {
    int64_t price;
    uint32_t number; /* from 0, in the order of drawing; the id is one more */
    uint16_t level;  /* distance from the middle, in ticks, from 0 */
    uint8_t quantity;
    uint8_t side;
} planned_order;
static_assert(sizeof(planned_order) == 16, "16 bytes an order, as workload.h says");

struct workload {
    twister random;
    uint32_t order_count;
    uint32_t next_order;
    uint64_t now_us;
    uint32_t pending_count; /* messages of the order before next_order, not all handed out */
    uint32_t pending_next;
    command_record pending[MAX_MESSAGES_PER_ORDER];
    planned_order *orders;
};

/* An integer from low to high, both inclusive. */
static uint32_t draw_integer(twister *random, uint32_t low, uint32_t high)
{
    return low + (uint32_t)(twister_uniform(random) * (double)(high - low + 1));
}

/* Standard normal by Box and Muller, the cosine half only. */
static double draw_normal(twister *random)
{
    double u1 = twister_uniform(random);
    double u2 = twister_uniform(random);
    if (u1 < SMALLEST_DRAW)
        u1 = SMALLEST_DRAW;
    return sqrt(-2.0 * log(u1)) * cos(2.0 * PI * u2);
}

static double draw_exponential(twister *random, double rate)
{
    double u = twister_uniform(random);
    if (u < SMALLEST_DRAW)
        u = SMALLEST_DRAW;
    return -log(u) / rate;
}

/* How much of the order flow stands at each distance or nearer: a power law that falls off from
 * the touch, and a hump around the ninth tick. */
static void fill_depth_table(double cumulative[DEPTH_LEVELS])
{
    double sum = 0.0;
    for (int k = 0; k < DEPTH_LEVELS; k++) {
        double from_hump = (double)(k - 8);
        sum += 1.0 / pow((double)(k + 1), 2.23) + 5.0 * exp(-0.5 * (from_hump * from_hump));
        cumulative[k] = sum;
    }
}

/* The first distance whose cumulative weight reaches the drawn one, by halving. */
static uint16_t draw_level(twister *random, const double cumulative[DEPTH_LEVELS])
{
    double wanted = twister_uniform(random) * cumulative[DEPTH_LEVELS - 1];
    uint32_t low = 0, high = DEPTH_LEVELS - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (cumulative[middle] >= wanted)
            high = middle;
        else
            low = middle + 1;
    }
    return (uint16_t)low;
}

static void draw_orders(workload *self, double volatility, double swing)
{
    double cumulative[DEPTH_LEVELS];
    fill_depth_table(cumulative);
    double dt = volatility > 0.0 ? pow(swing / volatility, 2.0) / (double)self->order_count : 0.0;
    double step = volatility * sqrt(dt);
    double mid = FIRST_MID;
    for (uint32_t i = 0; i < self->order_count; i++) {
        double normal = draw_normal(&self->random);
        mid *= exp(-0.5 * step * step + step * normal);
        int64_t mid_ticks = llround(round(mid / TICK) * TICK / TICK);
        uint16_t level = draw_level(&self->random, cumulative);
        uint8_t side = i < self->order_count / 2 ? SIDE_BID : SIDE_ASK;
        int64_t price = side == SIDE_BID ? mid_ticks - (level + 1) : mid_ticks + (level + 1);
        self->orders[i] = (planned_order){
            .price = price < 1 ? 1 : price,
            .number = i,
            .level = level,
            .quantity = (uint8_t)draw_integer(&self->random, 1, 100),
            .side = side,
        };
    }
}

static void shuffle_orders(workload *self)
{
    planned_order *orders = self->orders;
    for (uint32_t i = self->order_count - 1; i >= 1; i--) {
        uint32_t j = draw_integer(&self->random, 0, i);
        planned_order other = orders[j];
        orders[j] = orders[i];
        orders[i] = other;
    }
}

workload *workload_new(double volatility, double swing, uint32_t order_count, uint32_t seed)
{
    CHECK(order_count >= 1);
    CHECK(isfinite(volatility) && volatility >= 0.0);
    CHECK(isfinite(swing) && swing >= 0.0);
    workload *self = calloc(1, sizeof *self);
    planned_order *orders = calloc(order_count, sizeof *orders);
    if (self == NULL || orders == NULL) {
        free(self);
        free(orders);
        return NULL;
    }
    self->orders = orders;
    self->order_count = order_count;
    twister_seed(&self->random, seed);
    draw_orders(self, volatility, swing);
    shuffle_orders(self);
    return self;
}

void workload_free(workload *self)
{
    if (self == NULL)
        return;
    free(self->orders);
    free(self);
}

static void emit(workload *self, uint8_t kind, const planned_order *order, uint64_t time_us)
{
    command_record *out = &self->pending[self->pending_count++];
    *out = (command_record){
        .timestamp_ns = time_us * 1000,
        .order_id = (uint64_t)order->number + 1,
        .kind = kind,
    };
    if (kind == COMMAND_CANCEL)
        return;
    out->price = order->price;
    out->quantity = order->quantity;
    out->side = order->side;
}

/* A message that comes too late: one to twenty microseconds after the cancellation. */
static void emit_late(workload *self, uint8_t kind, const planned_order *order)
{
    self->now_us += 1 + (uint64_t)(twister_uniform(&self->random) * 20.0);
    emit(self, kind, order, self->now_us);
}

/* Live through the next order. Time only ever moves forward, from message to message and from
 * order to order, so the messages come out sorted and no sort is needed. */
static void plan_messages(workload *self)
{
    const planned_order *order = &self->orders[self->next_order++];
    twister *random = &self->random;
    self->pending_count = 0;
    self->pending_next = 0;

    bool immediate = twister_uniform(random) < SHARE_IOC;
    emit(self, COMMAND_NEW, order, self->now_us);
    if (immediate) {
        self->pending[0].time_in_force = TIME_IN_FORCE_IOC;
        self->now_us += 1;
        return;
    }

    planned_order changed = *order;
    changed.quantity++;
    bool modified = twister_uniform(random) < SHARE_MODIFIED;
    if (modified) {
        self->now_us += 30 + (uint64_t)(twister_uniform(random) * 70.0);
        if (twister_uniform(random) < SHARE_MODIFIED_IN_PRICE)
            changed.price += order->side == SIDE_BID ? 1 : -1;
        emit(self, COMMAND_REPLACE, &changed, self->now_us);
    }

    bool cancelled = twister_uniform(random) < SHARE_CANCELLED;
    if (cancelled) {
        double rate = log(2.0) / (HALF_LIFE_MS * 1000.0) / sqrt(1.0 + (double)order->level);
        self->now_us += (uint64_t)draw_exponential(random, rate);
        emit(self, COMMAND_CANCEL, order, self->now_us);
        if (twister_uniform(random) < SHARE_REPEATED)
            emit_late(self, COMMAND_CANCEL, order);
    }
    if (modified && cancelled && twister_uniform(random) < SHARE_REPEATED)
        emit_late(self, COMMAND_REPLACE, &changed);
    self->now_us += 1;
}

uint64_t workload_remaining(const workload *self)
{
    workload rehearsal = *self; /* shares the orders, which planning only reads */
    uint64_t count = self->pending_count - self->pending_next;
    while (rehearsal.next_order < rehearsal.order_count) {
        plan_messages(&rehearsal);
        count += rehearsal.pending_count;
    }
    return count;
}

size_t workload_next(workload *self, command_record *out, size_t capacity)
{
    size_t written = 0;
    while (written < capacity) {
        if (self->pending_next == self->pending_count) {
            if (self->next_order == self->order_count)
                break;
            plan_messages(self);
        }
        out[written++] = self->pending[self->pending_next++];
    }
    return written;
}
