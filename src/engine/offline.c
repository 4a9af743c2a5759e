// SPDX-License-Identifier: Apache-2.0
// Reading a data directory that nobody serves: verify, dump and backup. These change
// nothing, so a torn end stays where it is; opening the store would cut it off. And making indexes
// anew.
#include "engine/engine.h"

#include "engine/backup.h"
#include "event/event.h"
#include "settings/settings.h"
#include "wal/wal.h"

#include <stdio.h>

// The directories down to one tenant, and the lock on the whole.
struct place {
    struct os *os;
    struct os_dir *dir, *tenants, *tenant;
    struct os_file *lock;
};

static void place_close(struct place *place)
{
    struct os_dir *dirs[] = {place->tenant, place->tenants, place->dir};
    for (size_t i = 0; i < COUNT_OF(dirs); i++)
        if (dirs[i])
            place->os->dir_close(dirs[i]);
    if (place->lock)
        place->os->file_close(place->lock);
}
AUTO_WITH(place, place_close)

static err place_open(struct place *place, const char *directory, struct als_why *why)
{
    place->os = os_posix();
    if (!directory)
        return FAIL(why, ALS_INVALID_INPUT, "directory is NULL");
    TRY(place->os->dir_open(place->os, NULL, str_of(directory), false, &place->dir, why));
    TRY(place->os->dir_open(place->os, place->dir, S("tenants"), false, &place->tenants, why));
    return place->os->dir_lock(place->dir, S("LOCK"), &place->lock, why);
}

static void leave_tenant(struct place *place)
{
    if (place->tenant)
        place->os->dir_close(place->tenant);
    place->tenant = NULL;
}

static err enter_tenant(struct place *place, str directory, struct als_why *why)
{
    return place->os->dir_open(place->os, place->tenants, directory, false, &place->tenant, why);
}

// ---- Verify

struct verifying {
    struct place *place;
    als_each_finding *each;
    void *context;
    err worst;
};

// No event is lost: the worse of two such findings does not matter.
static bool is_mild(err code)
{
    return code == ALS_OK || code == ALS_STORAGE || code == ALS_INDEX;
}

static err torn(uint64_t bytes, struct als_why *why)
{
    return FAIL(why, ALS_STORAGE, "%llu bytes of an unfinished write; opening cuts them off",
                (unsigned long long)bytes);
}

static err verify_events(struct place *place, str tenant, struct store_verdict *verdict,
                         struct als_why *why)
{
    TRY(store_verify(place->os, place->tenant, tenant, NULL, NULL, verdict, why));
    if (verdict->finding == STORE_TORN)
        return torn(verdict->torn_bytes, why);
    if (verdict->finding == STORE_INDEX_DAMAGED)
        return FAIL(why, ALS_INDEX, "it is damaged; no event is, and it can be made anew");
    return ALS_OK;
}

static err verify_settings(struct place *place, struct wal_verdict *verdict, struct als_why *why)
{
    TRY(settings_verify(place->os, place->tenant, verdict, why));
    if (verdict->finding == WAL_TORN)
        return torn(verdict->report.torn_bytes, why);
    return verdict->finding == WAL_DAMAGED ? ALS_CORRUPT : ALS_OK;
}

struct blame { // where the first bad byte of a tenant is
    char file[160];
    uint64_t offset;
};

// The settings are a log of their own; what is wrong with the events is told first.
static err verify_tenant(struct place *place, struct als_finding *finding, struct blame *blame)
{
    struct store_verdict events;
    struct wal_verdict settings = {.file = {NULL, 0}};
    err code = verify_events(place, finding->tenant, &events, &finding->why);
    (void)snprintf(blame->file, sizeof blame->file, "%s", events.file);
    blame->offset = events.offset;
    bool sound = code == ALS_OK;
    struct als_why why = {""};
    err settings_code = verify_settings(place, &settings, sound ? &finding->why : &why);
    if (sound && settings_code != ALS_OK) {
        code = settings_code;
        (void)snprintf(blame->file, sizeof blame->file, "settings/%.*s", STR(settings.file));
        blame->offset = settings.offset;
    }
    finding->files = events.files + settings.report.files;
    finding->bytes = events.bytes + settings.report.bytes;
    finding->events = events.events;
    return code;
}

