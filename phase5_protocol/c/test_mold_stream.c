/* test_mold_stream.c - a session through a bad network: every message once, in order, or it says so.
 *
 *     packer ──▶ link 0 ──▶┐              ┌──▶ every number, from 1 to the last
 *     store  ──▶ link 2 ──▶┴─ receiver ───┤
 *       ▲                                 └──▶ requests
 *       └─────────────── link 1 ◀────────────────┘        all three links lose, repeat and reorder
 *
 * Virtual time: nothing here waits. Arguments: messages and seed; 200,000 and 1 without. Ten million:
 * test_mold_stream 10000000
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/lossy_network.h"
#include "phase5_protocol/c/mold_receiver.h"
#include "phase5_protocol/c/mold_store.h"

static const char SESSION[] = "STREAM    ";
enum { BATCH = 220, DATAGRAM = 1472, AT_ONCE = 64, ROOM = 1024 };
static const uint64_t STEP_NS = 100000;

typedef struct {
    uint64_t words[8];
} record;

/* Message `number`: its number at both ends, and something of its own between. */
static record record_of(uint64_t number)
{
    record made;
    for (uint64_t i = 0; i < 8; i++) {
        made.words[i] = number * (i == 0 || i == 7 ? 1 : UINT64_C(0x9e3779b97f4a7c15) * i);
    }
    return made;
}

typedef struct {
    uint64_t now, total, sent, delivered, lost;
    mold_packer *packer;
    mold_store *store;
    mold_receiver *receiver;
    lossy_network *network;
    int ended;
} world;

static world world_new(uint64_t total, uint64_t seed, uint32_t millionths, uint64_t kept,
                       uint32_t attempts)
{
    const mold_receiver_config config = {.start = 1,
                                         .record_bytes = sizeof(record),
                                         .window_messages = 1 << 16,
                                         .max_gaps = 4096,
                                         .max_requests = AT_ONCE,
                                         .request_messages = 22,
                                         .attempts = attempts,
                                         .reorder_delay_ns = 1000000,
                                         .request_timeout_ns = 5000000};
    const lossy_config bad = {.seed = seed,
                              .loss = millionths,
                              .duplication = millionths,
                              .reordering = millionths,
                              .delay_ns = 10000,
                              .jitter_ns = 50000,
                              .reorder_ns = 3000000,
                              .capacity = 1 << 14,
                              .max_datagram = DATAGRAM};
    const world made = {.total = total,
                        .packer = mold_packer_new(SESSION, 1, DATAGRAM),
                        .store = mold_store_new(SESSION, 1, UINT64_C(1) << 26, kept),
                        .receiver = mold_receiver_new(&config, NULL),
                        .network = lossy_network_new(&bad)};
    CHECK(made.packer != NULL && made.store != NULL && made.receiver != NULL &&
          made.network != NULL);
    return made;
}

static void world_free(world *w)
{
    mold_packer_free(w->packer);
    mold_store_free(w->store);
    mold_receiver_free(w->receiver);
    lossy_network_free(w->network);
}

/* The publisher: a batch of records, or, when there are no more, the end of the session. */
static void publish(world *w)
{
    static uint8_t arena[BATCH * 66 + 40 * MOLD_HEADER_BYTES + DATAGRAM];
    static record records[BATCH];
    mold_datagram datagrams[AT_ONCE];
    const uint64_t count = w->total - w->sent < BATCH ? w->total - w->sent : BATCH;
    if (count == 0) {
        const uint8_t *bytes;
        const size_t size = mold_packer_end(w->packer, &bytes);
        lossy_network_put(w->network, bytes, size, w->now, 0);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        records[i] = record_of(++w->sent);
    }
    CHECK(mold_store_append_records(w->store, records, sizeof(record), count) == count);
    const mold_packed packed = mold_pack_records(w->packer, records, sizeof(record), count, 1, arena,
                                                 sizeof arena, datagrams, AT_ONCE);
    CHECK(packed.problem == MOLD_OK && packed.messages == count);
    for (uint64_t i = 0; i < packed.datagrams; i++) {
        lossy_network_put(w->network, arena + datagrams[i].offset, datagrams[i].length, w->now, 0);
    }
}

/* What the network brings, to whom it is for. */
static void carry(world *w)
{
    uint8_t bytes[DATAGRAM];
    uint8_t answer[DATAGRAM];
    uint32_t link;
    int64_t size;
    while ((size = lossy_network_take(w->network, w->now, bytes, &link)) >= 0) {
        mold_request request;
        size_t answer_size;
        if (link != 1) {
            mold_receiver_put(w->receiver, bytes, (size_t)size, w->now, link);
        } else {
            CHECK(mold_parse_request(bytes, (size_t)size, &request) == MOLD_OK);
            if (mold_store_answer(w->store, &request, answer, DATAGRAM, &answer_size) ==
                STORE_ANSWERED) {
                lossy_network_put(w->network, answer, answer_size, w->now, 2);
            }
        }
    }
}

