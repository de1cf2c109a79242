/* measure.c - times books that differ in their structure of levels, in one process, interleaved.
 *
 *      measure ROUNDS SEED FILE WARMUP COUNT BATCH MIN MAX CAPACITY TIMES LIBRARY…
 *
 * FILE holds command records. For each library a book is made once; a round empties them all and
 * applies the warm-up untimed, and then COUNT commands in batches: each batch by each library in
 * turn, in an order drawn anew for every other batch and turned round for the one after it. So a
 * disturbance of a second meets all libraries, and a shorter one a batch of one round, which a median
 * drops. Time is the thread's own: what others do on the core is not in it. Batches should be long:
 * each begins with the caches full of the books of others.
 *
 * Before the first round each library's events are summed up, and its book checked on the way. A
 * line of output for each library: its path, the sum, the book's bytes; "-" for one that cannot
 * have that range of prices. TIMES gets the nanoseconds as doubles, shape (ROUNDS, batches,
 * libraries). ROUNDS 0: one pass, no sum; for counting instructions.
 */
#include "measure.h"

#include <dlfcn.h>
#include <string.h>
#include <time.h>

#include "contract/c/check.h"

#define EVENTS 1048576
#ifndef CHECKS
#define CHECKS 16 /* of a book while its events are summed up */
#endif
#define LIBRARIES_MOST 64

typedef struct {
    const command_record *commands;
    size_t warmup, count, batch;
    event_record *events;
} workload;

typedef struct {
    const char *path;
    const measured_book *calls;
    book *book;
    uint64_t sum;
} candidate;

/* Processor time of this thread, in nanoseconds. */
static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

static void apply(candidate *self, const workload *work, size_t from, size_t to) {
    size_t written;
    while (from < to)
        from += self->calls->apply(self->book, work->commands + from, to - from, work->events,
                                   EVENTS, &written);
}

/* Add all events up, and check the book now and then. */
static void sum_up(candidate *self, const workload *work, size_t total, size_t step) {
    char message[256];
    for (size_t from = 0, written; from < total;) {
        size_t asked = total - from < step ? total - from : step;
        from += self->calls->apply(self->book, work->commands + from, asked, work->events, EVENTS,
                                   &written);
        for (size_t i = 0; i < written; i++) {
            uint64_t words[8];
            memcpy(words, &work->events[i], sizeof words);
            for (size_t k = 0; k < 8; k++)
                self->sum = (self->sum ^ words[k]) * UINT64_C(0x100000001B3);
        }
        if (!self->calls->check(self->book, message, sizeof message)) {
            fprintf(stderr, "%s: after %zu commands: %s\n", self->path, from, message);
            exit(1);
        }
    }
}

static uint64_t next_random(uint64_t *state) {
    uint64_t mixed = *state += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ mixed >> 31;
}

static void shuffle(size_t *order, size_t many, uint64_t *seed) {
    for (size_t i = many; i > 1; i--) {
        size_t j = next_random(seed) % i, kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}

/* One round; its times go to `times`, a row for each batch. */
static void run_round(candidate *all, size_t many, const workload *work, uint64_t *seed,
                      double *times) {
    size_t order[LIBRARIES_MOST], end = work->warmup + work->count, row = 0;
    for (size_t i = 0; i < many; i++) {
        order[i] = i;
        if (!all[i].book) continue;
        all[i].calls->restore(all[i].book, NULL, 0, 0);
        apply(&all[i], work, 0, work->warmup);
    }
    for (size_t from = work->warmup; from < end; row++) {
        size_t to = end - from < work->batch ? end : from + work->batch;
        if (row % 2 == 0) shuffle(order, many, seed);
        for (size_t i = 0; i < many; i++) {
            size_t which = order[row % 2 ? many - 1 - i : i];
            if (!all[which].book) continue;
            double start = now();
            apply(&all[which], work, from, to);
            times[row * many + which] = now() - start;
        }
        from = to;
    }
}

static command_record *read_commands(const char *path, size_t count) {
    FILE *file = fopen(path, "rb");
    command_record *commands = aligned_alloc(64, count * sizeof *commands);
    CHECK(file && commands && fread(commands, sizeof *commands, count, file) == count);
    fclose(file);
    return commands;
}

static candidate load(const char *path, char **limits) {
    candidate self = {.path = path};
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fprintf(stderr, "%s\n", dlerror());
    CHECK(library);
    self.calls = (const measured_book *)dlsym(library, "measured");
    self.book = self.calls->new_book(strtoll(limits[0], NULL, 10), strtoll(limits[1], NULL, 10),
                                     (uint32_t)strtoul(limits[2], NULL, 10));
    return self;
}

int main(int argc, char **argv) {
    CHECK(argc > 11 && argc - 11 <= LIBRARIES_MOST);
    size_t rounds = strtoul(argv[1], NULL, 10), many = (size_t)argc - 11;
    uint64_t seed = strtoull(argv[2], NULL, 10);
    workload work = {.warmup = strtoul(argv[4], NULL, 10),
                     .count = strtoul(argv[5], NULL, 10),
                     .batch = strtoul(argv[6], NULL, 10)};
    size_t total = work.warmup + work.count, step = total / CHECKS < 32768 ? total / CHECKS : 32768;
    work.commands = read_commands(argv[3], total);
    work.events = aligned_alloc(64, EVENTS * sizeof *work.events);
    CHECK(work.events);
    candidate all[LIBRARIES_MOST];
    for (size_t i = 0; i < many; i++) {
        all[i] = load(argv[11 + i], &argv[7]);
        if (all[i].book && rounds == 0) apply(&all[i], &work, 0, total);
        if (all[i].book && rounds > 0) sum_up(&all[i], &work, total, step ? step : 1);
    }
    size_t batches = (work.count + work.batch - 1) / work.batch;
    double *times = calloc(rounds * batches * many + 1, sizeof *times);
    CHECK(times);
    for (size_t round = 0; round < rounds; round++)
        run_round(all, many, &work, &seed, times + round * batches * many);
    if (rounds > 0) {
        FILE *file = fopen(argv[10], "wb");
        CHECK(file && fwrite(times, sizeof *times, rounds * batches * many, file) ==
                          rounds * batches * many);
        fclose(file);
    }
    for (size_t i = 0; i < many; i++) {
        printf("%s ", all[i].path);
        if (all[i].book)
            printf("%016llx %zu\n", (unsigned long long)all[i].sum,
                   all[i].calls->bytes(all[i].book));
        else
            printf("-\n");
    }
    return 0;
}
