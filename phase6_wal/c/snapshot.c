/* snapshot.c - judges the bytes of a snapshot, and lays them out; see snapshot.h for the format.
 *
 * Nothing here trusts a number before it has been held against the size of the file, and no sum of
 * two numbers from the file is formed before one of them is known to be small.
 */
#include "phase6_wal/c/snapshot.h"

#include <string.h>

#include "phase6_wal/c/crc32c.h"
#include "phase6_wal/c/snapshot_parts.h"

enum { CRC_BEGIN = 12, MOST_CAPACITY = 1 << 24 };
#define IMAGE_MAGIC "MBOOK\0\0\1"

static const char *const REASONS[SNAPSHOT_REASONS] = {
    "good",         "size",     "magic",  "crc",         "version",   "books",
    "bytes",        "sequence", "zeros",  "instrument",  "limits",    "offset",
    "image bytes",  "image crc", "image header", "state hash",
};

const char *snapshot_reason(int reason)
{
    return reason >= 0 && reason < SNAPSHOT_REASONS ? REASONS[reason] : "unknown";
}

static int fail(snapshot_fault *fault, int reason, uint64_t offset, uint64_t found,
                uint64_t expected)
{
    fault->reason = reason;
    fault->offset = offset;
    fault->found = found;
    fault->expected = expected;
    return reason;
}

