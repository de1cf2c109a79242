/* test_hot_path.c - no allocation and no page fault between start and end; and, under strace, no
 * system call: test_system_calls.py runs this program for that, with the name of a path.
 *
 *      test thread                        the other thread
 *      start it, until `up` == 1          up = 1, waits for `turn` to move, spinning
 *      count or mark: the path begins
 *      turn = 1 ────────────────────────▶ produces, consumes, or is the match stage
 *      its own end of the path            …
 *      until `done` == 1  ◀────────────── done = 1, and goes on spinning
 *      count or mark: the path ends
 *
 * So between the two marks no thread starts or ends, and whatever is counted there belongs to the
 * path. Every counter is first shown to count.
 */
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "contract/c/counted_malloc.h"
#include "phase4_ring/c/memory_journal.h"
#include "phase4_ring/c/pipeline_world.h"
#include "phase4_ring/c/traffic.h"

enum { HANDOVERS = 200000, BATCH = 16, TRIPS = 50, SLOTS = 1024 };

/* --- what is moved ------------------------------------------------------------------------- */

static command_record commands[HANDOVERS];
static event_record events[2 * HANDOVERS];
static uint32_t latencies[2 * HANDOVERS];

/* Some commands of a spilling path cause more events than its ring holds. */
static size_t make_commands(int spilling)
{
    size_t count = 0;
    for (uint64_t i = 0; i < HANDOVERS; i++) {
        uint64_t quantity = spilling && i % 512 == 0 ? 80 : 1 + (i % 5 == 0);
        commands[i] = (command_record){.order_id = i + 1, .quantity = quantity};
        count += quantity;
    }
    CHECK(count <= sizeof events / sizeof *events);
    return count;
}

/* --- marks --------------------------------------------------------------------------------- */

/* A system call that does nothing, and that strace shows with its text. */
static void mark(const char *text)
{
    ssize_t written = write(-1, text, strlen(text));
    CHECK(written == -1);
}

/* --- a path with two ends ------------------------------------------------------------------ */

typedef struct {
    _Atomic uint32_t up;   /* the other thread is there */
    _Atomic uint32_t turn; /* 1: go; 2: the path has ended, so may you */
    _Atomic uint32_t done;
    spsc_ring *ring;
    sequencer *order;
    int strategy;
    int producer; /* of the sequencer */
    int consumer;
    _Atomic uint64_t seen; /* trips */
} path;

/* Spinning: whoever waits here must not enter the kernel. */
static void await(const _Atomic uint32_t *word, uint32_t least)
{
    while (atomic_load_explicit(word, memory_order_acquire) < least) {
        wait_pause();
    }
}

static void await_turn(path *self)
{
    atomic_store_explicit(&self->up, 1, memory_order_release);
    await(&self->turn, 1);
}

static void *produce(void *argument)
{
    path *self = argument;
    ring_record batch[BATCH] = {{{0}}};
    await_turn(self);
    for (size_t sent = 0; sent < HANDOVERS;) {
        size_t some = HANDOVERS - sent < BATCH ? HANDOVERS - sent : BATCH;
        batch[0].words[1] = sent;
        if (self->ring != NULL) {
            size_t pushed = spsc_push(self->ring, batch, some);
            sent += pushed;
            if (pushed == 0) {
                CHECK(spsc_wait_space(self->ring, self->strategy, LIMIT_NS) == WAIT_READY);
            }
        } else {
            int64_t pushed = sequencer_push(self->order, self->producer, batch, some, 100);
            CHECK(pushed >= 0);
            sent += (size_t)pushed;
        }
    }
    atomic_store_explicit(&self->done, 1, memory_order_release);
    await(&self->turn, 2);
    return NULL;
}

static void consume(path *self)
{
    for (size_t read = 0; read < HANDOVERS;) {
        size_t found;
        if (self->ring != NULL) {
            spsc_peek(self->ring, 2 * BATCH, &found);
            spsc_release(self->ring, found);
        } else {
            sequencer_peek(self->order, self->consumer, 2 * BATCH, &found);
            sequencer_advance(self->order, self->consumer, found);
        }
        read += found;
        if (found == 0) {
            int state = self->ring != NULL
                            ? spsc_wait_items(self->ring, self->strategy, LIMIT_NS)
                            : sequencer_wait(self->order, self->consumer, self->strategy, LIMIT_NS);
            CHECK(state == WAIT_READY);
        }
    }
}

