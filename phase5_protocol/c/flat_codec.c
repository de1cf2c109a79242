/* flat_codec.c - see flat_codec.h.
 *
 * A record is judged twice, the second time only if the first finds fault. The first gathers every
 * fault into one word, without a branch on what the record says: kinds come in any order, and a
 * branch on the kind would be mispredicted every other time. Most checks say "these bits are 0",
 * and which bits is a row of a table; all eight words of a record are compared with it at once.
 * What is left (an id that must not be 0, a quantity that must be the same) is or-ed to it. The one
 * branch is "is anything wrong", nearly always no. Where it is yes, the second walks the checks in
 * the order of the reasons, to name one.
 *
 *     the last word of a command, and its bits that must be 0
 *
 *     kind  side  type  t.i.f.  s.t.  flags  reserved
 *     ..    fe    fe    fc *    fc    fe     ff ff       NEW; * and not both of the lowest two bits
 *     ..    fe    ff    ff      ff    ff     ff ff       CANCEL, REPLACE, MASS_CANCEL
 *
 *     the last word of an event
 *
 *     instrument   kind  side  reason  reserved
 *     .. .. .. ..  ..    fe    ff      ff                ACCEPTED, TRADE, REPLACED
 *     .. .. .. ..  ..    fe    f8 *    ff                CANCELLED, * and 1 to 5
 *     .. .. .. ..  ..    ..    e8 *    ff                REJECTED, * and 16 to 23
 */
#include "phase5_protocol/c/flat_codec.h"

#include <string.h>

#include "contract/c/check.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "decoding is a cast only where the machine is little endian, as the records are"
#endif

static_assert(sizeof(command_record) == FLAT_RECORD_BYTES, "a command is one record");
static_assert(sizeof(event_record) == FLAT_RECORD_BYTES, "an event is one record");
static_assert(sizeof(flat_counts) == FLAT_OUTCOMES * sizeof(uint64_t), "a counter each");
static_assert(offsetof(command_record, kind) == 56, "the last word of a command begins with kind");
static_assert(offsetof(event_record, instrument) == 56, "and that of an event with instrument");
static_assert(FLAT_PERMIT_ORDERS ==
                  (1 << COMMAND_NEW | 1 << COMMAND_CANCEL | 1 << COMMAND_REPLACE),
              "a bit for each kind");
static_assert(FLAT_PERMIT_ALL == (FLAT_PERMIT_ORDERS | 1 << COMMAND_MASS_CANCEL), "and for all");

static_assert((MAX_QUANTITY & (MAX_QUANTITY + 1)) == 0, "the bits above a quantity must be 0");
static_assert((REASON_UNKNOWN_ORDER & 7) == 0, "the first rejection is a multiple of 8");
static_assert(REASON_UNKNOWN_INSTRUMENT == (REASON_UNKNOWN_ORDER | 7),
              "the lowest three bits of a rejection's reason are free");

/* A record as words, two to a register: what every machine with vectors has. */
typedef uint64_t word_pair __attribute__((vector_size(16)));

typedef struct {
    word_pair of[FLAT_RECORD_BYTES / sizeof(word_pair)];
} row;
static_assert(sizeof(row) == FLAT_RECORD_BYTES, "a row is a record");

#define ALL UINT64_MAX
#define BYTE(index, bits) ((uint64_t)(bits) << (8 * (index)))
#define TOO_MUCH (~(uint64_t)MAX_QUANTITY)
#define NO_SIDE BYTE(1, 0xFE)
#define NO_RESERVED (BYTE(6, 0xFF) | BYTE(7, 0xFF))
#define ENUMERATIONS (BYTE(2, 0xFE) | BYTE(3, 0xFC) | BYTE(4, 0xFC) | BYTE(5, 0xFE))
#define UNUSED (BYTE(2, 0xFF) | BYTE(3, 0xFF) | BYTE(4, 0xFF) | BYTE(5, 0xFF))
#define OF_NEW (NO_SIDE | ENUMERATIONS | NO_RESERVED)
#define OF_CHANGE (NO_SIDE | UNUSED | NO_RESERVED)
#define OF_ORDER (BYTE(5, 0xFE) | BYTE(6, 0xFF) | BYTE(7, 0xFF))
#define OF_CANCELLED (BYTE(5, 0xFE) | BYTE(6, 0xF8) | BYTE(7, 0xFF))
#define OF_REJECTED (BYTE(6, 0xE8) | BYTE(7, 0xFF))