static uint64_t first_bytes(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* --- checksums of an image --- */

/* The state hash takes the last event sequence, bytes 24 to 31, as 0. */
enum { EVENT_SEQUENCE_AT = 24, EVENT_SEQUENCE_END = 32 };

void image_begin(image_sums *self)
{
    self->taken = 0;
    self->crc = 0;
    blake2b_begin(&self->hash);
}

void image_take(image_sums *self, const void *bytes, uint64_t size)
{
    static const uint8_t zeros[EVENT_SEQUENCE_END - EVENT_SEQUENCE_AT];
    const uint8_t *from = bytes;
    self->crc = crc32c(self->crc, from, size);
    if (self->taken == 0 && size >= IMAGE_HEADER_BYTES) {
        blake2b_take(&self->hash, from, EVENT_SEQUENCE_AT);
        blake2b_take(&self->hash, zeros, sizeof zeros);
        blake2b_take(&self->hash, from + EVENT_SEQUENCE_END, size - EVENT_SEQUENCE_END);
    } else {
        blake2b_take(&self->hash, from, size);
    }
    self->taken += size;
}

void image_end(image_sums *self, uint8_t state_hash[16])
{
    blake2b_end(&self->hash, state_hash);
}

void image_write_header(void *image, uint32_t instrument, uint64_t orders, uint64_t event_sequence)
{
    uint8_t *to = image;
    memcpy(to, IMAGE_MAGIC, 8);
    memcpy(to + 8, &instrument, 4);
    memset(to + 12, 0, 4);
    memcpy(to + 16, &orders, 8);
    memcpy(to + 24, &event_sequence, 8);
}

/* --- judging --- */

static int check_header(const snapshot_header *header, const uint8_t *head, uint64_t size,
                        uint64_t sequence, snapshot_fault *fault)
{
    static const uint8_t zeros[sizeof header->zeros];
    const uint64_t end = snapshot_head_bytes(header->books);
    const uint32_t crc = crc32c(0, head + CRC_BEGIN, end - CRC_BEGIN);
    if (header->crc != crc) {
        return fail(fault, SNAPSHOT_CRC, 8, header->crc, crc);
    }
    if (header->version != SNAPSHOT_VERSION) {
        return fail(fault, SNAPSHOT_VERSION_FIELD, 12, header->version, SNAPSHOT_VERSION);
    }
    if (sequence != UINT64_MAX && header->sequence != sequence) {
        return fail(fault, SNAPSHOT_SEQUENCE, 16, header->sequence, sequence);
    }
    if (header->bytes != size) {
        return fail(fault, SNAPSHOT_BYTES, 32, header->bytes, size);
    }
    if (memcmp(header->zeros, zeros, sizeof zeros) != 0) {
        return fail(fault, SNAPSHOT_ZERO, 48, first_bytes(header->zeros), 0);
    }
    return SNAPSHOT_GOOD;
}

static int check_entry(const snapshot_entry *entry, uint64_t at, uint64_t image, uint64_t size,
                       snapshot_fault *fault)
{
    const uint64_t most =
        IMAGE_HEADER_BYTES + (uint64_t)entry->capacity * IMAGE_ORDER_BYTES;
    if (entry->min_price > entry->max_price) {
        return fail(fault, SNAPSHOT_LIMITS, at + 8, (uint64_t)entry->min_price,
                    (uint64_t)entry->max_price);
    }
    if (entry->capacity < 1 || entry->capacity > MOST_CAPACITY) {
        return fail(fault, SNAPSHOT_LIMITS, at + 40, entry->capacity, MOST_CAPACITY);
    }
    if (entry->zero != 0) {
        return fail(fault, SNAPSHOT_ZERO, at + 44, entry->zero, 0);
    }
    if (entry->offset != image) {
        return fail(fault, SNAPSHOT_OFFSET, at + 24, entry->offset, image);
    }
    if (entry->bytes < IMAGE_HEADER_BYTES || entry->bytes > most ||
        (entry->bytes - IMAGE_HEADER_BYTES) % IMAGE_ORDER_BYTES != 0) {
        return fail(fault, SNAPSHOT_IMAGE_BYTES, at + 32, entry->bytes, most);
    }
    if (entry->bytes > size - image) {
        return fail(fault, SNAPSHOT_IMAGE_BYTES, at + 32, entry->bytes, size - image);
    }
    return SNAPSHOT_GOOD;
}

int snapshot_check_head(const uint8_t *head, uint64_t size, uint64_t sequence,
                        snapshot_fault *fault)
{
    snapshot_header header;
    memcpy(&header, head, sizeof header);
    fault->book = 0;
    int reason = check_header(&header, head, size, sequence, fault);
    uint64_t image = snapshot_head_bytes(header.books);
    uint64_t next_instrument = 0;
    for (uint32_t book = 0; book < header.books && reason == SNAPSHOT_GOOD; book++) {
        snapshot_entry entry;
        const uint64_t at = snapshot_head_bytes(book);
        memcpy(&entry, head + at, sizeof entry);
        fault->book = book;
        if (entry.instrument < next_instrument) {
            return fail(fault, SNAPSHOT_INSTRUMENT, at, entry.instrument, next_instrument);
        }
        reason = check_entry(&entry, at, image, size, fault);
        next_instrument = (uint64_t)entry.instrument + 1;
        image += entry.bytes;
    }
    if (reason == SNAPSHOT_GOOD && image != size) {
        return fail(fault, SNAPSHOT_BYTES, 32, size, image);
    }
    return reason;
}

int snapshot_check_image_header(const uint8_t *image, const snapshot_entry *entry, uint32_t book,
                                snapshot_fault *fault)
{
    const uint64_t orders = (entry->bytes - IMAGE_HEADER_BYTES) / IMAGE_ORDER_BYTES;
    uint8_t right[IMAGE_HEADER_BYTES];
    image_write_header(right, entry->instrument, orders, first_bytes(image + EVENT_SEQUENCE_AT));
    fault->book = book;
    for (uint64_t at = 0; at < EVENT_SEQUENCE_AT; at += 8) {
        if (memcmp(image + at, right + at, 8) != 0) {
            return fail(fault, SNAPSHOT_IMAGE_HEADER, entry->offset + at, first_bytes(image + at),
                        first_bytes(right + at));
        }
    }
    return SNAPSHOT_GOOD;
}

int snapshot_check_sums(const image_sums *sums, const uint8_t state_hash[16],
                        const snapshot_entry *entry, uint32_t book, snapshot_fault *fault)
{
    const uint64_t at = snapshot_head_bytes(book);
    fault->book = book;
    if (sums->crc != entry->crc) {
        return fail(fault, SNAPSHOT_IMAGE_CRC, at + 4, entry->crc, sums->crc);
    }
    if (memcmp(state_hash, entry->state_hash, sizeof entry->state_hash) != 0) {
        return fail(fault, SNAPSHOT_STATE_HASH, at + 48, first_bytes(entry->state_hash),
                    first_bytes(state_hash));
    }
    return SNAPSHOT_GOOD;
}

int snapshot_check(const void *file, uint64_t size, uint64_t sequence, snapshot_fault *fault)
{
    const uint8_t *bytes = file;
    *fault = (snapshot_fault){0};
    snapshot_header header;
    if (size < sizeof header) {
        return fail(fault, SNAPSHOT_SHORT, size, size, sizeof header);
    }
    memcpy(&header, bytes, sizeof header);
    if (memcmp(header.magic, SNAPSHOT_MAGIC_BYTES, sizeof header.magic) != 0) {
        return fail(fault, SNAPSHOT_MAGIC, 0, first_bytes(header.magic),
                    first_bytes((const uint8_t *)SNAPSHOT_MAGIC_BYTES));
    }
    if (header.books < 1 || header.books > SNAPSHOT_MOST_BOOKS) {
        return fail(fault, SNAPSHOT_BOOKS, 14, header.books, SNAPSHOT_MOST_BOOKS);
    }
    if (size < snapshot_head_bytes(header.books)) {
        return fail(fault, SNAPSHOT_SHORT, size, size, snapshot_head_bytes(header.books));
    }
    int reason = snapshot_check_head(bytes, size, sequence, fault);
    for (uint32_t book = 0; book < header.books && reason == SNAPSHOT_GOOD; book++) {
        snapshot_entry entry;
        image_sums sums;
        uint8_t state_hash[16];
        memcpy(&entry, bytes + snapshot_head_bytes(book), sizeof entry);
        image_begin(&sums);
        image_take(&sums, bytes + entry.offset, entry.bytes);
        image_end(&sums, state_hash);
        reason = snapshot_check_sums(&sums, state_hash, &entry, book, fault);
        if (reason == SNAPSHOT_GOOD) {
            reason = snapshot_check_image_header(bytes + entry.offset, &entry, book, fault);
        }
    }
    return reason;
}

/* --- laying out --- */

uint64_t snapshot_place(uint8_t *head)
{
    snapshot_header header;
    memcpy(&header, head, sizeof header);
    uint64_t offset = snapshot_head_bytes(header.books);
    for (size_t book = 0; book < header.books; book++) {
        snapshot_entry entry;
        uint8_t *at = head + snapshot_head_bytes(book);
        memcpy(&entry, at, sizeof entry);
        entry.offset = offset;
        entry.zero = 0;
        offset += entry.bytes;
        memcpy(at, &entry, sizeof entry);
    }
    return offset;
}

void snapshot_seal(uint8_t *head)
{
    snapshot_header header;
    snapshot_entry last;
    memcpy(&header, head, sizeof header);
    memcpy(&last, head + snapshot_head_bytes(header.books - 1u), sizeof last);
    memcpy(header.magic, SNAPSHOT_MAGIC_BYTES, sizeof header.magic);
    header.version = SNAPSHOT_VERSION;
    header.bytes = last.offset + last.bytes;
    memset(header.zeros, 0, sizeof header.zeros);
    memcpy(head, &header, sizeof header);
    header.crc = crc32c(0, head + CRC_BEGIN, snapshot_head_bytes(header.books) - CRC_BEGIN);
    memcpy(head, &header, sizeof header);
}

static char *write_number(char *to, uint64_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--, number /= 10) {
        to[i] = (char)('0' + number % 10);
    }
    return to + digits;
}

void snapshot_name(char name[64], uint64_t sequence, uint32_t maker)
{
    char *at = write_number(name, sequence, 20);
    if (maker != 0) {
        *at++ = '.';
        at = write_number(at, maker, 10);
    }
    strcpy(at, maker != 0 ? ".snap.tmp" : ".snap");
}
