// SPDX-License-Identifier: Apache-2.0
// What an event takes beyond what the client sent. Memory is what the index says of itself, and
// beside it what the kernel says of the process.
#include "bench/workload.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 1000 };

struct space {
    struct als_stats stats;
    double anonymous_bytes; // resident, that belong to no file: what opening and appending added
    double own_bytes;       // payload and names, as the client sent them
};

static double anonymous_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    must_be(file != NULL, "/proc/self/status");
    char line[256];
    double kib = 0;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtod(line + 8, NULL);
    fclose(file);
    return kib * 1024;
}

static double own_bytes(const struct shape *shape, uint64_t count)
{
    struct als_draft draft;
    struct draft_text text;
    size_t bytes = 0;
    for (uint64_t i = 0; i < count; i++) {
        draft_make(&draft, &text, shape, i);
        bytes += draft.entity.len + draft.type.len + draft.payload.len;
    }
    return (double)bytes;
}

static struct space measure(const struct bench *bench, const struct shape *shape, uint64_t count,
                            size_t batch)
{
    struct space space = {.own_bytes = own_bytes(shape, count)};
    struct place place;
    malloc_trim(0);
    double before = anonymous_bytes();
    place_make(&place, bench, KIND_MEMORY);
    place_open(&place);
    append_many(place.als, shape, 0, count, batch);
    space.anonymous_bytes = anonymous_bytes() - before;
    struct als_why why = {""};
    must(als_stats(place.als, (als_str){NULL, 0}, &space.stats, &why), &why, "als_stats");
    must_be(space.stats.events == count, "the number of events");
    place_close(&place);
    return space;
}

static void add(const struct bench *bench, const char *name, const char *what, double target,
                double value)
{
    struct row row = {.what = what, .unit = "bytes", .better = BETTER_LOWER, .target = target};
    snprintf(row.name, sizeof row.name, "space/%s", name);
    struct samples samples = {.count = 0};
    samples_add(&samples, value);
    table_add(bench->table, &row, &samples);
}

void bench_space(const struct bench *bench)
{
    uint64_t count = bench->quick ? 100000 : 1000000;
    double events = (double)count;
    struct space spread = measure(bench, &shape_256, count, BATCH);
    struct space alone = measure(bench, &shape_256, count / 10, 1);
    struct shape distinct_shape = shape_256;
    distinct_shape.entities = 0;
    struct space distinct = measure(bench, &distinct_shape, count, BATCH);

    double index_event = (double)spread.stats.index_bytes / events;
    add(bench, "index of an event", "index memory over events, 100 entities", 48, index_event);
    add(bench, "index of an entity", "index memory over entities of one event, less the event's",
        200, (double)distinct.stats.index_bytes / events - index_event);
    add(bench, "memory of an event", "resident anonymous memory over events, 100 entities", 0,
        spread.anonymous_bytes / events);
    add(bench, "memory of an event, new entity", "the same, each event of an entity of its own", 0,
        distinct.anonymous_bytes / events);
    add(bench, "log of an event, batch",
        "log bytes over events beyond payload and names, batches of 1,000", 64,
        ((double)spread.stats.wal_bytes - spread.own_bytes) / events);
    add(bench, "log of an event, alone", "the same, each event appended alone", 64,
        ((double)alone.stats.wal_bytes - alone.own_bytes) / (events / 10));
    add(bench, "disk of an event", "log bytes over events, 256 B payload, 280 with the names", 0,
        (double)spread.stats.wal_bytes / events);
}
