// SPDX-License-Identifier: Apache-2.0
// Checking and dumping a directory that nobody has open.
#include "base/hash.h"
#include "store.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

enum { EVENTS = 50 };

static void make_store(const char *directory)
{
    struct als_options options = ALS_OPTIONS_INIT;
    options.wal_file_bytes = 64 << 10; // the tests read all of it
    AUTO(als) als = NULL;
    CHECK_OK(als_open(directory, &options, &als, NULL));
    for (int i = 0; i < EVENTS; i++)
        append_for(als, "acme", i % 2 ? "a" : "b", "t.u", "{\"text\":\"some bytes to damage\"}");
    append_for(als, "other", "e", "t", "1");
}

struct found {
    struct als_finding findings[4];
    char files[4][200];
    size_t count;
};

static bool keep_finding(void *context, const struct als_finding *finding)
{
    struct found *found = context;
    CHECK(found->count < 4);
    found->findings[found->count] = *finding;
    snprintf(found->files[found->count], sizeof found->files[0], "%.*s", STR(finding->file));
    found->findings[found->count].tenant =
        str_equal(finding->tenant, S("acme")) ? S("acme") : S("other"); // the slice is borrowed
    found->count++;
    return true;
}

static const struct als_finding *finding_of(const struct found *found, str tenant)
{
    for (size_t i = 0; i < found->count; i++)
        if (str_equal(found->findings[i].tenant, tenant))
            return &found->findings[i];
    return NULL;
}

// ---- The files below a directory, for nftw() knows no context.

static uint64_t files_hash;
static char wal_file[512]; // of the tenant that is looked for
static const char *wal_tenant;

static int hash_file(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)walk;
    if (kind != FTW_F)
        return 0;
    size_t size = (size_t)stat->st_size;
    char *bytes = malloc(size + 1);
    FILE *file = fopen(path, "rb");
    size = file && bytes ? fread(bytes, 1, size, file) : 0;
    files_hash ^= hash_bytes(bytes, size, hash_bytes(path, strlen(path), 1));
    free(bytes);
    if (file)
        fclose(file);
    if (wal_tenant && strstr(path, wal_tenant) && strstr(path, "wal") && stat->st_size > 0)
        snprintf(wal_file, sizeof wal_file, "%s", path);
    return 0;
}

static uint64_t hash_of(const char *directory, const char *tenant)
{
    files_hash = 0;
    wal_tenant = tenant;
    wal_file[0] = '\0';
    CHECK(nftw(directory, hash_file, 16, FTW_PHYS) == 0);
    return files_hash;
}

// Where a text stands in the file, the n-th time.
static long find_text(const char *path, const char *text, int nth)
{
    FILE *file = fopen(path, "rb");
    CHECK(file);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    char *bytes = malloc(size);
    rewind(file);
    size = fread(bytes, 1, size, file);
    fclose(file);
    const char *at = bytes;
    for (int i = 0; at && i < nth; i++) {
        at += i ? 1 : 0;
        at = memmem(at, size - (size_t)(at - bytes), text, strlen(text));
    }
    long offset = at ? at - bytes : -1;
    free(bytes);
    return offset;
}

static void flip_byte(const char *path, long offset)
{
    FILE *file = fopen(path, "r+b");
    CHECK(file);
    fseek(file, offset, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, offset, SEEK_SET);
    fputc(byte ^ 1, file);
    fclose(file);
}

TEST(a_sound_directory_is_found_sound_and_left_as_it_is)
{
    const char *directory = test_directory();
    make_store(directory);
    uint64_t before = hash_of(directory, NULL);
    struct found found = {.count = 0};
    CHECK_OK(als_verify(directory, keep_finding, &found, NULL));
    CHECK_EQUAL(2, found.count);
    const struct als_finding *acme = finding_of(&found, S("acme"));
    CHECK_EQUAL(ALS_OK, acme->code);
    CHECK_EQUAL(EVENTS, acme->events);
    CHECK(acme->files >= 1 && acme->bytes > EVENTS * 30);
    CHECK_EQUAL(1, finding_of(&found, S("other"))->events);
    CHECK_EQUAL(before, hash_of(directory, NULL));
}

TEST(a_flipped_bit_is_found_with_its_file_and_place)
{
    const char *directory = test_directory();
    make_store(directory);
    hash_of(directory, "acme");
    CHECK(wal_file[0]);
    long offset = find_text(wal_file, "to damage", 10);
    CHECK(offset > 0);
    flip_byte(wal_file, offset);
    struct found found = {.count = 0};
    struct als_why why = {""};
    CHECK_ERR(ALS_CORRUPT, als_verify(directory, keep_finding, &found, &why));
    const struct als_finding *acme = finding_of(&found, S("acme"));
    CHECK_EQUAL(ALS_CORRUPT, acme->code);
    CHECK(acme->why.text[0]);
    // The frame that holds the byte begins before it, and not long before.
    CHECK(acme->offset <= (uint64_t)offset && acme->offset + 512 > (uint64_t)offset);
    CHECK(strstr(wal_file, found.files[acme - found.findings]));
    CHECK_EQUAL(ALS_OK, finding_of(&found, S("other"))->code);
}

static bool end_at_first(void *context, const struct als_finding *finding)
{
    (void)finding;
    ++*(int *)context;
    return false;
}

