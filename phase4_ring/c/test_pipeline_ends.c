/* test_pipeline_ends.c - starting, draining, aborting, joining; and producers that die.
 *
 *      gateway processes ──▶ [sequencer] ──▶ match thread ──▶ [event ring] ──▶ test thread
 *        one is killed                        is closed, aborted, never started
 *
 *   outcome                                                              allowed?
 *   after a close: everything claimed is done, and its events received    yes: always
 *   after an abort: commands and events are left where they are           yes
 *   a claim of a dead process becomes void commands                       yes: always, in the end
 *   a claim of a living process becomes void commands                     no
 *   a join does not end although every stage could                        no
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "phase4_ring/c/pin.h"
#include "phase4_ring/c/pipeline_world.h"

/* --- close, join, wait --------------------------------------------------------------------- */

/* Guards: a close that throws away what is queued, or an end that is not told. */
static void test_close_drains(void)
{
    for (int strategy = WAIT_SPIN; strategy <= WAIT_PARK; strategy++) {
        world it;
        world_plan plan = SMALL;
        plan.strategy = strategy;
        world_open(&it, &plan);
        world_send_all(&it, plan.command_slots, 9); /* before anything runs: the ring is full */
        CHECK(pipeline_start(it.pipe) == 0);
        pipeline_close(it.pipe);
        CHECK(world_send(&it, 1) == SEQUENCER_CLOSED);
        world_read_all(&it, strategy);
        world_join(&it);
        CHECK(it.reader.events == 9 * plan.command_slots);
        CHECK(stage_of(&it, STAGE_MATCH).state == STAGE_DRAINED);
        CHECK(pipeline_failure(it.pipe) == -1);
        CHECK(pipeline_wait_events(it.pipe, strategy, 0) == WAIT_CLOSED);
        CHECK(pipeline_join(it.pipe, 0) == WAIT_READY); /* once more does no harm */
        world_free(&it);
    }
}

/* Guards: a join or a wait that comes back too late, too early, or with the wrong answer. */
static void test_waits_say_what_is(void)
{
    for (int strategy = WAIT_SPIN; strategy <= WAIT_PARK; strategy++) {
        world it;
        world_plan plan = SMALL;
        plan.strategy = strategy;
        world_start(&it, &plan);
        CHECK(pipeline_join(it.pipe, 0) == WAIT_TIMEOUT);
        uint64_t before = clock_ns();
        CHECK(pipeline_join(it.pipe, 2000000) == WAIT_TIMEOUT);
        CHECK(clock_ns() - before >= 2000000);
        CHECK(pipeline_wait_events(it.pipe, strategy, 0) == WAIT_TIMEOUT);
        CHECK(pipeline_wait_events(it.pipe, strategy, 2000000) == WAIT_TIMEOUT);
        CHECK(pipeline_wait_done(it.pipe, 1, 0) == WAIT_TIMEOUT);
        CHECK(pipeline_wait_done(it.pipe, 0, 0) == WAIT_READY);
        world_send_all(&it, 1, 1);
        CHECK(pipeline_wait_done(it.pipe, 1, LIMIT_NS) == WAIT_READY);
        CHECK(pipeline_wait_events(it.pipe, strategy, 0) == WAIT_READY);
        CHECK(world_read(&it, 64) == 1);
        pipeline_close(it.pipe);
        CHECK(pipeline_wait_done(it.pipe, 2, LIMIT_NS) == WAIT_CLOSED);
        CHECK(pipeline_wait_events(it.pipe, strategy, LIMIT_NS) == WAIT_CLOSED);
        world_join(&it);
        CHECK(stage_of(&it, STAGE_MATCH).idle_ns > 0);
        CHECK(stage_of(&it, STAGE_JOURNAL).state == STAGE_ABSENT);
        world_free(&it);
    }
}

static void *join_it(void *pipe)
{
    CHECK(pipeline_join(pipe, LIMIT_NS) == WAIT_READY);
    return NULL;
}

/* Guards: a stage's thread joined twice, which hangs whoever joins a later thread in its place. */
static void test_two_join_at_once(void)
{
    for (int turn = 0; turn < 50; turn++) {
        world it;
        world_plan plan = SMALL;
        pthread_t other;
        world_start(&it, &plan);
        CHECK(pthread_create(&other, NULL, join_it, it.pipe) == 0);
        pipeline_close(it.pipe);
        world_join(&it);
        CHECK(pthread_join(other, NULL) == 0);
        world_free(&it);
    }
}

