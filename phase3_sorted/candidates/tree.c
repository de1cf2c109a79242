/* tree.c - candidate: the B+tree of levels with its switches; see tree.h and ../c/level_tree.c. */
#include "tree.h"

#include <inttypes.h>
#include <string.h>

#include "../c/memory.h"

typedef struct {
    uint32_t node[TREE_MAX_HEIGHT];
    uint32_t entry[TREE_MAX_HEIGHT];
} tree_path; /* [0] is the leaf */

size_t tree_pool_init(tree_pool *pool, uint32_t levels) {
    /* Two neighbours hold more than MERGED_MOST entries together. With nodes of four, that is at
     * most 2n / 3 leaves and 2n nodes in all. */
    uint32_t most = NODE_FANOUT < 8 ? 2 * levels : levels / (MERGED_MOST / 2) * 3 / 2;
    pool->capacity = most + 4 * TREE_MAX_HEIGHT;
    size_t bytes = (size_t)pool->capacity * sizeof(tree_node);
    size_t leaf_bytes = LEAF_OF ? (2 * (size_t)levels + 1) * sizeof(uint32_t) : 0;
    pool->nodes = memory_take(bytes);
    pool->leaf_of = leaf_bytes ? memory_take(leaf_bytes) : NULL;
    if (!pool->nodes || (leaf_bytes && !pool->leaf_of)) {
        tree_pool_free(pool);
        return 0;
    }
    tree_pool_clear(pool);
    return bytes + leaf_bytes;
}

void tree_pool_free(tree_pool *pool) {
    memory_give(pool->nodes);
    memory_give(pool->leaf_of);
    pool->nodes = NULL;
    pool->leaf_of = NULL;
}

void tree_pool_clear(tree_pool *pool) {
    for (uint32_t i = 0; i < pool->capacity; i++)
        pool->nodes[i].worse_leaf = i + 1 < pool->capacity ? i + 1 : NODE_NONE;
    pool->free_node = 0;
    pool->used = 0;
}

static uint32_t node_take(tree_pool *pool, uint32_t is_leaf) {
    uint32_t index = pool->free_node;
    CHECK(index != NODE_NONE);
    tree_node *node = &pool->nodes[index];
    pool->free_node = node->worse_leaf;
    pool->used++;
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
    pool->used--;
}

/* node_rank: how many keys of the node are below `key`. Unused keys are never below. */
static inline uint32_t node_rank(const tree_node *node, int64_t key) {
    uint64_t below = 0;
    for (uint32_t i = 0; i < NODE_FANOUT; i++) below += node->keys[i] < key;
    return (uint32_t)below;
}

static void node_open_gap(tree_node *node, uint32_t at) {
    if (MOVE_BYTES) {
        uint32_t moved = node->count++ - at;
        memmove(&node->keys[at + 1], &node->keys[at], moved * sizeof node->keys[0]);
        memmove(&node->children[at + 1], &node->children[at], moved * sizeof node->children[0]);
        return;
    }
    for (uint32_t i = node->count; i > at; i--) {
        node->keys[i] = node->keys[i - 1];
        node->children[i] = node->children[i - 1];
    }
    node->count++;
}

static void node_close_gap(tree_node *node, uint32_t at) {
    node->count--;
    if (MOVE_BYTES) {
        uint32_t moved = node->count - at;
        memmove(&node->keys[at], &node->keys[at + 1], moved * sizeof node->keys[0]);
        memmove(&node->children[at], &node->children[at + 1], moved * sizeof node->children[0]);
    } else {
        for (uint32_t i = at; i < node->count; i++) {
            node->keys[i] = node->keys[i + 1];
            node->children[i] = node->children[i + 1];
        }
    }
    node->keys[node->count] = INT64_MAX;
}

void level_tree_clear(level_tree *tree, tree_pool *pool, uint32_t side) {
    memset(tree, 0, sizeof *tree);
    tree->side = side;
    tree->mirror = side == SIDE_BID ? 0 : -1;
    tree->best_key = INT64_MIN;
    tree->best_level = CELL_NONE;
    tree->root = node_take(pool, 1);
    tree->best_leaf = tree->root;
}

/* tree_descend: the path to the leaf where `key` is or belongs. */
static tree_node *tree_descend(const level_tree *tree, const tree_pool *pool, int64_t key,
                               tree_path *path) {
    uint32_t index = tree->root;
    for (uint32_t height = tree->height;; height--) {
        tree_node *node = &pool->nodes[index];
        uint32_t entry = node_rank(node, key);
        path->node[height] = index;
        path->entry[height] = entry;
        if (height == 0) return node;
        index = node->children[entry];
    }
}

