/* latency.h - how long single commands take, or short runs of them, on the clock of the machine.
 *
 * The loop is C, so that nothing but the book and the clock stands between two readings; here with
 * two commands to a reading:
 *
 *      clock ─ command 0, 1 ─ clock ─ command 2, 3 ─ clock ─ command 4 ─ clock
 *         └───── ns[0] ─────────┘ └───── ns[1] ────────┘ └──── ns[2] ─────┘
 *
 * Each figure includes one reading of the clock; latency_timer says what that costs.
 */
#ifndef MATCHBOOK_LATENCY_H
#define MATCHBOOK_LATENCY_H

#include "contract.h"

/* cdef:begin */
typedef struct book book;

/* book_apply of contract/c/engine.h, of whichever book. */
typedef size_t (*latency_apply)(book *self, const command_record *commands, size_t command_count,
                                event_record *events, size_t event_capacity,
                                size_t *events_written);

/* latency_run: apply `count` commands, `stride` of them (at least 1) to a call, the last call with
 * what is left; ns[i] is the time of the i-th call, at most 2**32 - 1. Events are written one after
 * the other from the front of `events`.
 * Returns how many commands were applied: fewer than `count` when the events of the next do not
 * fit; *events_written says how many events there are. */
size_t latency_run(latency_apply apply, book *self, const command_record *commands, size_t count,
                   size_t stride, event_record *events, size_t event_capacity,
                   size_t *events_written, uint32_t *ns);

/* latency_timer: read the clock `count` times in a row; ns[i] is the time of the i-th reading. */
void latency_timer(size_t count, uint32_t *ns);
/* cdef:end */

#endif
