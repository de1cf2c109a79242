/* book.h - what is inside this phase's `struct book`; contract/c/engine.h is what others see.
 *
 * One block of memory, taken once, holds everything, front to back:
 *
 *   book | order slots      | levels                                            | id table
 *        | 64 bytes each    | pool | live bids | live asks | scratch | by price |
 *
 * Who points at whom (all by 32-bit number):
 *
 *   id table --> slot <--> slot <--> slot      a level's queue
 *                 |  \______|______/
 *                 v  head, tail   level
 *   price table --> level <-- live bids or live asks <-- best
 */
#ifndef PHASE2_BOOK_H
#define PHASE2_BOOK_H

#include "contract/c/engine.h"
#include "phase2_arena/c/arena.h"
#include "phase2_arena/c/level.h"
#include "phase2_arena/c/table.h"

struct book {
    arena orders;
    level_set levels;
    table ids;
    int64_t min_price;
    int64_t max_price;
    uint64_t event_sequence; /* of the last event */
    size_t bytes;            /* of the whole block */
    uint32_t instrument;
};

/* book_rejection: the reason to reject a command, or REASON_NONE. `slot` is the live order that
 * the command's id names, or NONE. Looks, never changes. O(1), but for a MASS_CANCEL of one
 * account, which looks for an order of it: O(orders). */
int book_rejection(const book *self, const command_record *command, uint32_t slot);
/* book_account_count: live orders of an account (0: of everyone), counting no further than
 * `enough`. O(orders) for an account, O(1) for everyone. */
size_t book_account_count(const book *self, uint32_t account, size_t enough);

/* book_slot_add: a slot for a new live order, known by its id and on no level yet. O(1)
 * expected. */
uint32_t book_slot_add(book *self, uint64_t order_id);
/* book_slot_drop: forget an order that is on no level. O(1) expected. */
void book_slot_drop(book *self, uint32_t slot);
/* book_order_rest: put an order at the back of the level of its price, which is opened when there
 * is none. O(1) expected. */
void book_order_rest(book *self, uint32_t slot);
/* book_order_lift: take an order off its level, which is closed when that empties it. O(1), but
 * O(levels of the side) when it empties the best level. */
void book_order_lift(book *self, uint32_t slot);

#endif
