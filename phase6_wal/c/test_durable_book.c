/* test_durable_book.c - the order of things: what is in the log and what the books have seen is the same,
 * whatever the mode, the room for events, the marks and the state of the disk.
 *
 * The books are made up: a command of quantity q has q events, and a book remembers whom it has seen. So
 * each test says exactly how many events there are, and no real book's rules are in the way.
 */
#include <stdio.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase6_wal/c/crc32c.h"
#include "phase6_wal/c/durable_book.h"
#include "phase6_wal/c/log_scan.h"
#include "phase6_wal/c/storage_sim.h"

enum { SEEN = 4096, SEGMENT_BYTES = 16384, EVENTS = 8192 };

typedef struct {
    uint64_t seen[SEEN]; /* order ids, in order */
    size_t count;
    uint64_t event_sequence;
} made_up_book;

static size_t made_up_apply(void *context, const command_record *commands, size_t count,
                            event_record *events, size_t capacity, size_t *written)
{
    made_up_book *self = context;
    size_t done = 0;
    *written = 0;
    for (; done < count && commands[done].quantity <= capacity - *written; done++) {
        for (uint64_t i = 0; i < commands[done].quantity; i++) {
            memset(&events[*written], 0, sizeof events[0]);
            events[*written].sequence = ++self->event_sequence;
            events[*written].order_id = commands[done].order_id;
            (*written)++;
        }
        CHECK(self->count < SEEN);
        self->seen[self->count++] = commands[done].order_id;
    }
    return done;
}

static durable_entry entry(made_up_book *book, uint32_t instrument)
{
    return (durable_entry){(uint64_t)(uintptr_t)made_up_apply, (uint64_t)(uintptr_t)book, instrument, 0};
}

/* Commands 1, 2, ... of one to four events each; every fifth is a cancel. */
static void fill(command_record *commands, size_t count, uint32_t instruments)
{
    memset(commands, 0, count * sizeof commands[0]);
    for (size_t i = 0; i < count; i++) {
        commands[i].order_id = i + 1;
        commands[i].quantity = 1 + i * i % 4;
        commands[i].kind = i % 5 == 4 ? COMMAND_CANCEL : COMMAND_NEW;
        commands[i].instrument = (uint32_t)(i * 7 % instruments);
    }
}

static log_options options_of(uint32_t durability, uint32_t method)
{
    return (log_options){.content = LOG_COMMANDS, .durability = durability, .method = method,
                         .spares = 1, .prepare_thread = 0, .reserve = 1,
                         .segment_bytes = SEGMENT_BYTES, .buffer_bytes = 4096, .group_count = 7,
                         .group_ns = 1000000000, .log_id = 77, .seed = 5};
}

static log_writer *writer_on(storage *disk, const log_options *options)
{
    log_position start;
    log_problem problem;
    log_writer *log = NULL;
    memset(&start, 0, sizeof start);
    CHECK(log_writer_new(disk, options, &start, &log, &problem) == 0);
    return log;
}

/* Every command of the log, in order; every segment has to continue the one before. */
static size_t read_log(storage *disk, command_record *commands, size_t room)
{
    static uint8_t bytes[SEGMENT_BYTES];
    scan_expect expect;
    size_t found = 0;
    char name[64];
    memset(&expect, 0, sizeof expect);
    for (size_t i = 0; disk->directory_list(disk, i, name) == 1; i++) {
        if (!strstr(name, ".log")) continue;
        uint64_t size = 0;
        int file = disk->file_open(disk, name, &size);
        CHECK(file >= 0 && size == SEGMENT_BYTES);
        CHECK(disk->file_read(disk, file, 0, bytes, size) == 0);
        CHECK(disk->file_close(disk, file) == 0);
        scan_result result;
        scan_segment(bytes, size, &expect, &result);
        CHECK(found + result.records - result.marks <= room);
        size_t marks = 0;
        found += scan_bodies(bytes + LOG_HEADER_BYTES, result.records, commands + found, NULL, NULL,
                             &marks);
        expect = (scan_expect){.log_id = 77, .number = result.number, .sequence = result.sequence,
                               .chain = result.chain, .content = LOG_COMMANDS};
    }
    return found;
}

static command_record commands[SEEN], logged[SEEN];
static event_record events[EVENTS], all_events[EVENTS];

/* Guards against a command in the log that no book has seen, or the other way round, when events find
 * no room; against one that cannot be taken back in a mode that flushes; and against an event CRC
 * that depends on how the commands came. */
