/* A benchmark that does not notice a lost record measures nothing. */
#include <stdio.h>

#include "contract/c/check.h"
#include "phase4_ring/c/bench_baselines.h"

#define COUNT 100

/* Records 0 to COUNT - 1 as they are sent, ready to be spoilt. */
static void make_records(bench_record *records)
{
    bench_fill(records, 0, COUNT);
}

static int verdict(const bench_record *records, size_t count)
{
    tally sum;
    tally_start(&sum, 0);
    tally_take(&sum, records, count);
    return tally_verify(&sum, 1, 0, COUNT, 0);
}

/* Guards: a tally that accepts what did not arrive as it was sent. */
static void test_the_tally_sees_every_fault(void)
{
    bench_record records[COUNT];
    make_records(records);
    CHECK(verdict(records, COUNT) == BENCH_DONE);
    CHECK(verdict(records, COUNT - 1) == BENCH_WRONG_ORDER); /* the last is lost */

    make_records(records);
    records[50] = records[49]; /* one is lost, its neighbour doubled */
    CHECK(verdict(records, COUNT) == BENCH_WRONG_ORDER);

    make_records(records);
    bench_record swapped = records[7];
    records[7] = records[8]; /* the sums are the same */
    records[8] = swapped;
    CHECK(verdict(records, COUNT) == BENCH_WRONG_ORDER);

    for (int word = 0; word < RECORD_WORDS; word++) {
        make_records(records);
        records[99].words[word] ^= UINT64_C(1) << 63; /* one bit */
        CHECK(verdict(records, COUNT) < 0);
    }
}

/* Guards: a sequencer that numbers two records alike, which no other word would show. */
static void test_the_tally_sees_a_wrong_stamp(void)
{
    bench_record records[COUNT];
    make_records(records);
    for (int wrong = 0; wrong < 2; wrong++) {
        for (uint64_t i = 0; i < COUNT; i++) {
            records[i].words[0] = i + 1;
        }
        records[60].words[0] -= (uint64_t)wrong;
        tally sum;
        tally_start(&sum, 0);
        tally_take_any(&sum, records, COUNT);
        CHECK(tally_verify(&sum, 1, 0, COUNT, 1) == (wrong ? BENCH_WRONG_SUM : BENCH_DONE));
    }
}

static bench_plan small_plan(int ring, int way, int producers)
{
    bench_plan plan = {
        .ring = ring,
        .way = way,
        .strategy = WAIT_YIELD,
        .producers = producers,
        .producer_cores = {-1, -1, -1, -1},
        .consumer_core = -1,
        .batch = 7, /* no divisor of the capacity: batches wrap */
        .capacity = 64,
        .warmup = 100,
        .items = 1500,
    };
    return plan;
}

/* Guards: a carrier, a way or a second producer that loses or spoils records, or a race between
 * the sides of a run. */
static void test_every_carrier_carries(void)
{
    for (int ring = BENCH_SPSC; ring <= BENCH_SHARED; ring++) {
        for (int way = BENCH_SINGLY; way <= BENCH_IN_PLACE; way++) {
            int places = ring == BENCH_SPSC || ring == BENCH_SEQUENCER;
            int many = ring == BENCH_SEQUENCER || ring == BENCH_LOCKED;
            for (int producers = 1; producers <= 3; producers++) {
                bench_plan plan = small_plan(ring, way, producers);
                bench_result result;
                int code = bench_transfer(&plan, &result);
                if ((way == BENCH_IN_PLACE && !places) || (producers > 1 && !many)) {
                    CHECK(code == BENCH_BAD_PLAN);
                } else {
                    CHECK(code == BENCH_DONE);
                    CHECK(result.records == (uint64_t)producers * plan.items);
                    CHECK(result.ns > 0);
                }
            }
        }
    }
}

