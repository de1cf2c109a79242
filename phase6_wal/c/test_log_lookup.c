/* test_log_lookup.c - records out of segments that this file writes itself, from log_format.h alone.
 *
 *   outcome                                                        allowed?
 *   the record of that sequence, whatever marks stand before it    yes
 *   missing, although it is there                                  no
 *   another record's bytes, a mark's, half a record's              no
 *   what an earlier use of the file has left                       no
 *   a storage failure told as "missing"                            no: the caller would not ask again
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase6_wal/c/crc32c.h"
#include "phase6_wal/c/log_lookup.h"
#include "phase6_wal/c/storage_sim.h"

enum { SLOTS = 203, BYTES = LOG_HEADER_BYTES + SLOTS * LOG_RECORD_BYTES + 32 };
enum { ID = 77, SALT = 12345 };

typedef struct {
    storage *disk;
    int file;
    uint64_t first;
    uint64_t slot;
    uint32_t salt;
} segment;

static uint64_t random_below(uint64_t *state, uint64_t bound)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state >> 33) % bound;
}

static void name_of(uint64_t first, char name[STORAGE_NAME_BYTES])
{
    snprintf(name, STORAGE_NAME_BYTES, "%020llu.log", (unsigned long long)first);
}

static void write_header(segment *it, uint64_t id, uint32_t content)
{
    log_header header = {.version = LOG_VERSION, .content = (uint16_t)content,
                         .first_sequence = it->first, .number = 1, .log_id = id,
                         .bytes = BYTES, .salt = it->salt};
    memcpy(header.magic, LOG_MAGIC, 8);
    header.crc = crc32c(0, (const uint8_t *)&header + 12, sizeof header - 12);
    CHECK(it->disk->file_write(it->disk, it->file, 0, &header, sizeof header) == 0);
}

static segment new_segment(storage *disk, uint64_t first, uint32_t salt)
{
    char name[STORAGE_NAME_BYTES];
    name_of(first, name);
    segment it = {.disk = disk, .first = first, .salt = salt};
    it.file = disk->file_create(disk, name, BYTES);
    CHECK(it.file >= 0);
    write_header(&it, ID, LOG_EVENTS);
    return it;
}

static void fill_body(uint64_t sequence, uint64_t body[8])
{
    body[0] = sequence;
    for (uint64_t i = 1; i < 8; i++) {
        body[i] = sequence * 1000003 + i;
    }
}

static void append(segment *it, uint64_t sequence, int kind)
{
    log_record record = {.length = LOG_RECORD_BYTES, .kind = (uint8_t)kind};
    fill_body(sequence, record.body);
    if (kind == RECORD_MARK) {
        record.body[3] = 0xabcdef; /* anything but the event's */
    }
    record.crc = crc32c(it->salt, (const uint8_t *)&record + 4, LOG_RECORD_BYTES - 4);
    CHECK(it->disk->file_write(it->disk, it->file, LOG_HEADER_BYTES + it->slot * LOG_RECORD_BYTES,
                               &record, sizeof record) == 0);
    it->slot++;
}

static void must_find(log_lookup *lookup, uint64_t sequence)
{
    uint64_t expected[8];
    uint64_t found[8];
    fill_body(sequence, expected);
    CHECK(log_lookup_read(lookup, sequence, found, sizeof found) == LOG_BODY_BYTES);
    CHECK(memcmp(found, expected, sizeof found) == 0);
}

static void must_miss(log_lookup *lookup, uint64_t sequence)
{
    uint64_t found[8];
    CHECK(log_lookup_read(lookup, sequence, found, sizeof found) == LOOKUP_MISSING);
}

static log_lookup_counters count(const log_lookup *lookup)
{
    log_lookup_counters counters;
    log_lookup_count(lookup, &counters);
    return counters;
}