static void test_log_and_books_agree(uint32_t durability, uint32_t method, size_t room)
{
    storage *disk = sim_new(1, 64 << 20);
    log_options options = options_of(durability, method);
    log_writer *log = writer_on(disk, &options);
    static made_up_book books[3];
    memset(books, 0, sizeof books);
    durable_entry entries[3] = {entry(&books[0], 2), entry(&books[1], 0), entry(&books[2], 1)};
    durable_book *self = durable_new(entries, 3, log, 100, 0, 0);
    size_t total = 1000, done = 0, event_count = 0, written = 0;
    int code = 0;
    fill(commands, total, 3);
    while (done < total) {
        size_t took = durable_apply(self, commands + done, total - done, events, room, &written, &code);
        CHECK(code == 0 && took > 0);
        CHECK(done / 100 == (done + took - 1) / 100); /* never past a mark's place */
        memcpy(all_events + event_count, events, written * sizeof events[0]);
        event_count += written;
        done += took;
        CHECK(durable_sequence(self) == done && log_sequence(log) == done);
        if (durability == DURABLE_SYNC) CHECK(log_durable(log) == done);
        if (durability != DURABLE_GROUP) CHECK(log_acknowledged(log) == done);
    }
    CHECK(books[0].count + books[1].count + books[2].count == total);
    CHECK(durable_event_crc(self) == crc32c(0, all_events, event_count * sizeof events[0]));
    CHECK(log_writer_close(log) == 0);
    CHECK(read_log(disk, logged, SEEN) == total);
    for (size_t i = 0; i < total; i++) {
        CHECK(logged[i].sequence == i + 1);
        commands[i].sequence = i + 1;
        CHECK(memcmp(&logged[i], &commands[i], sizeof logged[i]) == 0);
    }
    for (uint32_t instrument = 0; instrument < 3; instrument++) {
        const made_up_book *book = &books[instrument == 2 ? 0 : instrument + 1];
        for (size_t i = 0, at = 0; i < total; i++)
            if (commands[i].instrument == instrument)
                CHECK(book->seen[at++] == commands[i].order_id);
    }
    durable_free(self);
    log_writer_free(log);
    storage_free(disk);
}

/* Guards against a command that is logged although its events can never be told: it would be there
 * after a recovery, and come a second time. */
static void test_no_room_means_not_logged(void)
{
    storage *disk = sim_new(1, 64 << 20);
    log_options options = options_of(DURABLE_SYNC, LOG_WRITTEN);
    log_writer *log = writer_on(disk, &options);
    static made_up_book book;
    memset(&book, 0, sizeof book);
    durable_entry one = entry(&book, 0);
    durable_book *self = durable_new(&one, 1, log, 0, 0, 0);
    size_t written = 1;
    int code = 1;
    fill(commands, 2, 1);
    commands[0].quantity = 3;
    for (size_t room = 0; room < 3; room++) {
        CHECK(durable_apply(self, commands, 2, events, room, &written, &code) == 0);
        CHECK(written == 0 && code == 0 && log_sequence(log) == 0 && book.count == 0);
    }
    CHECK(durable_event_crc(self) == 0);
    CHECK(durable_apply(self, commands, 2, events, 3, &written, &code) == 1 && written == 3);
    CHECK(log_sequence(log) == 1 && log_durable(log) == 1);
    CHECK(log_writer_close(log) == 0);
    CHECK(read_log(disk, logged, SEEN) == 1 && logged[0].order_id == 1);
    durable_free(self);
    log_writer_free(log);
    storage_free(disk);
}

/* Guards against a full disk that stops cancels too, that lets a new order in behind the full log, or
 * that never ends. */
static void test_a_full_disk_takes_cancels(void)
{
    storage *disk = sim_new(1, 64 << 20);
    log_options options = options_of(DURABLE_PAGE_CACHE, LOG_MAPPED);
    log_writer *log = writer_on(disk, &options);
    static made_up_book book;
    memset(&book, 0, sizeof book);
    durable_entry one = entry(&book, 0);
    durable_book *self = durable_new(&one, 1, log, 0, 0, 0);
    size_t total = 1500, done = 0, written = 0;
    int code = 0;
    fill(commands, SEEN, 1);
    sim_set_capacity(disk, 0);
    while (code == 0 && done < total)
        done += durable_apply(self, commands + done, total - done, events, EVENTS, &written, &code);
    CHECK(code == LOG_FULL && done > 0 && done < total);
    CHECK(book.count == done && log_sequence(log) == done && log_acknowledged(log) == done);
    CHECK(commands[done].kind == COMMAND_NEW);
    command_record both[2] = {commands[4], commands[done]};
    for (int cancels = 0; cancels < 20; cancels++) {
        CHECK(durable_apply(self, both, 2, events, EVENTS, &written, &code) == 1);
        CHECK(code == LOG_FULL && written == both[0].quantity);
        CHECK(log_sequence(log) == ++done && log_acknowledged(log) == done && book.count == done);
    }
    sim_set_capacity(disk, 64 << 20);
    CHECK(durable_apply(self, commands, 100, events, EVENTS, &written, &code) == 100 && code == 0);
    done += 100;
    CHECK(log_writer_close(log) == 0);
    CHECK(read_log(disk, logged, SEEN) == done && book.count == done);
    for (size_t i = 0; i < done; i++) CHECK(book.seen[i] == logged[i].order_id);
    durable_free(self);
    log_writer_free(log);
    storage_free(disk);
}

