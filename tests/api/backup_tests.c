// SPDX-License-Identifier: Apache-2.0
// Backups as an embedder makes and restores them, on a real disk. Crashes are the business of
// tests/sim/backup_crash_test.c.
#include "store.h"

#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SMALL_BYTES = 4096, PATH_BYTES = 512, FILES_MAX = 256, PAIRS = 2000 };
enum { UNSEALED_MAX = 400 }; // appends do not run away from sealing

static struct als *open_small(const char *directory)
{
    struct als *als = NULL;
    struct als_options options = ALS_OPTIONS_INIT;
    options.durability = ALS_DURABILITY_NONE;
    options.wal_file_bytes = SMALL_BYTES;
    options.seal_bytes = SMALL_BYTES;
    struct als_why why = {""};
    if (als_open(directory, &options, &als, &why) != ALS_OK)
        test_fail(__FILE__, __LINE__, "%s", why.text);
    return als;
}

static const char *below(const char *directory, const char *name, char space[static PATH_BYTES])
{
    int len = snprintf(space, PATH_BYTES, "%s/%s", directory, name);
    CHECK(len > 0 && len < PATH_BYTES);
    return space;
}

// Two events of two entities, together.
static err append_pair(struct als *als, const char *tenant, int number,
                       struct als_outcome *ret_outcome)
{
    char payload[80];
    snprintf(payload, sizeof payload, "{\"n\":%d,\"text\":\"%040d\"}", number, number);
    struct als_draft drafts[] = {draft_of("left", "t.l", payload),
                                 draft_of("right", "t.r", payload)};
    return append_to(als, tenant, drafts, 2, NULL, ret_outcome);
}

static als_position append_pairs(struct als *als, const char *tenant, int count)
{
    struct als_outcome outcome = {.last = 0};
    for (int i = 0; i < count; i++)
        CHECK_OK(append_pair(als, tenant, i, &outcome));
    return outcome.last;
}

static struct als_stats stats_of(struct als *als, const char *tenant)
{
    struct als_stats stats;
    CHECK_OK(als_stats(als, als_text(tenant), &stats, NULL));
    return stats;
}

// Until something is sealed, and then some more that is not.
static als_position append_until_sealed(struct als *als, const char *tenant)
{
    for (struct als_stats stats; stats = stats_of(als, tenant), stats.segments < 2;)
        if (stats.events - stats.sealed < UNSEALED_MAX)
            (void)append_pairs(als, tenant, 5);
        else
            nanosleep(&(struct timespec){0, 1000000}, NULL);
    return append_pairs(als, tenant, 3);
}

static err backup_to(struct als *als, const char *directory, struct als_backup_report *ret_report)
{
    struct als_backup_options options = ALS_BACKUP_OPTIONS_INIT;
    return als_backup(als, directory, &options, ret_report, NULL);
}

static err restore_to(const char *backup, const char *directory, als_position at,
                      struct als_backup_report *ret_report, struct als_why *why)
{
    struct als_restore_options options = ALS_RESTORE_OPTIONS_INIT;
    options.at_position = at;
    return als_restore(backup, directory, &options, ret_report, why);
}

// Everything that is in `als` is in `source` as well, up to its end.
static void check_prefix(struct als *als, struct als *source, const char *tenant,
                         als_position position)
{
    AUTO(als_cursor) cursor = NULL;
    AUTO(als_cursor) wanted_cursor = NULL;
    struct als_query query = ALS_QUERY_INIT;
    query.tenant = als_text(tenant);
    CHECK_OK(als_query_open(als, &query, &cursor, NULL));
    CHECK_OK(als_query_open(source, &query, &wanted_cursor, NULL));
    CHECK_EQUAL(position, als_cursor_position(cursor));
    for (als_position at = 1; at <= position; at++) {
        struct als_event event, wanted;
        CHECK_OK(als_cursor_next(cursor, &event, NULL));
        CHECK_OK(als_cursor_next(wanted_cursor, &wanted, NULL));
        CHECK_EQUAL(at, event.position);
        CHECK_EQUAL(wanted.version, event.version);
        CHECK_EQUAL(wanted.recorded_us, event.recorded_us);
        CHECK_EQUAL(wanted.timestamp_us, event.timestamp_us);
        CHECK(memcmp(&wanted.id, &event.id, sizeof wanted.id) == 0);
        CHECK_STR(wanted.entity, event.entity);
        CHECK_STR(wanted.type, event.type);
        CHECK_STR(wanted.payload, event.payload);
    }
}

