// SPDX-License-Identifier: Apache-2.0
// Opening and closing, and the small functions of <allsource.h>.
//
// The data directory: LOCK, and tenants/NAME/ with a store each (docs/formats/layout.md).
#include "engine/engine.h"

#include "engine/backup.h"
#include "event/event.h"
#include "segment/segment.h"
#include "snapshot/snapshot.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

const char *als_version_text(void)
{
    return ALLSOURCE_VERSION;
}

const char *als_err_code(enum als_err code)
{
    return (unsigned)code < ALS_ERR_COUNT ? err_code(code) : "unknown";
}

int als_err_http(enum als_err code)
{
    return (unsigned)code < ALS_ERR_COUNT ? err_http(code) : 500;
}

const char *als_err_prefix(enum als_err code)
{
    return (unsigned)code < ALS_ERR_COUNT ? err_prefix(code) : "";
}

enum als_err als_check_type(als_str type, struct als_why *why)
{
    return event_check_type(type, why);
}

enum als_err als_check_entity(als_str entity, struct als_why *why)
{
    return event_check_entity(entity, why);
}

enum als_err als_check_tenant(als_str tenant, struct als_why *why)
{
    return event_check_tenant(tenant, why);
}

static err check_analytics(struct als_options *options, struct als_why *why)
{
    if (options->analytics_names_max == 0)
        options->analytics_names_max = ANALYSIS_NAMES_DEFAULT;
    if (options->analytics_names_max > ANALYSIS_NAMES_CAP)
        return FAIL(why, ALS_INVALID_INPUT, "options.analytics_names_max: %u, at most %d",
                    options->analytics_names_max, ANALYSIS_NAMES_CAP);
    if (options->analytics_threads > ANALYSTS_MAX)
        return FAIL(why, ALS_INVALID_INPUT, "options.analytics_threads: %u, at most %d",
                    options->analytics_threads, ANALYSTS_MAX);
    return ALS_OK;
}

static err checked_options(const struct als_options *given, struct als_options *ret_options,
                           struct als_why *why)
{
    struct als_options options = ALS_OPTIONS_INIT;
    if (given) {
        CHECK_SIZED(given, "options", why);
        options = *given;
    }
    options.writers = options.writers ? options.writers : 1;
    options.tenants_max = options.tenants_max ? options.tenants_max : TENANTS_DEFAULT_MAX;
    options.batch_events_max =
        options.batch_events_max ? options.batch_events_max : BATCH_EVENTS_MAX;
    options.event_bytes_max = options.event_bytes_max ? options.event_bytes_max : EVENT_BYTES_MAX;
    options.wal_file_bytes =
        options.wal_file_bytes ? options.wal_file_bytes : WAL_FILE_BYTES_DEFAULT;
    options.seal_bytes = options.seal_bytes ? options.seal_bytes : SEAL_BYTES_DEFAULT;
    options.zstd_level = options.zstd_level ? options.zstd_level : 1;
    options.cache_bytes = options.cache_bytes ? options.cache_bytes : CACHE_BYTES_DEFAULT;
    options.tail_index_bytes =
        options.tail_index_bytes ? options.tail_index_bytes : TAIL_INDEX_BYTES_DEFAULT;
    options.snapshot_events =
        options.snapshot_events ? options.snapshot_events : SNAPSHOT_EVENTS_DEFAULT;
    options.snapshot_seconds =
        options.snapshot_seconds ? options.snapshot_seconds : SNAPSHOT_SECONDS_DEFAULT;
    options.snapshots_per_entity =
        options.snapshots_per_entity ? options.snapshots_per_entity : SNAPSHOTS_PER_ENTITY_DEFAULT;
    if (options.snapshots_per_entity > SNAPSHOTS_PER_ENTITY_MAX)
        return FAIL(why, ALS_INVALID_INPUT, "options.snapshots_per_entity: %u, at most %d",
                    options.snapshots_per_entity, SNAPSHOTS_PER_ENTITY_MAX);
    if (options.writers > WRITERS_MAX)
        return FAIL(why, ALS_INVALID_INPUT, "options.writers: %u, at most %d", options.writers,
                    WRITERS_MAX);
    options.all_tails_index_bytes = options.all_tails_index_bytes ? options.all_tails_index_bytes
                                                                  : ALL_TAILS_INDEX_BYTES_DEFAULT;
    if (options.all_tails_index_bytes < TAIL_INDEX_BYTES_MIN)
        return FAIL(why, ALS_INVALID_INPUT, "options.all_tails_index_bytes: %llu, at least %llu",
                    (unsigned long long)options.all_tails_index_bytes,
                    (unsigned long long)TAIL_INDEX_BYTES_MIN);
    if (options.tail_index_bytes < TAIL_INDEX_BYTES_MIN)
        return FAIL(why, ALS_INVALID_INPUT, "options.tail_index_bytes: %llu, at least %llu",
                    (unsigned long long)options.tail_index_bytes,
                    (unsigned long long)TAIL_INDEX_BYTES_MIN);
    TRY(check_analytics(&options, why));
    if (options.wal_file_bytes < WAL_FILE_BYTES_MIN || options.wal_file_bytes > WAL_FILE_BYTES_MAX)
        return FAIL(why, ALS_INVALID_INPUT, "options.wal_file_bytes: %llu, from %llu to %llu",
                    (unsigned long long)options.wal_file_bytes,
                    (unsigned long long)WAL_FILE_BYTES_MIN, (unsigned long long)WAL_FILE_BYTES_MAX);
    if (options.seal_bytes < SEAL_BYTES_MIN || options.seal_bytes > SEAL_BYTES_MAX)
        return FAIL(why, ALS_INVALID_INPUT, "options.seal_bytes: %llu, from %llu to %llu",
                    (unsigned long long)options.seal_bytes, (unsigned long long)SEAL_BYTES_MIN,
                    (unsigned long long)SEAL_BYTES_MAX);
    if (options.zstd_level < 1 || options.zstd_level > ZSTD_LEVEL_MAX)
        return FAIL(why, ALS_INVALID_INPUT, "options.zstd_level: %d, from 1 to %d",
                    options.zstd_level, ZSTD_LEVEL_MAX);
    if (options.event_bytes_max > BATCH_BYTES_MAX / 2)
        return FAIL(why, ALS_INVALID_INPUT, "options.event_bytes_max: %llu, at most %llu",
                    (unsigned long long)options.event_bytes_max,
                    (unsigned long long)BATCH_BYTES_MAX / 2);
    if ((unsigned)options.durability > ALS_DURABILITY_NONE)
        return FAIL(why, ALS_INVALID_INPUT, "options.durability is no such value");
    TRY(compact_options(&options, why));
    *ret_options = options;
    return ALS_OK;
}

