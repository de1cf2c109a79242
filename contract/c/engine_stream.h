/* engine_stream.h - random commands for the plain-C tests of a book.
 *
 * Not a market: a stream that visits every rule often. Ids come from a small set, so that new
 * ones, live ones and gone ones all occur; prices from a narrow band or from the whole range;
 * about one command in twenty is malformed. The same seed gives the same stream on any machine.
 */
#ifndef MATCHBOOK_ENGINE_STREAM_H
#define MATCHBOOK_ENGINE_STREAM_H

#include <string.h>

#include "contract/c/contract.h"

typedef struct {
    uint64_t state;      /* the seed, then where the random numbers stand */
    int64_t low_price;   /* prices are drawn from low_price to low_price + price_span - 1 */
    uint64_t price_span;
    uint64_t ids;        /* ids are drawn from 1 to `ids`, and spread over 64 bits */
    uint64_t max_quantity;
    uint64_t timestamp_ns;
} command_stream;

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t stream_word(command_stream *self)
{
    uint64_t z = (self->state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* A number below `bound`; the slight bias of the remainder does no harm here. */
static inline uint64_t stream_below(command_stream *self, uint64_t bound)
{
    return stream_word(self) % bound;
}

/* An id with all its bits in use, the same for the same number: an odd multiplier permutes. */
static inline uint64_t stream_id(command_stream *self)
{
    return (1 + stream_below(self, self->ids)) * UINT64_C(0xD1342543DE82EF95);
}

static inline int64_t stream_price(command_stream *self)
{
    return (int64_t)((uint64_t)self->low_price + stream_below(self, self->price_span));
}

/* Spoil one field of a command that was well formed. */
static inline void stream_spoil(command_stream *self, command_record *command)
{
    switch (stream_below(self, 10)) {
    case 0: command->kind = (uint8_t)(5 + stream_below(self, 251)); break;
    case 1: command->order_id = 0; break;
    case 2: command->side = 2; break;
    case 3: command->order_type = 2; break;
    case 4: command->time_in_force = 3; break;
    case 5: command->self_trade = 4; break;
    case 6: command->flags = 2; break;
    case 7: command->quantity = stream_below(self, 2) ? 0 : MAX_QUANTITY + 1; break;
    case 8: command->price = stream_below(self, 2) ? INT64_MIN : INT64_MAX; break;
    default: command->instrument++; break;
    }
}

/* The next command: NEW 60 in 100, CANCEL 20, REPLACE 20, and a rare MASS_CANCEL. */
static inline command_record stream_next(command_stream *self)
{
    command_record command;
    memset(&command, 0, sizeof command);
    self->timestamp_ns += 1 + stream_below(self, 1000);
    command.timestamp_ns = self->timestamp_ns;
    command.order_id = stream_id(self);
    command.account = (uint32_t)stream_below(self, 4);
    command.price = stream_price(self);
    command.quantity = 1 + stream_below(self, self->max_quantity);
    uint64_t dice = stream_below(self, 1000);
    if (dice < 600) {
        command.kind = COMMAND_NEW;
        command.side = (uint8_t)stream_below(self, 2);
        command.self_trade = (uint8_t)stream_below(self, 4);
        if (stream_below(self, 4) == 0)
            command.time_in_force = (uint8_t)(1 + stream_below(self, 2));
        else if (stream_below(self, 10) == 0)
            command.flags = FLAG_POST_ONLY;
        if (command.time_in_force != TIME_IN_FORCE_GTC && stream_below(self, 4) == 0) {
            command.order_type = ORDER_TYPE_MARKET;
            command.price = 0;
        }
    } else if (dice < 799) {
        command.kind = COMMAND_CANCEL;
    } else if (dice < 998) {
        command.kind = COMMAND_REPLACE;
    } else {
        command.kind = COMMAND_MASS_CANCEL;
        command.account = (uint32_t)(1 + stream_below(self, 3));
    }
    if (stream_below(self, 20) == 0)
        stream_spoil(self, &command);
    return command;
}

#endif
