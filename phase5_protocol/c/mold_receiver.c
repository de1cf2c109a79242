/* mold_receiver.c - packets in, and which claims are believed; see mold_receiver.h.
 *
 * Messages out: mold_receiver_take.c. Gaps and requests: mold_receiver_gaps.c. */
#include "phase5_protocol/c/mold_receiver.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/byte_order.h"
#include "phase5_protocol/c/mold_receiver_state.h"

static_assert(sizeof(mold_gap) == 64, "no padding");
static_assert((int)MOLD_DUPLICATE > (int)MOLD_PROBLEMS, "a verdict is one or the other");

/* The field of a configuration that is out of its limits; NULL: none. */
static const char *config_problem(const mold_receiver_config *config)
{
    const uint32_t window = config->window_messages;
    if (config->record_bytes > MOLD_MAX_MESSAGE) {
        return "record_bytes";
    }
    if (config->record_bytes == 0 &&
        (config->max_message_bytes == 0 || config->max_message_bytes > MOLD_MAX_MESSAGE)) {
        return "max_message_bytes";
    }
    if (window < 64 || window > 1u << 22 || (window & (window - 1)) != 0) {
        return "window_messages";
    }
    if (config->max_gaps == 0 || config->max_gaps > 1u << 16) {
        return "max_gaps";
    }
    if (config->max_requests == 0 || config->max_requests > 1024) {
        return "max_requests";
    }
    if (config->request_messages == 0 || config->request_messages > UINT16_MAX) {
        return "request_messages";
    }
    if (config->has_session && !mold_session_is_valid(config->session)) {
        return "session";
    }
    return NULL;
}

mold_receiver *mold_receiver_new(const mold_receiver_config *config, const char **problem)
{
    const char *wrong = config_problem(config);
    mold_receiver *receiver = wrong == NULL ? calloc(1, sizeof *receiver) : NULL;
    if (receiver != NULL) {
        const uint32_t window = config->window_messages;
        receiver->config = *config;
        receiver->window = window;
        receiver->mask = window - 1;
        receiver->stride = config->record_bytes > 0
                               ? config->record_bytes
                               : (size_t)config->max_message_bytes + MOLD_LENGTH_BYTES;
        receiver->slots = malloc(window * receiver->stride);
        receiver->here = calloc(window / 64, sizeof *receiver->here);
        receiver->lost = calloc(window / 64, sizeof *receiver->lost);
        receiver->gaps = calloc(2 * (size_t)config->max_gaps, sizeof *receiver->gaps);
        receiver->pieces = calloc(config->max_requests, sizeof *receiver->pieces);
        receiver->has_session = config->has_session != 0;
        memcpy(receiver->session, config->session, MOLD_SESSION_BYTES);
        receiver->phase = config->start == MOLD_START_HELD         ? PHASE_HELD
                          : config->start == MOLD_START_FIRST_SEEN ? PHASE_WAITING
                                                                   : PHASE_RUNNING;
        if (receiver->phase == PHASE_RUNNING) {
            receiver->base = receiver->expected = config->start;
            receiver->announced = receiver->claimed = config->start;
        }
        if (receiver->slots == NULL || receiver->here == NULL || receiver->lost == NULL ||
            receiver->gaps == NULL || receiver->pieces == NULL) {
            mold_receiver_free(receiver);
            receiver = NULL;
        }
    }
    if (receiver == NULL && problem != NULL) {
        *problem = wrong != NULL ? wrong : "memory";
    }
    return receiver;
}

void mold_receiver_free(mold_receiver *receiver)
{
    if (receiver != NULL) {
        free(receiver->slots);
        free(receiver->here);
        free(receiver->lost);
        free(receiver->gaps);
        free(receiver->pieces);
        free(receiver);
    }
}

/* --- claims -------------------------------------------------------------------------------- */

