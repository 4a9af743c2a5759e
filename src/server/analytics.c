// SPDX-License-Identifier: Apache-2.0
// GET /api/v1/analytics/frequency, /summary and /correlation.
//
// The engine looks at the events on threads of its own; meanwhile the request waits without one.
// When its client goes away the analysis is given up. A frequency is printed as fast as the client
// reads; the others are short.
#include "base/limits.h"
#include "base/log.h"
#include "base/time.h"
#include "http/http.h"
#include "metrics/metrics.h"
#include "server/filter.h"
#include "server/reading.h"
#include "server/reply.h"
#include "json/json.h"

#include <stdio.h>

enum { CHUNK_BYTES = 64 << 10 };

static const str kinds[] = {[ALS_FREQUENCY] = {"frequency", 9},
                            [ALS_SUMMARY] = {"summary", 7},
                            [ALS_CORRELATION] = {"correlation", 11}};
static const str windows[] = {[ALS_WINDOW_MINUTE] = {"minute", 6}, [ALS_WINDOW_HOUR] = {"hour", 4},
                              [ALS_WINDOW_DAY] = {"day", 3},       [ALS_WINDOW_WEEK] = {"week", 4},
                              [ALS_WINDOW_MONTH] = {"month", 5},   {"", 0}};

struct analytics_call {
    struct call *call;
    struct reading reading;
    struct filter filter;
    struct als_analysis_query query;
    struct als_analysis *analysis; // NULL before it is started and after it is closed

    // Of a frequency that is printed.
    struct json_writer writer;
    size_t bucket, type; // the next ones
    bool in_bucket, ended;
    str begun; // the first chunk, once the answer is a stream
};

static void put_time(struct json_writer *writer, str key, int64_t us)
{
    char text[TIME_TEXT_MAX];
    json_field_string(writer, key, (str){text, time_format(us, text)});
}

static void put_range(struct json_writer *writer, int64_t from_us, int64_t to_us)
{
    json_key(writer, S("time_range"));
    json_open_object(writer);
    put_time(writer, S("from"), from_us);
    put_time(writer, S("to"), to_us);
    json_close_object(writer);
}

static void put_double(struct json_writer *writer, str key, double value)
{
    json_key(writer, key);
    json_put_double(writer, value);
}

static double percent_of(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole * 100 : 0;
}

// Once for each analysis that was started, before or after the answer.
static void analysis_over(struct analytics_call *state, err code)
{
    struct metrics *metrics = state->call->server->metrics;
    str kind = kinds[state->query.kind];
    str labels[] = {kind, code ? str_of(err_code(code)) : S("ok")};
    als_analysis_close(MOVE(state->analysis));
    metrics_change(metrics, METRIC_analyses_under_way, -1);
    metrics_add(metrics, METRIC_analyses_total, 1, labels);
    metrics_observe_ns(metrics, METRIC_analysis_duration_seconds, call_age_ns(state->call), &kind);
}

// ---- Frequency

static void put_bucket_begin(struct json_writer *writer, const struct als_bucket *bucket)
{
    json_open_object(writer);
    put_time(writer, S("timestamp"), bucket->start_us);
    json_field_u64(writer, S("count"), bucket->count);
    json_key(writer, S("event_types"));
    json_open_object(writer);
}

static void put_frequency_end(struct analytics_call *state, const struct als_frequency *frequency)
{
    struct json_writer *writer = &state->writer;
    json_close_array(writer);
    json_field_u64(writer, S("total_events"), frequency->total);
    json_field_string(writer, S("window"), windows[state->query.window]);
    put_range(writer, frequency->since_us, frequency->until_us);
    json_field_u64(writer, S("position"), als_analysis_position(state->analysis));
    json_close_object(writer);
    state->ended = true;
}

