// SPDX-License-Identifier: Apache-2.0
// SQL against DuckDB alone, on the same files and in the same run.
//
//   build/release/sql_bench [rows] [rounds]
//
// Makes Parquet files with the columns of sealed segments, asks each query of DuckDB directly and
// through the worker (check, plan, view, printing), turn by turn, and prints medians and their
// ratio. The worker's confinement is left out: it is a cost of the start, not of a query.
#include "duck/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 8, ROUNDS_MAX = 101 };

static const char *const queries[] = {
    "SELECT event_type, count(*) FROM events GROUP BY 1 ORDER BY 1",
    "SELECT date_trunc('hour', timestamp) AS h, count(*) FROM events GROUP BY 1 ORDER BY 1 LIMIT 5",
    "SELECT entity_id, count(*) AS n FROM events GROUP BY 1 ORDER BY n DESC, 1 LIMIT 10",
    "SELECT event_type, sum((payload->>'n')::BIGINT) FROM events GROUP BY 1 ORDER BY 1",
    "SELECT count(*) FROM events WHERE position > 1000000000",
    "SELECT * FROM events ORDER BY position DESC LIMIT 10",
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "sql_bench: %s\n", what);
    exit(1);
}

static double now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void say(duckdb_connection connection, const char *statement)
{
    duckdb_result result;
    if (duckdb_query(connection, statement, &result) != DuckDBSuccess)
        die(duckdb_result_error(&result));
    duckdb_destroy_result(&result);
}

static void make_files(duckdb_connection connection, const char *directory, uint64_t rows,
                       struct sql_file *files)
{
    static char paths[FILES][256];
    char statement[2048];
    for (uint64_t i = 0; i < FILES; i++) {
        uint64_t first = i * (rows / FILES) + 1, last = (i + 1) * (rows / FILES);
        (void)snprintf(paths[i], sizeof paths[i], "%s/%llu.parquet", directory,
                       (unsigned long long)i);
        (void)snprintf(
            statement, sizeof statement,
            "COPY (SELECT p::UBIGINT AS position, 'entity-' || (hash(p) %% 100000) AS entity_id, "
            "1::UBIGINT AS version, 'type.' || (hash(p + 1) %% 20) AS event_type, uuid() AS id, "
            "make_timestamptz(1700000000000000 + p * 100000) AS timestamp, "
            "make_timestamptz(1700000000000000 + p * 100000) AS recorded_at, "
            "('{\"n\":' || p || ',\"text\":\"' || md5(p::VARCHAR) || '\"}')::JSON AS payload, "
            "NULL::JSON AS metadata, 0::UINTEGER AS schema_version, 7::UBIGINT AS hash "
            "FROM range(%llu, %llu) t(p)) TO '%s' (FORMAT parquet, ROW_GROUP_SIZE 20480)",
            (unsigned long long)first, (unsigned long long)last + 1, paths[i]);
        say(connection, statement);
        files[i] = (struct sql_file){.path = str_of(paths[i]),
                                     .first = first,
                                     .last = last,
                                     .rows = last - first + 1,
                                     .least_us = 1700000000000000 + (int64_t)first * 100000,
                                     .greatest_us = 1700000000000000 + (int64_t)last * 100000};
    }
    (void)snprintf(statement, sizeof statement,
                   "CREATE VIEW alone AS SELECT * EXCLUDE (hash) FROM read_parquet('%s/*.parquet')",
                   directory);
    say(connection, statement);
}

// The query over the view `alone` instead of `events`.
static double time_alone(duckdb_connection connection, const char *query)
{
    char text[512];
    const char *at = strstr(query, "events");
    (void)snprintf(text, sizeof text, "%.*salone%s", (int)(at - query), query, at + 6);
    double began = now_ms();
    say(connection, text);
    return now_ms() - began;
}

static double time_worker(struct worker *worker, int socket, const struct sql_question *question)
{
    static char drain[1 << 20];
    struct buf message;
    buf_init(&message, 1 << 20);
    sql_question_put(&message, question);
    double began = now_ms();
    if (!worker_answer(worker, str_from(buf_str(&message), SQL_HEAD_BYTES)))
        die("the worker gave up");
    double took = now_ms() - began;
    if (read(socket, drain, sizeof drain) <= 0)
        die("the worker said nothing");
    buf_deinit(&message);
    return took;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return values[count / 2];
}

int main(int count, char **words)
{
    uint64_t rows = 10000000, rounds = 7;
    if ((count > 1 && !str_to_u64(str_of(words[1]), &rows)) ||
        (count > 2 && !str_to_u64(str_of(words[2]), &rounds)) || rows < FILES || rounds == 0 ||
        rounds > ROUNDS_MAX)
        die("usage: sql_bench [rows] [rounds]");
    static struct worker worker;
    struct als_why why = {""};
    char directory[] = "/tmp/allsource-sql-bench-XXXXXX";
    int ends[2];
    if (!mkdtemp(directory) || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        die("no place to work");
    worker.socket = ends[0];
    arena_init(&worker.arena, 1 << 20, 64 << 20);
    if (worker_open(&worker, UINT64_C(1) << 30, &why) != ALS_OK)
        die(why.text);
    struct sql_file files[FILES];
    make_files(worker.connection, directory, rows, files);
    if (worker_lock(&worker, 2, str_of(directory), &why) != ALS_OK)
        die(why.text);
    printf("%llu rows in %d files, median of %llu, ms\n%9s %9s %7s  query\n",
           (unsigned long long)rows, FILES, (unsigned long long)rounds, "alone", "worker", "ratio");
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        double alone[ROUNDS_MAX], ours[ROUNDS_MAX];
        struct sql_question question = {.query = str_of(queries[i]),
                                        .directory = str_of(directory),
                                        .sealed = rows / FILES * FILES,
                                        .position = rows / FILES * FILES,
                                        .as_of_us = INT64_MAX,
                                        .rows_max = 1000,
                                        .rows_cut = true,
                                        .bytes_max = 1 << 17,
                                        .time_ms_max = 600000,
                                        .files = files,
                                        .file_count = FILES};
        for (uint64_t round = 0; round < rounds; round++) {
            alone[round] = time_alone(worker.connection, queries[i]);
            ours[round] = time_worker(&worker, ends[1], &question);
        }
        double a = median(alone, rounds), b = median(ours, rounds);
        printf("%9.2f %9.2f %7.2f  %.60s\n", a, b, b / a, queries[i]);
    }
    worker_close(&worker);
    for (size_t i = 0; i < FILES; i++)
        (void)unlink(files[i].path.ptr);
    (void)rmdir(directory);
    return 0;
}
