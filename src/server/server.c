// SPDX-License-Identifier: Apache-2.0
// Life and death: the doors are opened first, so that a long recovery can be watched, and closed
// first, so that nobody is served by an engine that closes.
#include "server/server.h"

#include "base/limits.h"
#include "base/log.h"
#include "config/config.h"
#include "http/http.h"
#include "metrics/metrics.h"
#include "os/os.h"
#include "server/call.h"
#include "server/entry.h"

#include <stdlib.h>

enum {
    SERVER_ARENA_BLOCK = 4 << 10,
    SERVER_ARENA_MAX = 64 << 10,
    HEADER_BYTES_MAX = 16 << 10,
    SOCKET_MESSAGE_BYTES_MAX = 64 << 10, // clients only send filters
};

// Beside a request's body: the tape of its JSON, its drafts and what they became.
#define REQUEST_ARENA_EXTRA MIB(128)

struct words {
    enum log_level level;
    const char *msg;
    enum metric counter; // METRIC_COUNT: none
};

static struct words words_for(enum als_notice_kind kind)
{
    switch (kind) {
    case ALS_NOTICE_TORN_END:
        return (struct words){LOG_WARN, "torn end of the log cut", METRIC_COUNT};
    case ALS_NOTICE_STORAGE_FAILED:
        return (struct words){LOG_ERROR, "storage failed", METRIC_COUNT};
    case ALS_NOTICE_STORAGE_FULL:
        return (struct words){LOG_ERROR, "storage full", METRIC_COUNT};
    case ALS_NOTICE_RECOVERED:
        return (struct words){LOG_INFO, "tenant opened", METRIC_COUNT};
    case ALS_NOTICE_SNAPSHOT_FAILED:
        return (struct words){LOG_WARN, "snapshot not saved", METRIC_snapshot_failures_total};
    case ALS_NOTICE_SEAL_FAILED:
        return (struct words){LOG_ERROR, "not sealed", METRIC_seal_failures_total};
    case ALS_NOTICE_COMPACT_FAILED:
        return (struct words){LOG_ERROR, "not compacted", METRIC_compaction_failures_total};
    case ALS_NOTICE_RETAIN_FAILED:
        return (struct words){LOG_ERROR, "retention failed", METRIC_retention_failures_total};
    case ALS_NOTICE_DAMAGED:
        return (struct words){LOG_ERROR, "tenant damaged", METRIC_COUNT};
    }
    return (struct words){LOG_WARN, "notice", METRIC_COUNT};
}

static void notice(void *context, const struct als_notice *told)
{
    struct server *server = context;
    struct words words = words_for(told->kind);
    char text[LOG_QUOTED_MAX];
    if (told->kind == ALS_NOTICE_TORN_END)
        metrics_add(server->metrics, METRIC_wal_recovery_truncated_bytes, told->count, NULL);
    if (words.counter != METRIC_COUNT)
        metrics_add(server->metrics, words.counter, 1, NULL);
    LOG_LINE(words.level, words.msg, "tenant=%.*s count=%llu what=%s", STR(told->tenant),
             (unsigned long long)told->count, log_quoted(str_of(told->text), text));
}

static void synced(void *context, uint64_t duration_ns, size_t appends)
{
    (void)appends;
    struct server *server = context;
    metrics_observe_ns(server->metrics, METRIC_wal_sync_duration_seconds, duration_ns, NULL);
}

static void sealed(void *context, uint64_t duration_ns)
{
    struct server *server = context;
    metrics_observe_ns(server->metrics, METRIC_seal_duration_seconds, duration_ns, NULL);
}

static void compacted(void *context, const struct als_compacted *merge)
{
    struct server *server = context;
    struct metrics *metrics = server->metrics;
    metrics_add(metrics, METRIC_compactions_total, merge->merges, NULL);
    metrics_add(metrics, METRIC_compaction_files_merged, merge->files, NULL);
    metrics_observe_ns(metrics, METRIC_compaction_duration_seconds, merge->duration_ns, NULL);
    if (merge->bytes_before > merge->bytes_after)
        metrics_add(metrics, METRIC_compaction_bytes_saved,
                    merge->bytes_before - merge->bytes_after, NULL);
}

