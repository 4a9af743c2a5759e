// SPDX-License-Identifier: Apache-2.0
// Parquet's own structures, written and read: the footer, headers of pages, page indexes, headers
// of Bloom filters. Names and numbers are those of the format's thrift definition.
//
// Reading gives what the bytes say, with sizes and offsets in range of their types, no more; what
// they may say is the caller's to judge.
#pragma once

#include "segment/codec.h"
#include "segment/thrift.h"

enum parquet_type {
    PARQUET_BOOLEAN,
    PARQUET_INT32,
    PARQUET_INT64,
    PARQUET_INT96,
    PARQUET_FLOAT,
    PARQUET_DOUBLE,
    PARQUET_BYTE_ARRAY,
    PARQUET_FIXED,
};
enum parquet_encoding {
    PARQUET_PLAIN = 0,
    PARQUET_PLAIN_DICTIONARY = 2,
    PARQUET_RLE = 3,
    PARQUET_DELTA = 5,
    PARQUET_DELTA_LENGTH = 6,
    PARQUET_DICTIONARY = 8,
};
enum parquet_page_kind { PARQUET_DATA = 0, PARQUET_DICTIONARY_PAGE = 2, PARQUET_DATA_V2 = 3 };
enum { PARQUET_COLUMNS_MAX = 64 }; // of a file that is read

#define PARQUET_MAGIC "PAR1"
enum { PARQUET_MAGIC_BYTES = 4 };

// ---- Pages

struct parquet_page {
    enum parquet_page_kind kind;
    uint32_t raw_bytes, stored_bytes; // levels included
    uint32_t crc;
    bool has_crc, packed;
    uint32_t values, nulls, rows; // of a page of version 1: rows = values, nulls = 0
    enum parquet_encoding encoding;
    uint32_t definition_bytes; // version 2
};

void parquet_put_page(struct buf *buf, const struct parquet_page *page);
// What is behind the header, or NULL.
const uint8_t *parquet_take_page(const uint8_t *at, const uint8_t *end,
                                 struct parquet_page *ret_page);

// ---- The offset index: where the pages of a column chunk are.

struct parquet_place {
    uint64_t offset;
    uint32_t bytes; // with the header
    uint32_t row;   // the first, in its row group
};

void parquet_put_places(struct buf *buf, const struct parquet_place *places, size_t count);
// Begins to read; `in` then stands before the first of as many places as are returned.
uint32_t parquet_take_places(struct thrift_in *in);
bool parquet_take_place(struct thrift_in *in, struct parquet_place *ret_place);

// ---- The column index: least and greatest values of the pages.

struct parquet_range {
    str least, greatest;
};
void parquet_put_ranges(struct buf *buf, const struct parquet_range *ranges, size_t count);

void parquet_put_bloom(struct buf *buf, uint32_t bytes);

// ---- The footer

struct parquet_chunk {
    str name;
    enum parquet_type type;
    int codec;
    uint64_t values, raw_bytes, stored_bytes;
    uint64_t data_offset, dictionary_offset;                         // 0: no dictionary
    uint64_t bloom_offset, column_index_offset, offset_index_offset; // 0: none
    uint32_t bloom_bytes, column_index_bytes, offset_index_bytes;
    struct parquet_range range; // {NULL}: no statistics
    uint32_t encodings;         // a bit for each parquet_encoding
};

struct parquet_group {
    uint64_t rows, offset, raw_bytes, stored_bytes;
    uint32_t column_count;
    struct parquet_chunk chunks[PARQUET_COLUMNS_MAX];
};

struct parquet_element {
    str name;
    int type;      // -1: a group
    int converted; // -1: none
    uint32_t length, children;
    bool optional;
};

// Where the parts of a footer begin; each is read by its own function.
struct parquet_footer {
    uint64_t rows;
    struct thrift_in schema, groups, pairs;
    uint32_t schema_count, group_count, pair_count;
};

bool parquet_take_footer(const uint8_t *bytes, size_t size, struct parquet_footer *ret_footer);
bool parquet_take_element(struct thrift_in *in, struct parquet_element *ret_element);
bool parquet_take_group(struct thrift_in *in, struct parquet_group *ret_group);
bool parquet_take_pair(struct thrift_in *in, str *ret_key, str *ret_value);

// One row group, as an element of the list; then the footer around all of them.
void parquet_put_group(struct buf *buf, const struct parquet_group *group, size_t ordinal);

struct parquet_pair {
    str key, value;
};
struct parquet_summary {
    uint64_t rows;
    size_t group_count;
    str groups; // as parquet_put_group() wrote them
    const struct parquet_pair *pairs;
    size_t pair_count;
    str created_by;
};
void parquet_put_footer(struct buf *buf, const struct parquet_summary *summary);
