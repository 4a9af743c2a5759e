// SPDX-License-Identifier: Apache-2.0
// One question, from its bytes to the last frame of its answer.
//
// Parse, check, plan, make the view, prepare, run, print. The text that is prepared is the text
// whose tree was checked, by the same parser. The answer is printed as DuckDB makes the rows and
// written as the server takes the bytes, so it takes the memory of one chunk however long it is.
#include "inside.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "json/json.h"

#include <inttypes.h>
#include <time.h>

enum { FLUSH_BYTES = SQL_DATA_BYTES - (4 << 10) };
#define ROW_BYTES_MAX MIB(64) // printed
#define STATEMENT_BYTES_MAX MIB(32)

struct answering {
    struct worker *worker;
    struct result result;
    struct buf buf;
    uint64_t bytes; // written
    bool begun;
    bool gone; // the server
    uint64_t began_ns;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// ---- What DuckDB says when it fails.

static err code_of(duckdb_error_type type)
{
    switch (type) {
    case DUCKDB_ERROR_OUT_OF_MEMORY:
        return ALS_TOO_LARGE;
    case DUCKDB_ERROR_INTERRUPT:
        return ALS_TIMEOUT;
    case DUCKDB_ERROR_IO:
    case DUCKDB_ERROR_INTERNAL:
    case DUCKDB_ERROR_FATAL:
        return ALS_INTERNAL;
    default:
        return ALS_INVALID_QUERY;
    }
}

// The message without the kind of error before it, which the code tells, and on one line.
static err failed(const char *message, duckdb_error_type type, struct als_why *why)
{
    str text = str_of(message), kind = text;
    str rest = str_from(text, str_find(text, ':'));
    kind.len -= rest.len;
    if (rest.len > 1 && str_ends(kind, S("Error")))
        text = str_trim(str_from(rest, 1));
    err code = code_of(type);
    if (code == ALS_TOO_LARGE)
        err_explain(why, "the query needs more memory than a worker has (--sql-memory-bytes): %.*s",
                    STR(str_first(text, str_find(text, '\n'))));
    else
        err_explain(why, "%.*s", STR(text));
    for (char *at = why->text; *at; at++)
        if (*at == '\n')
            *at = ' ';
    return code;
}

static err result_failed(duckdb_result *result, struct als_why *why)
{
    const char *message = duckdb_result_error(result);
    return failed(message ? message : "the query failed", duckdb_result_error_type(result), why);
}

// ---- Parse and check.

static err parse(struct worker *worker, str query, str *ret_tree, struct als_why *why)
{
    if (memchr(query.ptr, 0, query.len))
        return FAIL(why, ALS_INVALID_QUERY, "a query cannot hold the character NUL");
    duckdb_result result;
    err code = ALS_OK;
    if (duckdb_bind_varchar_length(worker->parse, 1, query.ptr, query.len) != DuckDBSuccess)
        return FAIL(why, ALS_INTERNAL, "the query cannot be handed over");
    if (duckdb_execute_prepared(worker->parse, &result) != DuckDBSuccess) {
        code = result_failed(&result, why);
    } else {
        char *text = duckdb_value_varchar(&result, 0, 0);
        str tree = arena_copy(&worker->arena, str_of(text));
        duckdb_free(text);
        if (tree.ptr)
            *ret_tree = tree;
        else
            code = FAIL(why, ALS_TOO_LARGE, "the query is too large");
    }
    duckdb_destroy_result(&result);
    return code;
}

static err make_views(struct worker *worker, const struct result *result,
                      const struct checked *checked, struct als_why *why)
{
    if (!checked->events_uses && !checked->entities)
        return ALS_OK;
    struct buf buf;
    buf_init(&buf, STATEMENT_BYTES_MAX);
    plan_put_events(result->plan, result->question, &buf);
    buf_put_char(&buf, '\0');
    err code = ALS_OK;
    if (buf_failed(&buf))
        code = FAIL(why, ALS_TOO_LARGE, "there are too many files");
    else
        code = worker_say(worker, buf.ptr, why);
    buf_deinit(&buf);
    if (code == ALS_OK && checked->entities)
        code = worker_say(worker, plan_entities, why);
    return code;
}

static err prepare(struct answering *self, struct plan *plan, duckdb_prepared_statement *ret_made,
                   struct als_why *why)
{
    struct worker *worker = self->worker;
    const struct sql_question *question = self->result.question;
    struct json_options options = {.depth_max = JSON_DEPTH_CAP, .span_depth = UINT32_MAX};
    struct json_doc tree;
    struct checked checked;
    str text;
    TRY(parse(worker, question->query, &text, why));
    if (json_parse(text, options, &worker->arena, &tree, NULL, NULL) != ALS_OK)
        return FAIL(why, ALS_INVALID_QUERY, "the query is nested too deeply or too large");
    TRY(check_tree(&tree, &worker->arena, &checked, why));
    TRY(plan_make(&tree, &checked, question, &worker->arena, plan, why));
    TRY(live_open(&worker->live, question->directory, plan, why));
    self->result.plan = plan;
    TRY(make_views(worker, &self->result, &checked, why));
    char *query = ARENA_ARRAY(&worker->arena, char, question->query.len + 1);
    if (!query)
        return FAIL(why, ALS_TOO_LARGE, "the query is too large");
    memcpy(query, question->query.ptr, question->query.len);
    query[question->query.len] = '\0';
    if (duckdb_prepare(worker->connection, query, ret_made) != DuckDBSuccess)
        return failed(duckdb_prepare_error(*ret_made), DUCKDB_ERROR_BINDER, why);
    if (duckdb_prepared_statement_type(*ret_made) != DUCKDB_STATEMENT_TYPE_SELECT ||
        duckdb_nparams(*ret_made) != 0)
        return FAIL(why, ALS_INVALID_QUERY, "only SELECT without parameters is answered");
    return ALS_OK;
}

// ---- Writing.

bool frame_write(int socket, enum sql_kind kind, str content)
{
    uint8_t head[SQL_HEAD_BYTES];
    sql_head_put((struct sql_frame){kind, (uint32_t)content.len}, head);
    str parts[] = {{(const char *)head, sizeof head}, content};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (!socket_write(socket, parts[i]))
            return false;
    return true;
}

static bool write_or_leave(struct answering *self, enum sql_kind kind, str content)
{
    if (!self->gone)
        self->gone = !frame_write(self->worker->socket, kind, content);
    return !self->gone;
}

// Writes what is in the buffer. Fails when it is more than an answer may be.
static err flush(struct answering *self, struct als_why *why)
{
    if (!self->begun)
        (void)write_or_leave(self, SQL_BEGIN, S(""));
    self->begun = true;
    str rest = buf_str(&self->buf);
    self->bytes += rest.len;
    if (self->bytes > self->result.question->bytes_max)
        return FAIL(why, ALS_TOO_LARGE, "the answer is larger than %" PRIu64 " bytes",
                    self->result.question->bytes_max);
    while (rest.len && write_or_leave(self, SQL_DATA, str_first(rest, SQL_DATA_BYTES)))
        rest = str_from(rest, SQL_DATA_BYTES);
    buf_reset(&self->buf);
    return self->gone ? FAIL(why, ALS_INTERNAL, "the server is gone") : ALS_OK;
}

// ---- Rows.

static err put_rows(struct answering *self, duckdb_data_chunk chunk, idx_t count,
                    struct als_why *why)
{
    struct result *result = &self->result;
    if (result->question->format == SQL_ARROW) {
        TRY(arrow_batch(result, chunk, count, &self->buf, why));
        return self->buf.len >= FLUSH_BYTES ? flush(self, why) : ALS_OK;
    }
    duckdb_vector *vectors = result->vectors;
    for (size_t i = 0; i < result->column_count; i++)
        vectors[i] = duckdb_data_chunk_get_vector(chunk, i);
    for (idx_t row = 0; row < count; row++) {
        TRY(answer_row(result, vectors, row, &self->buf, why));
        if (self->buf.len >= FLUSH_BYTES)
            TRY(flush(self, why));
    }
    return ALS_OK;
}

// As many rows as may still be given; tells when there were more.
static err put_chunk(struct answering *self, duckdb_data_chunk chunk, struct als_why *why)
{
    struct result *result = &self->result;
    const struct sql_question *question = result->question;
    idx_t count = duckdb_data_chunk_get_size(chunk);
    uint64_t room = question->rows_max - result->rows;
    if (count > room) {
        result->truncated = true;
        if (!question->rows_cut && question->format != SQL_JSON)
            return FAIL(why, ALS_TOO_LARGE,
                        "there are more than %" PRIu64 " rows (--sql-rows-max); use LIMIT",
                        question->rows_max);
        count = room;
    }
    TRY(put_rows(self, chunk, count, why));
    result->rows += count;
    return ALS_OK;
}

static err put_all(struct answering *self, struct als_why *why)
{
    struct result *result = &self->result;
    err code = ALS_OK;
    while (code == ALS_OK && !result->truncated) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(*result->duck);
        const char *error = chunk ? NULL : duckdb_result_error(result->duck);
        if (error && error[0])
            return result_failed(result->duck, why);
        if (!chunk)
            break;
        code = put_chunk(self, chunk, why);
        duckdb_destroy_data_chunk(&chunk);
    }
    return code;
}

