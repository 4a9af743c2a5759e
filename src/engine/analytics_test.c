// SPDX-License-Identifier: Apache-2.0
// Analyses over sealed history: whatever part of it is in segments, the answers are the same.
#include "engine/engine.h"

#include "base/rand.h"
#include "event/event.h"
#include "store/store.h"
#include "test.h"

#include <stdlib.h>

AUTO_WITH(als, als_close)
AUTO_WITH(als_analysis, als_analysis_close)

enum { EVENTS = 4000, ENTITIES = 23, TYPES = 4, SEAL_EVENTS = 700 };

static void done(struct append *append)
{
    (void)append;
}

static str name_of(char space[static 16], const char *before, uint64_t number)
{
    return (str){space, (size_t)snprintf(space, 16, "%s%llu", before, (unsigned long long)number)};
}

// A random event, the same for the same number.
static struct record_draft draft_of(uint64_t number, char entity[static 16], char type[static 16])
{
    struct rand rand = {number};
    struct record_draft draft = {.entity = name_of(entity, "entity-", rand_below(&rand, ENTITIES)),
                                 .type = name_of(type, "type.", rand_below(&rand, TYPES))};
    memcpy(draft.id.bytes, &number, sizeof number);
    draft.timestamp_us = (int64_t)(number * 10 + rand_below(&rand, 2000)) * 1000000;
    return draft;
}

static void append_one(struct store *store, uint64_t number)
{
    char entity[16], type[16];
    struct record_draft draft = draft_of(number, entity, type);
    uint8_t bytes[256] = {0};
    uint8_t *record = bytes + BATCH_HEAD_BYTES;
    memcpy(record_begin(record, BATCH_HEAD_BYTES, &draft), "{}", 2);
    record_payload_done(record, 2);
    uint32_t size = BATCH_HEAD_BYTES + record_finish(record, 0, 0);
    struct append_event event = {.offset = BATCH_HEAD_BYTES,
                                 .has_timestamp = true,
                                 .expected_version = STORE_ANY_VERSION,
                                 .entity_hash = store_hash_name(store, draft.entity),
                                 .type_hash = store_hash_name(store, draft.type),
                                 .id_hash = store_hash_id(store, draft.id)};
    struct append append = {.events = &event, .count = 1, .done = done};
    buf_init(&append.bytes, 1024);
    buf_put(&append.bytes, bytes, size);
    bool first;
    CHECK_OK(store_post(store, &append, &first, NULL));
    (void)store_turn(store);
    CHECK_OK(append.code);
    buf_deinit(&append.bytes);
}

static void seal_all(struct store *store)
{
    bool sealed = true;
    while (sealed)
        CHECK_OK(store_seal(store, &sealed, NULL));
}

// A data directory whose default tenant has all events, in segments of `seal_events` but for what
// came after the last of them. Returns how many segments.
static uint64_t history_make(const char *path, uint64_t seal_events)
{
    struct os *os = os_posix_unsynced();
    struct os_dir *root, *tenants, *dir;
    CHECK_OK(os->dir_open(os, NULL, str_of(path), true, &root, NULL));
    CHECK_OK(os->dir_open(os, root, S("tenants"), true, &tenants, NULL));
    CHECK_OK(os->dir_open(os, tenants, S("default"), true, &dir, NULL));
    struct store_options options = {.tenant = S("default"),
                                    .sync = STORE_SYNC_LATER,
                                    .wal_file_bytes = 1 << 20,
                                    .seal_events = seal_events};
    struct store_report report;
    AUTO(store) store = NULL;
    CHECK_OK(store_open(os, dir, options, &report, &store, NULL));
    for (uint64_t number = 1; number <= EVENTS; number++)
        append_one(store, number);
    seal_all(store);
    uint64_t segments = store_stat(store).segments;
    store_close(MOVE(store));
    os->dir_close(dir);
    os->dir_close(tenants);
    os->dir_close(root);
    return segments;
}

static struct als *history_open(const char *path)
{
    struct als *als;
    CHECK_OK(als_open(path, NULL, &als, NULL));
    return als;
}

static struct als_analysis *analyse(struct als *als, const struct als_analysis_query *query)
{
    struct als_analysis *analysis = NULL;
    struct als_why why = {""};
    if (als_analysis_wait(als, query, &analysis, &why) != ALS_OK)
        test_fail(__FILE__, __LINE__, "%s", why.text);
    return analysis;
}

static void check_same_counted(struct als_counted a, struct als_counted b)
{
    CHECK_STR(a.name, b.name);
    CHECK_EQUAL(a.count, b.count);
    CHECK_EQUAL(a.error, b.error);
}

static void compare_frequency(const struct als_analysis *a, const struct als_analysis *b)
{
    struct als_frequency left = als_analysis_frequency(a), right = als_analysis_frequency(b);
    CHECK_EQUAL(left.total, right.total);
    CHECK_EQUAL(left.bucket_count, right.bucket_count);
    for (size_t i = 0; i < left.bucket_count; i++) {
        struct als_bucket x = als_analysis_bucket(a, i), y = als_analysis_bucket(b, i);
        CHECK_EQUAL(x.start_us, y.start_us);
        CHECK_EQUAL(x.count, y.count);
        CHECK_EQUAL(x.type_count, y.type_count);
        for (size_t k = 0; k < x.type_count; k++)
            check_same_counted(als_analysis_bucket_type(a, i, k),
                               als_analysis_bucket_type(b, i, k));
    }
}

static void compare_names(const struct als_summary_names *a, const struct als_summary_names *b)
{
    CHECK_EQUAL(a->unique, b->unique);
    CHECK_EQUAL(a->exact, b->exact);
    CHECK_EQUAL(a->top_count, b->top_count);
    for (size_t i = 0; i < a->top_count; i++)
        check_same_counted(a->top[i], b->top[i]);
}

