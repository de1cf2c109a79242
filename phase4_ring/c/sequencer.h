/* sequencer.h - many producers, one order: the ring that numbers commands.
 *
 *   gateway 1 ─┐ claim (CAS)        ┌▶ journal ─┐
 *   gateway 2 ─┼──▶ [ring of slots] ┤           ├▶ publish     (a consumer graph, for example)
 *   gateway 3 ─┘ publish (sequence) └▶ match  ──┘
 *
 * After the LMAX Disruptor. A producer claims a run of cursors with one compare-and-swap, writes
 * its commands into the slots, and publishes each by storing its `sequence`: cursor + 1. That
 * stamp is the command's place in the one order of all commands, and at the same time the flag
 * that the slot is full: a consumer at cursor c looks whether the slot says c + 1. So a slot is
 * one cache line and costs one transfer, and producers finish in any order without waiting for
 * each other; consumers stop before the first gap.
 *
 *   slot of cursor c, before: sequence ≠ c + 1 (what an earlier lap left, or the initial fill)
 *                     after:  sequence = c + 1, bytes 8 to 63 are the command
 *
 * The gating sequence is the smallest cursor of those consumers nobody comes after. A claim never
 * goes further than `capacity` beyond it. When the ring is full the producer looks again, a bounded
 * number of times, and is then refused: nothing was claimed and the caller decides. Without any
 * consumer nothing ever gets free.
 *
 * Consumers form a graph: each names those it comes after, and sees a command only when all of
 * them have advanced past it. Add consumers before the first of them advances. Each consumer has one thread.
 *
 * Every producer thread has an entry in the ring, in which it says what it is about to claim
 * before it does. If its process dies between claim and publication, the ring would stand still at
 * that gap: sequencer_blocked finds it, names the process, and one consumer may fill the gap with
 * a void command (kind 0: the engine rejects it as INVALID_COMMAND), so that sequences stay
 * without gaps.
 *
 * Lock-free: a failed CAS means that another producer's succeeded. Claiming, publishing, pushing,
 * peeking and advancing do not enter the kernel, except to wake a sleeper; what has to do with
 * processes, with waiting and with memory does.
 */
#ifndef PHASE4_SEQUENCER_H
#define PHASE4_SEQUENCER_H

#include "contract/c/contract.h"
#include "phase4_ring/c/orders.h"
#include "phase4_ring/c/region.h"
#include "phase4_ring/c/wait.h"

#define SEQUENCER_MAX_PRODUCERS 64
#define SEQUENCER_MAX_CONSUMERS 8
/* Closing moves `claimed` this far ahead, with a compare-and-swap of the same word that claims go
 * through: so each claim is either before the close and will be consumed, or refused. A ring is
 * closed when `claimed` is at least so far from the start; at a billion commands a second an open
 * one would get there in a century and a half. */
#define CLOSE_JUMP (UINT64_C(1) << 62)

/* cdef:begin */
typedef struct sequencer sequencer;

/* sequencer_create, _attach, _detach: as spsc_create and its kin (spsc_ring.h). */
int sequencer_create(const char *name, uint64_t capacity, int parking, uint64_t start,
                     sequencer **ring, region_problem *problem);
int sequencer_attach(const char *name, sequencer **ring, region_problem *problem);
void sequencer_detach(sequencer *ring);

/* sequencer_join: an entry for the calling thread to produce with; its number, or -1 if all 64 are
 * taken by living processes. An entry of a dead process is taken over once its claim is settled. */
int sequencer_join(sequencer *ring);
/* sequencer_leave: give the entry back. Nothing may be claimed and unpublished in it. */
void sequencer_leave(sequencer *ring, int producer);

/* sequencer_claim: claim up to `wanted` cursors in a row; *granted says how many. 0: refused, for
 * the ring is closed, or was full (or somebody else was quicker) `tries` times. Returns the
 * first. */
uint64_t sequencer_claim(sequencer *ring, int producer, size_t wanted, uint32_t tries,
                         size_t *granted);
/* sequencer_slot: where the command of a claimed cursor is to be written: bytes 8 to 63. */
command_record *sequencer_slot(sequencer *ring, uint64_t cursor);
/* sequencer_publish: stamp and hand over `count` claimed slots from `first`: all of the claim. */
void sequencer_publish(sequencer *ring, int producer, uint64_t first, size_t count);
/* sequencer_push: claim, copy, publish. Returns how many went in before a claim was refused;
 * SEQUENCER_CLOSED if none did because the ring is closed. O(count). */
int64_t sequencer_push(sequencer *ring, int producer, const void *commands, size_t count,
                       uint32_t tries);
/* Refused, ever, by this producer. */
uint64_t sequencer_refused(const sequencer *ring, int producer);

enum { SEQUENCER_CLOSED = -1, SEQUENCER_TRIES = 10000 };

