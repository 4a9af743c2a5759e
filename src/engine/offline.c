// SPDX-License-Identifier: Apache-2.0
// Reading a data directory that nobody serves: verify and dump. Nothing is changed, so a torn end
// stays where it is; opening the store would cut it off.
#include "engine/engine.h"

#include "event/event.h"
#include "index/index.h"
#include "settings/settings.h"
#include "wal/wal.h"

#include <stdio.h>
#include <stdlib.h>

// The directories down to one tenant's log, and the lock on the whole.
struct place {
    struct os *os;
    struct os_dir *dir, *tenants, *tenant, *log;
    struct os_file *lock;
};

static void place_close(struct place *place)
{
    struct os_dir *dirs[] = {place->log, place->tenant, place->tenants, place->dir};
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
    if (place->log)
        place->os->dir_close(place->log);
    if (place->tenant)
        place->os->dir_close(place->tenant);
    place->log = place->tenant = NULL;
}

static err enter_tenant(struct place *place, str directory, struct als_why *why)
{
    struct os *os = place->os;
    TRY(os->dir_open(os, place->tenants, directory, false, &place->tenant, why));
    return os->dir_open(os, place->tenant, S("wal"), false, &place->log, why);
}

// ---- Verify

struct check { // of one tenant
    struct index *versions;
    als_position position;
};

static err check_event(struct check *check, const uint8_t *record, struct als_why *why)
{
    str entity = record_entity(record);
    uint64_t hash = index_hash_name(check->versions, entity);
    struct index_list *list = index_list_of(check->versions, INDEX_ENTITY, entity, hash);
    if (!list)
        return FAIL(why, ALS_NO_MEMORY, "the versions of entities");
    TRY(index_reserve(check->versions, list, why));
    if (record_version(record) != index_pending(list))
        return FAIL(why, ALS_CORRUPT, "event %llu has version %llu of its entity, expected %llu",
                    (unsigned long long)check->position + 1,
                    (unsigned long long)record_version(record),
                    (unsigned long long)index_pending(list));
    index_publish(check->versions, INDEX_ENTITY, list, ++check->position);
    return ALS_OK;
}

static err check_batch(void *context, const struct wal_batch *batch, struct als_why *why)
{
    struct check *check = context;
    if (batch->first != check->position + 1)
        return FAIL(why, ALS_CORRUPT, "the log goes on with position %llu after %llu",
                    (unsigned long long)batch->first, (unsigned long long)check->position);
    TRY(batch_check(batch->body, batch->size, batch->count, why));
    const uint8_t *record = batch->body + BATCH_HEAD_BYTES;
    for (uint32_t i = 0; i < batch->count; i++, record = record_next(record))
        TRY(check_event(check, record, why));
    return ALS_OK;
}

struct verifying {
    struct place *place;
    als_each_finding *each;
    void *context;
    err worst;
};

// What the log's verdict means to the one who asked.
static err code_of(const struct wal_verdict *verdict)
{
    if (verdict->finding == WAL_SOUND)
        return ALS_OK;
    return verdict->finding == WAL_TORN ? ALS_STORAGE : ALS_CORRUPT;
}

static void verify_tenant(struct place *place, str directory, struct als_finding *finding,
                          struct wal_verdict *verdict)
{
    struct check check = {.versions = index_new(1, 0)};
    if (check.versions)
        finding->code = enter_tenant(place, directory, &finding->why);
    else
        finding->code = FAIL(&finding->why, ALS_NO_MEMORY, "the versions");
    if (finding->code == ALS_OK)
        finding->code =
            wal_verify(place->os, place->log, check_batch, &check, verdict, &finding->why);
    if (finding->code == ALS_OK)
        finding->code = code_of(verdict);
    if (finding->code == ALS_STORAGE)
        err_explain(&finding->why, "%llu bytes of an unfinished write; opening cuts them off",
                    (unsigned long long)verdict->report.torn_bytes);
    finding->files = verdict->report.files;
    finding->bytes = verdict->report.bytes;
    finding->events = check.position;
    leave_tenant(place);
    index_free(check.versions);
}

