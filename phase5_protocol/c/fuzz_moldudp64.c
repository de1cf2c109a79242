/* fuzz_moldudp64.c - any bytes as a downstream packet, as a request, and as a stream of blocks.
 *
 * What must hold: a packet that is valid is used up exactly by its header and blocks, and packing its
 * messages again gives the same bytes; the same of a request; a stream is packed as a whole or not
 * at all, and every datagram made of it is valid, within its limit, and goes on from the one before.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/moldudp64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_BLOCKS = 65536, LIMIT = 200, MOST_DATAGRAMS = 4 };

static void packet_again(const uint8_t *data, size_t size)
{
    static uint32_t starts[MOST_BLOCKS], lengths[MOST_BLOCKS];
    mold_packet packet;
    if (mold_parse(data, size, &packet) != MOLD_OK) {
        return;
    }
    CHECK(mold_session_is_valid(packet.session) && packet.sequence > 0);
    CHECK(packet.sequence + packet.count >= packet.sequence);
    CHECK(mold_blocks(data, size, starts, lengths, MOST_BLOCKS) == packet.count);
    mold_packer *packer = mold_packer_new(packet.session, packet.sequence, MOLD_MAX_DATAGRAM);
    const uint8_t *made;
    size_t used = MOLD_HEADER_BYTES;
    CHECK(packer != NULL);
    for (uint32_t i = 0; i < packet.count; i++) {
        CHECK(starts[i] == used + MOLD_LENGTH_BYTES && lengths[i] <= size - starts[i]);
        CHECK(lengths[i] >= packet.shortest && lengths[i] <= packet.longest);
        CHECK(mold_packer_append(packer, data + starts[i], lengths[i]) == MOLD_OK);
        used += MOLD_LENGTH_BYTES + lengths[i];
    }
    CHECK(used == size);
    const size_t made_size = packet.kind == MOLD_DATA        ? mold_packer_flush(packer, &made)
                             : packet.kind == MOLD_HEARTBEAT ? mold_packer_heartbeat(packer, &made)
                                                             : mold_packer_end(packer, &made);
    CHECK(made_size == size && memcmp(made, data, size) == 0);
    mold_packer_free(packer);
}

static void request_again(const uint8_t *data, size_t size)
{
    uint8_t made[MOLD_REQUEST_BYTES];
    mold_request request;
    if (mold_parse_request(data, size, &request) == MOLD_OK) {
        mold_write_request(made, request.session, request.sequence, (uint16_t)request.count);
        CHECK(size == sizeof made && memcmp(made, data, size) == 0);
        CHECK(request.count > 0 && request.sequence + request.count > request.sequence);
    }
}

static void stream_to_datagrams(const uint8_t *data, size_t size)
{
    uint8_t arena[MOST_DATAGRAMS * LIMIT];
    mold_datagram datagrams[MOST_DATAGRAMS];
    mold_packer *packer = mold_packer_new("FUZZ      ", 1, LIMIT);
    CHECK(packer != NULL);
    uint64_t next = 1;
    size_t place = 0;
    do {
        const mold_packed packed = mold_pack_stream(packer, data + place, size - place, 1, arena,
                                                    sizeof arena, datagrams, MOST_DATAGRAMS);
        if (packed.problem != MOLD_OK) {
            CHECK(place == 0 && packed.datagrams == 0 && mold_packer_next(packer) == 1);
            break;
        }
        CHECK(packed.messages > 0 || place == size);
        for (uint64_t i = 0; i < packed.datagrams; i++) {
            mold_packet packet;
            CHECK(datagrams[i].length <= LIMIT);
            CHECK(mold_parse(arena + datagrams[i].offset, datagrams[i].length, &packet) == MOLD_OK);
            CHECK(packet.sequence == next && packet.count == datagrams[i].count);
            /* The blocks are the stream's own bytes. */
            const size_t length = datagrams[i].length - MOLD_HEADER_BYTES;
            CHECK(length <= size - place);
            CHECK(memcmp(arena + datagrams[i].offset + MOLD_HEADER_BYTES, data + place, length) == 0);
            place += length;
            next += packet.count;
        }
    } while (place < size);
    mold_packer_free(packer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    packet_again(data, size);
    request_again(data, size);
    stream_to_datagrams(data, size);
    return 0;
}
