/* claims.c - the rest of sequencer.h: ends, views, invariants, and claims of the dead.
 *
 * Who owns an unpublished cursor that was claimed? Every producer announces [from, to) before its
 * CAS and withdraws it after it has published or been refused, so at any moment the owner's intent
 * covers the cursor. Others may cover it too, for a moment: they announced, and lost the CAS. So:
 *
 *   a living producer's intent covers the cursor    wait: the owner may be he, and will publish;
 *                                                   or he lost, and his intent soon moves on
 *   no living one's does, a dead one's does         the owner is dead: what is there is a gap
 *   nobody's does                                   it has just been published
 *
 * One pass looks at all entries, living and dead, in any order: an owner who publishes and withdraws
 * between two looks is caught by looking at the slot once more at the end, and one who is seen alive
 * and dies just then is found by the next pass. models/death.pml goes through every interleaving.
 */
#include <stdio.h>
#include <string.h>

#include "phase4_ring/c/process.h"
#include "phase4_ring/c/sequencer.h"

/* covers: whether the intent of an entry covers a cursor, whatever wrapped. D1, pairs with S2. */
static int covers(const producer_entry *entry, uint64_t cursor, uint64_t *end)
{
    uint64_t from = atomic_load_explicit(&entry->intent_from, memory_order_acquire);
    uint64_t to = atomic_load_explicit(&entry->intent_to, memory_order_acquire);
    *end = to;
    return (int64_t)(cursor - from) >= 0 && (int64_t)(to - cursor) > 0;
}

/* is_published: also if a later lap has taken the slot since. */
static int is_published(const sequencer *ring, uint64_t cursor)
{
    const command_slot *slot = &ring->slots[cursor & (ring->header.capacity - 1)];
    uint64_t sequence = atomic_load_explicit(&slot->sequence, memory_order_acquire);
    return (int64_t)(sequence - (cursor + 1)) >= 0;
}

/* --8<-- [start:dead] */
/* dead_owner: the dead producer who must own an unpublished cursor, or -1. */
static int dead_owner(const sequencer *ring, uint64_t cursor, uint64_t *end)
{
    int dead = -1;
    for (int number = 0; number < SEQUENCER_MAX_PRODUCERS; number++) {
        const producer_entry *entry = &ring->producers[number];
        uint64_t owner = atomic_load_explicit(&entry->process, memory_order_acquire);
        uint64_t to;
        if (owner == PROCESS_NONE || !covers(entry, cursor, &to)) {
            continue;
        }
        if (process_alive(owner)) {
            return -1;
        }
        dead = number;
        *end = to;
    }
    /* Who published between the looks has settled it. */
    return dead >= 0 && !is_published(ring, cursor) ? dead : -1;
}
/* --8<-- [end:dead] */

int sequencer_blocked(sequencer *ring, int consumer, dead_claim *claim)
{
    uint64_t cursor = sequencer_cursor(ring, consumer);
    if (is_published(ring, cursor) || sequencer_claimed(ring) == cursor) {
        return 0;
    }
    uint64_t end = cursor;
    int dead = dead_owner(ring, cursor, &end);
    if (dead < 0) {
        return 0;
    }
    claim->cursor = cursor;
    claim->end = end;
    claim->producer = (uint32_t)dead;
    claim->pid = process_number(
        atomic_load_explicit(&ring->producers[dead].process, memory_order_acquire));
    return 1;
}

int sequencer_is_settled(const sequencer *ring, int producer)
{
    const producer_entry *entry = &ring->producers[producer];
    uint64_t claimed = sequencer_claimed(ring);
    uint64_t cursor = atomic_load_explicit(&entry->intent_from, memory_order_acquire);
    uint64_t to = atomic_load_explicit(&entry->intent_to, memory_order_acquire);
    while ((int64_t)(to - cursor) > 0 && (int64_t)(claimed - cursor) > 0) {
        if (!is_published(ring, cursor)) {
            return 0;
        }
        cursor++;
    }
    return 1;
}

size_t sequencer_fill(sequencer *ring, const dead_claim *claim)
{
    size_t filled = 0;
    uint64_t claimed = sequencer_claimed(ring);
    for (uint64_t cursor = claim->cursor;
         (int64_t)(claim->end - cursor) > 0 && (int64_t)(claimed - cursor) > 0; cursor++) {
        uint64_t end;
        /* Asked again for each: an intent that lost its CAS covers what others own. */
        if (is_published(ring, cursor) || dead_owner(ring, cursor, &end) < 0) {
            continue;
        }
        command_slot *slot = &ring->slots[cursor & (ring->header.capacity - 1)];
        memset(slot->body, 0, sizeof slot->body);
        atomic_store_explicit(&slot->sequence, cursor + 1, memory_order_seq_cst);
        filled++;
    }
    event_count_notify(&ring->items);
    return filled;
}

