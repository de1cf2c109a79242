/* engine.h - the interface every C book implements, phase by phase.
 *
 * One book is one instrument. A handle has one owner: calls on the same book must not overlap.
 * Nothing here allocates except book_new, and nothing reads a clock or a random source.
 * Each phase gives struct book its own shape; contract/native.py is the Python face of them all.
 */
#ifndef MATCHBOOK_ENGINE_H
#define MATCHBOOK_ENGINE_H

#include "contract/c/contract.h"

/* cdef:begin */
typedef struct book book;

/* book_new: an empty book for up to `capacity` live orders at prices min_price to max_price,
 * both inclusive. The caller has checked that 1 <= capacity <= 2**24 and min_price <= max_price.
 * All memory the book will ever use is taken and touched here.
 * Returns NULL when memory is short. O(capacity). */
book *book_new(uint32_t instrument, int64_t min_price, int64_t max_price, uint32_t capacity);
/* book_free: give everything back. NULL is allowed. */
void book_free(book *self);

/* book_apply: apply commands in order, writing their events from the front of `events`.
 * A command is consumed if and only if all its events fit into what is left; the book stops
 * before the first that does not. Returns commands consumed; *events_written says the rest. */
size_t book_apply(book *self, const command_record *commands, size_t command_count,
                  event_record *events, size_t event_capacity, size_t *events_written);

/* book_depth: the best levels of a side, best first, at most `limit`. Returns how many. */
size_t book_depth(const book *self, int side, level_view *levels, size_t limit);
/* book_orders: live orders of a side in priority order, at most `limit`. Returns how many. */
size_t book_orders(const book *self, int side, order_image *orders, size_t limit);
/* book_order: 1 and the order when it is live, else 0. */
int book_order(const book *self, uint64_t order_id, order_image *order);

/* Live orders of the book; live levels of a side; the last event's sequence number; bytes taken
 * by book_new. All O(1). */
size_t book_order_count(const book *self);
size_t book_level_count(const book *self, int side);
uint64_t book_event_sequence(const book *self);
size_t book_bytes(const book *self);

/* book_restore: replace all state by `count` orders (bids first, in priority order), which the
 * caller has checked to be the orders of a valid image that fits this book. O(capacity). */
void book_restore(book *self, const order_image *orders, size_t count, uint64_t event_sequence);

/* book_check: verify every structural invariant. Returns 1, or 0 with the broken one, and what
 * was found, as text in `message` (of `size` bytes, always terminated). O(capacity). */
int book_check(const book *self, char *message, size_t size);
/* cdef:end */

#endif
