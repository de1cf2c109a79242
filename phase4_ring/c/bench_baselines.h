/* bench_baselines.h - what the rings are held against: a queue under a lock, and one ring in four
 * versions that shows where a ring's speed comes from.
 */
#ifndef PHASE4_BENCH_BASELINES_H
#define PHASE4_BENCH_BASELINES_H

#include "phase4_ring/c/bench_carriers.h"

/* aligned_zeroed: NULL or memory on a line, all touched. */
static inline void *aligned_zeroed(size_t bytes)
{
    size_t whole = (bytes + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
    void *memory = aligned_alloc(CACHE_LINE_BYTES, whole);
    if (memory != NULL) {
        memset(memory, 0, whole);
    }
    return memory;
}

/* --- a bounded queue under a mutex ------------------------------------------------------- */

/* As one writes it by hand: whoever finds it full or empty sleeps on a condition variable, and is
 * woken only if he sleeps. Several producers, several consumers. */
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t items;
    pthread_cond_t space;
    uint64_t head;
    uint64_t tail;
    uint64_t capacity;
    uint32_t items_sleepers;
    uint32_t space_sleepers;
    OWN_LINE bench_record slots[];
} locked_queue;

static inline void *locked_open(const bench_plan *plan)
{
    locked_queue *queue = aligned_zeroed(sizeof *queue + plan->capacity * sizeof(bench_record));
    if (queue != NULL) {
        queue->capacity = plan->capacity;
        pthread_mutex_init(&queue->lock, NULL);
        pthread_cond_init(&queue->items, NULL);
        pthread_cond_init(&queue->space, NULL);
    }
    return queue;
}

static inline void locked_close(void *ring)
{
    locked_queue *queue = ring;
    pthread_cond_destroy(&queue->items);
    pthread_cond_destroy(&queue->space);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

static inline size_t locked_push(port *self, const bench_record *records, size_t count)
{
    locked_queue *queue = self->ring;
    size_t done = 0;
    pthread_mutex_lock(&queue->lock);
    for (; done < count && queue->head - queue->tail < queue->capacity; done++) {
        queue->slots[queue->head++ & (queue->capacity - 1)] = records[done];
    }
    int wake = done > 0 && queue->items_sleepers > 0;
    pthread_mutex_unlock(&queue->lock);
    if (wake) {
        pthread_cond_signal(&queue->items);
    }
    return done;
}

static inline size_t locked_pop(port *self, bench_record *records, size_t count)
{
    locked_queue *queue = self->ring;
    size_t done = 0;
    pthread_mutex_lock(&queue->lock);
    for (; done < count && queue->head != queue->tail; done++) {
        records[done] = queue->slots[queue->tail++ & (queue->capacity - 1)];
    }
    int wake = done > 0 && queue->space_sleepers > 0;
    pthread_mutex_unlock(&queue->lock);
    if (wake) {
        pthread_cond_broadcast(&queue->space);
    }
    return done;
}

/* locked_sleep: until woken, at most STUCK_NS; the lock is held. 0 if it was that long. */
static inline int locked_sleep(locked_queue *queue, pthread_cond_t *side)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(STUCK_NS / 1000000000u);
    return pthread_cond_timedwait(side, &queue->lock, &until) == 0;
}

static inline int locked_wait_space(port *self)
{
    locked_queue *queue = self->ring;
    int in_time = 1;
    pthread_mutex_lock(&queue->lock);
    queue->space_sleepers++;
    while (in_time && queue->head - queue->tail == queue->capacity) {
        in_time = locked_sleep(queue, &queue->space);
    }
    queue->space_sleepers--;
    pthread_mutex_unlock(&queue->lock);
    return in_time;
}

static inline int locked_wait_items(port *self)
{
    locked_queue *queue = self->ring;
    int in_time = 1;
    pthread_mutex_lock(&queue->lock);
    queue->items_sleepers++;
    while (in_time && queue->head == queue->tail) {
        in_time = locked_sleep(queue, &queue->items);
    }
    queue->items_sleepers--;
    pthread_mutex_unlock(&queue->lock);
    return in_time;
}

static const carrier LOCKED_CARRIER = {
    0, 1, locked_open, locked_close, join_as_only, locked_push, locked_pop,
    NULL, NULL, NULL, NULL, NULL, locked_wait_space, locked_wait_items,
};

/* --- one ring, four versions ------------------------------------------------------------- */

