/* test_ring_stress.c - a test of the stress body: it passes a plain ring, and finds what is wrong
 * with each broken one.
 *
 *   producers ──▶ [ a queue under a lock, with one bug ] ──▶ consumer
 *
 * Every forbidden outcome of ring_stress.h has a ring here that leads to it. A bug strikes once,
 * some way into the run.
 */
#include "contract/c/ring_stress.h"

enum { SLOTS = 16, ITEMS = 3000, STRIKES_AT = 1000 };

/* What is wrong with a ring: stress_case.detail. */
enum {
    NOTHING,
    LOSES,
    DOUBLES,
    SWAPS,
    TEARS,
    MIXES,
    MISNUMBERS,
    INVENTS,
    ENDS_EARLY,
    TAKES_AFTER_CLOSE
};

typedef struct {
    pthread_mutex_t lock;
    stress_record slots[SLOTS];
    uint64_t head;
    uint64_t tail;
    uint64_t start;
    int closed;
    int wrong;
    int numbers;
    int struck;
} plain_ring;

static void *open_plain(const stress_case *it)
{
    plain_ring *self = calloc(1, sizeof *self);
    CHECK(self != NULL && it->capacity == SLOTS);
    pthread_mutex_init(&self->lock, NULL);
    self->head = self->tail = self->start = it->start;
    self->wrong = it->detail;
    self->numbers = it->numbers;
    return self;
}

static void free_plain(void *ring)
{
    pthread_mutex_destroy(&((plain_ring *)ring)->lock);
    free(ring);
}

static void close_plain(void *ring)
{
    plain_ring *self = ring;
    pthread_mutex_lock(&self->lock);
    self->closed = 1;
    pthread_mutex_unlock(&self->lock);
}

static int has_ended(void *ring, stress_thread *self)
{
    plain_ring *home = ring;
    (void)self;
    pthread_mutex_lock(&home->lock);
    int ended = home->closed && home->head == home->tail;
    pthread_mutex_unlock(&home->lock);
    return ended;
}

/* strikes: whether the bug shows now, and it is this one. */
static int strikes(plain_ring *self, int wrong)
{
    int now = self->wrong == wrong && !self->struck && self->head - self->start >= STRIKES_AT;
    self->struck |= now;
    return now;
}

static void put(plain_ring *self, const stress_record *record)
{
    stress_record *slot = &self->slots[self->head % SLOTS];
    stress_record *before = &self->slots[(self->head - 1) % SLOTS];
    if (strikes(self, LOSES)) {
        return;
    }
    *slot = *record;
    if (self->head != self->tail && strikes(self, SWAPS)) {
        stress_record kept = *before;
        *before = *slot;
        *slot = kept;
    } else if (strikes(self, DOUBLES)) {
        *slot = *before;
    } else if (strikes(self, TEARS)) {
        slot->words[5] = before->words[5];
    } else if (strikes(self, MIXES)) {
        stress_make(slot, 6, self->head);
    }
    self->head++;
    if (self->numbers) {
        slot->words[0] = self->head + (uint64_t)strikes(self, MISNUMBERS);
    }
}

static size_t push(void *ring, stress_thread *self, const stress_record *records, size_t count)
{
    plain_ring *home = ring;
    size_t done = 0;
    (void)self;
    pthread_mutex_lock(&home->lock);
    if (home->closed) {
        done = STRESS_IS_CLOSED;
        if (home->wrong == TAKES_AFTER_CLOSE && !home->struck) {
            home->struck = 1;
            done = count;
        }
    } else {
        for (; done < count && home->head - home->tail < SLOTS; done++) {
            put(home, &records[done]);
        }
    }
    pthread_mutex_unlock(&home->lock);
    return done;
}

static size_t pop(void *ring, stress_thread *self, stress_record *records, size_t count)
{
    plain_ring *home = ring;
    size_t done = 0;
    pthread_mutex_lock(&home->lock);
    if (strikes(home, ENDS_EARLY)) {
        home->tail = home->head;
        home->closed = 1;
    }
    for (; done < count && home->tail != home->head; done++) {
        records[done] = home->slots[home->tail++ % SLOTS];
    }
    if (done > 0 && strikes(home, INVENTS)) {
        self->sum++;
    }
    pthread_mutex_unlock(&home->lock);
    return done;
}

static const stress_adapter PLAIN = {open_plain, push, pop, has_ended, close_plain, free_plain};

static stress_case case_of(int wrong, int producers)
{
    stress_case it = {.name = "plain", .adapter = &PLAIN, .capacity = SLOTS, .batch = 5};
    it.producers = producers;
    it.consumers = 1;
    it.numbers = producers > 1;
    it.detail = wrong;
    it.start = UINT64_MAX - 500;
    it.close_after = wrong == TAKES_AFTER_CLOSE ? STRIKES_AT : 0;
    return it;
}

