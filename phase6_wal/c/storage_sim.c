/* storage_sim.c - the interface of storage.h over sim_disk.c: what may be asked, and what fails.
 *
 *     begin ── power? ── time for the cut? ── some write-back ── time for a fault? ── the call
 *              -EIO      cut, -EIO                                   its errno, half done
 */
#include "phase6_wal/c/storage_sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase6_wal/c/sim_disk.h"

/* --- what every call goes through ------------------------------------------------------------- */

static int fires(sim_disk *self, int kind)
{
    sim_fault *fault = &self->faults[kind];
    if (fault->left == 0 || --fault->left > 0) {
        return 0;
    }
    fault->left = fault->forever ? 1 : 0;
    self->fired++;
    return -fault->error;
}

/* 0, or the error that the call is to return. */
static int begin(sim_disk *self, int kind)
{
    if (self->off) {
        return -EIO;
    }
    self->calls[SIM_ANY]++;
    self->calls[kind]++;
    if (self->cut_left > 0 && --self->cut_left == 0) {
        sim_crash(self, 1);
        self->off = 1;
        return -EIO;
    }
    sim_write_back(self);
    int any = fires(self, SIM_ANY);
    int own = fires(self, kind);
    if (self->read_only && kind != SIM_OPEN && kind != SIM_READ && kind != SIM_MAP) {
        return -EROFS;
    }
    return any != 0 ? any : own;
}

static int check_name(const char *name)
{
    size_t length = strnlen(name, STORAGE_NAME_BYTES);
    int fits = length > 0 && length < STORAGE_NAME_BYTES && strchr(name, '/') == NULL;
    return fits ? 0 : -EINVAL;
}

/* --- open files ------------------------------------------------------------------------------- */

static sim_file *file_of(const sim_disk *self, int number)
{
    int known = number >= 0 && (size_t)number < self->handle_count;
    return known ? self->handles[number] : NULL;
}

static int give_handle(sim_disk *self, sim_file *file)
{
    size_t at = 0;
    while (at < self->handle_count && self->handles[at] != NULL) {
        at++;
    }
    if (at == self->handle_count) {
        sim_file **handles = realloc(self->handles, (at + 1) * sizeof *handles);
        if (handles == NULL) {
            return -ENOMEM;
        }
        self->handles = handles;
        self->handle_count++;
    }
    self->handles[at] = file;
    file->opened++;
    return (int)at;
}

/* 0 if a call may work on it: an open file, not of before a crash. */
static int begin_file(sim_disk *self, int kind, sim_file *file)
{
    int code = begin(self, kind);
    if (file == NULL) {
        return -EBADF;
    }
    return file->stale ? -EIO : code;
}

static int create(storage *table, const char *name, uint64_t bytes)
{
    sim_disk *self = sim_lock(table);
    int code = begin(self, SIM_CREATE);
    code = code != 0 ? code : check_name(name);
    if (code == 0 && sim_find(&self->names, name) != NULL) {
        code = -EEXIST;
    }
    uint64_t used = sim_used_bytes(self);
    uint64_t pages = bytes / SIM_PAGE_BYTES + (bytes % SIM_PAGE_BYTES != 0);
    if (code == 0 && (used > self->capacity || pages > (self->capacity - used) / SIM_PAGE_BYTES)) {
        code = -ENOSPC;
    }
    if (code != 0) {
        return sim_unlock(self, code);
    }
    sim_file *file = sim_file_new(self, bytes);
    if (file == NULL || sim_change_names(self, CHANGE_ADD, "", name, file) != 0) {
        return sim_unlock(self, -ENOMEM);
    }
    return sim_unlock(self, give_handle(self, file));
}

static int open_file(storage *table, const char *name, uint64_t *bytes)
{
    sim_disk *self = sim_lock(table);
    int code = begin(self, SIM_OPEN);
    code = code != 0 ? code : check_name(name);
    if (code != 0) {
        return sim_unlock(self, code);
    }
    sim_file *file = sim_find(&self->names, name);
    if (file == NULL) {
        return sim_unlock(self, -ENOENT);
    }
    *bytes = file->bytes;
    return sim_unlock(self, give_handle(self, file));
}

