// SPDX-License-Identifier: Apache-2.0
// Makes the pages of one column in one row group.
#pragma once

#include "segment/intern.h"
#include "segment/parquet.h"

enum { CHUNK_RANGES_MAX = 512 }; // pages of a column that has statistics

struct chunk {
    struct buf out;    // pages
    struct buf places; // struct parquet_place, with offsets from the chunk's start
    uint32_t rows;     // in the pages so far
    uint64_t raw_bytes;
    uint32_t dictionary_bytes; // of the dictionary page, which comes first
    uint32_t encodings;
    size_t range_count;
    struct parquet_range ranges[CHUNK_RANGES_MAX];
    uint8_t range_bytes[CHUNK_RANGES_MAX][2][8]; // of numbers
};

// What the chunks of a writer share: room to encode and compress in.
struct chunk_room {
    struct packer_zstd *packer;
    struct buf raw, packed, names;
};

void chunk_init(struct chunk *chunk);
void chunk_deinit(struct chunk *chunk);
void chunk_reset(struct chunk *chunk);
bool chunk_failed(const struct chunk *chunk); // no memory

// All rows of a row group at once.
void chunk_put_integers(struct chunk *chunk, struct chunk_room *room, const uint64_t *values,
                        uint32_t count, const struct column *column);
void chunk_put_plain(struct chunk *chunk, struct chunk_room *room, str bytes, uint32_t width);
void chunk_put_names(struct chunk *chunk, struct chunk_room *room, const struct intern *names);

// One page of texts, which are gathered behind a gap: chunk_begin_texts() makes it, buf_put_str()
// adds a text. `present` has a number for each row, 0 where there is no text; NULL: all have.
struct chunk_texts {
    const uint64_t *lens; // of those that are there
    uint32_t count, rows;
    struct buf *bytes;
    const uint32_t *present;
};
void chunk_begin_texts(struct buf *texts);
size_t chunk_texts_bytes(const struct buf *texts); // so far
void chunk_put_texts(struct chunk *chunk, struct chunk_room *room, const struct chunk_texts *texts);
