/* test_pipeline_failures.c - the journal's gate, and stages that cannot go on.
 *
 *                     ┌▶ journal (slow, full, or held) ─(gate)─┐
 *      test thread ─▶ ┤                                        ▼
 *                     └▶ match ─▶ [event ring] ─▶ test thread
 *
 *   outcome                                                           allowed?
 *   an event is received whose command is in the journal              yes
 *   an event is withheld although its command is in the journal       yes: for a while; for good
 *                                                                     only if a stage failed
 *   an event is received whose command is not in the journal          no
 *   a stage fails, and a wait or a join does not end                  no
 *   a stage fails, and a producer is refused instead of told          no
 */
#include "phase4_ring/c/memory_journal.h"
#include "phase4_ring/c/pipeline_world.h"

/* --- journals ------------------------------------------------------------------------------ */

typedef struct {
    memory_journal *records;
    sequencer *commands;
    _Atomic uint64_t permits; /* held_append: commands it may append before it waits */
    _Atomic uint32_t released; /* trailing_append: no longer */
    uint64_t random;
} test_journal;

static test_journal journal_new(size_t capacity)
{
    test_journal made = {.records = memory_journal_new(capacity), .random = 3};
    CHECK(made.records != NULL);
    return made;
}

/* As many commands as there are permits; then it waits for more. */
static int held_append(void *context, const command_record *commands, size_t count)
{
    test_journal *self = context;
    UNTIL(atomic_load(&self->permits) >= memory_journal_count(self->records) + count);
    return memory_journal_append(self->records, commands, count);
}

/* Later than match, by nothing or by much. */
static int late_append(void *context, const command_record *commands, size_t count)
{
    test_journal *self = context;
    self->random = self->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    for (uint64_t steps = (self->random >> 33) % 3000; steps > 0; steps--) {
        wait_pause();
    }
    if (self->random >> 61 == 0) {
        sched_yield();
    }
    return memory_journal_append(self->records, commands, count);
}

/* Always a few commands behind match. */
static int trailing_append(void *context, const command_record *commands, size_t count)
{
    test_journal *self = context;
    UNTIL(atomic_load(&self->released) ||
          sequencer_cursor(self->commands, STAGE_MATCH) >= commands[count - 1].sequence + 8);
    return memory_journal_append(self->records, commands, count);
}

static int refusing_append(void *context, const command_record *commands, size_t count)
{
    (void)context;
    (void)commands;
    (void)count;
    return -77;
}

/* read_journaled: as world_read, and everything read is in the journal. */
static size_t read_journaled(world *it, const test_journal *journal, size_t most)
{
    size_t got = world_read(it, most);
    CHECK(it->reader.command - it->start <= memory_journal_count(journal->records));
    return got;
}

/* journal_check: it holds the commands 1 to `count`, as they stood in the ring. */
static void journal_check(const test_journal *journal, uint64_t count, uint64_t start)
{
    const command_record *records = memory_journal_records(journal->records);
    CHECK(memory_journal_count(journal->records) == count);
    for (uint64_t i = 0; i < count; i++) {
        CHECK(records[i].sequence == start + i + 1 && records[i].order_id == i + 1);
    }
}

/* --- the gate ------------------------------------------------------------------------------ */

/* Guards: an event that is seen before its command is in the journal. */
static void test_what_is_not_journaled_is_not_seen(void)
{
    const uint64_t starts[] = {0, UINT32_MAX - 5, UINT64_MAX - 5};
    for (size_t i = 0; i < 3; i++) {
        world it;
        world_plan plan = SMALL;
        test_journal journal = journal_new(100);
        plan.journal = held_append;
        plan.journal_context = &journal;
        plan.start = starts[i];
        world_start(&it, &plan);
        for (uint64_t round = 1; round <= 6; round++) {
            world_send_all(&it, 3, 4);
            CHECK(pipeline_wait_done(it.pipe, it.start + it.sent, LIMIT_NS) == WAIT_READY);
            CHECK(spsc_head(it.events) - it.start == 12 * round);
            CHECK(world_read(&it, 64) == 0);
            CHECK(pipeline_wait_events(it.pipe, WAIT_PARK, 3000000) == WAIT_TIMEOUT);
            atomic_store(&journal.permits, it.sent);
            while (it.reader.events < 12 * round) {
                CHECK(pipeline_wait_events(it.pipe, WAIT_PARK, LIMIT_NS) == WAIT_READY);
                CHECK(read_journaled(&it, &journal, 5) > 0);
            }
        }
        pipeline_close(it.pipe);
        world_read_all(&it, WAIT_PARK);
        world_join(&it);
        journal_check(&journal, 18, it.start);
        CHECK(stage_of(&it, STAGE_JOURNAL).state == STAGE_DRAINED);
        CHECK(stage_of(&it, STAGE_JOURNAL).commands == 18);
        world_free(&it);
        memory_journal_free(journal.records);
    }
}

