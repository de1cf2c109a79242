/* test_graph_stress.c - consumers that come after others, and see what those did with a record.
 *
 *   diamond                 ┌──▶ journal ──┐                chain
 *   producers ─▶ [ ring ] ──┤              ├──▶ publish     producers ─▶ [ ring ] ─▶ 0 ─▶ 1 ─▶ 2
 *                           └──▶ match ────┘
 *
 * Every consumer does something with a record before it advances: it writes a note, plainly, into a
 * table of its own that has one place for each slot. Who comes after it reads the note. A note that
 * is not there, or is a lap old, was read too early; the race detector also objects to one that
 * happens to be right. A place is written again one lap later, which is as safe as the slot itself.
 *
 * A forbidden outcome of the table below fails the test, and so does an expected one that never
 * came. --long sends twenty million records through a diamond (contract/c/ring_stress.h has the
 * options).
 */
#include "contract/c/ring_stress.h"
#include "phase4_ring/c/sequencer.h"

enum { CONSUMERS = 3, JOURNAL = 0, MATCH = 1 };
/* How a case uses the ring: stress_case.detail. */
enum { DIAMOND = 0, CHAIN = 1, PARK = 2 };
enum { TRIES = 100, WAIT_NS = 2000000 };

/* Outcomes of its own, besides the body's. */
enum { DONE = STRESS_OWN, UNDONE, JOURNAL_AHEAD, MATCH_AHEAD };

static const stress_outcome OUTCOMES[STRESS_OUTCOMES] = {
    /* a producer */
    [STRESS_WHOLE] = {"whole batch", EXPECTED, "All that was offered went in."},
    [STRESS_PARTLY] = {"part of batch", EXPECTED, "The room ended; the rest came later."},
    [STRESS_FULL] = {"refused", EXPECTED, "The last consumer was a lap behind."},
    [STRESS_CLOSED] = {"closed", FORBIDDEN, "Nobody closes before all is pushed."},
    /* any consumer */
    [STRESS_NEXT] = {"next", EXPECTED, "The producer's next record came, whole."},
    [STRESS_SWITCHED] = {"switched", EXPECTED, "Two producers' records lay side by side."},
    [STRESS_EMPTY] = {"empty", EXPECTED, "Those it comes after had got no further."},
    [STRESS_PAST_32] = {"past 2**32", EXPECTED, "A cursor outgrew 32 bits without harm."},
    [STRESS_PAST_64] = {"past 2**64", EXPECTED, "A cursor wrapped: only differences count."},
    [STRESS_LOST] = {"lost", FORBIDDEN, "A slot was claimed before the last had read it (S1, B2)."},
    [STRESS_AGAIN] = {"again", FORBIDDEN, "A slot was read again before it was written (S3, B1)."},
    [STRESS_TORN] = {"torn", FORBIDDEN, "A slot was read while it was written."},
    [STRESS_GAP] = {"gap", FORBIDDEN, "The number was not the one before plus one."},
    [STRESS_SUM] = {"sum", FORBIDDEN, "What came out adds up to something else than went in."},
    /* a consumer after others */
    [DONE] = {"done", EXPECTED, "All whom it comes after had left their notes on the record."},
    [UNDONE] = {"undone", FORBIDDEN, "A record was seen before one of them had done with it (B3)."},
    /* match, looking at journal beside it */
    [JOURNAL_AHEAD] = {"journal ahead", EXPECTED, "Of two side by side, journal was further."},
    [MATCH_AHEAD] = {"match ahead", EXPECTED, "Of two side by side, match was further."},
};

/* Whom each consumer comes after, directly and at all, as bit masks. */
static const uint32_t AFTER[2][CONSUMERS] = {[DIAMOND] = {0, 0, 3}, [CHAIN] = {0, 1, 2}};
static const uint32_t SEES[2][CONSUMERS] = {[DIAMOND] = {0, 0, 3}, [CHAIN] = {0, 1, 3}};

typedef struct {
    sequencer *ring;
    int producers[STRESS_THREADS];
    int consumers[CONSUMERS];
    uint64_t *notes[CONSUMERS]; /* a place for each slot */
} graph;

static int shape_of(const stress_case *it)
{
    return it->detail & CHAIN;
}

static void *open_graph(const stress_case *it)
{
    graph *self = calloc(1, sizeof *self);
    region_problem problem;
    CHECK(self != NULL && it->consumers == CONSUMERS);
    CHECK(sequencer_create(NULL, it->capacity, (it->detail & PARK) != 0, it->start, &self->ring,
                           &problem) == 0);
    for (int i = 0; i < CONSUMERS; i++) {
        self->consumers[i] = sequencer_add_consumer(self->ring, AFTER[shape_of(it)][i]);
        CHECK(self->consumers[i] == i); /* the masks above are of these numbers */
        self->notes[i] = calloc(it->capacity, sizeof(uint64_t));
        CHECK(self->notes[i] != NULL);
    }
    for (int i = 0; i < it->producers; i++) {
        self->producers[i] = sequencer_join(self->ring);
        CHECK(self->producers[i] >= 0);
    }
    return self;
}

