/* test_mold_receiver.c - histories small enough to follow by hand: gaps, order, patience, ends.
 *
 * Messages are records of eight bytes that hold their own number. What a receiver delivers is written
 * as text: "1-3 x4-5 6" is messages 1 to 3, numbers 4 and 5 lost, message 6; "." is the end. Claims
 * from nowhere, joining and lines: test_mold_receiver_claims.c.
 */
#include "phase5_protocol/c/mold_receiver_story.h"

/* Guards: a message delivered out of order, twice, or not at all, when packets only change places. */
static void test_reordering_costs_no_request(void)
{
    story *s = begin(CONFIG);
    data(s, 1, 3);
    data(s, 6, 2);
    data(s, 9, 1);
    CHECK(is_out(s, "1-3"));
    s->now += 999; /* of the delay of 1000 */
    CHECK(is_asked(s, ""));
    data(s, 4, 2);
    CHECK(is_out(s, "4-7"));
    data(s, 8, 1);
    CHECK(is_out(s, "8-9") && is_asked(s, ""));
    const mold_receiver_counters c = mold_receiver_count(s->receiver);
    CHECK(c.gaps == 2 && c.gaps_reordered == 2 && c.requests == 0 && c.delivered == 9);
    end(s);
}

/* Guards: a gap that shows only with the next data; a heartbeat taken for a message. */
static void test_a_heartbeat_shows_a_gap(void)
{
    story *s = begin(CONFIG);
    data(s, 1, 2);
    heartbeat(s, 3);
    CHECK(is_out(s, "1-2") && is_asked(s, "") && mold_receiver_deadline(s->receiver) == UINT64_MAX);
    heartbeat(s, 5);
    CHECK(mold_receiver_deadline(s->receiver) == s->now + 1000);
    s->now += 1000;
    CHECK(is_asked(s, "3+2"));
    data(s, 3, 2);
    CHECK(is_out(s, "3-4") && mold_receiver_deadline(s->receiver) != UINT64_MAX);
    CHECK(is_asked(s, "") && mold_receiver_deadline(s->receiver) == UINT64_MAX);
    end(s);
}

/* Guards: a request too early, too late, too often, or after the stream has gone on without. */
static void test_asking_and_giving_up(void)
{
    story *s = begin(CONFIG);
    heartbeat(s, 6);
    s->now += 1000;
    CHECK(is_asked(s, "1+4 5+1")); /* four at once */
    const uint64_t start = s->now;
    CHECK(is_asked(s, ""));
    s->now = start + 9999;
    CHECK(is_asked(s, "") && mold_receiver_deadline(s->receiver) == start + 10000);
    s->now = start + 10000;
    data(s, 5, 1);
    CHECK(is_asked(s, "1+4"));
    CHECK(mold_receiver_deadline(s->receiver) == start + 30000); /* twice as long */
    s->now = start + 30000;
    CHECK(is_asked(s, "1+4") && is_out(s, "")); /* the third and last */
    s->now = start + 69999;
    CHECK(is_asked(s, "") && is_out(s, ""));
    s->now = start + 70000;
    CHECK(is_asked(s, "") && is_out(s, "x1-4 5"));
    data(s, 2, 1); /* too late, and before what was delivered */
    CHECK(is_out(s, ""));
    mold_gap gap;
    CHECK(mold_receiver_closed_gaps(s->receiver, &gap, 1) == 1 && gap.state == GAP_UNRECOVERABLE);
    CHECK(gap.first == 1 && gap.count == 5 && gap.missing == 0 && gap.lost == 4);
    CHECK(gap.requests == 4 && gap.requested_ns == start && gap.closed_ns == start + 70000);
    const mold_receiver_counters c = mold_receiver_count(s->receiver);
    CHECK(c.requests == 4 && c.repeated == 2 && c.lost == 4 && c.gaps_unrecoverable == 1);
    end(s);
}

/* Guards: a number that is both given up and delivered. */
static void test_late_is_late(void)
{
    story *s = begin(CONFIG);
    data(s, 3, 1);
    s->now += 1000;
    CHECK(is_asked(s, "1+2"));
    s->now += 70000;
    CHECK(is_asked(s, "1+2"));
    s->now += 70000;
    CHECK(is_asked(s, "1+2"));
    s->now += 70000;
    CHECK(is_asked(s, ""));
    CHECK(data(s, 1, 2) == MOLD_LATE); /* given up, and the consumer was not told yet: still lost */
    CHECK(is_out(s, "x1-2 3"));
    CHECK(mold_receiver_count_line(s->receiver, 0).late == 2);
    CHECK(data(s, 2, 1) == MOLD_DUPLICATE);
    end(s);
}