/* Guards: a trip whose answer is not its question. */
static void test_every_carrier_goes_there_and_back(void)
{
    for (int ring = BENCH_SPSC; ring <= BENCH_SHARED; ring++) {
        uint32_t times_ns[50] = {0};
        bench_plan plan = small_plan(ring, BENCH_SINGLY, 1);
        bench_result result;
        plan.items = 50;
        plan.warmup = 5;
        CHECK(bench_round_trip(&plan, times_ns, &result) == BENCH_DONE);
        CHECK(result.records == 55);
        for (int i = 0; i < 50; i++) {
            CHECK(times_ns[i] > 0);
        }
    }
}

/* Guards: a limit of the plan that is not looked at before memory is written past it. */
static void test_a_plan_that_cannot_be_is_refused(void)
{
    bench_result result;
    bench_plan plan = small_plan(BENCH_SPSC, BENCH_BATCHES, 1);
    plan.batch = BENCH_LARGEST_BATCH + 1;
    CHECK(bench_transfer(&plan, &result) == BENCH_BAD_PLAN);
    plan.batch = 0;
    CHECK(bench_transfer(&plan, &result) == BENCH_BAD_PLAN);
    plan = small_plan(BENCH_SEQUENCER, BENCH_SINGLY, BENCH_MOST_PRODUCERS + 1);
    CHECK(bench_transfer(&plan, &result) == BENCH_BAD_PLAN);
    plan = small_plan(BENCH_LOCKED, BENCH_SINGLY, 1);
    plan.capacity = 63;
    CHECK(bench_transfer(&plan, &result) == BENCH_BAD_PLAN);
    CHECK(bench_sharing(0, 0, 3, 10, -1, -1, &result) == BENCH_BAD_PLAN);
    CHECK(bench_operation(COST_KINDS, 10, -1, &result) == BENCH_BAD_PLAN);
}

/* Guards: a counter of false sharing, or an operation, that is not done as often as is said. */
static void test_counters_and_operations_count(void)
{
    bench_result result;
    for (int add = 0; add < 2; add++) {
        for (int apart = 0; apart < 2; apart++) {
            CHECK(bench_sharing(add, apart, 2, 5000, -1, -1, &result) == BENCH_DONE);
            CHECK(result.records == 10000);
        }
    }
    for (int kind = 0; kind < COST_KINDS; kind++) {
        CHECK(bench_operation(kind, 1000, -1, &result) == BENCH_DONE);
    }
}

/* Guards: an outcome that the language forbids, or rounds that go uncounted; and a race between the
 * block of words that is zeroed and the sides that use it. */
static void test_litmus_outcomes(void)
{
    for (int shape = LITMUS_STORE_BUFFER; shape <= LITMUS_MESSAGE; shape++) {
        for (int order = ORDER_RELAXED; order <= ORDER_SEQ_CST; order++) {
            uint64_t counts[4];
            CHECK(bench_litmus(shape, order, 2100, -1, -1, counts) == BENCH_DONE);
            CHECK(counts[0] + counts[1] + counts[2] + counts[3] == 2100);
            if (shape == LITMUS_STORE_BUFFER && order == ORDER_SEQ_CST) {
                CHECK(counts[0] == 0);
            }
            if (shape == LITMUS_MESSAGE && order != ORDER_RELAXED) {
                CHECK(counts[2] == 0);
            }
        }
    }
}

/* Guards: a wait that ends early, or a sleeper that does not sleep. */
static void test_idle_takes_its_time(void)
{
    for (int strategy = WAIT_SPIN; strategy <= WAIT_PARK; strategy++) {
        bench_result result;
        CHECK(bench_idle(strategy, 2000000, -1, -1, &result) == BENCH_DONE);
        CHECK(result.ns >= 2000000);
    }
}

int main(void)
{
    test_the_tally_sees_every_fault();
    test_the_tally_sees_a_wrong_stamp();
    test_every_carrier_carries();
    test_every_carrier_goes_there_and_back();
    test_a_plan_that_cannot_be_is_refused();
    test_counters_and_operations_count();
    test_litmus_outcomes();
    test_idle_takes_its_time();
    puts("the benchmarks verify what they carry");
    return 0;
}