static void free_graph(void *ring)
{
    graph *self = ring;
    char message[STRESS_TEXT] = "";
    if (!sequencer_check(self->ring, message, sizeof message)) {
        printf("%s\n", message);
        abort();
    }
    sequencer_detach(self->ring);
    for (int i = 0; i < CONSUMERS; i++) {
        free(self->notes[i]);
    }
    free(self);
}

static void close_graph(void *ring)
{
    sequencer_close(((graph *)ring)->ring);
}

static int has_ended(void *ring, stress_thread *self)
{
    graph *home = ring;
    return sequencer_wait(home->ring, home->consumers[self->number], WAIT_YIELD, 0) ==
           WAIT_CLOSED;
}

static size_t push(void *ring, stress_thread *self, const stress_record *records, size_t count)
{
    graph *home = ring;
    int producer = home->producers[self->number];
    return (size_t)sequencer_push(home->ring, producer, records, count, TRIES);
}

/* read_notes: those of all whom this consumer comes after, on one record. 0: one is missing. */
static int read_notes(const graph *home, stress_thread *self, uint64_t cursor, uint64_t name)
{
    uint32_t sees = SEES[shape_of(self->run->it)][self->number];
    uint64_t place = cursor & (self->run->it->capacity - 1);
    for (int other = 0; sees >> other != 0; other++) {
        if ((sees >> other & 1u) &&
            home->notes[other][place] != stress_word(name, (uint64_t)other)) {
            stress_fail(self, UNDONE, "at cursor %" PRIu64 ": consumer %d had not done", cursor,
                        other);
            return 0;
        }
    }
    if (sees != 0) {
        stress_saw(self, DONE);
    }
    return 1;
}

/* look_sideways: how far is journal, seen from match? Not from publish: to ask orders. */
static void look_sideways(const graph *home, stress_thread *self, uint64_t cursor)
{
    if (self->number == MATCH && shape_of(self->run->it) == DIAMOND) {
        int64_t ahead = (int64_t)(sequencer_cursor(home->ring, JOURNAL) - cursor);
        if (ahead != 0) {
            stress_saw(self, ahead > 0 ? JOURNAL_AHEAD : MATCH_AHEAD);
        }
    }
}

static size_t pop(void *ring, stress_thread *self, stress_record *records, size_t count)
{
    graph *home = ring;
    uint64_t cursor = sequencer_cursor(home->ring, self->number);
    size_t found;
    if (self->run->it->detail & PARK) {
        sequencer_wait(home->ring, self->number, WAIT_PARK, WAIT_NS);
    }
    const command_record *slots = sequencer_peek(home->ring, self->number, count, &found);
    look_sideways(home, self, cursor);
    memcpy(records, slots, found * sizeof *slots);
    for (size_t i = 0; i < found; i++) {
        uint64_t name = records[i].words[1];
        if (!read_notes(home, self, cursor + i, name)) {
            return 0;
        }
        uint64_t place = (cursor + i) & (self->run->it->capacity - 1);
        home->notes[self->number][place] = stress_word(name, (uint64_t)self->number);
    }
    sequencer_advance(home->ring, self->number, found);
    return found;
}

static const stress_adapter GRAPH = {open_graph, push, pop, has_ended, close_graph, free_graph};

#define BELOW_32 (UINT64_C(0x100000000) - 100)
#define BELOW_64 (UINT64_MAX - 100)
#define TEN_MILLION UINT64_C(10000000)
#define SHAPE(NAME, CAPACITY, START, PRODUCERS, BATCH, DETAIL)                                 \
    {.name = NAME, .adapter = &GRAPH, .capacity = CAPACITY, .start = START,                    \
     .producers = PRODUCERS, .consumers = CONSUMERS, .batch = BATCH, .detail = DETAIL,         \
     .numbers = 1}

static const stress_case CASES[] = {
    SHAPE("diamond-2", 2, BELOW_64, 1, 2, DIAMOND),
    SHAPE("diamond-16", 16, BELOW_32, 2, 5, DIAMOND),
    SHAPE("diamond-256", 256, BELOW_64, 3, 100, DIAMOND),
    SHAPE("diamond-park-8", 8, BELOW_32, 2, 4, DIAMOND | PARK),
    SHAPE("chain-8", 8, BELOW_32, 2, 3, CHAIN),
    SHAPE("chain-park-64", 64, BELOW_64, 1, 20, CHAIN | PARK),
    {.name = "long-diamond", .adapter = &GRAPH, .capacity = 1024,
     .start = UINT64_C(0x100000000) - TEN_MILLION, .producers = 2, .consumers = CONSUMERS,
     .batch = 64, .detail = DIAMOND, .numbers = 1, .long_items = TEN_MILLION},
};

static const stress_suite SUITE = {
    .name = "graph stress",
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
