// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <stdlib.h>

enum { ALIGNMENT = 16 };

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

void arena_init(struct arena *arena, size_t block_bytes, size_t bytes_max)
{
    *arena = (struct arena){.block_bytes = block_bytes, .bytes_max = bytes_max};
}

void arena_deinit(struct arena *arena)
{
    if (!arena)
        return;
    for (struct arena_block *block = arena->first; block;) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    arena_init(arena, arena->block_bytes, arena->bytes_max);
}

void arena_reset(struct arena *arena)
{
    struct arena_block *first = arena->first;
    if (!first)
        return;
    for (struct arena_block *block = first->next; block;) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    first->next = NULL;
    first->used = 0;
    arena->last = first;
    arena->bytes_held = first->size;
}

static struct arena_block *add_block(struct arena *arena, size_t size)
{
    size_t wanted = size > arena->block_bytes ? size : arena->block_bytes;
    if (wanted > arena->bytes_max - arena->bytes_held)
        wanted = size; // the last block before the cap may be a small one
    if (wanted > arena->bytes_max - arena->bytes_held)
        return NULL;
    struct arena_block *block = malloc(sizeof *block + wanted);
    if (!block)
        return NULL;
    *block = (struct arena_block){.size = wanted};
    if (arena->last)
        arena->last->next = block;
    else
        arena->first = block;
    arena->last = block;
    arena->bytes_held += wanted;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > arena->bytes_max)
        return NULL;
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct arena_block *block = arena->last;
    if (!block || block->size - block->used < size)
        block = add_block(arena, size);
    if (!block)
        return NULL;
    void *piece = block->bytes + block->used;
    block->used += size;
    return piece;
}

void *arena_alloc_array(struct arena *arena, size_t size, size_t count)
{
    size_t bytes;
    return __builtin_mul_overflow(size, count, &bytes) ? NULL : arena_alloc(arena, bytes);
}

str arena_copy(struct arena *arena, str text)
{
    char *copy = arena_alloc(arena, text.len + 1);
    if (!copy)
        return (str){NULL, 0};
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return (str){copy, text.len};
}
