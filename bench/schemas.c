// SPDX-License-Identifier: Apache-2.0
// What it costs to check payloads by a schema on their way in: the same events with the schema
// enforced and without, beside each other, as a ratio of rates.
#include "bench/workload.h"

#include <stdio.h>

enum { BATCH = 1000, EVENTS = 200000 };

static void enforce(struct als *als)
{
    struct als_why why = {""};
    struct als_schema_draft draft = ALS_SCHEMA_DRAFT_INIT;
    draft.subject = als_text(shape_order.type);
    draft.json = als_text(shape_order_schema);
    draft.enforcement = ALS_ENFORCEMENT_ON;
    must(als_schema_register(als, &draft, NULL, NULL, &why), &why, "the schema");
}

static double rate_of(const struct bench *bench, enum kind kind, bool enforced, size_t batch)
{
    struct place place;
    place_make(&place, bench, kind);
    place_open(&place);
    if (enforced)
        enforce(place.als);
    uint64_t count = batch == 1 && bench->quick ? EVENTS / 10 : EVENTS;
    uint64_t start_ns = clock_ns();
    append_many(place.als, &shape_order, 0, count, batch);
    double seconds = clock_seconds_since(start_ns);
    place_close(&place);
    place_remove(&place);
    return (double)count / seconds;
}

static double ratio_of(const struct bench *bench, enum kind kind, size_t batch, bool enforced_first)
{
    double rates[2]; // without, with
    for (int i = 0; i < 2; i++) {
        bool enforced = (i == 0) == enforced_first;
        rates[enforced] = rate_of(bench, kind, enforced, batch);
    }
    return rates[1] / rates[0];
}

static void add_ratio(const struct bench *bench, enum kind kind, size_t batch)
{
    struct row row = {.what = "events/s with a 10-field schema enforced over those without",
                      .unit = "ratio",
                      .count = EVENTS,
                      .better = BETTER_HIGHER,
                      .target = 0.85};
    struct samples samples = {.count = 0};
    snprintf(row.name, sizeof row.name, "%s/schema enforced/%s",
             kind == KIND_MEMORY ? "memory" : "durable", batch == 1 ? "single" : "batch");
    for (size_t i = 0; i < bench_rounds(bench, 15); i++)
        samples_add(&samples, ratio_of(bench, kind, batch, i % 2 == 0));
    table_add(bench->table, &row, &samples);
}

void bench_schemas(const struct bench *bench)
{
    add_ratio(bench, KIND_MEMORY, 1);
    add_ratio(bench, KIND_MEMORY, BATCH);
    add_ratio(bench, KIND_DURABLE, BATCH);
}
