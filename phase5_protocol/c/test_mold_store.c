/* test_mold_store.c - what is kept, what is pushed out, and how requests are answered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/mold_store.h"

static const char SESSION[] = "STORE     ";
enum { ROOM = 1472 };

/* Message `number` has a length and bytes of its own. */
static size_t message_of(uint64_t number, uint8_t *to)
{
    const size_t length = (size_t)(number * 37 % 61);
    for (size_t i = 0; i < length; i++) {
        to[i] = (uint8_t)(number * 11 + i);
    }
    return length;
}

static void check(const mold_store *store)
{
    char message[256] = "";
    if (!mold_store_check(store, message, sizeof message)) {
        fprintf(stderr, "%s\n", message);
        CHECK(0);
    }
}

static mold_store *fill(uint64_t first, uint64_t bytes, uint64_t messages, uint64_t count)
{
    mold_store *store = mold_store_new(SESSION, first, bytes, messages);
    CHECK(store != NULL);
    for (uint64_t i = 0; i < count; i++) {
        uint8_t message[64];
        const size_t length = message_of(first + i, message);
        CHECK(mold_store_append(store, message, length) == MOLD_OK);
    }
    return store;
}

/* An answer is a valid packet of messages from..., as they were. Returns how many. */
static uint64_t check_answer(const uint8_t *bytes, size_t size, size_t limit, uint64_t first)
{
    mold_packet packet;
    static uint32_t starts[65536], lengths[65536];
    CHECK(size <= limit && mold_parse(bytes, size, &packet) == MOLD_OK);
    CHECK(packet.kind == MOLD_DATA && packet.count > 0 && packet.sequence == first);
    CHECK(memcmp(packet.session, SESSION, 10) == 0);
    CHECK(mold_blocks(bytes, size, starts, lengths, 65536) == packet.count);
    for (uint32_t i = 0; i < packet.count; i++) {
        uint8_t message[64];
        CHECK(lengths[i] == message_of(first + i, message));
        CHECK(memcmp(bytes + starts[i], message, lengths[i]) == 0);
    }
    return packet.count;
}

static mold_request request_of(uint64_t sequence, uint32_t count)
{
    mold_request request = {.sequence = sequence, .count = count};
    memcpy(request.session, SESSION, 10);
    return request;
}

/* Guards: a message read back from where the ring turns round; one pushed out too early or too late;
 * positions that alias when the count ring turns. */
static void test_after_every_message(void)
{
    static const struct {
        uint64_t bytes, messages;
    } limits[] = {{64, 1000}, {100, 1000}, {1000, 3}, {997, 1000}, {1 << 20, 1}, {1 << 20, 7}};
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
        const uint64_t first = (UINT64_C(1) << 32) - 50;
        mold_store *store = mold_store_new(SESSION, first, limits[l].bytes, limits[l].messages);
        for (uint64_t n = first; n < first + 300; n++) {
            uint8_t message[64];
            CHECK(mold_store_append(store, message, message_of(n, message)) == MOLD_OK);
            check(store);
            /* The oldest is there because one more would not have fitted. */
            const uint64_t oldest = mold_store_first(store);
            uint64_t bytes = 0;
            for (uint64_t m = oldest; m <= n; m++) {
                uint8_t got[64];
                const size_t length = message_of(m, message);
                CHECK(mold_store_read(store, m, got, sizeof got) == (int64_t)length);
                CHECK(memcmp(got, message, length) == 0);
                bytes += 2 + length;
            }
            CHECK(bytes == mold_store_bytes(store) && bytes <= limits[l].bytes);
            CHECK(oldest == first || bytes + 2 + message_of(oldest - 1, message) > limits[l].bytes ||
                  n - oldest + 1 == limits[l].messages);
            uint8_t got[64];
            CHECK(mold_store_read(store, n + 1, got, 64) == -STORE_NOT_YET);
            CHECK(oldest == first || mold_store_read(store, oldest - 1, got, 64) == -STORE_TOO_OLD);
        }
        CHECK(mold_store_count(store).evicted == mold_store_first(store) - first);
        mold_store_free(store);
    }
}

