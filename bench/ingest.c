// SPDX-License-Identifier: Apache-2.0
// Appending in process, in the shapes in which 0.6 was measured: a sample makes its events (names,
// payload text), appends them and waits for the last answer. "inside" also times opening the store
// and closing it, "outside" does not. 0.6 called ingest() once an event, without a log; here
// "single" is an append for each event, and "batch" is 1,000 events in one.
#include "bench/workload.h"

#include <pthread.h>
#include <stdio.h>

enum { BATCH = 1000, EVENTS_MOST = 1000000 };

struct ingest {
    enum kind kind;
    const struct shape *shape;
    uint64_t count;
    size_t batch;
    bool inside; // opening and closing are timed, too
};

static double rate_of(const struct bench *bench, const struct ingest *ingest)
{
    struct place place;
    place_make(&place, bench, ingest->kind);
    uint64_t open_ns = clock_ns();
    place_open(&place);
    uint64_t start_ns = clock_ns();
    append_many(place.als, ingest->shape, 0, ingest->count, ingest->batch);
    double seconds = clock_seconds_since(start_ns);
    place_close(&place);
    if (ingest->inside)
        seconds = clock_seconds_since(open_ns);
    place_remove(&place);
    return (double)ingest->count / seconds;
}

static const char *kind_name(enum kind kind)
{
    return kind == KIND_MEMORY ? "memory" : "durable";
}

static const char *count_name(uint64_t count)
{
    return count == 100 ? "100" : count == 1000 ? "1K" : count == 10000 ? "10K" : "1M";
}

static double ingest_reference(const struct ingest *ingest)
{
    if (ingest->kind != KIND_MEMORY || !ingest->inside || ingest->batch != 1)
        return 0;
    return ingest->count == 100 ? 346e3 : ingest->count == 1000 ? 539e3 : 360e3;
}

static double ingest_target(const struct ingest *ingest)
{
    return ingest->kind == KIND_MEMORY && !ingest->inside && ingest->count >= 10000 ? 2.5e6 : 0;
}

static void add_ingest(const struct bench *bench, const struct ingest *ingest)
{
    struct row row = {.what = ingest->inside ? "open, make and append events, close"
                                             : "make and append events",
                      .unit = "events/s",
                      .count = ingest->count,
                      .better = BETTER_HIGHER,
                      .target = ingest_target(ingest),
                      .reference = ingest_reference(ingest)};
    snprintf(row.name, sizeof row.name, "%s/%s/%s/%s", kind_name(ingest->kind),
             ingest->batch == 1 ? "single" : "batch", count_name(ingest->count),
             ingest->inside ? "inside" : "outside");
    struct samples samples = {.count = 0};
    size_t rounds = bench_rounds(bench, ingest->count > 10000 ? 5 : 15);
    for (size_t i = 0; i < rounds; i++)
        samples_add(&samples, rate_of(bench, ingest));
    table_add(bench->table, &row, &samples);
}

static void add_shapes(const struct bench *bench, enum kind kind)
{
    static const uint64_t counts[] = {100, 1000, 10000, EVENTS_MOST};
    for (size_t batch = 1; batch <= BATCH; batch += BATCH - 1)
        for (size_t i = 0; i < COUNT_OF(counts); i++) {
            struct ingest ingest = {kind, &shape_plain, counts[i], batch, true};
            if (counts[i] < batch || (bench->quick && counts[i] > 10000))
                continue;
            if (counts[i] <= 10000)
                add_ingest(bench, &ingest);
            ingest.inside = false;
            add_ingest(bench, &ingest);
        }
}

static void add_256(const struct bench *bench)
{
    struct ingest ingest = {KIND_DURABLE, &shape_256, bench->quick ? 200000 : EVENTS_MOST, BATCH,
                            false};
    struct row row = {.name = "durable/batch/1000 x 256 B",
                      .what = "make and append events with payloads of 256 bytes",
                      .unit = "events/s",
                      .count = ingest.count,
                      .better = BETTER_HIGHER,
                      .target = 1.5e6};
    struct samples samples = {.count = 0};
    for (size_t i = 0; i < bench_rounds(bench, 5); i++)
        samples_add(&samples, rate_of(bench, &ingest));
    table_add(bench->table, &row, &samples);
}