/* run: counts of one case, and whether something was told. */
static int run(int wrong, int producers, uint64_t counts[STRESS_OUTCOMES])
{
    static const stress_suite none = {.name = "none"};
    stress_case it = case_of(wrong, producers);
    char evidence[STRESS_TEXT] = "";
    memset(counts, 0, STRESS_OUTCOMES * sizeof *counts);
    stress_run_case(&none, &it, ITEMS, 7, NULL, counts, evidence);
    return evidence[0] != '\0';
}

static void test_a_ring_without_bugs(void)
{
    for (int producers = 1; producers <= 3; producers++) {
        uint64_t counts[STRESS_OUTCOMES];
        CHECK(!run(NOTHING, producers, counts));
        CHECK(counts[STRESS_NEXT] == (uint64_t)(ITEMS * producers));
        CHECK(counts[STRESS_PAST_64] == 1 && counts[STRESS_PAST_32] == 0);
        CHECK(counts[STRESS_CLOSED] == 0);
        CHECK((counts[STRESS_SWITCHED] > 0) == (producers > 1));
        for (int outcome = STRESS_LOST; outcome < STRESS_OUTCOMES; outcome++) {
            CHECK(counts[outcome] == 0);
        }
    }
}

static void test_each_bug_is_told_apart(void)
{
    static const struct {
        int wrong;
        int producers;
        int outcome;
    } bugs[] = {
        {LOSES, 1, STRESS_LOST},      {DOUBLES, 1, STRESS_AGAIN},  {SWAPS, 1, STRESS_LOST},
        {TEARS, 1, STRESS_TORN},      {TEARS, 3, STRESS_TORN},     {MIXES, 3, STRESS_TORN},
        {MISNUMBERS, 2, STRESS_GAP},  {INVENTS, 1, STRESS_SUM},    {ENDS_EARLY, 2, STRESS_LOST},
        {TAKES_AFTER_CLOSE, 3, STRESS_LOST},
    };
    for (size_t i = 0; i < sizeof bugs / sizeof *bugs; i++) {
        uint64_t counts[STRESS_OUTCOMES];
        CHECK(run(bugs[i].wrong, bugs[i].producers, counts));
        CHECK(counts[bugs[i].outcome] > 0);
    }
}

static void test_verdicts(void)
{
    static const stress_outcome rows[STRESS_OUTCOMES] = {
        [STRESS_NEXT] = {"next", EXPECTED, "Must be seen."},
        [STRESS_FULL] = {"full", ALLOWED, "May be seen."},
        [STRESS_LOST] = {"lost", FORBIDDEN, "Must not be seen."},
    };
    static const stress_suite suite = {.name = "verdicts", .outcomes = rows};
    uint64_t counts[STRESS_OUTCOMES] = {0};
    CHECK(stress_verdicts(&suite, counts, 0) == 0);
    CHECK(stress_verdicts(&suite, counts, 1) == 1); /* next was not seen */
    counts[STRESS_NEXT] = counts[STRESS_FULL] = 5;
    CHECK(stress_verdicts(&suite, counts, 1) == 0);
    counts[STRESS_LOST] = 1;
    CHECK(stress_verdicts(&suite, counts, 0) == 1);
    counts[STRESS_TORN] = 1; /* a row that the table leaves out */
    CHECK(stress_verdicts(&suite, counts, 0) == 2);
}

/* A forbidden outcome ends the program with 1; an option it does not know with 2. */
static void test_the_exit_status(void)
{
    static const stress_outcome rows[STRESS_OUTCOMES] = {
        [STRESS_WHOLE] = {"whole", ALLOWED, ""},   [STRESS_PARTLY] = {"part", ALLOWED, ""},
        [STRESS_FULL] = {"full", ALLOWED, ""},     [STRESS_NEXT] = {"next", EXPECTED, ""},
        [STRESS_EMPTY] = {"empty", ALLOWED, ""},   [STRESS_PAST_64] = {"past", ALLOWED, ""},
    };
    char program[] = "test", items[] = "--items=2000", wrong[] = "--item=1", only[] = "--case=x";
    char *plain[] = {program, items}, *bad[] = {program, wrong}, *none[] = {program, only};
    stress_case it = case_of(NOTHING, 1);
    stress_suite suite = {.name = "status", .cases = &it, .case_count = 1, .outcomes = rows};
    CHECK(stress_main(2, plain, &suite) == 0);
    CHECK(stress_main(2, bad, &suite) == 2);
    CHECK(stress_main(2, none, &suite) == 2);
    items[8] = 'x'; /* "--items=x000" is no number */
    CHECK(stress_main(2, plain, &suite) == 2);
    items[8] = '2';
    it = case_of(LOSES, 1);
    CHECK(stress_main(2, plain, &suite) == 1);
}

int main(void)
{
    test_a_ring_without_bugs();
    test_each_bug_is_told_apart();
    test_verdicts();
    test_the_exit_status();
    return 0;
}
