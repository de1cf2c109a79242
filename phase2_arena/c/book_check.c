/* book_check.c - every structural invariant, one function a structure.
 *
 *  1. The free slots and the live ones are all the slots: the free list reaches each free slot
 *     once, each has id 0, and nothing live is on it. The same for levels.
 *  2. A level's queue reads the same in both directions; its orders name the level and have its
 *     price and side; their quantities and number are the level's.
 *  3. No live level is empty; each stands in its side's list where it says it does.
 *  4. Each live id leads to its own slot and each live price to its own level; the tables hold
 *     nothing else, and no search for a key is cut short by a hole.
 *  5. The best level is no worse than any level of its side, and bids are below asks.
 *  6. No quantity is 0 or above MAX_QUANTITY; no price is outside the book's range.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "phase2_arena/c/book.h"

/* Where the text of the first broken invariant goes. */
typedef struct {
    char *message;
    size_t size;
} complaint;

/* Return 0 from the calling check, with the invariant and the numbers found as its message. */
#define REQUIRE(holds, ...)                                                                    \
    do {                                                                                       \
        if (!(holds)) {                                                                        \
            snprintf(out.message, out.size, __VA_ARGS__);                                      \
            return false;                                                                      \
        }                                                                                      \
    } while (0)

static const char *side_word(int side)
{
    return side == SIDE_BID ? "bid" : "ask";
}

static bool slots_are_sound(const book *self, complaint out)
{
    const arena *orders = &self->orders;
    uint64_t free_slots = 0;
    for (uint32_t slot = orders->free_head; slot != NONE; slot = orders->slots[slot].next) {
        REQUIRE(slot < orders->capacity, "the free list leads to slot %" PRIu32 " of %" PRIu32,
                slot, orders->capacity);
        REQUIRE(orders->slots[slot].order_id == 0,
                "slot %" PRIu32 " is on the free list and holds order #%" PRIu64, slot,
                orders->slots[slot].order_id);
        REQUIRE(++free_slots <= orders->capacity, "the free list of slots runs in a circle");
    }
    REQUIRE(free_slots + orders->live == orders->capacity,
            "%" PRIu64 " free slots and %" PRIu32 " live orders are not the capacity %" PRIu32,
            free_slots, orders->live, orders->capacity);
    return true;
}

static bool level_pool_is_sound(const book *self, complaint out)
{
    const level_set *levels = &self->levels;
    uint64_t free_levels = 0;
    for (uint32_t index = levels->free_head; index != NONE; index = levels->pool[index].head) {
        REQUIRE(index < levels->capacity, "the free list leads to level %" PRIu32 " of %" PRIu32,
                index, levels->capacity);
        REQUIRE(levels->pool[index].order_count == 0,
                "level %" PRIu32 " is on the free list and holds %" PRIu32 " orders", index,
                levels->pool[index].order_count);
        REQUIRE(++free_levels <= levels->capacity, "the free list of levels runs in a circle");
    }
    uint64_t live = (uint64_t)levels->live_count[SIDE_BID] + levels->live_count[SIDE_ASK];
    REQUIRE(free_levels + live == levels->capacity,
            "%" PRIu64 " free levels and %" PRIu64 " live ones are not the capacity %" PRIu32,
            free_levels, live, levels->capacity);
    return true;
}

static bool order_is_sound(const book *self, int side, uint32_t index, uint32_t slot, complaint out)
{
    const order *seen = &self->orders.slots[slot];
    uint64_t id = seen->order_id;
    REQUIRE(id != 0, "slot %" PRIu32 " is on a level and is free", slot);
    REQUIRE(seen->level == index && seen->price == self->levels.pool[index].price &&
                seen->side == side,
            "order #%" PRIu64 " (level %" PRIu32 ", price %" PRId64 ", side %d) stands on level "
            "%" PRIu32, id, seen->level, seen->price, seen->side, index);
    REQUIRE(seen->quantity > 0 && seen->quantity <= MAX_QUANTITY,
            "order #%" PRIu64 " has open quantity %" PRIu64, id, seen->quantity);
    REQUIRE(table_find(&self->ids, id) == slot,
            "order #%" PRIu64 " is in slot %" PRIu32 ", but its id leads to %" PRIu32, id, slot,
            table_find(&self->ids, id));
    return true;
}

