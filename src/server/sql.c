// SPDX-License-Identifier: Apache-2.0
// POST /api/v1/sql: one SELECT over a tenant's events at one position.
//
// The view is pinned, the question is sent to a worker process, and what comes back is handed on as
// it is: the worker prints the rows. The first 64 KiB are held back, so that a query that fails
// early is answered with its proper status and a short answer has a length; then the rest is
// streamed as fast as the client reads, and the process waits when he does not. When the client
// goes away, or the time is over, the process ends.
#include "sql/sql.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/time.h"
#include "http/http.h"
#include "metrics/metrics.h"
#include "server/reading.h"
#include "server/reply.h"
#include "server/sql_pool.h"

#include <stdlib.h>
#include <strings.h>

enum { CHUNK_BYTES = 64 << 10, WORDS_MAX = 512 };
#define ANSWER_BYTES_MAX GIB(1)

struct sql_call {
    struct worker_job job; // first: tell() hands it back
    struct call *call;
    struct reading reading;
    struct sql_question question;
    struct als_files *files;
    struct buf message;
    bool asked;     // the job is lent to the pool
    bool streaming; // the answer has begun
    bool whole;     // the worker has said all, and may be used again
    str begun;      // the first chunk, once the answer is a stream

    uint8_t head[SQL_HEAD_BYTES]; // of the frame that is being read
    size_t head_len;
    struct sql_frame frame;
    uint32_t left; // of its content
    char words[WORDS_MAX];
    size_t words_len;
    err code; // how it ended
    struct als_why why;
};

static const struct {
    const char *type;
    enum sql_format format;
} formats[] = {
    {"application/vnd.apache.arrow.stream", SQL_ARROW},
    {"text/csv", SQL_CSV},
    {"application/x-ndjson", SQL_LINES},
    {"application/json", SQL_JSON},
};

static enum sql_format format_of(struct call *call)
{
    str accept = http_header(call->request, S("Accept"));
    for (; accept.len; accept = str_from(accept, 1))
        for (size_t i = 0; i < COUNT_OF(formats); i++)
            if (accept.len >= strlen(formats[i].type) &&
                strncasecmp(accept.ptr, formats[i].type, strlen(formats[i].type)) == 0)
                return formats[i].format;
    return SQL_JSON;
}

static str type_of(enum sql_format format)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++)
        if (formats[i].format == format)
            return str_of(formats[i].type);
    return S("application/json");
}

// ---- The end. Once for each call, before or after the answer.

static void sql_finish(struct sql_call *sql)
{
    struct call *call = sql->call;
    if (sql->asked)
        worker_end(call->server->sql->workers, &sql->job, sql->whole);
    sql->asked = false;
    als_files_close(sql->files);
    sql->files = NULL;
    buf_deinit(&sql->message);
    str result = sql->code ? str_of(err_code(sql->code)) : S("ok");
    metrics_add(call->server->metrics, METRIC_sql_queries_total, 1, &result);
    metrics_observe_ns(call->server->metrics, METRIC_sql_query_duration_seconds, call_age_ns(call),
                       NULL);
}

static void fail(struct sql_call *sql, err code, const struct als_why *why)
{
    sql->code = code;
    struct als_why words = *why; // `why` may be the call's own
    sql_finish(sql);
    reply_error(sql->call, code, &words);
}

// ---- What the worker says.

enum pumped {
    PUMP_MORE, // the buffer is full
    PUMP_WAIT, // will be told
    PUMP_END,
    PUMP_FAILED, // sql->code and sql->why say it
};

static enum pumped failed(struct sql_call *sql, err code, const char *words)
{
    sql->code = code;
    err_explain(&sql->why, "%s", words);
    return PUMP_FAILED;
}

static enum pumped process_over(struct sql_call *sql)
{
    switch (worker_fate(sql->call->server->sql->workers, &sql->job)) {
    case WORKER_LATE:
        sql->code = ALS_TIMEOUT;
        err_explain(&sql->why, "the query took longer than %u ms", sql->question.time_ms_max);
        return PUMP_FAILED;
    case WORKER_MISSING:
        return failed(
            sql, ALS_UNSUPPORTED,
            "SQL needs the program allsource-sql beside the server (or --sql-program) and "
            "DuckDB's libduckdb.so; install both or build with ALLSOURCE_SQL=ON");
    case WORKER_STOPPED:
        return failed(sql, ALS_NOT_READY, "the server is stopping");
    case WORKER_DIED:
    case WORKER_UNKNOWN:
        break;
    }
    return failed(sql, ALS_WORKER_DIED,
                  "the process that ran the query died, most likely because it needs more memory "
                  "than --sql-memory-bytes; nothing else was affected");
}

