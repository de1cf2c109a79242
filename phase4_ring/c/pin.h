/* pin.h - keep a thread on one core.
 *
 * A thread that moves leaves its caches behind, and two threads that hand each other records are
 * as far apart as the cores they happen to be on. A stage that is measured, or must not wait for
 * the scheduler's second thoughts, stays where it is put.
 *
 * C and C++ alike: the peers of the benchmarks use it too.
 */
#ifndef PHASE4_PIN_H
#define PHASE4_PIN_H

#ifdef __cplusplus
extern "C" {
#endif

/* thread_pin: keep the calling thread on that core, from 0. The core; or -1, with nothing changed,
 * if the core is negative (not asked for), not there, not allowed, or the platform has no such
 * call. Enters the kernel. */
int thread_pin(int core);

#ifdef __cplusplus
}
#endif

#endif
