// SPDX-License-Identifier: Apache-2.0
// Memory that dies together: a request, a query, a fold has one arena.
//
// A chain of blocks with a cap on their sum. arena_reset() keeps the first block, so a pooled arena
// allocates nothing in ordinary work. One thread at a time.
#pragma once

#include "base/own.h"
#include "base/str.h"

struct arena {
    struct arena_block *first, *last;
    size_t bytes_held; // sum of all blocks
    size_t bytes_max;
    size_t block_bytes;
};

void arena_init(struct arena *arena, size_t block_bytes, size_t bytes_max);
void arena_deinit(struct arena *arena);
void arena_reset(struct arena *arena);

// Aligned to 16 bytes, not zeroed. NULL when the cap is reached or memory is out.
void *arena_alloc(struct arena *arena, size_t size);
// A copy of the bytes with a NUL behind it; {NULL, 0} when there is no room.
str arena_copy(struct arena *arena, str text);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_alloc_array((arena), sizeof(type), (count)))

void *arena_alloc_array(struct arena *arena, size_t size, size_t count); // NULL on overflow, too
