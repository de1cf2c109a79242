/* test_lossy_network.c - fates known beforehand, chances that come true, and nothing unaccounted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/lossy_network.h"

#define MS UINT64_C(1000000)
enum { MANY = 100000 };

static void check(const lossy_network *network)
{
    char message[256] = "";
    if (!lossy_network_check(network, message, sizeof message)) {
        fprintf(stderr, "%s\n", message);
        CHECK(0);
    }
}

static lossy_network *make(lossy_config config)
{
    config.capacity = config.capacity > 0 ? config.capacity : 64;
    config.max_datagram = config.max_datagram > 0 ? config.max_datagram : 64;
    lossy_network *network = lossy_network_new(&config);
    CHECK(network != NULL);
    return network;
}

/* Guards: a fate that changes with the machine, the compiler or a refactoring: these were computed
 * from the formula in the header by another program. */
static void test_fates_by_formula(void)
{
    static const uint8_t arrives[] = {1, 1, 0, 0, 1, 1, 1, 1};
    lossy_network *network = make((lossy_config){.seed = 7, .loss = 500000});
    for (size_t i = 0; i < sizeof arrives; i++) {
        CHECK(lossy_network_put(network, "x", 1, 0, 0) == arrives[i]);
    }
    lossy_network_free(network);
}

/* Guards: traffic on one link that changes what happens on another. */
static void test_links_do_not_share_fates(void)
{
    const lossy_config config = {.seed = 99, .loss = 300000, .capacity = 1 << 12};
    lossy_network *alone = make(config);
    lossy_network *busy = make(config);
    int differs = 0;
    for (int i = 0; i < 1000; i++) {
        const int fate = lossy_network_put(alone, "a", 1, 0, 3);
        for (int j = 0; j < i % 3; j++) {
            lossy_network_put(busy, "b", 1, 0, 2);
        }
        CHECK(lossy_network_put(busy, "a", 1, 0, 3) == fate);
        differs += lossy_network_put(busy, "c", 1, 0, 4) != fate;
    }
    CHECK(differs > 200);
    lossy_network_free(alone);
    lossy_network_free(busy);
}

/* Within five standard deviations. */
static int is_near(uint64_t count, uint64_t millionths)
{
    const int64_t expected = (int64_t)(MANY * millionths / 1000000);
    const int64_t off = (int64_t)count - expected;
    return off * off < 25 * expected;
}

/* Guards: a chance of another size than was asked for; a datagram that vanishes uncounted. */
static void test_chances(void)
{
    const lossy_config config = {.seed = 5,
                                 .loss = 10000,
                                 .duplication = 20000,
                                 .reordering = 30000,
                                 .corruption = 40000,
                                 .truncation = 50000,
                                 .reorder_ns = MS,
                                 .capacity = 1000};
    lossy_network *network = make(config);
    uint8_t out[64];
    uint32_t link;
    for (int i = 0; i < MANY; i++) {
        lossy_network_put(network, "a datagram of some length", 25, (uint64_t)i * 1000, 1);
        while (lossy_network_take(network, (uint64_t)i * 1000, out, &link) >= 0) {
            CHECK(link == 1);
        }
    }
    check(network);
    const lossy_counters counters = lossy_network_count(network);
    CHECK(counters.put == MANY && counters.overflowed == 0);
    CHECK(is_near(counters.lost, 10000) && is_near(counters.duplicated, 20000));
    CHECK(is_near(counters.reordered, 30000) && is_near(counters.corrupted, 40000));
    CHECK(is_near(counters.truncated, 50000) && counters.check_dropped == 0);
    lossy_network_free(network);
    /* Certainties. */
    network = make((lossy_config){.loss = 1000000});
    CHECK(lossy_network_put(network, "x", 1, 0, 0) == 0);
    lossy_network_free(network);
    network = make((lossy_config){.duplication = 1000000});
    CHECK(lossy_network_put(network, "x", 1, 0, 0) == 2);
    lossy_network_free(network);
}

/* Guards: an order that jitter destroys; one that reordering does not; a datagram early or late. */
static void test_order_and_delay(void)
{
    for (int reordering = 0; reordering < 2; reordering++) {
        lossy_network *network = make((lossy_config){.seed = 3,
                                                     .delay_ns = 5 * MS,
                                                     .jitter_ns = 9 * MS,
                                                     .reordering = reordering ? 100000 : 0,
                                                     .reorder_ns = 3 * MS,
                                                     .capacity = 1000});
        uint32_t overtaken = 0;
        uint32_t last = 0;
        uint32_t sent = 0;
        for (uint64_t now = 0; now < 3000 * MS; now += MS) {
            if (sent < 1000) {
                lossy_network_put(network, &sent, sizeof sent, now, 0);
                sent++;
            }
            uint32_t got;
            uint32_t link;
            while (lossy_network_due(network) <= now) {
                CHECK(lossy_network_take(network, now, &got, &link) == sizeof got);
                CHECK(now >= got * MS + 5 * MS);
                CHECK(now <= got * MS + (5 + 9 + 3 + 1) * MS);
                overtaken += got < last;
                last = got > last ? got : last;
            }
            CHECK(lossy_network_take(network, now, &got, &link) == -1);
        }
        CHECK(lossy_network_pending(network) == 0 && lossy_network_due(network) == UINT64_MAX);
        CHECK(reordering ? overtaken > 30 : overtaken == 0);
        check(network);
        lossy_network_free(network);
    }
}

