/* level_tree.c - inserting into, and removing from, the tree of levels.
 *
 * Splitting a full node, here a leaf of four:
 *
 *      parent  [ … 50 … ]                parent  [ … 20  50 … ]
 *                   │                                 │   │
 *              [10 20 30 40]      →             [10 20]   [30 40]
 *
 * The left half keeps its node and gets a bound of its own, the right half inherits the old bound.
 */
#include "level_tree.h"

#include <inttypes.h>
#include <string.h>

#include "memory.h"

/* Neighbours under one parent are merged when together they fill at most this much of a node, so
 * any two hold more, but for the best leaf and the one before it: fewer than n / 3 nodes for n
 * levels, and a few on each layer. (test_tree_pool.c builds the thinnest tree there is.) More than
 * half a node would not do: a leaf that was thin beside the best one keeps a half full neighbour
 * when that splits. */
#define MERGED_MOST (NODE_FANOUT / 2)

typedef struct {
    uint32_t node[TREE_MAX_HEIGHT];
    uint32_t entry[TREE_MAX_HEIGHT];
} tree_path; /* [0] is the leaf */

size_t tree_pool_init(tree_pool *pool, uint32_t levels) {
    pool->capacity = levels / 3 + 4 * TREE_MAX_HEIGHT;
    size_t bytes = (size_t)pool->capacity * sizeof(tree_node);
    pool->nodes = memory_take(bytes);
    if (!pool->nodes) return 0;
    tree_pool_clear(pool);
    return bytes;
}

void tree_pool_free(tree_pool *pool) {
    memory_give(pool->nodes);
    pool->nodes = NULL;
}

void tree_pool_clear(tree_pool *pool) {
    for (uint32_t i = 0; i < pool->capacity; i++)
        pool->nodes[i].worse_leaf = i + 1 < pool->capacity ? i + 1 : NODE_NONE;
    pool->free_node = 0;
}

static uint32_t node_take(tree_pool *pool, uint32_t is_leaf) {
    uint32_t index = pool->free_node;
    CHECK(index != NODE_NONE);
    tree_node *node = &pool->nodes[index];
    pool->free_node = node->worse_leaf;
    for (uint32_t i = 0; i < NODE_FANOUT; i++) node->keys[i] = INT64_MAX;
    node->count = 0;
    node->is_leaf = is_leaf;
    node->worse_leaf = NODE_NONE;
    node->better_leaf = NODE_NONE;
    return index;
}

static void node_give(tree_pool *pool, uint32_t index) {
    pool->nodes[index].worse_leaf = pool->free_node;
    pool->free_node = index;
}

/* node_rank: how many keys of the node are below `key`. Unused keys are never below. */
static inline uint32_t node_rank(const tree_node *node, int64_t key) {
    uint64_t below = 0;
    for (uint32_t i = 0; i < NODE_FANOUT; i++) below += node->keys[i] < key;
    return (uint32_t)below;
}

static void node_open_gap(tree_node *node, uint32_t at) {
    for (uint32_t i = node->count; i > at; i--) {
        node->keys[i] = node->keys[i - 1];
        node->children[i] = node->children[i - 1];
    }
    node->count++;
}

static void node_close_gap(tree_node *node, uint32_t at) {
    node->count--;
    for (uint32_t i = at; i < node->count; i++) {
        node->keys[i] = node->keys[i + 1];
        node->children[i] = node->children[i + 1];
    }
    node->keys[node->count] = INT64_MAX;
}

void level_tree_clear(level_tree *tree, tree_pool *pool) {
    *tree = (level_tree){.pool = pool};
    tree->root = node_take(pool, 1);
    tree->best_leaf = tree->root;
}

/* tree_descend: the path to the leaf where `key` is or belongs. */
static tree_node *tree_descend(const level_tree *tree, int64_t key, tree_path *path) {
    uint32_t index = tree->root;
    for (uint32_t height = tree->height;; height--) {
        tree_node *node = &tree->pool->nodes[index];
        uint32_t entry = node_rank(node, key);
        path->node[height] = index;
        path->entry[height] = entry;
        if (height == 0) return node;
        index = node->children[entry];
    }
}

static void tree_grow_root(level_tree *tree, uint32_t left, int64_t bound, uint32_t right) {
    CHECK(tree->height + 1 < TREE_MAX_HEIGHT);
    uint32_t root = node_take(tree->pool, 0);
    tree_node *node = &tree->pool->nodes[root];
    node->count = 2;
    node->keys[0] = bound;
    node->children[0] = left;
    node->children[1] = right; /* its bound stays INT64_MAX */
    tree->root = root;
    tree->height++;
}

/* node_split: move the better half of a full node into a new one, and return that. `bound` is the
 * upper bound of what stays. */
