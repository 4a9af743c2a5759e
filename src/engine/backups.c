// SPDX-License-Identifier: Apache-2.0
// Backups and restores as <allsource.h> has them: from paths to directories, one tenant of the map
// after another, on the caller's thread or on one that als_close() waits for.
#include "engine/backup.h"

#include "engine/engine.h"
#include <stdlib.h>

struct job { // one backup
    struct als *als;
    struct backup backup;
    struct os_dir *dir;
    struct als_backup_options asked;
    char tenant[TENANT_BYTES_MAX]; // what asked.tenant points to
    als_backup_done *done;
    void *context;
};

static void job_free(struct job *job)
{
    if (!job)
        return;
    backup_end(&job->backup);
    if (job->dir)
        job->als->os->dir_close(job->dir);
    free(job);
}
AUTO_WITH(job, job_free)

// ---- Where it goes

static err check_name(als_str name, struct als_why *why)
{
    bool plain = name.len <= BACKUP_NAME_BYTES_MAX && name.ptr[0] != '.';
    for (size_t i = 0; i < name.len && plain; i++) {
        char c = name.ptr[i];
        plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                c == '.' || c == '_' || c == '-';
    }
    if (!plain)
        return FAIL(why, ALS_INVALID_INPUT,
                    "the name of a backup has 1 to %d letters, digits, '-', '_' and '.', and does "
                    "not begin with a '.'",
                    BACKUP_NAME_BYTES_MAX);
    return ALS_OK;
}

static err open_below(struct os *os, struct os_dir *parent, als_str name, struct os_dir **ret_dir,
                      struct als_why *why)
{
    if (!name.len) {
        *ret_dir = parent;
        return ALS_OK;
    }
    err code = check_name(name, why);
    if (code == ALS_OK)
        code = os->dir_open(os, parent, name, true, ret_dir, why);
    os->dir_close(parent);
    return code;
}

err backup_directory(struct os *os, const char *directory, als_str name, struct os_dir **ret_dir,
                     struct als_why *why)
{
    struct os_dir *parent;
    TRY(os->dir_open(os, NULL, str_of(directory), true, &parent, why));
    return open_below(os, parent, name, ret_dir, why);
}

static err open_target(struct als *als, const char *directory, als_str name,
                       struct os_dir **ret_dir, struct als_why *why)
{
    struct os_dir *parent;
    if (directory)
        return backup_directory(als->os, directory, name, ret_dir, why);
    if (!name.len)
        return FAIL(why, ALS_INVALID_INPUT, "a backup has a directory or a name");
    TRY(als->os->dir_open(als->os, als->dir, S("backups"), true, &parent, why));
    return open_below(als->os, parent, name, ret_dir, why);
}

// ---- Making

static bool job_paced(void *context, uint64_t bytes)
{
    const struct job *job = context;
    if (atomic_load(&job->als->backups_stopping))
        return false;
    return !job->asked.progress || job->asked.progress(job->asked.context, bytes);
}

struct backup_options backup_options_of(const struct als_backup_options *asked,
                                        struct catalog_pace pace)
{
    return (struct backup_options){
        .bytes = asked->copy, .unverified = asked->unverified, .pace = pace};
}

static err check_tenant(struct als *als, str name, struct als_why *why)
{
    struct tenant *tenant;
    if (!name.len)
        return ALS_OK; // all
    TRY(tenant_find(als, name, &tenant, why));
    if (!tenant || (!atomic_load(&tenant->store) && tenant->damage == ALS_OK))
        return FAIL(why, ALS_TENANT_NOT_FOUND, "%.*s", STR(name));
    return ALS_OK;
}

