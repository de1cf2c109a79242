/* test_sequencer.c - the sequencer from one thread: stamps, claims, gate, graph, close, checks.
 *
 *       gate            cursor    claimed     every test runs at starts where a cursor is about
 *   ┌───┬─┼─┬───┬───┬───┬─┼─┬───┬───┬─┼─┐     to pass a sign bit, 2**32 or 2**64; the stamp of
 *   │ 1 │ 2 │ 3 │ 4 │ 5 │ 6 │ · │ 8 │   │     the last cursor before 2**64 is 0
 *   └───┴───┴───┴───┴───┴───┴───┴───┴───┘     What threads do to it: test_sequencer_stress.c.
 */
#include <stdio.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase4_ring/c/sequencer.h"

enum { CAPACITY = 8, ONCE = 1 };

static const uint64_t STARTS[] = {0,
                                  5,
                                  (UINT64_C(1) << 31) - 3,
                                  (UINT64_C(1) << 32) - 3,
                                  (UINT64_C(1) << 63) - 3,
                                  UINT64_MAX - 2,
                                  UINT64_MAX};
enum { START_COUNT = sizeof STARTS / sizeof *STARTS };

static sequencer *make(uint64_t start, int parking)
{
    sequencer *ring;
    region_problem problem;
    CHECK(sequencer_create(NULL, CAPACITY, parking, start, &ring, &problem) == 0);
    return ring;
}

static void check(const sequencer *ring)
{
    char message[256] = "";
    if (!sequencer_check(ring, message, sizeof message)) {
        fprintf(stderr, "%s\n", message);
        CHECK(0);
    }
}

/* expect: the check objects with these words in its message. */
static void expect(const sequencer *ring, const char *words)
{
    char message[256] = "";
    CHECK(!sequencer_check(ring, message, sizeof message));
    if (strstr(message, words) == NULL) {
        fprintf(stderr, "\"%s\" has no \"%s\"\n", message, words);
        CHECK(0);
    }
}

/* push: `count` commands with these order ids and on; how many went in. */
static int64_t push(sequencer *ring, int producer, uint64_t first_id, size_t count)
{
    command_record commands[4 * CAPACITY];
    memset(commands, 0, sizeof commands);
    for (size_t i = 0; i < count; i++) {
        commands[i].sequence = 777; /* ignored */
        commands[i].order_id = first_id + i;
        commands[i].reserved2 = (uint16_t)(first_id + i); /* the last bytes */
    }
    return sequencer_push(ring, producer, commands, count, ONCE);
}

/* take: the consumer has exactly these ids before it, up to the end of the lap; goes past them. */
static void take(sequencer *ring, int consumer, uint64_t first_id, size_t count)
{
    while (count > 0) {
        size_t found;
        uint64_t cursor = sequencer_cursor(ring, consumer);
        const command_record *commands = sequencer_peek(ring, consumer, count, &found);
        CHECK(commands == sequencer_slot(ring, cursor) && found > 0);
        for (size_t i = 0; i < found; i++) {
            CHECK(commands[i].sequence == cursor + i + 1);
            CHECK(commands[i].order_id == first_id + i);
            CHECK(commands[i].reserved2 == (uint16_t)(first_id + i));
        }
        sequencer_advance(ring, consumer, found);
        first_id += found;
        count -= found;
        check(ring);
    }
}

/* sees: how many commands the consumer could read before the end of the lap. */
static size_t sees(sequencer *ring, int consumer)
{
    size_t found;
    sequencer_peek(ring, consumer, 4 * CAPACITY, &found);
    return found;
}

/* Guards: slots that look published before they are, and a consumer that passes an unpublished one
 * because what an earlier lap or the start left in it happens to fit. */
static void test_stamps(uint64_t start)
{
    sequencer *ring = make(start, 0);
    int consumer = sequencer_add_consumer(ring, 0);
    int producer = sequencer_join(ring);
    CHECK(sees(ring, consumer) == 0);
    for (uint64_t id = 100; id < 100 + 5 * CAPACITY; id++) {
        CHECK(push(ring, producer, id, 1) == 1);
        CHECK(sees(ring, consumer) == 1);
        take(ring, consumer, id, 1);
        CHECK(sees(ring, consumer) == 0);
    }
    CHECK(sequencer_claimed(ring) == start + 5 * CAPACITY);
    sequencer_detach(ring);
}

