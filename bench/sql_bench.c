// SPDX-License-Identifier: Apache-2.0
// SQL against DuckDB alone, on the same files and in the same run.
//
//   build/release/sql_bench [rows] [rounds]
//
// Seals events into files with the store's own writer, asks each query of DuckDB directly and
// through the worker (check, plan, view, printing), turn by turn, and prints medians and their
// ratio. The worker's confinement is left out: it is a cost of the start, not of a query. Then, for
// queries that want a part of the history, what part of the files' bytes they read.
#include "base/rand.h"
#include "base/uuid.h"
#include "duck/inside.h"
#include "os/os.h"
#include "segment/segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 8, ROUNDS_MAX = 101, STEP_US = 100000 };
#define START_US INT64_C(1700000000000000)

static const char *const queries[] = {
    "SELECT event_type, count(*) FROM events GROUP BY 1 ORDER BY 1",
    "SELECT date_trunc('hour', timestamp) AS h, count(*) FROM events GROUP BY 1 ORDER BY 1 LIMIT 5",
    "SELECT entity_id, count(*) AS n FROM events GROUP BY 1 ORDER BY n DESC, 1 LIMIT 10",
    "SELECT event_type, sum((payload->>'n')::BIGINT) FROM events GROUP BY 1 ORDER BY 1",
    "SELECT count(*) FROM events WHERE position > 1000000000",
    "SELECT * FROM events ORDER BY position DESC LIMIT 10",
};
// All of them, then parts: an entity, an hour, one position, one column.
static const char *const parts[] = {
    "SELECT max(payload::VARCHAR), max(entity_id) FROM events",
    "SELECT max(payload::VARCHAR) FROM events WHERE entity_id = 'entity-31'",
    ("SELECT max(payload::VARCHAR) FROM events WHERE timestamp >= '2023-11-15T00:00:00Z' "
     "AND timestamp < '2023-11-15T01:00:00Z'"),
    "SELECT max(payload::VARCHAR) FROM events WHERE position = 1000000",
    "SELECT max(position) FROM events",
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

// Ten events an entity, one near the other, as lives are; an event every tenth of a second.
static void add_event(struct segment_writer *writer, struct rand *rand, als_position position)
{
    char entity[32], type[16], payload[128];
    uint8_t random[10];
    struct als_why why = {""};
    for (size_t i = 0; i < sizeof random; i++)
        random[i] = (uint8_t)rand_next(rand);
    uint64_t number = position / 10000 * 1000 + rand_below(rand, 1000);
    int entity_len = snprintf(entity, sizeof entity, "entity-%llu", (unsigned long long)number);
    int type_len = snprintf(type, sizeof type, "type.%u", (unsigned)rand_below(rand, 20));
    int payload_len = snprintf(payload, sizeof payload, "{\"n\":%llu,\"text\":\"%016llx%016llx\"}",
                               (unsigned long long)position, (unsigned long long)rand_next(rand),
                               (unsigned long long)rand_next(rand));
    int64_t time_us = START_US + (int64_t)position * STEP_US;
    struct als_event event = {.position = position,
                              .version = position % 10 + 1,
                              .id = uuid_v7(time_us, random),
                              .timestamp_us = time_us,
                              .recorded_us = time_us,
                              .entity = {entity, (size_t)entity_len},
                              .type = {type, (size_t)type_len},
                              .payload = {payload, (size_t)payload_len}};
    if (segment_writer_add(writer, &event, &why) != ALS_OK)
        die(why.text);
}

static void make_file(struct os_dir *dir, const char *name, als_position first, als_position last)
{
    struct als_why why = {""};
    struct segment_facts facts;
    struct rand rand = {first};
    AUTO(segment_writer) writer = NULL;
    struct segment_write_options options = {.tenant = S("default")};
    if (segment_writer_open(os_posix_unsynced(), dir, str_of(name), options, &writer, &why) !=
        ALS_OK)
        die(why.text);
    for (als_position position = first; position <= last; position++)
        add_event(writer, &rand, position);
    if (segment_writer_finish(writer, &facts, &why) != ALS_OK)
        die(why.text);
}

static void make_files(duckdb_connection connection, const char *directory, uint64_t rows,
                       struct sql_file *files)
{
    static char paths[FILES][256];
    char statement[512];
    struct os *os = os_posix_unsynced();
    struct os_dir *dir = NULL;
    if (os->dir_open(os, NULL, str_of(directory), false, &dir, NULL) != ALS_OK)
        die("no place to work");
    for (uint64_t i = 0; i < FILES; i++) {
        uint64_t first = i * (rows / FILES) + 1, last = (i + 1) * (rows / FILES);
        int len = snprintf(paths[i], sizeof paths[i], "%s/", directory);
        (void)snprintf(paths[i] + len, sizeof paths[i] - (size_t)len, "%llu.parquet",
                       (unsigned long long)i);
        make_file(dir, paths[i] + len, first, last);
        files[i] = (struct sql_file){.path = str_of(paths[i]),
                                     .first = first,
                                     .last = last,
                                     .rows = last - first + 1,
                                     .least_us = START_US + (int64_t)first * STEP_US,
                                     .greatest_us = START_US + (int64_t)last * STEP_US};
    }
    os->dir_close(dir);
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

struct place {
    struct worker worker;
    int socket; // the other end of the worker's
    char directory[64];
    struct sql_file files[FILES];
    als_position last;
};

static struct sql_question question_of(const struct place *place, const char *query)
{
    return (struct sql_question){.query = str_of(query),
                                 .directory = str_of(place->directory),
                                 .sealed = place->last,
                                 .position = place->last,
                                 .as_of_us = INT64_MAX,
                                 .rows_max = 1000,
                                 .rows_cut = true,
                                 .bytes_max = 1 << 17,
                                 .time_ms_max = 600000,
                                 .files = place->files,
                                 .file_count = FILES};
}

static void open_place(struct place *place, uint64_t rows)
{
    struct als_why why = {""};
    int ends[2];
    (void)snprintf(place->directory, sizeof place->directory, "/tmp/allsource-sql-bench-XXXXXX");
    if (!mkdtemp(place->directory) || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        die("no place to work");
    place->worker.socket = ends[0];
    place->socket = ends[1];
    place->last = rows / FILES * FILES;
    arena_init(&place->worker.arena, 1 << 20, 64 << 20);
    if (worker_open(&place->worker, UINT64_C(1) << 30, &why) != ALS_OK)
        die(why.text);
    make_files(place->worker.connection, place->directory, rows, place->files);
    if (worker_lock(&place->worker, 2, str_of(place->directory), &why) != ALS_OK)
        die(why.text);
}

static void close_place(struct place *place)
{
    worker_close(&place->worker);
    for (size_t i = 0; i < FILES; i++)
        (void)unlink(place->files[i].path.ptr);
    (void)rmdir(place->directory);
}

static void compare_times(struct place *place, uint64_t rounds)
{
    printf("%9s %9s %7s  query\n", "alone", "worker", "ratio");
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        double alone[ROUNDS_MAX], ours[ROUNDS_MAX];
        struct sql_question question = question_of(place, queries[i]);
        for (uint64_t round = 0; round < rounds; round++) {
            alone[round] = time_alone(place->worker.connection, queries[i]);
            ours[round] = time_worker(&place->worker, place->socket, &question);
        }
        double a = median(alone, rounds), b = median(ours, rounds);
        printf("%9.2f %9.2f %7.2f  %.60s\n", a, b, b / a, queries[i]);
    }
}

static uint64_t bytes_read(void)
{
    unsigned long long count = 0;
    FILE *file = fopen("/proc/self/io", "r");
    if (!file || fscanf(file, "rchar: %llu", &count) != 1)
        die("/proc/self/io");
    (void)fclose(file); // was only read
    return count;
}

static void compare_bytes(struct place *place)
{
    uint64_t all = 0;
    printf("%9s %9s %7s  query\n", "bytes", "of all", "ms");
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        struct sql_question question = question_of(place, parts[i]);
        uint64_t before = bytes_read();
        double took = time_worker(&place->worker, place->socket, &question);
        uint64_t bytes = bytes_read() - before;
        all = all ? all : bytes;
        printf("%8.2fM %8.2f%% %7.2f  %.60s\n", (double)bytes / 1e6,
               100 * (double)bytes / (double)all, took, parts[i]);
    }
}

int main(int count, char **words)
{
    uint64_t rows = 10000000, rounds = 7;
    if ((count > 1 && !str_to_u64(str_of(words[1]), &rows)) ||
        (count > 2 && !str_to_u64(str_of(words[2]), &rounds)) || rows < FILES || rounds == 0 ||
        rounds > ROUNDS_MAX)
        die("usage: sql_bench [rows] [rounds]");
    static struct place place;
    open_place(&place, rows);
    printf("%llu rows in %d files, median of %llu, ms\n", (unsigned long long)rows, FILES,
           (unsigned long long)rounds);
    compare_times(&place, rounds);
    compare_bytes(&place);
    close_place(&place);
    return 0;
}
