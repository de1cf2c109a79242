/* test_storage_posix.c - the real disk keeps storage.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/c/check.h"
#include "phase6_wal/c/storage.h"

enum { BYTES = 5 * 4096 };

static char directory[] = P_tmpdir "/matchbook-disk-XXXXXX";

/* Guards: bytes that go elsewhere, a short read that looks whole, an errno that is lost. */
static void test_bytes(storage *disk)
{
    uint8_t bytes[BYTES];
    uint64_t size = 0;
    const int file = disk->file_create(disk, "a", BYTES);
    CHECK(file >= 0);
    CHECK(disk->file_create(disk, "a", BYTES) == -EEXIST);
    CHECK(disk->file_read(disk, file, 0, bytes, BYTES) == 0);
    for (int i = 0; i < BYTES; i++) {
        CHECK(bytes[i] == 0);
    }
    CHECK(disk->file_write(disk, file, 4090, "0123456789", 10) == 0);
    CHECK(disk->file_sync(disk, file) == 0 && disk->file_close(disk, file) == 0);
    CHECK(disk->file_close(disk, file) == -EBADF);
    CHECK(disk->file_write(disk, file, 0, "x", 1) == -EBADF);
    const int again = disk->file_open(disk, "a", &size);
    CHECK(again >= 0 && size == BYTES);
    CHECK(disk->file_read(disk, again, 4090, bytes, 10) == 0);
    CHECK(memcmp(bytes, "0123456789", 10) == 0);
    CHECK(disk->file_read(disk, again, BYTES - 4, bytes, 5) == -EIO);
    CHECK(disk->file_write(disk, again, 4090, "9", 1) == 0);
    CHECK(disk->file_close(disk, again) == 0);
    CHECK(disk->file_open(disk, "b", &size) == -ENOENT);
    CHECK(disk->file_remove(disk, "a") == 0 && disk->file_remove(disk, "a") == -ENOENT);
}

/* Guards: a sparse file, whose mapped pages are SIGBUS on a full disk. */
static void test_blocks_are_real(storage *disk)
{
    struct stat status;
    const int file = disk->file_create(disk, "a", 1 << 20);
    CHECK(file >= 0 && fstat(file, &status) == 0);
    CHECK(status.st_size == 1 << 20 && status.st_blocks * 512 >= 1 << 20);
    CHECK(disk->file_close(disk, file) == 0 && disk->file_remove(disk, "a") == 0);
}

