/* fuzz_snapshot.c - any bytes as a snapshot: the judge reads none beyond them, and what it accepts holds.
 *
 * The first byte chooses what is mended, so that damage gets past the first check: the image's sums, if
 * the entry points into the file; the header's magic, size and crc. The rest is the file.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "contract/c/check.h"
#include "phase6_wal/c/crc32c.h"
#include "phase6_wal/c/snapshot_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEND_HEADER = 1, MEND_SUMS = 2, MEND_PLACES = 4 };

static uint32_t books_of(const uint8_t *file, size_t size)
{
    snapshot_header header;
    if (size < sizeof header) {
        return 0;
    }
    memcpy(&header, file, sizeof header);
    return snapshot_head_bytes(header.books) <= size ? header.books : 0;
}

static void mend_entry(uint8_t *file, size_t size, uint32_t book, uint64_t *place, unsigned how)
{
    snapshot_entry entry;
    memcpy(&entry, file + snapshot_head_bytes(book), sizeof entry);
    if (how & MEND_PLACES) {
        entry.offset = *place;
    }
    if (entry.offset > size || entry.bytes > size - entry.offset) {
        return;
    }
    *place = entry.offset + entry.bytes;
    if (how & MEND_SUMS) {
        image_sums sums;
        image_begin(&sums);
        image_take(&sums, file + entry.offset, entry.bytes);
        image_end(&sums, entry.state_hash);
        entry.crc = sums.crc;
    }
    memcpy(file + snapshot_head_bytes(book), &entry, sizeof entry);
}

static void mend(uint8_t *file, size_t size, unsigned how)
{
    const uint32_t books = books_of(file, size);
    uint64_t place = snapshot_head_bytes(books);
    for (uint32_t book = 0; book < books; book++) {
        mend_entry(file, size, book, &place, how);
    }
    if (books > 0 && how & MEND_HEADER) {
        const uint64_t bytes = size;
        memcpy(file, SNAPSHOT_MAGIC_BYTES, 8);
        memcpy(file + 32, &bytes, sizeof bytes);
        const uint32_t crc = crc32c(0, file + 12, snapshot_head_bytes(books) - 12);
        memcpy(file + 8, &crc, sizeof crc);
    }
}

/* The rules once more, as a reader would: every byte of the file belongs to exactly one thing. */
static void check_valid(const uint8_t *file, size_t size)
{
    const uint32_t books = books_of(file, size);
    uint64_t end = 64 + 64 * (uint64_t)books;
    CHECK(books >= 1 && books <= 4096 && file[12] == 1 && file[13] == 0);
    CHECK(crc32c_table(0, file + 12, end - 12) == *(const uint32_t *)(const void *)(file + 8));
    for (uint32_t book = 0; book < books; book++) {
        snapshot_entry entry;
        uint64_t orders;
        memcpy(&entry, file + 64 + 64 * (size_t)book, sizeof entry);
        CHECK(entry.offset == end && entry.bytes >= 32 && entry.bytes <= size - end);
        CHECK(entry.capacity >= 1 && entry.capacity <= 1 << 24 && entry.zero == 0);
        CHECK(entry.min_price <= entry.max_price);
        CHECK(crc32c_table(0, file + end, entry.bytes) == entry.crc);
        CHECK(memcmp(file + end, "MBOOK\0\0\1", 8) == 0);
        CHECK(memcmp(file + end + 8, &entry.instrument, 4) == 0);
        memcpy(&orders, file + end + 16, sizeof orders);
        CHECK(orders <= entry.capacity && entry.bytes == 32 + 40 * orders);
        end += entry.bytes;
    }
    CHECK(end == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const unsigned how = data[0];
    size--;
    /* Exactly its size, and aligned, so that a byte too far is found. */
    uint8_t *file = malloc(size > 0 ? size : 1);
    CHECK(file != NULL);
    memcpy(file, data + 1, size);
    mend(file, size, how);
    snapshot_fault fault;
    const int reason = snapshot_check(file, size, UINT64_MAX, &fault);
    CHECK(reason >= 0 && reason < SNAPSHOT_REASONS && reason == fault.reason);
    CHECK(fault.offset <= size || reason == SNAPSHOT_SHORT);
    if (reason == SNAPSHOT_GOOD) {
        check_valid(file, size);
        /* And no one bit of it may be another. */
        const size_t at = (how * 2654435761u + size) % size;
        file[at] ^= (uint8_t)(1u << (how % 8));
        CHECK(snapshot_check(file, size, UINT64_MAX, &fault) != SNAPSHOT_GOOD);
    }
    free(file);
    return 0;
}
