/* measure_book.c - what a candidate's library shows: its book's functions, as one table. */
#include "measure.h"

#include "contract/c/engine.h"

#ifdef LADDER
#include "ladder.h"
#endif

static book *new_book(int64_t min_price, int64_t max_price, uint32_t capacity) {
#ifdef LADDER
    uint64_t last_tick = (uint64_t)max_price - (uint64_t)min_price;
    if (last_tick >= UINT64_C(1) << 26) return NULL;
    ladder_range = (struct ladder_range){min_price, (int64_t)last_tick + 1};
#endif
    return book_new(0, min_price, max_price, capacity);
}

__attribute__((visibility("default"))) const measured_book measured = {
    new_book, book_free, book_restore, book_apply, book_check, book_bytes};