TEST(what_was_backed_up_is_restored_and_goes_on)
{
    char data[PATH_BYTES], backup[PATH_BYTES], restored[PATH_BYTES];
    const char *directory = test_directory();
    AUTO(als) als = open_small(below(directory, "data", data));
    als_position position = append_until_sealed(als, NULL);
    append_for(als, "acme", "e", "t", "{\"a\":1}");
    struct als_backup_report report;
    CHECK_OK(backup_to(als, below(directory, "backup", backup), &report));
    CHECK(report.tenants == 2 && report.events == position + 1);
    CHECK(report.linked > 0);
    append_pairs(als, NULL, 10); // the backup does not have these

    struct als_backup_report shown;
    CHECK_OK(als_backup_show(backup, &shown, NULL));
    CHECK_EQUAL(report.bytes, shown.bytes);
    CHECK_EQUAL(report.created_us, shown.created_us);
    CHECK_OK(restore_to(backup, below(directory, "restored", restored), 0, &report, NULL));
    CHECK(report.tenants == 2 && report.events == position + 1);
    AUTO(als) again = open_small(restored);
    check_prefix(again, als, NULL, position);
    check_prefix(again, als, "acme", 1);
    CHECK_EQUAL(position + 1, append_ok(again, "left", "t.l", "1"));

    // It is a data directory like any other: it is sealed further, and opened again.
    uint64_t segments = stats_of(again, NULL).segments;
    while (stats_of(again, NULL).segments == segments)
        position = append_pairs(again, NULL, 5);
    als_close(MOVE(again));
    again = open_small(restored);
    CHECK_EQUAL(position, stats_of(again, "default").position);
    check_prefix(again, again, NULL, position);
}

TEST(a_restore_may_end_at_any_position_and_versions_go_on_from_there)
{
    char data[PATH_BYTES], backup[PATH_BYTES], restored[PATH_BYTES], name[32];
    const char *directory = test_directory();
    AUTO(als) als = open_small(below(directory, "data", data));
    als_position position = append_until_sealed(als, NULL);
    CHECK_OK(backup_to(als, below(directory, "backup", backup), NULL));
    for (als_position at = 1; at <= position; at += 7) {
        snprintf(name, sizeof name, "at-%d", (int)at);
        CHECK_OK(restore_to(backup, below(directory, name, restored), at, NULL, NULL));
        AUTO(als) then = open_small(restored);
        check_prefix(then, als, NULL, at);
        struct als_draft draft = draft_of("left", "t.l", "1");
        draft.expected_version = (int64_t)((at + 1) / 2);
        CHECK_EQUAL(at + 1, append_draft(then, draft).first);
    }
    struct als_why why = {""};
    CHECK_ERR(ALS_INVALID_INPUT,
              restore_to(backup, below(directory, "late", restored), position + 1, NULL, &why));
    CHECK(strstr(why.text, "up to position"));
}

// ---- Beside a writer

struct writing {
    struct als *als;
    atomic_bool over;
    _Atomic als_position answered;
};

static void *write_pairs(void *context)
{
    struct writing *writing = context;
    for (int i = 0; i < PAIRS && !atomic_load(&writing->over); i++) {
        struct als_outcome outcome;
        CHECK_OK(append_pair(writing->als, NULL, i, &outcome));
        atomic_store(&writing->answered, outcome.last);
    }
    return NULL;
}

TEST(a_backup_beside_writers_is_a_prefix_of_whole_batches)
{
    char data[PATH_BYTES], backup[PATH_BYTES], restored[PATH_BYTES], name[32];
    const char *directory = test_directory();
    struct writing writing = {.als = open_small(below(directory, "data", data))};
    pthread_t thread;
    struct als_backup_report reports[6];
    append_until_sealed(writing.als, NULL);
    CHECK(pthread_create(&thread, NULL, write_pairs, &writing) == 0);
    for (size_t i = 0; i < COUNT_OF(reports); i++) {
        als_position before = atomic_load(&writing.answered);
        snprintf(name, sizeof name, "backup-%zu", i);
        CHECK_OK(backup_to(writing.als, below(directory, name, backup), &reports[i]));
        CHECK(reports[i].position >= before && reports[i].position % 2 == 0);
    }
    atomic_store(&writing.over, true);
    pthread_join(thread, NULL);
    for (size_t i = 0; i < COUNT_OF(reports); i++) {
        snprintf(name, sizeof name, "backup-%zu", i);
        below(directory, name, backup);
        snprintf(name, sizeof name, "restored-%zu", i);
        CHECK_OK(restore_to(backup, below(directory, name, restored), 0, NULL, NULL));
        AUTO(als) als = open_small(restored);
        check_prefix(als, writing.als, NULL, reports[i].position);
    }
    als_close(writing.als);
}

