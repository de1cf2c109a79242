/* bench_transfer.c - records one way, and there and back. See bench.h for the two topologies. */
#include "phase4_ring/c/bench_baselines.h"
#include "phase4_ring/c/bench_loops.h"

/* work: what all sides of a run share. */
typedef struct {
    const bench_plan *plan;
    void *there;
    void *back;
    uint32_t *times_ns;
    tally sum;
} work;

ALWAYS_INLINE void producer_body(const carrier *ops, side *self)
{
    const work *shared = self->work;
    const bench_plan *plan = shared->plan;
    uint64_t producer = (uint64_t)self->number;
    port at = {.ring = shared->there, .strategy = plan->strategy};

    at.number = ops->join(at.ring);
    int code = at.number < 0 ? BENCH_NO_RESOURCES : BENCH_DONE;
    if (code == BENCH_DONE) {
        code = produce(ops, &at, plan, producer, 0, plan->warmup, &self->waits);
    }
    if (code == BENCH_DONE && side_start(self, 2)) {
        code = produce(ops, &at, plan, producer, plan->warmup, plan->warmup + plan->items,
                       &self->waits);
        side_stop(self);
    }
    if (code != BENCH_DONE) {
        side_fail(self, code);
    }
}

ALWAYS_INLINE void consumer_body(const carrier *ops, side *self)
{
    work *shared = self->work;
    const bench_plan *plan = shared->plan;
    uint64_t producers = (uint64_t)plan->producers;
    port at = {.ring = shared->there, .strategy = plan->strategy};
    tally sum;

    tally_start(&sum, 0);
    int code = consume(ops, &at, plan, producers * plan->warmup, &sum, &self->waits);
    if (code == BENCH_DONE) {
        code = tally_verify(&sum, producers, 0, plan->warmup, ops->stamped);
    }
    tally_start(&sum, plan->warmup);
    if (code == BENCH_DONE && side_start(self, 2)) {
        if (plan->consumer_delay_ns > 0) {
            while (clock_ns() - self->started_ns < plan->consumer_delay_ns) {
                wait_pause();
            }
            side_restart(self);
        }
        code = consume(ops, &at, plan, producers * plan->items, &sum, &self->waits);
        side_stop(self);
        if (code == BENCH_DONE) {
            code = tally_verify(&sum, producers, plan->warmup, plan->warmup + plan->items,
                                ops->stamped);
        }
    }
    shared->sum = sum;
    if (code != BENCH_DONE) {
        side_fail(self, code);
    }
}

/* make_trips: `count` there and back; `times_ns` NULL: not timed. BENCH_DONE or BENCH_STUCK. */
ALWAYS_INLINE int make_trips(const carrier *ops, port *out, port *in, lanes *record,
                             uint64_t count, uint32_t *times_ns, tally *sum)
{
    uint64_t last_ns = clock_ns();
    for (uint64_t trip = 0; trip < count; trip++) {
        bench_record question;
        bench_record answer;
        lanes_store(record, &question);
        if (!send_one(ops, out, &question) || !receive_one(ops, in, &answer)) {
            return BENCH_STUCK;
        }
        if (times_ns != NULL) {
            uint64_t now_ns = clock_ns();
            uint64_t trip_ns = now_ns - last_ns;
            times_ns[trip] = trip_ns < UINT32_MAX ? (uint32_t)trip_ns : UINT32_MAX;
            last_ns = now_ns;
        }
        tally_take(sum, &answer, 1);
    }
    return BENCH_DONE;
}

ALWAYS_INLINE void timer_body(const carrier *ops, side *self)
{
    work *shared = self->work;
    const bench_plan *plan = shared->plan;
    port out = {.ring = shared->there, .strategy = plan->strategy};
    port in = {.ring = shared->back, .strategy = plan->strategy};
    lanes record;

    out.number = ops->join(out.ring);
    lanes_of(&record, 0, 0);
    tally_start(&shared->sum, 0);
    int code = make_trips(ops, &out, &in, &record, plan->warmup, NULL, &shared->sum);
    if (code == BENCH_DONE && side_start(self, 2)) {
        code = make_trips(ops, &out, &in, &record, plan->items, shared->times_ns, &shared->sum);
        side_stop(self);
        if (code == BENCH_DONE) {
            code = tally_verify(&shared->sum, 1, 0, plan->warmup + plan->items, ops->stamped);
        }
    }
    if (code != BENCH_DONE) {
        side_fail(self, code);
    }
}

