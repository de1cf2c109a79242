/* test_tree_pool.c - the nodes taken at the start are enough, whatever is done to the tree.
 *
 * Two neighbours under one parent hold more than MERGED_MOST entries together, or they would have
 * been merged. Of children in alternation thin and thick, the thinnest are pairs of which one has
 * an odd number of children, whose last one is left over and may have a single entry. With E
 * entries below such a pair and N nodes, the pairs a layer up have f E + 1 and f N + a few, f being
 * half of MERGED_MOST rounded down: a node for every f - 1 levels, however high the tree, and a few
 * on each layer.
 *
 *      [ .  .  .  .  .  . | .  .  .  .  .  .  .  .  .  . ]      parents, thin and thick
 *        1 10  1 10  1 10   1 10  1 10 …                        leaves
 *
 * Two adversaries who know the tree try to do worse. One culls: a long run in one direction leaves
 * all nodes half full, a cull takes from every second node all it may lose, and that makes room for
 * the next run, until the capacity is used up. The other works at the seams: when two parents are
 * merged, the last leaf of the one and the first of the other become neighbours without anybody
 * having touched them, and if nobody looked, leaves of a single entry could be lined up that way.
 */
#include "phase3_sorted/c/level_tree.c"

enum { MOST = 30000, MESSAGE_BYTES = 256, HALF = NODE_FANOUT / 2 };
/* What a node beside a half full one must keep. */
enum { THIN = MERGED_MOST + 1 - HALF };

static cell_arena arena;
static tree_pool pool;
static level_tree trees[2];
static int64_t doomed[MOST];
static uint32_t doomed_count;

static void add(uint32_t side, int64_t key) {
    level_tree_add(&trees[side], key, cell_take_level(&arena, side, key));
}

static void take(uint32_t side, int64_t key) {
    uint32_t cell = level_tree_find(&trees[side], key);
    CHECK(cell != CELL_NONE);
    level_tree_remove(&trees[side], key);
    cell_give_level(&arena, cell);
}

static void require_sound(void) {
    char message[MESSAGE_BYTES];
    for (int side = SIDE_BID; side <= SIDE_ASK; side++)
        if (!level_tree_check(&trees[side], &arena, message, sizeof message)) {
            fprintf(stderr, "level_tree_check: %s\n", message);
            abort();
        }
}

static uint32_t live_levels(void) {
    return trees[0].level_count + trees[1].level_count;
}

static uint32_t nodes_in_use(void) {
    uint32_t used = pool.capacity;
    for (uint32_t i = pool.free_node; i != NODE_NONE; i = pool.nodes[i].worse_leaf) used--;
    return used;
}

static void require_within_bound(void) {
    uint32_t heights = trees[0].height + trees[1].height;
    CHECK(nodes_in_use() <= live_levels() / (MERGED_MOST / 2 - 1) + 2 * heights + 6);
}

static void doom_all(uint32_t index, uint32_t height) {
    const tree_node *node = &pool.nodes[index];
    for (uint32_t i = 0; i < node->count; i++) {
        if (height > 0)
            doom_all(node->children[i], height - 1);
        else
            doomed[doomed_count++] = node->keys[i];
    }
}

/* All but `kept` children of a node are to go, and of those that stay every second one is to be
 * thin, where its neighbours are thick enough to bear it. */
static void doom_thin(uint32_t index, uint32_t height, uint32_t kept) {
    const tree_node *node = &pool.nodes[index];
    for (uint32_t i = 0; i < node->count; i++) {
        if (height == 0) {
            if (i >= kept) doomed[doomed_count++] = node->keys[i];
        } else if (i >= kept) {
            doom_all(node->children[i], height - 1);
        } else {
            const tree_node *child = &pool.nodes[node->children[i]];
            int is_first = i == 0, is_last = i + 1 >= node->count || i + 1 >= kept;
            int is_bearable = (is_first || pool.nodes[node->children[i - 1]].count >= HALF) &&
                              (is_last || pool.nodes[node->children[i + 1]].count >= HALF);
            int thin = i % 2 == 0 && child->count == HALF && is_bearable && !(is_first && is_last);
            doom_thin(node->children[i], height - 1, thin ? THIN : NODE_FANOUT);
        }
    }
}

/* Cull both sides. */
static void cull(void) {
    for (uint32_t side = SIDE_BID; side <= SIDE_ASK; side++) {
        doomed_count = 0;
        doom_thin(trees[side].root, trees[side].height, NODE_FANOUT);
        for (uint32_t i = 0; i < doomed_count; i++) take(side, doomed[i]);
    }
    require_sound();
    require_within_bound();
}

/* Guards: a pool that is too small: CHECK in node_take would end this program. `direction`: new
 * levels are worse than all before, or better; `in_both`: on both sides in turn. Returns how many
 * nodes are in use with as many levels as there can be. */
static uint32_t thinnest_tree(uint32_t levels, int direction, int in_both) {
    CHECK(levels <= MOST && cells_init(&arena, levels) && tree_pool_init(&pool, levels));
    for (uint32_t side = SIDE_BID; side <= SIDE_ASK; side++)
        level_tree_clear(&trees[side], &pool);
    int64_t next = 0;
    for (int round = 0; round < 20; round++) {
        cull();
        for (; live_levels() < levels; next += direction) add(in_both ? next & 1 : 0, next);
        require_sound();
        require_within_bound();
    }
    uint32_t used = nodes_in_use();
    CHECK(used <= pool.capacity);
    tree_pool_free(&pool);
    cells_free(&arena);
    return used;
}

