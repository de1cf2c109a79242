/* test_log_failures.c - a writer whose storage fails: at every call, of every kind, in every mode.
 *
 * After the first error: the same code from everything, not one call more to the storage, and
 * nothing more acknowledged. Only a full disk may pass.
 */
#include <errno.h>

#include "phase6_wal/c/log_story.h"

enum { APPENDS = 30, EACH = 23 };

/* --- a full disk --------------------------------------------------------------------------- */

/* How many appends of one go in until the first that does not. */
static uint64_t append_until_full(log_writer *writer)
{
    uint64_t count = 0;
    int code;
    while ((code = story_append(writer, 1)) == 0) {
        count++;
    }
    CHECK(code == LOG_FULL);
    return count;
}

/* Guards: a full disk that ends the log, tears a batch, or stops cancels too; a log that does not
 * go on when there is space again, or gives the reserve to everybody. */
static void test_full(uint32_t durability, uint32_t method, uint32_t thread)
{
    const log_options options = story_options(durability, method, thread);
    const size_t each = (size_t)log_slots(options.segment_bytes);
    storage *disk = sim_new(1, 4 * options.segment_bytes);
    log_writer *writer = story_open(disk, &options, NULL);
    log_problem problem;
    /* Four segments, of which one is the reserve. A batch that needs one more goes in whole or
     * not. */
    CHECK(append_until_full(writer) == 3 * each);
    CHECK(log_problem_of(writer, &problem) == 0);
    CHECK(problem.code == LOG_FULL && problem.error == ENOSPC);
    CHECK(strcmp(problem.call, "create") == 0);
    CHECK(log_acknowledged(writer) >= 2 * each && log_flush(writer) == 0);
    CHECK(log_acknowledged(writer) == 3 * each);
    uint64_t sequence = log_sequence(writer);
    CHECK(log_append_reserved(writer, story_bodies(sequence + 1, each + 1), each + 1) == LOG_FULL);
    CHECK(log_sequence(writer) == sequence);
    CHECK(log_append_reserved(writer, story_bodies(sequence + 1, 3), 3) == 0);
    CHECK(log_sequence(writer) == sequence + 3 && log_room(writer) == each - 3);
    CHECK(story_append(writer, 1) == LOG_FULL);
    sequence += 3;
    CHECK(log_append_reserved(writer, story_bodies(sequence + 1, each - 3), each - 3) == 0);
    sequence += each - 3;
    CHECK(log_append_reserved(writer, story_bodies(sequence + 1, 1), 1) == LOG_FULL);
    sim_set_capacity(disk, 6 * options.segment_bytes);
    CHECK(append_until_full(writer) == each);
    sim_set_capacity(disk, STORY_ROOM);
    CHECK(story_append(writer, 3 * each) == 0);
    log_position position;
    log_where(writer, &position);
    CHECK(position.sequence == 8 * each);
    story_close(writer);
    CHECK(story_read(disk).sequence == position.sequence);
    /* On a disk that is full from the beginning: whoever opens can read on, and close. */
    sim_set_capacity(disk, 0);
    writer = story_open(disk, &options, &position);
    CHECK(story_append(writer, 1) == LOG_FULL && log_flush(writer) == 0);
    sim_set_capacity(disk, STORY_ROOM);
    CHECK(story_append(writer, 1) == 0);
    story_close(writer);
    storage_free(disk);
}

/* Guards: a new log on a full disk that is begun all the same. */
static void test_full_from_the_beginning(void)
{
    const log_options options = story_options(DURABLE_GROUP, LOG_WRITTEN, 0);
    const log_position beginning = {0};
    storage *disk = sim_new(1, options.segment_bytes - 1);
    log_writer *writer;
    log_problem problem;
    CHECK(log_writer_new(disk, &options, &beginning, &writer, &problem) == LOG_FULL);
    CHECK(problem.code == LOG_FULL && problem.error == ENOSPC);
    CHECK(story_files(disk, "") == 0);
    sim_set_capacity(disk, options.segment_bytes);
    writer = story_open(disk, &options, NULL);
    CHECK(story_append(writer, 1) == LOG_FULL);
    CHECK(log_append_reserved(writer, story_bodies(1, 1), 1) == 0);
    story_close(writer);
    storage_free(disk);
}

