/* test_mold_receiver_claims.c - numbers from nowhere, late joiners, several lines, last numbers. */
#include "phase5_protocol/c/mold_receiver_story.h"

#define FAR (UINT64_C(1) << 63)

/* Everything asked and given up, as fast as it goes; returns how many requests that took. */
static uint64_t exhaust(story *s)
{
    uint64_t deadline;
    while ((deadline = mold_receiver_deadline(s->receiver)) != UINT64_MAX) {
        uint8_t requests[16 * MOLD_REQUEST_BYTES];
        CHECK(mold_receiver_count(s->receiver).requests < 10000); /* it ends */
        s->now = deadline > s->now ? deadline : s->now;
        mold_receiver_poll(s->receiver, s->now, requests, 16);
        CHECK(is_out(s, NULL));
    }
    return mold_receiver_count(s->receiver).requests;
}

/* Guards: one forged or damaged number that makes the receiver ask, allocate, or skip for ever. */
static void test_one_number_from_nowhere(void)
{
    story *s = begin(CONFIG);
    data(s, 1, 2);
    CHECK(data(s, FAR, 3) == MOLD_BEYOND_WINDOW);
    heartbeat(s, FAR + 17); /* near the first, and later: but who sends that is believed... */
    data(s, 3, 2);
    CHECK(is_out(s, "1-4"));
    end(s);
    s = begin(CONFIG); /* ...so: one alone, and twice the same by duplication */
    data(s, 1, 2);
    CHECK(data(s, FAR, 3) == MOLD_BEYOND_WINDOW && data(s, FAR, 3) == MOLD_BEYOND_WINDOW);
    heartbeat(s, UINT64_MAX);
    s->now += 1000;
    CHECK(is_asked(s, "") && mold_receiver_deadline(s->receiver) == UINT64_MAX);
    data(s, 3, 2);
    CHECK(is_out(s, "1-4") && mold_receiver_count(s->receiver).claims_doubted == 2);
    CHECK(mold_receiver_announced(s->receiver) == 5);
    end(s);
}

/* Guards: a liar who is consistent, and makes the receiver ask for 2**63 messages one by one. */
static void test_a_consistent_liar(void)
{
    story *s = begin(CONFIG);
    data(s, FAR, 1);
    data(s, FAR + 1, 1);
    /* Believed, so the window's worth is asked for and given up; when nothing came, no more is. */
    CHECK(exhaust(s) <= 3 * 2 * 64);
    const mold_receiver_counters c = mold_receiver_count(s->receiver);
    CHECK(c.claims_withdrawn == 1 && c.lost >= 64 && c.lost <= 128);
    data(s, s->next, 3); /* and life goes on */
    CHECK(is_out(s, NULL) && mold_receiver_count(s->receiver).delivered == 3);
    end(s);
}

/* Guards: a receiver that was cut off for long, and waits for ever for what is within its window. */
static void test_after_a_long_partition(void)
{
    story *s = begin(CONFIG);
    data(s, 1, 2);
    data(s, 1000, 5);
    CHECK(is_asked(s, "") && mold_receiver_announced(s->receiver) == 3);
    data(s, 1005, 5); /* borne out */
    s->now += 1000;
    CHECK(is_asked(s, "3+4 7+4 11+4 15+4"));
    while (s->next < 1010) { /* a server that has it all: the window moves on with the answers */
        for (uint64_t n = s->next; n < s->next + 64 && n < 1010; n++) {
            data(s, n, 1);
        }
        CHECK(is_out(s, NULL));
        uint8_t requests[16 * MOLD_REQUEST_BYTES];
        mold_receiver_poll(s->receiver, s->now, requests, 16);
        s->now += 1000;
    }
    const mold_receiver_counters c = mold_receiver_count(s->receiver);
    CHECK(c.delivered == 1009 && c.lost == 0 && c.claims_withdrawn == 0);
    end(s);
}

/* Guards: the same after which nothing is sent but heartbeats; or the end, and that only a few times. */
static void test_a_long_partition_and_then_silence(void)
{
    for (int over = 0; over < 2; over++) {
        story *s = begin(CONFIG);
        data(s, 1, 2);
        over ? finish(s, 500) : heartbeat(s, 500);
        over ? finish(s, 500) : heartbeat(s, 500); /* duplicated by the network: means nothing */
        s->now += 9999;
        over ? finish(s, 500) : heartbeat(s, 500);
        CHECK(is_asked(s, "") && mold_receiver_announced(s->receiver) == 3);
        s->now += 1;
        over ? finish(s, 500) : heartbeat(s, 500);
        CHECK(mold_receiver_announced(s->receiver) == 1 + 64);
        for (uint64_t n = 3; n < 500; n += 20) {
            CHECK(is_out(s, NULL));
            data(s, n, n + 20 < 500 ? 20 : (uint16_t)(500 - n));
        }
        CHECK(is_out(s, over ? "483-499 ." : "483-499"));
        end(s);
    }
}

