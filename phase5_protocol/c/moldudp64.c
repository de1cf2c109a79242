/* moldudp64.c - packets taken apart, and headers written; see moldudp64.h. */
#include "phase5_protocol/c/moldudp64.h"

#include <assert.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/byte_order.h"

static_assert(MOLD_MAX_MESSAGE == MOLD_MAX_DATAGRAM - MOLD_HEADER_BYTES - MOLD_LENGTH_BYTES,
              "one message fills the largest datagram");
static_assert(sizeof(mold_packet) == 40 && sizeof(mold_request) == 24, "no padding");

/* --- taken apart -------------------------------------------------------------------------- */

int mold_session_is_valid(const void *session)
{
    const uint8_t *at = session;
    for (size_t i = 0; i < MOLD_SESSION_BYTES; i++) {
        if (at[i] < ' ' || at[i] > '~') {
            return 0;
        }
    }
    return 1;
}

/* --8<-- [start:framing] */
int mold_parse_framing(const void *bytes, size_t size, mold_packet *packet)
{
    const uint8_t *at = bytes;
    if (size < MOLD_HEADER_BYTES) {
        return MOLD_SHORT_HEADER;
    }
    const uint64_t sequence = load_big_u64(at + 10);
    const uint32_t said = load_big_u16(at + 18);
    const uint32_t count = said == MOLD_COUNT_END ? 0 : said;
    if (count > UINT64_MAX - sequence) {
        return MOLD_SEQUENCE_OVERFLOW;
    }
    uint32_t shortest = count > 0 ? UINT32_MAX : 0;
    uint32_t longest = 0;
    size_t place = MOLD_HEADER_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        if (size - place < MOLD_LENGTH_BYTES) {
            return MOLD_SHORT_LENGTH;
        }
        const uint32_t length = load_big_u16(at + place);
        place += MOLD_LENGTH_BYTES;
        if (size - place < length) {
            return MOLD_SHORT_BLOCK;
        }
        place += length;
        shortest = length < shortest ? length : shortest;
        longest = length > longest ? length : longest;
    }
    if (place != size) {
        return MOLD_TRAILING_BYTES;
    }
    *packet = (mold_packet){.sequence = sequence,
                            .kind = said == MOLD_COUNT_END ? MOLD_END
                                    : said == 0            ? MOLD_HEARTBEAT
                                                           : MOLD_DATA,
                            .count = count,
                            .shortest = shortest,
                            .longest = longest};
    memcpy(packet->session, at, MOLD_SESSION_BYTES);
    return MOLD_OK;
}
/* --8<-- [end:framing] */

int mold_parse(const void *bytes, size_t size, mold_packet *packet)
{
    if (size >= MOLD_HEADER_BYTES) {
        if (!mold_session_is_valid(bytes)) {
            return MOLD_BAD_SESSION;
        }
        if (load_big_u64((const uint8_t *)bytes + 10) == 0) {
            return MOLD_BAD_SEQUENCE;
        }
    }
    return mold_parse_framing(bytes, size, packet);
}

size_t mold_blocks(const void *bytes, size_t size, uint32_t *starts, uint32_t *lengths, size_t room)
{
    const uint8_t *at = bytes;
    size_t found = 0;
    for (size_t place = MOLD_HEADER_BYTES; found < room && place < size; found++) {
        CHECK(size - place >= MOLD_LENGTH_BYTES);
        lengths[found] = load_big_u16(at + place);
        place += MOLD_LENGTH_BYTES;
        CHECK(size - place >= lengths[found]);
        starts[found] = (uint32_t)place;
        place += lengths[found];
    }
    return found;
}

int mold_parse_request(const void *bytes, size_t size, mold_request *request)
{
    const uint8_t *at = bytes;
    if (size < MOLD_REQUEST_BYTES) {
        return MOLD_SHORT_HEADER;
    }
    if (size > MOLD_REQUEST_BYTES) {
        return MOLD_TRAILING_BYTES;
    }
    if (!mold_session_is_valid(at)) {
        return MOLD_BAD_SESSION;
    }
    *request = (mold_request){.sequence = load_big_u64(at + 10), .count = load_big_u16(at + 18)};
    memcpy(request->session, at, MOLD_SESSION_BYTES);
    if (request->sequence == 0) {
        return MOLD_BAD_SEQUENCE;
    }
    if (request->count == 0) {
        return MOLD_EMPTY_REQUEST;
    }
    return request->count > UINT64_MAX - request->sequence ? MOLD_SEQUENCE_OVERFLOW : MOLD_OK;
}

const char *mold_problem_name(int problem)
{
    static const char *const names[MOLD_PROBLEMS] = {
        "none",           "short header",        "session not printable", "sequence 0",
        "numbers run out", "no length of a block", "block cut off",         "trailing bytes",
        "request for nothing", "message too long"};
    return problem >= 0 && problem < MOLD_PROBLEMS ? names[problem] : "unknown";
}

/* --- put together -------------------------------------------------------------------------- */

void mold_write_header(void *to, const void *session, uint64_t sequence, uint16_t count)
{
    memcpy(to, session, MOLD_SESSION_BYTES);
    store_big_u64((uint8_t *)to + 10, sequence);
    store_big_u16((uint8_t *)to + 18, count);
}

void mold_write_request(void *to, const void *session, uint64_t sequence, uint16_t count)
{
    mold_write_header(to, session, sequence, count); /* the two have the same fields */
}