void sequencer_give_consumer(sequencer *ring, int consumer)
{
    /* Release, pairs with the acquire in sequencer_take_consumer: the entry goes over as it is. */
    atomic_store_explicit(&ring->consumers[consumer].process, PROCESS_NONE,
                          memory_order_release);
}

/* --- ends and views ------------------------------------------------------------------------- */

/* has_jumped: whether a value of `claimed` says that the ring is closed. */
static inline int has_jumped(const sequencer *ring, uint64_t claimed)
{
    return claimed - ring->header.start >= CLOSE_JUMP;
}

void sequencer_close(sequencer *ring)
{
    uint64_t claimed = atomic_load_explicit(&ring->claimed, memory_order_relaxed);
    do {
        if (has_jumped(ring, claimed)) {
            return; /* somebody has closed it; any number may try, and die trying */
        }
        /* seq_cst: E3 of wait.h. */
    } while (!atomic_compare_exchange_weak_explicit(&ring->claimed, &claimed,
                                                    claimed + CLOSE_JUMP, memory_order_seq_cst,
                                                    memory_order_relaxed));
    event_count_notify(&ring->items);
}

int sequencer_is_closed(const sequencer *ring)
{
    return has_jumped(ring, atomic_load_explicit(&ring->claimed, memory_order_acquire));
}

uint64_t sequencer_claimed(const sequencer *ring)
{
    uint64_t claimed = atomic_load_explicit(&ring->claimed, memory_order_acquire);
    return has_jumped(ring, claimed) ? claimed - CLOSE_JUMP : claimed;
}

uint64_t sequencer_cursor(const sequencer *ring, int consumer)
{
    return atomic_load_explicit(&ring->consumers[consumer].cursor, memory_order_acquire);
}

uint64_t sequencer_start(const sequencer *ring)
{
    return ring->header.start;
}

int sequencer_consumers(const sequencer *ring)
{
    return (int)atomic_load_explicit(&ring->consumer_count, memory_order_acquire);
}

command_record *sequencer_slots(sequencer *ring)
{
    return (command_record *)ring->slots;
}

uint64_t sequencer_capacity(const sequencer *ring)
{
    return ring->header.capacity;
}

size_t sequencer_bytes(const sequencer *ring)
{
    return (size_t)ring->header.bytes;
}

int sequencer_check(const sequencer *ring, char *message, size_t size)
{
    uint64_t capacity = ring->header.capacity;
    uint64_t claimed = sequencer_claimed(ring);
    uint64_t gate = sequencer_gate(ring);
    if (claimed - gate > capacity) {
        snprintf(message, size, "claims reach %llu, %llu beyond the gate %llu",
                 (unsigned long long)claimed, (unsigned long long)(claimed - gate),
                 (unsigned long long)gate);
        return 0;
    }
    for (int number = 0; number < sequencer_consumers(ring); number++) {
        uint64_t cursor = sequencer_cursor(ring, number);
        if (claimed - cursor > capacity) {
            snprintf(message, size, "consumer %d at %llu is not within a lap of %llu", number,
                     (unsigned long long)cursor, (unsigned long long)claimed);
            return 0;
        }
        for (int other = 0; other < number; other++) {
            uint64_t earlier = sequencer_cursor(ring, other);
            if (ring->consumers[number].after >> other & 1u &&
                claimed - cursor < claimed - earlier) {
                snprintf(message, size, "consumer %d at %llu is ahead of consumer %d at %llu",
                         number, (unsigned long long)cursor, other,
                         (unsigned long long)earlier);
                return 0;
            }
        }
        for (uint64_t at = gate; (int64_t)(cursor - at) > 0; at++) {
            if (claimed - at > capacity || !is_published(ring, at)) {
                snprintf(message, size, "consumer %d has passed %llu, which is not published",
                         number, (unsigned long long)at);
                return 0;
            }
        }
    }
    /* Beyond the claims every slot has the stamp of a lap ago: nobody published unclaimed. */
    for (uint64_t at = claimed; at != gate + capacity; at++) {
        if (is_published(ring, at)) {
            snprintf(message, size, "%llu is published and was never claimed",
                     (unsigned long long)at);
            return 0;
        }
    }
    return 1;
}
