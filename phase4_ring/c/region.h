/* region.h - the memory a ring lives in: this process's own, or shared under a name.
 *
 * A ring holds no pointers, so the same bytes work wherever they are mapped. It starts with this
 * header, one cache line on most machines:
 *
 *   offset  type  field         valid if and only if
 *        0  u64   magic         "MBRING\0\1"; stored last by the creator, so a region without it
 *                               is not ready yet, or none of ours
 *        8  u32   version       REGION_VERSION
 *       12  u32   kind          what the attaching side came for
 *       16  u32   record_bytes  64
 *       20  u32   line_bytes    CACHE_LINE_BYTES: the layout depends on it
 *       24  u64   capacity      a power of two; `bytes` is what such a ring needs
 *       32  u64   bytes         the size of the region
 *       40  u64   start         the first cursor (0, except in tests of wrapping)
 *       48  u32   parking       1: users may park, and every hand-over looks for sleepers
 *       52  u32   closed        1: no producer will add anything any more (a sequencer says it in
 *                               its claims instead)
 *       56  u32   shared        1: mapped under a name
 *
 * Everything but `closed` is constant once magic is there.
 */
#ifndef PHASE4_REGION_H
#define PHASE4_REGION_H

#include <stddef.h>
#include <stdint.h>

#include "phase4_ring/c/cache_line.h"

#define REGION_MAGIC UINT64_C(0x0100474E4952424D)
#define REGION_VERSION 1u
#define RING_MIN_CAPACITY 2u
#define RING_MAX_CAPACITY (1u << 24)

/* cdef:begin */
enum { REGION_SPSC = 1, REGION_SEQUENCER = 2 };
/* Why a ring could not be had; 0 is success. `found` and `expected` go with those marked *. */
enum {
    REGION_EXISTS = -1,     /* create: the name is taken */
    REGION_MISSING = -2,    /* attach: nothing of that name */
    REGION_NOT_READY = -3,  /* attach: its creator has not finished, or died before */
    REGION_FOREIGN = -4,    /* * not a ring: the magic */
    REGION_OTHER_VERSION = -5, /* * */
    REGION_OTHER_KIND = -6,    /* * */
    REGION_OTHER_RECORD = -7,  /* * bytes of a record */
    REGION_OTHER_LINE = -8,    /* * bytes of a cache line */
    REGION_OTHER_SIZE = -9,    /* * bytes of the region against what the capacity needs */
    REGION_BAD_CAPACITY = -10, /* * not a power of two in the limits */
    REGION_SYSTEM = -11        /* `found` is the errno */
};
typedef struct {
    uint64_t found;
    uint64_t expected;
} region_problem;

/* region_unlink: take the name away; the memory lives until the last user detaches.
 * 0, REGION_MISSING or REGION_SYSTEM. */
int region_unlink(const char *name, region_problem *problem);
/* cdef:end */

/* region_header: the table above. Only `magic` and `closed` ever change. */
typedef struct {
    _Atomic uint64_t magic;
    uint32_t version;
    uint32_t kind;
    uint32_t record_bytes;
    uint32_t line_bytes;
    uint64_t capacity;
    uint64_t bytes;
    uint64_t start;
    uint32_t parking;
    _Atomic uint32_t closed;
    uint32_t shared;
} region_header;

_Static_assert(sizeof(region_header) <= CACHE_LINE_BYTES, "the header fits into one line");

/* region_bytes: what a ring of `kind` and `capacity` needs, header and all; 0 if the capacity is
 * not a power of two in RING_MIN_CAPACITY to RING_MAX_CAPACITY. (Asks the ring's own file.) */
size_t region_bytes(uint32_t kind, uint64_t capacity);

/* region_create: zeroed, touched memory with everything in the header but magic, on a cache line.
 * `name` NULL: of this process alone. A name is "/word" as shm_open has it. The creator fills the
 * rest in and calls region_ready. Returns 0 or why not. O(bytes). */
int region_create(const char *name, uint32_t kind, uint64_t capacity, uint32_t parking,
                  uint64_t start, region_header **header, region_problem *problem);
/* region_ready: what was written so far is there for whoever attaches from now on. */
void region_ready(region_header *header);
/* region_attach: map the region of that name if all of its header is as it should be. */
int region_attach(const char *name, uint32_t kind, region_header **header,
                  region_problem *problem);
/* region_detach: unmap, or free. NULL is allowed. */
void region_detach(region_header *header);

#endif
