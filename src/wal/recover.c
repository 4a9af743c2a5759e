// SPDX-License-Identifier: Apache-2.0
// Opening.
//
// The log is read as it lies there (scan.c). If it is sound and says itself that all of it is
// durable, the last file is taken on. If not, there is a last part that may be in the page cache
// only: a process that died after a failed sync leaves pages that read well and are on no disk. A
// sync now would say nothing about them. So before anyone sees it:
//
//   1. What is in doubt is copied, byte for byte, into a new file, which is made durable and then
//      gets its name (make.c). From that moment it supersedes the old frames. A crash before leaves
//      the old file as it was, and the copy is a leftover without a name.
//   2. The old file is cut where the new one begins, or removed. A crash before this changes
//      nothing: frames that a later file has taken over are not read.
//
// A torn end is left behind in the same way, with nothing to copy. So a file is never appended to
// behind anything but zeros.
//
// On a full disk there is no room for a new file. Then the part in doubt is written once more in
// its place, the same bytes over the same bytes, and what is behind it is emptied: that makes the
// pages dirty again, and a sync means something again.
#include "base/mutant.h"
#include "os/os.h"
#include "wal/log.h"
#include "wal/scan.h"

#include <assert.h>
#include <stdlib.h>

static struct wal *wal_new(struct os *os, struct os_dir *dir, struct wal_options options)
{
    struct wal *wal = malloc(sizeof *wal);
    if (!wal)
        return NULL;
    wal->os = os;
    wal->dir = dir;
    wal->file_bytes = options.file_bytes;
    wal->batch_bytes_max = options.batch_bytes_max;
    wal->header = (struct wal_header){.label_size = (uint8_t)options.label.len};
    if (options.label.len > 0)
        memcpy(wal->header.label, options.label.ptr, options.label.len);
    wal->files = (struct wal_files){};
    wal->active = NULL;
    wal->last = wal->durable = (struct wal_link){};
    wal->written = wal->proven = wal->syncs = wal->sync_ns = 0;
    wal->failed = wal->ready = false;
    return wal;
}

// Where the frames begin that the log does not prove to be durable.
static uint64_t find_doubt(const struct wal *wal, const struct wal_scan *scan,
                           struct wal_link *ret_before)
{
    const struct wal_file *file = wal_files_last(&wal->files);
    *ret_before = scan->last;
    struct wal_frame frame;
    for (uint64_t at = WAL_HEADER_BYTES; at < file->end; at += wal_frame_span(frame.size)) {
        wal_file_frame(file, at, &frame);
        if (frame.number > scan->durable) {
            *ret_before = (struct wal_link){frame.number - 1, frame.first - 1, frame.previous};
            return at;
        }
    }
    return file->end;
}

static err open_active(struct wal *wal, struct als_why *why)
{
    const struct wal_file *file = wal_files_last(&wal->files);
    char space[WAL_NAME_MAX];
    TRY(wal->os->file_open(wal->dir, wal_name(file->number, space), OS_READ_WRITE, &wal->active,
                           why));
    wal->written = MUTANT(TORN_TAIL_KEPT) ? file->size : file->end;
    return ALS_OK;
}

static err rewrite_in_place(struct wal *wal, uint64_t doubt, struct als_why *why)
{
    const struct wal_file *file = wal_files_last(&wal->files);
    TRY(open_active(wal, why));
    str bytes = {(const char *)file->bytes + doubt, file->end - doubt};
    if (bytes.len > 0)
        TRY(os_write_one(wal->os, wal->active, doubt, bytes, why));
    TRY(wal->os->file_truncate(wal->active, file->end, why));
    TRY(wal->os->file_truncate(wal->active, file->size, why));
    wal->written = file->size;
    return wal_sync_active(wal, why);
}

static err leave_behind(struct wal *wal, const struct wal_scan *scan, struct als_why *why)
{
    struct wal_file *old = wal_files_last(&wal->files);
    struct wal_plan plan = {.durable = scan->last.batch};
    uint64_t doubt = find_doubt(wal, scan, &plan.before);
    plan.carried = (str){(const char *)old->bytes + doubt, old->end - doubt};
    uint64_t needed = WAL_HEADER_BYTES + plan.carried.len + WAL_FRAME_BYTES;
    plan.size = wal_file_size(wal, needed);
    err code = wal_file_make(wal, &plan, why);
    if (code == ALS_STORAGE_FULL)
        return rewrite_in_place(wal, doubt, why);
    TRY(code);
    wal->files.items[wal->files.count - 2].end = doubt;
    return ALS_OK;
}

