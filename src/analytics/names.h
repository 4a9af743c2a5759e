// SPDX-License-Identifier: Apache-2.0
// Names, numbered from 0 in the order in which they were met: a hash table with copies of them.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

struct name {
    const char *ptr;
    uint64_t hash;
    uint32_t len;
};

struct names {
    struct arena arena;
    struct name *items;
    uint32_t count, room;
    uint32_t *slots; // number + 1; 0: free. Twice as many as there is room for, a power of two
    uint64_t seed;
    uint64_t bytes, bytes_max; // of the copies
};

void names_init(struct names *names, uint64_t seed, uint64_t bytes_max);
void names_deinit(struct names *names);

static inline str names_at(const struct names *names, uint32_t number)
{
    return (str){names->items[number].ptr, names->items[number].len};
}

uint64_t names_hash(const struct names *names, str name);
// `hash` is names_hash() in both.
bool names_find(const struct names *names, str name, uint64_t hash, uint32_t *ret_number);
// The number of a name, given one if it is new. ALS_TOO_LARGE when the copies would take more than
// bytes_max.
err names_number(struct names *names, str name, uint64_t hash, uint32_t *ret_number,
                 struct als_why *why);
// Whether a name of the greatest length fits.
bool names_have_room(const struct names *names);

// For each number of `source` that of the same name in `target`, which gets it if it has it not.
// The array is the caller's, by malloc().
err names_map(struct names *target, const struct names *source, uint32_t **ret_numbers,
              struct als_why *why);
// By number: the place of each name in bytewise order. The array is the caller's.
err names_rank(const struct names *names, uint32_t **ret_ranks, struct als_why *why);
