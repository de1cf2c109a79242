/* benchmark_text.c - see benchmark_text.h. */
#include "benchmark_text.h"

#include <stdbool.h>
#include <string.h>

#include "decimal.h"

/* type, side, flag, newline, five commas, a minus, three numbers */
static_assert(BENCHMARK_LINE_BYTES >= 4 + 5 + 1 + 3 * DECIMAL_DIGITS, "room for the longest line");

/* One line being read: `at` moves from field to field. */
typedef struct {
    const char *at;
    const char *end;
} line_cursor;

static bool read_unsigned(line_cursor *line, uint64_t *value)
{
    const char *first = line->at;
    uint64_t sum = 0;
    for (; line->at < line->end; line->at++) {
        unsigned digit = (unsigned)(unsigned char)*line->at - '0';
        if (digit > 9)
            break;
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return line->at > first;
}

static bool read_signed(line_cursor *line, int64_t *value)
{
    bool negative = line->at < line->end && *line->at == '-';
    line->at += negative;
    uint64_t magnitude;
    if (!read_unsigned(line, &magnitude) || magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *value = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}

/* Step over the comma before the next field; false where there is none. */
static bool next_field(line_cursor *line)
{
    if (line->at == line->end || *line->at != ',')
        return false;
    line->at++;
    return true;
}

static bool at_field_end(const line_cursor *line)
{
    return line->at == line->end || *line->at == ',';
}

/* One character that is a whole field; 0 if the field is anything else. */
static char read_letter(line_cursor *line)
{
    if (line->at == line->end)
        return 0;
    char letter = *line->at++;
    return at_field_end(line) ? letter : 0;
}

/* Side, price and quantity, and for a NEW the flag. Returns the first wrong field or FINE. */
static int parse_order(line_cursor *line, command_record *out)
{
    char side = next_field(line) ? read_letter(line) : 0;
    if (side != 'B' && side != 'S')
        return BENCHMARK_FIELD_SIDE;
    out->side = side == 'B' ? SIDE_BID : SIDE_ASK;
    if (!next_field(line) || !read_signed(line, &out->price) || !at_field_end(line))
        return BENCHMARK_FIELD_PRICE;
    if (!next_field(line) || !read_unsigned(line, &out->quantity) || !at_field_end(line))
        return BENCHMARK_FIELD_QUANTITY;
    if (out->kind == COMMAND_NEW && next_field(line)) {
        if (read_letter(line) != 'I')
            return BENCHMARK_FIELD_IMMEDIATE;
        out->time_in_force = TIME_IN_FORCE_IOC;
    }
    return BENCHMARK_FINE;
}

/* A whole line without its newline. Returns the first wrong field or FINE. */
static int parse_line(line_cursor line, command_record *out)
{
    memset(out, 0, sizeof *out);
    switch (read_letter(&line)) {
    case 'N':
        out->kind = COMMAND_NEW;
        break;
    case 'C':
        out->kind = COMMAND_CANCEL;
        break;
    case 'M':
        out->kind = COMMAND_REPLACE;
        break;
    default:
        return BENCHMARK_FIELD_TYPE;
    }
    if (!next_field(&line) || !read_unsigned(&line, &out->order_id) || !at_field_end(&line))
        return BENCHMARK_FIELD_ID;
    if (out->kind != COMMAND_CANCEL) {
        int wrong = parse_order(&line, out);
        if (wrong != BENCHMARK_FINE)
            return wrong;
    }
    return line.at == line.end ? BENCHMARK_FINE : BENCHMARK_FIELD_SURPLUS;
}

benchmark_progress benchmark_text_parse(const char *text, size_t text_bytes,
                                        command_record *commands, size_t capacity)
{
    benchmark_progress progress = {.error = BENCHMARK_FINE};
    while (progress.commands < capacity && progress.bytes_used < text_bytes) {
        const char *begin = text + progress.bytes_used;
        const char *newline = memchr(begin, '\n', text_bytes - progress.bytes_used);
        if (newline == NULL)
            break;
        bool has_return = newline > begin && newline[-1] == '\r';
        line_cursor line = {begin, newline - has_return};
        progress.error = parse_line(line, &commands[progress.commands]);
        if (progress.error != BENCHMARK_FINE)
            break;
        progress.bytes_used = (size_t)(newline + 1 - text);
        progress.commands++;
    }
    return progress;
}

/* Whether the text has words for all that the command says. */
static bool is_sayable(const command_record *command)
{
    if (command->instrument != 0)
        return false;
    if (command->kind == COMMAND_CANCEL)
        return true;
    if (command->side > SIDE_ASK)
        return false;
    if (command->kind == COMMAND_REPLACE)
        return true;
    return command->kind == COMMAND_NEW && command->order_type == ORDER_TYPE_LIMIT &&
           command->time_in_force <= TIME_IN_FORCE_IOC && command->self_trade == SELF_TRADE_NONE &&
           command->flags == 0 && command->account == 0 && command->reserved == 0 &&
           command->reserved2 == 0;
}

static char *write_command(char *out, const command_record *command)
{
    static const char letters[] = {
        [COMMAND_NEW] = 'N', [COMMAND_CANCEL] = 'C', [COMMAND_REPLACE] = 'M'};
    *out++ = letters[command->kind];
    out = decimal_field(out, command->order_id);
    if (command->kind != COMMAND_CANCEL) {
        *out++ = ',';
        *out++ = command->side == SIDE_BID ? 'B' : 'S';
        out = decimal_signed_field(out, command->price);
        out = decimal_field(out, command->quantity);
    }
    if (command->kind == COMMAND_NEW && command->time_in_force == TIME_IN_FORCE_IOC) {
        *out++ = ',';
        *out++ = 'I';
    }
    *out++ = '\n';
    return out;
}

size_t benchmark_text_format(const command_record *commands, size_t command_count, char *text,
                             size_t text_capacity, size_t *bytes_written)
{
    char *out = text;
    size_t done = 0;
    while (done < command_count && is_sayable(&commands[done])) {
        if (text_capacity - (size_t)(out - text) < BENCHMARK_LINE_BYTES)
            break;
        out = write_command(out, &commands[done++]);
    }
    *bytes_written = (size_t)(out - text);
    return done;
}
