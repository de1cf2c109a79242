/* test_log_scan_damage.c - whatever happens to a log's bytes, nothing but what was written is
 * valid. */
#include "phase6_wal/c/log_scan_story.h"

enum { SECTOR = 512, KIB64 = 1 << 16, MEBIBYTE = 1 << 20 };

/* Guards: a bit of a header that no check covers, so that a wrong salt or sequence is believed. */
static void test_every_bit_of_a_header(void)
{
    story s = story_begin(KIB64, NULL, 11);
    story_fill(&s, s.slots);
    for (uint64_t bit = 0; bit < LOG_HEADER_BYTES * 8; bit++) {
        s.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        scan_result got;
        CHECK(scan_header(s.bytes, s.size, NULL, &got) != SCAN_GOOD && got.end == 0);
        CHECK(got.reason == (bit / 8 < 8 ? SCAN_MAGIC : SCAN_HEADER_CRC));
        CHECK(got.found != got.expected);
        s.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    CHECK(story_scan(&s, s.size).reason == SCAN_GOOD);
    free(s.bytes);
}

/* Guards: a bit of a record that no check covers. Every bit of 64 KiB; the log ends before the
 * record that it is in, those behind are seen, and in the bytes that no slot has nothing is looked
 * at. */
static void test_every_bit_of_the_records(void)
{
    story s = story_begin(KIB64, NULL, 11);
    story_fill(&s, s.slots);
    scan_result state;
    scan_header(s.bytes, s.size, NULL, &state);
    for (uint64_t slot = 0; slot < s.slots; slot++) {
        uint8_t *at = story_slot(&s, slot);
        for (uint64_t bit = 0; bit < LOG_RECORD_BYTES * 8; bit++) {
            at[bit / 8] ^= (uint8_t)(1 << bit % 8);
            scan_result got = state;
            scan_slots(at, LOG_RECORD_BYTES, &got);
            CHECK(got.records == slot && got.reason != SCAN_GOOD && got.later == 0);
            CHECK(got.torn == 1 && got.found != got.expected);
            if (bit % 320 == slot % 320) {
                const scan_result whole = story_scan(&s, s.size);
                CHECK(whole.records == slot && whole.reason == got.reason);
                CHECK(whole.later == s.slots - slot - 1 && whole.torn == 1);
            }
            at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        scan_slots(at, LOG_RECORD_BYTES, &state);
    }
    memset(story_slot(&s, s.slots), 0xFF, (s.size - LOG_HEADER_BYTES) % LOG_RECORD_BYTES);
    CHECK(story_scan(&s, s.size).reason == SCAN_GOOD);
    free(s.bytes);
}

static void spoil_sector(uint8_t *sector, int how, command_stream *random)
{
    for (size_t i = 0; i < SECTOR; i++) {
        sector[i] = how == 0 ? 0 : how == 1 ? 0xFF : (uint8_t)stream_word(random);
    }
}

/* Guards: a lost, a stuck or a foreign sector, anywhere: the log ends before the first record that
 * touches it, and every whole record behind it is seen: that is how damage is told from a torn
 * tail. */
static void test_every_sector(uint64_t size)
{
    story s = story_begin(size, NULL, 13);
    story_fill(&s, s.slots);
    const uint64_t durable = story_scan(&s, s.size).durable;
    CHECK(durable > 0);
    uint8_t kept[SECTOR];
    for (int how = 0; how < 3; how++) {
        for (uint64_t at = 0; at < s.size; at += SECTOR) {
            memcpy(kept, s.bytes + at, SECTOR);
            spoil_sector(s.bytes + at, how, &s.random);
            const scan_result got = story_scan(&s, s.size);
            if (at < LOG_HEADER_BYTES) {
                /* Behind the first sector of a header there are zeros. */
                CHECK((got.reason == SCAN_GOOD) == (at > 0 && how == 0));
            } else {
                const uint64_t first = (at - LOG_HEADER_BYTES) / LOG_RECORD_BYTES;
                uint64_t last = (at + SECTOR - 1 - LOG_HEADER_BYTES) / LOG_RECORD_BYTES;
                last = last < s.slots ? last : s.slots - 1;
                CHECK(got.records == first && got.reason != SCAN_GOOD);
                CHECK(got.later == s.slots - 1 - last);
                CHECK(got.later == 0 || got.later_offset == (uint64_t)(story_slot(&s, last + 1) -
                                                                       s.bytes));
                CHECK(got.later == 0 || got.later_sequence == s.sequence);
                CHECK(got.later == 0 || got.later_durable == durable);
            }
            memcpy(s.bytes + at, kept, SECTOR);
        }
    }
    free(s.bytes);
}

/* Guards: a record of an earlier use of the file taken for one of this: here the very same
 * commands, numbered alike. Only the salt differs; with the same salt (the control) they are
 * taken. */
static void test_stale_tails(void)
{
    for (int control = 0; control < 2; control++) {
        story old = story_begin(KIB64, NULL, 9), s = story_begin(KIB64, NULL, control ? 9 : 10);
        s.random.state = old.random.state;
        story_fill(&old, old.slots);
        story_fill(&s, 100);
        memcpy(story_slot(&s, 100), story_slot(&old, 100), (s.slots - 100) * LOG_RECORD_BYTES);
        const scan_result got = story_scan(&s, s.size);
        CHECK(got.records == (control ? s.slots : 100));
        CHECK(got.later == 0);
        CHECK(got.torn == (control ? 0 : s.slots - 100)); /* not from before the segment: torn */
        free(old.bytes);
        free(s.bytes);
    }
}

/* Guards: a clean end in a file used again that is reported as torn, or the reverse: half a record
 * at the end that is passed over as stale. */
static void test_stale_or_torn(void)
{
    story old = story_begin(KIB64, NULL, 9);
    story_fill(&old, old.slots);
    for (uint64_t used = 0; used < old.slots - 1; used += 7) {
        story s = story_begin(KIB64, &old, 10);
        memcpy(story_slot(&s, 0), story_slot(&old, 0), s.slots * LOG_RECORD_BYTES);
        story_fill(&s, used);
        scan_result got = story_scan(&s, s.size);
        CHECK(got.records == used && got.reason == SCAN_STALE && got.torn == 0 && got.later == 0);
        CHECK(got.written_tail == (s.slots - used) * LOG_RECORD_BYTES);
        for (size_t half = 1; half < LOG_RECORD_BYTES; half++) { /* the next one, torn either way */
            uint8_t kept[LOG_RECORD_BYTES];
            uint8_t *at = story_slot(&s, used);
            memcpy(kept, at, sizeof kept);
            for (size_t i = half % 2 ? half : 0; i < (half % 2 ? sizeof kept : half); i++) {
                at[i] ^= 0x5A;
            }
            got = story_scan(&s, s.size);
            CHECK(got.records == used && got.reason != SCAN_STALE && got.torn == 1);
            memcpy(at, kept, sizeof kept);
        }
        free(s.bytes);
    }
    free(old.bytes);
}

/* Guards: a record that was written once and is valid, in the place of another one. All pairs; the
 * commands before the end are those that were written, each of them. */
static void test_duplicates_and_swaps(void)
{
    story s = story_begin(8192, NULL, 21);
    story_fill(&s, s.slots);
    uint8_t kept[LOG_RECORD_BYTES];
    for (uint64_t from = 0; from < s.slots; from++) {
        for (uint64_t to = 0; to < s.slots; to++) {
            if (from == to) {
                continue;
            }
            memcpy(kept, story_slot(&s, to), sizeof kept);
            memcpy(story_slot(&s, to), story_slot(&s, from), sizeof kept);
            scan_result got = story_scan(&s, s.size);
            /* A mark has no number of its own: the command after it may stand in its place. */
            const uint64_t hidden = to % 23 == 22 && from == to + 1;
            CHECK(got.records == to + hidden && got.later == s.slots - to - hidden);
            CHECK(got.torn == 0);
            CHECK(got.reason == SCAN_SEQUENCE || got.reason == SCAN_MARK_CHAIN);
            memcpy(story_slot(&s, from), kept, sizeof kept);
            got = story_scan(&s, s.size);
            const uint64_t low = from < to ? from : to, high = from + to - low;
            CHECK(got.records == low + (low % 23 == 22 && high == low + 1));
            memcpy(story_slot(&s, from), story_slot(&s, to), sizeof kept);
            memcpy(story_slot(&s, to), kept, sizeof kept);
        }
    }
    CHECK(story_scan(&s, s.size).reason == SCAN_GOOD);
    free(s.bytes);
}

static scan_expect after(const story *s)
{
    log_header header;
    memcpy(&header, s->bytes, sizeof header);
    return (scan_expect){header.log_id, header.number, s->sequence, s->chain, LOG_COMMANDS};
}

/* Guards: a segment of another log, of another place, or of another past, that is read on with. */
static void test_exchanged_segments(void)
{
    story one = story_begin(8192, NULL, 1), twin = story_begin(8192, NULL, 1);
    story_fill(&one, one.slots);
    twin.random.state = 99; /* as many commands, but others */
    story_fill(&twin, twin.slots);
    story two = story_begin(8192, &one, 2);
    story_fill(&two, two.slots);
    story three = story_begin(8192, &two, 3);
    story_fill(&three, 5);
    const scan_expect ones = after(&one), twos = after(&two), twins = after(&twin);
    scan_result got;
    scan_segment(two.bytes, two.size, &ones, &got);
    CHECK(got.reason == SCAN_GOOD && got.sequence == two.sequence);
    scan_segment(three.bytes, three.size, &twos, &got);
    CHECK(got.reason == SCAN_EMPTY && got.records == 5);
    scan_segment(three.bytes, three.size, &ones, &got);
    CHECK(got.reason == SCAN_NUMBER && got.found == 3 && got.expected == 2 && got.records == 0);
    scan_segment(two.bytes, two.size, &twins, &got);
    CHECK(got.reason == SCAN_CHAIN && got.found == one.chain && got.expected == twin.chain);
    scan_expect other = ones;
    other.log_id++;
    scan_segment(two.bytes, two.size, &other, &got);
    CHECK(got.reason == SCAN_LOG_ID && got.end == 0);
    other = ones;
    other.sequence--;
    scan_segment(two.bytes, two.size, &other, &got);
    CHECK(got.reason == SCAN_FIRST_SEQUENCE && got.found == got.expected + 1);
    other = ones;
    other.content = LOG_EVENTS;
    scan_segment(two.bytes, two.size, &other, &got);
    CHECK(got.reason == SCAN_CONTENT && got.found == LOG_COMMANDS);
    free(one.bytes);
    free(twin.bytes);
    free(two.bytes);
    free(three.bytes);
}

/* Guards: a command replaced by another that is valid in its place: the next mark says so. */
static void test_a_mark_vouches(void)
{
    story s = story_begin(8192, NULL, 31);
    story_fill(&s, s.slots);
    story_slot(&s, 30)[40] ^= 1;
    story_seal(&s, 30);
    const scan_result got = story_scan(&s, s.size);
    CHECK(got.reason == SCAN_MARK_CHAIN && got.records == 45 && got.marks == 1);
    CHECK(got.marked == 22 && got.sequence == 44 && got.later == s.slots - 45);
    free(s.bytes);
}

/* Guards: a rule of the format that is not looked at behind a right crc. */
static void test_every_rule(void)
{
    static const struct {
        size_t offset;
        uint8_t value;
        int reason;
    } rules[] = {{4, 81, SCAN_LENGTH}, {5, 1, SCAN_LENGTH},    {6, 0, SCAN_KIND},
                 {6, 4, SCAN_KIND},    {6, 2, SCAN_KIND},      {7, 1, SCAN_ZERO},
                 {8, 99, SCAN_DURABLE}, {15, 1, SCAN_DURABLE}, {16, 99, SCAN_SEQUENCE},
                 {23, 1, SCAN_SEQUENCE}};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        story s = story_begin(8192, NULL, 41);
        story_fill(&s, 20);
        story_slot(&s, 12)[rules[i].offset] = rules[i].value;
        story_seal(&s, 12);
        const scan_result got = story_scan(&s, s.size);
        CHECK(got.records == 12 && got.reason == rules[i].reason);
        CHECK(scan_field(got.reason)[0] != 0 && got.found != got.expected);
        free(s.bytes);
    }
    story s = story_begin(8192, NULL, 42);
    story_fill(&s, 20);
    story_slot(&s, 12)[8] = 13; /* its own: no writer says so, and nothing is wrong with it */
    story_seal(&s, 12);
    CHECK(story_scan(&s, s.size).records == 20);
    free(s.bytes);
    CHECK(scan_field(-1)[0] == 0 && scan_field(SCAN_REASONS)[0] == 0);
    for (int reason = 0; reason < SCAN_REASONS; reason++) {
        CHECK(scan_field(reason) != NULL && scan_field(reason)[0] != 0);
    }
}

/* Guards: a header with a right crc and nonsense in it, which makes the scanner run over the
 * end. */
static void test_headers_of_a_liar(void)
{
    static const struct {
        size_t offset;
        uint64_t value;
        size_t size;
        int reason;
    } lies[] = {{12, 2, 2, SCAN_VERSION},    {14, 0, 2, SCAN_CONTENT},
                {14, 3, 2, SCAN_CONTENT},    {16, 0, 8, SCAN_FIRST_SEQUENCE},
                {24, 0, 8, SCAN_NUMBER},     {32, 0, 8, SCAN_LOG_ID},
                {40, 0, 8, SCAN_BYTES},      {40, 4095, 8, SCAN_BYTES},
                {40, 4175, 8, SCAN_BYTES},   {40, 8191, 8, SCAN_BYTES},
                {48, 0, 4, SCAN_SALT},       {56, 4, 1, SCAN_DURABILITY},
                {40, UINT64_MAX, 8, SCAN_SHORT}};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        story s = story_begin(8192, NULL, 51);
        story_fill(&s, s.slots);
        memcpy(s.bytes + lies[i].offset, &lies[i].value, lies[i].size);
        story_seal_header(s.bytes);
        const scan_result got = story_scan(&s, s.size);
        CHECK(got.reason == lies[i].reason);
        CHECK(got.records == (lies[i].reason == SCAN_SHORT ? s.slots : 0));
        free(s.bytes);
    }
    for (uint64_t size = LOG_HEADER_BYTES; size <= LOG_HEADER_BYTES + LOG_RECORD_BYTES; size++) {
        story s = story_begin(size, NULL, 52); /* no room for one record: no size of a segment */
        const scan_result got = story_scan(&s, s.size);
        CHECK(got.reason == (s.slots ? SCAN_EMPTY : SCAN_BYTES));
        CHECK(s.slots || (got.found == size && got.expected == 4176));
        free(s.bytes);
    }
}

