/* mold_receiver_gaps.c - gaps, and the requests that fill them; see mold_receiver.h. */
#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase5_protocol/c/mold_receiver_state.h"

static uint64_t add_times(uint64_t one, uint64_t other)
{
    return one < UINT64_MAX - other ? one + other : UINT64_MAX;
}

static uint64_t end_of(const gap_entry *entry)
{
    return entry->gap.first + entry->gap.count;
}

static int is_open(const gap_entry *entry)
{
    return entry->gap.state < GAP_FILLED;
}

/* Throw closed gaps out of the list. Done when it is full, that is when half of it is closed. */
static void gaps_tidy(mold_receiver *receiver)
{
    size_t kept = 0;
    size_t ask_index = 0;
    for (size_t i = 0; i < receiver->gap_count; i++) {
        if (is_open(&receiver->gaps[i])) {
            ask_index += i < receiver->ask_index;
            receiver->gaps[kept++] = receiver->gaps[i];
        }
    }
    receiver->gap_count = kept;
    receiver->ask_index = ask_index;
}

/* --8<-- [start:announce] */
int receiver_announce(mold_receiver *receiver, uint64_t to, uint64_t now_ns)
{
    if (to <= receiver->announced) {
        return 1;
    }
    CHECK(to <= receiver_limit(receiver));
    const uint64_t from = receiver->announced;
    const uint64_t missing =
        receiver->phase == PHASE_RUNNING ? receiver_count_missing(receiver, from, to) : 0;
    if (missing > 0) {
        if (receiver->open_gaps == receiver->config.max_gaps) {
            return 0;
        }
        if (receiver->gap_count == 2 * (size_t)receiver->config.max_gaps) {
            gaps_tidy(receiver);
        }
        receiver->gaps[receiver->gap_count++] = (gap_entry){
            .gap = {.first = from, .count = to - from, .missing = missing, .detected_ns = now_ns},
            .asked = from};
        receiver->open_gaps++;
        receiver->counters.gaps++;
    }
    receiver->announced = to;
    receiver->claimed = to > receiver->claimed ? to : receiver->claimed;
    return 1;
}
/* --8<-- [end:announce] */

void receiver_catch_up(mold_receiver *receiver, uint64_t now_ns)
{
    const uint64_t limit = receiver_limit(receiver);
    if (receiver->phase == PHASE_RUNNING) {
        receiver_announce(receiver, receiver->claimed < limit ? receiver->claimed : limit, now_ns);
    }
}

gap_entry *receiver_gap_of(mold_receiver *receiver, uint64_t number)
{
    size_t low = 0; /* the gap begins at or before `number` in all before low, in none from high */
    size_t high = receiver->gap_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (receiver->gaps[middle].gap.first <= number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0 || number >= end_of(&receiver->gaps[low - 1])) {
        return NULL;
    }
    return &receiver->gaps[low - 1];
}

static void gap_close(mold_receiver *receiver, gap_entry *entry, uint64_t now_ns)
{
    mold_receiver_counters *counters = &receiver->counters;
    CHECK(is_open(entry));
    entry->gap.state = entry->gap.lost > 0 ? GAP_UNRECOVERABLE : GAP_FILLED;
    entry->gap.closed_ns = now_ns;
    if (entry->gap.lost > 0) {
        counters->gaps_unrecoverable++;
    } else if (entry->gap.requests > 0) {
        counters->gaps_filled++;
    } else {
        counters->gaps_reordered++;
    }
    receiver->open_gaps--;
    receiver->closed[receiver->closed_head++ % CLOSED_GAPS] = entry->gap;
    if (receiver->closed_head - receiver->closed_read > CLOSED_GAPS) {
        receiver->closed_read++;
        counters->gaps_unlogged++;
    }
}

void receiver_gap_shrink(mold_receiver *receiver, gap_entry *entry, uint64_t now_ns)
{
    CHECK(entry->gap.missing > 0);
    if (--entry->gap.missing == 0) {
        gap_close(receiver, entry, now_ns);
    }
}