TEST(a_check_ends_when_it_is_told_to)
{
    const char *directory = test_directory();
    make_store(directory);
    int calls = 0;
    CHECK_OK(als_verify(directory, end_at_first, &calls, NULL));
    CHECK_EQUAL(1, calls);
}

TEST(a_directory_in_use_is_neither_checked_nor_dumped)
{
    const char *directory = test_directory();
    AUTO(als) als = store_open(directory);
    append_ok(als, "e", "t", "1");
    struct found found = {.count = 0};
    CHECK_ERR(ALS_LOCKED, als_verify(directory, keep_finding, &found, NULL));
    CHECK_ERR(ALS_LOCKED, als_dump(directory, S("default"), (als_each_event *)abort, NULL, NULL));
    CHECK_EQUAL(0, found.count);
}

TEST(a_directory_that_is_not_there_is_an_error_and_is_not_made)
{
    char path[512];
    snprintf(path, sizeof path, "%s/absent", test_directory());
    struct found found = {.count = 0};
    CHECK(als_verify(path, keep_finding, &found, NULL) != ALS_OK);
    CHECK(access(path, F_OK) != 0);
}

// ---- Dumping

struct dumped {
    uint64_t count, end_after;
    bool in_order;
};

static bool dump_event(void *context, const struct als_event *event)
{
    struct dumped *dumped = context;
    dumped->count++;
    dumped->in_order &= event->position == dumped->count && str_equal(event->type, S("t.u")) &&
                        str_equal(event->tenant, S("acme")) &&
                        event->version == (dumped->count + 1) / 2;
    return dumped->count != dumped->end_after;
}

TEST(a_dump_gives_every_event_in_order_and_ends_when_told)
{
    const char *directory = test_directory();
    make_store(directory);
    struct dumped dumped = {.in_order = true};
    CHECK_OK(als_dump(directory, S("acme"), dump_event, &dumped, NULL));
    CHECK_EQUAL(EVENTS, dumped.count);
    CHECK(dumped.in_order);
    dumped = (struct dumped){.in_order = true, .end_after = 3};
    CHECK_OK(als_dump(directory, S("acme"), dump_event, &dumped, NULL));
    CHECK_EQUAL(3, dumped.count);
}

TEST(a_dump_of_a_damaged_log_gives_what_is_before_the_damage)
{
    const char *directory = test_directory();
    make_store(directory);
    hash_of(directory, "acme");
    flip_byte(wal_file, find_text(wal_file, "to damage", 10));
    struct dumped dumped = {.in_order = true};
    CHECK_ERR(ALS_CORRUPT, als_dump(directory, S("acme"), dump_event, &dumped, NULL));
    CHECK_EQUAL(9, dumped.count);
    CHECK(dumped.in_order);
}

TEST(a_damaged_tenant_fails_alone)
{
    const char *directory = test_directory();
    make_store(directory);
    hash_of(directory, "acme");
    flip_byte(wal_file, find_text(wal_file, "to damage", 10));
    uint64_t before = hash_of(directory, NULL);
    AUTO(als) als = store_open(directory);
    CHECK_EQUAL(1, event_count(als, "other"));
    struct als_query query = ALS_QUERY_INIT;
    query.tenant = S("acme");
    AUTO(als_cursor) cursor = NULL;
    CHECK_ERR(ALS_CORRUPT, als_query_open(als, &query, &cursor, NULL));
    struct als_draft draft = draft_of("e", "t", "1");
    struct als_outcome outcome;
    CHECK_ERR(ALS_CORRUPT, append_to(als, "acme", &draft, 1, NULL, &outcome));
    als_close(MOVE(als));
    CHECK_EQUAL(before, hash_of(directory, NULL));
}

// ---- Indexes; what they become is tests/api/cli.py's business, and what a crash leaves
// tests/sim's.

struct told {
    int calls, ended, stop_at;
};

static bool count_told(void *context, const struct als_rebuilding *rebuilding)
{
    struct told *told = context;
    told->calls++;
    told->ended += rebuilding->ended;
    CHECK_EQUAL(ALS_OK, rebuilding->code);
    CHECK_EQUAL(rebuilding->files, rebuilding->ended ? rebuilding->files_done : rebuilding->files);
    return told->calls != told->stop_at;
}

TEST(making_indexes_anew_tells_the_end_of_each_tenant_and_ends_when_told_to)
{
    const char *directory = test_directory();
    make_store(directory);
    struct told all = {0}, first = {.stop_at = 1}, one = {0};
    CHECK_OK(als_rebuild_index(directory, als_text(NULL), count_told, &all, NULL));
    CHECK(all.ended == 2 && all.calls >= 2);
    CHECK_OK(als_rebuild_index(directory, als_text(NULL), count_told, &first, NULL));
    CHECK_EQUAL(1, first.calls);
    CHECK_OK(als_rebuild_index(directory, S("acme"), count_told, &one, NULL));
    CHECK_EQUAL(1, one.ended);
    CHECK_ERR(ALS_TENANT_NOT_FOUND,
              als_rebuild_index(directory, S("nobody"), count_told, &one, NULL));
    AUTO(als) als = NULL;
    CHECK_OK(als_open(directory, NULL, &als, NULL));
    CHECK_ERR(ALS_LOCKED, als_rebuild_index(directory, S("acme"), count_told, &one, NULL));
}
