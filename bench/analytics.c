// SPDX-License-Identifier: Apache-2.0
// Analyses over sealed history: decoding the columns, folding them, merging and finishing, by one
// thread and by one for each processor. And the pairs of one entity, 2,000 events of each type.
#include "bench/bench.h"

#include "analytics/analytics.h"
#include "base/bytes.h"
#include "base/rand.h"
#include "base/time.h"
#include "os/os.h"
#include "segment/segment.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { FILES = 10, ENTITIES = 10000, TYPES = 8, THREADS_MAX = 8, NAME_BYTES = 32 };

#define SPAN_US (INT64_C(30) * 86400 * 1000000) // of all events

struct history {
    char path[PATH_BYTES];
    struct os_dir *dir;
    uint64_t rows; // of each file
    struct segment *segments[FILES];
    struct segment_cache *cache;
};

static str name_of(char space[static NAME_BYTES], const char *before, uint64_t number)
{
    return (str){
        space, (size_t)snprintf(space, NAME_BYTES, "%s%06llu", before, (unsigned long long)number)};
}

static void seal(const struct history *history, int file, str name)
{
    struct os *os = os_posix_unsynced();
    struct als_why why = {""};
    struct segment_facts facts;
    struct segment_write_options options = {.tenant = S("default")};
    AUTO(segment_writer) writer = NULL;
    must(segment_writer_open(os, history->dir, name, options, &writer, &why), &why, "a segment");
    char entity[NAME_BYTES], type[NAME_BYTES];
    struct rand rand = {(uint64_t)file + 1};
    uint64_t first = (uint64_t)file * history->rows;
    for (uint64_t i = first; i < first + history->rows; i++) {
        uint64_t all = history->rows * FILES;
        struct als_event event = {.position = i + 1,
                                  .version = 1,
                                  .timestamp_us =
                                      (int64_t)((double)i / (double)all * (double)SPAN_US),
                                  .recorded_us = (int64_t)i,
                                  .entity = name_of(entity, "entity-", rand_below(&rand, ENTITIES)),
                                  .type = name_of(type, "type.", rand_below(&rand, TYPES)),
                                  .payload = S("{}")};
        store_le64(event.id.bytes, i * UINT64_C(0x9e3779b97f4a7c15));
        must(segment_writer_add(writer, &event, &why), &why, "a segment");
    }
    must(segment_writer_finish(writer, &facts, &why), &why, "a segment");
}

static void history_make(const struct bench *bench, struct history *history)
{
    struct os *os = os_posix_unsynced();
    struct als_why why = {""};
    char space[NAME_BYTES];
    directory_make(bench, history->path);
    must(os->dir_open(os, NULL, str_of(history->path), false, &history->dir, &why), &why,
         "a directory");
    history->rows = bench->quick ? 100000 : 1000000;
    history->cache = segment_cache_new(1 << 20);
    must_be(history->cache != NULL, "malloc");
    for (int i = 0; i < FILES; i++) {
        str name = name_of(space, "segment-", (uint64_t)i);
        seal(history, i, name);
        must(segment_open(os, history->dir, name, history->cache, &history->segments[i], &why),
             &why, "a segment");
    }
}

static void history_end(struct history *history)
{
    for (int i = 0; i < FILES; i++)
        segment_close(history->segments[i]);
    segment_cache_free(history->cache);
    os_posix_unsynced()->dir_close(history->dir);
    directory_remove(history->path);
}

// ---- Threads that share the files

struct run {
    const struct history *history;
    const struct analysis_question *question;
    atomic_int next_file;
    bool decode_only;
    struct analysis *shares[THREADS_MAX];
    atomic_int next_share;
};

static void take_file(const struct run *run, int file, struct segment_scan *scan,
                      struct analysis *share)
{
    struct als_why why = {""};
    struct segment_block block;
    segment_scan_begin(scan, run->history->segments[file], analysis_columns(run->question), 0);
    segment_scan_bound_time(scan, run->question->since_us, run->question->until_us);
    for (;;) {
        must(segment_scan_next(scan, &block, &why), &why, "a scan");
        if (block.count == 0)
            return;
        if (!run->decode_only)
            must(analysis_take_block(share, &block, &why), &why, "an analysis");
    }
}

static void *run_share(void *context)
{
    struct run *run = context;
    struct als_why why = {""};
    AUTO(segment_scan) scan = segment_scan_new();
    must_be(scan != NULL, "malloc");
    struct analysis **share = &run->shares[atomic_fetch_add(&run->next_share, 1)];
    must(analysis_new(run->question, share, &why), &why, "an analysis");
    int file;
    while ((file = atomic_fetch_add(&run->next_file, 1)) < FILES)
        take_file(run, file, scan, *share);
    return NULL;
}