/* Guards: damage that comes through although it is checked for; none that does if it is not. UDP's
 * sum lets one in 32 pairs of flipped bits through, a third of flips being pairs. */
static void test_damage(void)
{
    uint8_t sent[40];
    for (uint8_t i = 0; i < sizeof sent; i++) {
        sent[i] = (uint8_t)(i * 31);
    }
    for (uint32_t kind = LOSSY_CHECK_NONE; kind <= LOSSY_CHECK_FRAME; kind++) {
        lossy_network *network = make((lossy_config){.seed = 11,
                                                     .corruption = 200000,
                                                     .truncation = 200000,
                                                     .check = kind,
                                                     .capacity = 4});
        uint32_t same = 0;
        uint32_t changed = 0;
        uint32_t shorter = 0;
        for (int i = 0; i < 20000; i++) {
            uint8_t got[64];
            uint32_t link;
            lossy_network_put(network, sent, sizeof sent, 0, 0);
            const int64_t size = lossy_network_take(network, 0, got, &link);
            same += size == 40 && memcmp(got, sent, 40) == 0;
            changed += size == 40 && memcmp(got, sent, 40) != 0;
            shorter += size >= 0 && size < 40;
        }
        CHECK(same > 12000 && same < 13600);
        if (kind == LOSSY_CHECK_NONE) {
            CHECK(changed > 2900 && shorter > 3700);
        } else if (kind == LOSSY_CHECK_UDP) {
            CHECK(changed > 15 && changed < 70 && shorter < 5);
        } else {
            CHECK(changed == 0 && shorter == 0);
        }
        CHECK(lossy_network_count(network).check_dropped == 20000 - same - changed - shorter);
        check(network);
        lossy_network_free(network);
    }
}

/* Guards: a partition that ends early, or hits another link. */
static void test_partition(void)
{
    lossy_network *network = make((lossy_config){.seed = 1});
    lossy_network_cut(network, 2, 10, 20);
    CHECK(lossy_network_put(network, "x", 1, 9, 2) == 1);
    CHECK(lossy_network_put(network, "x", 1, 10, 2) == 0);
    CHECK(lossy_network_put(network, "x", 1, 19, 2) == 0);
    CHECK(lossy_network_put(network, "x", 1, 20, 2) == 1);
    CHECK(lossy_network_put(network, "x", 1, 15, 3) == 1);
    lossy_network_cut(network, LOSSY_LINKS, 0, UINT64_MAX);
    CHECK(lossy_network_put(network, "x", 1, 15, 3) == 0);
    lossy_network_cut(network, LOSSY_LINKS, 0, 0);
    CHECK(lossy_network_put(network, "x", 1, 15, 3) == 1);
    CHECK(lossy_network_count(network).cut == 3);
    check(network);
    lossy_network_free(network);
}

/* Guards: memory without bound; a slot used twice after an overflow. */
static void test_bounds(void)
{
    lossy_network *network = make((lossy_config){.delay_ns = 1, .capacity = 3});
    uint8_t out[64];
    uint32_t link;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 5; i++) {
            CHECK(lossy_network_put(network, &i, 1, 0, 0) == (i < 3));
            check(network);
        }
        for (int i = 0; i < 3; i++) {
            CHECK(lossy_network_take(network, 1, out, &link) == 1 && out[0] == i);
            check(network);
        }
    }
    CHECK(lossy_network_put(network, out, 65, 0, 0) == 0);
    CHECK(lossy_network_count(network).overflowed == 10 &&
          lossy_network_count(network).oversized == 1);
    check(network);
    lossy_network_free(network);
    CHECK(lossy_network_new(&(lossy_config){.loss = 1000001, .capacity = 1, .max_datagram = 1}) ==
          NULL);
    CHECK(lossy_network_new(&(lossy_config){.max_datagram = 1}) == NULL);
    CHECK(lossy_network_new(&(lossy_config){.capacity = 1}) == NULL);
    CHECK(lossy_network_new(&(lossy_config){.capacity = 1, .max_datagram = 65508}) == NULL);
}

int main(void)
{
    test_fates_by_formula();
    test_links_do_not_share_fates();
    test_chances();
    test_order_and_delay();
    test_damage();
    test_partition();
    test_bounds();
    return 0;
}
