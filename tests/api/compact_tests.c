// SPDX-License-Identifier: Apache-2.0
// Sealed files that are merged: by the engine itself, and when it is asked to.
#include "store.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SEAL_BYTES = 4096, PER_BATCH = 10, BEHIND = 200 };

static struct als_options sealing(bool automatic)
{
    struct als_options options = ALS_OPTIONS_INIT;
    options.durability = ALS_DURABILITY_NONE;
    options.seal_bytes = SEAL_BYTES;
    options.no_auto_compact = !automatic;
    options.no_auto_snapshot = true;
    return options;
}

static struct als *open_with(const char *directory, const struct als_options *options)
{
    struct als *als = NULL;
    CHECK_OK(als_open(directory, options, &als, NULL));
    return als;
}

static struct als_stats stats_of(struct als *als)
{
    struct als_stats stats;
    CHECK_OK(als_stats(als, S("default"), &stats, NULL));
    return stats;
}

static struct als_compaction compaction_of(struct als *als)
{
    struct als_compaction compaction;
    CHECK_OK(als_compaction(als, S("default"), &compaction, NULL));
    return compaction;
}

static void append_batches(struct als *als, int batches)
{
    for (int i = 0; i < batches; i++) {
        struct als_draft drafts[PER_BATCH];
        char entities[PER_BATCH][16];
        for (int k = 0; k < PER_BATCH; k++) {
            snprintf(entities[k], sizeof entities[k], "e-%d", (i + k) % 37);
            drafts[k] = draft_of(entities[k], "t.any", "{\"text\":\"some words, and some more\"}");
        }
        struct als_outcome outcome;
        CHECK_OK(append_to(als, NULL, drafts, PER_BATCH, NULL, &outcome));
    }
}

// Appends until so many events are sealed, in many files: a writer that is too fast gets large
// ones.
static void append_sealed(struct als *als, uint64_t sealed, uint64_t behind)
{
    for (struct als_stats stats = stats_of(als); stats.sealed < sealed; stats = stats_of(als))
        if (stats.events - stats.sealed < behind)
            append_batches(als, 2);
        else
            sched_yield(); // the keeper will come
}

static uint64_t read_on(struct als_cursor *cursor)
{
    struct als_event event;
    for (als_position position = 1;; position++) {
        CHECK_OK(als_cursor_next(cursor, &event, NULL));
        if (event.position == 0)
            return position - 1;
        CHECK_EQUAL(position, event.position);
    }
}

static uint64_t read_all(struct als *als)
{
    struct als_query query = ALS_QUERY_INIT;
    AUTO(als_cursor) cursor = NULL;
    CHECK_OK(als_query_open(als, &query, &cursor, NULL));
    return read_on(cursor);
}

// ---- Asking

struct answer {
    struct counter counter;
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
    counter_raise(&answer->counter);
}

static struct answer compact(struct als *als, enum als_strategy strategy)
{
    struct answer answer = {.counter = COUNTER_INIT};
    struct als_compact ask = ALS_COMPACT_INIT;
    ask.strategy = strategy;
    CHECK_OK(als_compact(als, &ask, answered, &answer, NULL));
    counter_wait(&answer.counter, 1);
    return answer;
}

TEST(files_stay_few_by_themselves)
{
    struct als_options options = sealing(true);
    AUTO(als) als = open_with(NULL, &options);
    append_sealed(als, 8000, BEHIND);
    while (compaction_of(als).total.merges < 4 || stats_of(als).segments > 40)
        sched_yield();
    struct als_compaction compaction = compaction_of(als);
    CHECK(compaction.automatic && compaction.failures == 0 && compaction.last_ns > 0);
    CHECK(compaction.total.files > compaction.total.merges && compaction.total.events > 0);
    CHECK_EQUAL(stats_of(als).events, read_all(als));
}

