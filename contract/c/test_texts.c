/* test_texts.c - the two texts of the public benchmark, without Python. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "benchmark_text.h"
#include "check.h"
#include "report_text.h"

enum { TEXT_BYTES = 4096 };

/* An IOC order that takes one maker and some of the next, a modification that trades, and both
 * kinds of rejection: all six types of line. */
static const command_record COMMANDS[] = {
    {.order_id = 9, .kind = COMMAND_CANCEL},
    {.order_id = 1, .price = 50, .quantity = 4, .kind = COMMAND_NEW, .side = SIDE_ASK},
    {.order_id = 2, .price = 51, .quantity = 9, .kind = COMMAND_NEW, .side = SIDE_BID},
    {.order_id = 3, .price = 48, .quantity = 2, .kind = COMMAND_NEW, .side = SIDE_BID},
    {.order_id = 3, .price = 50, .quantity = 3, .kind = COMMAND_REPLACE},
    {.order_id = 7, .price = 50, .quantity = 3, .kind = COMMAND_REPLACE},
    {.order_id = 3, .kind = COMMAND_CANCEL},
};
static const event_record EVENTS[] = {
    {.order_id = 9, .kind = EVENT_REJECTED, .reason = REASON_UNKNOWN_ORDER},
    {.order_id = 1, .price = 50, .quantity = 4, .kind = EVENT_ACCEPTED, .side = SIDE_ASK},
    {.order_id = 2, .price = 51, .quantity = 9, .kind = EVENT_ACCEPTED, .side = SIDE_BID},
    {.order_id = 2, .contra_order_id = 1, .price = 50, .quantity = 4, .kind = EVENT_TRADE},
    {.order_id = 2, .price = 51, .quantity = 5, .kind = EVENT_CANCELLED, .reason = REASON_IOC},
    {.order_id = 3, .price = 48, .quantity = 2, .kind = EVENT_ACCEPTED, .side = SIDE_BID},
    {.order_id = 3, .price = 50, .quantity = 3, .kind = EVENT_REPLACED, .side = SIDE_BID},
    {.order_id = 3, .contra_order_id = 5, .price = 50, .quantity = 1, .kind = EVENT_TRADE},
    {.order_id = 3, .contra_order_id = 6, .price = 50, .quantity = 1, .kind = EVENT_TRADE},
    {.order_id = 7, .kind = EVENT_REJECTED, .reason = REASON_UNKNOWN_ORDER},
    {.order_id = 3, .price = 50, .quantity = 1, .kind = EVENT_CANCELLED, .reason = REASON_USER},
};
static const char REPORTS[] = "4,0,9\n0,1,1,1,50,4\n0,2,0,2,51,9\n1,2,50,4,1,2\n2,2,0,2,51\n"
                              "0,3,0,3,48,2\n1,4,50,1,5,3\n1,4,50,1,6,3\n3,4,0,3,50,3\n5,5,7\n"
                              "2,6,0,3,50";

enum {
    COMMAND_COUNT = sizeof COMMANDS / sizeof COMMANDS[0],
    EVENT_COUNT = sizeof EVENTS / sizeof EVENTS[0]
};

/* Guards every type of line, and that a modification stands behind the trades it caused. */
static void test_report_lines(void)
{
    report_writer writer = {0};
    char text[TEXT_BYTES];
    int status = report_text_write(&writer, COMMANDS, COMMAND_COUNT, EVENTS, EVENT_COUNT, text,
                                   sizeof text);
    CHECK(status == REPORT_DONE && writer.commands_used == COMMAND_COUNT);
    CHECK(writer.events_used == EVENT_COUNT && writer.sequence == COMMAND_COUNT);
    CHECK(writer.text_bytes == strlen(REPORTS) && memcmp(text, REPORTS, strlen(REPORTS)) == 0);
    CHECK(writer.lines[0] == 3 && writer.lines[1] == 3 && writer.lines[2] == 2);
    CHECK(writer.lines[3] == 1 && writer.lines[4] == 1 && writer.lines[5] == 1);
}

