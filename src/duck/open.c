// SPDX-License-Identifier: Apache-2.0
// DuckDB as it is to be: in memory, without extensions to load, a network, a directory to spill to,
// or any file but the tenant's; and locked so. It is opened before the process is confined, since
// it looks at the machine, with one thread; the others are made afterwards and inherit the
// confinement.
#include "inside.h"

#include <inttypes.h>
#include <stdio.h>

// Nothing is spilled: a query that needs more memory than it may have is told so.
static const char *const settings[][2] = {
    {"autoinstall_known_extensions", "false"},
    {"autoload_known_extensions", "false"},
    {"allow_community_extensions", "false"},
    {"temp_directory", ""},
};

static const char *const statements[] = {
    "SET TimeZone = 'UTC'",
    "SET Calendar = 'gregorian'",
    "SET allow_persistent_secrets = false",
    "SET parquet_metadata_cache = true",
    "SET arrow_lossless_conversion = true",
    "SET enable_progress_bar = false",
};

static err set(duckdb_config config, const char *name, const char *value, struct als_why *why)
{
    if (duckdb_set_config(config, name, value) != DuckDBSuccess)
        return FAIL(why, ALS_INTERNAL, "DuckDB does not know the setting %s", name);
    return ALS_OK;
}

static err configure(duckdb_config config, uint64_t memory_bytes, struct als_why *why)
{
    char text[32];
    for (size_t i = 0; i < COUNT_OF(settings); i++)
        TRY(set(config, settings[i][0], settings[i][1], why));
    (void)snprintf(text, sizeof text, "%" PRIu64 "B", memory_bytes);
    TRY(set(config, "memory_limit", text, why));
    return set(config, "threads", "1", why); // the others are born confined
}

static err open_database(struct worker *worker, uint64_t memory_bytes, struct als_why *why)
{
    duckdb_config config;
    if (duckdb_create_config(&config) != DuckDBSuccess)
        return FAIL(why, ALS_NO_MEMORY, "DuckDB cannot be configured");
    err code = configure(config, memory_bytes, why);
    char *error = NULL;
    if (code == ALS_OK && duckdb_open_ext(NULL, &worker->database, config, &error) != DuckDBSuccess)
        code = FAIL(why, ALS_INTERNAL, "DuckDB cannot be opened: %s", error ? error : "");
    duckdb_free(error);
    duckdb_destroy_config(&config);
    if (code == ALS_OK && duckdb_connect(worker->database, &worker->connection) != DuckDBSuccess)
        code = FAIL(why, ALS_INTERNAL, "DuckDB cannot be connected to");
    return code;
}

err worker_say(struct worker *worker, const char *statement, struct als_why *why)
{
    duckdb_result result;
    err code = ALS_OK;
    if (duckdb_query(worker->connection, statement, &result) != DuckDBSuccess)
        code = FAIL(why, ALS_INTERNAL, "%s", duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    return code;
}

static err allow_directory(struct worker *worker, str directory, struct als_why *why)
{
    struct buf buf;
    buf_init(&buf, 64 << 10);
    buf_put_str(&buf, S("SET allowed_directories = ['"));
    for (size_t i = 0; i < directory.len; i++) {
        if (directory.ptr[i] == '\'')
            buf_put_char(&buf, '\'');
        buf_put_char(&buf, directory.ptr[i]);
    }
    buf_put_str(&buf, S("/']"));
    buf_put_char(&buf, '\0');
    err code = ALS_NO_MEMORY;
    if (!buf_failed(&buf))
        code = worker_say(worker, buf.ptr, why);
    buf_deinit(&buf);
    return code;
}

err worker_open(struct worker *worker, uint64_t memory_bytes, struct als_why *why)
{
    TRY(open_database(worker, memory_bytes, why));
    for (size_t i = 0; i < COUNT_OF(statements); i++)
        TRY(worker_say(worker, statements[i], why));
    TRY(live_register(worker->connection, &worker->live, why));
    if (duckdb_prepare(worker->connection, "SELECT json_serialize_sql(?::VARCHAR)",
                       &worker->parse) != DuckDBSuccess)
        return FAIL(why, ALS_INTERNAL, "%s", duckdb_prepare_error(worker->parse));
    return ALS_OK;
}

err worker_lock(struct worker *worker, unsigned threads, str directory, struct als_why *why)
{
    char text[32];
    worker->threads = threads;
    (void)snprintf(text, sizeof text, "SET threads = %u", threads);
    TRY(worker_say(worker, text, why));
    if (directory.len)
        TRY(allow_directory(worker, directory, why));
    TRY(worker_say(worker, "SET enable_external_access = false", why));
    return worker_say(worker, "SET lock_configuration = true", why);
}

void worker_close(struct worker *worker)
{
    duckdb_destroy_prepare(&worker->parse);
    duckdb_disconnect(&worker->connection);
    duckdb_close(&worker->database);
    live_close(&worker->live);
}
