/* snapshot_child.h - the books as a snapshot needs them, and the child that writes them. */
#ifndef PHASE6_SNAPSHOT_CHILD_H
#define PHASE6_SNAPSHOT_CHILD_H

#include <sys/types.h>

#include "phase6_wal/c/snapshot_parts.h"
#include "phase6_wal/c/snapshotter.h"

typedef struct child_page child_page; /* what a child tells its parent */

typedef struct {
    snapshot_source *sources;
    size_t count;
    uint8_t *head;         /* header and entries of the snapshot that is being made */
    uint8_t *images;       /* by copy all of them, one behind the other; by fork room for the largest */
    uint64_t images_bytes;
    uint64_t copies_bytes; /* of them for copies: touched */
    child_page *page;
    void *cores;           /* on which the maker of the snapshotter ran */
} snapshot_books;

/* 0 or errno; after an error snapshot_books_free gives back what there is. */
int snapshot_books_init(snapshot_books *self, const snapshot_source *sources, size_t count,
                        const snapshot_options *options);
void snapshot_books_free(snapshot_books *self);
/* snapshot_books_begin: the head, but for what only the images tell. The size of the file. */
uint64_t snapshot_books_begin(snapshot_books *self, const snapshot_header *header);
/* snapshot_books_fit: whether the copies of all images, of a file of that size, have room in memory. */
int snapshot_books_fit(const snapshot_books *self, uint64_t file_bytes);
/* snapshot_books_copy: all images to memory; snapshot_books_copied is where they are. */
void snapshot_books_copy(snapshot_books *self);
image_source snapshot_books_copied(snapshot_books *self);

/* snapshot_child_start: a child that writes that file from the books as they are now. Its pid, or -1 and
 * the problem. */
pid_t snapshot_child_start(snapshot_books *self, storage *disk, const char *temporary,
                           snapshot_problem *problem);
/* snapshot_child_result: of a child that has ended: 0 if it did all of it, else -1 and the problem. */
int snapshot_child_result(const snapshot_books *self, snapshot_problem *problem);

#endif
