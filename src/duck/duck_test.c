// SPDX-License-Identifier: Apache-2.0
// The worker without its confinement, in this process: DuckDB writes files with the columns of
// sealed segments, the log is a real one, and questions come as the server sends them.
#include "inside.h"

#include "event/event.h"
#include "os/os.h"
#include "test.h"
#include "wal/wal.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FILES = 3, FILE_ROWS = 20000, TAIL_BATCHES = 10, BATCH_ROWS = 10 };
enum { SEALED = FILES * FILE_ROWS, LAST = SEALED + TAIL_BATCHES * BATCH_ROWS };

struct bench {
    const char *directory;
    struct worker *worker;
    int socket; // our end
    struct sql_file files[FILES];
    char paths[FILES][1200];
    char answer[1 << 18];
    size_t answer_len;
};

static void say(duckdb_connection connection, const char *statement)
{
    duckdb_result result;
    bool done = duckdb_query(connection, statement, &result) == DuckDBSuccess;
    if (!done)
        test_fail(__FILE__, __LINE__, "%s: %s", statement, duckdb_result_error(&result));
    duckdb_destroy_result(&result);
}

// Event p is of entity e<p % 100>, happens at second p, and says so. One entity is rare.
static void write_files(struct bench *bench, duckdb_connection connection, const char *directory)
{
    char statement[2400];
    for (int i = 0; i < FILES; i++) {
        int first = i * FILE_ROWS + 1, last = first + FILE_ROWS - 1;
        (void)snprintf(bench->paths[i], sizeof bench->paths[i], "%s/file[%d].parquet", directory,
                       i);
        (void)snprintf(
            statement, sizeof statement,
            "COPY (SELECT p::UBIGINT AS position, CASE WHEN p = 12345 THEN 'rare' ELSE "
            "'e' || lpad((p %% 100)::VARCHAR, 3, '0') END AS entity_id, 1::UBIGINT AS version, "
            "'type.a' AS event_type, uuid() AS id, make_timestamptz(p * 1000000) AS timestamp, "
            "make_timestamptz(p * 1000000) AS recorded_at, ('{\"n\":' || p || ',\"t\":\"' || "
            "md5(p::VARCHAR) || md5((p+1)::VARCHAR) || '\"}')::JSON AS payload, NULL::JSON AS "
            "metadata, 0::UINTEGER AS schema_version, 7::UBIGINT AS hash FROM range(%d, %d) t(p)) "
            "TO '%s' (FORMAT parquet, ROW_GROUP_SIZE 2048)",
            first, last + 1, bench->paths[i]);
        say(connection, statement);
        bench->files[i] = (struct sql_file){.path = str_of(bench->paths[i]),
                                            .first = (als_position)first,
                                            .last = (als_position)last,
                                            .rows = FILE_ROWS,
                                            .least_us = first * INT64_C(1000000),
                                            .greatest_us = last * INT64_C(1000000)};
    }
}

static err pass(void *context, const struct wal_batch *batch, struct als_why *why)
{
    (void)context, (void)batch, (void)why;
    return ALS_OK;
}

static size_t encode_batch(uint8_t *bytes, als_position first)
{
    size_t at = BATCH_HEAD_BYTES;
    batch_set_recorded(bytes, (int64_t)first);
    for (als_position p = first; p < first + BATCH_ROWS; p++) {
        char entity[16], payload[64];
        int entity_len = snprintf(entity, sizeof entity, "e%03u", (unsigned)(p % 100));
        int payload_len = snprintf(payload, sizeof payload, "{\"n\":%" PRIu64 "}", p);
        struct record_draft draft = {.entity = {entity, (size_t)entity_len},
                                     .type = S("type.a"),
                                     .timestamp_us = (int64_t)p * 1000000,
                                     .has_metadata = p % 2 == 0};
        uint8_t *record = bytes + at;
        memcpy(record_begin(record, (uint32_t)at, &draft), payload, (size_t)payload_len);
        uint8_t *metadata = record_payload_done(record, (size_t)payload_len);
        if (draft.has_metadata)
            memcpy(metadata, "{\"m\":1}", 7);
        record_set_version(record, 9);
        at += record_finish(record, draft.has_metadata ? 7 : 0, 0);
    }
    return at;
}

