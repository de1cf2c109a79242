/* latency.c - see latency.h. */
#include "latency.h"

#include <time.h>

static uint64_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t clock_elapsed(uint64_t from, uint64_t to)
{
    uint64_t ns = to - from;
    return ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

size_t latency_run(latency_apply apply, book *self, const command_record *commands, size_t count,
                   size_t stride, event_record *events, size_t event_capacity,
                   size_t *events_written, uint32_t *ns)
{
    size_t used = 0;
    size_t done = 0;
    uint64_t before = clock_now();
    for (size_t reading = 0; done < count; reading++) {
        size_t wanted = count - done < stride ? count - done : stride;
        size_t written;
        size_t applied =
            apply(self, commands + done, wanted, events + used, event_capacity - used, &written);
        uint64_t after = clock_now();
        ns[reading] = clock_elapsed(before, after);
        before = after;
        used += written;
        done += applied;
        if (applied < wanted) {
            break;
        }
    }
    *events_written = used;
    return done;
}

void latency_timer(size_t count, uint32_t *ns)
{
    uint64_t before = clock_now();
    for (size_t i = 0; i < count; i++) {
        uint64_t after = clock_now();
        ns[i] = clock_elapsed(before, after);
        before = after;
    }
}