/* --- at the seams --------------------------------------------------------------------------- */

enum { SPACING_BITS = 32, PARENTS = 15, CYCLES = 300 };

static int64_t next_key;

static tree_node *parent_at(uint32_t side, uint32_t at) {
    return &pool.nodes[pool.nodes[trees[side].root].children[at]];
}

static tree_node *leaf_at(uint32_t side, uint32_t parent, uint32_t at) {
    return &pool.nodes[parent_at(side, parent)->children[at]];
}

static uint32_t parents_of(uint32_t side) {
    return trees[side].height == 2 ? pool.nodes[trees[side].root].count : 0;
}

/* One more key in the middle of a leaf: into its widest gap, its ends apart. */
static void grow_leaf(uint32_t side, const tree_node *leaf) {
    uint32_t widest = 0;
    for (uint32_t i = 1; i + 1 < leaf->count; i++)
        if (leaf->keys[i + 1] - leaf->keys[i] > leaf->keys[widest + 1] - leaf->keys[widest])
            widest = i;
    int64_t low = leaf->keys[widest], gap = INT64_C(1) << (SPACING_BITS - 8);
    if (leaf->count > 1) gap = leaf->keys[widest + 1] - low;
    add(side, low + gap / 2);
}

/* Give a parent at least that many leaves, by splitting the fullest. */
static void fatten(uint32_t side, uint32_t parent, uint32_t leaves) {
    while (parent_at(side, parent)->count < leaves) {
        uint32_t fullest = 0;
        for (uint32_t i = 1; i < parent_at(side, parent)->count; i++)
            if (leaf_at(side, parent, i)->count > leaf_at(side, parent, fullest)->count)
                fullest = i;
        grow_leaf(side, leaf_at(side, parent, fullest));
    }
}

/* Take all of a parent's levels but the worst. */
static void thin_to_one_level(uint32_t side, uint32_t parent) {
    for (uint32_t parents = parents_of(side); parents_of(side) == parents;) {
        const tree_node *leaf = leaf_at(side, parent, parent_at(side, parent)->count - 1);
        if (parent_at(side, parent)->count == 1 && leaf->count == 1) return;
        take(side, leaf->keys[leaf->count - 1]);
    }
}

/* Drop leaves of a parent, from the front and one by one, until it is merged with its neighbour;
 * the single entries that it ends with are kept. Returns 0 when there is nothing else left. */
static int drop_until_merged(uint32_t side, uint32_t parent) {
    for (uint32_t parents = parents_of(side); parents_of(side) == parents;) {
        uint32_t body = parent_at(side, parent)->count, single = NODE_NONE;
        while (body > 0 && leaf_at(side, parent, body - 1)->count == 1) body--;
        for (uint32_t i = 0; i < body; i++)
            if (leaf_at(side, parent, i)->count == 1) single = i;
        if (single != NODE_NONE) {
            take(side, leaf_at(side, parent, single)->keys[0]);
        } else if (body < 2) {
            return 0;
        } else {
            while (leaf_at(side, parent, 1)->count < MERGED_MOST)
                grow_leaf(side, leaf_at(side, parent, 1));
            uint32_t leaves = parent_at(side, parent)->count;
            while (parent_at(side, parent)->count == leaves && leaf_at(side, parent, 0)->count > 1)
                take(side, leaf_at(side, parent, 0)->keys[1]);
        }
    }
    return 1;
}

/* Guards: neighbours that nobody looked at. Again and again the next parent is thinned to a single
 * level and made to merge with the one before it, which then ends with one more leaf of one level;
 * when there is nothing else in it, it is left behind, and the next one is lined up like that. */
static void test_leaves_lined_up_at_seams(void) {
    enum { LEVELS = 1500 };
    CHECK(cells_init(&arena, LEVELS) && tree_pool_init(&pool, LEVELS));
    next_key = 0;
    for (uint32_t side = SIDE_BID; side <= SIDE_ASK; side++) level_tree_clear(&trees[side], &pool);
    for (uint32_t side = SIDE_BID; side <= SIDE_ASK; side++) {
        uint32_t parent = 0;
        for (int cycle = 0; cycle < CYCLES && parent + 4 < PARENTS; cycle++) {
            for (; parents_of(side) < parent + 4; next_key += INT64_C(1) << SPACING_BITS)
                add(side, next_key);
            fatten(side, parent, MERGED_MOST);
            fatten(side, parent + 2, MERGED_MOST);
            thin_to_one_level(side, parent + 1);
            if (!drop_until_merged(side, parent)) parent++;
            if (cycle % 10 == 0) require_sound();
        }
        require_sound();
        require_within_bound();
    }
    tree_pool_free(&pool);
    cells_free(&arena);
}

int main(void) {
    for (uint32_t levels = 1; levels < 300; levels += 7) thinnest_tree(levels, 1, 0);
    for (int direction = -1; direction <= 1; direction += 2)
        for (int in_both = 0; in_both <= 1; in_both++)
            /* The trees built here do come near the bound, or they would prove nothing. */
            CHECK(thinnest_tree(MOST, direction, in_both) > MOST / (MERGED_MOST / 2 + 1));
    test_leaves_lined_up_at_seams();
    return 0;
}
