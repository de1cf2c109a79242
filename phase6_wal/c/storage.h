/* storage.h - the disk, as a log knows it: files in one directory, behind one table of functions.
 *
 * There are two: storage_posix.c is the real one, storage_sim.c one in memory that forgets, tears,
 * reorders and fails on purpose, from a seed. Log, snapshots and recovery know only this interface,
 * so what is proved with the second holds for the code that runs on the first.
 *
 * Every function returns 0 or more, or a negative errno. Nothing is retried in here, and EINTR is
 * the only error that is not passed on. Names are plain file names, shorter than
 * STORAGE_NAME_BYTES.
 *
 * What lasts: bytes of a file after file_sync (or map_sync of their range); a file's being there,
 * under its name, after directory_sync. Until then a crash of the machine may leave any of it, in
 * any order, in pieces of 512 bytes. A crash of the process alone loses nothing that write or a
 * store to a map has done. After a failed sync nobody knows what is on the disk: asking again would
 * only tell what the cache holds.
 */
#ifndef PHASE6_STORAGE_H
#define PHASE6_STORAGE_H

#include <stddef.h>
#include <stdint.h>

/* cdef:begin */
enum { STORAGE_NAME_BYTES = 64, STORAGE_SECTOR_BYTES = 512 };
typedef struct storage storage;

struct storage {
    /* file_create: a new file of `bytes`, read and write, with real blocks behind all of it: later
     * writes inside it need no space. -EEXIST, -ENOSPC (then it is gone again). A file number. */
    int (*file_create)(storage *self, const char *name, uint64_t bytes);
    /* file_open: an existing one; *bytes is its size. A file number. One that may only be read is
     * opened for that: a write to it is -EBADF. */
    int (*file_open)(storage *self, const char *name, uint64_t *bytes);
    int (*file_close)(storage *self, int file);
    /* All of it or an error; reading past the end is -EIO. */
    int (*file_write)(storage *self, int file, uint64_t offset, const void *from, size_t size);
    int (*file_read)(storage *self, int file, uint64_t offset, void *to, size_t size);
    /* file_sync: fdatasync: contents, and the size. */
    int (*file_sync)(storage *self, int file);
    /* map: the whole file, shared, readable and writable; touches no page. */
    int (*map)(storage *self, int file, uint64_t bytes, void **memory);
    /* map_touch: make the pages of a range ready to be written, so that a store does not enter the
     * kernel. */
    int (*map_touch)(storage *self, void *memory, uint64_t offset, uint64_t size);
    int (*map_sync)(storage *self, void *memory, uint64_t offset, uint64_t size);
    int (*unmap)(storage *self, void *memory, uint64_t bytes);
    /* file_rename replaces `to`. */
    int (*file_rename)(storage *self, const char *from, const char *to);
    int (*file_remove)(storage *self, const char *name);
    int (*directory_sync)(storage *self);
    /* directory_list: index 0: the first name, in the order of their bytes; else the one behind
     * `name`, which is what the call before gave. 1, or 0 after the last. By name and not by place:
     * files come and go meanwhile, and what is there all the while is listed once. What is renamed
     * meanwhile may be listed twice or not at all: who reads beside a writer lists until it comes out
     * the same. */
    int (*directory_list)(storage *self, size_t index, char name[64]);
    void (*storage_free)(storage *self);
};

/* storage_posix_new: the files of a directory that exists. -errno. */
int storage_posix_new(const char *directory, storage **made);
void storage_free(storage *self);
/* cdef:end */

#endif
