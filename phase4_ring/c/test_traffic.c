/* test_traffic.c - one thread that is gateway and subscriber at once.
 *
 *       ┌──▶ [sequencer] ──▶ match ──┐
 *   test thread                      │
 *       └◀────── [events] ◀──────────┘
 *
 *   outcome                                                              allowed?
 *   an exchange consumes, and answers, what the book alone would          yes: always
 *   a run gives up: nothing came, or no room, for as long as was said     yes
 *   a run ends well, and an event is still on its way                     no
 *   a call neither ends nor makes progress                                no
 */
#include <pthread.h>

#include "phase4_ring/c/memory_journal.h"
#include "phase4_ring/c/pipeline_world.h"
#include "phase4_ring/c/traffic.h"

enum { COMMANDS = 2000, EACH = 2, EVENTS = COMMANDS * EACH };

static command_record commands[COMMANDS];
static event_record events[EVENTS];
static uint32_t latencies[EVENTS];

/* --- exchange ------------------------------------------------------------------------------ */

/* Guards: an exchange that consumes another number of commands than the book alone would, or gives
 * other events; and one that leaves anything behind for the next. */
static void test_exchange(void)
{
    world it;
    uint64_t seed = 9;
    event_record alone[600];
    book reference = {0};
    world_start(&it, &SMALL);
    for (uint64_t round = 0; round < 300; round++) {
        size_t count = (size_t)random_below(&seed, 200);
        size_t room = (size_t)random_below(&seed, 600);
        for (size_t i = 0; i < count; i++) {
            commands[i] = (command_record){.order_id = it.sent + i + 1,
                                           .quantity = 1 + random_below(&seed, 1 + round % 40)};
        }
        size_t written;
        size_t should_write;
        size_t should = count_apply(&reference, commands, count, alone, room, &should_write);
        int64_t consumed = pipeline_exchange(it.pipe, it.producer, commands, count, events, room,
                                             &written);
        CHECK(consumed == (int64_t)should && written == should_write);
        for (size_t i = 0; i < written; i++) {
            CHECK(events[i].sequence == alone[i].sequence && events[i].leaves == alone[i].leaves);
            CHECK(events[i].order_id == alone[i].order_id);
        }
        CHECK(spsc_head(it.events) == spsc_tail(it.events));
        CHECK(it.book.applied == reference.applied);
        it.sent += count;
        it.book.last = sequencer_claimed(it.commands); /* what was dropped has its number too */
    }
    pipeline_close(it.pipe);
    world_join(&it);
    world_free(&it);
}

/* Guards: an exchange that takes somebody's earlier events for its own. */
static void test_exchange_finds_events_or_commands(void)
{
    world it;
    size_t written;
    world_start(&it, &SMALL);
    world_send_all(&it, 1, 3);
    CHECK(pipeline_wait_done(it.pipe, 1, LIMIT_NS) == WAIT_READY);
    CHECK(pipeline_exchange(it.pipe, it.producer, commands, 1, events, EVENTS, &written) ==
          EXCHANGE_NOT_AT_REST);
    CHECK(it.book.applied == 1 && sequencer_claimed(it.commands) == 1);
    world_send_all(&it, 1, SMALL.most_events); /* more than the ring holds: not done */
    UNTIL(spsc_head(it.events) == SMALL.event_slots);
    CHECK(pipeline_exchange(it.pipe, it.producer, commands, 1, events, EVENTS, &written) ==
          EXCHANGE_NOT_AT_REST);
    UNTIL(world_read(&it, 64) == 0 && it.reader.events == 3 + SMALL.most_events);
    pipeline_close(it.pipe);
    world_join(&it);
    world_free(&it);
}

/* Guards: the last exchange's small credit, which would hold up whatever comes after it. */
static void test_after_an_exchange_there_is_credit(void)
{
    world it;
    size_t written;
    world_start(&it, &SMALL);
    commands[0] = (command_record){.order_id = 1, .quantity = 2};
    CHECK(pipeline_exchange(it.pipe, it.producer, commands, 1, events, 1, &written) == 0);
    CHECK(written == 0);
    CHECK(pipeline_exchange(it.pipe, it.producer, commands, 1, events, 2, &written) == 1);
    CHECK(written == 2 && it.book.misplaced == 1);
    it.book.misplaced = 0; /* it was the one that the first exchange dropped */
    it.sent = it.reader.command = 2;
    it.reader.events = 2;
    for (uint64_t i = 1; i <= 50; i++) {
        world_send_all(&it, 1, 3);
        UNTIL(world_read(&it, 64) == 0 && it.reader.events == 2 + 3 * i);
    }
    pipeline_close(it.pipe);
    world_join(&it);
    world_free(&it);
}

static void *abort_main(void *argument)
{
    world *it = argument;
    UNTIL(sequencer_claimed(it->commands) > 20);
    pipeline_abort(it->pipe);
    return NULL;
}

/* Guards: an exchange that hangs, or brings the program down, when the pipeline is aborted under
 * it: also while it drops what found no room. */