/* Guards: a segment of acknowledged commands taken for an empty one because its header is
 * damaged. */
static void test_salvage(void)
{
    story s = story_begin(8192, NULL, 61);
    story_fill(&s, 30);
    s.bytes[200] ^= 1;
    scan_result got;
    CHECK(scan_header(s.bytes, s.size, NULL, &got) == SCAN_HEADER_CRC);
    scan_slots(story_slot(&s, 0), s.size - LOG_HEADER_BYTES, &got);
    CHECK(got.later == 0 && got.slot == 0); /* nothing, unless it is asked for */
    scan_salvage(&got);
    scan_slots(story_slot(&s, 0), s.size - LOG_HEADER_BYTES, &got);
    CHECK(got.reason == SCAN_HEADER_CRC && got.records == 0 && got.later == 30);
    CHECK(got.later_sequence == s.sequence && got.later_offset == LOG_HEADER_BYTES);
    CHECK(scan_header(s.bytes, 100, NULL, &got) == SCAN_SHORT);
    scan_salvage(&got);
    scan_slots(s.bytes, 100, &got);
    CHECK(got.later == 0 && got.slot == 0);
    free(s.bytes);
}

int main(void)
{
    test_every_bit_of_a_header();
    test_every_bit_of_the_records();
    test_every_sector(MEBIBYTE);
    test_stale_tails();
    test_stale_or_torn();
    test_duplicates_and_swaps();
    test_exchanged_segments();
    test_a_mark_vouches();
    test_every_rule();
    test_headers_of_a_liar();
    test_salvage();
    return 0;
}
