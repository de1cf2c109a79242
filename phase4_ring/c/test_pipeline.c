/* test_pipeline.c - commands in at one end, events out at the other: order, room and credit.
 *
 *      test thread ──▶ [sequencer, 2 to 64 slots] ──▶ match thread (a book that only counts)
 *           ▲                                              │
 *           └──────── [event ring, 2 to 64 slots] ◀────────┘
 *
 *   outcome                                                         allowed?
 *   every command's events arrive, whole, in the order of commands   yes: always, in the end
 *   a push is refused                                                yes: the ring was full
 *   an event twice, never, in another's place, or half a command's   no
 *   a command applied whose events the subscriber did not grant      no
 *
 * Journals and failures: test_pipeline_failures.c. Ends: test_pipeline_ends.c.
 */
#include <pthread.h>

#include "phase4_ring/c/pipeline_world.h"

/* --- order --------------------------------------------------------------------------------- */

/* flow: `count` commands with 0 to `most` events, in pushes and receives of any size. */
static void flow(const world_plan *plan, uint64_t count, uint64_t most, uint64_t seed)
{
    world it;
    command_record batch[32];
    uint64_t larger_than_ring = 0;
    uint64_t expected = 0;
    world_start(&it, plan);
    while (it.sent < count) {
        uint64_t left = count - it.sent;
        size_t some = 1 + (size_t)random_below(&seed, left < 32 ? left : 32);
        for (size_t i = 0; i < some; i++) {
            batch[i] = (command_record){.order_id = it.sent + i + 1,
                                        .quantity = random_below(&seed, most + 1)};
        }
        int64_t pushed = sequencer_push(it.commands, it.producer, batch, some, 1);
        CHECK(pushed >= 0 && pushed <= (int64_t)some);
        for (int64_t i = 0; i < pushed; i++) {
            expected += events_of(&batch[i]);
            larger_than_ring += events_of(&batch[i]) > plan->event_slots;
        }
        it.sent += (uint64_t)pushed;
        if (world_read(&it, (size_t)random_below(&seed, 64)) == 0 && pushed == 0) {
            sched_yield();
        }
    }
    pipeline_close(it.pipe);
    world_read_all(&it, plan->strategy);
    world_join(&it);
    stage_stats match = stage_of(&it, STAGE_MATCH);
    CHECK(it.reader.events == expected && it.reader.left == 0);
    CHECK(match.state == STAGE_DRAINED && match.code == 0);
    CHECK(match.commands == count && match.events == expected);
    CHECK(match.cursor == plan->start + count);
    CHECK(match.largest_batch >= 1 && match.largest_batch <= plan->batch);
    CHECK(match.batches * match.largest_batch >= count && match.batches <= count);
    CHECK(match.spilled >= larger_than_ring);
    world_free(&it);
}

/* Guards: events that a lap's end, the spill or a batch's end loses, doubles or mixes up, wherever
 * the cursors stand. */
static void test_every_shape(void)
{
    const uint64_t starts[] = {0, UINT32_MAX - 40, UINT64_MAX / 2 - 40, UINT64_MAX - 40};
    const uint64_t event_slots[] = {2, 16, 64};
    const uint64_t command_slots[] = {2, 64};
    const uint32_t batches[] = {1, 5, 1000};
    world_plan plan = SMALL;
    uint64_t seed = 1;
    for (size_t i = 0; i < 4 * 3 * 2 * 3; i++) {
        plan.start = starts[i % 4];
        plan.event_slots = event_slots[i / 4 % 3];
        plan.command_slots = command_slots[i / 12 % 2];
        plan.batch = batches[i / 24];
        flow(&plan, 400, i % 2 ? plan.most_events : 3, ++seed);
    }
}

/* Guards: a strategy that never looks again, or whose sleeper is not woken. */
static void test_every_strategy(void)
{
    world_plan plan = SMALL;
    for (plan.strategy = WAIT_SPIN; plan.strategy <= WAIT_PARK; plan.strategy++) {
        for (plan.parking = 0; plan.parking <= 1; plan.parking++) {
            flow(&plan, 2000, 5, 77);
        }
    }
}

/* --- several producers --------------------------------------------------------------------- */

enum { PRODUCERS = 3, EACH = 3000 };

typedef struct {
    world *home;
    uint32_t account;
} gateway;

static void *gateway_main(void *argument)
{
    gateway *self = argument;
    int producer = sequencer_join(self->home->commands);
    CHECK(producer >= 0);
    for (uint64_t i = 1; i <= EACH; i++) {
        command_record command = {.order_id = i, .account = self->account, .quantity = 1 + i % 3};
        UNTIL(sequencer_push(self->home->commands, producer, &command, 1, 100) == 1);
    }
    sequencer_leave(self->home->commands, producer);
    return NULL;
}

/* Guards: two producers in one slot, or one producer's commands overtaking each other. */
static void test_several_producers(void)
{
    world it;
    pthread_t threads[PRODUCERS];
    gateway gateways[PRODUCERS];
    uint64_t last[PRODUCERS] = {0};
    world_start(&it, &SMALL);
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        gateways[i] = (gateway){&it, i};
        CHECK(pthread_create(&threads[i], NULL, gateway_main, &gateways[i]) == 0);
    }
    for (uint64_t commands = 0; commands < PRODUCERS * EACH;) {
        event_record event;
        UNTIL(pipeline_receive(it.pipe, &event, 1) == 1);
        read_event(&it.reader, &event);
        if (it.reader.left == 0) {
            CHECK(event.instrument < PRODUCERS);
            CHECK(event.order_id == ++last[event.instrument]);
            commands++;
        }
    }
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    pipeline_close(it.pipe);
    world_read_all(&it, WAIT_PARK);
    world_join(&it);
    CHECK(it.book.applied == PRODUCERS * EACH);
    world_free(&it);
}

