/* mold_receiver_check.c - what can be seen of a receiver, and whether it is in order. */
#include <stdio.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/mold_receiver_state.h"

uint64_t mold_receiver_base(const mold_receiver *receiver)
{
    return receiver->base;
}

uint64_t mold_receiver_expected(const mold_receiver *receiver)
{
    return receiver->expected;
}

uint64_t mold_receiver_announced(const mold_receiver *receiver)
{
    return receiver->announced;
}

int mold_receiver_session(const mold_receiver *receiver, void *to)
{
    memcpy(to, receiver->session, MOLD_SESSION_BYTES);
    return receiver->has_session;
}

int mold_receiver_is_ended(const mold_receiver *receiver)
{
    return receiver->phase == PHASE_RUNNING && receiver->end_at != 0 &&
           receiver->base == receiver->end_at;
}

mold_receiver_counters mold_receiver_count(const mold_receiver *receiver)
{
    return receiver->counters;
}

mold_line_counters mold_receiver_count_line(const mold_receiver *receiver, uint32_t line)
{
    CHECK(line < MOLD_LINES);
    return receiver->lines[line];
}

typedef unsigned long long shown;

/* A complaint about two numbers: 0, for the caller to return. */
static int complain(char *message, size_t size, const char *what, uint64_t one, uint64_t other)
{
    snprintf(message, size, "%s: %llu, %llu", what, (shown)one, (shown)other);
    return 0;
}

static int check_numbers(const mold_receiver *receiver, char *message, size_t size)
{
    if (receiver->base > receiver->expected || receiver->expected > receiver->announced) {
        return complain(message, size, "base, expected and announced are not in order",
                        receiver->base, receiver->announced);
    }
    if (receiver->announced > receiver_limit(receiver) ||
        receiver->announced > receiver->claimed) {
        return complain(message, size, "announced more than the window, or than is claimed",
                        receiver->announced, receiver->claimed);
    }
    if (receiver->end_at != 0 && receiver->claimed != receiver->end_at) {
        return complain(message, size, "claimed is not where the session ends", receiver->claimed,
                        receiver->end_at);
    }
    if (receiver->phase == PHASE_RUNNING &&
        receiver_seek(receiver, receiver->base, receiver->announced, SEEK_MISSING) !=
            receiver->expected) {
        return complain(message, size, "expected is not the first that is missing",
                        receiver->expected, receiver->announced);
    }
    return 1;
}

/* Every word of the maps: no number both here and lost, none outside of [base, announced). */
static int check_maps(const mold_receiver *receiver, char *message, size_t size)
{
    uint64_t set = 0;
    for (size_t i = 0; i < receiver->window / 64; i++) {
        if ((receiver->here[i] & receiver->lost[i]) != 0) {
            return complain(message, size, "both here and given up: slots of word", i, 0);
        }
        set += (uint64_t)__builtin_popcountll(receiver->here[i] | receiver->lost[i]);
    }
    const uint64_t inside = receiver->announced - receiver->base -
                            receiver_count_missing(receiver, receiver->base, receiver->announced);
    if (set != inside) {
        return complain(message, size, "bits set outside of what is announced", set, inside);
    }
    return 1;
}

static int check_gaps(const mold_receiver *receiver, char *message, size_t size)
{
    uint64_t last = 0;
    uint64_t missing = 0;
    size_t open = 0;
    for (size_t i = 0; i < receiver->gap_count; i++) {
        const gap_entry *entry = &receiver->gaps[i];
        const mold_gap *gap = &entry->gap;
        const uint64_t end = gap->first + gap->count;
        if (gap->first < last || gap->count == 0) {
            return complain(message, size, "gaps not in order", last, gap->first);
        }
        last = end;
        if (gap->state >= GAP_FILLED) {
            continue;
        }
        const uint64_t from = gap->first > receiver->base ? gap->first : receiver->base;
        open++;
        missing += gap->missing;
        if (end > receiver->announced || gap->missing == 0 ||
            gap->missing != receiver_count_missing(receiver, from, end)) {
            return complain(message, size, "a gap does not count what is missing in it", gap->first,
                            gap->missing);
        }
        if (entry->asked < gap->first || entry->asked > end ||
            (i < receiver->ask_index &&
             receiver_seek_missing(receiver, entry->asked, end) < end)) {
            return complain(message, size, "a gap is passed over in asking", gap->first,
                            entry->asked);
        }
    }
    if (open != receiver->open_gaps || open > receiver->config.max_gaps) {
        return complain(message, size, "open gaps", open, receiver->open_gaps);
    }
    if (receiver->phase == PHASE_RUNNING &&
        missing != receiver_count_missing(receiver, receiver->expected, receiver->announced)) {
        return complain(message, size, "missing, but in no gap", missing, receiver->announced);
    }
    return 1;
}

/* A piece that misses something lies in one open gap, which has asked for it; no two overlap. */
static int check_pieces(const mold_receiver *receiver, char *message, size_t size)
{
    for (size_t i = 0; i < receiver->piece_count; i++) {
        const piece *at = &receiver->pieces[i];
        if (at->first >= at->end || at->attempts == 0 ||
            at->attempts > receiver->config.attempts) {
            return complain(message, size, "a request for nothing, or too often", at->first,
                            at->attempts);
        }
        for (size_t j = 0; j < i; j++) {
            if (at->first < receiver->pieces[j].end && receiver->pieces[j].first < at->end) {
                return complain(message, size, "asked for twice at a time", at->first, at->end);
            }
        }
    }
    return 1;
}

int mold_receiver_check(const mold_receiver *receiver, char *message, size_t size)
{
    return check_numbers(receiver, message, size) && check_maps(receiver, message, size) &&
           check_gaps(receiver, message, size) && check_pieces(receiver, message, size);
}
