// SPDX-License-Identifier: Apache-2.0
// The answer's body: JSON, lines of JSON, CSV; Arrow is in arrow.c.
#include "inside.h"

#include "base/time.h"

#include <inttypes.h>

// ---- JSON: {"columns":[...],"rows":[[...]],...}. What is only known at the end stands there.

static void json_begin(const struct result *result, struct buf *buf)
{
    buf_put_str(buf, S("{\"columns\":["));
    for (size_t i = 0; i < result->column_count; i++) {
        buf_put_str(buf, i ? S(",{\"name\":") : S("{\"name\":"));
        print_quoted(buf, str_of(result->columns[i].name));
        buf_put_str(buf, S(",\"type\":\""));
        print_type(buf, result->columns[i].type);
        buf_put_str(buf, S("\"}"));
    }
    buf_put_str(buf, S("],\"rows\":["));
}

static void json_row(const struct result *result, duckdb_vector *vectors, idx_t row,
                     struct buf *buf)
{
    if (result->rows + row > 0)
        buf_put_char(buf, ',');
    buf_put_char(buf, '[');
    for (size_t i = 0; i < result->column_count; i++) {
        if (i)
            buf_put_char(buf, ',');
        print_json(buf, &result->columns[i], vectors[i], row);
    }
    buf_put_char(buf, ']');
}

static void json_end(const struct result *result, struct buf *buf)
{
    const struct sql_question *question = result->question;
    buf_printf(buf, "],\"row_count\":%" PRIu64 ",\"truncated\":%s,\"position\":%" PRIu64,
               result->rows, result->truncated ? "true" : "false", question->position);
    if (question->as_of_us != INT64_MAX) {
        char text[TIME_TEXT_MAX];
        size_t len = time_format(question->as_of_us, text);
        buf_printf(buf, ",\"as_of\":\"%.*s\"", (int)len, text);
    }
    buf_printf(buf,
               ",\"scanned\":{\"files\":%zu,\"files_total\":%zu,\"tail_events\":%" PRIu64 "}"
               ",\"duration_ms\":%" PRIu64 ".%03" PRIu64 "}",
               result->plan->file_count, question->file_count,
               atomic_load(&result->live->rows_read), result->duration_us / 1000,
               result->duration_us % 1000);
}

// ---- Lines: an object a row.

static void lines_row(const struct result *result, duckdb_vector *vectors, idx_t row,
                      struct buf *buf)
{
    buf_put_char(buf, '{');
    for (size_t i = 0; i < result->column_count; i++) {
        if (i)
            buf_put_char(buf, ',');
        print_quoted(buf, str_of(result->columns[i].name));
        buf_put_char(buf, ':');
        print_json(buf, &result->columns[i], vectors[i], row);
    }
    buf_put_str(buf, S("}\n"));
}

// ---- CSV (RFC 4180): a line of names, then the rows. NULL is nothing, an empty text is "".

static void csv_begin(const struct result *result, struct buf *buf)
{
    for (size_t i = 0; i < result->column_count; i++) {
        if (i)
            buf_put_char(buf, ',');
        print_cell_text(buf, str_of(result->columns[i].name));
    }
    buf_put_str(buf, S("\r\n"));
}

static void csv_row(const struct result *result, duckdb_vector *vectors, idx_t row, struct buf *buf)
{
    for (size_t i = 0; i < result->column_count; i++) {
        if (i)
            buf_put_char(buf, ',');
        print_cell(buf, &result->columns[i], vectors[i], row);
    }
    buf_put_str(buf, S("\r\n"));
}

// ---- Any.

static err check_buffer(const struct buf *buf, struct als_why *why)
{
    return buf_failed(buf) ? FAIL(why, ALS_TOO_LARGE, "a row takes more memory than an answer has")
                           : ALS_OK;
}

err answer_begin(struct result *result, struct buf *buf, struct als_why *why)
{
    switch (result->question->format) {
    case SQL_JSON:
        json_begin(result, buf);
        break;
    case SQL_CSV:
        csv_begin(result, buf);
        break;
    case SQL_ARROW:
        TRY(arrow_schema(result, buf, why));
        break;
    case SQL_LINES:
        break;
    }
    return check_buffer(buf, why);
}

err answer_row(struct result *result, duckdb_vector *vectors, idx_t row, struct buf *buf,
               struct als_why *why)
{
    if (result->question->format == SQL_JSON)
        json_row(result, vectors, row, buf);
    else if (result->question->format == SQL_LINES)
        lines_row(result, vectors, row, buf);
    else
        csv_row(result, vectors, row, buf);
    return check_buffer(buf, why);
}

err answer_end(struct result *result, struct buf *buf, struct als_why *why)
{
    if (result->question->format == SQL_JSON)
        json_end(result, buf);
    else if (result->question->format == SQL_ARROW)
        arrow_end(buf);
    return check_buffer(buf, why);
}
