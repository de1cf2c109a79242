/* sim_disk.c - see sim_disk.h.
 *
 * What becomes of a sector, when
 *
 *                        live == clean         live != clean (dirty)
 *     sync               nothing               disk = clean = live
 *     a sync that fails  nothing               clean = live, and by a coin disk = live
 *     power cut          the disk's            the disk's or live's, by a coin
 *
 * A sector with live == clean != disk is one that a failed sync has given up: the cache shows it,
 * the disk never had it, and no later sync looks at it.
 */
#include "phase6_wal/c/sim_disk.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "contract/c/check.h"

enum { SECTOR = STORAGE_SECTOR_BYTES, WEIGHTS = 8 };

/* sim_draw: 0 to below - 1. SplitMix64 (Steele, Lea, Flood 2014); its bias is of no concern
 * here. */
uint64_t sim_draw(sim_disk *self, uint64_t below)
{
    uint64_t mixed = self->random += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (mixed ^ (mixed >> 31)) % below;
}

/* How many eighths of what is uncertain come through. */
static uint64_t draw_weight(sim_disk *self)
{
    static const uint64_t weights[] = {0, 1, 4, 7, 8};
    return weights[sim_draw(self, sizeof weights / sizeof *weights)];
}

static int comes_through(sim_disk *self, uint64_t weight)
{
    return sim_draw(self, WEIGHTS) < weight;
}

/* --- files ----------------------------------------------------------------------------------- */

/* Memory of the system's own: zeros that cost nothing until they are touched, aligned to a page,
 * and a store into a map that has been unmapped does not go unnoticed. */
static int take_images(sim_file *file, uint64_t room)
{
    void *memory = mmap(NULL, (size_t)(3 * room), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return -1;
    }
    file->live = memory;
    file->clean = file->live + room;
    file->disk = file->clean + room;
    file->room = room;
    return 0;
}

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + SIM_PAGE_BYTES - 1) / SIM_PAGE_BYTES * SIM_PAGE_BYTES;
}

sim_file *sim_file_new(sim_disk *self, uint64_t bytes)
{
    if (self->file_count == self->file_room) {
        size_t room = self->file_room * 2 + 16;
        sim_file **files = realloc(self->files, room * sizeof *files);
        if (files == NULL) {
            return NULL;
        }
        self->files = files;
        self->file_room = room;
    }
    sim_file *file = calloc(1, sizeof *file);
    if (file == NULL || take_images(file, whole_pages(bytes > 0 ? bytes : 1)) != 0) {
        free(file);
        return NULL;
    }
    file->bytes = bytes;
    self->files[self->file_count++] = file;
    return file;
}

int sim_file_grow(sim_file *file, uint64_t bytes)
{
    if (bytes > file->room) {
        sim_file old = *file;
        if (take_images(file, whole_pages(bytes + bytes / 2)) != 0) {
            return -1;
        }
        memcpy(file->live, old.live, old.room);
        memcpy(file->clean, old.clean, old.room);
        memcpy(file->disk, old.disk, old.room);
        munmap(old.live, (size_t)(3 * old.room));
    }
    file->bytes = bytes;
    return 0;
}

static int is_dirty(const sim_file *file, uint64_t at)
{
    return memcmp(file->live + at, file->clean + at, SECTOR) != 0;
}

void sim_file_write(sim_file *file, uint64_t offset, const void *from, size_t size)
{
    if (size == 0) {
        return;
    }
    memcpy(file->live + offset, from, size);
    for (uint64_t at = offset / SECTOR * SECTOR; at < offset + size; at += SECTOR) {
        file->clean[at] = (uint8_t)~file->live[at];
    }
}

/* What is clean is taken from live once: a store by another thread, during or after, is dirty. */
static void clean_sector(sim_file *file, uint64_t at, int is_written)
{
    uint8_t taken[SECTOR];
    memcpy(taken, file->live + at, SECTOR);
    memcpy(file->clean + at, taken, SECTOR);
    if (is_written) {
        memcpy(file->disk + at, taken, SECTOR);
    }
}

