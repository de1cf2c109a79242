/* test_sequencer_stress.c - the sequencer between producers who race for it.
 *
 *   producer 0 ─┐ claim, publish                        ┌──▶ consumer 0
 *   producer 1 ─┼──────────────▶ [1 2 3 4 · 6 □ □] ─────┤              each sees every record
 *   producer 2 ─┘ push                                  └──▶ consumer 1
 *
 * One producer and three, one consumer and two, pushes and claims, long and short patience, waits
 * that sleep, and a close in the middle of it. Cursors start close below 2**32 and 2**64 and pass
 * them. A forbidden outcome of the table below fails the test, and so does an expected one that
 * never came.
 *
 * --long sends a hundred million records through, from three producers (contract/c/ring_stress.h
 * has the options).
 */
#include "contract/c/ring_stress.h"
#include "phase4_ring/c/sequencer.h"

/* How a case uses the ring: stress_case.detail, besides the tries of a claim below. */
enum { TRIES = 0xffff, PARK = 0x10000 };
enum { WAIT_NS = 2000000 };

/* Outcomes of its own, besides the body's. */
enum { READY = STRESS_OWN, UNREADY, LATE, OVER, NOTED, UNNOTED, AHEAD };

static const stress_outcome OUTCOMES[STRESS_OUTCOMES] = {
    /* a producer */
    [STRESS_WHOLE] = {"whole batch", EXPECTED, "All that was offered went in."},
    [STRESS_PARTLY] = {"part of batch", EXPECTED, "The room ended; the rest came later."},
    [STRESS_FULL] = {"refused", EXPECTED, "The ring stayed full for all tries: nothing claimed."},
    [STRESS_CLOSED] = {"closed", EXPECTED, "Somebody had closed the ring, and nothing went in."},
    /* a consumer */
    [STRESS_NEXT] = {"next", EXPECTED, "The producer's next record came, whole."},
    [STRESS_SWITCHED] = {"switched", EXPECTED, "Two producers' records lay side by side."},
    [STRESS_EMPTY] = {"empty", EXPECTED, "The next slot was not published yet."},
    [STRESS_PAST_32] = {"past 2**32", EXPECTED, "A cursor outgrew 32 bits without harm."},
    [STRESS_PAST_64] = {"past 2**64", EXPECTED, "A cursor wrapped: only differences count."},
    [STRESS_LOST] = {"lost", FORBIDDEN, "A slot was claimed before all had read it (S1, B2)."},
    [STRESS_AGAIN] = {"again", FORBIDDEN, "A slot was read again before it was written (S3, B1)."},
    [STRESS_TORN] = {"torn", FORBIDDEN, "A slot was read while it was written, or written by two."},
    [STRESS_GAP] = {"gap", FORBIDDEN, "The number was not the one before plus one."},
    [STRESS_SUM] = {"sum", FORBIDDEN, "What came out adds up to something else than went in."},
    /* a consumer that waits */
    [READY] = {"ready", EXPECTED, "A wait said that there is something, and there was."},
    [UNREADY] = {"unready", FORBIDDEN, "A wait said one thing and the ring another."},
    [LATE] = {"late", ALLOWED, "Nothing came in time: the others had no core."},
    [OVER] = {"over", EXPECTED, "A wait said that the ring is closed and drained."},
    /* a consumer that looks at claims */
    [NOTED] = {"noted", EXPECTED, "Who saw the claim saw what its producer did before (S2)."},
    [UNNOTED] = {"unnoted", FORBIDDEN, "A claim was seen before what its producer did before it."},
    [AHEAD] = {"ahead", ALLOWED, "A claim was seen that was not published yet."},
};

/* A ring and its users' numbers. */
typedef struct {
    sequencer *ring;
    int producers[STRESS_THREADS];
    int consumers[STRESS_THREADS];
    uint32_t tries;
    /* NOTES: what the producer does before a claim, and the consumer looks at once it sees the
     * claim; four laps, so that none is written again before it has been read. */
    uint64_t *notes;
    uint64_t note_count;
    uint64_t noted; /* the consumer's: claims before it have been looked at */
    uint64_t claims; /* the producer's: its next claim */
} hub;

