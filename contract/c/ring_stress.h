/* ring_stress.h - one stress body for every ring: threads push and pop, every record is looked at.
 *
 *   producer 0 ─┐                 ┌─▶ consumer 0     each consumer expects every record of every
 *   producer 1 ─┼─▶ [ the ring ] ─┤                  producer: whole, once, in the order in which
 *   producer P ─┘                 └─▶ consumer C     that producer pushed it
 *
 * An adapter of a few functions hooks a ring up, one for each way of using it. What may happen to a
 * thread is an outcome with a verdict: the test's table says of each whether it may happen, must
 * not, or must be seen in a full run (a stress that never met a full ring has not stressed it). The
 * table is printed with its counts, and they decide the exit status.
 *
 * A record names its producer and its number in word 1, and every other word follows from that: a
 * record read too early, half written or half overwritten does not fit together. Word 0 belongs to
 * rings that number (`numbers`: cursor + 1 in it), and is one of the others where they do not.
 *
 * The body adds no ordering between producers and consumers that a ring's user would not have: it
 * counts in each thread's own memory, and adds up after the join. So the race detector sees the
 * ring's orderings alone. Threads that have nothing to do give their core away.
 *
 *   --items=N   records of each producer      --case=NAME   only cases whose name has NAME in it
 *   --seed=N    of batch sizes and pauses     --long        the long cases, with their own numbers
 *
 * Exit status: 0 all is well, 1 an outcome has the wrong verdict, 2 the command line, 3 no progress
 * for a minute.
 */
#ifndef MATCHBOOK_RING_STRESS_H
#define MATCHBOOK_RING_STRESS_H

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "contract/c/check.h"

enum { STRESS_THREADS = 8, STRESS_BATCH = 256, STRESS_OUTCOMES = 32, STRESS_TEXT = 256 };
/* A case that is not a long one ends early after STRESS_CASE_S: on a busy machine a hand-over may
 * cost a time slice. */
enum { STRESS_CASE_S = 2, STRESS_STUCK_S = 60, STRESS_TELL_S = 10 };

#define STRESS_IS_CLOSED SIZE_MAX

typedef struct {
    uint64_t words[8];
} stress_record;

/* Verdicts: may happen; may, and a full run must see it; must not. Rows of no verdict are not this
 * test's, and must not happen either. */
typedef enum { STRESS_NO_ROW = 0, ALLOWED, EXPECTED, FORBIDDEN } stress_verdict;

/* Outcomes the body itself tells apart. A test's own begin at STRESS_OWN. */
enum {
    STRESS_WHOLE,     /* producer: all that was offered went in */
    STRESS_PARTLY,    /* producer: some of it */
    STRESS_FULL,      /* producer: none of it */
    STRESS_CLOSED,    /* producer: the ring is closed */
    STRESS_NEXT,      /* consumer: the producer's next record, whole */
    STRESS_SWITCHED,  /* consumer: the record before it was another producer's */
    STRESS_EMPTY,     /* consumer: nothing there */
    STRESS_PAST_32,   /* consumer: its cursor passed a multiple of 2**32 */
    STRESS_PAST_64,   /* consumer: its cursor passed 2**64 */
    STRESS_LOST,      /* consumer: records of a producer are missing */
    STRESS_AGAIN,     /* consumer: a record it has had before */
    STRESS_TORN,      /* consumer: words of different records, or of none */
    STRESS_GAP,       /* consumer: the number is not the one before plus one */
    STRESS_SUM,       /* consumer: what came out adds up to something else than what went in */
    STRESS_OWN
};

typedef struct {
    const char *name;
    stress_verdict verdict;
    const char *meaning; /* one sentence */
} stress_outcome;

typedef struct stress_case stress_case;
typedef struct stress_thread stress_thread;

/* stress_adapter: how the body uses a ring. */
typedef struct {
    /* An empty ring for the case, its producers joined. */
    void *(*open)(const stress_case *it);
    /* Push up to `count` records, as producer self->number: how many went in, or
     * STRESS_IS_CLOSED if none did because the ring is closed. */
    size_t (*push)(void *ring, stress_thread *self, const stress_record *records, size_t count);
    /* Pop up to `count`, as consumer self->number: how many there were. */
    size_t (*pop)(void *ring, stress_thread *self, stress_record *records, size_t count);
    /* Whether the consumer has had all there will ever be. Asked only when a pop found nothing. */
    int (*ended)(void *ring, stress_thread *self);
    /* Nothing more is to go in: called by the last producer to finish, and by consumer 0 of a case
     * with `close_after`. */
    void (*close)(void *ring);
    void (*free)(void *ring);
} stress_adapter;

