// SPDX-License-Identifier: Apache-2.0
// A table of counts that is purged when it is full.
//
// While nothing was purged, every count is exact and the number of names is their number. A purge
// chooses a level and lets go of every name that cannot have occurred more often than that; a name
// that comes (again) later begins with that level as its error. So, always:
//
//   1. a name in the table occurred count to count + error times, and count + error > missed;
//   2. a name that is not in it occurred at most `missed` times.
//
// This is the frequent-items algorithm of Misra and Gries (1982), whose counter is
// count + error - missed, with each name's own error kept beside it, as in lossy counting (Manku
// and Motwani, 2002): what is frequent from the beginning stays exact. The level is found by sizes
// in powers of two, so one pass purges at least half of the table, and the cost of purging is a
// constant for each new name. With n occurrences and room for m names, `missed` stays below about 4
// n / m.
//
// All names pass through the sketch when they enter the table, so it has seen every one.
#include "analytics/tally.h"

#include <assert.h>
#include <stdlib.h>

enum { SIZES = 65 };

void tally_init(struct tally *tally, uint64_t seed, uint32_t names_max, uint64_t bytes_max)
{
    *tally = (struct tally){.names_max = names_max};
    names_init(&tally->names, seed, bytes_max);
}

void tally_deinit(struct tally *tally)
{
    names_deinit(&tally->names);
    free(tally->counts);
    tally->counts = NULL;
}

bool tally_is_full(const struct tally *tally)
{
    return tally->names.count == tally->names_max || !names_have_room(&tally->names);
}

static err reserve(struct tally *tally, struct als_why *why)
{
    if (tally->room >= tally->names.room)
        return ALS_OK;
    struct tally_count *counts = realloc(tally->counts, tally->names.room * sizeof *counts);
    if (!counts)
        return FAIL(why, ALS_NO_MEMORY, "no memory to count %u names", tally->names.room);
    tally->counts = counts;
    tally->room = tally->names.room;
    return ALS_OK;
}

static err enter(struct tally *tally, str name, uint64_t hash, struct tally_count begin,
                 uint32_t *ret_number, struct als_why *why)
{
    assert(!tally_is_full(tally));
    TRY(names_number(&tally->names, name, hash, ret_number, why));
    TRY(reserve(tally, why));
    tally->counts[*ret_number] = begin;
    sketch_add(&tally->sketch, hash);
    return ALS_OK;
}

bool tally_find(const struct tally *tally, str name, uint64_t hash, uint32_t *ret_number)
{
    return names_find(&tally->names, name, hash, ret_number);
}

err tally_enter(struct tally *tally, str name, uint64_t hash, uint32_t *ret_number,
                struct als_why *why)
{
    return enter(tally, name, hash, (struct tally_count){.error = tally->missed}, ret_number, why);
}

// ---- Purging

static unsigned size_of(uint64_t value) // 1: 1, 2 and 3: 2, 4 to 7: 3...
{
    return value ? 64 - (unsigned)__builtin_clzll(value) : 0;
}

static uint64_t over(const struct tally *tally, uint32_t number)
{
    return tally->counts[number].count + tally->counts[number].error - tally->missed;
}

// By how much `missed` must rise so that at least half of the names go.
static uint64_t find_level(const struct tally *tally)
{
    uint32_t with_size[SIZES] = {};
    for (uint32_t i = 0; i < tally->names.count; i++)
        with_size[size_of(over(tally, i))]++;
    uint32_t gone = 0;
    unsigned size = 0;
    for (; size < SIZES - 1; size++) {
        gone += with_size[size];
        if (gone >= tally->names.count - gone)
            break;
    }
    assert(size < SIZES - 1); // nothing occurs 2^63 times
    return (UINT64_C(1) << size) - 1;
}

err tally_purge(struct tally *tally, struct als_why *why)
{
    uint64_t level = find_level(tally);
    struct names kept;
    names_init(&kept, tally->names.seed, tally->names.bytes_max);
    err code = ALS_OK;
    for (uint32_t i = 0; i < tally->names.count && code == ALS_OK; i++) {
        if (over(tally, i) <= level)
            continue;
        uint32_t number;
        code = names_number(&kept, names_at(&tally->names, i), tally->names.items[i].hash, &number,
                            why);
        if (code == ALS_OK)
            tally->counts[number] = tally->counts[i]; // number <= i
    }
    if (code) {
        names_deinit(&kept);
        return code;
    }
    names_deinit(&tally->names);
    tally->names = kept;
    tally->missed += level;
    return ALS_OK;
}

// ---- Merging

// A name that is in the target has been given all that the source may have missed as its error.
// One that is not occurred in the target at most as often as the target alone has missed by now.
static err merge_name(struct tally *target, const struct tally *source, uint32_t number,
                      struct als_why *why)
{
    const struct name *item = &source->names.items[number];
    str name = {item->ptr, item->len};
    struct tally_count from = source->counts[number];
    uint32_t into;
    if (tally_find(target, name, item->hash, &into)) {
        target->counts[into].count += from.count;
        target->counts[into].error += from.error - source->missed;
        return ALS_OK;
    }
    if (tally_is_full(target))
        TRY(tally_purge(target, why));
    from.error += target->missed - source->missed;
    return enter(target, name, item->hash, from, &into, why);
}

err tally_merge(struct tally *target, struct tally *source, struct als_why *why)
{
    assert(target->names_max == source->names_max && target->names.seed == source->names.seed);
    for (uint32_t i = 0; i < target->names.count; i++)
        target->counts[i].error += source->missed;
    target->missed += source->missed;
    for (uint32_t i = 0; i < source->names.count; i++)
        TRY(merge_name(target, source, i, why));
    sketch_merge(&target->sketch, &source->sketch);
    return ALS_OK;
}

// ---- The answer

static bool more(const struct counted *a, const struct counted *b)
{
    return a->count != b->count ? a->count > b->count : str_compare(a->name, b->name) < 0;
}

static void offer(struct summary_names *names, struct counted counted)
{
    size_t at = names->top_count;
    if (at == SUMMARY_TOP_MAX && !more(&counted, &names->top[--at]))
        return;
    for (; at > 0 && more(&counted, &names->top[at - 1]); at--)
        names->top[at] = names->top[at - 1];
    names->top[at] = counted;
    if (names->top_count < SUMMARY_TOP_MAX)
        names->top_count++;
}

void tally_answer(const struct tally *tally, struct summary_names *ret_names)
{
    *ret_names = (struct summary_names){.exact = tally->missed == 0};
    ret_names->unique = ret_names->exact ? tally->names.count : sketch_count(&tally->sketch);
    for (uint32_t i = 0; i < tally->names.count; i++)
        offer(ret_names, (struct counted){.name = names_at(&tally->names, i),
                                          .count = tally->counts[i].count,
                                          .error = tally->counts[i].error});
}
