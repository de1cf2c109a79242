/* log_records.h - makes records: numbers, checksums and chain of a whole batch in one pass.
 *
 *     bodies, 64 bytes each ──▶ slots, 80 bytes each: crc length kind durable sequence body
 *
 * What all records of a batch begin with (length, kind, durable) goes into the CRC once. The CRCs
 * of different records do not wait for each other; only the chain goes from one to the next, one
 * step of the instruction for each.
 */
#ifndef PHASE6_LOG_RECORDS_H
#define PHASE6_LOG_RECORDS_H

#include "phase6_wal/c/log_format.h"

/* What the records of a batch have in common. */
typedef struct {
    uint64_t sequence; /* of the first; the next ones count on */
    uint64_t durable;
    uint32_t salt;
    uint32_t chain;    /* before the first */
    uint32_t kind;
} log_batch;

/* log_records_seal: `count` records from as many bodies. Every byte of the slots is written. The
 * chain after the last. O(count); any alignment. */
uint32_t log_records_seal(void *slots, const void *bodies, size_t count, const log_batch *batch);
/* log_records_chain: the chain over `count` records that are there already. */
uint32_t log_records_chain(const void *slots, size_t count, uint32_t chain);

#endif