static void *open_hub(const stress_case *it)
{
    hub *self = calloc(1, sizeof *self);
    region_problem problem;
    CHECK(self != NULL);
    CHECK(sequencer_create(NULL, it->capacity, (it->detail & PARK) != 0, it->start, &self->ring,
                           &problem) == 0);
    for (int i = 0; i < it->consumers; i++) {
        self->consumers[i] = sequencer_add_consumer(self->ring, 0);
        CHECK(self->consumers[i] >= 0);
    }
    for (int i = 0; i < it->producers; i++) {
        self->producers[i] = sequencer_join(self->ring);
        CHECK(self->producers[i] >= 0);
    }
    self->tries = (uint32_t)(it->detail & TRIES);
    self->note_count = 4 * it->capacity;
    self->notes = calloc(self->note_count, sizeof *self->notes);
    CHECK(self->notes != NULL);
    self->noted = self->claims = it->start;
    return self;
}

static void free_hub(void *ring)
{
    hub *self = ring;
    char message[STRESS_TEXT] = "";
    if (!sequencer_check(self->ring, message, sizeof message)) {
        printf("%s\n", message);
        abort();
    }
    sequencer_detach(self->ring);
    free(self->notes);
    free(self);
}

static void close_hub(void *ring)
{
    sequencer_close(((hub *)ring)->ring);
}

static int has_ended(void *ring, stress_thread *self)
{
    hub *home = ring;
    return sequencer_wait(home->ring, home->consumers[self->number], WAIT_YIELD, 0) ==
           WAIT_CLOSED;
}

static size_t push(void *ring, stress_thread *self, const stress_record *records, size_t count)
{
    hub *home = ring;
    int64_t pushed = sequencer_push(home->ring, home->producers[self->number], records, count,
                                    home->tries);
    return pushed == SEQUENCER_CLOSED ? STRESS_IS_CLOSED : (size_t)pushed;
}

static size_t pop(void *ring, stress_thread *self, stress_record *records, size_t count)
{
    hub *home = ring;
    int consumer = home->consumers[self->number];
    size_t found;
    const command_record *slots = sequencer_peek(home->ring, consumer, count, &found);
    memcpy(records, slots, found * sizeof *slots);
    sequencer_advance(home->ring, consumer, found);
    return found;
}

static const stress_adapter COPYING = {open_hub, push, pop, has_ended, close_hub, free_hub};

/* --- claim and publish: the slots themselves ------------------------------------------------ */

static size_t push_by_claim(void *ring, stress_thread *self, const stress_record *records,
                            size_t count)
{
    hub *home = ring;
    int producer = home->producers[self->number];
    size_t granted;
    uint64_t first = sequencer_claim(home->ring, producer, count, home->tries, &granted);
    for (size_t i = 0; i < granted; i++) {
        /* All but the sequence, which is the sequencer's. */
        memcpy(&sequencer_slot(home->ring, first + i)->timestamp_ns, &records[i].words[1],
               sizeof *records - sizeof(uint64_t));
    }
    if (stress_below(self, 32) == 0) {
        sched_yield(); /* claimed and not published: others go past, consumers must not */
    }
    if (granted > 0) {
        sequencer_publish(home->ring, producer, first, granted);
    }
    return granted;
}

static const stress_adapter LENDING = {open_hub,  push_by_claim, pop,
                                       has_ended, close_hub,     free_hub};

/* --- waits ---------------------------------------------------------------------------------- */

static size_t pop_after_wait(void *ring, stress_thread *self, stress_record *records,
                             size_t count)
{
    hub *home = ring;
    int strategy = self->run->it->detail & PARK ? WAIT_PARK : WAIT_YIELD;
    int state =
        sequencer_wait(home->ring, home->consumers[self->number], strategy, WAIT_NS);
    size_t found = pop(ring, self, records, count);
    if ((state == WAIT_READY && found == 0) || (state == WAIT_CLOSED && found > 0)) {
        stress_fail(self, UNREADY, "waited for records, was told %d, found %zu", state, found);
    }
    stress_saw(self, state == WAIT_READY ? READY : state == WAIT_CLOSED ? OVER : LATE);
    return found;
}

static const stress_adapter WAITING = {open_hub,  push,      pop_after_wait,
                                       has_ended, close_hub, free_hub};