/* {sequence, timestamp}, {order id, price}, {quantity, reserved}, {instrument and account, last} */
static const row command_zeros[] = {
    [COMMAND_NEW] = {{{ALL, 0}, {0, 0}, {0, ALL}, {0, OF_NEW}}},
    [COMMAND_CANCEL] = {{{ALL, 0}, {0, ALL}, {ALL, ALL}, {0, OF_CHANGE}}},
    [COMMAND_REPLACE] = {{{ALL, 0}, {0, 0}, {0, ALL}, {0, OF_CHANGE}}},
    [COMMAND_MASS_CANCEL] = {{{ALL, 0}, {ALL, ALL}, {ALL, ALL}, {0, OF_CHANGE}}},
};

/* What else must hold for an event of a kind; masks are 0 where it need not. */
typedef struct {
    /* {sequence, timestamp}, {order id, maker}, {price, quantity}, {leaves, last} */
    row zeros;
    uint64_t rests;    /* bits in which leaves must be the quantity */
    uint64_t sum;      /* bits that quantity and leaves together must not have */
    uint64_t is_order; /* 1: there must be an order id and a quantity */
    uint64_t is_trade; /* 1: there must be a maker, and another order */
    uint64_t reasons;  /* bit r for reason r; none for the kind that is none */
} event_rule;

#define ONE_REASON (UINT64_C(1) << REASON_NONE)
#define REASONS(first, last) ((UINT64_C(2) << (last)) - (UINT64_C(1) << (first)))

static const event_rule event_rules[] = {
    [EVENT_ACCEPTED] = {{{{0, 0}, {0, ALL}, {0, TOO_MUCH}, {0, OF_ORDER}}},
                        .rests = ALL, .is_order = 1, .reasons = ONE_REASON},
    [EVENT_TRADE] = {{{{0, 0}, {0, 0}, {0, TOO_MUCH}, {TOO_MUCH, OF_ORDER}}},
                     .sum = TOO_MUCH, .is_order = 1, .is_trade = 1, .reasons = ONE_REASON},
    [EVENT_CANCELLED] = {{{{0, 0}, {0, ALL}, {0, TOO_MUCH}, {ALL, OF_CANCELLED}}},
                         .is_order = 1, .reasons = REASONS(REASON_USER, REASON_MASS_CANCEL)},
    [EVENT_REPLACED] = {{{{0, 0}, {0, ALL}, {0, TOO_MUCH}, {0, OF_ORDER}}},
                        .rests = ALL, .is_order = 1, .reasons = ONE_REASON},
    [EVENT_REJECTED] = {{{{0, 0}, {0, ALL}, {0, 0}, {ALL, OF_REJECTED}}},
                        .reasons = REASONS(REASON_UNKNOWN_ORDER, REASON_UNKNOWN_INSTRUMENT)},
};

bool flat_is_aligned(const void *address)
{
    return (uintptr_t)address % _Alignof(command_record) == 0;
}

static inline row row_at(const void *bytes)
{
    row self;
    memcpy(&self, bytes, sizeof self);
    return self;
}

static inline uint64_t word_at(const uint8_t *bytes, size_t offset)
{
    uint64_t word;
    memcpy(&word, bytes + offset, sizeof word);
    return word;
}

/* The bits of a record that are set and must not be. */
static inline uint64_t bits_set(const row *self, const row *zeros)
{
    const word_pair found = ((self->of[0] & zeros->of[0]) | (self->of[1] & zeros->of[1])) |
                            ((self->of[2] & zeros->of[2]) | (self->of[3] & zeros->of[3]));
    return found[0] | found[1];
}

/* Not 0 if anything is wrong with the command at `bytes`, which is also in `self`. */
/* --8<-- [start:faults] */
static inline uint64_t command_faults(const row *self, const uint8_t *bytes, unsigned permitted)
{
    const uint64_t last = word_at(bytes, 56);
    const unsigned kind = (last & 0xFF) <= COMMAND_MASS_CANCEL ? (unsigned)last & 0xFF : 0;
    const uint64_t both_bits_of_time_in_force = last >> 24 & last >> 25 & 1;
    const uint64_t nameless = (word_at(bytes, 16) == 0) & (kind != COMMAND_MASS_CANCEL);
    return bits_set(self, &command_zeros[kind]) | both_bits_of_time_in_force | nameless |
           (~(permitted & FLAT_PERMIT_ALL) >> kind & 1);
}
/* --8<-- [end:faults] */

