/* region.c - see region.h. */
#include "phase4_ring/c/region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "phase4_ring/c/sequencer.h"
#include "phase4_ring/c/spsc_ring.h"

static int problem_of(region_problem *problem, int why, uint64_t found, uint64_t expected)
{
    problem->found = found;
    problem->expected = expected;
    return why;
}

size_t region_bytes(uint32_t kind, uint64_t capacity)
{
    if (capacity < RING_MIN_CAPACITY || capacity > RING_MAX_CAPACITY ||
        (capacity & (capacity - 1)) != 0) {
        return 0;
    }
    size_t slots = (size_t)capacity * sizeof(ring_record);
    return slots + (kind == REGION_SPSC ? sizeof(struct spsc_ring) : sizeof(struct sequencer));
}

/* take_shared: a new named mapping of zeroes. */
static int take_shared(const char *name, size_t bytes, void **memory, region_problem *problem)
{
    int file = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (file < 0) {
        int why = errno == EEXIST ? REGION_EXISTS : REGION_SYSTEM;
        return problem_of(problem, why, (uint64_t)errno, 0);
    }
    int failed = 0;
#if defined(__linux__)
    /* Real pages now, or "no space" now, instead of SIGBUS at some store later. */
    failed = posix_fallocate(file, 0, (off_t)bytes);
#else
    failed = ftruncate(file, (off_t)bytes) != 0 ? errno : 0;
#endif
    if (failed == 0) {
        *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        failed = *memory == MAP_FAILED ? errno : 0;
    }
    close(file);
    if (failed != 0) {
        shm_unlink(name);
        return problem_of(problem, REGION_SYSTEM, (uint64_t)failed, 0);
    }
    return 0;
}

int region_create(const char *name, uint32_t kind, uint64_t capacity, uint32_t parking,
                  uint64_t start, region_header **header, region_problem *problem)
{
    size_t bytes = region_bytes(kind, capacity);
    void *memory = NULL;
    if (bytes == 0) {
        return problem_of(problem, REGION_BAD_CAPACITY, capacity, RING_MAX_CAPACITY);
    }
    if (name != NULL) {
        int why = take_shared(name, bytes, &memory, problem);
        if (why != 0) {
            return why;
        }
    } else if (posix_memalign(&memory, CACHE_LINE_BYTES, bytes) != 0) {
        return problem_of(problem, REGION_SYSTEM, ENOMEM, 0);
    }
    memset(memory, 0, bytes); /* also touches every page */
    region_header *made = memory;
    made->version = REGION_VERSION;
    made->kind = kind;
    made->record_bytes = sizeof(ring_record);
    made->line_bytes = CACHE_LINE_BYTES;
    made->capacity = capacity;
    made->bytes = bytes;
    made->start = start;
    made->parking = parking;
    made->shared = name != NULL;
    *header = made;
    return 0;
}

void region_ready(region_header *header)
{
    /* A1, pairs with A2 in check_header: who sees the magic sees the whole ring. */
    atomic_store_explicit(&header->magic, REGION_MAGIC, memory_order_release);
}

/* check_header: whether a mapped region of `bytes` is a ring of that kind, made for this build. */
static int check_header(const region_header *found, uint32_t kind, size_t bytes,
                        region_problem *problem)
{
    /* A2, pairs with A1. */
    uint64_t magic = atomic_load_explicit(&found->magic, memory_order_acquire);
    if (magic == 0) {
        return problem_of(problem, REGION_NOT_READY, 0, REGION_MAGIC);
    }
    if (magic != REGION_MAGIC) {
        return problem_of(problem, REGION_FOREIGN, magic, REGION_MAGIC);
    }
    if (found->version != REGION_VERSION) {
        return problem_of(problem, REGION_OTHER_VERSION, found->version, REGION_VERSION);
    }
    if (found->kind != kind) {
        return problem_of(problem, REGION_OTHER_KIND, found->kind, kind);
    }
    if (found->record_bytes != sizeof(ring_record)) {
        return problem_of(problem, REGION_OTHER_RECORD, found->record_bytes, sizeof(ring_record));
    }
    if (found->line_bytes != CACHE_LINE_BYTES) {
        return problem_of(problem, REGION_OTHER_LINE, found->line_bytes, CACHE_LINE_BYTES);
    }
    size_t needed = region_bytes(kind, found->capacity);
    if (needed == 0) {
        return problem_of(problem, REGION_BAD_CAPACITY, found->capacity, RING_MAX_CAPACITY);
    }
    /* macOS rounds a shared object's size up to whole pages: more is all right, less never is. */
    if (found->bytes != needed || bytes < needed) {
        return problem_of(problem, REGION_OTHER_SIZE, bytes < needed ? bytes : found->bytes,
                          needed);
    }
    return 0;
}

int region_attach(const char *name, uint32_t kind, region_header **header,
                  region_problem *problem)
{
    int file = shm_open(name, O_RDWR, 0);
    if (file < 0) {
        int why = errno == ENOENT ? REGION_MISSING : REGION_SYSTEM;
        return problem_of(problem, why, (uint64_t)errno, 0);
    }
    struct stat status;
    if (fstat(file, &status) != 0) {
        int failed = errno;
        close(file);
        return problem_of(problem, REGION_SYSTEM, (uint64_t)failed, 0);
    }
    size_t bytes = (size_t)status.st_size;
    if (bytes < sizeof(region_header)) {
        close(file);
        return problem_of(problem, REGION_NOT_READY, bytes, sizeof(region_header));
    }
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    int failed = errno;
    close(file);
    if (memory == MAP_FAILED) {
        return problem_of(problem, REGION_SYSTEM, (uint64_t)failed, 0);
    }
    int why = check_header(memory, kind, bytes, problem);
    if (why != 0) {
        munmap(memory, bytes);
        return why;
    }
    *header = memory;
    return 0;
}

void region_detach(region_header *header)
{
    if (header == NULL) {
        return;
    }
    if (header->shared) {
        munmap(header, (size_t)header->bytes);
    } else {
        free(header);
    }
}

int region_unlink(const char *name, region_problem *problem)
{
    if (shm_unlink(name) == 0) {
        return 0;
    }
    int why = errno == ENOENT ? REGION_MISSING : REGION_SYSTEM;
    return problem_of(problem, why, (uint64_t)errno, 0);
}
