/* test_storage_sim.c - the simulated disk by itself: proofs that stand on it are worth what it is.
 *
 *     what is synced is there after every cut; what is not is sometimes there, sometimes not,
 *     sometimes in part; and nothing is ever there that nobody has written
 */
#include <errno.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase6_wal/c/storage_sim.h"

enum { SEEDS = 400, SECTOR = STORAGE_SECTOR_BYTES, FILE_BYTES = 8 * SECTOR, ROOM = 1 << 20 };

static void fill(uint8_t *bytes, uint8_t value)
{
    memset(bytes, value, FILE_BYTES);
}

static int new_file(storage *disk, const char *name, uint8_t value)
{
    uint8_t bytes[FILE_BYTES];
    fill(bytes, value);
    int file = disk->file_create(disk, name, FILE_BYTES);
    CHECK(file >= 0 && disk->file_write(disk, file, 0, bytes, FILE_BYTES) == 0);
    return file;
}

/* A file that is on the disk, name and all. */
static int kept_file(storage *disk, const char *name, uint8_t value)
{
    int file = new_file(disk, name, value);
    CHECK(disk->file_sync(disk, file) == 0 && disk->directory_sync(disk) == 0);
    return file;
}

/* -1 if it is not there, else its size, with its bytes. */
static int64_t look(storage *disk, const char *name, uint8_t *bytes)
{
    uint64_t size;
    int file = disk->file_open(disk, name, &size);
    if (file == -ENOENT) {
        return -1;
    }
    CHECK(file >= 0 && size <= FILE_BYTES && disk->file_read(disk, file, 0, bytes, size) == 0);
    CHECK(disk->file_close(disk, file) == 0);
    return (int64_t)size;
}

static void cut(storage *disk)
{
    sim_power_cut(disk);
    sim_power_on(disk);
}

/* --- calls ------------------------------------------------------------------------------------ */

/* Guards: a simulated call that answers otherwise than the real one. */
static void test_calls(void)
{
    storage *disk = sim_new(1, ROOM);
    uint8_t bytes[FILE_BYTES];
    char name[STORAGE_NAME_BYTES];
    uint64_t size;
    int file = new_file(disk, "b", 7);
    CHECK(disk->file_create(disk, "b", 1) == -EEXIST && disk->file_create(disk, "", 1) == -EINVAL);
    CHECK(disk->file_create(disk, "x/y", 1) == -EINVAL);
    memset(name, 'n', sizeof name);
    CHECK(disk->file_create(disk, name, 1) == -EINVAL);
    CHECK(disk->file_open(disk, "c", &size) == -ENOENT && disk->file_remove(disk, "c") == -ENOENT);
    CHECK(disk->file_read(disk, file, 1, bytes, FILE_BYTES) == -EIO);
    CHECK(disk->file_read(disk, file, FILE_BYTES, bytes, 1) == -EIO);
    CHECK(disk->file_close(disk, new_file(disk, "a", 1)) == 0);
    CHECK(disk->directory_list(disk, 0, name) == 1 && strcmp(name, "a") == 0);
    CHECK(disk->directory_list(disk, 1, name) == 1 && strcmp(name, "b") == 0);
    CHECK(disk->directory_list(disk, 2, name) == 0);
    CHECK(disk->file_rename(disk, "b", "a") == 0 && disk->directory_list(disk, 1, name) == 0);
    CHECK(look(disk, "a", bytes) == FILE_BYTES && bytes[0] == 7 && look(disk, "b", bytes) == -1);
    CHECK(disk->file_write(disk, file, FILE_BYTES - 1, "xyz", 3) == 0); /* makes it longer */
    CHECK(disk->file_close(disk, file) == 0 && disk->file_close(disk, file) == -EBADF);
    CHECK(disk->file_write(disk, file, 0, "x", 1) == -EBADF && disk->file_sync(disk, 99) == -EBADF);
    file = disk->file_open(disk, "a", &size);
    CHECK(file >= 0 && size == FILE_BYTES + 2);
    CHECK(disk->file_read(disk, file, FILE_BYTES - 2, bytes, 4) == 0);
    CHECK(memcmp(bytes, "\7xyz", 4) == 0);
    CHECK(sim_calls(disk, SIM_RENAME) == 1 && sim_calls(disk, SIM_CREATE) == 6);
    storage_free(disk);
}

