// SPDX-License-Identifier: Apache-2.0
#include "wal/wal.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "os/os.h"
#include "sim.h"
#include "test.h"

static const struct wal_options small = {
    .file_bytes = 4096, .batch_bytes_max = 65536, .label = {"default", 7}};

struct seen {
    uint64_t batches;
    als_position position;
    uint64_t sum; // of all body bytes
};

static err see(void *context, const struct wal_batch *batch, struct als_why *why)
{
    struct seen *seen = context;
    if (batch->first != seen->position + 1)
        return FAIL(why, ALS_INTERNAL, "position %llu after %llu", (unsigned long long)batch->first,
                    (unsigned long long)seen->position);
    seen->batches++;
    seen->position += batch->count;
    for (size_t i = 0; i < batch->size; i++)
        seen->sum += batch->body[i];
    return ALS_OK;
}

TEST(wal_on_a_real_disk_hands_back_what_was_appended)
{
    struct os *os = os_posix();
    struct os_dir *dir = NULL;
    CHECK_OK(os->dir_open(os, NULL, str_of(test_directory()), true, &dir, NULL));
    struct wal_report report;
    struct als_why why = {""};
    als_position position = 0;
    uint64_t sum = 0;
    for (int round = 0; round < 4; round++) {
        struct seen seen = {};
        AUTO(wal) wal = NULL;
        err code = wal_open(os, dir, small, see, &seen, &report, &wal, &why);
        CHECK_STR(S(""), str_of(why.text));
        CHECK_OK(code);
        CHECK_EQUAL(position, seen.position);
        CHECK_EQUAL(sum, seen.sum);
        CHECK_EQUAL(position, wal_head(wal).position);
        char body[700];
        for (int i = 0; i < 50; i++) {
            size_t size = 1 + (size_t)(i * 13 % 700);
            memset(body, 'a' + i % 26, size);
            struct wal_draft draft = {
                .first = position + 1, .count = 3, .recorded_us = i, .body = {body, size}};
            const uint8_t *kept = NULL;
            CHECK_OK(wal_append(wal, wal_head(wal).batch, &draft, 1, i % 5 == 0, &kept, NULL));
            CHECK(memcmp(kept, body, size) == 0);
            position += 3;
            sum += size * (unsigned char)body[0];
        }
        CHECK_OK(wal_mark(wal, NULL));
        CHECK_EQUAL(position, wal_head(wal).durable);
    }
    CHECK(report.files > 10);
    struct wal_verdict verdict;
    CHECK_OK(wal_verify(os, dir, NULL, NULL, &verdict, NULL));
    CHECK_EQUAL(WAL_SOUND, verdict.finding);
    os->dir_close(dir);
}

// ---- On the simulated machine.

struct bench {
    struct sim *sim;
    struct os *os;
    struct os_dir *dir;
    struct wal *wal;
    struct wal_report report;
    struct seen seen;
    struct als_why why;
};

static err bench_open_with(struct bench *bench, struct sim *sim, struct wal_options options)
{
    *bench = (struct bench){.sim = sim, .os = sim_os(sim)};
    TRY(bench->os->dir_open(bench->os, NULL, S("wal"), true, &bench->dir, &bench->why));
    return wal_open(bench->os, bench->dir, options, see, &bench->seen, &bench->report, &bench->wal,
                    &bench->why);
}

static err bench_open(struct bench *bench, struct sim *sim)
{
    return bench_open_with(bench, sim, small);
}

static void bench_close(struct bench *bench)
{
    wal_close(bench->wal);
    bench->wal = NULL;
    bench->os->dir_close(bench->dir);
    bench->dir = NULL;
}

static err append(struct bench *bench, size_t size, bool sync, const uint8_t **ret_body)
{
    static char body[20000];
    memset(body, 'b', sizeof body);
    struct wal_head head = wal_head(bench->wal);
    struct wal_draft draft = {.first = head.position + 1, .count = 1, .body = {body, size}};
    return wal_append(bench->wal, head.batch, &draft, 1, sync, ret_body, &bench->why);
}

static void append_some(struct bench *bench, int count)
{
    const uint8_t *body;
    for (int i = 0; i < count; i++)
        CHECK_OK(append(bench, 100, true, &body));
}

struct calls {
    unsigned writes, syncs, others;
};

static void count_call(void *context, struct sim *sim, const char *call, str name)
{
    (void)sim, (void)name;
    struct calls *calls = context;
    if (strcmp(call, "write") == 0)
        calls->writes++;
    else if (strcmp(call, "sync") == 0)
        calls->syncs++;
    else
        calls->others++;
}