static err begin(struct als *als, const char *directory, const struct als_backup_options *asked,
                 struct job **ret_job, struct als_why *why)
{
    CHECK_ALS(als, why);
    CHECK_SIZED(asked, "options", why);
    if (als->ephemeral[0])
        return FAIL(why, ALS_UNSUPPORTED,
                    "nothing is kept longer than this process, so there is nothing to back up");
    TRY(check_tenant(als, asked->tenant, why));
    AUTO(job) job = calloc(1, sizeof *job);
    if (!job)
        return FAIL(why, ALS_NO_MEMORY, "a backup cannot be made");
    job->als = als;
    job->asked = *asked;
    if (asked->tenant.len)
        memcpy(job->tenant, asked->tenant.ptr, asked->tenant.len);
    job->asked.tenant.ptr = job->tenant;
    TRY(open_target(als, directory, asked->name, &job->dir, why));
    struct backup_options options = backup_options_of(asked, (struct catalog_pace){job_paced, job});
    err code = backup_begin(&job->backup, als->os, job->dir, options, why);
    if (code == ALS_EXISTS && asked->name.len)
        return FAIL(why, code, "backup '%.*s'", STR(asked->name));
    TRY(code);
    *ret_job = MOVE(job);
    return ALS_OK;
}

static err take(struct job *job, struct tenant *tenant, struct als_why *why)
{
    struct store *store = atomic_load(&tenant->store);
    if (!store && tenant->damage == ALS_OK)
        return ALS_OK; // only somebody waits for it
    if (!store)
        return FAIL(why, tenant->damage, "tenant '%.*s': %s", STR(tenant_name(tenant)),
                    tenant->damage_why.text);
    return backup_take_view(&job->backup, view_pin(store), tenant->settings, why);
}

static err take_all(struct job *job, struct als_why *why)
{
    str only = job->asked.tenant;
    struct tenant *tenant = atomic_load(&job->als->tenants);
    for (; tenant; tenant = tenant->next)
        if (!only.len || str_equal(tenant_name(tenant), only))
            TRY(take(job, tenant, why));
    return backup_commit(&job->backup, why);
}

enum als_err als_backup(struct als *als, const char *directory,
                        const struct als_backup_options *options,
                        struct als_backup_report *ret_report, struct als_why *why)
{
    AUTO(job) job = NULL;
    TRY(begin(als, directory, options, &job, why));
    TRY(take_all(job, why));
    if (ret_report)
        *ret_report = job->backup.report;
    return ALS_OK;
}

// ---- On a thread of its own

static void *job_run(void *context)
{
    struct job *job = context;
    struct als *als = job->als;
    struct als_why why = {""};
    err code = take_all(job, &why);
    struct als_backup_report report = job->backup.report;
    als_backup_done *done = job->done;
    void *owner = job->context;
    job_free(job);
    lock_take(&als->backups_lock);
    als->backup_running = false;
    lock_release(&als->backups_lock);
    done(owner, code, &report, &why);
    return NULL;
}

static err start_locked(struct als *als, struct job *job, struct als_why *why)
{
    if (als->backup_running)
        return FAIL(why, ALS_BUSY, "a backup is being made");
    if (als->backup_started)
        (void)pthread_join(als->backup, NULL); // it has nothing more to do
    als->backup_started = false;
    if (pthread_create(&als->backup, NULL, job_run, job) != 0)
        return FAIL(why, ALS_NO_MEMORY, "the thread of a backup cannot be started");
    als->backup_started = als->backup_running = true;
    return ALS_OK;
}

enum als_err als_backup_start(struct als *als, const char *directory,
                              const struct als_backup_options *options, als_backup_done *done,
                              void *context, struct als_why *why)
{
    if (!done)
        return FAIL(why, ALS_INVALID_INPUT, "done is NULL");
    AUTO(job) job = NULL;
    TRY(begin(als, directory, options, &job, why));
    job->done = done;
    job->context = context;
    lock_take(&als->backups_lock);
    err code = start_locked(als, job, why);
    lock_release(&als->backups_lock);
    TRY(code);
    job = NULL; // the thread's
    return ALS_OK;
}

