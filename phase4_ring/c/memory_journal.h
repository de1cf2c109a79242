/* memory_journal.h - a journal in memory, for a pipeline that must have one before there is a log.
 *
 * Appends commands to an array taken at the start. Phase 6 puts a log on disk in its place; this
 * one keeps the same promise to the pipeline and, being finite, can also break it on purpose: when
 * it is full it refuses, and the pipeline has to end as with a full disk.
 */
#ifndef PHASE4_MEMORY_JOURNAL_H
#define PHASE4_MEMORY_JOURNAL_H

#include "contract/c/contract.h"

/* cdef:begin */
typedef struct memory_journal memory_journal;
enum { MEMORY_JOURNAL_FULL = -1 };

/* memory_journal_new: room for `capacity` commands; NULL if memory is short. O(capacity). */
memory_journal *memory_journal_new(size_t capacity);
void memory_journal_free(memory_journal *self);
/* memory_journal_append: all of them, or MEMORY_JOURNAL_FULL and none. A pipeline_journal whose
 * context is the journal. O(count). */
int memory_journal_append(void *self, const command_record *commands, size_t count);
/* Commands appended, for any thread: what is counted can be read. */
size_t memory_journal_count(const memory_journal *self);
const command_record *memory_journal_records(const memory_journal *self);
/* cdef:end */

#endif
