/* test_check.c - book_check sees what is broken, anywhere in the book. */
#include "phase3_sorted/c/book.h"
#include "phase3_sorted/c/breaking.h"

enum { CAPACITY = 600 };

static book *self;

/* A command with one event. */
static void apply(command_record command) {
    event_record event;
    size_t written;
    CHECK(book_apply(self, &command, 1, &event, 1, &written) == 1);
    CHECK(event.kind == EVENT_ACCEPTED || event.kind == EVENT_CANCELLED);
}

static void add(uint64_t order_id, uint8_t side, int64_t price) {
    apply((command_record){.kind = COMMAND_NEW, .order_id = order_id, .side = side, .price = price,
                           .quantity = 5});
}

static const char *complaint(void) {
    static char message[512];
    return book_check(self, message, sizeof message) ? "" : message;
}

static uint32_t cell_of(uint64_t order_id) {
    return id_lookup(&self->ids, &self->arena, order_id);
}

static order_cell *order_of(uint64_t order_id) {
    return cell_order(&self->arena, cell_of(order_id));
}

static level_cell *level_of(uint64_t order_id) {
    return cell_level(&self->arena, order_of(order_id)->level);
}

/* Bids 10 (#1, #2, #3) and 9 (#4); asks 20 (#5), 21 (#6) and 25 (#7). #8 came and went. */
static void book_of_seven(void) {
    self = book_new(0, 1, 100, CAPACITY);
    for (uint64_t id = 1; id <= 3; id++) add(id, SIDE_BID, 10);
    add(4, SIDE_BID, 9);
    add(5, SIDE_ASK, 20);
    add(6, SIDE_ASK, 21);
    add(7, SIDE_ASK, 25);
    add(8, SIDE_ASK, 26);
    apply((command_record){.kind = COMMAND_CANCEL, .order_id = 8});
    require_sound();
}

/* Guards: a check that does not look at the orders of a level, their links and their sums. */
static void test_orders_and_levels(void) {
    book_of_seven();
    level_cell *ten = level_of(1);
    uint32_t ten_cell = order_of(1)->level, nine_cell = order_of(4)->level;

    BREAK(order_of(2)->level, nine_cell, ", on ");
    BREAK(order_of(2)->links.prev, ten_cell, "prev");
    BREAK(order_of(2)->links.next, cell_of(1), "prev");
    BREAK(order_of(2)->links.next, ten_cell, "last order");
    BREAK(order_of(3)->links.next, nine_cell, "order cell 602");
    BREAK(order_of(3)->links.next, CELL_NONE, "order cell 0");
    BREAK(order_of(2)->open_and_mode, POST_ONLY_BIT, "nothing open");
    BREAK(order_of(2)->open_and_mode, 6, "quantity 15, summed 16");

    BREAK(ten->links.next, cell_of(2), "prev");
    BREAK(ten->links.prev, cell_of(2), "last order");
    BREAK(ten->order_count, 2, "more than 2 orders");
    BREAK(ten->order_count, 4, "4 orders, counted 3");
    BREAK(ten->quantity, 14, "quantity 14, summed 15");
    BREAK(ten->side, SIDE_ASK, "side 1, not 0");
    BREAK(ten->key, 11, "page 0, tick 10");
    BREAK(self->max_price, 24, "price 25 outside the range");
    BREAK(self->min_price, 10, "price 9 outside the range");
    book_free(self);
}

/* Guards: a check that does not see a cell that is lost, or in two places. */
static void test_free_cells(void) {
    book_of_seven();
    uint32_t free_order = self->arena.free_order, free_level = self->arena.free_level;
    level_cell *top = cell_level(&self->arena, free_level);

    BREAK(self->arena.free_order, CAPACITY + 1, "free order cell 601 out of range");
    BREAK(self->arena.free_order, cell_of(2), "is in use");
    BREAK(self->arena.free_order, cell_order(&self->arena, free_order)->links.next,
          "592 free orders and 7 live ones in 600 cells");
    BREAK(cell_order(&self->arena, free_order)->links.next, free_order, "in a circle");
    BREAK(self->arena.free_level, order_of(1)->level, "is in use");
    BREAK(self->arena.free_level, top->links.next, "594 free levels and 5 live ones in 600 cells");
    BREAK(top->links.next, free_level, "in a circle");
    BREAK(self->arena.live_orders, 6, "7 orders on levels, 6 live");
    book_free(self);
}

