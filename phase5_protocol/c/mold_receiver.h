/* mold_receiver.h - packets in any order in; every message once, in order, out.
 *
 *           base           expected                   announced          base + window
 *            │ ── ready ──▶ │ ── held back ──▶          │ ── room ──▶       │
 *      ──────┼───┬───┬───┬──┼───┬───┬───┬───┬───┬───┬───┼───┬───┬───┬───────┼──▶ numbers
 *            │ ■ │ ■ │ † │ ■│   │   │ ■ │ ■ │   │ ■ │ ■ │   │   │   │       │
 *      ──────┴───┴───┴───┴──┴───┴───┴───┴───┴───┴───┴───┴───┴───┴───┴───────┴──▶
 *                             gap 1           gap 2        ■ here  † given up  (empty) missing
 *
 *      base       the number the consumer takes next
 *      expected   the first that is neither here nor given up
 *      announced  the first of which nothing is known yet: packets and heartbeats raise it
 *
 * A state machine and nothing else: packets and the time go in, messages and requests come out.
 * There is no socket and no clock inside, so that a test can replay any history.
 *
 * A gap is born when a packet or a heartbeat passes over numbers that are not here.
 *
 *      DETECTED ── reorder_delay passed ──▶ REQUESTED ──▶ FILLED         all of it came
 *          │                                    └───────▶ UNRECOVERABLE  some of it was given up
 *          └── it was only late ──▶ FILLED (requests 0)
 *
 * It is asked for in pieces of `request_messages`, at most `max_requests` of them at a time, oldest
 * first. A piece not answered within `request_timeout_ns` is asked for again, waiting twice as long
 * each time; an answer to a part of it starts the count anew for the rest. After `attempts` requests
 * what is missing of it is given up: the consumer is told which numbers he will never see, and the
 * stream goes on. No number is both delivered and given up, and none is delivered twice.
 *
 * Bounded: messages beyond base + window are dropped (and asked for when the window gets there), so
 * memory is taken once, in mold_receiver_new. That also holds for numbers out of nowhere. A claim
 * beyond the window is believed only when a second one bears it out, a later packet or a later
 * time; and when a whole window is given up with nothing at all arriving, it is not believed any more.
 * A consumer who does not take messages fills his window, and nobody else's.
 *
 * Several lines may carry the same session (A and B feed, answers to requests): whichever brings a
 * number first is used, the other counts as a duplicate.
 *
 * Not defended against: a sender in the group who forges plausible packets. MoldUDP64 has no
 * signature; multicast groups are protected by the network they are in.
 *
 * Threads: one at a time.
 */
#ifndef PHASE5_MOLD_RECEIVER_H
#define PHASE5_MOLD_RECEIVER_H

#include <stddef.h>
#include <stdint.h>

#include "phase5_protocol/c/moldudp64.h"

/* Where a receiver begins, when `start` is not a number. */
#define MOLD_START_FIRST_SEEN UINT64_C(0) /* with the first packet that comes: it is trusted */
#define MOLD_START_HELD UINT64_MAX        /* buffer from there on; mold_receiver_join says where */

/* cdef:begin */
enum { MOLD_LINES = 8 };

typedef struct {
    uint64_t start;             /* first number wanted, or one of the above */
    uint32_t record_bytes;      /* every message has this length; 0: lengths vary */
    uint32_t max_message_bytes; /* if they vary: the longest, at most 65485 */
    uint32_t window_messages;   /* a power of two, 64 to 2**22 */
    uint32_t max_gaps;          /* known at a time, 1 to 2**16 */
    uint32_t max_requests;      /* unanswered at a time, 1 to 1024 */
    uint32_t request_messages;  /* asked for at once, 1 to 65535; best, what fits one datagram */
    uint32_t attempts;          /* requests for the same messages before giving up; 0: never ask */
    uint32_t has_session;       /* 0: that of the first valid packet */
    uint64_t reorder_delay_ns;  /* how long a gap may be mere reordering */
    uint64_t request_timeout_ns;
    uint8_t session[10];
    uint8_t unused[6];
} mold_receiver_config;

/* What became of a packet. Codes below MOLD_PROBLEMS: malformed, see moldudp64.h. */
enum {
    MOLD_TAKEN = 0,             /* at least one message was new, or it was a heartbeat or an end */
    MOLD_DUPLICATE = 16,        /* nothing new in it */
    MOLD_OTHER_SESSION = 17,
    MOLD_WRONG_LENGTH = 18,     /* a message is not record_bytes long, or above max_message_bytes */
    MOLD_BEYOND_WINDOW = 19,    /* nothing of it fits the window */
    MOLD_TOO_MANY_GAPS = 20,    /* it would have opened one gap too many */
    MOLD_AFTER_END = 21,        /* numbers after the announced end of the session */
    MOLD_LATE = 22              /* everything in it was given up before */
};

enum { GAP_DETECTED = 0, GAP_REQUESTED = 1, GAP_FILLED = 2, GAP_UNRECOVERABLE = 3 };

typedef struct {
    uint64_t first;        /* numbers first to first + count - 1 */
    uint64_t count;
    uint64_t missing;      /* of them, still */
    uint64_t lost;         /* given up */
    uint64_t detected_ns;
    uint64_t requested_ns; /* of the first request */
    uint64_t closed_ns;    /* filled or given up */
    uint32_t requests;     /* sent for it, repetitions included */
    uint32_t state;
} mold_gap;

