/* mold_receiver_take.c - messages out, and joining late; see mold_receiver.h. */
#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/byte_order.h"
#include "phase5_protocol/c/mold_receiver_state.h"

/* The bits of [from, end) in both maps become 0. */
static void forget(mold_receiver *receiver, uint64_t from, uint64_t end)
{
    while (from < end) {
        const uint64_t step = 64 - from % 64 < end - from ? 64 - from % 64 : end - from;
        const uint64_t bits = (step < 64 ? (UINT64_C(1) << step) - 1 : UINT64_MAX) << from % 64;
        receiver->here[(from & receiver->mask) / 64] &= ~bits;
        receiver->lost[(from & receiver->mask) / 64] &= ~bits;
        from += step;
    }
}

static void consume(mold_receiver *receiver, uint64_t end)
{
    forget(receiver, receiver->base, end);
    receiver->base = end;
}

/* What comes next if it is no message; kind DELIVERY_MESSAGES, and nothing done, if it is one. */
static mold_delivery take_other(mold_receiver *receiver)
{
    const uint64_t base = receiver->base;
    mold_delivery made = {.first = base, .kind = DELIVERY_NOTHING};
    if (receiver->phase != PHASE_RUNNING) {
        return made;
    }
    if (base == receiver->expected) {
        made.kind = mold_receiver_is_ended(receiver) ? DELIVERY_END : DELIVERY_NOTHING;
        return made;
    }
    const uint64_t end = receiver_seek(receiver, base, receiver->expected, SEEK_NOT_LOST);
    if (end == base) {
        made.kind = DELIVERY_MESSAGES;
        return made;
    }
    made.kind = DELIVERY_LOST;
    made.count = end - base;
    consume(receiver, end);
    return made;
}

mold_delivery mold_receiver_take_records(mold_receiver *receiver, void *records, size_t room)
{
    const size_t width = receiver->config.record_bytes;
    CHECK(width > 0);
    mold_delivery made = take_other(receiver);
    if (made.kind != DELIVERY_MESSAGES) {
        return made;
    }
    const uint64_t left = receiver->expected - made.first;
    const uint64_t most = made.first + (room < left ? room : left);
    const uint64_t end = receiver_seek(receiver, made.first, most, SEEK_NOT_HERE);
    made.count = end - made.first;
    made.bytes = made.count * width;
    const uint64_t slot = made.first & receiver->mask;
    const uint64_t straight = receiver->window - slot < made.count ? receiver->window - slot
                                                                   : made.count;
    memcpy(records, receiver->slots + slot * width, straight * width);
    memcpy((uint8_t *)records + straight * width, receiver->slots, made.bytes - straight * width);
    consume(receiver, end);
    receiver->counters.delivered += made.count;
    made.kind = made.count > 0 ? DELIVERY_MESSAGES : DELIVERY_NOTHING;
    return made;
}

mold_delivery mold_receiver_take_stream(mold_receiver *receiver, void *stream, size_t room)
{
    const size_t record_bytes = receiver->config.record_bytes;
    const size_t before = record_bytes > 0 ? MOLD_LENGTH_BYTES : 0; /* of the slot's own bytes */
    mold_delivery made = take_other(receiver);
    if (made.kind != DELIVERY_MESSAGES) {
        return made;
    }
    const uint64_t end =
        receiver_seek(receiver, made.first, receiver->expected, SEEK_NOT_HERE);
    uint64_t number = made.first;
    for (; number < end; number++) {
        const uint8_t *slot = receiver->slots + (number & receiver->mask) * receiver->stride;
        const size_t length = record_bytes > 0 ? record_bytes : load_big_u16(slot);
        uint8_t *to = (uint8_t *)stream + made.bytes;
        if (length + MOLD_LENGTH_BYTES > room - made.bytes) {
            if (number == made.first) {
                made.bytes = length + MOLD_LENGTH_BYTES;
                made.kind = DELIVERY_NOTHING;
                return made;
            }
            break;
        }
        store_big_u16(to, (uint16_t)length);
        memcpy(to + MOLD_LENGTH_BYTES, slot + MOLD_LENGTH_BYTES - before, length);
        made.bytes += length + MOLD_LENGTH_BYTES;
    }
    made.count = number - made.first;
    consume(receiver, number);
    receiver->counters.delivered += made.count;
    return made;
}

/* --- joining ------------------------------------------------------------------------------- */

int mold_receiver_join(mold_receiver *receiver, uint64_t next, uint64_t now_ns)
{
    const int running = receiver->phase == PHASE_RUNNING;
    const uint64_t base = receiver->base;
    const uint64_t announced = receiver->announced;
    if (next == 0 || (running && next < base) ||
        (receiver->end_at != 0 && next > receiver->end_at)) {
        return 0;
    }
    if (running) {
        receiver_gaps_skip(receiver, next, now_ns);
        receiver->counters.skipped += next - base;
    }
    if (next > base) {
        forget(receiver, base, next < announced ? next : announced);
    }
    receiver->base = next;
    const uint64_t limit = receiver_limit(receiver);
    if (announced > limit) { /* an old snapshot: what is furthest ahead has no room any more */
        forget(receiver, limit > base ? limit : base, announced);
    }
    receiver->given_up_in_a_row = 0;
    if (running) {
        receiver->expected = receiver->expected > next ? receiver->expected : next;
        receiver->announced = announced > next ? announced : next;
        receiver->claimed = receiver->claimed > next ? receiver->claimed : next;
    } else {
        /* What was claimed beyond the window was so by the first packet alone: not enough. */
        receiver->phase = PHASE_RUNNING;
        receiver->expected = receiver->announced = next;
        receiver->claimed = receiver->end_at > next ? receiver->end_at : next;
        receiver_announce(receiver, announced < limit ? announced : limit, now_ns);
    }
    receiver->expected = receiver_seek_missing(receiver, 0, receiver->announced);
    receiver_catch_up(receiver, now_ns);
    return 1;
}
