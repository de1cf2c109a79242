/* measure.h - between a candidate's library and the program that measures it. */
#ifndef PHASE3_CANDIDATES_MEASURE_H
#define PHASE3_CANDIDATES_MEASURE_H

#include "contract/c/engine.h"

typedef struct {
    book *(*new_book)(int64_t min_price, int64_t max_price, uint32_t capacity);
    void (*free_book)(book *self);
    void (*restore)(book *self, const order_image *orders, size_t count, uint64_t sequence);
    size_t (*apply)(book *self, const command_record *commands, size_t command_count,
                    event_record *events, size_t event_capacity, size_t *events_written);
    int (*check)(const book *self, char *message, size_t size);
    size_t (*bytes)(const book *self);
} measured_book;

#endif
