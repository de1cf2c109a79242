/* snapshot_parts.h - what the sources of snapshots share, and nobody else needs. */
#ifndef PHASE6_SNAPSHOT_PARTS_H
#define PHASE6_SNAPSHOT_PARTS_H

#include "phase6_wal/c/blake2b.h"
#include "phase6_wal/c/snapshot.h"

enum { SNAPSHOT_PIECE_BYTES = 1 << 20 }; /* most bytes in one write or read */

/* Header and entries, as they lie at the front of the file. */
static inline uint64_t snapshot_head_bytes(uint64_t books)
{
    return SNAPSHOT_HEADER_BYTES + books * SNAPSHOT_ENTRY_BYTES;
}

/* --- checksums of an image, piece by piece --- */

typedef struct {
    uint64_t taken;
    uint32_t crc;
    blake2b_hash hash;
} image_sums;

void image_begin(image_sums *self);
void image_take(image_sums *self, const void *bytes, uint64_t size);
void image_end(image_sums *self, uint8_t state_hash[16]);
/* image_write_header: the 32 bytes before the orders. */
void image_write_header(void *image, uint32_t instrument, uint64_t orders, uint64_t event_sequence);

/* --- judging --- */

/* snapshot_check_head: header and entries, which are all there, of a file of `size` bytes. */
int snapshot_check_head(const uint8_t *head, uint64_t size, uint64_t sequence,
                        snapshot_fault *fault);
/* snapshot_check_image_header: the first 32 bytes of the image of an entry. */
int snapshot_check_image_header(const uint8_t *image, const snapshot_entry *entry, uint32_t book,
                                snapshot_fault *fault);
/* snapshot_check_sums: what all pieces of the image came to. */
int snapshot_check_sums(const image_sums *sums, const uint8_t state_hash[16],
                        const snapshot_entry *entry, uint32_t book, snapshot_fault *fault);

/* --- writing --- */

/* Where images come from: that of a book, whole, good until the next one is asked for;
 * NULL if the book is broken. */
typedef struct {
    const void *(*image)(void *context, size_t book);
    void *context;
} image_source;

/* snapshot_seal: the header's constants, size and crc, once all entries are filled in. */
void snapshot_seal(uint8_t *head);
/* snapshot_place: offsets of all images of a head, one behind the other; the size of the file. */
uint64_t snapshot_place(uint8_t *head);

/* snapshot_name: SEQUENCE.snap; of a temporary file made by process `maker` SEQUENCE.MAKER.snap.tmp, so
 * that a child that outlives its parent does not write to the next one's. */
void snapshot_name(char name[64], uint64_t sequence, uint32_t maker);

int snapshot_problem_set(snapshot_problem *problem, const char *call, int error, uint64_t offset);
/* snapshot_write_temporary: create, write and sync a temporary file, from a head in which all but sums,
 * size and crc is filled in. 0 or -1. Allocates nothing and takes no lock: if the storage's functions
 * are async-signal-safe, as those of storage_posix.c are, it may run in a child after fork. */
int snapshot_write_temporary(storage *disk, uint8_t *head, const image_source *source,
                             const char *temporary, snapshot_problem *problem);
/* snapshot_verify: read it again, through a buffer of the head's size and SNAPSHOT_PIECE_BYTES. */
int snapshot_verify(storage *disk, const char *temporary, uint64_t sequence, uint8_t *buffer,
                    snapshot_problem *problem);
/* snapshot_publish: give it its name, for good. */
int snapshot_publish(storage *disk, const char *temporary, uint64_t sequence,
                     snapshot_problem *problem);

#endif
