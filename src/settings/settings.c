// SPDX-License-Identifier: Apache-2.0
// A setting is a batch of one event in a log of its own, so its number is its position there. The
// body begins with 16 bytes of ours: kind, zeros, and the position of the events.
#include "settings/settings.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "base/lock.h"
#include "os/os.h"
#include "wal/wal.h"

#include <stdlib.h>

enum { HEAD_BYTES = 16 };

struct settings {
    struct os *os;
    struct os_dir *parent;
    uint64_t file_bytes;
    uint8_t label_len;
    char label[TENANT_BYTES_MAX];

    struct lock lock; // LOCK_SETTINGS: guards the next three
    struct os_dir *dir;
    struct wal *wal; // NULL: nothing was ever set
    int64_t last_us;
};

static void load(const struct wal_batch *batch, struct setting *ret_setting)
{
    *ret_setting = (struct setting){
        .number = batch->first,
        .kind = load_le32(batch->body),
        .recorded_us = batch->recorded_us,
        .events = load_le64(batch->body + 8),
        .body = {(const char *)batch->body + HEAD_BYTES, batch->size - HEAD_BYTES}};
}

static err check(const struct wal_batch *batch, struct als_why *why)
{
    if (batch->size < HEAD_BYTES || batch->count != 1 || load_le32(batch->body) == 0)
        return FAIL(why, ALS_CORRUPT, "setting %llu is no setting",
                    (unsigned long long)batch->first);
    if (load_le32(batch->body + 4) != 0)
        return FAIL(why, ALS_FORMAT_TOO_NEW, "setting %llu has parts that this version lacks",
                    (unsigned long long)batch->first);
    return ALS_OK;
}

// ---- Opening

struct reading {
    struct settings *settings;
    settings_each *each;
    void *context;
};

static err read_one(void *context, const struct wal_batch *batch, struct als_why *why)
{
    const struct reading *reading = context;
    struct setting setting;
    TRY(check(batch, why));
    load(batch, &setting);
    reading->settings->last_us = setting.recorded_us;
    return reading->each(reading->context, &setting, why);
}

static err open_dir(struct settings *settings, bool make, struct als_why *why)
{
    struct os *os = settings->os;
    struct os_dir *dir;
    TRY(os->dir_open(os, settings->parent, S("settings"), make, &dir, why));
    err code = os->dir_sync(settings->parent, why); // whoever made it may have died before that
    if (code != ALS_OK)
        os->dir_close(dir);
    else
        settings->dir = dir;
    return code;
}

static err open_log(struct settings *settings, bool make, settings_each *each, void *context,
                    struct als_why *why)
{
    struct os *os = settings->os;
    struct reading reading = {settings, each, context};
    struct wal_options options = {.file_bytes = settings->file_bytes,
                                  .batch_bytes_max = HEAD_BYTES + SETTING_BYTES_MAX,
                                  .label = {settings->label, settings->label_len}};
    if (!settings->dir)
        TRY(open_dir(settings, make, why));
    struct wal_report report;
    return wal_open(os, settings->dir, options, read_one, &reading, &report, &settings->wal, why);
}

static struct settings *settings_new(struct os *os, struct os_dir *dir, str tenant)
{
    struct settings *settings = calloc(1, sizeof *settings);
    if (!settings)
        return NULL;
    settings->os = os;
    settings->parent = dir;
    settings->file_bytes = SETTINGS_FILE_BYTES;
    settings->label_len = (uint8_t)tenant.len;
    memcpy(settings->label, tenant.ptr, tenant.len);
    lock_init(&settings->lock, LOCK_SETTINGS);
    return settings;
}

err settings_open(struct os *os, struct os_dir *dir, str tenant, settings_each *each, void *context,
                  struct settings **ret_settings, struct als_why *why)
{
    assert(tenant.len <= TENANT_BYTES_MAX);
    AUTO(settings) settings = settings_new(os, dir, tenant);
    if (!settings)
        return FAIL(why, ALS_NO_MEMORY, "the settings cannot be opened");
    err code = open_log(settings, false, each, context, why);
    if (code != ALS_NOT_FOUND || settings->dir) // without the directory nothing was ever set
        TRY(code);
    *ret_settings = MOVE(settings);
    return ALS_OK;
}

