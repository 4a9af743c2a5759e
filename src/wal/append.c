// SPDX-License-Identifier: Apache-2.0
// Writing.
//
// A group is encoded into header buffers that were made at open, and goes out with one write: the
// bodies from where they lie. If it is to be durable, one sync follows. What is handed out points
// into the mapping, which shows what was written.
//
// When it goes wrong:
//   no room     The place where the group was to lie is emptied and that is made durable, so a
//   batch
//               that was refused cannot come back. The log goes on; the next group may find room.
//   a write     An error of the disk. How much of it happened is unknown: no more writes, for good.
//   a sync      The kernel may have dropped the pages and forgotten that it failed: a second sync
//               would succeed and mean nothing. No more writes, for good. Opening the log again
//               copies what is in doubt to a new file (recover.c).
// What was handed out stays readable in all cases.
#include "base/mutant.h"
#include "os/os.h"
#include "wal/log.h"

#include <assert.h>

// Blocks that were reserved but never written make a sync dearer, since it has to log that they now
// count. So small groups write zeros ahead, a step at a time. Measured on ext4, mean of append and
// sync with and without: 4 KB 140 and 400 us, 16 KB 205 and 290, 60 KB 300 and 390; 300 B no
// difference. Larger groups would only be written twice.
#define AHEAD_STEP MIB(1)
#define AHEAD_GROUP_MAX KIB(64)
enum { ZEROS = 16384 };
#define FORGET_EVERY MIB(2)
static const uint8_t zeros[ZEROS];

err wal_fail(struct wal *wal, const struct als_why *cause, struct als_why *why)
{
    wal->failed = true;
    return FAIL(why, ALS_STORAGE_FAILED, "the log takes no more writes until it is reopened: %s",
                cause->text);
}

static err check_usable(const struct wal *wal, struct als_why *why)
{
    if (wal->failed)
        return FAIL(why, ALS_STORAGE_FAILED, "the log takes no more writes until it is reopened");
    return ALS_OK;
}

err wal_sync_active(struct wal *wal, struct als_why *why)
{
    struct als_why cause;
    uint64_t began_ns = wal->os->monotonic_ns(wal->os);
    err code = wal->os->file_sync(wal->active, &cause);
    if (code != ALS_OK && MUTANT(SYNC_RETRIED))
        code = wal->os->file_sync(wal->active, &cause);
    wal->syncs++;
    wal->sync_ns += wal->os->monotonic_ns(wal->os) - began_ns;
    if (code != ALS_OK)
        return wal_fail(wal, &cause, why);
    wal->durable = wal->last;
    return ALS_OK;
}

err wal_sync(struct wal *wal, struct als_why *why)
{
    TRY(check_usable(wal, why));
    if (wal->durable.batch == wal->last.batch)
        return ALS_OK;
    if (MUTANT(ACK_BEFORE_SYNC)) {
        wal->durable = wal->last;
        return ALS_OK;
    }
    return wal_sync_active(wal, why);
}

// ---- One group.

struct group {
    bool sync;           // follows at once: worth preparing for
    struct wal_link end; // behind its last frame
    uint64_t bytes;
    size_t slices;
};

static void encode_one(struct wal *wal, const struct wal_draft *draft, uint8_t *header,
                       struct group *group)
{
    assert(draft->first == group->end.position + 1);
    struct wal_frame frame = {
        .size = (uint32_t)(WAL_FRAME_BYTES + draft->body.len),
        .number = group->end.batch + 1,
        .first = draft->first,
        .recorded_us = draft->recorded_us,
        .previous = group->end.hash,
        .count = draft->count,
    };
    frame.unsynced = (uint16_t)(frame.number - wal->durable.batch);
    wal_frame_encode(&frame, draft->body, wal->salt, header);
    uint64_t span = wal_frame_span(frame.size);
    wal->slices[group->slices++] = (str){(const char *)header, WAL_FRAME_BYTES};
    wal->slices[group->slices++] = draft->body;
    wal->slices[group->slices++] = (str){(const char *)zeros, span - frame.size};
    group->end = wal_link_behind(group->end, &frame, header, draft->body.ptr);
    group->bytes += span;
}

