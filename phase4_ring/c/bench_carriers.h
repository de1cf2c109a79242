/* bench_carriers.h - everything that can carry records in a benchmark, behind one set of calls.
 *
 * The loops of bench_transfer.c are inlined once for each carrier, with its calls as constants: a
 * carrier pays for no pointer that it does not need. The real rings are called as anybody calls
 * them; the simple ones of this file are inlined, and are compared with each other.
 */
#ifndef PHASE4_BENCH_CARRIERS_H
#define PHASE4_BENCH_CARRIERS_H

#include <stdlib.h>

#include "phase4_ring/c/bench_record.h"
#include "phase4_ring/c/bench_run.h"
#include "phase4_ring/c/sequencer.h"
#include "phase4_ring/c/spsc_ring.h"

/* port: one side's view of a carrier. */
typedef struct {
    void *ring;
    void *slots;    /* of the claim or peek under way */
    uint64_t first; /* sequencer: the claim's first cursor */
    size_t count;
    int number;     /* sequencer: which producer */
    int strategy;
    uint32_t refusals; /* in a row */
} port;

/* carrier: `claim`, `slot`, `commit`, `peek` and `release` are NULL where records are only copied;
 * the claimed slots of one that does not stamp lie side by side. The waits return 0 when they were
 * in vain. */
typedef struct {
    int stamped;
    int many_producers;
    void *(*open)(const bench_plan *plan);
    void (*close)(void *ring);
    int (*join)(void *ring);
    size_t (*push)(port *self, const bench_record *records, size_t count);
    size_t (*pop)(port *self, bench_record *records, size_t count);
    size_t (*claim)(port *self, size_t wanted);
    bench_record *(*slot)(port *self, size_t index);
    void (*commit)(port *self, size_t count);
    const bench_record *(*peek)(port *self, size_t wanted, size_t *found);
    void (*release)(port *self, size_t count);
    int (*wait_space)(port *self);
    int (*wait_items)(port *self);
} carrier;

static inline int join_as_only(void *ring)
{
    (void)ring;
    return 0;
}

/* --- the SPSC ring ---------------------------------------------------------------------- */

static inline void *spsc_open(const bench_plan *plan)
{
    spsc_ring *ring;
    region_problem problem;
    return spsc_create(NULL, plan->capacity, plan->parking, 0, &ring, &problem) == 0 ? ring : NULL;
}

static inline void spsc_close_private(void *ring)
{
    spsc_detach(ring);
}

static inline size_t spsc_port_push(port *self, const bench_record *records, size_t count)
{
    return spsc_push(self->ring, records, count);
}

static inline size_t spsc_port_pop(port *self, bench_record *records, size_t count)
{
    return spsc_pop(self->ring, records, count);
}

static inline size_t spsc_port_claim(port *self, size_t wanted)
{
    size_t granted;
    self->slots = spsc_claim(self->ring, wanted, &granted);
    return granted;
}

static inline bench_record *spsc_port_slot(port *self, size_t index)
{
    return (bench_record *)self->slots + index;
}

static inline void spsc_port_commit(port *self, size_t count)
{
    spsc_commit(self->ring, count);
}

static inline const bench_record *spsc_port_peek(port *self, size_t wanted, size_t *found)
{
    return (const bench_record *)spsc_peek(self->ring, wanted, found);
}

static inline void spsc_port_release(port *self, size_t count)
{
    spsc_release(self->ring, count);
}

static inline int spsc_port_wait_space(port *self)
{
    return spsc_wait_space(self->ring, self->strategy, STUCK_NS) == WAIT_READY;
}

static inline int spsc_port_wait_items(port *self)
{
    return spsc_wait_items(self->ring, self->strategy, STUCK_NS) == WAIT_READY;
}

static const carrier SPSC_CARRIER = {
    0, 0, spsc_open, spsc_close_private, join_as_only, spsc_port_push, spsc_port_pop,
    spsc_port_claim, spsc_port_slot, spsc_port_commit, spsc_port_peek, spsc_port_release,
    spsc_port_wait_space, spsc_port_wait_items,
};

/* --- the sequencer ---------------------------------------------------------------------- */

/* A refusal is SEQUENCER_TRIES looks at a full ring, tens of microseconds. */
#define REFUSALS_TO_GIVE_UP 100000u
/* How often a producer that yields looks before it does. */
#define TRIES_BEFORE_YIELD 256u

static inline void *sequencer_open(const bench_plan *plan)
{
    sequencer *ring;
    region_problem problem;
    if (sequencer_create(NULL, plan->capacity, plan->parking, 0, &ring, &problem) != 0) {
        return NULL;
    }
    return sequencer_add_consumer(ring, 0) == 0 ? ring : NULL;
}

static inline void sequencer_close_private(void *ring)
{
    sequencer_detach(ring);
}

static inline int sequencer_port_join(void *ring)
{
    return sequencer_join(ring);
}

static inline uint32_t tries_of(const port *self)
{
    return self->strategy == WAIT_SPIN ? (uint32_t)SEQUENCER_TRIES : TRIES_BEFORE_YIELD;
}

static inline size_t sequencer_port_push(port *self, const bench_record *records, size_t count)
{
    return (size_t)sequencer_push(self->ring, self->number, records, count, tries_of(self));
}

static inline size_t sequencer_port_claim(port *self, size_t wanted)
{
    self->first =
        sequencer_claim(self->ring, self->number, wanted, tries_of(self), &self->count);
    return self->count;
}

static inline bench_record *sequencer_port_slot(port *self, size_t index)
{
    return (bench_record *)sequencer_slot(self->ring, self->first + index);
}

static inline void sequencer_port_commit(port *self, size_t count)
{
    sequencer_publish(self->ring, self->number, self->first, count);
}

static inline const bench_record *sequencer_port_peek(port *self, size_t wanted, size_t *found)
{
    return (const bench_record *)sequencer_peek(self->ring, 0, wanted, found);
}

static inline void sequencer_port_release(port *self, size_t count)
{
    sequencer_advance(self->ring, 0, count);
}

static inline size_t sequencer_port_pop(port *self, bench_record *records, size_t count)
{
    size_t found;
    const bench_record *from = sequencer_port_peek(self, count, &found);
    if (found > 0) {
        memcpy(records, from, found * sizeof *records);
        sequencer_port_release(self, found);
    }
    return found;
}

static inline int sequencer_port_wait_space(port *self)
{
    if (self->strategy != WAIT_SPIN) {
        sched_yield();
    }
    return self->refusals < REFUSALS_TO_GIVE_UP * (SEQUENCER_TRIES / tries_of(self));
}

static inline int sequencer_port_wait_items(port *self)
{
    return sequencer_wait(self->ring, 0, self->strategy, STUCK_NS) == WAIT_READY;
}

static const carrier SEQUENCER_CARRIER = {
    1, 1, sequencer_open, sequencer_close_private, sequencer_port_join, sequencer_port_push,
    sequencer_port_pop, sequencer_port_claim, sequencer_port_slot, sequencer_port_commit,
    sequencer_port_peek, sequencer_port_release, sequencer_port_wait_space,
    sequencer_port_wait_items,
};

#endif
