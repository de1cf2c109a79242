/* log_journal.h - a log as the journal of a pipeline (phase4_ring/c/pipeline.h).
 *
 *     [sequencer] ─┬▶ journal stage ── log_journal_append ──▶ log ── (gate) ─┐
 *                  └▶ match ───────────────────────────────────▶ [events] ───┴▶ the subscriber
 *
 * The stage's thread hands over all that lies in the ring, straight from the slots, and one hand-over
 * is one group commit: it returns when the log's promise holds for all of it. Under group and sync
 * that is one sync, whatever came meanwhile is the next batch, and so the batches grow with the load.
 * Under page-cache it is stores into mapped pages, and no system call.
 *
 * The commands have their sequences already, from the ring, and must be those that the log would give:
 * else ring and log are not of the same run, and nothing is appended.
 *
 * A full disk. With `reserve`, commands go into the log's last reserve when there is no other space,
 * and log_journal_is_full says so to whoever lets commands into the ring: from then on, cancels only.
 * What is in the ring by then still gets into the log; matching ran beside it, and cannot take it
 * back. When the reserve is full too, or there is none, the pipeline ends.
 *
 * Threads: append by the stage's alone, which owns the log while the pipeline runs; the rest by any.
 */
#ifndef PHASE6_LOG_JOURNAL_H
#define PHASE6_LOG_JOURNAL_H

#include "phase6_wal/c/log_writer.h"

/* cdef:begin */
typedef struct log_journal log_journal;

enum { JOURNAL_OUT_OF_STEP = -100 }; /* besides LOG_... */

typedef struct {
    uint64_t commands;
    uint64_t batches;
    uint64_t largest_batch;
    uint64_t reserved;  /* commands that went into the reserve */
    uint64_t expected;  /* JOURNAL_OUT_OF_STEP: the sequence that the log comes to, */
    uint64_t found;     /* and that of the command */
} log_journal_counters;

/* log_journal_new: `log` stays the caller's, and must outlive it. NULL: no memory. */
log_journal *log_journal_new(log_writer *log, int reserve);
void log_journal_free(log_journal *self);
/* log_journal_append: a pipeline_journal, whose context is the log_journal. 0, LOG_..., or
 * JOURNAL_OUT_OF_STEP with nothing appended. */
int log_journal_append(void *self, const command_record *commands, size_t count);
/* log_journal_is_full: 1 while commands go into the reserve. */
int log_journal_is_full(const log_journal *self);
/* log_journal_problem: what the log said when append last failed; all zeros: it did not, or the log
 * knows nothing of it. After the stage has ended. */
void log_journal_problem(const log_journal *self, log_problem *problem);
void log_journal_count(const log_journal *self, log_journal_counters *counters);
/* cdef:end */

#endif
