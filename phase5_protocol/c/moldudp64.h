/* moldudp64.h - MoldUDP64 (Nasdaq, version 1.00): numbered messages in UDP datagrams.
 *
 * Downstream, server to everybody, multicast (all integers big endian):
 *
 *     offset  size  field
 *          0    10  session: printable ASCII, filled up with spaces
 *         10     8  sequence: number of the first message; if there is none, of the next to come
 *         18     2  count: messages that follow; 0: heartbeat; 0xFFFF: end of session, no blocks
 *         20        count blocks: a 2-byte length, then so many bytes (0 is a length like any other)
 *
 * Request, one client to the server, unicast:
 *
 *          0    10  session
 *         10     8  sequence: first message wanted
 *         18     2  count: how many are wanted
 *
 * Messages are numbered, not packets: message i of a packet has number sequence + i, and no number
 * is ever sent with other bytes. Numbers start at 1. Since a heartbeat says which number comes
 * next, a loss shows even when nothing follows it. The answer to a request is a downstream packet
 * like any other, with as many messages as fit.
 *
 * A downstream packet is valid if and only if the header is whole, the session is printable, the
 * sequence is not 0, sequence + count does not pass 2**64 - 1, and the blocks fill it exactly.
 *
 * Blocks are the records of Nasdaq's BinaryFILE too: a length-prefixed stream of messages is cut
 * into packets by copying whole runs of it.
 *
 * Threads: a packer belongs to one thread at a time; the functions without one have no state.
 */
#ifndef PHASE5_MOLDUDP64_H
#define PHASE5_MOLDUDP64_H

#include <stddef.h>
#include <stdint.h>

/* cdef:begin */
enum {
    MOLD_SESSION_BYTES = 10,
    MOLD_HEADER_BYTES = 20,
    MOLD_REQUEST_BYTES = 20,
    MOLD_LENGTH_BYTES = 2,
    MOLD_COUNT_END = 0xFFFF,
    MOLD_MAX_DATAGRAM = 65507,    /* what UDP over IPv4 can carry */
    MOLD_DEFAULT_DATAGRAM = 1472, /* what an Ethernet frame of 1500 can carry of it */
    MOLD_MAX_MESSAGE = 65485      /* MOLD_MAX_DATAGRAM less header and length */
};

/* What is wrong with a packet, a request, or a message to be packed. */
enum {
    MOLD_OK = 0,
    MOLD_SHORT_HEADER = 1,      /* fewer than 20 bytes */
    MOLD_BAD_SESSION = 2,       /* a byte of the session is not printable ASCII */
    MOLD_BAD_SEQUENCE = 3,      /* number 0 */
    MOLD_SEQUENCE_OVERFLOW = 4, /* the numbers would pass 2**64 - 1 */
    MOLD_SHORT_LENGTH = 5,      /* the packet ends where a block's length should stand */
    MOLD_SHORT_BLOCK = 6,       /* the packet ends within a block */
    MOLD_TRAILING_BYTES = 7,    /* bytes after the last block, or after a request */
    MOLD_EMPTY_REQUEST = 8,     /* a request for no messages */
    MOLD_LONG_MESSAGE = 9,      /* to be packed: does not fit a datagram of its own */
    MOLD_PROBLEMS = 10
};

enum { MOLD_DATA = 0, MOLD_HEARTBEAT = 1, MOLD_END = 2 };

typedef struct {
    uint64_t sequence;
    uint32_t kind;     /* MOLD_DATA, MOLD_HEARTBEAT or MOLD_END */
    uint32_t count;    /* blocks: 0 unless MOLD_DATA */
    uint32_t shortest; /* of the messages, in bytes; 0 if there is none */
    uint32_t longest;
    uint8_t session[10];
    uint8_t unused[6];
} mold_packet;

typedef struct {
    uint64_t sequence;
    uint32_t count;
    uint8_t session[10];
    uint8_t unused[2];
} mold_request;

/* Where a datagram lies in an arena: what sendmmsg and recvmmsg work on. */
typedef struct {
    uint64_t offset;
    uint32_t length;
    uint32_t count; /* messages in it; not used on the way in */
} mold_datagram;

/* mold_parse: MOLD_OK and *packet filled in, or what is wrong. Reads nothing past `size`. O(count). */
int mold_parse(const void *bytes, size_t size, mold_packet *packet);
/* mold_parse_framing: the same, but any session and number 0 will do: for captures whose headers were
 * blanked out, as published ones often are. Not for what comes from a network. */
