/* mold_store.h - the last messages of a session, to be sent again.
 *
 *     blocks, as they stand in packets, one behind the other, round and round:
 *
 *     bytes      │ 0040 msg 812 │ 0040 msg 813 │ 0011 msg 814 │   free   │ 0040 msg 811 │
 *     positions  ring of u64 by number: where block `number` begins, counted over all ever written
 *
 * Bounded twice, by bytes and by messages: what comes in pushes out the oldest. Numbers follow each
 * other without gaps, so looking one up is one index, and a run of them is one copy (two where the
 * ring turns round). An answer is therefore a header and a copy.
 *
 * What the store has no more a log may still have: set with mold_store_set_log, asked message by
 * message.
 *
 * Threads: one at a time.
 */
#ifndef PHASE5_MOLD_STORE_H
#define PHASE5_MOLD_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "phase5_protocol/c/moldudp64.h"

/* cdef:begin */
typedef struct mold_store mold_store;

/* How a request ended. */
enum {
    STORE_ANSWERED = 0,
    STORE_TOO_OLD = 1,       /* no longer here, and no log has it */
    STORE_NOT_YET = 2,       /* the first number wanted was not sent yet */
    STORE_OTHER_SESSION = 3,
    STORE_NO_ROOM = 4,       /* the message does not fit a datagram of that limit */
    STORE_OUTCOMES = 5
};

typedef struct {
    uint64_t answered;          /* requests, by outcome */
    uint64_t too_old;
    uint64_t not_yet;
    uint64_t other_session;
    uint64_t no_room;
    uint64_t partly_too_old;    /* among those answered: the answer begins later than was asked */
    uint64_t from_log;          /* messages that came from the log */
    uint64_t messages;          /* sent again */
    uint64_t bytes;             /* of answers */
    uint64_t evicted;           /* messages pushed out */
} mold_store_counters;

/* mold_log_read: bytes of message `number`, copied to `to`, at most `room`; its length, or negative:
 * not there. */
typedef int64_t (*mold_log_read)(void *context, uint64_t number, void *to, size_t room);

/* mold_store_new: the first message will have number `first` (not 0). 64 bytes to 1 TiB; at least
 * one message. Takes all its memory here. NULL: no memory, or an argument that cannot be. */
mold_store *mold_store_new(const void *session, uint64_t first, uint64_t capacity_bytes,
                           uint64_t capacity_messages);
void mold_store_free(mold_store *store);
void mold_store_set_log(mold_store *store, mold_log_read read, void *context);

/* mold_store_append: MOLD_OK, or MOLD_LONG_MESSAGE (longer than the store, or than a block can be)
 * or MOLD_SEQUENCE_OVERFLOW, and nothing changed. Amortised O(length). */
int mold_store_append(mold_store *store, const void *message, size_t length);
/* mold_store_append_records: `count` messages of `record_bytes`; returns how many went in. */
size_t mold_store_append_records(mold_store *store, const void *records, size_t record_bytes,
                                 size_t count);
/* mold_store_append_stream: 2-byte length, message, and so on; returns how many bytes of whole
 * messages went in. */
size_t mold_store_append_stream(mold_store *store, const void *stream, size_t size);

/* mold_store_read: message `number` to `to`: its length; -STORE_TOO_OLD, -STORE_NOT_YET or
 * -STORE_NO_ROOM. Does not ask the log. O(length). */
int64_t mold_store_read(const mold_store *store, uint64_t number, void *to, size_t room);
/* mold_store_answer: the downstream packet that answers a request, at most `limit` bytes, to `to`.
 * Begins at the number wanted, or, if that is too old but some of the range is here, at the oldest
 * of them. *size is its size, 0 if there is none. Returns the outcome. O(size). */
int mold_store_answer(mold_store *store, const mold_request *request, void *to, size_t limit,
                      size_t *size);

/* Oldest number here (the next one if the store is empty) and the number of the next message. */
uint64_t mold_store_first(const mold_store *store);
uint64_t mold_store_next(const mold_store *store);
uint64_t mold_store_bytes(const mold_store *store);
mold_store_counters mold_store_count(const mold_store *store);
/* mold_store_check: 1, or 0 with the broken invariant as text. O(messages). */
int mold_store_check(const mold_store *store, char *message, size_t size);
/* cdef:end */

#endif
