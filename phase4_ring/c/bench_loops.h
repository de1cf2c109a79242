/* bench_loops.h - the loops of the benchmarks, inlined once for each carrier.
 *
 * `ops` is a constant where they are used, and so are its calls.
 */
#ifndef PHASE4_BENCH_LOOPS_H
#define PHASE4_BENCH_LOOPS_H

#include "phase4_ring/c/bench_carriers.h"

/* produce_copies: the producer's records `from` to `until` - 1, `size` at a time. BENCH_DONE or
 * BENCH_STUCK. */
ALWAYS_INLINE int produce_copies(const carrier *ops, port *at, size_t size, uint64_t producer,
                                 uint64_t from, uint64_t until, uint64_t *waits)
{
    OWN_LINE bench_record batch[BENCH_LARGEST_BATCH];
    lanes record;

    lanes_of(&record, producer, from);
    for (uint64_t number = from; number < until;) {
        size_t count = until - number < size ? (size_t)(until - number) : size;
        if (size == 1) {
            lanes_store(&record, batch);
        } else {
            lanes_fill(&record, batch, count);
        }
        for (size_t sent = 0; sent < count;) {
            size_t now = ops->push(at, batch + sent, count - sent);
            sent += now;
            at->refusals = now > 0 ? 0 : at->refusals + 1;
            if (now == 0) {
                ++*waits;
                if (!ops->wait_space(at)) {
                    return BENCH_STUCK;
                }
            }
        }
        number += count;
    }
    return BENCH_DONE;
}

/* produce_in_place: the same, written straight into the slots. */
ALWAYS_INLINE int produce_in_place(const carrier *ops, port *at, size_t size, uint64_t producer,
                                   uint64_t from, uint64_t until, uint64_t *waits)
{
    lanes record;

    lanes_of(&record, producer, from);
    for (uint64_t number = from; number < until;) {
        size_t wanted = until - number < size ? (size_t)(until - number) : size;
        size_t granted = ops->claim(at, wanted);
        at->refusals = granted > 0 ? 0 : at->refusals + 1;
        if (granted == 0) {
            ++*waits;
            if (!ops->wait_space(at)) {
                return BENCH_STUCK;
            }
            continue;
        }
        if (ops->stamped) {
            for (size_t i = 0; i < granted; i++) {
                lanes_store_body(&record, ops->slot(at, i));
            }
        } else {
            lanes_fill(&record, ops->slot(at, 0), granted);
        }
        ops->commit(at, granted);
        number += granted;
    }
    return BENCH_DONE;
}

/* produce: as the plan says. */
ALWAYS_INLINE int produce(const carrier *ops, port *at, const bench_plan *plan, uint64_t producer,
                          uint64_t from, uint64_t until, uint64_t *waits)
{
    if (plan->way == BENCH_SINGLY) {
        return produce_copies(ops, at, 1, producer, from, until, waits);
    }
    if (plan->way == BENCH_IN_PLACE && ops->claim != NULL) {
        return produce_in_place(ops, at, plan->batch, producer, from, until, waits);
    }
    return produce_copies(ops, at, plan->batch, producer, from, until, waits);
}

ALWAYS_INLINE void take(const carrier *ops, tally *sum, const bench_record *records, size_t count)
{
    if (ops->many_producers) {
        tally_take_any(sum, records, count);
    } else {
        tally_take(sum, records, count);
    }
}

/* consume_some: `count` records into the tally. BENCH_DONE or BENCH_STUCK. */
ALWAYS_INLINE int consume_some(const carrier *ops, port *at, size_t size, int in_place,
                               uint64_t count, tally *result, uint64_t *waits)
{
    OWN_LINE bench_record batch[BENCH_LARGEST_BATCH];
    tally sum = *result; /* here the compiler can keep it in registers */

    for (uint64_t done = 0; done < count;) {
        size_t wanted = count - done < size ? (size_t)(count - done) : size;
        const bench_record *records = batch;
        size_t found;
        if (in_place) {
            records = ops->peek(at, wanted, &found);
        } else {
            found = ops->pop(at, batch, wanted);
        }
        if (found == 0) {
            ++*waits;
            if (!ops->wait_items(at)) {
                return BENCH_STUCK;
            }
            continue;
        }
        take(ops, &sum, records, found);
        if (in_place) {
            ops->release(at, found);
        }
        done += found;
    }
    *result = sum;
    return BENCH_DONE;
}

/* consume: as the plan says. */
ALWAYS_INLINE int consume(const carrier *ops, port *at, const bench_plan *plan, uint64_t count,
                          tally *result, uint64_t *waits)
{
    if (plan->way == BENCH_SINGLY) {
        return consume_some(ops, at, 1, 0, count, result, waits);
    }
    if (plan->way == BENCH_IN_PLACE && ops->peek != NULL) {
        return consume_some(ops, at, plan->batch, 1, count, result, waits);
    }
    return consume_some(ops, at, plan->batch, 0, count, result, waits);
}

/* send_one, receive_one: for trips, which carry one record at a time. 1, or 0 if in vain. */
ALWAYS_INLINE int send_one(const carrier *ops, port *at, const bench_record *record)
{
    at->refusals = 0;
    while (ops->push(at, record, 1) == 0) {
        at->refusals++;
        if (!ops->wait_space(at)) {
            return 0;
        }
    }
    return 1;
}

ALWAYS_INLINE int receive_one(const carrier *ops, port *at, bench_record *record)
{
    while (ops->pop(at, record, 1) == 0) {
        if (!ops->wait_items(at)) {
            return 0;
        }
    }
    return 1;
}

/* send_back: `count` records, one by one. BENCH_DONE or BENCH_STUCK. */
ALWAYS_INLINE int send_back(const carrier *ops, port *in, port *out, uint64_t count)
{
    bench_record record;
    for (uint64_t done = 0; done < count; done++) {
        if (!receive_one(ops, in, &record) || !send_one(ops, out, &record)) {
            return BENCH_STUCK;
        }
    }
    return BENCH_DONE;
}

#endif
