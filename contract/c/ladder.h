/* ladder.h - the order stream generator's own idea of which orders are live.
 *
 * A cancel in a generated stream must hit a live order, and a sweep must take as many makers as
 * it was meant to; so the generator follows its own stream. This is no engine: it knows no events
 * and few rules, prices are a small fixed range, and an order is its number in the stream.
 *
 * A level is a singly linked first-in-first-out list. A cancelled order stays in its list, with
 * quantity 0, until it comes to the front or nothing else is left there.
 */
#ifndef MATCHBOOK_LADDER_H
#define MATCHBOOK_LADDER_H

#include <stdbool.h>
#include <stdint.h>

#define LADDER_NONE UINT32_MAX

typedef struct {
    uint32_t next; /* behind it on its level, or LADDER_NONE */
    uint32_t price;
    uint32_t quantity; /* open; 0 when it is not live */
    uint32_t live_at;  /* its place in `live` */
} ladder_order;

typedef struct {
    uint32_t first;
    uint32_t last;
    uint32_t live_count;
} ladder_level;

typedef struct {
    int32_t price_count;
    uint32_t order_limit;
    uint32_t order_count; /* orders so far; the next one's number */
    uint32_t live_count;
    uint32_t side_count[2]; /* of live_count, by side */
    int32_t best[2];        /* -1 without bids, price_count without asks */
    ladder_order *orders;
    ladder_level *levels;
    uint32_t *live; /* the live orders' numbers, in no particular order */
} ladder;

/* ladder_init: prices 0 to price_count - 1, and so many orders over its whole life.
 * Returns false when memory is short; ladder_free is due in either case. */
bool ladder_init(ladder *self, int32_t price_count, uint32_t order_limit);
void ladder_free(ladder *self);

/* ladder_add: rest an order that crosses nothing, at the back of its level. O(1). */
uint32_t ladder_add(ladder *self, int side, int32_t price, uint32_t quantity);
/* ladder_pass: count an order that trades in full on arrival. O(1). */
uint32_t ladder_pass(ladder *self);
/* ladder_cancel: forget a live order. O(1), and a walk to the next level if its level was best. */
void ladder_cancel(ladder *self, uint32_t number);

/* What a sweep took. */
typedef struct {
    uint32_t quantity;
    int32_t price; /* the last maker's */
} ladder_taken;

/* ladder_sweep: take `makers` orders from the front of a side, which holds more than that; if
 * `spare` is set, one lot of the last is left standing where it has more than one. O(makers). */
ladder_taken ladder_sweep(ladder *self, int side, uint32_t makers, bool spare);

#endif
