// SPDX-License-Identifier: Apache-2.0
// What the builder has gathered, for the one who writes it.
#pragma once

#include "base/arena.h"
#include "index/file_format.h"
#include "index/grow.h"
#include "index/slots.h"

struct built_row {
    uint64_t id_hash;
    uint32_t names[FILE_KINDS]; // numbers in the order of their first rows
};

struct built_name {
    const char *text;
    uint32_t count; // rows
    uint8_t len;
    als_version first_version, last_version;
    als_position last;
};

struct built_names {
    struct slots slots; // number by hash of the name; emptied when the file is written
    struct grow names;  // struct built_name
    uint32_t count;
    uint32_t newest; // of the last row
    uint64_t text_bytes;
    // Of the dictionary that rows were last added by: number of the name and 1, 0: not met.
    uint64_t dictionary;
    uint32_t *numbers;
    uint32_t numbers_room;
};

struct index_builder {
    struct built_names kinds[FILE_KINDS];
    struct grow rows;   // struct built_row
    struct arena texts; // of names
    uint32_t row_count;
    uint8_t identity[16]; // of the segment
    uint64_t seed;        // of all hashes, in the file and before; follows from the identity
};

static inline struct built_row *built_row(const struct index_builder *builder, uint32_t row)
{
    return grow_at(&builder->rows, row);
}

static inline struct built_name *built_name(const struct index_builder *builder, unsigned kind,
                                            uint32_t number)
{
    return grow_at(&builder->kinds[kind].names, number);
}
