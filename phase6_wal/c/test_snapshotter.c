/* test_snapshotter.c - snapshots of running books, under sanitizers: by fork and copy, with a thread.
 *
 * The books are two arrays of orders that the test changes while snapshots are written: a snapshot that
 * holds anything of a later moment has another CRC than the books had when it was taken.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/c/check.h"
#include "contract/c/engine.h"
#include "phase6_wal/c/crc32c.h"
#include "phase6_wal/c/snapshotter.h"
#include "phase6_wal/c/storage_sim.h"

enum { BOOKS = 2, ORDERS = 5000, ROUNDS = 12, KEEP = 2, LOG_ID = 77 };

struct book {
    size_t count;
    uint64_t event_sequence;
    order_image orders[ORDERS]; /* the first half bids */
};

static struct book books[BOOKS];

static size_t half(const book *self, int side)
{
    return side == SIDE_BID ? self->count / 2 : self->count - self->count / 2;
}

static size_t fake_orders(const book *self, int side, order_image *orders, size_t limit)
{
    const size_t count = half(self, side) < limit ? half(self, side) : limit;
    memcpy(orders, self->orders + (side == SIDE_BID ? 0 : self->count / 2),
           count * sizeof *orders);
    return count;
}

static size_t fake_count(const book *self)
{
    return self->count;
}

static uint64_t fake_sequence(const book *self)
{
    return self->event_sequence;
}

static void change(uint64_t round)
{
    for (size_t b = 0; b < BOOKS; b++) {
        books[b].count = (round * 997 + b * 31) % ORDERS;
        books[b].event_sequence = round * 10 + b;
        for (size_t i = 0; i < ORDERS; i++) {
            books[b].orders[i].order_id = round * ORDERS + i + 1;
        }
    }
}

static uint32_t image_crc(const struct book *of, uint32_t instrument)
{
    uint8_t header[32] = "MBOOK\0\0\1";
    const uint64_t count = of->count;
    memcpy(header + 8, &instrument, 4);
    memcpy(header + 16, &count, 8);
    memcpy(header + 24, &of->event_sequence, 8);
    return crc32c(crc32c(0, header, sizeof header), of->orders, count * sizeof *of->orders);
}

static void lend(snapshot_source sources[BOOKS])
{
    for (uint32_t b = 0; b < BOOKS; b++) {
        sources[b] = (snapshot_source){.book = (uint64_t)(uintptr_t)&books[b],
                                       .orders = (uint64_t)(uintptr_t)fake_orders,
                                       .order_count = (uint64_t)(uintptr_t)fake_count,
                                       .event_sequence = (uint64_t)(uintptr_t)fake_sequence,
                                       .min_price = -5,
                                       .max_price = 5,
                                       .instrument = 3 * b,
                                       .capacity = ORDERS};
    }
}

/* read_crcs: the images' CRCs of a snapshot, which is valid but for its orders. */
static void read_crcs(storage *disk, uint64_t sequence, uint32_t crcs[BOOKS])
{
    char name[STORAGE_NAME_BYTES];
    uint64_t size;
    snapshot_fault fault;
    snprintf(name, sizeof name, "%020llu.snap", (unsigned long long)sequence);
    const int file = disk->file_open(disk, name, &size);
    CHECK(file >= 0);
    uint8_t *bytes = malloc(size);
    CHECK(bytes != NULL && disk->file_read(disk, file, 0, bytes, size) == 0);
    CHECK(disk->file_close(disk, file) == 0);
    CHECK(snapshot_check(bytes, size, sequence, &fault) == SNAPSHOT_GOOD);
    for (size_t b = 0; b < BOOKS; b++) {
        memcpy(&crcs[b], bytes + 64 + 64 * b + 4, 4);
    }
    free(bytes);
}

/* Guards against a snapshot of two moments, one that is named before the log is there, one more or
 * less than are to be kept, and a race between owner and thread. */
