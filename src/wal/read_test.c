// SPDX-License-Identifier: Apache-2.0
#include "wal/wal.h"

#include "os/os.h"
#include "test.h"

static const struct wal_options small = {
    .file_bytes = 4096, .batch_bytes_max = 65536, .label = {"default", 7}};

struct bench {
    struct os *os;
    struct os_dir *dir;
    struct wal *wal;
    als_position position;
};

static err pass(void *context, const struct wal_batch *batch, struct als_why *why)
{
    (void)context, (void)batch, (void)why;
    return ALS_OK;
}

static struct bench bench_open(void)
{
    struct bench bench = {.os = os_posix()};
    struct wal_report report;
    CHECK_OK(bench.os->dir_open(bench.os, NULL, str_of(test_directory()), true, &bench.dir, NULL));
    CHECK_OK(wal_open(bench.os, bench.dir, small, pass, NULL, &report, &bench.wal, NULL));
    bench.position = wal_head(bench.wal).position;
    return bench;
}

static void bench_close(struct bench *bench)
{
    wal_close(bench->wal);
    bench->os->dir_close(bench->dir);
}

static void append(struct bench *bench, uint32_t count, size_t size)
{
    char body[700];
    memset(body, 'a' + (int)(bench->position % 26), size);
    struct wal_draft draft = {.first = bench->position + 1, .count = count, .body = {body, size}};
    const uint8_t *kept = NULL;
    CHECK_OK(wal_append(bench->wal, wal_head(bench->wal).batch, &draft, 1, false, &kept, NULL));
    bench->position += count;
}

// Reads the range and returns how many batches it saw.
static uint64_t check_range(struct bench *bench, als_position after, als_position up_to)
{
    AUTO(wal_reader) reader = NULL;
    struct als_why why = {""};
    err code = wal_reader_open(bench->os, bench->dir, after, up_to, &reader, &why);
    CHECK_STR(S(""), str_of(why.text));
    CHECK_OK(code);
    struct wal_place place = wal_reader_start(reader);
    struct wal_batch batch;
    als_position position = after;
    uint64_t batches = 0;
    for (;;) {
        CHECK_OK(wal_reader_next(reader, &place, &batch, NULL));
        if (batch.count == 0)
            break;
        if (batches == 0)
            CHECK(batch.first <= after + 1 && batch.first + batch.count > after + 1);
        else
            CHECK_EQUAL(position + 1, batch.first);
        CHECK_EQUAL('a' + (int)((batch.first - 1) % 26), batch.body[0]);
        CHECK_EQUAL(batch.body[0], batch.body[batch.size - 1]);
        position = batch.first + batch.count - 1;
        batches++;
    }
    CHECK(position >= up_to);
    return batches;
}

TEST(a_reader_beside_the_writer_sees_every_range_of_the_log)
{
    struct bench bench = bench_open();
    for (uint32_t i = 0; i < 60; i++) {
        append(&bench, 1 + i % 3, 1 + i * 13 % 700);
        if (i % 7 == 0)
            CHECK_OK(wal_mark(bench.wal, NULL));
    }
    CHECK(wal_stat(bench.wal).files > 5);
    for (als_position after = 0; after < bench.position; after += 3)
        for (als_position up_to = after + 1; up_to <= bench.position; up_to += 5)
            CHECK(check_range(&bench, after, up_to) > 0);
    CHECK_EQUAL(0, check_range(&bench, bench.position, bench.position));
    bench_close(&bench);
}

TEST(a_reader_beside_the_writer_stops_at_its_position_while_more_is_appended)
{
    struct bench bench = bench_open();
    append(&bench, 2, 100);
    als_position seen = bench.position;
    AUTO(wal_reader) reader = NULL;
    CHECK_OK(wal_reader_open(bench.os, bench.dir, 0, seen, &reader, NULL));
    for (int i = 0; i < 20; i++)
        append(&bench, 2, 600);
    struct wal_place place = wal_reader_start(reader);
    struct wal_batch batch;
    CHECK_OK(wal_reader_next(reader, &place, &batch, NULL));
    CHECK_EQUAL(2, batch.count);
    CHECK_OK(wal_reader_next(reader, &place, &batch, NULL));
    CHECK_EQUAL(0, batch.count);
    bench_close(&bench);
}

TEST(a_reader_beside_the_writer_follows_a_log_that_was_reopened)
{
    for (int round = 0; round < 4; round++) {
        struct bench bench = bench_open();
        append(&bench, 1, 300);
        append(&bench, 1, 300);
        CHECK_OK(wal_mark(bench.wal, NULL));
        CHECK_EQUAL(bench.position, check_range(&bench, 0, bench.position));
        bench_close(&bench);
    }
}

TEST(a_reader_beside_the_writer_refuses_what_is_not_in_the_log)
{
    struct bench bench = bench_open();
    AUTO(wal_reader) empty = NULL;
    CHECK_OK(wal_reader_open(bench.os, bench.dir, 0, 0, &empty, NULL));
    struct wal_place place = wal_reader_start(empty);
    struct wal_batch batch;
    CHECK_OK(wal_reader_next(empty, &place, &batch, NULL));
    CHECK_EQUAL(0, batch.count);
    for (int i = 0; i < 30; i++)
        append(&bench, 1, 600);
    AUTO(wal_reader) beyond = NULL;
    CHECK_OK(wal_reader_open(bench.os, bench.dir, 29, 31, &beyond, NULL));
    place = wal_reader_start(beyond);
    CHECK_OK(wal_reader_next(beyond, &place, &batch, NULL));
    CHECK_ERR(ALS_CORRUPT, wal_reader_next(beyond, &place, &batch, NULL));
    CHECK_OK(wal_trim(bench.wal, 20, NULL));
    struct wal_reader *trimmed = NULL;
    CHECK_ERR(ALS_CORRUPT, wal_reader_open(bench.os, bench.dir, 0, 30, &trimmed, NULL));
    CHECK(check_range(&bench, 20, 30) > 0);
    bench_close(&bench);
}