TEST(a_group_is_one_write_and_one_sync)
{
    AUTO(sim) sim = sim_new(1);
    struct bench bench;
    CHECK_OK(bench_open(&bench, sim));
    append_some(&bench, 1); // makes the file and fills it with zeros
    struct calls calls = {};
    sim_set_hook(sim, count_call, &calls);
    struct wal_draft drafts[10];
    const uint8_t *bodies[10];
    for (size_t i = 0; i < 10; i++)
        drafts[i] = (struct wal_draft){.first = 2 + i, .count = 1, .body = S("some body")};
    CHECK_OK(wal_append(bench.wal, 1, drafts, 10, true, bodies, NULL));
    sim_set_hook(sim, NULL, NULL);
    CHECK_EQUAL(1, calls.writes);
    CHECK_EQUAL(1, calls.syncs);
    CHECK_EQUAL(0, calls.others);
    CHECK_EQUAL(11, wal_head(bench.wal).durable);
    bench_close(&bench);
}

TEST(an_append_behind_another_batch_than_expected_is_fenced)
{
    AUTO(sim) sim = sim_new(1);
    struct bench bench;
    CHECK_OK(bench_open(&bench, sim));
    append_some(&bench, 2);
    struct wal_draft draft = {.first = 3, .count = 1, .body = S("x")};
    const uint8_t *body;
    CHECK_ERR(ALS_FENCED, wal_append(bench.wal, 1, &draft, 1, true, &body, NULL));
    CHECK_ERR(ALS_FENCED, wal_append(bench.wal, 3, &draft, 1, true, &body, NULL));
    CHECK_OK(wal_append(bench.wal, 2, &draft, 1, true, &body, NULL));
    bench_close(&bench);
}

TEST(a_group_that_is_larger_than_a_file_gets_a_longer_one)
{
    AUTO(sim) sim = sim_new(1);
    struct bench bench;
    const uint8_t *body;
    CHECK_OK(bench_open(&bench, sim));
    append_some(&bench, 1);
    CHECK_OK(append(&bench, 20000, true, &body));
    append_some(&bench, 1);
    CHECK_EQUAL(3, wal_stat(bench.wal).files);
    bench_close(&bench);
    CHECK_OK(bench_open(&bench, sim));
    CHECK_EQUAL(3, bench.seen.batches);
    bench_close(&bench);
}

TEST(after_a_failed_sync_nothing_is_taken_and_what_was_handed_out_stays)
{
    AUTO(sim) sim = sim_new(1);
    struct bench bench;
    const uint8_t *body = NULL, *none = NULL;
    CHECK_OK(bench_open(&bench, sim));
    CHECK_OK(append(&bench, 100, true, &body));
    sim_fail(sim, SIM_FAIL_SYNC, 1, ALS_STORAGE);
    CHECK_ERR(ALS_STORAGE_FAILED, append(&bench, 100, true, &none));
    CHECK(!none);
    CHECK(wal_head(bench.wal).failed);
    CHECK_EQUAL(1, wal_head(bench.wal).durable);

    struct calls calls = {};
    sim_set_hook(sim, count_call, &calls);
    CHECK_ERR(ALS_STORAGE_FAILED, append(&bench, 100, false, &none));
    CHECK_ERR(ALS_STORAGE_FAILED, wal_sync(bench.wal, NULL));
    CHECK_ERR(ALS_STORAGE_FAILED, wal_mark(bench.wal, NULL));
    CHECK_ERR(ALS_STORAGE_FAILED, wal_trim(bench.wal, 1, NULL));
    CHECK(body[0] == 'b' && body[99] == 'b');
    bench_close(&bench);
    CHECK_EQUAL(0, calls.writes + calls.syncs + calls.others);
    sim_set_hook(sim, NULL, NULL);

    // The page cache still has the batch, so it is served; but first it is made true.
    CHECK_OK(bench_open(&bench, sim));
    CHECK_EQUAL(2, bench.seen.batches);
    CHECK(bench.report.rewritten);
    AUTO(sim) after = sim_crash(sim, 1, SIM_DROP);
    bench_close(&bench);
    CHECK_OK(bench_open(&bench, after));
    CHECK_EQUAL(2, bench.seen.batches);
    bench_close(&bench);
}

