/* mold_receiver_story.h - tells a receiver a story, step by step, and reads what it says. For tests.
 *
 * Messages are eight bytes, their number. After every step the receiver is checked, and what it
 * delivers is held against the one rule: each number once, in order, here or lost.
 */
#ifndef PHASE5_MOLD_RECEIVER_STORY_H
#define PHASE5_MOLD_RECEIVER_STORY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/byte_order.h"
#include "phase5_protocol/c/mold_receiver.h"

static const uint8_t STORY_SESSION[MOLD_SESSION_BYTES] = "STORY00001";

static const mold_receiver_config CONFIG = {.start = 1,
                                            .record_bytes = 8,
                                            .window_messages = 64,
                                            .max_gaps = 16,
                                            .max_requests = 4,
                                            .request_messages = 4,
                                            .attempts = 3,
                                            .has_session = 1,
                                            .reorder_delay_ns = 1000,
                                            .request_timeout_ns = 10000,
                                            .session = "STORY00001"};

typedef struct {
    mold_receiver *receiver;
    uint64_t now;
    uint64_t next; /* to be delivered */
    uint32_t line;
    uint32_t unused;
} story;

static inline void story_check(const story *s)
{
    char message[256] = "";
    if (!mold_receiver_check(s->receiver, message, sizeof message)) {
        fprintf(stderr, "%s\n", message);
        CHECK(0);
    }
}

static inline story *begin(mold_receiver_config config)
{
    story *s = calloc(1, sizeof *s);
    const char *problem = "";
    CHECK(s != NULL);
    s->receiver = mold_receiver_new(&config, &problem);
    CHECK(s->receiver != NULL && problem[0] == 0);
    s->now = 1000000;
    s->next = config.start;
    story_check(s);
    return s;
}

static inline void end(story *s)
{
    story_check(s);
    mold_receiver_free(s->receiver);
    free(s);
}

/* One packet with those blocks, in memory of exactly its size. */
static inline int packet_of(story *s, uint64_t sequence, const void *blocks, size_t size,
                            uint16_t count)
{
    uint8_t *bytes = malloc(MOLD_HEADER_BYTES + size);
    CHECK(bytes != NULL);
    mold_write_header(bytes, STORY_SESSION, sequence, count);
    if (size > 0) {
        memcpy(bytes + MOLD_HEADER_BYTES, blocks, size);
    }
    const int verdict =
        mold_receiver_put(s->receiver, bytes, MOLD_HEADER_BYTES + size, s->now, s->line);
    free(bytes);
    story_check(s);
    return verdict;
}

/* Messages `first` to `first + count - 1`, at most 200. */
static inline int data(story *s, uint64_t first, uint16_t count)
{
    uint8_t blocks[200 * 10];
    CHECK(count <= 200);
    for (uint64_t i = 0; i < count; i++) {
        store_big_u16(blocks + 10 * i, 8);
        store_big_u64(blocks + 10 * i + 2, first + i);
    }
    return packet_of(s, first, blocks, 10 * (size_t)count, count);
}

static inline int heartbeat(story *s, uint64_t next)
{
    return packet_of(s, next, NULL, 0, 0);
}

static inline int finish(story *s, uint64_t next)
{
    return packet_of(s, next, NULL, 0, MOLD_COUNT_END);
}

/* Take all there is; whether it is as written. NULL: whatever it is. */
static inline int is_out(story *s, const char *expected)
{
    uint64_t numbers[100];
    char text[1000] = "";
    size_t used = 0;
    for (;;) {
        const mold_delivery made = mold_receiver_take_records(s->receiver, numbers, 100);
        story_check(s);
        CHECK(used + 100 < sizeof text);
        if (made.kind == DELIVERY_NOTHING || made.kind == DELIVERY_END) {
            if (made.kind == DELIVERY_END) {
                used += (size_t)snprintf(text + used, sizeof text - used, "%s.", used ? " " : "");
            }
            break;
        }
        CHECK(made.first == s->next && made.count > 0);
        for (uint64_t i = 0; made.kind == DELIVERY_MESSAGES && i < made.count; i++) {
            CHECK(load_big_u64(&numbers[i]) == s->next + i);
        }
        s->next += made.count;
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 made.count > 1 ? "%s%s%llu-%llu" : "%s%s%llu", used ? " " : "",
                                 made.kind == DELIVERY_LOST ? "x" : "",
                                 (unsigned long long)made.first,
                                 (unsigned long long)(made.first + made.count - 1));
    }
    if (expected != NULL && strcmp(text, expected) != 0) {
        fprintf(stderr, "delivered \"%s\", not \"%s\"\n", text, expected);
        return 0;
    }
    return 1;
}

/* Poll; whether it asks as written: "3+2 9+1" is two from 3, one from 9. */
static inline int is_asked(story *s, const char *expected)
{
    uint8_t requests[16 * MOLD_REQUEST_BYTES];
    char text[1000] = "";
    size_t used = 0;
    const size_t count = mold_receiver_poll(s->receiver, s->now, requests, 16);
    story_check(s);
    for (size_t i = 0; i < count; i++) {
        mold_request request;
        CHECK(mold_parse_request(requests + i * MOLD_REQUEST_BYTES, MOLD_REQUEST_BYTES, &request) ==
              MOLD_OK);
        CHECK(memcmp(request.session, STORY_SESSION, MOLD_SESSION_BYTES) == 0);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%llu+%u", used ? " " : "",
                                 (unsigned long long)request.sequence, request.count);
    }
    if (strcmp(text, expected) != 0) {
        fprintf(stderr, "asked for \"%s\", not \"%s\"\n", text, expected);
        return 0;
    }
    return 1;
}

#endif