static void path_open(path *self, int is_spsc, int strategy)
{
    region_problem problem;
    memset(self, 0, sizeof *self);
    self->strategy = strategy;
    if (is_spsc) {
        CHECK(spsc_create(NULL, SLOTS, strategy == WAIT_PARK, 0, &self->ring, &problem) == 0);
    } else {
        CHECK(sequencer_create(NULL, SLOTS, strategy == WAIT_PARK, 0, &self->order, &problem) == 0);
        self->consumer = sequencer_add_consumer(self->order, 0);
        self->producer = sequencer_join(self->order);
    }
}

static void path_free(path *self)
{
    spsc_detach(self->ring);
    sequencer_detach(self->order);
}

/* run_path: HANDOVERS records from one thread to the other, between two calls of `at`. */
static void run_path(path *self, void (*at)(const char *text))
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, produce, self) == 0);
    await(&self->up, 1);
    at("the path begins");
    atomic_store_explicit(&self->turn, 1, memory_order_release);
    consume(self);
    await(&self->done, 1);
    at("the path ends");
    atomic_store_explicit(&self->turn, 2, memory_order_release);
    CHECK(pthread_join(thread, NULL) == 0);
    atomic_store(&self->up, 0);
    atomic_store(&self->turn, 0);
    atomic_store(&self->done, 0);
}

/* run_pipeline: HANDOVERS commands and their events; match is the other thread. pipeline_exchange
 * is not here: it yields while it waits, for whoever is alone with a pipeline may be on one core. */
static void run_pipeline(world *it, size_t event_count, void (*at)(const char *text))
{
    traffic_plan plan = {.burst = BATCH, .core = -1, .timeout_ns = LIMIT_NS};
    traffic_result result;
    at("the path begins");
    CHECK(traffic_run(it->pipe, it->producer, commands, HANDOVERS, events, event_count, latencies,
                      &plan, &result) == WAIT_READY);
    at("the path ends");
    CHECK(result.events == event_count);
}

/* --- allocations and pages ----------------------------------------------------------------- */

#if CAN_COUNT
static size_t taken_before;
static size_t given_before;
static long faults_before;
static long faults; /* on the last path */

static long page_faults(void)
{
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_minflt + usage.ru_majflt;
}

/* count: between the two calls nothing is taken or given back, by whatever thread. */
static void count(const char *text)
{
    if (strcmp(text, "the path begins") == 0) {
        taken_before = taken_count;
        given_before = given_count;
        faults_before = page_faults();
    } else {
        faults = page_faults() - faults_before;
        CHECK(taken_count == taken_before && given_count == given_before);
    }
}

static void *allocate(void *argument)
{
    void **escaped = argument;
    *escaped = malloc(64 << 20);
    CHECK(*escaped != NULL);
    memset(*escaped, 1, 64 << 20);
    return NULL;
}

