/* mold_store.c - a ring of blocks and a ring of where they begin; see mold_store.h.
 *
 * Positions count bytes ever written and never turn back; the place of one in the ring is its
 * remainder. The byte at position p is there still if p >= tail:
 *
 *            tail = position of `first`              head
 *             │  first   │ first+1 │   ...   │ next-1 │
 *     ────────┼──────────┴─────────┴─────────┴────────┼──────▶ positions, head - tail <= capacity
 */
#include "phase5_protocol/c/mold_store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/byte_order.h"

static_assert(sizeof(mold_store_counters) == 80, "ten counters, no padding");

#define MOST_BYTES (UINT64_C(1) << 40)
#define MOST_MESSAGES (UINT64_C(1) << 32)

struct mold_store {
    uint8_t session[MOLD_SESSION_BYTES];
    uint64_t first; /* oldest number here */
    uint64_t next;
    uint64_t tail;  /* position of the oldest block */
    uint64_t head;  /* position of the next block */
    uint64_t capacity;
    uint64_t most_messages;
    uint64_t mask;  /* of the ring of positions, which is a power of two */
    uint64_t *positions;
    uint8_t *bytes;
    mold_log_read read;
    void *context;
    mold_store_counters counters;
};

mold_store *mold_store_new(const void *session, uint64_t first, uint64_t capacity_bytes,
                           uint64_t capacity_messages)
{
    if (!mold_session_is_valid(session) || first == 0 || capacity_bytes < 64 ||
        capacity_bytes > MOST_BYTES || capacity_messages == 0 ||
        capacity_messages > MOST_MESSAGES) {
        return NULL;
    }
    uint64_t slots = 1;
    while (slots < capacity_messages) {
        slots *= 2;
    }
    mold_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    memcpy(store->session, session, MOLD_SESSION_BYTES);
    store->first = store->next = first;
    store->capacity = capacity_bytes;
    store->most_messages = capacity_messages;
    store->mask = slots - 1;
    store->positions = malloc(slots * sizeof *store->positions);
    store->bytes = malloc(capacity_bytes);
    if (store->positions == NULL || store->bytes == NULL) {
        mold_store_free(store);
        return NULL;
    }
    return store;
}

void mold_store_free(mold_store *store)
{
    if (store != NULL) {
        free(store->positions);
        free(store->bytes);
        free(store);
    }
}

void mold_store_set_log(mold_store *store, mold_log_read read, void *context)
{
    store->read = read;
    store->context = context;
}

/* Bytes into the ring at a position, in two parts if it turns round between them. */
static void ring_write(mold_store *store, uint64_t position, const void *from, size_t length)
{
    const uint64_t place = position % store->capacity;
    const size_t before = store->capacity - place < length ? store->capacity - place : length;
    memcpy(store->bytes + place, from, before);
    memcpy(store->bytes, (const uint8_t *)from + before, length - before);
}

static void ring_read(const mold_store *store, uint64_t position, void *to, size_t length)
{
    const uint64_t place = position % store->capacity;
    const size_t before = store->capacity - place < length ? store->capacity - place : length;
    memcpy(to, store->bytes + place, before);
    memcpy((uint8_t *)to + before, store->bytes, length - before);
}

/* Where the block after `number` begins. */
static uint64_t end_of(const mold_store *store, uint64_t number)
{
    return number + 1 == store->next ? store->head : store->positions[(number + 1) & store->mask];
}

static void evict(mold_store *store)
{
    CHECK(store->first < store->next);
    store->tail = end_of(store, store->first);
    store->first++;
    store->counters.evicted++;
}

int mold_store_append(mold_store *store, const void *message, size_t length)
{
    const size_t block = length + MOLD_LENGTH_BYTES;
    if (length > MOLD_MAX_MESSAGE || block > store->capacity) {
        return MOLD_LONG_MESSAGE;
    }
    if (store->next == UINT64_MAX) {
        return MOLD_SEQUENCE_OVERFLOW;
    }
    while (store->next - store->first >= store->most_messages ||
           store->head + block - store->tail > store->capacity) {
        evict(store);
    }
    uint8_t prefix[MOLD_LENGTH_BYTES];
    store_big_u16(prefix, (uint16_t)length);
    ring_write(store, store->head, prefix, sizeof prefix);
    ring_write(store, store->head + sizeof prefix, message, length);
    store->positions[store->next & store->mask] = store->head;
    store->head += block;
    store->next++;
    return MOLD_OK;
}

size_t mold_store_append_records(mold_store *store, const void *records, size_t record_bytes,
                                 size_t count)
{
    size_t done = 0;
    while (done < count && mold_store_append(store, (const uint8_t *)records + done * record_bytes,
                                             record_bytes) == MOLD_OK) {
        done++;
    }
    return done;
}

size_t mold_store_append_stream(mold_store *store, const void *stream, size_t size)
{
    const uint8_t *from = stream;
    size_t done = 0;
    while (size - done >= MOLD_LENGTH_BYTES) {
        const size_t length = load_big_u16(from + done);
        if (size - done - MOLD_LENGTH_BYTES < length ||
            mold_store_append(store, from + done + MOLD_LENGTH_BYTES, length) != MOLD_OK) {
            break;
        }
        done += MOLD_LENGTH_BYTES + length;
    }
    return done;
}

int64_t mold_store_read(const mold_store *store, uint64_t number, void *to, size_t room)
{
    if (number >= store->next) {
        return -STORE_NOT_YET;
    }
    if (number < store->first) {
        return -STORE_TOO_OLD;
    }
    const uint64_t position = store->positions[number & store->mask];
    const size_t length = end_of(store, number) - position - MOLD_LENGTH_BYTES;
    if (length > room) {
        return -STORE_NO_ROOM;
    }
    ring_read(store, position + MOLD_LENGTH_BYTES, to, length);
    return (int64_t)length;
}