// The content of a frame is there. PUMP_MORE: go on with the next.
static enum pumped frame_done(struct sql_call *sql)
{
    sql->head_len = 0;
    if (sql->frame.kind == SQL_END) {
        sql->whole = true;
        return PUMP_END;
    }
    if (sql->frame.kind == SQL_FAILED) {
        sql->code = sql_failure_read((str){sql->words, sql->words_len}, &sql->why);
        sql->whole = sql->code == ALS_INVALID_QUERY; // after others the process ends itself
        return PUMP_FAILED;
    }
    return sql->frame.kind == SQL_ASK ? failed(sql, ALS_INTERNAL, "the SQL worker asked")
                                      : PUMP_MORE;
}

// Where the next bytes go, and at most how many.
static char *target_of(struct sql_call *sql, struct buf *buf, size_t *ret_size)
{
    if (sql->head_len < SQL_HEAD_BYTES) {
        *ret_size = SQL_HEAD_BYTES - sql->head_len;
        return (char *)sql->head + sql->head_len;
    }
    if (sql->frame.kind == SQL_DATA) {
        *ret_size = sql->left;
        return buf_room(buf, sql->left);
    }
    *ret_size = sizeof sql->words - sql->words_len;
    if (*ret_size > sql->left)
        *ret_size = sql->left;
    return *ret_size ? sql->words + sql->words_len : NULL;
}

static bool took(struct sql_call *sql, struct buf *buf, size_t count)
{
    if (sql->head_len < SQL_HEAD_BYTES) {
        sql->head_len += count;
        if (sql->head_len < SQL_HEAD_BYTES)
            return true;
        if (!sql_head_read(sql->head, &sql->frame))
            return false;
        sql->left = sql->frame.size;
        sql->words_len = 0;
        return true;
    }
    sql->left -= (uint32_t)count;
    if (sql->frame.kind == SQL_DATA)
        buf_grew(buf, count);
    else
        sql->words_len += count;
    return true;
}

static enum pumped pump(struct sql_call *sql, struct buf *buf)
{
    while (buf->len < CHUNK_BYTES) {
        if (sql->head_len == SQL_HEAD_BYTES && sql->left == 0) {
            enum pumped pumped = frame_done(sql);
            if (pumped != PUMP_MORE)
                return pumped;
            continue;
        }
        size_t size = 0, count = 0;
        char *target = target_of(sql, buf, &size);
        if (!target)
            return failed(sql, ALS_INTERNAL, "no room for what the SQL worker says");
        switch (worker_read(sql->call->server->sql->workers, &sql->job, target, size, &count)) {
        case WORKER_SOME:
            if (!took(sql, buf, count))
                return failed(sql, ALS_INTERNAL, "the SQL worker does not speak our language");
            break;
        case WORKER_NOTHING:
            return PUMP_WAIT;
        case WORKER_OVER:
            return process_over(sql);
        }
    }
    return PUMP_MORE;
}

// ---- The answer.

static enum http_pull sql_next(void *context, struct buf *buf)
{
    struct sql_call *sql = context;
    if (sql->begun.len) {
        buf_put_str(buf, sql->begun);
        sql->begun = S("");
        return buf_failed(buf) ? HTTP_ABORT : HTTP_MORE;
    }
    char words[LOG_QUOTED_MAX];
    switch (pump(sql, buf)) {
    case PUMP_MORE:
        return HTTP_MORE;
    case PUMP_WAIT:
        return buf->len ? HTTP_MORE : HTTP_WAIT;
    case PUMP_END:
        return HTTP_END;
    case PUMP_FAILED:
        break;
    }
    LOG_LINE(LOG_WARN, "sql answer cut short", "code=%s why=%s", err_code(sql->code),
             log_quoted(str_of(sql->why.text), words));
    return HTTP_ABORT;
}

static void sql_close(void *context)
{
    struct sql_call *sql = context;
    if (!sql->whole && sql->code == ALS_OK)
        sql->code = ALS_NOT_READY; // the client went away
    sql_finish(sql);
}

static void answer_stream(struct sql_call *sql)
{
    struct call *call = sql->call;
    struct als_why why;
    sql->begun = arena_copy(call->arena, buf_str(http_out(call->request)));
    if (!sql->begun.ptr) {
        err_explain(&why, "the answer takes more memory than a request has");
        fail(sql, ALS_TOO_LARGE, &why);
        return;
    }
    sql->streaming = true;
    http_answer_stream(
        call->request,
        (struct http_answer){.status = 200, .content_type = type_of(sql->question.format)},
        (struct http_source){sql_next, sql_close, sql});
}

// Something has come. The first chunk gathers in the request's buffer.
static void go_on(struct call *call)
{
    struct sql_call *sql = call->state;
    struct buf *out = http_out(call->request);
    switch (pump(sql, out)) {
    case PUMP_WAIT:
        return; // and comes again
    case PUMP_FAILED:
        fail(sql, sql->code, &sql->why);
        return;
    case PUMP_MORE:
        answer_stream(sql);
        return;
    case PUMP_END:
        break;
    }
    sql_finish(sql);
    http_answer(call->request, (struct http_answer){.status = 200,
                                                    .content_type = type_of(sql->question.format),
                                                    .body = buf_str(out)});
}

// ---- The question.

