// SPDX-License-Identifier: Apache-2.0
// Linear probing. The home of a fingerprint f in an array of n slots is f * n / 2^32, so n may be
// any number, and growing keeps the order of the homes.
//
// Memory order: slots_enter() raises `readers` and then loads the shard's array; growing stores the
// new array and then loads `readers`. All four are sequentially consistent, so if the writer sees
// 0, whoever enters later sees the new array. That is the one place here that relies on more than
// publishing by release.
#include "index/slots.h"

#include <stdlib.h>

enum { FIRST_COUNT = 8 };

struct slots_array {
    struct slots_array *next_retired;
    uint32_t count, used;
    _Atomic uint64_t slots[]; // fingerprint << 32 | value + 1; 0 is free
};

static unsigned shard_of(uint64_t hash)
{
    return (unsigned)(hash >> 26) & (SLOTS_SHARDS - 1);
}

static uint32_t fingerprint_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static uint32_t home_of(uint32_t fingerprint, uint32_t count)
{
    return (uint32_t)(((uint64_t)fingerprint * count) >> 32);
}

static uint64_t array_bytes(uint32_t count)
{
    return sizeof(struct slots_array) + (uint64_t)count * sizeof(uint64_t);
}

void slots_init(struct slots *slots)
{
    *slots = (struct slots){.retired = NULL};
}

static void free_retired(struct slots *slots)
{
    while (slots->retired) {
        struct slots_array *array = slots->retired;
        slots->retired = array->next_retired;
        slots->bytes -= array_bytes(array->count);
        free(array);
    }
}

void slots_deinit(struct slots *slots)
{
    free_retired(slots);
    for (int i = 0; i < SLOTS_SHARDS; i++)
        free(atomic_load_explicit(&slots->shards[i], memory_order_relaxed));
}

static void put(struct slots_array *array, uint64_t slot)
{
    uint32_t at = home_of((uint32_t)(slot >> 32), array->count);
    while (atomic_load_explicit(&array->slots[at], memory_order_relaxed))
        at = at + 1 == array->count ? 0 : at + 1;
    atomic_store_explicit(&array->slots[at], slot, memory_order_release);
    array->used++;
}

static struct slots_array *grown(struct slots *slots, const struct slots_array *old)
{
    uint64_t count = old ? (uint64_t)old->count + old->count / 2 : FIRST_COUNT;
    if (count > UINT32_MAX)
        return NULL;
    struct slots_array *array = calloc(1, array_bytes((uint32_t)count));
    if (!array)
        return NULL;
    array->count = (uint32_t)count;
    slots->bytes += array_bytes(array->count);
    for (uint32_t i = 0; old && i < old->count; i++) {
        uint64_t slot = atomic_load_explicit(&old->slots[i], memory_order_relaxed);
        if (slot)
            put(array, slot);
    }
    return array;
}

bool slots_add(struct slots *slots, uint64_t hash, uint32_t value)
{
    _Atomic(struct slots_array *) *shard = &slots->shards[shard_of(hash)];
    struct slots_array *array = atomic_load_explicit(shard, memory_order_relaxed);
    if (!array || (uint64_t)array->used * 4 >= (uint64_t)array->count * 3) {
        struct slots_array *bigger = grown(slots, array);
        if (!bigger)
            return false;
        atomic_store(shard, bigger);
        if (array) {
            array->next_retired = slots->retired;
            slots->retired = array;
        }
        if (atomic_load(&slots->readers) == 0)
            free_retired(slots);
        array = bigger;
    }
    put(array, (uint64_t)fingerprint_of(hash) << 32 | ((uint64_t)value + 1));
    return true;
}

void slots_prefetch(const struct slots *slots, uint64_t hash)
{
    const struct slots_array *array =
        atomic_load_explicit(&slots->shards[shard_of(hash)], memory_order_relaxed);
    if (array)
        __builtin_prefetch(&array->slots[home_of(fingerprint_of(hash), array->count)]);
}

static struct slots_probe probe_of(const struct slots_array *array, uint64_t hash)
{
    uint32_t fingerprint = fingerprint_of(hash);
    return (struct slots_probe){.array = array,
                                .at = array ? home_of(fingerprint, array->count) : 0,
                                .fingerprint = fingerprint};
}

struct slots_probe slots_enter(struct slots *slots, uint64_t hash)
{
    atomic_fetch_add(&slots->readers, 1);
    return probe_of(atomic_load(&slots->shards[shard_of(hash)]), hash);
}

struct slots_probe slots_enter_alone(const struct slots *slots, uint64_t hash)
{
    return probe_of(atomic_load_explicit(&slots->shards[shard_of(hash)], memory_order_relaxed),
                    hash);
}

bool slots_next(struct slots_probe *probe, uint32_t *ret_value)
{
    if (!probe->array)
        return false;
    for (;;) {
        uint64_t slot = atomic_load_explicit(&probe->array->slots[probe->at], memory_order_acquire);
        if (slot == 0)
            return false;
        probe->at = probe->at + 1 == probe->array->count ? 0 : probe->at + 1;
        if ((uint32_t)(slot >> 32) == probe->fingerprint) {
            *ret_value = (uint32_t)slot - 1;
            return true;
        }
    }
}

void slots_leave(struct slots *slots)
{
    atomic_fetch_sub_explicit(&slots->readers, 1, memory_order_release);
}
