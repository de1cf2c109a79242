/* log_records.c - see log_records.h. */
#include "phase6_wal/c/log_records.h"

#include <string.h>

#include "phase6_wal/c/crc32c.h"
#include "phase6_wal/c/crc32c_step.h"

/* Bytes 4 to 7 of a record: length, kind, 0. */
static uint32_t first_word(const log_batch *batch)
{
    return LOG_RECORD_BYTES | batch->kind << 16;
}

static uint32_t seal_by_table(uint8_t *to, const uint8_t *from, size_t count,
                              const log_batch *batch)
{
    uint32_t chain = batch->chain;
    for (size_t i = 0; i < count; i++, to += LOG_RECORD_BYTES, from += LOG_BODY_BYTES) {
        log_record made = {.length = LOG_RECORD_BYTES,
                           .kind = (uint8_t)batch->kind,
                           .durable = batch->durable};
        memcpy(made.body, from, LOG_BODY_BYTES);
        made.body[0] = batch->sequence + i;
        made.crc = crc32c_table(batch->salt, (const uint8_t *)&made + 4, LOG_RECORD_BYTES - 4);
        chain = crc32c_table(chain, &made.crc, sizeof made.crc);
        memcpy(to, &made, LOG_RECORD_BYTES);
    }
    return chain;
}

#if CRC32C_CAN
static inline uint64_t load_8(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* --8<-- [start:seal] */
/* One pass: a body is read once, for its CRC and for its copy, and a slot is written once. */
CRC32C_INSTRUCTION static uint32_t seal_by_hardware(uint8_t *to, const uint8_t *from, size_t count,
                                                    const log_batch *batch)
{
    const uint64_t durable = batch->durable;
    const uint32_t word = first_word(batch);
    const uint32_t begun = crc32c_step_8(crc32c_step_4(~batch->salt, word), durable);
    uint64_t sequence = batch->sequence;
    uint32_t chain = ~batch->chain;
    for (const uint8_t *end = to + count * LOG_RECORD_BYTES; to < end; to += LOG_RECORD_BYTES) {
        uint32_t inside = crc32c_step_8(begun, sequence);
        for (int at = 8; at < LOG_BODY_BYTES; at += 8) {
            inside = crc32c_step_8(inside, load_8(from + at));
        }
        const uint64_t head[3] = {~inside | (uint64_t)word << 32, durable, sequence++};
        memcpy(to, head, sizeof head);
        memcpy(to + sizeof head, from + 8, LOG_BODY_BYTES - 8);
        chain = crc32c_step_4(chain, ~inside);
        from += LOG_BODY_BYTES;
    }
    return ~chain;
}
/* --8<-- [end:seal] */
#endif

uint32_t log_records_seal(void *slots, const void *bodies, size_t count, const log_batch *batch)
{
#if CRC32C_CAN
    if (crc32c_hardware()) {
        return seal_by_hardware(slots, bodies, count, batch);
    }
#endif
    return seal_by_table(slots, bodies, count, batch);
}

uint32_t log_records_chain(const void *slots, size_t count, uint32_t chain)
{
    for (size_t i = 0; i < count; i++) {
        chain = crc32c(chain, (const uint8_t *)slots + i * LOG_RECORD_BYTES, sizeof chain);
    }
    return chain;
}
