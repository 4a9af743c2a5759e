// SPDX-License-Identifier: Apache-2.0
// The exposition in the text format 0.0.4, and the reference for people.
#include "metrics/family.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const kind_names[] = {"counter", "gauge", "histogram"};

static void put_escaped(struct buf *buf, str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '\\' || c == '"')
            buf_put_char(buf, '\\');
        if (c == '\n')
            buf_put_str(buf, S("\\n"));
        else
            buf_put_char(buf, c);
    }
}

// {method="GET",le="0.5"} with a blank behind; only the blank when there are no labels.
static void put_labels(struct buf *buf, const struct family *family, const struct series *series,
                       const char *le)
{
    char before = '{';
    for (size_t i = 0; i < family->label_count; i++) {
        buf_put_char(buf, before);
        buf_put_str(buf, family->label_names[i]);
        buf_put_str(buf, S("=\""));
        put_escaped(buf, series->labels[i]);
        buf_put_char(buf, '"');
        before = ',';
    }
    if (le) {
        buf_printf(buf, "%cle=\"%s\"", before, le);
        before = ',';
    }
    buf_put_str(buf, before == ',' ? S("} ") : S(" "));
}

// The fewest digits that give the same number back.
static void put_double(struct buf *buf, double value)
{
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value); // at most 24 characters
        if (strtod(text, NULL) == value)
            break;
    }
    if (value != value)
        buf_put_str(buf, S("NaN"));
    else if (value - value != 0)
        buf_put_str(buf, value > 0 ? S("+Inf") : S("-Inf"));
    else
        buf_put_str(buf, str_of(text));
}

// Nanoseconds as seconds, exactly.
static void put_seconds(struct buf *buf, uint64_t ns)
{
    buf_put_u64(buf, ns / 1'000'000'000);
    if (ns % 1'000'000'000 == 0)
        return;
    buf_printf(buf, ".%09u", (unsigned)(ns % 1'000'000'000));
    while (!buf_failed(buf) && buf->ptr[buf->len - 1] == '0')
        buf->len--;
}

static void print_histogram(struct buf *buf, const struct family *family,
                            const struct series *series)
{
    const char *name = family->row->name;
    uint64_t count = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        count += family_total(family, series, i);
        buf_printf(buf, "allsource_%s_bucket", name);
        put_labels(buf, family, series, bucket_ends[i].le);
        buf_put_u64(buf, count);
        buf_put_char(buf, '\n');
    }
    buf_printf(buf, "allsource_%s_sum", name);
    put_labels(buf, family, series, NULL);
    put_seconds(buf, family_total(family, series, SUM));
    buf_printf(buf, "\nallsource_%s_count", name);
    put_labels(buf, family, series, NULL);
    buf_put_u64(buf, count);
    buf_put_char(buf, '\n');
}

static void print_series(struct buf *buf, const struct family *family, const struct series *series)
{
    if (family->row->kind == HISTOGRAM) {
        print_histogram(buf, family, series);
        return;
    }
    buf_printf(buf, "allsource_%s", family->row->name);
    put_labels(buf, family, series, NULL);
    uint64_t total = family_total(family, series, 0);
    if (family->row->kind == COUNTER)
        buf_put_u64(buf, total);
    else
        put_double(buf, atomic_load_explicit(&series->set, memory_order_relaxed) +
                            (double)(int64_t)total);
    buf_put_char(buf, '\n');
}

void metrics_print(struct metrics *metrics, struct buf *buf)
{
    if (!metrics)
        return;
    for (size_t i = 0; i < metrics->refresher_count; i++)
        metrics->refreshers[i].refresh(metrics->refreshers[i].context, metrics);
    for (int i = 0; i < METRIC_COUNT; i++) {
        struct family *family = &metrics->families[i];
        struct series *sorted[METRICS_SERIES_MAX + 1];
        size_t count = family_sorted(family, sorted);
        if (count == 0)
            continue;
        const struct family_row *row = family->row;
        buf_printf(buf, "# HELP allsource_%s %s\n# TYPE allsource_%s %s\n", row->name, row->help,
                   row->name, kind_names[row->kind]);
        for (size_t j = 0; j < count; j++)
            print_series(buf, family, sorted[j]);
    }
}

void metrics_reference(struct buf *buf)
{
    buf_put_str(buf, S("# Metrics\n\n"
                       "`GET /metrics` answers in the Prometheus text format 0.0.4. This page is "
                       "printed from\n`src/metrics/metrics.def` (`cmake --build build/dev --target "
                       "print-tables`).\n\n"
                       "Durations are histograms of seconds with the buckets "));
    for (size_t i = 0; i < BUCKETS; i++)
        buf_printf(buf, "%s`%s`", i ? ", " : "", bucket_ends[i].le);
    buf_printf(buf,
               ".\nA label marked with `*` takes values that clients choose: a family has at most "
               "%d series\nof them (others: %d), what comes later is counted under the value "
               "`other`.\nA family with labels is absent until something was counted in it.\n\n"
               "| metric | kind | labels | meaning |\n|---|---|---|---|\n",
               METRICS_CHILDREN_MAX, METRICS_SERIES_MAX);
    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct family_row *row = &family_rows[i];
        buf_printf(buf, "| `allsource_%s` | %s |", row->name, kind_names[row->kind]);
        for (str rest = str_of(row->labels); rest.len;) {
            str label = str_cut(&rest, ',');
            buf_printf(buf, " `%.*s`%s", STR(label), rest.len ? "," : "");
        }
        buf_printf(buf, " | %s |\n", row->help);
    }
}
