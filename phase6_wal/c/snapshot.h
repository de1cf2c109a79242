/* --8<-- [start:format] */
/* snapshot.h - the state of all books after one command, in one file. A reader can be written from
 * this comment alone.
 *
 * A snapshot is a file named by the sequence of the last command in it, twenty decimal digits and
 * ".snap". Number 0 is the books before the first command: it holds their limits, is made with the log
 * and always kept. Numbers are little-endian. A header, one entry for each book, then the images.
 *
 * The header, 64 bytes
 *
 *     offset  type    field
 *      0      u8[8]   magic            "MBSNAP\0\1"
 *      8      u32     crc              CRC32C of bytes 12 to the end of the last entry
 *     12      u16     version          1
 *     14      u16     books            how many: 1 to 4,096
 *     16      u64     sequence         of the last command in it
 *     24      u64     log_id           of its log (log_format.h)
 *     32      u64     bytes            of the whole file
 *     40      u32     chain            of the log there: after that command, or after the mark behind it
 *     44      u32     event_crc        CRC32C over all events since sequence 0, 64 bytes each
 *     48      u8[16]  0
 *
 * An entry, 64 bytes, at offset 64 + 64 i; instruments ascend
 *
 *      0      u32     instrument
 *      4      u32     crc              CRC32C of the image
 *      8      i64     min_price        with which the book was made, and is to be made again
 *     16      i64     max_price
 *     24      u64     offset           of the image in the file
 *     32      u64     bytes            of the image: 32, and 40 for each live order
 *     40      u32     capacity         1 to 2**24
 *     44      u32     0
 *     48      u8[16]  state_hash       of CONTRACT 6: BLAKE2b, 16 bytes, of the image with its last event
 *                                      sequence taken as 0
 *
 * An image is the canonical one of CONTRACT 6, with its last event sequence. The first begins behind
 * the last entry, each other one where the one before ends, and the last ends with the file.
 *
 * A snapshot is valid if and only if
 *   - the file has the size that `bytes` says, the magic, version 1, the right crc, zeros where 0
 *     stands above, and the sequence of its name,
 *   - instruments ascend, limits are what a book can have, and offsets and sizes are as just said,
 *   - each image has the right crc and the right state hash, its entry's instrument, as many orders as
 *     its size says and no more than capacity, and is an image that a book with these limits accepts.
 * It may be used if, beside that, the log holds command `sequence` and has `chain` there, or begins
 * right behind it with that chain. One that is not valid is skipped for the one before.
 *
 * It is made as SEQUENCE.snap.tmp, written, synced, read again and verified; only then renamed, and
 * the directory synced; only after that older ones, and the log they needed, may go. So whatever happens
 * in between, what stands under a final name is whole, and there is always one before it.
 *
 * Why the limits: a log's directory is all that is needed to make its engine again. Why two checksums:
 * the CRC finds a damaged disk; the state hash is what the log's marks, other machines and other
 * engines say of the same book.
 */
/* --8<-- [end:format] */
#ifndef PHASE6_SNAPSHOT_H
#define PHASE6_SNAPSHOT_H

#include "contract/c/contract.h"
#include "phase6_wal/c/storage.h"

/* cdef:begin */
enum {
    SNAPSHOT_HEADER_BYTES = 64,
    SNAPSHOT_ENTRY_BYTES = 64,
    SNAPSHOT_VERSION = 1,
    SNAPSHOT_MOST_BOOKS = 4096,
    IMAGE_HEADER_BYTES = 32,
    IMAGE_ORDER_BYTES = 40
};

typedef struct {
    uint8_t magic[8];
    uint32_t crc;
    uint16_t version;
    uint16_t books;
    uint64_t sequence;
    uint64_t log_id;
    uint64_t bytes;
    uint32_t chain;
    uint32_t event_crc;
    uint8_t zeros[16];
} snapshot_header;

typedef struct {
    uint32_t instrument;
    uint32_t crc;
    int64_t min_price;
    int64_t max_price;
    uint64_t offset;
    uint64_t bytes;
    uint32_t capacity;
    uint32_t zero;
    uint8_t state_hash[16];
} snapshot_entry;

/* Why a file is no valid snapshot. */
enum {
    SNAPSHOT_GOOD = 0,
    SNAPSHOT_SHORT = 1, /* it ends inside its header or its entries */
    SNAPSHOT_MAGIC = 2,
    SNAPSHOT_CRC = 3,
    SNAPSHOT_VERSION_FIELD = 4,
    SNAPSHOT_BOOKS = 5,
    SNAPSHOT_BYTES = 6,
    SNAPSHOT_SEQUENCE = 7,
    SNAPSHOT_ZERO = 8,
    SNAPSHOT_INSTRUMENT = 9,
    SNAPSHOT_LIMITS = 10,
    SNAPSHOT_OFFSET = 11,
    SNAPSHOT_IMAGE_BYTES = 12,
    SNAPSHOT_IMAGE_CRC = 13,
    SNAPSHOT_IMAGE_HEADER = 14,
    SNAPSHOT_STATE_HASH = 15,
    SNAPSHOT_REASONS = 16
};

typedef struct {
    int32_t reason;
    uint32_t book;     /* number of the entry; 0 for the header */
    uint64_t offset;   /* of the field in the file */
    uint64_t found;
    uint64_t expected; /* what would be right; of a state hash its first 8 bytes */
} snapshot_fault;

/* What went wrong at the storage. */
typedef struct {
    int32_t error;   /* errno; 0: nothing went wrong, or `call` says it all */
    char call[20];   /* "create", "write", "sync", "verify", "rename", ... */
    uint64_t offset; /* in the file */
} snapshot_problem;

/* snapshot_check: SNAPSHOT_GOOD if these bytes, any bytes, are a valid snapshot of that sequence (of any
 * for UINT64_MAX), but for the orders in its images, which contract/canonical.py judges. The fault
 * says otherwise. No allocation, no call into the system. O(size). */
int snapshot_check(const void *file, uint64_t size, uint64_t sequence, snapshot_fault *fault);
const char *snapshot_reason(int reason);

/* snapshot_write: make the snapshot of `books` entries (instrument, limits and bytes are the caller's,
 * all else is filled in) and their images: temporary file, sync, verified, rename, directory sync. 0, or
 * -1 and the problem; then there is no file of it, unless only the last sync failed. O(bytes). */
int snapshot_write(storage *disk, uint64_t sequence, uint64_t log_id, uint32_t chain,
                   uint32_t event_crc, const snapshot_entry *entries, size_t books,
                   const void *const *images, snapshot_problem *problem);
/* snapshot_list: the sequences of the snapshots that are there, ascending, the first `room` of them. How
 * many there are, or -1 and the problem. Another thread may make and remove other files meanwhile. */
int snapshot_list(storage *disk, uint64_t *sequences, size_t room, snapshot_problem *problem);
/* snapshot_clean: remove what interrupted writers have left. How many, or -1 and the problem. */
int snapshot_clean(storage *disk, snapshot_problem *problem);
/* cdef:end */

_Static_assert(sizeof(snapshot_header) == SNAPSHOT_HEADER_BYTES, "a header is 64 bytes");
_Static_assert(sizeof(snapshot_entry) == SNAPSHOT_ENTRY_BYTES, "an entry is 64 bytes");

#define SNAPSHOT_MAGIC_BYTES "MBSNAP\0\1"

#endif
