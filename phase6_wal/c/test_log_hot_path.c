/* test_log_hot_path.c - what an append asks of the system: nothing, in a mapped page-cache log.
 *
 * Allocations and page faults are counted here. For system calls test_system_calls.py runs this
 * program under strace, with the name of a path; what stands between the two marks belongs to it.
 *
 *      path      mode                    one append costs
 *      mapped    page-cache, mapped      nothing
 *      reserved  the same, out of reach of the thread: log_append_reserved
 *      marked    the same, with a mark after each
 *      written   page-cache, written     one pwrite64
 *      synced    sync, written           one pwrite64 and one fdatasync
 */
#include <sys/resource.h>
#include <unistd.h>

#include "contract/c/counted_malloc.h"
#include "phase6_wal/c/log_story.h"

enum { APPENDS = 2000, RUNS = 3 };
#define SEGMENT (UINT64_C(16) << 20)

static uint8_t bodies[64 * LOG_BODY_BYTES];

/* A system call that does nothing, and that strace shows with its text. */
static void mark(const char *text)
{
    const ssize_t written = write(-1, text, strlen(text));
    CHECK(written == -1);
}

typedef struct {
    char directory[64];
    storage *disk;
    log_writer *writer;
} fresh_log;

static void open_log(fresh_log *self, uint32_t durability, uint32_t method)
{
    snprintf(self->directory, sizeof self->directory, "%s/matchbook-hot-XXXXXX", P_tmpdir);
    CHECK(mkdtemp(self->directory) != NULL);
    CHECK(storage_posix_new(self->directory, &self->disk) == 0);
    log_options options = story_options(durability, method, 0);
    options.segment_bytes = SEGMENT;
    options.buffer_bytes = 1 << 20;
    self->writer = story_open(self->disk, &options, NULL);
}

static void close_log(fresh_log *self)
{
    char name[STORAGE_NAME_BYTES];
    story_close(self->writer);
    while (self->disk->directory_list(self->disk, 0, name) == 1) {
        CHECK(self->disk->file_remove(self->disk, name) == 0);
    }
    storage_free(self->disk);
    CHECK(rmdir(self->directory) == 0);
}

/* append_all: batches of 1 and of 64, by turns. */
static void append_all(fresh_log *self, int reserved, int marked)
{
    const log_mark state = {.orders = 1};
    for (size_t i = 0; i < APPENDS; i++) {
        const size_t count = i % 2 ? 64 : 1;
        CHECK((reserved ? log_append_reserved(self->writer, bodies, count)
                        : log_append(self->writer, bodies, count)) == 0);
        CHECK(!marked || log_append_mark(self->writer, &state) == 0);
        CHECK(log_poll(self->writer, i) == 0);
    }
}

#if CAN_COUNT
static long page_faults(void)
{
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_minflt + usage.ru_majflt;
}

/* Guards: counters that count nothing. */
static void test_the_counters_count(void)
{
    fresh_log it;
    const size_t taken = taken_count;
    const size_t given = given_count;
    const long faults = page_faults();
    open_log(&it, DURABLE_PAGE_CACHE, LOG_MAPPED);
    close_log(&it);
    CHECK(taken_count > taken && given_count > given);
    CHECK(page_faults() > faults);
}

/* Guards: an append that takes memory, or touches a page for the first time. The kernel may clean a
 * page it writes back, and the next store to it faults: so one run of three without any is asked
 * for. */
static void test_an_append_takes_nothing(uint32_t method)
{
    long fewest = -1;
    for (int run = 0; run < RUNS && fewest != 0; run++) {
        fresh_log it;
        open_log(&it, DURABLE_PAGE_CACHE, method);
        append_all(&it, 0, 1); /* brings in the code, and a written log's buffer */
        const size_t taken = taken_count;
        const size_t given = given_count;
        const long before = page_faults();
        append_all(&it, 0, 1);
        append_all(&it, 1, 0);
        const long faults = page_faults() - before;
        CHECK(taken_count == taken && given_count == given);
        fewest = fewest < 0 || faults < fewest ? faults : fewest;
        close_log(&it);
    }
    if (fewest != 0) {
        fprintf(stderr, "method %u: %ld page faults in the best of %d runs\n", method, fewest,
                RUNS);
    }
    CHECK(fewest == 0);
}
#endif

/* trace: the path of that name, between two marks. 0: there is none. */
static int trace(const char *name)
{
    fresh_log it;
    const int is_written = strcmp(name, "written") == 0 || strcmp(name, "synced") == 0;
    const int reserved = strcmp(name, "reserved") == 0;
    const int marked = strcmp(name, "marked") == 0;
    if (!is_written && !reserved && !marked && strcmp(name, "mapped") != 0) {
        return 0;
    }
    open_log(&it, strcmp(name, "synced") == 0 ? DURABLE_SYNC : DURABLE_PAGE_CACHE,
             is_written ? LOG_WRITTEN : LOG_MAPPED);
    mark("the path begins");
    append_all(&it, reserved, marked);
    mark("the path ends");
    close_log(&it);
    return 1;
}

int main(int arguments, char **argument)
{
    if (arguments > 1) {
        return trace(argument[1]) ? 0 : 2;
    }
#if CAN_COUNT
    test_the_counters_count();
    test_an_append_takes_nothing(LOG_MAPPED);
    test_an_append_takes_nothing(LOG_WRITTEN);
#else
    puts("skipped: under a sanitizer the allocator and the pages are not the program's own");
#endif
    return 0;
}
