// SPDX-License-Identifier: Apache-2.0
// What the reading side shares: an open segment, its row groups, pages as they lie in the file and
// pages decoded.
#pragma once

#include "base/buf.h"
#include "segment/bits.h"
#include "segment/codec.h"
#include "segment/format.h"
#include "segment/parquet.h"
#include "segment/segment.h"

struct segment_chunk {
    uint64_t offset, bytes; // the dictionary page first, if there is one
    uint32_t dictionary_bytes;
    uint32_t index_bytes; // of its offset index
    uint64_t index_offset;
};

struct segment_group {
    uint64_t offset, end; // of its bytes in the file; the next one follows
    uint64_t check, index_check;
    uint32_t first_row, rows;
    als_position first, last;
    int64_t least_us, greatest_us;
    uint32_t least_schema, greatest_schema; // versions
    struct segment_chunk chunks[COLUMNS];
};

struct segment {
    struct os *os;
    struct segment_cache *cache;
    uint64_t number; // of its pages in the cache
    const uint8_t *bytes;
    struct os_file *file; // for single pages; NULL: they are read where they are mapped
    uint64_t size, footer_at;
    struct segment_facts facts;
    uint32_t group_count;
    struct segment_group *groups;
    struct segment *next, *prior; // all that share the cache; guarded by its lock
    _Atomic bool resident;        // pages were read from its file since it last forgot them
};

// The row group that has the row.
uint32_t segment_group_of(const struct segment *segment, uint32_t row);

// ---- Where the pages of a row group are; one block of memory.

struct directory {
    uint32_t starts[COLUMNS + 1]; // where the places of a column begin
    struct parquet_place places[];
};

// The bytes that directory_read() will write, from the lengths of the indexes alone.
size_t directory_size_max(const struct segment_group *group);
struct directory_place {
    uint64_t offset, bytes; // in the file
};
struct directory_place directory_place(const struct segment_group *group);
// Checks the bytes of that place against their checksum and each other.
err directory_read(const struct segment *segment, uint32_t group, const uint8_t *at,
                   struct directory *ret_directory, struct als_why *why);
// The page of the column that has the row, counted from the start of the row group.
uint32_t page_directory_find(const struct directory *directory, size_t column, uint32_t row);
// The row behind the last of a page.
uint32_t directory_end(const struct directory *directory, size_t column, uint32_t page,
                       uint32_t group_rows);

// ---- Pages

enum { PAGE_DICTIONARY = UINT32_MAX - 1, PAGE_DIRECTORY = UINT32_MAX }; // beside pages 0, 1, ...

// A page decoded. What is not of its kind is NULL.
struct page {
    uint32_t rows;
    const uint64_t *integers;
    const uint32_t *numbers; // into a dictionary; or the values, of a narrow column
    const als_id *ids;
    const uint32_t *starts; // of texts in `bytes`, one more than there are
    const char *bytes;
    uint32_t gap; // bytes between texts
};

static inline str page_text(const struct page *page, uint32_t i)
{
    uint32_t start = page->starts[i];
    return (str){page->bytes + start, page->starts[i + 1] - start - page->gap};
}

// A page found sound, but not decoded yet.
struct page_source {
    const struct column *column;
    struct parquet_page head;
    const uint8_t *body; // with its levels
    size_t memory;       // that decoding it takes
};

// Where a page lies in the file, and what it must be.
struct page_place {
    const struct column *column;
    uint64_t offset;
    uint32_t bytes; // with the header
    uint32_t rows;  // a dictionary has at most so many names
    bool has_dictionary, is_dictionary;
};

// Room for decoding; one thread's.
struct decoder {
    const struct bits_way *way;
    struct unpacker *unpacker;
    struct buf stored; // bytes of the file, with slack behind
    struct buf raw;    // a page unpacked, with slack behind
    struct buf wide;   // 64-bit values
    struct buf levels; // 32-bit numbers
};

bool decoder_init(struct decoder *decoder); // false: no memory
void decoder_deinit(struct decoder *decoder);

// These bytes of the file are about to be read, which the file as a whole is not.
void expect_bytes(const struct segment *segment, uint64_t offset, uint64_t bytes);
// Page `page` of the column, or its dictionary, for which no directory is needed.
struct page_place page_place(const struct segment *segment, uint32_t group, size_t column,
                             const struct directory *directory, uint32_t page);
// Checks header and checksum of what lies there. READ_SLACK bytes behind it may be read.
err page_find(const struct page_place *place, const uint8_t *at, struct page_source *ret_source,
              struct als_why *why);
// Decodes it into `memory`, which has source->memory bytes and is aligned to 64.
err page_decode(struct decoder *decoder, const struct page_source *source, void *memory,
                struct page *ret_page, struct als_why *why);

static inline bool chunk_has_dictionary(const struct segment_chunk *chunk)
{
    return chunk->dictionary_bytes > 0;
}