static bool verify_directory(void *context, const struct os_entry *entry)
{
    struct verifying *verifying = context;
    struct place *place = verifying->place;
    char name[TENANT_BYTES_MAX], path[256];
    size_t len;
    if (!entry->directory || !tenant_of_directory(entry->name, name, &len))
        return true;
    struct als_finding finding = {.tenant = {name, len}};
    struct blame blame = {.file = ""};
    finding.code = enter_tenant(place, entry->name, &finding.why);
    if (finding.code == ALS_OK)
        finding.code = verify_tenant(place, &finding, &blame);
    leave_tenant(place);
    if (finding.code != ALS_OK && blame.file[0]) {
        int path_len = snprintf(path, sizeof path, "tenants/%.*s/%s", STR(entry->name), blame.file);
        finding.file = str_first((str){path, sizeof path - 1}, (size_t)path_len);
        finding.offset = blame.offset;
    }
    if (finding.code != ALS_OK && is_mild(verifying->worst))
        verifying->worst = finding.code;
    return verifying->each(verifying->context, &finding);
}

enum als_err als_verify(const char *directory, als_each_finding *each, void *context,
                        struct als_why *why)
{
    if (!each)
        return FAIL(why, ALS_INVALID_INPUT, "each is NULL");
    struct place space = {0};
    AUTO(place) place = &space;
    TRY(place_open(place, directory, why));
    struct verifying verifying = {place, each, context, ALS_OK};
    TRY(place->os->dir_list(place->tenants, verify_directory, &verifying, why));
    if (verifying.worst == ALS_STORAGE)
        return FAIL(why, ALS_STORAGE, "a log has a torn end; opening cuts it off");
    if (verifying.worst == ALS_INDEX)
        return FAIL(why, ALS_INDEX, "an index is damaged; it can be made anew");
    return verifying.worst == ALS_OK ? ALS_OK : FAIL(why, verifying.worst, "damage was found");
}

// ---- Dump

struct dumping {
    str tenant;
    als_each_event *each;
    void *context;
    bool ended;
};

static err dump_event(void *context, const struct als_event *event, struct als_why *why)
{
    struct dumping *dumping = context;
    (void)why;
    dumping->ended = !dumping->each(dumping->context, event);
    return dumping->ended ? ALS_FENCED : ALS_OK; // any code ends the reading
}

enum als_err als_dump(const char *directory, als_str tenant, als_each_event *each, void *context,
                      struct als_why *why)
{
    if (!each)
        return FAIL(why, ALS_INVALID_INPUT, "each is NULL");
    struct dumping dumping = {tenant.len ? tenant : S("default"), each, context, false};
    TRY(event_check_tenant(dumping.tenant, why));
    struct place space = {0};
    AUTO(place) place = &space;
    TRY(place_open(place, directory, why));
    char space_for_name[TENANT_DIRECTORY_MAX];
    str name = tenant_directory(dumping.tenant, space_for_name);
    if (enter_tenant(place, name, NULL) != ALS_OK)
        return FAIL(why, ALS_TENANT_NOT_FOUND, "%.*s", STR(dumping.tenant));
    struct store_verdict verdict;
    err code =
        store_verify(place->os, place->tenant, dumping.tenant, dump_event, &dumping, &verdict, why);
    if (dumping.ended)
        return ALS_OK;
    if (code == ALS_CORRUPT && verdict.file[0])
        return FAIL(why, ALS_CORRUPT, "tenants/%.*s/%s is damaged at byte %llu", STR(name),
                    verdict.file, (unsigned long long)verdict.offset);
    return code;
}

// ---- Indexes

struct rebuilding {
    struct place *place;
    str only; // the one tenant; empty: all
    als_each_rebuilding *each;
    void *context;
    struct als_rebuilding told; // of the tenant at hand
    str directory;              // its name
    bool met, ended;
    err worst;
};

static bool tell(struct rebuilding *rebuilding, const struct store_rebuilt *rebuilt)
{
    struct als_rebuilding *told = &rebuilding->told;
    char path[256];
    told->files = rebuilt->segments;
    told->files_done = rebuilt->done;
    told->bytes = rebuilt->bytes;
    told->bytes_done = rebuilt->bytes_done;
    told->events_done = rebuilt->events;
    told->index_bytes_done = rebuilt->index_bytes;
    int len =
        snprintf(path, sizeof path, "tenants/%.*s/%s", STR(rebuilding->directory), rebuilt->file);
    if (told->code != ALS_OK && rebuilt->file[0])
        told->file = str_first((str){path, sizeof path - 1}, (size_t)len);
    rebuilding->ended = !rebuilding->each(rebuilding->context, told);
    return !rebuilding->ended;
}