/* Guards: a file that takes no room, room that never comes back, a write that needs room again. */
static void test_room(void)
{
    storage *disk = sim_new(1, 2 * 4096 + 100);
    int first = disk->file_create(disk, "a", 4096);
    CHECK(first >= 0 && disk->file_create(disk, "b", 4097) == -ENOSPC);
    CHECK(disk->file_create(disk, "c", UINT64_MAX) == -ENOSPC);
    int second = disk->file_create(disk, "b", 1);
    CHECK(second >= 0 && sim_used(disk) == 8192 && disk->file_create(disk, "c", 1) == -ENOSPC);
    CHECK(disk->file_write(disk, first, 4000, "full", 4) == 0);
    CHECK(disk->file_write(disk, second, 4000, "four", 4) == 0);
    CHECK(disk->file_write(disk, second, 4094, "five", 4) == -ENOSPC);
    CHECK(disk->file_remove(disk, "a") == 0 && sim_used(disk) == 8192); /* open: still held */
    CHECK(disk->file_close(disk, first) == 0 && sim_used(disk) == 4096);
    sim_set_capacity(disk, 0);
    CHECK(sim_used(disk) == 4096 && disk->file_create(disk, "c", 1) == -ENOSPC);
    sim_set_capacity(disk, 8192);
    CHECK(disk->file_create(disk, "c", 4096) >= 0);
    storage_free(disk);
}

/* --- cuts ------------------------------------------------------------------------------------- */

/* Guards: a cut that loses what was synced; that never forgets, tears or reorders what was not; or
 * that invents bytes. */
static void test_contents_at_a_cut(void)
{
    int all_old = 0, all_new = 0, torn = 0, reordered = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        storage *disk = sim_new(seed, ROOM);
        uint8_t bytes[FILE_BYTES];
        int kept = kept_file(disk, "kept", 1);
        int open = kept_file(disk, "open", 1);
        fill(bytes, 2);
        CHECK(disk->file_write(disk, kept, 0, bytes, FILE_BYTES) == 0);
        CHECK(disk->file_write(disk, open, 0, bytes, FILE_BYTES) == 0);
        CHECK(disk->file_sync(disk, kept) == 0);
        cut(disk);
        CHECK(look(disk, "kept", bytes) == FILE_BYTES);
        for (int at = 0; at < FILE_BYTES; at++) {
            CHECK(bytes[at] == 2);
        }
        CHECK(look(disk, "open", bytes) == FILE_BYTES);
        int new = 0, order = 0;
        for (int at = 0; at < FILE_BYTES; at++) {
            CHECK((bytes[at] == 1 || bytes[at] == 2) && bytes[at] == bytes[at / SECTOR * SECTOR]);
            new += bytes[at] == 2;
            order |= at > 0 && bytes[at] == 2 && bytes[at - 1] == 1;
        }
        all_old += new == 0;
        all_new += new == FILE_BYTES;
        torn += new > 0 && new < FILE_BYTES;
        reordered += order;
        storage_free(disk);
    }
    CHECK(all_old > SEEDS / 20 && all_new > SEEDS / 20);
    CHECK(torn > SEEDS / 4 && reordered > SEEDS / 8);
}

/* Guards: a disk that only knows the last sync and the last write, and nothing in between: the
 * kernel writes pages when it likes. */
static void test_the_kernel_writes_unasked(void)
{
    int between = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        storage *disk = sim_new(seed, ROOM);
        uint8_t bytes[FILE_BYTES];
        int file = kept_file(disk, "a", 1);
        for (uint8_t value = 2; value < 10; value++) {
            fill(bytes, value);
            CHECK(disk->file_write(disk, file, 0, bytes, FILE_BYTES) == 0);
        }
        cut(disk);
        CHECK(look(disk, "a", bytes) == FILE_BYTES && bytes[0] >= 1 && bytes[0] <= 9);
        between += bytes[0] > 1 && bytes[0] < 9;
        storage_free(disk);
    }
    CHECK(between > SEEDS / 20);
}

