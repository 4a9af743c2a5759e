// SPDX-License-Identifier: Apache-2.0
// Analyses: from the public question to one over a pinned view, and from its answer to the public
// one.
#include "engine/analysts.h"

#include <assert.h>
#include <stdlib.h>

enum { TEXTS_BLOCK_BYTES = 1024, TEXTS_BYTES_MAX = 128 << 10 };

// ---- The question

static err check_query(const struct als_analysis_query *query, struct als_why *why)
{
    if ((unsigned)query->kind > ALS_CORRELATION)
        return FAIL(why, ALS_INVALID_INPUT, "query.kind is no such value");
    if ((unsigned)query->window > ALS_WINDOW_MONTH)
        return FAIL(why, ALS_INVALID_INPUT, "query.window is no such value");
    if (query->type_count > QUERY_TYPES_MAX)
        return FAIL(why, ALS_INVALID_QUERY, "event_type: at most %d of them, got %zu",
                    QUERY_TYPES_MAX, query->type_count);
    if (query->type_count && !query->types)
        return FAIL(why, ALS_INVALID_INPUT, "query.types is NULL");
    if (query->kind == ALS_CORRELATION && (!query->type_a.ptr || !query->type_b.ptr))
        return FAIL(why, ALS_INVALID_INPUT, "query.type_a or query.type_b is NULL");
    bool now = query->until_us == ALS_TIME_UNSET;
    if (query->since_us < ALS_TIME_MIN || query->since_us > ALS_TIME_MAX ||
        (!now && (query->until_us < ALS_TIME_MIN || query->until_us > ALS_TIME_MAX)))
        return FAIL(why, ALS_INVALID_QUERY, "since and until lie in the years 0 to 9999");
    return ALS_OK;
}

static err keep_text(struct als_analysis *job, str text, str *ret_text, struct als_why *why)
{
    *ret_text = arena_copy(&job->texts, text);
    return ret_text->ptr ? ALS_OK
                         : FAIL(why, ALS_TOO_LARGE, "the names of the question are too long");
}

static err keep_names(struct als_analysis *job, const struct als_analysis_query *query,
                      struct als_why *why)
{
    job->by_entity = query->entity.ptr != NULL;
    TRY(keep_text(job, query->entity, &job->entity, why));
    if (query->kind == ALS_CORRELATION) {
        TRY(keep_text(job, query->type_a, &job->types[0], why));
        TRY(keep_text(job, query->type_b, &job->types[1], why));
        job->question.type_a = job->types[0];
        job->question.type_b = job->types[1];
        job->type_count = 2;
        return ALS_OK;
    }
    for (; job->type_count < query->type_count; job->type_count++)
        TRY(keep_text(job, query->types[job->type_count], &job->types[job->type_count], why));
    job->question.types = job->types;
    job->question.type_count = job->type_count;
    return ALS_OK;
}

static void fill_question(struct als_analysis *job, const struct als_analysis_query *query)
{
    static const enum analysis_kind kinds[] = {[ALS_FREQUENCY] = ANALYSIS_FREQUENCY,
                                               [ALS_SUMMARY] = ANALYSIS_SUMMARY,
                                               [ALS_CORRELATION] = ANALYSIS_CORRELATION};
    static const enum analysis_window windows[] = {[ALS_WINDOW_MINUTE] = WINDOW_MINUTE,
                                                   [ALS_WINDOW_HOUR] = WINDOW_HOUR,
                                                   [ALS_WINDOW_DAY] = WINDOW_DAY,
                                                   [ALS_WINDOW_WEEK] = WINDOW_WEEK,
                                                   [ALS_WINDOW_MONTH] = WINDOW_MONTH};
    struct os *os = job->als->os;
    struct analysis_question *question = &job->question;
    *question = (struct analysis_question){.kind = kinds[query->kind],
                                           .since_us = query->since_us,
                                           .until_us = query->until_us,
                                           .window = windows[query->window],
                                           .within_s = query->within_seconds,
                                           .names_max = job->als->options.analytics_names_max,
                                           .given_up = &job->given_up};
    if (query->until_us == ALS_TIME_UNSET)
        question->until_us = os->now_us(os);
    os->entropy(os, &question->seed, sizeof question->seed);
}

void als_analysis_close(struct als_analysis *analysis)
{
    if (!analysis)
        return;
    analysis_free(analysis->total);
    view_unpin(analysis->view);
    free(analysis->pieces);
    arena_deinit(&analysis->texts);
    free(analysis);
}
AUTO_WITH(als_analysis, als_analysis_close)

static err make_job(struct als *als, const struct als_analysis_query *query,
                    struct als_analysis **ret_job, struct als_why *why)
{
    struct store *store;
    TRY(tenant_store(als, query->tenant, &store, why));
    AUTO(als_analysis) job = calloc(1, sizeof *job);
    if (!job)
        return FAIL(why, ALS_NO_MEMORY, "the analysis cannot be made");
    job->als = als;
    arena_init(&job->texts, TEXTS_BLOCK_BYTES, TEXTS_BYTES_MAX);
    fill_question(job, query);
    TRY(keep_names(job, query, why));
    TRY(analysis_check(&job->question, why));
    job->view = view_pin(store);
    job->position = job->view.position;
    TRY(analysis_tasks(job, why));
    *ret_job = MOVE(job);
    return ALS_OK;
}