/* --- every other error --------------------------------------------------------------------- */

/* The call that was made to fail; or the one after it, of the other thread, which was told
 * first. */
static int is_error(const log_problem *problem)
{
    return problem->error == EIO || problem->error == EROFS;
}

/* Everything an owner can ask for says the same, and nothing of it reaches the storage. (A thread
 * may be in the middle of a step, and end that.) */
static void check_ended(storage *disk, log_writer *writer, uint32_t thread)
{
    const uint64_t acknowledged = log_acknowledged(writer);
    const uint64_t durable = log_durable(writer);
    const uint64_t calls = sim_calls(disk, SIM_ANY);
    const log_mark mark = {0};
    log_problem problem;
    CHECK(log_problem_of(writer, &problem) == LOG_FAILED);
    CHECK(problem.code == LOG_FAILED && is_error(&problem) && problem.call[0] != '\0');
    for (int i = 0; i < 3; i++) {
        CHECK(story_append(writer, 1) == LOG_FAILED);
        CHECK(log_append_reserved(writer, story_bodies(1, 1), 1) == LOG_FAILED);
        CHECK(log_append_mark(writer, &mark) == LOG_FAILED);
        CHECK(log_settle(writer) == LOG_FAILED && log_withdraw(writer, 0) == LOG_FAILED);
        CHECK(log_flush(writer) == LOG_FAILED && log_poll(writer, UINT64_MAX) == LOG_FAILED);
        CHECK(log_release(writer, UINT64_MAX) == LOG_FAILED);
    }
    CHECK(log_writer_close(writer) == LOG_FAILED && log_writer_close(writer) == LOG_FAILED);
    CHECK(log_acknowledged(writer) == acknowledged);
    CHECK(log_durable(writer) == durable || (thread && log_durable(writer) > durable));
    CHECK(thread || (sim_calls(disk, SIM_ANY) == calls && sim_retried(disk) == 0));
}

/* A life of a log: appends, marks, flushes, releases, the end. 0, or the first code that is not. */
static int live(log_writer *writer, uint64_t *told)
{
    const log_mark mark = {.orders = 1};
    int code = 0;
    for (int i = 0; code >= 0 && i < APPENDS; i++) {
        code = story_append(writer, EACH);
        *told = log_acknowledged(writer);
        code = code == 0 && i % 5 == 4 ? log_append_mark(writer, &mark) : code;
        code = code == 0 && i % 7 == 6 ? log_flush(writer) : code;
        code = code == 0 && i % 9 == 8 ? log_release(writer, log_durable(writer) / 2) : code;
    }
    return code < 0 ? code : log_writer_close(writer);
}

/* check_nothing_is_open: the simulated disk gives the least number that is free, and lets no file
 * grow that is mapped. */
static void check_nothing_is_open(storage *disk)
{
    char name[STORAGE_NAME_BYTES];
    sim_set_capacity(disk, 0);
    for (size_t index = 0; disk->directory_list(disk, index, name) == 1; index++) {
        uint64_t bytes;
        const int file = disk->file_open(disk, name, &bytes);
        CHECK(file == 0);
        const int code = disk->file_write(disk, file, bytes + 4096, "x", 1);
        CHECK(code == (sim_is_read_only(disk) ? -EROFS : -ENOSPC));
        CHECK(disk->file_close(disk, file) == 0);
    }
    sim_set_capacity(disk, STORY_ROOM);
}

