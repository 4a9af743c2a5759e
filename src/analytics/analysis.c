// SPDX-License-Identifier: Apache-2.0
// What the three analyses share: the door, the filter, the memory of dictionary numbers.
#include "analytics/calendar.h"
#include "analytics/inside.h"

#include "base/limits.h"
#include "segment/segment.h"
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>

err analysis_check(const struct analysis_question *question, struct als_why *why)
{
    if (question->kind != ANALYSIS_FREQUENCY || question->until_us < question->since_us)
        return ALS_OK;
    uint64_t buckets = window_count(question->window, question->since_us, question->until_us);
    if (buckets > ANALYSIS_BUCKETS_MAX)
        return FAIL(why, ALS_INVALID_QUERY,
                    "from since to until are %llu buckets, at most %d: choose a wider window or "
                    "less time",
                    (unsigned long long)buckets, ANALYSIS_BUCKETS_MAX);
    return ALS_OK;
}

err analysis_new(const struct analysis_question *question, struct analysis **ret_analysis,
                 struct als_why *why)
{
    assert(question->names_max > 0 || question->kind != ANALYSIS_SUMMARY);
    switch (question->kind) {
    case ANALYSIS_FREQUENCY:
        return frequency_new(question, ret_analysis, why);
    case ANALYSIS_SUMMARY:
        return summary_new(question, ret_analysis, why);
    case ANALYSIS_CORRELATION:
        break;
    }
    return correlation_new(question, ret_analysis, why);
}

void analysis_free(struct analysis *analysis)
{
    if (analysis)
        analysis->calls->free(analysis);
}

unsigned analysis_columns(const struct analysis_question *question)
{
    unsigned columns = SEGMENT_TIMESTAMP | SEGMENT_TYPE;
    return question->kind == ANALYSIS_FREQUENCY ? columns : columns | SEGMENT_ENTITY;
}

err analysis_take_block(struct analysis *analysis, const struct segment_block *block,
                        struct als_why *why)
{
    TRY(still_wanted(analysis->question, why));
    return analysis->calls->take_block(analysis, block, why);
}

err analysis_take_event(struct analysis *analysis, const struct als_event *event,
                        struct als_why *why)
{
    TRY(still_wanted(analysis->question, why));
    if (!within_time(analysis->question, event->timestamp_us))
        return ALS_OK;
    return analysis->calls->take_event(analysis, event, why);
}

err analysis_merge(struct analysis *target, struct analysis *source, struct als_why *why)
{
    assert(target->question == source->question && target != source);
    return target->calls->merge(target, source, why);
}

err analysis_finish(struct analysis *analysis, struct als_why *why)
{
    return analysis->calls->finish(analysis, why);
}

err still_wanted(const struct analysis_question *question, struct als_why *why)
{
    if (question->given_up && atomic_load_explicit(question->given_up, memory_order_relaxed))
        return FAIL(why, ALS_NOT_READY, "the analysis was given up");
    return ALS_OK;
}

bool wants_type(const struct analysis_question *question, str type)
{
    bool wanted = question->type_count == 0;
    for (size_t i = 0; i < question->type_count && !wanted; i++)
        wanted = type_matches(question->types[i], type);
    return wanted;
}

// ---- Memory of dictionary numbers

void memo_deinit(struct memo *memo)
{
    free(memo->ids);
    memo->ids = NULL;
}

err memo_begin(struct memo *memo, uint64_t dictionary, uint32_t count, struct als_why *why)
{
    if (memo->dictionary == dictionary && memo->count == count)
        return ALS_OK;
    if (count > memo->room) {
        uint32_t *ids = realloc(memo->ids, count * sizeof *ids);
        if (!ids)
            return FAIL(why, ALS_NO_MEMORY, "no memory for a dictionary of %u names", count);
        memo->ids = ids;
        memo->room = count;
    }
    memo->dictionary = dictionary;
    memo->count = count;
    for (uint32_t i = 0; i < count; i++)
        memo->ids[i] = MEMO_UNKNOWN;
    return ALS_OK;
}
