// SPDX-License-Identifier: Apache-2.0
// The device's own rate of durable writes, to stand beside what is measured on it.
#pragma once

#include "bench/bench.h"

// A file that is preallocated and already written, so that a sync has data to write and no
// metadata: the best the disk can do for a lone writer.
struct device {
    int descriptor;
    uint64_t offset;
    char path[PATH_BYTES];
};
void device_open(struct device *device, const struct bench *bench);
void device_close(struct device *device);
// Writes 400 bytes and syncs them, again and again; adds the time of each.
void device_run(struct device *device, double seconds, struct latencies *latencies);

// Rows NAME/rate, p50, p99 and p99.9, of as many rounds as were added.
struct summary {
    struct samples rate, p50, p99, p999;
    uint64_t count;
};
void summary_add(struct summary *summary, struct latencies *latencies, double seconds);
void summary_rows(const struct bench *bench, const struct summary *summary, const char *name,
                  const char *what, double rate_target);