/* Walks the queue of one level; adds its orders to *listed. */
static bool queue_is_sound(const book *self, int side, uint32_t index, uint64_t *listed,
                           complaint out)
{
    const level *seen = &self->levels.pool[index];
    uint32_t previous = NONE;
    uint64_t quantity = 0;
    uint64_t count = 0;
    for (uint32_t slot = seen->head; slot != NONE; slot = self->orders.slots[slot].next) {
        REQUIRE(slot < self->orders.capacity, "level %" PRId64 " leads to slot %" PRIu32,
                seen->price, slot);
        REQUIRE(self->orders.slots[slot].previous == previous,
                "level %" PRId64 ": slot %" PRIu32 " follows %" PRIu32 " and links back to %"
                PRIu32, seen->price, slot, previous, self->orders.slots[slot].previous);
        if (!order_is_sound(self, side, index, slot, out))
            return false;
        REQUIRE(++count <= seen->order_count,
                "level %" PRId64 " counts %" PRIu32 " orders and lists more", seen->price,
                seen->order_count);
        quantity += self->orders.slots[slot].quantity;
        previous = slot;
    }
    REQUIRE(seen->tail == previous,
            "level %" PRId64 ": the last order is in slot %" PRIu32 ", the tail is %" PRIu32,
            seen->price, previous, seen->tail);
    REQUIRE(count == seen->order_count && count > 0,
            "level %" PRId64 " counts %" PRIu32 " orders and lists %" PRIu64, seen->price,
            seen->order_count, count);
    REQUIRE(quantity == seen->quantity,
            "level %" PRId64 " sums to %" PRIu64 ", its orders to %" PRIu64, seen->price,
            seen->quantity, quantity);
    *listed += count;
    return true;
}

static bool side_is_sound(const book *self, int side, uint64_t *listed, complaint out)
{
    const level_set *levels = &self->levels;
    uint32_t best = levels->best[side];
    REQUIRE((best == NONE) == (levels->live_count[side] == 0),
            "the best %s is level %" PRIu32 ", and %" PRIu32 " levels are live", side_word(side),
            best, levels->live_count[side]);
    REQUIRE(best == NONE || best < levels->capacity, "the best %s is level %" PRIu32 " of %" PRIu32,
            side_word(side), best, levels->capacity);
    bool best_is_live = best == NONE;
    for (uint32_t place = 0; place < levels->live_count[side]; place++) {
        uint32_t index = levels->live[side][place];
        REQUIRE(index < levels->capacity && levels->pool[index].place == place,
                "place %" PRIu32 " among the %ss holds level %" PRIu32 ", which is elsewhere",
                place, side_word(side), index);
        int64_t price = levels->pool[index].price;
        REQUIRE(price >= self->min_price && price <= self->max_price,
                "%s level %" PRId64 " is outside %" PRId64 " to %" PRId64, side_word(side), price,
                self->min_price, self->max_price);
        REQUIRE(level_find(levels, price) == index,
                "%s level %" PRId64 " is %" PRIu32 ", but its price leads to %" PRIu32,
                side_word(side), price, index, level_find(levels, price));
        REQUIRE(level_rank(side, levels->pool[best].price) <= level_rank(side, price),
                "the best %s is %" PRId64 ", but there is a level at %" PRId64, side_word(side),
                levels->pool[best].price, price);
        if (!queue_is_sound(self, side, index, listed, out))
            return false;
        best_is_live |= index == best;
    }
    REQUIRE(best_is_live, "the best %s, level %" PRIu32 ", is not live", side_word(side), best);
    return true;
}

/* Every live key has been found through the table; as many full cells means nothing is stale. */
static bool table_is_sound(const table *self, uint64_t live, const char *name, complaint out)
{
    uint64_t full = 0;
    for (uint64_t cell = 0; cell <= self->mask; cell++)
        full += self->cells[cell] != NONE;
    REQUIRE(full == live, "the %s table holds %" PRIu64 " keys, %" PRIu64 " are live", name, full,
            live);
    return true;
}

int book_check(const book *self, char *message, size_t size)
{
    complaint out = {message, size};
    if (size > 0)
        message[0] = '\0';
    uint64_t listed = 0;
    if (!slots_are_sound(self, out) || !level_pool_is_sound(self, out) ||
        !side_is_sound(self, SIDE_BID, &listed, out) ||
        !side_is_sound(self, SIDE_ASK, &listed, out))
        return 0;
    REQUIRE(listed == self->orders.live, "%" PRIu64 " orders on levels, %" PRIu32 " slots taken",
            listed, self->orders.live);
    const level_set *levels = &self->levels;
    uint64_t live_levels = (uint64_t)levels->live_count[SIDE_BID] + levels->live_count[SIDE_ASK];
    if (!table_is_sound(&self->ids, listed, "id", out) ||
        !table_is_sound(&levels->by_price, live_levels, "price", out))
        return 0;
    uint32_t bid = levels->best[SIDE_BID];
    uint32_t ask = levels->best[SIDE_ASK];
    REQUIRE(bid == NONE || ask == NONE || levels->pool[bid].price < levels->pool[ask].price,
            "crossed: bid %" PRId64 " and ask %" PRId64, levels->pool[bid].price,
            levels->pool[ask].price);
    return 1;
}
