#include "memory.h"

#include <stdlib.h>
#include <string.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

void *memory_take(size_t bytes) {
    size_t alignment = bytes >= LARGE_PAGE_BYTES ? LARGE_PAGE_BYTES : CACHE_LINE_BYTES;
    size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void *memory = aligned_alloc(alignment, rounded ? rounded : alignment);
    if (!memory) return NULL;
#ifdef MADV_HUGEPAGE
    if (alignment == LARGE_PAGE_BYTES) madvise(memory, rounded, MADV_HUGEPAGE);
#endif
    memset(memory, 0, rounded);
    return memory;
}

void memory_give(void *memory) {
    free(memory);
}