/* Somebody says that all numbers before `number` exist. Within the window that costs little, so it is
 * believed; beyond it only if it goes on from what is believed, or from an earlier claim: either it
 * has moved on since, or it is said once more, by an idle publisher, a timeout later. */
/* --8<-- [start:claim] */
static void claim(mold_receiver *receiver, uint64_t number, uint64_t now_ns, int idle)
{
    const uint64_t window = receiver->window;
    const uint64_t limit = receiver_limit(receiver);
    const uint64_t near = receiver->claimed > limit ? receiver->claimed : limit;
    if (number <= receiver->claimed) {
        return;
    }
    int believed = number <= limit || number - near <= (receiver->claimed > limit ? window : 0);
    if (!believed && receiver->doubted > 0 && number >= receiver->doubted &&
        number - receiver->doubted <= window) {
        believed = number > receiver->doubted ||
                   (idle && now_ns >= receiver->doubted_ns &&
                    now_ns - receiver->doubted_ns >= receiver->config.request_timeout_ns);
        if (!believed) {
            return; /* the same again: neither more nor less doubtful */
        }
    }
    if (believed) {
        receiver->claimed = number;
        receiver->doubted = 0;
    } else {
        receiver->doubted = number;
        receiver->doubted_ns = now_ns;
        receiver->counters.claims_doubted++;
    }
}
/* --8<-- [end:claim] */

static int put_end(mold_receiver *receiver, uint64_t number, uint64_t now_ns)
{
    if (receiver->end_at != 0 ? number != receiver->end_at : number < receiver->claimed) {
        receiver->counters.ends_contradicted++;
        return MOLD_AFTER_END;
    }
    claim(receiver, number, now_ns, 1);
    if (receiver->claimed == number) {
        receiver->end_at = number;
    }
    return MOLD_TAKEN;
}

/* --- packets in ---------------------------------------------------------------------------- */

/* Where the first packet is where it all begins. */
static void begin(mold_receiver *receiver, const mold_packet *packet)
{
    if (receiver->phase == PHASE_WAITING || (receiver->phase == PHASE_HELD && receiver->base == 0)) {
        receiver->base = receiver->expected = packet->sequence;
        receiver->announced = receiver->claimed = packet->sequence;
        receiver->phase = receiver->phase == PHASE_WAITING ? PHASE_RUNNING : PHASE_HELD;
    }
}

/* Put the messages of [first, end), all within the window, into their slots, as far as they are
 * missing. `at` is the first one's block. Counts into the line. */
static void put_messages(mold_receiver *receiver, uint64_t first, uint64_t end, const uint8_t *at,
                         uint64_t now_ns, mold_line_counters *line)
{
    const size_t skipped = receiver->config.record_bytes > 0 ? MOLD_LENGTH_BYTES : 0;
    const uint64_t announced = receiver->announced;
    gap_entry *entry = NULL;
    for (uint64_t number = first; number < end; number++) {
        const size_t block = MOLD_LENGTH_BYTES + (size_t)load_big_u16(at);
        const uint64_t place = (number & receiver->mask) / 64;
        const uint64_t bit = UINT64_C(1) << number % 64;
        if (receiver->here[place] & bit) {
            line->duplicates++;
        } else if (receiver->lost[place] & bit) {
            line->late++;
        } else {
            memcpy(receiver->slots + (number & receiver->mask) * receiver->stride, at + skipped,
                   block - skipped);
            receiver->here[place] |= bit;
            line->fresh++;
            if (number < announced && receiver->phase == PHASE_RUNNING) {
                if (entry == NULL || number >= entry->gap.first + entry->gap.count) {
                    entry = receiver_gap_of(receiver, number);
                    CHECK(entry != NULL);
                }
                receiver_gap_shrink(receiver, entry, now_ns);
            }
        }
        at += block;
    }
}

