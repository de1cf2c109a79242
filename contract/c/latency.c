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
                   event_record *events, size_t event_capacity, size_t *events_written,
                   uint32_t *ns)
{
    size_t used = 0;
    size_t index = 0;
    uint64_t before = clock_now();
    while (index < count) {
        size_t written;
        if (!apply(self, commands + index, 1, events + used, event_capacity - used, &written)) {
            break;
        }
        uint64_t after = clock_now();
        ns[index++] = clock_elapsed(before, after);
        before = after;
        used += written;
    }
    *events_written = used;
    return index;
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
