/* lossy_network.h - a network that loses, repeats, reorders, delays and damages datagrams, by seed.
 *
 * Loopback never loses anything, so what works there proves nothing. This stands between a sender
 * and a receiver, in a test or a demo, and does to datagrams what networks do.
 *
 *     put ──▶ cut? ──▶ lost? ──▶ damaged? ──▶ [due, serial] heap ──▶ take, once it is due
 *                                    └─ duplicated? ──▶ once more, with a delay of its own
 *
 * The fate of a datagram depends on the seed, its link and how many went over that link before it,
 * and on nothing else: not on the machine, and not on what happens on other links. Draw k of
 * datagram n on link l is
 *
 *     mix(mix(seed + 0x9e3779b97f4a7c15 × (l + 1)) + 0x9e3779b97f4a7c15 × (16 n + k + 1))
 *
 * with the finalizer of splitmix64 as mix; all arithmetic is in integers modulo 2**64. A draw hits a
 * chance of p millionths if its high half × 10**6 / 2**32 is below p.
 *
 * A link keeps the order of its datagrams, whatever their jitter; except one that is reordered: it is
 * held back by 1 to reorder_ns more, and others overtake it.
 *
 * Damage: one to three bits flipped, or the end cut off. What is damaged on the wire a receiver does
 * not get to see: Ethernet's 32-bit CRC finds any three flipped bits. UDP's own sum is weaker: flip a
 * 0 and a 1 that are a multiple of 16 bits apart, and it is the same as before, one in 32 of all
 * pairs; that is what happens to damage done between the wires, in the memory of a router. `check`
 * says which of the two drops datagrams here. Both are really computed.
 *
 * Bounded: at most `capacity` datagrams are under way; what comes on top is lost and counted.
 * Threads: one at a time.
 */
#ifndef PHASE5_LOSSY_NETWORK_H
#define PHASE5_LOSSY_NETWORK_H

#include <stddef.h>
#include <stdint.h>

/* cdef:begin */
enum { LOSSY_LINKS = 8 };
enum { LOSSY_CHECK_NONE = 0, LOSSY_CHECK_UDP = 1, LOSSY_CHECK_FRAME = 2 };

/* Chances in millionths, times in ns. */
typedef struct {
    uint64_t seed;
    uint32_t loss;
    uint32_t duplication;
    uint32_t reordering;
    uint32_t corruption;   /* bits flipped */
    uint32_t truncation;   /* end cut off */
    uint32_t check;        /* which damaged datagrams are dropped: LOSSY_CHECK_... */
    uint64_t delay_ns;     /* of every datagram */
    uint64_t jitter_ns;    /* and 0 to so much more */
    uint64_t reorder_ns;   /* a reordered one: 1 to so much on top */
    uint32_t capacity;     /* datagrams under way, 1 to 2**20 */
    uint32_t max_datagram; /* bytes, 1 to 65507 */
} lossy_config;

typedef struct {
    uint64_t put;
    uint64_t taken;
    uint64_t lost;
    uint64_t duplicated;
    uint64_t reordered;
    uint64_t corrupted;
    uint64_t truncated;
    uint64_t check_dropped; /* of the damaged ones */
    uint64_t cut;              /* lost in a partition */
    uint64_t overflowed;       /* no room under way */
    uint64_t oversized;        /* above max_datagram */
} lossy_counters;

typedef struct lossy_network lossy_network;

/* lossy_network_new: NULL if there is no memory, or if *config is not as above. */
lossy_network *lossy_network_new(const lossy_config *config);
void lossy_network_free(lossy_network *network);
/* lossy_network_put: send a datagram at `now_ns` over a link below LOSSY_LINKS. Returns how many
 * copies are under way now: 0, 1 or 2. O(size + log capacity). */
int lossy_network_put(lossy_network *network, const void *datagram, size_t size, uint64_t now_ns,
                      uint32_t link);
/* lossy_network_take: the datagram that is due first, if it is due, to `to` (max_datagram bytes).
 * Returns its size and its link; -1: none is due. O(size + log capacity). */
int64_t lossy_network_take(lossy_network *network, uint64_t now_ns, void *to, uint32_t *link);
/* lossy_network_due: when the next one is due; 2**64 - 1: none is under way. */
uint64_t lossy_network_due(const lossy_network *network);
/* lossy_network_pending: how many are under way. */
uint32_t lossy_network_pending(const lossy_network *network);
/* lossy_network_cut: what is put on the link from `from_ns` until before `until_ns` is lost. One
 * interval a link: a new one replaces it. `link` LOSSY_LINKS: all links. */
void lossy_network_cut(lossy_network *network, uint32_t link, uint64_t from_ns, uint64_t until_ns);
lossy_counters lossy_network_count(const lossy_network *network);
/* lossy_network_check: 1, or 0 with the broken invariant as text. O(capacity). */
int lossy_network_check(const lossy_network *network, char *message, size_t size);
/* cdef:end */

#endif