void sim_file_sync(sim_disk *self, sim_file *file, uint64_t offset, uint64_t size, int failed)
{
    uint64_t weight = failed ? draw_weight(self) : WEIGHTS;
    uint64_t end = offset + size < file->room ? offset + size : file->room;
    for (uint64_t at = offset / SECTOR * SECTOR; at < end; at += SECTOR) {
        if (is_dirty(file, at)) {
            clean_sector(file, at, comes_through(self, weight));
        }
    }
    if (comes_through(self, weight)) {
        file->disk_bytes = file->bytes;
    }
}

void sim_write_back(sim_disk *self)
{
    if (self->file_count == 0 || sim_draw(self, 4) != 0) {
        return;
    }
    sim_file *file = self->files[sim_draw(self, self->file_count)];
    if (file->stale) {
        return;
    }
    uint64_t sectors = file->room / SECTOR;
    uint64_t from = sim_draw(self, sectors);
    uint64_t count = 1 + sim_draw(self, sectors - from);
    for (uint64_t at = from; at < from + count; at++) {
        if (is_dirty(file, at * SECTOR) && comes_through(self, WEIGHTS / 2)) {
            clean_sector(file, at * SECTOR, 1);
        }
    }
}

static int is_named(const sim_names *names, const sim_file *file)
{
    for (size_t i = 0; i < names->count; i++) {
        if (names->all[i].file == file) {
            return 1;
        }
    }
    return 0;
}

/* What the disk may still come to show under some name. */
static int may_come_back(const sim_disk *self, const sim_file *file)
{
    for (size_t i = 0; i < self->change_count; i++) {
        if (self->changes[i].file == file) {
            return 1;
        }
    }
    return is_named(&self->names, file) || is_named(&self->kept, file);
}

uint64_t sim_used_bytes(const sim_disk *self)
{
    uint64_t used = 0;
    for (size_t i = 0; i < self->file_count; i++) {
        const sim_file *file = self->files[i];
        int held = file->opened > 0 || file->mapped > 0 || is_named(&self->names, file);
        used += !file->stale && held ? whole_pages(file->bytes) : 0;
    }
    return used;
}

void sim_collect(sim_disk *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->file_count; i++) {
        sim_file *file = self->files[i];
        if (file->opened == 0 && file->mapped == 0 && (file->stale || !may_come_back(self, file))) {
            munmap(file->live, (size_t)(3 * file->room));
            free(file);
        } else {
            self->files[kept++] = file;
        }
    }
    self->file_count = kept;
}

/* --- names ----------------------------------------------------------------------------------- */

/* Where the name is, or would be. */
static size_t place_of(const sim_names *names, const char *name)
{
    size_t at = 0;
    while (at < names->count && strcmp(names->all[at].name, name) < 0) {
        at++;
    }
    return at;
}

sim_file *sim_find(const sim_names *names, const char *name)
{
    size_t at = place_of(names, name);
    int there = at < names->count && strcmp(names->all[at].name, name) == 0;
    return there ? names->all[at].file : NULL;
}

static void drop_name(sim_names *names, const char *name)
{
    size_t at = place_of(names, name);
    memmove(names->all + at, names->all + at + 1, (names->count - at - 1) * sizeof *names->all);
    names->count--;
}

static int make_room(sim_names *names, size_t count)
{
    if (count > names->room) {
        sim_name *all = realloc(names->all, 2 * count * sizeof *all);
        if (all == NULL) {
            return -1;
        }
        names->all = all;
        names->room = 2 * count;
    }
    return 0;
}

/* There is room: sim_change_names has seen to it, for both directories. */
static void apply(sim_names *names, const sim_change *change)
{
    if (change->kind != CHANGE_ADD && sim_find(names, change->from) == change->file) {
        drop_name(names, change->from);
    }
    if (change->kind == CHANGE_REMOVE) {
        return;
    }
    size_t at = place_of(names, change->to);
    if (sim_find(names, change->to) == NULL) {
        CHECK(names->count < names->room);
        memmove(names->all + at + 1, names->all + at, (names->count - at) * sizeof *names->all);
        memcpy(names->all[at].name, change->to, sizeof change->to);
        names->count++;
    }
    names->all[at].file = change->file;
}