// Returns the finished analysis.
static struct analysis *run_all(struct run *run, int threads)
{
    struct als_why why = {""};
    pthread_t others[THREADS_MAX];
    for (int i = 1; i < threads; i++)
        must_be(pthread_create(&others[i], NULL, run_share, run) == 0, "pthread_create");
    run_share(run);
    for (int i = 1; i < threads; i++)
        must_be(pthread_join(others[i], NULL) == 0, "pthread_join");
    for (int i = 1; i < threads; i++) {
        must(analysis_merge(run->shares[0], run->shares[i], &why), &why, "merging");
        analysis_free(run->shares[i]);
    }
    must(analysis_finish(run->shares[0], &why), &why, "finishing");
    return run->shares[0];
}

static uint64_t total_of(const struct analysis *analysis, enum analysis_kind kind)
{
    switch (kind) {
    case ANALYSIS_FREQUENCY:
        return analysis_frequency(analysis).total;
    case ANALYSIS_SUMMARY:
        return analysis_summary(analysis).total;
    case ANALYSIS_CORRELATION:
        break;
    }
    return 0;
}

static void add_row(const struct bench *bench, const struct history *history,
                    const struct analysis_question *question, struct row row, int threads,
                    bool decode_only)
{
    uint64_t rows = history->rows * FILES;
    struct samples samples = {.count = 0};
    row.unit = "ms";
    row.better = BETTER_LOWER;
    row.count = rows;
    for (size_t i = 0; i < bench_rounds(bench, 7); i++) {
        struct run run = {.history = history, .question = question, .decode_only = decode_only};
        uint64_t start_ns = clock_ns();
        AUTO(analysis) analysis = run_all(&run, threads);
        samples_add(&samples, clock_seconds_since(start_ns) * 1e3);
        bool counted = question->kind != ANALYSIS_CORRELATION && !decode_only;
        must_be(!counted || total_of(analysis, question->kind) == rows, "the number of events");
    }
    table_add(bench->table, &row, &samples);
}

static void add_kind(const struct bench *bench, const struct history *history,
                     const struct analysis_question *question, const char *name, double target)
{
    const char *size = bench->quick ? "1M" : "10M";
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int threads = processors < 2 ? 2 : processors > THREADS_MAX ? THREADS_MAX : (int)processors;
    struct row row = {.what = "the columns that it needs, decoded, by one thread"};
    (void)snprintf(row.name, sizeof row.name, "analytics/%s %s decoding", name, size);
    add_row(bench, history, question, row, 1, true);
    row.what = "the whole analysis, by one thread";
    (void)snprintf(row.name, sizeof row.name, "analytics/%s %s", name, size);
    add_row(bench, history, question, row, 1, false);
    row.what = "the same, by a thread for each processor";
    row.target = target;
    (void)snprintf(row.name, sizeof row.name, "analytics/%s %s shared", name, size);
    add_row(bench, history, question, row, threads, false);
}

// ---- Many pairs of one entity

static void add_crowd(const struct bench *bench, struct row row, uint32_t events)
{
    struct als_why why = {""};
    struct analysis_question question = {.kind = ANALYSIS_CORRELATION,
                                         .until_us = TIME_US_MAX,
                                         .type_a = S("a"),
                                         .type_b = S("b"),
                                         .within_s = 3600};
    struct samples samples = {.count = 0};
    row.unit = "ms";
    row.better = BETTER_LOWER;
    row.count = 2 * (uint64_t)events;
    for (size_t i = 0; i < bench_rounds(bench, 15); i++) {
        uint64_t start_ns = clock_ns();
        AUTO(analysis) analysis = NULL;
        must(analysis_new(&question, &analysis, &why), &why, "an analysis");
        for (uint32_t n = 0; n < 2 * events; n++) {
            struct als_event event = {
                .timestamp_us = n, .entity = S("entity-42"), .type = n % 2 ? S("b") : S("a")};
            must(analysis_take_event(analysis, &event, &why), &why, "an analysis");
        }
        must(analysis_finish(analysis, &why), &why, "finishing");
        samples_add(&samples, clock_seconds_since(start_ns) * 1e3);
        must_be(analysis_correlation(analysis).pairs == (uint64_t)events * events, "pairs");
    }
    table_add(bench->table, &row, &samples);
}

void bench_analytics(const struct bench *bench)
{
    static struct history history;
    history_make(bench, &history);
    struct analysis_question question = {.until_us = SPAN_US,
                                         .window = WINDOW_HOUR,
                                         .names_max = 1000000,
                                         .type_a = S("type.000001"),
                                         .type_b = S("type.000002"),
                                         .within_s = 3600};
    question.kind = ANALYSIS_FREQUENCY;
    add_kind(bench, &history, &question, "frequency", bench->quick ? 0 : 100);
    question.kind = ANALYSIS_SUMMARY;
    add_kind(bench, &history, &question, "summary", 0);
    question.kind = ANALYSIS_CORRELATION;
    add_kind(bench, &history, &question, "correlation", 0);
    history_end(&history);
    add_crowd(bench,
              (struct row){.name = "analytics/correlation 2000 x 2000",
                           .what = "2,000 events of each type of one entity: 4 million pairs",
                           .reference = 28},
              2000);
    add_crowd(bench,
              (struct row){.name = "analytics/correlation 500K x 500K",
                           .what = "500,000 of each: 250 thousand million pairs"},
              500000);
}