/* Guards: an answer with a message more than fits, or one less; more than was asked for. */
static void test_answers_of_every_size(void)
{
    mold_store *store = fill(1, 2048, 1000, 200);
    const uint64_t oldest = mold_store_first(store);
    CHECK(oldest > 1);
    for (uint32_t count = 1; count < 70; count += 4) {
        for (size_t limit = 22; limit < 600; limit += 5) {
            uint8_t *bytes = malloc(limit); /* exactly, for the sanitizer */
            size_t size;
            const mold_request request = request_of(oldest + 5, count);
            const int outcome = mold_store_answer(store, &request, bytes, limit, &size);
            uint8_t message[64];
            if (20 + 2 + message_of(oldest + 5, message) > limit) {
                CHECK(outcome == STORE_NO_ROOM && size == 0);
            } else {
                CHECK(outcome == STORE_ANSWERED);
                const uint64_t got = check_answer(bytes, size, limit, oldest + 5);
                const uint64_t left = 200 - oldest - 5 + 1;
                CHECK(got == count || got == left ||
                      size + 2 + message_of(oldest + 5 + got, message) > limit);
                CHECK(got <= count && got <= left);
            }
            free(bytes);
        }
    }
    mold_store_free(store);
}

/* Guards: an answer to what is gone, not sent yet, or another session's; a mixture of these. */
static void test_outcomes(void)
{
    mold_store *store = fill(1, 2048, 1000, 200);
    const uint64_t oldest = mold_store_first(store);
    uint8_t bytes[ROOM];
    size_t size = 1;
    mold_request request = request_of(201, 1);
    CHECK(mold_store_answer(store, &request, bytes, ROOM, &size) == STORE_NOT_YET && size == 0);
    request = request_of(UINT64_MAX - 65535, 65535);
    CHECK(mold_store_answer(store, &request, bytes, ROOM, &size) == STORE_NOT_YET);
    request = request_of(1, (uint32_t)oldest - 1);
    CHECK(mold_store_answer(store, &request, bytes, ROOM, &size) == STORE_TOO_OLD && size == 0);
    request = request_of(1, (uint32_t)oldest); /* of these one is here */
    CHECK(mold_store_answer(store, &request, bytes, ROOM, &size) == STORE_ANSWERED);
    CHECK(check_answer(bytes, size, ROOM, oldest) == 1);
    request = request_of(200, 65535);
    CHECK(mold_store_answer(store, &request, bytes, ROOM, &size) == STORE_ANSWERED);
    CHECK(check_answer(bytes, size, ROOM, 200) == 1);
    request.session[0] = 'X';
    CHECK(mold_store_answer(store, &request, bytes, ROOM, &size) == STORE_OTHER_SESSION);
    request = request_of(200, 1);
    CHECK(mold_store_answer(store, &request, bytes, 21, &size) == STORE_NO_ROOM);
    const mold_store_counters counters = mold_store_count(store);
    CHECK(counters.answered == 2 && counters.too_old == 1 && counters.not_yet == 2);
    CHECK(counters.other_session == 1 && counters.no_room == 1 && counters.partly_too_old == 1);
    CHECK(counters.messages == 2 && counters.from_log == 0);
    mold_store_free(store);
}

/* Guards: the count field 0xFFFF, which would end the session, in an answer of empty messages. */
static void test_no_answer_looks_like_the_end(void)
{
    mold_store *store = mold_store_new(SESSION, 1, 1 << 20, 1 << 17);
    static uint8_t bytes[MOLD_MAX_DATAGRAM * 3];
    size_t size;
    mold_packet packet;
    for (int i = 0; i < 70000; i++) {
        CHECK(mold_store_append(store, "", 0) == MOLD_OK);
    }
    const mold_request request = request_of(1, 65535);
    CHECK(mold_store_answer(store, &request, bytes, sizeof bytes, &size) == STORE_ANSWERED);
    CHECK(mold_parse(bytes, size, &packet) == MOLD_OK && packet.kind == MOLD_DATA);
    CHECK(packet.count == 65534);
    mold_store_free(store);
}

typedef struct {
    uint64_t from, end;
} log_of;

static int64_t read_log(void *context, uint64_t number, void *to, size_t room)
{
    const log_of *log = context;
    uint8_t message[64];
    const size_t length = message_of(number, message);
    if (number < log->from || number >= log->end || length > room) {
        return -1;
    }
    memcpy(to, message, length);
    return (int64_t)length;
}