// One step: a bucket's beginning, one of its types, its end, or the end of all.
static void put_step(struct analytics_call *state, const struct als_frequency *frequency)
{
    struct json_writer *writer = &state->writer;
    if (state->bucket == frequency->bucket_count) {
        put_frequency_end(state, frequency);
        return;
    }
    struct als_bucket bucket = als_analysis_bucket(state->analysis, state->bucket);
    if (!state->in_bucket)
        put_bucket_begin(writer, &bucket);
    state->in_bucket = true;
    if (state->type < bucket.type_count) {
        struct als_counted type =
            als_analysis_bucket_type(state->analysis, state->bucket, state->type++);
        json_field_u64(writer, type.name, type.count);
        return;
    }
    json_close_object(writer);
    json_close_object(writer);
    state->in_bucket = false;
    state->bucket++;
    state->type = 0;
}

// Adds to the buffer until the chunk is full or the answer is complete; false: no memory.
static bool put_chunk(struct analytics_call *state, struct buf *buf)
{
    struct als_frequency frequency = als_analysis_frequency(state->analysis);
    state->writer.buf = buf;
    while (!state->ended && buf->len < CHUNK_BYTES && !buf_failed(buf))
        put_step(state, &frequency);
    return !buf_failed(buf);
}

static enum http_pull frequency_next(void *context, struct buf *buf)
{
    struct analytics_call *state = context;
    if (state->begun.len) {
        buf_put_str(buf, state->begun);
        state->begun = S("");
        return buf_failed(buf) ? HTTP_ABORT : HTTP_MORE;
    }
    if (!put_chunk(state, buf)) {
        LOG_LINE(LOG_ERROR, "answer cut short", "code=%s", err_code(ALS_NO_MEMORY));
        return HTTP_ABORT;
    }
    return state->ended ? HTTP_END : HTTP_MORE;
}

static void frequency_close(void *context)
{
    analysis_over(context, ALS_OK);
}

static void answer_frequency(struct analytics_call *state)
{
    struct call *call = state->call;
    struct buf *out = http_out(call->request);
    state->writer = reply_writer(call);
    json_open_object(&state->writer);
    json_key(&state->writer, S("buckets"));
    json_open_array(&state->writer);
    if (!put_chunk(state, out) || state->ended) {
        analysis_over(state, ALS_OK);
        reply_json(call, 200);
        return;
    }
    // The request's buffer becomes the stream's own, so what is in it moves to the arena.
    state->begun = arena_copy(call->arena, buf_str(out));
    if (state->begun.ptr) {
        http_answer_stream(
            call->request,
            (struct http_answer){.status = 200, .content_type = S("application/json")},
            (struct http_source){frequency_next, frequency_close, state});
        return;
    }
    struct als_why why;
    err_explain(&why, "the answer takes more memory than a request has");
    analysis_over(state, ALS_TOO_LARGE);
    reply_error(call, ALS_TOO_LARGE, &why);
}

// ---- Summary

static void put_top(struct json_writer *writer, str list, str name_key,
                    const struct als_summary_names *names, uint64_t total)
{
    json_key(writer, list);
    json_open_array(writer);
    for (size_t i = 0; i < names->top_count; i++) {
        const struct als_counted *top = &names->top[i];
        json_open_object(writer);
        json_field_string(writer, name_key, top->name);
        json_field_u64(writer, S("count"), top->count);
        put_double(writer, S("percentage"), percent_of(top->count, total));
        if (top->error)
            json_field_u64(writer, S("count_error_max"), top->error);
        json_close_object(writer);
    }
    json_close_array(writer);
}

// What is not exact is named.
static void put_exactness(struct json_writer *writer, const struct als_summary *summary)
{
    bool exact = summary->entities.exact && summary->types.exact;
    json_key(writer, S("exact"));
    json_put_bool(writer, exact);
    if (exact)
        return;
    const struct als_summary_names *estimate =
        summary->entities.exact ? &summary->types : &summary->entities;
    json_key(writer, S("approximate"));
    json_open_array(writer);
    if (!summary->entities.exact) {
        json_put_string(writer, S("unique_entities"));
        json_put_string(writer, S("top_entities"));
    }
    if (!summary->types.exact) {
        json_put_string(writer, S("unique_event_types"));
        json_put_string(writer, S("top_event_types"));
    }
    json_close_array(writer);
    put_double(writer, S("standard_error_percent"), estimate->error_percent);
}

