/* blake2b.h - BLAKE2b with 16 bytes of digest and no key (RFC 7693): the state hash of CONTRACT 6, in C.
 *
 * Python has it in hashlib; a snapshot's child process and a replay in C have no Python. A hash in
 * progress is a plain struct on the caller's stack: nothing is allocated, nothing of the system called,
 * so it may be used in a child after fork.
 */
#ifndef PHASE6_BLAKE2B_H
#define PHASE6_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

/* cdef:begin */
enum { BLAKE2B_DIGEST_BYTES = 16 };
typedef struct {
    uint64_t state[8];
    uint64_t taken; /* bytes compressed so far */
    size_t waiting; /* bytes in `block` */
    uint8_t block[128];
} blake2b_hash;

void blake2b_begin(blake2b_hash *self);
/* blake2b_take: the next `size` bytes. O(size). */
void blake2b_take(blake2b_hash *self, const void *bytes, size_t size);
/* blake2b_end: the digest of all taken since blake2b_begin. */
void blake2b_end(blake2b_hash *self, uint8_t digest[16]);
/* cdef:end */

#endif