static void tree_grow_root(level_tree *tree, tree_pool *pool, uint32_t left, int64_t bound,
                           uint32_t right) {
    CHECK(tree->height + 1 < TREE_MAX_HEIGHT);
    uint32_t root = node_take(pool, 0);
    tree_node *node = &pool->nodes[root];
    node->count = 2;
    node->keys[0] = bound;
    node->children[0] = left;
    node->children[1] = right; /* its bound stays INT64_MAX */
    tree->root = root;
    tree->height++;
}

/* node_split: move the better half of a full node into a new one, and return that. `bound` is the
 * upper bound of what stays. */
static uint32_t node_split(level_tree *tree, tree_pool *pool, uint32_t left_index,
                           int64_t *bound) {
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
        if (LEAF_OF && left->is_leaf) pool->leaf_of[right->children[i]] = right_index;
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
static void tree_insert(level_tree *tree, tree_pool *pool, tree_path *path, uint32_t height,
                        int64_t key, uint32_t child) {
    uint32_t index = path->node[height], entry = path->entry[height];
    if (pool->nodes[index].count == NODE_FANOUT) {
        int64_t bound;
        uint32_t right = node_split(tree, pool, index, &bound);
        if (height == tree->height) {
            tree_grow_root(tree, pool, index, bound, right);
        } else {
            tree_node *parent = &pool->nodes[path->node[height + 1]];
            parent->children[path->entry[height + 1]] = right;
            tree_insert(tree, pool, path, height + 1, bound, index);
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
    if (LEAF_OF && node->is_leaf) pool->leaf_of[child] = index;
}

static void tree_update_best(level_tree *tree, const tree_pool *pool) {
    const tree_node *leaf = &pool->nodes[tree->best_leaf];
    tree->best_key = leaf->count ? leaf->keys[leaf->count - 1] : INT64_MIN;
    tree->best_level = leaf->count ? leaf->children[leaf->count - 1] : CELL_NONE;
}

/* in_last_leaf: whether a key, not better than the best, belongs in the last leaf for sure. */
static inline int in_last_leaf(const tree_node *leaf, int64_t key) {
    return leaf->count > 1 && key >= leaf->keys[0];
}

void level_tree_put(level_tree *tree, tree_pool *pool, int64_t key, uint32_t cell) {
    tree_node *leaf = &pool->nodes[tree->best_leaf];
    if (key > tree->best_key && leaf->count < NODE_FANOUT) {
        leaf->keys[leaf->count] = key;
        leaf->children[leaf->count++] = cell;
        if (LEAF_OF) pool->leaf_of[cell] = tree->best_leaf;
    } else {
        tree_path path;
        tree_descend(tree, pool, key, &path);
        tree_insert(tree, pool, &path, 0, key, cell);
    }
    tree->level_count++;
    if (key >= tree->best_key) tree_update_best(tree, pool);
}

uint32_t level_tree_find_or_add_slow(level_tree *tree, tree_pool *pool, cell_arena *arena,
                                     int64_t key) {
    tree_path path;
    tree_node *leaf = &pool->nodes[tree->best_leaf];
    uint32_t entry, cell;
    int needs_path = !LAST_LEAF || leaf->count == NODE_FANOUT || !in_last_leaf(leaf, key);
    if (needs_path) {
        leaf = tree_descend(tree, pool, key, &path);
        entry = path.entry[0];
    } else {
        entry = node_rank(leaf, key);
    }
    if (entry < leaf->count && leaf->keys[entry] == key) {
        cell = leaf->children[entry];
    } else {
        cell = cell_take_level(arena, tree->side, key);
        if (needs_path) {
            tree_insert(tree, pool, &path, 0, key, cell);
        } else {
            node_open_gap(leaf, entry);
            leaf->keys[entry] = key;
            leaf->children[entry] = cell;
            if (LEAF_OF) pool->leaf_of[cell] = tree->best_leaf;
        }
        tree->level_count++;
        if (key >= tree->best_key) tree_update_best(tree, pool);
    }
    if (CACHE_SLOTS) *level_tree_recent(tree, key) = cell;
    return cell;
}

static void leaf_unlink(level_tree *tree, tree_pool *pool, uint32_t index) {
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

/* node_merge: move the right one of two neighbours into the left one. */
static void node_merge(level_tree *tree, tree_pool *pool, tree_node *parent, uint32_t left_entry) {
    uint32_t right_index = parent->children[left_entry + 1];
    tree_node *left = &pool->nodes[parent->children[left_entry]];
    const tree_node *right = &pool->nodes[right_index];
    if (!left->is_leaf) left->keys[left->count - 1] = parent->keys[left_entry];
    for (uint32_t i = 0; i < right->count; i++) {
        left->keys[left->count + i] = right->keys[i];
        left->children[left->count + i] = right->children[i];
        if (LEAF_OF && left->is_leaf)
            pool->leaf_of[right->children[i]] = parent->children[left_entry];
    }
    left->count += right->count;
    if (left->is_leaf) leaf_unlink(tree, pool, right_index);
    parent->children[left_entry + 1] = parent->children[left_entry];
    node_close_gap(parent, left_entry);
    node_give(pool, right_index);
}

static int nodes_fit_together(const tree_pool *pool, const tree_node *parent, uint32_t left_entry) {
    return pool->nodes[parent->children[left_entry]].count +
               pool->nodes[parent->children[left_entry + 1]].count <=
           MERGED_MOST;
}

/* tree_rebalance: after an entry left the leaf of the path, drop what is empty, merge what fits. */
static void tree_rebalance(level_tree *tree, tree_pool *pool, const tree_path *path) {
    for (uint32_t height = 0; height < tree->height; height++) {
        uint32_t index = path->node[height], entry = path->entry[height + 1];
        tree_node *parent = &pool->nodes[path->node[height + 1]];
        if (pool->nodes[index].count == 0) {
            if (height == 0) leaf_unlink(tree, pool, index);
            node_drop_child(parent, entry);
            node_give(pool, index);
        } else if (entry + 1 < parent->count && nodes_fit_together(pool, parent, entry)) {
            node_merge(tree, pool, parent, entry);
        } else if (entry > 0 && nodes_fit_together(pool, parent, entry - 1)) {
            node_merge(tree, pool, parent, entry - 1);
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

/* leaf_may_shrink: whether an entry can leave the leaf without the tree above being looked at:
 * with LEAF_OF only while it stays more than half full. */
static int leaf_may_shrink(const tree_node *leaf) {
    return leaf->count > NODE_FANOUT / 2 + 1;
}

void level_tree_take(level_tree *tree, tree_pool *pool, int64_t key) {
    tree_node *leaf = &pool->nodes[tree->best_leaf];
    if (key == tree->best_key && leaf->count > 1) {
        leaf->keys[--leaf->count] = INT64_MAX;
    } else {
        tree_path path;
        leaf = tree_descend(tree, pool, key, &path);
        node_close_gap(leaf, path.entry[0]);
        tree_rebalance(tree, pool, &path);
    }
    if (key == tree->best_key) tree_update_best(tree, pool);
    tree->level_count--;
}

void level_tree_remove_slow(level_tree *tree, tree_pool *pool, cell_arena *arena, uint32_t cell) {
    tree_node *leaf = &pool->nodes[tree->best_leaf];
    int64_t key = cell_level(arena, cell)->key;
    if (cell == tree->best_level && leaf->count > 1) {
        leaf->keys[--leaf->count] = INT64_MAX;
    } else if (LAST_LEAF && in_last_leaf(leaf, key)) {
        node_close_gap(leaf, node_rank(leaf, key));
    } else if (LEAF_OF && leaf_may_shrink(&pool->nodes[pool->leaf_of[cell]])) {
        leaf = &pool->nodes[pool->leaf_of[cell]];
        node_close_gap(leaf, node_rank(leaf, key));
    } else {
        tree_path path;
        leaf = tree_descend(tree, pool, key, &path);
        node_close_gap(leaf, path.entry[0]);
        tree_rebalance(tree, pool, &path);
    }
    if (cell == tree->best_level) tree_update_best(tree, pool);
    tree->level_count--;
    cell_give_level(arena, cell);
}

uint32_t level_tree_find(const level_tree *tree, const tree_pool *pool, int64_t key) {
    uint32_t index = tree->root;
    for (uint32_t height = tree->height; height; height--)
        index = pool->nodes[index].children[node_rank(&pool->nodes[index], key)];
    const tree_node *leaf = &pool->nodes[index];
    uint32_t entry = node_rank(leaf, key);
    return entry < leaf->count && leaf->keys[entry] == key ? leaf->children[entry] : CELL_NONE;
}

uint32_t level_tree_at_or_below(const level_tree *tree, const tree_pool *pool, int64_t key) {
    tree_path path;
    const tree_node *leaf = tree_descend(tree, pool, key, &path);
    uint32_t entry = path.entry[0];
    if (entry < leaf->count && leaf->keys[entry] == key) return leaf->children[entry];
    if (entry > 0) return leaf->children[entry - 1];
    if (leaf->worse_leaf == NODE_NONE) return CELL_NONE;
    leaf = &pool->nodes[leaf->worse_leaf];
    return leaf->children[leaf->count - 1];
}
