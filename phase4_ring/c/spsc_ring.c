/* spsc_ring.c - see spsc_ring.h. The letters P1, P2, C1, C2 are those of orders.h. */
#include "phase4_ring/c/spsc_ring.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase4_ring/c/process.h"

/* How far ahead a producer asks for the line that it will write: a few records' time is what it
 * takes to come. */
#define SLOTS_AHEAD 4

_Static_assert(sizeof(ring_record) == 64, "a record is 64 bytes");
_Static_assert(offsetof(struct spsc_ring, tail) - offsetof(struct spsc_ring, head) >=
                   CACHE_LINE_BYTES,
               "the two sides write lines of their own");

int spsc_create(const char *name, uint64_t capacity, int parking, uint64_t start,
                spsc_ring **ring, region_problem *problem)
{
    region_header *header;
    int why = region_create(name, REGION_SPSC, capacity, parking != 0, start, &header, problem);
    if (why != 0) {
        return why;
    }
    spsc_ring *self = (spsc_ring *)header;
    atomic_init(&self->head, start);
    atomic_init(&self->tail, start);
    self->head_seen = start;
    self->tail_seen = start;
    region_ready(header);
    *ring = self;
    return 0;
}

int spsc_attach(const char *name, spsc_ring **ring, region_problem *problem)
{
    return region_attach(name, REGION_SPSC, (region_header **)ring, problem);
}

void spsc_detach(spsc_ring *ring)
{
    region_detach((region_header *)ring);
}

uint32_t spsc_take_side(spsc_ring *ring, int side)
{
    CHECK(side == 0 || side == 1);
    uint64_t me = process_self();
    uint64_t owner = atomic_load_explicit(&ring->side_process[side], memory_order_acquire);
    do {
        if (owner != PROCESS_NONE && owner != me && process_alive(owner)) {
            return process_number(owner);
        }
        /* acq_rel: what the previous owner did to the side's line is seen by the next. */
    } while (!atomic_compare_exchange_weak_explicit(&ring->side_process[side], &owner, me,
                                                    memory_order_acq_rel, memory_order_acquire));
    /* The copies of a process that died may be of any age, but never ahead: they stay. */
    return 0;
}

void spsc_give_side(spsc_ring *ring, int side)
{
    CHECK(side == 0 || side == 1);
    atomic_store_explicit(&ring->side_process[side], PROCESS_NONE, memory_order_release);
}

int64_t spsc_side_pid(spsc_ring *ring, int side)
{
    CHECK(side == 0 || side == 1);
    uint64_t owner = atomic_load_explicit(&ring->side_process[side], memory_order_acquire);
    int64_t pid = process_number(owner);
    return owner == PROCESS_NONE || process_alive(owner) ? pid : -pid;
}

/* --8<-- [start:claim] */
static inline ring_record *claim(spsc_ring *ring, size_t wanted, size_t *granted)
{
    uint64_t capacity = ring->header.capacity;
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed); /* my own */
    uint64_t free = capacity - (head - ring->tail_seen);
    if (free < wanted) {
        ring->tail_seen = atomic_load_explicit(&ring->tail, ORDER_SPSC_TAIL_LOAD); /* P1 */
        free = capacity - (head - ring->tail_seen);
    }
    uint64_t slot = head & (capacity - 1);
    uint64_t most = capacity - slot; /* to the end of the lap */
    most = most < free ? most : free;
    *granted = most < wanted ? (size_t)most : wanted;
    /* The consumer's core has the next slots' lines from the last lap: ask for one ahead of time. */
    __builtin_prefetch(&ring->slots[(head + SLOTS_AHEAD) & (capacity - 1)], 1);
    return &ring->slots[slot];
}

