// SPDX-License-Identifier: Apache-2.0
#include "sql/sql.h"

#include "test.h"

static const struct sql_file files[] = {
    {{"/data/a.parquet", 15}, 1, 100, 100, -5, 77},
    {{"/data/b.parquet", 15}, 101, 150, 40, 0, 99},
};

static struct sql_question sample(void)
{
    return (struct sql_question){.query = S("SELECT 1"),
                                 .directory = S("/data"),
                                 .format = SQL_CSV,
                                 .sealed = 150,
                                 .position = 170,
                                 .as_of_us = -1,
                                 .rows_max = 9,
                                 .rows_cut = true,
                                 .bytes_max = UINT64_MAX,
                                 .time_ms_max = 1000,
                                 .files = files,
                                 .file_count = 2};
}

TEST(a_question_is_read_as_it_was_written_and_no_shorter)
{
    struct buf buf;
    buf_init(&buf, 4096);
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    struct sql_question asked = sample(), question = {};
    sql_question_put(&buf, &asked);
    struct sql_frame frame;
    CHECK(sql_head_read((const uint8_t *)buf.ptr, &frame));
    CHECK_EQUAL(SQL_ASK, frame.kind);
    CHECK_EQUAL(buf.len - SQL_HEAD_BYTES, frame.size);
    str content = str_from(buf_str(&buf), SQL_HEAD_BYTES);
    CHECK_OK(sql_question_read(content, &arena, &question, NULL));
    CHECK_STR(asked.query, question.query);
    CHECK_STR(asked.directory, question.directory);
    CHECK_EQUAL(SQL_CSV, question.format);
    CHECK_EQUAL(150, question.sealed);
    CHECK_EQUAL(170, question.position);
    CHECK_EQUAL(-1, question.as_of_us);
    CHECK(question.rows_cut && question.rows_max == 9 && question.bytes_max == UINT64_MAX);
    CHECK_EQUAL(2, question.file_count);
    CHECK_STR(files[1].path, question.files[1].path);
    CHECK_EQUAL(-5, question.files[0].least_us);
    CHECK_EQUAL(40, question.files[1].rows);
    for (size_t len = 0; len < content.len; len++)
        CHECK_ERR(ALS_INTERNAL,
                  sql_question_read(str_first(content, len), &arena, &question, NULL));
    arena_deinit(&arena);
    buf_deinit(&buf);
}

TEST(a_frame_that_no_side_sends_is_refused)
{
    uint8_t head[SQL_HEAD_BYTES];
    struct sql_frame frame;
    sql_head_put((struct sql_frame){SQL_DATA, SQL_DATA_BYTES}, head);
    CHECK(sql_head_read(head, &frame));
    sql_head_put((struct sql_frame){SQL_DATA, SQL_DATA_BYTES + 1}, head);
    CHECK(!sql_head_read(head, &frame));
    sql_head_put((struct sql_frame){(enum sql_kind)0, 1}, head);
    CHECK(!sql_head_read(head, &frame));
    sql_head_put((struct sql_frame){(enum sql_kind)99, 1}, head);
    CHECK(!sql_head_read(head, &frame));
}

TEST(a_failure_names_its_code_and_an_unknown_name_is_internal)
{
    struct als_why why = {""};
    CHECK_ERR(ALS_INVALID_QUERY, sql_failure_read(S("invalid_query\nno such column"), &why));
    CHECK_STR(S("no such column"), str_of(why.text));
    CHECK_ERR(ALS_TIMEOUT, sql_failure_read(S("timeout\n\xc3\xa9 \xc3 \xff\xe2\x82"), &why));
    CHECK_STR(S("\xc3\xa9 ? ???"), str_of(why.text));
    CHECK_ERR(ALS_INTERNAL, sql_failure_read(S("ok\nhm"), &why));
    CHECK_ERR(ALS_INTERNAL, sql_failure_read(S(""), &why));
}