/* --- room ---------------------------------------------------------------------------------- */

/* fill_and_drain: push until both rings are full, and only then receive. Returns for how long match
 * was blocked. */
static uint64_t fill_and_drain(uint64_t each)
{
    world it;
    world_start(&it, &SMALL);
    UNTIL(world_send(&it, each) == 0 &&
          spsc_head(it.events) - spsc_tail(it.events) == SMALL.event_slots &&
          it.sent - world_done(&it) == SMALL.command_slots);
    uint64_t refused = sequencer_refused(it.commands, it.producer);
    CHECK(refused > 0);
    for (int i = 0; i < 3; i++) {
        CHECK(world_send(&it, each) == 0);
    }
    CHECK(sequencer_refused(it.commands, it.producer) == refused + 3);
    CHECK(stage_of(&it, STAGE_MATCH).state == STAGE_RUNNING);
    CHECK(pipeline_wait_done(it.pipe, it.start + it.sent, 1000) == WAIT_TIMEOUT);
    UNTIL(world_read(&it, 7) == 0 && it.reader.events == it.sent * each);
    pipeline_close(it.pipe);
    world_read_all(&it, WAIT_PARK);
    world_join(&it);
    stage_stats match = stage_of(&it, STAGE_MATCH);
    CHECK(it.book.applied == it.sent && it.reader.command == it.sent && it.reader.left == 0);
    CHECK(match.spilled == it.sent || each <= SMALL.event_slots);
    world_free(&it);
    return match.blocked_ns;
}

/* Guards: a full event ring that loses events or commands, or lets the caller wait without end. */
static void test_nobody_receives(void)
{
    for (uint64_t each = 1; each <= 40; each += 13) {
        fill_and_drain(each);
    }
    /* Not in each round: match may lose its core just before it looks for room. */
    UNTIL(fill_and_drain(1) > 0);
}

/* --- credit -------------------------------------------------------------------------------- */

/* Guards: a command applied without credit for all of its events, or not applied with it. */
static void test_credit_stops_before_what_does_not_fit(void)
{
    for (int strategy = WAIT_SPIN; strategy <= WAIT_PARK; strategy++) {
        world it;
        world_plan plan = SMALL;
        plan.strategy = strategy;
        plan.start = UINT64_MAX - 5;
        world_open(&it, &plan);
        pipeline_grant(it.pipe, plan.start + 10);
        CHECK(pipeline_start(it.pipe) == 0);
        world_send_all(&it, 6, 3);
        CHECK(pipeline_wait_done(it.pipe, plan.start + 6, LIMIT_NS) == WAIT_READY);
        UNTIL(pipeline_is_stalled(it.pipe));
        CHECK(world_done(&it) == 3 && spsc_head(it.events) - plan.start == 9);
        pipeline_grant(it.pipe, plan.start + 11); /* two: still one short */
        pipeline_grant(it.pipe, plan.start + 12);
        UNTIL(world_done(&it) == 4);
        UNTIL(pipeline_is_stalled(it.pipe));
        CHECK(world_done(&it) == 4 && spsc_head(it.events) - plan.start == 12);
        pipeline_grant(it.pipe, plan.start + 1000);
        UNTIL(world_read(&it, 64) == 0 && it.reader.events == 18);
        pipeline_close(it.pipe);
        world_join(&it);
        world_free(&it);
    }
}

/* Guards: credit that is overdrawn, or forgotten, while it trickles in. */
static void test_credit_in_small_pieces(void)
{
    world it;
    uint64_t seed = 5;
    uint64_t granted = 0;
    world_open(&it, &SMALL);
    pipeline_grant(it.pipe, granted);
    CHECK(pipeline_start(it.pipe) == 0);
    while (it.reader.command < 500 || it.reader.left > 0) {
        if (it.sent < 500) {
            world_send(&it, 1 + random_below(&seed, SMALL.most_events));
        }
        world_read(&it, (size_t)random_below(&seed, 20));
        CHECK(spsc_head(it.events) <= granted);
        granted += random_below(&seed, 4);
        pipeline_grant(it.pipe, granted);
    }
    pipeline_close(it.pipe);
    world_join(&it);
    world_free(&it);
}

/* Guards: a dropped command that is applied all the same, or takes its neighbours along. */
static void test_discard(void)
{
    world it;
    world_open(&it, &SMALL);
    pipeline_grant(it.pipe, 5);
    CHECK(pipeline_start(it.pipe) == 0);
    for (uint64_t round = 1; round <= 20; round++) {
        /* Two fit, eleven do not: over a lap's end now and then. */
        world_send_all(&it, 13, 2);
        UNTIL(pipeline_is_stalled(it.pipe));
        CHECK(world_done(&it) == (round - 1) * 13 + 2);
        CHECK(pipeline_discard(it.pipe, it.sent) == WAIT_READY);
        CHECK(world_done(&it) == it.sent && !pipeline_is_stalled(it.pipe));
        UNTIL(world_read(&it, 64) == 0);
        CHECK(it.reader.events == round * 4 && it.book.applied == round * 2);
        it.reader.command = it.sent;
        it.book.last = it.sent; /* at rest: the next push orders this before the next change */
        pipeline_grant(it.pipe, it.reader.events + 5);
    }
    pipeline_close(it.pipe);
    world_join(&it);
    world_free(&it);
}

int main(void)
{
    test_every_shape();
    test_every_strategy();
    test_several_producers();
    test_nobody_receives();
    test_credit_stops_before_what_does_not_fit();
    test_credit_in_small_pieces();
    test_discard();
    return 0;
}