static double events_per_day(const struct als_summary *summary)
{
    const int64_t day_us = INT64_C(86400) * 1000000;
    int64_t days = (summary->last_us - summary->first_us) / day_us;
    return (double)summary->total / (double)(days > 1 ? days : 1);
}

static void answer_summary(struct analytics_call *state)
{
    struct call *call = state->call;
    struct als_summary summary = als_analysis_summary(state->analysis);
    if (summary.total == 0) {
        struct als_why why;
        err_explain(&why, "No events found for the specified criteria");
        analysis_over(state, ALS_VALIDATION);
        reply_error(call, ALS_VALIDATION, &why);
        return;
    }
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_field_u64(&writer, S("total_events"), summary.total);
    json_field_u64(&writer, S("unique_entities"), summary.entities.unique);
    json_field_u64(&writer, S("unique_event_types"), summary.types.unique);
    put_range(&writer, summary.first_us, summary.last_us);
    put_double(&writer, S("events_per_day"), events_per_day(&summary));
    put_top(&writer, S("top_event_types"), S("event_type"), &summary.types, summary.total);
    put_top(&writer, S("top_entities"), S("entity_id"), &summary.entities, summary.total);
    put_time(&writer, S("first_event"), summary.first_us);
    put_time(&writer, S("last_event"), summary.last_us);
    put_exactness(&writer, &summary);
    json_field_u64(&writer, S("position"), als_analysis_position(state->analysis));
    json_close_object(&writer);
    analysis_over(state, ALS_OK);
    reply_json(call, 200);
}

// ---- Correlation

static void put_examples(struct json_writer *writer, const struct als_correlation *correlation)
{
    json_key(writer, S("examples"));
    json_open_array(writer);
    for (size_t i = 0; i < correlation->example_count; i++) {
        const struct als_pair *pair = &correlation->examples[i];
        int64_t apart_us =
            pair->a_us < pair->b_us ? pair->b_us - pair->a_us : pair->a_us - pair->b_us;
        json_open_object(writer);
        json_field_string(writer, S("entity_id"), pair->entity);
        put_time(writer, S("event_a_timestamp"), pair->a_us);
        put_time(writer, S("event_b_timestamp"), pair->b_us);
        json_field_u64(writer, S("time_between_seconds"), (uint64_t)apart_us / 1000000);
        json_close_object(writer);
    }
    json_close_array(writer);
}

static void answer_correlation(struct analytics_call *state)
{
    struct als_correlation correlation = als_analysis_correlation(state->analysis);
    struct json_writer writer = reply_writer(state->call);
    json_open_object(&writer);
    json_field_string(&writer, S("event_type_a"), state->query.type_a);
    json_field_string(&writer, S("event_type_b"), state->query.type_b);
    json_field_u64(&writer, S("total_a"), correlation.total_a);
    json_field_u64(&writer, S("total_b"), correlation.total_b);
    json_field_u64(&writer, S("correlated_pairs"), correlation.pairs);
    put_double(&writer, S("correlation_percentage"),
               percent_of(correlation.paired_a, correlation.total_a));
    put_double(&writer, S("avg_time_between_seconds"), correlation.mean_seconds);
    put_examples(&writer, &correlation);
    json_field_u64(&writer, S("correlated_a"), correlation.paired_a);
    json_field_u64(&writer, S("position"), als_analysis_position(state->analysis));
    json_close_object(&writer);
    analysis_over(state, ALS_OK);
    reply_json(state->call, 200);
}

// ---- The question

static void answer(struct call *call)
{
    struct analytics_call *state = call->state;
    struct als_why why = {""};
    err code = als_analysis_outcome(state->analysis, &why);
    if (code) {
        analysis_over(state, code);
        reply_error(call, code, &why);
        return;
    }
    switch (state->query.kind) {
    case ALS_FREQUENCY:
        answer_frequency(state);
        return;
    case ALS_SUMMARY:
        answer_summary(state);
        return;
    case ALS_CORRELATION:
        answer_correlation(state);
        return;
    }
}

static void done(void *context)
{
    call_continue(context);
}

static void client_gone(void *context, struct http_request *request)
{
    (void)context;
    const struct call *call = http_user(request);
    const struct analytics_call *state = call->state;
    als_analysis_cancel(state->analysis);
}