static void compare_summary(const struct als_analysis *a, const struct als_analysis *b)
{
    struct als_summary left = als_analysis_summary(a), right = als_analysis_summary(b);
    CHECK_EQUAL(left.total, right.total);
    CHECK_EQUAL(left.first_us, right.first_us);
    CHECK_EQUAL(left.last_us, right.last_us);
    compare_names(&left.entities, &right.entities);
    compare_names(&left.types, &right.types);
}

static void compare_correlation(const struct als_analysis *a, const struct als_analysis *b)
{
    struct als_correlation left = als_analysis_correlation(a), right = als_analysis_correlation(b);
    CHECK_EQUAL(left.total_a, right.total_a);
    CHECK_EQUAL(left.total_b, right.total_b);
    CHECK_EQUAL(left.pairs, right.pairs);
    CHECK_EQUAL(left.paired_a, right.paired_a);
    CHECK(left.mean_seconds == right.mean_seconds);
    CHECK_EQUAL(left.example_count, right.example_count);
    for (size_t i = 0; i < left.example_count; i++) {
        CHECK_STR(left.examples[i].entity, right.examples[i].entity);
        CHECK_EQUAL(left.examples[i].a_us, right.examples[i].a_us);
        CHECK_EQUAL(left.examples[i].b_us, right.examples[i].b_us);
    }
}

static void compare(struct als *sealed, struct als *log, const struct als_analysis_query *query)
{
    AUTO(als_analysis) a = analyse(sealed, query);
    AUTO(als_analysis) b = analyse(log, query);
    CHECK_EQUAL(EVENTS, als_analysis_position(a));
    compare_frequency(a, b); // of another kind than was asked: nothing on both sides
    compare_summary(a, b);
    compare_correlation(a, b);
}

static void compare_kinds(struct als *sealed, struct als *log, struct als_analysis_query query)
{
    query.kind = ALS_FREQUENCY;
    query.window = ALS_WINDOW_HOUR;
    compare(sealed, log, &query);
    query.kind = ALS_SUMMARY;
    compare(sealed, log, &query);
    query.kind = ALS_CORRELATION;
    query.type_a = S("type.0");
    query.type_b = S("type.1");
    query.within_seconds = 60;
    compare(sealed, log, &query);
    query.type_b = query.type_a;
    compare(sealed, log, &query);
}

TEST(analyses_of_sealed_history_and_its_tail_are_those_of_the_log)
{
    const char *log_path = test_directory();
    CHECK_EQUAL(0, history_make(log_path, 0));
    AUTO(als) log = history_open(log_path);
    const char *sealed_path = test_directory();
    CHECK(history_make(sealed_path, SEAL_EVENTS) >= 4);
    AUTO(als) sealed = history_open(sealed_path);
    struct als_analysis_query query = ALS_ANALYSIS_QUERY_INIT;
    query.since_us = 0;
    query.until_us = INT64_C(1000000) * EVENTS * 11;
    compare_kinds(sealed, log, query);
    AUTO(als_analysis) all = analyse(sealed, &query);
    CHECK_EQUAL(EVENTS, als_analysis_summary(all).total);

    struct als_analysis_query middle = query; // most segments have nothing of it
    middle.since_us = INT64_C(1000000) * 15000;
    middle.until_us = INT64_C(1000000) * 18000;
    compare_kinds(sealed, log, middle);

    struct als_analysis_query one = query;
    one.entity = S("entity-7");
    compare_kinds(sealed, log, one);

    str types[] = {S("type.2"), S("type.3*")};
    query.types = types;
    query.type_count = 2;
    compare_kinds(sealed, log, query);
}

// ---- Damage

static bool spoil(void *context, const struct os_entry *entry)
{
    struct os_dir *dir = context;
    struct os *os = os_posix_unsynced();
    struct os_file *file;
    uint64_t size;
    char zeros[4096] = {0};
    if (!str_ends(entry->name, S(".parquet")))
        return true;
    CHECK_OK(os->file_open(dir, entry->name, OS_READ_WRITE, &file, NULL));
    CHECK_OK(os->file_size(file, &size, NULL));
    CHECK_OK(os_write_one(os, file, 4, (str){zeros, size / 2 < 4096 ? size / 2 : 4096}, NULL));
    os->file_close(file);
    return true;
}

TEST(an_analysis_that_comes_to_a_damaged_segment_says_so)
{
    const char *directory = test_directory();
    char path[512];
    CHECK(history_make(directory, SEAL_EVENTS) > 0);
    struct os *os = os_posix_unsynced();
    struct os_dir *dir;
    (void)snprintf(path, sizeof path, "%s/tenants/default/segments", directory);
    CHECK_OK(os->dir_open(os, NULL, str_of(path), false, &dir, NULL));
    CHECK_OK(os->dir_list(dir, spoil, dir, NULL));
    os->dir_close(dir);
    AUTO(als) als = history_open(directory);
    struct als_analysis_query query = ALS_ANALYSIS_QUERY_INIT;
    struct als_analysis *analysis = NULL;
    struct als_why why = {""};
    CHECK_ERR(ALS_CORRUPT, als_analysis_wait(als, &query, &analysis, &why));
    CHECK(analysis == NULL && why.text[0]);
    query.since_us = INT64_C(1000000) * EVENTS * 9999 / 1000; // only of the tail
    query.until_us = INT64_C(1000000) * EVENTS * 20;
    AUTO(als_analysis) tail = analyse(als, &query);
    CHECK(als_analysis_summary(tail).total > 0);
}