/* Guards: stores to a map that a cut cannot lose, a map_sync that keeps more or less than its
 * range, and a dead map through which the file of after the cut can be reached. */
static void test_maps_at_a_cut(void)
{
    int lost = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        storage *disk = sim_new(seed, ROOM);
        uint8_t bytes[FILE_BYTES];
        void *memory;
        int file = disk->file_create(disk, "a", 3 * 4096);
        CHECK(disk->file_sync(disk, file) == 0 && disk->directory_sync(disk) == 0);
        CHECK(disk->map(disk, file, 4 * 4096, &memory) == -EINVAL);
        CHECK(disk->map(disk, file, 3 * 4096, &memory) == 0);
        CHECK(disk->map_touch(disk, memory, 4096, 4096) == 0);
        memset(memory, 5, 3 * 4096);
        CHECK(disk->file_read(disk, file, 4096, bytes, 4096) == 0 && bytes[9] == 5);
        CHECK(disk->map_sync(disk, memory, 5000, 1) == 0); /* its page */
        cut(disk);
        CHECK(disk->map_sync(disk, memory, 0, 1) == -EIO);
        memset(memory, 9, 3 * 4096);
        uint64_t size;
        int again = disk->file_open(disk, "a", &size);
        CHECK(again >= 0 && again != file && size == 3 * 4096);
        CHECK(disk->file_read(disk, file, 0, bytes, 1) == -EIO);
        CHECK(disk->file_read(disk, again, 4096, bytes, 4096) == 0);
        CHECK(bytes[0] == 5 && memcmp(bytes, bytes + 1, 4095) == 0);
        CHECK(disk->file_read(disk, again, 8192, bytes, 4096) == 0);
        for (int at = 0; at < 4096; at++) {
            CHECK(bytes[at] == 0 || bytes[at] == 5);
        }
        lost += bytes[0] == 0;
        CHECK(disk->unmap(disk, memory, 3 * 4096) == 0 && disk->file_close(disk, file) == 0);
        storage_free(disk);
    }
    CHECK(lost > SEEDS / 8 && lost < SEEDS - SEEDS / 8);
}

/* Guards: names that last without a directory_sync, a rename of which half lasts, a file that is as
 * long as it was although no sync has said so. */
static void test_names_at_a_cut(void)
{
    int created = 0, renamed = 0, removed = 0, shorter = 0, out_of_order = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        storage *disk = sim_new(seed, ROOM);
        uint8_t bytes[FILE_BYTES];
        kept_file(disk, "old", 1);
        kept_file(disk, "gone", 2);
        kept_file(disk, "next.tmp", 3);
        int synced = new_file(disk, "synced", 4);
        CHECK(disk->file_sync(disk, synced) == 0);
        new_file(disk, "fresh", 5);
        CHECK(disk->file_remove(disk, "gone") == 0);
        CHECK(disk->file_rename(disk, "next.tmp", "old") == 0);
        cut(disk);
        int64_t size = look(disk, "synced", bytes);
        CHECK(size == -1 || (size == FILE_BYTES && bytes[0] == 4));
        int has_synced = size >= 0;
        created += has_synced;
        size = look(disk, "fresh", bytes);
        shorter += size >= 0 && size < FILE_BYTES;
        int has_removed = look(disk, "gone", bytes) == -1;
        removed += has_removed;
        out_of_order += has_removed && !has_synced;
        CHECK(look(disk, "old", bytes) == FILE_BYTES);
        int has_renamed = bytes[0] == 3;
        CHECK(has_renamed || bytes[0] == 1);
        CHECK((look(disk, "next.tmp", bytes) == -1) == has_renamed);
        renamed += has_renamed;
        cut(disk); /* what has once been seen stays */
        CHECK((look(disk, "synced", bytes) >= 0) == has_synced);
        CHECK(look(disk, "fresh", bytes) == size);
        storage_free(disk);
    }
    CHECK(created > SEEDS / 4 && created < SEEDS * 3 / 4 && renamed > SEEDS / 4);
    CHECK(renamed < SEEDS * 3 / 4 && removed > SEEDS / 4 && removed < SEEDS * 3 / 4);
    CHECK(shorter > SEEDS / 20 && out_of_order > SEEDS / 40);
}

