// SPDX-License-Identifier: Apache-2.0
// Tenants and their stores. A store is made at the first append and recovered at the opening; a
// tenant without one is only a name that somebody waits for.
#include "engine/engine.h"

#include "base/hash.h"
#include "event/event.h"

#include <stdlib.h>

str tenant_directory(str name, char space[static TENANT_DIRECTORY_MAX])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (c < 0x80)
            space[at++] = (char)c;
        else {
            space[at++] = '=';
            space[at++] = digits[c >> 4];
            space[at++] = digits[c & 15];
        }
    }
    return (str){space, at};
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool tenant_of_directory(str directory, char name[static TENANT_BYTES_MAX], size_t *ret_len)
{
    size_t len = 0;
    for (size_t i = 0; i < directory.len; i++) {
        if (len == TENANT_BYTES_MAX)
            return false;
        if (directory.ptr[i] != '=') {
            name[len++] = directory.ptr[i];
            continue;
        }
        if (i + 2 >= directory.len || hex_value(directory.ptr[i + 1]) < 0 ||
            hex_value(directory.ptr[i + 2]) < 0)
            return false;
        name[len++] =
            (char)(hex_value(directory.ptr[i + 1]) << 4 | hex_value(directory.ptr[i + 2]));
        i += 2;
    }
    *ret_len = len;
    return event_check_tenant((str){name, len}, NULL) == ALS_OK;
}

void notice(struct als *als, enum als_notice_kind kind, str tenant, uint64_t count,
            const char *text)
{
    struct als_notice notice = {.kind = kind, .tenant = tenant, .count = count, .text = text};
    if (als->options.notice)
        als->options.notice(als->options.context, &notice);
}

static _Atomic(struct tenant *) *bucket_of(struct als *als, str name)
{
    return &als->buckets[hash_bytes(name.ptr, name.len, 0) % TENANT_BUCKETS];
}

// Tenants are only ever added, in front, so looking needs no lock.
static struct tenant *find(struct als *als, str name)
{
    struct tenant *tenant = atomic_load_explicit(bucket_of(als, name), memory_order_acquire);
    while (tenant && !str_equal(tenant_name(tenant), name))
        tenant = tenant->next_in_bucket;
    return tenant;
}

static err add_locked(struct als *als, str name, struct tenant **ret_tenant, struct als_why *why)
{
    struct tenant *tenant = calloc(1, sizeof *tenant);
    if (!tenant)
        return FAIL(why, ALS_NO_MEMORY, "tenant '%.*s' cannot be made", STR(name));
    tenant->als = als;
    tenant->name_len = (uint8_t)name.len;
    memcpy(tenant->name, name.ptr, name.len);
    _Atomic(struct tenant *) *bucket = bucket_of(als, name);
    tenant->next_in_bucket = atomic_load(bucket);
    tenant->next = atomic_load(&als->tenants);
    atomic_store(bucket, tenant);
    atomic_store(&als->tenants, tenant);
    *ret_tenant = tenant;
    return ALS_OK;
}

static void synced(void *context, uint64_t duration_ns, size_t batches)
{
    const struct tenant *tenant = context;
    const struct als_options *options = &tenant->als->options;
    if (options->synced)
        options->synced(options->context, duration_ns, batches);
}

static err open_store(struct tenant *tenant, struct als_why *why)
{
    struct als *als = tenant->als;
    char space[TENANT_DIRECTORY_MAX];
    str name = tenant_name(tenant);
    struct store_options options = {
        .tenant = name,
        .sync = als->options.durability == ALS_DURABILITY_SYNC ? STORE_SYNC_EACH : STORE_SYNC_LATER,
        .wal_file_bytes = als->options.wal_file_bytes,
        .seal_bytes = als->options.seal_bytes,
        .zstd_level = als->options.zstd_level,
        .cache = als->cache,
        .calls = {.synced = synced, .context = tenant}};
    if (!tenant->dir)
        TRY(als->os->dir_open(als->os, als->tenants_dir, tenant_directory(name, space), true,
                              &tenant->dir, why));
    TRY(schemas_open(tenant, why));
    struct store_report report;
    struct store *store;
    TRY(store_open(als->os, tenant->dir, options, &report, &store, why));
    err code = snapshots_begin(tenant, store, why);
    if (code != ALS_OK) {
        store_close(store);
        return code;
    }
    tails_count(tenant, store);
    atomic_store(&tenant->store, store);
    keeper_wake(tenant);
    if (report.torn_bytes)
        notice(als, ALS_NOTICE_TORN_END, name, report.torn_bytes,
               "a crash had left an unfinished write at the end of the log; it was cut off, "
               "nothing acknowledged was lost");
    notice(als, ALS_NOTICE_RECOVERED, name, report.events, "the store is open");
    return ALS_OK;
}

