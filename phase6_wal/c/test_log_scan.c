/* test_log_scan.c - a log cut at every byte gives exactly the longest valid prefix.
 *
 * Cut in three ways: the file ends there; zeros follow, as in blocks never written; what an earlier
 * use of the file left follows. To look at a log of a megabyte from its beginning for each of a
 * million cuts would take minutes, so most are looked at from a scan_result kept a little before:
 * that this is the same is held against the whole way at cuts all over the log.
 */
#include "phase6_wal/c/log_scan_story.h"

enum { MEBIBYTE = 1 << 20, SMALL = 1 << 16, WINDOW = 6 };

/* What must be said of a log of which `whole` records and `part` bytes of the next are there. */
static void check_prefix(const story *s, const scan_result *got, uint64_t whole)
{
    CHECK(got->records == whole);
    CHECK(got->marks == whole / 23);
    CHECK(got->sequence == story_commands(whole));
    CHECK(got->end == LOG_HEADER_BYTES + whole * LOG_RECORD_BYTES);
    CHECK(got->later == 0);
    CHECK((got->reason == SCAN_GOOD) == (whole == s->slots));
}

/* The state after `whole` records, made by going on from the one before. */
static void advance(const story *s, scan_result *state, uint64_t whole)
{
    while (state->slot < whole) {
        scan_slots(story_slot(s, state->slot), LOG_RECORD_BYTES, state);
    }
}

/* Guards: a cut after which a record is lost that was whole, or half of one is taken for one; and a
 * read beyond the file's end, under AddressSanitizer. */
static void test_file_ends_at_every_byte(void)
{
    story s = story_begin(MEBIBYTE, NULL, 7);
    story_fill(&s, s.slots);
    scan_result state;
    for (uint64_t cut = 0; cut < LOG_HEADER_BYTES; cut++) {
        CHECK(scan_header(s.bytes, cut, NULL, &state) == SCAN_SHORT);
        CHECK(state.found == cut && state.expected == LOG_HEADER_BYTES && state.end == 0);
    }
    uint64_t whole_ways = 0;
    scan_header(s.bytes, s.size, NULL, &state);
    for (uint64_t cut = LOG_HEADER_BYTES; cut <= s.size; cut++) {
        const uint64_t in_slots = cut - LOG_HEADER_BYTES;
        const uint64_t whole = in_slots / LOG_RECORD_BYTES;
        advance(&s, &state, whole);
        scan_result got = state;
        got.file_bytes = cut;
        uint8_t part[LOG_RECORD_BYTES]; /* of its own, so that a byte too many is found */
        memcpy(part, story_slot(&s, whole), in_slots % LOG_RECORD_BYTES);
        scan_slots(part, in_slots % LOG_RECORD_BYTES, &got);
        scan_end(&got);
        check_prefix(&s, &got, whole);
        uint8_t any = 0;
        for (uint64_t i = 0; whole < s.slots && i < in_slots % LOG_RECORD_BYTES; i++) {
            any |= part[i];
        }
        CHECK(got.torn == (any != 0));
        if (whole < s.slots) {
            CHECK(got.reason == SCAN_SHORT && got.found == cut && got.expected == s.size);
            CHECK(got.written_tail == in_slots % LOG_RECORD_BYTES);
        }
        if (cut % 4093 == 0 || cut + 200 > s.size) {
            const scan_result same = story_scan(&s, cut);
            story_same(&got, &same);
            whole_ways++;
        }
    }
    CHECK(whole_ways > 400);
    free(s.bytes);
}

/* The file holds the log up to `cut` and `from` behind it: look at a few slots from `before` on. */
static void try_tail(const story *s, const story *full, const uint8_t *from, uint64_t cut,
                     const scan_result *before)
{
    const uint64_t whole = (cut - LOG_HEADER_BYTES) / LOG_RECORD_BYTES;
    const uint64_t left = s->slots - before->slot;
    scan_result got = *before;
    scan_slots(story_slot(s, before->slot), (left < WINDOW ? left : WINDOW) * LOG_RECORD_BYTES,
               &got);
    uint64_t prefix = whole, torn = 0;
    if (whole < s->slots) {
        const uint8_t *slot = story_slot(s, whole);
        const uint64_t at = (uint64_t)(slot - s->bytes);
        /* What stood behind the cut may happen to be what would have come. */
        prefix += memcmp(slot, full->bytes + at, LOG_RECORD_BYTES) == 0;
        torn = prefix == whole && memcmp(slot, from + at, LOG_RECORD_BYTES) != 0;
    }
    CHECK(got.records == prefix);
    CHECK(got.sequence == full->sequence - story_commands(s->slots) + story_commands(prefix));
    CHECK(got.end == LOG_HEADER_BYTES + prefix * LOG_RECORD_BYTES);
    CHECK(got.later == 0);
    if (got.slot < s->slots) {
        CHECK(got.torn == torn);
        CHECK(torn || got.reason == (from[LOG_HEADER_BYTES] ? SCAN_STALE : SCAN_EMPTY));
    }
}