/* sequencer_add_consumer: a consumer after those in the bit mask (bit n: consumer n; 0: after
 * nobody, directly behind the producers). Its number, or -1: too many, an unknown one in the mask,
 * or the gate has moved, so that it would miss something. By one thread, before consumers run. */
int sequencer_add_consumer(sequencer *ring, uint32_t after);
/* sequencer_take_consumer: in another process, or after a death: go on as this consumer, at its
 * cursor. 0; or the pid of the living process that has it; or UINT32_MAX: no such consumer. */
uint32_t sequencer_take_consumer(sequencer *ring, int consumer);
/* sequencer_give_consumer: be it no longer; its cursor stays, and goes on gating. */
void sequencer_give_consumer(sequencer *ring, int consumer);
/* sequencer_consumer_pid: as spsc_side_pid. */
int64_t sequencer_consumer_pid(sequencer *ring, int consumer);

/* sequencer_peek: up to `wanted` commands that lie next to each other, published, and passed by
 * all whom this consumer comes after. O(found). */
const command_record *sequencer_peek(sequencer *ring, int consumer, size_t wanted, size_t *found);
/* sequencer_advance: done with the first `count` of the last peek. */
void sequencer_advance(sequencer *ring, int consumer, size_t count);
/* sequencer_wait: WAIT_READY, WAIT_TIMEOUT, or WAIT_CLOSED when all that was claimed before the
 * close is consumed. */
int sequencer_wait(sequencer *ring, int consumer, int strategy, uint64_t timeout_ns);

/* A claim whose producer died before publishing. */
typedef struct {
    uint64_t cursor; /* the first unpublished command of it */
    uint64_t end;    /* the claim's end: cursors before it may be unpublished too */
    uint32_t pid;
    uint32_t producer;
} dead_claim;
/* sequencer_blocked: 1 if the consumer's next command was claimed by a process that died before it
 * published it, with *claim; else 0. Asks the kernel: call it after a wait that timed out. */
int sequencer_blocked(sequencer *ring, int consumer, dead_claim *claim);
/* sequencer_is_settled: 1 if nothing that this producer's entry announced is unpublished. */
int sequencer_is_settled(const sequencer *ring, int producer);
/* sequencer_fill: publish a void command (all bytes 0 but the sequence) for each cursor of a dead
 * claim that is still unpublished. One thread of one process only. Returns how many. */
size_t sequencer_fill(sequencer *ring, const dead_claim *claim);

/* sequencer_close: no more claims. Those made before are still published and consumed. */
void sequencer_close(sequencer *ring);
int sequencer_is_closed(const sequencer *ring);
/* sequencer_slots: slot 0, for a view over all of them. */
command_record *sequencer_slots(sequencer *ring);
uint64_t sequencer_claimed(const sequencer *ring);
uint64_t sequencer_cursor(const sequencer *ring, int consumer);
uint64_t sequencer_gate(const sequencer *ring);
uint64_t sequencer_start(const sequencer *ring);
int sequencer_consumers(const sequencer *ring);
uint64_t sequencer_capacity(const sequencer *ring);
size_t sequencer_bytes(const sequencer *ring);
/* sequencer_check: 1, or 0 with the broken invariant as text. At rest only. O(capacity). */
int sequencer_check(const sequencer *ring, char *message, size_t size);
/* cdef:end */

typedef struct {
    OWN_LINE _Atomic uint64_t process; /* who has this entry; PROCESS_NONE: free */
    /* What is being claimed or claimed and unpublished: from up to below to. */
    _Atomic uint64_t intent_from;
    _Atomic uint64_t intent_to;
    uint64_t gate_seen; /* this producer's copy of the gate: never ahead of it */
    _Atomic uint64_t refused;
} producer_entry;

typedef struct {
    OWN_LINE _Atomic uint64_t cursor; /* all before it is done */
    uint64_t ready_seen;              /* all before it may be read: this consumer's copy */
    _Atomic uint64_t process;
    uint32_t after; /* bit mask of consumers; constant from the first claim on */
} consumer_entry;

/* command_slot: a command_record whose first field is also the slot's flag. */
typedef struct {
    _Atomic uint64_t sequence;
    uint64_t body[7];
} command_slot;

_Static_assert(sizeof(command_slot) == sizeof(command_record), "a slot is a command");
_Static_assert(offsetof(command_record, sequence) == 0, "the flag is the sequence");

struct sequencer {
    region_header header;
    OWN_LINE _Atomic uint64_t claimed; /* the next cursor to claim: all producers write it */
    OWN_LINE event_count items;        /* consumers sleep here */
    OWN_LINE _Atomic uint32_t consumer_count;
    _Atomic uint32_t last; /* bit mask: consumers nobody comes after, whose cursors gate */
    producer_entry producers[SEQUENCER_MAX_PRODUCERS];
    consumer_entry consumers[SEQUENCER_MAX_CONSUMERS];
    OWN_LINE command_slot slots[];
};

#endif
