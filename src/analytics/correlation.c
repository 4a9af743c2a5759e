// SPDX-License-Identifier: Apache-2.0
// Correlation: the moments of both types are gathered, entity by entity, and paired in the end.
//
// What is kept of an event is its moment and the number of its entity. In the end the moments are
// brought together by entity (one pass, for entities are numbers), sorted where they are not in
// order already, and walked once (pairing.c), so the work is O(n log n) whatever the number of
// pairs. Moments are given in seconds by the answer, but compared in microseconds.
#include "analytics/inside.h"
#include "analytics/names.h"
#include "analytics/pairing.h"

#include "base/limits.h"
#include "segment/segment.h"

#include <assert.h>
#include <stdlib.h>

enum { ROOM_FIRST = 256 };
enum role { ROLE_A, ROLE_B };

// The events of one type.
struct side {
    uint32_t *entities; // by event, until they are grouped
    int64_t *moments_us;
    uint32_t count, room;
    uint32_t *starts; // when grouped: by entity, its first moment; and one more
};

struct correlation {
    struct analysis analysis; // first
    struct names entities;
    struct memo entity_memo, type_memo; // the latter: to roles
    bool same;                          // one type: all is on side a
    struct side a, b;
    struct correlation_answer answer;
};

static struct correlation *correlation_of(struct analysis *analysis)
{
    return (struct correlation *)analysis;
}

static void side_deinit(struct side *side)
{
    free(side->entities);
    free(side->moments_us);
    free(side->starts);
}

static void correlation_free(struct analysis *analysis)
{
    struct correlation *correlation = correlation_of(analysis);
    side_deinit(&correlation->a);
    side_deinit(&correlation->b);
    memo_deinit(&correlation->entity_memo);
    memo_deinit(&correlation->type_memo);
    names_deinit(&correlation->entities);
    free(correlation);
}

// ---- Taking

static err side_grow(struct side *side, struct als_why *why)
{
    uint32_t room = side->room ? side->room * 2 : ROOM_FIRST;
    uint32_t *entities = realloc(side->entities, room * sizeof *entities);
    if (entities)
        side->entities = entities;
    int64_t *moments_us = realloc(side->moments_us, room * sizeof *moments_us);
    if (moments_us)
        side->moments_us = moments_us;
    if (!entities || !moments_us)
        return FAIL(why, ALS_NO_MEMORY, "no memory for %u events", room);
    side->room = room;
    return ALS_OK;
}

static err add(struct correlation *correlation, uint32_t role, uint32_t entity, int64_t us,
               struct als_why *why)
{
    struct side *side = role == ROLE_A ? &correlation->a : &correlation->b;
    if (correlation->a.count + correlation->b.count == ANALYSIS_PAIRED_MAX)
        return FAIL(why, ALS_TOO_LARGE,
                    "there are more than %d events of the two types: ask for less time",
                    ANALYSIS_PAIRED_MAX);
    if (side->count == side->room)
        TRY(side_grow(side, why));
    side->entities[side->count] = entity;
    side->moments_us[side->count++] = us;
    return ALS_OK;
}

static uint32_t role_of(const struct analysis_question *question, str type)
{
    if (str_equal(type, question->type_a))
        return ROLE_A;
    return str_equal(type, question->type_b) ? ROLE_B : MEMO_UNWANTED;
}

static err number_entity(struct correlation *correlation, str name, uint32_t *ret_number,
                         struct als_why *why)
{
    struct names *names = &correlation->entities;
    return names_number(names, name, names_hash(names, name), ret_number, why);
}

static err correlation_take_block(struct analysis *analysis, const struct segment_block *block,
                                  struct als_why *why)
{
    struct correlation *correlation = correlation_of(analysis);
    uint32_t *roles, *entities;
    TRY(memo_begin(&correlation->type_memo, block->type_dictionary, block->type_count, why));
    TRY(memo_begin(&correlation->entity_memo, block->entity_dictionary, block->entity_count, why));
    roles = correlation->type_memo.ids;
    entities = correlation->entity_memo.ids;
    for (uint32_t i = 0; i < block->count; i++) {
        uint32_t type = block->types[i], entity = block->entities[i];
        if (roles[type] == MEMO_UNKNOWN)
            roles[type] = role_of(analysis->question, block->type_names[type]);
        if (roles[type] == MEMO_UNWANTED ||
            !within_time(analysis->question, block->timestamps_us[i]))
            continue;
        if (entities[entity] == MEMO_UNKNOWN)
            TRY(number_entity(correlation, block->entity_names[entity], &entities[entity], why));
        TRY(add(correlation, roles[type], entities[entity], block->timestamps_us[i], why));
    }
    return ALS_OK;
}