struct stress_case {
    const char *name;
    const stress_adapter *adapter;
    uint64_t capacity;
    uint64_t start; /* the first cursor */
    int producers;
    int consumers;
    int numbers;            /* the ring numbers its records */
    uint32_t batch;         /* most records in one push or pop */
    uint32_t close_after;   /* consumer 0 closes the ring after so many records; 0: it does not */
    uint32_t rounds;        /* as many runs, on new rings, with a part of the records; 0: one */
    uint64_t long_items;    /* of each producer in the long run; 0: not in it */
    int detail;             /* the adapter's own */
};

typedef struct {
    const char *name;     /* of the program */
    const stress_case *cases;
    size_t case_count;
    const stress_outcome *outcomes; /* STRESS_OUTCOMES rows; those left out must not happen */
    uint64_t items; /* of each producer and case, by default */
} stress_suite;

typedef struct stress_run stress_run;

/* stress_thread: what one thread has for itself. */
struct stress_thread {
    _Alignas(128) stress_run *run;
    int number; /* among the producers, or among the consumers */
    uint64_t random;
    uint64_t sum;     /* of words of all records it pushed or popped */
    uint64_t made;    /* a producer's records that went in */
    uint64_t next[STRESS_THREADS]; /* a consumer's next record of each producer */
    uint64_t counts[STRESS_OUTCOMES];
    char evidence[STRESS_TEXT]; /* of the first forbidden outcome */
    _Atomic uint64_t progress;  /* for whoever looks on; orders nothing */
};

struct stress_run {
    const stress_suite *suite;
    const stress_case *it;
    void *ring;
    uint64_t items;
    stress_thread producers[STRESS_THREADS];
    stress_thread consumers[STRESS_THREADS];
    _Atomic int started;
    _Atomic int failed;    /* somebody saw what must not be: all stop */
    _Atomic int enough;    /* time is up: producers stop */
    _Atomic int producing; /* producers that have not finished */
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int running; /* threads; under the lock */
};

/* stress_draw: the next random number of a thread (splitmix64). */
static inline uint64_t stress_draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* stress_below: a random number from 0 to bound - 1. */
static inline uint64_t stress_below(stress_thread *self, uint64_t bound)
{
    return (uint64_t)(((stress_draw(&self->random) >> 32) * bound) >> 32);
}

static inline int stress_failed(const stress_run *run)
{
    return atomic_load_explicit(&run->failed, memory_order_relaxed);
}

/* stress_saw: count an outcome. */
static inline void stress_saw(stress_thread *self, int outcome)
{
    self->counts[outcome]++;
}

/* stress_fail: count an outcome that must not be, with the story of the first one; end the run. */
#define stress_fail(self, outcome, ...)                                                        \
    do {                                                                                       \
        if ((self)->counts[outcome]++ == 0 && (self)->evidence[0] == '\0') {                   \
            snprintf((self)->evidence, STRESS_TEXT, __VA_ARGS__);                              \
        }                                                                                      \
        atomic_store_explicit(&(self)->run->failed, 1, memory_order_relaxed);                  \
    } while (0)

/* --- records -------------------------------------------------------------------------------- */

enum { STRESS_NUMBER_BITS = 48 };

static inline uint64_t stress_word(uint64_t name, uint64_t place)
{
    return (name + place) * UINT64_C(0xd6e8feb86659fd93) ^ (name >> 17);
}

/* stress_make: record `number` of a producer. */
static inline void stress_make(stress_record *record, int producer, uint64_t number)
{
    uint64_t name = (uint64_t)(producer + 1) << STRESS_NUMBER_BITS | number;
    for (uint64_t place = 0; place < 8; place++) {
        record->words[place] = stress_word(name, place);
    }
    record->words[1] = name;
}

/* stress_is_whole: whether a record's words belong together. Word 0 only if it is ours. */
static inline int stress_is_whole(const stress_record *record, int numbers)
{
    uint64_t name = record->words[1];
    uint64_t wrong = numbers ? 0 : record->words[0] ^ stress_word(name, 0);
    for (uint64_t place = 2; place < 8; place++) {
        wrong |= record->words[place] ^ stress_word(name, place);
    }
    return wrong == 0 && name >> STRESS_NUMBER_BITS != 0;
}

/* The rest reads on from here: what comes next needs what stands above. */
#include "contract/c/ring_stress_run.h"

#include "contract/c/ring_stress_main.h"

#endif
