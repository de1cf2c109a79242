/* itch.c - one walk over the stream, sorting the places of messages by type; then type by type. */
#include "phase5_protocol/c/itch.h"

#include <string.h>

#include "phase5_protocol/c/byte_order.h"

#define BATCH 128
#define LENGTH_BYTES 2
#define TIME_MASK 0xFFFFFFFFFFFFu
/* A record's `at` is 4 bytes. A batch and a wrong message together are far below 2**31. */
#define MAX_AT INT32_MAX

/* The types by number, and by letter. */
#define SLOT(type, letter, length) SLOT_##type,
enum { ITCH_EACH_TYPE(SLOT) SLOTS };
_Static_assert((int)SLOTS == (int)ITCH_TYPES, "the header's number of types is that of the table");

#define TYPE_ENTRY(type, letter, length) {#type, letter, length, sizeof(itch_##type)},
const itch_type itch_types[ITCH_TYPES] = {ITCH_EACH_TYPE(TYPE_ENTRY)};

/* 1 + the length of a letter's message: 0, which no length plus 1 is, for what is no type. */
#define LENGTH_ENTRY(type, letter, length) [letter] = 1 + (length),
static const uint16_t length_plus_1[256] = {ITCH_EACH_TYPE(LENGTH_ENTRY)};
#define SLOT_ENTRY(type, letter, length) [letter] = SLOT_##type,
static const uint8_t slot_of[256] = {ITCH_EACH_TYPE(SLOT_ENTRY)};

/* Some messages that follow each other: where those of each type are, and which they are. */
typedef struct {
    const uint8_t *messages[ITCH_TYPES][BATCH];
    uint8_t orders[ITCH_TYPES][BATCH];
    uint32_t counts[ITCH_TYPES];
    uint32_t total;
} itch_batch;
_Static_assert(BATCH <= 256, "the order of a message in its batch is a byte");

/* --- the walk ----------------------------------------------------------------------------- */

/* Beside the statuses of itch.h: go on, here stands a right message; go on, wrong ones did. */
enum { BATCH_MORE = 100, BATCH_SKIPPED = 101 };

/* What to do where no right message stands: its bytes may be wrong, or just not all there.
 *
 *     00 00 | end of data     the end, if no data can follow
 *     00 00 | anything        something after the end
 *     00 24 | 5a ...          an unknown type, as soon as the type byte can be seen
 *     00 24 | 41 ... end      not all there
 */
static int walk_stopped(const uint8_t *data, size_t size, unsigned flags, itch_tally *tally)
{
    const uint8_t *from = data + tally->consumed;
    const size_t rest = size - tally->consumed;
    const int incomplete = rest > 0 && (flags & ITCH_LAST) ? ITCH_CUT_SHORT : ITCH_OK;
    if (rest < LENGTH_BYTES) {
        return incomplete;
    }
    const size_t length = load_big_u16(from);
    const int no_type = length == 0;
    if (no_type && !(flags & ITCH_BLOCKS)) {
        if (rest == LENGTH_BYTES && !(flags & ITCH_LAST)) {
            return ITCH_OK; /* the next call sees whether something follows */
        }
        tally->consumed += LENGTH_BYTES;
        return rest == LENGTH_BYTES ? ITCH_ENDED : ITCH_AFTER_END;
    }
    if (!no_type && rest == LENGTH_BYTES) {
        return incomplete;
    }
    const unsigned expected = no_type ? 1 : length_plus_1[from[LENGTH_BYTES]];
    const int right = !no_type && expected == length + 1;
    if (!right && !(flags & ITCH_TOLERANT)) {
        return expected == 0 ? ITCH_UNKNOWN_TYPE : ITCH_WRONG_LENGTH;
    }
    if (rest < LENGTH_BYTES + length) {
        return incomplete;
    }
    if (right) {
        return BATCH_MORE;
    }
    *(expected == 0 ? &tally->unknown_types : &tally->wrong_lengths) += 1;
    tally->consumed += LENGTH_BYTES + length;
    tally->skipped += LENGTH_BYTES + length;
    return BATCH_SKIPPED;
}

/* Take up to `most` messages that follow each other. The loop has no branch that depends on the
 * type, and one chain of dependent steps: the place of a message is the end of the one before. */
