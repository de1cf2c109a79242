/* test_log_writer.c - what a writer writes, in every mode, is what a reader of the format finds.
 *
 * On the simulated disk. With its failures: test_log_failures.c; with threads that are not alone:
 * test_log_threads.c.
 */
#include "phase6_wal/c/log_story.h"

enum { ROUNDS = 4, STEPS = 100 };

/* --- all modes ----------------------------------------------------------------------------- */

static void check_promise(const log_writer *writer, const log_options *options)
{
    const uint64_t sequence = log_sequence(writer);
    const uint64_t durable = log_durable(writer);
    const uint64_t acknowledged = log_acknowledged(writer);
    CHECK(durable <= sequence && acknowledged <= sequence);
    switch (options->durability) {
    case DURABLE_SYNC:
        CHECK(acknowledged == sequence && durable == sequence);
        break;
    case DURABLE_GROUP:
        CHECK(acknowledged == durable && sequence - durable < options->group_count);
        break;
    default:
        CHECK(acknowledged == sequence);
        /* What is older than the present segment has been synced; with a thread, soon. */
        log_position position;
        log_where(writer, &position);
        CHECK(options->prepare_thread || durable >= position.first_sequence - 1);
    }
}

static void put_and_withdraw(log_writer *writer, command_stream *random)
{
    const size_t room = log_room(writer);
    const size_t count = 1 + stream_below(random, room);
    const size_t back = stream_below(random, count + 1);
    const uint64_t before = log_sequence(writer);
    CHECK(log_put(writer, story_bodies(before + 1, count), count) == 0);
    CHECK(log_sequence(writer) == before + count);
    CHECK(log_acknowledged(writer) <= before);
    CHECK(log_withdraw(writer, back) == 0);
    CHECK(log_sequence(writer) == before + count - back);
    CHECK(log_settle(writer) == 0);
    CHECK(back == count || log_withdraw(writer, 1) == LOG_BAD_OPTIONS);
}

/* One thing that an owner does. What is released is at most what is durable. */
static void step(log_writer *writer, command_stream *random, uint64_t *marks)
{
    log_mark mark = {.event_sequence = 7, .orders = 3, .event_crc = 5};
    switch (stream_below(random, 8)) {
    case 0:
        put_and_withdraw(writer, random);
        break;
    case 1:
        CHECK(log_append_mark(writer, &mark) == 0);
        ++*marks;
        break;
    case 2:
        CHECK(log_flush(writer) == 0);
        CHECK(log_durable(writer) == log_sequence(writer));
        break;
    case 3:
        CHECK(log_poll(writer, stream_word(random) >> 1) >= 0);
        break;
    case 4:
        CHECK(log_release(writer, log_durable(writer) / 2) >= 0);
        break;
    default:
        CHECK(story_append(writer, stream_below(random, stream_below(random, 4) ? 20 : 300)) == 0);
    }
}

/* Guards: a record lost or doubled at the turn of a segment, of the buffer, of a withdrawal, of a
 * writer; a chain or a `durable` that is not the format's; a promise that is not the mode's. */
static void test_every_mode(uint32_t durability, uint32_t method, uint32_t thread)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        command_stream random = {.state = seed * 64 + durability * 8 + method * 2 + thread};
        storage *disk = sim_new(seed, STORY_ROOM);
        log_position position = {0};
        uint64_t withdrawn = 0;
        for (int round = 0; round < ROUNDS; round++) {
            log_options options = story_options(durability, method, thread);
            options.segment_bytes = 8192 + 4096 * stream_below(&random, 4);
            options.buffer_bytes = 80 + stream_below(&random, 9000);
            options.spares = 1 + (uint32_t)stream_below(&random, 3);
            options.reserve = round % 2;
            log_writer *writer = story_open(disk, &options, &position);
            uint64_t marks = 0;
            for (int i = 0; i < STEPS; i++) {
                step(writer, &random, &marks);
                check_promise(writer, &options);
            }
            log_where(writer, &position);
            const uint32_t chain = log_chain(writer);
            log_counters counters;
            log_count(writer, &counters);
            CHECK(counters.segments > 1 && marks > 0);
            withdrawn += counters.withdrawn;
            story_close(writer);
            const story_log found = story_read(disk);
            CHECK(found.sequence == position.sequence && found.chain == chain);
            CHECK(found.marks > 0 && story_files(disk, ".log") == found.segments);
            CHECK(story_files(disk, ".spare") == 0);
        }
        CHECK(withdrawn > 0);
        storage_free(disk);
    }
}

