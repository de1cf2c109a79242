/* test_log_journal.c - a log as a pipeline's journal, on a disk that fails when told to.
 *
 *   outcome of a hand-over                                            allowed?
 *   0, and the log's promise holds for every command of it            yes
 *   0, and it does not                                                no: its events are let out
 *   an error, and the commands are not acknowledged                   yes
 *   an error, and a later hand-over succeeds                          only after LOG_FULL
 *   commands of another sequence than the log comes to are taken      no
 */
#include <errno.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase6_wal/c/log_journal.h"
#include "phase6_wal/c/storage_sim.h"

enum { SEGMENT = 64 * 1024, SLOTS = (SEGMENT - LOG_HEADER_BYTES) / LOG_RECORD_BYTES, MOST = 4096 };

typedef struct {
    storage *disk;
    log_writer *log;
    log_journal *journal;
    uint64_t sent;
} world;

static world world_new(uint32_t durability, int reserve)
{
    world it = {.disk = sim_new(1, 64 << 20)};
    log_options options = {.content = LOG_COMMANDS,
                           .durability = durability,
                           .method = durability == DURABLE_PAGE_CACHE ? LOG_MAPPED : LOG_WRITTEN,
                           .spares = 1,
                           .reserve = 1,
                           .segment_bytes = SEGMENT,
                           .buffer_bytes = SEGMENT,
                           .group_count = 1000,
                           .group_ns = UINT64_C(3600000000000), /* nothing is due by time */
                           .log_id = 5,
                           .seed = 7};
    log_position begin = {0};
    log_problem problem;
    CHECK(log_writer_new(it.disk, &options, &begin, &it.log, &problem) == 0);
    it.journal = log_journal_new(it.log, reserve);
    CHECK(it.journal != NULL);
    return it;
}

static void world_free(world *it)
{
    log_journal_free(it->journal);
    log_writer_close(it->log);
    log_writer_free(it->log);
    storage_free(it->disk);
}

/* hand_over: the next `count` commands, numbered as a ring does. */
static int hand_over(world *it, size_t count)
{
    static command_record commands[MOST];
    CHECK(count <= MOST);
    memset(commands, 0, sizeof commands);
    for (size_t i = 0; i < count; i++) {
        commands[i].sequence = it->sent + 1 + i;
        commands[i].order_id = commands[i].sequence;
    }
    int code = log_journal_append(it->journal, commands, count);
    it->sent += code == 0 ? count : 0;
    return code;
}

static log_journal_counters counted(const world *it)
{
    log_journal_counters counters;
    log_journal_count(it->journal, &counters);
    return counters;
}

/* Guards: a gate that opens while some of a hand-over still wait for a flush, or one that takes two. */
static void test_one_hand_over_is_one_commit(void)
{
    for (uint32_t durability = DURABLE_NONE; durability <= DURABLE_SYNC; durability++) {
        world it = world_new(durability, 1);
        uint64_t syncs = sim_calls(it.disk, SIM_SYNC) + sim_calls(it.disk, SIM_MAP_SYNC);
        CHECK(hand_over(&it, 0) == 0 && hand_over(&it, 1) == 0 && hand_over(&it, 300) == 0);
        CHECK(log_acknowledged(it.log) == 301 && log_sequence(it.log) == 301);
        syncs = sim_calls(it.disk, SIM_SYNC) + sim_calls(it.disk, SIM_MAP_SYNC) - syncs;
        int promised = durability >= DURABLE_GROUP;
        CHECK(syncs == (promised ? 2 : 0) && log_durable(it.log) == (promised ? 301 : 0));
        CHECK(hand_over(&it, MOST) == 0); /* several segments */
        CHECK(log_acknowledged(it.log) == 301 + MOST);
        log_journal_counters counters = counted(&it);
        CHECK(counters.commands == 301 + MOST && counters.largest_batch == MOST);
        CHECK(counters.batches == 4 && counters.reserved == 0);
        world_free(&it);
    }
}

