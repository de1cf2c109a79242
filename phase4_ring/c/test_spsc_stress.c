/* test_spsc_stress.c - the SPSC ring between two threads that never agree on their pace.
 *
 *   producer ──claim, commit──▶ [■ ■ ■ □ □ □ □ □] ──peek, release──▶ consumer
 *               push                                   pop
 *
 * Each case uses the ring in one of four ways: push and pop; claim and peek, with claims that are
 * abandoned and peeks of which a part is kept; waits that spin or yield; waits that sleep. Cursors
 * start close below 2**32 and 2**64 and pass them. A forbidden outcome of the table below fails the
 * test, and so does an expected one that never came.
 *
 * --long sends a thousand million records through by push and pop, and a fifth of that by claim and
 * peek (contract/c/ring_stress.h has the options).
 */
#include "contract/c/ring_stress.h"
#include "phase4_ring/c/spsc_ring.h"

/* How a case uses the ring: stress_case.detail. */
enum { PLAIN = 0, LEND, YIELD, SPIN, PARK };
/* How long a wait may take. Who spins for longer keeps the core from who is waited for. */
enum { WAIT_NS = 2000000, SPIN_NS = 100000 };

/* Outcomes of its own, besides the body's. */
enum { ABANDONED = STRESS_OWN, KEPT, READY, UNREADY, LATE, OVER };

static const stress_outcome OUTCOMES[STRESS_OUTCOMES] = {
    /* the producer */
    [STRESS_WHOLE] = {"whole batch", EXPECTED, "All that was offered went in."},
    [STRESS_PARTLY] = {"part of batch", EXPECTED, "The room or the lap ended; the rest later."},
    [STRESS_FULL] = {"full", EXPECTED, "No slot was free, and the producer was told at once."},
    [STRESS_CLOSED] = {"closed", FORBIDDEN, "Only the producer closes, when it is done."},
    [ABANDONED] = {"abandoned", EXPECTED, "A claim was not committed, and left no trace."},
    /* the consumer */
    [STRESS_NEXT] = {"next", EXPECTED, "The next record came, whole."},
    [STRESS_EMPTY] = {"empty", EXPECTED, "No record was there, and the consumer was told at once."},
    [STRESS_PAST_32] = {"past 2**32", EXPECTED, "A cursor outgrew 32 bits without harm."},
    [STRESS_PAST_64] = {"past 2**64", EXPECTED, "A cursor wrapped: only differences count."},
    [KEPT] = {"kept", EXPECTED, "A part of a peek was not released, and came again."},
    [STRESS_LOST] = {"lost", FORBIDDEN, "A slot was written again before it was read (C2, P1)."},
    [STRESS_AGAIN] = {"again", FORBIDDEN, "A slot was read again before it was written (P2, C1)."},
    [STRESS_TORN] = {"torn", FORBIDDEN, "A slot was read while it was written, or never filled."},
    [STRESS_SUM] = {"sum", FORBIDDEN, "What came out adds up to something else than went in."},
    [STRESS_SWITCHED] = {"switched", FORBIDDEN, "There is only one producer."},
    [STRESS_GAP] = {"gap", FORBIDDEN, "This ring does not number."},
    /* who waits */
    [READY] = {"ready", EXPECTED, "A wait said that there is something, and there was."},
    [UNREADY] = {"unready", FORBIDDEN, "A wait said one thing and the ring another."},
    [LATE] = {"late", ALLOWED, "Nothing came in time: the other side had no core."},
    [OVER] = {"over", EXPECTED, "A wait said that the ring is closed and drained."},
};

static void *open_ring(const stress_case *it)
{
    spsc_ring *ring;
    region_problem problem;
    CHECK(spsc_create(NULL, it->capacity, it->detail == PARK, it->start, &ring, &problem) == 0);
    return ring;
}

static void free_ring(void *ring)
{
    char message[STRESS_TEXT] = "";
    if (!spsc_check(ring, message, sizeof message)) {
        printf("%s\n", message);
        abort();
    }
    spsc_detach(ring);
}

static void close_ring(void *ring)
{
    spsc_close(ring);
}

static int has_ended(void *ring, stress_thread *self)
{
    (void)self;
    return spsc_wait_items(ring, WAIT_YIELD, 0) == WAIT_CLOSED;
}

static size_t push(void *ring, stress_thread *self, const stress_record *records, size_t count)
{
    (void)self;
    return spsc_push(ring, records, count);
}

static size_t pop(void *ring, stress_thread *self, stress_record *records, size_t count)
{
    (void)self;
    return spsc_pop(ring, records, count);
}

static const stress_adapter COPYING = {open_ring, push, pop, has_ended, close_ring, free_ring};

/* --- claim and peek: the slots themselves --------------------------------------------------- */

