// SPDX-License-Identifier: Apache-2.0
// The table of functions over wal.h.
#include "store/log.h"

#include "base/limits.h"
#include "os/os.h"
#include "wal/wal.h"

#include <stdlib.h>

struct file_log {
    struct store_log log; // first: the table's users hand it back
    struct os *os;
    struct os_dir *dir; // wal/
    struct wal *wal;
    struct wal_draft drafts[TURN_BATCHES_MAX];
};

static struct log_head head(const struct store_log *log)
{
    const struct file_log *file_log = (const struct file_log *)log;
    struct wal_head found = wal_head(file_log->wal);
    return (struct log_head){.last = found.batch, .position = found.position};
}

static err append(struct store_log *log, uint64_t expect_last, const struct log_record *records,
                  size_t count, bool sync, const uint8_t **ret_bodies, struct als_why *why)
{
    struct file_log *file_log = (struct file_log *)log;
    for (size_t i = 0; i < count; i++)
        file_log->drafts[i] = (struct wal_draft){.first = records[i].first,
                                                 .count = records[i].count,
                                                 .recorded_us = records[i].recorded_us,
                                                 .body = records[i].body};
    return wal_append(file_log->wal, expect_last, file_log->drafts, count, sync, ret_bodies, why);
}

static err settle(struct store_log *log, struct als_why *why)
{
    struct file_log *file_log = (struct file_log *)log;
    TRY(wal_sync(file_log->wal, why));
    return wal_mark(file_log->wal, why);
}

static err trim(struct store_log *log, als_position up_to, struct als_why *why)
{
    return wal_trim(((struct file_log *)log)->wal, up_to, why);
}

static struct log_stat stat(const struct store_log *log)
{
    struct wal_stat found = wal_stat(((const struct file_log *)log)->wal);
    return (struct log_stat){.files = found.files,
                             .bytes = found.bytes_used,
                             .bytes_allocated = found.bytes_allocated,
                             .syncs = found.syncs,
                             .sync_ns = found.sync_ns};
}

static void file_log_free(struct file_log *file_log)
{
    if (!file_log)
        return;
    wal_close(file_log->wal);
    if (file_log->dir)
        file_log->os->dir_close(file_log->dir);
    free(file_log);
}
AUTO_WITH(file_log, file_log_free)

static void forget(const struct store_log *log, const char *bytes, size_t size)
{
    struct os *os = ((const struct file_log *)log)->os;
    os->file_forget(os, (const uint8_t *)bytes, size);
}

static void close_log(struct store_log *log)
{
    file_log_free((struct file_log *)log);
}

struct each_context {
    log_each *each;
    void *context;
};

static err each_batch(void *context, const struct wal_batch *batch, struct als_why *why)
{
    const struct each_context *to = context;
    struct log_record record = {.first = batch->first,
                                .count = batch->count,
                                .recorded_us = batch->recorded_us,
                                .body = {(const char *)batch->body, batch->size}};
    return to->each(to->context, &record, why);
}

err file_log_open(struct os *os, struct os_dir *dir, struct store_options options, log_each *each,
                  void *context, struct store_report *ret_report, struct store_log **ret_log,
                  struct als_why *why)
{
    AUTO(file_log) file_log = calloc(1, sizeof *file_log);
    if (!file_log)
        return FAIL(why, ALS_NO_MEMORY, "the log cannot be opened");
    file_log->log = (struct store_log){.head = head,
                                       .append = append,
                                       .settle = settle,
                                       .trim = trim,
                                       .stat = stat,
                                       .forget = forget,
                                       .close = close_log};
    file_log->os = os;
    TRY(os->dir_open(os, dir, S("wal"), true, &file_log->dir, why));
    struct wal_options wal_options = {.file_bytes = options.wal_file_bytes,
                                      .batch_bytes_max = BATCH_BYTES_MAX,
                                      .label = options.tenant};
    struct each_context to = {each, context};
    struct wal_report report;
    TRY(wal_open(os, file_log->dir, wal_options, each_batch, &to, &report, &file_log->wal, why));
    ret_report->torn_bytes = report.torn_bytes;
    ret_report->rewritten = report.rewritten;
    *ret_log = &MOVE(file_log)->log;
    return ALS_OK;
}