static inline uint64_t event_faults(const row *self, const uint8_t *bytes)
{
    const uint64_t order_id = word_at(bytes, 16), maker = word_at(bytes, 24);
    const uint64_t quantity = word_at(bytes, 40), leaves = word_at(bytes, 48);
    const uint64_t last = word_at(bytes, 56);
    const unsigned reason = (unsigned)(last >> 48) & 31; /* the bits above are among the zeros */
    const unsigned said = (unsigned)(last >> 32) & 0xFF;
    const event_rule *rule = &event_rules[said <= EVENT_REJECTED ? said : 0];
    const uint64_t nothing = (uint64_t)(order_id == 0) | (uint64_t)(quantity == 0);
    const uint64_t nobody = (uint64_t)(maker == 0) | (uint64_t)(maker == order_id);
    return bits_set(self, &rule->zeros) | ((leaves ^ quantity) & rule->rests) |
           ((quantity + leaves) & rule->sum) | (~(rule->reasons >> reason) & 1) |
           (nothing & rule->is_order) | (nobody & rule->is_trade) | (word_at(bytes, 0) == 0);
}

/* Name the first fault; 0 if there is none. */
static int command_reason(const command_record *record, unsigned permitted)
{
    const uint8_t kind = record->kind;
    const bool is_new = kind == COMMAND_NEW;
    if (kind < COMMAND_NEW || kind > COMMAND_MASS_CANCEL) {
        return FLAT_UNKNOWN_KIND;
    }
    if (!(permitted >> kind & 1)) {
        return FLAT_NOT_PERMITTED;
    }
    if (record->sequence != 0) {
        return FLAT_SEQUENCE;
    }
    if (record->reserved != 0 || record->reserved2 != 0) {
        return FLAT_RESERVED;
    }
    if (record->side > SIDE_ASK) {
        return FLAT_SIDE;
    }
    if (is_new && record->order_type > ORDER_TYPE_MARKET) {
        return FLAT_ORDER_TYPE;
    }
    if (is_new && record->time_in_force > TIME_IN_FORCE_FOK) {
        return FLAT_TIME_IN_FORCE;
    }
    if (is_new && record->self_trade > SELF_TRADE_CANCEL_BOTH) {
        return FLAT_SELF_TRADE;
    }
    if (is_new && record->flags > FLAG_POST_ONLY) {
        return FLAT_FLAGS;
    }
    if (kind != COMMAND_MASS_CANCEL && record->order_id == 0) {
        return FLAT_ORDER_ID;
    }
    const bool priced = is_new || kind == COMMAND_REPLACE;
    if ((!is_new && (record->order_type | record->time_in_force | record->self_trade |
                     record->flags)) ||
        (!priced && (record->price != 0 || record->quantity != 0)) ||
        (kind == COMMAND_MASS_CANCEL && record->order_id != 0)) {
        return FLAT_UNUSED_FIELD;
    }
    return FLAT_TAKEN;
}

static bool event_reason_fits(const event_record *record)
{
    switch (record->kind) {
    case EVENT_CANCELLED:
        return record->reason >= REASON_USER && record->reason <= REASON_MASS_CANCEL;
    case EVENT_REJECTED:
        return record->reason >= REASON_UNKNOWN_ORDER &&
               record->reason <= REASON_UNKNOWN_INSTRUMENT;
    default: return record->reason == REASON_NONE;
    }
}

static bool event_leaves_fit(const event_record *record)
{
    switch (record->kind) {
    case EVENT_TRADE: return record->leaves <= MAX_QUANTITY - record->quantity;
    case EVENT_ACCEPTED:
    case EVENT_REPLACED: return record->leaves == record->quantity;
    default: return record->leaves == 0;
    }
}

