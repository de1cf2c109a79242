/* test_spsc_ring.c - the SPSC ring from one thread: edges, laps, copies of cursors, waits, checks.
 *
 *        tail          head                 every test runs at starts where a cursor is about to
 *   ┌───┬─┼─┬───┬───┬───┼───┬───┬───┐       pass a sign bit, 2**32 or 2**64: nothing must care
 *   │   │ ■ │ ■ │ ■ │ ■ │   │   │   │
 *   └───┴───┴───┴───┴───┴───┴───┴───┘       What two threads do to it: test_spsc_stress.c.
 */
#include <stdio.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase4_ring/c/spsc_ring.h"

enum { CAPACITY = 8 };

static const uint64_t STARTS[] = {0,
                                  5,
                                  (UINT64_C(1) << 31) - 3,
                                  (UINT64_C(1) << 32) - 3,
                                  (UINT64_C(1) << 63) - 3,
                                  UINT64_MAX - 2,
                                  UINT64_MAX};
enum { START_COUNT = sizeof STARTS / sizeof *STARTS };

static spsc_ring *make(uint64_t start, int parking)
{
    spsc_ring *ring;
    region_problem problem;
    CHECK(spsc_create(NULL, CAPACITY, parking, start, &ring, &problem) == 0);
    return ring;
}

static void check(const spsc_ring *ring)
{
    char message[256] = "";
    if (!spsc_check(ring, message, sizeof message)) {
        fprintf(stderr, "%s\n", message);
        CHECK(0);
    }
}

static ring_record record_of(uint64_t number)
{
    ring_record record;
    for (uint64_t place = 0; place < 8; place++) {
        record.words[place] = number * 31 + place;
    }
    return record;
}

static int is_record(const ring_record *record, uint64_t number)
{
    ring_record expected = record_of(number);
    return memcmp(record, &expected, sizeof expected) == 0;
}

/* Guards: two cores writing one line, or records that straddle two. */
static void test_layout(void)
{
    spsc_ring *ring = make(0, 0);
    const char *base = (const char *)ring;
    const size_t lines[] = {(size_t)((char *)&ring->header - base) / CACHE_LINE_BYTES,
                            (size_t)((char *)&ring->head - base) / CACHE_LINE_BYTES,
                            (size_t)((char *)&ring->tail - base) / CACHE_LINE_BYTES,
                            (size_t)((char *)&ring->items - base) / CACHE_LINE_BYTES,
                            (size_t)((char *)&ring->space - base) / CACHE_LINE_BYTES,
                            (size_t)((char *)ring->slots - base) / CACHE_LINE_BYTES};
    CHECK((uintptr_t)ring % CACHE_LINE_BYTES == 0);
    for (size_t i = 1; i < sizeof lines / sizeof *lines; i++) {
        CHECK(lines[i] > lines[i - 1]);
    }
    /* Each side's copy of the other's cursor lies beside its own, not beside the original. */
    CHECK((size_t)((char *)&ring->tail_seen - base) / CACHE_LINE_BYTES == lines[1]);
    CHECK((size_t)((char *)&ring->head_seen - base) / CACHE_LINE_BYTES == lines[2]);
    CHECK(spsc_slots(ring) == ring->slots && (uintptr_t)ring->slots % 64 == 0);
    CHECK(spsc_bytes(ring) == sizeof *ring + CAPACITY * sizeof(ring_record));
    CHECK(spsc_capacity(ring) == CAPACITY);
    spsc_detach(ring);
}

/* Guards: a slot computed from anything but the cursor's low bits; a claim or a peek that goes past
 * the end of a lap, or stops before it. */
static void test_slots_of_cursors(uint64_t start)
{
    spsc_ring *ring = make(start, 0);
    uint64_t cursor = start;
    for (size_t wanted = 1; wanted <= 3 * CAPACITY; wanted++) {
        size_t granted, found;
        uint64_t slot = cursor & (CAPACITY - 1);
        size_t expected = wanted < CAPACITY - slot ? wanted : CAPACITY - slot;
        ring_record *to = spsc_claim(ring, wanted, &granted);
        CHECK(to == &ring->slots[slot] && granted == expected);
        for (size_t i = 0; i < granted; i++) {
            to[i] = record_of(cursor + i);
        }
        CHECK(spsc_peek(ring, wanted, &found) == to && found == 0);
        spsc_commit(ring, granted);
        check(ring);
        const ring_record *from = spsc_peek(ring, wanted, &found);
        CHECK(from == to && found == granted);
        for (size_t i = 0; i < found; i++) {
            CHECK(is_record(&from[i], cursor + i));
        }
        spsc_release(ring, found);
        cursor += found;
        CHECK(spsc_head(ring) == cursor && spsc_tail(ring) == cursor);
        check(ring);
    }
    spsc_detach(ring);
}