/* Guards: a ring and a log of two runs, one behind the other: commands that replay as others. */
static void test_out_of_step(void)
{
    world it = world_new(DURABLE_PAGE_CACHE, 1);
    CHECK(hand_over(&it, 10) == 0);
    for (int step = -1; step <= 1; step += 2) {
        it.sent = (uint64_t)(10 + step);
        CHECK(hand_over(&it, 3) == JOURNAL_OUT_OF_STEP);
        log_journal_counters counters = counted(&it);
        CHECK(counters.expected == 11 && counters.found == it.sent + 1 && counters.batches == 1);
        CHECK(log_sequence(it.log) == 10);
    }
    it.sent = 10;
    CHECK(hand_over(&it, 3) == 0);
    world_free(&it);
}

/* Guards: a failed write or sync, whichever it is, that lets a hand-over through then or later. */
static void test_every_failure(void)
{
    static const int kinds[] = {SIM_SYNC, SIM_WRITE, SIM_DIRECTORY_SYNC, SIM_CREATE, SIM_RENAME};
    uint64_t failures = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (uint64_t k = 1;; k++) {
            world it = world_new(k % 2 ? DURABLE_GROUP : DURABLE_SYNC, 0);
            sim_fail(it.disk, kinds[i], k, EIO, 0);
            int code = 0;
            uint64_t acknowledged = 0;
            for (int batch = 0; batch < 20 && code == 0; batch++) {
                code = hand_over(&it, 1 + (size_t)batch * 10);
                acknowledged = code == 0 ? log_acknowledged(it.log) : acknowledged;
                CHECK(acknowledged == it.sent);
            }
            int fired = sim_fired(it.disk) > 0;
            log_problem problem;
            log_journal_problem(it.journal, &problem);
            CHECK(fired == (code == LOG_FAILED) && problem.error == (fired ? EIO : 0));
            if (fired) {
                failures++;
                CHECK(problem.code == LOG_FAILED && strlen(problem.name) > 0);
                CHECK(hand_over(&it, 1) < 0);
                CHECK(log_acknowledged(it.log) == acknowledged && sim_retried(it.disk) == 0);
            }
            world_free(&it);
            if (!fired) {
                CHECK(k > 1);
                break;
            }
        }
    }
    CHECK(failures > 20);
}

/* Guards: a full disk that ends everything while there is a reserve; a reserve that is used unasked or
 * unsaid; a journal that stays closed when there is space again. */
static void test_a_full_disk(void)
{
    for (int reserve = 0; reserve <= 1; reserve++) {
        world it = world_new(DURABLE_GROUP, reserve);
        CHECK(hand_over(&it, 10) == 0 && !log_journal_is_full(it.journal));
        sim_set_capacity(it.disk, sim_used(it.disk));
        uint64_t ordinary = 0;
        int code = 0;
        while (code == 0 && !log_journal_is_full(it.journal)) {
            ordinary = it.sent;
            code = hand_over(&it, 10);
        }
        CHECK(log_journal_is_full(it.journal) && log_acknowledged(it.log) == it.sent);
        if (reserve) {
            CHECK(code == 0 && counted(&it).reserved == 10);
            while ((code = hand_over(&it, 10)) == 0) {
                CHECK(log_journal_is_full(it.journal));
            }
            CHECK(it.sent - ordinary >= SLOTS - 10 && counted(&it).reserved == it.sent - ordinary);
        }
        CHECK(code == LOG_FULL && log_acknowledged(it.log) == it.sent);
        CHECK(counted(&it).commands == it.sent);
        sim_set_capacity(it.disk, 64 << 20);
        CHECK(hand_over(&it, 10) == 0 && !log_journal_is_full(it.journal));
        CHECK(log_acknowledged(it.log) == it.sent && log_sequence(it.log) == it.sent);
        world_free(&it);
    }
}

int main(void)
{
    test_one_hand_over_is_one_commit();
    test_out_of_step();
    test_every_failure();
    test_a_full_disk();
    log_journal_free(NULL);
    return 0;
}
