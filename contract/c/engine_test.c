/* engine_test.c - what any book behind engine.h must do, tested in plain C.
 *
 * Whole programs: a phase includes this file and calls engine_test_all() from its own main, so
 * that every book, with and without sanitizers, is held to the same text. The rules of matching
 * are compared with phase 1 event by event in Python (contract/suite); here are the things that C
 * can get wrong by itself: room, limits, memory, structure.
 */
#include <stdlib.h>

#include "contract/c/check.h"
#include "contract/c/engine.h"
#include "contract/c/engine_stream.h"

#define MESSAGE_BYTES 512
#define MAX_ORDERS 4096
#define MAX_EVENTS (2 * MAX_ORDERS)
#define STREAM_COMMANDS 20000

/* --- tools ------------------------------------------------------------------------------- */

/* All of a book that others can see. */
typedef struct {
    size_t bids;
    size_t asks;
    uint64_t event_sequence;
    order_image orders[MAX_ORDERS];
} book_picture;

static void picture_take(const book *self, book_picture *picture)
{
    memset(picture, 0, sizeof *picture);
    picture->bids = book_orders(self, SIDE_BID, picture->orders, MAX_ORDERS);
    picture->asks = book_orders(self, SIDE_ASK, picture->orders + picture->bids,
                                MAX_ORDERS - picture->bids);
    picture->event_sequence = book_event_sequence(self);
    CHECK(picture->bids + picture->asks == book_order_count(self));
}

static int same_picture(const book *left, const book *right)
{
    static book_picture seen_left;
    static book_picture seen_right;
    picture_take(left, &seen_left);
    picture_take(right, &seen_right);
    return memcmp(&seen_left, &seen_right, sizeof seen_left) == 0;
}

static void require_sound(const book *self)
{
    char message[MESSAGE_BYTES];
    if (!book_check(self, message, sizeof message)) {
        fprintf(stderr, "book_check: %s\n", message);
        abort();
    }
}

static command_record limit_order(uint64_t order_id, int side, int64_t price, uint64_t quantity)
{
    command_record command;
    memset(&command, 0, sizeof command);
    command.kind = COMMAND_NEW;
    command.order_id = order_id;
    command.side = (uint8_t)side;
    command.price = price;
    command.quantity = quantity;
    return command;
}

/* Apply one command, which must fit; the number of its events. */
static size_t apply_one(book *self, const command_record *command, event_record *events)
{
    size_t written = 0;
    CHECK(book_apply(self, command, 1, events, MAX_EVENTS, &written) == 1);
    CHECK(written >= 1);
    return written;
}

static uint64_t open_quantity(const book *self)
{
    static level_view levels[MAX_ORDERS];
    uint64_t open = 0;
    for (int side = SIDE_BID; side <= SIDE_ASK; side++) {
        size_t count = book_depth(self, side, levels, MAX_ORDERS);
        CHECK(count == book_level_count(self, side));
        for (size_t i = 0; i < count; i++) {
            CHECK(levels[i].order_count > 0);
            if (i > 0 && side == SIDE_BID)
                CHECK(levels[i].price < levels[i - 1].price);
            if (i > 0 && side == SIDE_ASK)
                CHECK(levels[i].price > levels[i - 1].price);
            open += levels[i].quantity;
        }
    }
    return open;
}

/* --- tests ------------------------------------------------------------------------------- */

static event_record scratch_events[MAX_EVENTS];

/* Guards: quantity lost or made up. What the events say must be what the levels hold. */
static void test_quantity_is_conserved(uint64_t seed, int64_t low_price, uint64_t span)
{
    book *self = book_new(0, low_price, (int64_t)((uint64_t)low_price + span - 1), 300);
    command_stream stream = {seed, low_price, span, 600, 50, 0};
    uint64_t open = 0;
    for (int i = 0; i < STREAM_COMMANDS; i++) {
        command_record command = stream_next(&stream);
        order_image before;
        uint64_t replaced = 0;
        if (book_order(self, command.order_id, &before))
            replaced = before.quantity;
        uint64_t sequence = book_event_sequence(self);
        size_t written = apply_one(self, &command, scratch_events);
        for (size_t e = 0; e < written; e++) {
            const event_record *event = &scratch_events[e];
            CHECK(event->sequence == ++sequence);
            CHECK(event->timestamp_ns == command.timestamp_ns && event->reserved == 0);
            if (event->kind == EVENT_ACCEPTED)
                open += event->quantity;
            else if (event->kind == EVENT_REPLACED)
                open += event->quantity - replaced;
            else if (event->kind == EVENT_TRADE)
                open -= 2 * event->quantity;
            else if (event->kind == EVENT_CANCELLED)
                open -= event->quantity;
            else
                CHECK(event->kind == EVENT_REJECTED && written == 1);
        }
        CHECK(book_event_sequence(self) == sequence);
        CHECK(open_quantity(self) == open);
        require_sound(self);
    }
    book_free(self);
}

