// SPDX-License-Identifier: Apache-2.0
// Summary: a tally of the entities and one of the types.
//
// For blocks, occurrences are counted by dictionary number, in an array that stays in the cache,
// and moved to the tally when the dictionary ends: a row costs an addition, a name a look-up for
// each dictionary that has it.
#include "analytics/inside.h"
#include "analytics/tally.h"

#include "base/limits.h"
#include "segment/segment.h"

#include <assert.h>
#include <stdlib.h>

struct column {
    struct tally tally;
    struct memo memo; // dictionary number to number in the tally
    uint32_t *hits;   // by dictionary number: occurrences that are not in the tally yet
    uint32_t room;
};

struct summary {
    struct analysis analysis; // first
    struct column entities, types;
    uint64_t total;
    int64_t first_us, last_us;
};

static struct summary *summary_of(struct analysis *analysis)
{
    return (struct summary *)analysis;
}

// ---- Columns

static void column_init(struct column *column, const struct analysis_question *question)
{
    tally_init(&column->tally, question->seed, question->names_max, ANALYSIS_NAMES_BYTES_MAX);
}

static void column_deinit(struct column *column)
{
    tally_deinit(&column->tally);
    memo_deinit(&column->memo);
    free(column->hits);
}

static void column_flush(struct column *column)
{
    for (uint32_t i = 0; i < column->memo.count; i++) {
        if (column->hits[i])
            tally_add(&column->tally, column->memo.ids[i], column->hits[i]);
        column->hits[i] = 0;
    }
}

static err column_begin(struct column *column, uint64_t dictionary, uint32_t count,
                        struct als_why *why)
{
    if (column->memo.dictionary == dictionary && column->memo.count == count)
        return ALS_OK;
    column_flush(column);
    column->memo.count = 0; // until there is room for hits
    if (count > column->room) {
        uint32_t *hits = realloc(column->hits, count * sizeof *hits);
        if (!hits)
            return FAIL(why, ALS_NO_MEMORY, "no memory for a dictionary of %u names", count);
        column->hits = hits;
        column->room = count;
    }
    if (count)
        memset(column->hits, 0, count * sizeof *column->hits);
    return memo_begin(&column->memo, dictionary, count, why);
}

// The purge changes numbers, so nothing may be left that goes by the old ones.
static err make_room(struct column *column, struct als_why *why)
{
    if (!tally_is_full(&column->tally))
        return ALS_OK;
    column_flush(column);
    for (uint32_t i = 0; i < column->memo.count; i++)
        if (column->memo.ids[i] != MEMO_UNWANTED)
            column->memo.ids[i] = MEMO_UNKNOWN;
    return tally_purge(&column->tally, why);
}

static err column_find(struct column *column, str name, uint32_t *ret_number, struct als_why *why)
{
    uint64_t hash = names_hash(&column->tally.names, name);
    if (tally_find(&column->tally, name, hash, ret_number))
        return ALS_OK;
    TRY(make_room(column, why));
    return tally_enter(&column->tally, name, hash, ret_number, why);
}

static err column_take(struct column *column, str name, struct als_why *why)
{
    uint32_t number;
    TRY(column_find(column, name, &number, why));
    tally_add(&column->tally, number, 1);
    return ALS_OK;
}

// ---- Taking

static void take_moment(struct summary *summary, int64_t us)
{
    summary->total++;
    summary->first_us = us < summary->first_us ? us : summary->first_us;
    summary->last_us = us > summary->last_us ? us : summary->last_us;
}

// Whether the type of a row is asked for; it has a number then.
static err learn_type(struct summary *summary, const struct segment_block *block, uint32_t number,
                      struct als_why *why)
{
    uint32_t *id = &summary->types.memo.ids[number];
    str name = block->type_names[number];
    if (wants_type(summary->analysis.question, name))
        return column_find(&summary->types, name, id, why);
    *id = MEMO_UNWANTED;
    return ALS_OK;
}