/* Guards: a cut at another call than the one named, or calls that work without power. */
static void test_cut_at_a_call(void)
{
    storage *disk = sim_new(3, ROOM);
    uint8_t bytes[FILE_BYTES];
    char name[STORAGE_NAME_BYTES];
    int file = kept_file(disk, "a", 1);
    sim_cut_at(disk, 2);
    CHECK(disk->file_write(disk, file, 0, "x", 1) == 0 && !sim_is_cut(disk));
    uint64_t calls = sim_calls(disk, SIM_ANY);
    CHECK(disk->file_sync(disk, file) == -EIO && sim_is_cut(disk));
    CHECK(sim_calls(disk, SIM_ANY) == calls + 1);
    CHECK(disk->file_create(disk, "b", 1) == -EIO && disk->file_open(disk, "a", &calls) == -EIO);
    CHECK(disk->directory_list(disk, 0, name) == -EIO && disk->directory_sync(disk) == -EIO);
    sim_power_on(disk);
    CHECK(disk->file_write(disk, file, 0, "x", 1) == -EIO && disk->file_close(disk, file) == 0);
    CHECK(look(disk, "a", bytes) == FILE_BYTES && look(disk, "b", bytes) == -1);
    storage_free(disk);
}

/* Guards: a crash of the process that loses what it has written, or leaves its files open. */
static void test_crash_of_the_process(void)
{
    for (uint64_t seed = 0; seed < SEEDS / 8; seed++) {
        storage *disk = sim_new(seed, ROOM);
        uint8_t bytes[FILE_BYTES];
        void *memory;
        int file = new_file(disk, "a", 1);
        CHECK(disk->map(disk, file, FILE_BYTES, &memory) == 0);
        memset(memory, 2, FILE_BYTES);
        CHECK(disk->file_rename(disk, "a", "b") == 0);
        sim_process_crash(disk);
        memset(memory, 3, FILE_BYTES);
        CHECK(disk->file_write(disk, file, 0, bytes, 1) == -EIO);
        CHECK(look(disk, "a", bytes) == -1 && look(disk, "b", bytes) == FILE_BYTES);
        CHECK(bytes[0] == 2 && memcmp(bytes, bytes + 1, FILE_BYTES - 1) == 0);
        cut(disk); /* it was never synced */
        CHECK(look(disk, "b", bytes) <= FILE_BYTES);
        storage_free(disk);
    }
}

/* --- faults ----------------------------------------------------------------------------------- */

/* Guards: a fault at another call than the k-th, or more often than told. */
static void test_faults(void)
{
    storage *disk = sim_new(5, ROOM);
    uint8_t bytes[FILE_BYTES];
    int file = kept_file(disk, "a", 1);
    sim_fail(disk, SIM_WRITE, 2, ENOSPC, 0);
    CHECK(disk->file_write(disk, file, 0, "x", 1) == 0);
    CHECK(disk->file_sync(disk, file) == 0);
    fill(bytes, 2);
    CHECK(disk->file_write(disk, file, 0, bytes, FILE_BYTES) == -ENOSPC);
    CHECK(look(disk, "a", bytes) == FILE_BYTES && bytes[FILE_BYTES - 1] == 1);
    CHECK(disk->file_write(disk, file, 0, "x", 1) == 0 && sim_fired(disk) == 1);
    sim_fail(disk, SIM_ANY, 1, EIO, 1);
    CHECK(disk->file_create(disk, "b", 1) == -EIO && disk->file_remove(disk, "a") == -EIO);
    CHECK(disk->file_rename(disk, "a", "b") == -EIO && sim_fired(disk) == 4);
    sim_fail(disk, SIM_ANY, 0, 0, 0);
    CHECK(look(disk, "a", bytes) == FILE_BYTES && look(disk, "b", bytes) == -1);
    storage_free(disk);
}

