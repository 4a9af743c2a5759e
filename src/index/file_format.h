// SPDX-License-Identifier: Apache-2.0
// The bytes of an index file: docs/formats/index.md is the table; this is its code, for the builder
// and the reader.
#pragma once

#include "index/index.h"

enum {
    FILE_FORMAT = 1,
    FILE_HEADER_BYTES = 256,
    FILE_BLOCK_BYTES = 4096, // what one checksum covers
    FILE_CHECK_BYTES = 8,
    FILE_FILTER_BYTES = 32, // one block of a filter
    FILE_CELL_BYTES = 8,
    FILE_NAME_BYTES = 40,
    FILE_ROW_BYTES = 4,
    FILE_ALIGN = 64, // of sections: a cache line
};

// What is looked up; the first two are enum index_by.
enum file_key { KEY_ENTITY = INDEX_ENTITY, KEY_TYPE = INDEX_TYPE, KEY_ID, FILE_KEYS };
enum { FILE_KINDS = KEY_ID }; // of names

enum file_section { // in this order; one for each key or kind
    SECTION_FILTERS = 0,
    SECTION_CELLS = SECTION_FILTERS + FILE_KEYS,
    SECTION_NAMES = SECTION_CELLS + FILE_KEYS,
    SECTION_TEXTS = SECTION_NAMES + FILE_KINDS,
    SECTION_ROWS = SECTION_TEXTS + FILE_KINDS,
    SECTION_CHECKS = SECTION_ROWS + FILE_KINDS,
    FILE_SECTIONS,
};

struct file_header {
    uint8_t identity[16]; // of the segment
    uint64_t rows;
    uint64_t names[FILE_KINDS];
    uint64_t text_bytes[FILE_KINDS]; // of all names
    uint64_t filter_blocks[FILE_KEYS];
    uint64_t cells[FILE_KEYS];
};

// Where things lie, which the counts of the header say.
struct file_layout {
    uint64_t at[FILE_SECTIONS], bytes[FILE_SECTIONS];
    uint64_t blocks; // that have checksums: all but the section of these
    uint64_t end;    // of the file
};

// Fills in the sizes of filters and tables for what the counts say.
void file_header_size(struct file_header *header);
void file_layout_of(const struct file_header *header, struct file_layout *ret_layout);

void file_header_encode(const struct file_header *header, uint8_t bytes[static FILE_HEADER_BYTES]);
// ALS_CORRUPT, ALS_FORMAT_TOO_NEW. What it gives is sane: layouts do not overflow, and every table
// has a free cell.
err file_header_decode(const uint8_t bytes[static FILE_HEADER_BYTES],
                       struct file_header *ret_header, struct als_why *why);

// All hashes of a file begin with this. The identity is random and no client knows it, so nobody
// can aim at collisions.
uint64_t file_seed(const uint8_t identity[static 16]);
uint64_t file_hash(uint64_t seed, enum file_key key, const void *bytes, size_t size);
// Tells a block from any other one of this file and from the same one of another file.
uint64_t file_check(uint64_t seed, uint64_t block, const uint8_t *bytes, size_t size);

// ---- Cells: open addressing with linear probing; fingerprint and value + 1, 0 is free.

static inline uint32_t file_fingerprint(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}
static inline uint64_t file_home(uint32_t fingerprint, uint64_t cells)
{
    return (fingerprint * cells) >> 32;
}

// ---- Filters: a key sets one bit in each of the eight words of one block (Putze, Sanders,
// Singler: Cache-, Hash- and Space-Efficient Bloom Filters, 2007).

static inline uint64_t file_filter_block(uint64_t hash, uint64_t blocks)
{
    return ((hash & UINT32_MAX) * blocks) >> 32;
}
// The bit of a key in word `word`.
static inline uint32_t file_filter_bit(uint64_t hash, unsigned word)
{
    static const uint32_t odd[8] = {0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f,
                                    0x165667b1, 0xd3a2646d, 0xfd7046c5, 0xb55a4f09};
    return (uint32_t)1 << ((file_fingerprint(hash) * odd[word]) >> 27);
}
