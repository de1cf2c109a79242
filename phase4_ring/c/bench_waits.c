/* bench_waits.c - what waiting takes while nothing comes.
 *
 *      nobody ──▶ [empty ring] ──▶ consumer waits        producer waits ──▶ [full ring] ──▶ nobody
 *
 * What a strategy costs when something does come, in time and in processor time, is a transfer or
 * a round trip under that strategy (bench_transfer.c). Two threads on one core show the rest: a
 * side that spins holds the core that the other needs, until the kernel takes it away.
 */
#include "phase4_ring/c/bench_run.h"
#include "phase4_ring/c/spsc_ring.h"

#define IDLE_CAPACITY 64

typedef struct {
    spsc_ring *empty;
    spsc_ring *full;
    uint64_t idle_ns;
    int strategy;
} idling;

static void idle_body(side *self)
{
    const idling *task = self->work;
    if (!side_start(self, 2)) {
        return;
    }
    int state = self->number == 0 ? spsc_wait_space(task->full, task->strategy, task->idle_ns)
                                  : spsc_wait_items(task->empty, task->strategy, task->idle_ns);
    side_stop(self);
    if (state != WAIT_TIMEOUT) {
        side_fail(self, BENCH_WRONG_ORDER); /* nothing was there to be ready for */
    }
}

static int fill_up(spsc_ring *ring)
{
    ring_record record;
    memset(&record, 0, sizeof record);
    while (spsc_push(ring, &record, 1) == 1) {
    }
    return spsc_head(ring) - spsc_tail(ring) == IDLE_CAPACITY ? BENCH_DONE : BENCH_WRONG_ORDER;
}

int bench_idle(int strategy, uint64_t idle_ns, int producer_core, int consumer_core,
               bench_result *result)
{
    idling task = {.idle_ns = idle_ns, .strategy = strategy};
    region_problem problem;
    side sides[2];
    lineup together;
    int parking = strategy == WAIT_PARK;
    int code = BENCH_NO_RESOURCES;

    if (strategy < WAIT_SPIN || strategy > WAIT_PARK) {
        return BENCH_BAD_PLAN;
    }
    if (spsc_create(NULL, IDLE_CAPACITY, parking, 0, &task.empty, &problem) != 0) {
        return code;
    }
    if (spsc_create(NULL, IDLE_CAPACITY, parking, 0, &task.full, &problem) == 0) {
        memset(sides, 0, sizeof sides);
        for (int i = 0; i < 2; i++) {
            sides[i].body = idle_body;
            sides[i].work = &task;
            sides[i].core = i == 0 ? producer_core : consumer_core;
        }
        code = fill_up(task.full);
        if (code == BENCH_DONE) {
            code = sides_run(sides, 2, &together);
        }
        if (code == BENCH_DONE) {
            *result = (bench_result){
                .ns = sides_span_ns(sides, 2),
                .producer_cpu_ns = sides[0].cpu_ns,
                .consumer_cpu_ns = sides[1].cpu_ns,
                .producer_pinned = sides[0].pinned,
                .consumer_pinned = sides[1].pinned,
            };
        }
        spsc_detach(task.full);
    }
    spsc_detach(task.empty);
    return code;
}
