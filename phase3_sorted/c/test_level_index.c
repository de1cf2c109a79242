/* test_level_index.c - the levels of a side, in ring and tree, against a sorted array. */
#include "contract/c/engine_stream.h"
#include "phase3_sorted/c/level_index.h"
#include "phase3_sorted/c/plain_levels.h"

enum { CAPACITY = 3000, MESSAGE_BYTES = 256, PAGE_TICKS = 1 << PAGE_TICK_BITS };

static cell_arena arena;
static tree_pool pool;
static level_index sides[2];
static plain_levels plain[2]; /* large: not for the stack */

static void sides_open(void) {
    CHECK(cells_init(&arena, CAPACITY) && tree_pool_init(&pool, CAPACITY));
    for (uint32_t side = SIDE_BID; side <= SIDE_ASK; side++) {
        CHECK(level_index_init(&sides[side], &arena, side));
        level_index_clear(&sides[side], &pool);
        plain[side].count = 0;
    }
}

static void sides_close(void) {
    for (uint32_t side = SIDE_BID; side <= SIDE_ASK; side++) level_index_free(&sides[side]);
    tree_pool_free(&pool);
    cells_free(&arena);
}

static void require_best(uint32_t side) {
    const plain_levels *levels = &plain[side];
    CHECK(sides[side].best_level == plain_at_or_below(levels, INT64_MAX));
    CHECK(sides[side].best_key == (levels->count ? levels->keys[levels->count - 1] : INT64_MIN));
    CHECK(sides[side].level_count == levels->count);
    if (sides[side].second_key == SECOND_UNKNOWN) return;
    CHECK(sides[side].second_level ==
          (levels->count > 1 ? levels->cells[levels->count - 2] : CELL_NONE));
}

static void add(uint32_t side, int64_t key) {
    uint32_t expected = plain_find(&plain[side], key);
    uint32_t cell = level_index_find_or_add(&sides[side], key);
    CHECK(cell_level(&arena, cell)->key == key && cell_level(&arena, cell)->side == side);
    if (expected == CELL_NONE)
        plain_add(&plain[side], key, cell);
    else
        CHECK(cell == expected);
    CHECK(level_index_find_or_add(&sides[side], key) == cell);
    require_best(side);
}

static void take(uint32_t side, uint32_t rank) {
    level_index_remove(&sides[side], plain[side].cells[rank]);
    plain_remove(&plain[side], rank);
    require_best(side);
}

static void require_at_or_below(uint32_t side, int64_t key) {
    CHECK(level_index_at_or_below(&sides[side], key) == plain_at_or_below(&plain[side], key));
}

/* The whole walk from the best level to the worst, and the check. */
static void require_same(void) {
    for (uint32_t side = SIDE_BID; side <= SIDE_ASK; side++) {
        char message[MESSAGE_BYTES];
        if (!level_index_check(&sides[side], message, sizeof message)) {
            fprintf(stderr, "level_index_check: %s\n", message);
            abort();
        }
        uint32_t cell = sides[side].best_level;
        for (uint32_t i = plain[side].count; i-- > 0; cell = level_index_next(&sides[side], cell))
            CHECK(cell == plain[side].cells[i]);
        CHECK(cell == CELL_NONE);
    }
}

static void take_all(void) {
    while (plain[0].count) take(0, plain[0].count - 1);
    while (plain[1].count) take(1, 0);
    require_same();
}

/* A key of one of a few clusters, each a few pages wide, whose pages share places in the ring. */
static int64_t clustered_key(command_stream *random, uint64_t clusters) {
    int64_t lap = (int64_t)stream_below(random, clusters) - (int64_t)clusters / 2;
    return lap * RING_TICKS + (int64_t)stream_below(random, 3 * PAGE_TICKS);
}

/* --- tests -------------------------------------------------------------------------------- */

/* Guards: a level that is in the ring and in the tree, or in the one and looked for in the other;
 * a best level of one of them while the other has a better. */
static void test_random(uint64_t seed, uint64_t clusters, int steps) {
    sides_open();
    command_stream random = {.state = seed};
    int rising = 1;
    uint32_t most_in_tree = 0, most_in_ring = 0;
    for (int step = 0; step < steps; step++) {
        uint32_t live = plain[0].count + plain[1].count;
        if (live == CAPACITY) rising = 0;
        if (live == 0) rising = 1;
        uint32_t side = (uint32_t)stream_below(&random, 2);
        uint64_t dice = stream_below(&random, 4);
        int64_t key = clusters ? clustered_key(&random, clusters) : (int64_t)stream_word(&random);
        if (live < CAPACITY && (rising ? dice > 0 : dice == 0))
            add(side, key);
        else if (plain[side].count > 0 && dice == 1)
            take(side, plain[side].count - 1);
        else if (plain[side].count > 0)
            take(side, (uint32_t)stream_below(&random, plain[side].count));
        require_at_or_below(side, key);
        require_at_or_below(side, INT64_MAX);
        uint32_t in_tree = sides[side].tree.level_count;
        if (in_tree > most_in_tree) most_in_tree = in_tree;
        if (plain[side].count - in_tree > most_in_ring) most_in_ring = plain[side].count - in_tree;
        if (step % 256 == 0) require_same();
    }
    /* Both are at work, unless there is one cluster only, or none. */
    if (clusters > 0) CHECK(most_in_ring > 50);
    if (clusters != 1) CHECK(most_in_tree > 50);
    take_all();
    sides_close();
}

