// SPDX-License-Identifier: Apache-2.0
#include "server/sql_pool.h"

#include "config/config.h"
#include "metrics/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool find_program(struct sql_pool *pool, str given)
{
    char name[WORKER_PATH_MAX];
    if (given.len >= sizeof name)
        return false;
    memcpy(name, given.ptr, given.len);
    name[given.len] = '\0';
    if (str_find(given, '/') == given.len)
        return worker_beside(name, pool->program);
    memcpy(pool->program, name, given.len + 1);
    return true;
}

// Processors are shared by all processes and by the server; two threads overlap reading and work.
static long threads_of_one(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors < 1 ? 1 : processors > SQL_THREADS_MAX ? SQL_THREADS_MAX : processors;
}

err sql_start(struct server *server, const struct config *config, struct als_why *why)
{
    if (config->sql_workers == 0)
        return ALS_OK;
    struct sql_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the SQL workers");
    server->sql = pool;
    if (!find_program(pool, config->sql_program))
        return FAIL(why, ALS_INVALID_INPUT, "--sql-program: the path is too long");
    pool->ms_max = config->sql_ms_max;
    pool->rows_max = config->sql_rows_max;
    (void)snprintf(pool->memory, sizeof pool->memory, "%llu",
                   (unsigned long long)config->sql_memory_bytes);
    (void)snprintf(pool->threads, sizeof pool->threads, "%ld", threads_of_one());
    pool->arguments[0] = pool->memory;
    pool->arguments[1] = pool->threads;
    struct worker_options options = {.program = pool->program,
                                     .arguments = pool->arguments,
                                     .count = (uint32_t)config->sql_workers,
                                     .queue_max = SQL_WAITING_MAX,
                                     .jobs_max = SQL_JOBS_MAX,
                                     .grace_ms = SQL_GRACE_MS,
                                     .idle_ms_max = SQL_IDLE_MS_MAX};
    return workers_start(options, &pool->workers, why);
}

void sql_refresh(struct server *server)
{
    struct sql_pool *pool = server->sql;
    if (!pool || !pool->workers)
        return;
    struct worker_stat stat = workers_stat(pool->workers);
    struct metrics *metrics = server->metrics;
    metrics_set(metrics, METRIC_sql_workers, (double)stat.idle + (double)stat.running);
    metrics_set(metrics, METRIC_sql_queries_waiting, (double)stat.waiting);
    server_catch_up(metrics, METRIC_sql_workers_started_total, &pool->seen_started, stat.started);
    server_catch_up(metrics, METRIC_sql_workers_died_total, &pool->seen_died, stat.died);
}

void sql_cancel(struct server *server)
{
    if (server->sql)
        workers_cancel(server->sql->workers);
}

void sql_stop(struct server *server)
{
    if (!server->sql)
        return;
    workers_stop(server->sql->workers);
    free(server->sql);
    server->sql = NULL;
}