/* Guards: a ring that holds one less or one more than its capacity; a refusal that claims. */
static void test_full(uint64_t start)
{
    sequencer *ring = make(start, 0);
    int consumer = sequencer_add_consumer(ring, 0);
    int producer = sequencer_join(ring);
    size_t granted;
    CHECK(push(ring, producer, 1, 3) == 3);
    CHECK(push(ring, producer, 4, 4 * CAPACITY - 3) == CAPACITY - 3); /* what fits */
    CHECK(sequencer_refused(ring, producer) == 1);                    /* for the rest */
    CHECK(push(ring, producer, 99, 1) == 0 && sequencer_refused(ring, producer) == 2);
    sequencer_claim(ring, producer, 1, 5, &granted);
    CHECK(granted == 0 && sequencer_claimed(ring) == start + CAPACITY);
    CHECK(sequencer_is_settled(ring, producer));
    check(ring);
    take(ring, consumer, 1, 2);
    CHECK(push(ring, producer, 9, 5) == 2);
    take(ring, consumer, 3, CAPACITY);
    CHECK(sees(ring, consumer) == 0 && sequencer_gate(ring) == start + CAPACITY + 2);
    sequencer_detach(ring);
}

/* Guards: records that a consumer sees before those claimed earlier are published. */
static void test_publication_in_any_order(uint64_t start)
{
    sequencer *ring = make(start & ~UINT64_C(7), 0); /* the lap's end is far */
    int consumer = sequencer_add_consumer(ring, 0);
    int one = sequencer_join(ring);
    int two = sequencer_join(ring);
    size_t granted;
    uint64_t first = sequencer_claim(ring, one, 2, ONCE, &granted);
    CHECK(one != two && granted == 2 && !sequencer_is_settled(ring, one));
    CHECK(push(ring, two, 12, 3) == 3);
    CHECK(sees(ring, consumer) == 0); /* the gap comes first */
    for (uint64_t i = 0; i < 2; i++) {
        command_record *slot = sequencer_slot(ring, first + i);
        slot->order_id = 10 + i;
        slot->reserved2 = (uint16_t)(10 + i);
    }
    CHECK(sees(ring, consumer) == 0); /* written, not published */
    sequencer_publish(ring, one, first, 2);
    CHECK(sequencer_is_settled(ring, one) && sees(ring, consumer) == 5);
    take(ring, consumer, 10, 5);
    sequencer_detach(ring);
}

/* Guards: a gate that follows the fastest consumer, or one that others come after. */
static void test_the_slowest_gates(uint64_t start)
{
    sequencer *ring = make(start, 0);
    int fast = sequencer_add_consumer(ring, 0);
    int slow = sequencer_add_consumer(ring, 0);
    int producer = sequencer_join(ring);
    CHECK(sequencer_gate(ring) == start);
    CHECK(push(ring, producer, 1, CAPACITY) == CAPACITY);
    take(ring, fast, 1, CAPACITY);
    CHECK(sequencer_gate(ring) == start && push(ring, producer, 9, 1) == 0);
    take(ring, slow, 1, 3);
    CHECK(sequencer_gate(ring) == start + 3 && push(ring, producer, 9, CAPACITY) == 3);
    take(ring, fast, 9, 3);
    take(ring, slow, 4, CAPACITY);
    CHECK(sequencer_gate(ring) == start + CAPACITY + 3);
    sequencer_detach(ring);
}

/* Guards: a consumer that overtakes one it comes after, or waits for one it does not. */
static void test_diamond(uint64_t start)
{
    sequencer *ring = make(start & ~UINT64_C(7), 0);
    int journal = sequencer_add_consumer(ring, 0);
    int match = sequencer_add_consumer(ring, 0);
    CHECK(sequencer_add_consumer(ring, 4) == -1); /* after one that does not exist */
    int publish = sequencer_add_consumer(ring, 1u << journal | 1u << match);
    int producer = sequencer_join(ring);
    CHECK(push(ring, producer, 1, 6) == 6);
    CHECK(sees(ring, journal) == 6 && sees(ring, match) == 6 && sees(ring, publish) == 0);
    take(ring, journal, 1, 4);
    CHECK(sees(ring, publish) == 0);
    take(ring, match, 1, 2);
    CHECK(sees(ring, publish) == 2); /* the slower of the two */
    take(ring, publish, 1, 1);
    CHECK(sequencer_gate(ring) == (start & ~UINT64_C(7)) + 1); /* publish gates, alone */
    take(ring, match, 3, 4);
    CHECK(sees(ring, publish) == 3);
    take(ring, journal, 5, 2);
    take(ring, publish, 2, 5);
    CHECK(push(ring, producer, 7, CAPACITY) == CAPACITY);
    CHECK(sequencer_add_consumer(ring, 0) == -1); /* too late */
    sequencer_detach(ring);
}