// A log whose first position is 1 but of which only what is behind the files will be read.
static void write_tail(const char *directory)
{
    static uint8_t bytes[1 << 20];
    struct os *os = os_posix();
    struct os_dir *tenant = NULL, *dir = NULL;
    CHECK_OK(os->dir_open(os, NULL, str_of(directory), true, &tenant, NULL));
    CHECK_OK(os->dir_open(os, tenant, S("wal"), true, &dir, NULL));
    struct wal_report report;
    AUTO(wal) wal = NULL;
    struct wal_options options = {.file_bytes = 16384, .batch_bytes_max = 1 << 20, .label = S("t")};
    CHECK_OK(wal_open(os, dir, options, pass, NULL, &report, &wal, NULL));
    const uint8_t *kept;
    struct wal_draft sealed = {.first = 1, .count = SEALED, .body = S("sealed long ago")};
    CHECK_OK(wal_append(wal, 0, &sealed, 1, false, &kept, NULL));
    for (uint64_t i = 0; i < TAIL_BATCHES; i++) {
        als_position first = SEALED + 1 + i * BATCH_ROWS;
        size_t size = encode_batch(bytes, first);
        struct wal_draft draft = {
            .first = first, .count = BATCH_ROWS, .body = {(const char *)bytes, size}};
        CHECK_OK(wal_append(wal, wal_head(wal).batch, &draft, 1, false, &kept, NULL));
    }
    os->dir_close(dir);
    os->dir_close(tenant);
}

static struct bench *bench_open(void)
{
    static struct worker worker;
    static struct bench bench;
    const char *directory = test_directory();
    struct als_why why = {""};
    worker = (struct worker){.socket = -1};
    bench = (struct bench){.worker = &worker, .directory = directory};
    arena_init(&worker.arena, 1 << 20, 64 << 20);
    err code = worker_open(&worker, 256 << 20, &why);
    CHECK_STR(S(""), str_of(why.text));
    CHECK_OK(code);
    write_files(&bench, worker.connection, directory);
    write_tail(directory);
    CHECK_OK(worker_lock(&worker, 2, str_of(directory), &why));
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    worker.socket = ends[0];
    bench.socket = ends[1];
    return &bench;
}

static void bench_close(struct bench *bench)
{
    worker_close(bench->worker);
    arena_deinit(&bench->worker->arena);
    close(bench->socket);
    close(bench->worker->socket);
}

static void receive(int socket, void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(socket, (char *)bytes + done, size - done);
        CHECK(got > 0);
        done += (size_t)got;
    }
}

// Gathers the body; returns how it ended.
static enum sql_kind ask(struct bench *bench, struct sql_question question)
{
    struct buf message;
    buf_init(&message, 1 << 20);
    question.directory = str_of(bench->directory);
    question.files = bench->files;
    question.file_count = FILES;
    question.sealed = SEALED;
    question.rows_max = question.rows_max ? question.rows_max : 1000;
    question.rows_cut = true;
    question.bytes_max = 1 << 17; // fits into a socket that nobody reads yet
    question.time_ms_max = 60000;
    sql_question_put(&message, &question);
    worker_answer(bench->worker, str_from(buf_str(&message), SQL_HEAD_BYTES));
    buf_deinit(&message);
    bench->answer_len = 0;
    for (;;) {
        uint8_t head[SQL_HEAD_BYTES];
        struct sql_frame frame;
        receive(bench->socket, head, sizeof head);
        CHECK(sql_head_read(head, &frame));
        CHECK(bench->answer_len + frame.size < sizeof bench->answer);
        if (frame.kind == SQL_FAILED)
            bench->answer_len = 0;
        receive(bench->socket, bench->answer + bench->answer_len, frame.size);
        bench->answer_len += frame.kind == SQL_END ? 0 : frame.size;
        bench->answer[bench->answer_len] = '\0';
        if (frame.kind == SQL_END || frame.kind == SQL_FAILED)
            return frame.kind;
    }
}

struct wanted {
    const char *rows; // "[[1]]"
    unsigned files, tail_events;
};

static void check_answer(struct bench *bench, const char *query, struct sql_question question,
                         struct wanted wanted)
{
    question.query = str_of(query);
    question.position = question.position ? question.position : LAST;
    question.as_of_us = question.as_of_us ? question.as_of_us : INT64_MAX;
    if (ask(bench, question) != SQL_END)
        test_fail(__FILE__, __LINE__, "%s: %s", query, bench->answer);
    char rows[256], scanned[128];
    (void)snprintf(rows, sizeof rows, "\"rows\":%s,", wanted.rows);
    (void)snprintf(scanned, sizeof scanned,
                   "\"scanned\":{\"files\":%u,\"files_total\":%d,\"tail_events\":%u}", wanted.files,
                   FILES, wanted.tail_events);
    if (!strstr(bench->answer, rows) || !strstr(bench->answer, scanned))
        test_fail(__FILE__, __LINE__, "%s: %s, wanted %s %s", query, bench->answer, rows, scanned);
}

