/* report_text.c - see report_text.h. */
#include "report_text.h"

#include <stdbool.h>

#include "decimal.h"

enum {
    LINE_ACCEPTED,
    LINE_TRADE,
    LINE_CANCELLED,
    LINE_MODIFIED,
    LINE_CANCEL_REJECTED,
    LINE_MODIFY_REJECTED,
    LINE_NONE /* the format cannot say it */
};

static_assert((int)LINE_NONE == (int)REPORT_TYPES, "a counter for each type");
/* newline, type, five commas and five numbers */
static_assert(REPORT_LINE_BYTES >= 2 + 5 * (1 + DECIMAL_DIGITS), "room for the longest line");

/* The type of line an event becomes; `command_kind` tells the rejections apart. */
static int line_type(const event_record *event, uint8_t command_kind)
{
    switch (event->kind) {
    case EVENT_ACCEPTED:
        return LINE_ACCEPTED;
    case EVENT_TRADE:
        return LINE_TRADE;
    case EVENT_CANCELLED:
        return LINE_CANCELLED;
    case EVENT_REPLACED:
        return LINE_MODIFIED;
    default:
        if (command_kind == COMMAND_CANCEL)
            return LINE_CANCEL_REJECTED;
        return command_kind == COMMAND_REPLACE ? LINE_MODIFY_REJECTED : LINE_NONE;
    }
}

/* Whether an event can only stand behind another event of the same command. */
static bool is_consequence(const event_record *event)
{
    if (event->kind == EVENT_CANCELLED)
        return event->reason >= REASON_IOC && event->reason <= REASON_SELF_TRADE;
    return event->kind == EVENT_TRADE;
}

/* How many events, from the first, are of one command. */
static size_t group_length(const event_record *events, size_t count)
{
    size_t length = 1;
    while (length < count && is_consequence(&events[length]))
        length++;
    return length;
}

/* Whether `event` can be the first event of `command`. */
static bool is_answer(const event_record *event, const command_record *command)
{
    if (event->order_id != command->order_id)
        return false;
    if (event->kind == EVENT_REJECTED)
        return true;
    switch (command->kind) {
    case COMMAND_NEW:
        return event->kind == EVENT_ACCEPTED;
    case COMMAND_CANCEL:
        return event->kind == EVENT_CANCELLED && event->reason == REASON_USER;
    case COMMAND_REPLACE:
        return event->kind == EVENT_REPLACED;
    default:
        return false;
    }
}

static char *write_line(char *out, int type, uint64_t sequence, const event_record *event)
{
    *out++ = (char)('0' + type);
    out = decimal_field(out, sequence);
    if (type == LINE_TRADE) {
        out = decimal_signed_field(out, event->price);
        out = decimal_field(out, event->quantity);
        out = decimal_field(out, event->contra_order_id);
        return decimal_field(out, event->order_id);
    }
    if (type == LINE_CANCEL_REJECTED || type == LINE_MODIFY_REJECTED)
        return decimal_field(out, event->order_id);
    out = decimal_field(out, event->side);
    out = decimal_field(out, event->order_id);
    out = decimal_signed_field(out, event->price);
    return type == LINE_CANCELLED ? out : decimal_field(out, event->quantity);
}

/* The lines of one command's events, lowest type first; a newline before each but the very first. */
static char *write_group(report_writer *self, char *out, const event_record *events, size_t count,
                         uint8_t command_kind)
{
    const char *begin = out;
    for (int type = 0; type < REPORT_TYPES; type++) {
        for (size_t i = 0; i < count; i++) {
            if (line_type(&events[i], command_kind) != type)
                continue;
            if (self->sequence > 0 || out > begin)
                *out++ = '\n';
            out = write_line(out, type, self->sequence, &events[i]);
            self->lines[type]++;
        }
    }
    return out;
}

int report_text_write(report_writer *self, const command_record *commands, size_t command_count,
                      const event_record *events, size_t event_count, char *text,
                      size_t text_capacity)
{
    self->commands_used = self->events_used = self->text_bytes = 0;
    while (self->events_used < event_count) {
        if (self->commands_used == command_count)
            return REPORT_ORPHAN;
        const command_record *command = &commands[self->commands_used];
        const event_record *group = &events[self->events_used];
        if (command->kind == COMMAND_MASS_CANCEL)
            return REPORT_NO_LINE;
        if (!is_answer(group, command))
            return REPORT_MISFIT;
        if (line_type(group, command->kind) == LINE_NONE)
            return REPORT_NO_LINE;
        size_t length = group_length(group, event_count - self->events_used);
        if (length > (text_capacity - self->text_bytes) / REPORT_LINE_BYTES)
            return REPORT_NO_ROOM;
        char *end = write_group(self, text + self->text_bytes, group, length, command->kind);
        self->text_bytes = (size_t)(end - text);
        self->events_used += length;
        self->commands_used++;
        self->sequence++;
    }
    return REPORT_DONE;
}