/* Guards: a log that another mode cannot go on with, or whose segments promise what was not
 * kept. */
static void test_modes_follow_each_other(void)
{
    storage *disk = sim_new(1, STORY_ROOM);
    log_position position = {0};
    for (uint32_t round = 0; round < 40; round++) {
        const uint32_t durability = round * 7 % 4;
        log_options options = story_options(durability, round / 2 % 2, 0);
        log_mark mark = {.orders = round};
        log_writer *writer = story_open(disk, &options, &position);
        log_where(writer, &position);
        log_header header;
        char name[STORAGE_NAME_BYTES];
        uint64_t size;
        snprintf(name, sizeof name, "%020llu.log", (unsigned long long)position.first_sequence);
        const int file = disk->file_open(disk, name, &size);
        CHECK(file >= 0 && disk->file_read(disk, file, 0, &header, sizeof header) == 0);
        CHECK(header.durability == durability && disk->file_close(disk, file) == 0);
        if (round % 3 == 0) {
            CHECK(story_append(writer, round) == 0);
        } else if (round % 3 == 1) {
            CHECK(log_append_mark(writer, &mark) == 0);
        }
        log_where(writer, &position);
        story_close(writer);
        CHECK(story_read(disk).sequence == position.sequence);
        CHECK(story_read(disk).chain == position.chain);
    }
    storage_free(disk);
}

/* --- withdrawing --------------------------------------------------------------------------- */

/* Guards: a withdrawn record that leaves a trace: in the chain, in its slot, in what comes
 * after. */
static void test_withdrawn_is_as_never_put(void)
{
    for (uint32_t method = LOG_WRITTEN; method <= LOG_MAPPED; method++) {
        log_options options = story_options(DURABLE_PAGE_CACHE, method, 0);
        storage *disk = sim_new(1, STORY_ROOM);
        storage *other = sim_new(1, STORY_ROOM);
        options.log_id = 9;
        log_writer *writer = story_open(disk, &options, NULL);
        log_writer *plain = story_open(other, &options, NULL);
        CHECK(log_put(writer, story_bodies(1, 20), 20) == 0);
        CHECK(log_withdraw(writer, 21) == LOG_BAD_OPTIONS);
        CHECK(log_withdraw(writer, 5) == 0 && log_withdraw(writer, 8) == 0);
        CHECK(log_settle(writer) == 0);
        CHECK(story_append(plain, 7) == 0);
        CHECK(log_sequence(writer) == 7 && log_chain(writer) == log_chain(plain));
        const story_log found = story_read(disk);
        CHECK(found.sequence == 7 && found.stale == 0 && found.chain == log_chain(writer));
        CHECK(story_append(writer, 3) == 0 && story_append(plain, 3) == 0);
        CHECK(log_chain(writer) == log_chain(plain));
        story_close(writer);
        story_close(plain);
        storage_free(disk);
        storage_free(other);
    }
}

/* --- going on ------------------------------------------------------------------------------ */

static void scribble(storage *disk, const char *name, uint64_t from)
{
    uint8_t noise[512];
    uint64_t size;
    const int file = disk->file_open(disk, name, &size);
    memset(noise, 0x5A, sizeof noise);
    CHECK(file >= 0 && disk->file_write(disk, file, from, noise, sizeof noise) == 0);
    CHECK(disk->file_close(disk, file) == 0);
}

/* Guards: bytes of an old tail that become valid, or a hole, when the log grows over them; spares
 * of an earlier writer that are taken for clean. */