static err correlation_take_event(struct analysis *analysis, const struct als_event *event,
                                  struct als_why *why)
{
    struct correlation *correlation = correlation_of(analysis);
    uint32_t role = role_of(analysis->question, event->type), entity;
    if (role == MEMO_UNWANTED)
        return ALS_OK;
    TRY(number_entity(correlation, event->entity, &entity, why));
    return add(correlation, role, entity, event->timestamp_us, why);
}

// ---- Merging

static err merge_side(struct correlation *target, enum role role, const struct side *source,
                      const uint32_t *numbers, struct als_why *why)
{
    for (uint32_t i = 0; i < source->count; i++)
        TRY(add(target, role, numbers[source->entities[i]], source->moments_us[i], why));
    return ALS_OK;
}

static err correlation_merge(struct analysis *analysis, struct analysis *other, struct als_why *why)
{
    struct correlation *target = correlation_of(analysis), *source = correlation_of(other);
    uint32_t *numbers;
    TRY(names_map(&target->entities, &source->entities, &numbers, why));
    err code = merge_side(target, ROLE_A, &source->a, numbers, why);
    if (code == ALS_OK)
        code = merge_side(target, ROLE_B, &source->b, numbers, why);
    free(numbers);
    return code;
}

// ---- Finishing

static int by_moment(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void sort_moments(int64_t *moments_us, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        if (moments_us[i - 1] <= moments_us[i])
            continue;
        qsort(moments_us, count, sizeof *moments_us, by_moment);
        return;
    }
}

// Brings the moments of each entity together, in order.
static err side_group(struct side *side, uint32_t entity_count, struct als_why *why)
{
    side->starts = calloc((size_t)entity_count + 2, sizeof *side->starts);
    int64_t *grouped_us = malloc(((size_t)side->count + 1) * sizeof *grouped_us);
    if (!side->starts || !grouped_us) {
        free(grouped_us);
        return FAIL(why, ALS_NO_MEMORY, "no memory for %u events", side->count);
    }
    uint32_t *ends = side->starts + 1; // where the next moment of an entity goes
    for (uint32_t i = 0; i < side->count; i++)
        ends[side->entities[i] + 1]++;
    for (uint32_t i = 0; i < entity_count; i++)
        ends[i + 1] += ends[i];
    for (uint32_t i = 0; i < side->count; i++)
        grouped_us[ends[side->entities[i]]++] = side->moments_us[i];
    free(side->moments_us);
    side->moments_us = grouped_us;
    free(side->entities);
    side->entities = NULL;
    for (uint32_t i = 0; i < entity_count; i++)
        sort_moments(grouped_us + side->starts[i], side->starts[i + 1] - side->starts[i]);
    return ALS_OK;
}

static struct moments moments_of(const struct side *side, uint32_t entity)
{
    uint32_t start = side->starts[entity];
    return (struct moments){side->moments_us + start, side->starts[entity + 1] - start};
}

static err pair_all(struct correlation *correlation, struct pairing *pairing, struct als_why *why)
{
    for (uint32_t i = 0; i < correlation->entities.count; i++) {
        TRY(still_wanted(correlation->analysis.question, why));
        struct moments a = moments_of(&correlation->a, i);
        struct moments b = correlation->same ? a : moments_of(&correlation->b, i);
        if (a.count && b.count)
            TRY(pairing_take(pairing, names_at(&correlation->entities, i), a, b, why));
    }
    return ALS_OK;
}

static err correlation_finish(struct analysis *analysis, struct als_why *why)
{
    struct correlation *correlation = correlation_of(analysis);
    struct correlation_answer *answer = &correlation->answer;
    answer->total_a = correlation->a.count;
    answer->total_b = correlation->same ? answer->total_a : correlation->b.count;
    TRY(side_group(&correlation->a, correlation->entities.count, why));
    TRY(side_group(&correlation->b, correlation->entities.count, why));
    struct pairing pairing;
    pairing_init(&pairing, analysis->question, correlation->same, answer);
    err code = pair_all(correlation, &pairing, why);
    pairing_deinit(&pairing);
    return code;
}

static const struct analysis_calls calls = {
    .take_block = correlation_take_block,
    .take_event = correlation_take_event,
    .merge = correlation_merge,
    .finish = correlation_finish,
    .free = correlation_free,
};

err correlation_new(const struct analysis_question *question, struct analysis **ret_analysis,
                    struct als_why *why)
{
    struct correlation *correlation = calloc(1, sizeof *correlation);
    if (!correlation)
        return FAIL(why, ALS_NO_MEMORY, "no memory for a correlation");
    correlation->analysis = (struct analysis){&calls, question};
    correlation->same = str_equal(question->type_a, question->type_b);
    names_init(&correlation->entities, question->seed, ANALYSIS_NAMES_BYTES_MAX);
    *ret_analysis = &correlation->analysis;
    return ALS_OK;
}

struct correlation_answer analysis_correlation(const struct analysis *analysis)
{
    assert(analysis->calls == &calls);
    return ((const struct correlation *)analysis)->answer;
}
