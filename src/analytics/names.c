// SPDX-License-Identifier: Apache-2.0
#include "analytics/names.h"

#include "base/hash.h"
#include "base/limits.h"

#include <assert.h>
#include <stdlib.h>

enum { BLOCK_BYTES = 64 << 10, ROOM_FIRST = 64, ALIGNMENT = 16 };

static uint64_t copy_bytes(size_t len) // with the NUL and the arena's alignment
{
    return (len + ALIGNMENT) & ~(uint64_t)(ALIGNMENT - 1);
}

void names_init(struct names *names, uint64_t seed, uint64_t bytes_max)
{
    *names = (struct names){.seed = seed, .bytes_max = bytes_max};
    // What a block leaves unused at its end is small beside it.
    arena_init(&names->arena, BLOCK_BYTES, bytes_max + bytes_max / 64 + BLOCK_BYTES);
}

void names_deinit(struct names *names)
{
    arena_deinit(&names->arena);
    free(names->items);
    free(names->slots);
    names->items = NULL;
    names->slots = NULL;
    names->count = names->room = 0;
}

uint64_t names_hash(const struct names *names, str name)
{
    return hash_bytes(name.ptr, name.len, names->seed);
}

bool names_have_room(const struct names *names)
{
    return names->bytes + copy_bytes(ENTITY_BYTES_MAX) <= names->bytes_max;
}

static void put(struct names *names, uint32_t number)
{
    uint32_t mask = names->room * 2 - 1;
    uint32_t slot = (uint32_t)names->items[number].hash & mask;
    while (names->slots[slot])
        slot = (slot + 1) & mask;
    names->slots[slot] = number + 1;
}

static err grow(struct names *names, struct als_why *why)
{
    uint32_t room = names->room ? names->room * 2 : ROOM_FIRST;
    struct name *items = realloc(names->items, room * sizeof *items);
    if (items)
        names->items = items;
    uint32_t *slots = items ? calloc((size_t)room * 2, sizeof *slots) : NULL;
    if (!slots)
        return FAIL(why, ALS_NO_MEMORY, "no memory for %u names", room);
    free(names->slots);
    names->slots = slots;
    names->room = room;
    for (uint32_t i = 0; i < names->count; i++)
        put(names, i);
    return ALS_OK;
}

static err add(struct names *names, str name, uint64_t hash, struct als_why *why)
{
    if (names->bytes + copy_bytes(name.len) > names->bytes_max)
        return FAIL(why, ALS_TOO_LARGE,
                    "the names take more than %llu bytes (ANALYSIS_NAMES_BYTES_MAX): ask for "
                    "less time",
                    (unsigned long long)names->bytes_max);
    if (names->count == names->room)
        TRY(grow(names, why));
    str copy = arena_copy(&names->arena, name);
    if (!copy.ptr)
        return FAIL(why, ALS_NO_MEMORY, "no memory for a name");
    names->bytes += copy_bytes(name.len);
    names->items[names->count] =
        (struct name){.ptr = copy.ptr, .hash = hash, .len = (uint32_t)name.len};
    put(names, names->count++);
    return ALS_OK;
}

bool names_find(const struct names *names, str name, uint64_t hash, uint32_t *ret_number)
{
    uint32_t mask = names->room * 2 - 1;
    uint32_t slot = (uint32_t)hash & mask;
    for (; names->room && names->slots[slot]; slot = (slot + 1) & mask) {
        uint32_t number = names->slots[slot] - 1;
        const struct name *item = &names->items[number];
        if (item->hash == hash && str_equal((str){item->ptr, item->len}, name)) {
            *ret_number = number;
            return true;
        }
    }
    return false;
}

err names_number(struct names *names, str name, uint64_t hash, uint32_t *ret_number,
                 struct als_why *why)
{
    if (names_find(names, name, hash, ret_number))
        return ALS_OK;
    TRY(add(names, name, hash, why));
    *ret_number = names->count - 1;
    return ALS_OK;
}

static err array_of(const struct names *names, uint32_t **ret_array, struct als_why *why)
{
    *ret_array = malloc((names->count + 1) * sizeof **ret_array);
    return *ret_array ? ALS_OK : FAIL(why, ALS_NO_MEMORY, "no memory for %u names", names->count);
}

err names_map(struct names *target, const struct names *source, uint32_t **ret_numbers,
              struct als_why *why)
{
    assert(target->seed == source->seed);
    uint32_t *numbers;
    TRY(array_of(source, &numbers, why));
    err code = ALS_OK;
    for (uint32_t i = 0; i < source->count && code == ALS_OK; i++)
        code = names_number(target, names_at(source, i), source->items[i].hash, &numbers[i], why);
    if (code == ALS_OK)
        *ret_numbers = numbers;
    else
        free(numbers);
    return code;
}

static int by_name(const void *a, const void *b, void *context)
{
    const struct names *names = context;
    return str_compare(names_at(names, *(const uint32_t *)a),
                       names_at(names, *(const uint32_t *)b));
}

err names_rank(const struct names *names, uint32_t **ret_ranks, struct als_why *why)
{
    uint32_t *order, *ranks;
    TRY(array_of(names, &order, why));
    err code = array_of(names, &ranks, why);
    if (code) {
        free(order);
        return code;
    }
    for (uint32_t i = 0; i < names->count; i++)
        order[i] = i;
    qsort_r(order, names->count, sizeof *order, by_name, (void *)names);
    for (uint32_t i = 0; i < names->count; i++)
        ranks[order[i]] = i;
    free(order);
    *ret_ranks = ranks;
    return ALS_OK;
}