/* Guards: a gate that opens a batch too early, in a race of journal and match. */
static void test_a_journal_that_lags(void)
{
    enum { COMMANDS = 6000 };
    for (int strategy = WAIT_YIELD; strategy <= WAIT_PARK; strategy++) {
        world it;
        world_plan plan = SMALL;
        test_journal journal = journal_new(COMMANDS);
        plan.journal = late_append;
        plan.journal_context = &journal;
        plan.strategy = strategy;
        world_start(&it, &plan);
        while (it.sent < COMMANDS) {
            int64_t pushed = world_send(&it, 1 + it.sent % 3);
            if ((pushed == 0 || it.sent % 2) && read_journaled(&it, &journal, 3) == 0) {
                sched_yield();
            }
        }
        pipeline_close(it.pipe);
        while (pipeline_wait_events(it.pipe, strategy, LIMIT_NS) == WAIT_READY) {
            CHECK(read_journaled(&it, &journal, 64) > 0);
        }
        world_join(&it);
        CHECK(it.reader.command == COMMANDS && it.reader.left == 0);
        journal_check(&journal, COMMANDS, 0);
        world_free(&it);
        memory_journal_free(journal.records);
    }
}

/* Guards: events withheld for as long as match stays ahead of the journal, which may be for ever:
 * under load it is always a little ahead. */
static void test_a_journal_that_never_catches_up(void)
{
    enum { COMMANDS = 20000 };
    world it;
    world_plan plan = SMALL;
    test_journal journal = journal_new(COMMANDS);
    plan.journal = trailing_append;
    plan.journal_context = &journal;
    plan.command_slots = 32;
    plan.event_slots = 32768; /* they would all fit: no back-pressure that lets the journal in */
    world_open(&it, &plan);
    journal.commands = it.commands;
    CHECK(pipeline_start(it.pipe) == 0);
    while (it.sent < COMMANDS) {
        world_send_all(&it, 1, 1);
        read_journaled(&it, &journal, 64);
    }
    CHECK(it.reader.events > COMMANDS / 2);
    atomic_store(&journal.released, 1);
    pipeline_close(it.pipe);
    world_read_all(&it, WAIT_PARK);
    world_join(&it);
    CHECK(it.reader.events == COMMANDS);
    world_free(&it);
    memory_journal_free(journal.records);
}

/* --- failures ------------------------------------------------------------------------------ */

/* after_failure: everybody is told, nobody hangs. */
static void after_failure(world *it, int stage, int32_t code, uint64_t cursor)
{
    world_read_all(it, WAIT_PARK);
    world_join(it);
    stage_stats failed = stage_of(it, stage);
    CHECK(pipeline_failure(it->pipe) == stage);
    CHECK(failed.state == STAGE_FAILED && failed.code == code && failed.cursor == cursor);
    CHECK(stage_of(it, !stage).state != STAGE_FAILED);
    CHECK(stage_of(it, !stage).state != STAGE_RUNNING);
    CHECK(world_send(it, 1) == SEQUENCER_CLOSED);
    CHECK(pipeline_wait_done(it->pipe, it->start + 1000, LIMIT_NS) == WAIT_CLOSED);
    world_free(it);
}

/* Guards: a full journal that blocks, or whose commands' events are lost, or seen although not
 * journaled. One command at a time: so exactly what is journaled is received. */