static void tell(struct worker_job *job)
{
    struct sql_call *sql = (struct sql_call *)job;
    if (sql->streaming)
        http_wake(sql->call->request);
    else
        call_continue(sql->call);
}

static void client_gone(void *context, struct http_request *request)
{
    (void)context;
    struct call *call = http_user(request);
    struct sql_call *sql = call->state;
    if (sql->asked)
        worker_cancel(call->server->sql->workers, &sql->job);
}

static err list_files(struct sql_call *sql, struct als_files_view view, struct als_why *why)
{
    struct sql_file *files = ARENA_ARRAY(sql->call->arena, struct sql_file, view.count);
    if (!files || view.count > SQL_FILES_MAX)
        return FAIL(why, ALS_TOO_LARGE, "the tenant has too many files, %zu", view.count);
    for (size_t i = 0; i < view.count; i++) {
        const struct als_file *file = &view.files[i];
        files[i] = (struct sql_file){.path = file->path,
                                     .first = file->first,
                                     .last = file->last,
                                     .rows = file->rows,
                                     .least_us = file->least_us,
                                     .greatest_us = file->greatest_us};
    }
    sql->question.files = files;
    sql->question.file_count = view.count;
    return ALS_OK;
}

// A tenant without events has no directory; its worker is told so and can read nothing.
#define NO_DIRECTORY S("-")

static err ask(struct sql_call *sql, struct als_why *why)
{
    struct call *call = sql->call;
    TRY(als_files_open(call->server->als, sql->reading.tenant, &sql->files, why));
    struct als_files_view view = als_files_view(sql->files);
    TRY(list_files(sql, view, why));
    struct sql_question *question = &sql->question;
    question->directory = view.directory.len ? view.directory : NO_DIRECTORY;
    question->sealed = view.sealed;
    if (view.position < question->position)
        question->position = view.position;
    sql_question_put(&sql->message, question);
    if (buf_failed(&sql->message))
        return FAIL(why, ALS_TOO_LARGE, "the question for the SQL worker is too large");
    sql->job.key = question->directory;
    sql->job.message = buf_str(&sql->message);
    sql->job.time_ms = question->time_ms_max;
    sql->job.tell = tell;
    call->then = go_on;
    TRY(worker_ask(call->server->sql->workers, &sql->job, why));
    sql->asked = true;
    return ALS_OK;
}

static void open_question(struct call *call)
{
    struct sql_call *sql = call->state;
    struct als_why why = {""};
    buf_init(&sql->message, SQL_QUESTION_BYTES_MAX);
    buf_reset(http_out(call->request));
    http_on_hangup(call->request, client_gone);
    err code = ask(sql, &why);
    if (code)
        fail(sql, code, &why);
}

static err read_question(struct call *call, struct sql_call *sql, struct flaw *flaw)
{
    const struct sql_pool *pool = call->server->sql;
    const struct params *params = &sql->reading.params;
    struct sql_question *question = &sql->question;
    uint64_t rows = UINT64_MAX, time_ms = pool->ms_max;
    question->as_of_us = INT64_MAX;
    question->position = 0;
    TRY(param_text(params, S("query"), &question->query, flaw));
    TRY(param_time(params, S("as_of"), &question->as_of_us, flaw));
    TRY(param_u64(params, S("as_of_position"), UINT64_MAX, &question->position, flaw));
    TRY(param_u64(params, S("limit"), pool->rows_max, &rows, flaw));
    TRY(param_u64(params, S("timeout_ms"), pool->ms_max, &time_ms, flaw));
    if (question->query.len == 0)
        return flaw_set(flaw, ALS_INVALID_QUERY, S("query"), "`query` is missing or empty");
    if (question->query.len > SQL_QUERY_BYTES_MAX) {
        err code = flaw_set(flaw, ALS_TOO_LARGE, S("query"), "`query` has %zu bytes, at most %d",
                            question->query.len, SQL_QUERY_BYTES_MAX);
        flaw->limit = SQL_QUERY_BYTES_MAX;
        return code;
    }
    if (question->position == 0)
        question->position = UINT64_MAX; // no bound
    question->rows_cut = rows != UINT64_MAX;
    question->rows_max = question->rows_cut ? rows : pool->rows_max;
    question->time_ms_max = (uint32_t)time_ms;
    question->bytes_max = ANSWER_BYTES_MAX;
    question->format = format_of(call);
    return ALS_OK;
}

void sql_query(struct call *call)
{
    struct flaw flaw = {};
    struct sql_call *sql = call_state_new(call, sizeof *sql);
    if (!sql || !reading_begin(call, &sql->reading, &flaw))
        return;
    sql->call = call;
    err code = ALS_UNSUPPORTED;
    if (call->server->sql)
        code = read_question(call, sql, &flaw);
    else
        code = flaw_set(&flaw, code, S(""), "SQL is switched off here: --sql-workers is 0");
    if (code) {
        reply_flaw(call, code, &flaw);
        return;
    }
    reading_wait(call, &sql->reading, open_question);
}
