/* mold_receiver_state.h - what a receiver is made of; for mold_receiver*.c alone.
 *
 * Message `number` has slot number & mask, and a bit in each of two maps: `here` and `lost`. Neither:
 * it is missing, or not yet announced. Outside of [base, announced) all bits are 0. The window is a
 * multiple of 64, so 64 numbers that begin at a multiple of 64 are one word.
 *
 * The maps say what is missing; a gap only counts it. So a gap is not split when its middle
 * arrives first, and gaps stay in the order in which they were found, oldest number first.
 */
#ifndef PHASE5_MOLD_RECEIVER_STATE_H
#define PHASE5_MOLD_RECEIVER_STATE_H

#include "phase5_protocol/c/mold_receiver.h"

enum { CLOSED_GAPS = 1024 }; /* kept for who reads them */

enum phase { PHASE_WAITING, PHASE_HELD, PHASE_RUNNING };

typedef struct {
    mold_gap gap;
    uint64_t asked; /* numbers before this were asked for at least once */
} gap_entry;

/* A piece of a gap that was asked for: numbers first to end - 1, as far as they are missing. */
typedef struct {
    uint64_t first;
    uint64_t end;
    uint64_t sent_first; /* `first` when it was asked for last */
    uint64_t due_ns;     /* when to ask again */
    uint32_t attempts;
    uint32_t unused;
} piece;

struct mold_receiver {
    mold_receiver_config config;
    enum phase phase;
    int has_session;
    uint8_t session[MOLD_SESSION_BYTES];
    uint64_t base, expected, announced;
    uint64_t claimed; /* believed to exist: all numbers before; announced follows it in the window */
    uint64_t end_at;  /* first number after the session; 0: not known */
    uint64_t doubted; /* a claim nobody has borne out yet; 0: none */
    uint64_t doubted_ns;
    uint64_t given_up_in_a_row; /* numbers given up since the last message came */
    uint64_t window, mask;
    size_t stride; /* of slots; in front of a message of varying length stand two bytes for it */
    uint8_t *slots;
    uint64_t *here, *lost;
    gap_entry *gaps; /* room for twice max_gaps, closed ones among them until the next tidying */
    size_t gap_count, open_gaps, ask_index; /* gaps before ask_index are asked for or closed */
    piece *pieces;
    size_t piece_count;
    mold_gap closed[CLOSED_GAPS];
    uint64_t closed_head, closed_read; /* ever closed; of them, read or overwritten */
    mold_receiver_counters counters;
    mold_line_counters lines[MOLD_LINES];
};

/* What to look for in the maps. */
enum seek { SEEK_MISSING, SEEK_SETTLED, SEEK_NOT_HERE, SEEK_NOT_LOST };

static inline uint64_t receiver_word(const mold_receiver *receiver, uint64_t number, enum seek what)
{
    const uint64_t place = (number & receiver->mask) / 64;
    const uint64_t here = receiver->here[place];
    const uint64_t lost = receiver->lost[place];
    switch (what) {
    case SEEK_MISSING: return ~(here | lost);
    case SEEK_SETTLED: return here | lost;
    case SEEK_NOT_HERE: return ~here;
    default: return ~lost;
    }
}

/* The first such number in [from, end), at most a window apart; `end` if there is none. */
static inline uint64_t receiver_seek(const mold_receiver *receiver, uint64_t from, uint64_t end,
                                     enum seek what)
{
    while (from < end) {
        const uint64_t word = receiver_word(receiver, from, what) >> from % 64;
        if (word != 0) {
            const uint64_t found = from + (uint64_t)__builtin_ctzll(word);
            return found < end ? found : end;
        }
        const uint64_t step = 64 - from % 64;
        if (step >= end - from) {
            break;
        }
        from += step;
    }
    return end;
}

/* The first number from `from` on that is missing: never one before expected, where the bits of
 * what was consumed are 0 again. `end` if there is none. */
static inline uint64_t receiver_seek_missing(const mold_receiver *receiver, uint64_t from,
                                             uint64_t end)
{
    from = from > receiver->expected ? from : receiver->expected;
    return receiver_seek(receiver, from, end, SEEK_MISSING);
}

/* How many numbers of [from, end) are missing. */
static inline uint64_t receiver_count_missing(const mold_receiver *receiver, uint64_t from,
                                              uint64_t end)
{
    uint64_t count = 0;
    while (from < end) {
        const uint64_t step = 64 - from % 64 < end - from ? 64 - from % 64 : end - from;
        uint64_t word = receiver_word(receiver, from, SEEK_MISSING) >> from % 64;
        word &= step < 64 ? (UINT64_C(1) << step) - 1 : UINT64_MAX;
        count += (uint64_t)__builtin_popcountll(word);
        from += step;
    }
    return count;
}

static inline uint64_t receiver_limit(const mold_receiver *receiver)
{
    return receiver->base < UINT64_MAX - receiver->window ? receiver->base + receiver->window
                                                          : UINT64_MAX;
}

/* mold_receiver_gaps.c */

/* Numbers before `to`, which lies in the window, exist: those missing among the new are a gap. 0,
 * and nothing done: too many gaps are open. */
int receiver_announce(mold_receiver *receiver, uint64_t to, uint64_t now_ns);
/* As far as the window allows, announce what is claimed. */
void receiver_catch_up(mold_receiver *receiver, uint64_t now_ns);
/* The gap that has `number` in it; NULL: none. */
gap_entry *receiver_gap_of(mold_receiver *receiver, uint64_t number);
/* One number of the gap is missing no more. */
void receiver_gap_shrink(mold_receiver *receiver, gap_entry *entry, uint64_t now_ns);
/* Forget what is missing before `next`. */
void receiver_gaps_skip(mold_receiver *receiver, uint64_t next, uint64_t now_ns);

#endif