/* --8<-- [start:walk] */
static int walk(const uint8_t *data, size_t size, unsigned flags, size_t most, itch_batch *batch,
                itch_tally *tally)
{
    size_t at = tally->consumed;
    uint32_t order = 0;
    memset(batch->counts, 0, sizeof batch->counts);
    while (order < most && size - at > LENGTH_BYTES) {
        const size_t length = load_big_u16(data + at);
        const uint8_t *message = data + at + LENGTH_BYTES;
        if (length_plus_1[*message] != length + 1 || size - at - LENGTH_BYTES < length) {
            break;
        }
        const unsigned slot = slot_of[*message];
        const uint32_t place = batch->counts[slot]++;
        batch->messages[slot][place] = message;
        batch->orders[slot][place] = (uint8_t)order;
        order++;
        at += LENGTH_BYTES + length;
    }
    batch->total = order;
    tally->consumed = at;
    tally->messages += order;
    for (int slot = 0; slot < ITCH_TYPES; slot++) {
        tally->counts[slot] += batch->counts[slot];
    }
    return walk_stopped(data, size, flags, tally);
}
/* --8<-- [end:walk] */

int itch_scan(const uint8_t *data, size_t size, unsigned flags, itch_tally *tally)
{
    itch_batch batch;
    int status;
    *tally = (itch_tally){0};
    do {
        status = walk(data, size, flags, BATCH, &batch, tally);
    } while (status >= BATCH_MORE);
    return tally->status = status;
}

/* --- tables, one for each type ------------------------------------------------------------ */

typedef void write_rows(const itch_batch *batch, void *rows, uint64_t from, uint64_t first_index);

#define LOAD_u16(to, message, offset, size) (to) = load_big_u16((message) + (offset))
#define LOAD_u32(to, message, offset, size) (to) = load_big_u32((message) + (offset))
#define LOAD_u64(to, message, offset, size) (to) = load_big_u64((message) + (offset))
#define LOAD_text(to, message, offset, size) memcpy(&(to), (message) + (offset), size)
/* Two bytes of the field before it are loaded too, and masked out: one load instead of two. */
#define LOAD_u48(to, message, offset, size) \
    (to) = load_big_u64((message) + (offset) - 2) & TIME_MASK
#define SET(wire, name, offset, size, kind) LOAD_##wire(to->name, message, offset, size);

