/* sequencer.c - see sequencer.h. The letters S1, S2, S3, B1, B2, B3 are those of orders.h. */
#include "phase4_ring/c/sequencer.h"

#include <stdio.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase4_ring/c/process.h"

/* What a command is without its sequence: what is copied into a slot. */
#define BODY_BYTES sizeof(((command_slot *)NULL)->body)
/* How many cursors a push claims at a time: others get their turn, and a death leaves few gaps. */
#define PUSH_RUN 256u

int sequencer_create(const char *name, uint64_t capacity, int parking, uint64_t start,
                     sequencer **ring, region_problem *problem)
{
    region_header *header;
    int why =
        region_create(name, REGION_SEQUENCER, capacity, parking != 0, start, &header, problem);
    if (why != 0) {
        return why;
    }
    sequencer *self = (sequencer *)header;
    atomic_init(&self->claimed, start);
    for (uint64_t cursor = start; cursor - start < capacity; cursor++) {
        /* As if a lap earlier: not this cursor's stamp. */
        atomic_init(&self->slots[cursor & (capacity - 1)].sequence, cursor + 1 - capacity);
    }
    region_ready(header);
    *ring = self;
    return 0;
}

int sequencer_attach(const char *name, sequencer **ring, region_problem *problem)
{
    return region_attach(name, REGION_SEQUENCER, (region_header **)ring, problem);
}

void sequencer_detach(sequencer *ring)
{
    region_detach((region_header *)ring);
}

static producer_entry *producer_of(sequencer *ring, int producer)
{
    CHECK(producer >= 0 && producer < SEQUENCER_MAX_PRODUCERS);
    return &ring->producers[producer];
}

static inline consumer_entry *consumer_of(const sequencer *ring, int consumer)
{
    CHECK((uint32_t)consumer <
          atomic_load_explicit(&ring->consumer_count, memory_order_relaxed));
    return (consumer_entry *)&ring->consumers[consumer];
}

static inline command_slot *slot_of(sequencer *ring, uint64_t cursor)
{
    return &ring->slots[cursor & (ring->header.capacity - 1)];
}

/* --- producers ------------------------------------------------------------------------------ */

int sequencer_join(sequencer *ring)
{
    uint64_t me = process_self();
    for (int number = 0; number < SEQUENCER_MAX_PRODUCERS; number++) {
        producer_entry *entry = &ring->producers[number];
        uint64_t owner = atomic_load_explicit(&entry->process, memory_order_acquire);
        /* The entry of a dead process may still be what names its claim: only a settled one is
         * taken over. An entry of this very process belongs to another of its threads. */
        if (owner != PROCESS_NONE &&
            (owner == me || process_alive(owner) || !sequencer_is_settled(ring, number))) {
            continue;
        }
        if (atomic_compare_exchange_strong_explicit(&entry->process, &owner, me,
                                                    memory_order_acq_rel,
                                                    memory_order_relaxed)) {
            uint64_t now = sequencer_claimed(ring);
            atomic_store_explicit(&entry->intent_from, now, memory_order_relaxed);
            atomic_store_explicit(&entry->intent_to, now, memory_order_release);
            entry->gate_seen = sequencer_gate(ring);
            atomic_store_explicit(&entry->refused, 0, memory_order_relaxed);
            return number;
        }
    }
    return -1;
}

void sequencer_leave(sequencer *ring, int producer)
{
    producer_entry *entry = producer_of(ring, producer);
    CHECK(atomic_load_explicit(&entry->intent_from, memory_order_relaxed) ==
          atomic_load_explicit(&entry->intent_to, memory_order_relaxed));
    atomic_store_explicit(&entry->process, PROCESS_NONE, memory_order_release);
}

