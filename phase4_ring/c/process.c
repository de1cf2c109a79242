/* process.c - see process.h. */
#include "phase4_ring/c/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)
/* The kernel says in /proc/PID/stat, after the program's name in parentheses (which may hold
 * anything, parentheses too): the state, and as the 22nd field of the line the start time. */
enum { FIELD_STATE = 3, FIELD_START = 22 };

/* read_stat: state and start time of a process. 0 if there is none. */
static int read_stat(uint32_t number, char *state, uint64_t *start)
{
    char path[32];
    char line[1024];
    snprintf(path, sizeof path, "/proc/%u/stat", number);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    ssize_t length = read(file, line, sizeof line - 1);
    close(file);
    if (length <= 0) {
        return 0;
    }
    line[length] = '\0';
    char *at = strrchr(line, ')');
    for (int field = 2; at != NULL && field < FIELD_START; field++) {
        at = strchr(at, ' ');
        at = at != NULL ? at + 1 : NULL;
        if (field + 1 == FIELD_STATE && at != NULL) {
            *state = *at;
        }
    }
    if (at == NULL) {
        return 0;
    }
    *start = strtoull(at, NULL, 10);
    return 1;
}

uint64_t process_self(void)
{
    uint32_t number = (uint32_t)getpid();
    char state = 'R';
    uint64_t start = 0;
    read_stat(number, &state, &start);
    return (start & UINT32_MAX) << 32 | number;
}

int process_alive(uint64_t process)
{
    char state = 'R';
    uint64_t start;
    if (process == PROCESS_NONE) {
        return 0;
    }
    if (!read_stat(process_number(process), &state, &start)) {
        /* No /proc, or no such process: signal 0 only asks. */
        return kill((pid_t)process_number(process), 0) == 0 || errno == EPERM;
    }
    return state != 'Z' && state != 'X' && (start & UINT32_MAX) == process >> 32;
}
#else
uint64_t process_self(void)
{
    return (uint32_t)getpid();
}

int process_alive(uint64_t process)
{
    if (process == PROCESS_NONE) {
        return 0;
    }
    return kill((pid_t)process_number(process), 0) == 0 || errno == EPERM;
}
#endif