enum als_err als_analysis_start(struct als *als, const struct als_analysis_query *query,
                                void (*done)(void *context), void *context,
                                struct als_analysis **ret_analysis, struct als_why *why)
{
    CHECK_ALS(als, why);
    CHECK_SIZED(query, "query", why);
    if (!done || !ret_analysis)
        return FAIL(why, ALS_INVALID_INPUT, "done or ret_analysis is NULL");
    TRY(check_query(query, why));
    AUTO(als_analysis) job = NULL;
    TRY(make_job(als, query, &job, why));
    job->done = done;
    job->context = context;
    struct als_analysis *before = *ret_analysis;
    *ret_analysis = job; // `done` may ask for it before we return
    err code = analysts_post(job, why);
    if (code == ALS_OK)
        job = NULL; // it is the analysts', and the caller's
    else
        *ret_analysis = before;
    return code;
}

// ---- Waiting

struct waiting {
    struct lock lock;
    struct signal signal;
    bool done;
};

static void wake(void *context)
{
    struct waiting *waiting = context;
    lock_take(&waiting->lock);
    waiting->done = true;
    signal_one(&waiting->signal);
    lock_release(&waiting->lock);
}

enum als_err als_analysis_wait(struct als *als, const struct als_analysis_query *query,
                               struct als_analysis **ret_analysis, struct als_why *why)
{
    if (!ret_analysis)
        return FAIL(why, ALS_INVALID_INPUT, "ret_analysis is NULL");
    struct waiting waiting = {};
    lock_init(&waiting.lock, LOCK_WAITER);
    signal_init(&waiting.signal);
    AUTO(als_analysis) analysis = NULL;
    err code = als_analysis_start(als, query, wake, &waiting, &analysis, why);
    lock_take(&waiting.lock);
    while (code == ALS_OK && !waiting.done)
        signal_wait(&waiting.signal, &waiting.lock);
    lock_release(&waiting.lock);
    signal_deinit(&waiting.signal);
    lock_deinit(&waiting.lock);
    TRY(code);
    TRY(als_analysis_outcome(analysis, why));
    *ret_analysis = MOVE(analysis);
    return ALS_OK;
}

// ---- Answers

enum als_err als_analysis_outcome(const struct als_analysis *analysis, struct als_why *why)
{
    if (!analysis)
        return FAIL(why, ALS_INVALID_INPUT, "analysis is NULL");
    return analysis->code ? FAIL(why, analysis->code, "%s", analysis->why.text) : ALS_OK;
}

als_position als_analysis_position(const struct als_analysis *analysis)
{
    return analysis ? analysis->position : 0;
}

static bool has_answer(const struct als_analysis *analysis, enum analysis_kind kind)
{
    return analysis && analysis->code == ALS_OK && analysis->question.kind == kind;
}

static struct als_counted public_counted(struct counted counted)
{
    return (struct als_counted){
        .name = counted.name, .count = counted.count, .error = counted.error};
}

struct als_frequency als_analysis_frequency(const struct als_analysis *analysis)
{
    if (!has_answer(analysis, ANALYSIS_FREQUENCY))
        return (struct als_frequency){0};
    struct frequency_answer answer = analysis_frequency(analysis->total);
    return (struct als_frequency){.total = answer.total,
                                  .since_us = analysis->question.since_us,
                                  .until_us = analysis->question.until_us,
                                  .bucket_count = answer.bucket_count};
}

struct als_bucket als_analysis_bucket(const struct als_analysis *analysis, size_t bucket)
{
    if (bucket >= als_analysis_frequency(analysis).bucket_count)
        return (struct als_bucket){0};
    struct frequency_bucket found = frequency_bucket(analysis->total, bucket);
    return (struct als_bucket){
        .start_us = found.start_us, .count = found.count, .type_count = found.type_count};
}

struct als_counted als_analysis_bucket_type(const struct als_analysis *analysis, size_t bucket,
                                            size_t type)
{
    if (type >= als_analysis_bucket(analysis, bucket).type_count)
        return (struct als_counted){0};
    return public_counted(frequency_type(analysis->total, bucket, type));
}

static_assert((int)SUMMARY_TOP_MAX ==
                  sizeof(((struct als_summary_names *)0)->top) / sizeof(struct als_counted),
              "the public list has as many places");
static_assert((int)CORRELATION_EXAMPLES_MAX ==
                  sizeof(((struct als_correlation *)0)->examples) / sizeof(struct als_pair),
              "the public list has as many places");

static struct als_summary_names public_names(const struct summary_names *names)
{
    struct als_summary_names result = {.unique = names->unique,
                                       .exact = names->exact,
                                       .error_percent = names->exact ? 0 : SUMMARY_ERROR_PERCENT,
                                       .top_count = names->top_count};
    for (size_t i = 0; i < names->top_count; i++)
        result.top[i] = public_counted(names->top[i]);
    return result;
}

struct als_summary als_analysis_summary(const struct als_analysis *analysis)
{
    if (!has_answer(analysis, ANALYSIS_SUMMARY))
        return (struct als_summary){0};
    struct summary_answer answer = analysis_summary(analysis->total);
    return (struct als_summary){.total = answer.total,
                                .first_us = answer.first_us,
                                .last_us = answer.last_us,
                                .entities = public_names(&answer.entities),
                                .types = public_names(&answer.types)};
}

struct als_correlation als_analysis_correlation(const struct als_analysis *analysis)
{
    if (!has_answer(analysis, ANALYSIS_CORRELATION))
        return (struct als_correlation){0};
    struct correlation_answer answer = analysis_correlation(analysis->total);
    struct als_correlation result = {.total_a = answer.total_a,
                                     .total_b = answer.total_b,
                                     .pairs = answer.pairs,
                                     .paired_a = answer.paired_a,
                                     .mean_seconds = answer.mean_seconds,
                                     .example_count = answer.example_count};
    for (size_t i = 0; i < answer.example_count; i++) {
        const struct correlation_example *example = &answer.examples[i];
        result.examples[i] = (struct als_pair){example->entity, example->a_us, example->b_us};
    }
    return result;
}