static void retained(void *context, const struct als_retained *run)
{
    struct server *server = context;
    struct metrics *metrics = server->metrics;
    metrics_add(metrics, METRIC_retention_runs_total, run->runs, NULL);
    metrics_add(metrics, METRIC_retention_events_removed_total, run->events, NULL);
    if (run->bytes_before > run->bytes_after)
        metrics_add(metrics, METRIC_retention_bytes_removed_total,
                    run->bytes_before - run->bytes_after, NULL);
}

static void snapshot_made(void *context, uint64_t duration_ns)
{
    struct server *server = context;
    metrics_add(server->metrics, METRIC_snapshots_created_total, 1, NULL);
    metrics_observe_ns(server->metrics, METRIC_snapshot_creation_duration_seconds, duration_ns,
                       NULL);
}

static void validated(void *context, als_str subject, size_t valid, size_t invalid,
                      uint64_t duration_ns)
{
    struct server *server = context;
    str passed[] = {S("valid"), subject}, refused[] = {S("invalid"), subject};
    if (valid)
        metrics_add(server->metrics, METRIC_schema_validations_total, valid, passed);
    if (invalid)
        metrics_add(server->metrics, METRIC_schema_validations_total, invalid, refused);
    metrics_observe_ns(server->metrics, METRIC_schema_validation_duration_seconds, duration_ns,
                       NULL);
}

// Adds to a counter what is new since the last exposition; several may run at once.
void server_catch_up(struct metrics *metrics, enum metric metric, _Atomic uint64_t *seen,
                     uint64_t now)
{
    uint64_t before = atomic_load(seen);
    while (before < now && !atomic_compare_exchange_weak(seen, &before, now))
        ;
    if (before < now)
        metrics_add(metrics, metric, now - before, NULL);
}

static void refresh(void *context, struct metrics *metrics)
{
    struct server *server = context;
    struct als_stats stats = {};
    if (als_stats(server->als, (str){NULL, 0}, &stats, NULL) == ALS_OK) {
        metrics_set(metrics, METRIC_storage_events_total, (double)stats.events);
        metrics_set(metrics, METRIC_storage_entities_total, (double)stats.entities);
        metrics_set(metrics, METRIC_storage_size_bytes,
                    (double)(stats.wal_bytes + stats.segment_bytes));
        metrics_set(metrics, METRIC_parquet_files_total, (double)stats.segments);
        metrics_set(metrics, METRIC_storage_sealed_events, (double)stats.sealed);
        metrics_set(metrics, METRIC_page_cache_bytes, (double)stats.cache_bytes);
        server_catch_up(metrics, METRIC_page_cache_hits_total, &server->seen_cache_hits,
                        stats.cache_hits);
        server_catch_up(metrics, METRIC_page_cache_misses_total, &server->seen_cache_misses,
                        stats.cache_misses);
        server_catch_up(metrics, METRIC_append_stalls_total, &server->seen_stalls,
                        stats.append_stalls);
        metrics_set(metrics, METRIC_storage_failed, (double)stats.failed);
        metrics_set(metrics, METRIC_snapshots_total, (double)stats.snapshots);
        metrics_set(metrics, METRIC_tenants_open, (double)stats.tenants);
        metrics_set(metrics, METRIC_tenants_damaged, (double)stats.damaged);
        metrics_set(metrics, METRIC_wal_segments_total, (double)stats.wal_files);
    }
    sql_refresh(server);
    struct http_server *http = atomic_load(&server->http);
    if (!http)
        return;
    struct http_socket_stat sockets = http_socket_stat(http);
    metrics_set(metrics, METRIC_websocket_connections_active, (double)sockets.open);
    server_catch_up(metrics, METRIC_websocket_connections_total, &server->seen_opened,
                    sockets.opened_total);
    server_catch_up(metrics, METRIC_websocket_messages_sent, &server->seen_sent,
                    sockets.messages_sent);
    server_catch_up(metrics, METRIC_websocket_errors_total, &server->seen_errors, sockets.errors);
}

