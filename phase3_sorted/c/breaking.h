/* breaking.h - for the tests of checks: damage in one place, words that must name it, repair.
 *
 * A check that always says yes would pass every other test. The test that includes this file says
 * in `complaint` what its check makes of the structure at hand.
 */
#ifndef PHASE3_BREAKING_H
#define PHASE3_BREAKING_H

#include <string.h>

#include "contract/c/check.h"

/* What the check found broken, in words; an empty string when all is well. */
static const char *complaint(void);

static inline void require_sound(void) {
    const char *found = complaint();
    if (*found == '\0') return;
    fprintf(stderr, "check: %s\n", found);
    abort();
}

static inline void require_words(const char *words) {
    const char *found = complaint();
    if (strstr(found, words) != NULL) return;
    fprintf(stderr, "expected \"%s\", but the check said \"%s\"\n", words, found);
    abort();
}

/* Put `wrong` where `right` is, require words about it, and put it back. */
#define BREAK(place, wrong, words)          \
    do {                                    \
        __typeof__(place) right_ = (place); \
        (place) = (wrong);                  \
        require_words(words);               \
        (place) = right_;                   \
        require_sound();                    \
    } while (0)

#endif