ALWAYS_INLINE void echo_body(const carrier *ops, side *self)
{
    const work *shared = self->work;
    const bench_plan *plan = shared->plan;
    port in = {.ring = shared->there, .strategy = plan->strategy};
    port out = {.ring = shared->back, .strategy = plan->strategy};

    out.number = ops->join(out.ring);
    int code = send_back(ops, &in, &out, plan->warmup);
    if (code == BENCH_DONE && side_start(self, 2)) {
        code = send_back(ops, &in, &out, plan->items);
        side_stop(self);
    }
    if (code != BENCH_DONE) {
        side_fail(self, code);
    }
}

/* --- runs -------------------------------------------------------------------------------- */

typedef void (*side_body)(side *self);

typedef struct {
    const carrier *ops;
    side_body producer;
    side_body consumer;
    side_body timer;
    side_body echo;
} bodies;

#define DEFINE_BODIES(name, ops)                                                               \
    static void name##_producer(side *self) { producer_body(&ops, self); }                     \
    static void name##_consumer(side *self) { consumer_body(&ops, self); }                     \
    static void name##_timer(side *self) { timer_body(&ops, self); }                           \
    static void name##_echo(side *self) { echo_body(&ops, self); }                             \
    static const bodies name##_bodies = {&ops, name##_producer, name##_consumer, name##_timer, \
                                         name##_echo};

DEFINE_BODIES(spsc, SPSC_CARRIER)
DEFINE_BODIES(sequencer, SEQUENCER_CARRIER)
DEFINE_BODIES(locked, LOCKED_CARRIER)
DEFINE_BODIES(simple, SIMPLE_CARRIER)

/* bodies_of: NULL if the plan asks for what its ring cannot do. */
static const bodies *bodies_of(const bench_plan *plan)
{
    const bodies *found = plan->ring == BENCH_SPSC        ? &spsc_bodies
                          : plan->ring == BENCH_SEQUENCER ? &sequencer_bodies
                          : plan->ring == BENCH_LOCKED    ? &locked_bodies
                          : plan->ring >= BENCH_APART_COPY && plan->ring <= BENCH_SHARED
                              ? &simple_bodies
                              : NULL;
    if (found == NULL || plan->way < BENCH_SINGLY || plan->way > BENCH_IN_PLACE) {
        return NULL;
    }
    if (plan->way == BENCH_IN_PLACE && found->ops->claim == NULL) {
        return NULL;
    }
    int most = found->ops->many_producers ? BENCH_MOST_PRODUCERS : 1;
    int fits = plan->producers >= 1 && plan->producers <= most && plan->batch >= 1 &&
               plan->batch <= BENCH_LARGEST_BATCH && plan->items >= 1;
    uint64_t capacity = plan->capacity;
    fits = fits && capacity >= RING_MIN_CAPACITY && capacity <= RING_MAX_CAPACITY &&
           (capacity & (capacity - 1)) == 0;
    return fits ? found : NULL;
}

static void report(const side *sides, uint32_t count, const tally *sum, bench_result *result)
{
    const side *consumer = &sides[count - 1];
    *result = (bench_result){
        .ns = sides_span_ns(sides, count),
        .consumer_ns = consumer->stopped_ns - consumer->started_ns,
        .records = sum->received,
        .checksum = tally_checksum(sum),
        .consumer_cpu_ns = consumer->cpu_ns,
        .consumer_waits = consumer->waits,
        .producer_pinned = sides[0].pinned,
        .consumer_pinned = consumer->pinned,
    };
    for (uint32_t i = 0; i + 1 < count; i++) {
        uint64_t ns = sides[i].stopped_ns - sides[i].started_ns;
        result->producer_ns = ns > result->producer_ns ? ns : result->producer_ns;
        result->producer_cpu_ns += sides[i].cpu_ns;
        result->producer_waits += sides[i].waits;
    }
}