static void test_rounds(storage *disk, const snapshot_options *options)
{
    snapshot_source sources[BOOKS];
    snapshot_problem problem;
    snapshot_report report;
    snapshotter *taker;
    uint64_t there[ROUNDS];
    lend(sources);
    CHECK(snapshotter_new(disk, sources, BOOKS, options, &taker, &problem) == 0);
    CHECK(snapshotter_poll(taker, UINT64_MAX) == 0 && snapshotter_wait(taker, UINT64_MAX) == 0);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        uint32_t expected[BOOKS], found[BOOKS];
        change(round);
        for (uint32_t b = 0; b < BOOKS; b++) {
            expected[b] = image_crc(&books[b], 3 * b);
        }
        CHECK(snapshotter_take(taker, round, 1, 2) == SNAPSHOT_TAKEN);
        change(round + 1); /* matching goes on */
        CHECK(snapshotter_take(taker, round, 1, 2) == SNAPSHOT_BUSY);
        CHECK(snapshotter_wait(taker, round - 1) == 0); /* the log is not there yet */
        snapshotter_look(taker, &report);
        CHECK(report.state == SNAPSHOT_WRITTEN && report.made == round - 1);
        CHECK(snapshotter_poll(taker, round) == 1 || snapshotter_wait(taker, round) == 1);
        snapshotter_look(taker, &report);
        CHECK(report.state == SNAPSHOT_IDLE && report.done && report.made == round);
        CHECK(report.problem.call[0] == '\0' && report.child == 0);
        read_crcs(disk, round, found);
        CHECK(memcmp(found, expected, sizeof found) == 0);
        const int count = snapshot_list(disk, there, ROUNDS, &problem);
        CHECK(count == (round < KEEP ? (int)round : KEEP) && there[count - 1] == round);
        CHECK(report.oldest == there[0]);
    }
    snapshotter_free(taker);
}

/* Guards against an end that waits for ever, leaves a file, or frees what the thread still uses. */
static void test_free_at_any_time(storage *disk, const snapshot_options *options)
{
    snapshot_source sources[BOOKS];
    snapshot_problem problem;
    char name[STORAGE_NAME_BYTES];
    lend(sources);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        snapshotter *taker;
        CHECK(snapshotter_new(disk, sources, BOOKS, options, &taker, &problem) == 0);
        CHECK(snapshotter_take(taker, 1000 + round, 1, 2) == SNAPSHOT_TAKEN);
        if (round % 3 == 1) {
            CHECK(snapshotter_wait(taker, 0) == 0);
        }
        snapshotter_free(taker);
        for (size_t i = 0; disk->directory_list(disk, i, name) > 0; i++) {
            CHECK(strstr(name, ".tmp") == NULL);
        }
    }
    uint64_t there[ROUNDS];
    CHECK(snapshot_list(disk, there, ROUNDS, &problem) == KEEP && there[KEEP - 1] == ROUNDS);
}

/* Guards against a writer that was killed being taken for one that is done, or for the engine's end. */
static void test_killed_child(storage *disk)
{
    snapshot_source sources[BOOKS];
    const snapshot_options options = {SNAPSHOT_BY_FORK, 1, KEEP, LOG_ID, 0};
    snapshot_problem problem;
    snapshot_report report;
    snapshotter *taker;
    int killed = 0;
    lend(sources);
    CHECK(snapshotter_new(disk, sources, BOOKS, &options, &taker, &problem) == 0);
    for (uint64_t round = 2000; killed < 3; round++) {
        CHECK(round < 3000);
        CHECK(snapshotter_take(taker, round, 1, 2) == SNAPSHOT_TAKEN);
        snapshotter_look(taker, &report);
        if (report.child > 0) {
            CHECK(kill(report.child, SIGKILL) == 0 || errno == ESRCH);
        }
        CHECK(snapshotter_wait(taker, UINT64_MAX) == 1);
        snapshotter_look(taker, &report);
        if (!report.done) {
            CHECK(strcmp(report.problem.call, "child") == 0 && report.signal == SIGKILL);
            killed++;
        }
    }
    CHECK(snapshotter_take(taker, 4000, 1, 2) == SNAPSHOT_TAKEN);
    CHECK(snapshotter_wait(taker, UINT64_MAX) == 1);
    snapshotter_look(taker, &report);
    CHECK(report.done && report.failed == 3);
    snapshotter_free(taker);
}

static int (*real_write)(storage *, int, uint64_t, const void *, size_t);
static uint64_t flip_at;

/* A disk that writes another byte than it was given, and says nothing. */
static int flipping_write(storage *self, int file, uint64_t offset, const void *from, size_t size)
{
    uint8_t *other = malloc(size);
    CHECK(other != NULL);
    memcpy(other, from, size);
    if (flip_at >= offset && flip_at - offset < size) {
        other[flip_at - offset] ^= 4;
    }
    const int error = real_write(self, file, offset, other, size);
    free(other);
    return error;
}

