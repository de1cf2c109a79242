/* benchmark_text.h - the public benchmark's order flow as text: parse and write.
 *
 *   N,id,side,price,qty       new limit order; side B or S; price in ticks, perhaps negative
 *   N,id,side,price,qty,I     the same, immediate or cancel
 *   C,id                      cancel
 *   M,id,side,price,qty       modify: a REPLACE
 *
 * Lines end with "\n" or "\r\n". Numbers are decimal digits without sign, space or separator,
 * but for a price's leading minus. The text has no times: parsed commands carry timestamp 0.
 */
#ifndef MATCHBOOK_BENCHMARK_TEXT_H
#define MATCHBOOK_BENCHMARK_TEXT_H

#include "contract.h"

/* cdef:begin */
enum { BENCHMARK_LINE_BYTES = 80 };

/* What is wrong with a line; the fields are numbered as they stand in it, from 0. */
enum {
    BENCHMARK_FIELD_TYPE = 0,
    BENCHMARK_FIELD_ID = 1,
    BENCHMARK_FIELD_SIDE = 2,
    BENCHMARK_FIELD_PRICE = 3,
    BENCHMARK_FIELD_QUANTITY = 4,
    BENCHMARK_FIELD_IMMEDIATE = 5,
    BENCHMARK_FIELD_SURPLUS = 6, /* something stands where the line should end */
    BENCHMARK_FINE = -1
};

typedef struct {
    size_t bytes_used; /* whole good lines, from the front of the text */
    size_t commands;   /* one for each of them */
    int error;         /* BENCHMARK_FINE, or the wrong field of the line at bytes_used */
} benchmark_progress;

/* benchmark_text_parse: parse whole lines until the text, the room or the good lines run out.
 * A last line without its newline is left for later. O(bytes). */
benchmark_progress benchmark_text_parse(const char *text, size_t text_bytes,
                                        command_record *commands, size_t capacity);

/* benchmark_text_format: write commands as lines, each with its newline, while the room lasts;
 * BENCHMARK_LINE_BYTES a command always suffice. Stops before the first command that this text
 * cannot say. *bytes_written and the number of commands written say how far it came. */
size_t benchmark_text_format(const command_record *commands, size_t command_count, char *text,
                             size_t text_capacity, size_t *bytes_written);
/* cdef:end */

#endif
