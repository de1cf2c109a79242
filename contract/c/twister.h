/* twister.h - MT19937, the random numbers of the public benchmark.
 *
 * Makoto Matsumoto and Takuji Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998). Seeded by the
 * reference rule for one 32-bit word, so numpy.random.RandomState(seed) draws the same stream.
 */
#ifndef MATCHBOOK_TWISTER_H
#define MATCHBOOK_TWISTER_H

#include <stdint.h>

enum { TWISTER_WORDS = 624, TWISTER_OFFSET = 397 };

typedef struct {
    uint32_t words[TWISTER_WORDS];
    uint32_t next;
} twister;

static inline void twister_seed(twister *self, uint32_t seed)
{
    self->words[0] = seed;
    for (uint32_t i = 1; i < TWISTER_WORDS; i++) {
        uint32_t last = self->words[i - 1];
        self->words[i] = UINT32_C(1812433253) * (last ^ (last >> 30)) + i;
    }
    self->next = TWISTER_WORDS;
}

/* One word of the next state from the top bit of `high`, the rest of `low`, and a far word. */
static inline uint32_t twister_mix(uint32_t high, uint32_t low, uint32_t far_word)
{
    uint32_t joined = (high & UINT32_C(0x80000000)) | (low & UINT32_C(0x7fffffff));
    uint32_t odd = (joined & 1) ? UINT32_C(0x9908b0df) : 0;
    return far_word ^ (joined >> 1) ^ odd;
}

/* Advance all 624 words; split in three so that no index needs a division. */
static inline void twister_refill(twister *self)
{
    uint32_t *w = self->words;
    const int near_count = TWISTER_WORDS - TWISTER_OFFSET;
    for (int i = 0; i < near_count; i++)
        w[i] = twister_mix(w[i], w[i + 1], w[i + TWISTER_OFFSET]);
    for (int i = near_count; i < TWISTER_WORDS - 1; i++)
        w[i] = twister_mix(w[i], w[i + 1], w[i - near_count]);
    w[TWISTER_WORDS - 1] = twister_mix(w[TWISTER_WORDS - 1], w[0], w[TWISTER_OFFSET - 1]);
    self->next = 0;
}

static inline uint32_t twister_word(twister *self)
{
    if (self->next == TWISTER_WORDS)
        twister_refill(self);
    uint32_t y = self->words[self->next++];
    y ^= y >> 11;
    y ^= (y << 7) & UINT32_C(0x9d2c5680);
    y ^= (y << 15) & UINT32_C(0xefc60000);
    return y ^ (y >> 18);
}

/* A double in [0, 1) with 53 random bits, from two words. */
static inline double twister_uniform(twister *self)
{
    uint32_t high = twister_word(self) >> 5;
    uint32_t low = twister_word(self) >> 6;
    return ((double)high * 67108864.0 + (double)low) / 9007199254740992.0;
}

#endif
