// SPDX-License-Identifier: Apache-2.0
// Compaction on a keeper's thread of its own; sealing goes on beside it.
//
// Each turn merges for the tenant's first caller until nothing qualifies, or, when nobody asks,
// once. Merges that nobody asked for keep to so many bytes a second, so that readers and the writer
// have the disk; as soon as somebody waits behind one, it goes on as fast as it can. What fails is
// tried again after a while.
#include "engine/engine.h"

#include <stdlib.h>

enum { COMPACT_RETRY_S = 60 };

struct compact_request {
    struct request request;
    enum als_strategy strategy;
    als_compact_done *done;
    void *context;
};

// ---- Options

static bool is_strategy(enum als_strategy strategy)
{
    return (unsigned)strategy <= ALS_STRATEGY_FULL;
}

static err check_range(uint64_t *value, uint64_t usual, const uint64_t range[2], const char *name,
                       struct als_why *why)
{
    if (*value == 0)
        *value = usual;
    if (*value >= range[0] && *value <= range[1])
        return ALS_OK;
    return FAIL(why, ALS_INVALID_INPUT, "options.%s: %llu, from %llu to %llu", name,
                (unsigned long long)*value, (unsigned long long)range[0],
                (unsigned long long)range[1]);
}

err compact_options(struct als_options *options, struct als_why *why)
{
    uint64_t files = options->compact_files, age = options->compact_age_seconds;
    uint64_t interval = options->compact_interval_seconds;
    const uint64_t counts[] = {2, COMPACT_FILES_MAX}, seconds[] = {1, COMPACT_SECONDS_MAX};
    const uint64_t targets[] = {COMPACT_TARGET_BYTES_MIN, COMPACT_TARGET_BYTES_MAX};
    const uint64_t any[] = {1, COMPACT_TARGET_BYTES_MAX}, rates[] = {COMPACT_RATE_MIN, UINT64_MAX};
    if (!is_strategy(options->compact_strategy))
        return FAIL(why, ALS_INVALID_INPUT, "options.compact_strategy is no such value");
    if (options->compact_strategy == ALS_STRATEGY_USUAL)
        options->compact_strategy = ALS_STRATEGY_SIZE;
    TRY(check_range(&files, COMPACT_FILES_DEFAULT, counts, "compact_files", why));
    TRY(check_range(&age, COMPACT_AGE_SECONDS_DEFAULT, seconds, "compact_age_seconds", why));
    TRY(check_range(&interval, COMPACT_INTERVAL_SECONDS_DEFAULT, seconds,
                    "compact_interval_seconds", why));
    TRY(check_range(&options->compact_target_bytes, COMPACT_TARGET_BYTES_DEFAULT, targets,
                    "compact_target_bytes", why));
    TRY(check_range(&options->compact_small_bytes, COMPACT_SMALL_BYTES_DEFAULT, any,
                    "compact_small_bytes", why));
    TRY(check_range(&options->compact_bytes_per_second, COMPACT_RATE_DEFAULT, rates,
                    "compact_bytes_per_second", why));
    uint64_t retention = options->retention_interval_seconds;
    TRY(check_range(&retention, RETENTION_INTERVAL_SECONDS_DEFAULT, seconds,
                    "retention_interval_seconds", why));
    options->retention_interval_seconds = (uint32_t)retention;
    options->compact_files = (uint32_t)files;
    options->compact_age_seconds = (uint32_t)age;
    options->compact_interval_seconds = (uint32_t)interval;
    return ALS_OK;
}

// ---- Merging

struct merge {
    struct tenant *tenant;
    bool hurried; // somebody waits for it
    uint64_t start_ns;
};

static struct keeper *keeper_of(const struct tenant *tenant)
{
    return &tenant->als->keepers[KEEPER_LONG];
}