static int event_reason(const event_record *record)
{
    const bool traded = record->kind == EVENT_TRADE;
    if (record->kind < EVENT_ACCEPTED || record->kind > EVENT_REJECTED) {
        return FLAT_UNKNOWN_KIND;
    }
    if (record->sequence == 0) {
        return FLAT_SEQUENCE;
    }
    if (record->reserved != 0) {
        return FLAT_RESERVED;
    }
    if (record->kind != EVENT_REJECTED) {
        if (record->side > SIDE_ASK) {
            return FLAT_SIDE;
        }
        if (record->order_id == 0) {
            return FLAT_ORDER_ID;
        }
    }
    if (traded ? record->contra_order_id == 0 || record->contra_order_id == record->order_id
               : record->contra_order_id != 0) {
        return FLAT_CONTRA_ORDER_ID;
    }
    if (record->kind != EVENT_REJECTED &&
        (record->quantity == 0 || record->quantity > MAX_QUANTITY)) {
        return FLAT_QUANTITY;
    }
    if (!event_leaves_fit(record)) {
        return FLAT_LEAVES;
    }
    return event_reason_fits(record) ? FLAT_TAKEN : FLAT_REASON;
}

int flat_command_outcome(const void *bytes, unsigned permitted)
{
    command_record record;
    memcpy(&record, bytes, sizeof record);
    return command_reason(&record, permitted);
}

int flat_event_outcome(const void *bytes)
{
    event_record record;
    memcpy(&record, bytes, sizeof record);
    return event_reason(&record);
}

/* How many records to look at; what cannot be one is counted. */
static size_t records_in(size_t size, size_t limit, flat_counts *counts)
{
    const size_t whole = size / FLAT_RECORD_BYTES;
    const size_t looked_at = whole < limit ? whole : limit;
    counts->of[FLAT_SHORT_RECORD] += size % FLAT_RECORD_BYTES != 0;
    counts->of[FLAT_BEYOND_LIMIT] += whole - looked_at;
    return looked_at;
}

/* The outcome of a record that has a fault. Apart, so that the loops below hold no record twice. */
__attribute__((noinline)) static int refuse_command(const uint8_t *bytes, unsigned permitted)
{
    const int outcome = flat_command_outcome(bytes, permitted);
    CHECK(outcome != FLAT_TAKEN);
    return outcome;
}

__attribute__((noinline)) static int refuse_event(const uint8_t *bytes)
{
    const int outcome = flat_event_outcome(bytes);
    CHECK(outcome != FLAT_TAKEN);
    return outcome;
}

/* --8<-- [start:decode] */
size_t flat_commands_decode(const void *bytes, size_t size, command_record *records, size_t limit,
                            unsigned permitted, flat_counts *counts)
{
    const uint8_t *from = bytes;
    const size_t count = records_in(size, limit, counts);
    size_t taken = 0;
    for (size_t i = 0; i < count; i++, from += FLAT_RECORD_BYTES) {
        const row record = row_at(from);
        if (__builtin_expect(command_faults(&record, from, permitted) != 0, 0)) {
            counts->of[refuse_command(from, permitted)]++;
            continue;
        }
        memcpy(&records[taken++], &record, sizeof record);
    }
    counts->of[FLAT_TAKEN] += taken;
    return taken;
}
/* --8<-- [end:decode] */

size_t flat_events_decode(const void *bytes, size_t size, event_record *records, size_t limit,
                          flat_counts *counts)
{
    const uint8_t *from = bytes;
    const size_t count = records_in(size, limit, counts);
    size_t taken = 0;
    for (size_t i = 0; i < count; i++, from += FLAT_RECORD_BYTES) {
        const row record = row_at(from);
        if (__builtin_expect(event_faults(&record, from) != 0, 0)) {
            counts->of[refuse_event(from)]++;
            continue;
        }
        memcpy(&records[taken++], &record, sizeof record);
    }
    counts->of[FLAT_TAKEN] += taken;
    return taken;
}

size_t flat_encode(const void *records, size_t count, void *bytes, size_t room)
{
    const size_t fits = room / FLAT_RECORD_BYTES;
    const size_t copied = count < fits ? count : fits;
    if (copied > 0) { /* memcpy from or to a null pointer is undefined, of nothing too */
        memcpy(bytes, records, copied * FLAT_RECORD_BYTES);
    }
    return copied;
}
