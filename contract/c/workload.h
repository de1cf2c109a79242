/* workload.h - the public matching-engine benchmark's order flow, bit for bit.
 *
 * A workload is a function of (volatility, swing, orders, seed). It is made in three passes over
 * one stream of random numbers:
 *
 *   1. draw every order: a price walk, a distance from the middle, a quantity;
 *   2. shuffle them, so that the orders of the rise and of the fall meet;
 *   3. give each order its life: arrival, perhaps a modification, perhaps a cancellation.
 *
 * workload_new does 1 and 2 and takes 16 bytes an order; workload_next does 3 as it is asked, so
 * the messages never have to exist all at once. One owner a handle; nothing here is thread-safe.
 *
 * Every result depends on the last bit of double arithmetic: compile with -ffp-contract=off and
 * without -ffast-math.
 */
#ifndef MATCHBOOK_WORKLOAD_H
#define MATCHBOOK_WORKLOAD_H

#include "contract.h"

/* cdef:begin */
typedef struct workload workload;

/* workload_new: draw and shuffle `order_count` orders. The caller has checked that both factors
 * are finite and not negative, and that order_count is at least 1.
 * Returns NULL when memory is short. O(order_count). */
workload *workload_new(double volatility, double swing, uint32_t order_count, uint32_t seed);
/* workload_free: give the memory back. NULL is allowed. */
void workload_free(workload *self);

/* workload_remaining: messages still to come; changes nothing. O(orders still to come). */
uint64_t workload_remaining(const workload *self);

/* workload_next: write the next messages, at most `capacity`, as unsequenced commands.
 * Returns how many; fewer than `capacity` means that there are no more. */
size_t workload_next(workload *self, command_record *out, size_t capacity);
/* cdef:end */

#endif
