/* level.c - see level.h. */
#include "phase2_arena/c/level.h"

static size_t list_bytes(uint32_t capacity)
{
    return whole_lines((size_t)capacity * sizeof(uint32_t));
}

static size_t pool_bytes(uint32_t capacity)
{
    return whole_lines((size_t)capacity * sizeof(level));
}

size_t levels_bytes(uint32_t capacity)
{
    return pool_bytes(capacity) + (SIDES + 1) * list_bytes(capacity) + table_bytes(capacity);
}

/* The memory, front to back: pool | live bids | live asks | scratch | price table. */
void levels_place(level_set *self, void *memory, uint32_t capacity)
{
    char *at = memory;
    self->pool = memory;
    self->capacity = capacity;
    self->free_head = 0;
    self->scans = 0;
    self->scanned = 0;
    memset(at, 0, pool_bytes(capacity));
    for (uint32_t index = 0; index < capacity; index++)
        self->pool[index].head = index + 1 < capacity ? index + 1 : NONE;
    at += pool_bytes(capacity);

    memset(at, 0xFF, (SIDES + 1) * list_bytes(capacity));
    for (int side = 0; side < SIDES; side++) {
        self->live[side] = (uint32_t *)(void *)at;
        self->live_count[side] = 0;
        self->best[side] = NONE;
        at += list_bytes(capacity);
    }
    self->scratch = (uint32_t *)(void *)at;
    at += list_bytes(capacity);
    table_place(&self->by_price, at, capacity, self->pool, LEVEL_SHIFT);
}

uint32_t level_find(const level_set *self, int64_t price)
{
    return table_find(&self->by_price, (uint64_t)price);
}

uint32_t level_open(level_set *self, int side, int64_t price)
{
    uint32_t index = self->free_head;
    CHECK(index != NONE);
    level *opened = &self->pool[index];
    self->free_head = opened->head;
    *opened = (level){.price = price, .head = NONE, .tail = NONE,
                      .place = self->live_count[side]};
    self->live[side][self->live_count[side]++] = index;
    table_insert(&self->by_price, (uint64_t)price, index);

    uint32_t best = self->best[side];
    if (best == NONE || level_rank(side, price) < level_rank(side, self->pool[best].price))
        self->best[side] = index;
    return index;
}

/* The last of the list takes the place of the one that leaves; nobody else moves:
 *
 *   place     0   1   2   3                0   1   2
 *           | c | a | f | b |   - a   -> | c | b | f |
 */
void level_forget(level_set *self, int side, uint32_t index)
{
    level *gone = &self->pool[index];
    table_erase(&self->by_price, (uint64_t)gone->price);
    uint32_t last = self->live[side][--self->live_count[side]];
    self->live[side][gone->place] = last;
    self->pool[last].place = gone->place;
    gone->order_count = 0;
    gone->head = self->free_head;
    self->free_head = index;
}

void level_close(level_set *self, int side, uint32_t index)
{
    level_forget(self, side, index);
    if (self->best[side] == index)
        level_rescan(self, side);
}

/* --8<-- [start:scan] */
void level_rescan(level_set *self, int side)
{
    uint32_t best = NONE;
    int64_t best_rank = INT64_MAX;
    for (uint32_t i = 0; i < self->live_count[side]; i++) {
        uint32_t index = self->live[side][i];
        int64_t rank = level_rank(side, self->pool[index].price);
        if (rank < best_rank || best == NONE) {
            best = index;
            best_rank = rank;
        }
    }
    self->best[side] = best;
    self->scans++;
    self->scanned += self->live_count[side];
}
/* --8<-- [end:scan] */

uint32_t level_next(const level_set *self, int side, uint32_t index)
{
    int64_t floor = level_rank(side, self->pool[index].price);
    uint32_t next = NONE;
    int64_t next_rank = INT64_MAX;
    for (uint32_t i = 0; i < self->live_count[side]; i++) {
        uint32_t candidate = self->live[side][i];
        int64_t rank = level_rank(side, self->pool[candidate].price);
        if (rank > floor && (rank < next_rank || next == NONE)) {
            next = candidate;
            next_rank = rank;
        }
    }
    return next;
}

/* --8<-- [start:append] */
void level_order_append(level_set *self, arena *orders, uint32_t index, uint32_t slot)
{
    level *joined = &self->pool[index];
    order *last = &orders->slots[slot];
    last->level = index;
    last->previous = joined->tail;
    last->next = NONE;
    if (joined->tail == NONE)
        joined->head = slot;
    else
        orders->slots[joined->tail].next = slot;
    joined->tail = slot;
    joined->quantity += last->quantity;
    joined->order_count++;
}
/* --8<-- [end:append] */

/* --8<-- [start:unlink] */
/* Each neighbour, or the level in its place, is joined to the other:
 *
 *   only order     head <-> X <-> tail               head = tail = NONE
 *   at the front   head <-> X <-> b                  head <-> b
 *   in the middle        a <-> X <-> b                  a <-> b
 *   at the back          a <-> X <-> tail               a <-> tail
 */
void level_order_unlink(level_set *self, arena *orders, uint32_t slot)
{
    order *gone = &orders->slots[slot];
    level *left = &self->pool[gone->level];
    if (gone->previous == NONE)
        left->head = gone->next;
    else
        orders->slots[gone->previous].next = gone->next;
    if (gone->next == NONE)
        left->tail = gone->previous;
    else
        orders->slots[gone->next].previous = gone->previous;
    left->quantity -= gone->quantity;
    left->order_count--;
}
/* --8<-- [end:unlink] */

/* Let the level at `hole` sink until no child of it ranks better. */
static void sift_down(const level_walk *walk, uint32_t hole)
{
    uint32_t sinking = walk->heap[hole];
    int64_t rank = level_rank(walk->side, walk->pool[sinking].price);
    for (;;) {
        uint64_t child = 2 * (uint64_t)hole + 1;
        if (child >= walk->count)
            break;
        int64_t child_rank = level_rank(walk->side, walk->pool[walk->heap[child]].price);
        if (child + 1 < walk->count) {
            int64_t right = level_rank(walk->side, walk->pool[walk->heap[child + 1]].price);
            if (right < child_rank) {
                child++;
                child_rank = right;
            }
        }
        if (rank <= child_rank)
            break;
        walk->heap[hole] = walk->heap[child];
        hole = (uint32_t)child;
    }
    walk->heap[hole] = sinking;
}

level_walk level_walk_start(const level_set *self, int side)
{
    level_walk walk = {self->pool, self->scratch, self->live_count[side], side};
    memcpy(walk.heap, self->live[side], walk.count * sizeof(uint32_t));
    for (uint32_t i = walk.count / 2; i-- > 0;)
        sift_down(&walk, i);
    return walk;
}

uint32_t level_walk_next(level_walk *walk)
{
    if (walk->count == 0)
        return NONE;
    uint32_t best = walk->heap[0];
    walk->heap[0] = walk->heap[--walk->count];
    if (walk->count > 0)
        sift_down(walk, 0);
    return best;
}
