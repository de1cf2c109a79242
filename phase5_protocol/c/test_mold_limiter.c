/* test_mold_limiter.c - tokens: how many, when they come back, and who must do without. */
#include "contract/c/check.h"
#include "phase5_protocol/c/mold_limiter.h"

#define MS UINT64_C(1000000)

/* Guards: a burst of one token more or less; a token that comes back early, or never. */
static void test_one_address(void)
{
    mold_limiter *limiter = mold_limiter_new(8, 100, 5, 1000000, 1000000);
    const uint64_t start = 77 * MS;
    for (int i = 0; i < 5; i++) {
        CHECK(mold_limiter_allow(limiter, 1, start));
    }
    CHECK(!mold_limiter_allow(limiter, 1, start));
    CHECK(!mold_limiter_allow(limiter, 1, start + 10 * MS - 1));
    CHECK(mold_limiter_allow(limiter, 1, start + 10 * MS)); /* one in 10 ms */
    CHECK(!mold_limiter_allow(limiter, 1, start + 10 * MS));
    for (int i = 0; i < 5; i++) { /* idle for long: the burst again, and no more than that */
        CHECK(mold_limiter_allow(limiter, 1, start + 5000 * MS));
    }
    CHECK(!mold_limiter_allow(limiter, 1, start + 5000 * MS));
    CHECK(!mold_limiter_allow(limiter, 1, start)); /* a clock that goes back gives nothing away */
    const mold_limiter_counters counters = mold_limiter_count(limiter);
    CHECK(counters.allowed == 11 && counters.refused_address == 5 && counters.refused_total == 0);
    mold_limiter_free(limiter);
}

/* Guards: one address that uses up the others' tokens; many that together have no limit. */
static void test_all_together(void)
{
    mold_limiter *limiter = mold_limiter_new(64, 10, 10, 100, 20);
    for (int i = 0; i < 30; i++) {
        mold_limiter_allow(limiter, 1, MS);
    }
    for (uint64_t address = 2; address < 12; address++) {
        CHECK(mold_limiter_allow(limiter, address, MS));
    }
    CHECK(!mold_limiter_allow(limiter, 12, MS));
    CHECK(mold_limiter_allow(limiter, 12, 11 * MS));
    const mold_limiter_counters counters = mold_limiter_count(limiter);
    CHECK(counters.allowed == 21 && counters.refused_address == 20 && counters.refused_total == 1);
    mold_limiter_free(limiter);
}

/* Guards: forged addresses that push a debtor out of the table, and his debts with him. */
static void test_a_crowd_washes_no_debt_away(void)
{
    mold_limiter *limiter = mold_limiter_new(8, 1, 3, 1000000000, 1000000);
    for (int i = 0; i < 3; i++) {
        CHECK(mold_limiter_allow(limiter, 42, MS));
    }
    uint64_t allowed = 0;
    for (uint64_t address = 1000; address < 2000; address++) {
        allowed += (uint64_t)mold_limiter_allow(limiter, address, MS);
    }
    CHECK(allowed == 7 && mold_limiter_count(limiter).refused_crowd == 993);
    CHECK(!mold_limiter_allow(limiter, 42, MS));
    /* Whoever owes nothing any more makes room. */
    CHECK(mold_limiter_allow(limiter, 5000, MS + 1000 * MS));
    CHECK(!mold_limiter_allow(limiter, 5001, MS) && mold_limiter_allow(limiter, 42, 1001 * MS));
    mold_limiter_free(limiter);
}

static void test_limits(void)
{
    CHECK(mold_limiter_new(0, 1, 1, 1, 1) == NULL && mold_limiter_new(1, 0, 1, 1, 1) == NULL);
    CHECK(mold_limiter_new(1, 1, 0, 1, 1) == NULL && mold_limiter_new(1, 1, 1, 0, 1) == NULL);
    CHECK(mold_limiter_new(1, 1, 1, 1, 0) == NULL);
    CHECK(mold_limiter_new((1 << 20) + 1, 1, 1, 1, 1) == NULL);
    CHECK(mold_limiter_new(1, 1000000001, 1, 1, 1) == NULL);
    CHECK(mold_limiter_new(1, 1, 1000001, 1, 1) == NULL);
    mold_limiter_free(NULL);
}

int main(void)
{
    test_one_address();
    test_all_together();
    test_a_crowd_washes_no_debt_away();
    test_limits();
    return 0;
}
