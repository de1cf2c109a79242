/* fuzz_canary.c - a decoder with a fault behind a macro, which the fuzzers must find.
 *
 * A fuzzer that finds nothing may be looking at nothing. With FUZZ_CANARY_FAULT this target reads
 * beyond its input, as many a decoder did: it believes a length that the sender wrote.
 *
 *     offset  type      meaning
 *     0       2 bytes   "MB"
 *     2       u8        version, 1
 *     3       u8        n, how many bytes follow
 *     4       n bytes   to be added up
 *
 * The fault hides behind three bytes that must be right, so that guessing without looking at the
 * program would take some sixteen million inputs.
 */
#include <stddef.h>
#include <stdint.h>

#include "contract/c/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int canary_sum(const uint8_t *data, size_t size, unsigned *sum)
{
    if (size < 4 || data[0] != 'M' || data[1] != 'B' || data[2] != 1) {
        return -1;
    }
#ifndef FUZZ_CANARY_FAULT
    if (data[3] > size - 4) {
        return -1;
    }
#endif
    *sum = 0;
    for (size_t i = 0; i < data[3]; i++) {
        *sum += data[4 + i];
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned sum = 0;
    if (canary_sum(data, size, &sum) == 0) {
        CHECK(sum <= 255u * 255u);
    }
    return 0;
}