/* Guards: a failed sync after which a second one would be believed, or, of the directory, be made.
 * The control: bytes written once more are kept by the second. */
static void test_a_failed_sync_lies_afterwards(void)
{
    int lost = 0, unnamed = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        storage *disk = sim_new(seed, ROOM);
        uint8_t bytes[FILE_BYTES];
        int file = kept_file(disk, "a", 1);
        fill(bytes, 2);
        CHECK(disk->file_write(disk, file, 0, bytes, FILE_BYTES) == 0);
        sim_fail(disk, SIM_SYNC, 1, EIO, 0);
        CHECK(disk->file_sync(disk, file) == -EIO && sim_retried(disk) == 0);
        CHECK(disk->file_sync(disk, file) == 0 && sim_retried(disk) == 1);
        CHECK(look(disk, "a", bytes) == FILE_BYTES && bytes[SECTOR] == 2); /* the cache */
        CHECK(disk->file_write(disk, file, 0, bytes, SECTOR) == 0);
        CHECK(disk->file_sync(disk, file) == 0);
        CHECK(disk->file_sync(disk, new_file(disk, "b", 1)) == 0);
        sim_fail(disk, SIM_DIRECTORY_SYNC, 1, EIO, 0);
        CHECK(disk->directory_sync(disk) == -EIO && disk->directory_sync(disk) == -EROFS);
        CHECK(sim_retried(disk) == 3 && disk->file_write(disk, file, 0, bytes, 1) == -EROFS);
        CHECK(look(disk, "b", bytes) == FILE_BYTES);
        cut(disk);
        CHECK(look(disk, "a", bytes) == FILE_BYTES && bytes[0] == 2 && bytes[SECTOR - 1] == 2);
        lost += bytes[SECTOR] == 1;
        CHECK(bytes[SECTOR] == 1 || bytes[SECTOR] == 2);
        unnamed += look(disk, "b", bytes) == -1;
        storage_free(disk);
    }
    CHECK(lost > SEEDS / 4 && lost < SEEDS && unnamed > SEEDS / 4 && unnamed < SEEDS);
}

/* Guards: a control that would not notice a writer which never syncs. */
static void test_lying(void)
{
    int lost = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        storage *disk = sim_new(seed, ROOM);
        uint8_t bytes[FILE_BYTES];
        int file = kept_file(disk, "a", 1);
        sim_set_lying(disk, (int)(seed % 2) * SIM_SYNC, 1); /* SIM_ANY, SIM_SYNC */
        fill(bytes, 2);
        CHECK(disk->file_write(disk, file, 0, bytes, FILE_BYTES) == 0);
        CHECK(disk->file_sync(disk, file) == 0 && disk->directory_sync(disk) == 0);
        cut(disk);
        CHECK(look(disk, "a", bytes) == FILE_BYTES);
        lost += memchr(bytes, 1, FILE_BYTES) != NULL;
        storage_free(disk);
    }
    CHECK(lost > SEEDS / 2);
}

/* Guards: a fate that depends on anything but the seed and the calls. */
static void test_the_same_seed_is_the_same_fate(void)
{
    uint8_t first[FILE_BYTES], second[FILE_BYTES];
    int different = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        for (int turn = 0; turn < 2; turn++) {
            storage *disk = sim_new(seed, ROOM);
            int file = kept_file(disk, "a", 1);
            fill(first, 2);
            CHECK(disk->file_write(disk, file, 0, first, FILE_BYTES) == 0);
            cut(disk);
            CHECK(look(disk, "a", turn == 0 ? second : first) == FILE_BYTES);
            storage_free(disk);
        }
        CHECK(memcmp(first, second, FILE_BYTES) == 0);
        different += first[0] != first[SECTOR];
    }
    CHECK(different > 0);
}

int main(void)
{
    test_calls();
    test_room();
    test_contents_at_a_cut();
    test_the_kernel_writes_unasked();
    test_maps_at_a_cut();
    test_names_at_a_cut();
    test_cut_at_a_call();
    test_crash_of_the_process();
    test_faults();
    test_a_failed_sync_lies_afterwards();
    test_lying();
    test_the_same_seed_is_the_same_fate();
    return 0;
}