/* Guards: a pipeline that cannot be freed, or claims to run, before its start. */
static void test_never_started(void)
{
    world it;
    world_open(&it, &SMALL);
    CHECK(stage_of(&it, STAGE_MATCH).state == STAGE_ABSENT);
    CHECK(stage_of(&it, STAGE_MATCH).pinned == -1);
    world_send_all(&it, 3, 1);
    CHECK(world_done(&it) == 0);
    CHECK(pipeline_join(it.pipe, 0) == WAIT_READY);
    world_free(&it);
    pipeline_free(NULL);
}

/* Guards: a core that was asked for and is not kept to, or not told. */
static void test_pinning(void)
{
    region_problem problem;
    sequencer *commands;
    spsc_ring *events;
    pipeline *pipe;
    book counting = {0};
    pipeline_options options = {.match_core = 0, .journal_core = -1, .batch = 1,
                                .spill_events = 2, .strategy = WAIT_PARK};
    CHECK(sequencer_create(NULL, 2, 1, 0, &commands, &problem) == 0);
    CHECK(spsc_create(NULL, 2, 1, 0, &events, &problem) == 0);
    CHECK(pipeline_new(commands, events, count_apply, &counting, NULL, NULL, &options, &pipe) == 0);
    CHECK(pipeline_start(pipe) == 0);
    stage_stats stats;
    pipeline_stage(pipe, STAGE_MATCH, &stats);
    pipeline_close(pipe);
    CHECK(pipeline_join(pipe, LIMIT_NS) == WAIT_READY);
    CHECK(stats.pinned == thread_pin(0)); /* wherever that works, it has worked there */
    pipeline_free(pipe);
    spsc_detach(events);
    sequencer_detach(commands);
}

/* --- abort --------------------------------------------------------------------------------- */

/* after_abort: it ends, whatever it was at; what was not done is still there. */
static void after_abort(world *it)
{
    pipeline_abort(it->pipe);
    world_join(it);
    /* Of a stage that had nothing left to do both are true. */
    CHECK(stage_of(it, STAGE_MATCH).state == STAGE_ABORTED ||
          (stage_of(it, STAGE_MATCH).state == STAGE_DRAINED && world_done(it) == it->sent));
    CHECK(pipeline_failure(it->pipe) == -1);
    CHECK(world_send(it, 1) == SEQUENCER_CLOSED);
    CHECK(world_done(it) == it->book.applied);
    CHECK(stage_of(it, STAGE_MATCH).commands == it->book.applied);
    world_read_all(it, WAIT_PARK);
    CHECK(it->reader.events == spsc_head(it->events));
    world_free(it);
}

/* Guards: a stage that sleeps through an abort. */
static void test_abort_while_idle(void)
{
    for (int strategy = WAIT_SPIN; strategy <= WAIT_PARK; strategy++) {
        world it;
        world_plan plan = SMALL;
        plan.strategy = strategy;
        world_start(&it, &plan);
        world_send_all(&it, 2, 1);
        CHECK(pipeline_wait_done(it.pipe, 2, LIMIT_NS) == WAIT_READY);
        after_abort(&it);
    }
}

/* Guards: a stage that waits for a subscriber who has gone. */
static void test_abort_while_blocked(void)
{
    for (int strategy = WAIT_SPIN; strategy <= WAIT_PARK; strategy++) {
        for (int parking = 0; parking <= 1; parking++) {
            world it;
            world_plan plan = SMALL;
            plan.strategy = strategy;
            plan.parking = parking;
            world_start(&it, &plan);
            UNTIL(world_send(&it, 1) == 0 && it.sent - world_done(&it) == plan.command_slots);
            after_abort(&it);
        }
    }
}

/* Guards: an abort in the middle of one command's events, of which the rest would wait for room. */
static void test_abort_while_spilling(void)
{
    world it;
    world_start(&it, &SMALL);
    world_send_all(&it, 1, 40);
    UNTIL(spsc_head(it.events) == SMALL.event_slots);
    CHECK(world_read(&it, 3) == 3);
    UNTIL(spsc_head(it.events) == SMALL.event_slots + 3);
    pipeline_abort(it.pipe);
    world_join(&it);
    /* The command is done: the book has it, and must not get it again from whoever goes on. */
    CHECK(stage_of(&it, STAGE_MATCH).state == STAGE_ABORTED && world_done(&it) == 1);
    world_read_all(&it, WAIT_PARK);
    CHECK(it.reader.events == SMALL.event_slots + 3);
    world_free(&it);
}

