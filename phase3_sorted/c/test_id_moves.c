/* test_id_moves.c - the id table on its way from one size to the next. */
#include "phase3_sorted/c/id_world.h"

/* Guards: an id lost or a dead one found while the table grows and shrinks; a table used again
 * that was not left blank; counts of passers-by that drift. */
static void test_random_waves(uint64_t seed, uint32_t capacity, uint64_t multiplier) {
    world_open(capacity);
    command_stream random = {.state = seed};
    uint32_t numbers = capacity + capacity / 2 + 1;
    CHECK(numbers <= NUMBERS);
    for (uint32_t i = 0; i < numbers; i++) number_of((i + 1) * multiplier);
    uint32_t most_bits = 0, fewest_bits = UINT32_MAX, moves_begun = 0, moves_ended = 0;
    int rising = 1;
    for (uint32_t step = 0; step < 60 * capacity + 1000; step++) {
        if (w.arena.live_orders == capacity) rising = 0;
        if (w.arena.live_orders <= capacity / 64) rising = 1;
        uint32_t number = (uint32_t)stream_below(&random, numbers);
        int was_moving = w.ids.old.tags != NULL;
        id_table left = was_moving ? w.ids.old : w.ids.now;
        if (w.cell[number] != CELL_NONE) {
            if (!rising || stream_below(&random, 4) == 0) drop(number);
        } else if (w.arena.live_orders < capacity) {
            if (rising || (w.arena.live_orders > capacity / 4 && stream_below(&random, 8) == 0))
                put(number);
        }
        int is_moving = w.ids.old.tags != NULL;
        moves_begun += is_moving && !was_moving;
        if (was_moving && !is_moving) {
            moves_ended++;
            CHECK(is_blank(&left));
            fewest_bits = bits_now() < fewest_bits ? bits_now() : fewest_bits;
        }
        if (bits_now() > most_bits) most_bits = bits_now();
        if (step % (capacity / 4 + 1) == 0) {
            require_all();
            require_past_counts(&w.ids.now);
            if (is_moving) require_past_counts(&w.ids.old);
        }
    }
    CHECK(most_bits == w.ids.max_bits);
    if (w.ids.max_bits > ID_MIN_BITS) CHECK(moves_begun > 4 && moves_ended > 4);
    if (w.ids.max_bits > ID_MIN_BITS) CHECK(fewest_bits <= ID_MIN_BITS + 1);
    require_all();
    world_close();
}

/* Guards: a command that pays for a whole table. One group a command, from first to last, and the
 * table is right again before it could have become wrong the other way. */
static void test_a_move_takes_one_group_a_command(void) {
    enum { CAPACITY = 2000 };
    world_open(CAPACITY);
    for (uint32_t i = 0; i < CAPACITY; i++) put(number_of(i + 1));
    while (w.ids.old.tags) { /* let the last move upwards end */
        drop(0);
        put(0);
    }
    uint32_t commands = 0, moves = 0;
    for (uint32_t i = 0; i < 3 * CAPACITY; i++) {
        uint32_t moved = w.ids.old.tags ? w.ids.moved : 0;
        uint32_t groups = w.ids.old.tags ? w.ids.old.mask + 1 : 0;
        if (i < CAPACITY)
            drop(i);
        else if (w.cell[0] == CELL_NONE)
            put(0);
        else
            drop(0);
        if (w.ids.old.tags) {
            CHECK(w.ids.moved == moved + 1);
            CHECK(w.ids.now.mask < w.ids.old.mask);
            commands++;
        } else if (groups) {
            CHECK(moved + 1 == groups && commands + 1 == groups);
            commands = 0;
            moves++;
        }
        require_sound();
    }
    CHECK(moves == w.ids.max_bits - ID_MIN_BITS && !w.ids.old.tags && bits_now() == ID_MIN_BITS);
    world_close();
}

/* Guards: a clear that forgets the table being left, which the next move would fill again. */
static void test_clear_in_the_middle_of_a_move(void) {
    enum { CAPACITY = 2000 };
    world_open(CAPACITY);
    for (int round = 0; round < 3; round++) {
        w.count = 0;
        for (uint32_t i = 0; i < CAPACITY && !(w.ids.old.tags && w.ids.moved > 20); i++)
            put(number_of(i + 1));
        CHECK(w.ids.old.tags && w.ids.moved > 20);
        cells_clear(&w.arena);
        id_index_clear(&w.ids);
        memset(w.cell, 0, sizeof w.cell);
        require_all();
        CHECK(is_blank(&w.ids.now) && bits_now() == ID_MIN_BITS);
        for (uint32_t i = 0; i < w.count; i++) put(i);
        require_all();
        require_past_counts(&w.ids.now);
        for (uint32_t i = 0; i < w.count; i++) drop(i);
        require_all();
    }
    world_close();
}

/* Guards: the bounds of the smallest and the largest table, where there is nowhere to move to. */
static void test_full_and_empty(uint32_t capacity) {
    world_open(capacity);
    for (uint32_t i = 0; i < capacity; i++) number_of(UINT64_MAX - i);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < capacity; i++) put(i);
        require_all();
        CHECK(bits_now() <= w.ids.max_bits);
        CHECK(GROUP_PLACES * (w.ids.now.mask + 1) >= ID_FEWEST_PLACES * capacity ||
              w.ids.old.tags);
        for (uint32_t i = capacity; i-- > 0;) drop(i);
        require_all();
    }
    CHECK(id_lookup(&w.ids, &w.arena, 0) == CELL_NONE);
    world_close();
}

int main(void) {
    test_random_waves(1, 1, 1);
    test_random_waves(2, LEAST_MOST, 1);
    test_random_waves(3, LEAST_MOST + 1, 1);
    test_random_waves(4, 700, UINT64_C(0xD1342543DE82EF95));
    test_random_waves(5, 4000, 1);
    test_a_move_takes_one_group_a_command();
    test_clear_in_the_middle_of_a_move();
    test_full_and_empty(1);
    test_full_and_empty(LEAST_MOST);
    test_full_and_empty(LEAST_MOST + 1);
    test_full_and_empty(NUMBERS);
    return 0;
}
