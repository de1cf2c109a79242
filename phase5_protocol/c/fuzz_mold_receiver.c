/* fuzz_mold_receiver.c - any history: packets of any kind, time, requests, joins, in any order.
 *
 * The input is a program, two bytes at first for the configuration, then instructions:
 *
 *     byte 0, low 3 bits   0 data      next byte: how far from the next number, signed; then: how many
 *                          1 heartbeat next byte: as above
 *                          2 end       next byte: as above
 *                          3 raw       next byte: how many bytes; then they, as a packet
 *                          4 time      next byte: so many times 500 ns
 *                          5 poll
 *                          6 take
 *                          7 join      next byte: as above
 *            high 5 bits   the line, in some
 *
 * What must hold, after every instruction: the receiver is in order (mold_receiver_check); numbers
 * come out one after the other, each either with its own bytes or as lost. At the end: patience runs
 * out, that is, after a bounded number of requests there is nothing more to be done.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/byte_order.h"
#include "phase5_protocol/c/mold_receiver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WINDOW = 64, ROOM = 16, RECORD = 8 };

typedef struct {
    const uint8_t *at, *end;
    mold_receiver *receiver;
    uint64_t now;
    uint64_t next; /* to come out; 0: not known */
    int trusted;   /* no raw packet: every message is its own number */
} program;

static uint8_t take_byte(program *p)
{
    return p->at < p->end ? *p->at++ : 0;
}

static void put_packet(program *p, uint64_t sequence, uint16_t count, uint32_t line)
{
    uint8_t bytes[MOLD_HEADER_BYTES + 64 * (2 + RECORD)];
    size_t size = MOLD_HEADER_BYTES;
    mold_write_header(bytes, "FUZZ      ", sequence, count);
    for (uint16_t i = 0; count != MOLD_COUNT_END && i < count; i++) {
        store_big_u16(bytes + size, RECORD);
        store_big_u64(bytes + size + 2, sequence + i);
        size += 2 + RECORD;
    }
    mold_receiver_put(p->receiver, bytes, size, p->now, line);
}

static void drain(program *p)
{
    uint64_t numbers[ROOM];
    for (;;) {
        const mold_delivery made = mold_receiver_take_records(p->receiver, numbers, ROOM);
        if (made.kind == DELIVERY_NOTHING || made.kind == DELIVERY_END) {
            CHECK(made.count == 0 && made.bytes == 0);
            return;
        }
        CHECK(made.count > 0 && (p->next == 0 || made.first == p->next));
        CHECK(made.kind == DELIVERY_LOST || made.count <= ROOM);
        for (uint64_t i = 0; made.kind == DELIVERY_MESSAGES && p->trusted && i < made.count; i++) {
            CHECK(load_big_u64(&numbers[i]) == made.first + i);
        }
        p->next = made.first + made.count;
    }
}

static void poll_once(program *p)
{
    uint8_t requests[ROOM * MOLD_REQUEST_BYTES];
    const uint64_t expected = mold_receiver_expected(p->receiver);
    const size_t count = mold_receiver_poll(p->receiver, p->now, requests, ROOM);
    const uint64_t announced = mold_receiver_announced(p->receiver);
    for (size_t i = 0; i < count; i++) {
        mold_request request;
        CHECK(mold_parse_request(requests + i * MOLD_REQUEST_BYTES, MOLD_REQUEST_BYTES, &request) ==
              MOLD_OK);
        CHECK(request.sequence >= expected && request.sequence + request.count <= announced);
    }
}

static void step(program *p)
{
    const uint8_t code = take_byte(p);
    const uint32_t line = (code >> 3) % MOLD_LINES;
    const uint64_t here = mold_receiver_expected(p->receiver);
    const uint64_t there = here + (uint64_t)(int64_t)(int8_t)take_byte(p);
    switch (code & 7) {
    case 0: put_packet(p, there, take_byte(p) % 64, line); break;
    case 1: put_packet(p, there, 0, line); break;
    case 2: put_packet(p, there, MOLD_COUNT_END, line); break;
    case 3: {
        const size_t wanted = (uint8_t)(there - here);
        const size_t left = (size_t)(p->end - p->at);
        const size_t size = wanted < left ? wanted : left;
        mold_receiver_put(p->receiver, p->at, size, p->now, line);
        p->at += size;
        p->trusted = 0;
        break;
    }
    case 4: p->now += (uint8_t)(there - here) * UINT64_C(500); break;
    case 5: poll_once(p); break;
    case 6: drain(p); break;
    default:
        if (mold_receiver_join(p->receiver, there, p->now)) {
            CHECK(mold_receiver_base(p->receiver) == there);
            p->next = there;
        }
    }
    char message[256] = "";
    if (!mold_receiver_check(p->receiver, message, sizeof message)) {
        fprintf(stderr, "%s\n", message);
        CHECK(0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t starts[] = {1, MOLD_START_FIRST_SEEN, MOLD_START_HELD, 1000,
                                      UINT64_MAX - 100};
    program p = {.at = data, .end = data + size, .trusted = 1};
    const uint8_t first = take_byte(&p);
    const uint8_t second = take_byte(&p);
    const mold_receiver_config config = {.start = starts[first % 5],
                                         .record_bytes = RECORD,
                                         .window_messages = WINDOW,
                                         .max_gaps = 1 + (first >> 3) % 8,
                                         .max_requests = 1 + second % 4,
                                         .request_messages = 1 + (second >> 2) % 8,
                                         .attempts = (second >> 5) % 4,
                                         .has_session = first >> 6 & 1,
                                         .reorder_delay_ns = 1000,
                                         .request_timeout_ns = 10000,
                                         .session = "FUZZ      "};
    p.receiver = mold_receiver_new(&config, NULL);
    CHECK(p.receiver != NULL);
    while (p.at < p.end) {
        step(&p);
    }
    /* The window's worth of what is known, and once more what was claimed beyond it. */
    uint64_t deadline;
    for (int rounds = 0; (deadline = mold_receiver_deadline(p.receiver)) != UINT64_MAX; rounds++) {
        CHECK(rounds < 4000);
        p.now = deadline > p.now ? deadline : p.now;
        poll_once(&p);
        drain(&p);
    }
    CHECK(mold_receiver_expected(p.receiver) == mold_receiver_announced(p.receiver) ||
          config.start == MOLD_START_HELD);
    mold_receiver_free(p.receiver);
    return 0;
}