// The store is there: whoever waited for it learns so.
static void tell_birth_locked(struct tenant *tenant)
{
    while (tenant->waits) {
        struct wait *wait = tenant->waits;
        tenant->waits = wait->next;
        wait->waiting = false;
        wait->born(wait, atomic_load(&tenant->store));
    }
}

static err make_store_locked(struct tenant *tenant, struct als_why *why)
{
    struct als *als = tenant->als;
    if (atomic_load(&tenant->store))
        return ALS_OK;
    if (tenant->damage != ALS_OK)
        return FAIL(why, tenant->damage, "%s", tenant->damage_why.text);
    if (als->tenant_count >= als->options.tenants_max)
        return FAIL(why, ALS_TENANT_LIMIT,
                    "tenant '%.*s' cannot be made: there are %u already, which is the limit",
                    STR(tenant_name(tenant)), als->tenant_count);
    TRY(open_store(tenant, why));
    als->tenant_count++;
    tell_birth_locked(tenant);
    return ALS_OK;
}

static err named(als_str *name, struct als_why *why)
{
    if (name->len == 0)
        *name = S("default");
    return event_check_tenant(*name, why);
}

err tenant_find(struct als *als, als_str name, struct tenant **ret_tenant, struct als_why *why)
{
    TRY(named(&name, why));
    *ret_tenant = find(als, name);
    return ALS_OK;
}

err tenant_await(struct als *als, als_str name, struct tenant **ret_tenant, struct als_why *why)
{
    TRY(named(&name, why));
    struct tenant *tenant = find(als, name);
    err code = ALS_OK;
    if (!tenant) {
        lock_take(&als->tenants_lock);
        tenant = find(als, name); // somebody may have been faster
        code = tenant ? ALS_OK : add_locked(als, name, &tenant, why);
        lock_release(&als->tenants_lock);
    }
    if (code == ALS_OK)
        *ret_tenant = tenant;
    return code;
}

err tenant_make(struct als *als, als_str name, struct tenant **ret_tenant, struct als_why *why)
{
    struct tenant *tenant;
    TRY(tenant_await(als, name, &tenant, why));
    if (!atomic_load(&tenant->store)) {
        lock_take(&als->tenants_lock);
        err code = make_store_locked(tenant, why);
        lock_release(&als->tenants_lock);
        TRY(code);
    }
    *ret_tenant = tenant;
    return ALS_OK;
}

err tenant_store(struct als *als, als_str name, struct store **ret_store, struct als_why *why)
{
    struct tenant *tenant;
    TRY(tenant_find(als, name, &tenant, why));
    if (tenant && tenant->damage != ALS_OK)
        return FAIL(why, tenant->damage, "%s", tenant->damage_why.text);
    *ret_store = tenant ? atomic_load(&tenant->store) : NULL;
    return ALS_OK;
}

struct opening {
    struct als *als;
    err code;
    struct als_why *why;
};

static bool open_directory(void *context, const struct os_entry *entry)
{
    struct opening *opening = context;
    char name[TENANT_BYTES_MAX];
    size_t len;
    if (!entry->directory || !tenant_of_directory(entry->name, name, &len))
        return true; // not ours
    struct tenant *tenant;
    opening->code = add_locked(opening->als, (str){name, len}, &tenant, opening->why);
    if (opening->code != ALS_OK)
        return false;
    tenant->damage = open_store(tenant, &tenant->damage_why);
    opening->als->tenant_count++;
    if (tenant->damage != ALS_OK)
        notice(opening->als, ALS_NOTICE_DAMAGED, tenant_name(tenant), 0, tenant->damage_why.text);
    return true;
}

err tenants_open(struct als *als, struct als_why *why)
{
    struct opening opening = {als, ALS_OK, why};
    TRY(als->os->dir_list(als->tenants_dir, open_directory, &opening, why));
    return opening.code;
}

void tenants_close(struct als *als)
{
    for (struct tenant *tenant = atomic_load(&als->tenants); tenant;) {
        struct tenant *next = tenant->next;
        snapshots_end(tenant);
        store_close(atomic_load(&tenant->store));
        slots_give(tenant);
        schemas_close(tenant);
        if (tenant->dir)
            als->os->dir_close(tenant->dir);
        free(tenant);
        tenant = next;
    }
}
