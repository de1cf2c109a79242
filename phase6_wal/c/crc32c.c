/* crc32c.c - see crc32c.h.
 *
 * Three streams
 *
 *      bytes   |------ a ------|------ b ------|------ c ------|   STREAM bytes each
 *      insides      from crc         from 0          from 0        three steps at a time
 *      joined      shift(shift(a) ^ b) ^ c
 *
 * A CRC's inside is a linear function of what it began with and of the bytes, so b's part can begin
 * with 0 and be added (^) to a's, once a's has been shifted: taken past as many bytes of zeros as b
 * has. The shift is linear too: of 32 bits it is the sum of the shifts of each, kept in four tables
 * by byte.
 */
#include "phase6_wal/c/crc32c.h"

#include <string.h>

#include "phase6_wal/c/crc32c_step.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#define POLYNOMIAL 0x82F63B78u
enum { STREAM = 512 };

/* by_byte[k][b]: what byte b does to the inside when k more bytes of zeros follow. */
static uint32_t by_byte[8][256];
/* shift[k][b]: byte k of an inside, taken past STREAM bytes of zeros. */
static uint32_t shift[4][256];
static int hardware;

static uint64_t load_8(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static uint32_t inside_by_table(uint32_t inside, const uint8_t *at, size_t size)
{
    for (; size >= 8; at += 8, size -= 8) {
        const uint64_t word = load_8(at) ^ inside;
        inside = by_byte[7][word & 255] ^ by_byte[6][word >> 8 & 255] ^
                 by_byte[5][word >> 16 & 255] ^ by_byte[4][word >> 24 & 255] ^
                 by_byte[3][word >> 32 & 255] ^ by_byte[2][word >> 40 & 255] ^
                 by_byte[1][word >> 48 & 255] ^ by_byte[0][word >> 56];
    }
    for (; size > 0; at++, size--) {
        inside = by_byte[0][(inside ^ *at) & 255] ^ inside >> 8;
    }
    return inside;
}

uint32_t crc32c_table(uint32_t crc, const void *bytes, size_t size)
{
    return ~inside_by_table(~crc, bytes, size);
}

#if CRC32C_CAN
static uint32_t shifted(uint32_t inside)
{
    return shift[0][inside & 255] ^ shift[1][inside >> 8 & 255] ^ shift[2][inside >> 16 & 255] ^
           shift[3][inside >> 24];
}

CRC32C_INSTRUCTION static uint32_t inside_by_hardware(uint32_t inside, const uint8_t *at,
                                                       size_t size)
{
    for (; size >= 3 * STREAM; at += 3 * STREAM, size -= 3 * STREAM) {
        uint32_t second = 0;
        uint32_t third = 0;
        for (size_t i = 0; i < STREAM; i += 8) {
            inside = crc32c_step_8(inside, load_8(at + i));
            second = crc32c_step_8(second, load_8(at + STREAM + i));
            third = crc32c_step_8(third, load_8(at + 2 * STREAM + i));
        }
        inside = shifted(shifted(inside) ^ second) ^ third;
    }
    for (; size >= 8; at += 8, size -= 8) {
        inside = crc32c_step_8(inside, load_8(at));
    }
    for (; size > 0; at++, size--) {
        inside = crc32c_step_1(inside, *at);
    }
    return inside;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t size)
{
    return ~(hardware ? inside_by_hardware(~crc, bytes, size) : inside_by_table(~crc, bytes, size));
}
#else
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size)
{
    return crc32c_table(crc, bytes, size);
}
#endif

int crc32c_hardware(void)
{
    return hardware;
}

static int machine_has_it(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") != 0;
#elif defined(__aarch64__) && (defined(__APPLE__) || defined(__ARM_FEATURE_CRC32))
    return 1;
#elif defined(__aarch64__) && defined(__linux__)
    return (getauxval(AT_HWCAP) >> 7 & 1) != 0; /* HWCAP_CRC32 */
#else
    return 0;
#endif
}

__attribute__((constructor)) static void make_tables(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t inside = byte;
        for (int bit = 0; bit < 8; bit++) {
            inside = inside >> 1 ^ (inside & 1 ? POLYNOMIAL : 0);
        }
        by_byte[0][byte] = inside;
    }
    for (int zeros = 1; zeros < 8; zeros++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            const uint32_t before = by_byte[zeros - 1][byte];
            by_byte[zeros][byte] = by_byte[0][before & 255] ^ before >> 8;
        }
    }
    static const uint8_t zeros[STREAM];
    for (uint32_t place = 0; place < 4; place++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            shift[place][byte] = inside_by_table(byte << 8 * place, zeros, STREAM);
        }
    }
    hardware = machine_has_it();
}
