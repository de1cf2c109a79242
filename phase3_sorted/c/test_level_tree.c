/* test_level_tree.c - the tree of far levels against a sorted array. */
#include "contract/c/engine_stream.h"
#include "phase3_sorted/c/level_tree.c"
#include "phase3_sorted/c/plain_levels.h"

enum { MESSAGE_BYTES = 256 };

static cell_arena arena;
static tree_pool pool;
static level_tree trees[2];
static plain_levels plain[2]; /* large: not for the stack */

static void trees_open(uint32_t levels) {
    CHECK(cells_init(&arena, levels) && tree_pool_init(&pool, levels));
    for (int side = 0; side < 2; side++) {
        level_tree_clear(&trees[side], &pool);
        plain[side].count = 0;
    }
}

static void trees_close(void) {
    tree_pool_free(&pool);
    cells_free(&arena);
}

static void add(uint32_t side, int64_t key) {
    CHECK(level_tree_find(&trees[side], key) == plain_find(&plain[side], key));
    if (plain_find(&plain[side], key) != CELL_NONE) return;
    uint32_t cell = cell_take_level(&arena, side, key);
    level_tree_add(&trees[side], key, cell);
    plain_add(&plain[side], key, cell);
    CHECK(level_tree_find(&trees[side], key) == cell);
}

static void take(uint32_t side, uint32_t rank) {
    int64_t key = plain[side].keys[rank];
    uint32_t cell = plain[side].cells[rank];
    CHECK(level_tree_find(&trees[side], key) == cell);
    level_tree_remove(&trees[side], key);
    plain_remove(&plain[side], rank);
    cell_give_level(&arena, cell);
    CHECK(level_tree_find(&trees[side], key) == CELL_NONE);
}

static uint32_t nodes_in_use(void) {
    uint32_t used = pool.capacity;
    for (uint32_t i = pool.free_node; i != NODE_NONE; i = pool.nodes[i].worse_leaf) used--;
    return used;
}

static void require_at_or_below(uint32_t side, int64_t key) {
    CHECK(level_tree_at_or_below(&trees[side], key) == plain_at_or_below(&plain[side], key));
}

/* Neighbours that would fit into one node are one, also those that became neighbours only when
 * their parents were merged; but for the last two leaves: the best level goes without a look at
 * them. */
static void require_thick(const level_tree *tree, uint32_t index, uint32_t height) {
    const tree_node *node = &pool.nodes[index];
    for (uint32_t i = 0; height > 0 && i < node->count; i++) {
        require_thick(tree, node->children[i], height - 1);
        if (i > 0 && node->children[i] != tree->best_leaf)
            CHECK(!nodes_fit_together(&pool, node, i - 1));
    }
}

/* Both trees hold what the arrays hold, from the best to the worst, in no more nodes than needed:
 * see test_tree_pool.c. */
static void require_same(void) {
    for (uint32_t side = 0; side < 2; side++) {
        char message[MESSAGE_BYTES];
        if (!level_tree_check(&trees[side], &arena, message, sizeof message)) {
            fprintf(stderr, "level_tree_check: %s\n", message);
            abort();
        }
        require_thick(&trees[side], trees[side].root, trees[side].height);
        const plain_levels *levels = &plain[side];
        CHECK(trees[side].level_count == levels->count);
        CHECK(level_tree_best(&trees[side]) == plain_at_or_below(levels, INT64_MAX));
        uint32_t leaf = trees[side].best_leaf, entry = pool.nodes[leaf].count;
        for (uint32_t i = levels->count; i-- > 0;) {
            if (entry == 0) {
                leaf = pool.nodes[leaf].worse_leaf;
                entry = pool.nodes[leaf].count;
            }
            CHECK(pool.nodes[leaf].children[--entry] == levels->cells[i]);
        }
        CHECK(entry == 0 && pool.nodes[leaf].worse_leaf == NODE_NONE);
        require_at_or_below(side, INT64_MIN);
        require_at_or_below(side, INT64_MAX);
    }
    uint32_t heights = trees[0].height + trees[1].height;
    uint32_t thinnest = (plain[0].count + plain[1].count) / (MERGED_MOST / 2 - 1);
    CHECK(nodes_in_use() <= thinnest + 2 * heights + 6);
}

static void require_empty(void) {
    while (plain[0].count) take(0, plain[0].count - 1);
    while (plain[1].count) take(1, 0);
    require_same();
    CHECK(nodes_in_use() == 2); /* a root each */
}

/* --- tests -------------------------------------------------------------------------------- */

/* Guards: a level lost, found twice or out of order, in either tree of a shared pool. The live
 * levels swing between none and all; keys come from a span of `span` values at `low`. */
static void test_random(uint64_t seed, uint32_t levels, int64_t low, uint64_t span, int steps) {
    trees_open(levels);
    command_stream random = {.state = seed, .low_price = low, .price_span = span};
    int rising = 1;
    for (int step = 0; step < steps; step++) {
        uint32_t live = plain[0].count + plain[1].count;
        if (live == levels) rising = 0;
        if (live == 0) rising = 1;
        uint32_t side = (uint32_t)stream_below(&random, 2);
        int64_t key = stream_price(&random);
        uint64_t dice = stream_below(&random, 4);
        if (live < levels && (rising ? dice > 0 : dice == 0))
            add(side, key);
        else if (plain[side].count > 0 && dice == 1)
            take(side, plain[side].count - 1); /* the best, as matching does */
        else if (plain[side].count > 0)
            take(side, (uint32_t)stream_below(&random, plain[side].count));
        require_at_or_below(side, stream_price(&random));
        if (step < 2000 || step % 16 == 0) require_same();
    }
    require_empty();
    trees_close();
}