/* commit: P2. In a ring that parks the store is also E3 of wait.h, and the look for sleepers E4. */
static inline void commit(spsc_ring *ring, size_t count)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed) + count;
    if (ring->header.parking) {
        atomic_store_explicit(&ring->head, head, memory_order_seq_cst);
        event_count_notify(&ring->items);
    } else {
        atomic_store_explicit(&ring->head, head, ORDER_SPSC_HEAD_STORE);
    }
}
/* --8<-- [end:claim] */

/* --8<-- [start:peek] */
static inline const ring_record *peek(spsc_ring *ring, size_t wanted, size_t *found)
{
    uint64_t capacity = ring->header.capacity;
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed); /* my own */
    uint64_t full = ring->head_seen - tail;
    if (full < wanted) {
        ring->head_seen = atomic_load_explicit(&ring->head, ORDER_SPSC_HEAD_LOAD); /* C1 */
        full = ring->head_seen - tail;
    }
    uint64_t slot = tail & (capacity - 1);
    uint64_t most = capacity - slot;
    most = most < full ? most : full;
    *found = most < wanted ? (size_t)most : wanted;
    return &ring->slots[slot];
}

/* release_slots: C2, and E3 and E4 for a producer that sleeps until there is room. */
static inline void release_slots(spsc_ring *ring, size_t count)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed) + count;
    if (ring->header.parking) {
        atomic_store_explicit(&ring->tail, tail, memory_order_seq_cst);
        event_count_notify(&ring->space);
    } else {
        atomic_store_explicit(&ring->tail, tail, ORDER_SPSC_TAIL_STORE);
    }
}
/* --8<-- [end:peek] */

ring_record *spsc_claim(spsc_ring *ring, size_t wanted, size_t *granted)
{
    return claim(ring, wanted, granted);
}

ring_record *spsc_claim_known(spsc_ring *ring, size_t enough, size_t *granted)
{
    uint64_t capacity = ring->header.capacity;
    ring_record *slots = claim(ring, enough, granted);
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint64_t free = capacity - (head - ring->tail_seen);
    uint64_t lap_rest = capacity - (head & (capacity - 1));
    *granted = (size_t)(free < lap_rest ? free : lap_rest);
    return slots;
}

void spsc_commit(spsc_ring *ring, size_t count)
{
    commit(ring, count);
}

const ring_record *spsc_peek(spsc_ring *ring, size_t wanted, size_t *found)
{
    return peek(ring, wanted, found);
}

void spsc_release(spsc_ring *ring, size_t count)
{
    release_slots(ring, count);
}

/* copy_records: one record is the commonest number, and a call of memcpy costs more than its 64
 * bytes: so a copy of known size, which the compiler writes out. */
static inline void copy_records(void *to, const void *from, size_t count)
{
    if (count == 1) {
        memcpy(to, from, sizeof(ring_record));
    } else {
        memcpy(to, from, count * sizeof(ring_record));
    }
}

size_t spsc_push(spsc_ring *ring, const void *records, size_t count)
{
    const char *from = records;
    size_t done = 0;
    while (done < count) {
        size_t granted;
        ring_record *to = claim(ring, count - done, &granted);
        if (granted == 0) {
            break;
        }
        copy_records(to, from + done * sizeof *to, granted);
        commit(ring, granted);
        done += granted;
    }
    return done;
}

int64_t spsc_offer(spsc_ring *ring, const void *records, size_t count)
{
    return spsc_is_closed(ring) ? SPSC_CLOSED : (int64_t)spsc_push(ring, records, count);
}

size_t spsc_pop(spsc_ring *ring, void *records, size_t count)
{
    char *to = records;
    size_t done = 0;
    while (done < count) {
        size_t found;
        const ring_record *from = peek(ring, count - done, &found);
        if (found == 0) {
            break;
        }
        copy_records(to + done * sizeof *from, from, found);
        release_slots(ring, found);
        done += found;
    }
    return done;
}

/* state_of: what a wait for `side` would find: E2 of wait.h, so seq_cst. The closed flag is read
 * first: what was committed before the close is then seen. */
