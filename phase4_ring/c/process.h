/* process.h - who owns a place in shared memory, and does he still live?
 *
 * A process is named by 64 bits: its number in the low half, the time it started (in the kernel's
 * ticks) in the high half. The number alone would be given to somebody else some day. Where the
 * start cannot be asked for the high half is 0 and the number has to do.
 */
#ifndef PHASE4_PROCESS_H
#define PHASE4_PROCESS_H

#include <stdint.h>

#define PROCESS_NONE UINT64_C(0)

/* process_self: the calling process. Opens a file: not for a hot path. */
uint64_t process_self(void);
/* process_alive: 1 while the process runs; 0 once it has ended, also if nobody has waited for it
 * yet (a zombie executes nothing any more), and for PROCESS_NONE. Opens a file. */
int process_alive(uint64_t process);
/* process_number: the pid in it. */
static inline uint32_t process_number(uint64_t process)
{
    return (uint32_t)process;
}

#endif
