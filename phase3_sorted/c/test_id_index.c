/* test_id_index.c - ids that meet in the id table, what its tags can mistake, and its check. */
#include "phase3_sorted/c/id_world.h"

/* --- ids that meet -------------------------------------------------------------------------- */

/* Guards: an id found where it used to be. The same id comes and goes through every cell, and the
 * cell it had is given to another at once. */
static void test_an_id_comes_back_in_another_cell(void) {
    enum { CAPACITY = 50 };
    world_open(CAPACITY);
    uint32_t same = number_of(42);
    for (uint32_t i = 1; i < CAPACITY; i++) number_of(42 + i * UINT64_C(0x100000001));
    for (uint32_t step = 0; step < 50 * CAPACITY; step++) {
        uint32_t other = 1 + step % (CAPACITY - 1);
        put(same);
        uint32_t cell = w.cell[same];
        if (w.cell[other] != CELL_NONE) drop(other);
        drop(same);
        CHECK(id_lookup(&w.ids, &w.arena, 42) == CELL_NONE);
        put(other);
        CHECK(w.cell[other] == cell);
        require_all();
    }
    world_close();
}

/* Guards: ids of one home and one tag, which nothing but the ids themselves tells apart. They
 * stay together in tables of every size. */
static void test_colliding_ids(uint32_t capacity) {
    world_open(capacity);
    for (uint32_t i = 0; i < capacity; i++) number_of(id_for(LEAST_GROUPS - 1, 0x5A, i));
    command_stream random = {.state = capacity};
    for (uint32_t i = 0; i < capacity; i++) put(i);
    require_all();
    require_past_counts(&w.ids.now);
    for (uint32_t step = 0; step < 4 * capacity; step++) {
        uint32_t number = (uint32_t)stream_below(&random, capacity);
        if (w.cell[number] == CELL_NONE)
            put(number);
        else
            drop(number);
        if (step % 100 == 0) require_all();
    }
    for (uint32_t i = 0; i < capacity; i++)
        if (w.cell[i] != CELL_NONE) drop(i);
    require_all();
    require_past_counts(&w.ids.now);
    CHECK(w.ids.old.tags || is_blank(&w.ids.now));
    world_close();
}

/* Every group of the smallest table is passed by one id: fill it, let one more go by, and empty
 * it but for the one that came from its neighbour. */
static void mark_every_group_past(void) {
    for (uint32_t home = 0; home < LEAST_GROUPS; home++) {
        uint32_t fillers[GROUP_PLACES], count = 0;
        uint32_t passer = number_of(id_for(home, 1 + home, 1000));
        while (group_zeros(w.ids.now.tags[home])) {
            fillers[count] = number_of(id_for(home, 200, count));
            put(fillers[count++]);
        }
        put(passer);
        while (count > 0) {
            drop(fillers[--count]);
            w.count--; /* fillers and the passer were numbered together: the passer came first */
        }
    }
    CHECK(w.arena.live_orders == LEAST_GROUPS && bits_now() == ID_MIN_BITS && !w.ids.old.tags);
    for (uint32_t group = 0; group < LEAST_GROUPS; group++)
        CHECK(w.ids.now.tags[group] >= SOME_WENT_PAST);
}

/* Guards: a search for an id that is not there with no group to end at; and a move out of such a
 * table, which has to go round it for every group. */
static void test_every_group_was_passed(void) {
    world_open(4 * LEAST_MOST);
    mark_every_group_past();
    for (uint32_t home = 0; home < LEAST_GROUPS; home++)
        for (uint32_t tag = 1; tag < 256; tag++)
            CHECK(id_lookup(&w.ids, &w.arena, id_for(home, tag, 77)) == CELL_NONE);
    require_all();
    require_past_counts(&w.ids.now);
    while (!w.ids.old.tags) put(number_of(w.count + 1));
    while (w.ids.old.tags) {
        require_all();
        require_past_counts(&w.ids.old);
        CHECK(id_lookup(&w.ids, &w.arena, id_for(w.ids.moved % LEAST_GROUPS, 9, 77)) == CELL_NONE);
        put(number_of(w.count + 1));
    }
    require_all();
    CHECK(bits_now() == ID_MIN_BITS + 1);
    require_past_counts(&w.ids.now);
    world_close();

    world_open(4 * LEAST_MOST);
    mark_every_group_past();
    while (w.arena.live_orders > 0) {
        uint32_t number = w.arena.live_orders - 1;
        CHECK(w.cell[number] != CELL_NONE);
        drop(number);
        require_all();
        require_past_counts(&w.ids.now);
    }
    CHECK(is_blank(&w.ids.now));
    world_close();
}

/* --- tags ----------------------------------------------------------------------------------- */

/* The formula found in many books. A borrow runs from a byte that is 0 into the next, and a 1
 * there is reported too. */
static uint64_t zeros_with_borrow(uint64_t word) {
    return (word - EACH_BYTE) & ~word & PLACE_HIGH_BITS;
}

/* Guards: a dead order found by its id. A place that was freed keeps the number of its cell, and
 * the cell keeps the id until it is reused; only the tag, 0, says that there is nothing. With a
 * neighbour of tag 1, the borrowing formula takes that 0 for a 1. */