void settings_close(struct settings *settings)
{
    if (!settings)
        return;
    wal_close(settings->wal);
    if (settings->dir)
        settings->os->dir_close(settings->dir);
    lock_deinit(&settings->lock);
    free(settings);
}

// ---- Appending

static err refuse_found(void *context, const struct setting *setting, struct als_why *why)
{
    (void)context;
    return FAIL(why, ALS_CORRUPT, "setting %llu has appeared since the settings were opened",
                (unsigned long long)setting->number);
}

static err append_locked(struct settings *settings, struct setting *setting, struct als_why *why)
{
    if (!settings->wal)
        TRY(open_log(settings, true, refuse_found, NULL, why));
    struct wal_head head = wal_head(settings->wal);
    int64_t now_us = settings->os->now_us(settings->os);
    setting->number = head.position + 1;
    setting->recorded_us = now_us > settings->last_us ? now_us : settings->last_us;
    struct wal_draft draft = {.first = setting->number,
                              .count = 1,
                              .recorded_us = setting->recorded_us,
                              .body = setting->body};
    const uint8_t *body;
    TRY(wal_append(settings->wal, head.batch, &draft, 1, true, &body, why));
    settings->last_us = setting->recorded_us;
    setting->body = (str){(const char *)body + HEAD_BYTES, setting->body.len - HEAD_BYTES};
    // The next setting may be a year away, so damage to this one is made tellable from a torn end
    // at once. It is durable whether or not that can be said.
    (void)wal_mark(settings->wal, NULL);
    return ALS_OK;
}

err settings_append(struct settings *settings, enum setting_kind kind, als_position events,
                    str body, struct setting *ret_setting, struct als_why *why)
{
    if (body.len > SETTING_BYTES_MAX)
        return FAIL(why, ALS_TOO_LARGE, "a setting is at most %llu bytes, got %zu",
                    (unsigned long long)SETTING_BYTES_MAX, body.len);
    uint8_t *bytes = malloc(HEAD_BYTES + body.len);
    if (!bytes)
        return FAIL(why, ALS_NO_MEMORY, "a setting of %zu bytes", body.len);
    store_le32(bytes, kind);
    store_le32(bytes + 4, 0);
    store_le64(bytes + 8, events);
    if (body.len)
        memcpy(bytes + HEAD_BYTES, body.ptr, body.len);
    struct setting setting = {
        .kind = kind, .events = events, .body = {(const char *)bytes, HEAD_BYTES + body.len}};
    lock_take(&settings->lock);
    err code = append_locked(settings, &setting, why);
    lock_release(&settings->lock);
    free(bytes);
    if (code == ALS_OK)
        *ret_setting = setting;
    return code;
}

// ---- Copies

struct copy {
    struct os *os;
    const struct settings_copying *copying;
    struct settings *copied; // made for the first one
    bool measuring;          // they are only looked at
    uint64_t bytes;
    bool ended;
};

static err make_copy(struct copy *copy, struct als_why *why)
{
    uint64_t bytes = wal_file_bytes_least + copy->bytes;
    copy->copied = settings_new(copy->os, copy->copying->target, copy->copying->tenant);
    if (!copy->copied)
        return FAIL(why, ALS_NO_MEMORY, "the settings cannot be copied");
    bytes = bytes < SETTINGS_FILE_BYTES ? bytes : SETTINGS_FILE_BYTES;
    copy->copied->file_bytes = bytes > WAL_FILE_BYTES_MIN ? bytes : WAL_FILE_BYTES_MIN;
    return open_log(copy->copied, true, refuse_found, NULL, why);
}

