/* test_moldudp64.c - packets by hand, byte for byte; each fault a name; batches cut in the right place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/byte_order.h"
#include "phase5_protocol/c/moldudp64.h"

static const char SESSION[] = "MATCH00001";

/* Two messages, "AB" and an empty one, numbers 258 and 259; written down from the specification. */
static const uint8_t PACKET[] = {'M', 'A', 'T', 'C', 'H', '0', '0', '0', '0', '1', 0,   0,   0, 0,
                                 0,   0,   1,   2,   0,   2,   0,   2,   'A', 'B', 0,   0};

/* The packet in a block of exactly its size, so that the sanitizer sees one byte too many. */
static int parse(const uint8_t *bytes, size_t size, mold_packet *packet)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);
    CHECK(exact != NULL);
    memcpy(exact, bytes, size);
    const int problem = mold_parse(exact, size, packet);
    free(exact);
    return problem;
}

/* Guards: a field at another offset, or of another byte order, than the specification's. */
static void test_a_packet_by_hand(void)
{
    mold_packet packet;
    uint32_t starts[3];
    uint32_t lengths[3];
    CHECK(parse(PACKET, sizeof PACKET, &packet) == MOLD_OK);
    CHECK(packet.sequence == 258 && packet.count == 2 && packet.kind == MOLD_DATA);
    CHECK(packet.shortest == 0 && packet.longest == 2 && memcmp(packet.session, SESSION, 10) == 0);
    CHECK(mold_blocks(PACKET, sizeof PACKET, starts, lengths, 3) == 2);
    CHECK(starts[0] == 22 && lengths[0] == 2 && starts[1] == 26 && lengths[1] == 0);
    CHECK(mold_blocks(PACKET, sizeof PACKET, starts, lengths, 1) == 1);
    mold_packer *packer = mold_packer_new(SESSION, 258, 1472);
    const uint8_t *made;
    CHECK(mold_packer_append(packer, "AB", 2) == MOLD_OK);
    CHECK(mold_packer_append(packer, "", 0) == MOLD_OK);
    CHECK(mold_packer_bytes(packer) == sizeof PACKET && mold_packer_waiting(packer) == 2);
    CHECK(mold_packer_flush(packer, &made) == sizeof PACKET);
    CHECK(memcmp(made, PACKET, sizeof PACKET) == 0);
    mold_packer_free(packer);
}

/* Guards: a packet cut off anywhere that is taken for whole, or read beyond its end. */
static void test_every_cut(void)
{
    mold_packet packet;
    for (size_t size = 0; size < sizeof PACKET; size++) {
        const int expected = size < 20                ? MOLD_SHORT_HEADER
                             : size < 22 || size == 25 ? MOLD_SHORT_LENGTH
                             : size < 24              ? MOLD_SHORT_BLOCK
                                                      : MOLD_SHORT_LENGTH;
        CHECK(parse(PACKET, size, &packet) == expected);
    }
}

/* Guards: a length compared with the whole packet instead of what is left of it; one that is added to a
 * position in 16 bits, wraps there, and so seems to fit. */
static void test_every_length(void)
{
    uint8_t bytes[sizeof PACKET]; /* one block, and four bytes behind its length */
    mold_packet packet;
    memcpy(bytes, PACKET, sizeof PACKET);
    store_big_u16(bytes + 18, 1);
    for (uint32_t length = 0; length <= UINT16_MAX; length++) {
        store_big_u16(bytes + 20, (uint16_t)length);
        const int expected = length < 4    ? MOLD_TRAILING_BYTES
                             : length == 4 ? MOLD_OK
                                           : MOLD_SHORT_BLOCK;
        CHECK(mold_parse(bytes, sizeof bytes, &packet) == expected);
    }
}