void backups_stop(struct als *als)
{
    atomic_store(&als->backups_stopping, true);
    if (als->backup_started)
        (void)pthread_join(als->backup, NULL); // cannot fail: it is ours and was not joined
    als->backup_started = false;
}

// ---- Restoring

enum als_err als_restore(const char *backup, const char *directory,
                         const struct als_restore_options *options,
                         struct als_backup_report *ret_report, struct als_why *why)
{
    struct os *os = os_posix();
    struct os_dir *source, *target = NULL;
    struct als_backup_report report;
    CHECK_SIZED(options, "options", why);
    if (!backup)
        return FAIL(why, ALS_INVALID_INPUT, "backup is NULL");
    struct restore_options restore = {.tenant = options->tenant,
                                      .at = options->at_position,
                                      .pace = {options->progress, options->context}};
    TRY(os->dir_open(os, NULL, str_of(backup), false, &source, why));
    err code = directory ? os->dir_open(os, NULL, str_of(directory), true, &target, why) : ALS_OK;
    if (code == ALS_OK)
        code = target ? backup_restore(os, source, target, &restore, &report, why)
                      : backup_check(os, source, &restore, &report, why);
    if (target)
        os->dir_close(target);
    os->dir_close(source);
    if (code == ALS_OK && ret_report)
        *ret_report = report;
    return code;
}

// ---- Looking

static err read_report(struct os *os, struct os_dir *dir, struct als_backup_report *ret_report,
                       struct als_why *why)
{
    AUTO(catalog) catalog = NULL;
    TRY(catalog_read(os, dir, &catalog, why));
    struct als_backup_report report = {.created_us = catalog->created_us,
                                       .tenants = catalog->tenant_count,
                                       .files = catalog->file_count,
                                       .bytes = catalog->bytes};
    for (size_t i = 0; i < catalog->tenant_count; i++) {
        report.events += catalog->tenants[i].events;
        report.position = catalog->tenants[i].position;
    }
    *ret_report = report;
    return ALS_OK;
}

enum als_err als_backup_show(const char *backup, struct als_backup_report *ret_report,
                             struct als_why *why)
{
    struct os *os = os_posix();
    struct os_dir *dir;
    if (!backup || !ret_report)
        return FAIL(why, ALS_INVALID_INPUT, "backup or ret_report is NULL");
    TRY(os->dir_open(os, NULL, str_of(backup), false, &dir, why));
    err code = read_report(os, dir, ret_report, why);
    os->dir_close(dir);
    return code;
}

struct listing {
    struct os *os;
    struct os_dir *dir;
    als_each_backup *each;
    void *context;
};

// What is no backup, or none yet, is passed over.
static bool list_backup(void *context, const struct os_entry *entry)
{
    const struct listing *listing = context;
    struct als_backup_report report;
    struct os_dir *dir;
    if (!entry->directory ||
        listing->os->dir_open(listing->os, listing->dir, entry->name, false, &dir, NULL) != ALS_OK)
        return true;
    err code = read_report(listing->os, dir, &report, NULL);
    listing->os->dir_close(dir);
    return code != ALS_OK || listing->each(listing->context, entry->name, &report);
}

enum als_err als_backups(struct als *als, const char *directory, als_each_backup *each,
                         void *context, struct als_why *why)
{
    CHECK_ALS(als, why);
    if (!each)
        return FAIL(why, ALS_INVALID_INPUT, "each is NULL");
    struct os *os = als->os;
    struct listing listing = {.os = os, .each = each, .context = context};
    err code = directory ? os->dir_open(os, NULL, str_of(directory), false, &listing.dir, why)
                         : os->dir_open(os, als->dir, S("backups"), false, &listing.dir, why);
    if (code == ALS_NOT_FOUND)
        return ALS_OK;
    TRY(code);
    code = os->dir_list(listing.dir, list_backup, &listing, why);
    os->dir_close(listing.dir);
    return code;
}