/* Guards: a check that takes the index's word, or does not ask it. */
static void test_ids(void) {
    book_of_seven();
    id_place place = id_find(&self->ids, &self->arena, 2);
    id_place other = id_find(&self->ids, &self->arena, 6);
    order_cell *second = order_of(2);
    uint64_t *tags = &place.table->tags[place.group];
    uint32_t *cells = &place.table->cells[place.group * GROUP_STRIDE + place.place];
    uint64_t mask = UINT64_C(0xFF) << 8 * place.place;
    uint32_t empty = (place.group + 1) & place.table->mask;
    CHECK(other.group != place.group && place.table->tags[empty] == 0);

    BREAK(*tags, *tags & ~mask, "order 2 in cell 2: the index does not say so");
    BREAK(*cells, cell_of(6), "order 2 in cell 2: the index does not say so");
    BREAK(second->order_id, 77, "order 77 in cell 2: the index does not say so");
    BREAK(place.table->tags[empty], 1, "astray"); /* cell 0, an id of no order */
    book_free(self);
}

/* Guards: a check that does not see a crossed book. The bids of 10 move to 22, consistently. */
static void test_crossed(void) {
    book_of_seven();
    level_index *bids = &self->sides[SIDE_BID];
    uint32_t number = bids->best_level;
    ring_remove(&bids->ring, 10);
    ring_add(&bids->ring, 22, number);
    bids->best_key = cell_level(&self->arena, number)->key = 22;
    require_words("the book is crossed");
    book_free(self);
}

/* Guards: a check that does not hold the best level, or the counts, against ring and tree. */
static void test_index(void) {
    book_of_seven();
    add(9, SIDE_ASK, 100); /* a key of an ask is the complement of its price */
    level_index *asks = &self->sides[SIDE_ASK];
    uint32_t second = level_index_next(asks, asks->best_level);

    BREAK(asks->best_level, second, "best level");
    BREAK(asks->best_level, CELL_NONE, "best level 0");
    BREAK(asks->best_key, ~(int64_t)21, "best level");
    BREAK(asks->second_level, asks->best_level, "second level");
    BREAK(asks->second_key, ~(int64_t)25, "second level");
    BREAK(asks->level_count, 3, "4 levels in the ring, 0 in the tree, 3 counted");
    BREAK(asks->ring.words[ring_word(~(int64_t)21)], 0, "page -1");
    book_free(self);
}

/* Guards: a check that does not walk the tree to its leaves. One price in each page of the ring
 * takes all its places; the levels of the next 500 pages go into the tree. */
static void test_tree(void) {
    self = book_new(0, INT64_MIN, INT64_MAX, CAPACITY);
    const int64_t page = 1 << PAGE_TICK_BITS;
    uint64_t id = 1;
    for (; id <= RING_PAGES; id++) add(id, SIDE_BID, (int64_t)id * page);
    for (; id <= RING_PAGES + 500; id++) add(id, SIDE_BID, (int64_t)id * page);
    require_sound();
    level_tree *tree = &self->sides[SIDE_BID].tree;
    CHECK(tree->level_count == 500 && tree->height == 2);
    tree_node *nodes = self->nodes.nodes, *root = &nodes[tree->root];
    CHECK(root->count > 2);
    tree_node *inner = &nodes[root->children[1]], *last = &nodes[root->children[root->count - 1]];
    tree_node *leaf = &nodes[inner->children[1]];
    CHECK(leaf->is_leaf && leaf->count > 2 && inner->count > 2);

    BREAK(leaf->keys[1], leaf->keys[0], "out of order");
    BREAK(leaf->keys[0], leaf->keys[0] - 2 * page, "out of order");
    BREAK(leaf->keys[0], leaf->keys[0] + 1, "has not key");
    BREAK(leaf->children[0], leaf->children[1], "has not key");
    BREAK(leaf->keys[NODE_FANOUT - 1], 7, "unused key 19 is set");
    BREAK(leaf->count, 0, "0 entries");
    BREAK(leaf->count, NODE_FANOUT + 1, "21 entries");
    BREAK(leaf->is_leaf, 0, "wrong height");
    BREAK(leaf->worse_leaf, leaf->better_leaf, "worse leaf");
    BREAK(inner->keys[0], inner->keys[1], "out of order");
    BREAK(inner->keys[inner->count - 1], 5, "last bound 5");
    BREAK(inner->children[0], inner->children[1], "worse leaf");
    BREAK(root->keys[0], root->keys[0] - page, "out of order");
    BREAK(root->children[0], nodes[root->children[0]].children[0], "wrong height");
    BREAK(last->is_leaf, 1, "wrong height");
    BREAK(tree->level_count, 499, "500 levels in the tree, 499 counted");
    BREAK(tree->best_leaf, nodes[tree->best_leaf].worse_leaf, "best leaf");
    BREAK(nodes[tree->best_leaf].better_leaf, 0, "best leaf");

    tree_node flat = *root;
    flat.count = 1;
    for (uint32_t i = 1; i < NODE_FANOUT; i++) flat.keys[i] = INT64_MAX;
    BREAK(*root, flat, "1 entries");
    book_free(self);
}

int main(void) {
    test_orders_and_levels();
    test_free_cells();
    test_ids();
    test_crossed();
    test_index();
    test_tree();
    return 0;
}