/* Guards: a full ring of one slot less, or more; a full ring taken for an empty one. */
static void test_full_and_empty(uint64_t start)
{
    spsc_ring *ring = make(start, 0);
    for (uint64_t lap = 0; lap < 5; lap++) {
        for (uint64_t i = 0; i < CAPACITY; i++) {
            ring_record record = record_of(i);
            CHECK(spsc_push(ring, &record, 1) == 1);
        }
        ring_record extra = record_of(99);
        size_t granted;
        CHECK(spsc_push(ring, &extra, 1) == 0);
        spsc_claim(ring, 1, &granted);
        CHECK(granted == 0 && spsc_head(ring) - spsc_tail(ring) == CAPACITY);
        check(ring);
        for (uint64_t i = 0; i < CAPACITY; i++) {
            ring_record record;
            CHECK(spsc_pop(ring, &record, 1) == 1 && is_record(&record, i));
        }
        CHECK(spsc_pop(ring, &extra, 1) == 0 && is_record(&extra, 99));
        check(ring);
    }
    spsc_detach(ring);
}

/* Guards: a batch cut in the wrong place at the end of a lap; a pop that writes past its count. */
static void test_batches(uint64_t start)
{
    spsc_ring *ring = make(start, 0);
    uint64_t in = 0;
    uint64_t out = 0;
    for (size_t size = 0; size < 4 * CAPACITY; size++) {
        ring_record batch[4 * CAPACITY];
        ring_record got[4 * CAPACITY + 1];
        size_t wanted = size * 7 % (CAPACITY + 3);
        size_t room = CAPACITY - (size_t)(in - out);
        for (size_t i = 0; i < size; i++) {
            batch[i] = record_of(in + i);
        }
        size_t pushed = spsc_push(ring, batch, size);
        CHECK(pushed == (size < room ? size : room));
        in += pushed;
        size_t inside = (size_t)(in - out);
        got[wanted < inside ? wanted : inside] = record_of(12345);
        size_t popped = spsc_pop(ring, got, wanted);
        CHECK(popped == (wanted < inside ? wanted : inside) && is_record(&got[popped], 12345));
        for (size_t i = 0; i < popped; i++) {
            CHECK(is_record(&got[i], out + i));
        }
        out += popped;
        check(ring);
    }
    spsc_detach(ring);
}

/* Guards: a claim with an effect of its own, or a commit of more or less than it was told. */
static void test_commit_in_parts(uint64_t start)
{
    spsc_ring *ring = make(start & ~UINT64_C(7), 0); /* the lap's end is far */
    size_t granted;
    ring_record *first = spsc_claim(ring, 6, &granted);
    memset(first, 0xa5, granted * sizeof *first);
    CHECK(spsc_claim(ring, 6, &granted) == first && granted == 6); /* abandoned */
    for (size_t i = 0; i < 6; i++) {
        first[i] = record_of(i);
    }
    for (size_t part = 1; part <= 3; part++) {
        uint64_t head = spsc_head(ring);
        spsc_commit(ring, part);
        CHECK(spsc_head(ring) == head + part);
    }
    const ring_record *full = spsc_peek(ring, 99, &granted);
    CHECK(full == first && granted == 6);
    spsc_release(ring, 2);
    spsc_release(ring, 0);
    full = spsc_peek(ring, 99, &granted);
    CHECK(full == first + 2 && granted == 4 && is_record(full, 2));
    check(ring);
    spsc_detach(ring);
}

/* Guards: a look at the other side's cursor where one's own copy says enough: each look takes the
 * line away from the core that writes it. */
static void test_copies_of_cursors(uint64_t start)
{
    spsc_ring *ring = make(start, 0);
    ring_record records[CAPACITY] = {{{0}}};
    CHECK(spsc_push(ring, records, 4) == 4 && ring->tail_seen == start);
    CHECK(spsc_pop(ring, records, 2) == 2 && ring->head_seen == start + 4);
    CHECK(spsc_push(ring, records, 4) == 4 && ring->tail_seen == start); /* knew of 4 */
    CHECK(spsc_pop(ring, records, 2) == 2 && ring->head_seen == start + 4); /* knew of 2 */
    size_t granted;
    spsc_claim_known(ring, 0, &granted);
    CHECK(granted == 0 && ring->tail_seen == start); /* knows of none, and needs none */
    spsc_claim_known(ring, 1, &granted);
    CHECK(granted > 0 && ring->tail_seen == start + 4); /* looked */
    CHECK(spsc_pop(ring, records, CAPACITY) == 4 && ring->head_seen == start + 8);
    check(ring);
    spsc_detach(ring);
}