static void refuse(struct call *call, err code, struct flaw *flaw)
{
    if (code == ALS_INVALID_QUERY) { // the one thing that the engine has against a checked question
        (void)snprintf(flaw->field, sizeof flaw->field, "window");
        flaw->limit = ANALYSIS_BUCKETS_MAX;
    }
    reply_flaw(call, code, flaw);
}

static void begin_analysis(struct call *call)
{
    struct analytics_call *state = call->state;
    struct flaw flaw = {};
    state->query.tenant = state->reading.tenant;
    call->then = answer;
    http_on_hangup(call->request, client_gone);
    metrics_change(call->server->metrics, METRIC_analyses_under_way, 1);
    err code = als_analysis_start(call->server->als, &state->query, done, call, &state->analysis,
                                  &flaw.why);
    if (code == ALS_OK)
        return; // answer() has it
    analysis_over(state, code);
    refuse(call, code, &flaw);
}

static err missing(struct flaw *flaw, str field)
{
    return flaw_set(flaw, ALS_BAD_PARAMETER, field, "missing field `%.*s`", STR(field));
}

static err read_frequency(const struct params *params, struct als_analysis_query *query,
                          struct flaw *flaw)
{
    unsigned window = UINT32_MAX;
    TRY(param_choice(params, S("window"), windows, &window, flaw));
    if (query->since_us == ALS_TIME_UNSET)
        return missing(flaw, S("since"));
    if (window == UINT32_MAX)
        return missing(flaw, S("window"));
    query->window = (enum als_window)window;
    return ALS_OK;
}

static err read_correlation(const struct params *params, struct als_analysis_query *query,
                            struct flaw *flaw)
{
    uint64_t within = UINT64_MAX;
    TRY(param_text(params, S("event_type_a"), &query->type_a, flaw));
    TRY(param_text(params, S("event_type_b"), &query->type_b, flaw));
    TRY(param_u64(params, S("time_window_seconds"), INT64_MAX, &within, flaw));
    if (!query->type_a.ptr)
        return missing(flaw, S("event_type_a"));
    if (!query->type_b.ptr)
        return missing(flaw, S("event_type_b"));
    if (within == UINT64_MAX)
        return missing(flaw, S("time_window_seconds"));
    query->within_seconds = within;
    return ALS_OK;
}

static err read_question(struct analytics_call *state, enum als_analysis_kind kind,
                         struct flaw *flaw)
{
    const struct params *params = &state->reading.params;
    struct als_analysis_query *query = &state->query;
    *query = (struct als_analysis_query)ALS_ANALYSIS_QUERY_INIT;
    query->kind = kind;
    query->since_us = ALS_TIME_UNSET;
    if (kind == ALS_FREQUENCY)
        query->until_us = ALS_TIME_UNSET; // now
    TRY(filter_read_names(params, &state->filter, flaw));
    query->entity = state->filter.query.entity;
    query->types = state->filter.types;
    query->type_count = state->filter.query.type_count;
    TRY(param_time(params, S("since"), &query->since_us, flaw));
    TRY(param_time(params, S("until"), &query->until_us, flaw));
    if (kind == ALS_FREQUENCY)
        return read_frequency(params, query, flaw);
    if (query->since_us == ALS_TIME_UNSET)
        query->since_us = ALS_TIME_MIN;
    return kind == ALS_CORRELATION ? read_correlation(params, query, flaw) : ALS_OK;
}

static void begin(struct call *call, enum als_analysis_kind kind)
{
    struct flaw flaw = {};
    struct analytics_call *state = call_state_new(call, sizeof *state);
    if (!state || !reading_begin(call, &state->reading, &flaw))
        return;
    state->call = call;
    err code = read_question(state, kind, &flaw);
    if (code)
        reply_flaw(call, code, &flaw);
    else
        reading_wait(call, &state->reading, begin_analysis);
}

void analytics_frequency(struct call *call)
{
    begin(call, ALS_FREQUENCY);
}

void analytics_summary(struct call *call)
{
    begin(call, ALS_SUMMARY);
}

void analytics_correlation(struct call *call)
{
    begin(call, ALS_CORRELATION);
}