/* Numbers of one gap that are still missing in [first, end) will never come. */
static void give_up(mold_receiver *receiver, uint64_t first, uint64_t end, uint64_t now_ns)
{
    gap_entry *entry = receiver_gap_of(receiver, first);
    CHECK(entry != NULL && end <= end_of(entry));
    uint64_t count = 0;
    for (uint64_t n = first; (n = receiver_seek(receiver, n, end, SEEK_MISSING)) < end; n++) {
        receiver->lost[(n & receiver->mask) / 64] |= UINT64_C(1) << n % 64;
        count++;
    }
    CHECK(count > 0 && count <= entry->gap.missing);
    entry->gap.missing -= count;
    entry->gap.lost += count;
    receiver->counters.lost += count;
    if (entry->gap.missing == 0) {
        gap_close(receiver, entry, now_ns);
    }
    receiver->expected = receiver_seek_missing(receiver, 0, receiver->announced);
    /* A whole window, and nothing came: whoever claimed more was wrong, or is gone. */
    receiver->given_up_in_a_row += count;
    if (receiver->given_up_in_a_row >= receiver->window &&
        receiver->claimed > receiver->announced) {
        receiver->claimed = receiver->announced;
        receiver->end_at = 0;
        receiver->counters.claims_withdrawn++;
    }
}

void receiver_gaps_skip(mold_receiver *receiver, uint64_t next, uint64_t now_ns)
{
    for (size_t i = 0; i < receiver->gap_count && receiver->gaps[i].gap.first < next; i++) {
        gap_entry *entry = &receiver->gaps[i];
        if (!is_open(entry)) {
            continue;
        }
        const uint64_t end = end_of(entry) < next ? end_of(entry) : next;
        const uint64_t expected = receiver->expected;
        const uint64_t from = entry->gap.first > expected ? entry->gap.first : expected;
        const uint64_t skipped = receiver_count_missing(receiver, from, end);
        entry->gap.missing -= skipped;
        entry->gap.lost += skipped;
        if (entry->gap.missing == 0) {
            gap_close(receiver, entry, now_ns);
        } else {
            entry->gap.count -= end - entry->gap.first;
            entry->gap.first = end;
            entry->asked = entry->asked > end ? entry->asked : end;
        }
    }
    for (size_t i = 0; i < receiver->piece_count;) {
        piece *at = &receiver->pieces[i];
        if (at->end <= next) {
            *at = receiver->pieces[--receiver->piece_count];
            continue;
        }
        at->first = at->first > next ? at->first : next;
        i++;
    }
}

/* --- asking -------------------------------------------------------------------------------- */

static void ask(mold_receiver *receiver, piece *at, uint64_t now_ns, void *to)
{
    gap_entry *entry = receiver_gap_of(receiver, at->first);
    CHECK(entry != NULL && is_open(entry));
    const uint64_t end = receiver_seek(receiver, at->first, at->end, SEEK_SETTLED);
    mold_write_request(to, receiver->session, at->first, (uint16_t)(end - at->first));
    const uint32_t doublings = at->attempts < 6 ? at->attempts : 6;
    const uint64_t timeout = receiver->config.request_timeout_ns;
    at->due_ns = add_times(now_ns, timeout > UINT64_MAX >> 6 ? timeout : timeout << doublings);
    at->sent_first = at->first;
    receiver->counters.requests++;
    receiver->counters.repeated += at->attempts > 0;
    at->attempts++;
    if (entry->gap.requests++ == 0) {
        entry->gap.state = GAP_REQUESTED;
        entry->gap.requested_ns = now_ns;
    }
}

/* Ask again for what is overdue, or give it up. What was answered in part is asked for at once: the
 * answer was as long as an answer can be. Returns how many requests were written. */
/* --8<-- [start:again] */
static size_t ask_again(mold_receiver *receiver, uint64_t now_ns, uint8_t *to, size_t room)
{
    size_t written = 0;
    for (size_t i = 0; i < receiver->piece_count;) {
        piece *at = &receiver->pieces[i];
        at->first = receiver_seek_missing(receiver, at->first, at->end);
        const int done = at->first == at->end;
        const int moved = at->first > at->sent_first;
        const int due = moved || now_ns >= at->due_ns;
        if (done || (due && !moved && at->attempts >= receiver->config.attempts)) {
            if (!done) {
                give_up(receiver, at->first, at->end, now_ns);
            }
            *at = receiver->pieces[--receiver->piece_count];
            continue;
        }
        if (due && written < room) {
            at->attempts = moved ? 0 : at->attempts;
            ask(receiver, at, now_ns, to + written++ * MOLD_REQUEST_BYTES);
        }
        i++;
    }
    return written;
}
/* --8<-- [end:again] */