static void test_exchange_is_aborted(void)
{
    for (int round = 0; round < 100; round++) {
        world it;
        pthread_t thread;
        size_t written;
        world_start(&it, &SMALL);
        CHECK(pthread_create(&thread, NULL, abort_main, &it) == 0);
        for (size_t i = 0; i < 8; i++) {
            commands[i] = (command_record){.order_id = 1, .quantity = 3};
        }
        uint64_t limit = clock_ns() + LIMIT_NS;
        while (pipeline_exchange(it.pipe, it.producer, commands, 8, events,
                                 (size_t)(round % 2 ? 7 : 100), &written) >= 0) {
            CHECK(written % 3 == 0 && clock_ns() < limit);
        }
        CHECK(pthread_join(thread, NULL) == 0);
        world_join(&it);
        it.book.misplaced = 0; /* with dropped commands in between */
        world_free(&it);
    }
}

/* --- runs ---------------------------------------------------------------------------------- */

/* run: all commands, with EACH events; what traffic_run said. */
static int run(world *it, double per_second, size_t room, uint32_t *times, uint64_t timeout_ns,
               traffic_result *result)
{
    traffic_plan plan = {
        .commands_per_s = per_second, .burst = 8, .core = -1, .timeout_ns = timeout_ns};
    for (uint64_t i = 0; i < COMMANDS; i++) {
        commands[i] =
            (command_record){.order_id = i + 1, .quantity = EACH, .timestamp_ns = 7 * i};
    }
    return traffic_run(it->pipe, it->producer, commands, COMMANDS, events, room, times, &plan,
                       result);
}

static void read_all_events(world *it, const traffic_result *result)
{
    CHECK(result->commands == COMMANDS && result->events == EVENTS);
    for (size_t i = 0; i < EVENTS; i++) {
        read_event(&it->reader, &events[i]);
    }
}

static void end(world *it)
{
    pipeline_close(it->pipe);
    world_join(it);
    world_free(it);
}

/* Guards: a run that changes what it sends, or takes the wrong time. */
static void test_at_once(void)
{
    for (int timed = 0; timed <= 1; timed++) {
        world it;
        traffic_result result;
        world_start(&it, &SMALL);
        uint64_t before = clock_ns();
        CHECK(run(&it, 0, EVENTS, timed ? latencies : NULL, LIMIT_NS, &result) == WAIT_READY);
        uint64_t after = clock_ns();
        read_all_events(&it, &result);
        CHECK(result.elapsed_ns <= after - before);
        for (size_t i = 0; i < EVENTS; i++) {
            uint64_t stamp = events[i].timestamp_ns;
            CHECK(timed ? stamp >= before && stamp <= after : stamp == 7 * (i / EACH));
            CHECK(!timed || stamp + latencies[i] <= after);
        }
        end(&it);
    }
}

/* Guards: a sender that waits for the engine and calls the command late from then on: in an open
 * loop it is due when it is due. */
static void test_open_loop(void)
{
    world it;
    traffic_result result;
    const double gap_ns = 100; /* no single push can keep up with that */
    world_start(&it, &SMALL);
    CHECK(run(&it, 1e9 / gap_ns, EVENTS, latencies, LIMIT_NS, &result) == WAIT_READY);
    read_all_events(&it, &result);
    CHECK((double)result.elapsed_ns >= gap_ns * (COMMANDS - 1));
    for (size_t i = 0; i < EVENTS; i++) {
        double due = (double)(events[i].timestamp_ns - events[0].timestamp_ns);
        double should = gap_ns * (double)(i / EACH);
        CHECK(due > should - 2 && due < should + 2);
    }
    end(&it);
}

/* Guards: a pause between two commands taken for an engine that does not answer. */
static void test_a_slow_open_loop(void)
{
    world it;
    traffic_result result;
    traffic_plan plan = {.commands_per_s = 4, .burst = 8, .core = -1, .timeout_ns = 100000000};
    world_start(&it, &SMALL);
    /* The last command's events have to come in time: a stopped machine is not what is tested. */
    int state = WAIT_TIMEOUT;
    for (int attempt = 0; attempt < 10 && state == WAIT_TIMEOUT; attempt++) {
        commands[0] = commands[1] = (command_record){.order_id = 1, .quantity = 1};
        state = traffic_run(it.pipe, it.producer, commands, 2, events, 2, NULL, &plan, &result);
        CHECK(result.commands == 2);
        UNTIL(world_done(&it) == it.sent + 2 * (uint64_t)(attempt + 1));
        pipeline_receive(it.pipe, events, EVENTS);
    }
    CHECK(state == WAIT_READY && result.events == 2);
    end(&it);
}

/* Late by up to some microseconds. */
static int late_append(void *context, const command_record *appended, size_t count)
{
    for (uint64_t steps = appended->order_id % 17 * 100; steps > 0; steps--) {
        wait_pause();
    }
    return memory_journal_append(context, appended, count);
}