static int put_data(mold_receiver *receiver, const uint8_t *bytes, const mold_packet *packet,
                    uint64_t now_ns, mold_line_counters *line)
{
    const mold_line_counters before = *line;
    const uint64_t limit = receiver_limit(receiver);
    const uint64_t end = packet->sequence + packet->count;
    uint64_t from = packet->sequence;
    const uint8_t *at = bytes + MOLD_HEADER_BYTES;
    if (receiver->end_at != 0 && end > receiver->end_at) {
        line->after_end++;
        return MOLD_AFTER_END;
    }
    const uint64_t to = end < limit ? end : limit;
    if (from < limit && !receiver_announce(receiver, from, now_ns)) {
        line->too_many_gaps++;
        return MOLD_TOO_MANY_GAPS;
    }
    for (; from < receiver->base && from < end; from++) {
        at += MOLD_LENGTH_BYTES + (size_t)load_big_u16(at);
        line->duplicates += receiver->phase == PHASE_RUNNING;
        line->late += receiver->phase == PHASE_HELD;
    }
    if (from < to) {
        put_messages(receiver, from, to, at, now_ns, line);
        receiver_announce(receiver, to, now_ns); /* nothing missing there: cannot fail */
        from = to;
    }
    if (receiver->phase == PHASE_RUNNING) {
        receiver->expected = receiver_seek_missing(receiver, 0, receiver->announced);
    }
    if (end > from) {
        line->beyond += end - from;
        claim(receiver, end, now_ns, 0);
        receiver_catch_up(receiver, now_ns);
    }
    if (line->fresh > before.fresh) {
        receiver->given_up_in_a_row = 0;
        return MOLD_TAKEN;
    }
    return line->beyond > before.beyond           ? MOLD_BEYOND_WINDOW
           : line->duplicates > before.duplicates ? MOLD_DUPLICATE
                                                  : MOLD_LATE;
}

int mold_receiver_put(mold_receiver *receiver, const void *bytes, size_t size, uint64_t now_ns,
                      uint32_t line_number)
{
    CHECK(line_number < MOLD_LINES);
    mold_line_counters *line = &receiver->lines[line_number];
    const mold_receiver_config *config = &receiver->config;
    mold_packet packet;
    line->packets++;
    const int problem = mold_parse(bytes, size, &packet);
    if (problem != MOLD_OK) {
        line->malformed[problem]++;
        return problem;
    }
    if (receiver->has_session && memcmp(receiver->session, packet.session, MOLD_SESSION_BYTES)) {
        line->other_session++;
        return MOLD_OTHER_SESSION;
    }
    if (config->record_bytes > 0 ? packet.kind == MOLD_DATA &&
                                       (packet.shortest != config->record_bytes ||
                                        packet.longest != config->record_bytes)
                                 : packet.longest > config->max_message_bytes) {
        line->wrong_length++;
        return MOLD_WRONG_LENGTH;
    }
    receiver->has_session = 1;
    memcpy(receiver->session, packet.session, MOLD_SESSION_BYTES);
    begin(receiver, &packet);
    const uint64_t next = packet.sequence + packet.count;
    line->highest = next > line->highest ? next : line->highest;
    if (packet.kind == MOLD_DATA) {
        return put_data(receiver, bytes, &packet, now_ns, line);
    }
    int verdict = MOLD_TAKEN;
    if (packet.kind == MOLD_END) {
        line->ends++;
        verdict = put_end(receiver, next, now_ns);
    } else {
        line->heartbeats++;
        if (receiver->end_at != 0 && next > receiver->end_at) {
            line->after_end++;
            return MOLD_AFTER_END;
        }
        claim(receiver, next, now_ns, 1);
    }
    receiver_catch_up(receiver, now_ns);
    return verdict;
}

size_t mold_receiver_put_many(mold_receiver *receiver, const uint8_t *arena,
                              const mold_datagram *datagrams, size_t count, uint64_t now_ns,
                              uint32_t line)
{
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        taken += mold_receiver_put(receiver, arena + datagrams[i].offset, datagrams[i].length,
                                   now_ns, line) == MOLD_TAKEN;
    }
    return taken;
}
