/* memory.h - memory taken once, aligned to cache lines, zeroed and touched.
 *
 * A page that has never been written is not there yet: the first store to it enters the kernel
 * and costs microseconds. memory_take writes every page, so that no later store does. Where the
 * system offers large pages they are asked for; a book is walked at random, and with 4 KiB pages
 * half of its cost would be address translation.
 */
#ifndef PHASE3_MEMORY_H
#define PHASE3_MEMORY_H

#include <stddef.h>

#define CACHE_LINE_BYTES 64
#define LARGE_PAGE_BYTES ((size_t)2 << 20)

/* memory_take: `bytes` of zeroed memory, or NULL. */
void *memory_take(size_t bytes);
/* memory_give: give it back. NULL is allowed. */
void memory_give(void *memory);

#endif