static int state_of(spsc_ring *ring, event_count *side)
{
    uint32_t closed = atomic_load_explicit(&ring->header.closed, memory_order_seq_cst);
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_seq_cst);
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_seq_cst);
    if (side == &ring->items && head != tail) {
        return WAIT_READY;
    }
    if (closed) {
        return WAIT_CLOSED;
    }
    return side == &ring->space && head - tail < ring->header.capacity ? WAIT_READY : WAIT_TIMEOUT;
}

/* --8<-- [start:wait] */
static int wait_for(spsc_ring *ring, event_count *side, int strategy, uint64_t timeout_ns)
{
    waiter wait;
    waiter_start(&wait, waiter_strategy(strategy, ring->header.parking), timeout_ns);
    for (;;) {
        int state = state_of(ring, side);
        if (state != WAIT_TIMEOUT) {
            return state;
        }
        int step = waiter_step(&wait);
        if (step < 0) {
            return WAIT_TIMEOUT;
        }
        if (step > 0) {
            uint32_t seen = event_count_prepare(side);
            if (state_of(ring, side) == WAIT_TIMEOUT) {
                event_count_wait(side, seen, waiter_left_ns(&wait));
            }
        }
    }
}
/* --8<-- [end:wait] */

int spsc_wait_items(spsc_ring *ring, int strategy, uint64_t timeout_ns)
{
    return wait_for(ring, &ring->items, strategy, timeout_ns);
}

int spsc_wait_space(spsc_ring *ring, int strategy, uint64_t timeout_ns)
{
    return wait_for(ring, &ring->space, strategy, timeout_ns);
}

void spsc_close(spsc_ring *ring)
{
    /* E3 for both sides: whoever sleeps is to learn of it. */
    atomic_store_explicit(&ring->header.closed, 1, memory_order_seq_cst);
    event_count_notify(&ring->items);
    event_count_notify(&ring->space);
}

/* The cursors for those who only look. Acquire, pairing with P2, C2 and the close: a caller that
 * sees a cursor sees what was done before it was stored. */
int spsc_is_closed(const spsc_ring *ring)
{
    return atomic_load_explicit(&ring->header.closed, memory_order_acquire) != 0;
}

uint64_t spsc_head(const spsc_ring *ring)
{
    return atomic_load_explicit(&ring->head, memory_order_acquire);
}

uint64_t spsc_tail(const spsc_ring *ring)
{
    return atomic_load_explicit(&ring->tail, memory_order_acquire);
}

ring_record *spsc_slots(spsc_ring *ring)
{
    return ring->slots;
}

uint64_t spsc_capacity(const spsc_ring *ring)
{
    return ring->header.capacity;
}

size_t spsc_bytes(const spsc_ring *ring)
{
    return (size_t)ring->header.bytes;
}

int spsc_check(const spsc_ring *ring, char *message, size_t size)
{
    uint64_t head = spsc_head(ring);
    uint64_t tail = spsc_tail(ring);
    uint64_t capacity = ring->header.capacity;
    if (head - tail > capacity) {
        snprintf(message, size, "head %llu is not 0 to %llu records ahead of tail %llu",
                 (unsigned long long)head, (unsigned long long)capacity,
                 (unsigned long long)tail);
        return 0;
    }
    /* A copy is a cursor's earlier value: behind it, and never past the other side. */
    if (tail - ring->tail_seen > head - ring->tail_seen || head - ring->tail_seen > capacity) {
        snprintf(message, size, "the producer's copy of tail, %llu, is not between %llu and %llu",
                 (unsigned long long)ring->tail_seen, (unsigned long long)(head - capacity),
                 (unsigned long long)tail);
        return 0;
    }
    if (ring->head_seen - tail > head - tail) {
        snprintf(message, size, "the consumer's copy of head, %llu, is not between %llu and %llu",
                 (unsigned long long)ring->head_seen, (unsigned long long)tail,
                 (unsigned long long)head);
        return 0;
    }
    return 1;
}