int sim_change_names(sim_disk *self, int kind, const char *from, const char *to, sim_file *file)
{
    size_t most = self->names.count + self->kept.count + self->change_count + 1;
    if (make_room(&self->names, most) != 0 || make_room(&self->kept, most) != 0) {
        return -1;
    }
    if (self->change_count == self->change_room) {
        size_t room = self->change_room * 2 + 16;
        sim_change *changes = realloc(self->changes, room * sizeof *changes);
        if (changes == NULL) {
            return -1;
        }
        self->changes = changes;
        self->change_room = room;
    }
    sim_change *change = &self->changes[self->change_count++];
    memset(change, 0, sizeof *change);
    change->kind = kind;
    change->file = file;
    memcpy(change->from, from, strlen(from) + 1);
    memcpy(change->to, to, strlen(to) + 1);
    apply(&self->names, change);
    return 0;
}

void sim_keep_names(sim_disk *self)
{
    for (size_t i = 0; i < self->change_count; i++) {
        apply(&self->kept, &self->changes[i]);
    }
    self->change_count = 0;
}

/* --- crashes --------------------------------------------------------------------------------- */

/* Which of the changes the disk has: none, all, the first few (a journal), any (no journal). */
static void decide_names(sim_disk *self)
{
    uint64_t way = sim_draw(self, 4);
    uint64_t first = sim_draw(self, self->change_count + 1);
    for (size_t i = 0; i < self->change_count; i++) {
        int there = way == 1 || (way == 2 && i < first) || (way == 3 && sim_draw(self, 2) == 0);
        if (there) {
            apply(&self->kept, &self->changes[i]);
        }
    }
    self->change_count = 0;
}

/* What the disk shows of a file when the power is back: everything in it is clean and kept. */
static void decide_contents(sim_disk *self, const sim_file *old, sim_file *new)
{
    uint64_t weight = draw_weight(self);
    for (uint64_t at = 0; at < old->room; at += SECTOR) {
        const uint8_t *from =
            is_dirty(old, at) && comes_through(self, weight) ? old->live : old->disk;
        memcpy(new->live + at, from + at, SECTOR);
    }
    uint64_t least = old->disk_bytes, most = old->bytes;
    if (least != most && !comes_through(self, weight)) {
        most = sim_draw(self, 2) == 0 ? least : least + sim_draw(self, most - least + 1);
    }
    new->bytes = new->disk_bytes = most;
    memset(new->live + most, 0, (size_t)(new->room - most));
    memcpy(new->clean, new->live, (size_t)new->room);
    memcpy(new->disk, new->live, (size_t)new->room);
}

static void copy_contents(const sim_file *old, sim_file *new)
{
    memcpy(new->live, old->live, (size_t)(3 * old->room));
    new->bytes = old->bytes;
    new->disk_bytes = old->disk_bytes;
}

static void refer_to_new(sim_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        names->all[i].file = names->all[i].file->after;
    }
}

/* Whoever had a file open or mapped keeps a dead one; the names go to what has become of it. */
void sim_crash(sim_disk *self, int power)
{
    if (power) {
        decide_names(self);
        self->read_only = 0;
        CHECK(self->kept.count <= self->names.room);
        for (size_t i = 0; i < self->kept.count; i++) {
            self->names.all[i] = self->kept.all[i];
        }
        self->names.count = self->kept.count;
    }
    size_t count = self->file_count;
    for (size_t i = 0; i < count; i++) {
        sim_file *old = self->files[i];
        if (old->stale || !may_come_back(self, old)) {
            old->stale = 1;
            continue;
        }
        sim_file *new = sim_file_new(self, old->room);
        CHECK(new != NULL && new->room == old->room);
        if (power) {
            decide_contents(self, old, new);
        } else {
            copy_contents(old, new);
        }
        old->after = new;
        old->stale = 1;
    }
    refer_to_new(&self->names);
    refer_to_new(&self->kept);
    for (size_t i = 0; i < self->change_count; i++) {
        self->changes[i].file = self->changes[i].file->after;
    }
    self->directory_failed = 0;
    sim_collect(self);
}
