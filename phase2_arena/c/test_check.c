/* test_check.c - book_check sees what is broken.
 *
 * A checker that always says yes would pass every other test. Here a sound book is damaged in one
 * place, the checker has to say so in words that name the place, and the damage is undone.
 */
#include <string.h>

#include "contract/c/engine.h"
#include "phase2_arena/c/book.h"

enum { CAPACITY = 16, MESSAGE_BYTES = 512 };

/* Bids 10 (#1, #2, #3) and 9 (#4); asks 20 (#5), 21 (#6) and 25 (#7). */
static book *book_of_seven(void)
{
    const struct { uint64_t id; int side; int64_t price; } resting[] = {
        {1, SIDE_BID, 10}, {2, SIDE_BID, 10}, {3, SIDE_BID, 10}, {4, SIDE_BID, 9},
        {5, SIDE_ASK, 20}, {6, SIDE_ASK, 21}, {7, SIDE_ASK, 25},
    };
    book *self = book_new(0, 1, 100, CAPACITY);
    for (size_t i = 0; i < sizeof resting / sizeof *resting; i++) {
        command_record command;
        event_record events[4];
        size_t written;
        memset(&command, 0, sizeof command);
        command.kind = COMMAND_NEW;
        command.order_id = resting[i].id;
        command.side = (uint8_t)resting[i].side;
        command.price = resting[i].price;
        command.quantity = 5;
        CHECK(book_apply(self, &command, 1, events, 4, &written) == 1);
    }
    return self;
}

static void require(const book *self, int sound, const char *words)
{
    char message[MESSAGE_BYTES];
    int said = book_check(self, message, sizeof message);
    if (said != sound || strstr(message, words) == NULL) {
        fprintf(stderr, "expected \"%s\", but book_check said %d: %s\n", words, said, message);
        abort();
    }
}

/* Put `wrong` where `right` is, require the complaint, and put it back. */
#define BREAK(place, wrong, words)                                                             \
    do {                                                                                       \
        __typeof__(place) right = (place);                                                     \
        (place) = (wrong);                                                                     \
        require(self, 0, words);                                                               \
        (place) = right;                                                                       \
        require(self, 1, "");                                                                  \
    } while (0)

int main(void)
{
    book *self = book_of_seven();
    order *slots = self->orders.slots;
    level_set *levels = &self->levels;
    uint32_t middle = table_find(&self->ids, 2);
    uint32_t last = table_find(&self->ids, 3);
    uint32_t ten = level_find(levels, 10);
    uint32_t twenty = level_find(levels, 20);
    require(self, 1, "");

    BREAK(self->orders.free_head, CAPACITY, "leads to slot");
    BREAK(self->orders.free_head, middle, "holds order #2");
    BREAK(slots[self->orders.free_head].next, self->orders.free_head, "runs in a circle");
    BREAK(self->orders.free_head, slots[self->orders.free_head].next, "are not the capacity");
    BREAK(self->orders.live, 6, "are not the capacity");
    BREAK(levels->free_head, CAPACITY, "leads to level");
    BREAK(levels->free_head, ten, "holds 3 orders");
    BREAK(levels->pool[levels->free_head].head, levels->free_head, "runs in a circle");
    BREAK(levels->free_head, levels->pool[levels->free_head].head, "are not the capacity");

    BREAK(slots[middle].order_id, 0, "is free");
    BREAK(slots[middle].order_id, 8, "its id leads to");
    BREAK(slots[middle].price, 11, "stands on level");
    BREAK(slots[middle].side, SIDE_ASK, "stands on level");
    BREAK(slots[middle].level, twenty, "stands on level");
    BREAK(slots[middle].quantity, 0, "open quantity 0");
    BREAK(slots[middle].quantity, MAX_QUANTITY + 1, "open quantity");
    BREAK(slots[middle].quantity, 6, "sums to 15, its orders to 16");
    BREAK(slots[middle].previous, NONE, "links back");
    BREAK(slots[middle].next, NONE, "the tail is");
    BREAK(slots[last].next, middle, "links back");
    BREAK(slots[last].next, CAPACITY, "leads to slot");

    BREAK(levels->pool[ten].head, middle, "links back");
    BREAK(levels->pool[ten].tail, middle, "the tail is");
    BREAK(levels->pool[ten].order_count, 2, "lists more");
    BREAK(levels->pool[ten].order_count, 4, "counts 4 orders and lists 3");
    BREAK(levels->pool[ten].quantity, 14, "sums to 14");
    BREAK(levels->pool[ten].place, 1, "elsewhere");
    BREAK(levels->pool[ten].price, 101, "outside 1 to 100");
    BREAK(levels->pool[ten].price, 12, "its price leads to");
    BREAK(levels->live_count[SIDE_ASK], 2, "are not the capacity");
    BREAK(levels->best[SIDE_BID], NONE, "the best bid");
    BREAK(levels->best[SIDE_BID], CAPACITY, "the best bid");
    BREAK(levels->best[SIDE_BID], level_find(levels, 9), "there is a level at 10");
    BREAK(levels->best[SIDE_ASK], level_find(levels, 25), "there is a level at 20");
    BREAK(levels->best[SIDE_BID], level_find(levels, 20), "is not live");

    uint32_t empty_cell = table_cell_find(&self->ids, 99);
    BREAK(self->ids.cells[empty_cell], middle, "the id table holds 8 keys, 7 are live");
    BREAK(self->ids.cells[table_cell_find(&self->ids, 2)], NONE, "its id leads to");
    empty_cell = table_cell_find(&levels->by_price, 99);
    BREAK(levels->by_price.cells[empty_cell], ten, "the price table holds 6 keys, 5 are live");
    BREAK(levels->by_price.cells[table_cell_find(&levels->by_price, 10)], NONE,
          "its price leads to");

    /* Crossed: the bids of 10 say 22, consistently, on a level that is found at 22. */
    table_erase(&levels->by_price, 10);
    levels->pool[ten].price = 22;
    table_insert(&levels->by_price, 22, ten);
    for (uint32_t slot = levels->pool[ten].head; slot != NONE; slot = slots[slot].next)
        slots[slot].price = 22;
    require(self, 0, "crossed: bid 22 and ask 20");
    book_free(self);
    return 0;
}