/* Guards: a level of the tree forgotten when its page of the ring falls free and is taken by its
 * own prices. The tree's level stays where it is and is found first. */
static void test_a_page_falls_free_beside_the_tree(void) {
    sides_open();
    const int64_t here = 10 * PAGE_TICKS, far = here + RING_TICKS;
    add(SIDE_BID, here + 1); /* takes the page */
    add(SIDE_BID, far + 2);  /* finds it taken */
    CHECK(sides[SIDE_BID].tree.level_count == 1);
    CHECK(!cell_level(&arena, plain_find(&plain[SIDE_BID], here + 1))->is_in_tree);
    CHECK(cell_level(&arena, plain_find(&plain[SIDE_BID], far + 2))->is_in_tree);
    take(SIDE_BID, 0);      /* the page is free */
    add(SIDE_BID, far + 3); /* the same prices as the tree's level: into the ring */
    add(SIDE_BID, far + 2); /* already there, in the tree */
    add(SIDE_BID, far + 1);
    CHECK(sides[SIDE_BID].tree.level_count == 1 && plain[SIDE_BID].count == 3);
    require_same();
    take(SIDE_BID, 2); /* next best: in the tree */
    take(SIDE_BID, 1); /* next best: in the ring */
    add(SIDE_BID, far + 2);
    CHECK(sides[SIDE_BID].tree.level_count == 0);
    require_same();
    take_all();
    sides_close();
}

/* Guards: keys at both ends of 64 bits, alone and with a book in the middle. */
static void test_extreme_keys(int64_t middle) {
    const int64_t extremes[] = {INT64_MIN, INT64_MIN + 1, INT64_MIN + RING_TICKS, -1, 0, 1,
                                INT64_MAX - RING_TICKS, INT64_MAX - 1, INT64_MAX};
    enum { EXTREMES = sizeof extremes / sizeof *extremes };
    sides_open();
    for (int i = 0; i < 40; i++) add(SIDE_ASK, middle + 10 * i);
    command_stream random = {.state = (uint64_t)middle};
    for (int round = 0; round < 4000; round++) {
        uint32_t side = (uint32_t)stream_below(&random, 2);
        int64_t key = extremes[stream_below(&random, EXTREMES)];
        require_at_or_below(side, key);
        if (plain_find(&plain[side], key) != CELL_NONE)
            take(side, plain_rank(&plain[side], key));
        else
            add(side, key);
        if (round % 64 == 0) require_same();
    }
    take_all();
    sides_close();
}

/* Guards: a second level remembered after it is gone, or not replaced by one that comes between. */
static void test_the_second_in_line(void) {
    sides_open();
    const int64_t keys[] = {INT64_MIN, -3 * PAGE_TICKS, 5, 6, 7, 3 * PAGE_TICKS, INT64_MAX};
    enum { KEYS = sizeof keys / sizeof *keys };
    command_stream random = {.state = 3};
    uint32_t known = 0;
    for (int round = 0; round < 20000; round++) {
        int64_t key = keys[stream_below(&random, KEYS)];
        if (plain_find(&plain[SIDE_BID], key) != CELL_NONE)
            take(SIDE_BID, plain_rank(&plain[SIDE_BID], key));
        else
            add(SIDE_BID, key);
        known += sides[SIDE_BID].second_key != SECOND_UNKNOWN;
        if (round % 16 == 0) require_same();
    }
    CHECK(known > 1000);
    take_all();
    sides_close();
}

/* Guards: a market that crashes out of the ring and comes back: the last of its levels stay, far
 * away, and what comes after must still be in the order of price. */
static void test_a_crash_and_back(void) {
    sides_open();
    int64_t key = 0;
    for (int leg = 0; leg < 4; leg++)
        for (int i = 0; i < 400; i++) {
            key += leg % 2 ? 2500 : -2500;
            add(SIDE_BID, key);
            if (i % 3) take(SIDE_BID, plain_rank(&plain[SIDE_BID], key));
            if (i % 50 == 0) require_same();
        }
    take_all();
    sides_close();
}

/* Guards: a clear that leaves a level in the ring, in the tree, or in hand. */
static void test_clear(void) {
    sides_open();
    command_stream random = {.state = 11};
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 500; i++)
            add((uint32_t)stream_below(&random, 2), clustered_key(&random, 5));
        cells_clear(&arena);
        tree_pool_clear(&pool);
        for (uint32_t side = SIDE_BID; side <= SIDE_ASK; side++) {
            level_index_clear(&sides[side], &pool);
            plain[side].count = 0;
            require_best(side);
        }
        require_same();
    }
    sides_close();
}

int main(void) {
    test_random(1, 1, 30000);
    test_random(2, 2, 30000);
    test_random(3, 9, 30000);
    test_random(4, 0, 30000);
    test_a_page_falls_free_beside_the_tree();
    test_extreme_keys(0);
    test_extreme_keys(INT64_MAX - 400);
    test_extreme_keys(INT64_MIN);
    test_the_second_in_line();
    test_a_crash_and_back();
    test_clear();
    return 0;
}
