/* log_scan.h - reads segments: what is valid, where it ends, and why there.
 *
 *     scan_header ──▶ scan_slots, as often as one likes ──▶ scan_end
 *                     │ valid so far ──▶ the first slot that is not ──▶ looking on behind it
 *                     records, chain       end, reason, found           later, torn, written_tail
 *
 * All works on bytes in memory, a piece at a time: no call into the system, no allocation. The
 * whole state is in scan_result, so that a copy of it can be taken back to, and a harness can try
 * every cut of a log in a second. No byte is trusted, and any bytes may be given. Which segments
 * there are, and what to do about the verdict, is recovery's (phase6_wal/recovery.py).
 *
 * Behind the end of the valid records a slot is one of four things:
 *
 *     empty    80 zeros
 *     later    a record whose crc is right under the segment's salt: somebody did write it
 *     stale    what an earlier use of the file left. For two salts a and b the difference
 *              crc(a, m) ^ crc(b, m) depends on a ^ b alone, never on m, and is not 0: so no whole
 *              stale record is ever right, and all of one use are wrong by the same difference.
 *              Two neighbours that are, with sequences from before the segment, are stale.
 *     torn     anything else
 */
#ifndef PHASE6_LOG_SCAN_H
#define PHASE6_LOG_SCAN_H

#include "phase6_wal/c/log_format.h"

/* cdef:begin */
/* Why a segment, or a record, is not valid. SCAN_MAGIC to SCAN_DURABILITY are of the header. */
enum {
    SCAN_GOOD = 0,
    SCAN_SHORT = 1,          /* the file ends inside the header, or before the size in it */
    SCAN_MAGIC = 2,
    SCAN_HEADER_CRC = 3,
    SCAN_VERSION = 4,
    SCAN_CONTENT = 5,
    SCAN_BYTES = 6,          /* the file is longer than the header says, or that is no size */
    SCAN_LOG_ID = 7,
    SCAN_NUMBER = 8,
    SCAN_FIRST_SEQUENCE = 9,
    SCAN_CHAIN = 10,
    SCAN_DURABILITY = 11,
    SCAN_EMPTY = 12,         /* a slot of zeros: nothing was ever written there */
    SCAN_CRC = 13,
    SCAN_LENGTH = 14,
    SCAN_KIND = 15,
    SCAN_SEQUENCE = 16,
    SCAN_DURABLE = 17,
    SCAN_ZERO = 18,
    SCAN_MARK_CHAIN = 19,    /* something before this mark is not what was written there */
    SCAN_STALE = 20,         /* what an earlier use of the file left */
    SCAN_SALT = 21,          /* the header's is 0 */
    SCAN_REASONS = 22
};

/* What a segment has to continue. log_id 0: anything (the first segment that is there). */
typedef struct {
    uint64_t log_id;
    uint64_t number;         /* of the segment before */
    uint64_t sequence;       /* of the last record before */
    uint32_t chain;
    uint32_t content;        /* 0: any */
} scan_expect;

typedef struct {
    uint64_t records;        /* valid ones, marks too */
    uint64_t marks;
    uint64_t first_sequence;
    uint64_t sequence;       /* of the last valid record (or of the segment before) */
    uint64_t marked;         /* of the last valid mark (or of the segment before) */
    uint64_t durable;        /* the largest `durable` among the valid records */
    uint64_t end;            /* offset of the first byte that is not valid */
    uint32_t chain;          /* after the last valid record */
    int32_t reason;          /* SCAN_GOOD: every slot is valid (the segment is full) */
    uint64_t found;          /* what stands in the field that is wrong, and what should */
    uint64_t expected;
    uint64_t later;          /* slots from the end on whose crc is right (that at the end, too) */
    uint64_t later_offset;   /* of the first of them */
    uint64_t later_sequence; /* the largest sequence among them */
    uint64_t later_durable;  /* the largest `durable` among them */
    uint64_t torn;           /* slots from the end on that are neither right, stale nor empty */
    uint64_t written_tail;   /* bytes from the end to the last one that is not 0 */
    /* of the header */
    uint64_t number;
    uint64_t log_id;
    uint64_t bytes;
    uint32_t salt;
    uint32_t content;
    uint32_t durability;
    /* where the scan stands */
    uint32_t difference;     /* of the stale records' crc from what it would be; 0: none seen */
    uint32_t candidate;      /* the same of the slot before, if it may be stale */
    uint32_t ended;          /* behind the first slot that is not valid */
    uint64_t slot;           /* slots looked at */
    uint64_t file_bytes;
} scan_result;

/* scan_header: begin a scan. `header` is the first LOG_HEADER_BYTES of a file of `bytes`, or all of
 * a shorter one. SCAN_GOOD, or what is wrong: then the scan is over, with records 0 and end 0, and
 * `found` and `expected` say more. number, log_id, salt and durability are the header's in any case
 * where it is long enough. */
int scan_header(const void *header, uint64_t bytes, const scan_expect *expect, scan_result *result);
/* scan_slots: go on with the next `size` bytes of the file: whole slots, but for a file's cut end.
 * Bytes that no slot has room for are not looked at. O(size). */
void scan_slots(const void *slots, uint64_t size, scan_result *result);
/* scan_end: all of the file has been given. */
void scan_end(scan_result *result);
/* scan_salvage: behind a header that is not good, look for records right under the salt that stands
 * in it: begin with this instead, and go on with scan_slots. All that is found is `later`. */
void scan_salvage(scan_result *result);
/* scan_segment: header, slots and end of a segment in memory. O(bytes). */
void scan_segment(const void *segment, uint64_t bytes, const scan_expect *expect,
                  scan_result *result);
/* scan_bodies: copy the bodies of `count` slots to `bodies`, marks left out, and marks to `marks`
 * (may be NULL) with, for each, the number of bodies before it in `positions`. The slots have been
 * found valid. Returns how many bodies; *mark_count says the rest. */
size_t scan_bodies(const void *slots, size_t count, void *bodies, log_mark *marks,
                   uint64_t *positions, size_t *mark_count);
/* scan_field: the name of the field that a reason is about, or of the state: "crc", "sequence",
 * ... */
const char *scan_field(int reason);
/* cdef:end */

#endif