/* Guards: a run that takes "match has done it" for "everything is received". */
static void test_the_journal_is_waited_for(void)
{
    for (int round = 0; round < 4; round++) {
        world it;
        traffic_result result;
        world_plan plan = SMALL;
        plan.journal = late_append;
        plan.journal_context = memory_journal_new(COMMANDS);
        CHECK(plan.journal_context != NULL);
        world_start(&it, &plan);
        CHECK(run(&it, 0, EVENTS, NULL, LIMIT_NS, &result) == WAIT_READY);
        read_all_events(&it, &result);
        end(&it);
        memory_journal_free(plan.journal_context);
    }
}

typedef struct {
    world *home;
    memory_journal *records;
    _Atomic uint32_t released;
} held_journal;

static int held_append(void *context, const command_record *appended, size_t count)
{
    held_journal *self = context;
    UNTIL(atomic_load(&self->released));
    return memory_journal_append(self->records, appended, count);
}

static void *close_and_release(void *argument)
{
    held_journal *self = argument;
    UNTIL(sequencer_claimed(self->home->commands) == COMMANDS);
    pipeline_close(self->home->pipe);
    UNTIL(stage_of(self->home, STAGE_MATCH).state == STAGE_DRAINED);
    /* Time enough for a run to give up, which it shall not. */
    for (uint64_t end = clock_ns() + 5000000; clock_ns() < end;) {
        wait_pause();
    }
    atomic_store(&self->released, 1);
    return NULL;
}

/* Guards: a run that takes the end of match for the end of all: the journal still has to come. */
static void test_closed_while_the_journal_is_behind(void)
{
    world it;
    pthread_t thread;
    traffic_result result;
    held_journal journal = {.home = &it, .records = memory_journal_new(COMMANDS)};
    world_plan plan = SMALL;
    plan.command_slots = plan.event_slots = 4096;
    plan.journal = held_append;
    plan.journal_context = &journal;
    CHECK(journal.records != NULL);
    world_start(&it, &plan);
    CHECK(pthread_create(&thread, NULL, close_and_release, &journal) == 0);
    CHECK(run(&it, 0, EVENTS, NULL, LIMIT_NS, &result) == WAIT_READY);
    read_all_events(&it, &result);
    CHECK(pthread_join(thread, NULL) == 0);
    end(&it);
    memory_journal_free(journal.records);
}

/* Guards: a run that goes on for ever, or says that all is well, when its array is full. */
static void test_no_room_for_the_events(void)
{
    const size_t rooms[] = {0, 1, EVENTS / 2, EVENTS - 1};
    for (size_t i = 0; i < 4; i++) {
        world it;
        traffic_result result;
        world_start(&it, &SMALL);
        CHECK(run(&it, 0, rooms[i], NULL, LIMIT_NS, &result) == TRAFFIC_NO_ROOM);
        CHECK(result.events == rooms[i]);
        for (size_t j = 0; j < rooms[i]; j++) {
            read_event(&it.reader, &events[j]);
        }
        pipeline_close(it.pipe);
        world_read_all(&it, WAIT_YIELD); /* the rest is still there */
        CHECK(it.reader.events == EACH * result.commands);
        world_join(&it);
        world_free(&it);
    }
}

/* Guards: a run that waits for ever for an engine that stands, with commands left to send. */
static void test_nothing_happens(void)
{
    world it;
    traffic_result result;
    world_open(&it, &SMALL);
    pipeline_grant(it.pipe, 3);
    CHECK(pipeline_start(it.pipe) == 0);
    CHECK(run(&it, 0, EVENTS, NULL, 3000000, &result) == WAIT_TIMEOUT);
    /* All that there is room for; and what was matched, if match had a core in that time. */
    CHECK(result.events == 2 || result.events == 0);
    CHECK(result.commands >= SMALL.command_slots && result.refused > 0);
    CHECK(result.commands <= SMALL.command_slots + 1);
    pipeline_abort(it.pipe);
    world_join(&it);
    world_free(&it);
}

/* Guards: a run that does not notice that the engine has failed. */
static void test_the_engine_fails(void)
{
    world it;
    traffic_result result;
    world_open(&it, &SMALL);
    it.book.stuck_at = 700;
    CHECK(pipeline_start(it.pipe) == 0);
    CHECK(run(&it, 0, EVENTS, NULL, LIMIT_NS, &result) == WAIT_CLOSED);
    CHECK(result.events == 699 * EACH && pipeline_failure(it.pipe) == STAGE_MATCH);
    world_join(&it);
    world_free(&it);
}

int main(void)
{
    test_exchange();
    test_exchange_finds_events_or_commands();
    test_after_an_exchange_there_is_credit();
    test_exchange_is_aborted();
    test_at_once();
    test_open_loop();
    test_a_slow_open_loop();
    test_the_journal_is_waited_for();
    test_closed_while_the_journal_is_behind();
    test_no_room_for_the_events();
    test_nothing_happens();
    test_the_engine_fails();
    return 0;
}
