/* mold_limiter.h - how many requests an address may make: a bucket of tokens for each.
 *
 * A request for retransmission is a small datagram that makes a large one, to an address that
 * anybody can forge. So each address has a bucket of `burst` tokens, and `per_second` come back;
 * and there is one bucket for everybody together.
 *
 * A bucket is one number: the time at which it will be full again. A token costs one interval
 * (1 s / per_second); it is there if the bucket would be full again within burst intervals:
 *
 *     full_again ──▶ max(full_again, now) + interval,   allowed if that - now <= burst × interval
 *
 * The table is bounded: groups of eight addresses, and a newcomer takes the place of one whose
 * bucket is full, for of him there is nothing to remember. If nobody's is, the newcomer is refused:
 * otherwise forged addresses would wash away the debts of others.
 *
 * Time is the caller's, in nanoseconds, and should not go back; if it does, tokens come back later.
 * Threads: one at a time.
 */
#ifndef PHASE5_MOLD_LIMITER_H
#define PHASE5_MOLD_LIMITER_H

#include <stddef.h>
#include <stdint.h>

/* cdef:begin */
typedef struct mold_limiter mold_limiter;

typedef struct {
    uint64_t allowed;
    uint64_t refused_address; /* the address had no token left */
    uint64_t refused_total;   /* all together had none left */
    uint64_t refused_crowd;   /* no place in the table for a new address */
} mold_limiter_counters;

/* mold_limiter_new: for at most `addresses` (rounded up to eight times a power of two, at most
 * 2**20); rates 1 to 10**9 a second; bursts 1 to 10**6. NULL: no memory, or out of these. */
mold_limiter *mold_limiter_new(uint64_t addresses, uint64_t per_second, uint64_t burst,
                               uint64_t total_per_second, uint64_t total_burst);
void mold_limiter_free(mold_limiter *limiter);
/* mold_limiter_allow: 1 and a token is taken, or 0 and none is. `address` stands for who asks: host
 * and port in any form. O(1). */
int mold_limiter_allow(mold_limiter *limiter, uint64_t address, uint64_t now_ns);
mold_limiter_counters mold_limiter_count(const mold_limiter *limiter);
/* cdef:end */

#endif
