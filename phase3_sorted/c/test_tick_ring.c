/* test_tick_ring.c - the ring of near levels against a sorted array. */
#include "contract/c/engine_stream.h"
#include "phase3_sorted/c/breaking.h"
#include "phase3_sorted/c/plain_levels.h"
#include "phase3_sorted/c/tick_ring.h"

enum { CAPACITY = 3000, PAGE_TICKS = 1 << PAGE_TICK_BITS };

static cell_arena arena;
static tick_ring ring;
static plain_levels plain; /* large: not for the stack */

static void ring_open(void) {
    CHECK(cells_init(&arena, CAPACITY) && ring_init(&ring));
    plain.count = 0;
}

static void ring_close(void) {
    ring_free(&ring);
    cells_free(&arena);
    CHECK(ring.levels == NULL);
}

static const char *complaint(void) {
    static char message[256];
    uint32_t levels = 0;
    if (!ring_check(&ring, &arena, &levels, message, sizeof message)) return message;
    return levels == plain.count ? "" : "the check counts other levels";
}

/* Whether a level of that page of prices, or of another in the same place, is in the array. */
static int page_is_taken_by_others(int64_t key) {
    for (uint32_t i = 0; i < plain.count; i++)
        if (ring_page(plain.keys[i]) == ring_page(key) &&
            page_number(plain.keys[i]) != page_number(key))
            return 1;
    return 0;
}

/* Put a level at that key, if the ring has room for it and there is none. */
static void add(int64_t key) {
    if (!ring_has_room(&ring, key)) return;
    CHECK(ring_find(&ring, key) == plain_find(&plain, key));
    if (ring_find(&ring, key) != CELL_NONE) return;
    uint32_t cell = cell_take_level(&arena, SIDE_BID, key);
    ring_add(&ring, key, cell);
    plain_add(&plain, key, cell);
    CHECK(ring_find(&ring, key) == cell && ring_holds(&ring, key));
}

static void take(uint32_t rank) {
    int64_t key = plain.keys[rank];
    CHECK(ring_find(&ring, key) == plain.cells[rank]);
    ring_remove(&ring, key);
    cell_give_level(&arena, plain.cells[rank]);
    plain_remove(&plain, rank);
    CHECK(ring_find(&ring, key) == CELL_NONE);
}

static void require_at_or_below(int64_t key) {
    CHECK(ring_at_or_below(&ring, key) == plain_at_or_below(&plain, key));
}

/* Guards: a level lost or found at another price, above all where a page ends, where the ring
 * closes, and where pages that are far from each other in price are neighbours in the ring. */
static void test_random(uint64_t seed, int64_t low, uint64_t span, int steps) {
    ring_open();
    command_stream random = {.state = seed, .low_price = low, .price_span = span};
    int rising = 1;
    for (int step = 0; step < steps; step++) {
        if (plain.count == CAPACITY) rising = 0;
        if (plain.count == 0) rising = 1;
        int64_t key = stream_price(&random);
        if (stream_below(&random, 5) < (rising ? 3 : 1) && plain.count < CAPACITY) {
            if (step % 8 == 0) CHECK(ring_has_room(&ring, key) == !page_is_taken_by_others(key));
            add(key);
        } else if (plain.count > 0) {
            take(stream_below(&random, 2) ? plain.count - 1
                                          : (uint32_t)stream_below(&random, plain.count));
        }
        if (step == steps / 2) rising = 0;
        for (int i = 0; i < 4; i++) require_at_or_below(stream_price(&random));
        if (plain.count) require_at_or_below(plain.keys[stream_below(&random, plain.count)] - 1);
        require_at_or_below(INT64_MAX);
        require_at_or_below(INT64_MIN);
        if (step % 512 == 0) require_sound();
    }
    while (plain.count) take(0);
    require_sound();
    CHECK(ring.pages == 0);
    ring_close();
}

/* Guards: the edges of words, of pages, of the ring and of 64 bits, each next to its neighbour. */
static void test_edges(void) {
    const int64_t edges[] = {INT64_MIN, INT64_MAX, 0, 63, 64, 65, PAGE_TICKS - 1, PAGE_TICKS,
                             (int64_t)RING_TICKS - 1, RING_TICKS, -1, -64, -65, -PAGE_TICKS,
                             -PAGE_TICKS - 1, -(int64_t)RING_TICKS};
    enum { EDGES = sizeof edges / sizeof *edges };
    for (int first = 0; first < EDGES; first++)
        for (int second = 0; second < EDGES; second++) {
            ring_open();
            add(edges[first]);
            add(edges[second]);
            for (int i = 0; i < EDGES; i++) {
                require_at_or_below(edges[i]);
                if (edges[i] > INT64_MIN) require_at_or_below(edges[i] - 1);
                if (edges[i] < INT64_MAX) require_at_or_below(edges[i] + 1);
            }
            while (plain.count) take(plain.count - 1);
            CHECK(ring.pages == 0);
            ring_close();
        }
}