static void receive(world *w)
{
    static record records[ROOM];
    uint8_t requests[AT_ONCE * MOLD_REQUEST_BYTES];
    const size_t count = mold_receiver_poll(w->receiver, w->now, requests, AT_ONCE);
    for (size_t i = 0; i < count; i++) {
        lossy_network_put(w->network, requests + i * MOLD_REQUEST_BYTES, MOLD_REQUEST_BYTES, w->now,
                          1);
    }
    for (;;) {
        const mold_delivery made = mold_receiver_take_records(w->receiver, records, ROOM);
        CHECK(made.first == w->delivered + w->lost + 1); /* none skipped, none twice */
        if (made.kind == DELIVERY_NOTHING || made.kind == DELIVERY_END) {
            w->ended = made.kind == DELIVERY_END;
            return;
        }
        for (uint64_t i = 0; made.kind == DELIVERY_MESSAGES && i < made.count; i++) {
            const record expected = record_of(made.first + i);
            CHECK(memcmp(&records[i], &expected, sizeof expected) == 0);
        }
        *(made.kind == DELIVERY_LOST ? &w->lost : &w->delivered) += made.count;
    }
}

static void check(const world *w)
{
    char message[256] = "";
    if (!mold_receiver_check(w->receiver, message, sizeof message) ||
        !lossy_network_check(w->network, message, sizeof message)) {
        fprintf(stderr, "%s\n", message);
        CHECK(0);
    }
}

static void run(world *w)
{
    for (uint64_t steps = 0; !w->ended; steps++) {
        CHECK(steps < 1000000); /* whatever happens, it ends */
        w->now += STEP_NS;
        publish(w);
        carry(w);
        receive(w);
        if (steps % 100 == 0) {
            check(w);
        }
    }
    check(w);
    CHECK(w->delivered + w->lost == w->total);
    /* Everything that was sent is accounted for, on each line. */
    const mold_receiver_counters c = mold_receiver_count(w->receiver);
    CHECK(c.gaps == c.gaps_reordered + c.gaps_filled + c.gaps_unrecoverable);
    CHECK(c.delivered == w->delivered && c.lost == w->lost);
    uint64_t fresh = 0;
    for (uint32_t line = 0; line < MOLD_LINES; line++) {
        fresh += mold_receiver_count_line(w->receiver, line).fresh;
    }
    CHECK(fresh == w->delivered);
}

/* Guards: one message missing, doubled or out of its place, in all of a session. */
static void test_nothing_is_missing(uint64_t total, uint64_t seed, uint32_t millionths)
{
    struct timespec start, end;
    world w = world_new(total, seed, millionths, 1 << 20, 12);
    clock_gettime(CLOCK_MONOTONIC, &start);
    run(&w);
    clock_gettime(CLOCK_MONOTONIC, &end);
    const mold_receiver_counters c = mold_receiver_count(w.receiver);
    const lossy_counters n = lossy_network_count(w.network);
    printf("%llu messages, seed %llu: %llu datagrams lost, %llu repeated, %llu reordered; %llu gaps, "
           "%llu requests, %llu repeated; %.2f s\n",
           (unsigned long long)total, (unsigned long long)seed, (unsigned long long)n.lost,
           (unsigned long long)n.duplicated, (unsigned long long)n.reordered,
           (unsigned long long)c.gaps, (unsigned long long)c.requests,
           (unsigned long long)c.repeated,
           (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
    CHECK(w.delivered == total && w.lost == 0);
    CHECK(n.lost > 0 && n.duplicated > 0 && n.reordered > 0 && c.gaps_filled > 0);
    world_free(&w);
}

/* Guards: a test that passes because the network is good: without requests messages must be lost,
 * and exactly those are reported. */
static void test_without_requests_something_is(uint64_t total, uint64_t seed)
{
    world w = world_new(total, seed, 10000, 1 << 20, 0);
    run(&w);
    CHECK(w.lost > 0 && mold_receiver_count(w.receiver).requests == 0);
    world_free(&w);
}

/* Guards: a receiver that hangs on what nobody has any more. */
static void test_a_store_too_small(uint64_t total, uint64_t seed)
{
    world w = world_new(total, seed, 10000, 100, 3);
    run(&w);
    CHECK(w.lost > 0 && mold_store_count(w.store).too_old > 0);
    world_free(&w);
}

/* Guards: a silence longer than the window, after which the receiver stands still, or
 * drops what the store still has. */
static void test_a_blackout(uint64_t total, uint64_t seed)
{
    world w = world_new(total, seed, 10000, 1 << 20, 12);
    const uint64_t quarter = total / BATCH * STEP_NS / 4;
    const uint64_t most = 300000000; /* the store keeps a million messages, 476 ms of them */
    lossy_network_cut(w.network, LOSSY_LINKS, quarter, quarter + (3 * quarter < most ? 3 * quarter : most));
    run(&w);
    CHECK(w.lost == 0 && w.delivered == total && lossy_network_count(w.network).cut > 0);
    CHECK(mold_receiver_count(w.receiver).claims_doubted > 0); /* it was beyond the window */
    world_free(&w);
}

int main(int argc, char **argv)
{
    const uint64_t total = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000;
    const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    test_nothing_is_missing(total, seed, 10000);
    test_nothing_is_missing(total / 10, seed, 200000);
    test_without_requests_something_is(total / 10, seed);
    test_a_store_too_small(total / 10, seed);
    test_a_blackout(total, seed);
    return 0;
}
