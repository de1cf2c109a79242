/* storage_names.c - see storage_names.h. */
#include "phase6_wal/c/storage_names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int names_new(name_list *self, int directory)
{
    self->directory = directory;
    return -pthread_mutex_init(&self->mutex, NULL);
}

void names_free(name_list *self)
{
    pthread_mutex_destroy(&self->mutex);
    free(self->names);
}

void names_changed(name_list *self)
{
    /* Pairs with list_anew and names_at. */
    atomic_fetch_add_explicit(&self->changes, 1, memory_order_release);
}

static int compare_names(const void *one, const void *other)
{
    return strcmp(one, other);
}

static int keep_name(name_list *self, const char *name)
{
    if (self->count == self->room) {
        const size_t room = self->room > 0 ? 2 * self->room : 64;
        void *names = realloc(self->names, room * sizeof *self->names);
        if (names == NULL) {
            return -ENOMEM;
        }
        self->names = names;
        self->room = room;
    }
    memcpy(self->names[self->count++], name, strlen(name) + 1);
    return 0;
}

/* read_names: an error on the way is no end: a log would seem to be shorter than it is. */
static int read_names(name_list *self, DIR *entries)
{
    self->count = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(entries);
        if (entry == NULL) {
            return -errno;
        }
        const char *name = entry->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && storage_is_name(name)) {
            const int failed = keep_name(self, name);
            if (failed != 0) {
                return failed;
            }
        }
    }
}

static int list_anew(name_list *self)
{
    const uint64_t changes = atomic_load_explicit(&self->changes, memory_order_acquire);
    self->is_listed = 0;
    const int file = openat(self->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) {
        return -errno;
    }
    DIR *entries = fdopendir(file);
    if (entries == NULL) {
        const int failed = errno;
        close(file);
        return -failed;
    }
    const int failed = read_names(self, entries);
    closedir(entries);
    if (failed == 0) {
        if (self->count > 1) {
            qsort(self->names, self->count, sizeof *self->names, compare_names);
        }
        self->listed = changes;
        self->is_listed = 1;
    }
    return failed;
}

int names_at(name_list *self, size_t index, char name[STORAGE_NAME_BYTES])
{
    pthread_mutex_lock(&self->mutex);
    const int is_old = index == 0 || !self->is_listed ||
                       self->listed != atomic_load_explicit(&self->changes, memory_order_acquire);
    int found = is_old ? list_anew(self) : 0;
    size_t at = 0;
    while (index > 0 && at < self->count && strcmp(self->names[at], name) <= 0) {
        at++;
    }
    if (found == 0 && at < self->count) {
        memcpy(name, self->names[at], STORAGE_NAME_BYTES);
        found = 1;
    }
    pthread_mutex_unlock(&self->mutex);
    return found;
}