/* What an answer has so far. */
typedef struct {
    uint8_t *to;
    size_t limit;
    size_t size;
    uint64_t first;
    uint64_t count;
} answer;

/* Messages `from` to `end` out of the log, while it has them and they fit. */
static void answer_from_log(mold_store *store, uint64_t from, uint64_t end, answer *made)
{
    for (uint64_t number = from; number < end; number++) {
        if (made->limit - made->size < MOLD_LENGTH_BYTES) {
            return;
        }
        uint8_t *at = made->to + made->size;
        const size_t room = made->limit - made->size - MOLD_LENGTH_BYTES;
        const int64_t length =
            store->read(store->context, number, at + MOLD_LENGTH_BYTES, room);
        if (length < 0 || (uint64_t)length > room) {
            return; /* not there, or it does not fit any more */
        }
        store_big_u16(at, (uint16_t)length);
        made->size += MOLD_LENGTH_BYTES + (size_t)length;
        made->count++;
        store->counters.from_log++;
    }
}

/* Messages `from` to `end`, all of them here: the longest run that fits, as one copy. */
static void answer_from_ring(const mold_store *store, uint64_t from, uint64_t end, answer *made)
{
    const uint64_t start = store->positions[from & store->mask];
    const size_t room = made->limit - made->size;
    uint64_t low = from; /* what fits: the numbers before `low`, and maybe more */
    uint64_t high = end;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (end_of(store, middle) - start <= room) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low > from) {
        const size_t length = end_of(store, low - 1) - start;
        ring_read(store, start, made->to + made->size, length);
        made->size += length;
        made->count += low - from;
    }
}

static int answer_find(mold_store *store, const mold_request *request, answer *made)
{
    uint64_t from = request->sequence;
    if (memcmp(request->session, store->session, MOLD_SESSION_BYTES) != 0) {
        return STORE_OTHER_SESSION;
    }
    if (from >= store->next) {
        return STORE_NOT_YET;
    }
    const uint64_t left = store->next - from;
    const uint64_t wanted = request->count < MOLD_COUNT_END ? request->count : MOLD_COUNT_END - 1;
    const uint64_t end = from + (wanted < left ? wanted : left);
    if (from < store->first && store->read != NULL) {
        answer_from_log(store, from, end < store->first ? end : store->first, made);
    }
    if (made->count == 0 && from < store->first) {
        if (end <= store->first) {
            return STORE_TOO_OLD;
        }
        from = store->first;
        made->first = from;
    }
    if (from + made->count >= store->first && from + made->count < end) {
        answer_from_ring(store, from + made->count, end, made);
    }
    if (made->count == 0) {
        return STORE_NO_ROOM;
    }
    store->counters.partly_too_old += from != request->sequence;
    return STORE_ANSWERED;
}

int mold_store_answer(mold_store *store, const mold_request *request, void *to, size_t limit,
                      size_t *size)
{
    mold_store_counters *counters = &store->counters;
    *size = 0;
    answer made = {.to = to, .limit = limit, .size = MOLD_HEADER_BYTES, .first = request->sequence};
    const int outcome = limit < MOLD_HEADER_BYTES + MOLD_LENGTH_BYTES
                            ? STORE_NO_ROOM
                            : answer_find(store, request, &made);
    switch (outcome) {
    case STORE_ANSWERED:
        mold_write_header(to, store->session, made.first, (uint16_t)made.count);
        *size = made.size;
        counters->answered++;
        counters->messages += made.count;
        counters->bytes += made.size;
        break;
    case STORE_TOO_OLD: counters->too_old++; break;
    case STORE_NOT_YET: counters->not_yet++; break;
    case STORE_OTHER_SESSION: counters->other_session++; break;
    default: counters->no_room++;
    }
    return outcome;
}

uint64_t mold_store_first(const mold_store *store)
{
    return store->first;
}

uint64_t mold_store_next(const mold_store *store)
{
    return store->next;
}

uint64_t mold_store_bytes(const mold_store *store)
{
    return store->head - store->tail;
}

mold_store_counters mold_store_count(const mold_store *store)
{
    return store->counters;
}

int mold_store_check(const mold_store *store, char *message, size_t size)
{
    const uint64_t count = store->next - store->first;
    if (store->first > store->next || count > store->most_messages) {
        snprintf(message, size, "numbers %llu to %llu in a store of %llu",
                 (unsigned long long)store->first, (unsigned long long)store->next,
                 (unsigned long long)store->most_messages);
        return 0;
    }
    if (store->head - store->tail > store->capacity) {
        snprintf(message, size, "%llu bytes in a store of %llu",
                 (unsigned long long)(store->head - store->tail),
                 (unsigned long long)store->capacity);
        return 0;
    }
    uint64_t position = store->tail;
    for (uint64_t number = store->first; number < store->next; number++) {
        uint8_t prefix[MOLD_LENGTH_BYTES];
        if (store->positions[number & store->mask] == position) {
            ring_read(store, position, prefix, sizeof prefix);
            position += MOLD_LENGTH_BYTES + load_big_u16(prefix);
        }
        if (end_of(store, number) != position) {
            snprintf(message, size, "message %llu does not end where the next begins",
                     (unsigned long long)number);
            return 0;
        }
    }
    if (position != store->head) {
        snprintf(message, size, "the last message does not end at the head");
        return 0;
    }
    return 1;
}
