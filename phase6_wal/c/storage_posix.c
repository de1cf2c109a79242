/* storage_posix.c - see storage.h: files of a directory, as POSIX has them.
 *
 *                     Linux                                 elsewhere
 *   blocks            posix_fallocate                       F_PREALLOCATE, then ftruncate (macOS)
 *   file_sync         fdatasync                             F_FULLFSYNC (macOS: fsync stops at the
 *                                                           drive's cache), fsync
 *   map_touch         MADV_POPULATE_WRITE                   a store into each page, of nothing
 */
#include "phase6_wal/c/storage.h"
#include "phase6_wal/c/storage_names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__linux__) && !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23
#endif

typedef struct {
    storage table;
    int directory;
    name_list names;
} posix_storage;

static int directory_of(const storage *self)
{
    return ((const posix_storage *)self)->directory;
}

/* changed: after a name has come or gone, or might have. */
static void changed(storage *self)
{
    names_changed(&((posix_storage *)self)->names);
}

/* take_blocks: a new file's size, with blocks behind it. 0 or errno. */
static int take_blocks(int file, uint64_t bytes)
{
#if defined(__APPLE__)
    fstore_t wanted = {.fst_flags = F_ALLOCATEALL,
                       .fst_posmode = F_PEOFPOSMODE,
                       .fst_length = (off_t)bytes};
    if (fcntl(file, F_PREALLOCATE, &wanted) != 0) {
        return errno;
    }
    return ftruncate(file, (off_t)bytes) != 0 ? errno : 0;
#else
    int failed;
    do {
        failed = bytes > 0 ? posix_fallocate(file, 0, (off_t)bytes) : 0;
    } while (failed == EINTR);
    return failed;
#endif
}

static int posix_file_create(storage *self, const char *name, uint64_t bytes)
{
    const int directory = directory_of(self);
    if (!storage_is_name(name) || bytes > INT64_MAX) {
        return -EINVAL;
    }
    int file;
    do {
        file = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    } while (file < 0 && errno == EINTR);
    if (file < 0) {
        return -errno;
    }
    const int failed = take_blocks(file, bytes);
    if (failed != 0) {
        close(file);
        unlinkat(directory, name, 0);
    }
    changed(self);
    return failed != 0 ? -failed : file;
}

/* may_be_read: errors of an opening for writing that say nothing about reading. */
static int may_be_read(int error)
{
    return error == EACCES || error == EPERM || error == EROFS;
}

/* open_for: EINTR is no answer. The file, or -errno. */
static int open_for(const storage *self, const char *name, int access)
{
    int file;
    do {
        file = openat(directory_of(self), name, access | O_CLOEXEC);
    } while (file < 0 && errno == EINTR);
    return file < 0 ? -errno : file;
}

static int posix_file_open(storage *self, const char *name, uint64_t *bytes)
{
    if (!storage_is_name(name)) {
        return -EINVAL;
    }
    int file = open_for(self, name, O_RDWR);
    if (may_be_read(-file)) {
        file = open_for(self, name, O_RDONLY);
    }
    if (file < 0) {
        return file;
    }
    struct stat status;
    if (fstat(file, &status) != 0) {
        const int failed = errno;
        close(file);
        return -failed;
    }
    *bytes = (uint64_t)status.st_size;
    return file;
}

static int posix_file_close(storage *self, int file)
{
    (void)self;
    /* Linux has closed it even when it says EINTR: a second time could hit another's file. */
    return close(file) != 0 && errno != EINTR ? -errno : 0;
}

static int posix_file_write(storage *self, int file, uint64_t offset, const void *from, size_t size)
{
    (void)self;
    const char *at = from;
    while (size > 0) {
        const ssize_t done = pwrite(file, at, size, (off_t)offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done < 0 ? -errno : -EIO;
        }
        at += done;
        offset += (uint64_t)done;
        size -= (size_t)done;
    }
    return 0;
}

static int posix_file_read(storage *self, int file, uint64_t offset, void *to, size_t size)
{
    (void)self;
    char *at = to;
    while (size > 0) {
        const ssize_t done = pread(file, at, size, (off_t)offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done < 0 ? -errno : -EIO;
        }
        at += done;
        offset += (uint64_t)done;
        size -= (size_t)done;
    }
    return 0;
}