static void test_the_journal_is_full(void)
{
    enum { ROOM = 37 };
    world it;
    world_plan plan = SMALL;
    test_journal journal = journal_new(ROOM);
    plan.journal = memory_journal_append;
    plan.journal_context = journal.records;
    plan.start = UINT64_MAX - 20;
    world_start(&it, &plan);
    for (uint64_t i = 1; i <= ROOM; i++) {
        world_send_all(&it, 1, 2);
        UNTIL(read_journaled(&it, &journal, 64) == 0 && it.reader.events == 2 * i);
    }
    CHECK(world_send(&it, 2) == 1);
    UNTIL(pipeline_failure(it.pipe) >= 0);
    journal_check(&journal, ROOM, it.start);
    CHECK(it.reader.command - it.start == ROOM && it.reader.left == 0);
    after_failure(&it, STAGE_JOURNAL, MEMORY_JOURNAL_FULL, it.start + ROOM);
    memory_journal_free(journal.records);
}

/* Guards: the same under load, where match is ahead: then at most what is journaled is seen. */
static void test_the_journal_becomes_full_under_load(void)
{
    for (size_t room = 0; room < 300; room += 23) {
        world it;
        world_plan plan = SMALL;
        test_journal journal = journal_new(room);
        plan.journal = memory_journal_append;
        plan.journal_context = journal.records;
        world_start(&it, &plan);
        uint64_t limit = clock_ns() + LIMIT_NS;
        while (world_send(&it, 1 + it.sent % 3) != SEQUENCER_CLOSED) {
            read_journaled(&it, &journal, 3);
            CHECK(clock_ns() < limit);
        }
        while (pipeline_wait_events(it.pipe, WAIT_PARK, LIMIT_NS) == WAIT_READY) {
            CHECK(read_journaled(&it, &journal, 64) > 0);
        }
        uint64_t journaled = memory_journal_count(journal.records);
        journal_check(&journal, journaled, 0);
        CHECK(journaled <= room && journaled + plan.batch > room);
        after_failure(&it, STAGE_JOURNAL, MEMORY_JOURNAL_FULL, journaled);
        memory_journal_free(journal.records);
    }
}

/* Guards: a journal's own code that is lost, or a failure at the very first command. */
static void test_a_journal_says_why(void)
{
    world it;
    world_plan plan = SMALL;
    plan.journal = refusing_append;
    world_start(&it, &plan);
    CHECK(world_send(&it, 1) == 1);
    UNTIL(pipeline_failure(it.pipe) >= 0);
    after_failure(&it, STAGE_JOURNAL, -77, 0);
}

/* Guards: an engine that takes nothing, waited for without end. */
static void test_an_engine_that_is_stuck(void)
{
    for (uint64_t at = 1; at <= 30; at += 7) {
        world it;
        world_open(&it, &SMALL);
        it.book.stuck_at = at;
        CHECK(pipeline_start(it.pipe) == 0);
        uint64_t limit = clock_ns() + LIMIT_NS;
        while (world_send(&it, 3) != SEQUENCER_CLOSED) {
            world_read(&it, 64);
            CHECK(clock_ns() < limit);
        }
        after_failure(&it, STAGE_MATCH, FAILED_ENGINE_STUCK, at - 1);
        CHECK(it.reader.command == at - 1 && it.reader.left == 0);
    }
}

/* Guards: a subscriber that closes the event ring and leaves a pipeline that stands, unnoticed. */
static void test_the_event_ring_is_closed(void)
{
    world it;
    world_start(&it, &SMALL);
    spsc_close(it.events);
    uint64_t limit = clock_ns() + LIMIT_NS;
    while (world_send(&it, 3) != SEQUENCER_CLOSED) {
        CHECK(clock_ns() < limit);
    }
    world_join(&it);
    CHECK(pipeline_failure(it.pipe) == STAGE_MATCH);
    CHECK(stage_of(&it, STAGE_MATCH).code == FAILED_EVENTS_CLOSED);
    world_free(&it);
}

int main(void)
{
    test_what_is_not_journaled_is_not_seen();
    test_a_journal_that_lags();
    test_a_journal_that_never_catches_up();
    test_the_journal_is_full();
    test_the_journal_becomes_full_under_load();
    test_a_journal_says_why();
    test_an_engine_that_is_stuck();
    test_the_event_ring_is_closed();
    return 0;
}
