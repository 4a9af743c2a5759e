// SPDX-License-Identifier: Apache-2.0
// Counting: find the series, add to the cell of the thread's stripe.
//
// Threads are dealt to stripes in turn when they count for the first time. Cells of two stripes
// never share a cache line, so up to STRIPES threads add without waiting for each other's caches.
// Two threads of one stripe are merely slower. All adds are relaxed: counters order nothing.
#include "metrics/metrics.h"

#include "metrics/family.h"

#include <assert.h>
#include <stdlib.h>

// The stripe of this thread plus one; 0 until it counts for the first time.
static _Thread_local unsigned stripe_now;

const struct bucket_end bucket_ends[BUCKETS] = {
    {5'000'000, "0.005"},   {10'000'000, "0.01"},  {25'000'000, "0.025"},  {50'000'000, "0.05"},
    {100'000'000, "0.1"},   {250'000'000, "0.25"}, {500'000'000, "0.5"},   {1'000'000'000, "1"},
    {2'500'000'000, "2.5"}, {5'000'000'000, "5"},  {10'000'000'000, "10"}, {UINT64_MAX, "+Inf"},
};

struct metrics *metrics_new(void)
{
    AUTO(metrics) metrics = calloc(1, sizeof *metrics);
    if (!metrics)
        return NULL;
    lock_init(&metrics->lock, LOCK_METRICS);
    bool complete = true;
    for (int i = 0; i < METRIC_COUNT; i++) {
        // In order and therefore without duplicates.
        assert(i == 0 || strcmp(family_rows[i - 1].name, family_rows[i].name) < 0);
        complete &= family_init(&metrics->families[i], &family_rows[i]);
    }
    return complete ? MOVE(metrics) : NULL;
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    for (int i = 0; i < METRIC_COUNT; i++)
        family_deinit(&metrics->families[i]);
    lock_deinit(&metrics->lock);
    free(metrics);
}

static struct family *family_of(struct metrics *metrics, enum metric metric, enum kind kind)
{
    assert((unsigned)metric < METRIC_COUNT);
    struct family *family = &metrics->families[metric];
    assert(family->row->kind == kind);
    return family;
}

// The cells of the calling thread.
static _Atomic uint64_t *own_cells(struct metrics *metrics, const struct family *family,
                                   struct series *series)
{
    if (stripe_now == 0)
        stripe_now =
            1 + atomic_fetch_add_explicit(&metrics->threads, 1, memory_order_relaxed) % STRIPES;
    return &series->cells[(stripe_now - 1) * family_stride(family)];
}

void metrics_add(struct metrics *metrics, enum metric metric, uint64_t more, const str *labels)
{
    if (!metrics)
        return;
    struct family *family = family_of(metrics, metric, COUNTER);
    struct series *series = family_series(family, &metrics->lock, labels);
    atomic_fetch_add_explicit(own_cells(metrics, family, series), more, memory_order_relaxed);
}

void metrics_set(struct metrics *metrics, enum metric metric, double value)
{
    if (!metrics)
        return;
    struct family *family = family_of(metrics, metric, GAUGE);
    atomic_store_explicit(&family->only->set, value, memory_order_relaxed);
}

void metrics_change(struct metrics *metrics, enum metric metric, int64_t by)
{
    if (!metrics)
        return;
    struct family *family = family_of(metrics, metric, GAUGE);
    atomic_fetch_add_explicit(own_cells(metrics, family, family->only), (uint64_t)by,
                              memory_order_relaxed);
}

void metrics_observe_ns(struct metrics *metrics, enum metric metric, uint64_t ns, const str *labels)
{
    if (!metrics)
        return;
    struct family *family = family_of(metrics, metric, HISTOGRAM);
    struct series *series = family_series(family, &metrics->lock, labels);
    _Atomic uint64_t *cells = own_cells(metrics, family, series);
    size_t bucket = 0;
    while (ns > bucket_ends[bucket].ns)
        bucket++;
    atomic_fetch_add_explicit(&cells[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&cells[SUM], ns, memory_order_relaxed);
}

uint64_t metrics_read(struct metrics *metrics, enum metric metric)
{
    if (!metrics)
        return 0;
    struct family *family = family_of(metrics, metric, COUNTER);
    assert(family->only);
    return family_total(family, family->only, 0);
}

void metrics_on_print(struct metrics *metrics, metrics_refresh *refresh, void *context)
{
    if (!metrics)
        return;
    assert(metrics->refresher_count < METRICS_REFRESHERS_MAX);
    metrics->refreshers[metrics->refresher_count++] = (struct refresher){refresh, context};
}
