// SPDX-License-Identifier: Apache-2.0
// Reading a log as it lies there, and judging how it ends. Changes nothing.
#pragma once

#include "wal/files.h"
#include "wal/wal.h"

struct wal_leftover { // a file that did not get its name
    uint64_t number, epoch;
};

struct wal_scan {
    struct os *os;
    struct wal_files files;
    struct wal_leftover *leftovers;
    size_t leftover_count, leftover_capacity;

    struct wal_header header; // of the last file that was read
    struct wal_link last;     // behind the last batch; a mark that ends the log is not counted
    uint64_t durable;         // what the log itself says of itself: all up to here is durable
    struct wal_report report;

    enum wal_finding finding;
    uint64_t bad_file, bad_offset;
    struct als_why bad; // why it is damaged
};

// On ALS_OK the scan must be ended with wal_scan_deinit(), and `finding` says what was found. Fails
// when something cannot be read at all, or is of a newer format.
err wal_scan_init(struct wal_scan *scan, struct os *os, struct os_dir *dir, struct als_why *why);
void wal_scan_deinit(struct wal_scan *scan);

// The parts of it. The files' names in order; one file's bytes; what its header says (`finding` and
// `bad` tell when it is not good).
err wal_scan_list(struct wal_scan *scan, struct os_dir *dir, struct als_why *why);
err wal_scan_map(struct wal_scan *scan, struct os_dir *dir, size_t index, struct als_why *why);
err wal_scan_header(struct wal_scan *scan, size_t index, struct als_why *why);

// Calls `each` for the batches of the files as far as they count. Frames are trusted by now.
err wal_files_each(const struct wal_files *files, wal_each *each, void *context,
                   struct als_why *why);
// The frame at `offset`, which must be one that counts.
void wal_file_frame(const struct wal_file *file, uint64_t offset, struct wal_frame *ret_frame);
