// SPDX-License-Identifier: Apache-2.0
// The rules of retention of a tenant, and the keeper's turns in which they are kept.
//
// They are a setting; a new one takes the place of the one before. They are kept on the thread that
// merges, because both replace sealed files: each interval by itself, with the pace of merges, and
// at once for whoever asks. Then snapshots that hold what is gone are forgotten; none of them is
// used in any case.
#include "engine/retention_rules.h"

#include "engine/engine.h"
#include "settings/settings.h"
#include "snapshot/snapshot.h"

#include <stdlib.h>

struct retain_request {
    struct request request;
    als_retain_done *done;
    void *context;
};

static struct keeper *keeper_of(const struct tenant *tenant)
{
    return &tenant->als->keepers[KEEPER_LONG];
}

// ---- The rules of a tenant

err retention_apply(struct tenant *tenant, const struct setting *setting, struct als_why *why)
{
    AUTO(retention_rules) rules = retention_rules_new();
    if (!rules)
        return FAIL(why, ALS_NO_MEMORY, "rules of retention");
    struct als_why what = {""};
    err code = retention_rules_read(setting->body, rules, &what);
    if (code != ALS_OK)
        return FAIL(why, code == ALS_NO_MEMORY ? code : ALS_CORRUPT, "setting %llu: %s",
                    (unsigned long long)setting->number, what.text);
    rules->number = setting->number;
    rules->json = setting->body;
    struct keeper *keeper = keeper_of(tenant);
    struct als *als = tenant->als;
    uint64_t after_ns = 0;
    if (tenant->settings) // it is open, and who set these may want to take them back
        after_ns = als->os->monotonic_ns(als->os) +
                   UINT64_C(1000000000) * als->options.retention_interval_seconds;
    lock_take(&keeper->lock);
    struct retention_rules *old = tenant->retention.rules;
    if (!old || old->number < rules->number) {
        tenant->retention.rules = MOVE(rules);
        tenant->retention.after_ns = after_ns;
    } else
        old = NULL;
    lock_release(&keeper->lock);
    retention_rules_free(old);
    return ALS_OK;
}

void retention_close(struct tenant *tenant)
{
    retention_rules_free(tenant->retention.rules);
    tenant->retention.rules = NULL;
}

static err keep_rules(struct tenant *tenant, const struct retention_rules *rules,
                      struct als_why *why)
{
    struct buf buf;
    struct setting setting;
    buf_init(&buf, RETENTION_BYTES_MAX);
    retention_rules_write(rules, &buf);
    als_position events = store_position(atomic_load(&tenant->store));
    err code = ALS_NO_MEMORY;
    if (buf_failed(&buf))
        err_explain(why, "rules of retention");
    else
        code = settings_append(tenant->settings, SETTING_RETENTION, events, buf_str(&buf), &setting,
                               why);
    buf_deinit(&buf);
    return code == ALS_OK ? retention_apply(tenant, &setting, why) : code;
}

enum als_err als_retention_set(struct als *als, als_str name, als_str rules, struct als_why *why)
{
    CHECK_ALS(als, why);
    struct tenant *tenant;
    AUTO(retention_rules) read = retention_rules_new();
    if (!read)
        return FAIL(why, ALS_NO_MEMORY, "rules of retention");
    TRY(retention_rules_read(rules, read, why));
    TRY(tenant_make(als, name, &tenant, why));
    return keep_rules(tenant, read, why);
}

// ---- Keeping them

struct run {
    struct tenant *tenant;
    bool hurried; // somebody waits for it
    uint64_t start_ns;
    struct arena arena; // of the names in them
    struct store_rule rules[RETENTION_RULES_MAX];
    size_t count;
};

enum { ROUND_FILES = 16 }; // others have their turn when so many files have lost events

// They may be replaced meanwhile.
static err take_rules(struct run *run, struct als_why *why)
{
    bool full = false;
    struct tenant *tenant = run->tenant;
    int64_t now_us = tenant->als->os->now_us(tenant->als->os);
    lock_take(&keeper_of(tenant)->lock);
    const struct retention_rules *rules = tenant->retention.rules;
    for (size_t i = 0; rules && i < rules->count; i++) {
        const struct retention_rule *rule = &rules->items[i];
        int64_t age_us = (int64_t)rule->age_seconds * 1'000'000;
        run->rules[run->count++] =
            (struct store_rule){.types = arena_copy(&run->arena, rule->types),
                                .before_us = age_us ? now_us - age_us : STORE_ANY_AGE,
                                .count_max = rule->count,
                                .bytes_max = rule->bytes};
        full |= !run->rules[i].types.ptr;
    }
    lock_release(&keeper_of(tenant)->lock);
    return full ? FAIL(why, ALS_NO_MEMORY, "rules of retention") : ALS_OK;
}

