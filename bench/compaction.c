// SPDX-License-Identifier: Apache-2.0
// Merging sealed files: how fast one thread reads, writes, reads back and compares.
#include "bench/workload.h"

#include <semaphore.h>
#include <stdio.h>
#include <time.h>

enum { BATCH = 1000, SEAL_BYTES = 8 << 20, FILES_WAITING = 4 };

static struct als *open_sealing(const char *path, uint64_t seal_bytes)
{
    struct als_options options = ALS_OPTIONS_INIT;
    struct als_why why = {""};
    struct als *als;
    options.durability = ALS_DURABILITY_NONE;
    options.no_auto_snapshot = true;
    options.no_auto_compact = true;
    options.seal_bytes = seal_bytes;
    must(als_open(path, &options, &als, &why), &why, "als_open");
    return als;
}

static uint64_t unsealed(struct als *als)
{
    struct als_stats stats;
    struct als_why why = {""};
    must(als_stats(als, (als_str){NULL, 0}, &stats, &why), &why, "als_stats");
    return stats.events - stats.sealed;
}

// Files of SEAL_BYTES of log each: a writer that the sealer cannot follow would get larger ones.
static void fill(struct als *als, uint64_t count)
{
    const uint64_t waiting = FILES_WAITING * SEAL_BYTES / 300;
    for (uint64_t first = 0; first < count; first += 10 * BATCH) {
        append_many(als, &shape_256, first, 10 * BATCH, BATCH);
        while (unsealed(als) > waiting)
            (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

struct answer {
    sem_t come;
    err code;
    struct als_compacted compacted;
    struct als_why why;
};

static void answered(void *context, enum als_err code, const struct als_compacted *compacted,
                     const struct als_why *why)
{
    struct answer *answer = context;
    answer->code = code;
    answer->compacted = *compacted;
    answer->why = *why;
    (void)sem_post(&answer->come);
}

static struct als_compacted merge(struct als *als)
{
    struct answer answer = {.code = ALS_OK};
    struct als_why why = {""};
    struct als_compact ask = ALS_COMPACT_INIT;
    ask.strategy = ALS_STRATEGY_FULL;
    must_be(sem_init(&answer.come, 0, 0) == 0, "sem_init");
    must(als_compact(als, &ask, answered, &answer, &why), &why, "als_compact");
    while (sem_wait(&answer.come) != 0)
        continue;
    must(answer.code, &answer.why, "als_compact");
    must_be(answer.compacted.files > 1, "files to merge");
    return answer.compacted;
}

void bench_compaction(const struct bench *bench)
{
    uint64_t count = bench->quick ? 200000 : 1000000;
    struct row row = {.name = "compaction/merge of sealed files",
                      .what = "read, write, sync, read back and compare, on one thread",
                      .unit = "ev/s",
                      .count = count};
    struct samples samples = {.count = 0};
    for (size_t i = 0; i < bench_rounds(bench, 5); i++) {
        char path[PATH_BYTES];
        directory_make(bench, path);
        struct als *als = open_sealing(path, SEAL_BYTES);
        fill(als, count);
        als_close(als);
        als = open_sealing(path, 0); // nothing is sealed meanwhile
        struct als_compacted compacted = merge(als);
        samples_add(&samples, (double)compacted.events * 1e9 / (double)compacted.duration_ns);
        als_close(als);
        directory_remove(path);
    }
    table_add(bench->table, &row, &samples);
}