static int close_file(storage *table, int number)
{
    sim_disk *self = sim_lock(table);
    sim_file *file = file_of(self, number);
    if (file == NULL) {
        return sim_unlock(self, -EBADF);
    }
    self->handles[number] = NULL;
    file->opened--;
    sim_collect(self);
    return sim_unlock(self, 0);
}

/* A write inside the file needs no space; one past its end makes it longer, if nobody has mapped
 * it. */
static int room_for(sim_disk *self, sim_file *file, uint64_t offset, size_t size)
{
    if (offset > UINT64_MAX / 4 || size > UINT64_MAX / 4) {
        return -EFBIG;
    }
    if (offset + size <= file->bytes) {
        return 0;
    }
    if (file->mapped > 0) {
        return -EBUSY;
    }
    uint64_t old = file->bytes;
    if (sim_file_grow(file, offset + size) != 0) {
        return -ENOMEM;
    }
    if (sim_used_bytes(self) > self->capacity) {
        file->bytes = old;
        return -ENOSPC;
    }
    return 0;
}

static int write_file(storage *table, int number, uint64_t offset, const void *from, size_t size)
{
    sim_disk *self = sim_lock(table);
    sim_file *file = file_of(self, number);
    int failed = begin_file(self, SIM_WRITE, file);
    if (file == NULL || file->stale || self->off) {
        return sim_unlock(self, failed);
    }
    size_t part = failed == 0 ? size : (size_t)sim_draw(self, size + 1);
    int code = room_for(self, file, offset, part);
    if (code == 0) {
        sim_file_write(file, offset, from, part);
    }
    return sim_unlock(self, failed != 0 ? failed : code);
}

static int read_file(storage *table, int number, uint64_t offset, void *to, size_t size)
{
    sim_disk *self = sim_lock(table);
    sim_file *file = file_of(self, number);
    int code = begin_file(self, SIM_READ, file);
    if (code == 0 && (offset > file->bytes || size > file->bytes - offset)) {
        code = -EIO;
    }
    if (code == 0 && size > 0) {
        memcpy(to, file->live + offset, size);
    }
    return sim_unlock(self, code);
}

static int lies(const sim_disk *self, int kind)
{
    return self->lying[SIM_ANY] || self->lying[kind];
}

/* `failed` is what begin said: a sync with a fault does half of its work. */
static int sync_range(sim_disk *self, int kind, sim_file *file, uint64_t offset, uint64_t size,
                      int failed)
{
    if (file == NULL || file->stale || self->off) {
        return failed;
    }
    self->retried += file->sync_failed ? 1 : 0;
    file->sync_failed |= failed != 0;
    if (failed != 0 || !lies(self, kind)) {
        sim_file_sync(self, file, offset, size, failed != 0);
    }
    return failed;
}

static int sync_file(storage *table, int number)
{
    sim_disk *self = sim_lock(table);
    sim_file *file = file_of(self, number);
    int failed = begin_file(self, SIM_SYNC, file);
    uint64_t size = file != NULL ? file->room : 0;
    return sim_unlock(self, sync_range(self, SIM_SYNC, file, 0, size, failed));
}

/* --- maps ------------------------------------------------------------------------------------- */

static sim_file *file_at(const sim_disk *self, const void *memory)
{
    for (size_t i = 0; i < self->file_count; i++) {
        if (self->files[i]->mapped > 0 && self->files[i]->live == memory) {
            return self->files[i];
        }
    }
    return NULL;
}

static int map(storage *table, int number, uint64_t bytes, void **memory)
{
    sim_disk *self = sim_lock(table);
    sim_file *file = file_of(self, number);
    int code = begin_file(self, SIM_MAP, file);
    if (code == 0 && (bytes == 0 || bytes > file->bytes)) {
        code = -EINVAL; /* the real one would raise SIGBUS later */
    }
    if (code == 0) {
        file->mapped++;
        *memory = file->live;
    }
    return sim_unlock(self, code);
}