/* Guards: the place of a record computed as if there were no marks, or one for each. */
static void test_every_record(void)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint64_t random = seed;
        storage *disk = sim_new(seed, 1 << 20);
        uint64_t begin = 1 + random_below(&random, 3) * 1000000007;
        uint64_t sequence = begin;
        uint64_t marks = random_below(&random, 4);
        for (int i = 0; i < 3; i++) {
            segment it = new_segment(disk, sequence, SALT + (uint32_t)i);
            uint64_t most = i == 2 ? 1 + random_below(&random, SLOTS) : SLOTS;
            while (it.slot < most) {
                if (random_below(&random, 8) < marks) {
                    append(&it, sequence - 1, RECORD_MARK);
                } else {
                    append(&it, sequence++, RECORD_EVENT);
                }
            }
        }
        log_lookup *lookup = log_lookup_new(disk, LOG_EVENTS, 0);
        CHECK(lookup != NULL);
        for (uint64_t one = begin; one < sequence; one++) {
            must_find(lookup, one);
        }
        CHECK(count(lookup).opened == 3 && count(lookup).listed <= 3);
        CHECK(count(lookup).reads <= 3 + 3 * SLOTS / 51);
        for (int i = 0; i < 200; i++) {
            must_find(lookup, begin + random_below(&random, sequence - begin));
        }
        must_miss(lookup, 0);
        must_miss(lookup, begin - 1);
        must_miss(lookup, sequence);
        must_miss(lookup, UINT64_MAX);
        must_find(lookup, begin);
        log_lookup_free(lookup);
        storage_free(disk);
    }
}

/* Guards: a record that came after the run was read, or a segment after the directory was. */
static void test_a_log_that_grows(void)
{
    storage *disk = sim_new(1, 1 << 20);
    log_lookup *lookup = log_lookup_new(disk, LOG_EVENTS, ID);
    must_miss(lookup, 1);
    uint64_t sequence = 1;
    for (int i = 0; i < 4; i++) {
        segment it = new_segment(disk, sequence, SALT + (uint32_t)i);
        while (it.slot < SLOTS) {
            append(&it, sequence, RECORD_EVENT);
            must_find(lookup, sequence);
            must_miss(lookup, sequence + 1);
            sequence++;
        }
    }
    must_find(lookup, 1);
    log_lookup_free(lookup);
    storage_free(disk);
}

/* Guards: half a record taken for one, or bytes that the crc does not cover with the salt. */
static void test_what_is_no_record(void)
{
    storage *disk = sim_new(1, 1 << 20);
    segment it = new_segment(disk, 1, SALT);
    append(&it, 1, RECORD_EVENT);
    append(&it, 2, RECORD_EVENT);
    log_lookup *lookup = log_lookup_new(disk, LOG_EVENTS, ID);
    uint64_t offset = LOG_HEADER_BYTES + LOG_RECORD_BYTES;
    for (uint64_t bit = 0; bit < 8 * LOG_RECORD_BYTES; bit++) {
        uint8_t byte;
        CHECK(disk->file_read(disk, it.file, offset + bit / 8, &byte, 1) == 0);
        byte ^= (uint8_t)(1u << bit % 8);
        CHECK(disk->file_write(disk, it.file, offset + bit / 8, &byte, 1) == 0);
        log_lookup_free(lookup); /* it keeps what it has read */
        lookup = log_lookup_new(disk, LOG_EVENTS, ID);
        must_miss(lookup, 2);
        must_find(lookup, 1);
        byte ^= (uint8_t)(1u << bit % 8);
        CHECK(disk->file_write(disk, it.file, offset + bit / 8, &byte, 1) == 0);
        must_find(lookup, 2);
    }
    /* Its own duplicate, or a command, where the next one should be. */
    append(&it, 2, RECORD_EVENT);
    must_miss(lookup, 3);
    it.slot--;
    append(&it, 3, RECORD_COMMAND);
    must_miss(lookup, 3);
    it.slot--;
    append(&it, 3, RECORD_MARK);
    must_miss(lookup, 3);
    it.slot--;
    append(&it, 3, RECORD_EVENT);
    must_find(lookup, 3);
    log_lookup_free(lookup);
    storage_free(disk);
}

/* Guards: an old record out of a file that is another segment by now, open or not. */
static void test_a_segment_that_is_used_again(void)
{
    storage *disk = sim_new(1, 1 << 20);
    segment old = new_segment(disk, 1, SALT);
    for (uint64_t sequence = 1; sequence <= SLOTS; sequence++) {
        append(&old, sequence, RECORD_EVENT);
    }
    segment next = new_segment(disk, SLOTS + 1, SALT + 1);
    append(&next, SLOTS + 1, RECORD_EVENT);
    log_lookup *lookup = log_lookup_new(disk, LOG_EVENTS, ID);
    must_find(lookup, SLOTS); /* now the old one is open, and the last run of it read */
    char from[STORAGE_NAME_BYTES];
    char to[STORAGE_NAME_BYTES];
    name_of(1, from);
    name_of(2 * SLOTS + 1, to);
    CHECK(disk->file_rename(disk, from, to) == 0);
    old.first = 2 * SLOTS + 1;
    old.salt = SALT + 2;
    old.slot = 0;
    write_header(&old, ID, LOG_EVENTS);
    append(&old, 2 * SLOTS + 1, RECORD_EVENT);
    must_miss(lookup, 1);
    must_miss(lookup, 2);
    must_find(lookup, SLOTS + 1);
    must_find(lookup, 2 * SLOTS + 1);
    must_miss(lookup, 2 * SLOTS + 2); /* its slot holds what was number 2 */
    CHECK(count(lookup).error == 0 && count(lookup).failed == 0);
    uint64_t listed = count(lookup).listed;
    must_miss(lookup, 3);
    CHECK(count(lookup).listed == listed); /* too old is too old */
    log_lookup_free(lookup);
    storage_free(disk);
}

