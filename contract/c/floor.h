/* floor.h - what no engine goes below: every command read, one event written for each.
 *
 * A book that takes 64-byte commands and answers in 64-byte events moves at least this memory.
 * How many times as long an engine takes is what its matching costs on top.
 */
#ifndef MATCHBOOK_FLOOR_H
#define MATCHBOOK_FLOOR_H

#include "contract.h"

/* cdef:begin */
/* floor_run: write an ACCEPTED event with the fields of each command, one for one, numbered from 1.
 * `events` has room for `count` of them. O(count). */
void floor_run(const command_record *commands, size_t count, event_record *events);
/* cdef:end */

#endif
