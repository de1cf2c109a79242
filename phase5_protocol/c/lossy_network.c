/* lossy_network.c - fates by counted draws, and a heap of what is under way; see lossy_network.h. */
#include "phase5_protocol/c/lossy_network.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"

#define MILLION 1000000u
#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)
#define MOST_NS (UINT64_C(1) << 62)

/* What each draw of a datagram is for. The second copy has the delays of its own. */
enum {
    DRAW_LOSS,
    DRAW_DUPLICATION,
    DRAW_CORRUPTION,
    DRAW_TRUNCATION,
    DRAW_DAMAGE, /* three of them: which bits; the first one: how many bytes stay */
    DRAW_REORDERING = DRAW_DAMAGE + 3,
    DRAW_JITTER = DRAW_REORDERING + 2,
    DRAW_HOLD = DRAW_JITTER + 2,
    DRAWS = DRAW_HOLD + 2
};
static_assert(DRAWS <= 16, "sixteen draws a datagram, by the formula in the header");

typedef struct {
    uint64_t due_ns;
    uint64_t serial; /* among those due at one time, who was put first comes first */
    uint32_t slot;
    uint32_t length;
    uint32_t link;
    uint32_t unused;
} flight;

typedef struct {
    uint64_t key;
    uint64_t count;    /* datagrams put on it */
    uint64_t last_due; /* of those that keep their order */
    uint64_t cut_from_ns;
    uint64_t cut_until_ns;
} network_link;

struct lossy_network {
    lossy_config config;
    lossy_counters counters;
    network_link links[LOSSY_LINKS];
    uint64_t serial;
    uint32_t pending;
    uint32_t *free_slots; /* those not under way: capacity - pending of them */
    flight *heap;         /* smallest (due, serial) first */
    uint8_t *bytes;       /* capacity slots of max_datagram */
    uint8_t *damaged;     /* the datagram being damaged */
};

static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static uint64_t draw(const network_link *link, uint64_t datagram, uint32_t purpose)
{
    return mix(link->key + GOLDEN * (16 * datagram + purpose + 1));
}

static int hits(uint64_t drawn, uint32_t millionths)
{
    return (drawn >> 32) * MILLION >> 32 < millionths;
}

/* 0 to `limit` - 1; `limit` below 2**32: the high half scaled; above: a remainder, whose bias of
 * less than limit / 2**64 is nothing to a test. */
static uint64_t below(uint64_t drawn, uint64_t limit)
{
    return limit <= UINT32_MAX ? (drawn >> 32) * limit >> 32 : drawn % limit;
}

lossy_network *lossy_network_new(const lossy_config *config)
{
    const uint32_t chances[] = {config->loss, config->duplication, config->reordering,
                                config->corruption, config->truncation};
    for (size_t i = 0; i < sizeof chances / sizeof *chances; i++) {
        if (chances[i] > MILLION) {
            return NULL;
        }
    }
    if (config->check > LOSSY_CHECK_FRAME || config->capacity == 0 || config->capacity > 1u << 20 || config->max_datagram == 0 ||
        config->max_datagram > 65507 || config->delay_ns > MOST_NS / 4 ||
        config->jitter_ns > MOST_NS / 4 || config->reorder_ns > MOST_NS / 4) {
        return NULL;
    }
    lossy_network *network = calloc(1, sizeof *network);
    if (network == NULL) {
        return NULL;
    }
    network->config = *config;
    for (uint32_t l = 0; l < LOSSY_LINKS; l++) {
        network->links[l].key = mix(config->seed + GOLDEN * (l + 1));
    }
    network->free_slots = malloc(config->capacity * sizeof *network->free_slots);
    network->heap = malloc(config->capacity * sizeof *network->heap);
    network->bytes = malloc((size_t)config->capacity * config->max_datagram);
    network->damaged = malloc(config->max_datagram);
    if (network->free_slots == NULL || network->heap == NULL || network->bytes == NULL ||
        network->damaged == NULL) {
        lossy_network_free(network);
        return NULL;
    }
    for (uint32_t i = 0; i < config->capacity; i++) {
        network->free_slots[i] = i;
    }
    return network;
}