/* Guards: a ninth consumer or a 65th producer that writes past its table; places that are not given
 * out again. */
static void test_places(void)
{
    sequencer *ring = make(0, 0);
    for (int i = 0; i < SEQUENCER_MAX_CONSUMERS; i++) {
        CHECK(sequencer_add_consumer(ring, 0) == i);
    }
    CHECK(sequencer_add_consumer(ring, 0) == -1);
    CHECK(sequencer_consumers(ring) == SEQUENCER_MAX_CONSUMERS);
    for (int i = 0; i < SEQUENCER_MAX_PRODUCERS; i++) {
        CHECK(sequencer_join(ring) == i);
    }
    CHECK(sequencer_join(ring) == -1);
    CHECK(push(ring, 17, 1, CAPACITY + 1) == CAPACITY && sequencer_refused(ring, 17) == 1);
    sequencer_leave(ring, 17);
    CHECK(sequencer_join(ring) == 17 && sequencer_refused(ring, 17) == 0);
    CHECK(sequencer_join(ring) == -1);
    /* Who comes to a full ring knows it is full. */
    CHECK(push(ring, 17, 1, 1) == 0 && sequencer_is_settled(ring, 17));
    check(ring);
    sequencer_detach(ring);
}

/* Guards: a producer that joins late and takes slots for free that a slow consumer has not read. */
static void test_joining_late(uint64_t start)
{
    sequencer *ring = make(start, 0);
    int fast = sequencer_add_consumer(ring, 0);
    int slow = sequencer_add_consumer(ring, 0);
    int early = sequencer_join(ring);
    CHECK(push(ring, early, 1, CAPACITY) == CAPACITY);
    take(ring, fast, 1, CAPACITY);
    take(ring, slow, 1, 2);
    int late = sequencer_join(ring);
    CHECK(push(ring, late, 9, CAPACITY) == 2);
    CHECK(push(ring, early, 99, 1) == 0);
    take(ring, slow, 3, CAPACITY);
    take(ring, fast, 9, 2);
    sequencer_detach(ring);
}

/* Guards: a claim made before the close that is not consumed; a claim after it that succeeds; an
 * end that is told while something is still to come. */
static void test_close(uint64_t start)
{
    sequencer *ring = make(start, 0);
    int consumer = sequencer_add_consumer(ring, 0);
    int one = sequencer_join(ring);
    int two = sequencer_join(ring);
    size_t granted;
    CHECK(push(ring, two, 1, 2) == 2);
    uint64_t first = sequencer_claim(ring, one, 1, ONCE, &granted);
    CHECK(granted == 1 && !sequencer_is_closed(ring));
    sequencer_close(ring);
    sequencer_close(ring);
    CHECK(sequencer_is_closed(ring) && sequencer_claimed(ring) == start + 3);
    CHECK(push(ring, two, 99, 1) == SEQUENCER_CLOSED);
    CHECK(push(ring, one, 99, 0) == 0);
    sequencer_claim(ring, two, 1, 1000000000, &granted); /* refused at once, not after all tries */
    CHECK(granted == 0 && sequencer_is_settled(ring, two));
    int late = sequencer_join(ring);
    CHECK(push(ring, late, 99, 1) == SEQUENCER_CLOSED);
    CHECK(sequencer_wait(ring, consumer, WAIT_YIELD, WAIT_FOREVER) == WAIT_READY);
    take(ring, consumer, 1, 2);
    CHECK(sequencer_wait(ring, consumer, WAIT_YIELD, 0) == WAIT_TIMEOUT); /* one is to come */
    sequencer_slot(ring, first)->order_id = 3;
    sequencer_slot(ring, first)->reserved2 = 3;
    sequencer_publish(ring, one, first, 1);
    CHECK(sequencer_wait(ring, consumer, WAIT_YIELD, 0) == WAIT_READY);
    take(ring, consumer, 3, 1);
    CHECK(sequencer_wait(ring, consumer, WAIT_YIELD, WAIT_FOREVER) == WAIT_CLOSED);
    CHECK(sequencer_claimed(ring) == start + 3 && sequencer_gate(ring) == start + 3);
    sequencer_detach(ring);
}