// The settings are a log of their own; what is wrong with the events is told first.
static void verify_settings(struct place *place, str directory, struct als_finding *finding,
                            struct wal_verdict *verdict, const char **log)
{
    struct wal_verdict found = {.file = {NULL, 0}};
    struct als_why why = {""};
    if (finding->code != ALS_OK)
        return;
    err code = place->os->dir_open(place->os, place->tenants, directory, false, &place->tenant,
                                   &finding->why);
    if (code == ALS_OK)
        code = settings_verify(place->os, place->tenant, &found, &why);
    if (code == ALS_OK)
        code = code_of(&found);
    leave_tenant(place);
    finding->files += found.report.files;
    finding->bytes += found.report.bytes;
    if (code == ALS_OK)
        return;
    finding->code = code;
    finding->why = why;
    if (code == ALS_STORAGE)
        err_explain(&finding->why, "%llu bytes of an unfinished write; opening cuts them off",
                    (unsigned long long)found.report.torn_bytes);
    memcpy(verdict->space, found.space, sizeof found.space);
    verdict->file = (str){verdict->space, found.file.len};
    verdict->offset = found.offset;
    *log = "settings";
}

static bool verify_directory(void *context, const struct os_entry *entry)
{
    struct verifying *verifying = context;
    char name[TENANT_BYTES_MAX], path[128];
    size_t len;
    if (!entry->directory || !tenant_of_directory(entry->name, name, &len))
        return true;
    struct als_finding finding = {.tenant = {name, len}};
    struct wal_verdict verdict = {.file = {NULL, 0}};
    const char *log = "wal";
    verify_tenant(verifying->place, entry->name, &finding, &verdict);
    verify_settings(verifying->place, entry->name, &finding, &verdict, &log);
    if (verdict.file.len) {
        int path_len = snprintf(path, sizeof path, "tenants/%.*s/%s/%.*s", STR(entry->name), log,
                                STR(verdict.file));
        finding.file = str_first((str){path, sizeof path - 1}, (size_t)path_len);
        finding.offset = verdict.offset;
    }
    bool worse = finding.code != ALS_OK && (verifying->worst == ALS_OK || //
                                            verifying->worst == ALS_STORAGE);
    if (worse)
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
    if (verifying.worst != ALS_OK)
        return FAIL(why, verifying.worst, "%s",
                    verifying.worst == ALS_STORAGE ? "a log has a torn end; opening cuts it off"
                                                   : "damage was found");
    return ALS_OK;
}

// ---- Dump

struct dumping {
    str tenant;
    als_each_event *each;
    void *context;
    bool ended;
};

static err dump_batch(void *context, const struct wal_batch *batch, struct als_why *why)
{
    struct dumping *dumping = context;
    TRY(batch_check(batch->body, batch->size, batch->count, why));
    const uint8_t *record = batch->body + BATCH_HEAD_BYTES;
    for (uint32_t i = 0; i < batch->count && !dumping->ended; i++, record = record_next(record)) {
        struct als_event event;
        record_decode(record, batch->first + i, &event);
        event.tenant = dumping->tenant;
        dumping->ended = !dumping->each(dumping->context, &event);
    }
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
    struct wal_verdict verdict;
    err code = wal_verify(place->os, place->log, dump_batch, &dumping, &verdict, why);
    if (dumping.ended)
        return ALS_OK;
    TRY(code);
    if (verdict.finding == WAL_DAMAGED)
        return FAIL(why, ALS_CORRUPT, "tenants/%.*s/wal/%.*s is damaged at byte %llu", STR(name),
                    STR(verdict.file), (unsigned long long)verdict.offset);
    return ALS_OK;
}
