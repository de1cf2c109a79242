/* codec_loops.h - encode and decode in a loop, for measuring what each format costs in C.
 *
 * Every loop takes the same records, writes them into `wire` and reads them back, `rounds` times,
 * a whole batch each way, and adds up every field of what it read. All loops over the same records
 * return the same sum (of all rounds, modulo 2^64): a wrong decoder shows, and a compiler cannot
 * leave out work whose result is asked for. The sum costs the same in each; the floor is a loop
 * that adds up the records as they are, and encodes nothing.
 *
 *     records ──encode──▶ wire ──check, decode──▶ out ──sum──▶ result
 *
 * wire: room for count messages: 64 bytes a record, SBE_LARGEST_BYTES for SBE. out: count records.
 * Records that a decoder refuses are not in the sum: give records that all take.
 */
#ifndef PHASE5_CODEC_LOOPS_H
#define PHASE5_CODEC_LOOPS_H

#include "phase5_protocol/c/sbe_codec.h"

/* cdef:begin */
uint64_t codec_commands_floor(const command_record *records, size_t count, size_t rounds);
uint64_t codec_events_floor(const event_record *records, size_t count, size_t rounds);

/* Copied to the wire and read where it lies, unchecked: a bare cast. wire: aligned to 8. */
uint64_t codec_commands_cast(const command_record *records, size_t count, size_t rounds,
                             void *wire);
uint64_t codec_events_cast(const event_record *records, size_t count, size_t rounds, void *wire);

/* The flat codec: copied, then checked and copied out. */
uint64_t codec_commands_flat(const command_record *records, size_t count, size_t rounds, void *wire,
                             command_record *out);
uint64_t codec_events_flat(const event_record *records, size_t count, size_t rounds, void *wire,
                           event_record *out);

/* The flat codec, checked in place. wire: aligned to 8. */
uint64_t codec_commands_in_place(const command_record *records, size_t count, size_t rounds,
                                 void *wire);
uint64_t codec_events_in_place(const event_record *records, size_t count, size_t rounds,
                               void *wire);

/* SBE, structure and content checked. */
uint64_t codec_commands_sbe(const command_record *records, size_t count, size_t rounds, void *wire,
                            command_record *out);
uint64_t codec_events_sbe(const event_record *records, size_t count, size_t rounds, void *wire,
                          event_record *out);
/* cdef:end */

#endif
