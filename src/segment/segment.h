// SPDX-License-Identifier: Apache-2.0
// Sealed events: immutable Parquet files of one fixed, flat schema, written and read by our own
// code.
//
// A segment holds events of one tenant in order of their positions, one event a row. Any Parquet
// reader can read it (docs/formats/segment.md); what makes it ours is that one row can be read by
// touching a few small pages. Which segments exist is the manifest's business, finding rows by
// name is the index's; this room knows one file at a time, and no names but those it is given.
// Threads: a writer, a reader, a scan belong to one thread at a time. An open segment and a cache
// may be used by any number of threads.
#pragma once

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

struct os;
struct os_dir;

// What is known of a file without reading its rows; from its footer.
struct segment_facts {
    als_position first, last;                    // positions of the first and the last row
    uint64_t rows;                               // last - first + 1, unless retention took some out
    int64_t least_us, greatest_us;               // timestamps
    int64_t recorded_first_us, recorded_last_us; // recorded_at of the first and the last row
    uint64_t new_entities;                       // rows with version 1
    uint64_t bytes;                              // of the file
    uint64_t raw_bytes;                          // of the names and texts of all rows
    uint64_t generation;                         // as the writer was told
    uint8_t identity[16];                        // random; what stands beside the file repeats it
    str tenant; // as the writer was told; lives as long as the segment, or the writer
};

// ---- Writing

struct segment_writer;

struct segment_write_options {
    str tenant;
    uint64_t generation;
    int zstd_level; // 0: the default, 1
};

// Makes the file `name` in `dir`, which must not exist. The caller gives it its real name when it
// is finished, or unlinks it when anything failed.
err segment_writer_open(KEEPS struct os *os, struct os_dir *dir, str name,
                        struct segment_write_options options, struct segment_writer **ret_writer,
                        struct als_why *why);
// Adds a row; positions go up (asserted, as are the limits of names and texts). Allocates nothing
// but what grows with the longest rows seen. After a failure the file is of no use.
err segment_writer_add(struct segment_writer *writer, const struct als_event *event,
                       struct als_why *why);
// Writes what is left and the footer and syncs the file (not its directory). At least one row.
err segment_writer_finish(struct segment_writer *writer, struct segment_facts *ret_facts,
                          struct als_why *why);
// Of the hashes of all rows, in order; once it is finished. The file does not have it.
uint64_t segment_writer_digest(const struct segment_writer *writer);
void segment_writer_close(struct segment_writer *writer); // finished or not
AUTO_WITH(segment_writer, segment_writer_close)

// ---- Opening

// Decoded pages of all segments that share it, at most `bytes_max` of them (and what is in use).
struct segment_cache;
struct segment_cache *segment_cache_new(uint64_t bytes_max); // NULL: no memory
void segment_cache_free(struct segment_cache *cache);        // all its segments are closed
AUTO_WITH(segment_cache, segment_cache_free)
struct segment_cache_stat {
    uint64_t bytes, hits, misses, evictions;
};
struct segment_cache_stat segment_cache_stat(struct segment_cache *cache);

struct segment;

// Maps the file and checks its footer; no page is read. ALS_CORRUPT, ALS_FORMAT_TOO_NEW.
err segment_open(KEEPS struct os *os, struct os_dir *dir, str name,
                 KEEPS struct segment_cache *cache, struct segment **ret_segment,
                 struct als_why *why);
void segment_close(struct segment *segment); // no reader or scan has it in use
AUTO_WITH(segment, segment_close)
const struct segment_facts *segment_facts(const struct segment *segment);

// ---- Reading single rows, through the cache

struct segment_reader;                           // keeps the pages of the last row it gave in place
struct segment_reader *segment_reader_new(void); // NULL: no memory
void segment_reader_free(struct segment_reader *reader);
AUTO_WITH(segment_reader, segment_reader_free)

// What the caller takes a row for, out of an index. A right guess saves decoding the pages that say
// so; the row's hash tells, and a wrong one costs a second look and nothing else.
struct segment_guess {
    str entity;          // whose event; it is what the event then has. {}: not known
    als_version version; // 0: not known
};

