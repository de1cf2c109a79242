/* orders.h - every memory ordering of this phase, named once and paired.
 *
 * A release store and an acquire load of the same word make a pair: whatever the one thread did
 * before its store, the other sees after its load, if the load read that store. Each name below is
 * one half; the comment names the other and says what would go wrong without it.
 *
 * They are macros so that a test can weaken one and build the rest as it is
 * (-DORDER_SPSC_HEAD_STORE=memory_order_relaxed): test_orderings.py weakens each in turn and wants
 * the race detector to object. Nothing else may define them.
 *
 *   SPSC ring          producer                        consumer
 *                      P1 loads tail  ◀── slot free ── C2 stores tail
 *                      P2 stores head ── slot full ──▶ C1 loads head
 *
 *   sequencer          producers                       consumers
 *                      S1 loads cursors ◀─ slots free ─ B2 stores its cursor
 *                      S3 stores a slot's sequence ───▶ B1 loads a slot's sequence
 *                                                       B3 loads the cursors it comes after ◀─ B2
 *
 * A ring whose users may park needs more of P2, C2, S3 and B2 than release: see wait.h.
 */
#ifndef PHASE4_ORDERS_H
#define PHASE4_ORDERS_H

#include <stdatomic.h>

/* P1, pairs with C2: the consumer has read the slot before it is written again. */
#ifndef ORDER_SPSC_TAIL_LOAD
#define ORDER_SPSC_TAIL_LOAD memory_order_acquire
#endif
/* P2, pairs with C1: the record is in the slot before the slot counts as full. */
#ifndef ORDER_SPSC_HEAD_STORE
#define ORDER_SPSC_HEAD_STORE memory_order_release
#endif
/* C1, pairs with P2: what is read from the slot is what the producer wrote before P2. */
#ifndef ORDER_SPSC_HEAD_LOAD
#define ORDER_SPSC_HEAD_LOAD memory_order_acquire
#endif
/* C2, pairs with P1: the slot has been read before it counts as free. */
#ifndef ORDER_SPSC_TAIL_STORE
#define ORDER_SPSC_TAIL_STORE memory_order_release
#endif

/* S1, pairs with B2: every consumer has read the slot before it is claimed again. */
#ifndef ORDER_GATE_LOAD
#define ORDER_GATE_LOAD memory_order_acquire
#endif
/* S2, pairs with D1 (the look for a dead producer, claims.c): who sees the claim also sees in
 * whose entry it stands. Excludes nobody from a slot: for that the CAS alone suffices. */
#ifndef ORDER_CLAIM
#define ORDER_CLAIM memory_order_release
#endif
/* S3, pairs with B1: the record is in the slot before the slot has its sequence. */
#ifndef ORDER_PUBLISH_STORE
#define ORDER_PUBLISH_STORE memory_order_release
#endif
/* B1, pairs with S3: what is read from the slot is what its producer wrote before S3. */
#ifndef ORDER_PUBLISH_LOAD
#define ORDER_PUBLISH_LOAD memory_order_acquire
#endif
/* B2, pairs with S1 (slots may be claimed again) and B3 (those after me may read what I did). */
#ifndef ORDER_CURSOR_STORE
#define ORDER_CURSOR_STORE memory_order_release
#endif
/* B3, pairs with B2: what an earlier consumer did with a record is done. */
#ifndef ORDER_CURSOR_LOAD
#define ORDER_CURSOR_LOAD memory_order_acquire
#endif

#endif
