// SPDX-License-Identifier: Apache-2.0
// How files come and go.
//
// A file is made under a name that is used once, and gets its own when all of it is durable. So:
//
//   1. A file that is called NNNN.wal has a whole, durable header, and so is what was carried into
//      it. A bad header is always damage.
//   2. Everything before a file's first batch was durable before the file had its name.
//   3. The name is durable before anything is appended to the file.
//   4. Removals are made durable one by one, oldest first, so a crash cannot leave a gap.
#include "base/mutant.h"
#include "os/os.h"
#include "wal/log.h"

#include <assert.h>

enum { FIRST_FILE_BYTES = 1 << 20 };

// Reserves the space, and where there is not enough, only sets the length: so the last blocks of a
// disk can still be used, and a write that finds none fails by itself.
static err reserve(struct os *os, struct os_file *file, uint64_t size, bool *ret_reserved,
                   struct als_why *why)
{
    err code = os->file_allocate(file, size, why);
    if (code != ALS_STORAGE_FULL) {
        *ret_reserved = true;
        return code;
    }
    TRY(os->file_truncate(file, 0, why)); // what a failed reservation may have kept
    TRY(os->file_truncate(file, size, why));
    *ret_reserved = false;
    return ALS_OK;
}

static err sync_content(struct wal *wal, struct os_file *file, struct als_why *why)
{
    if (MUTANT(NEW_FILE_NOT_SYNCED))
        return ALS_OK;
    err code = wal->os->file_sync(file, why);
    return code == ALS_OK ? ALS_OK : ALS_STORAGE_FAILED; // even when it failed for want of space
}

// Header, carried frames and length, durable; mapped.
static err fill(struct wal *wal, struct os_file *opened, const struct wal_plan *plan,
                struct wal_file *file, bool *ret_reserved, struct als_why *why)
{
    struct wal_header header = wal->header;
    header.file = file->number;
    header.before = plan->before;
    header.durable = plan->durable;
    header.size = plan->size;
    header.created_us = wal->os->now_us(wal->os);
    uint8_t bytes[WAL_HEADER_BYTES];
    wal_header_encode(&header, bytes);

    str slices[] = {{(const char *)bytes, sizeof bytes}, plan->carried};
    TRY(reserve(wal->os, opened, plan->size, ret_reserved, why));
    TRY(wal->os->file_write(opened, 0, slices, COUNT_OF(slices), why));
    TRY(sync_content(wal, opened, why));
    TRY(wal->os->file_map(opened, plan->size, &file->bytes, why));
    return ALS_OK;
}

// From here on the name is in the directory, or may be.
static err give_name(struct wal *wal, str name_new, str name, struct als_why *why)
{
    err code = wal->os->dir_rename(wal->dir, name_new, name, why);
    if (code == ALS_STORAGE_FULL)
        return code; // it has not happened
    if (code == ALS_OK && !MUTANT(DIRECTORY_NOT_SYNCED))
        code = wal->os->dir_sync(wal->dir, why);
    return code == ALS_OK ? ALS_OK : ALS_STORAGE_FAILED;
}

uint64_t wal_file_size(const struct wal *wal, uint64_t needed)
{
    const struct wal_file *last = wal_files_last(&wal->files);
    uint64_t size = last && last->size > FIRST_FILE_BYTES / 2 ? last->size * 2 : FIRST_FILE_BYTES;
    size = size < wal->file_bytes ? size : wal->file_bytes;
    return needed > size ? needed : size;
}

err wal_file_make(struct wal *wal, const struct wal_plan *plan, struct als_why *why)
{
    struct os *os = wal->os;
    TRY(wal_files_reserve(&wal->files, why)); // moves the list
    const struct wal_file *last = wal_files_last(&wal->files);
    struct wal_file file = {
        .number = last ? last->number + 1 : 1,
        .before = plan->before,
        .durable = plan->durable,
        .end = WAL_HEADER_BYTES + plan->carried.len,
        .size = plan->size,
    };
    assert(file.end + WAL_FRAME_BYTES <= file.size); // a mark always finds room
    do
        os->entropy(os, &wal->header.epoch, sizeof wal->header.epoch);
    while (wal->header.epoch == 0); // 0 would not be told from a file that has its name

    char space[2][WAL_NAME_MAX];
    str name_new = wal_name_new(file.number, wal->header.epoch, space[0]);
    str name = wal_name(file.number, space[1]);
    struct os_file *opened = NULL;
    TRY(os->file_open(wal->dir, name_new, OS_CREATE, &opened, why));
    bool reserved = false;
    err code = fill(wal, opened, plan, &file, &reserved, why);
    if (code == ALS_OK)
        code = give_name(wal, name_new, name, why);
    if (code != ALS_OK) {
        os->file_unmap(os, file.bytes, file.size);
        os->file_close(opened);
        (void)os->dir_unlink(wal->dir, name_new, NULL); // if it stays, opening removes it
        return code;
    }
    os->file_close(wal->active);
    wal->active = opened;
    wal->written = reserved ? file.end : file.size;
    wal->proven = plan->durable;
    wal->files.items[wal->files.count++] = file;
    return ALS_OK;
}

const uint64_t wal_file_bytes_least = WAL_HEADER_BYTES + WAL_FRAME_BYTES;

uint64_t wal_batch_span(uint64_t size)
{
    return wal_frame_span(WAL_FRAME_BYTES + size);
}

err wal_begin(struct wal *wal, als_position after, struct als_why *why)
{
    assert(wal->files.count == 0 && wal->last.batch == 0);
    struct wal_plan plan = {.before = {.position = after},
                            .size = wal_file_size(wal, WAL_HEADER_BYTES + WAL_FRAME_BYTES)};
    TRY(wal_file_make(wal, &plan, why));
    wal->last = wal->durable = plan.before;
    return ALS_OK;
}

err wal_file_remove(struct wal *wal, size_t index, struct als_why *why)
{
    char space[WAL_NAME_MAX];
    str name = wal_name(wal->files.items[index].number, space);
    TRY(wal->os->dir_unlink(wal->dir, name, why));
    wal_files_remove(&wal->files, wal->os, index);
    if (MUTANT(TRIM_NOT_ORDERED))
        return ALS_OK;
    struct als_why cause;
    if (wal->os->dir_sync(wal->dir, &cause) != ALS_OK)
        return wal_fail(wal, &cause, why);
    return ALS_OK;
}

// The mapping keeps its size; nobody reads behind the end.
err wal_file_shorten(struct wal *wal, size_t index, struct als_why *why)
{
    const struct wal_file *file = &wal->files.items[index];
    if (file->end == WAL_HEADER_BYTES)
        return wal_file_remove(wal, index, why);
    char space[WAL_NAME_MAX];
    struct os_file *opened = NULL;
    TRY(wal->os->file_open(wal->dir, wal_name(file->number, space), OS_READ_WRITE, &opened, why));
    err code = wal->os->file_truncate(opened, file->end, why);
    wal->os->file_close(opened);
    return code;
}
