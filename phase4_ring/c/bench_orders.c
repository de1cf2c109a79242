/* bench_orders.c - memory orders, seen: which outcomes they allow, and what they cost.
 *
 * A litmus test is a program so short that all its outcomes can be written down:
 *
 *   store buffer         r0 r1   relaxed, release/acquire   seq_cst
 *   x = 1  │ y = 1       0  0    allowed                    forbidden
 *   r0 = y │ r1 = x      else    allowed                    allowed
 *
 *     Each store waits in its core's store buffer while the load behind it is already answered:
 *     both read 0, and no order of the four steps explains it. x86 does this too; it is the one
 *     thing that x86 reorders. seq_cst empties the buffer first.
 *
 *   message passing      r0 r1   relaxed     release/acquire, seq_cst
 *   x = 1  │ r0 = y      1  0    allowed     forbidden
 *   y = 1  │ r1 = x      else    allowed     allowed
 *
 *     The flag y is seen, and not what was written before it. arm64 does this. x86 keeps stores in
 *     order, and loads, so there only the compiler could: it must not count as proof of anything
 *     that x86 never shows it.
 *
 * The two sides of a round must run at the same moment, within nanoseconds, or they never meet. So
 * they wait for each other before each round, and one or the other then hangs back for a few
 * steps, a different number each time. Every round has a pair of words of its own, on lines of
 * their own; a block of them is zeroed while neither side runs.
 */
#include <stdlib.h>

#include "phase4_ring/c/bench_run.h"
#include "phase4_ring/c/cache_line.h"
#include "phase4_ring/c/wait.h"

#define BLOCK_ROUNDS 1024u
#define MOST_DELAY 256u /* a power of two */

typedef struct {
    OWN_LINE _Atomic uint32_t x;
    OWN_LINE _Atomic uint32_t y;
    OWN_LINE uint32_t r0; /* each side's own */
    OWN_LINE uint32_t r1;
} trial;

typedef struct {
    OWN_LINE _Atomic uint64_t at; /* the round this side stands before */
} place;

typedef struct {
    trial *trials;
    place places[2];
    uint64_t rounds;
    int shape;
    int order;
    uint64_t counts[4];
} litmus;

/* One side's two steps, for orders that are constants where it is used. A release is for stores
 * and an acquire for loads; seq_cst is for both. */
#define STORE_BUFFER_STEPS(mine, other, result, store_order, load_order)                       \
    do {                                                                                       \
        atomic_store_explicit(&(mine), 1, store_order);                                        \
        (result) = atomic_load_explicit(&(other), load_order);                                 \
    } while (0)
#define SEND_STEPS(self, store_order)                                                          \
    do {                                                                                       \
        atomic_store_explicit(&(self)->x, 1, memory_order_relaxed);                            \
        atomic_store_explicit(&(self)->y, 1, store_order);                                     \
    } while (0)
#define RECEIVE_STEPS(self, load_order)                                                        \
    do {                                                                                       \
        (self)->r0 = atomic_load_explicit(&(self)->y, load_order);                             \
        (self)->r1 = atomic_load_explicit(&(self)->x, memory_order_relaxed);                   \
    } while (0)

/* buffer_side: `number` 0 writes x and reads y into r0, 1 the other way round. */
static void buffer_side(trial *self, int number, int order)
{
    _Atomic uint32_t *mine = number == 0 ? &self->x : &self->y;
    _Atomic uint32_t *other = number == 0 ? &self->y : &self->x;
    uint32_t *result = number == 0 ? &self->r0 : &self->r1;
    if (order == ORDER_RELAXED) {
        STORE_BUFFER_STEPS(*mine, *other, *result, memory_order_relaxed, memory_order_relaxed);
    } else if (order == ORDER_ACQUIRE_RELEASE) {
        STORE_BUFFER_STEPS(*mine, *other, *result, memory_order_release, memory_order_acquire);
    } else {
        STORE_BUFFER_STEPS(*mine, *other, *result, memory_order_seq_cst, memory_order_seq_cst);
    }
}

