// SPDX-License-Identifier: Apache-2.0
// Making a backup. Tenants are copied one after another, each up to one position of its own, synced
// file by file and directory by directory; then what was copied is read back and checked like a
// history that somebody is about to open. The catalog comes last, and only its name makes the
// directory a backup: whatever a crash leaves before that is none.
#include "engine/backup.h"

#include "engine/engine.h"
#include "settings/settings.h"
#include "wal/wal.h"

enum { PACE_BYTES = 1 << 20 };

static bool see_entry(void *context, const struct os_entry *entry)
{
    (void)entry;
    *(bool *)context = true;
    return false;
}

err check_empty(struct os *os, struct os_dir *dir, struct als_why *why)
{
    bool seen = false;
    TRY(os->dir_list(dir, see_entry, &seen, why));
    return seen ? FAIL(why, ALS_EXISTS, "the directory is not empty") : ALS_OK;
}

err backup_begin(struct backup *backup, struct os *os, struct os_dir *dir,
                 struct backup_options options, struct als_why *why)
{
    *backup = (struct backup){.os = os, .dir = dir, .options = options};
    catalog_begin(&backup->catalog, os, options.pace);
    TRY(check_empty(os, dir, why));
    return os->dir_open(os, dir, S("tenants"), true, &backup->tenants, why);
}

void backup_end(struct backup *backup)
{
    catalog_end(&backup->catalog);
    if (backup->tenants)
        backup->os->dir_close(backup->tenants);
    backup->tenants = NULL;
}

// ---- Checking

struct checking {
    const struct catalog_pace *pace;
    uint64_t bytes; // since it was told last
};

static err pass_event(void *context, const struct als_event *event, struct als_why *why)
{
    struct checking *checking = context;
    const struct catalog_pace *pace = checking->pace;
    checking->bytes += event->payload.len;
    if (checking->bytes < PACE_BYTES || !pace->paced)
        return ALS_OK;
    uint64_t bytes = checking->bytes;
    checking->bytes = 0;
    return pace->paced(pace->context, bytes) ? ALS_OK
                                             : FAIL(why, ALS_NOT_READY, "the checking was ended");
}

static err damaged(str tenant, const char *file, str part, struct als_why *why)
{
    struct als_why cause = why ? *why : (struct als_why){""};
    return FAIL(why, ALS_CORRUPT, "tenant '%.*s', %s%.*s is damaged%s%s", STR(tenant), file,
                STR(part), cause.text[0] ? ": " : "", cause.text);
}

static err check_events(struct os *os, const struct copy_check *check, struct als_why *why)
{
    struct checking checking = {.pace = check->pace};
    struct store_verdict verdict;
    if (why)
        why->text[0] = '\0';
    err code = check->bytes_only ? store_verify_bytes(os, check->dir, check->tenant, pass_event,
                                                      &checking, &verdict, why)
                                 : store_verify(os, check->dir, check->tenant, pass_event,
                                                &checking, &verdict, why);
    if (code == ALS_CORRUPT || (code == ALS_OK && verdict.finding == STORE_TORN))
        return damaged(check->tenant, verdict.file[0] ? verdict.file : "its history", S(""), why);
    return code;
}

err check_copy(struct os *os, const struct copy_check *check, struct als_why *why)
{
    struct wal_verdict settings;
    TRY(check_events(os, check, why));
    TRY(settings_verify(os, check->dir, &settings, why));
    if (settings.finding != WAL_SOUND)
        return damaged(check->tenant, "settings/", settings.file, why);
    return ALS_OK;
}

// ---- Tenants

struct taking {
    str tenant, directory;
    struct os_dir *target;
    char space[TENANT_DIRECTORY_MAX];
};

static err begin_tenant(struct backup *backup, struct taking *taking, struct als_why *why)
{
    taking->directory = tenant_directory(taking->tenant, taking->space);
    return backup->os->dir_open(backup->os, backup->tenants, taking->directory, true,
                                &taking->target, why);
}

static struct store_copying copying_of(const struct backup *backup, str tenant)
{
    return (struct store_copying){.tenant = tenant,
                                  .bytes = backup->options.bytes,
                                  .up_to = UINT64_MAX,
                                  .paced = backup->options.pace.paced,
                                  .context = backup->options.pace.context};
}

static err end_tenant(struct backup *backup, const struct taking *taking,
                      const struct store_copied *copied, struct als_why *why)
{
    struct als_backup_report *report = &backup->report;
    struct catalog_tenant tenant = {
        .directory = taking->directory, .position = copied->position, .events = copied->events};
    struct copy_check check = {taking->target, taking->tenant, &backup->options.pace, true};
    if (!backup->options.unverified)
        TRY(check_copy(backup->os, &check, why));
    TRY(catalog_add(&backup->catalog, backup->tenants, &tenant, why));
    report->tenants++;
    report->events += copied->events;
    report->linked += copied->linked;
    report->position = copied->position;
    report->files = backup->catalog.files;
    report->bytes = backup->catalog.bytes;
    return ALS_OK;
}

// The settings come second: an event that the view sees was checked by a schema that was durable
// before it.
static err copy_view(struct backup *backup, struct view view, struct settings *settings,
                     const struct taking *taking, struct store_copied *ret_copied,
                     struct als_why *why)
{
    struct store_copying copying = copying_of(backup, taking->tenant);
    struct settings_copying settings_copying = {
        .target = taking->target, .tenant = taking->tenant, .up_to = view.position};
    TRY(store_copy_view(backup->os, view, taking->target, &copying, ret_copied, why));
    if (settings)
        TRY(settings_copy_live(settings, backup->os, &settings_copying, why));
    return ALS_OK;
}

err backup_take_view(struct backup *backup, struct view view, struct settings *settings,
                     struct als_why *why)
{
    struct taking taking = {.tenant = store_tenant(view.store)};
    struct store_copied copied;
    err code = begin_tenant(backup, &taking, why);
    if (code == ALS_OK)
        code = copy_view(backup, view, settings, &taking, &copied, why);
    view_unpin(view);
    if (code == ALS_OK)
        code = end_tenant(backup, &taking, &copied, why);
    if (taking.target)
        backup->os->dir_close(taking.target);
    return code;
}

static err take_directory(struct backup *backup, struct os_dir *source, const struct taking *taking,
                          struct als_why *why)
{
    struct store_copied copied;
    struct store_copying copying = copying_of(backup, taking->tenant);
    struct settings_copying settings = {
        .target = taking->target, .tenant = taking->tenant, .up_to = UINT64_MAX};
    TRY(store_copy(backup->os, source, taking->target, &copying, &copied, why));
    TRY(settings_copy(backup->os, source, &settings, why));
    return end_tenant(backup, taking, &copied, why);
}

err backup_take_directory(struct backup *backup, str tenant, struct os_dir *source,
                          struct als_why *why)
{
    struct taking taking = {.tenant = tenant};
    TRY(begin_tenant(backup, &taking, why));
    err code = take_directory(backup, source, &taking, why);
    backup->os->dir_close(taking.target);
    return code;
}

err backup_commit(struct backup *backup, struct als_why *why)
{
    backup->report.created_us = backup->catalog.created_us;
    return catalog_write(&backup->catalog, backup->dir, why);
}