static err put_copy(void *context, const struct wal_batch *batch, struct als_why *why)
{
    struct copy *copy = context;
    struct setting setting;
    TRY(check(batch, why));
    load(batch, &setting);
    copy->ended |= setting.events > copy->copying->up_to;
    if (copy->ended)
        return ALS_OK;
    if (copy->measuring) {
        copy->bytes += wal_batch_span(batch->size);
        return ALS_OK;
    }
    if (!copy->copied)
        TRY(make_copy(copy, why));
    struct wal_draft draft = {.first = batch->first,
                              .count = 1,
                              .recorded_us = batch->recorded_us,
                              .body = {(const char *)batch->body, batch->size}};
    const uint8_t *body;
    struct wal *wal = copy->copied->wal;
    return wal_append(wal, wal_head(wal).batch, &draft, 1, true, &body, why);
}

static err end_copy(struct copy *copy, err code, struct als_why *why)
{
    if (code == ALS_OK && copy->copied)
        code = wal_mark(copy->copied->wal, why);
    settings_close(copy->copied);
    return code;
}

static err read_all(struct copy *copy, struct wal_reader *reader, bool measuring,
                    struct als_why *why)
{
    copy->measuring = measuring;
    copy->ended = false;
    struct wal_place place = wal_reader_start(reader);
    for (struct wal_batch batch;;) {
        TRY(wal_reader_next(reader, &place, &batch, why));
        if (batch.count == 0)
            return ALS_OK;
        TRY(put_copy(copy, &batch, why));
    }
}

static err read_live(struct settings *settings, struct copy *copy, struct als_why *why)
{
    lock_take(&settings->lock);
    als_position last = settings->wal ? wal_head(settings->wal).position : 0;
    lock_release(&settings->lock);
    if (last == 0)
        return ALS_OK;
    AUTO(wal_reader) reader = NULL;
    TRY(wal_reader_open(copy->os, settings->dir, 0, last, &reader, why));
    TRY(read_all(copy, reader, true, why));
    return read_all(copy, reader, false, why);
}

err settings_copy_live(struct settings *settings, struct os *os,
                       const struct settings_copying *copying, struct als_why *why)
{
    struct copy copy = {.os = os, .copying = copying};
    return end_copy(&copy, read_live(settings, &copy, why), why);
}

static err verify_all(struct copy *copy, struct os_dir *log, bool measuring, struct als_why *why)
{
    struct wal_verdict verdict;
    copy->measuring = measuring;
    copy->ended = false;
    TRY(wal_verify(copy->os, log, put_copy, copy, &verdict, why));
    if (verdict.finding == WAL_DAMAGED) // a torn end was never anybody's
        return FAIL(why, ALS_CORRUPT, "settings/%.*s is damaged at byte %llu", STR(verdict.file),
                    (unsigned long long)verdict.offset);
    return ALS_OK;
}

err settings_copy(struct os *os, struct os_dir *source, const struct settings_copying *copying,
                  struct als_why *why)
{
    struct copy copy = {.os = os, .copying = copying};
    struct os_dir *log;
    err code = os->dir_open(os, source, S("settings"), false, &log, why);
    if (code == ALS_NOT_FOUND)
        return ALS_OK;
    TRY(code);
    code = verify_all(&copy, log, true, why);
    if (code == ALS_OK)
        code = verify_all(&copy, log, false, why);
    os->dir_close(log);
    return end_copy(&copy, code, why);
}

// ---- Offline

static err check_one(void *context, const struct wal_batch *batch, struct als_why *why)
{
    (void)context;
    return check(batch, why);
}

err settings_verify(struct os *os, struct os_dir *dir, struct wal_verdict *ret_verdict,
                    struct als_why *why)
{
    struct os_dir *log;
    err code = os->dir_open(os, dir, S("settings"), false, &log, why);
    if (code == ALS_NOT_FOUND) {
        *ret_verdict = (struct wal_verdict){.finding = WAL_SOUND};
        return ALS_OK;
    }
    TRY(code);
    code = wal_verify(os, log, check_one, NULL, ret_verdict, why);
    os->dir_close(log);
    return code;
}
