// SPDX-License-Identifier: Apache-2.0
// Publishing: the entry and its block are written, then `count` is stored with release. A reader
// loads `count` with acquire and touches only blocks and links that lie before it.
#include "index/list.h"

#include <assert.h>

bool list_reserve(struct index_list *list, struct arena *arena)
{
    uint32_t count = atomic_load_explicit(&list->count, memory_order_relaxed);
    if (count + list->reserved == list->room) {
        uint32_t room = list->last ? list->last->room * 2 : BLOCK_FIRST;
        room = room > BLOCK_MOST ? BLOCK_MOST : room;
        struct index_block *block =
            arena_alloc(arena, sizeof *block + (size_t)room * sizeof block->entries[0]);
        if (!block)
            return false;
        *block = (struct index_block){.previous = list->last, .start = list->room, .room = room};
        if (list->last)
            list->last->next = block;
        else
            list->first = list->filling = block;
        list->last = block;
        list->room += room;
    }
    list->reserved++;
    return true;
}

void list_publish(struct index_list *list, uint32_t entry)
{
    uint32_t count = atomic_load_explicit(&list->count, memory_order_relaxed);
    assert(list->reserved > 0);
    if (count == list->filling->start + list->filling->room)
        list->filling = list->filling->next;
    list->filling->entries[count - list->filling->start] = entry;
    atomic_store_explicit(&list->newest, entry, memory_order_relaxed);
    atomic_store_explicit(&list->count, count + 1, memory_order_release);
    list->reserved--;
}

str index_list_name(const struct index_list *list)
{
    return (str){list->name, list->name_len};
}

uint64_t index_list_count(const struct index_list *list)
{
    return atomic_load_explicit(&list->count, memory_order_acquire);
}

uint64_t index_pending(const struct index_list *list)
{
    return (uint64_t)atomic_load_explicit(&list->count, memory_order_relaxed) + list->reserved;
}

void index_unreserve(struct index_list *list)
{
    assert(list->reserved > 0);
    list->reserved--;
}

bool index_stamp(struct index_list *list, uint32_t stamp)
{
    bool first = list->stamp != stamp;
    list->stamp = stamp;
    return first;
}

void index_set_before(struct index_list *list, uint64_t before)
{
    assert(!list->has_before && index_pending(list) == 0);
    list->before = before;
    list->has_before = true;
}

bool index_has_before(const struct index_list *list)
{
    return list->has_before;
}

uint64_t index_before(const struct index_list *list)
{
    return list->before;
}

// The block that holds the entry; it is published.
static const struct index_block *block_of(const struct index_list *list, uint64_t at)
{
    const struct index_block *block = list->first;
    while (at >= (uint64_t)block->start + block->room)
        block = block->next;
    return block;
}

// How many of the first `count` entries are at most `most`.
static uint64_t count_at_most(const struct index_list *list, uint64_t count, uint32_t most)
{
    const struct index_block *block = list->first;
    uint64_t end = block->start + block->room;
    while (end < count && block->entries[block->room - 1] <= most) {
        block = block->next;
        end = (uint64_t)block->start + block->room;
    }
    uint64_t low = 0, high = (end < count ? end : count) - block->start;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (block->entries[middle] <= most)
            low = middle + 1;
        else
            high = middle;
    }
    return block->start + low;
}

uint64_t index_list_count_to(const struct index_list *list, als_position base, als_position up_to)
{
    uint64_t count = index_list_count(list);
    if (count == 0 || up_to < base)
        return 0;
    uint64_t most = up_to - base;
    if (most >= atomic_load_explicit(&list->newest, memory_order_relaxed))
        return count;
    return count_at_most(list, count, (uint32_t)most);
}

struct index_walk index_walk_from(const struct index_list *list, als_position base, uint64_t at)
{
    uint64_t count = index_list_count(list);
    at = at > count ? count : at;
    return (struct index_walk){
        .list = list,
        .block = count ? block_of(list, at == count ? at - 1 : at) : NULL,
        .base = base,
        .at = at,
        .count = count,
    };
}

als_position index_walk_next(struct index_walk *walk)
{
    if (walk->at >= walk->count)
        return 0;
    if (walk->at >= (uint64_t)walk->block->start + walk->block->room)
        walk->block = walk->block->next;
    return walk->base + walk->block->entries[walk->at++ - walk->block->start];
}

als_position index_walk_previous(struct index_walk *walk)
{
    if (walk->at == 0)
        return 0;
    walk->at--;
    if (walk->at < walk->block->start)
        walk->block = walk->block->previous;
    return walk->base + walk->block->entries[walk->at - walk->block->start];
}
