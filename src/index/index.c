// SPDX-License-Identifier: Apache-2.0
// Two tables of lists (entities, types), one table of ids, and the place of every record.
//
// Who sees what: a list is found as soon as its name is added, but counts nothing until an event of
// it is published; an id is found as soon as it is added, but only up to the position that the
// asker may see. So the writer prepares a whole turn before the log has it, and a turn that fails
// leaves only empty lists and ids whose place says otherwise.
#include "index/index.h"

#include "base/hash.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "index/grow.h"
#include "index/list.h"
#include "index/order.h"
#include "index/slots.h"

#include <assert.h>
#include <stdlib.h>

// Blocks are an eighth of what is held: a tenant with few events takes little, and of a long tail
// most lies in pieces that the allocator gives back when they are freed.
enum { ARENA_BLOCK_BYTES = 8 << 10, ARENA_BLOCK_BYTES_MAX = 256 << 10 };

// The lists of one kind of name.
struct names {
    struct slots slots;
    struct grow lists;       // struct index_list by number
    _Atomic uint32_t count;  // lists that exist
    _Atomic uint32_t in_use; // lists with a published event
    struct order order;
};

struct index {
    struct names names[2]; // by enum index_by
    struct slots ids;
    struct grow places; // const uint8_t * by distance from base
    struct arena arena; // names and blocks; the writer's
    _Atomic uint64_t arena_bytes;
    als_position base;
    uint64_t seed;
};

static struct index_list *list_at(const struct names *names, uint32_t number)
{
    return grow_at(&names->lists, number);
}

struct index *index_new(als_position base, uint64_t seed)
{
    struct index *index = aligned_alloc(64, (sizeof *index + 63) & ~(size_t)63);
    if (!index)
        return NULL;
    memset(index, 0, sizeof *index);
    index->base = base;
    index->seed = seed;
    for (int by = 0; by < 2; by++) {
        slots_init(&index->names[by].slots);
        grow_init(&index->names[by].lists, sizeof(struct index_list));
        order_init(&index->names[by].order);
    }
    slots_init(&index->ids);
    grow_init(&index->places, sizeof(const uint8_t *));
    arena_init(&index->arena, ARENA_BLOCK_BYTES, SIZE_MAX);
    return index;
}

void index_free(struct index *index)
{
    if (!index)
        return;
    for (int by = 0; by < 2; by++) {
        order_deinit(&index->names[by].order);
        grow_deinit(&index->names[by].lists);
        slots_deinit(&index->names[by].slots);
    }
    slots_deinit(&index->ids);
    grow_deinit(&index->places);
    arena_deinit(&index->arena);
    free(index);
}

als_position index_base(const struct index *index)
{
    return index->base;
}

uint64_t index_hash_name(const struct index *index, str name)
{
    return hash_bytes(name.ptr, name.len, index->seed);
}

uint64_t index_hash_id(const struct index *index, als_id id)
{
    return hash_bytes(id.bytes, sizeof id.bytes, index->seed);
}

static struct index_list *find_list(struct names *names, str name, uint64_t hash)
{
    struct index_list *found = NULL;
    struct slots_probe probe = slots_enter(&names->slots, hash);
    uint32_t number;
    while (!found && slots_next(&probe, &number)) {
        struct index_list *list = list_at(names, number);
        if (str_equal(index_list_name(list), name))
            found = list;
    }
    slots_leave(&names->slots);
    return found;
}

// Others may ask how much memory is held, but not look into the writer's arena.
static void note_arena(struct index *index)
{
    struct arena *arena = &index->arena;
    atomic_store_explicit(&index->arena_bytes, arena->bytes_held, memory_order_relaxed);
    while (arena->block_bytes * 8 < arena->bytes_held && arena->block_bytes < ARENA_BLOCK_BYTES_MAX)
        arena->block_bytes *= 2;
}

static struct index_list *add_list(struct index *index, struct names *names, str name,
                                   uint64_t hash)
{
    uint32_t number = atomic_load_explicit(&names->count, memory_order_relaxed);
    struct index_list *list = grow_make(&names->lists, number);
    str copy = list ? arena_copy(&index->arena, name) : (str){NULL, 0};
    note_arena(index);
    if (!copy.ptr)
        return NULL;
    assert(name.len <= UINT8_MAX);
    list->name = copy.ptr;
    list->name_len = (uint8_t)copy.len;
    if (!slots_add(&names->slots, hash, number))
        return NULL; // the list is made again at the next try, in the same place
    atomic_store_explicit(&names->count, number + 1, memory_order_release);
    return list;
}

