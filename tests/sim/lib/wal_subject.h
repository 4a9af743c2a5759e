// SPDX-License-Identifier: Apache-2.0
// The log under the crash driver: a workload of groups, syncs, marks, trims and reopenings, and a
// model of what must be found.
//
// What must hold after every crash: the log opens; it holds a gapless run of the batches that were
// attempted, each as it was given; all that were acknowledged are in it; none that was refused; it
// takes more; and opening it again after another power cut finds the same.
#pragma once

#include "crash.h"
#include "wal/wal.h"

enum { MODEL_BATCHES_MAX = 200, MODEL_BODY_MAX = 3072 };

struct model_batch {
    als_position first;
    uint32_t count, size;
    int64_t recorded_us;
    uint64_t salt; // the body is drawn from it
};

struct model {
    struct model_batch batches[MODEL_BATCHES_MAX];
    size_t tried;         // so many may be found
    size_t acknowledged;  // so many must be found
    als_position trimmed; // those up to here may be missing
    uint64_t salt;        // never used twice
    uint32_t size;        // of all bodies, so that old and new frames can fall on each other; or 0
};

struct wal_subject {
    struct model model;
};

extern const struct wal_options wal_subject_options;

struct crash_subject wal_subject(struct wal_subject *space);

// Opens the log in "data/wal" and compares it with the model. On success the caller closes both.
struct opened {
    struct os *os;
    struct os_dir *data, *dir;
    struct wal *wal;
    struct wal_report report;
    size_t found; // the batches 0 to found - 1 of the model are in the log, but for trimmed ones
};
err model_open(const struct model *model, struct sim *sim, struct opened *ret_opened,
               struct als_why *why);
void opened_close(struct opened *opened);

// Appends a group of `count` drawn batches that the model takes to be tried. ALS_STORAGE_FULL and
// ALS_NO_MEMORY take them back.
err model_append(struct model *model, struct wal *wal, size_t count, uint32_t size_max, bool sync,
                 struct als_why *why);