/* Guards: waiting a timeout for the rest, when an answer was as long as it could be. */
static void test_half_an_answer(void)
{
    story *s = begin(CONFIG);
    heartbeat(s, 5);
    s->now += 1000;
    CHECK(is_asked(s, "1+4"));
    s->now += 50;
    data(s, 1, 3);
    CHECK(is_asked(s, "4+1") && is_out(s, "1-3"));
    for (int i = 0; i < 2; i++) { /* the count of attempts began anew */
        s->now += 70000;
        CHECK(is_asked(s, "4+1"));
    }
    s->now += 70000;
    CHECK(is_asked(s, "") && is_out(s, "x4"));
    end(s);
}

/* Guards: asking for what came from another side; for two holes at once, between which a message is. */
static void test_a_gap_filled_from_the_middle(void)
{
    story *s = begin(CONFIG);
    heartbeat(s, 5);
    data(s, 2, 1);
    s->now += 1000;
    CHECK(is_asked(s, "1+1 3+2"));
    data(s, 4, 1);
    s->now += 10000;
    CHECK(is_asked(s, "1+1 3+1"));
    data(s, 1, 4);
    CHECK(is_out(s, "1-4") && is_asked(s, ""));
    mold_gap gap;
    CHECK(mold_receiver_closed_gaps(s->receiver, &gap, 1) == 1 && gap.state == GAP_FILLED);
    CHECK(gap.count == 4 && gap.requests == 4);
    end(s);
}

/* Guards: a gap longer than one that is open at a time; a request for what was consumed long ago. */
static void test_what_was_consumed_is_not_missing(void)
{
    story *s = begin(CONFIG);
    data(s, 60, 1); /* 59 missing, of a window of 64 */
    for (uint64_t n = 1; n < 40; n++) {
        data(s, n, 1);
        CHECK(is_out(s, NULL));
    }
    data(s, 61, 40); /* slots of 1 to 36 are used again */
    s->now += 1000;
    CHECK(is_asked(s, "40+4 44+4 48+4 52+4")); /* four requests at a time */
    data(s, 40, 16);
    CHECK(is_asked(s, "56+4"));
    data(s, 56, 4);
    CHECK(is_out(s, "40-100"));
    end(s);
}

/* Guards: never asking what never answers; the negative control of every test that fills gaps. */
static void test_without_requests_a_gap_is_unrecoverable(void)
{
    mold_receiver_config config = CONFIG;
    config.attempts = 0;
    story *s = begin(config);
    data(s, 1, 2);
    data(s, 6, 1);
    CHECK(is_out(s, "1-2"));
    s->now += 1000;
    CHECK(is_asked(s, "") && is_out(s, "x3-5 6"));
    const mold_receiver_counters c = mold_receiver_count(s->receiver);
    CHECK(c.requests == 0 && c.lost == 3 && c.gaps_unrecoverable == 1);
    end(s);
}

/* Guards: an end that comes before the last message is delivered; one that never comes. */
static void test_the_end(void)
{
    story *s = begin(CONFIG);
    data(s, 1, 1);
    CHECK(finish(s, 4) == MOLD_TAKEN && is_out(s, "1") && !mold_receiver_is_ended(s->receiver));
    s->now += 1000;
    CHECK(is_asked(s, "2+2"));
    CHECK(data(s, 4, 1) == MOLD_AFTER_END && finish(s, 5) == MOLD_AFTER_END);
    CHECK(heartbeat(s, 5) == MOLD_AFTER_END && heartbeat(s, 4) == MOLD_TAKEN);
    data(s, 2, 2);
    CHECK(is_out(s, "2-3 .") && is_out(s, ".") && mold_receiver_is_ended(s->receiver));
    CHECK(mold_receiver_count(s->receiver).ends_contradicted == 1);
    CHECK(mold_receiver_count_line(s->receiver, 0).after_end == 2);
    end(s);
    s = begin(CONFIG);
    data(s, 1, 5);
    CHECK(finish(s, 3) == MOLD_AFTER_END); /* 3 to 5 are here: it cannot have ended before */
    CHECK(is_out(s, "1-5") && finish(s, 6) == MOLD_TAKEN && is_out(s, "."));
    end(s);
}

