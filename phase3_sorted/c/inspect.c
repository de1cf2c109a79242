/* inspect.c - counting what is where. */
#include "inspect.h"

#include <string.h>

#include "book.h"

static_assert(sizeof(((node_view *)0)->keys) == sizeof(((tree_node *)0)->keys), "a node's keys");

size_t inspect_pages(const book *self, int side, page_view *pages, size_t limit) {
    const tick_ring *ring = &self->sides[side].ring;
    size_t count = 0;
    for (uint32_t place = 0; place < RING_PAGES && count < limit; place++) {
        if (!(ring->pages & bit_at(place))) continue;
        page_view *page = &pages[count++];
        *page = (page_view){ring->numbers[place], ring->summaries[place], place, 0};
        for (uint32_t word = place * 64; word < place * 64 + 64; word++)
            page->levels += (uint32_t)__builtin_popcountll(ring->words[word]);
    }
    return count;
}

/* The node at `index` and all below it. Returns how many nodes there are so far. */
static size_t inspect_node(const level_tree *tree, uint32_t index, uint32_t height,
                           node_view *nodes, size_t count, size_t limit) {
    if (count == limit) return count;
    const tree_node *node = &tree->pool->nodes[index];
    node_view *view = &nodes[count++];
    view->count = node->count;
    view->height = height;
    memcpy(view->keys, node->keys, sizeof view->keys);
    for (uint32_t i = 0; height > 0 && i < node->count; i++)
        count = inspect_node(tree, node->children[i], height - 1, nodes, count, limit);
    return count;
}

size_t inspect_nodes(const book *self, int side, node_view *nodes, size_t limit) {
    const level_tree *tree = &self->sides[side].tree;
    return inspect_node(tree, tree->root, tree->height, nodes, 0, limit);
}

static uint32_t table_entries(const id_table *table) {
    uint32_t entries = 0;
    for (uint64_t group = 0; group <= table->mask; group++)
        for (uint32_t place = 0; place < GROUP_PLACES; place++)
            entries += (table->tags[group] >> place * 8 & 0xFF) != 0;
    return entries;
}

void inspect_ids(const book *self, id_tables_view *tables) {
    const id_index *ids = &self->ids;
    *tables = (id_tables_view){.groups = ids->now.mask + 1, .entries = table_entries(&ids->now)};
    if (!ids->old.tags) return;
    tables->old_groups = ids->old.mask + 1;
    tables->old_entries = table_entries(&ids->old);
    tables->moved = ids->moved;
}

size_t inspect_order_bytes(void) {
    return sizeof(order_cell) + sizeof(uint64_t);
}