// ---- Columns.

static void columns_free(struct result *result)
{
    for (size_t i = 0; i < result->column_count; i++)
        duckdb_destroy_logical_type(&result->columns[i].type);
    result->column_count = 0;
}

static err columns_read(struct answering *self, struct als_why *why)
{
    struct result *result = &self->result;
    struct arena *arena = &self->worker->arena;
    size_t count = duckdb_column_count(result->duck);
    result->columns = ARENA_ARRAY(arena, struct column, count);
    result->vectors = ARENA_ARRAY(arena, duckdb_vector, count);
    if (!result->columns || !result->vectors)
        return FAIL(why, ALS_TOO_LARGE, "the query has too many columns");
    for (size_t i = 0; i < count; i++) {
        struct column *column = &result->columns[i];
        *column = (struct column){.name = duckdb_column_name(result->duck, i),
                                  .type = duckdb_column_logical_type(result->duck, i)};
        result->column_count++;
        column->json = print_is_json(column->type);
        if (!print_can(duckdb_get_type_id(column->type)))
            return FAIL(why, ALS_INVALID_QUERY,
                        "column '%.60s' has a type that no format has; cast it to VARCHAR",
                        column->name);
    }
    return ALS_OK;
}

// ---- The whole.

static err put_answer(struct answering *self, struct als_why *why)
{
    struct result *result = &self->result;
    TRY(columns_read(self, why));
    TRY(answer_begin(result, &self->buf, why));
    TRY(put_all(self, why));
    result->duration_us = (now_ns() - self->began_ns) / 1000;
    TRY(answer_end(result, &self->buf, why));
    return flush(self, why);
}