/* Guards: a list of gaps without bound; a gap forgotten when the list is full. */
static void test_too_many_gaps(void)
{
    mold_receiver_config config = CONFIG;
    config.max_gaps = 3;
    story *s = begin(config);
    for (uint64_t n = 2; n <= 8; n += 2) {
        CHECK(data(s, n, 1) == (n < 8 ? MOLD_TAKEN : MOLD_TOO_MANY_GAPS));
    }
    CHECK(data(s, 7, 1) == MOLD_TAKEN); /* follows what is known: opens none */
    mold_gap gaps[4];
    CHECK(mold_receiver_gaps(s->receiver, gaps, 4) == 3 && gaps[2].first == 5);
    for (uint64_t n = 1; n <= 5; n += 2) {
        data(s, n, 1);
    }
    CHECK(is_out(s, "1-7") && data(s, 10, 1) == MOLD_TAKEN);
    s->now += 1000;
    CHECK(is_asked(s, "8+2"));
    for (uint64_t round = 0; round < 50; round++) { /* closed ones make room again */
        data(s, 12 + 2 * round, 1);
        data(s, 8 + 2 * round, 2);
        CHECK(is_out(s, NULL));
    }
    end(s);
}

/* Guards: a consumer who does not take, and memory that grows instead; messages dropped for good. */
static void test_a_slow_consumer(void)
{
    story *s = begin(CONFIG);
    for (uint64_t n = 1; n <= 100; n += 10) {
        data(s, n, 10);
    }
    CHECK(mold_receiver_expected(s->receiver) == 65);
    CHECK(mold_receiver_count_line(s->receiver, 0).beyond == 36);
    CHECK(is_out(s, "1-64"));
    CHECK(mold_receiver_deadline(s->receiver) == 0); /* there is room now for what is known to be */
    CHECK(is_asked(s, ""));
    s->now += 1000;
    CHECK(is_asked(s, "65+4 69+4 73+4 77+4"));
    data(s, 65, 36);
    CHECK(is_out(s, "65-100"));
    end(s);
}

/* Guards: messages of other lengths written over their neighbours; lengths lost on the way. */
static void test_lengths(void)
{
    story *s = begin(CONFIG);
    CHECK(packet_of(s, 1, "\0\7seven__", 9, 1) == MOLD_WRONG_LENGTH);
    CHECK(packet_of(s, 1, "\0\11nine_____", 11, 1) == MOLD_WRONG_LENGTH);
    CHECK(mold_receiver_count_line(s->receiver, 0).wrong_length == 2);
    end(s);
    mold_receiver_config config = CONFIG;
    config.record_bytes = 0;
    config.max_message_bytes = 5;
    s = begin(config);
    uint8_t out[32];
    CHECK(packet_of(s, 2, "\0\3two\0\5three", 12, 2) == MOLD_TAKEN);
    CHECK(packet_of(s, 1, "\0\0", 2, 1) == MOLD_TAKEN);
    CHECK(packet_of(s, 4, "\0\6longer", 8, 1) == MOLD_WRONG_LENGTH);
    mold_delivery made = mold_receiver_take_stream(s->receiver, out, 1);
    CHECK(made.kind == DELIVERY_NOTHING && made.bytes == 2);
    made = mold_receiver_take_stream(s->receiver, out, 13);
    CHECK(made.kind == DELIVERY_MESSAGES && made.count == 2 && made.bytes == 7);
    CHECK(memcmp(out, "\0\0\0\3two", 7) == 0);
    made = mold_receiver_take_stream(s->receiver, out, 7);
    CHECK(made.count == 1 && made.first == 3 && memcmp(out, "\0\5three", 7) == 0);
    end(s);
}

/* Guards: a packet of another session, or a broken one, that changes anything. */
static void test_refused_packets(void)
{
    story *s = begin(CONFIG);
    uint8_t bytes[] = "OTHER00001\0\0\0\0\0\0\0\1\0\0";
    CHECK(mold_receiver_put(s->receiver, bytes, 20, 0, 0) == MOLD_OTHER_SESSION);
    for (size_t size = 0; size < 20; size++) {
        CHECK(mold_receiver_put(s->receiver, bytes, size, 0, 0) == MOLD_SHORT_HEADER);
    }
    const mold_line_counters line = mold_receiver_count_line(s->receiver, 0);
    CHECK(line.packets == 21 && line.other_session == 1 && line.malformed[MOLD_SHORT_HEADER] == 20);
    CHECK(line.heartbeats == 0 && line.highest == 0 && is_out(s, ""));
    end(s);
}

int main(void)
{
    test_reordering_costs_no_request();
    test_a_heartbeat_shows_a_gap();
    test_asking_and_giving_up();
    test_late_is_late();
    test_half_an_answer();
    test_a_gap_filled_from_the_middle();
    test_what_was_consumed_is_not_missing();
    test_without_requests_a_gap_is_unrecoverable();
    test_the_end();
    test_too_many_gaps();
    test_a_slow_consumer();
    test_lengths();
    test_refused_packets();
    return 0;
}