/* Guards: a fault without a name, or under another's. */
static void test_every_fault(void)
{
    uint8_t bytes[sizeof PACKET + 1];
    mold_packet packet;
    memcpy(bytes, PACKET, sizeof PACKET);
    bytes[sizeof PACKET] = 7;
    CHECK(parse(bytes, sizeof bytes, &packet) == MOLD_TRAILING_BYTES);
    for (size_t i = 0; i < 10; i++) {
        static const uint8_t bad[] = {0, 31, 127, 255};
        for (size_t j = 0; j < sizeof bad; j++) {
            memcpy(bytes, PACKET, sizeof PACKET);
            bytes[i] = bad[j];
            CHECK(parse(bytes, sizeof PACKET, &packet) == MOLD_BAD_SESSION);
        }
    }
    memcpy(bytes, PACKET, sizeof PACKET);
    store_big_u64(bytes + 10, 0);
    CHECK(parse(bytes, sizeof PACKET, &packet) == MOLD_BAD_SEQUENCE);
    store_big_u64(bytes + 10, UINT64_MAX - 1);
    CHECK(parse(bytes, sizeof PACKET, &packet) == MOLD_SEQUENCE_OVERFLOW);
    store_big_u64(bytes + 10, UINT64_MAX - 2);
    CHECK(parse(bytes, sizeof PACKET, &packet) == MOLD_OK && packet.sequence == UINT64_MAX - 2);
    memset(bytes, 0, 18); /* blanked, as in published captures */
    CHECK(parse(bytes, sizeof PACKET, &packet) == MOLD_BAD_SESSION);
    CHECK(mold_parse_framing(bytes, sizeof PACKET, &packet) == MOLD_OK && packet.count == 2);
    CHECK(mold_parse_framing(bytes, sizeof PACKET - 1, &packet) == MOLD_SHORT_LENGTH);
    for (int problem = 0; problem < MOLD_PROBLEMS; problem++) {
        CHECK(strcmp(mold_problem_name(problem), "unknown") != 0);
    }
    CHECK(strcmp(mold_problem_name(MOLD_PROBLEMS), "unknown") == 0);
    CHECK(strcmp(mold_problem_name(-1), "unknown") == 0);
}

/* Guards: 65535 messages read where the end of the session is meant; a heartbeat with a number that
 * belongs to a message which is still in the packer. */
static void test_heartbeat_and_end(void)
{
    mold_packer *packer = mold_packer_new(SESSION, 1, 1472);
    const uint8_t *made;
    mold_packet packet;
    CHECK(mold_packer_flush(packer, &made) == 0);
    CHECK(mold_packer_heartbeat(packer, &made) == 20 && parse(made, 20, &packet) == MOLD_OK);
    CHECK(packet.kind == MOLD_HEARTBEAT && packet.count == 0 && packet.sequence == 1);
    CHECK(mold_packer_append(packer, "x", 1) == MOLD_OK);
    CHECK(mold_packer_heartbeat(packer, &made) == 0 && mold_packer_end(packer, &made) == 0);
    CHECK(mold_packer_flush(packer, &made) == 23);
    CHECK(mold_packer_end(packer, &made) == 20 && parse(made, 20, &packet) == MOLD_OK);
    CHECK(packet.kind == MOLD_END && packet.count == 0 && packet.sequence == 2);
    CHECK(load_big_u16(made + 18) == 0xFFFF);
    mold_packer_free(packer);
}

/* Guards: a request of another length, for nothing, or past the last number. */
static void test_requests(void)
{
    uint8_t bytes[21] = {0};
    mold_request request;
    mold_write_request(bytes, SESSION, 77, 3);
    CHECK(mold_parse_request(bytes, 20, &request) == MOLD_OK);
    CHECK(request.sequence == 77 && request.count == 3 && memcmp(request.session, SESSION, 10) == 0);
    CHECK(mold_parse_request(bytes, 19, &request) == MOLD_SHORT_HEADER);
    CHECK(mold_parse_request(bytes, 21, &request) == MOLD_TRAILING_BYTES);
    bytes[3] = 0;
    CHECK(mold_parse_request(bytes, 20, &request) == MOLD_BAD_SESSION);
    mold_write_request(bytes, SESSION, 0, 3);
    CHECK(mold_parse_request(bytes, 20, &request) == MOLD_BAD_SEQUENCE);
    mold_write_request(bytes, SESSION, 1, 0);
    CHECK(mold_parse_request(bytes, 20, &request) == MOLD_EMPTY_REQUEST);
    mold_write_request(bytes, SESSION, UINT64_MAX, 1);
    CHECK(mold_parse_request(bytes, 20, &request) == MOLD_SEQUENCE_OVERFLOW);
}

