/* test_log_records.c - records as log_format.h has them, by both ways, from any place to any
 * other. */
#include "phase6_wal/c/log_records.c"

#include "contract/c/check.h"
#include "contract/c/engine_stream.h"

enum { MOST = 70, PAST = 32 };

static uint8_t bodies[MOST * LOG_BODY_BYTES + 8];
static uint8_t slots[MOST * LOG_RECORD_BYTES + 8 + PAST];
static uint8_t others[MOST * LOG_RECORD_BYTES + 8 + PAST];

static void fill(uint8_t *at, size_t size, uint64_t seed)
{
    command_stream random = {.state = seed};
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)stream_word(&random);
    }
}

/* What the comment in log_format.h says of one record, field by field. */
static uint32_t check_record(const uint8_t *slot, const uint8_t *body, const log_batch *batch,
                             uint64_t sequence, uint32_t chain)
{
    log_record record;
    memcpy(&record, slot, sizeof record);
    CHECK(record.length == 80 && record.kind == batch->kind && record.zero == 0);
    CHECK(record.durable == batch->durable && record.body[0] == sequence);
    CHECK(memcmp(slot + 24, body + 8, LOG_BODY_BYTES - 8) == 0);
    CHECK(record.crc == crc32c_table(batch->salt, slot + 4, 76));
    return crc32c_table(chain, slot, 4);
}

/* Guards: a field in the wrong place, a number that does not count on, a CRC without the salt, a
 * chain that leaves a record out, a store past the end; and the two ways coming to differ. */
static void test_both_ways(void)
{
    command_stream random = {.state = 7};
    for (size_t count = 0; count <= MOST; count++) {
        const size_t from = stream_word(&random) % 8;
        const size_t to = stream_word(&random) % 8;
        const log_batch batch = {.sequence = stream_word(&random),
                                 .durable = stream_word(&random),
                                 .salt = (uint32_t)stream_word(&random),
                                 .chain = (uint32_t)stream_word(&random),
                                 .kind = 1 + (uint32_t)count % 3};
        fill(bodies, sizeof bodies, count);
        fill(slots, sizeof slots, count + 1);
        memcpy(others, slots, sizeof slots);
        const uint32_t chain = log_records_seal(slots + to, bodies + from, count, &batch);
        CHECK(seal_by_table(others + to, bodies + from, count, &batch) == chain);
        CHECK(memcmp(slots, others, sizeof slots) == 0);
        uint32_t expected = batch.chain;
        for (size_t i = 0; i < count; i++) {
            expected = check_record(slots + to + i * LOG_RECORD_BYTES,
                                    bodies + from + i * LOG_BODY_BYTES, &batch, batch.sequence + i,
                                    expected);
        }
        CHECK(chain == expected);
        CHECK(log_records_chain(slots + to, count, batch.chain) == chain);
        fill(others, sizeof others, count + 1);
        const size_t end = to + count * LOG_RECORD_BYTES;
        CHECK(memcmp(slots, others, to) == 0);
        CHECK(memcmp(slots + end, others + end, sizeof slots - end) == 0);
    }
}

int main(void)
{
    test_both_ways();
    return 0;
}
