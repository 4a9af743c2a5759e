// SPDX-License-Identifier: Apache-2.0
// An array that grows and never moves: chunk k holds FIRST << k elements. So readers keep pointers
// into it while the writer appends, and nothing is copied. One writer, many readers.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GROW_FIRST_BITS = 5, GROW_CHUNKS = 32 - GROW_FIRST_BITS };

struct grow {
    size_t element_bytes;
    _Atomic(void *) chunks[GROW_CHUNKS];
    _Atomic uint64_t bytes; // held; the writer adds, anyone may read
};

void grow_init(struct grow *grow, size_t element_bytes);
void grow_deinit(struct grow *grow);

// The element, zeroed when it is new; NULL: no memory. Writer only.
void *grow_make(struct grow *grow, uint32_t index);

// Where the element is, which was made and published to this thread.
static inline void *grow_at(const struct grow *grow, uint32_t index)
{
    uint64_t place = (uint64_t)index + (1u << GROW_FIRST_BITS);
    unsigned chunk = 63u - (unsigned)__builtin_clzll(place) - GROW_FIRST_BITS;
    char *elements = atomic_load_explicit(&grow->chunks[chunk], memory_order_acquire);
    return elements + (place - (1ull << (chunk + GROW_FIRST_BITS))) * grow->element_bytes;
}