/* fail_at: the k-th call of a kind fails. 0: there was none. */
static int fail_at(const log_options *options, int kind, uint64_t k)
{
    const log_position beginning = {0};
    storage *disk = sim_new(k, STORY_ROOM);
    log_writer *writer = NULL;
    log_problem problem;
    uint64_t told = 0;
    sim_fail(disk, kind, k, EIO, 0);
    int code = log_writer_new(disk, options, &beginning, &writer, &problem);
    const int began = code == 0;
    if (began) {
        code = live(writer, &told);
    } else {
        CHECK(code == LOG_FAILED && is_error(&problem) && problem.call[0] != '\0');
    }
    const int fired = sim_fired(disk) > 0;
    sim_fail(disk, kind, 0, 0, 0);
    /* Spares that cannot be removed at the end are no loss: the next writer removes them. */
    const int harmless = fired && code == 0 && kind == SIM_REMOVE;
    CHECK(harmless || (fired == (code == LOG_FAILED) && (fired || code == 0)));
    if (fired && began && !harmless) {
        check_ended(disk, writer, options->prepare_thread);
    }
    log_writer_free(writer);
    check_nothing_is_open(disk);
    /* What somebody was told of is there for the next process; after group and sync, for the
     * machine's next life too. */
    if (options->durability >= DURABLE_GROUP) {
        sim_power_cut(disk);
        sim_power_on(disk);
    } else {
        sim_process_crash(disk);
    }
    if (options->durability != DURABLE_NONE) {
        CHECK(story_read(disk).sequence >= told);
    }
    storage_free(disk);
    return fired;
}

/* Guards: an error that is passed over, asked about again, or acknowledged across; a file or a map
 * that stays open after it. */
static void test_every_call(uint32_t durability, uint32_t method, uint32_t thread)
{
    const log_options options = story_options(durability, method, thread);
    uint64_t failures = 0;
    for (int kind = SIM_CREATE; kind < SIM_KINDS; kind++) {
        uint64_t k = 1;
        while (fail_at(&options, kind, k)) {
            k++;
        }
        failures += k - 1;
    }
    CHECK(failures > 40);
}

/* --- after a failed sync ------------------------------------------------------------------- */

/* Guards: what a failed sync has dropped, and only the cache still has, taken for durable by the
 * next process: its own first sync would say 0, and the next power cut would take the records
 * away. */
static void test_unsynced_is_written_again(uint32_t durability, uint32_t method)
{
    const log_options options = story_options(durability, method, 0);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        storage *disk = sim_new(seed, STORY_ROOM);
        log_writer *writer = story_open(disk, &options, NULL);
        log_position position;
        CHECK(story_append(writer, seed % 3 * 51) == 0 && log_flush(writer) == 0);
        CHECK(log_put(writer, story_bodies(log_sequence(writer) + 1, 40), 40) == 0);
        sim_fail(disk, method == LOG_MAPPED ? SIM_MAP_SYNC : SIM_SYNC, 1, EIO, 1);
        CHECK(log_flush(writer) == LOG_FAILED);
        log_where(writer, &position);
        log_writer_free(writer);
        sim_process_crash(disk);
        sim_fail(disk, method == LOG_MAPPED ? SIM_MAP_SYNC : SIM_SYNC, 0, 0, 0);
        CHECK(story_read(disk).sequence == position.sequence); /* in the cache */
        writer = story_open(disk, &options, &position);
        CHECK(log_durable(writer) == position.sequence);
        CHECK(story_append(writer, 1) == 0 && log_flush(writer) == 0);
        log_writer_free(writer);
        sim_power_cut(disk);
        sim_power_on(disk);
        CHECK(story_read(disk).sequence == position.sequence + 1);
        storage_free(disk);
    }
}

/* Guards: the same of segments before the present one: page-cache syncs them when they are full,
 * and here that fails. */
