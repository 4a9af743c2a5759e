// SPDX-License-Identifier: Apache-2.0
// One request on its way through the server, and the server it goes through.
#pragma once

#include "base/arena.h"
#include "base/lock.h"
#include "metrics/metrics.h"
#include "server/route.h"
#include "server/server.h"

#include <allsource.h>

#include <stdatomic.h>

struct http_request;
struct config;
struct http_server;
struct os;
struct sse;
struct waiter;
struct sql_pool;
struct desk;
struct backups;

enum reached { REACHED, REACHED_TOO_LATE, REACHED_END };

struct server {
    struct als *_Atomic als;            // NULL until the history is recovered
    _Atomic(struct http_server *) http; // NULL until it listens
    struct metrics *metrics;
    struct os *os;
    struct arena arena; // what lives as long as the server
    size_t address_count;
    uint64_t event_bytes_max;
    uint64_t batch_events_max;
    uint32_t sockets_max;
    uint32_t stop_ms_max;
    struct sql_pool *sql; // NULL: no SQL
    struct desk *desk;
    struct backups *backups;

    struct lock lock; // guards the next four; requests are woken under it
    struct sse *sse_first;
    uint32_t sse_count;
    struct waiter *waiters;
    bool stopping;

    // How much of the socket statistics is in the metrics already; only grows.
    _Atomic uint64_t seen_opened, seen_sent, seen_errors;
    _Atomic uint64_t seen_cache_hits, seen_cache_misses, seen_stalls;
};

// Lives in the arena of its request. Owned by the loop thread, except between handing it to the
// engine and being continued, and while it is at the desk.
struct call {
    struct server *server;
    struct http_request *request;
    struct arena *arena;
    enum route_found found;
    struct route_match match; // route is NULL when no resource has this path
    uint64_t start_ns;
    void (*then)(struct call *call); // runs on the loop thread when what was waited for is there
    void *state;                     // what the handler keeps for `then`
    enum reached reached;            // what became of waiting for a position
    atomic_bool gone;                // the client has closed its side; of a call at the desk
};

// The handlers of routes.def.
#define X(method, path, handler, body) void handler(struct call *call);
#include "server/routes.def"
#undef X

// Any thread: runs call->then on the loop thread of its request.
void call_continue(struct call *call);
uint64_t call_age_ns(const struct call *call);
// Zeroed memory that lives as long as the request, kept as call->state. Answers 413 and returns
// NULL when the request's arena is full.
void *call_state_new(struct call *call, size_t size);

// Adds to a counter what is new since the last exposition; several may run at once.
void server_catch_up(struct metrics *metrics, enum metric metric, _Atomic uint64_t *seen,
                     uint64_t now);

// Wakes the event streams that owe their client a sign of life.
void sse_turn(struct server *server);
// The processes that answer SQL; none are started before there is a query.
err sql_start(struct server *server, const struct config *config, struct als_why *why);
void sql_refresh(struct server *server); // their metrics
void sql_cancel(struct server *server);  // queries under way end; no more are taken
void sql_stop(struct server *server);
// The desk (desk.h). After desk_cancel() every call that it had is answered and it takes no more.
err desk_start(struct server *server, struct als_why *why);
void desk_cancel(struct server *server);
void desk_free(struct server *server);
// Backups (backups.c); freed behind the engine, which may be making one.
err backups_start(struct server *server, const struct config *config, struct als_why *why);
void backups_free(struct server *server);
// Answers the reads that wait for a position; further ones are refused.
void reading_stop(struct server *server);
