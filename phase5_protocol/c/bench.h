/* bench.h - what recovering costs: a whole session through a lossy network, without a socket.
 *
 *     datagrams ── link 0 ──▶ ┌─────────┐ ──▶ receiver ──▶ out, in order
 *                             │ network │         │
 *     store ────── link 1 ──▶ └─────────┘ ◀────── requests, link 2
 *       ▲                          │
 *       └──────────────────────────┘
 *
 * Time is made up: a datagram is sent every `step_ns`, and what comes and what falls due is looked
 * after at once. So the same seed is the same history on any machine, and the only thing that a
 * clock outside sees is work. No call allocates.
 */
#ifndef PHASE5_BENCH_H
#define PHASE5_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "phase5_protocol/c/lossy_network.h"
#include "phase5_protocol/c/mold_receiver.h"
#include "phase5_protocol/c/mold_store.h"

/* cdef:begin */
typedef struct {
    uint64_t messages;   /* written to `out` */
    uint64_t lost;       /* numbers that the receiver gave up */
    uint64_t requests;   /* that it made */
    uint64_t unanswered; /* that the store had no answer to */
    uint64_t steps;      /* of the made-up time, until the last message was taken */
} recovery;

/* bench_recover: send datagrams in an arena, the whole of a session of 64-byte records from number 1,
 * and take `wanted` records of it, side by side, to `out`. `network` NULL: straight to the receiver.
 * What is not there `patience` steps after the last datagram does not come. Returns 1 if it all did,
 * in order and nothing given up. O(bytes). */
int bench_recover(mold_receiver *receiver, lossy_network *network, mold_store *store,
                  const uint8_t *arena, const mold_datagram *datagrams, size_t count,
                  uint64_t step_ns, uint64_t patience, void *out, size_t wanted, recovery *result);
/* cdef:end */

#endif
