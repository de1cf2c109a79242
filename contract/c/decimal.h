/* decimal.h - integers to decimal digits, for the text writers of this directory.
 *
 * Each function writes at `out` and returns the end of what it wrote. The caller sees to the
 * room: at most DECIMAL_DIGITS characters a number, sign included.
 */
#ifndef MATCHBOOK_DECIMAL_H
#define MATCHBOOK_DECIMAL_H

#include <stdint.h>
#include <string.h>

enum { DECIMAL_DIGITS = 20 };

static inline char *decimal_unsigned(char *out, uint64_t value)
{
    char digits[DECIMAL_DIGITS];
    char *first = digits + DECIMAL_DIGITS;
    do {
        *--first = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    size_t length = (size_t)(digits + DECIMAL_DIGITS - first);
    memcpy(out, first, length);
    return out + length;
}

static inline char *decimal_signed(char *out, int64_t value)
{
    if (value >= 0)
        return decimal_unsigned(out, (uint64_t)value);
    *out++ = '-';
    return decimal_unsigned(out, 0 - (uint64_t)value); /* also right for INT64_MIN */
}

/* A comma, then the number. */
static inline char *decimal_field(char *out, uint64_t value)
{
    *out++ = ',';
    return decimal_unsigned(out, value);
}

static inline char *decimal_signed_field(char *out, int64_t value)
{
    *out++ = ',';
    return decimal_signed(out, value);
}

#endif