/* Guards against a command cut in two, or a newline lost, where the text buffer ends. */
static void test_report_in_small_buffers(void)
{
    for (size_t lines = 3; lines < 8; lines++) {
        report_writer writer = {0};
        char text[TEXT_BYTES];
        size_t commands = 0, events = 0, size = 0;
        int status = REPORT_NO_ROOM;
        while (status == REPORT_NO_ROOM) {
            status = report_text_write(&writer, COMMANDS + commands, COMMAND_COUNT - commands,
                                       EVENTS + events, EVENT_COUNT - events, text + size,
                                       lines * REPORT_LINE_BYTES);
            CHECK(writer.commands_used > 0);
            commands += writer.commands_used;
            events += writer.events_used;
            size += writer.text_bytes;
        }
        CHECK(status == REPORT_DONE);
        CHECK(size == strlen(REPORTS) && memcmp(text, REPORTS, size) == 0);
    }
}

/* Guards against silence where commands and events do not belong together. */
static void test_report_errors(void)
{
    report_writer writer = {0};
    char text[TEXT_BYTES];
    CHECK(report_text_write(&writer, COMMANDS, 1, EVENTS, 2, text, sizeof text) == REPORT_ORPHAN);
    CHECK(writer.commands_used == 1 && writer.events_used == 1);
    writer = (report_writer){0};
    CHECK(report_text_write(&writer, COMMANDS, 2, EVENTS + 1, 1, text, sizeof text) ==
          REPORT_MISFIT);
    CHECK(writer.commands_used == 0 && writer.text_bytes == 0);
    CHECK(report_text_write(&writer, COMMANDS + 1, 1, EVENTS + 1, 1, text, 1) == REPORT_NO_ROOM);

    const command_record refused = {.order_id = 4, .kind = COMMAND_NEW};
    const event_record refusal = {.order_id = 4, .kind = EVENT_REJECTED};
    CHECK(report_text_write(&writer, &refused, 1, &refusal, 1, text, sizeof text) ==
          REPORT_NO_LINE);
    const command_record sweep = {.kind = COMMAND_MASS_CANCEL};
    CHECK(report_text_write(&writer, &sweep, 1, &refusal, 1, text, sizeof text) ==
          REPORT_NO_LINE);
}

/* Guards the room for a line, and the digits of the largest and the smallest numbers. */
static void test_longest_lines(void)
{
    report_writer writer = {.sequence = UINT64_MAX};
    const command_record command = {.order_id = UINT64_MAX, .kind = COMMAND_NEW};
    const event_record events[] = {
        {.order_id = UINT64_MAX, .price = INT64_MIN, .kind = EVENT_ACCEPTED},
        {.order_id = UINT64_MAX,
         .contra_order_id = UINT64_MAX,
         .price = INT64_MIN,
         .quantity = UINT64_MAX,
         .kind = EVENT_TRADE},
    };
    char text[2 * REPORT_LINE_BYTES];
    CHECK(report_text_write(&writer, &command, 1, events, 2, text, sizeof text) == REPORT_DONE);
    const char *expected = "\n0,18446744073709551615,0,18446744073709551615,-9223372036854775808,0"
                           "\n1,18446744073709551615,-9223372036854775808,18446744073709551615"
                           ",18446744073709551615,18446744073709551615";
    CHECK(writer.text_bytes == strlen(expected) && memcmp(text, expected, strlen(expected)) == 0);
}

static benchmark_progress parse(const char *text, command_record *out, size_t capacity)
{
    return benchmark_text_parse(text, strlen(text), out, capacity);
}

/* Guards each kind of line in both directions, and the ends of the number ranges. */
static void test_benchmark_lines_both_ways(void)
{
    const char *text = "N,18446744073709551615,S,-9223372036854775808,100\nM,7,B,5,6\nC,7\n"
                       "N,0,B,9223372036854775807,18446744073709551615,I\n";
    command_record commands[5];
    benchmark_progress progress = parse(text, commands, 5);
    CHECK(progress.error == BENCHMARK_FINE && progress.commands == 4);
    CHECK(progress.bytes_used == strlen(text));
    CHECK(commands[0].order_id == UINT64_MAX && commands[0].price == INT64_MIN);
    CHECK(commands[0].side == SIDE_ASK && commands[0].time_in_force == TIME_IN_FORCE_GTC);
    CHECK(commands[1].kind == COMMAND_REPLACE && commands[1].quantity == 6);
    CHECK(commands[2].kind == COMMAND_CANCEL && commands[2].price == 0);
    CHECK(commands[3].price == INT64_MAX && commands[3].time_in_force == TIME_IN_FORCE_IOC);

    char back[TEXT_BYTES];
    size_t size;
    CHECK(benchmark_text_format(commands, 4, back, sizeof back, &size) == 4);
    CHECK(size == strlen(text) && memcmp(back, text, size) == 0);
    CHECK(benchmark_text_format(commands, 4, back, BENCHMARK_LINE_BYTES, &size) == 1);
    CHECK(benchmark_text_format(commands, 4, back, 0, &size) == 0 && size == 0);
    commands[1].kind = COMMAND_MASS_CANCEL;
    CHECK(benchmark_text_format(commands, 4, back, sizeof back, &size) == 1);
}