TEST(files_and_tail_are_one_table_and_only_what_is_needed_is_read)
{
    static const struct sql_question any;
    static const struct {
        const char *query;
        struct wanted wanted;
    } rows[] = {
        {"SELECT count(*), min(position), max(position) FROM events",
         {"[[60100,1,60100]]", 3, 100}},
        {"SELECT sum((payload->>'n')::BIGINT) FROM events", {"[[1806035050]]", 3, 100}},
        {"SELECT count(metadata), max(version) FROM events", {"[[50,9]]", 3, 100}},
        {"SELECT count(*) FROM events WHERE position BETWEEN 25000 AND 25009", {"[[10]]", 1, 0}},
        {"SELECT count(*) FROM events WHERE position > 60050", {"[[50]]", 0, 50}},
        {"SELECT count(*) FROM events WHERE position = 60000", {"[[1]]", 1, 0}},
        {"SELECT count(*) FROM events WHERE 20000 >= position", {"[[20000]]", 1, 0}},
        {"SELECT count(*) FROM events WHERE timestamp < TIMESTAMPTZ '1970-01-01 00:00:10Z'",
         {"[[9]]", 1, 100}},
        {"SELECT count(*) FROM events WHERE timestamp >= '1970-01-01T16:40:00Z' AND version = 9",
         {"[[100]]", 1, 100}},
        {"SELECT position FROM events ORDER BY position DESC LIMIT 2",
         {"[[60100],[60099]]", 0, 10}},
        {"SELECT position FROM events ORDER BY position DESC LIMIT 1 OFFSET 100",
         {"[[60000]]", 1, 100}},
        {"SELECT position FROM events ORDER BY position DESC LIMIT 1 OFFSET 20100",
         {"[[40000]]", 2, 100}},
        {"SELECT count(*) FROM events WHERE entity_id = 'rare'", {"[[1]]", 3, 100}},
        {"SELECT count(*) FROM events a JOIN events b USING (position) WHERE a.position > 60090",
         {"[[10]]", 3, 200}},
        {"SELECT event_count, last_position FROM entities WHERE entity_id = 'e001'",
         {"[[601,60001]]", 3, 100}},
        {"SELECT 1", {"[[1]]", 0, 0}},
    };
    struct bench *bench = bench_open();
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_answer(bench, rows[i].query, any, rows[i].wanted);
    bench_close(bench);
}

TEST(time_travel_bounds_files_and_tail_alike)
{
    struct bench *bench = bench_open();
    struct sql_question question = {.position = 30000};
    check_answer(bench, "SELECT count(*), max(position) FROM events", question,
                 (struct wanted){"[[30000,30000]]", 2, 0});
    check_answer(bench, "SELECT position FROM events ORDER BY position DESC LIMIT 1", question,
                 (struct wanted){"[[30000]]", 2, 0});
    question.position = 60005;
    check_answer(bench, "SELECT count(*), max(position) FROM events", question,
                 (struct wanted){"[[60005,60005]]", 3, 10});
    question = (struct sql_question){.as_of_us = INT64_C(45000) * 1000000};
    check_answer(bench, "SELECT count(*), max(position) FROM events", question,
                 (struct wanted){"[[45000,45000]]", 3, 100});
    check_answer(bench, "SELECT position FROM events ORDER BY position DESC LIMIT 1", question,
                 (struct wanted){"[[45000]]", 3, 100});
    bench_close(bench);
}

static uint64_t bytes_read(void)
{
    char line[64];
    FILE *file = fopen("/proc/self/io", "r");
    CHECK(file);
    CHECK(fgets(line, sizeof line, file)); // "rchar: 123"
    (void)fclose(file);                    // was only read
    uint64_t count;
    str number = str_of(line);
    (void)str_cut(&number, ':');
    CHECK(str_to_u64(str_trim(number), &count));
    return count;
}

