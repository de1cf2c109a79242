/* durable_book.h - books behind a log: a command is in the log before it is applied.
 *
 *     commands ──▶ log_put ──▶ book_apply ──▶ events ──▶ event_crc      a run at a time
 *                       ▲                  │
 *                       └── log_withdraw ◀─┘ what found no room for its events
 *                                                         ──▶ log_settle        at the end
 *
 * One or more books, one for each instrument; a command of no book's instrument goes to the book of
 * the lowest one, which rejects it. The books are driven by address (LentBook in contract/native.py),
 * whatever their extension.
 *
 * Nothing is flushed between append and apply, so a command whose events found no room can be taken
 * back out of the log, in every mode: it is neither logged nor applied, and comes again.
 *
 * With no space for another segment NEW and REPLACE end the batch; CANCEL and MASS_CANCEL go into the
 * log's reserve: whoever is on the market can still get off it.
 *
 * A failing log ends it: what was applied and is not acknowledged has to be withheld by the caller,
 * and the state in memory is ahead of the disk: only a recovery gives it back.
 *
 * One owner. Nothing here allocates but durable_new.
 */
#ifndef PHASE6_DURABLE_BOOK_H
#define PHASE6_DURABLE_BOOK_H

#include "phase6_wal/c/log_writer.h"

/* cdef:begin */
typedef struct durable_book durable_book;
typedef size_t (*durable_apply_fn)(void *book, const command_record *commands, size_t count,
                                   event_record *events, size_t event_capacity, size_t *written);
typedef struct {
    uint64_t apply;      /* address of a durable_apply_fn */
    uint64_t book;       /* and of its book */
    uint32_t instrument; /* no other entry has it */
    uint32_t zero;
} durable_entry;

/* durable_new: over at least one book. `log` may be NULL: then nothing is logged (replay). It stays
 * the caller's, and has to outlive this. `sequence` and `event_crc`: where the books stand.
 * NULL: no memory. O(count log count). */
durable_book *durable_new(const durable_entry *books, size_t count, log_writer *log,
                          uint64_t mark_every, uint64_t sequence, uint32_t event_crc);
void durable_free(durable_book *self);
/* durable_apply: like book_apply, through the log, up to the next multiple of mark_every (0: no marks):
 * the caller then appends the mark and calls again. Flushes as the mode demands before it returns.
 * *code: 0 or LOG_...; with LOG_FULL what was consumed before stands; with another one, nothing that
 * the log does not acknowledge may be told to anyone. */
size_t durable_apply(durable_book *self, const command_record *commands, size_t count,
                     event_record *events, size_t event_capacity, size_t *written, int *code);
/* durable_replay: apply the records of `count` slots of 80 bytes, which have been found valid
 * (log_scan.h), up to the first mark. Events go to `events`, again and again, and are only summed up
 * in event_crc. Returns slots done; less than `count`: the next one is a mark, or one whose events
 * do not fit into `event_capacity`. O(slots + events). */
size_t durable_replay(durable_book *self, const void *slots, size_t count, event_record *events,
                      size_t event_capacity);
/* CRC32C over all events so far, of all books, as they came. */
uint32_t durable_event_crc(const durable_book *self);
/* Of the last command applied. */
uint64_t durable_sequence(const durable_book *self);
/* cdef:end */

#endif
