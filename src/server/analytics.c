// SPDX-License-Identifier: Apache-2.0
// GET /api/v1/analytics/frequency, /summary and /correlation.
//
// The engine looks at the events on threads of its own; meanwhile the request waits without one.
// When its client goes away the analysis is given up. A frequency is printed as fast as the client
// reads; the others are short.
#include "base/limits.h"
#include "base/log.h"
#include "http/http.h"
#include "metrics/metrics.h"
#include "server/analytics_json.h"
#include "server/filter.h"
#include "server/reading.h"
#include "server/reply.h"

#include <stdio.h>

static const str kinds[] = {[ALS_FREQUENCY] = {"frequency", 9},
                            [ALS_SUMMARY] = {"summary", 7},
                            [ALS_CORRELATION] = {"correlation", 11}};
struct analytics_call {
    struct call *call;
    struct reading reading;
    struct filter filter;
    struct als_analysis_query query;
    struct als_analysis *analysis; // NULL before it is started and after it is closed

    struct frequency_print print;
    str begun; // the first chunk of a frequency, once the answer is a stream
};

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

static enum http_pull frequency_next(void *context, struct buf *buf)
{
    struct analytics_call *state = context;
    if (state->begun.len) {
        buf_put_str(buf, state->begun);
        state->begun = S("");
        return buf_failed(buf) ? HTTP_ABORT : HTTP_MORE;
    }
    if (!frequency_print_chunk(&state->print, buf)) {
        LOG_LINE(LOG_ERROR, "answer cut short", "code=%s", err_code(ALS_NO_MEMORY));
        return HTTP_ABORT;
    }
    return state->print.ended ? HTTP_END : HTTP_MORE;
}

static void frequency_close(void *context)
{
    analysis_over(context, ALS_OK);
}

static void answer_frequency(struct analytics_call *state)
{
    struct call *call = state->call;
    struct buf *out = http_out(call->request);
    buf_reset(out);
    frequency_print_begin(&state->print, state->analysis, state->query.window, out);
    if (!frequency_print_chunk(&state->print, out) || state->print.ended) {
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

static void answer_summary(struct analytics_call *state)
{
    struct call *call = state->call;
    if (als_analysis_summary(state->analysis).total == 0) {
        struct als_why why;
        err_explain(&why, "No events found for the specified criteria");
        analysis_over(state, ALS_VALIDATION);
        reply_error(call, ALS_VALIDATION, &why);
        return;
    }
    struct json_writer writer = reply_writer(call);
    summary_put(&writer, state->analysis);
    analysis_over(state, ALS_OK);
    reply_json(call, 200);
}

// ---- Correlation

static void answer_correlation(struct analytics_call *state)
{
    struct json_writer writer = reply_writer(state->call);
    correlation_put(&writer, state->analysis, state->query.type_a, state->query.type_b);
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
    TRY(param_choice(params, S("window"), window_names, &window, flaw));
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
