// SPDX-License-Identifier: Apache-2.0
// Restoring. Every file of the backup is compared with the catalog, then the history is copied,
// cut at a position if one was asked for, and what came of it is read back and checked. All that
// happens in the directory `restoring`, which becomes `tenants` at the very end: a restore that was
// not finished leaves nothing that could be taken for a data directory.
#include "engine/backup.h"

#include "base/mutant.h"
#include "engine/engine.h"
#include "settings/settings.h"

static const str name_working = {"restoring", 9}, name_final = {"tenants", 7};

struct restoring {
    struct os *os;
    struct catalog *catalog;
    const struct catalog_tenant *first; // of those that are wanted
    size_t count;
    struct os_dir *source, *target; // tenants/ of the backup; of what is made, NULL: nothing is
    const struct restore_options *options;
    struct als_backup_report report;
};

// ---- Which tenants, and up to where

static const struct catalog_tenant *find_tenant(const struct catalog *catalog, str tenant)
{
    char space[TENANT_DIRECTORY_MAX];
    str directory = tenant_directory(tenant, space);
    for (size_t i = 0; i < catalog->tenant_count; i++)
        if (str_equal(catalog->tenants[i].directory, directory))
            return &catalog->tenants[i];
    return NULL;
}

static err check_position(const struct restoring *restoring, const struct catalog_tenant *tenant,
                          struct als_why *why)
{
    if (restoring->options->at > tenant->position)
        return FAIL(why, ALS_INVALID_INPUT,
                    "the backup has tenant '%.*s' up to position %llu, and not to %llu",
                    STR(tenant->directory), (unsigned long long)tenant->position,
                    (unsigned long long)restoring->options->at);
    return ALS_OK;
}

static err choose(struct restoring *restoring, struct als_why *why)
{
    const struct catalog *catalog = restoring->catalog;
    const struct restore_options *options = restoring->options;
    restoring->first = catalog->tenants;
    restoring->count = catalog->tenant_count;
    if (options->tenant.len) {
        restoring->first = find_tenant(catalog, options->tenant);
        restoring->count = 1;
        if (!restoring->first)
            return FAIL(why, ALS_TENANT_NOT_FOUND, "the backup has no tenant '%.*s'",
                        STR(options->tenant));
    }
    if (options->at && restoring->count != 1)
        return FAIL(why, ALS_INVALID_INPUT,
                    "the backup has %zu tenants, each with positions of its own: name the one",
                    restoring->count);
    return options->at ? check_position(restoring, restoring->first, why) : ALS_OK;
}

// ---- One tenant

static err check_tenant(const struct restoring *restoring, str name, struct os_dir *dir,
                        struct als_why *why)
{
    struct copy_check check = {dir, name, &restoring->options->pace, false};
    return check_copy(restoring->os, &check, why);
}

static err copy_tenant(const struct restoring *restoring, const struct catalog_tenant *tenant,
                       str name, struct os_dir *source, struct store_copied *ret_copied,
                       struct als_why *why)
{
    struct os *os = restoring->os;
    struct os_dir *target;
    als_position up_to = restoring->options->at ? restoring->options->at : tenant->position;
    struct store_copying copying = {.tenant = name,
                                    .bytes = true,
                                    .up_to = up_to,
                                    .paced = restoring->options->pace.paced,
                                    .context = restoring->options->pace.context};
    TRY(os->dir_open(os, restoring->target, tenant->directory, true, &target, why));
    struct settings_copying settings = {.target = target, .tenant = name, .up_to = up_to};
    err code = store_copy(os, source, target, &copying, ret_copied, why);
    if (code == ALS_OK && ret_copied->position != up_to)
        code = FAIL(why, ALS_CORRUPT, "tenant '%.*s' ends at position %llu, not at %llu", STR(name),
                    (unsigned long long)ret_copied->position, (unsigned long long)up_to);
    if (code == ALS_OK)
        code = settings_copy(os, source, &settings, why);
    if (code == ALS_OK)
        code = check_tenant(restoring, name, target, why);
    os->dir_close(target);
    return code;
}

