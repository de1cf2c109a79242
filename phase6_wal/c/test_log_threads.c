/* test_log_threads.c - a writer, its thread and somebody who looks, on a real disk; for
 * ThreadSanitizer.
 *
 *      owner     append ... append     flush, release now and then
 *      thread    makes, syncs, retires, recycles
 *      watcher   acknowledged, durable, sequence, for ever, in this order
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "phase6_wal/c/log_story.h"
#include "phase6_wal/c/log_writer_state.h"

enum { BATCHES = 1000, MOST_IN_BATCH = 60 };

typedef struct {
    const log_writer *writer;
    _Atomic int over;
    uint64_t looks;
} watch;

/* Guards: a number that goes back, or runs ahead of one that it must follow. */
static void *look_on(void *argument)
{
    watch *self = argument;
    uint64_t last[3] = {0, 0, 0};
    while (!atomic_load_explicit(&self->over, memory_order_acquire)) {
        const uint64_t acknowledged = log_acknowledged(self->writer);
        const uint64_t durable = log_durable(self->writer);
        const uint64_t sequence = log_sequence(self->writer);
        CHECK(acknowledged >= last[0] && durable >= last[1] && sequence >= last[2]);
        CHECK(acknowledged <= sequence && durable <= sequence);
        last[0] = acknowledged;
        last[1] = durable;
        last[2] = sequence;
        self->looks++;
    }
    return NULL;
}

/* --- space that comes back while the thread looks for it ------------------------------------- */

/* A simulated disk whose next file cannot be made: whoever tries is kept there until the owner has
 * asked for a segment once more, and there has been space for it since before that. */
static struct {
    int (*create)(storage *self, const char *name, uint64_t bytes);
    log_depot *depot;
    _Atomic int armed;
} slow;

static uint64_t times_asked(log_depot *depot)
{
    pthread_mutex_lock(&depot->mutex);
    const uint64_t asked = depot->asked;
    pthread_mutex_unlock(&depot->mutex);
    return asked;
}

static int create_slowly(storage *self, const char *name, uint64_t bytes)
{
    if (!atomic_exchange(&slow.armed, 0)) {
        return slow.create(self, name, bytes);
    }
    const uint64_t asked = times_asked(slow.depot);
    sim_set_capacity(self, STORY_ROOM);
    while (times_asked(slow.depot) == asked) {
        sched_yield();
    }
    return -ENOSPC;
}

/* Guards: an append told that the disk is full, because of an attempt that was begun when it was. */
static void test_an_old_attempt_says_nothing(void)
{
    const log_options options = story_options(DURABLE_PAGE_CACHE, LOG_WRITTEN, 1);
    const size_t each = (size_t)log_slots(options.segment_bytes);
    storage *disk = sim_new(1, 4 * options.segment_bytes);
    slow.create = disk->file_create;
    disk->file_create = create_slowly;
    log_writer *writer = story_open(disk, &options, NULL);
    CHECK(story_append(writer, 3 * each) == 0 && story_append(writer, 1) == LOG_FULL);
    slow.depot = &writer->depot;
    slow.armed = 1;
    CHECK(log_append_reserved(writer, story_bodies(3 * each + 1, each), each) == 0);
    while (atomic_load(&slow.armed)) {
        sched_yield(); /* the thread sees that one is missing, and looks for space */
    }
    CHECK(story_append(writer, 1) == 0);
    story_close(writer);
    CHECK(story_read(disk).sequence == 4 * each + 1);
    storage_free(disk);
}

static void empty(storage *disk)
{
    char name[STORAGE_NAME_BYTES];
    while (disk->directory_list(disk, 0, name) == 1) {
        CHECK(disk->file_remove(disk, name) == 0);
    }
}

/* Guards: anything that owner and thread do to one another: a segment taken before it is made, or
 * closed while it is written; a durable that was not synced; work left undone at the end. */
static void test_together(storage *disk, uint32_t durability, uint32_t method)
{
    log_options options = story_options(durability, method, 1);
    options.segment_bytes = 64 << 10;
    options.buffer_bytes = 16 << 10;
    options.group_count = 2000;
    options.spares = 2;
    log_writer *writer = story_open(disk, &options, NULL);
    watch watcher = {.writer = writer};
    pthread_t thread;
    command_stream random = {.state = durability * 2 + method};
    CHECK(pthread_create(&thread, NULL, look_on, &watcher) == 0);
    for (int i = 0; i < BATCHES; i++) {
        CHECK(story_append(writer, 1 + stream_below(&random, MOST_IN_BATCH)) == 0);
        if (i % 200 == 199) {
            const uint64_t durable = log_durable(writer);
            CHECK(log_release(writer, durable / 2) >= 0);
            CHECK(i % 400 != 399 || log_flush(writer) == 0);
        }
    }
    log_counters counters;
    log_position position;
    log_count(writer, &counters);
    log_where(writer, &position);
    CHECK(log_writer_close(writer) == 0);
    CHECK(log_durable(writer) == position.sequence);
    atomic_store_explicit(&watcher.over, 1, memory_order_release);
    CHECK(pthread_join(thread, NULL) == 0);
    log_writer_free(writer);
    CHECK(counters.segments > 30);
    const story_log found = story_read(disk);
    CHECK(found.sequence == position.sequence && found.chain == position.chain);
    CHECK(story_files(disk, ".spare") == 0);
    empty(disk);
}

/* Guards: a writer dropped in the middle of its thread's work that hangs, or leaves it at work. */
static void test_dropped(storage *disk)
{
    for (int i = 0; i < 20; i++) {
        const log_options options = story_options(DURABLE_PAGE_CACHE, LOG_MAPPED, 1);
        log_writer *writer = story_open(disk, &options, NULL);
        CHECK(story_append(writer, 100 + (size_t)i * 20) == 0);
        log_writer_free(writer);
        CHECK(story_read(disk).sequence == 100 + (uint64_t)i * 20);
        empty(disk);
    }
}

int main(void)
{
    test_an_old_attempt_says_nothing();
    char directory[] = P_tmpdir "/matchbook-log-XXXXXX";
    storage *disk;
    CHECK(mkdtemp(directory) != NULL);
    CHECK(storage_posix_new(directory, &disk) == 0);
    for (uint32_t method = LOG_WRITTEN; method <= LOG_MAPPED; method++) {
        test_together(disk, DURABLE_NONE, method);
        test_together(disk, DURABLE_PAGE_CACHE, method);
        test_together(disk, DURABLE_GROUP, method);
    }
    test_dropped(disk);
    storage_free(disk);
    CHECK(rmdir(directory) == 0);
    return 0;
}
