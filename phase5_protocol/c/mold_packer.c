/* mold_packer.c - messages put into datagrams, one by one or in batches; see moldudp64.h.
 *
 * A batch is packed in two steps. What a source holds, records side by side, a stream of blocks or
 * ranges of bytes, is hidden behind `source_next`, which compilers make three loops of. The open
 * datagram moves to the arena for the time of the batch and, unless it is flushed, back at its end:
 *
 *     packer   [head| a b         ]                    [head| k         ]
 *                   │ copied                                ▲ copied back
 *     arena         [head| a b c d ][head| e f g ][head| k
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/byte_order.h"
#include "phase5_protocol/c/moldudp64.h"

static_assert(sizeof(mold_datagram) == 16 && sizeof(mold_packed) == 40, "no padding");
static_assert((MOLD_MAX_DATAGRAM - MOLD_HEADER_BYTES) / MOLD_LENGTH_BYTES < MOLD_COUNT_END,
              "a datagram full of empty messages does not look like the end of the session");

struct mold_packer {
    uint8_t session[MOLD_SESSION_BYTES];
    uint32_t limit;
    uint32_t length;  /* of the open datagram, header included */
    uint32_t waiting; /* messages in it */
    uint64_t next;    /* number of the next message */
    uint8_t bytes[MOLD_MAX_DATAGRAM];
};

mold_packer *mold_packer_new(const void *session, uint64_t next, uint32_t limit)
{
    if (!mold_session_is_valid(session) || next == 0 || limit > MOLD_MAX_DATAGRAM ||
        limit < MOLD_HEADER_BYTES + MOLD_LENGTH_BYTES) {
        return NULL;
    }
    mold_packer *packer = calloc(1, sizeof *packer);
    if (packer != NULL) {
        memcpy(packer->session, session, MOLD_SESSION_BYTES);
        packer->limit = limit;
        packer->next = next;
        packer->length = MOLD_HEADER_BYTES;
    }
    return packer;
}

void mold_packer_free(mold_packer *packer)
{
    free(packer);
}

int mold_packer_append(mold_packer *packer, const void *message, size_t length)
{
    if (length > packer->limit - MOLD_HEADER_BYTES - MOLD_LENGTH_BYTES) {
        return MOLD_LONG_MESSAGE;
    }
    if (packer->next == UINT64_MAX) {
        return MOLD_SEQUENCE_OVERFLOW;
    }
    if (packer->length + MOLD_LENGTH_BYTES + length > packer->limit) {
        return -1;
    }
    uint8_t *to = packer->bytes + packer->length;
    store_big_u16(to, (uint16_t)length);
    memcpy(to + MOLD_LENGTH_BYTES, message, length);
    packer->length += MOLD_LENGTH_BYTES + (uint32_t)length;
    packer->waiting++;
    packer->next++;
    return MOLD_OK;
}

size_t mold_packer_flush(mold_packer *packer, const uint8_t **datagram)
{
    const size_t size = packer->waiting > 0 ? packer->length : 0;
    *datagram = packer->bytes;
    mold_write_header(packer->bytes, packer->session, packer->next - packer->waiting,
                      (uint16_t)packer->waiting);
    packer->length = MOLD_HEADER_BYTES;
    packer->waiting = 0;
    return size;
}

static size_t packer_say(mold_packer *packer, const uint8_t **datagram, uint16_t count)
{
    *datagram = packer->bytes;
    if (packer->waiting > 0) {
        return 0;
    }
    mold_write_header(packer->bytes, packer->session, packer->next, count);
    return MOLD_HEADER_BYTES;
}

size_t mold_packer_heartbeat(mold_packer *packer, const uint8_t **datagram)
{
    return packer_say(packer, datagram, 0);
}

size_t mold_packer_end(mold_packer *packer, const uint8_t **datagram)
{
    return packer_say(packer, datagram, MOLD_COUNT_END);
}

uint64_t mold_packer_next(const mold_packer *packer)
{
    return packer->next;
}

uint32_t mold_packer_waiting(const mold_packer *packer)
{
    return packer->waiting;
}

uint32_t mold_packer_bytes(const mold_packer *packer)
{
    return packer->length;
}

/* --- batches ------------------------------------------------------------------------------- */

/* Where messages come from: records if `record_bytes` is set, ranges if there are offsets, else
 * blocks. */
typedef struct {
    const uint8_t *bytes;
    size_t size;             /* of a stream */
    size_t record_bytes;     /* of records */
    const uint64_t *offsets; /* of ranges */
    uint64_t count;          /* of records or ranges */
} source;

/* Message `index`, which begins at byte `*place` of a stream. 0: there is none; 1: there is;
 * negative: what is wrong with it. */