static err take_tenant(struct restoring *restoring, const struct catalog_tenant *tenant,
                       struct als_why *why)
{
    struct os *os = restoring->os;
    const struct catalog *catalog = restoring->catalog;
    char name[TENANT_BYTES_MAX];
    size_t len;
    struct os_dir *source;
    struct store_copied copied = {.position = tenant->position, .events = tenant->events};
    if (!tenant_of_directory(tenant->directory, name, &len))
        return FAIL(why, ALS_CORRUPT, "'%.*s' is no tenant's directory", STR(tenant->directory));
    TRY(os->dir_open(os, restoring->source, tenant->directory, false, &source, why));
    err code = restoring->target
                   ? copy_tenant(restoring, tenant, (str){name, len}, source, &copied, why)
                   : check_tenant(restoring, (str){name, len}, source, why);
    os->dir_close(source);
    TRY(code);
    restoring->report.tenants++;
    restoring->report.files += tenant->file_count;
    restoring->report.position = copied.position;
    restoring->report.events += copied.events;
    for (size_t i = 0; i < tenant->file_count; i++)
        restoring->report.bytes += catalog->files[tenant->first_file + i].bytes;
    return ALS_OK;
}

// ---- All

// Everything that is wanted of the backup is as it was written.
static err read_backup(struct restoring *restoring, struct os_dir *backup, struct als_why *why)
{
    struct os *os = restoring->os;
    TRY(catalog_read(os, backup, &restoring->catalog, why));
    restoring->report.created_us = restoring->catalog->created_us;
    TRY(choose(restoring, why));
    TRY(os->dir_open(os, backup, S("tenants"), false, &restoring->source, why));
    for (size_t i = 0; i < restoring->count; i++)
        TRY(catalog_check(restoring->catalog, &restoring->first[i], os, restoring->source,
                          &restoring->options->pace, why));
    return ALS_OK;
}

static err take_tenants(struct restoring *restoring, struct als_why *why)
{
    for (size_t i = 0; i < restoring->count; i++)
        TRY(take_tenant(restoring, &restoring->first[i], why));
    return ALS_OK;
}

static err finish(struct restoring *restoring, err code, struct als_backup_report *ret_report)
{
    if (code == ALS_OK)
        *ret_report = restoring->report;
    catalog_free(restoring->catalog);
    if (restoring->source)
        restoring->os->dir_close(restoring->source);
    if (restoring->target)
        restoring->os->dir_close(restoring->target);
    return code;
}

err backup_check(struct os *os, struct os_dir *backup, const struct restore_options *options,
                 struct als_backup_report *ret_report, struct als_why *why)
{
    struct restoring restoring = {.os = os, .options = options};
    err code = read_backup(&restoring, backup, why);
    if (code == ALS_OK)
        code = take_tenants(&restoring, why);
    return finish(&restoring, code, ret_report);
}

static err make_directory(struct restoring *restoring, struct os_dir *target, struct als_why *why)
{
    struct os *os = restoring->os;
    str working = MUTANT(RESTORE_IN_PLACE) ? name_final : name_working;
    TRY(os->dir_open(os, target, working, true, &restoring->target, why));
    TRY(take_tenants(restoring, why));
    TRY(os->dir_rename(target, working, name_final, why));
    return MUTANT(RESTORE_NAME_NOT_SYNCED) ? ALS_OK : os->dir_sync(target, why);
}

err backup_restore(struct os *os, struct os_dir *backup, struct os_dir *target,
                   const struct restore_options *options, struct als_backup_report *ret_report,
                   struct als_why *why)
{
    struct restoring restoring = {.os = os, .options = options};
    struct os_file *lock = NULL;
    err code = check_empty(os, target, why);
    if (code == ALS_OK)
        code = read_backup(&restoring, backup, why);
    if (code == ALS_OK)
        code = os->dir_lock(target, S("LOCK"), &lock, why);
    if (code == ALS_OK)
        code = make_directory(&restoring, target, why);
    if (lock)
        os->file_close(lock);
    return finish(&restoring, code, ret_report);
}

err restore_check_finished(struct os *os, struct os_dir *dir, struct als_why *why)
{
    struct os_dir *working;
    err code = os->dir_open(os, dir, name_working, false, &working, NULL);
    if (code == ALS_NOT_FOUND)
        return ALS_OK;
    if (code == ALS_OK)
        os->dir_close(working);
    return FAIL(why, ALS_NOT_READY,
                "a restore into this directory was begun and not finished; restore into an empty "
                "one");
}