/* --- claims: what came before one (S2) ------------------------------------------------------ */

static size_t push_after_note(void *ring, stress_thread *self, const stress_record *records,
                              size_t count)
{
    hub *home = ring;
    (void)count;
    home->notes[home->claims % home->note_count] = stress_word(home->claims, 3);
    size_t taken = push_by_claim(ring, self, records, 1);
    home->claims += taken;
    return taken;
}

static size_t pop_after_notes(void *ring, stress_thread *self, stress_record *records,
                              size_t count)
{
    hub *home = ring;
    uint64_t claimed = sequencer_claimed(home->ring);
    size_t found;
    for (; home->noted != claimed; home->noted++) {
        if (home->notes[home->noted % home->note_count] != stress_word(home->noted, 3)) {
            stress_fail(self, UNNOTED, "claim %" PRIu64 " was seen, its note was not",
                        home->noted);
            return 0;
        }
        stress_saw(self, NOTED);
    }
    sequencer_peek(home->ring, home->consumers[self->number], count, &found);
    if (found < count && sequencer_cursor(home->ring, home->consumers[self->number]) + found !=
                             claimed) {
        stress_saw(self, AHEAD);
    }
    return pop(ring, self, records, count);
}

static const stress_adapter NOTING = {open_hub,  push_after_note, pop_after_notes,
                                      has_ended, close_hub,       free_hub};

/* --- cases ---------------------------------------------------------------------------------- */

#define BELOW_32 (UINT64_C(0x100000000) - 100)
#define BELOW_64 (UINT64_MAX - 100)
#define HUNDRED_MILLION UINT64_C(100000000)
#define HUB(NAME, ADAPTER, CAPACITY, START, PRODUCERS, CONSUMERS, BATCH, DETAIL)               \
    .name = NAME, .adapter = &ADAPTER, .capacity = CAPACITY, .start = START,                   \
    .producers = PRODUCERS, .consumers = CONSUMERS, .batch = BATCH, .detail = DETAIL,          \
    .numbers = 1

static const stress_case CASES[] = {
    {HUB("one-copy-2", COPYING, 2, BELOW_64, 1, 1, 3, 100)},
    {HUB("one-copy-64", COPYING, 64, BELOW_32, 1, 1, 100, 1)},
    {HUB("one-lend-8", LENDING, 8, BELOW_32, 1, 1, 5, 100)},
    {HUB("one-note-8", NOTING, 8, BELOW_64, 1, 1, 5, 100)},
    {HUB("three-copy-2", COPYING, 2, BELOW_32, 3, 1, 3, 1)},
    {HUB("three-copy-64", COPYING, 64, BELOW_64, 3, 1, 100, 100)},
    {HUB("three-lend-8", LENDING, 8, BELOW_64, 3, 1, 5, 100)},
    {HUB("three-to-two-2", COPYING, 2, BELOW_64, 3, 2, 2, 1)},
    {HUB("three-to-two-64", LENDING, 64, BELOW_32, 3, 2, 100, 10)},
    {HUB("three-yield-64", WAITING, 64, BELOW_64, 3, 1, 64, 100)},
    {HUB("three-park-8", WAITING, 8, BELOW_32, 3, 2, 8, 100 | PARK)},
    {HUB("close-8", COPYING, 8, BELOW_64, 3, 1, 3, 100), .close_after = 20, .rounds = 300},
    /* The long ones: past 2**32 half way, past 2**64 half way. */
    {HUB("long-copy", COPYING, 8192, UINT64_C(0x100000000) - HUNDRED_MILLION / 2, 3, 1, 64,
         SEQUENCER_TRIES),
     .long_items = (HUNDRED_MILLION + 2) / 3},
    {HUB("long-lend", LENDING, 256, UINT64_MAX - HUNDRED_MILLION / 10, 3, 2, 100, 100),
     .long_items = HUNDRED_MILLION / 15},
};

static const stress_suite SUITE = {
    .name = "sequencer stress",
    .cases = CASES,
    .case_count = sizeof CASES / sizeof *CASES,
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    .items = 6000,
#else
    .items = 60000,
#endif
    .outcomes = OUTCOMES,
};

int main(int argc, char **argv)
{
    return stress_main(argc, argv, &SUITE);
}