static size_t push_by_claim(void *ring, stress_thread *self, const stress_record *records,
                            size_t count)
{
    size_t granted;
    ring_record *slots = spsc_claim(ring, count, &granted);
    if (granted > 0 && stress_below(self, 8) == 0) {
        /* Scribble and think better of it: nobody must ever see this. */
        memset(slots, 0xa5, granted * sizeof *slots);
        stress_saw(self, ABANDONED);
        slots = spsc_claim(ring, count, &granted);
    }
    memcpy(slots, records, granted * sizeof *slots);
    /* In two commits, of which the first may be of nothing. */
    size_t first = (size_t)stress_below(self, granted + 1);
    spsc_commit(ring, first);
    spsc_commit(ring, granted - first);
    return granted;
}

static size_t pop_by_peek(void *ring, stress_thread *self, stress_record *records, size_t count)
{
    size_t found;
    const ring_record *slots = spsc_peek(ring, count, &found);
    size_t done = found;
    if (found > 1 && stress_below(self, 8) == 0) {
        done = found - 1;
        stress_saw(self, KEPT);
    }
    memcpy(records, slots, done * sizeof *slots);
    spsc_release(ring, done);
    return done;
}

static const stress_adapter LENDING = {open_ring,  push_by_claim, pop_by_peek,
                                       has_ended,  close_ring,    free_ring};

/* --- waits ---------------------------------------------------------------------------------- */

static int strategy_of(const stress_thread *self)
{
    int detail = self->run->it->detail;
    return detail == PARK ? WAIT_PARK : detail == SPIN ? WAIT_SPIN : WAIT_YIELD;
}

static uint64_t patience_of(const stress_thread *self)
{
    return self->run->it->detail == SPIN ? SPIN_NS : WAIT_NS;
}

static size_t push_after_wait(void *ring, stress_thread *self, const stress_record *records,
                              size_t count)
{
    int state = spsc_wait_space(ring, strategy_of(self), patience_of(self));
    size_t taken = spsc_push(ring, records, count);
    if (state == WAIT_READY && taken == 0) {
        stress_fail(self, UNREADY, "waited for room, was told that there is, found none");
    }
    stress_saw(self, state == WAIT_READY ? READY : LATE);
    return taken;
}

static size_t pop_after_wait(void *ring, stress_thread *self, stress_record *records,
                             size_t count)
{
    int state = spsc_wait_items(ring, strategy_of(self), patience_of(self));
    size_t found = spsc_pop(ring, records, count);
    if ((state == WAIT_READY && found == 0) || (state == WAIT_CLOSED && found > 0)) {
        stress_fail(self, UNREADY, "waited for records, was told %d, found %zu", state, found);
    }
    stress_saw(self, state == WAIT_READY ? READY : state == WAIT_CLOSED ? OVER : LATE);
    return found;
}

static const stress_adapter WAITING = {open_ring, push_after_wait, pop_after_wait,
                                       has_ended, close_ring,      free_ring};

/* --- cases and outcomes --------------------------------------------------------------------- */

#define BELOW_32 (UINT64_C(0x100000000) - 100)
#define BELOW_64 (UINT64_MAX - 100)
#define THOUSAND_MILLION UINT64_C(1000000000)
#define SPSC(NAME, ADAPTER, CAPACITY, START, BATCH, DETAIL)                                    \
    {.name = NAME, .adapter = &ADAPTER, .capacity = CAPACITY, .start = START,                  \
     .producers = 1, .consumers = 1, .batch = BATCH, .detail = DETAIL}

static const stress_case CASES[] = {
    SPSC("copy-2", COPYING, 2, BELOW_64, 3, PLAIN),
    SPSC("copy-8", COPYING, 8, BELOW_32, 1, PLAIN),
    SPSC("copy-64", COPYING, 64, BELOW_64, 100, PLAIN),
    SPSC("lend-2", LENDING, 2, BELOW_32, 2, LEND),
    SPSC("lend-16", LENDING, 16, BELOW_64, 7, LEND),
    SPSC("lend-1024", LENDING, 1024, BELOW_32, 256, LEND),
    SPSC("yield-4", WAITING, 4, BELOW_64, 4, YIELD),
    SPSC("spin-64", WAITING, 64, BELOW_32, 200, SPIN),
    SPSC("park-4", WAITING, 4, BELOW_32, 4, PARK),
    SPSC("park-64", WAITING, 64, BELOW_64, 100, PARK),
    /* The long ones: past 2**32 half way, past 2**64 half way. */
    {.name = "long-copy", .adapter = &COPYING, .capacity = 8192,
     .start = UINT64_C(0x100000000) - THOUSAND_MILLION / 2, .producers = 1, .consumers = 1,
     .batch = 64, .long_items = THOUSAND_MILLION},
    {.name = "long-lend", .adapter = &LENDING, .capacity = 512,
     .start = UINT64_MAX - THOUSAND_MILLION / 10, .producers = 1, .consumers = 1, .batch = 256,
     .long_items = THOUSAND_MILLION / 5},
};

static const stress_suite SUITE = {
    .name = "SPSC stress",
    .cases = CASES,
    .case_count = sizeof CASES / sizeof *CASES,
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    .items = 20000,
#else
    .items = 200000,
#endif
    .outcomes = OUTCOMES,
};

int main(int argc, char **argv)
{
    return stress_main(argc, argv, &SUITE);
}