struct index_list *index_list_get(struct index *index, enum index_by by, str name, uint64_t hash)
{
    return find_list(&index->names[by], name, hash);
}

struct index_list *index_list_of(struct index *index, enum index_by by, str name, uint64_t hash)
{
    struct index_list *list = index_list_get(index, by, name, hash);
    return list ? list : add_list(index, &index->names[by], name, hash);
}

void index_prefetch(const struct index *index, uint64_t entity_hash, uint64_t id_hash)
{
    slots_prefetch(&index->names[INDEX_ENTITY].slots, entity_hash);
    slots_prefetch(&index->ids, id_hash);
}

err index_place(struct index *index, als_position position, const uint8_t *record,
                struct als_why *why)
{
    assert(position >= index->base);
    if (position - index->base >= INDEX_EVENTS_MAX)
        return FAIL(why, ALS_INDEX, "the index holds no more than %u events",
                    (unsigned)INDEX_EVENTS_MAX);
    _Atomic(const uint8_t *) *place = grow_make(&index->places, (uint32_t)(position - index->base));
    if (!place)
        return FAIL(why, ALS_NO_MEMORY, "the index cannot grow");
    atomic_store_explicit(place, record, memory_order_release);
    return ALS_OK;
}

const uint8_t *index_record(const struct index *index, als_position position)
{
    assert(position >= index->base);
    _Atomic(const uint8_t *) *place = grow_at(&index->places, (uint32_t)(position - index->base));
    return atomic_load_explicit(place, memory_order_acquire);
}

err index_add_id(struct index *index, uint64_t id_hash, als_position position, struct als_why *why)
{
    if (!slots_add(&index->ids, id_hash, (uint32_t)(position - index->base)))
        return FAIL(why, ALS_NO_MEMORY, "the index of ids cannot grow");
    return ALS_OK;
}

als_position index_find_id(struct index *index, uint64_t hash, als_position up_to,
                           index_same_id *same, const void *id)
{
    als_position found = 0;
    struct slots_probe probe = slots_enter(&index->ids, hash);
    uint32_t distance;
    while (!found && slots_next(&probe, &distance)) {
        als_position position = index->base + distance;
        if (position <= up_to && same(index_record(index, position), id))
            found = position;
    }
    slots_leave(&index->ids);
    return found;
}

err index_reserve(struct index *index, struct index_list *list, struct als_why *why)
{
    bool reserved = list_reserve(list, &index->arena);
    note_arena(index);
    if (!reserved)
        return FAIL(why, ALS_NO_MEMORY, "the index of '%.*s' cannot grow",
                    STR(index_list_name(list)));
    return ALS_OK;
}

void index_publish(struct index *index, enum index_by by, struct index_list *list,
                   als_position position)
{
    struct names *names = &index->names[by];
    if (atomic_load_explicit(&list->count, memory_order_relaxed) == 0)
        atomic_fetch_add_explicit(&names->in_use, 1, memory_order_relaxed);
    list_publish(list, (uint32_t)(position - index->base));
}

const struct index_list *index_find(struct index *index, enum index_by by, str name)
{
    const struct index_list *list =
        find_list(&index->names[by], name, index_hash_name(index, name));
    return list && index_list_count(list) ? list : NULL;
}

uint64_t index_names(const struct index *index, enum index_by by)
{
    return atomic_load_explicit(&index->names[by].in_use, memory_order_relaxed);
}

err index_page(struct index *index, enum index_by by, struct index_page page,
               const struct index_list **ret_lists, size_t *ret_found, struct als_why *why)
{
    struct names *names = &index->names[by];
    uint32_t count = atomic_load_explicit(&names->count, memory_order_acquire);
    if (!order_page(&names->order, &names->lists, count, page, ret_lists, ret_found))
        return FAIL(why, ALS_NO_MEMORY, "%u names cannot be put in order", count);
    return ALS_OK;
}

uint64_t index_bytes(const struct index *index)
{
    uint64_t bytes = sizeof *index + index->ids.bytes + index->places.bytes;
    for (int by = 0; by < 2; by++)
        bytes += index->names[by].slots.bytes + index->names[by].lists.bytes;
    return bytes + index->arena_bytes;
}