/* Guards: a datagram above its limit, a message that fits exactly and is refused, numbers that run
 * on past the last one. */
static void test_limits(void)
{
    static uint8_t message[MOLD_MAX_MESSAGE + 1];
    const uint8_t *made;
    CHECK(mold_packer_new(SESSION, 1, 21) == NULL && mold_packer_new(SESSION, 0, 100) == NULL);
    CHECK(mold_packer_new(SESSION, 1, MOLD_MAX_DATAGRAM + 1) == NULL);
    CHECK(mold_packer_new("TOO\nLONG  ", 1, 100) == NULL);
    mold_packer *packer = mold_packer_new(SESSION, 1, MOLD_MAX_DATAGRAM);
    CHECK(mold_packer_append(packer, message, MOLD_MAX_MESSAGE + 1) == MOLD_LONG_MESSAGE);
    CHECK(mold_packer_append(packer, message, MOLD_MAX_MESSAGE) == MOLD_OK);
    CHECK(mold_packer_append(packer, message, 0) == -1);
    CHECK(mold_packer_flush(packer, &made) == MOLD_MAX_DATAGRAM);
    uint32_t count = 0;
    while (mold_packer_append(packer, message, 0) == MOLD_OK) {
        count++;
    }
    mold_packet packet;
    CHECK(count == (MOLD_MAX_DATAGRAM - 20) / 2 && mold_packer_flush(packer, &made) == 65506);
    CHECK(mold_parse(made, 65506, &packet) == MOLD_OK && packet.count == count);
    mold_packer_free(packer);
    packer = mold_packer_new(SESSION, UINT64_MAX - 1, 1472);
    CHECK(mold_packer_append(packer, "x", 1) == MOLD_OK);
    CHECK(mold_packer_append(packer, "x", 1) == MOLD_SEQUENCE_OVERFLOW);
    CHECK(mold_packer_next(packer) == UINT64_MAX && mold_packer_waiting(packer) == 1);
    mold_packer_free(packer);
}

enum { COUNT = 500 };

/* A batch, in any of the three forms, `room` datagrams at a time, or as many as the arena has room
 * for, is what the packer makes of the same messages one by one. */
static void compare_batch(int form, int flush, size_t room, size_t before, size_t arena_bytes)
{
    static uint8_t stream[COUNT * 70];
    uint8_t *arena = malloc(arena_bytes); /* exactly, for the sanitizer */
    uint64_t offsets[COUNT + 1] = {0};
    static uint8_t bytes[COUNT * 68];
    size_t stream_size = 0;
    mold_packer *batch = mold_packer_new(SESSION, 9, 1472);
    mold_packer *single = mold_packer_new(SESSION, 9, 1472);
    for (size_t i = 0; i < before; i++) {
        CHECK(mold_packer_append(batch, "before", 6) == MOLD_OK);
        CHECK(mold_packer_append(single, "before", 6) == MOLD_OK);
    }
    for (size_t i = 0; i < COUNT; i++) {
        const size_t length = form == 0 ? 64 : i * 7 % 68;
        memset(bytes + offsets[i], (int)i, length);
        offsets[i + 1] = offsets[i] + length;
        store_big_u16(stream + stream_size, (uint16_t)length);
        memset(stream + stream_size + 2, (int)i, length);
        stream_size += 2 + length;
    }
    size_t taken = 0;
    size_t place = 0;
    size_t next = 0; /* the first message not yet in `single` */
    for (int more = 1; more;) {
        mold_datagram datagrams[3];
        mold_packed packed =
            form == 0   ? mold_pack_records(batch, bytes + 64 * taken, 64, COUNT - taken, flush,
                                            arena, arena_bytes, datagrams, room)
            : form == 1 ? mold_pack_stream(batch, stream + place, stream_size - place, flush, arena,
                                           arena_bytes, datagrams, room)
                        : mold_pack_ranges(batch, bytes, offsets + taken, COUNT - taken, flush,
                                           arena, arena_bytes, datagrams, room);
        CHECK(packed.problem == MOLD_OK && packed.datagrams <= room);
        CHECK(packed.datagrams > 0 || !flush || taken == COUNT);
        taken += packed.messages;
        place += packed.bytes;
        more = taken < COUNT;
        uint64_t filled = 0;
        for (uint64_t d = 0; d < packed.datagrams; d++) {
            const uint8_t *made;
            while (next < COUNT && mold_packer_append(single, bytes + offsets[next],
                                                      offsets[next + 1] - offsets[next]) == 0) {
                next++;
            }
            const size_t size = mold_packer_flush(single, &made);
            CHECK(datagrams[d].offset == filled && datagrams[d].length == size);
            CHECK(memcmp(arena + filled, made, size) == 0);
            filled += size;
        }
        CHECK(packed.filled == filled);
    }
    while (next < COUNT) { /* what waits without a flush */
        CHECK(mold_packer_append(single, bytes + offsets[next],
                                 offsets[next + 1] - offsets[next]) == MOLD_OK);
        next++;
    }
    const uint8_t *one;
    const uint8_t *other;
    const size_t size = mold_packer_flush(single, &one);
    CHECK(mold_packer_flush(batch, &other) == size && memcmp(one, other, size) == 0);
    CHECK((size == 0) == (flush != 0) && mold_packer_next(batch) == mold_packer_next(single));
    mold_packer_free(batch);
    mold_packer_free(single);
    free(arena);
}

