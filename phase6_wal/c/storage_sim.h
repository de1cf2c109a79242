/* storage_sim.h - a disk in memory that loses what a disk may lose, and fails when told to.
 *
 * Each file has two images: `live`, what the processes see, and `disk`, what is on the platter.
 *
 *     write, store to a map ──▶ live ──┬─ sync ────────────────────▶ disk
 *                                      └─ at any call, by a coin ──▶ a few of its sectors
 *
 *     power cut: of each sector that differs, live's bytes or the disk's, by a coin. So writes are
 *     forgotten, reordered and torn. The coin's weight is drawn for each file: nothing of it comes
 *     through, an eighth, half, seven eighths, all.
 *     process crash: live stays as it is; files and maps that were open are gone.
 *
 * The directory likewise: what no directory_sync has covered is there or not: nothing of it, all,
 * the first few changes, or any of them. A rename happens or does not: no file system leaves half
 * of one. A file whose size no sync has covered may be shorter, down to nothing.
 *
 * Faults: the k-th call from now of a kind (or of any) returns an errno. A write that fails may
 * have written a part. A sync that fails may have written a part, and marks all the rest clean
 * without writing it: as Linux does, so that a second sync says 0 and lies. What such a sync has
 * dropped reaches the disk only if it is written once more. A directory_sync that fails stops the
 * file system, as a journal that cannot be written does (ext4, XFS): until the power has been off,
 * whatever would change something returns -EROFS.
 *
 * Everything comes from the seed: the same calls find the same fate. Calls may come from several
 * threads; what follows then depends on their order, and a store into a map during another thread's
 * call is a race between the two.
 */
#ifndef PHASE6_STORAGE_SIM_H
#define PHASE6_STORAGE_SIM_H

#include "phase6_wal/c/storage.h"

/* cdef:begin */
enum {
    SIM_ANY = 0, SIM_CREATE = 1, SIM_OPEN = 2, SIM_WRITE = 3, SIM_READ = 4, SIM_SYNC = 5,
    SIM_MAP = 6, SIM_MAP_SYNC = 7, SIM_RENAME = 8, SIM_REMOVE = 9, SIM_DIRECTORY_SYNC = 10,
    SIM_KINDS = 11
};
/* sim_new: an empty disk with room for so many bytes of files, each rounded up to 4,096. NULL: no
 * memory. storage_free gives it back, and with it every map. */
storage *sim_new(uint64_t seed, uint64_t capacity_bytes);
/* sim_fail: the call number `k` (1: the next) of that kind fails with `error`; k 0 takes it back.
 * With `forever` all later ones of that kind fail too. */
void sim_fail(storage *self, int kind, uint64_t k, int error, int forever);
/* sim_cut_at: at the k-th call of any kind, before it happens, the power is cut: that call and all
 * others return -EIO until sim_power_on. 0: never. */
void sim_cut_at(storage *self, uint64_t k);
/* sim_power_cut: now. Open files and maps are gone: their handles return -EIO, even when the power
 * is on again; closing and unmapping them works, and a map's memory stays until it is unmapped. */
void sim_power_cut(storage *self);
void sim_power_on(storage *self);
/* sim_process_crash: as kill -9: open files and maps are gone likewise, the rest is as it was. */
void sim_process_crash(storage *self);
/* Calls of a kind so far (those without power do not count); whether the power is off. */
uint64_t sim_calls(const storage *self, int kind);
int sim_is_cut(const storage *self);
/* sim_is_read_only: whether a directory_sync has failed since the power came on. */
int sim_is_read_only(const storage *self);
/* sim_fired: how many calls have failed by sim_fail. */
uint64_t sim_fired(const storage *self);
/* sim_retried: how many syncs were asked for, of a file or of the directory, after one of the same
 * had failed and before a crash. */
uint64_t sim_retried(const storage *self);
/* sim_set_lying: from now on syncs of that kind (SIM_ANY: of all three) return 0 and do nothing:
 * for the controls of proofs, which must fail with it. */
void sim_set_lying(storage *self, int kind, int lying);
/* The room for files from now on: what is there already stays. */
void sim_set_capacity(storage *self, uint64_t capacity_bytes);
uint64_t sim_used(const storage *self);
/* cdef:end */

#endif