int bench_transfer(const bench_plan *plan, bench_result *result)
{
    const bodies *with = bodies_of(plan);
    if (with == NULL) {
        return BENCH_BAD_PLAN;
    }
    work shared = {.plan = plan, .there = with->ops->open(plan)};
    if (shared.there == NULL) {
        return BENCH_NO_RESOURCES;
    }
    side sides[MOST_SIDES];
    lineup together;
    uint32_t producers = (uint32_t)plan->producers;
    memset(sides, 0, sizeof sides);
    for (uint32_t i = 0; i <= producers; i++) {
        sides[i].work = &shared;
        sides[i].body = i < producers ? with->producer : with->consumer;
        sides[i].core = i < producers ? plan->producer_cores[i] : plan->consumer_core;
    }
    int code = sides_run(sides, producers + 1, &together);
    if (code == BENCH_DONE) {
        report(sides, producers + 1, &shared.sum, result);
    }
    with->ops->close(shared.there);
    return code;
}

int bench_round_trip(const bench_plan *plan, uint32_t *times_ns, bench_result *result)
{
    const bodies *with = bodies_of(plan);
    if (with == NULL || plan->producers != 1) {
        return BENCH_BAD_PLAN;
    }
    work shared = {.plan = plan,
                   .there = with->ops->open(plan),
                   .back = with->ops->open(plan),
                   .times_ns = times_ns};
    int code = BENCH_NO_RESOURCES;
    if (shared.there != NULL && shared.back != NULL) {
        side sides[2];
        lineup together;
        memset(sides, 0, sizeof sides);
        sides[0].body = with->timer;
        sides[0].core = plan->producer_cores[0];
        sides[1].body = with->echo;
        sides[1].core = plan->consumer_core;
        sides[0].work = sides[1].work = &shared;
        code = sides_run(sides, 2, &together);
        if (code == BENCH_DONE) {
            report(sides, 2, &shared.sum, result);
        }
    }
    if (shared.there != NULL) {
        with->ops->close(shared.there);
    }
    if (shared.back != NULL) {
        with->ops->close(shared.back);
    }
    return code;
}

/* --- the other side is Python ------------------------------------------------------------ */

static int is_fit(const bench_plan *plan)
{
    return plan->way >= BENCH_SINGLY && plan->way <= BENCH_IN_PLACE && plan->batch >= 1 &&
           plan->batch <= BENCH_LARGEST_BATCH && plan->items >= 1;
}

int bench_feed(spsc_ring *ring, const bench_plan *plan, bench_result *result)
{
    port at = {.ring = ring, .strategy = plan->strategy};
    if (!is_fit(plan)) {
        return BENCH_BAD_PLAN;
    }
    *result = (bench_result){.producer_pinned = thread_pin(plan->producer_cores[0])};
    uint64_t cpu_ns = thread_cpu_ns();
    uint64_t started_ns = clock_ns();
    int code = produce(&SPSC_CARRIER, &at, plan, 0, 0, plan->items, &result->producer_waits);
    result->ns = clock_ns() - started_ns;
    result->producer_cpu_ns = thread_cpu_ns() - cpu_ns;
    result->records = plan->items;
    return code;
}

int bench_drain(spsc_ring *ring, const bench_plan *plan, bench_result *result)
{
    port at = {.ring = ring, .strategy = plan->strategy};
    tally sum;
    if (!is_fit(plan)) {
        return BENCH_BAD_PLAN;
    }
    *result = (bench_result){.consumer_pinned = thread_pin(plan->consumer_core)};
    tally_start(&sum, 0);
    uint64_t cpu_ns = thread_cpu_ns();
    uint64_t started_ns = clock_ns();
    int code = consume(&SPSC_CARRIER, &at, plan, plan->items, &sum, &result->consumer_waits);
    result->ns = clock_ns() - started_ns;
    result->consumer_cpu_ns = thread_cpu_ns() - cpu_ns;
    result->records = sum.received;
    result->checksum = tally_checksum(&sum);
    return code != BENCH_DONE ? code : tally_verify(&sum, 1, 0, plan->items, 0);
}

int bench_echo(spsc_ring *there, spsc_ring *back, const bench_plan *plan)
{
    port in = {.ring = there, .strategy = plan->strategy};
    port out = {.ring = back, .strategy = plan->strategy};
    thread_pin(plan->consumer_core);
    return send_back(&SPSC_CARRIER, &in, &out, plan->warmup + plan->items);
}

void bench_fill(void *records, uint64_t first, uint64_t count)
{
    bench_record *to = records;
    lanes record;
    lanes_of(&record, 0, first);
    lanes_fill(&record, to, (size_t)count);
}
