/* order_flow.h - order streams of a stated shape, for measuring engines.
 *
 * A flow is adds around a walking middle, cancels of live orders, and crossing orders that take a
 * stated number of makers. It starts with `warmup` commands that build the book: adds until
 * `first_resting` orders rest, then the mix. Every cancel hits, and every crossing order trades
 * in full. Integer arithmetic only: the same shape and seed give the same bytes everywhere.
 */
#ifndef MATCHBOOK_ORDER_FLOW_H
#define MATCHBOOK_ORDER_FLOW_H

#include "contract.h"

/* cdef:begin */
enum { ORDER_FLOW_MAX_QUANTITY = 100 };

typedef struct {
    uint64_t seed;
    uint32_t warmup;          /* commands; at least first_resting */
    uint32_t measured;        /* commands after that */
    uint32_t first_resting;   /* live orders when the measured part starts */
    uint32_t last_resting;    /* and when it ends; in between a straight line */
    uint32_t half_width;      /* adds stand 1 to half_width ticks from the middle */
    uint32_t concentrated;    /* 1: far more of them near it than far; 0: evenly */
    uint32_t walk_range;      /* the middle stays within so many ticks of middle_price */
    uint32_t walk_period;     /* it moves by a tick every so many commands; 0: never */
    uint32_t crossing_ppm;    /* share of crossing orders, in millionths */
    uint32_t most_makers;     /* a crossing order takes 1 to most_makers makers, evenly */
    int64_t middle_price;
} order_flow_shape;

/* order_flow_generate: write shape->warmup + shape->measured commands, ids from 1 in order of
 * arrival. Prices lie within half_width + walk_range of middle_price.
 * Returns 1, or 0 when memory is short. O(commands). */
int order_flow_generate(const order_flow_shape *shape, command_record *out);
/* cdef:end */

#endif