static void test_the_tail_is_cut(void)
{
    for (uint32_t method = LOG_WRITTEN; method <= LOG_MAPPED; method++) {
        const log_options options = story_options(DURABLE_PAGE_CACHE, method, 0);
        storage *disk = sim_new(1, STORY_ROOM);
        log_writer *writer = story_open(disk, &options, NULL);
        log_position position;
        CHECK(story_append(writer, 10) == 0);
        log_where(writer, &position);
        CHECK(story_append(writer, 20) == 0);
        log_writer_free(writer); /* as a crash */
        CHECK(disk->file_close(disk, disk->file_create(disk, "7.spare", 8192)) == 0);
        scribble(disk, "00000000000000000001.log", 8192 - 512);
        CHECK(story_files(disk, ".spare") == 2 && story_read(disk).sequence == 30);
        writer = story_open(disk, &options, &position);
        CHECK(log_sequence(writer) == 10 && log_durable(writer) == 10);
        CHECK(story_files(disk, ".spare") == 1); /* its own */
        story_log found = story_read(disk);
        CHECK(found.sequence == 10 && found.stale == 0);
        CHECK(story_append(writer, 1) == 0);
        found = story_read(disk);
        CHECK(found.sequence == 11 && found.stale == 0 && found.chain == log_chain(writer));
        story_close(writer);
        storage_free(disk);
    }
}

/* Guards: a writer that goes on where no log ends, overwrites one, or takes options that are
 * none. */
static void test_what_is_refused(void)
{
    const log_options good = story_options(DURABLE_PAGE_CACHE, LOG_MAPPED, 0);
    storage *disk = sim_new(1, STORY_ROOM);
    log_writer *writer = story_open(disk, &good, NULL);
    log_problem problem;
    log_position end;
    CHECK(story_append(writer, 200) == 0);
    log_where(writer, &end);
    story_close(writer);
    log_position positions[6] = {end, end, end, end, end, {0}};
    positions[0].number++;
    positions[1].salt ^= 1;
    positions[2].slot = 1000;
    positions[3].first_sequence = 1;
    positions[4].first_sequence++;
    for (int i = 0; i < 6; i++) {
        const int code = log_writer_new(disk, &good, &positions[i], &writer, &problem);
        CHECK(code == (i == 4 ? LOG_FAILED : LOG_BAD_OPTIONS));
    }
    log_options options[12];
    for (int i = 0; i < 12; i++) {
        options[i] = good;
    }
    options[0].content = LOG_EVENTS;
    options[1].content = 3;
    options[2].durability = 4;
    options[3].method = 2;
    options[4].spares = 0;
    options[5].segment_bytes = 4096;
    options[6].segment_bytes = 12288 + 80;
    options[7].segment_bytes = (UINT64_C(1) << 32) + 4096;
    options[8].buffer_bytes = 79;
    options[9].group_count = 0;
    options[10].log_id = 12345;
    options[11].content = 0;
    for (int i = 0; i < 12; i++) {
        CHECK(log_writer_new(disk, &options[i], &end, &writer, &problem) == LOG_BAD_OPTIONS);
    }
    CHECK(story_read(disk).sequence == 200);
    storage_free(disk);
}

/* --- segments used again ------------------------------------------------------------------- */

/* Guards: records of a segment's earlier life that come back, or look like the far side of a hole:
 * nothing is zeroed, and only the salt is another. */
