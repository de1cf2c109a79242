/* test_crc32c.c - the checksum against published values, and its three ways against one another. */
#include <string.h>

#include "contract/c/check.h"
#include "contract/c/engine_stream.h"
#include "phase6_wal/c/crc32c.h"

enum { BYTES = 6000 };
static uint8_t bytes[BYTES + 8];

/* By the definition, a bit at a time: no table, no instruction, nothing to go wrong in. */
static uint32_t by_definition(uint32_t crc, const uint8_t *at, size_t size)
{
    uint32_t inside = ~crc;
    for (size_t i = 0; i < size; i++) {
        inside ^= at[i];
        for (int bit = 0; bit < 8; bit++) {
            inside = inside >> 1 ^ (inside & 1 ? 0x82F63B78u : 0);
        }
    }
    return ~inside;
}

static void check_all(uint32_t expected, uint32_t crc, const void *at, size_t size)
{
    CHECK(by_definition(crc, at, size) == expected);
    CHECK(crc32c_table(crc, at, size) == expected);
    CHECK(crc32c(crc, at, size) == expected);
}

/* Guards: another polynomial, or another beginning or end, than all others have. RFC 3720, B.4. */
static void test_published_values(void)
{
    uint8_t zeros[32] = {0};
    uint8_t ones[32];
    uint8_t up[32];
    uint8_t down[32];
    static const uint8_t read_command[48] = {
        [0] = 0x01, 0xC0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, 0x28, [40] = 0x02};
    memset(ones, 0xFF, sizeof ones);
    for (uint8_t i = 0; i < 32; i++) {
        up[i] = i;
        down[i] = (uint8_t)(31 - i);
    }
    check_all(0, 0, "", 0);
    check_all(0xE3069283, 0, "123456789", 9);
    check_all(0x8A9136AA, 0, zeros, sizeof zeros);
    check_all(0x62A8AB43, 0, ones, sizeof ones);
    check_all(0x46DD794E, 0, up, sizeof up);
    check_all(0x113FDB5C, 0, down, sizeof down);
    check_all(0xD9963A56, 0, read_command, sizeof read_command);
}

static void fill(uint64_t seed)
{
    command_stream random = {.state = seed};
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)stream_word(&random);
    }
}

/* Guards: an end that is read wrong, a stream that is joined at the wrong place, an unaligned
 * begin. */
static void test_all_lengths(void)
{
    uint32_t begun = 0;
    fill(1);
    for (size_t size = 0; size <= BYTES; size += size < 300 ? 1 : 37) {
        const uint8_t *at = bytes + size % 8;
        check_all(by_definition(begun, at, size), begun, at, size);
        begun += 0x9E3779B9u;
    }
    for (size_t size = 3 * 512 - 9; size <= 3 * 512 + 9; size++) {
        check_all(by_definition(0, bytes, size), 0, bytes, size);
    }
}

/* Guards: a CRC that cannot be gone on with. */
static void test_any_split(void)
{
    fill(2);
    const uint32_t whole = by_definition(0, bytes, BYTES);
    for (size_t split = 0; split <= BYTES; split += 61) {
        CHECK(crc32c(crc32c(0, bytes, split), bytes + split, BYTES - split) == whole);
        CHECK(crc32c_table(crc32c(0, bytes, split), bytes + split, BYTES - split) == whole);
    }
}

/* Guards: a bit that does not count. */
static void test_every_bit_counts(void)
{
    fill(3);
    const uint32_t whole = crc32c(0, bytes, 2000);
    for (size_t bit = 0; bit < 8 * 2000; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(crc32c(0, bytes, 2000) != whole);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    CHECK(crc32c(0, bytes, 2000) == whole);
}

int main(void)
{
    test_published_values();
    test_all_lengths();
    test_any_split();
    test_every_bit_counts();
    printf("crc32c: by %s\n", crc32c_hardware() ? "the instruction" : "tables");
    return 0;
}