/* Guards against a flush that failed and is passed over: what it should have covered would be told. */
static void test_a_failed_flush_ends_it(uint32_t durability)
{
    storage *disk = sim_new(1, 64 << 20);
    log_options options = options_of(durability, LOG_WRITTEN);
    log_writer *log = writer_on(disk, &options);
    static made_up_book book;
    memset(&book, 0, sizeof book);
    durable_entry one = entry(&book, 0);
    durable_book *self = durable_new(&one, 1, log, 0, 0, 0);
    size_t written = 0;
    int code = 0;
    fill(commands, 100, 1);
    CHECK(durable_apply(self, commands, 20, events, EVENTS, &written, &code) == 20 && code == 0);
    uint64_t told = log_acknowledged(log);
    CHECK(told == 20);
    sim_fail(disk, SIM_SYNC, 1, 5, 0);
    durable_apply(self, commands + 20, 20, events, EVENTS, &written, &code);
    CHECK(code == LOG_FAILED && log_acknowledged(log) == told);
    size_t seen = book.count;
    CHECK(durable_apply(self, commands + 40, 20, events, EVENTS, &written, &code) == 0);
    CHECK(code == LOG_FAILED && written == 0 && book.count == seen);
    CHECK(log_acknowledged(log) == told);
    durable_free(self);
    log_writer_free(log);
    storage_free(disk);
}

/* Guards against a replay in C that skips, repeats or misplaces commands around marks, and against one
 * that comes to another sum of events than the engine did. */
static void test_replay(size_t room)
{
    enum { COUNT = 600 };
    static log_record slots[COUNT + COUNT / 50];
    static made_up_book first, again;
    memset(&first, 0, sizeof first);
    memset(&again, 0, sizeof again);
    fill(commands, COUNT, 1);
    durable_entry one = entry(&first, 0), other = entry(&again, 0);
    durable_book *engine = durable_new(&one, 1, NULL, 0, 0, 0);
    durable_book *replay = durable_new(&other, 1, NULL, 0, 0, 0);
    size_t written = 0, slot = 0, marks = 0;
    int code = 0;
    uint32_t crc_at_mark[COUNT / 50];
    memset(slots, 0, sizeof slots);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK(durable_apply(engine, &commands[i], 1, events, EVENTS, &written, &code) == 1);
        slots[slot].kind = RECORD_COMMAND;
        memcpy(slots[slot++].body, &commands[i], sizeof commands[i]);
        if (i % 50 == 49) {
            slots[slot++].kind = RECORD_MARK;
            crc_at_mark[marks++] = durable_event_crc(engine);
        }
    }
    size_t at = 0, seen = 0;
    while (at < slot) {
        at += durable_replay(replay, &slots[at], slot - at, events, room);
        CHECK(at < slot && slots[at].kind == RECORD_MARK);
        CHECK(durable_event_crc(replay) == crc_at_mark[seen++]);
        CHECK(durable_sequence(replay) == seen * 50);
        at++;
    }
    CHECK(seen == marks && again.count == COUNT);
    CHECK(memcmp(again.seen, first.seen, COUNT * sizeof first.seen[0]) == 0);
    CHECK(durable_replay(replay, slots, 3, events, 0) == 0);
    durable_free(engine);
    durable_free(replay);
}

/* Guards against a command of an unknown instrument that no book answers, or another one each time. */
static void test_an_unknown_instrument_goes_to_the_lowest(void)
{
    static made_up_book low, high;
    memset(&low, 0, sizeof low);
    memset(&high, 0, sizeof high);
    durable_entry entries[2] = {entry(&high, 9), entry(&low, 4)};
    durable_book *self = durable_new(entries, 2, NULL, 0, 0, 0);
    size_t written = 0;
    int code = 0;
    fill(commands, 6, 1);
    static const uint32_t instruments[6] = {9, 4, 0, 5, 100, 9};
    for (size_t i = 0; i < 6; i++) commands[i].instrument = instruments[i];
    CHECK(durable_apply(self, commands, 6, events, EVENTS, &written, &code) == 6);
    CHECK(low.count == 4 && high.count == 2);
    CHECK(low.seen[0] == 2 && low.seen[1] == 3 && low.seen[2] == 4 && low.seen[3] == 5);
    durable_free(self);
}

int main(void)
{
    static const size_t rooms[] = {4, 5, 64, 130, EVENTS};
    for (uint32_t durability = DURABLE_NONE; durability <= DURABLE_SYNC; durability++)
        for (uint32_t method = LOG_WRITTEN; method <= LOG_MAPPED; method++)
            for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++)
                test_log_and_books_agree(durability, method, rooms[i]);
    test_no_room_means_not_logged();
    test_a_full_disk_takes_cancels();
    test_a_failed_flush_ends_it(DURABLE_GROUP);
    test_a_failed_flush_ends_it(DURABLE_SYNC);
    test_replay(4);
    test_replay(EVENTS);
    test_an_unknown_instrument_goes_to_the_lowest();
    puts("ok");
    return 0;
}
