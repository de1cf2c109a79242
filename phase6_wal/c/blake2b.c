/* blake2b.c - see blake2b.h; the names are those of RFC 7693. */
#include "phase6_wal/c/blake2b.h"

#include <string.h>

enum { BLOCK_BYTES = 128, ROUNDS = 12 };

static const uint64_t IV[8] = {
    UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b), UINT64_C(0x3c6ef372fe94f82b),
    UINT64_C(0xa54ff53a5f1d36f1), UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
    UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179),
};

/* Rounds 10 and 11 use the first two rows again. */
static const uint8_t SIGMA[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static inline uint64_t rotate_right(uint64_t word, int bits)
{
    return word >> bits | word << (64 - bits);
}

static inline void mix(uint64_t v[16], int a, int b, int c, int d, uint64_t x, uint64_t y)
{
    v[a] += v[b] + x;
    v[d] = rotate_right(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = rotate_right(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = rotate_right(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotate_right(v[b] ^ v[c], 63);
}

static void compress(uint64_t state[8], const uint8_t *block, uint64_t taken, int last)
{
    uint64_t m[16]; /* little-endian, as contract.h demands of the machine */
    uint64_t v[16];
    memcpy(m, block, sizeof m);
    memcpy(v, state, 8 * sizeof *v);
    memcpy(v + 8, IV, 8 * sizeof *v);
    v[12] ^= taken;
    v[14] ^= last ? UINT64_MAX : 0;
    for (int round = 0; round < ROUNDS; round++) {
        const uint8_t *s = SIGMA[round % 10];
        mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
        mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
        mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
        mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
        mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
        mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
        mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
        mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (int i = 0; i < 8; i++) {
        state[i] ^= v[i] ^ v[i + 8];
    }
}

void blake2b_begin(blake2b_hash *self)
{
    *self = (blake2b_hash){0};
    memcpy(self->state, IV, sizeof self->state);
    self->state[0] ^= UINT64_C(0x01010000) ^ BLAKE2B_DIGEST_BYTES; /* fan-out 1, depth 1, no key */
}

void blake2b_take(blake2b_hash *self, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    while (size > 0) {
        /* A full block waits for a byte after it: the last one is compressed otherwise. */
        if (self->waiting == BLOCK_BYTES) {
            self->taken += BLOCK_BYTES;
            compress(self->state, self->block, self->taken, 0);
            self->waiting = 0;
        }
        if (self->waiting == 0) {
            for (; size > BLOCK_BYTES; from += BLOCK_BYTES, size -= BLOCK_BYTES) {
                self->taken += BLOCK_BYTES;
                compress(self->state, from, self->taken, 0);
            }
        }
        const size_t room = BLOCK_BYTES - self->waiting;
        const size_t part = size < room ? size : room;
        memcpy(self->block + self->waiting, from, part);
        self->waiting += part;
        from += part;
        size -= part;
    }
}

void blake2b_end(blake2b_hash *self, uint8_t digest[16])
{
    memset(self->block + self->waiting, 0, BLOCK_BYTES - self->waiting);
    self->taken += self->waiting;
    compress(self->state, self->block, self->taken, 1);
    memcpy(digest, self->state, BLAKE2B_DIGEST_BYTES);
}
