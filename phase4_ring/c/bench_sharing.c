/* bench_sharing.c - false sharing: two threads that share no variable, only a cache line.
 *
 *      on one line                          on lines of their own
 *      ┌──────────┬──────────┬───────┐      ┌──────────┬─────────┐┌──────────┬─────────┐
 *      │ counter 1│ counter 2│       │      │ counter 1│         ││ counter 2│         │
 *      └────▲─────┴────▲─────┴───────┘      └────▲─────┴─────────┘└────▲─────┴─────────┘
 *        core a     core b                    core a                core b
 *
 * Nobody reads the other's counter and nobody waits for anybody; both programs compute the same.
 * But a core can write a line only while it alone has it, so on the left each store sends the line
 * from one core to the other.
 */
#include "phase4_ring/c/bench_run.h"
#include "phase4_ring/c/cache_line.h"

#define WORDS_IN_LINE (CACHE_LINE_BYTES / sizeof(_Atomic uint64_t))

typedef struct {
    /* Room for two counters on lines of their own, and a line before and after, so that nothing
     * else comes near. */
    OWN_LINE _Atomic uint64_t words[4 * WORDS_IN_LINE];
} counter_lines;

typedef struct {
    _Atomic uint64_t *counter[2];
    uint64_t count;
    int atomic_add;
} counting;

/* Relaxed throughout: each counter has one writer, and is read after the join. */
static void count_up(_Atomic uint64_t *counter, uint64_t count, int atomic_add)
{
    if (atomic_add) {
        for (uint64_t i = 0; i < count; i++) {
            atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
        }
    } else {
        for (uint64_t i = 0; i < count; i++) {
            uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
            atomic_store_explicit(counter, now + 1, memory_order_relaxed);
        }
    }
}

static void count_body(side *self)
{
    const counting *task = self->work;
    _Atomic uint64_t *mine = task->counter[self->number];
    uint64_t warmup = task->count / 10;
    count_up(mine, warmup, task->atomic_add);
    atomic_store_explicit(mine, 0, memory_order_relaxed);
    if (side_start(self, 2)) {
        count_up(mine, task->count, task->atomic_add);
        side_stop(self);
    }
}

int bench_sharing(int atomic_add, int apart, int threads, uint64_t count, int first_core,
                  int second_core, bench_result *result)
{
    if (threads < 1 || threads > 2 || count == 0) {
        return BENCH_BAD_PLAN;
    }
    counter_lines lines;
    memset(&lines, 0, sizeof lines);
    counting task = {
        .counter = {&lines.words[WORDS_IN_LINE],
                    &lines.words[apart ? 2 * WORDS_IN_LINE : WORDS_IN_LINE + 1]},
        .count = count,
        .atomic_add = atomic_add,
    };
    side sides[2];
    lineup together;
    memset(sides, 0, sizeof sides);
    for (int i = 0; i < threads; i++) {
        sides[i].body = count_body;
        sides[i].work = &task;
        sides[i].core = i == 0 ? first_core : second_core;
    }
    int code = sides_run(sides, (uint32_t)threads, &together);
    if (code != BENCH_DONE) {
        return code;
    }
    *result = (bench_result){
        .ns = sides_span_ns(sides, (uint32_t)threads),
        .producer_cpu_ns = sides[0].cpu_ns,
        .consumer_cpu_ns = threads == 2 ? sides[1].cpu_ns : 0,
        .producer_pinned = sides[0].pinned,
        .consumer_pinned = threads == 2 ? sides[1].pinned : -1,
    };
    for (int i = 0; i < threads; i++) {
        result->records += atomic_load_explicit(task.counter[i], memory_order_relaxed);
    }
    return result->records == (uint64_t)threads * count ? BENCH_DONE : BENCH_WRONG_SUM;
}
