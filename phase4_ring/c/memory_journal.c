/* memory_journal.c - see memory_journal.h. */
#include "phase4_ring/c/memory_journal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct memory_journal {
    command_record *records;
    size_t capacity;
    _Atomic size_t count;
};

memory_journal *memory_journal_new(size_t capacity)
{
    if (capacity > SIZE_MAX / sizeof(command_record)) {
        return NULL;
    }
    memory_journal *self = malloc(sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->records = malloc(capacity > 0 ? capacity * sizeof *self->records : 1);
    if (self->records == NULL) {
        free(self);
        return NULL;
    }
    memset(self->records, 0, capacity * sizeof *self->records); /* also touches every page */
    self->capacity = capacity;
    atomic_init(&self->count, 0);
    return self;
}

void memory_journal_free(memory_journal *self)
{
    if (self != NULL) {
        free(self->records);
        free(self);
    }
}

int memory_journal_append(void *context, const command_record *commands, size_t count)
{
    memory_journal *self = context;
    size_t at = atomic_load_explicit(&self->count, memory_order_relaxed); /* my own */
    if (self->capacity - at < count) {
        return MEMORY_JOURNAL_FULL;
    }
    memcpy(self->records + at, commands, count * sizeof *commands);
    /* M1, pairs with M2: what is counted has been copied. */
    atomic_store_explicit(&self->count, at + count, memory_order_release);
    return 0;
}

size_t memory_journal_count(const memory_journal *self)
{
    return atomic_load_explicit(&self->count, memory_order_acquire); /* M2 */
}

const command_record *memory_journal_records(const memory_journal *self)
{
    return self->records;
}