static void test_older_ones_are_written_again(uint32_t method)
{
    const log_options options = story_options(DURABLE_PAGE_CACHE, method, 0);
    const size_t each = (size_t)log_slots(options.segment_bytes);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        storage *disk = sim_new(seed, STORY_ROOM);
        log_writer *writer = story_open(disk, &options, NULL);
        log_position position;
        CHECK(story_append(writer, 2 * each) == 0 && log_durable(writer) == each);
        /* The next syncs are a new file's (never by its map), its header's, and the old
         * segment's. */
        sim_fail(disk, method == LOG_MAPPED ? SIM_MAP_SYNC : SIM_SYNC,
                 method == LOG_MAPPED ? 2 : 3, EIO, 0);
        CHECK(story_append(writer, 1) == LOG_FAILED);
        log_where(writer, &position);
        log_writer_free(writer);
        sim_process_crash(disk);
        position = (log_position){.sequence = position.first_sequence - 1,
                                  .number = position.number,
                                  .first_sequence = position.first_sequence};
        position.chain = story_read(disk).chain;
        writer = story_open(disk, &options, &position);
        const uint64_t durable = log_durable(writer);
        CHECK(durable == position.sequence);
        log_writer_free(writer);
        sim_power_cut(disk);
        sim_power_on(disk);
        CHECK(story_read(disk).sequence >= durable);
        storage_free(disk);
    }
}

/* --- what a thread had not come to ---------------------------------------------------------- */

static uint64_t recovered_after_a_cut(storage *disk)
{
    sim_power_cut(disk);
    sim_power_on(disk);
    return story_read(disk).sequence;
}

/* Guards: a name that no sync has covered, because the process ended before its thread came to it,
 * and that the next writer relies on: what it calls durable goes with the name in the next power
 * cut. */
static void test_a_name_is_synced_once_more(uint32_t durability, uint32_t method)
{
    static const char name[] = "00000000000000000001.log";
    const log_options options = story_options(durability, method, 0);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        storage *disk = sim_new(seed, STORY_ROOM);
        log_writer *writer = story_open(disk, &options, NULL);
        log_position position;
        CHECK(story_append(writer, 20) == 0);
        log_where(writer, &position);
        story_close(writer);
        /* As if the writer's rename had been the last thing before its end. */
        CHECK(disk->file_rename(disk, name, "1.spare") == 0 && disk->directory_sync(disk) == 0);
        CHECK(disk->file_rename(disk, "1.spare", name) == 0);
        writer = story_open(disk, &options, &position);
        CHECK(story_append(writer, 1) == 0 && log_flush(writer) == 0);
        CHECK(log_durable(writer) == 21);
        log_writer_free(writer);
        CHECK(recovered_after_a_cut(disk) == 21);
        storage_free(disk);
    }
}

/* Guards: a segment of page-cache behind one of group whose header the disk has not when its name
 * is there: behind what was promised that is damage, and no recovery goes past it. */
static void test_the_header_behind_a_promise(uint32_t method)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        log_options options = story_options(DURABLE_GROUP, method, 0);
        storage *disk = sim_new(seed, STORY_ROOM);
        log_writer *writer = story_open(disk, &options, NULL);
        log_position position;
        CHECK(story_append(writer, 20) == 0 && log_flush(writer) == 0);
        log_where(writer, &position);
        story_close(writer);
        options.durability = DURABLE_PAGE_CACHE;
        options.prepare_thread = 1;
        writer = story_open(disk, &options, &position);
        CHECK(story_append(writer, 5) == 0);
        sim_power_cut(disk);
        log_writer_free(writer);
        sim_power_on(disk);
        const story_log found = story_read(disk);
        CHECK(found.sequence >= 20 && found.segments == 2);
        storage_free(disk);
    }
}

int main(void)
{
    for (uint32_t durability = DURABLE_NONE; durability <= DURABLE_SYNC; durability++) {
        for (uint32_t method = LOG_WRITTEN; method <= LOG_MAPPED; method++) {
            for (uint32_t thread = 0; thread < story_threads(method); thread++) {
                test_full(durability, method, thread);
                test_every_call(durability, method, thread);
            }
            test_unsynced_is_written_again(durability, method);
            test_a_name_is_synced_once_more(durability, method);
        }
    }
    test_older_ones_are_written_again(LOG_WRITTEN);
    test_older_ones_are_written_again(LOG_MAPPED);
    test_the_header_behind_a_promise(LOG_WRITTEN);
    if (story_threads(LOG_MAPPED) > 1) {
        test_the_header_behind_a_promise(LOG_MAPPED);
    }
    test_full_from_the_beginning();
    return 0;
}