/* Guards: the same for a file whose blocks are all there, which is what a crash leaves: zeros
 * behind the cut, or a whole segment of an earlier use of the file, valid in its time at the same
 * places. */
static void test_tails_at_every_byte(int reused)
{
    story stale = story_begin(MEBIBYTE, NULL, 9);
    story_fill(&stale, stale.slots);
    story full = story_begin(MEBIBYTE, &stale, 7), s = story_begin(MEBIBYTE, &stale, 7);
    story_fill(&full, full.slots);
    if (reused) {
        memcpy(story_slot(&s, 0), story_slot(&stale, 0), s.size - LOG_HEADER_BYTES);
    } else {
        memset(stale.bytes, 0, stale.size);
    }
    scan_result before;
    scan_header(s.bytes, s.size, NULL, &before);
    uint64_t whole_ways = 0;
    for (uint64_t cut = LOG_HEADER_BYTES; cut <= s.size; cut++) {
        s.bytes[cut - 1] = full.bytes[cut - 1];
        const uint64_t whole = (cut - LOG_HEADER_BYTES) / LOG_RECORD_BYTES;
        advance(&s, &before, whole > 2 ? whole - 2 : 0);
        try_tail(&s, &full, stale.bytes, cut, &before);
        if (cut % 8191 == 0) {
            const scan_result got = story_scan(&s, s.size);
            CHECK(got.records - whole <= 1 && got.later == 0 && got.torn <= 2);
            CHECK(reused || got.written_tail < LOG_RECORD_BYTES);
            whole_ways++;
        }
    }
    CHECK(whole_ways > 100);
    free(full.bytes);
    free(s.bytes);
    free(stale.bytes);
}

/* Guards: a scan that depends on where it was interrupted, between any two pieces. */
static void test_pieces(void)
{
    story s = story_begin(SMALL, NULL, 5);
    story_fill(&s, s.slots / 2);
    memset(story_slot(&s, 100) + 30, 0xAA, 3);
    const scan_result whole = story_scan(&s, s.size);
    CHECK(whole.records == 100 && whole.later == s.slots / 2 - 101);
    for (uint64_t piece = 1; piece < 130; piece++) {
        scan_result got;
        scan_header(s.bytes, s.size, NULL, &got);
        for (uint64_t slot = 0; slot < s.slots; slot += piece) {
            const uint64_t rest = s.size - LOG_HEADER_BYTES - slot * LOG_RECORD_BYTES;
            const uint64_t size = piece * LOG_RECORD_BYTES;
            scan_slots(story_slot(&s, slot), size < rest ? size : rest, &got);
        }
        scan_end(&got);
        story_same(&got, &whole);
    }
    free(s.bytes);
}

/* Guards: bodies out of place, a mark among the commands, or a mark that stands at another one. */
static void test_bodies(void)
{
    story s = story_begin(SMALL, NULL, 3);
    story_fill(&s, 100);
    static uint64_t bodies[100][8], positions[100];
    static log_mark marks[100];
    size_t mark_count = 0;
    CHECK(scan_bodies(story_slot(&s, 0), 100, bodies, marks, positions, &mark_count) == 96);
    CHECK(mark_count == 4);
    for (uint64_t i = 0; i < 96; i++) {
        CHECK(bodies[i][0] == i + 1);
    }
    for (uint64_t i = 0; i < 4; i++) {
        CHECK(positions[i] == (i + 1) * 22 && marks[i].sequence == positions[i]);
    }
    CHECK(scan_bodies(story_slot(&s, 0), 100, bodies, NULL, NULL, NULL) == 96);
    CHECK(scan_bodies(story_slot(&s, 0), 0, bodies, NULL, NULL, &mark_count) == 0);
    CHECK(mark_count == 0);
    free(s.bytes);
}

int main(void)
{
    test_file_ends_at_every_byte();
    test_tails_at_every_byte(0);
    test_tails_at_every_byte(1);
    test_pieces();
    test_bodies();
    return 0;
}