#define DECODER(type, letter, length)                                                            \
    static void decode_##type(const itch_batch *batch, void *rows, uint64_t from,                \
                              uint64_t first_index)                                              \
    {                                                                                            \
        itch_##type *to = (itch_##type *)rows + from;                                            \
        for (uint32_t i = 0; i < batch->counts[SLOT_##type]; i++, to++) {                        \
            const uint8_t *message = batch->messages[SLOT_##type][i];                            \
            to->index = first_index + batch->orders[SLOT_##type][i];                             \
            ITCH_FIELDS_##type(SET)                                                              \
        }                                                                                        \
    }
ITCH_EACH_TYPE(DECODER)
#define DECODER_ENTRY(type, letter, length) decode_##type,
static write_rows *const decoders[ITCH_TYPES] = {ITCH_EACH_TYPE(DECODER_ENTRY)};

#define SPLITTER(type, letter, length)                                                           \
    static void split_##type(const itch_batch *batch, void *rows, uint64_t from,                 \
                             uint64_t first_index)                                               \
    {                                                                                            \
        uint8_t *to = (uint8_t *)rows + from * (length);                                         \
        (void)first_index;                                                                       \
        for (uint32_t i = 0; i < batch->counts[SLOT_##type]; i++, to += (length)) {              \
            memcpy(to, batch->messages[SLOT_##type][i], length);                                 \
        }                                                                                        \
    }
ITCH_EACH_TYPE(SPLITTER)
#define SPLITTER_ENTRY(type, letter, length) split_##type,
static write_rows *const splitters[ITCH_TYPES] = {ITCH_EACH_TYPE(SPLITTER_ENTRY)};

static int has_room(const itch_tables *tables, const itch_tally *tally)
{
    int room = 1;
    for (int slot = 0; slot < ITCH_TYPES; slot++) {
        room &= tally->counts[slot] <= tables->room[slot];
    }
    return room;
}

static int fill_tables(const uint8_t *data, size_t size, unsigned flags,
                       const itch_tables *tables, write_rows *const *writers, itch_tally *tally)
{
    itch_batch batch;
    int status;
    *tally = (itch_tally){0};
    do {
        const itch_tally before = *tally;
        const uint64_t index = before.messages + before.unknown_types + before.wrong_lengths;
        status = walk(data, size, flags, BATCH, &batch, tally);
        if (!has_room(tables, tally)) {
            *tally = before;
            return tally->status = ITCH_FULL;
        }
        for (int slot = 0; slot < ITCH_TYPES; slot++) {
            if (batch.counts[slot] > 0) {
                writers[slot](&batch, tables->rows[slot], before.counts[slot],
                              tables->first_index + index);
            }
        }
    } while (status >= BATCH_MORE);
    return tally->status = status;
}

int itch_split(const uint8_t *data, size_t size, unsigned flags, const itch_tables *tables,
               itch_tally *tally)
{
    return fill_tables(data, size, flags, tables, splitters, tally);
}

int itch_decode(const uint8_t *data, size_t size, unsigned flags, const itch_tables *tables,
                itch_tally *tally)
{
    return fill_tables(data, size, flags, tables, decoders, tally);
}

/* --- records, in order -------------------------------------------------------------------- */

typedef void write_records(const itch_batch *batch, int slot, const uint8_t *data,
                           itch_record *records);

/* All of a record but what its fields say. The compiler makes one store of it all. */
static inline itch_record start_record(const uint8_t *data, const uint8_t *message)
{
    return (itch_record){.type = *message, .at = (uint32_t)(message - LENGTH_BYTES - data)};
}

#define RECORDER(type)                                                                           \
    static void record_##type(const itch_batch *batch, int slot, const uint8_t *data,            \
                              itch_record *records)                                              \
    {                                                                                            \
        for (uint32_t i = 0; i < batch->counts[slot]; i++) {                                     \
            const uint8_t *message = batch->messages[slot][i];                                   \
            itch_record *to = records + batch->orders[slot][i];                                  \
            *to = start_record(data, message);                                                   \
            ITCH_FIELDS_##type(SET)                                                              \
        }                                                                                        \
    }
RECORDER(add_order)
RECORDER(add_order_mpid)
RECORDER(order_executed)
RECORDER(order_executed_with_price)
RECORDER(order_cancel)
RECORDER(order_delete)
RECORDER(order_replace)
RECORDER(trade)

static void record_other(const itch_batch *batch, int slot, const uint8_t *data,
                         itch_record *records)
{
    for (uint32_t i = 0; i < batch->counts[slot]; i++) {
        const uint8_t *message = batch->messages[slot][i];
        itch_record *to = records + batch->orders[slot][i];
        *to = start_record(data, message);
        ITCH_COMMON(SET)
    }
}

/* Its own loop, not a call of record_other and one more: gcc 12.2 at -O2 was seen to drop that call,
 * and neither -O1 nor clang did. */
static void record_stock_directory(const itch_batch *batch, int slot, const uint8_t *data,
                                   itch_record *records)
{
    for (uint32_t i = 0; i < batch->counts[slot]; i++) {
        const uint8_t *message = batch->messages[slot][i];
        itch_stock_directory row;
        {
            itch_stock_directory *to = &row;
            ITCH_FIELDS_stock_directory(SET)
        }
        itch_record *to = records + batch->orders[slot][i];
        *to = start_record(data, message);
        ITCH_COMMON(SET)
        memcpy(&to->stock, row.stock, sizeof row.stock);
    }
}

#define RECORDS_BY(type) [SLOT_##type] = record_##type
static write_records *const recorders[ITCH_TYPES] = {
    RECORDS_BY(add_order),    RECORDS_BY(add_order_mpid), RECORDS_BY(order_executed),
    RECORDS_BY(order_cancel), RECORDS_BY(order_delete),   RECORDS_BY(order_executed_with_price),
    RECORDS_BY(trade),        RECORDS_BY(order_replace),  RECORDS_BY(stock_directory),
};

int itch_records(const uint8_t *data, size_t size, unsigned flags, itch_record *records,
                 size_t capacity, itch_tally *tally)
{
    itch_batch batch;
    int status;
    *tally = (itch_tally){0};
    do {
        itch_record *to = records + tally->messages;
        const size_t room = capacity - tally->messages;
        status = walk(data, size, flags, room < BATCH ? room : BATCH, &batch, tally);
        for (int slot = 0; slot < ITCH_TYPES; slot++) {
            if (batch.counts[slot] > 0) {
                (recorders[slot] ? recorders[slot] : record_other)(&batch, slot, data, to);
            }
        }
        const int no_room = status == BATCH_MORE && tally->messages == capacity;
        if (no_room || (status >= BATCH_MORE && tally->consumed > MAX_AT)) {
            status = ITCH_FULL;
        }
    } while (status >= BATCH_MORE);
    return tally->status = status;
}