/* Guards: a result that depends on how commands are batched, an event lost for want of room, a
 * record written past the room given. */
static void test_batching_changes_nothing(uint64_t seed)
{
    enum { ROOM = 4 * STREAM_COMMANDS };
    static command_record commands[STREAM_COMMANDS];
    event_record *whole = calloc(ROOM, sizeof *whole);
    event_record *pieces = calloc(ROOM + 1, sizeof *pieces);
    CHECK(whole != NULL && pieces != NULL);
    command_stream stream = {seed, 1, 40, 500, 30, 0};
    for (int i = 0; i < STREAM_COMMANDS; i++)
        commands[i] = stream_next(&stream);

    book *at_once = book_new(0, 1, 40, 200);
    size_t whole_count = 0;
    CHECK(book_apply(at_once, commands, STREAM_COMMANDS, whole, ROOM, &whole_count) ==
          STREAM_COMMANDS);

    book *in_pieces = book_new(0, 1, 40, 200);
    size_t consumed = 0;
    size_t count = 0;
    event_record canary;
    memset(&canary, 0xA5, sizeof canary);
    while (consumed < STREAM_COMMANDS) {
        size_t batch = 1 + stream_below(&stream, 80);
        size_t room = stream_below(&stream, 3) ? stream_below(&stream, 20) : 250;
        if (batch > STREAM_COMMANDS - consumed)
            batch = STREAM_COMMANDS - consumed;
        CHECK(count + room <= ROOM);
        pieces[count + room] = canary;
        size_t written = 0;
        size_t done = book_apply(in_pieces, commands + consumed, batch, pieces + count, room,
                                 &written);
        CHECK(done <= batch && written <= room && written >= done);
        CHECK(memcmp(&pieces[count + room], &canary, sizeof canary) == 0);
        consumed += done;
        count += written;
    }
    CHECK(count == whole_count);
    CHECK(memcmp(whole, pieces, count * sizeof *whole) == 0);
    CHECK(same_picture(at_once, in_pieces));
    book_free(at_once);
    book_free(in_pieces);
    free(whole);
    free(pieces);
}

/* Guards: the exact room not being enough, or one record less being taken for enough. */
static void test_a_command_is_applied_only_if_its_events_fit(uint64_t seed)
{
    book *self = book_new(0, 1, 30, 100);
    book *untouched = book_new(0, 1, 30, 100);
    command_stream stream = {seed, 1, 30, 200, 30, 0};
    for (int i = 0; i < STREAM_COMMANDS / 4; i++) {
        command_record command = stream_next(&stream);
        size_t needed = apply_one(untouched, &command, scratch_events);
        size_t written = 1;
        CHECK(book_apply(self, &command, 1, scratch_events, needed - 1, &written) == 0);
        CHECK(written == 0);
        require_sound(self);
        CHECK(book_apply(self, &command, 1, scratch_events, needed, &written) == 1);
        CHECK(written == needed);
        CHECK(same_picture(self, untouched));
    }
    book_free(self);
    book_free(untouched);
}

/* Guards: state that an image does not carry, or that a restore leaves behind. */
static void test_a_restored_book_goes_on_as_the_first(uint64_t seed)
{
    static book_picture picture;
    static event_record other_events[MAX_EVENTS];
    book *self = book_new(0, 1, 50, 200);
    book *copy = book_new(0, 1, 50, 200);
    command_stream stream = {seed, 1, 50, 400, 30, 0};
    for (int i = 0; i < STREAM_COMMANDS / 4; i++) {
        command_record command = stream_next(&stream);
        size_t written = apply_one(self, &command, scratch_events);
        CHECK(written == apply_one(copy, &command, other_events));
        CHECK(memcmp(scratch_events, other_events, written * sizeof *other_events) == 0);
        if (i % 50 == 0) {
            picture_take(self, &picture);
            book_restore(copy, picture.orders, picture.bids + picture.asks,
                         picture.event_sequence);
            require_sound(copy);
            CHECK(same_picture(self, copy));
        }
    }
    book_free(self);
    book_free(copy);
}

/* Guards: a slot lost when a book is full, and a full book that cannot move its own order. */
static void test_a_full_book_refuses_and_recovers(uint32_t capacity)
{
    book *self = book_new(0, 1, 1 << 20, capacity);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < capacity; i++) {
            command_record command = limit_order(1 + i, SIDE_BID, 1 + i, 7);
            CHECK(apply_one(self, &command, scratch_events) == 1);
            CHECK(scratch_events[0].kind == EVENT_ACCEPTED);
        }
        command_record one_more = limit_order(UINT64_MAX, SIDE_ASK, 1, 1);
        apply_one(self, &one_more, scratch_events);
        CHECK(scratch_events[0].reason == REASON_BOOK_FULL);
        command_record move = limit_order(1, SIDE_BID, 1 << 20, 9);
        move.kind = COMMAND_REPLACE;
        CHECK(apply_one(self, &move, scratch_events) == 1);
        CHECK(scratch_events[0].kind == EVENT_REPLACED);
        require_sound(self);
        command_record sweep = limit_order(UINT64_MAX, SIDE_ASK, 0, 7 * (uint64_t)capacity + 2);
        sweep.order_type = ORDER_TYPE_MARKET;
        sweep.time_in_force = TIME_IN_FORCE_FOK;
        CHECK(apply_one(self, &sweep, scratch_events) == 1 + (size_t)capacity);
        CHECK(book_order_count(self) == 0 && book_level_count(self, SIDE_BID) == 0);
        require_sound(self);
    }
    book_free(self);
}