// Fills the disk; returns how many batches it took.
static uint64_t fill(struct bench *bench)
{
    const uint8_t *body;
    err code;
    while ((code = append(bench, 100, true, &body)) == ALS_OK)
        ;
    CHECK_ERR(ALS_STORAGE_FULL, code);
    CHECK_ERR(ALS_STORAGE_FULL, append(bench, 3000, true, &body));
    CHECK(!wal_head(bench->wal).failed);
    return wal_head(bench->wal).position;
}

TEST(a_full_disk_refuses_restarts_and_goes_on_when_there_is_room)
{
    for (uint64_t capacity = 0; capacity < 60; capacity++) {
        AUTO(sim) sim = sim_new(capacity);
        struct bench bench;
        const uint8_t *body;
        sim_set_capacity(sim, 1 + capacity * 512);
        CHECK_OK(bench_open(&bench, sim));
        uint64_t taken = fill(&bench);
        CHECK(capacity < 1 || taken > 0);

        AUTO(sim) cut = sim_crash(sim, 1, SIM_DROP); // restarts while full
        bench_close(&bench);
        CHECK_OK(bench_open(&bench, cut));
        CHECK_EQUAL(taken, bench.seen.position);
        CHECK_ERR(ALS_STORAGE_FULL, append(&bench, 3000, true, &body));
        sim_set_capacity(cut, 0); // somebody has made room
        CHECK_OK(append(&bench, 3000, true, &body));
        bench_close(&bench);
        CHECK_OK(bench_open(&bench, cut));
        CHECK_EQUAL(taken + 1, bench.seen.position);
        bench_close(&bench);
    }
}

