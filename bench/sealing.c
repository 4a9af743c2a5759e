// SPDX-License-Identifier: Apache-2.0
// What sealing costs those who append, and what it costs itself. The same is appended with sealing
// going on and with a bound that is never reached, in turns.
#include "bench/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCH = 1000, AWAITED_BATCH = 100 };

struct sealing { // noted on the threads that seal, one after the other; read when they have ended
    uint64_t cpu_ns, wall_ns;
    _Atomic uint64_t files;
};

// What a thread has spent since it last sealed, or began, goes to the file.
static void note_sealed(void *context, uint64_t duration_ns)
{
    static _Thread_local uint64_t noted_ns;
    struct sealing *sealing = context;
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    sealing->cpu_ns += now_ns - noted_ns;
    noted_ns = now_ns;
    sealing->wall_ns += duration_ns;
    sealing->files++;
}

struct setting {
    enum als_durability durability;
    uint64_t seal_bytes;
};

static void open_with(struct place *place, const struct bench *bench, struct setting setting,
                      struct sealing *sealing)
{
    struct als_options options = ALS_OPTIONS_INIT;
    options.durability = setting.durability;
    options.seal_bytes = setting.seal_bytes;
    options.no_auto_snapshot = true; // the keeper does nothing else
    options.sealed = note_sealed;
    options.context = sealing;
    place_make(place, bench, KIND_DURABLE);
    place_open_with(place, &options);
}

static const uint64_t never_bytes = UINT64_C(1) << 30, default_bytes = 0, often_bytes = 4 << 20;

// ---- Rates

struct rates {
    struct samples with, without, ratio, by_cpu, by_wall, size;
};

static double append_all(const struct bench *bench, struct setting setting, uint64_t count,
                         struct rates *rates)
{
    struct place place;
    struct sealing sealing = {0};
    struct als_stats stats;
    struct als_why why = {""};
    open_with(&place, bench, setting, &sealing);
    uint64_t start_ns = clock_ns();
    append_many(place.als, &shape_history, 0, count, BATCH);
    double rate = (double)count / clock_seconds_since(start_ns);
    if (setting.seal_bytes != never_bytes)
        history_settle(&place);
    must(als_stats(place.als, (als_str){NULL, 0}, &stats, &why), &why, "als_stats");
    must_be((stats.sealed > 0) == (setting.seal_bytes != never_bytes), "sealing");
    place_close(&place);
    place_remove(&place);
    if (stats.sealed) {
        samples_add(&rates->by_cpu, (double)stats.sealed * 1e9 / (double)sealing.cpu_ns);
        samples_add(&rates->by_wall, (double)stats.sealed * 1e9 / (double)sealing.wall_ns);
        samples_add(&rates->size, (double)stats.segment_bytes / (double)stats.sealed);
    }
    return rate;
}

static void add(const struct bench *bench, struct row row, const char *name,
                const struct samples *samples)
{
    snprintf(row.name, sizeof row.name, "sealing/%s", name);
    table_add(bench->table, &row, samples);
}

static void add_rates(const struct bench *bench, enum als_durability durability, const char *kind)
{
    uint64_t count = bench->quick ? 600000 : 2000000;
    struct setting with = {durability, default_bytes}, without = {durability, never_bytes};
    struct rates rates = {.with = {.count = 0}};
    for (size_t i = 0; i < bench_rounds(bench, 5); i++) {
        double first = append_all(bench, i % 2 ? with : without, count, &rates);
        double second = append_all(bench, i % 2 ? without : with, count, &rates);
        samples_add(&rates.with, i % 2 ? first : second);
        samples_add(&rates.without, i % 2 ? second : first);
        samples_add(&rates.ratio, i % 2 ? first / second : second / first);
    }
    char name[48];
    struct row row = {.what = "make and append events, nothing is sealed",
                      .unit = "events/s",
                      .count = count,
                      .better = BETTER_HIGHER};
    snprintf(name, sizeof name, "%s/without", kind);
    add(bench, row, name, &rates.without);
    row.what = "the same while the log is sealed";
    snprintf(name, sizeof name, "%s/with", kind);
    add(bench, row, name, &rates.with);
    row.what = "with over without, in turns";
    row.unit = "ratio";
    snprintf(name, sizeof name, "%s/ratio", kind);
    add(bench, row, name, &rates.ratio);
    row.what = "events sealed in a second of the sealing thread's own time";
    row.unit = "events/s";
    row.target = 1e6;
    snprintf(name, sizeof name, "%s/sealed by CPU time", kind);
    add(bench, row, name, &rates.by_cpu);
    row.what = "events sealed in a second of sealing, beside those who append";
    row.target = 0;
    snprintf(name, sizeof name, "%s/sealed by the clock", kind);
    add(bench, row, name, &rates.by_wall);
    row = (struct row){.what = "a sealed event, some 280 bytes of text", .unit = "bytes"};
    row.better = BETTER_LOWER;
    snprintf(name, sizeof name, "%s/size", kind);
    add(bench, row, name, &rates.size);
}