// Rests as a merge does when it is too fast.
static bool paced(void *context, uint64_t done, uint64_t total)
{
    (void)total;
    const struct run *run = context;
    struct tenant *tenant = run->tenant;
    struct als *als = tenant->als;
    struct keeper *keeper = keeper_of(tenant);
    double seconds = (double)done / (double)als->options.compact_bytes_per_second;
    uint64_t due_ns = run->start_ns + (uint64_t)(seconds * 1e9);
    lock_take(&keeper->lock);
    while (!keeper->stopping && !run->hurried && als->requests == 0 &&
           signal_wait_until(&keeper->signal, &keeper->lock, due_ns))
        continue;
    bool go_on = !keeper->stopping;
    lock_release(&keeper->lock);
    return go_on;
}

// Walking through all of them has those forgotten that hold an event which is gone.
static void forget_snapshots(struct tenant *tenant)
{
    enum { ROOM = 256 };
    struct als_state *state = state_take(tenant->als);
    struct snapshot *snapshots = calloc(ROOM, sizeof *snapshots);
    struct snapshot_page page = {.snapshots = snapshots, .room = ROOM};
    bool more = state && snapshots;
    while (more) {
        size_t count = 0;
        if (snapshot_list(tenant->snapshots, state_inside(state), &page, &count, &more, NULL))
            break;
        if (count == 0)
            break; // what was left was all forgotten
        const struct snapshot *last = &snapshots[count - 1];
        char space[ENTITY_BYTES_MAX];
        memcpy(space, last->entity, last->entity_len);
        page.after = (str){space, last->entity_len};
    }
    free(snapshots);
    als_state_close(state);
    keeper_wake(tenant); // files may be mostly garbage now
}

static void add(struct als_retained *sum, const struct als_retained *once)
{
    sum->runs += once->runs;
    sum->events += once->events;
    sum->files += once->files;
    sum->files_removed += once->files_removed;
    sum->bytes_before += once->bytes_before;
    sum->bytes_after += once->bytes_after;
    sum->duration_ns += once->duration_ns;
}

static void count(struct tenant *tenant, err code, const struct als_retained *once)
{
    lock_take(&keeper_of(tenant)->lock);
    struct als_retention *seen = &tenant->retention.seen;
    seen->failures += code != ALS_OK && code != ALS_NOT_READY;
    seen->last_us = tenant->als->os->now_us(tenant->als->os);
    add(&seen->total, once);
    lock_release(&keeper_of(tenant)->lock);
}

static err keep_to_rules(struct run *run, struct store_retained *ret_retained, struct als_why *why)
{
    struct store_retention how = {.rules = run->rules,
                                  .all = run->hurried,
                                  .files_max = run->hurried ? 0 : ROUND_FILES,
                                  .paced = paced,
                                  .context = run};
    arena_init(&run->arena, KIB(4), RETENTION_BYTES_MAX);
    err code = take_rules(run, why);
    how.rule_count = run->count;
    if (code == ALS_OK)
        code = store_retain(atomic_load(&run->tenant->store), &how, ret_retained, why);
    arena_deinit(&run->arena);
    give_memory_back(run->tenant->als);
    return code;
}

static err run_rules(struct tenant *tenant, bool hurried, struct als_retained *ret_once,
                     struct als_why *why)
{
    struct als *als = tenant->als;
    struct store_retained retained = {0};
    struct run run = {.tenant = tenant, .hurried = hurried};
    run.start_ns = als->os->monotonic_ns(als->os);
    err code = keep_to_rules(&run, &retained, why);
    *ret_once = (struct als_retained){.runs = 1,
                                      .events = retained.events,
                                      .files = retained.files,
                                      .files_removed = retained.files_removed,
                                      .bytes_before = retained.bytes_before,
                                      .bytes_after = retained.bytes_after};
    if (retained.events)
        forget_snapshots(tenant);
    ret_once->duration_ns = als->os->monotonic_ns(als->os) - run.start_ns;
    count(tenant, code, ret_once);
    if (als->options.retained)
        als->options.retained(als->options.context, ret_once);
    if (code != ALS_OK && code != ALS_NOT_READY)
        notice(als, ALS_NOTICE_RETAIN_FAILED, tenant_name(tenant), 0, why->text);
    return code;
}

