// SPDX-License-Identifier: Apache-2.0
#include "wal/wal.h"

#include "os/os.h"
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
