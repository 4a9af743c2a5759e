// SPDX-License-Identifier: Apache-2.0
#include "server/rows.h"

#include "base/log.h"
#include "http/http.h"
#include "metrics/metrics.h"
#include "server/reply.h"
#include "server/shape.h"

struct rows *rows_open(struct call *call, struct als_query query)
{
    struct rows *rows = call_state_new(call, sizeof *rows);
    if (!rows)
        return NULL;
    *rows =
        (struct rows){.call = call, .limit = query.limit, .content_type = S("application/json")};
    if (query.limit != UINT64_MAX)
        query.limit++;
    struct als_why why = {""};
    err code = als_query_open(call->server->als, &query, &rows->cursor, &why);
    if (code) {
        reply_error(call, code, &why);
        return NULL;
    }
    return rows;
}

static str query_type(const struct rows *rows)
{
    switch (als_cursor_path(rows->cursor)) {
    case ALS_PATH_ENTITY:
        return S("entity");
    case ALS_PATH_TYPE:
        return S("type");
    case ALS_PATH_ID:
        return S("id");
    case ALS_PATH_SCAN:
        break;
    }
    return S("full_scan");
}

static void rows_close(void *context)
{
    struct rows *rows = context;
    if (rows->metered) {
        struct metrics *metrics = rows->call->server->metrics;
        str type = query_type(rows);
        metrics_add(metrics, METRIC_queries_total, 1, &type);
        metrics_add(metrics, METRIC_query_results_total, rows->count, &type);
        metrics_observe_ns(metrics, METRIC_query_duration_seconds, call_age_ns(rows->call), &type);
    }
    als_cursor_close(rows->cursor);
    als_upcaster_close(rows->upcaster);
}

static err put_row(struct rows *rows, struct buf *buf, const struct als_event *event,
                   struct als_why *why)
{
    if (rows->upcaster)
        return shape_put(rows->upcaster, event, buf, why);
    rows->put(buf, event);
    return ALS_OK;
}

// Adds events until the chunk is full. *ret_more is false when the answer is complete.
static err fill(struct rows *rows, struct buf *buf, bool *ret_more, struct als_why *why)
{
    while (buf->len < ROWS_CHUNK_BYTES) {
        struct als_event event;
        TRY(als_cursor_next(rows->cursor, &event, why));
        rows->cut = event.position != 0 && rows->count == rows->limit;
        if (event.position == 0 || rows->cut) {
            if (rows->put_tail)
                rows->put_tail(rows, buf);
            *ret_more = false;
            return buf_failed(buf) ? FAIL(why, ALS_NO_MEMORY, "no buffer for the answer") : ALS_OK;
        }
        if (rows->count && !rows->lines)
            buf_put_char(buf, ',');
        TRY(put_row(rows, buf, &event, why));
        if (rows->lines)
            buf_put_char(buf, '\n');
        rows->count++;
        rows->last = event.position;
        if (buf_failed(buf))
            return FAIL(why, ALS_NO_MEMORY, "no buffer for the answer");
    }
    *ret_more = true;
    return ALS_OK;
}

static enum http_pull rows_next(void *context, struct buf *buf)
{
    struct rows *rows = context;
    if (rows->begun.len) {
        buf_put_str(buf, rows->begun);
        rows->begun = S("");
        return buf_failed(buf) ? HTTP_ABORT : HTTP_MORE;
    }
    struct als_why why = {""};
    bool more;
    err code = fill(rows, buf, &more, &why);
    if (code == ALS_OK)
        return more ? HTTP_MORE : HTTP_END;
    char words[LOG_QUOTED_MAX];
    LOG_LINE(LOG_ERROR, "answer cut short", "code=%s why=%s", err_code(code),
             log_quoted(str_of(why.text), words));
    reply_note_failure(rows->call, code);
    return HTTP_ABORT;
}

// The request's buffer becomes the stream's own, so what is in it moves to the arena.
static void answer_stream(struct rows *rows, struct http_answer answer)
{
    struct call *call = rows->call;
    rows->begun = arena_copy(call->arena, buf_str(http_out(call->request)));
    if (rows->begun.ptr) {
        http_answer_stream(call->request, answer,
                           (struct http_source){rows_next, rows_close, rows});
        return;
    }
    rows_close(rows);
    struct als_why why;
    err_explain(&why, "the answer takes more memory than a request has");
    reply_error(call, ALS_TOO_LARGE, &why);
}

void rows_answer(struct rows *rows)
{
    struct als_why why = {""};
    struct call *call = rows->call;
    struct buf *out = http_out(call->request);
    struct http_answer answer = {.status = 200, .content_type = rows->content_type};
    bool more = false;
    err code = fill(rows, out, &more, &why);
    if (code == ALS_OK && more) {
        answer_stream(rows, answer);
        return;
    }
    rows_close(rows);
    answer.body = buf_str(out);
    if (code)
        reply_error(call, code, &why);
    else
        http_answer(call->request, answer);
}