// ---- Turns

static struct retain_request *take_request(struct tenant *tenant)
{
    return (struct retain_request *)requests_take(tenant, &tenant->retention.requests);
}

static bool is_due(struct tenant *tenant)
{
    struct als *als = tenant->als;
    uint64_t now_ns = als->os->monotonic_ns(als->os);
    lock_take(&keeper_of(tenant)->lock);
    struct retention *retention = &tenant->retention;
    bool due = retention->rules && retention->rules->count && now_ns >= retention->after_ns;
    if (due)
        retention->after_ns =
            now_ns + UINT64_C(1000000000) * als->options.retention_interval_seconds;
    lock_release(&keeper_of(tenant)->lock);
    return due;
}

// Returns whether there may be more. What fails is told by a notice, and waits for an interval.
static bool run_round(struct tenant *tenant)
{
    struct als_why why = {""};
    struct als_retained once = {.runs = 0};
    err code = run_rules(tenant, false, &once, &why);
    bool more = code == ALS_OK && once.files >= ROUND_FILES;
    lock_take(&keeper_of(tenant)->lock);
    if (more)
        tenant->retention.after_ns = 0;
    lock_release(&keeper_of(tenant)->lock);
    return more;
}

bool retention_turn(struct tenant *tenant)
{
    struct als_why why = {""};
    struct als_retained once = {.runs = 0};
    struct retain_request *request = take_request(tenant);
    if (!request)
        return is_due(tenant) && run_round(tenant);
    err code = run_rules(tenant, true, &once, &why);
    request->done(request->context, code, &once, &why);
    free(request);
    return true; // there may be another
}

void retention_end(struct tenant *tenant)
{
    struct als_why why = {""};
    err_explain(&why, "the engine is being closed");
    for (struct retain_request *request; (request = take_request(tenant)) != NULL;) {
        request->done(request->context, ALS_NOT_READY, &(struct als_retained){.runs = 0}, &why);
        free(request);
    }
}

// ---- <allsource.h>

enum als_err als_retain(struct als *als, als_str name, als_retain_done *done, void *context,
                        struct als_why *why)
{
    CHECK_ALS(als, why);
    if (!done)
        return FAIL(why, ALS_INVALID_INPUT, "done is NULL");
    struct tenant *tenant;
    struct store *store;
    TRY(tenant_find(als, name, &tenant, why));
    TRY(tenant_store(als, name, &store, why));
    if (!store) { // there is nothing
        done(context, ALS_OK, &(struct als_retained){.runs = 0}, &(struct als_why){""});
        return ALS_OK;
    }
    struct retain_request *request = malloc(sizeof *request);
    if (!request)
        return FAIL(why, ALS_NO_MEMORY, "no memory to ask for retention");
    *request = (struct retain_request){.done = done, .context = context};
    err code = requests_put(tenant, &tenant->retention.requests, &request->request, why);
    if (code != ALS_OK)
        free(request);
    return code;
}

enum als_err als_retention(struct als *als, als_str name, struct als_retention *ret_retention,
                           struct als_why *why)
{
    CHECK_ALS(als, why);
    if (!ret_retention)
        return FAIL(why, ALS_INVALID_INPUT, "ret_retention is NULL");
    struct tenant *tenant;
    struct store *store;
    struct als_retention seen = {.rules = S("{\"rules\":[]}")};
    TRY(tenant_find(als, name, &tenant, why));
    TRY(tenant_store(als, name, &store, why));
    if (store) {
        lock_take(&keeper_of(tenant)->lock);
        als_str rules = seen.rules;
        seen = tenant->retention.seen;
        seen.rules = tenant->retention.rules ? tenant->retention.rules->json : rules;
        lock_release(&keeper_of(tenant)->lock);
        seen.removed = store_stat(store).removed;
    }
    seen.interval_seconds = als->options.retention_interval_seconds;
    *ret_retention = seen;
    return ALS_OK;
}