TEST(a_disk_that_is_filled_and_trimmed_again_and_again_loses_nothing)
{
    AUTO(sim) sim = sim_new(1);
    struct bench bench;
    sim_set_capacity(sim, 20'000);
    CHECK_OK(bench_open(&bench, sim));
    uint64_t before = 0;
    for (int round = 0; round < 20; round++) {
        uint64_t taken = fill(&bench);
        CHECK(taken > before);
        before = taken;
        CHECK_OK(wal_trim(bench.wal, taken, NULL));
        CHECK_EQUAL(1, wal_stat(bench.wal).files);
    }
    bench_close(&bench);
}

TEST(opening_and_closing_again_leaves_no_trace)
{
    AUTO(sim) sim = sim_new(1);
    struct bench bench;
    CHECK_OK(bench_open(&bench, sim));
    append_some(&bench, 5);
    bench_close(&bench);
    struct calls calls = {};
    for (int i = 0; i < 5; i++) {
        CHECK_OK(bench_open(&bench, sim));
        CHECK_EQUAL(5, bench.seen.batches);
        CHECK_EQUAL(0, bench.report.torn_bytes);
        CHECK(!bench.report.rewritten);
        CHECK_EQUAL(5, wal_head(bench.wal).batch);
        sim_set_hook(sim, count_call, &calls);
        CHECK_OK(wal_mark(bench.wal, NULL)); // there is nothing to say
        bench_close(&bench);
        sim_set_hook(sim, NULL, NULL);
    }
    CHECK_EQUAL(0, calls.writes + calls.syncs + calls.others);
}

TEST(opening_an_empty_log_makes_no_file)
{
    AUTO(sim) sim = sim_new(1);
    struct bench bench;
    CHECK_OK(bench_open(&bench, sim));
    CHECK_EQUAL(0, wal_head(bench.wal).batch);
    CHECK_EQUAL(0, wal_stat(bench.wal).files);
    CHECK_OK(wal_sync(bench.wal, NULL));
    CHECK_OK(wal_mark(bench.wal, NULL));
    CHECK_OK(wal_trim(bench.wal, 100, NULL));
    bench_close(&bench);
    CHECK_EQUAL(0, sim_space(sim));
}

TEST(without_sync_a_batch_is_not_durable_until_it_is_synced)
{
    AUTO(sim) sim = sim_new(1);
    struct bench bench;
    const uint8_t *body;
    CHECK_OK(bench_open(&bench, sim));
    CHECK_OK(append(&bench, 100, false, &body));
    CHECK_EQUAL(1, wal_head(bench.wal).position);
    CHECK_EQUAL(0, wal_head(bench.wal).durable);
    CHECK_OK(wal_sync(bench.wal, NULL));
    CHECK_EQUAL(1, wal_head(bench.wal).durable);
    uint64_t syncs = wal_stat(bench.wal).syncs;
    CHECK_OK(wal_sync(bench.wal, NULL)); // there is nothing to sync
    CHECK_EQUAL(syncs, wal_stat(bench.wal).syncs);
    bench_close(&bench);
}

TEST(the_log_syncs_by_itself_before_a_frame_could_no_longer_say_what_is_durable)
{
    struct wal_options large = {.file_bytes = 1 << 23, .batch_bytes_max = 100, .label = S("x")};
    AUTO(sim) sim = sim_new(1);
    struct bench bench;
    const uint8_t *body;
    CHECK_OK(bench_open_with(&bench, sim, large));
    // A log begins small: its last file is the first that holds more than one frame can count.
    for (int i = 0; i < 250'000; i++) {
        CHECK_OK(append(&bench, 1, false, &body));
        CHECK(wal_head(bench.wal).position - wal_head(bench.wal).durable <= 65'535);
    }
    CHECK_EQUAL(4, wal_stat(bench.wal).files);
    bench_close(&bench);
    CHECK_OK(bench_open_with(&bench, sim, large));
    CHECK_EQUAL(250'000, bench.seen.batches);
    bench_close(&bench);
}

TEST(trimming_removes_only_files_that_are_wholly_past)
{
    AUTO(sim) sim = sim_new(1);
    struct bench bench;
    CHECK_OK(bench_open(&bench, sim));
    append_some(&bench, 100); // 24 a file: 256 + 24 * 152 + 48
    CHECK_EQUAL(5, wal_stat(bench.wal).files);
    CHECK_OK(wal_trim(bench.wal, 23, NULL));
    CHECK_EQUAL(5, wal_stat(bench.wal).files);
    CHECK_OK(wal_trim(bench.wal, 24, NULL));
    CHECK_EQUAL(4, wal_stat(bench.wal).files);
    CHECK_OK(wal_trim(bench.wal, 1000, NULL));
    CHECK_EQUAL(1, wal_stat(bench.wal).files);
    bench_close(&bench);
    bench.seen.position = 0;
    struct wal_verdict verdict;
    CHECK_OK(bench.os->dir_open(bench.os, NULL, S("wal"), false, &bench.dir, NULL));
    struct seen seen = {.position = 96};
    CHECK_OK(wal_verify(bench.os, bench.dir, see, &seen, &verdict, NULL));
    CHECK_EQUAL(100, seen.position);
    bench.os->dir_close(bench.dir);
}

TEST(an_error_of_the_reader_ends_the_opening)
{
    AUTO(sim) sim = sim_new(1);
    struct bench bench;
    CHECK_OK(bench_open(&bench, sim));
    append_some(&bench, 3);
    bench_close(&bench);
    CHECK_OK(bench.os->dir_open(bench.os, NULL, S("wal"), false, &bench.dir, NULL));
    struct seen elsewhere = {.position = 7};
    CHECK_ERR(ALS_INTERNAL, wal_open(bench.os, bench.dir, small, see, &elsewhere, &bench.report,
                                     &bench.wal, &bench.why));
    CHECK_STR(S("position 1 after 7"), str_of(bench.why.text));
    CHECK(!bench.wal);
    bench.os->dir_close(bench.dir);
}

static void poke(struct bench *bench, str name, uint64_t offset, str bytes)
{
    struct os_file *file = NULL;
    CHECK_OK(bench->os->dir_open(bench->os, NULL, S("wal"), false, &bench->dir, NULL));
    CHECK_OK(bench->os->file_open(bench->dir, name, OS_READ_WRITE, &file, NULL));
    CHECK_OK(os_write_one(bench->os, file, offset, bytes, NULL));
    bench->os->file_close(file);
    bench->os->dir_close(bench->dir);
}

TEST(damage_is_named_by_file_and_byte_and_nothing_is_changed)
{
    AUTO(sim) sim = sim_new(1);
    struct bench bench;
    CHECK_OK(bench_open(&bench, sim));
    append_some(&bench, 60);
    bench_close(&bench);
    poke(&bench, S("0000000000000002.wal"), 256 + 3 * 152 + 60, S("?"));

    struct calls calls = {};
    sim_set_hook(sim, count_call, &calls);
    CHECK_OK(bench.os->dir_open(bench.os, NULL, S("wal"), false, &bench.dir, NULL));
    CHECK_ERR(ALS_CORRUPT, wal_open(bench.os, bench.dir, small, see, &bench.seen, &bench.report,
                                    &bench.wal, &bench.why));
    CHECK_STR(S("log file 0000000000000002.wal is damaged at byte 712: a batch that was durable "
                "when the next file was made; restore it from a backup"),
              str_of(bench.why.text));
    CHECK_EQUAL(0, calls.writes + calls.syncs + calls.others);

    struct seen seen = {};
    struct wal_verdict verdict;
    CHECK_OK(wal_verify(bench.os, bench.dir, see, &seen, &verdict, NULL));
    CHECK_EQUAL(WAL_DAMAGED, verdict.finding);
    CHECK_STR(S("0000000000000002.wal"), verdict.file);
    CHECK_EQUAL(712, verdict.offset);
    CHECK_EQUAL(27, seen.batches); // those before it
    bench.os->dir_close(bench.dir);
    sim_set_hook(sim, NULL, NULL);
}

TEST(a_torn_end_is_told_by_verify_and_cut_by_opening)
{
    AUTO(sim) sim = sim_new(1);
    struct bench bench;
    CHECK_OK(bench_open(&bench, sim));
    append_some(&bench, 2);
    bench_close(&bench);
    poke(&bench, S("0000000000000001.wal"), 256 + 2 * 152 + 48, S("half a batch"));

    CHECK_OK(bench.os->dir_open(bench.os, NULL, S("wal"), false, &bench.dir, NULL));
    struct wal_verdict verdict;
    CHECK_OK(wal_verify(bench.os, bench.dir, NULL, NULL, &verdict, NULL));
    CHECK_EQUAL(WAL_TORN, verdict.finding);
    CHECK_STR(S("0000000000000001.wal"), verdict.file);
    CHECK_EQUAL(256 + 2 * 152 + 48, verdict.offset);
    CHECK_EQUAL(12, verdict.report.torn_bytes);
    bench.os->dir_close(bench.dir);

    CHECK_OK(bench_open(&bench, sim));
    CHECK_EQUAL(12, bench.report.torn_bytes);
    CHECK_EQUAL(1, bench.report.torn_file);
    CHECK_EQUAL(2, bench.seen.batches);
    bench_close(&bench);
    CHECK_OK(bench_open(&bench, sim));
    CHECK_EQUAL(0, bench.report.torn_bytes);
    bench_close(&bench);
}

TEST(a_log_with_another_label_is_refused)
{
    struct wal_options other = small;
    other.label = S("other");
    AUTO(sim) sim = sim_new(1);
    struct bench bench;
    CHECK_OK(bench_open(&bench, sim));
    append_some(&bench, 1);
    bench_close(&bench);
    CHECK_ERR(ALS_CORRUPT, bench_open_with(&bench, sim, other));
    CHECK_STR(S("the log is that of 'default', not of 'other'"), str_of(bench.why.text));
    bench.os->dir_close(bench.dir);
}

TEST(a_file_of_a_newer_format_is_refused_as_such)
{
    AUTO(sim) sim = sim_new(1);
    struct bench bench;
    CHECK_OK(bench_open(&bench, sim));
    const uint8_t *body;
    CHECK_OK(append(&bench, 100, true, &body));
    uint8_t header[256];
    memcpy(header, body - 48 - 256, sizeof header);
    bench_close(&bench);
    store_le32(header + 8, 2);
    store_le32(header + 252, crc32c(0, header, 252));
    poke(&bench, S("0000000000000001.wal"), 0, (str){(const char *)header, sizeof header});
    CHECK_ERR(ALS_FORMAT_TOO_NEW, bench_open(&bench, sim));
    CHECK_STR(S("log file 0000000000000001.wal was written by a newer version, which must read it"),
              str_of(bench.why.text));
    bench.os->dir_close(bench.dir);
}

TEST(other_files_in_the_directory_are_left_alone)
{
    static const char *const names[] = {"readme",
                                        "1.wal",
                                        "000000000000000A.wal",
                                        "0000000000000000.wal",
                                        "0000000000000001.wal.bak",
                                        "0000000000000001-00.new"};
    AUTO(sim) sim = sim_new(1);
    struct bench bench;
    CHECK_OK(bench_open(&bench, sim));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct os_file *file = NULL;
        CHECK_OK(bench.os->file_open(bench.dir, str_of(names[i]), OS_CREATE, &file, NULL));
        bench.os->file_close(file);
    }
    append_some(&bench, 1);
    bench_close(&bench);
    CHECK_OK(bench_open(&bench, sim));
    CHECK_EQUAL(1, bench.seen.batches);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        CHECK_OK(bench.os->dir_unlink(bench.dir, str_of(names[i]), NULL));
    bench_close(&bench);
}