uint64_t sequencer_gate(const sequencer *ring)
{
    uint32_t last = atomic_load_explicit(&ring->last, memory_order_acquire);
    uint64_t gate = ring->header.start;
    for (uint32_t number = 0, found = 0; last >> number != 0; number++) {
        if (last >> number & 1u) {
            const consumer_entry *entry = &ring->consumers[number];
            uint64_t cursor = atomic_load_explicit(&entry->cursor, ORDER_GATE_LOAD); /* S1 */
            /* Cursors wrap: "smaller" is "less than half the circle behind". */
            gate = !found || (int64_t)(cursor - gate) < 0 ? cursor : gate;
            found = 1;
        }
    }
    return gate;
}

/* --8<-- [start:claim] */
uint64_t sequencer_claim(sequencer *ring, int producer, size_t wanted, uint32_t tries,
                         size_t *granted)
{
    producer_entry *me = producer_of(ring, producer);
    uint64_t capacity = ring->header.capacity;
    uint64_t next = atomic_load_explicit(&ring->claimed, memory_order_relaxed);
    for (uint32_t used = 0; used < tries; used++) {
        /* Huge if the ring is closed (CLOSE_JUMP), or `next` old and the gate beyond it. */
        uint64_t taken = next - me->gate_seen;
        if (taken >= capacity || capacity - taken < wanted) {
            me->gate_seen = sequencer_gate(ring);
            next = atomic_load_explicit(&ring->claimed, memory_order_relaxed);
            taken = next - me->gate_seen;
        }
        if (taken >= capacity) {
            if (sequencer_is_closed(ring)) {
                break;
            }
            wait_pause();
            continue;
        }
        uint64_t room = capacity - taken;
        uint64_t count = room < wanted ? room : wanted;
        /* Say first what is about to be claimed: who dies after the CAS is then known. In this
         * order the two never cover a cursor that neither the old nor the new intent covers. */
        atomic_store_explicit(&me->intent_from, next, memory_order_release);
        atomic_store_explicit(&me->intent_to, next + count, memory_order_release);
        if (atomic_compare_exchange_weak_explicit(&ring->claimed, &next, next + count,
                                                  ORDER_CLAIM, /* S2 */
                                                  memory_order_relaxed)) {
            *granted = (size_t)count;
            return next;
        }
    }
    /* Nothing was claimed: withdraw the intent. */
    atomic_store_explicit(&me->intent_from,
                          atomic_load_explicit(&me->intent_to, memory_order_relaxed),
                          memory_order_release);
    atomic_store_explicit(&me->refused,
                          atomic_load_explicit(&me->refused, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    *granted = 0;
    return next;
}
/* --8<-- [end:claim] */

command_record *sequencer_slot(sequencer *ring, uint64_t cursor)
{
    return (command_record *)slot_of(ring, cursor);
}

/* finish: the last stamp of a batch is handed over, the intent is fulfilled. */
static inline void finish(sequencer *ring, producer_entry *me, uint64_t end)
{
    atomic_store_explicit(&me->intent_from, end, memory_order_release);
    if (ring->header.parking) {
        event_count_notify(&ring->items);
    }
}

/* stamp: S3: the slot of `cursor` is written and may be read. Where users park, the last stamp of
 * a batch is E3 of wait.h. */
static inline void stamp(sequencer *ring, uint64_t cursor, int is_last)
{
    command_slot *slot = slot_of(ring, cursor);
    if (is_last && ring->header.parking) {
        atomic_store_explicit(&slot->sequence, cursor + 1, memory_order_seq_cst);
    } else {
        atomic_store_explicit(&slot->sequence, cursor + 1, ORDER_PUBLISH_STORE);
    }
}

void sequencer_publish(sequencer *ring, int producer, uint64_t first, size_t count)
{
    for (uint64_t cursor = first; cursor != first + count; cursor++) {
        stamp(ring, cursor, cursor + 1 == first + count);
    }
    finish(ring, producer_of(ring, producer), first + count);
}

/* --8<-- [start:push] */
int64_t sequencer_push(sequencer *ring, int producer, const void *commands, size_t count,
                       uint32_t tries)
{
    const char *from = commands;
    size_t done = 0;
    while (done < count) {
        if (sequencer_is_closed(ring)) {
            return done > 0 ? (int64_t)done : SEQUENCER_CLOSED;
        }
        size_t wanted = count - done < PUSH_RUN ? count - done : PUSH_RUN;
        size_t granted;
        uint64_t first = sequencer_claim(ring, producer, wanted, tries, &granted);
        if (granted == 0) {
            break;
        }
        for (size_t i = 0; i < granted; i++) {
            const char *command = from + (done + i) * sizeof(command_record);
            memcpy(slot_of(ring, first + i)->body, command + sizeof(uint64_t), BODY_BYTES);
            stamp(ring, first + i, i + 1 == granted);
        }
        finish(ring, producer_of(ring, producer), first + granted);
        done += granted;
    }
    return (int64_t)done;
}
/* --8<-- [end:push] */

uint64_t sequencer_refused(const sequencer *ring, int producer)
{
    CHECK(producer >= 0 && producer < SEQUENCER_MAX_PRODUCERS);
    return atomic_load_explicit(&ring->producers[producer].refused, memory_order_relaxed);
}

/* --- consumers ------------------------------------------------------------------------------ */

int sequencer_add_consumer(sequencer *ring, uint32_t after)
{
    uint32_t number = atomic_load_explicit(&ring->consumer_count, memory_order_acquire);
    if (number == SEQUENCER_MAX_CONSUMERS || after >> number != 0 ||
        sequencer_gate(ring) != ring->header.start) {
        return -1;
    }
    consumer_entry *entry = &ring->consumers[number];
    atomic_store_explicit(&entry->cursor, ring->header.start, memory_order_relaxed);
    entry->ready_seen = ring->header.start;
    entry->after = after;
    atomic_store_explicit(&entry->process, process_self(), memory_order_relaxed);
    uint32_t last = atomic_load_explicit(&ring->last, memory_order_relaxed);
    atomic_store_explicit(&ring->consumer_count, number + 1, memory_order_release);
    /* Release: who gates on the consumer sees all of it. */
    atomic_store_explicit(&ring->last, (last & ~after) | 1u << number, memory_order_release);
    return (int)number;
}

uint32_t sequencer_take_consumer(sequencer *ring, int consumer)
{
    if (consumer < 0 || consumer >= sequencer_consumers(ring)) {
        return UINT32_MAX;
    }
    consumer_entry *entry = consumer_of(ring, consumer);
    uint64_t me = process_self();
    uint64_t owner = atomic_load_explicit(&entry->process, memory_order_acquire);
    do {
        if (owner != me && process_alive(owner)) {
            return process_number(owner);
        }
        /* acq_rel: the entry's plain fields go from owner to owner. */
    } while (!atomic_compare_exchange_weak_explicit(&entry->process, &owner, me,
                                                    memory_order_acq_rel, memory_order_acquire));
    return 0;
}

int64_t sequencer_consumer_pid(sequencer *ring, int consumer)
{
    if (consumer < 0 || consumer >= sequencer_consumers(ring)) {
        return 0;
    }
    uint64_t owner =
        atomic_load_explicit(&consumer_of(ring, consumer)->process, memory_order_acquire);
    int64_t pid = process_number(owner);
    return owner == PROCESS_NONE || process_alive(owner) ? pid : -pid;
}

/* --8<-- [start:ready] */
/* published_until: the first cursor of [from, limit) whose slot is not published: B1. */
static inline uint64_t published_until(sequencer *ring, uint64_t from, uint64_t limit)
{
    while (from != limit) {
        command_slot *slot = slot_of(ring, from);
        if (atomic_load_explicit(&slot->sequence, ORDER_PUBLISH_LOAD) != from + 1) {
            break;
        }
        from++;
    }
    return from;
}

/* passed_until: the smallest cursor of those the consumer comes after: B3. */
static uint64_t passed_until(const sequencer *ring, uint32_t after, uint64_t mine)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t number = 0; after != 0; number++, after >>= 1) {
        if (after & 1u) {
            const consumer_entry *entry = &ring->consumers[number];
            uint64_t ahead = atomic_load_explicit(&entry->cursor, ORDER_CURSOR_LOAD) - mine;
            least = ahead < least ? ahead : least;
        }
    }
    return mine + least;
}

