// SPDX-License-Identifier: Apache-2.0
// Big chunks come from calloc(), which maps them: what was never touched costs no memory.
#include "index/grow.h"

#include <stdlib.h>

void grow_init(struct grow *grow, size_t element_bytes)
{
    *grow = (struct grow){.element_bytes = element_bytes};
}

void grow_deinit(struct grow *grow)
{
    for (int chunk = 0; chunk < GROW_CHUNKS; chunk++)
        free(atomic_load_explicit(&grow->chunks[chunk], memory_order_relaxed));
}

void *grow_make(struct grow *grow, uint32_t index)
{
    uint64_t place = (uint64_t)index + (1u << GROW_FIRST_BITS);
    unsigned chunk = 63u - (unsigned)__builtin_clzll(place) - GROW_FIRST_BITS;
    if (chunk >= GROW_CHUNKS)
        return NULL;
    if (!atomic_load_explicit(&grow->chunks[chunk], memory_order_relaxed)) {
        size_t count = (size_t)1 << (chunk + GROW_FIRST_BITS);
        void *elements = calloc(count, grow->element_bytes);
        if (!elements)
            return NULL;
        grow->bytes += count * grow->element_bytes;
        atomic_store_explicit(&grow->chunks[chunk], elements, memory_order_release);
    }
    return grow_at(grow, index);
}