/* Guards against older snapshots, and the log they need, given up for one that nobody can read. */
static void test_what_is_written_is_read_again(void)
{
    snapshot_source sources[BOOKS];
    const snapshot_options options = {SNAPSHOT_BY_COPY, 0, 1, LOG_ID, 0};
    snapshot_problem problem;
    snapshot_report report;
    snapshotter *taker;
    uint64_t there[2];
    storage *disk = sim_new(1, 1 << 24);
    CHECK(disk != NULL);
    lend(sources);
    books[0].count = books[1].count = 2;
    CHECK(snapshotter_new(disk, sources, BOOKS, &options, &taker, &problem) == 0);
    CHECK(snapshotter_take(taker, 1, 1, 2) == SNAPSHOT_TAKEN);
    CHECK(snapshotter_wait(taker, 1) == 1);
    snapshotter_look(taker, &report);
    real_write = disk->file_write;
    disk->file_write = flipping_write;
    for (flip_at = 0; flip_at < report.bytes; flip_at++) {
        snapshot_report failed;
        CHECK(snapshotter_take(taker, 2, 1, 2) == SNAPSHOT_TAKEN);
        CHECK(snapshotter_wait(taker, 2) == 1);
        snapshotter_look(taker, &failed);
        CHECK(!failed.done && strcmp(failed.problem.call, "verify") == 0);
        CHECK(snapshot_list(disk, there, 2, &problem) == 1 && there[0] == 1);
    }
    /* The control: past the end nothing is another byte. */
    CHECK(snapshotter_take(taker, 2, 1, 2) == SNAPSHOT_TAKEN && snapshotter_wait(taker, 2) == 1);
    CHECK(snapshot_list(disk, there, 2, &problem) == 1 && there[0] == 2);
    snapshotter_free(taker);
    storage_free(disk);
}

static int (*real_list)(storage *, size_t, char[64]);
static uint64_t lists, change_at;

/* A disk where, just before one of the looks, the log's thread takes a file away, or makes one. */
static int changing_list(storage *self, size_t index, char name[64])
{
    if (++lists == change_at && self->file_remove(self, "00000000000000000001.log") != 0) {
        CHECK(self->file_create(self, "00000000000000000001.log", 1) >= 0);
    }
    return real_list(self, index, name);
}

/* Guards against one that is there and not counted: the log it needs would go too soon. */
static void test_a_log_that_makes_files_meanwhile(void)
{
    snapshot_problem problem;
    uint64_t there[8];
    char name[STORAGE_NAME_BYTES];
    storage *disk = sim_new(1, 1 << 24);
    CHECK(disk != NULL);
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "%020d.snap", 10 * i);
        CHECK(disk->file_create(disk, name, 1) >= 0);
        snprintf(name, sizeof name, "%020d.log", 10 * i + 1);
        CHECK(disk->file_create(disk, name, 1) >= 0);
    }
    real_list = disk->directory_list;
    disk->directory_list = changing_list;
    for (uint64_t end = 0, k = 1; !end; k++) {
        change_at = k;
        lists = 0;
        CHECK(snapshot_list(disk, there, 8, &problem) == 5 && there[0] == 0 && there[4] == 40);
        end = lists < k; /* the control: the change came at every look there is */
        CHECK(!end || k > 20);
    }
    storage_free(disk);
}

int main(void)
{
    char directory[] = "build/test_snapshotter.XXXXXX";
    snapshot_problem problem;
    storage *disk;
    mkdir("build", 0777);
    CHECK(mkdtemp(directory) != NULL);
    CHECK(storage_posix_new(directory, &disk) == 0);
    const snapshot_options ways[] = {
        {SNAPSHOT_BY_FORK, 1, KEEP, LOG_ID, 0},
        {SNAPSHOT_BY_COPY, 1, KEEP, LOG_ID, 0},
        {SNAPSHOT_BY_COPY, 0, KEEP, LOG_ID, 0},
        {SNAPSHOT_BY_FORK, 1, KEEP, LOG_ID, ORDERS}, /* now so, now so */
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        test_rounds(disk, &ways[i]);
        test_free_at_any_time(disk, &ways[i]);
        uint64_t there[KEEP];
        CHECK(snapshot_list(disk, there, KEEP, &problem) == KEEP);
        for (size_t k = 0; k < KEEP; k++) {
            char name[STORAGE_NAME_BYTES];
            snprintf(name, sizeof name, "%020llu.snap", (unsigned long long)there[k]);
            CHECK(disk->file_remove(disk, name) == 0);
        }
    }
    test_killed_child(disk);
    char name[STORAGE_NAME_BYTES];
    while (disk->directory_list(disk, 0, name) > 0) {
        CHECK(disk->file_remove(disk, name) == 0);
    }
    storage_free(disk);
    CHECK(rmdir(directory) == 0);
    storage *sim = sim_new(1, 1 << 24);
    CHECK(sim != NULL);
    test_rounds(sim, &ways[2]);
    storage_free(sim);
    test_what_is_written_is_read_again();
    test_a_log_that_makes_files_meanwhile();
    return 0;
}