const command_record *sequencer_peek(sequencer *ring, int consumer, size_t wanted, size_t *found)
{
    consumer_entry *me = consumer_of(ring, consumer);
    uint64_t mine = atomic_load_explicit(&me->cursor, memory_order_relaxed); /* my own */
    uint64_t lap_rest = ring->header.capacity - (mine & (ring->header.capacity - 1));
    uint64_t most = wanted < lap_rest ? wanted : lap_rest;
    if (me->ready_seen - mine < most) {
        /* Those this one comes after have seen the slots published, and passed that on. */
        me->ready_seen = me->after != 0 ? passed_until(ring, me->after, mine)
                                        : published_until(ring, me->ready_seen, mine + most);
    }
    uint64_t ready = me->ready_seen - mine;
    *found = (size_t)(ready < most ? ready : most);
    return (const command_record *)slot_of(ring, mine);
}
/* --8<-- [end:ready] */

void sequencer_advance(sequencer *ring, int consumer, size_t count)
{
    consumer_entry *me = consumer_of(ring, consumer);
    uint64_t cursor = atomic_load_explicit(&me->cursor, memory_order_relaxed) + count;
    if (ring->header.parking &&
        !(atomic_load_explicit(&ring->last, memory_order_relaxed) >> consumer & 1u)) {
        /* Somebody comes after this one, and may sleep: E3 and E4 of wait.h. */
        atomic_store_explicit(&me->cursor, cursor, memory_order_seq_cst);
        event_count_notify(&ring->items);
    } else {
        atomic_store_explicit(&me->cursor, cursor, ORDER_CURSOR_STORE); /* B2 */
    }
}