static void als_free(struct als *als)
{
    als_close(als);
}
AUTO_WITH(als, als_free)

static struct als *als_new(struct als_options options, bool ephemeral)
{
    struct als *als = calloc(1, sizeof *als);
    if (!als)
        return NULL;
    als->os = ephemeral ? os_posix_unsynced() : os_posix();
    als->options = options;
    lock_init(&als->backups_lock, LOCK_BACKUP);
    lock_init(&als->tenants_lock, LOCK_ENGINE);
    lock_init(&als->run_lock, LOCK_RUN_QUEUE);
    lock_init(&als->slots_lock, LOCK_SLOTS);
    lock_init(&als->pool_lock, LOCK_POOL);
    lock_init(&als->whens_lock, LOCK_WAITER);
    signal_init(&als->work);
    signal_init(&als->tick);
    keepers_init(als);
    return als;
}

static err make_ephemeral(struct als *als, struct als_why *why)
{
    snprintf(als->ephemeral, sizeof als->ephemeral, "/tmp/allsource-XXXXXX");
    if (!mkdtemp(als->ephemeral)) {
        als->ephemeral[0] = '\0';
        return FAIL(why, ALS_STORAGE, "a temporary directory cannot be made in /tmp");
    }
    return ALS_OK;
}

enum als_err als_open(const char *directory, const struct als_options *options,
                      struct als **ret_als, struct als_why *why)
{
    if (!ret_als)
        return FAIL(why, ALS_INVALID_INPUT, "ret_als is NULL");
    struct als_options checked;
    TRY(checked_options(options, &checked, why));
    AUTO(als) als = als_new(checked, !directory);
    if (!als)
        return FAIL(why, ALS_NO_MEMORY, "the engine cannot be made");
    if (!directory)
        TRY(make_ephemeral(als, why));
    str path = str_of(directory ? directory : als->ephemeral);
    TRY(als->os->dir_open(als->os, NULL, path, true, &als->dir, why));
    als->directory = realpath(path.ptr, NULL);
    TRY(als->os->dir_lock(als->dir, S("LOCK"), &als->lock_file, why));
    TRY(restore_check_finished(als->os, als->dir, why));
    als->cache = segment_cache_new(als->options.cache_bytes);
    if (!als->cache)
        return FAIL(why, ALS_NO_MEMORY, "the cache of pages");
    TRY(als->os->dir_open(als->os, als->dir, S("tenants"), true, &als->tenants_dir, why));
    TRY(tenants_open(als, why));
    TRY(writers_start(als, why));
    TRY(keepers_start(als, why));
    als->analysts = analysts_new(als);
    if (!als->analysts)
        return FAIL(why, ALS_NO_MEMORY, "the engine cannot be made");
    *ret_als = MOVE(als);
    return ALS_OK;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    return remove(path);
}