static void test_recycling(void)
{
    for (uint32_t thread = 0; thread < story_threads(LOG_MAPPED); thread++) {
        const log_options options = story_options(DURABLE_PAGE_CACHE, LOG_MAPPED, thread);
        storage *disk = sim_new(1, STORY_ROOM);
        log_writer *writer = story_open(disk, &options, NULL);
        uint64_t stale = 0;
        for (int i = 0; i < 100; i++) {
            CHECK(story_append(writer, 31) == 0);
            CHECK(log_flush(writer) == 0);
            const story_log found = story_read(disk);
            CHECK(found.sequence == log_sequence(writer) && found.chain == log_chain(writer));
            CHECK(found.later == 0);
            stale += found.stale;
            CHECK(log_release(writer, found.sequence) >= 0);
            /* With a thread: until it has let go of them. The next turn then finds one to use
             * again, and the one after it is made of that before the turn is flushed. */
            CHECK(log_flush(writer) == 0);
        }
        CHECK(log_flush(writer) == 0);
        log_counters counters;
        log_count(writer, &counters);
        CHECK(counters.recycled > 40 && stale > 10000);
        CHECK(story_read(disk).segments <= 2);
        CHECK(story_files(disk, "") <= 6);
        story_close(writer);
        storage_free(disk);
    }
}

/* Guards: an append after the end, into a map that is gone. */
static void test_closed_is_closed(void)
{
    for (uint32_t method = LOG_WRITTEN; method <= LOG_MAPPED; method++) {
        const log_options options = story_options(DURABLE_PAGE_CACHE, method, 0);
        const log_mark mark = {0};
        log_position position;
        storage *disk = sim_new(1, STORY_ROOM);
        log_writer *writer = story_open(disk, &options, NULL);
        CHECK(story_append(writer, 7) == 0);
        CHECK(log_writer_close(writer) == 0 && log_writer_close(writer) == 0);
        CHECK(story_append(writer, 1) == LOG_CLOSED);
        CHECK(log_append_reserved(writer, story_bodies(8, 1), 1) == LOG_CLOSED);
        CHECK(log_append_mark(writer, &mark) == LOG_CLOSED);
        CHECK(log_withdraw(writer, 0) == LOG_CLOSED && log_settle(writer) == LOG_CLOSED);
        CHECK(log_flush(writer) == LOG_CLOSED && log_poll(writer, 1) == LOG_CLOSED);
        CHECK(log_release(writer, 1) == LOG_CLOSED && log_writer_close(writer) == 0);
        log_where(writer, &position);
        CHECK(log_durable(writer) == 7 && position.sequence == 7);
        log_writer_free(writer);
        CHECK(story_read(disk).sequence == 7);
        storage_free(disk);
    }
}

/* Guards: a release that takes a segment which still holds what is needed. */
static void test_release_keeps_what_is_needed(void)
{
    const log_options options = story_options(DURABLE_GROUP, LOG_WRITTEN, 0);
    const uint64_t each = log_slots(options.segment_bytes);
    storage *disk = sim_new(1, STORY_ROOM);
    log_writer *writer = story_open(disk, &options, NULL);
    CHECK(story_append(writer, (size_t)(4 * each + 1)) == 0);
    CHECK(log_release(writer, each) == 0);
    CHECK(log_release(writer, each + 1) == 1);
    CHECK(story_read(disk).first_sequence == each + 1);
    CHECK(log_release(writer, UINT64_MAX) == 3);
    CHECK(story_read(disk).first_sequence == 4 * each + 1);
    log_position position;
    log_where(writer, &position);
    story_close(writer);
    writer = story_open(disk, &options, &position);
    CHECK(story_append(writer, (size_t)(2 * each)) == 0);
    CHECK(log_release(writer, 5 * each + 1) == 1 && log_release(writer, 5 * each + 1) == 0);
    story_close(writer);
    CHECK(story_read(disk).first_sequence == 5 * each + 1);
    storage_free(disk);
}

int main(void)
{
    for (uint32_t durability = DURABLE_NONE; durability <= DURABLE_SYNC; durability++) {
        for (uint32_t method = LOG_WRITTEN; method <= LOG_MAPPED; method++) {
            for (uint32_t thread = 0; thread < story_threads(method); thread++) {
                test_every_mode(durability, method, thread);
            }
        }
    }
    test_modes_follow_each_other();
    test_withdrawn_is_as_never_put();
    test_the_tail_is_cut();
    test_what_is_refused();
    test_recycling();
    test_closed_is_closed();
    test_release_keeps_what_is_needed();
    return 0;
}