int mold_parse_framing(const void *bytes, size_t size, mold_packet *packet);
/* mold_blocks: where the messages of a packet that mold_parse found valid lie: starts[i] and
 * lengths[i], at most `room` of them. Returns how many. O(count). */
size_t mold_blocks(const void *bytes, size_t size, uint32_t *starts, uint32_t *lengths,
                   size_t room);
/* mold_parse_request: MOLD_OK and *request filled in, or what is wrong. */
int mold_parse_request(const void *bytes, size_t size, mold_request *request);
/* mold_write_request: 20 bytes to `to`. */
void mold_write_request(void *to, const void *session, uint64_t sequence, uint16_t count);
/* mold_write_header: 20 bytes to `to`. `count` 0: a heartbeat; MOLD_COUNT_END: the end. */
void mold_write_header(void *to, const void *session, uint64_t sequence, uint16_t count);
/* mold_session_is_valid: whether ten bytes can be a session's name. */
int mold_session_is_valid(const void *session);
/* mold_problem_name: a word for a code, such as "short header". */
const char *mold_problem_name(int problem);

/* The datagram being built. Full when the next message does not fit any more; who calls decides
 * when it has waited long enough. */
typedef struct mold_packer mold_packer;

/* mold_packer_new: the next message gets number `next` (not 0). Datagrams have at most `limit`
 * bytes, 22 to MOLD_MAX_DATAGRAM. NULL: no memory, or an argument that cannot be. */
mold_packer *mold_packer_new(const void *session, uint64_t next, uint32_t limit);
void mold_packer_free(mold_packer *packer);
/* mold_packer_append: MOLD_OK; or nothing was appended: MOLD_LONG_MESSAGE, MOLD_SEQUENCE_OVERFLOW,
 * or -1: not into this datagram any more, flush first. O(length). */
int mold_packer_append(mold_packer *packer, const void *message, size_t length);
/* mold_packer_flush: the datagram built so far and its size; 0 if it has no message. It lies in the
 * packer until the next call of it. O(1). */
size_t mold_packer_flush(mold_packer *packer, const uint8_t **datagram);
/* mold_packer_heartbeat, _end: a datagram that says what number comes next. 0: messages are
 * waiting, and must be flushed instead. */
size_t mold_packer_heartbeat(mold_packer *packer, const uint8_t **datagram);
size_t mold_packer_end(mold_packer *packer, const uint8_t **datagram);
/* Number of the next message; messages in the datagram being built; bytes of it, header included. */
uint64_t mold_packer_next(const mold_packer *packer);
uint32_t mold_packer_waiting(const mold_packer *packer);
uint32_t mold_packer_bytes(const mold_packer *packer);

/* What a batch came to. All of it, unless there was a problem or no room: then call again with the
 * rest. */
typedef struct {
    uint64_t messages;  /* taken */
    uint64_t bytes;     /* taken, of the source */
    uint64_t datagrams; /* finished */
    uint64_t filled;    /* bytes of the arena */
    int32_t problem;    /* MOLD_OK or why message number `messages` of the source was not taken */
    uint32_t unused;
} mold_packed;

/* Pack a batch, beginning with what already waits. Finished datagrams go into the arena, and
 * the last one too if `flush`; otherwise what does not fill a datagram waits in the packer.
 *
 * _records: `count` messages of `record_bytes` each, side by side.
 * _stream: blocks as in the packet, 2-byte length first, until `size`.
 * _ranges: message i is bytes offsets[i] to offsets[i + 1] (`count` + 1 offsets, ascending).
 *
 * The arena has room for `arena_bytes`, the list for `room` datagrams. An arena of at least two
 * limits always makes progress. O(bytes). */
mold_packed mold_pack_records(mold_packer *packer, const void *records, size_t record_bytes,
                              size_t count, int flush, uint8_t *arena, size_t arena_bytes,
                              mold_datagram *datagrams, size_t room);
mold_packed mold_pack_stream(mold_packer *packer, const void *stream, size_t size, int flush,
                             uint8_t *arena, size_t arena_bytes, mold_datagram *datagrams,
                             size_t room);
mold_packed mold_pack_ranges(mold_packer *packer, const void *bytes, const uint64_t *offsets,
                             size_t count, int flush, uint8_t *arena, size_t arena_bytes,
                             mold_datagram *datagrams, size_t room);
/* cdef:end */

#endif
