/* bench_load.c - see bench.h: a log writer as fast as it goes, and at a rate. */
#include <string.h>

#include "phase6_wal/c/bench.h"

int bench_appends(log_writer *log, const void *bodies, size_t count, size_t batch, uint64_t *ns)
{
    const uint8_t *from = bodies;
    int code = 0;
    const uint64_t started = log_clock_ns();
    for (size_t i = 0; i < count && code == 0; i += batch) {
        const size_t part = count - i < batch ? count - i : batch;
        code = log_append(log, from + i * LOG_BODY_BYTES, part);
    }
    *ns = log_clock_ns() - started;
    return code;
}

/* --8<-- [start:open_loop] */
int bench_open_loop(log_writer *log, const void *bodies, size_t count, double per_second,
                    size_t batch, uint32_t *times, bench_load *result)
{
    const uint8_t *from = bodies;
    const double interval = 1e9 / per_second;
    const uint64_t base = log_sequence(log);
    log_counters before, after;
    log_count(log, &before);
    memset(result, 0, sizeof *result);
    size_t appended = 0, told = 0;
    const uint64_t started = log_clock_ns();
    while (told < count) {
        const uint64_t now = log_clock_ns();
        size_t due = (size_t)((double)(now - started) / interval) + 1;
        due = due < count ? due : count;
        int code = 0;
        if (due > appended) {
            const uint64_t late = now - started - (uint64_t)((double)appended * interval);
            result->latest_ns = late > result->latest_ns ? late : result->latest_ns;
            const size_t part = due - appended < batch ? due - appended : batch;
            code = log_append(log, from + appended * LOG_BODY_BYTES, part);
            appended += part;
            result->appends++;
        }
        if (code == 0) /* once nothing more comes that could complete a group: at once */
            code = appended == count && log_acknowledged(log) < base + count ? log_flush(log)
                                                                             : log_poll(log, now);
        if (code < 0)
            return code;
        const size_t acknowledged = (size_t)(log_acknowledged(log) - base);
        const uint64_t then = log_clock_ns() - started;
        for (; told < acknowledged; told++) {
            const uint64_t taken = then - (uint64_t)((double)told * interval);
            times[told] = taken > UINT32_MAX ? UINT32_MAX : (uint32_t)taken;
        }
    }
    result->elapsed_ns = log_clock_ns() - started;
    log_count(log, &after);
    result->flushes = after.flushes - before.flushes;
    return 0;
}
/* --8<-- [end:open_loop] */
