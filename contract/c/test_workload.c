/* test_workload.c - the generators, without Python: random words, the benchmark's workload and
 * the order flows. What the bytes must be is pinned by their digests in test_workload.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ladder.h"
#include "order_flow.h"
#include "twister.h"
#include "workload.h"

/* Guards against another seeding rule or a slip in the refill: the published ten-thousandth word
 * of MT19937 under its default seed lies sixteen refills deep. */
static void test_twister_gives_the_published_words(void)
{
    twister random;
    twister_seed(&random, 5489);
    CHECK(twister_word(&random) == UINT32_C(3499211612));
    uint32_t word = 0;
    for (int i = 1; i < 10000; i++)
        word = twister_word(&random);
    CHECK(word == UINT32_C(4123659995));
}

/* Guards against a message lost or doubled where one call ends and the next begins. */
static void test_workload_is_the_same_in_pieces(void)
{
    enum { ORDERS = 700 };
    workload *whole = workload_new(0.5, 0.4, ORDERS, 23);
    workload *pieces = workload_new(0.5, 0.4, ORDERS, 23);
    CHECK(whole != NULL && pieces != NULL);
    size_t count = workload_remaining(whole);
    CHECK(count > ORDERS && count <= 5 * ORDERS);
    command_record *expected = calloc(count + 1, sizeof *expected);
    command_record *got = calloc(count + 8, sizeof *got);
    CHECK(expected != NULL && got != NULL);
    CHECK(workload_next(whole, expected, count + 1) == count);
    CHECK(workload_remaining(whole) == 0);
    size_t at = 0;
    for (size_t size = 1; at < count; size = 1 + size % 7) {
        CHECK(workload_remaining(pieces) == count - at);
        at += workload_next(pieces, got + at, size);
    }
    CHECK(at == count && workload_next(pieces, got + at, 1) == 0);
    CHECK(memcmp(expected, got, count * sizeof *got) == 0);
    for (size_t i = 1; i < count; i++)
        CHECK(got[i].timestamp_ns >= got[i - 1].timestamp_ns);
    free(expected);
    free(got);
    workload_free(whole);
    workload_free(pieces);
}

/* Guards the smallest workload there is: no shuffle, and one message at least. */
static void test_workload_of_one_order(void)
{
    for (uint32_t seed = 0; seed < 50; seed++) {
        workload *self = workload_new(0.0, 0.0, 1, seed);
        CHECK(self != NULL);
        command_record out[6];
        size_t count = workload_remaining(self);
        CHECK(count >= 1 && count <= 5 && workload_next(self, out, 6) == count);
        CHECK(out[0].kind == COMMAND_NEW && out[0].order_id == 1 && out[0].side == SIDE_ASK);
        workload_free(self);
    }
    workload_free(NULL);
}

/* Guards time priority in the generator's own book, also when the front was cancelled before. */
static void test_ladder_sweeps_in_order_of_arrival(void)
{
    ladder book;
    CHECK(ladder_init(&book, 10, 6));
    uint32_t first = ladder_add(&book, SIDE_ASK, 5, 10);
    uint32_t second = ladder_add(&book, SIDE_ASK, 5, 20);
    ladder_add(&book, SIDE_ASK, 7, 40);
    ladder_add(&book, SIDE_BID, 4, 1);
    uint32_t last = ladder_add(&book, SIDE_ASK, 5, 80);
    CHECK(book.best[SIDE_ASK] == 5 && book.best[SIDE_BID] == 4);

    ladder_cancel(&book, first);
    ladder_taken taken = ladder_sweep(&book, SIDE_ASK, 2, true);
    CHECK(taken.price == 5 && taken.quantity == 20 + 79);
    CHECK(book.orders[second].quantity == 0 && book.orders[last].quantity == 1);
    taken = ladder_sweep(&book, SIDE_ASK, 1, true);
    CHECK(taken.price == 5 && taken.quantity == 1);
    CHECK(book.best[SIDE_ASK] == 7 && book.side_count[SIDE_ASK] == 1);
    CHECK(book.side_count[SIDE_BID] == 1 && book.live_count == 2);
    ladder_free(&book);
}

/* Guards against a level that forgets its list, and a side that does not know it is empty. */
static void test_ladder_empties_and_fills_again(void)
{
    ladder book;
    CHECK(ladder_init(&book, 3, 8));
    for (int round = 0; round < 4; round++) {
        int side = round % 2;
        uint32_t one = ladder_add(&book, side, 1, 5);
        uint32_t two = ladder_add(&book, side, 1, 6);
        CHECK(book.best[side] == 1 && book.levels[1].first == one && book.levels[1].last == two);
        ladder_cancel(&book, two);
        ladder_cancel(&book, one);
        CHECK(book.best[SIDE_BID] == -1 && book.best[SIDE_ASK] == 3 && book.live_count == 0);
    }
    ladder_free(&book);
}

/* Guards the promise of order_flow.h: every cancel names an order that came and was not cancelled,
 * ids are dense, and prices stay within reach. */
static void test_order_flow_keeps_its_word(void)
{
    order_flow_shape shape = {
        .seed = 5,
        .warmup = 3000,
        .measured = 20000,
        .first_resting = 1000,
        .last_resting = 2000,
        .half_width = 40,
        .concentrated = 1,
        .walk_range = 30,
        .walk_period = 8,
        .crossing_ppm = 50000,
        .most_makers = 9,
        .middle_price = -5,
    };
    size_t total = (size_t)shape.warmup + shape.measured;
    command_record *out = calloc(total, sizeof *out);
    uint8_t *cancelled = calloc(total + 1, 1);
    CHECK(out != NULL && cancelled != NULL && order_flow_generate(&shape, out));
    uint64_t newest = 0;
    for (size_t i = 0; i < total; i++) {
        CHECK(out[i].timestamp_ns == i * 1000);
        if (out[i].kind == COMMAND_CANCEL) {
            CHECK(out[i].order_id <= newest && !cancelled[out[i].order_id]);
            cancelled[out[i].order_id] = 1;
            continue;
        }
        CHECK(out[i].kind == COMMAND_NEW && out[i].order_id == ++newest);
        CHECK(out[i].price >= -5 - 70 && out[i].price <= -5 + 70 && out[i].quantity > 0);
    }
    CHECK(newest > total / 2);
    free(out);
    free(cancelled);
}

int main(void)
{
    test_twister_gives_the_published_words();
    test_workload_is_the_same_in_pieces();
    test_workload_of_one_order();
    test_ladder_sweeps_in_order_of_arrival();
    test_ladder_empties_and_fills_again();
    test_order_flow_keeps_its_word();
    puts("workloads: all tests passed");
    return 0;
}