struct held { // a backup that is kept from going on
    struct counter begun, freed, ended;
    enum als_err code;
};

static bool hold(void *context, uint64_t bytes)
{
    struct held *held = context;
    (void)bytes;
    counter_raise(&held->begun);
    counter_wait(&held->freed, 1);
    return true;
}

static void ended(void *context, enum als_err code, const struct als_backup_report *report,
                  const struct als_why *why)
{
    struct held *held = context;
    (void)report, (void)why;
    held->code = code;
    counter_raise(&held->ended);
}

TEST(one_backup_is_made_at_a_time_and_others_are_told)
{
    char data[PATH_BYTES], backup[PATH_BYTES];
    const char *directory = test_directory();
    AUTO(als) als = open_small(below(directory, "data", data));
    append_pairs(als, NULL, 3);
    struct held held = {.begun = COUNTER_INIT, .freed = COUNTER_INIT, .ended = COUNTER_INIT};
    struct als_backup_options options = ALS_BACKUP_OPTIONS_INIT;
    options.name = S("first");
    options.progress = hold;
    options.context = &held;
    CHECK_OK(als_backup_start(als, NULL, &options, ended, &held, NULL));
    counter_wait(&held.begun, 1);
    options.name = S("second");
    CHECK_ERR(ALS_BUSY, als_backup_start(als, NULL, &options, ended, &held, NULL));
    counter_raise(&held.freed);
    counter_wait(&held.ended, 1);
    CHECK_EQUAL(ALS_OK, held.code);
    CHECK_OK(restore_to(below(data, "backups/first", backup), NULL, 0, NULL, NULL));
    options.name = S("first");
    CHECK_ERR(ALS_EXISTS, als_backup_start(als, NULL, &options, ended, &held, NULL));
}

static bool end_at_once(void *context, uint64_t bytes)
{
    (void)context, (void)bytes;
    return false;
}

TEST(a_backup_that_was_ended_is_none)
{
    char data[PATH_BYTES], backup[PATH_BYTES], restored[PATH_BYTES];
    const char *directory = test_directory();
    AUTO(als) als = open_small(below(directory, "data", data));
    append_pairs(als, NULL, 3);
    struct als_backup_options options = ALS_BACKUP_OPTIONS_INIT;
    options.progress = end_at_once;
    below(directory, "backup", backup);
    CHECK_ERR(ALS_NOT_READY, als_backup(als, backup, &options, NULL, NULL));
    struct als_why why = {""};
    CHECK_ERR(ALS_NOT_FOUND,
              restore_to(backup, below(directory, "restored", restored), 0, NULL, &why));
    CHECK(strstr(why.text, "never finished"));
}

// ---- Damage

static char files[FILES_MAX][PATH_BYTES];
static size_t file_count;

static int list_file(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)walk;
    if (kind == FTW_F && stat->st_size > 0) {
        CHECK(file_count < FILES_MAX);
        snprintf(files[file_count++], PATH_BYTES, "%s", path);
    }
    return 0;
}

static void list_files(const char *directory)
{
    file_count = 0;
    CHECK(nftw(directory, list_file, 16, FTW_PHYS) == 0);
}

static void flip(const char *path, long offset)
{
    FILE *file = fopen(path, "r+b");
    CHECK(file && fseek(file, offset, SEEK_SET) == 0);
    int byte = fgetc(file);
    CHECK(fseek(file, offset, SEEK_SET) == 0);
    fputc(byte ^ 1, file);
    fclose(file);
}

// A backup whose files are its own, so that they may be damaged.
static void make_own_backup(const char *directory, char backup[static PATH_BYTES])
{
    char data[PATH_BYTES];
    AUTO(als) als = open_small(below(directory, "data", data));
    struct als_backup_options options = ALS_BACKUP_OPTIONS_INIT;
    struct als_subject subject = {.compatibility = ALS_COMPATIBILITY_NONE};
    options.copy = true;
    append_until_sealed(als, NULL);
    CHECK_OK(als_subject_set(als, (als_str){NULL, 0}, S("t.l"), &subject, NULL));
    struct als_backup_report report;
    CHECK_OK(als_backup(als, below(directory, "backup", backup), &options, &report, NULL));
    CHECK_EQUAL(0, report.linked);
}

static void check_refused(const char *backup, const char *path)
{
    struct als_why why = {""};
    const char *name = strrchr(path, '/') + 1;
    CHECK_ERR(ALS_CORRUPT, restore_to(backup, NULL, 0, NULL, &why));
    if (!strstr(why.text, name))
        test_fail(__FILE__, __LINE__, "'%s' does not name %s", why.text, name);
}

