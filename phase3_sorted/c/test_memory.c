/* test_memory.c - this phase's book takes its memory once, and this much of it.
 *
 * For each order of the capacity: a cell of 32 bytes and its time of 8; a cell of 32 for a level,
 * because every order may be the only one at its price; at most a third of a tree node of 256,
 * because all of them may be too far apart for the ring; and the id tables of all sizes, two to
 * four groups of 40 bytes for seven orders and as much again for the smaller ones. Whatever the
 * capacity: the two rings, a few nodes for the height of the trees, the smallest id tables.
 */
#include "contract/c/engine_memory.c"

#include "phase3_sorted/c/book.h"
#include "phase3_sorted/c/memory.h"

#define BYTES_OF_A_GROUP (sizeof(uint64_t) + GROUP_STRIDE * sizeof(uint32_t))
#define BYTES_OF_AN_ORDER (sizeof(order_cell) + sizeof(uint64_t))
/* Twice the largest table, which has fewer than twice the groups it needs. */
#define MOST_BYTES_OF_AN_ID (2 * 2 * ID_FEWEST_PLACES * BYTES_OF_A_GROUP / GROUP_PLACES + 1)
#define MOST_BYTES_AN_ORDER                                                               \
    (BYTES_OF_AN_ORDER + sizeof(level_cell) + sizeof(tree_node) / 3 + 1 + MOST_BYTES_OF_AN_ID)
#define FIXED_BYTES                                                                       \
    (sizeof(struct book) + 2 * RING_TICKS * sizeof(uint32_t) +                            \
     4 * TREE_MAX_HEIGHT * sizeof(tree_node) + 2 * CACHE_LINE_BYTES +                     \
     2 * (BYTES_OF_A_GROUP << ID_MIN_BITS))

static_assert(BYTES_OF_AN_ORDER <= 64, "an order slot and all that belongs to it");

/* The smallest capacity that the shared test asks about; its share of the fixed bytes. */
#define SMALLEST_CAPACITY 1024

/* Guards: a footprint that creeps up, closer than the shared test can see it. */
static void test_bytes_by_capacity(void) {
    const uint32_t capacities[] = {1, 2, 3, 111, 112, 113, 5000, 74899, 149797, 1u << 18};
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        book *self = book_new(0, INT64_MIN, INT64_MAX, capacities[i]);
        CHECK(self != NULL);
        CHECK(book_bytes(self) <= FIXED_BYTES + capacities[i] * MOST_BYTES_AN_ORDER);
        book_free(self);
    }
}

int main(void) {
    test_bytes_by_capacity();
    engine_memory_all(MOST_BYTES_AN_ORDER + FIXED_BYTES / SMALLEST_CAPACITY);
    return 0;
}