/* Guards: a stage that stands without credit and is not told. */
static void test_abort_while_standing(void)
{
    for (int strategy = WAIT_SPIN; strategy <= WAIT_PARK; strategy++) {
        world it;
        world_plan plan = SMALL;
        plan.strategy = strategy;
        world_open(&it, &plan);
        pipeline_grant(it.pipe, 5);
        CHECK(pipeline_start(it.pipe) == 0);
        world_send_all(&it, 4, 2);
        UNTIL(pipeline_is_stalled(it.pipe));
        CHECK(world_done(&it) == 2);
        after_abort(&it);
    }
}

/* Guards: a thread that starts in spite of an abort, or whose end is lost because it came early. */
static void test_abort_before_the_start(void)
{
    world it;
    world_open(&it, &SMALL);
    world_send_all(&it, 2, 1);
    pipeline_abort(it.pipe);
    CHECK(pipeline_start(it.pipe) == 0);
    after_abort(&it);
}

typedef struct {
    _Atomic uint32_t inside;
    _Atomic uint32_t let_go;
} slow_journal;

static int slow_append(void *context, const command_record *commands, size_t count)
{
    slow_journal *self = context;
    (void)commands;
    (void)count;
    atomic_store(&self->inside, 1);
    UNTIL(atomic_load(&self->let_go));
    return 0;
}

/* Guards: a join that leaves a thread behind in somebody else's function. */
static void test_abort_while_the_journal_writes(void)
{
    world it;
    world_plan plan = SMALL;
    slow_journal journal = {0};
    plan.journal = slow_append;
    plan.journal_context = &journal;
    world_start(&it, &plan);
    world_send_all(&it, 1, 1);
    UNTIL(atomic_load(&journal.inside));
    CHECK(pipeline_wait_done(it.pipe, 1, LIMIT_NS) == WAIT_READY);
    pipeline_abort(it.pipe);
    CHECK(pipeline_join(it.pipe, 2000000) == WAIT_TIMEOUT);
    CHECK(world_read(&it, 1) == 0);
    atomic_store(&journal.let_go, 1);
    world_join(&it);
    CHECK(stage_of(&it, STAGE_JOURNAL).commands == 1);
    world_read_all(&it, WAIT_PARK);
    CHECK(it.reader.events == 1);
    world_free(&it);
}

/* --- places -------------------------------------------------------------------------------- */

static int try_new(sequencer *commands, spsc_ring *events, pipeline_journal journal)
{
    book counting = {0};
    pipeline *made = NULL;
    pipeline_options options = {.batch = 1, .spill_events = 2};
    int why = pipeline_new(commands, events, count_apply, &counting, journal, NULL, &options, &made);
    pipeline_free(made);
    return why;
}

/* Guards: a pipeline that takes consumers for its own that are not, or comes too late. */
static void test_other_consumers(void)
{
    region_problem problem;
    spsc_ring *events;
    CHECK(spsc_create(NULL, 2, 0, 0, &events, &problem) == 0);
    for (int consumers = 0; consumers <= 3; consumers++) {
        sequencer *commands;
        CHECK(sequencer_create(NULL, 2, 0, 0, &commands, &problem) == 0);
        for (int number = 0; number < consumers; number++) {
            CHECK(sequencer_add_consumer(commands, 0) == number);
        }
        int match_fits = consumers <= 1;
        int both_fit = consumers == 2;
        CHECK(try_new(commands, events, NULL) == (match_fits ? 0 : PIPELINE_OTHER_CONSUMERS));
        CHECK(try_new(commands, events, slow_append) ==
              (both_fit ? 0 : PIPELINE_OTHER_CONSUMERS));
        sequencer_detach(commands);
    }
    /* A gateway that was quicker than the pipeline is no reason not to have one. */
    sequencer *early;
    size_t granted;
    CHECK(sequencer_create(NULL, 2, 0, 0, &early, &problem) == 0);
    sequencer_claim(early, sequencer_join(early), 1, 1, &granted);
    CHECK(granted == 1 && try_new(early, events, NULL) == 0);
    sequencer_detach(early);
    spsc_detach(events);
}

