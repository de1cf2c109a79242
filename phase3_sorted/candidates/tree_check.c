/* tree_check.c - candidate: every invariant of the B+tree of tree.h, with the broken one in words. */
#include "tree.h"

#include <inttypes.h>

/* REQUIRE: the invariant as a format, with what was found. */
#define REQUIRE(condition, ...)                   \
    do {                                          \
        if (!(condition)) {                       \
            snprintf(message, size, __VA_ARGS__); \
            return 0;                             \
        }                                         \
    } while (0)

/* One node and all below it: keys ascending, within (low, high], unused keys INT64_MAX, leaves in
 * the order of their list. `leaf` is the leaf before; adds up levels. */
static int node_check(const level_tree *tree, const tree_pool *pool, uint32_t index,
                      uint32_t height, const int64_t *low, int64_t high, uint32_t *leaf,
                      uint32_t *levels, char *message, size_t size) {
    const tree_node *node = &pool->nodes[index];
    REQUIRE(node->is_leaf == (height == 0), "node %u: wrong height", index);
    REQUIRE(node->count <= NODE_FANOUT, "node %u: %u entries", index, node->count);
    REQUIRE(node->count > 0 || index == tree->root, "node %u is empty", index);
    REQUIRE(height == 0 || node->count > 1 || index != tree->root, "the root has one child");
    for (uint32_t i = node->count; i < NODE_FANOUT; i++)
        REQUIRE(node->keys[i] == INT64_MAX, "node %u: unused key %u is set", index, i);
    if (height == 0) {
        REQUIRE(node->worse_leaf == *leaf, "leaf %u: worse leaf %u, not %u", index,
                node->worse_leaf, *leaf);
        *leaf = index;
        *levels += node->count;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        int64_t key = node->keys[i];
        if (height && i == node->count - 1) {
            REQUIRE(key == INT64_MAX, "node %u: last bound %" PRId64, index, key);
            key = high;
        }
        REQUIRE((!low || key > *low) && key <= high, "node %u: key %" PRId64 " out of order", index,
                key);
        if (height && !node_check(tree, pool, node->children[i], height - 1, low, key, leaf, levels,
                                  message, size))
            return 0;
        low = &node->keys[i];
    }
    return 1;
}

int level_tree_check(const level_tree *tree, const tree_pool *pool, const cell_arena *arena,
                     char *message, size_t size) {
    uint32_t levels = 0, leaf = NODE_NONE;
    if (!node_check(tree, pool, tree->root, tree->height, NULL, INT64_MAX, &leaf, &levels, message,
                    size))
        return 0;
    REQUIRE(levels == tree->level_count, "%u levels in the tree, %u counted", levels,
            tree->level_count);
    REQUIRE(leaf == tree->best_leaf && pool->nodes[leaf].better_leaf == NODE_NONE,
            "best leaf %u, not %u", tree->best_leaf, leaf);
    const tree_node *best = &pool->nodes[leaf];
    uint32_t best_level = best->count ? best->children[best->count - 1] : CELL_NONE;
    REQUIRE(tree->best_level == best_level, "best level %u, not %u", tree->best_level, best_level);
    REQUIRE(tree->best_key == (best->count ? best->keys[best->count - 1] : INT64_MIN),
            "best key %" PRId64, tree->best_key);
    for (leaf = tree->best_leaf; leaf != NODE_NONE; leaf = pool->nodes[leaf].worse_leaf)
        for (uint32_t i = 0; i < pool->nodes[leaf].count; i++) {
            uint32_t cell = pool->nodes[leaf].children[i];
            REQUIRE(cell_level(arena, cell)->key == pool->nodes[leaf].keys[i],
                    "level %u: key %" PRId64 ", but %" PRId64 " in the tree", cell,
                    cell_level(arena, cell)->key, pool->nodes[leaf].keys[i]);
        }
    return 1;
}