/* state_of: what a waiting consumer would find now: E2 of wait.h, so seq_cst throughout. */
static int state_of(sequencer *ring, int consumer)
{
    consumer_entry *me = consumer_of(ring, consumer);
    uint64_t mine = atomic_load_explicit(&me->cursor, memory_order_relaxed);
    int ready = 1;
    if (me->after == 0) {
        command_slot *slot = slot_of(ring, mine);
        ready = atomic_load_explicit(&slot->sequence, memory_order_seq_cst) == mine + 1;
    }
    for (uint32_t number = 0; me->after >> number != 0; number++) {
        if (me->after >> number & 1u) {
            ready &= atomic_load_explicit(&ring->consumers[number].cursor,
                                          memory_order_seq_cst) != mine;
        }
    }
    if (ready) {
        return WAIT_READY;
    }
    uint64_t claimed = atomic_load_explicit(&ring->claimed, memory_order_seq_cst);
    return claimed == mine + CLOSE_JUMP ? WAIT_CLOSED : WAIT_TIMEOUT;
}

int sequencer_wait(sequencer *ring, int consumer, int strategy, uint64_t timeout_ns)
{
    waiter wait;
    waiter_start(&wait, waiter_strategy(strategy, ring->header.parking), timeout_ns);
    for (;;) {
        int state = state_of(ring, consumer);
        if (state != WAIT_TIMEOUT) {
            return state;
        }
        int step = waiter_step(&wait);
        if (step < 0) {
            return WAIT_TIMEOUT;
        }
        if (step > 0) {
            uint32_t seen = event_count_prepare(&ring->items);
            if (state_of(ring, consumer) == WAIT_TIMEOUT) {
                event_count_wait(&ring->items, seen, waiter_left_ns(&wait));
            }
        }
    }
}