/* Guards: a log that is not asked, or asked for what the store has; a hole between the two. */
static void test_a_log_behind_it(void)
{
    mold_store *store = fill(1, 2048, 1000, 200);
    const uint64_t oldest = mold_store_first(store);
    log_of log = {.from = 10, .end = oldest};
    uint8_t bytes[ROOM];
    size_t size;
    mold_store_set_log(store, read_log, &log);
    mold_request request = request_of(9, 4);
    CHECK(mold_store_answer(store, &request, bytes, ROOM, &size) == STORE_TOO_OLD);
    for (uint64_t first = 10; first < 200; first++) { /* log, store, and both in one packet */
        request = request_of(first, 8);
        CHECK(mold_store_answer(store, &request, bytes, ROOM, &size) == STORE_ANSWERED);
        CHECK(check_answer(bytes, size, ROOM, first) == (first + 8 <= 201 ? 8 : 201 - first));
    }
    CHECK(mold_store_count(store).from_log == (oldest - 10) * 8 - 28);
    log.end = oldest - 3; /* the answer stops before the hole, and does not jump it */
    request = request_of(oldest - 6, 20);
    CHECK(mold_store_answer(store, &request, bytes, ROOM, &size) == STORE_ANSWERED);
    CHECK(check_answer(bytes, size, ROOM, oldest - 6) == 3);
    mold_store_free(store);
}

/* Guards: memory for what cannot be; a message longer than the ring written over itself. */
static void test_limits(void)
{
    static uint8_t message[MOLD_MAX_MESSAGE + 1];
    CHECK(mold_store_new(SESSION, 0, 64, 1) == NULL && mold_store_new(SESSION, 1, 63, 1) == NULL);
    CHECK(mold_store_new(SESSION, 1, 64, 0) == NULL);
    CHECK(mold_store_new(SESSION, 1, (UINT64_C(1) << 40) + 1, 1) == NULL);
    CHECK(mold_store_new(SESSION, 1, 64, (UINT64_C(1) << 32) + 1) == NULL);
    CHECK(mold_store_new("\tTORE     ", 1, 64, 1) == NULL);
    mold_store *store = mold_store_new(SESSION, UINT64_MAX - 1, 64, 8);
    CHECK(mold_store_append(store, message, 63) == MOLD_LONG_MESSAGE);
    CHECK(mold_store_append(store, message, 62) == MOLD_OK);
    CHECK(mold_store_append(store, message, 1) == MOLD_SEQUENCE_OVERFLOW);
    CHECK(mold_store_first(store) == UINT64_MAX - 1 && mold_store_next(store) == UINT64_MAX);
    check(store);
    mold_store_free(store);
    store = mold_store_new(SESSION, 1, 1 << 20, 8);
    CHECK(mold_store_append(store, message, MOLD_MAX_MESSAGE + 1) == MOLD_LONG_MESSAGE);
    CHECK(mold_store_append(store, message, MOLD_MAX_MESSAGE) == MOLD_OK);
    mold_store_free(store);
}

/* Guards: records or a stream kept with other lengths than they have; the half message at the end of
 * a stream. */
static void test_batches(void)
{
    mold_store *store = mold_store_new(SESSION, 1, 4096, 100);
    uint8_t rows[3][8] = {"row0000", "row1111", "row2222"};
    uint8_t got[8];
    CHECK(mold_store_append_records(store, rows, 8, 3) == 3);
    CHECK(mold_store_read(store, 2, got, 8) == 8 && memcmp(got, rows[1], 8) == 0);
    CHECK(mold_store_read(store, 2, got, 7) == -STORE_NO_ROOM);
    CHECK(mold_store_append_stream(store, "\0\1A\0\0\0\2BC\0\5DE", 14) == 9);
    CHECK(mold_store_next(store) == 7);
    CHECK(mold_store_read(store, 4, got, 8) == 1 && got[0] == 'A');
    CHECK(mold_store_read(store, 5, got, 8) == 0);
    CHECK(mold_store_read(store, 6, got, 8) == 2 && memcmp(got, "BC", 2) == 0);
    check(store);
    mold_store_free(store);
}

int main(void)
{
    test_after_every_message();
    test_answers_of_every_size();
    test_outcomes();
    test_no_answer_looks_like_the_end();
    test_a_log_behind_it();
    test_limits();
    test_batches();
    return 0;
}
