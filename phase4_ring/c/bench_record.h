/* bench_record.h - what the benchmarks' records hold, and whether they arrived.
 *
 * A record is eight words. A sequencer stamps word 0, so nobody else uses it.
 *
 *   word     0      1               2                3 to 7
 *   holds    0      its number n,   its producer p   n * (2j + 1) + p + j, for word j
 *                   from 0
 *
 * All eight are made by one vector addition to the record before, and added up by another: making
 * and verifying a record costs next to nothing beside carrying it. (Word by word the compiler
 * mixes narrow stores with wide loads, and a load that overlaps a store it does not equal waits
 * for the cache: that alone took longer than a ring does.) The receiver checks number and
 * producer; what the sums must be is known in closed form.
 *
 * C and C++ alike: the peers carry the same records.
 */
#ifndef PHASE4_BENCH_RECORD_H
#define PHASE4_BENCH_RECORD_H

#include <string.h>

#include "phase4_ring/c/bench.h"

#define RECORD_WORDS 8

typedef struct {
    uint64_t words[RECORD_WORDS];
} bench_record;

/* lanes: a record where arithmetic is done, in as many registers as it takes. */
typedef uint64_t lanes __attribute__((vector_size(64)));

/* By how much a word grows from one record of a producer to the next. */
static const lanes RECORD_STEP = {0, 1, 0, 7, 9, 11, 13, 15};

/* lanes_of: the producer's record of that number. */
static inline void lanes_of(lanes *record, uint64_t producer, uint64_t number)
{
    for (uint64_t word = 0; word < RECORD_WORDS; word++) {
        uint64_t start = word < 2 ? 0 : word == 2 ? producer : producer + word;
        (*record)[word] = start + number * RECORD_STEP[word];
    }
}

/* lanes_store: into a slot or a buffer, and on to the producer's next record. */
static inline void lanes_store(lanes *record, bench_record *to)
{
    memcpy(to, record, sizeof *to);
    *record += RECORD_STEP;
}

/* lanes_store_body: all but word 0, which a sequencer stamps. */
static inline void lanes_store_body(lanes *record, bench_record *to)
{
    memcpy(to->words + 1, (const char *)record + sizeof(uint64_t), sizeof *to - sizeof(uint64_t));
    *record += RECORD_STEP;
}

/* lanes_fill: `count` records side by side. Not inline, so that they are made in a register: where
 * the loop stands among calls, gcc keeps its vector in memory, and each record waits for the store
 * of the one before, for as long as a ring takes to carry it. */
static __attribute__((noinline, unused)) void lanes_fill(lanes *record, bench_record *to,
                                                         size_t count)
{
    lanes next = *record;
    for (size_t i = 0; i < count; i++) {
        lanes_store(&next, &to[i]);
    }
    *record = next;
}

/* tally: what has arrived. */
typedef struct {
    lanes sums;
    uint64_t expected[BENCH_MOST_PRODUCERS]; /* each producer's next number */
    uint64_t wrong;                          /* not 0: a record out of order */
    uint64_t received;
} tally;

/* tally_start: the next record of each producer is its `from`-th. */
static inline void tally_start(tally *self, uint64_t from)
{
    memset(self, 0, sizeof *self);
    for (int producer = 0; producer < BENCH_MOST_PRODUCERS; producer++) {
        self->expected[producer] = from;
    }
}

/* tally_take: records more, from the one producer. */
static inline void tally_take(tally *self, const bench_record *records, size_t count)
{
    lanes sums = self->sums;
    uint64_t expected = self->expected[0];
    uint64_t wrong = self->wrong;
    for (size_t i = 0; i < count; i++) {
        lanes loaded;
        memcpy(&loaded, &records[i], sizeof loaded);
        wrong |= (records[i].words[1] ^ expected) | records[i].words[2];
        expected++;
        sums += loaded;
    }
    self->sums = sums;
    self->expected[0] = expected;
    self->wrong = wrong;
    self->received += count;
}

/* tally_take_any: records more, each from whichever producer it names. */
static inline void tally_take_any(tally *self, const bench_record *records, size_t count)
{
    lanes sums = self->sums;
    uint64_t wrong = self->wrong;
    for (size_t i = 0; i < count; i++) {
        uint64_t producer = records[i].words[2] % BENCH_MOST_PRODUCERS;
        lanes loaded;
        memcpy(&loaded, &records[i], sizeof loaded);
        wrong |= records[i].words[1] ^ self->expected[producer];
        wrong |= records[i].words[2] ^ producer;
        self->expected[producer]++;
        sums += loaded;
    }
    self->sums = sums;
    self->wrong = wrong;
    self->received += count;
}

/* tally_checksum: the sums in one word. */
static inline uint64_t tally_checksum(const tally *self)
{
    uint64_t sum = 0;
    for (int word = 0; word < RECORD_WORDS; word++) {
        sum = sum * UINT64_C(1000003) + self->sums[word];
    }
    return sum;
}

/* sum_of_run: from + (from + 1) + ... + (until - 1), modulo 2**64. */
static inline uint64_t sum_of_run(uint64_t from, uint64_t until)
{
    uint64_t count = until - from;
    /* count * (count - 1) / 2, halving whichever factor is even. */
    uint64_t pairs = count % 2 == 0 ? count / 2 * (count - 1) : (count - 1) / 2 * count;
    return from * count + pairs;
}

/* tally_verify: BENCH_DONE if the records `from` to `until` - 1 of each producer arrived, in order
 * and whole. `stamped`: word 0 is a sequencer's stamp, 1 for the first record ever. */
static inline int tally_verify(const tally *self, uint64_t producers, uint64_t from,
                               uint64_t until, int stamped)
{
    lanes sums = {0};
    if (self->wrong != 0 || self->received != producers * (until - from)) {
        return BENCH_WRONG_ORDER;
    }
    for (uint64_t producer = 0; producer < producers; producer++) {
        lanes first;
        lanes_of(&first, producer, 0);
        sums += first * (until - from) + RECORD_STEP * sum_of_run(from, until);
    }
    if (stamped) {
        sums[0] = sum_of_run(producers * from + 1, producers * until + 1);
    }
    return memcmp(&sums, &self->sums, sizeof sums) == 0 ? BENCH_DONE : BENCH_WRONG_SUM;
}

#endif