static err rebuilt_one(void *context, const struct store_rebuilt *rebuilt, struct als_why *why)
{
    (void)why;
    return tell(context, rebuilt) ? ALS_OK : ALS_FENCED; // any code ends it
}

static bool rebuild_directory(void *context, const struct os_entry *entry)
{
    struct rebuilding *rebuilding = context;
    struct place *place = rebuilding->place;
    char name[TENANT_BYTES_MAX];
    size_t len;
    if (!entry->directory || !tenant_of_directory(entry->name, name, &len) ||
        (rebuilding->only.len && !str_equal(rebuilding->only, (str){name, len})))
        return true;
    rebuilding->met = true;
    rebuilding->directory = entry->name;
    rebuilding->told = (struct als_rebuilding){.tenant = {name, len}};
    struct als_rebuilding *told = &rebuilding->told;
    struct store_rebuild_watch watch = {rebuilt_one, rebuilding};
    struct store_rebuilt rebuilt = {.segments = 0};
    told->code = enter_tenant(place, entry->name, &told->why);
    if (told->code == ALS_OK)
        told->code = store_rebuild_indexes(place->os, place->tenant, told->tenant, &watch, &rebuilt,
                                           &told->why);
    leave_tenant(place);
    if (rebuilding->ended)
        return false;
    told->ended = true;
    rebuilding->worst = told->code != ALS_OK ? told->code : rebuilding->worst;
    return tell(rebuilding, &rebuilt);
}

enum als_err als_rebuild_index(const char *directory, als_str tenant, als_each_rebuilding *each,
                               void *context, struct als_why *why)
{
    if (!each)
        return FAIL(why, ALS_INVALID_INPUT, "each is NULL");
    if (tenant.len)
        TRY(event_check_tenant(tenant, why));
    struct place space = {0};
    AUTO(place) place = &space;
    TRY(place_open(place, directory, why));
    struct rebuilding rebuilding = {
        .place = place, .only = tenant, .each = each, .context = context};
    TRY(place->os->dir_list(place->tenants, rebuild_directory, &rebuilding, why));
    if (tenant.len && !rebuilding.met)
        return FAIL(why, ALS_TENANT_NOT_FOUND, "%.*s", STR(tenant));
    if (rebuilding.worst != ALS_OK)
        return FAIL(why, rebuilding.worst, "not every index could be made");
    return ALS_OK;
}

// ---- Backup

struct backing {
    struct place *place;
    struct backup *backup;
    str only; // this tenant; empty: all
    err code;
    struct als_why *why;
};

static bool take_directory(void *context, const struct os_entry *entry)
{
    struct backing *backing = context;
    struct place *place = backing->place;
    char name[TENANT_BYTES_MAX];
    size_t len;
    if (!entry->directory || !tenant_of_directory(entry->name, name, &len))
        return true;
    if (backing->only.len && !str_equal(backing->only, (str){name, len}))
        return true;
    backing->code = enter_tenant(place, entry->name, backing->why);
    if (backing->code == ALS_OK)
        backing->code =
            backup_take_directory(backing->backup, (str){name, len}, place->tenant, backing->why);
    leave_tenant(place);
    return backing->code == ALS_OK;
}

static err back_up(struct backing *backing, struct als_why *why)
{
    TRY(backing->place->os->dir_list(backing->place->tenants, take_directory, backing, why));
    TRY(backing->code);
    if (backing->only.len && backing->backup->report.tenants == 0)
        return FAIL(why, ALS_TENANT_NOT_FOUND, "%.*s", STR(backing->only));
    return backup_commit(backing->backup, why);
}

enum als_err als_backup_offline(const char *data_directory, const char *directory,
                                const struct als_backup_options *options,
                                struct als_backup_report *ret_report, struct als_why *why)
{
    CHECK_SIZED(options, "options", why);
    if (!directory)
        return FAIL(why, ALS_INVALID_INPUT, "directory is NULL");
    struct place space = {0};
    AUTO(place) place = &space;
    struct os_dir *target;
    struct backup backup;
    TRY(place_open(place, data_directory, why));
    TRY(backup_directory(place->os, directory, options->name, &target, why));
    struct catalog_pace pace = {options->progress, options->context};
    struct backing backing = {place, &backup, options->tenant, ALS_OK, why};
    err code = backup_begin(&backup, place->os, target, backup_options_of(options, pace), why);
    if (code == ALS_OK)
        code = back_up(&backing, why);
    backup_end(&backup);
    place->os->dir_close(target);
    if (code == ALS_OK && ret_report)
        *ret_report = backup.report;
    return code;
}