// ---- Several threads at once, each with entities of its own

enum { WRITERS_MOST = 8, EVENTS_A_WRITER = 250 };

struct writer {
    pthread_t thread;
    struct als *als;
    char entity[64], payload[64];
};

static void *writer_run(void *context)
{
    const struct writer *writer = context;
    struct shape shape = {.entity = writer->entity,
                          .type = "concurrent.write",
                          .payload_before = writer->payload,
                          .payload_after = "}"};
    append_many(writer->als, &shape, 0, EVENTS_A_WRITER, 1);
    return NULL;
}

static void write_at_once(struct als *als, size_t count)
{
    struct writer writers[WRITERS_MOST];
    for (size_t i = 0; i < count; i++) {
        writers[i].als = als;
        snprintf(writers[i].entity, sizeof writers[i].entity, "thread-%zu-entity-", i);
        snprintf(writers[i].payload, sizeof writers[i].payload, "{\"thread\":%zu,\"index\":", i);
        must_be(pthread_create(&writers[i].thread, NULL, writer_run, &writers[i]) == 0, "a thread");
    }
    for (size_t i = 0; i < count; i++)
        pthread_join(writers[i].thread, NULL);
}

static void add_concurrent(const struct bench *bench, enum kind kind, size_t writers)
{
    static const double references_ms[WRITERS_MOST + 1] = {
        [1] = 0.93, [2] = 1.15, [4] = 3.12, [8] = 5.98};
    struct row row = {.what = "open, start threads, 250 appends each, join, close",
                      .unit = "ms",
                      .count = writers * EVENTS_A_WRITER,
                      .better = BETTER_LOWER,
                      .reference = kind == KIND_MEMORY ? references_ms[writers] : 0};
    snprintf(row.name, sizeof row.name, "%s/concurrent/%zu x 250", kind_name(kind), writers);
    struct samples samples = {.count = 0};
    for (size_t i = 0; i < bench_rounds(bench, 15); i++) {
        struct place place;
        place_make(&place, bench, kind);
        uint64_t start_ns = clock_ns();
        place_open(&place);
        write_at_once(place.als, writers);
        place_close(&place);
        samples_add(&samples, clock_seconds_since(start_ns) * 1e3);
        place_remove(&place);
    }
    table_add(bench->table, &row, &samples);
}

// ---- One entity against many

// Both are measured beside each other, in turns of who is first.
static double hot_ratio(const struct bench *bench, struct ingest ingest, bool hot_first)
{
    struct shape hot = shape_plain, spread = shape_plain;
    hot.entities = 1;
    spread.entities = 1000;
    double rates[2]; // hot, spread
    for (int i = 0; i < 2; i++) {
        bool is_hot = (i == 0) == hot_first;
        ingest.shape = is_hot ? &hot : &spread;
        rates[is_hot ? 0 : 1] = rate_of(bench, &ingest);
    }
    return rates[0] / rates[1];
}

static void add_hot(const struct bench *bench)
{
    enum { EVENTS = 100000 };
    struct row row = {.unit = "ratio", .count = EVENTS, .better = BETTER_HIGHER, .target = 0.9};
    row.what = "events/s of one entity over those of 1,000 entities, each beside the other";
    for (size_t batch = 1; batch <= BATCH; batch += BATCH - 1) {
        struct ingest ingest = {.kind = KIND_MEMORY, .count = EVENTS, .batch = batch};
        struct samples samples = {.count = 0};
        for (size_t i = 0; i < bench_rounds(bench, 31); i++)
            samples_add(&samples, hot_ratio(bench, ingest, i % 2 == 0));
        snprintf(row.name, sizeof row.name, "memory/hot entity/%s",
                 batch == 1 ? "single" : "batch");
        table_add(bench->table, &row, &samples);
    }
}

void bench_ingest(const struct bench *bench)
{
    static const size_t writers[] = {1, 2, 4, 8};
    for (enum kind kind = KIND_MEMORY; kind <= KIND_DURABLE; kind++) {
        add_shapes(bench, kind);
        for (size_t i = 0; i < COUNT_OF(writers); i++)
            add_concurrent(bench, kind, writers[i]);
        if (kind == KIND_MEMORY)
            add_hot(bench);
    }
    add_256(bench);
}
