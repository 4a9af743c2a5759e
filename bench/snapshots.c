// SPDX-License-Identifier: Apache-2.0
// What snapshots save, and what they cost: states of long entities without one and with one that is
// fifty events old, and making one a hundred events behind the last.
#include "bench/workload.h"

#include <stdio.h>

enum { BATCH = 1000, BEHIND = 50, BETWEEN = 100 };

static const struct shape shape = {.entity = "entity-",
                                   .entities = 1,
                                   .type = "state.update",
                                   .payload_before = "{\"value\":",
                                   .payload_after = ",\"data\":\"payload\"}"};

static struct als *open_without_automatic(void)
{
    struct als_options options = ALS_OPTIONS_INIT;
    struct als_why why = {""};
    struct als *als;
    options.durability = ALS_DURABILITY_NONE;
    options.no_auto_snapshot = true;
    must(als_open(NULL, &options, &als, &why), &why, "als_open");
    return als;
}

static void read_state(struct als *als, uint64_t expected)
{
    struct als_state_query query = ALS_STATE_QUERY_INIT;
    struct als_why why = {""};
    struct als_state *state;
    query.entity = als_text("entity-0");
    must(als_state_open(als, &query, &state, &why), &why, "als_state_open");
    must_be(als_state_view(state).event_count == expected, "the number of events folded");
    als_state_close(state);
}

static void make_snapshot(struct als *als)
{
    struct als_why why = {""};
    must(als_snapshot_make(als, (als_str){NULL, 0}, als_text("entity-0"), ALS_SNAPSHOT_MANUAL, NULL,
                           &why),
         &why, "als_snapshot_make");
}

static void add_state(const struct bench *bench, struct als *als, struct row row, uint64_t count)
{
    uint64_t sample_ns = bench->quick ? 5000000 : 50000000;
    row.unit = "µs";
    row.better = BETTER_LOWER;
    row.count = count;
    struct samples samples = {.count = 0};
    read_state(als, count); // caches warm
    for (size_t i = 0; i < bench_rounds(bench, 15); i++) {
        uint64_t start_ns = clock_ns(), calls = 0;
        for (; clock_ns() - start_ns < sample_ns; calls++)
            read_state(als, count);
        samples_add(&samples, clock_seconds_since(start_ns) * 1e6 / (double)calls);
    }
    table_add(bench->table, &row, &samples);
}

static void add_making(const struct bench *bench, struct als *als, struct row row, uint64_t count)
{
    enum { CALLS = 50 };
    row.unit = "µs";
    row.better = BETTER_LOWER;
    row.count = BETWEEN;
    struct samples samples = {.count = 0};
    for (size_t i = 0; i < bench_rounds(bench, 15); i++) {
        double seconds = 0;
        for (int call = 0; call < CALLS; call++, count += BETWEEN) {
            append_many(als, &shape, count, BETWEEN, BETWEEN);
            uint64_t start_ns = clock_ns();
            make_snapshot(als);
            seconds += clock_seconds_since(start_ns);
        }
        samples_add(&samples, seconds * 1e6 / CALLS);
    }
    table_add(bench->table, &row, &samples);
}

static void add_entity(const struct bench *bench, uint64_t count, const char *size)
{
    struct als *als = open_without_automatic();
    append_many(als, &shape, 0, count, BATCH);
    struct row row = {.what = "the state of an entity, without snapshots",
                      .reference = count == 1000 ? 824 : 0};
    snprintf(row.name, sizeof row.name, "snapshots/state of %s without", size);
    add_state(bench, als, row, count);

    make_snapshot(als);
    append_many(als, &shape, count, BEHIND, BEHIND);
    row = (struct row){.what = "the same from a snapshot that is 50 events old",
                       .reference = count == 1000 ? 3.2 : 0};
    snprintf(row.name, sizeof row.name, "snapshots/state of %s with", size);
    add_state(bench, als, row, count + BEHIND);

    row = (struct row){.what = "make a snapshot 100 events behind the last (0.6: of 500, all)",
                       .reference = count == 1000 ? 148 : 0};
    snprintf(row.name, sizeof row.name, "snapshots/make at %s", size);
    add_making(bench, als, row, count + BEHIND);
    als_close(als);
}

void bench_snapshots(const struct bench *bench)
{
    add_entity(bench, 1000, "1K");
    add_entity(bench, 100000, "100K");
}
