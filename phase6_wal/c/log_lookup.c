/* log_lookup.c - see log_lookup.h.
 *
 *     table      first sequences of the segments, ascending: 1, 52391, 104781
 *     segment    the one that is open: its header has been checked against its name
 *     run        records of it from slot `run_slot` on, as they were when they were read
 *
 * What is not found where it should be is looked for once more, with everything read anew: the run
 * may be older than the record, the table older than the segment, the file another log's by now.
 */
#include "phase6_wal/c/log_lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "phase6_wal/c/crc32c.h"

enum { RUN_RECORDS = 51 }; /* of 80 bytes: what fits a page */
enum { MOST_LISTINGS = 16 };

struct log_lookup {
    storage *disk;
    uint32_t content;
    uint64_t log_id;
    uint64_t *table;
    size_t segments;
    size_t table_room;
    int file; /* -1: none is open */
    log_header header;
    uint64_t known_sequence; /* found last, or the segment's first */
    uint64_t known_slot;     /* where it stands, or before that */
    uint64_t run_slot;
    size_t run_count;
    log_record run[RUN_RECORDS];
    log_lookup_counters counters;
};

log_lookup *log_lookup_new(storage *disk, uint32_t content, uint64_t log_id)
{
    log_lookup *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->disk = disk;
        self->content = content;
        self->log_id = log_id;
        self->file = -1;
    }
    return self;
}

static void close_segment(log_lookup *self)
{
    if (self->file >= 0) {
        self->disk->file_close(self->disk, self->file);
    }
    self->file = -1;
    self->run_count = 0;
}

void log_lookup_free(log_lookup *self)
{
    if (self != NULL) {
        close_segment(self);
        free(self->table);
        free(self);
    }
}

static int failed(log_lookup *self, int code)
{
    self->counters.error = -code;
    return LOOKUP_FAILED;
}

/* --- which segment --------------------------------------------------------------------------- */

/* first_of: the first sequence in a segment's name; 0: it is no such name. */
static uint64_t first_of(const char *name)
{
    uint64_t first = 0;
    for (int i = 0; i < 20; i++) {
        uint64_t digit = (uint64_t)(name[i] - '0');
        if (name[i] < '0' || name[i] > '9' || first > (UINT64_MAX - digit) / 10) {
            return 0;
        }
        first = first * 10 + digit;
    }
    return strcmp(name + 20, ".log") == 0 ? first : 0;
}

static int add_to_table(log_lookup *self, uint64_t first)
{
    if (self->segments == self->table_room) {
        size_t room = self->table_room > 0 ? 2 * self->table_room : 64;
        uint64_t *table = realloc(self->table, room * sizeof *table);
        if (table == NULL) {
            return -ENOMEM;
        }
        self->table = table;
        self->table_room = room;
    }
    self->table[self->segments++] = first;
    return 0;
}

/* list_once: the table anew. Names come in the order of their bytes: that of the sequences. */
static int list_once(log_lookup *self)
{
    char name[STORAGE_NAME_BYTES] = "";
    self->segments = 0;
    for (size_t index = 0;; index++) {
        int code = self->disk->directory_list(self->disk, index, name);
        if (code <= 0) {
            return code;
        }
        uint64_t first = first_of(name);
        code = first > 0 ? add_to_table(self, first) : 0;
        if (code < 0) {
            return code;
        }
    }
}

/* list_segments: the writer renames files meanwhile, and one may pass from behind to before: what
 * comes out twice the same was the directory at some moment. */
static int list_segments(log_lookup *self)
{
    uint32_t seen = 0;
    self->counters.listed++;
    for (int tries = 0; tries < MOST_LISTINGS; tries++) {
        const int code = list_once(self);
        const uint32_t now = crc32c(1, self->table, self->segments * sizeof *self->table);
        if (code < 0 || (tries > 0 && now == seen)) {
            return code;
        }
        seen = now;
    }
    return 0;
}

/* segment_of: first sequence of the segment that holds that one, if any does; 0: it is before all. */
static uint64_t segment_of(const log_lookup *self, uint64_t sequence)
{
    size_t low = 0;
    size_t high = self->segments;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->table[middle] <= sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 ? self->table[low - 1] : 0;
}

static int header_is_right(const log_lookup *self, uint64_t first, uint64_t bytes)
{
    const log_header *header = &self->header;
    return memcmp(header->magic, LOG_MAGIC, sizeof header->magic) == 0 &&
           header->crc == crc32c(0, (const uint8_t *)header + 12, sizeof *header - 12) &&
           header->version == LOG_VERSION && header->content == self->content &&
           header->first_sequence == first && header->bytes == bytes &&
           (self->log_id == 0 || header->log_id == self->log_id);
}

