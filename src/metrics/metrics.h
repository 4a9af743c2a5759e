// SPDX-License-Identifier: Apache-2.0
// Prometheus metrics from one table (metrics.def): counters, gauges and histograms.
//
// A set is made once and handed to those who count; counting is a few atomic adds on memory of the
// calling thread's own stripe, so hot paths never share a cache line. The number of series is
// bounded: past METRICS_CHILDREN_MAX of a family whose label values clients choose (event types),
// and past METRICS_SERIES_MAX of any other, everything further is counted under the value "other".
// So are values that are no UTF-8 or longer than METRICS_LABEL_BYTES_MAX.
// Threads: any thread may count and print at any time.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

enum metric {
#define X(name, kind, labels, help) METRIC_##name,
#include "metrics/metrics.def"
#undef X
    METRIC_COUNT
};

enum {
    METRICS_CHILDREN_MAX = 128,
    METRICS_SERIES_MAX = 1024,
    METRICS_LABELS_MAX = 3,
    METRICS_LABEL_BYTES_MAX = 256,
    METRICS_REFRESHERS_MAX = 8, // calls of metrics_on_print()
};

struct metrics;

struct metrics *metrics_new(void); // NULL: no memory
void metrics_free(struct metrics *metrics);
AUTO_WITH(metrics, metrics_free)

// A NULL set is accepted everywhere and counts nothing. `labels` are the values in the order of the
// table; as many as the family has. A metric of the wrong kind is a bug and asserted.
void metrics_add(struct metrics *metrics, enum metric metric, uint64_t more, const str *labels);
// Gauges have no labels and are either set or changed: what is printed is the value last set plus
// all changes.
void metrics_set(struct metrics *metrics, enum metric metric, double value);
void metrics_change(struct metrics *metrics, enum metric metric, int64_t by);
void metrics_observe_ns(struct metrics *metrics, enum metric metric, uint64_t ns,
                        const str *labels);
uint64_t metrics_read(struct metrics *metrics, enum metric metric); // a counter without labels

// A function that is called before each exposition and sets gauges from what it knows. It runs on
// the thread that prints; two that print may call it at the same time. Registered before the first
// exposition, by one thread.
typedef void metrics_refresh(void *context, struct metrics *metrics);
void metrics_on_print(struct metrics *metrics, metrics_refresh *refresh, KEEPS void *context);

// The text format 0.0.4: families sorted by name, series by label values, labels by name with `le`
// last; a labelled family without series is left out; values escaped. Each number is read once, so
// a histogram's count always equals its last bucket.
void metrics_print(struct metrics *metrics, struct buf *buf);

// docs/metrics.md, whole.
void metrics_reference(struct buf *buf);
