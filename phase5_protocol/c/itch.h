/* itch.h - Nasdaq TotalView-ITCH 5.0: cutting a stream into messages, and decoding them.
 *
 * A stream is what stands in a BinaryFILE, and what follows the header in a MoldUDP64 packet:
 *
 *     offset  size  meaning
 *          0     2  length of the message, big endian
 *          2     n  the message: type, stock locate, tracking number, time, what the type says
 *
 * A file ends with a length of 0, or it just ends. Types, lengths and fields: itch_fields.h.
 *
 * Three ways to have the messages, from one walk over the stream:
 *
 *     itch_split    bytes as they came, the messages of a type side by side
 *     itch_decode   a row a message, a table a type: integers of this machine, aligned
 *     itch_records  64 bytes a message in the order of the stream, for whoever keeps a book
 *
 * and itch_scan, which only checks and counts: what the others need room for.
 *
 * How it is fast. Which type comes next cannot be guessed, so a `switch` for each message is a
 * branch mispredicted for every other. Instead the places of up to 128 messages are sorted by
 * type without a branch, and then each type is decoded in a loop of its own:
 *
 *     stream   A D A E D D A          sorted   A: 0 2 6    D: 1 4 5    E: 3
 *
 * Any bytes may be given: nothing outside them is read, what is wrong is a status or a count.
 * No call allocates. Calls on different outputs may run in different threads. O(bytes).
 */
#ifndef PHASE5_ITCH_H
#define PHASE5_ITCH_H

#include <stddef.h>
#include <stdint.h>

#include "phase5_protocol/c/itch_fields.h"

/* cdef:begin */
enum {
    ITCH_TYPES = 23,
    /* flags */
    ITCH_TOLERANT = 1, /* pass over what has a wrong type or length, and count it */
    ITCH_BLOCKS = 2,   /* a packet: a length of 0 is a wrong length, not the end */
    ITCH_LAST = 4,     /* nothing follows these bytes: half a message is an error */
    /* status: below 0 an error at `consumed` */
    ITCH_OK = 0,            /* every whole message is done; with ITCH_LAST, every byte */
    ITCH_ENDED = 1,         /* by a length of 0, behind which nothing stands */
    ITCH_FULL = 2,          /* no room for another: go on at `consumed` with more */
    ITCH_UNKNOWN_TYPE = -1, /* not with ITCH_TOLERANT */
    ITCH_WRONG_LENGTH = -2, /* not with ITCH_TOLERANT */
    ITCH_CUT_SHORT = -3,    /* the last message is not all there */
    ITCH_AFTER_END = -4,    /* more bytes after a length of 0, which is consumed */
};

/* What one call did. In bytes: consumed = 2 a message + the messages + skipped + 2 for an end. */
typedef struct {
    uint64_t consumed;       /* bytes that are done with */
    uint64_t messages;       /* right ones */
    uint64_t unknown_types;  /* passed over */
    uint64_t wrong_lengths;  /* passed over: a known type of another length, or no byte at all */
    uint64_t skipped;        /* bytes of those two, lengths included */
    uint64_t counts[23];     /* right messages of each type, in the order of itch_types */
    int32_t status;
    uint32_t reserved;
} itch_tally;

/* A message in the order of the stream. All integers are this machine's. Filled in full for A F E
 * C X D U P; any other type has its type, place, locate, tracking number and time, and R its stock
 * too. What a type does not have is 0.
 *
 *     offset  size  field               A F  E  C  X  D  U  P
 *          0     8  timestamp_ns         x   x  x  x  x  x  x
 *          8     8  reference            x   x  x  x  x  x  x   U: of the order that leaves
 *         16     8  new_reference                       x
 *         24     8  match_number             x  x           x
 *         32     8  stock                x                  x   8 letters as they came, unswapped
 *         40     4  shares               x   x  x  x     x  x
 *         44     4  price                x      x        x  x   1/10,000 dollar
 *         48     4  attribution          F                      4 letters as they came
 *         52     4  at                   x   x  x  x  x  x  x   of its length, from `data`
 *         56     2  stock_locate         x   x  x  x  x  x  x
 *         58     2  tracking_number      x   x  x  x  x  x  x
 *         60     1  type                 x   x  x  x  x  x  x   a letter
 *         61     1  side                 x                  x   a letter, not checked: B or S
 *         62     1  printable                   x               a letter, not checked: Y or N
 *         63     1  reserved
 */
typedef struct {
    uint64_t timestamp_ns;
    uint64_t reference;
    uint64_t new_reference;
    uint64_t match_number;
    uint64_t stock;
    uint32_t shares;
    uint32_t price;
    uint32_t attribution;
    uint32_t at;
    uint16_t stock_locate;
    uint16_t tracking_number;
    uint8_t type;
    uint8_t side;
    uint8_t printable;
    uint8_t reserved;
} itch_record;

/* A type: its letter, the length of its message, and the bytes of its row after itch_decode. */
typedef struct {
    const char *name;
    uint8_t letter;
    uint8_t length;
    uint16_t row_bytes;
} itch_type;
extern const itch_type itch_types[23];

/* Where messages go, type by type: rows[i] has room for room[i] of them. */
typedef struct {
    void *rows[23];
    uint64_t room[23];
    uint64_t first_index; /* of the first message in `data`, for the rows of itch_decode */
} itch_tables;

/* Each returns tally->status, and sets all of *tally. */

/* itch_scan: check and count. */
int itch_scan(const uint8_t *data, size_t size, unsigned flags, itch_tally *tally);
/* itch_split: the bytes of a type's messages, one behind the other. A table that is too small for
 * the next few messages is ITCH_FULL, and none of them is written. */
int itch_split(const uint8_t *data, size_t size, unsigned flags, const itch_tables *tables,
               itch_tally *tally);
/* itch_decode: a type's messages as rows (structs below; numpy's are Layout.dtype). Padding is
 * not written: give zeros to have zeros. Full as with itch_split. */
int itch_decode(const uint8_t *data, size_t size, unsigned flags, const itch_tables *tables,
                itch_tally *tally);
/* itch_records: up to `capacity` messages in order; tally->messages says how many. Also ITCH_FULL
 * if a message would stand too far in for `at`. */
int itch_records(const uint8_t *data, size_t size, unsigned flags, itch_record *records,
                 size_t capacity, itch_tally *tally);
/* cdef:end */

_Static_assert(sizeof(itch_record) == 64, "a record is one cache line");

/* A row of each type, itch_add_order and so on: its place among the stream's messages, then its
 * fields behind the type byte. */
#define ITCH_MEMBER_u16(name, size) uint16_t name;
#define ITCH_MEMBER_u32(name, size) uint32_t name;
#define ITCH_MEMBER_u48(name, size) uint64_t name;
#define ITCH_MEMBER_u64(name, size) uint64_t name;
#define ITCH_MEMBER_text(name, size) char name[size];
#define ITCH_MEMBER(wire, name, offset, size, kind) ITCH_MEMBER_##wire(name, size)
#define ITCH_ROW(type, letter, length)  \
    typedef struct {                    \
        uint64_t index;                 \
        ITCH_FIELDS_##type(ITCH_MEMBER) \
    } itch_##type;
ITCH_EACH_TYPE(ITCH_ROW)

#endif
