/* cache_line.h - how far apart two cores' words must lie.
 *
 * A core owns memory by the line. Two words that two cores write must not share one, or each
 * store takes the line away from the other: false sharing (bench_sharing.c measures it). Apple's
 * arm64 moves 128 bytes at a time, everything else this runs on 64.
 */
#ifndef PHASE4_CACHE_LINE_H
#define PHASE4_CACHE_LINE_H

#if defined(__APPLE__) && defined(__aarch64__)
#define CACHE_LINE_BYTES 128
#else
#define CACHE_LINE_BYTES 64
#endif

/* A member that starts a line of its own. */
#define OWN_LINE _Alignas(CACHE_LINE_BYTES)

#endif
