/* engine_memory.c - a book takes its memory once: counted, not believed.
 *
 * A phase includes this file and calls engine_memory_all() from its own main. Every allocation of
 * the program is counted (counted_malloc.h), whoever makes it. Page faults and resident pages are
 * counted by the kernel, and would show memory that was asked for early and touched late.
 *
 * Each counter is first shown to count: a test that cannot see an allocation proves nothing.
 * Sanitizers bring their own malloc and touch pages of their own, so there only the footprint is
 * checked, and the program says so.
 */
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "contract/c/check.h"
#include "contract/c/counted_malloc.h"
#include "contract/c/engine.h"
#include "contract/c/engine_stream.h"

/* --- a long run --------------------------------------------------------------------------- */

enum { RUN_CAPACITY = 20000, RUN_COMMANDS = 300000, RUN_EVENTS = 1 << 16, RUN_LEVELS = 100 };

/* Everything a run needs, taken and touched before anything is counted. */
typedef struct {
    command_record *commands;
    event_record *events;
    order_image *orders;
    level_view *levels;
    char message[512];
} memory_run;

static memory_run run_new(void)
{
    memory_run run = {
        .commands = malloc(RUN_COMMANDS * sizeof *run.commands),
        .events = malloc(RUN_EVENTS * sizeof *run.events),
        .orders = malloc(RUN_CAPACITY * sizeof *run.orders),
        .levels = malloc(RUN_LEVELS * sizeof *run.levels),
    };
    CHECK(run.commands && run.events && run.orders && run.levels);
    command_stream stream = {7, 1, 3000, 3 * RUN_CAPACITY, 60, 0};
    for (int i = 0; i < RUN_COMMANDS; i++) {
        run.commands[i] = stream_next(&stream);
        run.commands[i].account = 0; /* orders of one account would be mass-cancelled too often */
    }
    memset(run.events, 1, RUN_EVENTS * sizeof *run.events);
    memset(run.orders, 1, RUN_CAPACITY * sizeof *run.orders);
    memset(run.levels, 1, RUN_LEVELS * sizeof *run.levels);
    return run;
}

static void run_free(memory_run *run)
{
    free(run->commands);
    free(run->events);
    free(run->orders);
    free(run->levels);
}

/* Everything a book offers, over and over: batches, views, checks, a restore. */
static void run_go(memory_run *run, book *self)
{
    enum { ROUNDS = 10 };
    for (int round = 0; round < ROUNDS; round++) {
        size_t first = (size_t)round * (RUN_COMMANDS / ROUNDS);
        size_t last = first + RUN_COMMANDS / ROUNDS;
        while (first < last) {
            size_t written;
            size_t consumed = book_apply(self, run->commands + first, last - first, run->events,
                                         RUN_EVENTS, &written);
            CHECK(consumed > 0);
            first += consumed;
        }
        order_image found;
        for (uint64_t id = 1; id < 100; id++)
            book_order(self, id, &found);
        size_t bids = book_orders(self, SIDE_BID, run->orders, RUN_CAPACITY);
        size_t asks = book_orders(self, SIDE_ASK, run->orders + bids, RUN_CAPACITY - bids);
        for (int side = SIDE_BID; side <= SIDE_ASK; side++)
            book_depth(self, side, run->levels, RUN_LEVELS);
        CHECK(book_check(self, run->message, sizeof run->message));
        if (round % 3 == 2)
            book_restore(self, run->orders, bids + asks, book_event_sequence(self));
    }
}

static book *run_book(void)
{
    book *self = book_new(0, 1, 3000, RUN_CAPACITY);
    CHECK(self != NULL);
    return self;
}

/* --- tests -------------------------------------------------------------------------------- */

/* Guards: a footprint that creeps up. */
static void test_footprint(size_t most_bytes_an_order)
{
    const uint32_t capacities[] = {1u << 10, (1u << 15) + 1, 1u << 18};
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        book *self = book_new(0, 1, 1000, capacities[i]);
        CHECK(self != NULL);
        size_t fixed = 4096; /* of a book, whatever its capacity */
        CHECK(book_bytes(self) <= fixed + capacities[i] * most_bytes_an_order);
        CHECK(book_bytes(self) >= capacities[i] * sizeof(order_image));
        book_free(self);
    }
}

#if CAN_COUNT
static void *escaped; /* what is stored here, the compiler has to keep */

static void test_no_allocation_after_construction(memory_run *run)
{
    size_t before = taken_count;
    size_t given_before = given_count;
    escaped = malloc(24);
    free(escaped);
    CHECK(taken_count == before + 1 && given_count == given_before + 1);

    before = taken_count;
    given_before = given_count;
    book *self = run_book();
    size_t taken_to_build = taken_count - before;
    CHECK(taken_to_build >= 1 && given_count == given_before);
    run_go(run, self);
    CHECK(taken_count == before + taken_to_build && given_count == given_before);
    book_free(self);
    CHECK(given_count == given_before + taken_to_build);
}

#if defined(__linux__)
static long page_faults(void)
{
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_minflt + usage.ru_majflt;
}

/* Resident pages of this process; reads into a buffer of the caller's, with no allocation. */
static long resident_pages(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL);
    long total;
    long resident;
    CHECK(fscanf(file, "%ld %ld", &total, &resident) == 2);
    fclose(file);
    return resident;
}

/* A book that grew would fault in every run; a page the kernel moved on its own account, in one.
 * So one run of three without any fault is what is asked for. */
static void test_no_page_is_touched_for_the_first_time(memory_run *run)
{
    enum { ATTEMPTS = 3, CONTROL_BYTES = 64 << 20 };
    long before = page_faults();
    long resident_before = resident_pages();
    char *control = malloc(CONTROL_BYTES);
    CHECK(control != NULL);
    memset(control, 1, CONTROL_BYTES);
    escaped = control;
    CHECK(page_faults() > before);
    CHECK(resident_pages() > resident_before + CONTROL_BYTES / sysconf(_SC_PAGESIZE) / 2);
    free(control);

    long fewest = -1;
    for (int attempt = 0; attempt < ATTEMPTS && fewest != 0; attempt++) {
        book *self = run_book();
        resident_before = resident_pages();
        before = page_faults();
        run_go(run, self);
        long faults = page_faults() - before;
        if (fewest < 0 || faults < fewest)
            fewest = faults;
        CHECK(resident_pages() <= resident_before + 16);
        book_free(self);
    }
    if (fewest != 0)
        fprintf(stderr, "%ld page faults in the best of %d runs\n", fewest, ATTEMPTS);
    CHECK(fewest == 0);
}
#endif
#endif

/* engine_memory_all: run every test; aborts at the first that fails. `most_bytes_an_order` is
 * what the phase promises of its footprint. */
static void engine_memory_all(size_t most_bytes_an_order)
{
    test_footprint(most_bytes_an_order);
    memory_run run = run_new();
    book *warm_up = run_book(); /* brings in the code and the stack */
    run_go(&run, warm_up);
    book_free(warm_up);
#if CAN_COUNT
    test_no_allocation_after_construction(&run);
#if defined(__linux__)
    test_no_page_is_touched_for_the_first_time(&run);
#else
    puts("skipped: page faults and resident pages are read on Linux only");
#endif
#else
    puts("skipped: under a sanitizer the allocator and the pages are not the program's own");
#endif
    run_free(&run);
}