static void test_a_freed_place_is_never_looked_at(void) {
    world_open(100);
    uint32_t stays = number_of(id_for(3, 1, 1)), goes = number_of(id_for(3, 1, 2));
    put(stays);
    put(goes);
    id_place was = id_find(&w.ids, &w.arena, w.id[goes]);
    CHECK(was.group == 3 && was.place == 1);
    drop(goes);

    uint32_t stale = w.ids.now.cells[was.group * GROUP_STRIDE + was.place];
    CHECK(stale == was.cell && cell_order(&w.arena, stale)->order_id == w.id[goes]);
    uint64_t tags = w.ids.now.tags[was.group];
    CHECK(zeros_with_borrow(tags ^ EACH_BYTE) >> (8 * was.place + 7) & 1); /* is fooled */
    CHECK(!(group_zeros(tags ^ EACH_BYTE) >> (8 * was.place + 7) & 1));
    CHECK(id_lookup(&w.ids, &w.arena, w.id[goes]) == CELL_NONE);
    require_all();
    world_close();
}

/* Guards: a place reported that is not 0, or one missed; every pair of neighbours, every place,
 * whatever the eighth byte says. */
static void test_zeros_are_exact(void) {
    for (uint32_t place = 0; place + 1 < GROUP_PLACES; place++)
        for (uint64_t pair = 0; pair <= 0xFFFF; pair++)
            for (int rest = 0; rest < 3; rest++) {
                static const uint64_t others[] = {0, ~UINT64_C(0), UINT64_C(0xFF80017F00FF8001)};
                uint64_t mask = UINT64_C(0xFFFF) << 8 * place;
                uint64_t word = (others[rest] & ~mask) | pair << 8 * place;
                uint64_t expected = 0;
                for (uint32_t i = 0; i < GROUP_PLACES; i++)
                    if ((word >> 8 * i & 0xFF) == 0) expected |= UINT64_C(0x80) << 8 * i;
                CHECK(group_zeros(word) == expected);
                if (expected) CHECK((word >> 8 * group_first(expected) & 0xFF) == 0);
            }
}

/* Guards: a tag of 0, which says "free". */
static void test_no_tag_is_zero(void) {
    for (uint32_t tag = 0; tag < 256; tag++)
        CHECK(id_tag((uint64_t)tag << 32) == (tag ? tag : 1));
    world_open(10);
    uint32_t zero = number_of(id_for(0, 0, 1));
    put(zero);
    require_all();
    CHECK(w.ids.now.tags[0] == 1);
    drop(zero);
    require_all();
    world_close();
}

/* Guards: a hash under which ids of an ordinary pattern pile up in one place. With half as many
 * ids as places, an id stands a quarter of a group from home on average, or less. (Any multiplier
 * has strides that it serves worse; these are the ones that senders use.) */
static void test_patterned_ids_stay_at_home(void) {
    const uint64_t strides[] = {1, 2, 7, 64, 1000, UINT64_C(1) << 20, UINT64_C(1) << 32,
                                UINT64_C(1) << 44, UINT64_C(0x100000001), 0 - UINT64_C(1)};
    enum { CAPACITY = 14336 }; /* twice as many are seven times a power of two */
    for (size_t s = 0; s < sizeof strides / sizeof *strides; s++) {
        world_open(CAPACITY);
        for (uint32_t i = 0; i < CAPACITY; i++) put(number_of((i + 1) * strides[s]));
        require_all();
        uint64_t passed = 0;
        for (uint32_t group = 0; group <= w.ids.now.mask; group++)
            passed += w.ids.now.cells[group * GROUP_STRIDE + GROUP_PLACES];
        CHECK(passed <= CAPACITY / 4);
        world_close();
    }
}

/* --- the check ------------------------------------------------------------------------------ */

/* Guards: a check that always says yes. */
static void test_the_check_finds_what_is_broken(void) {
    world_open(4 * LEAST_MOST);
    /* One more than a group has places: the last of them goes past. */
    for (uint32_t i = 0; i < GROUP_PLACES + 1; i++) put(number_of(id_for(5, 3, i)));
    uint32_t far = number_of(id_for(20, 4, 1));
    put(far);
    id_table *table = &w.ids.now;
    CHECK(table->tags[5] >= SOME_WENT_PAST && (table->tags[6] & 0xFF) == 3);
    CHECK((table->tags[20] & 0xFF) == 4);

    BREAK(table->tags[20], 0, "8 entries for 9 orders");
    BREAK(table->tags[20], 7, "in group 20 is astray");
    BREAK(table->tags[20], 4 | 9 << 8, "in group 20 is astray");
    BREAK(table->cells[20 * GROUP_STRIDE], w.cell[0], "in group 20 is astray");
    BREAK(cell_order(&w.arena, w.cell[far])->order_id, 12345, "in group 20 is astray");
    BREAK(table->tags[5], table->tags[5] & ~SOME_WENT_PAST, "in group 6 is astray");
    BREAK(w.arena.live_orders, 10, "9 entries for 10 orders");

    while (!w.ids.old.tags) put(number_of(w.count + 1));
    require_all();
    CHECK(w.ids.moved == 1);
    BREAK(w.ids.moved, 21, "is astray");
    BREAK(w.ids.old.tags[20], w.ids.old.tags[20] & ~UINT64_C(0xFF), "entries for");
    world_close();
}

int main(void) {
    test_an_id_comes_back_in_another_cell();
    test_colliding_ids(LEAST_MOST);
    test_colliding_ids(1000);
    test_every_group_was_passed();
    test_a_freed_place_is_never_looked_at();
    test_zeros_are_exact();
    test_no_tag_is_zero();
    test_patterned_ids_stay_at_home();
    test_the_check_finds_what_is_broken();
    return 0;
}
