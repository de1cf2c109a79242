/* bench.h - what handing records to another core costs, and why.
 *
 *   one way     producer 1 ─┐                            round trip    ┌──▶ [ring] ──▶┐
 *               producer 2 ─┴▶ [ring] ─▶ consumer                    timer           echo
 *                                                                      └◀── [ring] ◀──┘
 *
 * Every function starts its own threads, pins them if asked, lets them warm up, lines them up,
 * and verifies what arrived before it says how long it took: each producer's records in order,
 * none lost, none twice, all 64 bytes of each counted into a sum. A record's content is a function
 * of its producer and its number (bench_record.h), so both sides know it without talking.
 *
 * A record is 64 bytes. Times are of clock_ns. A core of -1 leaves a thread where it is. A thread
 * that waits for ten seconds in vain gives up, and the run is BENCH_STUCK: a lost record is an
 * error, not a hang.
 *
 * The first part is C and C++ alike, for peers/.
 */
#ifndef PHASE4_BENCH_H
#define PHASE4_BENCH_H

#include <stddef.h>
#include <stdint.h>

/* cdef:begin */
/* What carries the records. */
enum {
    BENCH_SPSC = 0,
    BENCH_SEQUENCER = 1,
    BENCH_LOCKED = 2, /* a bounded queue under a mutex, with two condition variables */
    /* One simple ring four times, with the very same code: who reads the other side's cursor each
     * time, or a copy of it; and whether the two sides' cursors share a cache line. */
    BENCH_APART_COPY = 3,
    BENCH_APART = 4,
    BENCH_SHARED_COPY = 5,
    BENCH_SHARED = 6
};
/* How they are handed over. */
enum { BENCH_SINGLY = 0, BENCH_BATCHES = 1, BENCH_IN_PLACE = 2 /* SPSC, sequencer */ };
enum { BENCH_MOST_PRODUCERS = 4, BENCH_LARGEST_BATCH = 256 };

typedef struct {
    int ring;
    int way;
    int strategy; /* wait.h; the rings of the benchmark's own spin, the locked queue sleeps */
    int parking;
    int producers; /* more than one: the sequencer and the locked queue */
    int producer_cores[4];
    int consumer_core;
    uint32_t batch;
    uint64_t capacity;
    uint64_t warmup; /* records of each producer before the clock starts */
    uint64_t items;  /* records of each producer that are timed */
    /* How much later than the producers the consumer starts: one way only. With room for all
     * items, neither side then ever waits for the other, or sees its cursor move. */
    uint64_t consumer_delay_ns;
} bench_plan;

/* Why there is no result. */
enum {
    BENCH_DONE = 0,
    BENCH_BAD_PLAN = -1,
    BENCH_NO_RESOURCES = -2,
    BENCH_WRONG_ORDER = -3, /* a record was lost, doubled or overtaken */
    BENCH_WRONG_SUM = -4,   /* a record arrived with other content */
    BENCH_STUCK = -5
};

typedef struct {
    uint64_t ns;      /* from the first side's start to the last record verified */
    uint64_t producer_ns; /* of the producer that took longest */
    uint64_t consumer_ns;
    uint64_t records; /* that arrived, in order and whole */
    uint64_t checksum; /* of all bytes of all of them */
    uint64_t producer_cpu_ns; /* of all producers, while the clock ran */
    uint64_t consumer_cpu_ns;
    uint64_t producer_waits; /* how often there was no room */
    uint64_t consumer_waits; /* how often there was nothing */
    int32_t producer_pinned; /* the core the first producer is pinned to, or -1 */
    int32_t consumer_pinned;
} bench_result;
/* cdef:end */

#ifndef __cplusplus
#include "phase4_ring/c/spsc_ring.h"

/* cdef:begin */
/* bench_transfer: the plan's records one way. BENCH_DONE, or why not. */
int bench_transfer(const bench_plan *plan, bench_result *result);
/* bench_round_trip: one record there and back, `items` times after `warmup`; a trip starts when
 * the one before has ended, so each of the plan's `items` times has one reading of the clock in
 * it. Two rings; producer 0 is the timer, the consumer the echo. */
int bench_round_trip(const bench_plan *plan, uint32_t *times_ns, bench_result *result);

/* The C side of a transfer whose other side is Python, in the calling thread. The ring is open
 * already; the plan's ring, capacity, parking and producers are not used. */
int bench_feed(spsc_ring *ring, const bench_plan *plan, bench_result *result);
int bench_drain(spsc_ring *ring, const bench_plan *plan, bench_result *result);
/* bench_echo: send back the plan's warmup + items records one by one. */
int bench_echo(spsc_ring *there, spsc_ring *back, const bench_plan *plan);
/* bench_fill: `count` records as the first producer sends them, from number `first`. */
void bench_fill(void *records, uint64_t first, uint64_t count);

/* bench_sharing: two threads, each with a counter of its own, on one line or `apart`. With
 * `threads` 1 the first runs alone. `atomic_add` 0: the owner loads and stores (relaxed);
 * 1: fetch_add. records is the sum of both counters. */
int bench_sharing(int atomic_add, int apart, int threads, uint64_t count, int first_core,
                  int second_core, bench_result *result);

/* Two threads, two words, both 0 at first; every round starts both sides together.
 *
 *   store buffer      x = 1; r0 = y   │   y = 1; r1 = x
 *   message passing   x = 1; y = 1    │   r0 = y; r1 = x
 */
enum { LITMUS_STORE_BUFFER = 0, LITMUS_MESSAGE = 1 };
enum { ORDER_RELAXED = 0, ORDER_ACQUIRE_RELEASE = 1, ORDER_SEQ_CST = 2 };
/* bench_litmus: how often each outcome was seen: counts[2 * r0 + r1]. */
int bench_litmus(int shape, int order, uint64_t rounds, int first_core, int second_core,
                 uint64_t counts[4]);

/* One thread, one word of its own. */
enum {
    COST_STORE_RELAXED = 0,
    COST_STORE_RELEASE = 1,
    COST_STORE_SEQ_CST = 2,
    COST_FETCH_ADD = 3,
    COST_COMPARE_EXCHANGE = 4,
    COST_KINDS = 5
};
/* bench_operation: `count` of them; the time in result->ns. */
int bench_operation(int kind, uint64_t count, int core, bench_result *result);

/* bench_idle: a consumer waits on an empty ring and a producer on a full one, for so long; what
 * processor time it takes them. */
int bench_idle(int strategy, uint64_t idle_ns, int producer_core, int consumer_core,
               bench_result *result);
/* cdef:end */
#endif

#endif
