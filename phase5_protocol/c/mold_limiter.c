/* mold_limiter.c - buckets of tokens in a bounded table; see mold_limiter.h. */
#include "phase5_protocol/c/mold_limiter.h"

#include <stdlib.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define WAYS 8

/* A bucket that was never used is full since time 0, whoever it belongs to. */
typedef struct {
    uint64_t address;
    uint64_t full_again_ns;
} bucket;

struct mold_limiter {
    uint64_t interval_ns;
    uint64_t burst_ns;
    uint64_t total_interval_ns;
    uint64_t total_burst_ns;
    uint64_t total_full_again_ns;
    uint64_t group_mask;
    mold_limiter_counters counters;
    bucket buckets[];
};

mold_limiter *mold_limiter_new(uint64_t addresses, uint64_t per_second, uint64_t burst,
                               uint64_t total_per_second, uint64_t total_burst)
{
    const uint64_t most_burst = 1000000;
    if (addresses == 0 || addresses > UINT64_C(1) << 20 || per_second == 0 || burst == 0 ||
        total_per_second == 0 || total_burst == 0 || per_second > NS_PER_SECOND ||
        total_per_second > NS_PER_SECOND || burst > most_burst || total_burst > most_burst) {
        return NULL;
    }
    uint64_t groups = 1;
    while (groups * WAYS < addresses) {
        groups *= 2;
    }
    mold_limiter *limiter = calloc(1, sizeof *limiter + groups * WAYS * sizeof(bucket));
    if (limiter != NULL) {
        limiter->interval_ns = NS_PER_SECOND / per_second;
        limiter->burst_ns = limiter->interval_ns * burst;
        limiter->total_interval_ns = NS_PER_SECOND / total_per_second;
        limiter->total_burst_ns = limiter->total_interval_ns * total_burst;
        limiter->group_mask = groups - 1;
    }
    return limiter;
}

void mold_limiter_free(mold_limiter *limiter)
{
    free(limiter);
}

/* Any bijection that spreads: the finalizer of splitmix64. */
static uint64_t spread(uint64_t value)
{
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

/* When a bucket would be full again with one token less. */
static uint64_t after_one(uint64_t full_again_ns, uint64_t now_ns, uint64_t interval_ns)
{
    return (full_again_ns > now_ns ? full_again_ns : now_ns) + interval_ns;
}

/* --8<-- [start:allow] */
int mold_limiter_allow(mold_limiter *limiter, uint64_t address, uint64_t now_ns)
{
    bucket *group = limiter->buckets + (spread(address) & limiter->group_mask) * WAYS;
    bucket *own = NULL;
    bucket *full = NULL;
    for (bucket *at = group; at < group + WAYS; at++) {
        if (at->address == address && at->full_again_ns > 0) {
            own = at;
        } else if (full == NULL && at->full_again_ns <= now_ns) {
            full = at;
        }
    }
    if (own == NULL && full == NULL) {
        limiter->counters.refused_crowd++;
        return 0;
    }
    const uint64_t then =
        after_one(own != NULL ? own->full_again_ns : 0, now_ns, limiter->interval_ns);
    const uint64_t total =
        after_one(limiter->total_full_again_ns, now_ns, limiter->total_interval_ns);
    if (then - now_ns > limiter->burst_ns) {
        limiter->counters.refused_address++;
        return 0;
    }
    if (total - now_ns > limiter->total_burst_ns) {
        limiter->counters.refused_total++;
        return 0;
    }
    *(own != NULL ? own : full) = (bucket){.address = address, .full_again_ns = then};
    limiter->total_full_again_ns = total;
    limiter->counters.allowed++;
    return 1;
}
/* --8<-- [end:allow] */

mold_limiter_counters mold_limiter_count(const mold_limiter *limiter)
{
    return limiter->counters;
}