/* Guards: counters that see only one thread, or nothing. */
static void test_the_counters_count(void)
{
    pthread_t thread;
    void *escaped;
    size_t taken = taken_count;
    size_t given = given_count;
    long before = page_faults();
    CHECK(pthread_create(&thread, NULL, allocate, &escaped) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    free(escaped);
    CHECK(taken_count > taken && given_count > given);
    CHECK(page_faults() > before);
}

/* A path that grew would fault in every run; a page the kernel moved on its own account, in one. So
 * one run of three without any fault is what is asked for. */
enum { RUNS = 3 };

static void want_no_faults(const char *where, long fewest)
{
    if (fewest != 0) {
        fprintf(stderr, "%s: %ld page faults in the best of %d runs\n", where, fewest, RUNS);
    }
    CHECK(fewest == 0);
}

/* Guards: a ring that takes memory, or touches it for the first time, while records pass. */
static void test_rings_take_nothing(void)
{
    for (int is_spsc = 0; is_spsc <= 1; is_spsc++) {
        for (int strategy = WAIT_SPIN; strategy <= WAIT_PARK; strategy++) {
            path it;
            long fewest = -1;
            path_open(&it, is_spsc, strategy);
            run_path(&it, count); /* brings in the code and the stacks */
            for (int run = 0; run < RUNS && fewest != 0; run++) {
                run_path(&it, count);
                fewest = fewest < 0 || faults < fewest ? faults : fewest;
            }
            want_no_faults(is_spsc ? "SPSC ring" : "sequencer", fewest);
            path_free(&it);
        }
    }
}

/* Guards: a pipeline that takes memory while it runs: for a batch, a spill, or the journal. */
static void test_pipelines_take_nothing(void)
{
    for (int spilling = 0; spilling <= 1; spilling++) {
        world it;
        long fewest = -1;
        size_t event_count = make_commands(spilling);
        world_plan plan = {.command_slots = SLOTS,
                           .event_slots = spilling ? 64 : SLOTS,
                           .most_events = 100,
                           .batch = 64,
                           .strategy = spilling ? WAIT_YIELD : WAIT_PARK,
                           .parking = !spilling};
        memory_journal *journal = memory_journal_new((RUNS + 1) * HANDOVERS);
        plan.journal = memory_journal_append;
        plan.journal_context = journal;
        world_start(&it, &plan);
        run_pipeline(&it, event_count, count);
        for (int run = 0; run < RUNS && fewest != 0; run++) {
            run_pipeline(&it, event_count, count);
            fewest = fewest < 0 || faults < fewest ? faults : fewest;
        }
        CHECK(!spilling || stage_of(&it, STAGE_MATCH).spilled > HANDOVERS / 512);
        want_no_faults("pipeline", fewest);
        pipeline_close(it.pipe);
        world_join(&it);
        world_free(&it);
        memory_journal_free(journal);
    }
}
#endif

/* --- for strace ---------------------------------------------------------------------------- */

static void *wait_for_trips(void *argument)
{
    path *self = argument;
    ring_record record;
    await_turn(self);
    for (uint64_t trip = 1; trip <= TRIPS; trip++) {
        CHECK(spsc_wait_items(self->ring, self->strategy, LIMIT_NS) == WAIT_READY);
        CHECK(spsc_pop(self->ring, &record, 1) == 1);
        atomic_store_explicit(&self->seen, trip, memory_order_release);
    }
    atomic_store_explicit(&self->done, 1, memory_order_release);
    await(&self->turn, 2);
    return NULL;
}

/* run_trips: single records to a consumer who is waiting for each: parked, or for a while. */
static void run_trips(int strategy)
{
    path it;
    pthread_t thread;
    ring_record record = {{0}};
    path_open(&it, 1, strategy);
    CHECK(pthread_create(&thread, NULL, wait_for_trips, &it) == 0);
    await(&it.up, 1);
    mark("the path begins");
    atomic_store_explicit(&it.turn, 1, memory_order_release);
    for (uint64_t trip = 1; trip <= TRIPS; trip++) {
        uint64_t ready = clock_ns() + 200000;
        while (strategy == WAIT_PARK ? !(atomic_load(&it.ring->items.word) & 1u)
                                     : clock_ns() < ready) {
            wait_pause();
        }
        CHECK(spsc_push(it.ring, &record, 1) == 1);
        while (atomic_load_explicit(&it.seen, memory_order_acquire) < trip) {
            wait_pause();
        }
    }
    await(&it.done, 1);
    mark("the path ends");
    atomic_store_explicit(&it.turn, 2, memory_order_release);
    CHECK(pthread_join(thread, NULL) == 0);
    path_free(&it);
}

static void trace_clock(void)
{
    uint64_t last = 0;
    mark("the path begins");
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_ns();
        CHECK(now >= last);
        last = now;
    }
    mark("the path ends");
}

static void trace_pipeline(void)
{
    world it;
    world_plan plan = {.command_slots = SLOTS, .event_slots = SLOTS, .most_events = 100,
                       .batch = 64, .strategy = WAIT_SPIN, .parking = 0};
    size_t event_count = make_commands(0);
    world_start(&it, &plan);
    run_pipeline(&it, event_count, mark);
    pipeline_close(it.pipe);
    world_join(&it);
    world_free(&it);
}

/* trace: the path of that name, between two marks. 0: there is none. */
static int trace(const char *name)
{
    path it;
    if (strcmp(name, "spsc") == 0 || strcmp(name, "sequencer") == 0) {
        path_open(&it, strcmp(name, "spsc") == 0, WAIT_SPIN);
        run_path(&it, mark);
        path_free(&it);
    } else if (strcmp(name, "pipeline") == 0) {
        trace_pipeline();
    } else if (strcmp(name, "clock") == 0) {
        trace_clock();
    } else if (strcmp(name, "park") == 0 || strcmp(name, "yield") == 0) {
        run_trips(strcmp(name, "park") == 0 ? WAIT_PARK : WAIT_YIELD);
    } else {
        return 0;
    }
    return 1;
}

int main(int arguments, char **argument)
{
    if (arguments > 1) {
        return trace(argument[1]) ? 0 : 2;
    }
#if CAN_COUNT
    test_the_counters_count();
    test_rings_take_nothing();
    test_pipelines_take_nothing();
#else
    puts("skipped: under a sanitizer the allocator and the pages are not the program's own");
#endif
    return 0;
}