/* Guards: a batch that skips, repeats or renumbers a message where it runs out of room, where a
 * datagram was begun before, or where one is left open. */
static void test_batches(void)
{
    for (int form = 0; form < 3; form++) {
        for (int flush = 0; flush < 2; flush++) {
            for (size_t room = 1; room <= 3; room++) {
                for (size_t before = 0; before <= 180; before += 60) {
                    compare_batch(form, flush, room, before, (room + 1) * 1472);
                    compare_batch(form, flush, 3, before, 1472 + room * 500);
                }
            }
        }
    }
}

/* Guards: half a batch sent before its bad message is noticed. */
static void test_a_bad_batch_changes_nothing(void)
{
    uint8_t arena[1000];
    uint8_t stream[200] = {0, 3, 'a', 'b', 'c', 0, 90};
    mold_datagram datagrams[4];
    mold_packer *packer = mold_packer_new(SESSION, 1, 100);
    static const struct {
        size_t size;
        uint64_t message;
        int problem;
    } cases[] = {{200, 1, MOLD_LONG_MESSAGE}, {90, 1, MOLD_SHORT_BLOCK}, {6, 1, MOLD_SHORT_LENGTH},
                 {1, 0, MOLD_SHORT_LENGTH},   {4, 0, MOLD_SHORT_BLOCK}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const mold_packed packed =
            mold_pack_stream(packer, stream, cases[i].size, 1, arena, sizeof arena, datagrams, 4);
        CHECK(packed.problem == cases[i].problem && packed.messages == cases[i].message);
        CHECK(packed.datagrams == 0 && mold_packer_next(packer) == 1);
    }
    const mold_packed packed =
        mold_pack_records(packer, stream, 79, 1, 1, arena, sizeof arena, datagrams, 4);
    CHECK(packed.problem == MOLD_LONG_MESSAGE && mold_packer_waiting(packer) == 0);
    mold_packer_free(packer);
    packer = mold_packer_new(SESSION, UINT64_MAX - 2, 100);
    CHECK(mold_pack_records(packer, stream, 8, 3, 1, arena, sizeof arena, datagrams, 4).problem ==
          MOLD_SEQUENCE_OVERFLOW);
    CHECK(mold_pack_records(packer, stream, 8, 2, 1, arena, sizeof arena, datagrams, 4).problem ==
          MOLD_OK);
    mold_packer_free(packer);
}

int main(void)
{
    test_a_packet_by_hand();
    test_every_cut();
    test_every_length();
    test_every_fault();
    test_heartbeat_and_end();
    test_requests();
    test_limits();
    test_batches();
    test_a_bad_batch_changes_nothing();
    return 0;
}
