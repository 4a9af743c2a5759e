// SPDX-License-Identifier: Apache-2.0
// A question:  u32 format, u32 flags, u32 time_ms_max, u32 count of files, u64 sealed, position,
//              rows_max, bytes_max, i64 as_of_us, then the texts query and directory, then the
//              files: u64 first, last, rows, i64 least_us, greatest_us, the text path.
// A text:      u32 length, bytes.
#include "sql/sql.h"

#include "base/bytes.h"

enum { ROWS_CUT = 1 << 0 };

void sql_head_put(struct sql_frame frame, uint8_t head[static SQL_HEAD_BYTES])
{
    store_le32(head, frame.size);
    store_le32(head + 4, frame.kind);
}

bool sql_head_read(const uint8_t head[static SQL_HEAD_BYTES], struct sql_frame *ret_frame)
{
    uint32_t size = load_le32(head), kind = load_le32(head + 4);
    if (kind < SQL_ASK || kind > SQL_FAILED || size > SQL_QUESTION_BYTES_MAX ||
        (kind != SQL_ASK && size > SQL_DATA_BYTES))
        return false;
    *ret_frame = (struct sql_frame){.kind = (enum sql_kind)kind, .size = size};
    return true;
}

// Words quote what a client wrote, and are cut without looking: what is no UTF-8 becomes '?'.
static void mend(char *text)
{
    size_t len = strlen(text), size;
    for (size_t at = 0; at < len; at += size) {
        unsigned char c = (unsigned char)text[at];
        size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (at + size > len || !str_is_utf8((str){text + at, size})) {
            text[at] = '?';
            size = 1;
        }
    }
}

err sql_failure_read(str content, struct als_why *why)
{
    str words = content;
    str name = str_cut(&words, '\n');
    struct als_why told;
    err_explain(&told, "%.*s", STR(words));
    mend(told.text);
    if (why)
        *why = told;
    for (unsigned code = ALS_OK + 1; code < ALS_ERR_COUNT; code++)
        if (str_equal(name, str_of(err_code((err)code))))
            return (err)code;
    return ALS_INTERNAL;
}

// ---- Writing.

static void put_u32(struct buf *buf, uint32_t value)
{
    uint8_t bytes[4];
    store_le32(bytes, value);
    buf_put(buf, bytes, sizeof bytes);
}

static void put_u64(struct buf *buf, uint64_t value)
{
    uint8_t bytes[8];
    store_le64(bytes, value);
    buf_put(buf, bytes, sizeof bytes);
}

static void put_text(struct buf *buf, str text)
{
    put_u32(buf, (uint32_t)text.len);
    buf_put_str(buf, text);
}

void sql_question_put(struct buf *buf, const struct sql_question *question)
{
    size_t start = buf->len;
    uint8_t head[SQL_HEAD_BYTES] = {0};
    buf_put(buf, head, sizeof head);
    put_u32(buf, question->format);
    put_u32(buf, question->rows_cut ? ROWS_CUT : 0);
    put_u32(buf, question->time_ms_max);
    put_u32(buf, (uint32_t)question->file_count);
    put_u64(buf, question->sealed);
    put_u64(buf, question->position);
    put_u64(buf, question->rows_max);
    put_u64(buf, question->bytes_max);
    put_u64(buf, (uint64_t)question->as_of_us);
    put_text(buf, question->query);
    put_text(buf, question->directory);
    for (size_t i = 0; i < question->file_count; i++) {
        const struct sql_file *file = &question->files[i];
        put_u64(buf, file->first);
        put_u64(buf, file->last);
        put_u64(buf, file->rows);
        put_u64(buf, (uint64_t)file->least_us);
        put_u64(buf, (uint64_t)file->greatest_us);
        put_text(buf, file->path);
    }
    if (buf_failed(buf))
        return;
    struct sql_frame frame = {SQL_ASK, (uint32_t)(buf->len - start - SQL_HEAD_BYTES)};
    sql_head_put(frame, head);
    memcpy(buf->ptr + start, head, sizeof head);
}

// ---- Reading. A text that is too short leaves `cut` and gives zeros.

struct reading {
    str rest;
    bool cut;
};

static const char *take(struct reading *reading, size_t size)
{
    if (reading->cut || reading->rest.len < size) {
        reading->cut = true;
        return NULL;
    }
    const char *at = reading->rest.ptr;
    reading->rest = str_from(reading->rest, size);
    return at;
}

static uint32_t take_u32(struct reading *reading)
{
    const char *at = take(reading, 4);
    return at ? load_le32(at) : 0;
}

static uint64_t take_u64(struct reading *reading)
{
    const char *at = take(reading, 8);
    return at ? load_le64(at) : 0;
}

static str take_text(struct reading *reading)
{
    uint32_t len = take_u32(reading);
    const char *at = take(reading, len);
    return at ? (str){at, len} : (str){NULL, 0};
}

static struct sql_file take_file(struct reading *reading)
{
    struct sql_file file = {.first = take_u64(reading)};
    file.last = take_u64(reading);
    file.rows = take_u64(reading);
    file.least_us = (int64_t)take_u64(reading);
    file.greatest_us = (int64_t)take_u64(reading);
    file.path = take_text(reading);
    return file;
}

err sql_question_read(str content, struct arena *arena, struct sql_question *ret_question,
                      struct als_why *why)
{
    struct reading reading = {.rest = content};
    uint32_t format = take_u32(&reading), flags = take_u32(&reading);
    struct sql_question question = {.format = (enum sql_format)format,
                                    .rows_cut = flags & ROWS_CUT,
                                    .time_ms_max = take_u32(&reading)};
    question.file_count = take_u32(&reading);
    question.sealed = take_u64(&reading);
    question.position = take_u64(&reading);
    question.rows_max = take_u64(&reading);
    question.bytes_max = take_u64(&reading);
    question.as_of_us = (int64_t)take_u64(&reading);
    question.query = take_text(&reading);
    question.directory = take_text(&reading);
    if (reading.cut || format >= SQL_FORMATS || flags > ROWS_CUT ||
        question.file_count > SQL_FILES_MAX)
        return FAIL(why, ALS_INTERNAL, "a question for the SQL worker that cannot be");
    struct sql_file *files = ARENA_ARRAY(arena, struct sql_file, question.file_count);
    if (!files)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the list of files");
    for (size_t i = 0; i < question.file_count; i++)
        files[i] = take_file(&reading);
    if (reading.cut || reading.rest.len)
        return FAIL(why, ALS_INTERNAL, "a question for the SQL worker that cannot be");
    question.files = files;
    *ret_question = question;
    return ALS_OK;
}