TEST(a_backup_with_one_wrong_byte_in_any_file_is_refused_by_its_name)
{
    char backup[PATH_BYTES];
    make_own_backup(test_directory(), backup);
    list_files(backup);
    CHECK(file_count >= 6); // the catalog, a segment or more with an index, manifest, settings, log
    CHECK_OK(restore_to(backup, NULL, 0, NULL, NULL));
    for (size_t i = 0; i < file_count; i++) {
        struct stat stat_of;
        CHECK(stat(files[i], &stat_of) == 0);
        long places[] = {0, (long)stat_of.st_size / 2, (long)stat_of.st_size - 1};
        for (size_t k = 0; k < COUNT_OF(places); k++) {
            flip(files[i], places[k]);
            check_refused(backup, files[i]);
            flip(files[i], places[k]);
        }
    }
    CHECK_OK(restore_to(backup, NULL, 0, NULL, NULL));
}

TEST(a_backup_with_a_file_too_short_missing_or_too_many_is_refused)
{
    char backup[PATH_BYTES], stranger[PATH_BYTES], aside[PATH_BYTES];
    const char *directory = test_directory();
    make_own_backup(directory, backup);
    list_files(backup);
    below(directory, "aside", aside);
    for (size_t i = 0; i < file_count; i++) {
        bool catalog = strstr(files[i], "CATALOG") != NULL;
        CHECK(rename(files[i], aside) == 0);
        if (catalog)
            CHECK_ERR(ALS_NOT_FOUND, restore_to(backup, NULL, 0, NULL, NULL));
        else
            check_refused(backup, files[i]);
        CHECK(rename(aside, files[i]) == 0);
    }
    below(backup, "tenants/default/wal/000000000000ffff.wal", stranger);
    FILE *file = fopen(stranger, "wb");
    CHECK(file);
    fclose(file);
    check_refused(backup, stranger);
    CHECK(unlink(stranger) == 0);
    struct stat stat_of;
    CHECK(stat(files[0], &stat_of) == 0 && truncate(files[0], stat_of.st_size - 1) == 0);
    check_refused(backup, files[0]);
}

// ---- Where to

TEST(nothing_is_written_over)
{
    char data[PATH_BYTES], backup[PATH_BYTES];
    const char *directory = test_directory();
    AUTO(als) als = open_small(below(directory, "data", data));
    append_pairs(als, NULL, 3);
    CHECK_OK(backup_to(als, below(directory, "backup", backup), NULL));
    CHECK_ERR(ALS_EXISTS, backup_to(als, backup, NULL));
    CHECK_ERR(ALS_EXISTS, restore_to(backup, data, 0, NULL, NULL));
    CHECK_EQUAL(6, event_count(als, NULL));
}

TEST(a_directory_with_an_unfinished_restore_is_not_opened)
{
    char restored[PATH_BYTES], working[PATH_BYTES];
    below(test_directory(), "restored", restored);
    CHECK(mkdir(restored, 0700) == 0 && mkdir(below(restored, "restoring", working), 0700) == 0);
    struct als *als;
    struct als_why why = {""};
    CHECK_ERR(ALS_NOT_READY, als_open(restored, NULL, &als, &why));
    CHECK(strstr(why.text, "not finished"));
}

TEST(a_backup_is_made_under_a_name_and_not_under_a_path)
{
    char data[PATH_BYTES];
    AUTO(als) als = open_small(below(test_directory(), "data", data));
    append_pairs(als, NULL, 3);
    static const char *const names[] = {"a/b", "..", ".hidden", "a b", "\xc3\xa9", ""};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct als_backup_options options = ALS_BACKUP_OPTIONS_INIT;
        options.name = als_text(names[i]);
        CHECK_ERR(ALS_INVALID_INPUT, als_backup(als, NULL, &options, NULL, NULL));
    }
}

TEST(what_is_kept_in_memory_only_is_not_backed_up)
{
    char backup[PATH_BYTES];
    AUTO(als) als = store_open_quick();
    append_ok(als, "e", "t", "1");
    CHECK_ERR(ALS_UNSUPPORTED, backup_to(als, below(test_directory(), "backup", backup), NULL));
}

// ---- Several tenants