// That it was meant has been checked; it is still said.
static void warn_of_exposure(const struct config *config)
{
    for (size_t i = 0; i < config->listen_count; i++)
        if (!config_is_loopback(config->listen[i]))
            LOG_LINE(LOG_WARN, "insecure", "address=%.*s why=\"no authentication, no TLS\"",
                     STR(config->listen[i]));
}

static enum als_durability durability(const struct config *config)
{
    switch (config->durability_kind) {
    case CONFIG_DURABILITY_INTERVAL:
        return ALS_DURABILITY_INTERVAL;
    case CONFIG_DURABILITY_NONE:
        return ALS_DURABILITY_NONE;
    case CONFIG_DURABILITY_SYNC:
        break;
    }
    return ALS_DURABILITY_SYNC;
}

static void set_compaction(const struct config *config, struct als_options *options)
{
    static const enum als_strategy strategies[] = {[CONFIG_SIZEBASED] = ALS_STRATEGY_SIZE,
                                                   [CONFIG_TIMEBASED] = ALS_STRATEGY_AGE,
                                                   [CONFIG_COUNTBASED] = ALS_STRATEGY_COUNT,
                                                   [CONFIG_FULLCOMPACTION] = ALS_STRATEGY_FULL};
    options->no_auto_compact = !config->auto_compact_on;
    options->compact_strategy = strategies[config->compact_kind];
    options->compact_files = (uint32_t)config->compact_files;
    options->compact_target_bytes = config->compact_target_bytes;
    options->compact_small_bytes = config->compact_small_bytes;
    options->compact_age_seconds = (uint32_t)config->compact_age_s;
    options->compact_interval_seconds = (uint32_t)config->compact_interval_s;
    options->compact_bytes_per_second = config->compact_rate;
    options->compacted = compacted;
    options->retention_interval_seconds = (uint32_t)config->retention_interval_s;
    options->retained = retained;
}

static err open_engine(struct server *server, const struct config *config, struct als_why *why)
{
    struct als_options options = ALS_OPTIONS_INIT;
    options.durability = durability(config);
    options.interval_ms = config->durability_interval_ms;
    options.writers = (uint32_t)config->writers;
    options.tenants_max = (uint32_t)config->tenants_max;
    options.batch_events_max = (uint32_t)config->batch_events_max;
    options.event_bytes_max = config->event_bytes_max;
    options.wal_file_bytes = config->wal_file_bytes;
    options.seal_bytes = config->seal_bytes;
    options.zstd_level = (int)config->zstd_level;
    options.cache_bytes = config->cache_bytes;
    options.tail_index_bytes = config->tail_index_bytes;
    options.all_tails_index_bytes = config->all_tails_index_bytes;
    options.notice = notice;
    options.synced = synced;
    options.validated = validated;
    options.schemas_strict = config->schemas_strict;
    options.schemas_assert_formats = config->schemas_assert_formats;
    options.context = server;
    options.no_auto_snapshot = !config->auto_snapshot_on;
    options.snapshot_events = (uint32_t)config->snapshot_events;
    options.snapshot_seconds = (uint32_t)config->snapshot_seconds;
    options.snapshots_per_entity = (uint32_t)config->snapshots_per_entity;
    options.snapshot_made = snapshot_made;
    options.sealed = sealed;
    set_compaction(config, &options);
    options.analytics_threads = (uint32_t)config->analytics_threads;
    options.analytics_names_max = (uint32_t)config->analytics_names_max;
    str directory = arena_copy(&server->arena, config->data_dir); // with a NUL behind it
    if (!directory.ptr)
        return FAIL(why, ALS_INVALID_INPUT, "the name of the data directory is too long");
    struct als *als;
    TRY(als_open(config->ephemeral ? NULL : directory.ptr, &options, &als, why));
    server->als = als;

    // Damage of a tenant is its own; but a server whose default store is damaged does not start.
    struct als_stats stats;
    return als_stats(als, S("default"), &stats, why);
}