/* The first gap that has something nobody asked for yet; NULL: none. */
static gap_entry *gap_to_ask(mold_receiver *receiver)
{
    for (; receiver->ask_index < receiver->gap_count; receiver->ask_index++) {
        gap_entry *entry = &receiver->gaps[receiver->ask_index];
        if (is_open(entry)) {
            entry->asked = receiver_seek_missing(receiver, entry->asked, end_of(entry));
            if (entry->asked < end_of(entry)) {
                return entry;
            }
        }
    }
    return NULL;
}

size_t mold_receiver_poll(mold_receiver *receiver, uint64_t now_ns, void *requests, size_t room)
{
    uint8_t *to = requests;
    const mold_receiver_config *config = &receiver->config;
    receiver_catch_up(receiver, now_ns);
    size_t written = ask_again(receiver, now_ns, to, room);
    gap_entry *entry;
    while ((entry = gap_to_ask(receiver)) != NULL &&
           now_ns >= add_times(entry->gap.detected_ns, config->reorder_delay_ns)) {
        const uint64_t first = entry->asked;
        const uint64_t left = end_of(entry) - first;
        const uint64_t most = config->request_messages < left ? config->request_messages : left;
        const uint64_t end = receiver_seek(receiver, first, first + most, SEEK_SETTLED);
        if (config->attempts == 0) {
            entry->asked = end;
            give_up(receiver, first, end, now_ns);
            continue;
        }
        if (receiver->piece_count == config->max_requests || written == room) {
            break;
        }
        entry->asked = end;
        piece *at = &receiver->pieces[receiver->piece_count++];
        *at = (piece){.first = first, .end = end};
        ask(receiver, at, now_ns, to + written++ * MOLD_REQUEST_BYTES);
    }
    return written;
}

uint64_t mold_receiver_deadline(const mold_receiver *receiver)
{
    const mold_receiver_config *config = &receiver->config;
    const uint64_t limit = receiver_limit(receiver);
    uint64_t deadline = UINT64_MAX;
    if (receiver->phase != PHASE_RUNNING) {
        return deadline;
    }
    if ((receiver->claimed < limit ? receiver->claimed : limit) > receiver->announced &&
        receiver->open_gaps < config->max_gaps) {
        return 0; /* the window has moved on: more can be announced */
    }
    for (size_t i = 0; i < receiver->piece_count; i++) {
        const piece *at = &receiver->pieces[i];
        const uint64_t first = receiver_seek_missing(receiver, at->first, at->end);
        if (first == at->end || first > at->sent_first) {
            return 0; /* something else can be asked for */
        }
        deadline = at->due_ns < deadline ? at->due_ns : deadline;
    }
    if (receiver->piece_count < config->max_requests) {
        for (size_t i = receiver->ask_index; i < receiver->gap_count; i++) {
            const gap_entry *entry = &receiver->gaps[i];
            if (is_open(entry) &&
                receiver_seek_missing(receiver, entry->asked, end_of(entry)) < end_of(entry)) {
                const uint64_t due = add_times(entry->gap.detected_ns, config->reorder_delay_ns);
                return due < deadline ? due : deadline;
            }
        }
    }
    return deadline;
}

/* --- looking ------------------------------------------------------------------------------- */

size_t mold_receiver_gaps(const mold_receiver *receiver, mold_gap *gaps, size_t room)
{
    size_t found = 0;
    for (size_t i = 0; i < receiver->gap_count && found < room; i++) {
        if (is_open(&receiver->gaps[i])) {
            gaps[found++] = receiver->gaps[i].gap;
        }
    }
    return found;
}

size_t mold_receiver_closed_gaps(mold_receiver *receiver, mold_gap *gaps, size_t room)
{
    size_t found = 0;
    while (found < room && receiver->closed_read < receiver->closed_head) {
        gaps[found++] = receiver->closed[receiver->closed_read++ % CLOSED_GAPS];
    }
    return found;
}
