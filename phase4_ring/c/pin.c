#include "phase4_ring/c/pin.h"

#ifdef __linux__
#include <pthread.h>
#include <sched.h>
#endif

int thread_pin(int core)
{
#ifdef __linux__
    cpu_set_t wanted;

    if (core < 0 || core >= CPU_SETSIZE) {
        return -1;
    }
    CPU_ZERO(&wanted);
    CPU_SET((unsigned)core, &wanted);
    return pthread_setaffinity_np(pthread_self(), sizeof wanted, &wanted) == 0 ? core : -1;
#else
    (void)core; /* macOS takes hints at most, and arm64 not even those */
    return -1;
#endif
}