static err remove_leftovers(struct wal *wal, const struct wal_scan *scan, struct als_why *why)
{
    for (size_t i = 0; i < scan->leftover_count; i++) {
        char space[WAL_NAME_MAX];
        const struct wal_leftover *at = &scan->leftovers[i];
        TRY(wal->os->dir_unlink(wal->dir, wal_name_new(at->number, at->epoch, space), why));
    }
    return ALS_OK;
}

// Old files that still hold what a later one has taken over, after a crash between the two steps.
static err shorten_old(struct wal *wal, struct als_why *why)
{
    for (size_t i = wal->files.count - 1; i-- > 0;) {
        const struct wal_file *file = &wal->files.items[i];
        if (file->size > file->end || file->end == WAL_HEADER_BYTES)
            TRY(wal_file_shorten(wal, i, why));
    }
    return ALS_OK;
}

// Makes the end certain, before anything of the log is shown.
static err settle(struct wal *wal, const struct wal_scan *scan, struct als_why *why)
{
    TRY(remove_leftovers(wal, scan, why));
    if (wal->files.count == 0) {
        wal->os->entropy(wal->os, &wal->header.log, sizeof wal->header.log);
        return ALS_OK;
    }
    wal->header.log = scan->header.log;
    wal->last = scan->last;
    wal->proven = scan->durable;
    TRY(wal->os->dir_sync(wal->dir, why)); // the last name may be in the cache only

    bool certain = (scan->last.batch <= scan->durable || MUTANT(TAIL_NOT_REWRITTEN)) &&
                   (scan->report.torn_bytes == 0 || MUTANT(TORN_TAIL_KEPT));
    TRY(certain ? open_active(wal, why) : leave_behind(wal, scan, why));
    wal->durable = wal->last;
    return shorten_old(wal, why);
}

// Takes the files over from the scan.
static err open_scanned(struct wal *wal, struct wal_scan *scan, struct als_why *why)
{
    if (scan->finding == WAL_DAMAGED)
        return FAIL(why, ALS_CORRUPT, "%s", scan->bad.text);
    str label = {wal->header.label, wal->header.label_size};
    str found = {scan->header.label, scan->header.label_size};
    if (scan->files.count > 0 && !str_equal(label, found))
        return FAIL(why, ALS_CORRUPT, "the log is that of '%.*s', not of '%.*s'", STR(found),
                    STR(label));
    wal->files = scan->files;
    scan->files = (struct wal_files){};
    return settle(wal, scan, why);
}

err wal_open(struct os *os, struct os_dir *dir, struct wal_options options, wal_each *each,
             void *context, struct wal_report *ret_report, struct wal **ret_wal,
             struct als_why *why)
{
    assert(options.file_bytes >= WAL_FILE_BYTES_MIN && options.file_bytes <= WAL_FILE_BYTES_MAX);
    assert(options.batch_bytes_max > 0 && options.batch_bytes_max <= BATCH_BYTES_MAX);
    assert(options.label.len <= WAL_LABEL_MAX);

    AUTO(wal) wal = wal_new(os, dir, options);
    if (!wal)
        return FAIL(why, ALS_NO_MEMORY, "no memory for a log");
    struct wal_scan scan;
    TRY(wal_scan_init(&scan, os, dir, why));
    struct wal_report report = scan.report;
    report.rewritten = scan.last.batch > scan.durable;
    err code = open_scanned(wal, &scan, why);
    wal_scan_deinit(&scan);
    TRY(code);
    wal->salt = wal_salt(wal->header.log);
    TRY(wal_files_each(&wal->files, each, context, why));
    wal_forget(wal);

    wal->ready = true;
    *ret_report = report;
    *ret_wal = MOVE(wal);
    return ALS_OK;
}

void wal_close(struct wal *wal)
{
    if (!wal)
        return;
    if (wal->ready && !wal->failed)
        (void)wal_mark(wal, NULL); // without it the next opening has more to do, no more
    wal->os->file_close(wal->active);
    wal_files_deinit(&wal->files, wal->os);
    free(wal);
}
