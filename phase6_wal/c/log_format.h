/* --8<-- [start:format] */
/* log_format.h - what stands in a log's files. A reader can be written from this comment alone.
 *
 * A log is a directory of segments. A segment is a file named by the first sequence that it may
 * hold, twenty decimal digits and ".log", of a size fixed at its creation: a header of 4,096 bytes,
 * then slots of 80 bytes, as many as fit; the rest, fewer than 80, is not used. Numbers are
 * little-endian.
 *
 * The header
 *
 *     offset  type    field
 *      0      u8[8]   magic            "MBLOG\0\0\1"
 *      8      u32     crc              CRC32C of bytes 12 to 4,095
 *     12      u16     version          1
 *     14      u16     content          1 commands, 2 events
 *     16      u64     first_sequence   of the first record that carries a command (or an event)
 *     24      u64     number           of the segment: 1, 2, 3, ... in its log
 *     32      u64     log_id           the same in all segments of a log, random, not 0
 *     40      u64     bytes            of the whole file
 *     48      u32     salt             random, another at each use of the file, not 0
 *     52      u32     chain            of the segment before at its end (0 for number 1): see below
 *     56      u8      durability       what the writer promised: 0 none, 1 page-cache, 2 group,
 *                                      3 sync
 *     57      u8[4039]                 0
 *
 * Under group and sync a header is on the disk before its file has such a name, and so it is in the
 * first segment behind theirs: a file called so whose header is not valid is damaged, whatever
 * happened to the machine. Behind a segment of page-cache or none a power cut may leave one. (One
 * with nothing but zeros behind its header is cut in any case, like any other end of a log.)
 *
 * A record, in slot i at offset 4096 + 80 i
 *
 *      0      u32     crc              CRC32C of bytes 4 to 79, begun with the salt (not with 0)
 *      4      u16     length           80: of the whole record
 *      6      u8      kind             1 command, 2 event, 3 mark
 *      7      u8      0
 *      8      u64     durable          up to here the log was known to be on the disk when the
 *                                      record was written; below the record's sequence, or,
 *                                      of a mark, at most the same
 *     16      u8[64]  body             a command or an event (contract/c/contract.h), or a mark
 *                                      (below); all three begin with their sequence, u64
 *
 * A mark says what the engine was after the last command before it:
 *
 *     16      u64     sequence         of that command: a mark has no number of its own
 *     24      u64     event_sequence   of the last event; of several books, the sum of theirs
 *     32      u64     orders           live in all books
 *     40      u32     event_crc        CRC32C over all events since sequence 0, 64 bytes each
 *     44      u32     chain            of the log before this record
 *     48      u8[16]  state_hash       BLAKE2b, 16 bytes, over the books' state hashes (CONTRACT 6),
 *                                      in the order of their instruments; of one book: its state hash
 *                                      itself
 *     64      u8[16]  0
 *
 * The chain is a number that depends on every record so far: chain = CRC32C of the four bytes of
 * the record's crc, begun with the chain before. A segment cannot be exchanged for another one
 * unnoticed, nor a record for one that was valid in its place.
 *
 * A record is valid if and only if
 *   - its crc is right under the salt of its segment,
 *   - length is 80, byte 7 is 0, kind is the content's or a mark, durable <= sequence,
 *   - its sequence is that of the record before plus one; or, for a mark, the same, and its
 *     chain is the chain there,
 *   - and every record before it is valid.
 * A segment continues the one before if and only if number is one more, log_id and content are the
 * same, first_sequence is the last sequence plus one, and chain is the chain there. A file that is
 * shorter than its header says is read as far as it goes; a longer one is an error.
 *
 * The log ends before the first slot whose record is not valid. Why it is not decides what may be
 * done. A slot is evidence if it holds a record with a right crc, length 80, a kind of 1 to 3 and
 * byte 7 zero, wherever that record belongs. A later segment's good header is evidence, and under
 * group and sync counts as a record whose durable is first_sequence - 1. So is a later segment's
 * mere name, if it is not that of the sequence that is missing; and behind a segment of group or
 * sync, which is synced before a next one is named, it counts likewise.
 *   - Neither that slot nor a later one is evidence, nor is there a later segment: a torn tail, what
 *     a crash leaves of an append. It is cut.
 *   - One is: there is a hole. Let D be the largest `durable` among them, and s the sequence that
 *     is missing. D >= s: it had been on the disk and is damaged: an error, nothing is repaired.
 *     D < s: it was never known to be on the disk; a power cut wrote what came after it first. Under
 *     group and sync nobody was told of any of it: cut. Under page-cache and none somebody was: an
 *     error, unless the operator accepts the loss.
 *
 * Why so: the salt tells a record from what an earlier use of the file left in the slot; the
 * sequence tells it from its own duplicate elsewhere; `durable` tells damage from a cut; a header
 * of zeros has no magic; a record of zeros has length 0. Slots of a fixed size mean that no length
 * is trusted, and that looking on behind a hole needs no guess where the next record begins.
 */
/* --8<-- [end:format] */
#ifndef PHASE6_LOG_FORMAT_H
#define PHASE6_LOG_FORMAT_H

#include "contract/c/contract.h"

/* cdef:begin */
enum {
    LOG_HEADER_BYTES = 4096,
    LOG_RECORD_BYTES = 80,
    LOG_BODY_BYTES = 64,
    LOG_VERSION = 1
};
enum { LOG_COMMANDS = 1, LOG_EVENTS = 2 };                      /* content */
enum { RECORD_COMMAND = 1, RECORD_EVENT = 2, RECORD_MARK = 3 }; /* kind; the first two as content */
enum { DURABLE_NONE = 0, DURABLE_PAGE_CACHE = 1, DURABLE_GROUP = 2, DURABLE_SYNC = 3 };

typedef struct {
    uint8_t magic[8];
    uint32_t crc;
    uint16_t version;
    uint16_t content;
    uint64_t first_sequence;
    uint64_t number;
    uint64_t log_id;
    uint64_t bytes;
    uint32_t salt;
    uint32_t chain;
    uint8_t durability;
    uint8_t zeros[4039];
} log_header;

typedef struct {
    uint32_t crc;
    uint16_t length;
    uint8_t kind;
    uint8_t zero;
    uint64_t durable;
    uint64_t body[8]; /* body[0] is the sequence */
} log_record;

typedef struct {
    uint64_t sequence;
    uint64_t event_sequence;
    uint64_t orders;
    uint32_t event_crc;
    uint32_t chain;
    uint8_t state_hash[16];
    uint8_t zeros[16];
} log_mark;
/* cdef:end */

_Static_assert(sizeof(log_header) == LOG_HEADER_BYTES, "a header is 4,096 bytes");
_Static_assert(sizeof(log_record) == LOG_RECORD_BYTES, "a record is 80 bytes");
_Static_assert(sizeof(log_mark) == LOG_BODY_BYTES, "a mark is a body");

#define LOG_MAGIC "MBLOG\0\0\1"

/* log_slots: how many records a segment of so many bytes has room for. */
static inline uint64_t log_slots(uint64_t segment_bytes)
{
    return (segment_bytes - LOG_HEADER_BYTES) / LOG_RECORD_BYTES;
}

#endif
