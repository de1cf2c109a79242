/* counted_malloc.h - every allocation of a program, counted.
 *
 * A test includes this file once: the program then defines malloc and its kin itself, so every
 * call in it is counted, whoever makes it and in whatever thread (the C library on our behalf too:
 * glibc's qsort, for one, allocates). Show first that it counts: a test that cannot see an
 * allocation proves nothing.
 *
 * Sanitizers bring their own malloc: there CAN_COUNT is 0 and nothing is defined.
 */
#ifndef MATCHBOOK_COUNTED_MALLOC_H
#define MATCHBOOK_COUNTED_MALLOC_H

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_COUNT 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAN_COUNT 0
#endif
#endif
#ifndef CAN_COUNT
#define CAN_COUNT 1
#endif

#if CAN_COUNT
/* Of all threads: calls that ask for memory, and calls that give it back. */
static _Atomic size_t taken_count;
static _Atomic size_t given_count;

#if defined(__GLIBC__)
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);
#define SYSTEM_MALLOC(bytes) __libc_malloc(bytes)
#define SYSTEM_CALLOC(count, bytes) __libc_calloc(count, bytes)
#define SYSTEM_REALLOC(memory, bytes) __libc_realloc(memory, bytes)
#define SYSTEM_ALIGNED(alignment, bytes) __libc_memalign(alignment, bytes)
#define SYSTEM_FREE(memory) __libc_free(memory)
#elif defined(__APPLE__)
#include <malloc/malloc.h>
#define ZONE malloc_default_zone()
#define SYSTEM_MALLOC(bytes) malloc_zone_malloc(ZONE, bytes)
#define SYSTEM_CALLOC(count, bytes) malloc_zone_calloc(ZONE, count, bytes)
#define SYSTEM_REALLOC(memory, bytes) malloc_zone_realloc(ZONE, memory, bytes)
#define SYSTEM_ALIGNED(alignment, bytes) malloc_zone_memalign(ZONE, alignment, bytes)
#define SYSTEM_FREE(memory) malloc_zone_free(ZONE, memory)
#else
#error "say here how this C library's own allocator is called"
#endif

/* The flags hide every symbol of ours; these have to be seen by the C library. */
#define SEEN_BY_ALL __attribute__((visibility("default")))

SEEN_BY_ALL void *malloc(size_t bytes)
{
    taken_count++;
    return SYSTEM_MALLOC(bytes);
}

SEEN_BY_ALL void *calloc(size_t count, size_t bytes)
{
    taken_count++;
    return SYSTEM_CALLOC(count, bytes);
}

SEEN_BY_ALL void *realloc(void *memory, size_t bytes)
{
    taken_count++;
    return SYSTEM_REALLOC(memory, bytes);
}

SEEN_BY_ALL void *aligned_alloc(size_t alignment, size_t bytes)
{
    taken_count++;
    return SYSTEM_ALIGNED(alignment, bytes);
}

SEEN_BY_ALL int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    taken_count++;
    *memory = SYSTEM_ALIGNED(alignment, bytes);
    return *memory == NULL ? ENOMEM : 0;
}

SEEN_BY_ALL void free(void *memory)
{
    given_count += memory != NULL;
    SYSTEM_FREE(memory);
}
#endif

#endif
