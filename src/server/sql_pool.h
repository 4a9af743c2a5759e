// SPDX-License-Identifier: Apache-2.0
// The processes that answer SQL, with what they are told.
#pragma once

#include "server/call.h"
#include "worker/worker.h"

enum {
    SQL_JOBS_MAX = 1000,     // queries of one process
    SQL_WAITING_MAX = 32,    // queries that wait for a process
    SQL_GRACE_MS = 500,      // for a query that is to end, before its process is killed
    SQL_IDLE_MS_MAX = 60000, // of a process without a query
    SQL_THREADS_MAX = 4,     // of one process
};

struct sql_pool {
    struct workers *workers;
    uint64_t ms_max, rows_max;
    char program[WORKER_PATH_MAX];
    char memory[24], threads[24];
    const char *arguments[3];
    _Atomic uint64_t seen_started, seen_died; // what the metrics have of them
};