/* message_side: 0 sends, 1 receives. */
static void message_side(trial *self, int number, int order)
{
    if (order == ORDER_RELAXED) {
        if (number == 0) {
            SEND_STEPS(self, memory_order_relaxed);
        } else {
            RECEIVE_STEPS(self, memory_order_relaxed);
        }
    } else if (order == ORDER_ACQUIRE_RELEASE) {
        if (number == 0) {
            SEND_STEPS(self, memory_order_release);
        } else {
            RECEIVE_STEPS(self, memory_order_acquire);
        }
    } else if (number == 0) {
        SEND_STEPS(self, memory_order_seq_cst);
    } else {
        RECEIVE_STEPS(self, memory_order_seq_cst);
    }
}

/* meet: come for the `meeting`-th time, and wait for the other. 0 if it never comes. */
static int meet(litmus *test, side *self, uint64_t meeting)
{
    place *mine = &test->places[self->number];
    place *other = &test->places[1 - self->number];
    uint64_t steps = 0;
    /* T1, pairs with T2 on the other side: the block it zeroed, the results it wrote. */
    atomic_store_explicit(&mine->at, meeting, memory_order_release);
    while (atomic_load_explicit(&other->at, memory_order_acquire) < meeting) { /* T2 */
        /* No pause: it takes longer than the moment in which both must run. But the two may have
         * to share a core. */
        if (++steps % 65536 == 0) {
            if (atomic_load_explicit(&self->together->cancelled, memory_order_relaxed)) {
                return 0;
            }
            sched_yield();
        }
    }
    return 1;
}

/* hang_back: a few steps that the compiler cannot drop. */
static void hang_back(uint64_t steps)
{
    for (uint64_t i = 0; i < steps; i++) {
        atomic_signal_fence(memory_order_seq_cst);
    }
}

static void count_block(litmus *test, uint64_t rounds)
{
    for (uint64_t i = 0; i < rounds; i++) {
        trial *one = &test->trials[i];
        test->counts[(2 * one->r0 + one->r1) & 3]++;
        /* Relaxed: T1 and T2 of the next meeting order it. */
        atomic_store_explicit(&one->x, 0, memory_order_relaxed);
        atomic_store_explicit(&one->y, 0, memory_order_relaxed);
    }
}

/* run_block: `rounds` rounds, of which `*meeting` and `*draw` keep count. */
static int run_block(litmus *test, side *self, uint64_t rounds, uint64_t *meeting, uint64_t *draw)
{
    for (uint64_t i = 0; i < rounds; i++) {
        /* Both sides draw the same numbers; the top bit says which of them hangs back. */
        *draw = *draw * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t delay = (int)(*draw >> 63) == self->number ? *draw >> 40 & (MOST_DELAY - 1) : 0;
        if (!meet(test, self, ++*meeting)) {
            return 0;
        }
        hang_back(delay);
        if (test->shape == LITMUS_STORE_BUFFER) {
            buffer_side(&test->trials[i], self->number, test->order);
        } else {
            message_side(&test->trials[i], self->number, test->order);
        }
    }
    /* Now both have run; the first counts and zeroes, and then both go on. */
    if (!meet(test, self, ++*meeting)) {
        return 0;
    }
    if (self->number == 0) {
        count_block(test, rounds);
    }
    return meet(test, self, ++*meeting);
}

static void litmus_body(side *self)
{
    litmus *test = self->work;
    uint64_t meeting = 0;
    uint64_t draw = 1;
    if (!side_start(self, 2)) {
        return;
    }
    for (uint64_t done = 0; done < test->rounds; done += BLOCK_ROUNDS) {
        uint64_t left = test->rounds - done;
        uint64_t block = left < BLOCK_ROUNDS ? left : BLOCK_ROUNDS;
        if (!run_block(test, self, block, &meeting, &draw)) {
            return;
        }
    }
    side_stop(self);
}

