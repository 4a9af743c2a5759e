// SPDX-License-Identifier: Apache-2.0
// Rows of figures, printed as they come, and once more at the end as JSON and Markdown.
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SAMPLES_MAX = 64, ROWS_MAX = 256 };

struct samples {
    double values[SAMPLES_MAX];
    size_t count;
};

static inline void samples_add(struct samples *samples, double value)
{
    if (samples->count < SAMPLES_MAX)
        samples->values[samples->count++] = value;
}

double samples_median(struct samples samples); // of at least one

// The values that a program measured, one a call, to be asked for percentiles. Times in ns.
struct latencies {
    uint32_t *ns;
    size_t count, room;
};
void latencies_add(struct latencies *latencies, uint64_t ns);
void latencies_sort(struct latencies *latencies);
double latencies_us(const struct latencies *latencies, double quantile); // sorted before; in µs
void latencies_deinit(struct latencies *latencies);

enum better { BETTER_HIGHER, BETTER_LOWER };

struct row {
    char name[56];    // "memory/ingest/single/10K"
    const char *what; // what is timed; a literal
    const char *unit;
    uint64_t count; // events, calls: what one sample stands for; 0: does not apply
    enum better better;
    double target;    // 0: none
    double reference; // what 0.6 reached in the same shape on this kind of machine; 0: unknown
    double median, least, most; // table_add() fills them in
    size_t samples;
};

struct table {
    struct row rows[ROWS_MAX];
    size_t count;
    bool silent; // prints nothing as rows come
};

// Adds the row, without its statistics, and what was measured for it.
void table_add(struct table *table, const struct row *row, const struct samples *samples);

static inline bool row_reached(const struct row *row)
{
    return row->better == BETTER_HIGHER ? row->median >= row->target : row->median <= row->target;
}

struct machine { // what the figures depend on
    char date[32], processor[96], kernel[160], filesystem[32];
    long processors, memory_mib;
    double others; // processes that ran or wanted to, in the minute before: 0 is a quiet machine
    const char *revision; // empty: not told
    bool quick;
};
void machine_describe(struct machine *machine, const char *directory);

void table_put_json(const struct table *table, const struct machine *machine, struct buf *buf);
void table_put_markdown(const struct table *table, const struct machine *machine, struct buf *buf);