/* Guards against reading a wrong line as a right one, and against blaming the wrong field. */
static void test_benchmark_names_the_wrong_field(void)
{
    static const struct {
        const char *line;
        int field;
    } cases[] = {
        {"\n", BENCHMARK_FIELD_TYPE},
        {"X,1\n", BENCHMARK_FIELD_TYPE},
        {"NN,1,B,1,1\n", BENCHMARK_FIELD_TYPE},
        {"C\n", BENCHMARK_FIELD_ID},
        {"C,\n", BENCHMARK_FIELD_ID},
        {"C,1a\n", BENCHMARK_FIELD_ID},
        {"C,-1\n", BENCHMARK_FIELD_ID},
        {"C,18446744073709551616\n", BENCHMARK_FIELD_ID},
        {"N,1\n", BENCHMARK_FIELD_SIDE},
        {"N,1,b,5,6\n", BENCHMARK_FIELD_SIDE},
        {"N,1,BS,5,6\n", BENCHMARK_FIELD_SIDE},
        {"N,1,B\n", BENCHMARK_FIELD_PRICE},
        {"N,1,B,,6\n", BENCHMARK_FIELD_PRICE},
        {"N,1,B,-,6\n", BENCHMARK_FIELD_PRICE},
        {"N,1,B,5.0,6\n", BENCHMARK_FIELD_PRICE},
        {"N,1,B,9223372036854775808,6\n", BENCHMARK_FIELD_PRICE},
        {"N,1,B,-9223372036854775809,6\n", BENCHMARK_FIELD_PRICE},
        {"N,1,B,5\n", BENCHMARK_FIELD_QUANTITY},
        {"N,1,B,5,-6\n", BENCHMARK_FIELD_QUANTITY},
        {"N,1,B,5, 6\n", BENCHMARK_FIELD_QUANTITY},
        {"N,1,B,5,6,\n", BENCHMARK_FIELD_IMMEDIATE},
        {"N,1,B,5,6,J\n", BENCHMARK_FIELD_IMMEDIATE},
        {"N,1,B,5,6,I,\n", BENCHMARK_FIELD_SURPLUS},
        {"M,1,B,5,6,I\n", BENCHMARK_FIELD_SURPLUS},
        {"C,1,B\n", BENCHMARK_FIELD_SURPLUS},
        {"C,1\r\r\n", BENCHMARK_FIELD_ID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "C,5\n%sC,6\n", cases[i].line);
        command_record out[3];
        benchmark_progress progress = parse(text, out, 3);
        if (progress.error != cases[i].field)
            fprintf(stderr, "%sgives field %d\n", cases[i].line, progress.error);
        CHECK(progress.error == cases[i].field);
        CHECK(progress.commands == 1 && progress.bytes_used == 4);
    }
}

/* Guards the seams: no room, a line without its end, and line ends of either kind. */
static void test_benchmark_stops_where_it_should(void)
{
    command_record out[4];
    benchmark_progress progress = parse("C,1\r\nC,2\nC,3", out, 4);
    CHECK(progress.error == BENCHMARK_FINE && progress.commands == 2 && progress.bytes_used == 9);
    progress = parse("C,1\nC,2\n", out, 1);
    CHECK(progress.error == BENCHMARK_FINE && progress.commands == 1 && progress.bytes_used == 4);
    progress = parse("", out, 4);
    CHECK(progress.error == BENCHMARK_FINE && progress.commands == 0 && progress.bytes_used == 0);
}

int main(void)
{
    test_report_lines();
    test_report_in_small_buffers();
    test_report_errors();
    test_longest_lines();
    test_benchmark_lines_both_ways();
    test_benchmark_names_the_wrong_field();
    test_benchmark_stops_where_it_should();
    puts("texts: all tests passed");
    return 0;
}
