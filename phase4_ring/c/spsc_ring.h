/* spsc_ring.h - a lock-free ring from one producer to one consumer.
 *
 *             tail                      head
 *              │ ── full slots ──▶       │ ── free slots ──▶ (round to tail)
 *      ┌───┬───┼───┬───┬───┬───┬───┬───┬─┼─┬───┬───┐
 *      │   │   │ 5 │ 6 │ 7 │ 8 │ 9 │10 │   │   │   │     slot of cursor c: c & (capacity - 1)
 *      └───┴───┴───┴───┴───┴───┴───┴───┴───┴───┴───┘
 *
 * Cursors are 64-bit counts that never come back down and wrap at 2**64 without harm, for only
 * their differences count; a power-of-two capacity divides 2**64, so slots go on in step. The
 * producer alone writes head, the consumer alone writes tail. Each keeps a copy of the other's
 * cursor and reads the real one only when the copy no longer suffices: the line with the other's
 * cursor then moves once a lap, not once a record.
 *
 * Records are 64 bytes: the commands and events of CONTRACT.md. Zero-copy on both sides:
 * claim → write the slots → commit, and peek → read the slots → release. A claim that is not
 * committed has no effect; there is nothing to abort.
 *
 * Threads: one producer (claim, commit, push, close, wait_space) and one consumer (peek, release,
 * pop, wait_items). Which threads they are may change if the change itself is synchronised.
 * Everybody may look at cursors. Wait-free: every call but the waits ends after a fixed number of
 * steps for each record. Claiming, committing, pushing, peeking, releasing and popping do not enter
 * the kernel, except to wake a sleeper; what has to do with processes, with waiting and with memory
 * does.
 */
#ifndef PHASE4_SPSC_RING_H
#define PHASE4_SPSC_RING_H

#include "phase4_ring/c/orders.h"
#include "phase4_ring/c/region.h"
#include "phase4_ring/c/wait.h"

/* cdef:begin */
typedef struct {
    uint64_t words[8];
} ring_record;

typedef struct spsc_ring spsc_ring;

/* spsc_create: an empty ring. `name` NULL: of this process alone; otherwise shared under the name.
 * `start` is the first cursor. Returns 0 or why not (region.h). O(capacity). */
int spsc_create(const char *name, uint64_t capacity, int parking, uint64_t start,
                spsc_ring **ring, region_problem *problem);
/* spsc_attach: the ring another process has created under that name. */
int spsc_attach(const char *name, spsc_ring **ring, region_problem *problem);
/* spsc_detach: free a private ring; unmap a shared one, which stays for the others. */
void spsc_detach(spsc_ring *ring);

/* spsc_take_side: be the ring's producer (side 0) or consumer (side 1) among processes.
 * 0; or the pid of the living process that has it. The side of a dead one can be taken: its
 * uncommitted claim never was, and its unreleased records are seen again. */
uint32_t spsc_take_side(spsc_ring *ring, int side);
/* spsc_give_side: be it no longer, so that somebody else can. */
void spsc_give_side(spsc_ring *ring, int side);
/* spsc_side_pid: pid of the process that took the side, 0 if nobody has; negative if he is dead. */
int64_t spsc_side_pid(spsc_ring *ring, int side);

/* spsc_claim: up to `wanted` free slots that lie next to each other; *granted says how many (0:
 * the ring is full). The lap's end may cut it short: claim again after the commit. O(1). */
ring_record *spsc_claim(spsc_ring *ring, size_t wanted, size_t *granted);
/* spsc_claim_known: all free slots that lie next to each other, as far as the producer knows; it
 * looks at the consumer's cursor only if it knows of fewer than `enough`. O(1). */
ring_record *spsc_claim_known(spsc_ring *ring, size_t enough, size_t *granted);
/* spsc_commit: hand over the first `count` slots of the last claim. O(1). */
void spsc_commit(spsc_ring *ring, size_t count);
/* spsc_peek: up to `wanted` full slots that lie next to each other, oldest first. O(1). */
const ring_record *spsc_peek(spsc_ring *ring, size_t wanted, size_t *found);
/* spsc_release: the first `count` slots of the last peek are read and may be written again. */
void spsc_release(spsc_ring *ring, size_t count);

/* spsc_push: copy records in; returns how many found room. O(count). */
size_t spsc_push(spsc_ring *ring, const void *records, size_t count);
/* spsc_offer: spsc_push, but SPSC_CLOSED, and nothing done, if the ring is closed. */
enum { SPSC_CLOSED = -1 };
int64_t spsc_offer(spsc_ring *ring, const void *records, size_t count);
/* spsc_pop: copy records out; returns how many there were, at most `count`. O(count). */
size_t spsc_pop(spsc_ring *ring, void *records, size_t count);

/* spsc_wait_items: until something can be read: WAIT_READY, WAIT_TIMEOUT, or WAIT_CLOSED when it
 * is closed and empty. `timeout_ns` 2**64 - 1: as long as it takes. */
int spsc_wait_items(spsc_ring *ring, int strategy, uint64_t timeout_ns);
/* spsc_wait_space: until something can be written: WAIT_READY, WAIT_TIMEOUT, or WAIT_CLOSED. */
int spsc_wait_space(spsc_ring *ring, int strategy, uint64_t timeout_ns);

/* spsc_close: nothing more will come; a waiting consumer is told once the ring is empty. */
void spsc_close(spsc_ring *ring);
int spsc_is_closed(const spsc_ring *ring);
/* spsc_slots: slot 0, for a view over all of them. */
ring_record *spsc_slots(spsc_ring *ring);
uint64_t spsc_head(const spsc_ring *ring);
uint64_t spsc_tail(const spsc_ring *ring);
uint64_t spsc_capacity(const spsc_ring *ring);
size_t spsc_bytes(const spsc_ring *ring);
/* spsc_check: 1, or 0 with the broken invariant as text. At rest only. O(1). */
int spsc_check(const spsc_ring *ring, char *message, size_t size);
/* cdef:end */

struct spsc_ring {
    region_header header;
    /* The producer's line: no other core writes here. */
    OWN_LINE _Atomic uint64_t head; /* records ever committed, plus the start */
    uint64_t tail_seen;             /* the producer's copy of tail: never ahead of it */
    /* The consumer's line. */
    OWN_LINE _Atomic uint64_t tail; /* records ever released, plus the start */
    uint64_t head_seen;             /* the consumer's copy of head: never ahead of it */
    /* Written by those who fall asleep, read at hand-overs of a ring that parks. */
    OWN_LINE event_count items;
    OWN_LINE event_count space;
    OWN_LINE _Atomic uint64_t side_process[2];
    OWN_LINE ring_record slots[];
};

#endif
