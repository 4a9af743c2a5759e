// SPDX-License-Identifier: Apache-2.0
// The open log, inside.
#pragma once

#include "base/limits.h"
#include "wal/files.h"
#include "wal/wal.h"

struct wal {
    struct os *os;
    struct os_dir *dir;
    uint64_t file_bytes;
    uint64_t batch_bytes_max;
    struct wal_header header; // what all headers of this log have in common
    uint32_t salt;

    struct wal_files files;
    struct os_file *active; // the last file, for writing; NULL in a log without files
    uint64_t written;       // blocks of the active file up to here have been written before
    uint64_t unforgotten;   // bytes appended since the files were last forgotten

    struct wal_link last;    // what the next frame continues
    struct wal_link durable; // up to here it is durable
    uint64_t proven;         // up to this batch the log itself says so
    bool ready;              // opened wholly; before that, closing it must not write
    bool failed;             // a write or sync went wrong for good
    uint64_t syncs, sync_ns;

    // One group on its way to the disk: header, body and padding of each.
    uint8_t headers[TURN_BATCHES_MAX][WAL_FRAME_BYTES];
    str slices[TURN_BATCHES_MAX * 3];
};

// A file that is to be made. It begins where `before` says, and may begin with whole frames that
// are copied from an earlier file.
struct wal_plan {
    struct wal_link before;
    uint64_t durable; // for its header
    uint64_t size;
    str carried;
};

// How long the next file is to be, which must hold `needed` bytes: a log begins small and doubles
// up to the option, so that a thousand tenants with a few events do not reserve a disk.
uint64_t wal_file_size(const struct wal *wal, uint64_t needed);
// Makes the next file, durable with its name, and the active one. ALS_STORAGE_FULL and
// ALS_NO_MEMORY leave the log as it was; after anything else nothing may be written any more.
err wal_file_make(struct wal *wal, const struct wal_plan *plan, struct als_why *why);
// Gives back what a file that is not the active one holds behind its end; removes it if it has no
// frame left.
err wal_file_shorten(struct wal *wal, size_t index, struct als_why *why);
// Unlinks a file and makes that durable.
err wal_file_remove(struct wal *wal, size_t index, struct als_why *why);

// Lets go of the pages that are resident; they come back when they are read.
void wal_forget(struct wal *wal);
// A sync that fails is never tried again: ALS_STORAGE_FAILED for good.
err wal_sync_active(struct wal *wal, struct als_why *why);
// Remembers that the log takes no more, and says so.
err wal_fail(struct wal *wal, const struct als_why *cause, struct als_why *why);