int bench_litmus(int shape, int order, uint64_t rounds, int first_core, int second_core,
                 uint64_t counts[4])
{
    if (shape < LITMUS_STORE_BUFFER || shape > LITMUS_MESSAGE || order < ORDER_RELAXED ||
        order > ORDER_SEQ_CST || rounds == 0) {
        return BENCH_BAD_PLAN;
    }
    litmus test = {.rounds = rounds, .shape = shape, .order = order};
    size_t bytes = BLOCK_ROUNDS * sizeof *test.trials;
    test.trials = aligned_alloc(CACHE_LINE_BYTES, bytes);
    if (test.trials == NULL) {
        return BENCH_NO_RESOURCES;
    }
    memset(test.trials, 0, bytes);
    side sides[2];
    lineup together;
    memset(sides, 0, sizeof sides);
    for (int i = 0; i < 2; i++) {
        sides[i].body = litmus_body;
        sides[i].work = &test;
        sides[i].core = i == 0 ? first_core : second_core;
    }
    int code = sides_run(sides, 2, &together);
    free(test.trials);
    memcpy(counts, test.counts, sizeof test.counts);
    uint64_t seen = counts[0] + counts[1] + counts[2] + counts[3];
    return code == BENCH_DONE && seen != rounds ? BENCH_WRONG_SUM : code;
}

/* --- what an operation costs -------------------------------------------------------------- */

typedef struct {
    OWN_LINE _Atomic uint64_t word;
    OWN_LINE uint64_t count;
    int kind;
} operations;

static void operate(operations *task, uint64_t count)
{
    _Atomic uint64_t *word = &task->word;
    uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
    switch (task->kind) {
    case COST_STORE_RELAXED:
        for (uint64_t i = 1; i <= count; i++) {
            atomic_store_explicit(word, seen + i, memory_order_relaxed);
        }
        break;
    case COST_STORE_RELEASE:
        for (uint64_t i = 1; i <= count; i++) {
            atomic_store_explicit(word, seen + i, memory_order_release);
        }
        break;
    case COST_STORE_SEQ_CST:
        for (uint64_t i = 1; i <= count; i++) {
            atomic_store_explicit(word, seen + i, memory_order_seq_cst);
        }
        break;
    case COST_FETCH_ADD:
        for (uint64_t i = 0; i < count; i++) {
            atomic_fetch_add_explicit(word, 1, memory_order_relaxed);
        }
        break;
    default:
        for (uint64_t i = 0; i < count; i++) {
            /* Nobody interferes, so only a spurious failure comes round again. */
            while (!atomic_compare_exchange_weak_explicit(word, &seen, seen + 1,
                                                          memory_order_relaxed,
                                                          memory_order_relaxed)) {
            }
            seen++;
        }
        break;
    }
}

static void operations_body(side *self)
{
    operations *task = self->work;
    operate(task, task->count / 10);
    if (side_start(self, 2)) {
        operate(task, task->count);
        side_stop(self);
    }
}

int bench_operation(int kind, uint64_t count, int core, bench_result *result)
{
    if (kind < 0 || kind >= COST_KINDS || count == 0) {
        return BENCH_BAD_PLAN;
    }
    operations task = {.count = count, .kind = kind};
    side one;
    lineup together;
    memset(&one, 0, sizeof one);
    one.body = operations_body;
    one.work = &task;
    one.core = core;
    int code = sides_run(&one, 1, &together);
    uint64_t done = atomic_load_explicit(&task.word, memory_order_relaxed);
    *result = (bench_result){
        .ns = sides_span_ns(&one, 1),
        .records = count,
        .producer_cpu_ns = one.cpu_ns,
        .producer_pinned = one.pinned,
        .consumer_pinned = -1,
    };
    return code == BENCH_DONE && done != count + count / 10 ? BENCH_WRONG_SUM : code;
}