/* Guards: a joiner who loses what came between the snapshot and its arrival, or delivers twice what
 * is in both. */
static void test_joining_from_a_snapshot(void)
{
    mold_receiver_config config = CONFIG;
    config.start = MOLD_START_HELD;
    for (uint64_t next = 90; next <= 130; next++) {
        story *s = begin(config);
        CHECK(is_out(s, "") && is_asked(s, ""));
        data(s, 100, 5);
        CHECK(data(s, 97, 2) == MOLD_LATE); /* before the first that was seen: not kept */
        data(s, 110, 5);
        data(s, 117, 3);
        s->now += 100000;
        CHECK(is_out(s, "") && is_asked(s, "")); /* held: whatever is missing, nobody knows whether
                                                  * it is needed */
        CHECK(mold_receiver_join(s->receiver, next, s->now) == 1);
        s->next = next;
        story_check(s);
        for (uint64_t n = next; n < 125; n++) { /* as a server would: what is asked for */
            if (n < 100 || (n > 104 && n < 110) || n == 115 || n == 116 || n > 119) {
                CHECK(is_out(s, NULL) && s->next == n);
                data(s, n, 1);
            }
        }
        CHECK(is_out(s, NULL) && s->next == (next > 125 ? next : 125));
        const mold_receiver_counters c = mold_receiver_count(s->receiver);
        CHECK(c.delivered == (next > 125 ? 0 : 125 - next) && c.lost == 0);
        end(s);
    }
}

/* Guards: a snapshot so old that the window does not reach what is buffered; one of another epoch. */
static void test_joining_far_away(void)
{
    mold_receiver_config config = CONFIG;
    config.start = MOLD_START_HELD;
    static const uint64_t nexts[] = {1, 70, 137, 100000, FAR, UINT64_MAX};
    for (size_t i = 0; i < sizeof nexts / sizeof *nexts; i++) {
        for (int far = 0; far < 2; far++) {
            story *s = begin(config);
            data(s, far ? FAR + 5 : 200, 10);
            CHECK(mold_receiver_join(s->receiver, nexts[i], s->now) == 1);
            s->next = nexts[i];
            story_check(s);
            CHECK(mold_receiver_join(s->receiver, nexts[i] - 1, s->now) == 0);
            if (nexts[i] < FAR) {
                data(s, nexts[i], 4);
                CHECK(is_out(s, NULL) && mold_receiver_count(s->receiver).delivered >= 4);
            }
            exhaust(s);
            end(s);
        }
    }
    story *s = begin(config); /* before anything was seen */
    CHECK(mold_receiver_join(s->receiver, 50, s->now) == 1);
    s->next = 50;
    data(s, 50, 2);
    CHECK(is_out(s, "50-51"));
    end(s);
}

/* Guards: gaps and requests before the snapshot that live on after it. */
static void test_joining_again(void)
{
    story *s = begin(CONFIG);
    data(s, 5, 2);
    data(s, 20, 2);
    s->now += 1000;
    CHECK(is_asked(s, "1+4 7+4 11+4 15+4"));
    CHECK(mold_receiver_join(s->receiver, 13, s->now) == 1);
    s->next = 13;
    story_check(s);
    mold_gap gaps[2];
    CHECK(mold_receiver_closed_gaps(s->receiver, gaps, 2) == 1 && gaps[0].first == 1);
    CHECK(gaps[0].state == GAP_UNRECOVERABLE && gaps[0].lost == 4);
    CHECK(mold_receiver_gaps(s->receiver, gaps, 2) == 1);
    CHECK(gaps[0].first == 13 && gaps[0].count == 7 && gaps[0].missing == 7);
    s->now += 10000;
    CHECK(is_asked(s, "15+4 13+2 19+1"));
    data(s, 13, 7);
    CHECK(is_out(s, "13-21"));
    CHECK(mold_receiver_count(s->receiver).skipped == 12 && s->next == 22);
    CHECK(mold_receiver_join(s->receiver, 21, s->now) == 0);
    finish(s, 30);
    CHECK(mold_receiver_join(s->receiver, 31, s->now) == 0);
    CHECK(mold_receiver_join(s->receiver, 30, s->now) == 1);
    s->next = 30;
    CHECK(is_out(s, "."));
    end(s);
}

