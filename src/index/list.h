// SPDX-License-Identifier: Apache-2.0
// A list of positions that only grows: blocks that double, filled by the writer, read up to
// `count`.
#pragma once

#include "base/arena.h"
#include "index/index.h"

#include <stdatomic.h>

enum { BLOCK_FIRST = 4, BLOCK_MOST = 1 << 20 };

struct index_block {
    struct index_block *next, *previous;
    uint32_t start, room; // the index of its first entry in the list; how many entries fit
    uint32_t entries[];   // distances of positions from the index's base
};

struct index_list {
    const char *name;
    struct index_block *first, *last; // `last` is the writer's
    struct index_block *filling;      // the writer's: where the next entry goes
    _Atomic uint32_t count;           // published
    _Atomic uint32_t newest;          // the entry count - 1, or a later one
    uint32_t reserved;                // the writer's: entries of this turn
    uint32_t room;                    // the writer's: of all blocks
    uint32_t stamp;                   // the writer's
    bool has_before;                  // the writer's
    uint8_t name_len;
    uint64_t before; // events of the name that lie before this index
};

bool list_reserve(struct index_list *list, struct arena *arena); // false: no memory
void list_publish(struct index_list *list, uint32_t entry);