static err run(struct answering *self, struct als_why *why)
{
    struct plan plan = {};
    duckdb_prepared_statement made = NULL;
    duckdb_pending_result pending = NULL;
    duckdb_result duck = {};
    err code = prepare(self, &plan, &made, why);
    if (code == ALS_OK && duckdb_pending_prepared_streaming(made, &pending) != DuckDBSuccess)
        code = failed(duckdb_pending_error(pending), DUCKDB_ERROR_BINDER, why);
    if (code == ALS_OK) {
        self->result.duck = &duck;
        code = duckdb_execute_pending(pending, &duck) == DuckDBSuccess ? put_answer(self, why)
                                                                       : result_failed(&duck, why);
        arrow_free(&self->result);
        columns_free(&self->result);
        duckdb_destroy_result(&duck);
    }
    self->result.plan = NULL;
    self->result.duck = NULL;
    duckdb_destroy_pending(&pending);
    duckdb_destroy_prepare(&made);
    live_close(&self->worker->live);
    return code;
}

// Clients are told which file, not where the server keeps it.
static void hide_directory(char *text, str directory)
{
    size_t len = strlen(text);
    for (size_t at = 0; directory.len > 1 && at + directory.len <= len; at++)
        if (memcmp(text + at, directory.ptr, directory.len) == 0) {
            memmove(text + at, text + at + directory.len, len - at - directory.len + 1);
            len -= directory.len;
        }
}

static void put_failure(struct answering *self, err code, const struct als_why *why)
{
    struct als_why words = *why;
    if (atomic_load(&self->worker->interrupted)) {
        code = ALS_TIMEOUT;
        err_explain(&words, "the query took longer than %u ms", self->result.question->time_ms_max);
    }
    hide_directory(words.text, self->result.question->directory);
    buf_reset(&self->buf);
    buf_printf(&self->buf, "%s\n%s", err_code(code), words.text);
    (void)write_or_leave(self, SQL_FAILED, buf_str(&self->buf));
    self->worker->broken |= code == ALS_INTERNAL || code == ALS_TOO_LARGE || code == ALS_TIMEOUT;
}

bool worker_answer(struct worker *worker, str content)
{
    struct als_why why = {""};
    struct sql_question question = {};
    struct answering self = {.worker = worker, .began_ns = now_ns()};
    self.result.question = &question;
    self.result.live = &worker->live;
    self.result.connection = worker->connection;
    buf_init(&self.buf, ROW_BYTES_MAX);
    arena_reset(&worker->arena);
    atomic_store(&worker->interrupted, false);
    err code = sql_question_read(content, &worker->arena, &question, &why);
    if (code == ALS_OK) {
        guard_cpu(question.time_ms_max, worker->threads);
        code = run(&self, &why);
    }
    if (code == ALS_OK) {
        uint8_t rows[8];
        store_le64(rows, self.result.rows);
        (void)write_or_leave(&self, SQL_END, (str){(const char *)rows, sizeof rows});
    } else {
        put_failure(&self, code, &why);
    }
    buf_deinit(&self.buf);
    return !self.gone && !worker->broken;
}