TEST(asked_it_says_what_it_merged_and_the_second_time_that_there_is_nothing)
{
    const char *directory = test_directory();
    struct als_options options = sealing(false);
    AUTO(als) als = open_with(directory, &options);
    append_sealed(als, 2000, BEHIND);
    als_close(MOVE(als)); // so that nothing is sealed meanwhile
    options.seal_bytes = 0;
    als = open_with(directory, &options);
    struct als_stats before = stats_of(als);
    struct answer answer = compact(als, ALS_STRATEGY_USUAL);
    struct als_stats after = stats_of(als);
    CHECK_OK(answer.code);
    CHECK(before.segments >= 8 && after.segments == 1 && after.sealed == before.sealed);
    CHECK_EQUAL(before.segments, answer.compacted.files);
    CHECK_EQUAL(before.segment_bytes, answer.compacted.bytes_before);
    CHECK_EQUAL(after.segment_bytes, answer.compacted.bytes_after);
    CHECK_EQUAL(before.sealed, answer.compacted.events);
    CHECK(answer.compacted.merges == 1 && answer.compacted.duration_ns > 0);
    answer = compact(als, ALS_STRATEGY_FULL);
    CHECK_OK(answer.code);
    CHECK(answer.compacted.files == 0 && answer.compacted.bytes_before == 0);
    CHECK_EQUAL(1, compaction_of(als).total.merges);
    CHECK_EQUAL(after.events, read_all(als));
}

TEST(a_tenant_without_events_has_nothing_to_merge)
{
    AUTO(als) als = store_open_quick();
    struct answer answer = compact(als, ALS_STRATEGY_FULL);
    CHECK_OK(answer.code);
    CHECK_EQUAL(0, answer.compacted.files);
    CHECK_EQUAL(3, compaction_of(als).files);
}

TEST(an_open_cursor_reads_on_when_its_files_are_replaced)
{
    struct als_options options = sealing(false);
    AUTO(als) als = open_with(NULL, &options);
    append_sealed(als, 1000, BEHIND);
    struct als_query query = ALS_QUERY_INIT;
    AUTO(als_cursor) cursor = NULL;
    CHECK_OK(als_query_open(als, &query, &cursor, NULL));
    als_position position = als_cursor_position(cursor);
    CHECK_OK(compact(als, ALS_STRATEGY_FULL).code);
    CHECK_EQUAL(position, read_on(cursor));
}

// ---- Pace

TEST(a_merge_that_nobody_asked_for_is_slow_until_somebody_waits_behind_it)
{
    const char *directory = test_directory();
    struct als_options options = sealing(false);
    options.seal_bytes = 256 << 10;
    AUTO(als) als = open_with(directory, &options);
    append_sealed(als, 60'000, 20'000);
    als_close(MOVE(als));
    options.no_auto_compact = false;
    options.seal_bytes = 0;
    options.compact_bytes_per_second = 1024; // an hour
    als = open_with(directory, &options);
    struct als_compaction seen;
    do {
        sched_yield();
        seen = compaction_of(als);
    } while (!seen.running);
    CHECK(seen.bytes_done > 0 && seen.bytes_done < seen.bytes_total && seen.total.merges == 0);
    CHECK_OK(compact(als, ALS_STRATEGY_USUAL).code);
    CHECK(compaction_of(als).total.merges > 0);
}

TEST(closing_does_not_wait_for_a_slow_merge_and_answers_who_waits)
{
    const char *directory = test_directory();
    struct als_options options = sealing(false);
    AUTO(als) als = open_with(directory, &options);
    append_sealed(als, 2000, BEHIND);
    enum { ASKING = 5 };
    static struct answer answers[ASKING];
    struct als_compact ask = ALS_COMPACT_INIT;
    for (int i = 0; i < ASKING; i++) {
        answers[i] = (struct answer){.counter = COUNTER_INIT};
        CHECK_OK(als_compact(als, &ask, answered, &answers[i], NULL));
    }
    als_compact_end(als);
    for (int i = 0; i < ASKING; i++) {
        counter_wait(&answers[i].counter, 1);
        CHECK(answers[i].code == ALS_OK || answers[i].code == ALS_NOT_READY);
    }
    CHECK_ERR(ALS_NOT_READY, als_compact(als, &ask, answered, &answers[0], NULL));
    append_batches(als, 1);
}

