/* tick_ring.c - the ring's memory, its rare step from page to page, and the check of all it says. */
#include "tick_ring.h"

#include <inttypes.h>
#include <string.h>

#include "memory.h"

size_t ring_init(tick_ring *ring) {
    ring->levels = memory_take(RING_TICKS * sizeof(uint32_t));
    if (!ring->levels) return 0;
    ring_clear(ring);
    return RING_TICKS * sizeof(uint32_t);
}

void ring_free(tick_ring *ring) {
    memory_give(ring->levels);
    ring->levels = NULL;
}

void ring_clear(tick_ring *ring) {
    uint32_t *levels = ring->levels;
    memset(levels, 0, RING_TICKS * sizeof(uint32_t));
    memset(ring, 0, sizeof *ring);
    ring->levels = levels;
}

/* --8<-- [start:below] */
uint32_t ring_best_page_below(const tick_ring *ring, int64_t number) {
    uint32_t from = (uint32_t)((uint64_t)number % RING_PAGES);
    /* Turned so that the page just below is the highest bit. */
    uint64_t near = from ? ring->pages << (64 - from) | ring->pages >> from : ring->pages;
    for (; near; near &= ~(UINT64_C(1) << bit_highest(near))) {
        uint32_t distance = 64 - bit_highest(near);
        uint32_t page = (from - distance) % RING_PAGES;
        if (ring->numbers[page] == number - distance) return page_best(ring, page);
    }
    int64_t best = INT64_MIN;
    for (uint64_t far = ring->pages; far; far &= far - 1) {
        int64_t other = ring->numbers[bit_highest(far & -far)];
        if (other < number && other > best) best = other;
    }
    return best == INT64_MIN ? CELL_NONE : page_best(ring, (uint32_t)((uint64_t)best % RING_PAGES));
}
/* --8<-- [end:below] */

#define PAGE_TICKS (1u << PAGE_TICK_BITS)

/* A page without levels: no bit, and no cell that ring_find could come upon. */
static int empty_page_check(const tick_ring *ring, uint32_t page, char *message, size_t size) {
    uint64_t bits = ring->summaries[page];
    uint32_t cells = 0;
    for (uint32_t word = 0; word < 64; word++) bits |= ring->words[page * 64 + word];
    for (uint32_t tick = 0; tick < PAGE_TICKS; tick++)
        cells |= ring->levels[page * PAGE_TICKS + tick];
    if (bits == 0 && cells == 0) return 1;
    snprintf(message, size, "ring page %u has no levels, but bits or cells are left in it", page);
    return 0;
}

static int page_check(const tick_ring *ring, uint32_t page, const cell_arena *arena,
                      uint32_t *levels, char *message, size_t size) {
    int64_t first_key = ring->numbers[page] * (int64_t)PAGE_TICKS;
    for (uint32_t tick = 0; tick < PAGE_TICKS; tick++) {
        uint32_t word = page * 64 + tick / 64;
        uint32_t cell = ring->levels[page * PAGE_TICKS + tick];
        int bit = ring->words[word] >> tick % 64 & 1;
        int summary = ring->summaries[page] >> tick / 64 & 1;
        if (bit != (cell != CELL_NONE) || summary != (ring->words[word] != 0) ||
            (bit && cell_level(arena, cell)->key != first_key + tick)) {
            snprintf(message, size, "page %" PRId64 ", tick %u: cell %u, bit %d, summary %d",
                     ring->numbers[page], tick, cell, bit, summary);
            return 0;
        }
        *levels += (uint32_t)bit;
    }
    return 1;
}

int ring_check(const tick_ring *ring, const cell_arena *arena, uint32_t *levels, char *message,
               size_t size) {
    for (uint32_t page = 0; page < RING_PAGES; page++) {
        if (!(ring->pages & bit_at(page))) {
            if (!empty_page_check(ring, page, message, size)) return 0;
            continue;
        }
        if (ring->summaries[page] == 0 || (uint64_t)ring->numbers[page] % RING_PAGES != page) {
            snprintf(message, size, "ring page %u: summary %" PRIx64 ", number %" PRId64, page,
                     ring->summaries[page], ring->numbers[page]);
            return 0;
        }
        if (!page_check(ring, page, arena, levels, message, size)) return 0;
    }
    return 1;
}