static struct group encode(struct wal *wal, const struct wal_draft *drafts, size_t count)
{
    struct group group = {.end = wal->last};
    for (size_t i = 0; i < count; i++)
        encode_one(wal, &drafts[i], wal->headers[i], &group);
    return group;
}

static err write_ahead(struct wal *wal, uint64_t end, const struct group *group,
                       struct als_why *why)
{
    if (end <= wal->written)
        return ALS_OK;
    const struct wal_file *file = wal_files_last(&wal->files);
    uint64_t from = wal->written;
    wal->written = end;
    if (group->bytes > AHEAD_GROUP_MAX || !group->sync)
        return ALS_OK;
    uint64_t step = file->size - from < AHEAD_STEP ? file->size - from : AHEAD_STEP;
    str slices[AHEAD_STEP / ZEROS];
    size_t count = 0;
    for (uint64_t done = 0; done < step; done += slices[count++].len)
        slices[count] = (str){(const char *)zeros, step - done < ZEROS ? step - done : ZEROS};
    err code = wal->os->file_write(wal->active, from, slices, count, why);
    wal->written = code == ALS_OK && from + step > end ? from + step : end;
    return code == ALS_STORAGE_FULL ? ALS_OK : code; // it was only to make later syncs cheaper
}

// Nothing of what was attempted behind the end may be found there again.
static err empty_behind_end(struct wal *wal, struct als_why *why)
{
    if (MUTANT(FAILED_GROUP_KEPT))
        return ALS_OK;
    const struct wal_file *file = wal_files_last(&wal->files);
    TRY(wal->os->file_truncate(wal->active, file->end, why)); // needs no space, unlike zeros
    TRY(wal->os->file_truncate(wal->active, file->size, why));
    wal->written = file->size; // no longer reserved: no room to be spent ahead
    return wal_sync_active(wal, why);
}

static err write_group(struct wal *wal, const struct group *group, struct als_why *why)
{
    struct wal_file *file = wal_files_last(&wal->files);
    struct als_why cause;
    err code = write_ahead(wal, file->end + group->bytes, group, &cause);
    if (code == ALS_OK)
        code = wal->os->file_write(wal->active, file->end, wal->slices, group->slices, &cause);
    if (MUTANT(WRITE_FAILURE_IGNORED))
        code = ALS_OK;
    if (code == ALS_STORAGE_FULL) {
        struct als_why second;
        if (empty_behind_end(wal, &second) != ALS_OK)
            return wal_fail(wal, &second, why);
        return FAIL(why, code, "%s", cause.text);
    }
    if (code != ALS_OK)
        return wal_fail(wal, &cause, why);
    file->end += group->bytes;
    wal->last = group->end;
    wal->proven = wal->durable.batch; // each frame says so
    return ALS_OK;
}

// A group goes into one file whole, and leaves room for a mark.
static err make_room(struct wal *wal, uint64_t bytes, struct als_why *why)
{
    const struct wal_file *file = wal_files_last(&wal->files);
    if (file && file->end + bytes + WAL_FRAME_BYTES <= file->size)
        return ALS_OK;
    if (!MUTANT(ROLLED_BEFORE_SYNC))
        TRY(wal_sync(wal, why));
    uint64_t needed = WAL_HEADER_BYTES + bytes + WAL_FRAME_BYTES;
    struct wal_plan plan = {
        .before = wal->last,
        .durable = wal->last.batch,
        .size = wal_file_size(wal, needed),
    };
    struct als_why cause;
    err code = wal_file_make(wal, &plan, &cause);
    if (code == ALS_STORAGE_FULL || code == ALS_NO_MEMORY)
        return FAIL(why, code, "%s", cause.text);
    if (code != ALS_OK)
        return wal_fail(wal, &cause, why);
    if (wal->files.count > 1)
        (void)wal_file_shorten(wal, wal->files.count - 2, NULL); // only gives space back
    return ALS_OK;
}

