/* storage_names.h - the names in a real directory, one behind the other.
 *
 * All of them are read when the first is asked for, and again when this storage has changed one
 * since: n names cost one pass through the directory.
 */
#ifndef PHASE6_STORAGE_NAMES_H
#define PHASE6_STORAGE_NAMES_H

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "phase6_wal/c/storage.h"

typedef struct {
    int directory;
    _Atomic uint64_t changes; /* through this storage; no lock: a forked child makes some, too */
    pthread_mutex_t mutex;    /* for all below */
    char (*names)[STORAGE_NAME_BYTES];
    size_t count;
    size_t room;
    uint64_t listed; /* `changes` before they were read */
    int is_listed;
} name_list;

/* storage_is_name: of a file in the directory itself, and short enough. */
static inline int storage_is_name(const char *name)
{
    return name[0] != '\0' && strlen(name) < STORAGE_NAME_BYTES && strchr(name, '/') == NULL;
}

/* names_new: of a directory that is open, and stays so; all of `self` is 0. 0 or -errno. */
int names_new(name_list *self, int directory);
void names_free(name_list *self);
/* names_changed: after a name has come or gone, or might have. Any thread. */
void names_changed(name_list *self);
/* names_at: as storage.h's directory_list. Any thread. */
int names_at(name_list *self, size_t index, char name[STORAGE_NAME_BYTES]);

#endif