void lossy_network_free(lossy_network *network)
{
    if (network != NULL) {
        free(network->free_slots);
        free(network->heap);
        free(network->bytes);
        free(network->damaged);
        free(network);
    }
}

/* --- the heap ------------------------------------------------------------------------------ */

static int is_before(const flight *one, const flight *other)
{
    return one->due_ns != other->due_ns ? one->due_ns < other->due_ns
                                        : one->serial < other->serial;
}

static void heap_push(lossy_network *network, flight entry)
{
    uint32_t at = network->pending++;
    while (at > 0 && is_before(&entry, &network->heap[(at - 1) / 2])) {
        network->heap[at] = network->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    network->heap[at] = entry;
}

static flight heap_pop(lossy_network *network)
{
    const flight top = network->heap[0];
    const flight entry = network->heap[--network->pending];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= network->pending) {
            break;
        }
        if (child + 1 < network->pending &&
            is_before(&network->heap[child + 1], &network->heap[child])) {
            child++;
        }
        if (is_before(&entry, &network->heap[child])) {
            break;
        }
        network->heap[at] = network->heap[child];
        at = child;
    }
    network->heap[at] = entry;
    return top;
}

/* --- fates --------------------------------------------------------------------------------- */

/* UDP's sum: 16-bit words, the last byte filled up with 0, carries added back in. */
static uint32_t udp_sum(const uint8_t *bytes, size_t size)
{
    uint64_t sum = size; /* the length stands in the header that is summed too */
    for (size_t i = 0; i < size; i++) {
        sum += (uint64_t)bytes[i] << (i % 2 ? 0 : 8);
    }
    while (sum > 0xFFFF) {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return (uint32_t)sum;
}

/* Ethernet's frame check sequence: CRC-32, a bit at a time, for few datagrams are damaged. */
static uint32_t frame_check(const uint8_t *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
        }
    }
    return ~crc;
}

static uint32_t check_of(const lossy_network *network, const uint8_t *bytes, size_t size)
{
    switch (network->config.check) {
    case LOSSY_CHECK_UDP: return udp_sum(bytes, size);
    case LOSSY_CHECK_FRAME: return frame_check(bytes, size);
    default: return 0;
    }
}