static uint64_t group_bytes(const struct wal *wal, const struct wal_draft *drafts, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        assert(drafts[i].count > 0 && drafts[i].body.len > 0);
        assert(drafts[i].body.len <= wal->batch_bytes_max);
        bytes += wal_frame_span(WAL_FRAME_BYTES + drafts[i].body.len);
    }
    return bytes;
}

// What was read of the log (to seal it, to compare a name, by a query) stays resident until the
// files are forgotten: 64 MiB a file, and many files when sealing lags. What is wanted again comes
// back for half a microsecond a page.
void wal_forget(struct wal *wal)
{
    wal->unforgotten = 0;
    for (size_t i = 0; i < wal->files.count; i++) {
        const struct wal_file *file = &wal->files.items[i];
        wal->os->file_forget(wal->os, file->bytes, file->size);
    }
}

err wal_append(struct wal *wal, uint64_t expect_last, const struct wal_draft *drafts, size_t count,
               bool sync, const uint8_t **ret_bodies, struct als_why *why)
{
    assert(count > 0 && count <= TURN_BATCHES_MAX);
    TRY(check_usable(wal, why));
    if (expect_last != wal->last.batch)
        return FAIL(why, ALS_FENCED, "batch %llu was to be the last one, but it is %llu",
                    (unsigned long long)expect_last, (unsigned long long)wal->last.batch);
    if (wal->last.batch + count - wal->durable.batch > WAL_UNSYNCED_MAX)
        TRY(wal_sync(wal, why));
    TRY(make_room(wal, group_bytes(wal, drafts, count), why));

    struct group group = encode(wal, drafts, count);
    group.sync = sync;
    TRY(write_group(wal, &group, why));
    if (sync)
        TRY(wal_sync(wal, why));

    const struct wal_file *file = wal_files_last(&wal->files);
    uint64_t at = file->end - group.bytes;
    for (size_t i = 0; i < count; i++) {
        ret_bodies[i] = file->bytes + at + WAL_FRAME_BYTES;
        at += wal_frame_span(WAL_FRAME_BYTES + drafts[i].body.len);
    }
    wal->unforgotten += group.bytes;
    if (wal->unforgotten >= FORGET_EVERY)
        wal_forget(wal);
    return ALS_OK;
}

// A mark says: what is before me is durable. That holds whether or not the mark itself is, so no
// answer waits for it; the sync is there because a mark in the page cache proves nothing.
err wal_mark(struct wal *wal, struct als_why *why)
{
    TRY(check_usable(wal, why));
    if (wal->proven == wal->last.batch)
        return ALS_OK;
    const struct wal_file *file = wal_files_last(&wal->files);
    if (file->end + WAL_FRAME_BYTES > file->size)
        return ALS_OK; // a file that something else has cut short
    TRY(wal_sync(wal, why));
    struct wal_draft mark = {.first = wal->last.position + 1,
                             .recorded_us = wal->os->now_us(wal->os)};
    struct group group = encode(wal, &mark, 1);
    TRY(write_group(wal, &group, why));
    TRY(wal_sync(wal, why));
    wal->proven = wal->last.batch;
    return ALS_OK;
}

err wal_trim(struct wal *wal, als_position up_to, struct als_why *why)
{
    TRY(check_usable(wal, why));
    while (wal->files.count > 1 && wal->files.items[1].before.position <= up_to)
        TRY(wal_file_remove(wal, 0, why));
    return ALS_OK;
}

struct wal_head wal_head(const struct wal *wal)
{
    return (struct wal_head){.batch = wal->last.batch,
                             .position = wal->last.position,
                             .durable = wal->durable.position,
                             .failed = wal->failed};
}

struct wal_stat wal_stat(const struct wal *wal)
{
    struct wal_stat stat = {
        .files = wal->files.count, .syncs = wal->syncs, .sync_ns = wal->sync_ns};
    for (size_t i = 0; i < wal->files.count; i++) {
        bool last = i + 1 == wal->files.count;
        stat.bytes_used += wal->files.items[i].end;
        stat.bytes_allocated += last ? wal->files.items[i].size : wal->files.items[i].end;
    }
    return stat;
}
