// SPDX-License-Identifier: Apache-2.0
// The schema of a segment and the numbers of its make; docs/formats/segment.md is the page.
#pragma once

#include "base/limits.h"
#include "base/str.h"

// What a column's values are, and so how its pages are made and read.
enum column_kind {
    KIND_INTEGER, // 64 bits, DELTA_BINARY_PACKED
    KIND_NARROW,  // 32 bits, the same
    KIND_NAME,    // RLE_DICTIONARY, or DELTA_LENGTH_BYTE_ARRAY where that does not pay
    KIND_ID,      // 16 bytes, PLAIN
    KIND_HASH,    // 64 bits, PLAIN
    KIND_TEXT,    // DELTA_LENGTH_BYTE_ARRAY
};

enum column_meaning {
    MEANS_UINT64,
    MEANS_UINT32,
    MEANS_UTF8,
    MEANS_UUID,
    MEANS_MICROS,
    MEANS_JSON
};

// In this order in the file, and by these numbers in segment_columns.
enum {
    COLUMN_POSITION,
    COLUMN_ENTITY,
    COLUMN_VERSION,
    COLUMN_TYPE,
    COLUMN_ID,
    COLUMN_TIMESTAMP,
    COLUMN_RECORDED,
    COLUMN_PAYLOAD,
    COLUMN_METADATA,
    COLUMN_SCHEMA_VERSION,
    COLUMN_HASH,
    COLUMNS
};

struct column {
    str name;
    enum column_kind kind;
    enum column_meaning meaning;
    bool optional; // metadata only
    bool ranged;   // has statistics and a column index
    bool bloom;
};
extern const struct column columns[COLUMNS];

enum {
    FORMAT_VERSION = 1,
    GROUP_ROWS = 20480, // rows of a full row group
    PAGE_ROWS = 2048,   // rows of a page, at most
    GROUPS_MAX = 1 << 20,
    GROUP_PAGES_MAX = 1 << 16, // pages of one column in a row group
    READ_SLACK = 32,           // bytes behind what is decoded that may be read (and are ignored)
    FOOTER_TAIL = 8,           // its length, and the magic
    FILE_BYTES_MIN = 4 + READ_SLACK + FOOTER_TAIL,
};

#define TEXT_PAGE_BYTES KIB(8)   // a page of texts is closed when it has as many
#define PLAIN_PAGE_BYTES KIB(16) // of ids and hashes
#define NAME_PAGE_BYTES KIB(8)   // the same for names that are not in a dictionary
#define DICTIONARY_BYTES KIB(64) // names beyond this do not pay: every first read would unpack them
#define GROUP_TEXT_BYTES MIB(8)  // a row group is closed when it has as many bytes of texts
#define FETCH_BYTES_MAX KIB(64)  // what is larger is read where it is mapped
#define PAGE_BYTES_MAX MIB(96)   // one page; an event may have a payload of 64 MiB
#define FOOTER_BYTES_MAX MIB(256)

static_assert(REQUEST_BYTES_MAX + GROUP_TEXT_BYTES <= PAGE_BYTES_MAX, "one event fits into a page");

int column_type(const struct column *column); // enum parquet_type

// Counts a row into the facts: positions, times, new entities, raw bytes.
struct segment_facts;
void facts_count(struct segment_facts *facts, const struct als_event *event);

// <0, 0, >0: two values as they lie in statistics, in the order of their column.
int value_compare(const struct column *column, str a, str b);

// The hash of a row, over all of it but the tenant; docs/formats/segment.md, "Hash".
uint64_t row_hash(const struct als_event *event);

// Continues a digest (0 to begin) of hashes: other hashes, or in another order, give another one.
uint64_t hashes_digest(uint64_t digest, const uint64_t *hashes, size_t count);

// The least and the greatest of a column's integers, at least one, in the order of the column.
struct number_range {
    uint64_t least, greatest;
};
struct number_range number_range_of(const uint64_t *values, size_t count,
                                    const struct column *column);

// Keys of the footer's key-value metadata.
#define KEY_FORMAT S("allsource.format")
#define KEY_TENANT S("allsource.tenant")
#define KEY_GENERATION S("allsource.generation")
#define KEY_IDENTITY S("allsource.identity")
#define KEY_POSITIONS S("allsource.positions")
#define KEY_TIMES S("allsource.times")
#define KEY_RECORDED S("allsource.recorded")
#define KEY_NEW_ENTITIES S("allsource.new_entities")
#define KEY_RAW_BYTES S("allsource.raw_bytes")
#define KEY_CHECKS S("allsource.checks")
#define KEY_SEAL S("allsource.seal")
enum { SEAL_DIGITS = 16, CHECK_DIGITS = 32, IDENTITY_DIGITS = 32 };

// XXH3-64 of the footer and its tail, as if the seal's own digits were zeros.
uint64_t footer_seal(const uint8_t *footer, size_t size, size_t seal_at);