// All of row `row` (0 is the first). A page that is not in the cache is decoded into memory of its
// own; warm reads allocate nothing. The slices live until the reader's next call. The tenant is
// left alone. ALS_CORRUPT when a page's checksum, an encoding or the row's hash is wrong.
err segment_read(struct segment_reader *reader, struct segment *segment, uint32_t row,
                 const struct segment_guess *guess, // NULL: none
                 struct als_event *ret_event, struct als_why *why);
void segment_reader_reset(struct segment_reader *reader); // lets go of its pages

// ---- Reading many rows, column by column

enum segment_columns {
    SEGMENT_POSITION = 1 << 0,
    SEGMENT_ENTITY = 1 << 1,
    SEGMENT_VERSION = 1 << 2,
    SEGMENT_TYPE = 1 << 3,
    SEGMENT_ID = 1 << 4,
    SEGMENT_TIMESTAMP = 1 << 5,
    SEGMENT_RECORDED = 1 << 6,
    SEGMENT_PAYLOAD = 1 << 7,
    SEGMENT_METADATA = 1 << 8,
    SEGMENT_SCHEMA_VERSION = 1 << 9,
    SEGMENT_HASH = 1 << 10,
    SEGMENT_ALL = (1 << 11) - 1,
};

// Up to SEGMENT_BLOCK_ROWS neighbouring rows; columns that were not asked for are NULL. Names are
// numbers into a dictionary, which is the same for blocks with the same `dictionary` number.
enum { SEGMENT_BLOCK_ROWS = 1024 };
struct segment_block {
    uint32_t row, count; // the first row; how many; 0 at the end
    const als_position *positions;
    const als_version *versions;
    const int64_t *timestamps_us, *recorded_us;
    const als_id *ids;
    const uint64_t *hashes;
    const uint32_t *schema_versions;
    const str *payloads, *metadatas;  // metadata is empty where there is none
    const uint32_t *entities, *types; // into the names below
    const str *entity_names, *type_names;
    uint32_t entity_count, type_count;
    uint64_t entity_dictionary, type_dictionary;
};

struct segment_scan; // decodes by itself, past the cache, so a scan does not push others out of it
struct segment_scan *segment_scan_new(void); // NULL: no memory
void segment_scan_free(struct segment_scan *scan);
AUTO_WITH(segment_scan, segment_scan_free)

// Begins with row `row`. `columns` is a set of enum segment_columns.
void segment_scan_begin(struct segment_scan *scan, struct segment *segment, unsigned columns,
                        uint32_t row);
// Skips row groups whose timestamps all lie outside the bounds.
void segment_scan_bound_time(struct segment_scan *scan, int64_t since_us, int64_t until_us);
// The next block; its memory lives until the next call. The checksum of every page is checked; that
// rows are what their hashes say is not (segment_verify, segment_read). Allocates only while it
// meets larger pages than before.
err segment_scan_next(struct segment_scan *scan, struct segment_block *ret_block,
                      struct als_why *why);

// The row with this position, or the first one behind it; segment_facts()->rows when there is none.
err segment_row_of(struct segment *segment, als_position position, uint32_t *ret_row,
                   struct als_why *why);

// Reads every byte of a file: pages, checksums, encodings, order, statistics, hashes. `each` may be
// NULL; it sees every event.
typedef err segment_each(void *context, const struct als_event *event, struct als_why *why);
err segment_verify(struct segment *segment, segment_each *each, void *context, struct als_why *why);
// The same of a file that was just written, by whom `each` compares every row with where it came
// from: the hashes need not be computed once more then, they only have to be those that the writer
// computed, which its digest tells. Blocks have all columns.
typedef err segment_each_block(void *context, const struct segment_block *block,
                               struct als_why *why);
err segment_verify_written(struct segment *segment, uint64_t digest, segment_each_block *each,
                           void *context, struct als_why *why);

// ---- Files of other programs

// Gives every row of a Parquet file that another program wrote with the columns of a segment, by
// name and in any order; docs/formats/segment.md, "Files of others", says what is understood.
// ALS_UNSUPPORTED for what is not, ALS_CORRUPT for damage and for rows that cannot be events. A
// file of ours is read, too, but segment_verify() is what checks all of it.
err segment_import(struct os *os, struct os_dir *dir, str name, segment_each *each, void *context,
                   struct als_why *why);