static uint64_t bytes_of(struct bench *bench, const char *query)
{
    uint64_t before = bytes_read();
    CHECK_EQUAL(SQL_END,
                ask(bench, (struct sql_question){
                               .query = str_of(query), .position = LAST, .as_of_us = INT64_MAX}));
    return bytes_read() - before;
}

// Row groups are left out by their statistics and Bloom filters, whatever the view is made of.
TEST(a_query_on_one_entity_or_a_time_range_does_not_read_everything)
{
    struct bench *bench = bench_open();
    uint64_t all = bytes_of(bench, "SELECT max(payload::VARCHAR) FROM events");
    uint64_t entity =
        bytes_of(bench, "SELECT max(payload::VARCHAR) FROM events WHERE entity_id = 'rare'");
    uint64_t time = bytes_of(bench, "SELECT max(payload::VARCHAR) FROM events WHERE timestamp "
                                    "BETWEEN '1970-01-01T02:00:00Z' AND '1970-01-01T02:00:10Z'");
    uint64_t column = bytes_of(bench, "SELECT max(position) FROM events");
    CHECK(all > 1 << 20);
    CHECK(entity < all / 4);
    CHECK(time < all / 4);
    CHECK(column < all / 4);
    bench_close(bench);
}

TEST(what_the_walk_refuses_is_not_prepared)
{
    struct bench *bench = bench_open();
    CHECK_EQUAL(SQL_FAILED, ask(bench, (struct sql_question){
                                           .query = S("SELECT * FROM read_parquet('*.parquet')"),
                                           .position = LAST,
                                           .as_of_us = INT64_MAX}));
    CHECK(str_starts(str_of(bench->answer), S("invalid_query\n")));
    CHECK(!bench->worker->broken);
    bench_close(bench);
}

TEST(a_damaged_file_is_named_without_where_the_server_keeps_it)
{
    struct bench *bench = bench_open();
    CHECK(truncate(bench->paths[1], 1000) == 0);
    CHECK_EQUAL(SQL_FAILED,
                ask(bench, (struct sql_question){.query = S("SELECT max(payload::VARCHAR) FROM "
                                                            "events WHERE position = 30000"),
                                                 .position = LAST,
                                                 .as_of_us = INT64_MAX}));
    CHECK(!strstr(bench->answer, bench->directory));
    CHECK(strstr(bench->answer, "file[1].parquet"));
    CHECK(str_starts(str_of(bench->answer), S("internal\n")));
    CHECK(bench->worker->broken);
    bench_close(bench);
}

// ---- The table of functions.

TEST(functions_stand_in_order_and_all_exist)
{
    struct bench *bench = bench_open();
    const char *const *names = check_functions();
    struct buf statement;
    buf_init(&statement, 1 << 16);
    buf_put_str(&statement, S("SELECT coalesce(min(n), '') FROM (VALUES "));
    for (size_t i = 0; names[i]; i++) {
        CHECK(i == 0 || strcmp(names[i - 1], names[i]) < 0);
        CHECK(check_function_known(str_of(names[i])));
        buf_printf(&statement, "%s('%s')", i ? "," : "", names[i]);
    }
    buf_put_str(&statement, S(") t(n) WHERE n NOT IN (SELECT function_name FROM "
                              "duckdb_functions())"));
    buf_put_char(&statement, '\0');
    duckdb_result result;
    CHECK(duckdb_query(bench->worker->connection, statement.ptr, &result) == DuckDBSuccess);
    char *missing = duckdb_value_varchar(&result, 0, 0);
    CHECK_STR(S(""), str_of(missing));
    duckdb_free(missing);
    duckdb_destroy_result(&result);
    buf_deinit(&statement);
    bench_close(bench);
}

TEST(functions_that_reach_out_or_grow_are_not_in_the_table)
{
    static const char *const never[] = {
        "read_blob",    "read_text",       "read_csv",       "read_parquet", "glob",
        "getenv",       "current_setting", "getvariable",    "query",        "query_table",
        "nextval",      "currval",         "pg_sleep",       "write_log",    "enable_logging",
        "range",        "generate_series", "repeat",         "lpad",         "rpad",
        "array_resize", "list_resize",     "printf",         "format",       "error",
        "live",         "version",         "current_schemas"};
    for (size_t i = 0; i < COUNT_OF(never); i++)
        CHECK(!check_function_known(str_of(never[i])));
    CHECK(!check_function_known(S("")));
    CHECK(!check_function_known(S("COUNT"))); // the parser gives lower case
}
