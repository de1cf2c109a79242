/* byte_order.h - integers as bytes, whatever the machine's own order and alignment.
 *
 * Exchange formats are big endian (Nasdaq) or little endian (the flat records, SBE, CME). A cast of
 * a pointer would be neither portable nor defined: the address may be odd and the order wrong. These
 * copy the bytes out, and swap them where the machine's order is the other one; compilers make one
 * instruction of each (`movbe` on x86, `ldr` and `rev` on arm64).
 *
 *     value   0x0102    big endian bytes 01 02    little endian bytes 02 01
 */
#ifndef PHASE5_BYTE_ORDER_H
#define PHASE5_BYTE_ORDER_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BIG_ENDIAN_SWAP(bits, value) __builtin_bswap##bits(value)
#define LITTLE_ENDIAN_SWAP(bits, value) (value)
#else
#define BIG_ENDIAN_SWAP(bits, value) (value)
#define LITTLE_ENDIAN_SWAP(bits, value) __builtin_bswap##bits(value)
#endif

static inline uint16_t load_big_u16(const void *from)
{
    uint16_t value;
    memcpy(&value, from, sizeof value);
    return BIG_ENDIAN_SWAP(16, value);
}

static inline uint32_t load_big_u32(const void *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return BIG_ENDIAN_SWAP(32, value);
}

static inline uint64_t load_big_u64(const void *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return BIG_ENDIAN_SWAP(64, value);
}

/* ITCH's nanoseconds since midnight: six bytes. */
static inline uint64_t load_big_u48(const void *from)
{
    return (uint64_t)load_big_u16(from) << 32 | load_big_u32((const char *)from + 2);
}

static inline void store_big_u16(void *to, uint16_t value)
{
    value = BIG_ENDIAN_SWAP(16, value);
    memcpy(to, &value, sizeof value);
}

static inline void store_big_u32(void *to, uint32_t value)
{
    value = BIG_ENDIAN_SWAP(32, value);
    memcpy(to, &value, sizeof value);
}

static inline void store_big_u64(void *to, uint64_t value)
{
    value = BIG_ENDIAN_SWAP(64, value);
    memcpy(to, &value, sizeof value);
}

static inline void store_big_u48(void *to, uint64_t value)
{
    store_big_u16(to, (uint16_t)(value >> 32));
    store_big_u32((char *)to + 2, (uint32_t)value);
}

static inline uint16_t load_little_u16(const void *from)
{
    uint16_t value;
    memcpy(&value, from, sizeof value);
    return LITTLE_ENDIAN_SWAP(16, value);
}

static inline void store_little_u16(void *to, uint16_t value)
{
    value = LITTLE_ENDIAN_SWAP(16, value);
    memcpy(to, &value, sizeof value);
}

static inline uint32_t load_little_u32(const void *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return LITTLE_ENDIAN_SWAP(32, value);
}

static inline void store_little_u32(void *to, uint32_t value)
{
    value = LITTLE_ENDIAN_SWAP(32, value);
    memcpy(to, &value, sizeof value);
}

static inline uint64_t load_little_u64(const void *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return LITTLE_ENDIAN_SWAP(64, value);
}

static inline void store_little_u64(void *to, uint64_t value)
{
    value = LITTLE_ENDIAN_SWAP(64, value);
    memcpy(to, &value, sizeof value);
}

#endif
