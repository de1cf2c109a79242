/* sim_control.c - what the owner of a simulated disk decides: its life, its faults, its power. */
#include <stdlib.h>

#include "contract/c/check.h"
#include "phase6_wal/c/sim_disk.h"


void sim_free(storage *table)
{
    sim_disk *self = (sim_disk *)table;
    self->names.count = self->kept.count = self->change_count = 0;
    for (size_t i = 0; i < self->file_count; i++) {
        self->files[i]->opened = self->files[i]->mapped = 0;
    }
    sim_collect(self);
    CHECK(self->file_count == 0);
    pthread_mutex_destroy(&self->mutex);
    free(self->names.all);
    free(self->kept.all);
    free(self->changes);
    free(self->handles);
    free(self->files);
    free(self);
}

storage *sim_new(uint64_t seed, uint64_t capacity_bytes)
{
    sim_disk *self = calloc(1, sizeof *self);
    if (self == NULL || pthread_mutex_init(&self->mutex, NULL) != 0) {
        free(self);
        return NULL;
    }
    self->table = SIM_TABLE;
    self->random = seed;
    self->capacity = capacity_bytes;
    return &self->table;
}

void sim_fail(storage *table, int kind, uint64_t k, int error, int forever)
{
    CHECK(kind >= 0 && kind < SIM_KINDS && (k == 0 || error > 0));
    sim_disk *self = sim_lock(table);
    self->faults[kind] = (sim_fault){.left = k, .error = error, .forever = forever};
    sim_unlock(self, 0);
}

void sim_cut_at(storage *table, uint64_t k)
{
    sim_disk *self = sim_lock(table);
    self->cut_left = k;
    sim_unlock(self, 0);
}

void sim_power_cut(storage *table)
{
    sim_disk *self = sim_lock(table);
    if (!self->off) {
        sim_crash(self, 1);
        self->off = 1;
    }
    sim_unlock(self, 0);
}

void sim_power_on(storage *table)
{
    sim_disk *self = sim_lock(table);
    self->off = 0;
    sim_unlock(self, 0);
}

void sim_process_crash(storage *table)
{
    sim_disk *self = sim_lock(table);
    if (!self->off) {
        sim_crash(self, 0);
    }
    sim_unlock(self, 0);
}

#define ASK(type, name, value)          \
    type name(const storage *table)     \
    {                                   \
        sim_disk *self = sim_lock(table);   \
        type answer = (value);          \
        sim_unlock(self, 0);                \
        return answer;                  \
    }

ASK(int, sim_is_cut, self->off)
ASK(int, sim_is_read_only, self->read_only)
ASK(uint64_t, sim_fired, self->fired)
ASK(uint64_t, sim_retried, self->retried)
ASK(uint64_t, sim_used, sim_used_bytes(self))

uint64_t sim_calls(const storage *table, int kind)
{
    CHECK(kind >= 0 && kind < SIM_KINDS);
    sim_disk *self = sim_lock(table);
    uint64_t calls = self->calls[kind];
    sim_unlock(self, 0);
    return calls;
}

void sim_set_lying(storage *table, int kind, int lying)
{
    CHECK(kind >= 0 && kind < SIM_KINDS);
    sim_disk *self = sim_lock(table);
    self->lying[kind] = lying;
    sim_unlock(self, 0);
}

void sim_set_capacity(storage *table, uint64_t capacity_bytes)
{
    sim_disk *self = sim_lock(table);
    self->capacity = capacity_bytes;
    sim_unlock(self, 0);
}