static inline int source_next(const source *from, uint64_t index, size_t *place,
                              const uint8_t **message, size_t *length)
{
    if (from->offsets != NULL) {
        if (index >= from->count) {
            return 0;
        }
        *message = from->bytes + from->offsets[index];
        *length = (size_t)(from->offsets[index + 1] - from->offsets[index]);
        *place = from->offsets[index + 1];
    } else if (from->record_bytes > 0) {
        if (index >= from->count) {
            return 0;
        }
        *message = from->bytes + index * from->record_bytes;
        *length = from->record_bytes;
        *place += from->record_bytes;
    } else {
        const size_t left = from->size - *place;
        if (left == 0) {
            return 0;
        }
        if (left < MOLD_LENGTH_BYTES) {
            return -MOLD_SHORT_LENGTH;
        }
        *length = load_big_u16(from->bytes + *place);
        *message = from->bytes + *place + MOLD_LENGTH_BYTES;
        if (left - MOLD_LENGTH_BYTES < *length) {
            return -MOLD_SHORT_BLOCK;
        }
        *place += MOLD_LENGTH_BYTES + *length;
    }
    return 1;
}

/* The first message that cannot be packed makes the batch refused as a whole. */
static inline mold_packed source_check(const mold_packer *packer, const source *from)
{
    const size_t longest = packer->limit - MOLD_HEADER_BYTES - MOLD_LENGTH_BYTES;
    mold_packed result = {0};
    const uint8_t *message;
    size_t place = 0;
    size_t length;
    for (;; result.messages++) {
        const int found = source_next(from, result.messages, &place, &message, &length);
        if (found == 0) {
            return result;
        }
        result.problem = found < 0                                          ? -found
                         : length > longest                                 ? MOLD_LONG_MESSAGE
                         : result.messages >= UINT64_MAX - packer->next ? MOLD_SEQUENCE_OVERFLOW
                                                                            : MOLD_OK;
        if (result.problem != MOLD_OK) {
            return result;
        }
    }
}

typedef struct {
    uint8_t *bytes;
    size_t size;
    mold_datagram *datagrams;
    size_t room;
} arena;

/* The open datagram lies at `filled` in the arena: close it. */
static void arena_close(mold_packer *packer, const arena *to, mold_packed *result)
{
    mold_write_header(to->bytes + result->filled, packer->session, packer->next - packer->waiting,
                      (uint16_t)packer->waiting);
    to->datagrams[result->datagrams++] = (mold_datagram){
        .offset = result->filled, .length = packer->length, .count = packer->waiting};
    result->filled += packer->length;
    packer->length = MOLD_HEADER_BYTES;
    packer->waiting = 0;
}

static inline mold_packed pack(mold_packer *packer, const source *from, int flush, const arena *to)
{
    mold_packed result = source_check(packer, from);
    if (result.problem != MOLD_OK) {
        return result;
    }
    result = (mold_packed){0};
    if (to->size < packer->limit || to->room == 0) {
        return result;
    }
    memcpy(to->bytes, packer->bytes, packer->length);
    const uint8_t *message;
    size_t place = 0;
    size_t length;
    int full = 0; /* no room for another datagram */
    while (source_next(from, result.messages, &place, &message, &length) > 0) {
        if (packer->length + MOLD_LENGTH_BYTES + length > packer->limit) {
            arena_close(packer, to, &result);
            full = result.datagrams == to->room || to->size - result.filled < packer->limit;
            if (full) {
                break;
            }
        }
        uint8_t *at = to->bytes + result.filled + packer->length;
        store_big_u16(at, (uint16_t)length);
        memcpy(at + MOLD_LENGTH_BYTES, message, length);
        packer->length += MOLD_LENGTH_BYTES + (uint32_t)length;
        packer->waiting++;
        packer->next++;
        result.messages++;
        result.bytes = place;
    }
    if (flush && !full && packer->waiting > 0) {
        arena_close(packer, to, &result);
    } else if (!full) {
        memcpy(packer->bytes, to->bytes + result.filled, packer->length);
    }
    return result;
}

mold_packed mold_pack_records(mold_packer *packer, const void *records, size_t record_bytes,
                              size_t count, int flush, uint8_t *bytes, size_t size,
                              mold_datagram *datagrams, size_t room)
{
    const source from = {.bytes = records, .record_bytes = record_bytes, .count = count};
    CHECK(record_bytes > 0);
    return pack(packer, &from, flush, &(arena){bytes, size, datagrams, room});
}

mold_packed mold_pack_stream(mold_packer *packer, const void *stream, size_t size, int flush,
                             uint8_t *bytes, size_t arena_bytes, mold_datagram *datagrams,
                             size_t room)
{
    const source from = {.bytes = stream, .size = size};
    return pack(packer, &from, flush, &(arena){bytes, arena_bytes, datagrams, room});
}

mold_packed mold_pack_ranges(mold_packer *packer, const void *source_bytes, const uint64_t *offsets,
                             size_t count, int flush, uint8_t *bytes, size_t size,
                             mold_datagram *datagrams, size_t room)
{
    const source from = {.bytes = source_bytes, .offsets = offsets, .count = count};
    return pack(packer, &from, flush, &(arena){bytes, size, datagrams, room});
}
