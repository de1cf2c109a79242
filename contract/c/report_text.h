/* report_text.h - events as the report text of the public benchmark.
 *
 * One line a report, "\n" between lines and none after the last. `seq` is the place of the
 * causing command in its stream, from 0:
 *
 *   0,seq,side,id,price,qty                  accepted
 *   1,seq,price,qty,maker id,taker id        trade, at the maker's price
 *   2,seq,side,id,price                      cancelled, also the rest of an IOC order
 *   3,seq,side,id,price,qty                  modified
 *   4,seq,id                                 cancel rejected
 *   5,seq,id                                 modify rejected
 *
 * Lines are ordered by (seq, type), and among equals as the events came. All reports of a command
 * come together, so that sort never reaches further than one command: a modification that trades
 * has its trades before itself. The text can therefore be written while the engine runs.
 */
#ifndef MATCHBOOK_REPORT_TEXT_H
#define MATCHBOOK_REPORT_TEXT_H

#include "contract.h"

/* cdef:begin */
enum { REPORT_TYPES = 6, REPORT_LINE_BYTES = 112 };

enum {
    REPORT_DONE = 0,     /* no events are left */
    REPORT_NO_ROOM = 1,  /* the next command's lines might not fit into the text */
    REPORT_ORPHAN = 2,   /* events are left, but no command */
    REPORT_MISFIT = 3,   /* an event is not the first event of the command whose turn it is */
    REPORT_NO_LINE = 4   /* the format has no line for what became of this command */
};

typedef struct {
    uint64_t sequence;             /* of the next command; 0 at the start of a stream */
    uint64_t lines[REPORT_TYPES];  /* lines written so far, by type */
    size_t commands_used;          /* by the last call */
    size_t events_used;
    size_t text_bytes;
} report_writer;

/* report_text_write: write the lines of as many commands as `events` covers. `events` starts with
 * the first event of commands[0] and ends with the last event of some command; commands beyond
 * that one are left alone. `self` is all zero bytes at the start of a stream, and no command is
 * ever written in part. Room of REPORT_LINE_BYTES an event always suffices.
 * Returns one of the states above. On an error, what stood before that command is written, and
 * commands_used and events_used point at the culprits. O(events). */
int report_text_write(report_writer *self, const command_record *commands, size_t command_count,
                      const event_record *events, size_t event_count, char *text,
                      size_t text_capacity);
/* cdef:end */

#endif
