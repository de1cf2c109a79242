/* crc32c_step.h - the instruction itself, for loops that make many CRCs at once.
 *
 * A step takes the CRC's inside, which is the CRC with all bits turned: ~crc before the first byte
 * and once more after the last. It has a latency of three cycles and can begin every cycle: one CRC
 * alone waits two cycles in three, three independent ones cost no more than one.
 *
 * Only in functions marked CRC32C_INSTRUCTION, and only after crc32c_hardware() has said 1.
 */
#ifndef PHASE6_CRC32C_STEP_H
#define PHASE6_CRC32C_STEP_H

#include <stdint.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#define CRC32C_CAN 1
#define CRC32C_INSTRUCTION __attribute__((target("sse4.2")))

CRC32C_INSTRUCTION static inline uint32_t crc32c_step_8(uint32_t inside, uint64_t eight_bytes)
{
    return (uint32_t)_mm_crc32_u64(inside, eight_bytes);
}

CRC32C_INSTRUCTION static inline uint32_t crc32c_step_4(uint32_t inside, uint32_t four_bytes)
{
    return _mm_crc32_u32(inside, four_bytes);
}

CRC32C_INSTRUCTION static inline uint32_t crc32c_step_1(uint32_t inside, uint8_t byte)
{
    return _mm_crc32_u8(inside, byte);
}
#elif defined(__aarch64__)
#define CRC32C_CAN 1
#define CRC32C_INSTRUCTION

static inline uint32_t crc32c_step_8(uint32_t inside, uint64_t eight_bytes)
{
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(inside) : "r"(eight_bytes));
    return inside;
}

static inline uint32_t crc32c_step_4(uint32_t inside, uint32_t four_bytes)
{
    __asm__(".arch_extension crc\n\tcrc32cw %w0, %w0, %w1" : "+r"(inside) : "r"(four_bytes));
    return inside;
}

static inline uint32_t crc32c_step_1(uint32_t inside, uint8_t byte)
{
    __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(inside) : "r"((uint32_t)byte));
    return inside;
}
#else
#define CRC32C_CAN 0
#endif

#endif