/* Guards: a consumer after others that is told of the end before it has seen it all. */
static void test_close_of_a_chain(uint64_t start)
{
    sequencer *ring = make(start, 1);
    int first = sequencer_add_consumer(ring, 0);
    int second = sequencer_add_consumer(ring, 1u << first);
    int producer = sequencer_join(ring);
    CHECK(push(ring, producer, 1, 4) == 4);
    sequencer_close(ring);
    CHECK(sequencer_wait(ring, second, WAIT_PARK, 0) == WAIT_TIMEOUT);
    take(ring, first, 1, 4);
    CHECK(sequencer_wait(ring, first, WAIT_PARK, WAIT_FOREVER) == WAIT_CLOSED);
    CHECK(sequencer_wait(ring, second, WAIT_PARK, WAIT_FOREVER) == WAIT_READY);
    take(ring, second, 1, 4);
    CHECK(sequencer_wait(ring, second, WAIT_PARK, WAIT_FOREVER) == WAIT_CLOSED);
    sequencer_detach(ring);
}

/* Guards: a sleeper nobody wakes; a wake, and a call of the kernel, where nobody sleeps. */
static void test_who_is_woken(void)
{
    for (int parking = 0; parking <= 1; parking++) {
        sequencer *ring = make(0, parking);
        int first = sequencer_add_consumer(ring, 0);
        int second = sequencer_add_consumer(ring, 1u << first);
        int producer = sequencer_join(ring);
        CHECK(push(ring, producer, 1, 2) == 2 && atomic_load(&ring->items.word) == 0);
        uint32_t sleeps = event_count_prepare(&ring->items);
        CHECK(push(ring, producer, 3, 1) == 1);
        CHECK((atomic_load(&ring->items.word) != sleeps) == parking);
        sleeps = event_count_prepare(&ring->items);
        take(ring, first, 1, 3); /* the second may go on */
        CHECK((atomic_load(&ring->items.word) != sleeps) == parking);
        sleeps = event_count_prepare(&ring->items);
        take(ring, second, 1, 3); /* nobody comes after it, and producers do not sleep */
        CHECK(atomic_load(&ring->items.word) == sleeps);
        sequencer_close(ring);
        CHECK(atomic_load(&ring->items.word) != sleeps);
        sequencer_detach(ring);
    }
}

/* Guards: a check that finds nothing. Each invariant is broken by hand, and mended. */
static void test_check_finds(uint64_t start)
{
    sequencer *ring = make(start, 0);
    int first = sequencer_add_consumer(ring, 0);
    int second = sequencer_add_consumer(ring, 1u << first);
    int producer = sequencer_join(ring);
    CHECK(push(ring, producer, 1, 6) == 6);
    take(ring, first, 1, 4);
    take(ring, second, 1, 2);
    atomic_store(&ring->claimed, start + 2 + CAPACITY + 1);
    expect(ring, "beyond the gate");
    atomic_store(&ring->claimed, start + 6);
    atomic_store(&ring->consumers[first].cursor, start + 7);
    expect(ring, "not within a lap");
    atomic_store(&ring->consumers[first].cursor, start + 1);
    expect(ring, "is ahead of consumer");
    atomic_store(&ring->consumers[first].cursor, start + 4);
    command_slot *slot = &ring->slots[(start + 3) & (CAPACITY - 1)];
    atomic_store(&slot->sequence, start + 4 - CAPACITY); /* as a lap ago */
    expect(ring, "has passed");
    atomic_store(&slot->sequence, start + 4);
    slot = &ring->slots[(start + 7) & (CAPACITY - 1)];
    atomic_store(&slot->sequence, start + 8);
    expect(ring, "was never claimed");
    atomic_store(&slot->sequence, start + 8 - CAPACITY);
    check(ring);
    sequencer_detach(ring);
}

int main(void)
{
    for (int i = 0; i < START_COUNT; i++) {
        test_stamps(STARTS[i]);
        test_full(STARTS[i]);
        test_publication_in_any_order(STARTS[i]);
        test_the_slowest_gates(STARTS[i]);
        test_diamond(STARTS[i]);
        test_joining_late(STARTS[i]);
        test_close(STARTS[i]);
        test_close_of_a_chain(STARTS[i]);
        test_check_finds(STARTS[i]);
    }
    test_places();
    test_who_is_woken();
    return 0;
}