void als_close(struct als *als)
{
    if (!als)
        return;
    analysts_free(als->analysts);
    backups_stop(als);
    als_compact_end(als);
    keeper_stop(&als->keepers[KEEPER_SHORT]);
    writers_stop(als);
    whens_expire(als, UINT64_MAX);
    pools_free(als);
    tenants_close(als);
    slots_free(als);
    segment_cache_free(als->cache);
    if (als->tenants_dir)
        als->os->dir_close(als->tenants_dir);
    if (als->lock_file)
        als->os->file_close(als->lock_file);
    if (als->dir)
        als->os->dir_close(als->dir);
    if (als->ephemeral[0])
        (void)nftw(als->ephemeral, remove_entry, 16, FTW_DEPTH | FTW_PHYS); // it is only temporary
    free(als->directory);
    signal_deinit(&als->work);
    signal_deinit(&als->tick);
    lock_deinit(&als->backups_lock);
    lock_deinit(&als->tenants_lock);
    lock_deinit(&als->run_lock);
    keepers_deinit(als);
    lock_deinit(&als->slots_lock);
    lock_deinit(&als->pool_lock);
    lock_deinit(&als->whens_lock);
    free(als);
}

enum als_err als_ready(struct als *als, struct als_why *why)
{
    CHECK_ALS(als, why);
    for (struct tenant *tenant = atomic_load(&als->tenants); tenant; tenant = tenant->next) {
        struct store *store = atomic_load(&tenant->store);
        if (store && store_has_failed(store))
            return FAIL(why, ALS_STORAGE_FAILED,
                        "the disk of tenant '%.*s' has failed: it is read-only until the server "
                        "is restarted",
                        STR(tenant_name(tenant)));
    }
    return ALS_OK;
}

enum als_err als_tenants(struct als *als, als_each_tenant *each, void *context, struct als_why *why)
{
    CHECK_ALS(als, why);
    if (!each)
        return FAIL(why, ALS_INVALID_INPUT, "each is NULL");
    for (struct tenant *tenant = atomic_load(&als->tenants); tenant; tenant = tenant->next)
        if (atomic_load(&tenant->store) && !each(context, tenant_name(tenant)))
            break;
    return ALS_OK;
}

static void add_stat(struct als_stats *stats, struct tenant *tenant)
{
    struct store *store = atomic_load(&tenant->store);
    struct store_stat stat = store_stat(store);
    struct snapshots_stat saved = snapshots_stat(tenant->snapshots);
    stats->snapshots += saved.count;
    stats->snapshot_bytes += saved.bytes;
    stats->tenants++;
    stats->events += stat.events;
    stats->entities += stat.entities;
    stats->types += stat.types;
    stats->ingested += stat.events + stat.removed;
    stats->position += stat.events + stat.removed;
    stats->removed += stat.removed;
    stats->wal_files += stat.wal_files;
    stats->wal_bytes += stat.wal_bytes;
    stats->wal_bytes_allocated += stat.wal_bytes_allocated;
    stats->wal_syncs += stat.wal_syncs;
    stats->wal_sync_ns += stat.wal_sync_ns;
    stats->segments += stat.segments;
    stats->segment_bytes += stat.segment_bytes;
    stats->sealed += stat.sealed - stat.removed;
    stats->index_bytes += stat.index_bytes;
    stats->queue_waiting += stat.waiting;
    stats->failed += store_has_failed(store);
}

enum als_err als_stats(struct als *als, als_str tenant_slice, struct als_stats *ret_stats,
                       struct als_why *why)
{
    CHECK_ALS(als, why);
    struct als_stats stats = {0};
    if (!ret_stats)
        return FAIL(why, ALS_INVALID_INPUT, "ret_stats is NULL");
    if (tenant_slice.len) {
        struct tenant *tenant;
        struct store *store;
        TRY(tenant_find(als, tenant_slice, &tenant, why));
        TRY(tenant_store(als, tenant_slice, &store, why));
        if (store)
            add_stat(&stats, tenant);
    } else {
        struct tenant *tenant = atomic_load(&als->tenants);
        for (; tenant; tenant = tenant->next)
            if (atomic_load(&tenant->store))
                add_stat(&stats, tenant);
            else
                stats.damaged += tenant->damage != ALS_OK;
    }
    struct segment_cache_stat cache = segment_cache_stat(als->cache);
    stats.append_stalls = atomic_load(&als->stalls);
    stats.cache_bytes = cache.bytes;
    stats.cache_hits = cache.hits;
    stats.cache_misses = cache.misses;
    *ret_stats = stats;
    return ALS_OK;
}