// Hears how far it is, and rests when it is too fast.
static bool paced(void *context, uint64_t done, uint64_t total)
{
    struct merge *merge = context;
    struct als *als = merge->tenant->als;
    struct keeper *keeper = keeper_of(merge->tenant);
    double seconds = (double)done / (double)als->options.compact_bytes_per_second;
    uint64_t due_ns = merge->start_ns + (uint64_t)(seconds * 1e9);
    lock_take(&keeper->lock);
    merge->tenant->compaction.seen.running = true;
    merge->tenant->compaction.seen.bytes_done = done;
    merge->tenant->compaction.seen.bytes_total = total;
    while (!keeper->stopping && !merge->hurried && als->requests == 0 &&
           signal_wait_until(&keeper->signal, &keeper->lock, due_ns))
        continue;
    bool go_on = !keeper->stopping;
    lock_release(&keeper->lock);
    return go_on;
}

static struct store_compaction how_to(struct merge *merge, enum als_strategy strategy)
{
    static const enum store_strategy strategies[] = {[ALS_STRATEGY_SIZE] = STORE_BY_SIZE,
                                                     [ALS_STRATEGY_AGE] = STORE_BY_AGE,
                                                     [ALS_STRATEGY_COUNT] = STORE_BY_COUNT,
                                                     [ALS_STRATEGY_FULL] = STORE_ALL};
    struct als *als = merge->tenant->als;
    const struct als_options *options = &als->options;
    return (struct store_compaction){
        .strategy = strategies[strategy ? strategy : options->compact_strategy],
        .files_min = options->compact_files,
        .target_bytes = options->compact_target_bytes,
        .small_bytes = merge->hurried ? options->compact_small_bytes : 0,
        .before_us =
            als->os->now_us(als->os) - INT64_C(1000000) * (int64_t)options->compact_age_seconds,
        .paced = paced,
        .context = merge};
}

static void add(struct als_compacted *sum, const struct als_compacted *once)
{
    sum->merges += once->merges;
    sum->files += once->files;
    sum->bytes_before += once->bytes_before;
    sum->bytes_after += once->bytes_after;
    sum->events += once->events;
    sum->duration_ns += once->duration_ns;
}

static void count(struct tenant *tenant, err code, const struct als_compacted *once)
{
    struct keeper *keeper = keeper_of(tenant);
    lock_take(&keeper->lock);
    struct als_compaction *seen = &tenant->compaction.seen;
    seen->running = false;
    seen->bytes_done = seen->bytes_total = 0;
    seen->failures += code != ALS_OK && code != ALS_NOT_READY;
    if (once->merges) {
        add(&seen->total, once);
        seen->last_ns = once->duration_ns;
    }
    lock_release(&keeper->lock);
}

// At most one merge; what it did is added to `sum`. Returns whether there was one.
static bool merge_once(struct merge *merge, enum als_strategy strategy, struct als_compacted *sum,
                       err *ret_code, struct als_why *why)
{
    struct tenant *tenant = merge->tenant;
    struct als *als = tenant->als;
    struct store_compacted compacted = {.files = 0};
    merge->start_ns = als->os->monotonic_ns(als->os);
    struct store_compaction how = how_to(merge, strategy);
    *ret_code = store_compact(atomic_load(&tenant->store), &how, &compacted, why);
    struct als_compacted once = {.merges = compacted.files > 0,
                                 .files = compacted.files,
                                 .bytes_before = compacted.bytes_before,
                                 .bytes_after = compacted.bytes_after,
                                 .events = compacted.events,
                                 .duration_ns = als->os->monotonic_ns(als->os) - merge->start_ns};
    give_memory_back(als);
    count(tenant, *ret_code, &once);
    add(sum, &once);
    if (once.merges && als->options.compacted)
        als->options.compacted(als->options.context, &once);
    if (*ret_code != ALS_OK && *ret_code != ALS_NOT_READY)
        notice(als, ALS_NOTICE_COMPACT_FAILED, tenant_name(tenant), 0, why->text);
    return once.merges;
}

// ---- Turns

static struct compact_request *take_request(struct tenant *tenant)
{
    return (struct compact_request *)requests_take(tenant, &tenant->compaction.requests);
}

static void serve(struct tenant *tenant, struct compact_request *request)
{
    struct merge merge = {.tenant = tenant, .hurried = true};
    struct als_compacted sum = {.merges = 0};
    struct als_why why = {""};
    err code;
    while (merge_once(&merge, request->strategy, &sum, &code, &why))
        continue;
    request->done(request->context, code, &sum, &why);
    free(request);
}

