// SPDX-License-Identifier: Apache-2.0
// How a store reaches its log (ADR 0009): a small table of functions, so that another log (a
// replicated one) can take the place of the files. Nothing above the store knows which it is.
#pragma once

#include "store/store.h"

struct log_record { // one batch
    als_position first;
    uint32_t count;
    int64_t recorded_us;
    str body;
};

struct log_head {
    uint64_t last;         // number of the last record
    als_position position; // of the last event
};

struct log_stat {
    uint64_t files, bytes, bytes_allocated, syncs, sync_ns;
};

struct store_log {
    struct log_head (*head)(const struct store_log *log);
    // Appends a group behind record `expect_last`. With `sync` it is durable when the call returns.
    // Each body's place is handed out and stays readable until the log is trimmed or closed.
    // ALS_FENCED: somebody else wrote. ALS_STORAGE_FULL: nothing happened. ALS_STORAGE_FAILED: the
    // outcome is unknown and the log takes no more.
    err (*append)(struct store_log *log, uint64_t expect_last, const struct log_record *records,
                  size_t count, bool sync, const uint8_t **ret_bodies, struct als_why *why);
    // Everything durable, and marked so.
    err (*settle)(struct store_log *log, struct als_why *why);
    err (*trim)(struct store_log *log, als_position up_to, struct als_why *why);
    struct log_stat (*stat)(const struct store_log *log);
    // Lets go of the memory behind places that were handed out, as far as it comes back by itself
    // when it is read. Any thread; every 4 KiB of the range hold some byte of a body.
    void (*forget)(const struct store_log *log, const char *bytes, size_t size);
    void (*close)(struct store_log *log);
};

typedef err log_each(void *context, const struct log_record *record, struct als_why *why);

// The log in files (wal.h), below `dir`. Gives every record it holds, in order.
err file_log_open(struct os *os, struct os_dir *dir, struct store_options options, log_each *each,
                  void *context, struct store_report *ret_report, struct store_log **ret_log,
                  struct als_why *why);