/* Guards: events of another log, or commands, sent as events of this one. */
static void test_other_logs(void)
{
    storage *disk = sim_new(1, 1 << 20);
    segment it = new_segment(disk, 1, SALT);
    append(&it, 1, RECORD_EVENT);
    log_lookup *lookup = log_lookup_new(disk, LOG_EVENTS, ID + 1);
    must_miss(lookup, 1);
    log_lookup_free(lookup);
    lookup = log_lookup_new(disk, LOG_EVENTS, 0);
    must_find(lookup, 1);
    write_header(&it, ID + 1, LOG_EVENTS);
    segment other = new_segment(disk, 2, SALT);
    append(&other, 2, RECORD_EVENT);
    must_find(lookup, 2);
    must_miss(lookup, 1); /* the first segment had decided */
    log_lookup_free(lookup);
    write_header(&it, ID, LOG_COMMANDS);
    lookup = log_lookup_new(disk, LOG_EVENTS, ID);
    must_miss(lookup, 1);
    write_header(&it, ID, LOG_EVENTS);
    must_find(lookup, 1);
    uint8_t magic = 'm';
    CHECK(disk->file_write(disk, it.file, 0, &magic, 1) == 0);
    must_find(lookup, 1); /* it is open, and was right */
    log_lookup_free(lookup);
    lookup = log_lookup_new(disk, LOG_EVENTS, ID);
    must_miss(lookup, 1);
    log_lookup_free(lookup);
    /* A file that ends within its header, and names that are no segment's. */
    CHECK(disk->file_create(disk, "00000000000000000003.log", 100) >= 0);
    CHECK(disk->file_create(disk, "0000000000000000003x.log", BYTES) >= 0);
    CHECK(disk->file_create(disk, "99999999999999999999.log", BYTES) >= 0);
    CHECK(disk->file_create(disk, "00000000000000000002.log.tmp", BYTES) >= 0);
    CHECK(disk->file_create(disk, "lock", 0) >= 0);
    lookup = log_lookup_new(disk, LOG_EVENTS, ID);
    must_find(lookup, 2);
    must_miss(lookup, 3);
    must_miss(lookup, UINT64_MAX);
    log_lookup_free(lookup);
    storage_free(disk);
}

/* Guards: one failed read that ends it all, or that is taken for "the log has not got it". */
static void test_a_storage_that_fails(void)
{
    storage *disk = sim_new(1, 1 << 20);
    segment it = new_segment(disk, 1, SALT);
    for (uint64_t sequence = 1; sequence <= 100; sequence++) {
        append(&it, sequence, RECORD_EVENT);
    }
    for (uint64_t k = 1; k <= 3; k++) {
        uint64_t found[8];
        log_lookup *lookup = log_lookup_new(disk, LOG_EVENTS, ID);
        int kind = k == 1 ? SIM_OPEN : SIM_READ;
        sim_fail(disk, kind, k == 3 ? 2 : 1, EIO, 0);
        CHECK(log_lookup_read(lookup, 5, found, sizeof found) == LOOKUP_FAILED);
        CHECK(count(lookup).failed == 1 && count(lookup).error == EIO);
        must_find(lookup, 5);
        CHECK(log_lookup_read(lookup, 5, found, sizeof found - 1) == LOOKUP_NO_ROOM);
        log_lookup_free(lookup);
    }
    log_lookup_free(NULL);
    storage_free(disk);
}

int main(void)
{
    test_every_record();
    test_a_log_that_grows();
    test_what_is_no_record();
    test_a_segment_that_is_used_again();
    test_other_logs();
    test_a_storage_that_fails();
    return 0;
}