/* open_segment: 0, LOOKUP_MISSING if the file is not such a segment, LOOKUP_FAILED. */
static int open_segment(log_lookup *self, uint64_t first)
{
    char name[STORAGE_NAME_BYTES] = "00000000000000000000.log";
    uint64_t left = first;
    for (int i = 19; left > 0; i--) {
        name[i] = (char)('0' + left % 10);
        left /= 10;
    }
    uint64_t bytes = 0;
    int file = self->disk->file_open(self->disk, name, &bytes);
    if (file < 0) {
        return file == -ENOENT ? LOOKUP_MISSING : failed(self, file);
    }
    self->file = file;
    self->counters.opened++;
    if (bytes < LOG_HEADER_BYTES) {
        return LOOKUP_MISSING;
    }
    int code = self->disk->file_read(self->disk, file, 0, &self->header, sizeof self->header);
    if (code < 0) {
        return failed(self, code);
    }
    if (!header_is_right(self, first, bytes)) {
        return LOOKUP_MISSING;
    }
    self->log_id = self->header.log_id;
    self->known_sequence = first;
    self->known_slot = 0;
    return 0;
}

/* go_to_segment: have the one open that should hold that sequence. As open_segment. */
static int go_to_segment(log_lookup *self, uint64_t sequence)
{
    uint64_t first = segment_of(self, sequence);
    if (first == 0) {
        return LOOKUP_MISSING;
    }
    if (self->file >= 0 && self->header.first_sequence == first) {
        return 0;
    }
    close_segment(self);
    int code = open_segment(self, first);
    if (code != 0) {
        close_segment(self);
    }
    return code;
}

/* --- which record ---------------------------------------------------------------------------- */

/* record_at: a slot of the open segment; NULL: the storage failed. */
static const log_record *record_at(log_lookup *self, uint64_t slot)
{
    if (slot - self->run_slot >= self->run_count) {
        uint64_t left = log_slots(self->header.bytes) - slot;
        self->run_slot = slot;
        self->run_count = left < RUN_RECORDS ? (size_t)left : RUN_RECORDS;
        self->counters.reads++;
        int code = self->disk->file_read(self->disk, self->file,
                                         LOG_HEADER_BYTES + slot * LOG_RECORD_BYTES, self->run,
                                         self->run_count * sizeof(log_record));
        if (code < 0) {
            failed(self, code);
            close_segment(self);
            return NULL;
        }
    }
    return &self->run[slot - self->run_slot];
}

static int record_is_right(const log_lookup *self, const log_record *record)
{
    const uint8_t *bytes = (const uint8_t *)record;
    return record->length == LOG_RECORD_BYTES &&
           record->crc == crc32c(self->header.salt, bytes + 4, LOG_RECORD_BYTES - 4);
}

/* --8<-- [start:find] */
/* find: each mark before the record moves it by a slot. So the slot that we come to is never beyond
 * it, and what stands there says how many more there are to go. */
static int find(log_lookup *self, uint64_t sequence, void *to)
{
    const uint64_t slots = log_slots(self->header.bytes);
    const int after = sequence >= self->known_sequence;
    uint64_t slot = after ? self->known_slot : 0;
    uint64_t left = sequence - (after ? self->known_sequence : self->header.first_sequence);
    while (left < slots - slot) {
        slot += left;
        const log_record *record = record_at(self, slot);
        if (record == NULL) {
            return LOOKUP_FAILED;
        }
        uint64_t here = record->body[0];
        if (!record_is_right(self, record) || here > sequence) {
            return LOOKUP_MISSING;
        }
        if (here == sequence && record->kind == self->content) {
            memcpy(to, record->body, LOG_BODY_BYTES);
            self->known_sequence = sequence;
            self->known_slot = slot;
            return LOG_BODY_BYTES;
        }
        if (here == sequence) {
            return LOOKUP_MISSING; /* a mark where the record should be: this is no log */
        }
        left = sequence - here;
    }
    return LOOKUP_MISSING;
}
/* --8<-- [end:find] */

static int look(log_lookup *self, uint64_t sequence, void *to)
{
    int code = go_to_segment(self, sequence);
    return code == 0 ? find(self, sequence, to) : code;
}

int64_t log_lookup_read(void *context, uint64_t sequence, void *to, size_t room)
{
    log_lookup *self = context;
    if (room < LOG_BODY_BYTES) {
        return LOOKUP_NO_ROOM;
    }
    int code = look(self, sequence, to);
    /* Logs lose segments at their beginning only: what was too old stays so. */
    if (code == LOOKUP_MISSING && (self->segments == 0 || sequence >= self->table[0])) {
        close_segment(self);
        int listed = list_segments(self);
        code = listed < 0 ? failed(self, listed) : look(self, sequence, to);
    }
    self->counters.found += code > 0;
    self->counters.missing += code == LOOKUP_MISSING;
    self->counters.failed += code == LOOKUP_FAILED;
    return code;
}

void log_lookup_count(const log_lookup *self, log_lookup_counters *counters)
{
    *counters = self->counters;
}