static int posix_file_sync(storage *self, int file)
{
    (void)self;
    int failed;
    do {
#if defined(__APPLE__)
        failed = fcntl(file, F_FULLFSYNC);
#elif defined(__linux__)
        failed = fdatasync(file);
#else
        failed = fsync(file);
#endif
    } while (failed != 0 && errno == EINTR);
    return failed != 0 ? -errno : 0;
}

static int posix_map(storage *self, int file, uint64_t bytes, void **memory)
{
    (void)self;
    void *made = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (made == MAP_FAILED) {
        return -errno;
    }
    *memory = made;
    return 0;
}

/* whole_pages: a range, widened to pages; its begin in memory and its size. */
static void *whole_pages(void *memory, uint64_t offset, uint64_t size, size_t *bytes)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    const uint64_t begin = offset / page * page;
    *bytes = (size_t)(offset + size - begin);
    return (char *)memory + begin;
}

static int posix_map_touch(storage *self, void *memory, uint64_t offset, uint64_t size)
{
    (void)self;
    size_t bytes;
    char *begin = whole_pages(memory, offset, size, &bytes);
#if defined(__linux__)
    int failed;
    do {
        failed = madvise(begin, bytes, MADV_POPULATE_WRITE);
    } while (failed != 0 && (errno == EINTR || errno == EAGAIN));
    if (failed == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return errno == EFAULT ? -EIO : -errno; /* EFAULT is where a store would be SIGBUS */
    }
#endif
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t at = 0; at < bytes; at += page) {
        atomic_fetch_or_explicit((_Atomic unsigned char *)(begin + at), 0, memory_order_relaxed);
    }
    return 0;
}

static int posix_map_sync(storage *self, void *memory, uint64_t offset, uint64_t size)
{
    (void)self;
    size_t bytes;
    char *begin = whole_pages(memory, offset, size, &bytes);
    int failed;
    do {
        failed = msync(begin, bytes, MS_SYNC);
    } while (failed != 0 && errno == EINTR);
    return failed != 0 ? -errno : 0;
}

static int posix_unmap(storage *self, void *memory, uint64_t bytes)
{
    (void)self;
    return munmap(memory, (size_t)bytes) != 0 ? -errno : 0;
}

static int posix_file_rename(storage *self, const char *from, const char *to)
{
    const int directory = directory_of(self);
    if (!storage_is_name(from) || !storage_is_name(to)) {
        return -EINVAL;
    }
    const int failed = renameat(directory, from, directory, to) != 0 ? -errno : 0;
    changed(self);
    return failed;
}

static int posix_file_remove(storage *self, const char *name)
{
    if (!storage_is_name(name)) {
        return -EINVAL;
    }
    const int failed = unlinkat(directory_of(self), name, 0) != 0 ? -errno : 0;
    changed(self);
    return failed;
}

static int posix_directory_sync(storage *self)
{
    int failed;
    do {
        failed = fsync(directory_of(self));
    } while (failed != 0 && errno == EINTR);
    return failed != 0 ? -errno : 0;
}

static int posix_directory_list(storage *self, size_t index, char name[64])
{
    return names_at(&((posix_storage *)self)->names, index, name);
}

static void posix_free(storage *self)
{
    close(directory_of(self));
    names_free(&((posix_storage *)self)->names);
    free(self);
}

static const storage POSIX_TABLE = {
    .file_create = posix_file_create,
    .file_open = posix_file_open,
    .file_close = posix_file_close,
    .file_write = posix_file_write,
    .file_read = posix_file_read,
    .file_sync = posix_file_sync,
    .map = posix_map,
    .map_touch = posix_map_touch,
    .map_sync = posix_map_sync,
    .unmap = posix_unmap,
    .file_rename = posix_file_rename,
    .file_remove = posix_file_remove,
    .directory_sync = posix_directory_sync,
    .directory_list = posix_directory_list,
    .storage_free = posix_free,
};

int storage_posix_new(const char *directory, storage **made)
{
    posix_storage *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return -ENOMEM;
    }
    self->table = POSIX_TABLE;
    self->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = self->directory < 0 ? -errno : names_new(&self->names, self->directory);
    if (failed != 0) {
        if (self->directory >= 0) {
            close(self->directory);
        }
        free(self);
        return failed;
    }
    *made = &self->table;
    return 0;
}

void storage_free(storage *self)
{
    if (self != NULL) {
        self->storage_free(self);
    }
}
