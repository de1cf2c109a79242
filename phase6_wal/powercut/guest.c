/* guest.c - the only program of a virtual machine whose power is going to be cut.
 *
 *     kernel ──▶ /init ── modules ── /dev/vda on /disk ── a log in /disk/log ──▶ append, append, ...
 *                                                              │
 *                              /dev/ttyS1 ◀── 8 bytes: the sequence acknowledged, after each append
 *
 * Linked statically, with the log's own sources. The kernel hands over what stands behind "--" on its
 * command line: durability, method, bytes of a segment, records of a group, records of an append, and
 * whether the file system is told of syncs (0: for the control, which must lose data).
 *
 * Words 1 to 7 of a record follow from its sequence (body_word), so that the host can tell every record.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "phase6_wal/c/log_writer.h"

enum { MOST_MODULES = 64, MOST_RECORDS = 256, WORDS = LOG_BODY_BYTES / 8 };

/* Whoever reads the console learns why there is no log; the machine then ends. */
static void give_up(const char *what)
{
    printf("powercut: %s: %s\n", what, strerror(errno));
    fflush(stdout);
    reboot(RB_POWER_OFF);
    exit(1);
}

static void load_modules(void)
{
    for (int i = 0; i < MOST_MODULES; i++) {
        char name[32];
        snprintf(name, sizeof name, "/modules/%02d.ko", i);
        int file = open(name, O_RDONLY | O_CLOEXEC);
        if (file < 0) {
            return;
        }
        if (syscall(SYS_finit_module, file, "", 0) != 0 && errno != EEXIST) {
            give_up(name);
        }
        close(file);
    }
}

static void mount_disk(void)
{
    struct stat about;
    for (int turn = 0; turn < 500 && stat("/dev/vda", &about) != 0; turn++) {
        poll(NULL, 0, 10); /* the driver may still be looking for it */
    }
    if (mount("/dev/vda", "/disk", "ext4", 0, "") != 0) {
        give_up("/dev/vda");
    }
    if (mkdir("/disk/log", 0755) != 0) {
        give_up("/disk/log");
    }
    sync(); /* the directory is no part of what is tried */
}

static int open_line(void)
{
    int line = open("/dev/ttyS1", O_WRONLY | O_NOCTTY | O_CLOEXEC);
    struct termios settings;
    if (line < 0 || tcgetattr(line, &settings) != 0) {
        give_up("/dev/ttyS1");
    }
    cfmakeraw(&settings);
    cfsetspeed(&settings, B115200);
    if (tcsetattr(line, TCSANOW, &settings) != 0) {
        give_up("/dev/ttyS1");
    }
    return line;
}

static uint64_t body_word(uint64_t sequence, uint64_t word)
{
    uint64_t mixed = (sequence * WORDS + word) * UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    return mixed ^ (mixed >> 27);
}

static int says_synced(storage *disk, int file)
{
    (void)disk;
    (void)file;
    return 0;
}

static int says_map_synced(storage *disk, void *memory, uint64_t offset, uint64_t size)
{
    (void)disk;
    (void)memory;
    (void)offset;
    (void)size;
    return 0;
}

static int says_directory_synced(storage *disk)
{
    (void)disk;
    return 0;
}

static log_writer *new_log(char **words)
{
    storage *disk;
    log_writer *log;
    log_problem problem;
    const log_position start = {0};
    const log_options options = {
        .content = LOG_COMMANDS,
        .durability = (uint32_t)strtoul(words[0], NULL, 10),
        .method = (uint32_t)strtoul(words[1], NULL, 10),
        .segment_bytes = strtoull(words[2], NULL, 10),
        .group_count = strtoull(words[3], NULL, 10),
        .spares = 1,
        .prepare_thread = 1,
        .reserve = 1,
        .buffer_bytes = 1 << 20,
        .group_ns = 1000000,
        .log_id = 1,
        .seed = 1,
    };
    errno = -storage_posix_new("/disk/log", &disk);
    if (errno != 0) {
        give_up("storage");
    }
    if (strcmp(words[5], "0") == 0) {
        disk->file_sync = says_synced;
        disk->map_sync = says_map_synced;
        disk->directory_sync = says_directory_synced;
    }
    if (log_writer_new(disk, &options, &start, &log, &problem) != 0) {
        errno = problem.error;
        give_up(problem.call);
    }
    return log;
}

/* Until the power goes. */
static void append_for_ever(log_writer *log, size_t count, int line)
{
    static uint64_t bodies[MOST_RECORDS][WORDS];
    uint64_t told = 0;
    for (;;) {
        uint64_t sequence = log_sequence(log);
        for (size_t i = 0; i < count; i++) {
            for (uint64_t word = 0; word < WORDS; word++) {
                bodies[i][word] = body_word(sequence + i + 1, word);
            }
        }
        int code = log_append(log, bodies, count);
        if (code != 0) {
            errno = ENOSPC;
            give_up(code == LOG_FULL ? "full" : "append");
        }
        uint64_t now = log_acknowledged(log);
        if (now != told && write(line, &now, sizeof now) != (ssize_t)sizeof now) {
            give_up("/dev/ttyS1");
        }
        told = now;
    }
}

int main(int argc, char **argv)
{
    if (mount("dev", "/dev", "devtmpfs", 0, "") != 0 && errno != EBUSY) {
        give_up("/dev");
    }
    size_t count = argc == 7 ? strtoul(argv[5], NULL, 10) : 0;
    if (count < 1 || count > MOST_RECORDS) {
        errno = EINVAL;
        give_up("arguments");
    }
    load_modules();
    mount_disk();
    append_for_ever(new_log(argv + 1), count, open_line());
}
