// SPDX-License-Identifier: Apache-2.0
// Prometheus metrics from one table (metrics.def): counters, gauges and histograms.
//
// A set is made once and handed to those who count; counting is a few atomic adds on memory of the
// calling thread's own stripe, so hot paths never share a cache line. Label values that clients
// choose (event types) are bounded: past METRICS_CHILDREN_MAX of a family everything further is
// counted under the value "other".
// Threads: any thread may count; metrics_print() may run at any time.
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

enum { METRICS_CHILDREN_MAX = 128, METRICS_LABELS_MAX = 3 };

struct metrics;

struct metrics *metrics_new(void); // NULL: no memory
void metrics_free(struct metrics *metrics);
AUTO_WITH(metrics, metrics_free)

// A NULL set is accepted everywhere and counts nothing. `labels` are the values in the order of the
// table; as many as the family has.
void metrics_add(struct metrics *metrics, enum metric metric, uint64_t more, const str *labels);
void metrics_set(struct metrics *metrics, enum metric metric, double value);  // gauge, no labels
void metrics_change(struct metrics *metrics, enum metric metric, int64_t by); // gauge, no labels
void metrics_observe_ns(struct metrics *metrics, enum metric metric, uint64_t ns,
                        const str *labels);
uint64_t metrics_read(struct metrics *metrics, enum metric metric); // a counter without labels

// A function that is called before each exposition and sets gauges from what it knows.
typedef void metrics_refresh(void *context, struct metrics *metrics);
void metrics_on_print(struct metrics *metrics, metrics_refresh *refresh, KEEPS void *context);

// The text format 0.0.4: families sorted by name, labels sorted, `le` last; a labelled family
// without children is left out; values escaped.
void metrics_print(struct metrics *metrics, struct buf *buf);
