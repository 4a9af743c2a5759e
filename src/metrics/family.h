// SPDX-License-Identifier: Apache-2.0
// Families and their series: what metrics.c counts in and print.c prints.
#pragma once

#include "base/lock.h"
#include "metrics/metrics.h"

#include <stdatomic.h>

enum {
    STRIPES = 16, // threads beyond that many share
    CACHE_LINE_BYTES = 64,
    BUCKETS = 12, // of a histogram, with the one up to +Inf
    SUM = BUCKETS // the cell behind the buckets: nanoseconds
};

enum kind { COUNTER, GAUGE, HISTOGRAM };

// A row of metrics.def.
struct family_row {
    const char *name;
    enum kind kind;
    const char *labels;
    const char *help;
};
extern const struct family_row family_rows[METRIC_COUNT];

// Where a bucket ends (it holds durations up to `ns`) and how `le` spells that. The last one has
// no end.
struct bucket_end {
    uint64_t ns;
    const char *le;
};
extern const struct bucket_end bucket_ends[BUCKETS];

// One line of the exposition, or one histogram. Everything above the cells is written before the
// series is published and never again, but for `set`.
struct series {
    uint64_t hash;
    str labels[METRICS_LABELS_MAX];
    _Atomic double set; // a gauge's value last set
    // STRIPES rows of family_stride() cells.
    _Alignas(CACHE_LINE_BYTES) _Atomic uint64_t cells[];
};

struct family {
    const struct family_row *row;
    str label_names[METRICS_LABELS_MAX];
    size_t label_count;
    size_t series_max;             // without `other`
    struct series *only;           // of a family without labels, else NULL
    struct series *other;          // of a family with labels, else NULL
    atomic_bool other_counts;      // something was counted under `other`
    atomic_bool full;              // there are series_max series
    struct series *_Atomic *slots; // open addressing; a slot is filled once and stays
    size_t slot_count;             // a power of two, at least twice series_max
    size_t series_count;           // guarded by the lock of the set
};

bool family_init(struct family *family, const struct family_row *row); // false: no memory
void family_deinit(struct family *family);

// Cells of one stripe: whole cache lines.
static inline size_t family_stride(const struct family *family)
{
    size_t cells = family->row->kind == HISTOGRAM ? SUM + 1 : 1;
    size_t line = CACHE_LINE_BYTES / sizeof(uint64_t);
    return (cells + line - 1) / line * line;
}

// The series with these label values, made if need be; `other` when there is no room. Takes `lock`
// only to make one.
struct series *family_series(struct family *family, struct lock *lock, const str *labels);

// Copies pointers to all series that are printed, sorted by label values; returns how many.
size_t family_sorted(struct family *family, struct series *sorted[static METRICS_SERIES_MAX + 1]);

// The sum of a cell over the stripes.
uint64_t family_total(const struct family *family, const struct series *series, size_t cell);

// The set.
struct refresher {
    metrics_refresh *refresh;
    void *context;
};

struct metrics {
    struct family families[METRIC_COUNT];
    struct refresher refreshers[METRICS_REFRESHERS_MAX];
    size_t refresher_count;
    atomic_uint threads; // that have counted, for dealing stripes
    struct lock lock;    // guards the making of series
};