/* Guards: a joiner with the first packet who asks for all that was before it. */
static void test_starting_with_the_first_packet(void)
{
    mold_receiver_config config = CONFIG;
    config.start = MOLD_START_FIRST_SEEN;
    config.has_session = 0;
    story *s = begin(config);
    uint8_t name[MOLD_SESSION_BYTES];
    CHECK(is_out(s, "") && !mold_receiver_session(s->receiver, name));
    data(s, 700, 3);
    s->next = 700;
    CHECK(is_out(s, "700-702") && data(s, 690, 10) == MOLD_DUPLICATE);
    CHECK(mold_receiver_session(s->receiver, name) && memcmp(name, STORY_SESSION, 10) == 0);
    uint8_t other[] = "OTHER00001\0\0\0\0\0\0\0\1\0\0";
    CHECK(mold_receiver_put(s->receiver, other, 20, 0, 0) == MOLD_OTHER_SESSION);
    end(s);
    s = begin(config);
    heartbeat(s, 41);
    s->next = 41;
    data(s, 41, 1);
    CHECK(is_out(s, "41"));
    end(s);
}

/* Guards: one line's messages counted as another's; a duplicate delivered because it came from elsewhere. */
static void test_lines(void)
{
    story *s = begin(CONFIG);
    for (uint64_t n = 1; n <= 30; n++) { /* each loses every third, not the same ones */
        for (s->line = 0; s->line < 2; s->line++) {
            if (n % 3 != s->line) {
                data(s, n, 1);
            }
        }
    }
    CHECK(is_out(s, "1-30") && mold_receiver_count(s->receiver).requests == 0);
    const mold_line_counters a = mold_receiver_count_line(s->receiver, 0);
    const mold_line_counters b = mold_receiver_count_line(s->receiver, 1);
    CHECK(a.packets == 20 && b.packets == 20 && a.fresh + b.fresh == 30);
    CHECK(a.fresh == 20 && a.duplicates == 0 && b.fresh == 10 && b.duplicates == 10);
    CHECK(a.highest == 30 && b.highest == 31);
    end(s);
}

/* Guards: arithmetic that wraps where numbers end. */
static void test_the_last_numbers(void)
{
    mold_receiver_config config = CONFIG;
    config.start = UINT64_MAX - 10;
    story *s = begin(config);
    data(s, UINT64_MAX - 5, 5);
    data(s, UINT64_MAX - 10, 2);
    s->now += 1000;
    CHECK(is_asked(s, "18446744073709551607+3"));
    data(s, UINT64_MAX - 8, 3);
    CHECK(finish(s, UINT64_MAX) == MOLD_TAKEN);
    CHECK(is_out(s, "18446744073709551605-18446744073709551614 ."));
    end(s);
}

/* Guards: a configuration that cannot work, accepted. */
static void test_configurations(void)
{
    const char *problem;
    mold_receiver_config bad = CONFIG;
#define REFUSED(field, value)                                                                  \
    bad = CONFIG;                                                                              \
    bad.field = (value);                                                                       \
    CHECK(mold_receiver_new(&bad, &problem) == NULL && strcmp(problem, #field) == 0)
    REFUSED(record_bytes, 65486);
    REFUSED(window_messages, 63);
    REFUSED(window_messages, 96);
    REFUSED(window_messages, 1u << 23);
    REFUSED(max_gaps, 0);
    REFUSED(max_gaps, (1u << 16) + 1);
    REFUSED(max_requests, 0);
    REFUSED(max_requests, 1025);
    REFUSED(request_messages, 0);
    REFUSED(request_messages, 65536);
    bad = CONFIG;
    bad.record_bytes = 0;
    CHECK(mold_receiver_new(&bad, &problem) == NULL && strcmp(problem, "max_message_bytes") == 0);
    bad = CONFIG;
    bad.session[3] = 0;
    CHECK(mold_receiver_new(&bad, NULL) == NULL);
    mold_receiver_free(NULL);
}

int main(void)
{
    test_one_number_from_nowhere();
    test_a_consistent_liar();
    test_after_a_long_partition();
    test_a_long_partition_and_then_silence();
    test_joining_from_a_snapshot();
    test_joining_far_away();
    test_joining_again();
    test_starting_with_the_first_packet();
    test_lines();
    test_the_last_numbers();
    test_configurations();
    return 0;
}