static uint32_t node_split(level_tree *tree, uint32_t left_index, int64_t *bound) {
    tree_pool *pool = tree->pool;
    tree_node *left = &pool->nodes[left_index];
    uint32_t right_index = node_take(pool, left->is_leaf);
    tree_node *right = &pool->nodes[right_index];
    uint32_t kept = NODE_FANOUT / 2;
    right->count = NODE_FANOUT - kept;
    left->count = kept;
    for (uint32_t i = 0; i < right->count; i++) {
        right->keys[i] = left->keys[kept + i];
        right->children[i] = left->children[kept + i];
        left->keys[kept + i] = INT64_MAX;
    }
    *bound = left->keys[kept - 1];
    if (!left->is_leaf) {
        left->keys[kept - 1] = INT64_MAX;
    } else {
        right->worse_leaf = left_index;
        right->better_leaf = left->better_leaf;
        if (right->better_leaf != NODE_NONE)
            pool->nodes[right->better_leaf].worse_leaf = right_index;
        left->better_leaf = right_index;
        if (tree->best_leaf == left_index) tree->best_leaf = right_index;
    }
    return right_index;
}

/* tree_insert: put (key, child) into the node at that height of the path, splitting upwards. */
static void tree_insert(level_tree *tree, tree_path *path, uint32_t height, int64_t key,
                        uint32_t child) {
    tree_pool *pool = tree->pool;
    uint32_t index = path->node[height], entry = path->entry[height];
    if (pool->nodes[index].count == NODE_FANOUT) {
        int64_t bound;
        uint32_t right = node_split(tree, index, &bound);
        if (height == tree->height) {
            tree_grow_root(tree, index, bound, right);
        } else {
            tree_node *parent = &pool->nodes[path->node[height + 1]];
            parent->children[path->entry[height + 1]] = right;
            tree_insert(tree, path, height + 1, bound, index);
        }
        if (entry >= pool->nodes[index].count) {
            entry -= pool->nodes[index].count;
            index = right;
        }
    }
    tree_node *node = &pool->nodes[index];
    node_open_gap(node, entry);
    node->keys[entry] = key;
    node->children[entry] = child;
}

void level_tree_add(level_tree *tree, int64_t key, uint32_t cell) {
    tree_path path;
    tree_descend(tree, key, &path);
    tree_insert(tree, &path, 0, key, cell);
    tree->level_count++;
}

static void leaf_unlink(level_tree *tree, uint32_t index) {
    tree_pool *pool = tree->pool;
    tree_node *leaf = &pool->nodes[index];
    if (leaf->worse_leaf != NODE_NONE)
        pool->nodes[leaf->worse_leaf].better_leaf = leaf->better_leaf;
    if (leaf->better_leaf != NODE_NONE)
        pool->nodes[leaf->better_leaf].worse_leaf = leaf->worse_leaf;
    if (tree->best_leaf == index) tree->best_leaf = leaf->worse_leaf;
}

/* node_drop_child: take an entry out of an inner node. What it bounded falls to the neighbour that
 * is better, or, for the last child, to the one that is last now. */
static void node_drop_child(tree_node *node, uint32_t entry) {
    node_close_gap(node, entry);
    if (node->count > 0) node->keys[node->count - 1] = INT64_MAX;
}

static int nodes_fit_together(const tree_pool *pool, const tree_node *parent, uint32_t left_entry) {
    return pool->nodes[parent->children[left_entry]].count +
               pool->nodes[parent->children[left_entry + 1]].count <=
           MERGED_MOST;
}

/* node_merge: move the right one of two neighbours into the left one. Below inner nodes this makes
 * neighbours of two children that were not, and if they fit together they are merged as well:
 *
 *      [ … 1 ]  [ 1 … ]     →     [ … 1  1 … ]     →     [ … 2 … ]
 */
static void node_merge(level_tree *tree, tree_node *parent, uint32_t left_entry) {
    tree_pool *pool = tree->pool;
    uint32_t right_index = parent->children[left_entry + 1];
    tree_node *left = &pool->nodes[parent->children[left_entry]];
    const tree_node *right = &pool->nodes[right_index];
    uint32_t seam = left->count - 1;
    if (!left->is_leaf) left->keys[seam] = parent->keys[left_entry];
    for (uint32_t i = 0; i < right->count; i++) {
        left->keys[left->count + i] = right->keys[i];
        left->children[left->count + i] = right->children[i];
    }
    left->count += right->count;
    if (left->is_leaf) leaf_unlink(tree, right_index);
    parent->children[left_entry + 1] = parent->children[left_entry];
    node_close_gap(parent, left_entry);
    node_give(pool, right_index);
    if (!left->is_leaf && nodes_fit_together(pool, left, seam)) node_merge(tree, left, seam);
}

/* tree_rebalance: after an entry left the leaf of the path, drop what is empty, merge what fits. */
static void tree_rebalance(level_tree *tree, const tree_path *path) {
    tree_pool *pool = tree->pool;
    for (uint32_t height = 0; height < tree->height; height++) {
        uint32_t index = path->node[height], entry = path->entry[height + 1];
        tree_node *parent = &pool->nodes[path->node[height + 1]];
        if (pool->nodes[index].count == 0) {
            if (height == 0) leaf_unlink(tree, index);
            node_drop_child(parent, entry);
            node_give(pool, index);
        } else if (entry + 1 < parent->count && nodes_fit_together(pool, parent, entry)) {
            node_merge(tree, parent, entry);
        } else if (entry > 0 && nodes_fit_together(pool, parent, entry - 1)) {
            node_merge(tree, parent, entry - 1);
        } else {
            break;
        }
    }
    while (tree->height > 0 && pool->nodes[tree->root].count == 1) {
        uint32_t root = tree->root;
        tree->root = pool->nodes[root].children[0];
        tree->height--;
        node_give(pool, root);
    }
}