/* Guards: patterns of a market that random keys never make: one way up, one way down, from the
 * middle outwards; emptied from the best, from the worst, and from the middle. */
static void test_runs(void) {
    enum { LEVELS = 3000 };
    for (uint32_t order = 0; order < 4; order++)
        for (uint32_t emptying = 0; emptying < 3; emptying++) {
            trees_open(LEVELS);
            uint32_t side = order % 2;
            for (int i = 0; i < LEVELS; i++) {
                const int64_t key[] = {i, -i, i % 2 ? i : -i, i * 1009 % LEVELS};
                add(side, key[order]);
                if (i % 16 == 0) require_same();
            }
            require_same();
            while (plain[side].count > 0) {
                const uint32_t rank[] = {plain[side].count - 1, 0, plain[side].count / 2};
                take(side, rank[emptying]);
                if (plain[side].count % 16 == 0) require_same();
            }
            require_empty();
            trees_close();
        }
}

/* Guards: nodes that pile up behind a market that walks a long way, with a level added in front
 * and one taken off behind. */
static void test_a_walk(int direction) {
    enum { WINDOW = 300, STEPS = 30000 };
    trees_open(WINDOW + 1);
    for (int64_t i = 0; i < STEPS; i++) {
        add(SIDE_ASK, direction * i);
        if (plain[SIDE_ASK].count > WINDOW) take(SIDE_ASK, direction > 0 ? 0 : WINDOW);
        if (i % 64 == 0) require_same();
    }
    require_empty();
    trees_close();
}

/* Guards: keys at the ends of 64 bits, which are also what an unused key and "no bound" look like;
 * in a tree of one leaf and in a tall one, in every order. */
static void test_extreme_keys(uint32_t others) {
    const int64_t extremes[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    enum { EXTREMES = sizeof extremes / sizeof *extremes };
    trees_open(others + EXTREMES);
    for (uint32_t i = 0; i < others; i++) add(SIDE_BID, 1000 + 10 * (int64_t)i);
    command_stream random = {.state = others};
    for (int round = 0; round < 3000; round++) {
        int64_t key = extremes[stream_below(&random, EXTREMES)];
        require_at_or_below(SIDE_BID, key);
        if (plain_find(&plain[SIDE_BID], key) != CELL_NONE)
            take(SIDE_BID, plain_rank(&plain[SIDE_BID], key));
        else
            add(SIDE_BID, key);
        require_same();
    }
    require_empty();
    trees_close();
}

/* Guards: a key that has no child to go to. When the best part of a tall tree is gone, the nodes
 * that are last now were bounded by their parents; a key better than all must find its way. */
static void test_a_better_key_after_the_best_are_gone(void) {
    const uint32_t sizes[] = {NODE_FANOUT, 11 * NODE_FANOUT, 110 * NODE_FANOUT};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (uint32_t kept = 1; kept < sizes[s]; kept += 1 + sizes[s] / 150) {
            trees_open(sizes[s] + 1);
            for (uint32_t i = 0; i < sizes[s]; i++) add(SIDE_BID, i);
            while (plain[SIDE_BID].count > kept) take(SIDE_BID, plain[SIDE_BID].count - 1);
            add(SIDE_BID, 1 << 30);
            require_same();
            if (kept + 2 <= sizes[s]) add(SIDE_BID, INT64_MAX - 1);
            require_same();
            trees_close();
        }
}

/* Guards: a key that is taken for its neighbour, and a removal of what is not there, which is a
 * programmer's error and ends the program: so it is only looked for here. */
static void test_keys_that_are_not_there(void) {
    enum { LEVELS = 2000 };
    trees_open(LEVELS);
    for (int64_t i = 0; i < LEVELS; i++) add(SIDE_BID, 3 * i);
    for (int64_t key = -5; key < 3 * LEVELS + 5; key++) {
        CHECK(level_tree_find(&trees[SIDE_BID], key) == plain_find(&plain[SIDE_BID], key));
        CHECK(level_tree_find(&trees[SIDE_ASK], key) == CELL_NONE);
        require_at_or_below(SIDE_BID, key);
        require_at_or_below(SIDE_ASK, key);
    }
    trees_close();
}

int main(void) {
    test_random(1, 5, 0, 8, 20000);
    test_random(2, 64, 0, 40, 20000);
    test_random(3, 700, INT64_MIN, UINT64_MAX, 40000);
    test_random(4, 3000, -2000, 4000, 60000);
    test_random(5, 60, INT64_MAX - 60, 61, 20000);
    test_runs();
    test_a_walk(1);
    test_a_walk(-1);
    test_extreme_keys(0);
    test_extreme_keys(18);
    test_extreme_keys(500);
    test_a_better_key_after_the_best_are_gone();
    test_keys_that_are_not_there();
    return 0;
}