TEST(one_of_several_tenants_is_backed_up_or_restored_by_its_name)
{
    char data[PATH_BYTES], backup[PATH_BYTES], one[PATH_BYTES], restored[PATH_BYTES];
    const char *directory = test_directory();
    AUTO(als) als = open_small(below(directory, "data", data));
    append_pairs(als, "acme", 5);
    append_pairs(als, "z\xc3\xbcri", 3);
    CHECK_OK(backup_to(als, below(directory, "backup", backup), NULL));
    struct als_why why = {""};
    CHECK_ERR(ALS_INVALID_INPUT,
              restore_to(backup, below(directory, "none", restored), 2, NULL, &why));
    CHECK(strstr(why.text, "2 tenants"));
    struct als_restore_options options = ALS_RESTORE_OPTIONS_INIT;
    options.tenant = als_text("z\xc3\xbcri");
    options.at_position = 3;
    CHECK_OK(als_restore(backup, below(directory, "one", restored), &options, NULL, NULL));
    AUTO(als) then = open_small(restored);
    check_prefix(then, als, "z\xc3\xbcri", 3);
    CHECK_EQUAL(0, event_count(then, "acme"));
    options.tenant = als_text("nobody");
    CHECK_ERR(ALS_TENANT_NOT_FOUND, als_restore(backup, NULL, &options, NULL, NULL));

    struct als_backup_report report;
    struct als_backup_options only = ALS_BACKUP_OPTIONS_INIT;
    only.tenant = als_text("acme");
    CHECK_OK(als_backup(als, below(directory, "acme", one), &only, &report, NULL));
    CHECK(report.tenants == 1 && report.position == 10);
    only.tenant = als_text("nobody");
    CHECK_ERR(ALS_TENANT_NOT_FOUND,
              als_backup(als, below(directory, "nobody", one), &only, NULL, NULL));
}

// ---- Settings

TEST(schemas_are_restored_as_they_stood_at_the_position)
{
    char data[PATH_BYTES], backup[PATH_BYTES], restored[PATH_BYTES];
    const char *directory = test_directory();
    AUTO(als) als = open_small(below(directory, "data", data));
    struct als_schema_draft draft = ALS_SCHEMA_DRAFT_INIT;
    struct als_schema_version version;
    draft.subject = S("t.l");
    draft.compatibility = ALS_COMPATIBILITY_NONE;
    draft.json = S("{\"type\":\"object\"}");
    CHECK_OK(als_schema_register(als, &draft, &version, NULL, NULL));
    append_pairs(als, NULL, 2);
    draft.json = S("{\"type\":[\"object\",\"null\"]}");
    CHECK_OK(als_schema_register(als, &draft, &version, NULL, NULL));
    append_pairs(als, NULL, 2);
    CHECK_OK(backup_to(als, below(directory, "backup", backup), NULL));
    static const struct {
        als_position at;
        uint32_t version;
    } cases[] = {{0, 2}, {8, 2}, {4, 2}, {3, 1}, {1, 1}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char name[32];
        snprintf(name, sizeof name, "restored-%zu", i);
        CHECK_OK(restore_to(backup, below(directory, name, restored), cases[i].at, NULL, NULL));
        AUTO(als) then = open_small(restored);
        struct als_schema_query query = ALS_SCHEMA_QUERY_INIT;
        query.subject = S("t.l");
        CHECK_OK(als_schema_find(then, &query, &version, NULL));
        CHECK_EQUAL(cases[i].version, version.version);
    }
}

// ---- Offline

TEST(a_directory_that_nobody_has_open_is_backed_up_without_a_torn_end)
{
    char data[PATH_BYTES], backup[PATH_BYTES], restored[PATH_BYTES];
    const char *directory = test_directory();
    als_position position;
    struct als_backup_report report;
    struct als_backup_options options = ALS_BACKUP_OPTIONS_INIT;
    below(directory, "backup", backup);
    {
        AUTO(als) als = open_small(below(directory, "data", data));
        position = append_until_sealed(als, NULL);
        CHECK_ERR(ALS_LOCKED, als_backup_offline(data, backup, &options, NULL, NULL));
    }
    char wal[PATH_BYTES];
    list_files(below(data, "tenants/default/wal", wal));
    size_t last = 0;
    for (size_t i = 0; i < file_count; i++)
        last = strcmp(files[i], files[last]) > 0 ? i : last;
    FILE *file = fopen(files[last], "ab");
    CHECK(file && fputs("half a frame", file) >= 0);
    fclose(file);
    CHECK(mkdir(below(data, "tenants/unborn", wal), 0700) == 0); // its log was not made any more
    CHECK_OK(als_backup_offline(data, backup, &options, &report, NULL));
    CHECK(report.tenants == 2 && report.events == position);
    CHECK_OK(restore_to(backup, below(directory, "restored", restored), 0, NULL, NULL));
    AUTO(als) als = open_small(data);
    AUTO(als) again = open_small(restored);
    check_prefix(again, als, NULL, position);
}