/* What one side writes: its cursor, and its copy of the other's. */
typedef struct {
    _Atomic uint64_t cursor;
    uint64_t other_seen;
} cursor_pair;

#define PAIRS_IN_LINE (CACHE_LINE_BYTES / sizeof(cursor_pair))

/* The versions differ in two values, not in code: where the consumer's pair lies, and whether a
 * side looks at the other's cursor before every record or only when its copy no longer suffices. */
typedef struct {
    cursor_pair *producer;
    cursor_pair *consumer;
    uint64_t capacity;
    int keeps_copy;
    OWN_LINE cursor_pair pairs[2 * PAIRS_IN_LINE];
    OWN_LINE bench_record slots[];
} simple_ring;

static inline void *simple_open(const bench_plan *plan)
{
    int apart = plan->ring == BENCH_APART || plan->ring == BENCH_APART_COPY;
    simple_ring *ring = aligned_zeroed(sizeof *ring + plan->capacity * sizeof(bench_record));
    if (ring != NULL) {
        ring->capacity = plan->capacity;
        ring->keeps_copy = plan->ring == BENCH_APART_COPY || plan->ring == BENCH_SHARED_COPY;
        ring->producer = &ring->pairs[0];
        ring->consumer = &ring->pairs[apart ? PAIRS_IN_LINE : 1];
    }
    return ring;
}

static inline void simple_close(void *ring)
{
    free(ring);
}

static inline size_t simple_push(port *self, const bench_record *records, size_t count)
{
    simple_ring *ring = self->ring;
    cursor_pair *mine = ring->producer;
    uint64_t head = atomic_load_explicit(&mine->cursor, memory_order_relaxed); /* my own */
    if (!ring->keeps_copy || ring->capacity - (head - mine->other_seen) < count) {
        /* M1, pairs with M4: the consumer has read the slots that are free. */
        mine->other_seen = atomic_load_explicit(&ring->consumer->cursor, memory_order_acquire);
    }
    uint64_t room = ring->capacity - (head - mine->other_seen);
    size_t done = room < count ? (size_t)room : count;
    for (size_t i = 0; i < done; i++) {
        ring->slots[(head + i) & (ring->capacity - 1)] = records[i];
    }
    if (done > 0) {
        /* M2, pairs with M3: the records are in their slots. */
        atomic_store_explicit(&mine->cursor, head + done, memory_order_release);
    }
    return done;
}

static inline size_t simple_pop(port *self, bench_record *records, size_t count)
{
    simple_ring *ring = self->ring;
    cursor_pair *mine = ring->consumer;
    uint64_t tail = atomic_load_explicit(&mine->cursor, memory_order_relaxed); /* my own */
    if (!ring->keeps_copy || mine->other_seen - tail < count) {
        /* M3, pairs with M2. */
        mine->other_seen = atomic_load_explicit(&ring->producer->cursor, memory_order_acquire);
    }
    uint64_t full = mine->other_seen - tail;
    size_t done = full < count ? (size_t)full : count;
    for (size_t i = 0; i < done; i++) {
        records[i] = ring->slots[(tail + i) & (ring->capacity - 1)];
    }
    if (done > 0) {
        /* M4, pairs with M1. */
        atomic_store_explicit(&mine->cursor, tail + done, memory_order_release);
    }
    return done;
}

/* simple_wait: until the other side has moved on from where it was last seen. */
static inline int simple_wait(const simple_ring *ring, const cursor_pair *mine)
{
    const cursor_pair *other = mine == ring->producer ? ring->consumer : ring->producer;
    waiter wait;
    waiter_start(&wait, WAIT_SPIN, STUCK_NS);
    /* Relaxed: what is read there is read again by M1 or M3. */
    while (atomic_load_explicit(&other->cursor, memory_order_relaxed) == mine->other_seen) {
        if (waiter_step(&wait) < 0) {
            return 0;
        }
    }
    return 1;
}

static inline int simple_wait_space(port *self)
{
    const simple_ring *ring = self->ring;
    return simple_wait(ring, ring->producer);
}

static inline int simple_wait_items(port *self)
{
    const simple_ring *ring = self->ring;
    return simple_wait(ring, ring->consumer);
}

static const carrier SIMPLE_CARRIER = {
    0, 0, simple_open, simple_close, join_as_only, simple_push, simple_pop,
    NULL, NULL, NULL, NULL, NULL, simple_wait_space, simple_wait_items,
};

#endif
