/* check.h - an assertion that stays on.
 *
 * CHECK(condition) aborts with the condition, file and line when it does not hold. It guards
 * against programmers' errors only: a full book is an event, a bad file an error code. Python
 * compiles extensions with -DNDEBUG, so assert() would be dead code here; this is not assert().
 */
#ifndef MATCHBOOK_CHECK_H
#define MATCHBOOK_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                       \
    do {                                                                                       \
        if (__builtin_expect(!(condition), 0)) {                                               \
            fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition);      \
            abort();                                                                           \
        }                                                                                      \
    } while (0)

#endif
