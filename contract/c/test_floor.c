/* test_floor.c - the loops that measurements are made with: what they write, and where they stop. */
#include "check.h"
#include "floor.h"
#include "latency.h"

#include <string.h>

enum { COMMANDS = 5 };

/* A book that answers a command with as many events as its quantity says. */
struct book {
    size_t calls;
    size_t applied;
};

static size_t apply_quantity(book *self, const command_record *commands, size_t command_count,
                             event_record *events, size_t event_capacity, size_t *events_written)
{
    size_t done = 0;
    *events_written = 0;
    self->calls++;
    for (; done < command_count; done++) {
        if (commands[done].quantity > event_capacity - *events_written) {
            break;
        }
        for (uint64_t i = 0; i < commands[done].quantity; i++) {
            events[(*events_written)++].order_id = commands[done].order_id;
        }
    }
    self->applied += done;
    return done;
}

static void make_commands(command_record *commands)
{
    memset(commands, 0, COMMANDS * sizeof *commands);
    for (size_t i = 0; i < COMMANDS; i++) {
        commands[i].order_id = i + 1;
        commands[i].quantity = i % 3; /* 0 1 2 0 1 */
    }
}

static void test_floor_copies_each_command_once(void)
{
    command_record commands[COMMANDS];
    event_record events[COMMANDS + 1];
    make_commands(commands);
    memset(events, 0, sizeof events);
    floor_run(commands, COMMANDS, events);
    for (size_t i = 0; i < COMMANDS; i++) {
        CHECK(events[i].sequence == i + 1);
        CHECK(events[i].order_id == i + 1);
        CHECK(events[i].leaves == commands[i].quantity);
    }
    CHECK(events[COMMANDS].sequence == 0);
}

static void test_latency_keeps_events_in_a_row(void)
{
    const uint64_t expected[] = {2, 3, 3, 5};
    command_record commands[COMMANDS];
    event_record events[4];
    uint32_t ns[COMMANDS + 1];
    size_t written;
    book book = {0};
    make_commands(commands);
    memset(ns, 0xff, sizeof ns);
    CHECK(latency_run(apply_quantity, &book, commands, COMMANDS, 1, events, 4, &written, ns) ==
          COMMANDS);
    CHECK(book.calls == COMMANDS && book.applied == COMMANDS && written == 4);
    for (size_t i = 0; i < written; i++) {
        CHECK(events[i].order_id == expected[i]);
    }
    CHECK(ns[COMMANDS] == UINT32_MAX); /* one figure a command, and no more */
}

static void test_latency_stops_before_events_that_do_not_fit(void)
{
    command_record commands[COMMANDS];
    event_record events[4];
    uint32_t ns[COMMANDS];
    size_t written;
    book book = {0};
    make_commands(commands);
    CHECK(latency_run(apply_quantity, &book, commands, COMMANDS, 1, events, 3, &written, ns) == 4);
    CHECK(book.applied == 4 && written == 3);
    CHECK(latency_run(apply_quantity, &book, commands, COMMANDS, 3, events, 2, &written, ns) == 2);
    CHECK(book.applied == 6 && written == 1); /* two of the first three: the third's do not fit */
    CHECK(latency_run(apply_quantity, &book, commands, 0, 1, events, 3, &written, ns) == 0);
    CHECK(written == 0);
}

static void test_latency_takes_what_is_left_in_its_last_call(void)
{
    command_record commands[COMMANDS];
    event_record events[4];
    uint32_t ns[4];
    size_t written;
    book book = {0};
    make_commands(commands);
    memset(ns, 0xff, sizeof ns);
    CHECK(latency_run(apply_quantity, &book, commands, COMMANDS, 2, events, 4, &written, ns) ==
          COMMANDS);
    CHECK(book.calls == 3 && written == 4);
    CHECK(ns[3] == UINT32_MAX);
}

static void test_the_clock_goes_on(void)
{
    enum { READINGS = 10000 };
    static uint32_t ns[READINGS];
    uint64_t sum = 0;
    latency_timer(READINGS, ns);
    for (size_t i = 0; i < READINGS; i++) {
        sum += ns[i];
    }
    CHECK(sum > 0);
}

int main(void)
{
    test_floor_copies_each_command_once();
    test_latency_keeps_events_in_a_row();
    test_latency_stops_before_events_that_do_not_fit();
    test_latency_takes_what_is_left_in_its_last_call();
    test_the_clock_goes_on();
    return 0;
}
