// SPDX-License-Identifier: Apache-2.0
// The little of FlatBuffers that an Arrow message needs: scalars, structs, texts, vectors, tables.
//
// Built from the end to the front, as the format wants it: what is pointed to is written before
// what points. A place is its distance from the end. Nothing is written when there is no room;
// flat_done() tells. Format: the FlatBuffers internals document; little-endian.
#pragma once

#include "base/str.h"

enum { FLAT_FIELDS_MAX = 8 };

typedef uint32_t flat_place; // 0: none

struct flat {
    uint8_t *bytes;
    size_t size, used;
    bool full;
};

struct flat_table {
    size_t end; // `used` when it was begun
    flat_place fields[FLAT_FIELDS_MAX];
};

flat_place flat_text(struct flat *flat, str text);
// `items` of `item_size` bytes each.
flat_place flat_structs(struct flat *flat, const void *items, size_t count, size_t item_size);
flat_place flat_places(struct flat *flat, const flat_place *places, size_t count);

struct flat_table flat_table_begin(struct flat *flat);
// Fields in any order, each once; the largest first leaves the fewest gaps.
void flat_field(struct flat *flat, struct flat_table *table, unsigned field, uint64_t value,
                size_t size);
void flat_field_place(struct flat *flat, struct flat_table *table, unsigned field,
                      flat_place place); // nothing when it is 0
flat_place flat_table_end(struct flat *flat, struct flat_table *table);

// The whole, with `root` pointed to from its first bytes; empty when there was no room.
str flat_done(struct flat *flat, flat_place root);
