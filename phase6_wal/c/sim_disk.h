/* sim_disk.h - what storage_sim.c and sim_disk.c share: files with images, a directory with a past.
 *
 *     names (live) ──▶ sim_file { live │ clean │ disk }      changes: what happened to the names
 *     kept  (disk) ──▶     ...                                        since the last directory_sync
 *
 * `clean` is what live was when its sectors were last written or given up: a sector is dirty if and
 * only if it differs from that. So stores to a map, which no call announces, are found all the
 * same; a write makes it differ even where it changes nothing, as it makes a page dirty.
 */
#ifndef PHASE6_SIM_DISK_H
#define PHASE6_SIM_DISK_H

#include <pthread.h>

#include "contract/c/check.h"
#include "phase6_wal/c/storage_sim.h"

enum { SIM_PAGE_BYTES = 4096 };
enum { CHANGE_ADD, CHANGE_RENAME, CHANGE_REMOVE };

typedef struct sim_file {
    uint8_t *live, *clean, *disk; /* `room` bytes each, one mapping, zeros behind the file's end */
    uint64_t room;
    uint64_t bytes, disk_bytes;
    uint32_t opened, mapped;
    int stale;              /* from before a crash */
    int sync_failed;
    struct sim_file *after; /* what a crash has made of it */
} sim_file;

typedef struct {
    char name[STORAGE_NAME_BYTES];
    sim_file *file;
} sim_name;

typedef struct {
    sim_name *all; /* in the order of their bytes */
    size_t count, room;
} sim_names;

typedef struct {
    int kind;
    char from[STORAGE_NAME_BYTES], to[STORAGE_NAME_BYTES];
    sim_file *file;
} sim_change;

typedef struct {
    uint64_t left; /* calls until it fails; 0: not armed */
    int error, forever;
} sim_fault;

typedef struct {
    storage table; /* first: a storage * is a sim_disk * */
    pthread_mutex_t mutex;
    uint64_t random;
    uint64_t capacity;
    sim_file **files;
    size_t file_count, file_room;
    sim_file **handles;
    size_t handle_count;
    sim_names names, kept;
    sim_change *changes;
    size_t change_count, change_room;
    sim_fault faults[SIM_KINDS];
    uint64_t calls[SIM_KINDS];
    uint64_t cut_left, fired, retried;
    int lying[SIM_KINDS];
    int off, read_only, directory_failed;
} sim_disk;

uint64_t sim_draw(sim_disk *self, uint64_t below);

/* Files. NULL or -ENOMEM without memory. */
sim_file *sim_file_new(sim_disk *self, uint64_t bytes);
int sim_file_grow(sim_file *file, uint64_t bytes);
/* sim_file_write: inside the file. */
void sim_file_write(sim_file *file, uint64_t offset, const void *from, size_t size);
/* sim_file_sync: the dirty sectors of a range, and the size; `failed`: some of them, by the
 * coin. */
void sim_file_sync(sim_disk *self, sim_file *file, uint64_t offset, uint64_t size, int failed);
/* sim_write_back: now and then, some dirty sectors of some file, unasked. */
void sim_write_back(sim_disk *self);
uint64_t sim_used_bytes(const sim_disk *self);
/* sim_collect: free what no name, change, handle or map refers to. */
void sim_collect(sim_disk *self);

/* Names. */
sim_file *sim_find(const sim_names *names, const char *name);
int sim_change_names(sim_disk *self, int kind, const char *from, const char *to, sim_file *file);
void sim_keep_names(sim_disk *self);

/* The calls, in storage_sim.c. */
extern const storage SIM_TABLE;
void sim_free(storage *table);

/* sim_crash: `power` 1: of the machine; 0: of the process. */
void sim_crash(sim_disk *self, int power);

static inline sim_disk *sim_lock(const storage *table)
{
    sim_disk *self = (sim_disk *)(uintptr_t)table; /* a const one is locked too */
    CHECK(pthread_mutex_lock(&self->mutex) == 0);
    return self;
}

static inline int sim_unlock(sim_disk *self, int result)
{
    CHECK(pthread_mutex_unlock(&self->mutex) == 0);
    return result;
}

#endif