// ---- Failing

static void hear(void *context, const struct als_notice *notice)
{
    if (notice->kind == ALS_NOTICE_COMPACT_FAILED)
        counter_raise(context);
}

// Overwrites the middle of one sealed file that is neither the first nor the last.
static void damage_one(const char *directory)
{
    char path[512], names[512][64];
    int count = 0, least = 0;
    snprintf(path, sizeof path, "%s/tenants/default/segments", directory);
    DIR *dir = opendir(path);
    CHECK(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL && count < 512;)
        if (strstr(entry->d_name, ".parquet"))
            snprintf(names[count++], sizeof names[0], "%.60s", entry->d_name);
    closedir(dir);
    CHECK(count >= 8);
    for (int i = 1; i < count; i++)
        least = strcmp(names[i], names[least]) < 0 ? i : least;
    int other = least == 0 ? 1 : 0; // in between, unless it is the last
    char file[600];
    snprintf(file, sizeof file, "%s/%s", path, names[other]);
    int fd = open(file, O_WRONLY);
    CHECK(fd >= 0 && pwrite(fd, "rotten", 6, 200) == 6);
    close(fd);
}

TEST(a_damaged_file_ends_compaction_is_told_and_then_passed_over)
{
    const char *directory = test_directory();
    struct counter notices = COUNTER_INIT;
    struct als_options options = sealing(false);
    options.notice = hear;
    options.context = &notices;
    AUTO(als) als = open_with(directory, &options);
    append_sealed(als, 1500, BEHIND);
    als_close(MOVE(als));
    options.seal_bytes = 0;
    als = open_with(directory, &options);
    damage_one(directory);
    struct als_stats before = stats_of(als);
    struct answer answer = compact(als, ALS_STRATEGY_FULL);
    CHECK_ERR(ALS_CORRUPT, answer.code);
    CHECK(answer.why.text[0] && answer.compacted.files == 0);
    CHECK_EQUAL(before.segments, stats_of(als).segments);
    counter_wait(&notices, 1);
    struct als_compaction compaction = compaction_of(als);
    CHECK(compaction.failures == 1 && compaction.unreadable == 1 && compaction.total.merges == 0);
    answer = compact(als, ALS_STRATEGY_FULL);
    CHECK_OK(answer.code);
    CHECK(answer.compacted.files + 2 >= before.segments - 1);
    CHECK(stats_of(als).segments <= 3);
}

TEST(bad_options_of_compaction_are_refused_by_name)
{
    struct als_why why = {""};
    struct als *als = NULL;
    struct als_options options = sealing(true);
    options.compact_files = 1;
    CHECK_ERR(ALS_INVALID_INPUT, als_open(NULL, &options, &als, &why));
    CHECK(strstr(why.text, "options.compact_files: 1, from 2 to 100"));
    options.compact_files = 0;
    options.compact_strategy = (enum als_strategy)9;
    CHECK_ERR(ALS_INVALID_INPUT, als_open(NULL, &options, &als, &why));
    CHECK(strstr(why.text, "compact_strategy"));
    als = store_open_quick();
    struct als_compact ask = ALS_COMPACT_INIT;
    CHECK_ERR(ALS_INVALID_INPUT, als_compact(als, &ask, NULL, NULL, &why));
    ask.strategy = (enum als_strategy)9;
    CHECK_ERR(ALS_INVALID_INPUT, als_compact(als, &ask, answered, NULL, &why));
    ask.size = 0;
    CHECK_ERR(ALS_INVALID_INPUT, als_compact(als, &ask, answered, NULL, &why));
    als_close(als);
}
