/* event.h - events, written one after the other into the caller's array.
 *
 * Nobody is called back from inside matching: what happened is a record in an array, read when
 * the batch is over, so no listener can ever meet a half-changed book.
 */
#ifndef PHASE2_EVENT_H
#define PHASE2_EVENT_H

#include "contract/c/contract.h"

typedef struct {
    event_record *next;    /* where the next event goes; the caller has seen that it fits */
    uint64_t sequence;     /* of the last event written */
    uint64_t timestamp_ns; /* of the command at work, and so of its events */
    uint32_t instrument;
} event_writer;

/* event_put: write one event; its number, time and instrument are filled in here. O(1). */
static inline void event_put(event_writer *out, event_record event)
{
    event.sequence = ++out->sequence;
    event.timestamp_ns = out->timestamp_ns;
    event.instrument = out->instrument;
    *out->next++ = event;
}

/* event_cancelled: `quantity` of an order is taken off, and with it the order. O(1). */
static inline void event_cancelled(event_writer *out, uint64_t order_id, int side, int64_t price,
                                   uint64_t quantity, int reason)
{
    event_put(out, (event_record){.kind = EVENT_CANCELLED, .order_id = order_id,
                                  .side = (uint8_t)side, .price = price,
                                  .quantity = quantity, .reason = (uint8_t)reason});
}

#endif