void level_tree_remove(level_tree *tree, int64_t key) {
    tree_node *best = &tree->pool->nodes[tree->best_leaf];
    if (best->count > 1 && best->keys[best->count - 1] == key) {
        best->keys[--best->count] = INT64_MAX;
    } else {
        tree_path path;
        tree_node *leaf = tree_descend(tree, key, &path);
        CHECK(path.entry[0] < leaf->count && leaf->keys[path.entry[0]] == key);
        node_close_gap(leaf, path.entry[0]);
        tree_rebalance(tree, &path);
    }
    tree->level_count--;
}

uint32_t level_tree_at_or_below(const level_tree *tree, int64_t key) {
    tree_path path;
    const tree_node *leaf = tree_descend(tree, key, &path);
    uint32_t entry = path.entry[0];
    if (entry < leaf->count && leaf->keys[entry] == key) return leaf->children[entry];
    if (entry > 0) return leaf->children[entry - 1];
    if (leaf->worse_leaf == NODE_NONE) return CELL_NONE;
    leaf = &tree->pool->nodes[leaf->worse_leaf];
    return leaf->children[leaf->count - 1];
}

uint32_t level_tree_find(const level_tree *tree, int64_t key) {
    tree_path path;
    const tree_node *leaf = tree_descend(tree, key, &path);
    uint32_t entry = path.entry[0];
    return entry < leaf->count && leaf->keys[entry] == key ? leaf->children[entry] : CELL_NONE;
}

/* REQUIRE: the invariant as a format, with what was found. */
#define REQUIRE(condition, ...)                   \
    do {                                          \
        if (!(condition)) {                       \
            snprintf(message, size, __VA_ARGS__); \
            return 0;                             \
        }                                         \
    } while (0)

/* What a check of the whole tree gathers on its way, from the worst leaf to the best. */
typedef struct {
    const level_tree *tree;
    const cell_arena *arena;
    uint32_t leaf; /* the one before */
    uint32_t levels;
    char *message;
    size_t size;
} tree_walk;

/* One node and all below it: keys ascending, within (low, high], unused keys INT64_MAX, leaves in
 * the order of their list, levels in agreement. `low` is NULL at the worst end. */
static int node_check(tree_walk *walk, uint32_t index, uint32_t height, const int64_t *low,
                      int64_t high) {
    const tree_node *node = &walk->tree->pool->nodes[index];
    char *message = walk->message;
    size_t size = walk->size;
    int is_root = index == walk->tree->root;
    REQUIRE(node->is_leaf == (height == 0), "node %u: wrong height", index);
    REQUIRE(node->count <= NODE_FANOUT, "node %u: %u entries", index, node->count);
    REQUIRE(node->count > (is_root && height > 0) || (is_root && height == 0),
            "node %u: %u entries", index, node->count);
    for (uint32_t i = node->count; i < NODE_FANOUT; i++)
        REQUIRE(node->keys[i] == INT64_MAX, "node %u: unused key %u is set", index, i);
    if (height == 0) {
        REQUIRE(node->worse_leaf == walk->leaf, "leaf %u: worse leaf %u, not %u", index,
                node->worse_leaf, walk->leaf);
        walk->leaf = index;
        walk->levels += node->count;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        int64_t key = node->keys[i];
        if (height && i == node->count - 1) {
            REQUIRE(key == INT64_MAX, "node %u: last bound %" PRId64, index, key);
            key = high;
        }
        REQUIRE((!low || key > *low) && key <= high, "node %u: key %" PRId64 " out of order", index,
                key);
        REQUIRE(height || cell_level(walk->arena, node->children[i])->key == key,
                "node %u: level %u has not key %" PRId64, index, node->children[i], key);
        if (height && !node_check(walk, node->children[i], height - 1, low, key)) return 0;
        low = &node->keys[i];
    }
    return 1;
}

int level_tree_check(const level_tree *tree, const cell_arena *arena, char *message, size_t size) {
    tree_walk walk = {tree, arena, NODE_NONE, 0, message, size};
    if (!node_check(&walk, tree->root, tree->height, NULL, INT64_MAX)) return 0;
    REQUIRE(walk.levels == tree->level_count, "%u levels in the tree, %u counted", walk.levels,
            tree->level_count);
    REQUIRE(walk.leaf == tree->best_leaf && tree->pool->nodes[walk.leaf].better_leaf == NODE_NONE,
            "best leaf %u, not %u", tree->best_leaf, walk.leaf);
    return 1;
}