static err summary_take_block(struct analysis *analysis, const struct segment_block *block,
                              struct als_why *why)
{
    struct summary *summary = summary_of(analysis);
    struct column *entities = &summary->entities, *types = &summary->types;
    TRY(column_begin(types, block->type_dictionary, block->type_count, why));
    TRY(column_begin(entities, block->entity_dictionary, block->entity_count, why));
    for (uint32_t i = 0; i < block->count; i++) {
        int64_t us = block->timestamps_us[i];
        if (!within_time(analysis->question, us))
            continue;
        uint32_t type = block->types[i], entity = block->entities[i];
        if (types->memo.ids[type] == MEMO_UNKNOWN)
            TRY(learn_type(summary, block, type, why));
        if (types->memo.ids[type] == MEMO_UNWANTED)
            continue;
        if (entities->memo.ids[entity] == MEMO_UNKNOWN)
            TRY(column_find(entities, block->entity_names[entity], &entities->memo.ids[entity],
                            why));
        types->hits[type]++;
        entities->hits[entity]++;
        take_moment(summary, us);
    }
    return ALS_OK;
}

static err summary_take_event(struct analysis *analysis, const struct als_event *event,
                              struct als_why *why)
{
    struct summary *summary = summary_of(analysis);
    if (!wants_type(analysis->question, event->type))
        return ALS_OK;
    TRY(column_take(&summary->types, event->type, why));
    TRY(column_take(&summary->entities, event->entity, why));
    take_moment(summary, event->timestamp_us);
    return ALS_OK;
}

static err summary_merge(struct analysis *analysis, struct analysis *other, struct als_why *why)
{
    struct summary *target = summary_of(analysis), *source = summary_of(other);
    TRY(column_begin(&target->entities, 0, 0, why));
    TRY(column_begin(&target->types, 0, 0, why));
    TRY(column_begin(&source->entities, 0, 0, why));
    TRY(column_begin(&source->types, 0, 0, why));
    TRY(tally_merge(&target->entities.tally, &source->entities.tally, why));
    TRY(tally_merge(&target->types.tally, &source->types.tally, why));
    target->total += source->total;
    if (source->first_us < target->first_us)
        target->first_us = source->first_us;
    if (source->last_us > target->last_us)
        target->last_us = source->last_us;
    return ALS_OK;
}

static err summary_finish(struct analysis *analysis, struct als_why *why)
{
    struct summary *summary = summary_of(analysis);
    TRY(column_begin(&summary->entities, 0, 0, why));
    return column_begin(&summary->types, 0, 0, why);
}

static void summary_free(struct analysis *analysis)
{
    struct summary *summary = summary_of(analysis);
    column_deinit(&summary->entities);
    column_deinit(&summary->types);
    free(summary);
}

static const struct analysis_calls calls = {
    .take_block = summary_take_block,
    .take_event = summary_take_event,
    .merge = summary_merge,
    .finish = summary_finish,
    .free = summary_free,
};

err summary_new(const struct analysis_question *question, struct analysis **ret_analysis,
                struct als_why *why)
{
    struct summary *summary = calloc(1, sizeof *summary);
    if (!summary)
        return FAIL(why, ALS_NO_MEMORY, "no memory for a summary");
    summary->analysis = (struct analysis){&calls, question};
    summary->first_us = INT64_MAX;
    summary->last_us = INT64_MIN;
    column_init(&summary->entities, question);
    column_init(&summary->types, question);
    *ret_analysis = &summary->analysis;
    return ALS_OK;
}

struct summary_answer analysis_summary(const struct analysis *analysis)
{
    assert(analysis->calls == &calls);
    const struct summary *summary = (const struct summary *)analysis;
    struct summary_answer answer = {
        .total = summary->total, .first_us = summary->first_us, .last_us = summary->last_us};
    tally_answer(&summary->entities.tally, &answer.entities);
    tally_answer(&summary->types.tally, &answer.types);
    return answer;
}