static err open_doors(struct server *server, const struct config *config, struct als_why *why)
{
    static const struct http_header headers[] = {
        {{"Access-Control-Allow-Origin", 27}, {"*", 1}},
        {{"Vary", 4},
         {"origin, access-control-request-method, access-control-request-headers", 69}},
        {{"X-Content-Type-Options", 22}, {"nosniff", 7}},
    };
    struct http_options options = {
        .addresses = config->listen,
        .address_count = config->listen_count,
        .threads = (unsigned)config->threads,
        .connections_max = (uint32_t)config->connections_max,
        .connections_address_max = (uint32_t)config->connections_address_max,
        .idle_s_max = (uint32_t)config->idle_s_max,
        .body_bytes_max = config->request_bytes_max,
        .header_bytes_max = HEADER_BYTES_MAX,
        .arena_bytes_max = config->request_bytes_max + REQUEST_ARENA_EXTRA,
        .sockets_max = (uint32_t)config->sockets_max,
        .socket_stall_ms_max = (uint32_t)config->stall_ms_max,
        .socket_ping_ms = (uint32_t)config->ping_ms,
        .socket_message_bytes_max = SOCKET_MESSAGE_BYTES_MAX,
        .headers = headers,
        .header_count = COUNT_OF(headers),
        .head = entry_head,
        .whole = entry_whole,
        .context = server,
        .done = entry_done,
        .complain = entry_complain,
    };
    struct http_server *http;
    TRY(http_server_start(options, &http, why));
    atomic_store(&server->http, http);
    return ALS_OK;
}

static struct server *server_new(const struct config *config)
{
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    arena_init(&server->arena, SERVER_ARENA_BLOCK, SERVER_ARENA_MAX);
    lock_init(&server->lock, LOCK_SERVER);
    server->os = os_posix();
    server->metrics = metrics_new();
    server->address_count = config->listen_count;
    server->event_bytes_max = config->event_bytes_max;
    server->batch_events_max = config->batch_events_max;
    server->sockets_max = (uint32_t)config->sockets_max;
    server->stop_ms_max = (uint32_t)config->shutdown_ms_max;
    return server;
}

err server_start(const struct config *config, struct server **ret_server, struct als_why *why)
{
    warn_of_exposure(config);
    AUTO(server) server = server_new(config);
    if (!server || !server->metrics)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the server");
    metrics_on_print(server->metrics, refresh, server);
    TRY(sql_start(server, config, why));
    TRY(desk_start(server, why));
    TRY(backups_start(server, config, why));
    TRY(open_doors(server, config, why)); // first, so that /health answers during recovery
    TRY(open_engine(server, config, why));
    *ret_server = MOVE(server);
    return ALS_OK;
}

void server_stop(struct server *server)
{
    if (!server)
        return;
    struct http_server *http = atomic_load(&server->http);
    reading_stop(server);
    sql_cancel(server);
    desk_cancel(server);
    als_compact_end(server->als);
    als_analyses_cancel(server->als);
    if (http)
        http_server_stop(http, server->stop_ms_max);
    desk_free(server);
    sql_stop(server);
    als_close(server->als);
    backups_free(server);
    metrics_free(server->metrics);
    lock_deinit(&server->lock);
    arena_deinit(&server->arena);
    free(server);
}

size_t server_address_count(const struct server *server)
{
    return server->address_count;
}

str server_address(const struct server *server, size_t index, char space[static 64])
{
    return http_server_address(atomic_load(&server->http), index, space);
}

void server_turn(struct server *server)
{
    sse_turn(server);
}