// ---- What one who waits for each answer sees

static void await_some(struct als *als, uint64_t *number, double seconds,
                       struct latencies *latencies)
{
    struct als_draft drafts[AWAITED_BATCH];
    static struct draft_text texts[AWAITED_BATCH];
    for (uint64_t start_ns = clock_ns(); clock_seconds_since(start_ns) < seconds;) {
        for (size_t i = 0; i < AWAITED_BATCH; i++)
            draft_make(&drafts[i], &texts[i], &shape_history, (*number)++);
        struct als_append append = ALS_APPEND_INIT;
        append.drafts = drafts;
        append.count = AWAITED_BATCH;
        struct als_outcome outcome;
        uint64_t append_ns = clock_ns();
        must(als_append_wait(als, &append, NULL, &outcome), &outcome.why, "als_append");
        latencies_add(latencies, clock_ns() - append_ns);
    }
}

struct waits {
    struct samples p50, p99;
};

static void wait_in(const struct bench *bench, uint64_t seal_bytes, struct waits *waits)
{
    struct place place;
    struct sealing sealing = {0};
    struct latencies latencies = {0};
    uint64_t number = 0;
    double seconds = bench->quick ? 1 : 3;
    open_with(&place, bench, (struct setting){ALS_DURABILITY_SYNC, seal_bytes}, &sealing);
    do
        await_some(place.als, &number, seconds / 8, &latencies);
    while (seal_bytes != never_bytes && atomic_load(&sealing.files) == 0);
    latencies.count = 0;
    await_some(place.als, &number, seconds, &latencies);
    place_close(&place);
    place_remove(&place);
    latencies_sort(&latencies);
    samples_add(&waits->p50, latencies_us(&latencies, 0.5));
    samples_add(&waits->p99, latencies_us(&latencies, 0.99));
    latencies_deinit(&latencies);
}

static void add_waits(const struct bench *bench)
{
    struct waits with = {.p50 = {.count = 0}}, without = {.p50 = {.count = 0}};
    struct samples ratio = {.count = 0};
    for (size_t i = 0; i < bench_rounds(bench, 7); i++) {
        wait_in(bench, i % 2 ? often_bytes : never_bytes, i % 2 ? &with : &without);
        wait_in(bench, i % 2 ? never_bytes : often_bytes, i % 2 ? &without : &with);
        samples_add(&ratio, with.p99.values[i] / without.p99.values[i]);
    }
    struct row row = {.what = "a durable batch of 100, awaited, nothing is sealed", .unit = "µs"};
    row.better = BETTER_LOWER;
    add(bench, row, "commit/without p50", &without.p50);
    add(bench, row, "commit/without p99", &without.p99);
    row.what = "the same while the log is sealed";
    add(bench, row, "commit/with p50", &with.p50);
    add(bench, row, "commit/with p99", &with.p99);
    row.what = "p99 with over p99 without, in turns";
    row.unit = "ratio";
    row.target = 1.2;
    add(bench, row, "commit/ratio of p99", &ratio);
}

void bench_sealing(const struct bench *bench)
{
    add_rates(bench, ALS_DURABILITY_NONE, "written");
    add_rates(bench, ALS_DURABILITY_SYNC, "durable");
    add_waits(bench);
}