/* Guards: a page that still belongs to prices long gone, so that a market which has walked away
 * finds no room. Each page is emptied and taken by the next lap; all answers stay right. */
static void test_a_walk_of_many_laps(int direction) {
    enum { WINDOW = 60, STEP = 1500 };
    ring_open();
    for (int64_t i = 0; i < 4 * (int64_t)RING_TICKS / STEP; i++) {
        int64_t key = direction * i * STEP;
        CHECK(ring_has_room(&ring, key));
        add(key);
        if (plain.count > WINDOW) take(direction > 0 ? 0 : WINDOW);
        require_at_or_below(INT64_MAX);
        require_at_or_below(key - direction);
        if (i % 64 == 0) require_sound();
    }
    require_sound();
    ring_close();
}

/* Guards: the search beyond the nearest pages. Every page is taken by another lap of prices, so
 * that no page has the number that its distance says. */
static void test_pages_of_many_laps(void) {
    ring_open();
    command_stream random = {.state = 5};
    for (uint32_t page = 0; page < RING_PAGES; page++) {
        int64_t lap = (int64_t)stream_below(&random, 1000) - 500;
        for (int i = 0; i < 3; i++)
            add((lap * RING_PAGES + page) * PAGE_TICKS +
                (int64_t)stream_below(&random, PAGE_TICKS));
    }
    require_sound();
    CHECK(ring.pages == UINT64_MAX);
    for (uint32_t rank = plain.count; rank-- > 0;) {
        require_at_or_below(plain.keys[rank]);
        require_at_or_below(plain.keys[rank] - 1);
        require_at_or_below(plain.keys[rank] + 1);
    }
    for (int i = 0; i < 20000; i++)
        require_at_or_below(((int64_t)stream_below(&random, 70000) - 35000) * PAGE_TICKS +
                            i % PAGE_TICKS);
    while (plain.count) {
        take((uint32_t)stream_below(&random, plain.count));
        require_at_or_below(INT64_MAX);
        require_at_or_below(0);
    }
    require_sound();
    ring_close();
}

/* Guards: a clear that leaves bits behind. */
static void test_clear(void) {
    ring_open();
    for (int64_t key = -5000; key < 5000; key += 7) add(key);
    uint32_t *levels = ring.levels;
    ring_clear(&ring);
    cells_clear(&arena);
    plain.count = 0;
    require_sound();
    CHECK(ring.levels == levels && ring_at_or_below(&ring, INT64_MAX) == CELL_NONE);
    add(1);
    require_at_or_below(INT64_MAX);
    ring_close();
}

/* Guards: a check that always says yes. Levels at ticks 3 and 200 of page 1, 5 of page 2. */
static void test_the_check_finds_what_is_broken(void) {
    ring_open();
    add(PAGE_TICKS + 3);
    add(PAGE_TICKS + 200);
    add(2 * PAGE_TICKS + 5);
    uint32_t three = plain.cells[0], word = ring_word(PAGE_TICKS + 3);
    CHECK(word == 64 && ring.words[word] == 8);

    BREAK(ring.pages, ring.pages & ~bit_at(1), "ring page 1");
    BREAK(ring.pages, ring.pages | bit_at(9), "ring page 9");
    BREAK(ring.numbers[1], 2, "ring page 1");
    BREAK(ring.numbers[1], 1 + (int64_t)RING_PAGES, "tick 3");
    BREAK(ring.summaries[1], bit_at(0), "tick 192");
    BREAK(ring.summaries[1], ring.summaries[1] | bit_at(9), "tick 576");
    BREAK(ring.summaries[2], 0, "ring page 2");
    BREAK(ring.words[word], 0, "page 1, tick 0");
    BREAK(ring.words[word], 8 | 2, "page 1, tick 1");
    BREAK(ring.levels[PAGE_TICKS + 3], CELL_NONE, "page 1, tick 3: cell 0");
    BREAK(ring.levels[PAGE_TICKS + 3], plain.cells[1], "page 1, tick 3");
    BREAK(ring.levels[PAGE_TICKS + 9], three, "page 1, tick 9");
    BREAK(ring.levels[20 * PAGE_TICKS], three, "page 20");
    BREAK(cell_level(&arena, three)->key, 3, "page 1, tick 3");
    ring_close();
}

int main(void) {
    test_random(1, 100, 300, 20000);
    test_random(2, -PAGE_TICKS, 2 * PAGE_TICKS, 20000);
    test_random(3, -1000000, 1200000, 20000);
    test_random(4, INT64_MIN, UINT64_MAX, 20000);
    test_random(5, INT64_MIN, 5000, 10000);
    test_random(6, INT64_MAX - 4999, 5000, 10000);
    test_edges();
    test_a_walk_of_many_laps(1);
    test_a_walk_of_many_laps(-1);
    test_pages_of_many_laps();
    test_clear();
    test_the_check_finds_what_is_broken();
    return 0;
}