/* Guards: a wait that says ready, late or closed when it is not so. */
static void test_waits_at_rest(int parking)
{
    const int strategies[] = {WAIT_SPIN, WAIT_YIELD, WAIT_PARK};
    const uint64_t timeouts[] = {0, 1, 50000};
    for (int i = 0; i < 9; i++) {
        int how = strategies[i / 3];
        uint64_t timeout_ns = timeouts[i % 3];
        spsc_ring *ring = make(UINT64_MAX, parking);
        ring_record records[CAPACITY] = {{{0}}};
        CHECK(spsc_wait_items(ring, how, timeout_ns) == WAIT_TIMEOUT);
        CHECK(spsc_wait_space(ring, how, timeout_ns) == WAIT_READY);
        CHECK(spsc_offer(ring, records, CAPACITY) == CAPACITY);
        CHECK(spsc_wait_items(ring, how, WAIT_FOREVER) == WAIT_READY);
        CHECK(spsc_wait_space(ring, how, timeout_ns) == WAIT_TIMEOUT);
        CHECK(spsc_offer(ring, records, 1) == 0);
        spsc_close(ring);
        CHECK(spsc_is_closed(ring));
        CHECK(spsc_offer(ring, records, 1) == SPSC_CLOSED);
        CHECK(spsc_wait_items(ring, how, WAIT_FOREVER) == WAIT_READY); /* not drained yet */
        CHECK(spsc_wait_space(ring, how, WAIT_FOREVER) == WAIT_CLOSED);
        CHECK(spsc_pop(ring, records, CAPACITY) == CAPACITY);
        CHECK(spsc_wait_items(ring, how, WAIT_FOREVER) == WAIT_CLOSED);
        CHECK(spsc_wait_space(ring, how, WAIT_FOREVER) == WAIT_CLOSED); /* room, but closed */
        spsc_close(ring);
        CHECK(spsc_is_closed(ring) && spsc_pop(ring, records, 1) == 0);
        check(ring);
        spsc_detach(ring);
    }
}

/* Guards: a sleeper nobody wakes; a wake, and a call of the kernel, where nobody sleeps. */
static void test_who_is_woken(void)
{
    ring_record record = {{0}};
    for (int parking = 0; parking <= 1; parking++) {
        spsc_ring *ring = make(0, parking);
        uint32_t word = atomic_load(&ring->items.word);
        CHECK(spsc_push(ring, &record, 1) == 1 && spsc_pop(ring, &record, 1) == 1);
        CHECK(atomic_load(&ring->items.word) == word); /* nobody slept */
        CHECK(atomic_load(&ring->space.word) == 0);
        uint32_t sleeps = event_count_prepare(&ring->items);
        CHECK((sleeps & 1u) && sleeps == (word | 1u));
        CHECK(spsc_push(ring, &record, 1) == 1);
        CHECK((atomic_load(&ring->items.word) != sleeps) == parking);
        sleeps = event_count_prepare(&ring->space);
        CHECK(spsc_pop(ring, &record, 1) == 1);
        CHECK((atomic_load(&ring->space.word) != sleeps) == parking);
        /* A close wakes both, however the ring parks. */
        uint32_t items = event_count_prepare(&ring->items);
        uint32_t space = event_count_prepare(&ring->space);
        spsc_close(ring);
        CHECK(atomic_load(&ring->items.word) != items);
        CHECK(atomic_load(&ring->space.word) != space);
        CHECK(!(atomic_load(&ring->items.word) & 1u) && !(atomic_load(&ring->space.word) & 1u));
        spsc_detach(ring);
    }
}

/* expect: the check objects with these words in its message. */
static void expect(spsc_ring *ring, const char *words)
{
    char message[256] = "";
    CHECK(!spsc_check(ring, message, sizeof message));
    if (strstr(message, words) == NULL) {
        fprintf(stderr, "\"%s\" has no \"%s\"\n", message, words);
        CHECK(0);
    }
}

/* Guards: a check that finds nothing. Each invariant is broken by hand, and mended. */
static void test_check_finds(uint64_t start)
{
    spsc_ring *ring = make(start, 0);
    ring_record records[CAPACITY] = {{{0}}};
    CHECK(spsc_push(ring, records, 5) == 5 && spsc_pop(ring, records, 2) == 2);
    check(ring);
    atomic_store(&ring->head, start + 2 + CAPACITY + 1); /* more inside than fit */
    expect(ring, "ahead of tail");
    atomic_store(&ring->head, start + 1); /* behind tail */
    expect(ring, "ahead of tail");
    atomic_store(&ring->head, start + 5);
    ring->tail_seen = start + 3; /* ahead of tail: slots taken that are not free */
    expect(ring, "copy of tail");
    ring->tail_seen = start + 5 - CAPACITY - 1; /* so far back that the ring was overfull */
    expect(ring, "copy of tail");
    ring->tail_seen = start;
    ring->head_seen = start + 6; /* ahead of head: records read that are not there */
    expect(ring, "copy of head");
    ring->head_seen = start + 1; /* behind tail: what was read is not known to be there */
    expect(ring, "copy of head");
    ring->head_seen = start + 5;
    check(ring);
    spsc_detach(ring);
}

int main(void)
{
    test_layout();
    for (int i = 0; i < START_COUNT; i++) {
        test_slots_of_cursors(STARTS[i]);
        test_full_and_empty(STARTS[i]);
        test_batches(STARTS[i]);
        test_commit_in_parts(STARTS[i]);
        test_copies_of_cursors(STARTS[i]);
        test_check_finds(STARTS[i]);
    }
    test_waits_at_rest(0);
    test_waits_at_rest(1);
    test_who_is_woken();
    return 0;
}