/* The datagram as it arrives: *bytes and *size change if it is damaged. 0: it is dropped. */
static int damage(lossy_network *network, const network_link *link, uint64_t n,
                  const uint8_t **bytes, size_t *size)
{
    const int corrupt = hits(draw(link, n, DRAW_CORRUPTION), network->config.corruption);
    const int truncate = hits(draw(link, n, DRAW_TRUNCATION), network->config.truncation);
    if (*size == 0 || (!corrupt && !truncate)) {
        return 1;
    }
    const uint32_t before = check_of(network, *bytes, *size);
    memcpy(network->damaged, *bytes, *size);
    *bytes = network->damaged;
    if (corrupt) {
        const uint64_t bits = 1 + below(draw(link, n, DRAW_DAMAGE) << 32, 3);
        for (uint32_t i = 0; i < bits; i++) {
            const uint64_t bit = below(draw(link, n, DRAW_DAMAGE + i), *size * 8);
            network->damaged[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        network->counters.corrupted++;
    }
    if (truncate) {
        *size = below(draw(link, n, DRAW_DAMAGE) * GOLDEN, *size);
        network->counters.truncated++;
    }
    if (check_of(network, *bytes, *size) != before) {
        network->counters.check_dropped++;
        return 0;
    }
    return 1;
}

/* One copy on its way: 1, or 0 if there is no room. */
static int send_copy(lossy_network *network, uint32_t l, uint64_t n, uint32_t copy,
                     const uint8_t *bytes, size_t size, uint64_t now_ns)
{
    network_link *link = &network->links[l];
    const lossy_config *config = &network->config;
    if (network->pending == config->capacity) {
        network->counters.overflowed++;
        return 0;
    }
    uint64_t due = now_ns + config->delay_ns +
                   below(draw(link, n, DRAW_JITTER + copy), config->jitter_ns + 1);
    due = due > link->last_due ? due : link->last_due;
    if (config->reorder_ns > 0 && hits(draw(link, n, DRAW_REORDERING + copy), config->reordering)) {
        due += 1 + below(draw(link, n, DRAW_HOLD + copy), config->reorder_ns);
        network->counters.reordered++;
    } else {
        link->last_due = due;
    }
    const uint32_t slot = network->free_slots[config->capacity - network->pending - 1];
    memcpy(network->bytes + (size_t)slot * config->max_datagram, bytes, size);
    heap_push(network, (flight){.due_ns = due,
                                .serial = network->serial++,
                                .slot = slot,
                                .length = (uint32_t)size,
                                .link = l});
    return 1;
}

int lossy_network_put(lossy_network *network, const void *datagram, size_t size, uint64_t now_ns,
                      uint32_t l)
{
    CHECK(l < LOSSY_LINKS && now_ns <= MOST_NS);
    network_link *link = &network->links[l];
    lossy_counters *counters = &network->counters;
    const uint64_t n = link->count++;
    const uint8_t *bytes = datagram;
    counters->put++;
    if (size > network->config.max_datagram) {
        counters->oversized++;
        return 0;
    }
    if (now_ns >= link->cut_from_ns && now_ns < link->cut_until_ns) {
        counters->cut++;
        return 0;
    }
    if (hits(draw(link, n, DRAW_LOSS), network->config.loss)) {
        counters->lost++;
        return 0;
    }
    if (!damage(network, link, n, &bytes, &size)) {
        return 0;
    }
    int copies = send_copy(network, l, n, 0, bytes, size, now_ns);
    if (hits(draw(link, n, DRAW_DUPLICATION), network->config.duplication)) {
        counters->duplicated++;
        copies += send_copy(network, l, n, 1, bytes, size, now_ns);
    }
    return copies;
}

int64_t lossy_network_take(lossy_network *network, uint64_t now_ns, void *to, uint32_t *link)
{
    if (network->pending == 0 || network->heap[0].due_ns > now_ns) {
        return -1;
    }
    const flight entry = heap_pop(network);
    memcpy(to, network->bytes + (size_t)entry.slot * network->config.max_datagram, entry.length);
    network->free_slots[network->config.capacity - network->pending - 1] = entry.slot;
    network->counters.taken++;
    *link = entry.link;
    return entry.length;
}

uint64_t lossy_network_due(const lossy_network *network)
{
    return network->pending > 0 ? network->heap[0].due_ns : UINT64_MAX;
}

uint32_t lossy_network_pending(const lossy_network *network)
{
    return network->pending;
}

void lossy_network_cut(lossy_network *network, uint32_t link, uint64_t from_ns, uint64_t until_ns)
{
    CHECK(link <= LOSSY_LINKS);
    for (uint32_t l = 0; l < LOSSY_LINKS; l++) {
        if (link == LOSSY_LINKS || link == l) {
            network->links[l].cut_from_ns = from_ns;
            network->links[l].cut_until_ns = until_ns;
        }
    }
}

lossy_counters lossy_network_count(const lossy_network *network)
{
    return network->counters;
}

int lossy_network_check(const lossy_network *network, char *message, size_t size)
{
    const lossy_counters *c = &network->counters;
    for (uint32_t i = 1; i < network->pending; i++) {
        if (is_before(&network->heap[i], &network->heap[(i - 1) / 2])) {
            snprintf(message, size, "entry %u of the heap is due before its parent", i);
            return 0;
        }
    }
    /* Every slot is free or under way, and not twice: their numbers add up. */
    uint64_t sum = 0;
    for (uint32_t i = 0; i < network->config.capacity; i++) {
        sum += i < network->pending ? network->heap[i].slot
                                    : network->free_slots[network->config.capacity - i - 1];
    }
    if (sum != (uint64_t)network->config.capacity * (network->config.capacity - 1) / 2) {
        snprintf(message, size, "a slot is lost, or used twice");
        return 0;
    }
    /* Nothing vanishes uncounted. */
    if (c->put + c->duplicated != c->taken + network->pending + c->lost + c->cut + c->oversized +
                                      c->check_dropped + c->overflowed) {
        snprintf(message, size, "%llu datagrams put, and not all accounted for",
                 (unsigned long long)c->put);
        return 0;
    }
    return 1;
}