static bool compact_unasked(struct tenant *tenant)
{
    struct als *als = tenant->als;
    uint64_t now_ns = als->os->monotonic_ns(als->os);
    if (als->options.no_auto_compact || now_ns < tenant->compaction.after_ns)
        return false;
    struct merge merge = {.tenant = tenant};
    struct als_compacted sum = {.merges = 0};
    struct als_why why = {""};
    err code;
    bool merged = merge_once(&merge, ALS_STRATEGY_USUAL, &sum, &code, &why);
    if (code != ALS_OK)
        tenant->compaction.after_ns =
            als->os->monotonic_ns(als->os) + UINT64_C(1000000000) * COMPACT_RETRY_S;
    return merged;
}

bool compact_turn(struct tenant *tenant)
{
    struct compact_request *request = take_request(tenant);
    if (!request)
        return compact_unasked(tenant);
    serve(tenant, request);
    return true; // there may be another, and what was sealed meanwhile
}

// ---- <allsource.h>

enum als_err als_compact(struct als *als, const struct als_compact *compact, als_compact_done *done,
                         void *context, struct als_why *why)
{
    CHECK_ALS(als, why);
    CHECK_SIZED(compact, "compact", why);
    if (!done || !is_strategy(compact->strategy))
        return FAIL(why, ALS_INVALID_INPUT,
                    done ? "compact.strategy is no such value" : "done is NULL");
    struct tenant *tenant;
    struct store *store;
    TRY(tenant_find(als, compact->tenant, &tenant, why));
    TRY(tenant_store(als, compact->tenant, &store, why));
    if (!store) { // there is nothing
        done(context, ALS_OK, &(struct als_compacted){.merges = 0}, &(struct als_why){""});
        return ALS_OK;
    }
    struct compact_request *request = malloc(sizeof *request);
    if (!request)
        return FAIL(why, ALS_NO_MEMORY, "no memory to ask for compaction");
    *request =
        (struct compact_request){.strategy = compact->strategy, .done = done, .context = context};
    err code = requests_put(tenant, &tenant->compaction.requests, &request->request, why);
    if (code != ALS_OK)
        free(request);
    return code;
}

void als_compact_end(struct als *als)
{
    if (!als)
        return;
    keeper_stop(&als->keepers[KEEPER_LONG]);
    struct als_why why = {""};
    err_explain(&why, "the engine is being closed");
    for (struct tenant *tenant = atomic_load(&als->tenants); tenant; tenant = tenant->next) {
        retention_end(tenant);
        for (struct compact_request *request; (request = take_request(tenant)) != NULL;) {
            request->done(request->context, ALS_NOT_READY, &(struct als_compacted){.merges = 0},
                          &why);
            free(request);
        }
    }
}

static uint64_t count_waiting(const struct compaction *compaction)
{
    uint64_t count = 0;
    for (const struct request *at = compaction->requests.first; at; at = at->next)
        count++;
    return count;
}

enum als_err als_compaction(struct als *als, als_str name, struct als_compaction *ret_compaction,
                            struct als_why *why)
{
    CHECK_ALS(als, why);
    if (!ret_compaction)
        return FAIL(why, ALS_INVALID_INPUT, "ret_compaction is NULL");
    struct tenant *tenant;
    struct store *store;
    struct als_compaction seen = {.failures = 0};
    TRY(tenant_find(als, name, &tenant, why));
    TRY(tenant_store(als, name, &store, why));
    if (store) {
        lock_take(&keeper_of(tenant)->lock);
        seen = tenant->compaction.seen;
        seen.waiting = count_waiting(&tenant->compaction);
        lock_release(&keeper_of(tenant)->lock);
        seen.unreadable = store_stat(store).unfit;
    }
    const struct als_options *options = &als->options;
    seen.automatic = !options->no_auto_compact;
    seen.strategy = options->compact_strategy;
    seen.files = options->compact_files;
    seen.age_seconds = options->compact_age_seconds;
    seen.interval_seconds = options->compact_interval_seconds;
    seen.target_bytes = options->compact_target_bytes;
    seen.small_bytes = options->compact_small_bytes;
    seen.bytes_per_second = options->compact_bytes_per_second;
    *ret_compaction = seen;
    return ALS_OK;
}