/* Guards: arithmetic at the ends of the types: prices of all 64 bits, the largest quantity, ids
 * of all bits. */
static void test_the_ends_of_the_range(void)
{
    book *self = book_new(UINT32_MAX, INT64_MIN, INT64_MAX, 8);
    const struct { int side; int64_t price; } resting[] = {
        {SIDE_BID, INT64_MIN}, {SIDE_ASK, INT64_MAX}, {SIDE_BID, -1}, {SIDE_ASK, 1},
        {SIDE_BID, INT64_MIN + 1}, {SIDE_ASK, INT64_MAX - 1},
    };
    for (size_t i = 0; i < sizeof resting / sizeof *resting; i++) {
        command_record command = limit_order(UINT64_MAX - i, resting[i].side, resting[i].price,
                                             MAX_QUANTITY);
        command.instrument = UINT32_MAX;
        apply_one(self, &command, scratch_events);
        CHECK(scratch_events[0].kind == EVENT_ACCEPTED);
        require_sound(self);
    }
    const int64_t bids[] = {-1, INT64_MIN + 1, INT64_MIN};
    const int64_t asks[] = {1, INT64_MAX - 1, INT64_MAX};
    level_view levels[4];
    CHECK(book_depth(self, SIDE_BID, levels, 4) == 3);
    for (int i = 0; i < 3; i++)
        CHECK(levels[i].price == bids[i] && levels[i].quantity == MAX_QUANTITY);
    CHECK(book_depth(self, SIDE_ASK, levels, 4) == 3);
    for (int i = 0; i < 3; i++)
        CHECK(levels[i].price == asks[i] && levels[i].order_count == 1);
    for (int i = 0; i < 3; i++) {
        command_record take = limit_order(5, SIDE_ASK, INT64_MIN, MAX_QUANTITY);
        take.instrument = UINT32_MAX;
        CHECK(apply_one(self, &take, scratch_events) == 2);
        CHECK(scratch_events[1].kind == EVENT_TRADE && scratch_events[1].price == bids[i]);
        take.side = SIDE_BID;
        take.price = INT64_MAX;
        CHECK(apply_one(self, &take, scratch_events) == 2);
        CHECK(scratch_events[1].kind == EVENT_TRADE && scratch_events[1].price == asks[i]);
    }
    CHECK(book_order_count(self) == 0);
    book_free(self);
}

/* Guards: as many levels as orders on one side, their order, and a mass cancel of all of them. */
static void test_every_order_on_a_level_of_its_own(int side)
{
    enum { LEVELS = 3000 };
    book *self = book_new(0, 1, LEVELS, LEVELS);
    for (uint64_t i = 0; i < LEVELS; i++) {
        int64_t price = 1 + (int64_t)(i * 1009 % LEVELS); /* 1009 and 3000 share no factor */
        command_record command = limit_order(1 + i, side, price, 1 + i);
        CHECK(apply_one(self, &command, scratch_events) == 1);
    }
    CHECK(book_level_count(self, side) == LEVELS);
    require_sound(self);
    open_quantity(self); /* checks the order of the levels */
    command_record all;
    memset(&all, 0, sizeof all);
    all.kind = COMMAND_MASS_CANCEL;
    CHECK(apply_one(self, &all, scratch_events) == LEVELS);
    for (int64_t i = 0; i < LEVELS; i++)
        CHECK(scratch_events[i].price == (side == SIDE_BID ? LEVELS - i : 1 + i));
    CHECK(book_order_count(self) == 0);
    require_sound(self);
    book_free(self);
}

/* engine_test_all: run every test; aborts at the first that fails. */
static void engine_test_all(void)
{
    test_quantity_is_conserved(1, 1, 30);
    test_quantity_is_conserved(2, INT64_MIN, 1000);
    test_quantity_is_conserved(3, INT64_MAX - 2, 3);
    test_batching_changes_nothing(4);
    test_a_command_is_applied_only_if_its_events_fit(5);
    test_a_restored_book_goes_on_as_the_first(6);
    test_a_full_book_refuses_and_recovers(1);
    test_a_full_book_refuses_and_recovers(2);
    test_a_full_book_refuses_and_recovers(1000);
    test_the_ends_of_the_range();
    test_every_order_on_a_level_of_its_own(SIDE_BID);
    test_every_order_on_a_level_of_its_own(SIDE_ASK);
    book_free(NULL);
}
