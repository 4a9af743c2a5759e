// SPDX-License-Identifier: Apache-2.0
// What the server and its SQL worker say to each other: any bytes are a question or refused, and a
// question that was read is written as it was.
#include "sql/sql.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_question(str content)
{
    struct arena arena;
    struct sql_question question = {};
    struct als_why why = {""};
    arena_init(&arena, 4096, 16 << 20);
    if (sql_question_read(content, &arena, &question, &why) == ALS_OK) {
        struct buf again;
        buf_init(&again, 64 << 20);
        sql_question_put(&again, &question);
        assert(!buf_failed(&again));
        assert(str_equal(content, str_from(buf_str(&again), SQL_HEAD_BYTES)));
        buf_deinit(&again);
    }
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sql_frame frame;
    struct als_why why = {""};
    str content = {(const char *)data, size};
    if (size >= SQL_HEAD_BYTES && sql_head_read(data, &frame))
        assert(frame.size <= SQL_QUESTION_BYTES_MAX);
    err code = sql_failure_read(content, &why);
    assert(code != ALS_OK);
    assert(str_is_utf8(str_of(why.text)));
    read_question(content);
    return 0;
}
