/* test_memory.c - this phase's book takes its memory once, and this much of it.
 *
 * For each order of the capacity: a slot of 64 bytes, a level of 32, three 4-byte places in lists
 * of levels, and 2 to 4 cells of 4 bytes in each of two tables. A capacity that is a power of two
 * has the fewest cells, 124 bytes in all.
 */
#include "contract/c/engine_memory.c"

#include "phase2_arena/c/arena.h"
#include "phase2_arena/c/level.h"

#define MOST_CELLS 4
#define MOST_BYTES_AN_ORDER                                                                     \
    (sizeof(order) + sizeof(level) + (SIDES + 1) * sizeof(uint32_t) +                           \
     2 * MOST_CELLS * sizeof(uint32_t))

int main(void)
{
    CHECK(sizeof(order) <= 64);
    engine_memory_all(MOST_BYTES_AN_ORDER);
    return 0;
}
