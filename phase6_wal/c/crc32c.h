/* crc32c.h - CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as iSCSI, ext4 and SSE4.2 have
 * it.
 *
 * By one instruction for 8 bytes where the machine has it (x86-64 with SSE4.2, arm64 with CRC), by
 * tables elsewhere; which is decided once, at run time where the compiler does not know. The CRC
 * can be continued: crc32c(crc32c(0, a), b) is that of a and b behind each other. Of "123456789":
 * 0xE3069283.
 *
 * Thread-safe: what is computed once is computed before main.
 */
#ifndef PHASE6_CRC32C_H
#define PHASE6_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* cdef:begin */
/* crc32c: of `size` bytes, continuing `crc` (0 to begin). O(size). */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size);
/* crc32c_table: the same by tables, on any machine. */
uint32_t crc32c_table(uint32_t crc, const void *bytes, size_t size);
/* crc32c_hardware: 1 if crc32c uses the instruction here. */
int crc32c_hardware(void);
/* cdef:end */

#endif
