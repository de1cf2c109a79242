/* bench.c - see bench.h: framing, pages and syncs; no writer takes part. */
#include "phase6_wal/c/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "phase6_wal/c/crc32c.h"
#include "phase6_wal/c/log_records.h"

enum { PAGE = 4096, STORE = 64, ZEROS = 1 << 16, MOST_BYTES = 1 << 17 };

/* frame_batch: one by one, with or without a checksum of each. The exclusive or of their crcs. */
static uint32_t frame_batch(uint8_t *to, const uint8_t *from, size_t count, int checked)
{
    uint32_t all = 0;
    for (size_t i = 0; i < count; i++) {
        log_record record = {.length = LOG_RECORD_BYTES, .kind = RECORD_COMMAND};
        memcpy(record.body, from + i * LOG_BODY_BYTES, LOG_BODY_BYTES);
        if (checked) {
            const uint8_t *bytes = (const uint8_t *)&record;
            record.crc = crc32c(1, bytes + sizeof record.crc, sizeof record - sizeof record.crc);
        }
        memcpy(to + i * sizeof record, &record, sizeof record);
        all ^= record.crc;
    }
    return all;
}

uint32_t bench_frame(const void *bodies, size_t count, void *slots, size_t slot_count, int how)
{
    log_batch batch = {.salt = 1, .kind = RECORD_COMMAND};
    uint32_t all = 0;
    for (size_t i = 0; i < count; i += slot_count) {
        const uint8_t *from = (const uint8_t *)bodies + i * LOG_BODY_BYTES;
        const size_t part = count - i < slot_count ? count - i : slot_count;
        if (how == BENCH_SEALED) {
            batch.sequence = i + 1;
            all = batch.chain = log_records_seal(slots, from, part, &batch);
        } else {
            all ^= frame_batch(slots, from, part, how == BENCH_CHECKED);
        }
    }
    return all;
}

static int sync_file(int file)
{
#if defined(__APPLE__)
    return fcntl(file, F_FULLFSYNC) == -1 ? -errno : 0;
#else
    return fdatasync(file) == 0 ? 0 : -errno;
#endif
}

static int allocate(int file, uint64_t bytes)
{
#if defined(__APPLE__)
    (void)file;
    (void)bytes;
    return -ENOTSUP;
#else
    return -posix_fallocate(file, 0, (off_t)bytes);
#endif
}

static int write_all(int file, const void *from, size_t size, uint64_t offset)
{
    const uint8_t *bytes = from;
    while (size > 0) {
        const ssize_t done = pwrite(file, bytes, size, (off_t)offset);
        if (done < 0)
            return -errno;
        bytes += done;
        offset += (uint64_t)done;
        size -= (size_t)done;
    }
    return 0;
}

/* prepare: the file as it shall be found, all of it on the disk. */
static int prepare(int file, int way, uint64_t bytes, int maps)
{
    static const uint8_t zeros[ZEROS];
    int code = 0;
    if (way == BENCH_SPARSE)
        code = maps && ftruncate(file, (off_t)bytes) != 0 ? -errno : 0;
    else if (way == BENCH_ALLOCATED)
        code = allocate(file, bytes);
    for (uint64_t at = 0; code == 0 && way >= BENCH_ZEROED && at < bytes; at += ZEROS)
        code = write_all(file, zeros, bytes - at < ZEROS ? (size_t)(bytes - at) : ZEROS, at);
    return code == 0 ? sync_file(file) : code;
}

/* open_new: a file at `path` that was not there. Its number or -errno. */
static int open_new(const char *path)
{
    const int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return file < 0 ? -errno : file;
}

/* --8<-- [start:pages] */
int bench_pages(const char *path, int way, uint64_t bytes, uint64_t *ns)
{
    if (way < 0 || way >= BENCH_WAYS || bytes == 0 || bytes % PAGE != 0)
        return -EINVAL;
    const int file = open_new(path);
    if (file < 0)
        return file;
    int code = prepare(file, way, bytes, 1);
    void *map = MAP_FAILED;
    if (code == 0) {
        map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        code = map == MAP_FAILED ? -errno : 0;
    }
    if (code == 0) {
        uint8_t *first = map;
        for (uint64_t at = 0; way == BENCH_TOUCHED && at < bytes; at += PAGE)
            first[at] = 0;
        uint8_t record[STORE];
        const uint64_t started = log_clock_ns();
        for (uint64_t at = 0; at < bytes; at += STORE) {
            memset(record, (int)(at / STORE), sizeof record);
            memcpy(first + at, record, sizeof record);
        }
        *ns = log_clock_ns() - started;
        for (uint64_t at = 0; at < bytes && code == 0; at += STORE)
            code = first[at] == (uint8_t)(at / STORE) ? 0 : -EIO;
    }
    if (map != MAP_FAILED)
        munmap(map, bytes);
    close(file);
    unlink(path);
    return code;
}
/* --8<-- [end:pages] */

/* --8<-- [start:syncs] */
/* append_synced: `size` bytes at `offset`, on the disk when it returns 0. */
static int append_synced(int file, uint8_t *map, const void *from, size_t size, uint64_t offset)
{
    if (map == NULL) {
        const int code = write_all(file, from, size, offset);
        return code == 0 ? sync_file(file) : code;
    }
    memcpy(map + offset, from, size);
    const uint64_t first = offset & ~(uint64_t)(PAGE - 1);
    return msync(map + first, (size_t)(offset + size - first), MS_SYNC) == 0 ? 0 : -errno;
}
/* --8<-- [end:syncs] */

int bench_syncs(const char *path, int way, size_t size, size_t count, uint32_t *times)
{
    uint8_t records[MOST_BYTES];
    if (way < 0 || way >= BENCH_WAYS || size == 0 || size > sizeof records)
        return -EINVAL;
    const int file = open_new(path);
    if (file < 0)
        return file;
    const uint64_t bytes = ((uint64_t)size * count + PAGE - 1) / PAGE * PAGE;
    int code = prepare(file, way, bytes, 0);
    void *map = MAP_FAILED;
    if (code == 0 && way == BENCH_TOUCHED) {
        map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        code = map == MAP_FAILED ? -errno : 0;
    }
    for (size_t i = 0; code == 0 && i < count; i++) {
        memset(records, (int)(i | 1), size);
        const uint64_t started = log_clock_ns();
        code = append_synced(file, map == MAP_FAILED ? NULL : map, records, size, i * size);
        const uint64_t taken = log_clock_ns() - started;
        times[i] = taken > UINT32_MAX ? UINT32_MAX : (uint32_t)taken;
    }
    if (map != MAP_FAILED)
        munmap(map, bytes);
    close(file);
    unlink(path);
    return code;
}