/* Of one line. Messages: fresh + duplicates + late + beyond = those in packets not refused whole. */
typedef struct {
    uint64_t packets;
    uint64_t heartbeats;
    uint64_t ends;
    uint64_t fresh;          /* messages that were new */
    uint64_t duplicates;     /* messages that were here already */
    uint64_t late;           /* messages given up before they came */
    uint64_t beyond;         /* messages beyond the window */
    uint64_t other_session;  /* packets, from here on */
    uint64_t wrong_length;
    uint64_t too_many_gaps;
    uint64_t after_end;
    uint64_t malformed[10];  /* by reason: MOLD_SHORT_HEADER, ... */
    uint64_t highest;        /* next number after the highest this line has brought */
} mold_line_counters;

typedef struct {
    uint64_t delivered;        /* messages taken by the consumer */
    uint64_t lost;             /* numbers given up */
    uint64_t skipped;          /* numbers passed over by mold_receiver_join */
    uint64_t gaps;             /* ever detected */
    uint64_t gaps_reordered;   /* filled before anything was asked */
    uint64_t gaps_filled;      /* filled after a request */
    uint64_t gaps_unrecoverable;
    uint64_t gaps_unlogged;    /* closed, and overwritten before anybody read them */
    uint64_t requests;         /* repetitions included */
    uint64_t repeated;         /* repetitions */
    uint64_t claims_doubted;   /* numbers far beyond the window, not believed (yet) */
    uint64_t claims_withdrawn; /* believed, and no more */
    uint64_t ends_contradicted; /* ends of session that contradict the first, or what is known */
} mold_receiver_counters;

enum { DELIVERY_NOTHING = 0, DELIVERY_MESSAGES = 1, DELIVERY_LOST = 2, DELIVERY_END = 3 };

typedef struct {
    uint64_t first; /* number of the first message, or of the first that is lost */
    uint64_t count;
    uint64_t bytes; /* written */
    uint32_t kind;
    uint32_t unused;
} mold_delivery;

typedef struct mold_receiver mold_receiver;

/* mold_receiver_new: NULL if there is no memory, or if *config is not as above; then *problem (may be
 * NULL) names the field, or is "memory". */
mold_receiver *mold_receiver_new(const mold_receiver_config *config, const char **problem);
void mold_receiver_free(mold_receiver *receiver);

/* mold_receiver_put: one packet, from a line below MOLD_LINES. Returns what became of it. O(bytes). */
int mold_receiver_put(mold_receiver *receiver, const void *packet, size_t size, uint64_t now_ns,
                      uint32_t line);
/* mold_receiver_put_many: datagrams in an arena, in order; returns how many were MOLD_TAKEN. */
size_t mold_receiver_put_many(mold_receiver *receiver, const uint8_t *arena,
                              const mold_datagram *datagrams, size_t count, uint64_t now_ns,
                              uint32_t line);
/* mold_receiver_poll: repeat or give up what is due, and write the requests to be sent now, 20 bytes
 * each, at most `room` of them. Returns how many. O(requests + gaps). */
size_t mold_receiver_poll(mold_receiver *receiver, uint64_t now_ns, void *requests, size_t room);
/* mold_receiver_deadline: when mold_receiver_poll will next have something to do; 2**64 - 1: not
 * before something comes. May be in the past. O(requests + gaps). */
uint64_t mold_receiver_deadline(const mold_receiver *receiver);

/* mold_receiver_take_records: the next messages, side by side, up to `room` of them, or the next
 * numbers that are lost, or the end of the session (again and again). Only with record_bytes.
 * O(count). */
mold_delivery mold_receiver_take_records(mold_receiver *receiver, void *records, size_t room);
/* mold_receiver_take_stream: the same with a 2-byte length before each message, up to `room` bytes.
 * If the next message needs more than `room`: nothing, and `bytes` says how much it needs. */
mold_delivery mold_receiver_take_stream(mold_receiver *receiver, void *stream, size_t room);

/* mold_receiver_join: go on with number `next`, of which a snapshot says that it comes next. What is
 * buffered before it is dropped; what is missing from there on is a gap. For a receiver that is held,
 * or one that goes on from a newer snapshot; then 1. 0, and nothing done: `next` is 0, before base in
 * a receiver that is not held, or after the end of the session. Gaps wholly before it are closed
 * UNRECOVERABLE, but nothing counts as lost: the consumer knows what he skips. O(window). */
int mold_receiver_join(mold_receiver *receiver, uint64_t next, uint64_t now_ns);

/* mold_receiver_gaps: gaps open now, oldest first; returns how many, at most `room`. */
size_t mold_receiver_gaps(const mold_receiver *receiver, mold_gap *gaps, size_t room);
/* mold_receiver_closed_gaps: gaps closed since the last call, oldest first. 1024 are kept. */
size_t mold_receiver_closed_gaps(mold_receiver *receiver, mold_gap *gaps, size_t room);

uint64_t mold_receiver_base(const mold_receiver *receiver);
uint64_t mold_receiver_expected(const mold_receiver *receiver);
uint64_t mold_receiver_announced(const mold_receiver *receiver);
/* mold_receiver_session: 10 bytes to `to` and 1; or 0: not known yet. */
int mold_receiver_session(const mold_receiver *receiver, void *to);
/* mold_receiver_is_ended: 1 if the end of the session was announced and all before it is taken. */
int mold_receiver_is_ended(const mold_receiver *receiver);
mold_receiver_counters mold_receiver_count(const mold_receiver *receiver);
mold_line_counters mold_receiver_count_line(const mold_receiver *receiver, uint32_t line);
/* mold_receiver_check: 1, or 0 with the broken invariant as text. O(window). */
int mold_receiver_check(const mold_receiver *receiver, char *message, size_t size);
/* cdef:end */

#endif
