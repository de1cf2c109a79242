/* inspect.h - the insides of phase 3's book, for people: the demo, the notebook, the tests.
 *
 * Nothing here is called while commands are applied, and nothing here changes a book.
 */
#ifndef PHASE3_INSPECT_H
#define PHASE3_INSPECT_H

#include "contract/c/engine.h"

/* cdef:begin */
/* A page of the ring that has levels. */
typedef struct {
    int64_t number;   /* of the page of prices: key >> 12 */
    uint64_t summary; /* one bit for each of its 64 words that has a level */
    uint32_t place;   /* in the ring, 0 to 63 */
    uint32_t levels;
} page_view;

/* A node of the tree. */
typedef struct {
    int64_t keys[20];
    uint32_t count;
    uint32_t height; /* 0: a leaf */
} node_view;

/* The id table, or, while it moves, the two of them. */
typedef struct {
    uint32_t groups;     /* of the table in use */
    uint32_t entries;
    uint32_t old_groups; /* of the table that is being left; 0 when none is */
    uint32_t old_entries;
    uint32_t moved;      /* groups of it that have been dealt with */
} id_tables_view;

/* inspect_pages: the pages of a side's ring that have levels, in the order of their places, at most
 * `limit`. Returns how many. O(ring). */
size_t inspect_pages(const book *self, int side, page_view *pages, size_t limit);
/* inspect_nodes: the nodes of a side's tree, each before its children, from the worst to the best,
 * at most `limit`. Returns how many. O(nodes). */
size_t inspect_nodes(const book *self, int side, node_view *nodes, size_t limit);
/* inspect_ids: how full the id table is and how far a move has come. O(table). */
void inspect_ids(const book *self, id_tables_view *tables);
/* inspect_order_bytes: what one order takes, its cell and its place in the array of times. O(1). */
size_t inspect_order_bytes(void);
/* cdef:end */

#endif