/* --- the dead ------------------------------------------------------------------------------ */

/* claim_and_die: in a child: claim cursors, publish a few of them, and end without a word. */
static pid_t claim_and_die(sequencer *commands, size_t wanted, size_t published)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        size_t granted;
        int producer = sequencer_join(commands);
        uint64_t first = sequencer_claim(commands, producer, wanted, 1, &granted);
        for (size_t i = 0; i < published; i++) {
            command_record *slot = sequencer_slot(commands, first + i);
            slot->order_id = i + 1;
            slot->quantity = 2;
            /* As the start of a publication that is cut short. */
            atomic_store((_Atomic uint64_t *)&slot->sequence, first + i + 1);
        }
        _exit(granted == wanted ? 0 : 1);
    }
    siginfo_t how;
    /* Look, but leave it unreaped: a zombie. */
    CHECK(waitid(P_PID, (id_t)child, &how, WEXITED | WNOWAIT) == 0 && how.si_status == 0);
#if !defined(__linux__)
    CHECK(waitpid(child, NULL, 0) == child); /* only Linux tells a zombie from the living */
#endif
    return child;
}

/* Guards: a dead gateway's gap at which everything stands still; and void commands in its place
 * before it is dead, or unnamed. */
static void test_a_producer_dies(void)
{
    char name[40];
    snprintf(name, sizeof name, "/mbook.c-ends.%d", (int)getpid());
    for (uint64_t start = 0; start == 0 || start == UINT64_MAX - 4; start += UINT64_MAX - 4) {
        world it;
        region_problem problem;
        pipeline_options options = {.match_core = -1, .journal_core = -1, .batch = 4,
                                    .spill_events = 40, .strategy = WAIT_PARK};
        memset(&it, 0, sizeof it);
        it.start = it.book.last = it.reader.command = start;
        CHECK(sequencer_create(name, 16, 1, start, &it.commands, &problem) == 0);
        CHECK(region_unlink(name, &problem) == 0); /* the children have it already */
        CHECK(spsc_create(NULL, 64, 1, 0, &it.events, &problem) == 0);
        CHECK(pipeline_new(it.commands, it.events, count_apply, &it.book, NULL, NULL, &options,
                           &it.pipe) == 0);
        pid_t first = claim_and_die(it.commands, 5, 2);
        pid_t second = claim_and_die(it.commands, 3, 0);
        it.producer = sequencer_join(it.commands);
        CHECK(it.producer == 2); /* the places of the dead are needed as long as their gaps are */
        world_send_all(&it, 1, 1);
        CHECK(pipeline_start(it.pipe) == 0);
        CHECK(pipeline_wait_done(it.pipe, start + 9, LIMIT_NS) == WAIT_READY);
        /* Two commands with two events each, then 3 and 3 void ones, and ours. */
        UNTIL(world_read(&it, 64) == 0 && it.reader.events == 4 + 3 + 3 + 1);
        CHECK(stage_of(&it, STAGE_MATCH).dead_producers == 2);
        dead_claim claim;
        CHECK(pipeline_dead_claim(it.pipe, 0, &claim) && claim.pid == (uint32_t)first);
        CHECK(claim.cursor == start + 2 && claim.end == start + 5 && claim.producer == 0);
        CHECK(pipeline_dead_claim(it.pipe, 1, &claim) && claim.pid == (uint32_t)second);
        CHECK(claim.cursor == start + 5 && claim.end == start + 8 && claim.producer == 1);
        CHECK(!pipeline_dead_claim(it.pipe, 2, &claim));
        CHECK(sequencer_join(it.commands) == 0); /* settled, so free again */
        pipeline_close(it.pipe);
        world_join(&it);
        world_free(&it);
#if defined(__linux__)
        CHECK(waitpid(first, NULL, 0) == first && waitpid(second, NULL, 0) == second);
#endif
    }
}

int main(void)
{
    test_a_producer_dies(); /* first: it forks, which is simplest before there are threads */
    test_close_drains();
    test_waits_say_what_is();
    test_two_join_at_once();
    test_never_started();
    test_abort_while_idle();
    test_abort_while_blocked();
    test_abort_while_spilling();
    test_abort_while_standing();
    test_abort_before_the_start();
    test_abort_while_the_journal_writes();
    test_other_consumers();
    test_pinning(); /* last: it pins this thread, and whoever it starts */
    return 0;
}