static int map_touch(storage *table, void *memory, uint64_t offset, uint64_t size)
{
    sim_disk *self = sim_lock(table);
    const sim_file *file = file_at(self, memory);
    if (file == NULL || offset > file->room || size > file->room - offset) {
        return sim_unlock(self, -EINVAL);
    }
    return sim_unlock(self, file->stale || self->off ? -EIO : 0);
}

static int map_sync(storage *table, void *memory, uint64_t offset, uint64_t size)
{
    sim_disk *self = sim_lock(table);
    sim_file *file = file_at(self, memory);
    int failed = begin_file(self, SIM_MAP_SYNC, file);
    if (file == NULL || offset > file->room || size > file->room - offset) {
        return sim_unlock(self, -EINVAL);
    }
    uint64_t from = offset / SIM_PAGE_BYTES * SIM_PAGE_BYTES;
    uint64_t end = (offset + size + SIM_PAGE_BYTES - 1) / SIM_PAGE_BYTES * SIM_PAGE_BYTES;
    return sim_unlock(self, sync_range(self, SIM_MAP_SYNC, file, from, end - from, failed));
}

static int unmap(storage *table, void *memory, uint64_t bytes)
{
    sim_disk *self = sim_lock(table);
    sim_file *file = file_at(self, memory);
    if (file == NULL || bytes > file->room) {
        return sim_unlock(self, -EINVAL);
    }
    file->mapped--;
    sim_collect(self);
    return sim_unlock(self, 0);
}

/* --- names ------------------------------------------------------------------------------------ */

static int change_names(sim_disk *self, int change, const char *from, const char *to)
{
    sim_file *file = sim_find(&self->names, from);
    if (file == NULL) {
        return -ENOENT;
    }
    if (sim_change_names(self, change, from, to, file) != 0) {
        return -ENOMEM;
    }
    sim_collect(self);
    return 0;
}

static int rename_file(storage *table, const char *from, const char *to)
{
    sim_disk *self = sim_lock(table);
    int code = begin(self, SIM_RENAME);
    code = code != 0 ? code : check_name(from);
    code = code != 0 ? code : check_name(to);
    code = code != 0 ? code : change_names(self, CHANGE_RENAME, from, to);
    return sim_unlock(self, code);
}

static int remove_file(storage *table, const char *name)
{
    sim_disk *self = sim_lock(table);
    int code = begin(self, SIM_REMOVE);
    code = code != 0 ? code : check_name(name);
    code = code != 0 ? code : change_names(self, CHANGE_REMOVE, name, "");
    return sim_unlock(self, code);
}

static int directory_sync(storage *table)
{
    sim_disk *self = sim_lock(table);
    int failed = begin(self, SIM_DIRECTORY_SYNC);
    if (self->off) {
        return sim_unlock(self, failed);
    }
    self->retried += self->directory_failed ? 1 : 0;
    if (failed != 0) {
        self->directory_failed = self->read_only = 1;
    } else if (!lies(self, SIM_DIRECTORY_SYNC)) {
        sim_keep_names(self);
        sim_collect(self);
    }
    return sim_unlock(self, failed);
}

static int directory_list(storage *table, size_t index, char name[STORAGE_NAME_BYTES])
{
    sim_disk *self = sim_lock(table);
    if (self->off) {
        return sim_unlock(self, -EIO);
    }
    size_t at = 0;
    while (index > 0 && at < self->names.count && strcmp(self->names.all[at].name, name) <= 0) {
        at++;
    }
    int there = at < self->names.count;
    if (there) {
        memcpy(name, self->names.all[at].name, STORAGE_NAME_BYTES);
    }
    return sim_unlock(self, there);
}

const storage SIM_TABLE = {
    .file_create = create,
    .file_open = open_file,
    .file_close = close_file,
    .file_write = write_file,
    .file_read = read_file,
    .file_sync = sync_file,
    .map = map,
    .map_touch = map_touch,
    .map_sync = map_sync,
    .unmap = unmap,
    .file_rename = rename_file,
    .file_remove = remove_file,
    .directory_sync = directory_sync,
    .directory_list = directory_list,
    .storage_free = sim_free,
};