/* Guards: a file that could not be had whole and stays behind. */
static void test_no_space(storage *disk)
{
    struct rlimit before;
    char name[STORAGE_NAME_BYTES];
    CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
    struct rlimit small = {.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    CHECK(disk->file_create(disk, "big", 2 << 20) == -EFBIG);
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(disk->directory_list(disk, 0, name) == 0);
}

/* Guards: a map that does not show the file, or whose ranges do not begin where the kernel wants
 * it. */
static void test_maps(storage *disk)
{
    uint8_t bytes[BYTES];
    void *memory = NULL;
    const int file = disk->file_create(disk, "a", BYTES);
    CHECK(disk->file_write(disk, file, 100, "before", 6) == 0);
    CHECK(disk->map(disk, file, BYTES, &memory) == 0);
    CHECK(disk->map_touch(disk, memory, 0, BYTES) == 0);
    CHECK(disk->map_touch(disk, memory, 4097, 10) == 0);
    CHECK(memcmp((char *)memory + 100, "before", 6) == 0);
    memcpy((char *)memory + 8190, "behind", 6);
    CHECK(disk->map_sync(disk, memory, 8190, 6) == 0);
    CHECK(disk->file_read(disk, file, 0, bytes, BYTES) == 0);
    CHECK(memcmp(bytes + 100, "before", 6) == 0 && memcmp(bytes + 8190, "behind", 6) == 0);
    CHECK(disk->unmap(disk, memory, BYTES) == 0);
    CHECK(disk->map_sync(disk, memory, 0, BYTES) == -ENOMEM);
    CHECK(disk->file_close(disk, file) == 0 && disk->file_remove(disk, "a") == 0);
}

static void make(storage *disk, const char *name, const char *text)
{
    const int file = disk->file_create(disk, name, strlen(text));
    CHECK(file >= 0 && disk->file_write(disk, file, 0, text, strlen(text)) == 0);
    CHECK(disk->file_close(disk, file) == 0);
}

/* Guards: names in the order of the directory, a rename that refuses, a name that leads out of
 * it. */
static void test_names(storage *disk)
{
    static const char *const names[] = {"00", "1", "10", "2", "a", "b"};
    char name[STORAGE_NAME_BYTES];
    char longest[STORAGE_NAME_BYTES + 1];
    uint64_t size;
    memset(longest, 'x', sizeof longest);
    longest[STORAGE_NAME_BYTES] = '\0';
    for (int i = 5; i >= 0; i--) {
        make(disk, names[i], "text");
    }
    for (size_t i = 0; i < 6; i++) {
        CHECK(disk->directory_list(disk, i, name) == 1 && strcmp(name, names[i]) == 0);
    }
    CHECK(disk->directory_list(disk, 6, name) == 0);
    make(disk, "new", "longer text");
    CHECK(disk->file_rename(disk, "new", "a") == 0);
    const int file = disk->file_open(disk, "a", &size);
    CHECK(file >= 0 && size == 11 && disk->file_close(disk, file) == 0);
    CHECK(disk->file_rename(disk, "new", "a") == -ENOENT);
    CHECK(disk->directory_sync(disk) == 0);
    CHECK(disk->file_create(disk, "../a", 1) == -EINVAL);
    CHECK(disk->file_create(disk, "", 1) == -EINVAL);
    CHECK(disk->file_create(disk, longest, 1) == -EINVAL);
    CHECK(disk->file_open(disk, "../a", &size) == -EINVAL);
    CHECK(disk->file_rename(disk, "a", "../a") == -EINVAL);
    CHECK(disk->file_remove(disk, "../a") == -EINVAL);
    while (disk->directory_list(disk, 0, name) == 1) {
        CHECK(disk->file_remove(disk, name) == 0);
    }
}

/* Guards: a listing that is read anew for each name, so that what another process makes meanwhile
 * moves all the rest, and a log of a thousand segments takes minutes; one that is kept too long. */
static void test_names_of_one_moment(storage *disk)
{
    storage *other = NULL;
    char name[STORAGE_NAME_BYTES];
    CHECK(storage_posix_new(directory, &other) == 0);
    make(disk, "b", "");
    make(disk, "d", "");
    CHECK(disk->directory_list(disk, 0, name) == 1 && strcmp(name, "b") == 0);
    make(other, "a", "");
    make(other, "c", "");
    CHECK(disk->directory_list(disk, 1, name) == 1 && strcmp(name, "d") == 0);
    CHECK(disk->directory_list(disk, 2, name) == 0);
    CHECK(disk->directory_list(disk, 0, name) == 1 && strcmp(name, "a") == 0);
    /* What it does itself it sees at once. */
    CHECK(disk->file_remove(disk, "a") == 0);
    CHECK(disk->directory_list(disk, 1, name) == 1 && strcmp(name, "b") == 0);
    CHECK(disk->file_rename(disk, "c", "z") == 0);
    CHECK(disk->directory_list(disk, 1, name) == 1 && strcmp(name, "d") == 0);
    /* What is made or removed before the name that was given moves nothing. */
    make(disk, "c", "");
    CHECK(disk->file_remove(disk, "b") == 0);
    CHECK(disk->directory_list(disk, 1, name) == 1 && strcmp(name, "z") == 0);
    CHECK(disk->directory_list(disk, 1, name) == 0);
    while (other->directory_list(other, 0, name) == 1) {
        CHECK(other->file_remove(other, name) == 0);
    }
    CHECK(disk->directory_list(disk, 0, name) == 0);
    storage_free(other);
}

enum { SAID_YES = 0, SAID_NO = 1, IS_ROOT = 2 };

/* What another user's process can do with a log that it may read alone. */
static int read_only(void)
{
    storage *disk = NULL;
    uint64_t size = 0;
    uint8_t bytes[4];
    void *memory;
    char name[STORAGE_NAME_BYTES];
    if (storage_posix_new(directory, &disk) != 0) {
        return SAID_NO;
    }
    const int file = disk->file_open(disk, "a", &size);
    const int yes = file >= 0 && size == 4 && disk->file_read(disk, file, 0, bytes, 4) == 0 &&
                    memcmp(bytes, "text", 4) == 0 &&
                    disk->file_write(disk, file, 0, "x", 1) == -EBADF &&
                    disk->map(disk, file, 4, &memory) == -EACCES &&
                    disk->file_open(disk, "secret", &size) == -EACCES &&
                    disk->file_create(disk, "b", 1) == -EACCES &&
                    disk->file_close(disk, file) == 0 &&
                    disk->directory_list(disk, 0, name) == 1 &&
                    disk->directory_list(disk, 1, name) == 1 && strcmp(name, "secret") == 0;
    storage_free(disk);
    return yes ? SAID_YES : SAID_NO;
}

/* Guards: a log that can only be looked at by who may destroy it. */
static void test_a_log_that_may_only_be_read(storage *disk)
{
    enum { NOBODY = 65534 };
    make(disk, "a", "text");
    make(disk, "secret", "text");
    const char *const files[] = {"a", "secret", "."};
    const mode_t modes[] = {0444, 0, 0555};
    const int at = open(directory, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 3; i++) {
        CHECK(fchmodat(at, files[i], modes[i], 0) == 0);
    }
    const pid_t child = fork();
    if (child == 0) {
        /* Whom the system asks for no permission has to become somebody else. */
        _exit(geteuid() == 0 && setuid(NOBODY) != 0 ? IS_ROOT : read_only());
    }
    int status;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    if (WEXITSTATUS(status) == IS_ROOT) {
        puts("skipped: root that cannot become another user may write everywhere");
    } else {
        CHECK(WEXITSTATUS(status) == SAID_YES);
    }
    CHECK(fchmodat(at, ".", 0700, 0) == 0 && close(at) == 0);
    CHECK(disk->file_remove(disk, "a") == 0 && disk->file_remove(disk, "secret") == 0);
}

int main(void)
{
    storage *disk = NULL;
    CHECK(mkdtemp(directory) != NULL);
    CHECK(storage_posix_new("/nowhere/at/all", &disk) == -ENOENT && disk == NULL);
    CHECK(storage_posix_new(directory, &disk) == 0);
    test_bytes(disk);
    test_blocks_are_real(disk);
    test_no_space(disk);
    test_maps(disk);
    test_names(disk);
    test_names_of_one_moment(disk);
    test_a_log_that_may_only_be_read(disk);
    storage_free(disk);
    storage_free(NULL);
    CHECK(rmdir(directory) == 0);
    return 0;
}
