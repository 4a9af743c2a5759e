// SPDX-License-Identifier: Apache-2.0
// Any bytes as the files of a log. The first byte says how they are laid out:
//
//   bit 0  checksums are made right, so that what lies behind them is reached
//   bit 1  the bytes are two files, half each, not one
//   bit 2  the last file is as long as a new one, with zeros behind the bytes
//
// Opening is refused with a reason, or it works: then the log takes a batch, and opening it again
// finds what the first opening found, and the batch.
#include "base/bytes.h"
#include "base/hash.h"
#include "sim.h"
#include "wal/wal.h"

#include <assert.h>
#include <stdlib.h>

enum { BYTES_MAX = 1 << 16, HEADER = 256, HEADER_CRC = 252, FRAME = 48 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct wal_options options = {
    .file_bytes = 4096, .batch_bytes_max = 4096, .label = {"default", 7}};

static void make_checksums_right(uint8_t *bytes, size_t size)
{
    if (size < HEADER)
        return;
    memcpy(bytes, "ALSWAL\r\n", 8);
    store_le32(bytes + HEADER_CRC, crc32c(0, bytes, HEADER_CRC));
    uint32_t salt = crc32c(0, bytes + 16, 8);
    for (size_t at = HEADER; at + FRAME <= size;) {
        uint64_t span = ((uint64_t)load_le32(bytes + at + 4) + 7) / 8 * 8;
        if (span < FRAME || span > size - at)
            break;
        store_le32(bytes + at, crc32c(salt, bytes + at + 4, span - 4));
        at += span;
    }
}

static void put_file(struct os *os, struct os_dir *dir, str name, str bytes, uint64_t length)
{
    struct os_file *file = NULL;
    err code = os->file_open(dir, name, OS_CREATE, &file, NULL);
    assert(code == ALS_OK);
    code = os_write_one(os, file, 0, bytes, NULL);
    assert(code == ALS_OK);
    if (length > bytes.len)
        code = os->file_truncate(file, length, NULL);
    assert(code == ALS_OK);
    os->file_close(file);
}

struct seen {
    uint64_t batches, hash;
};

static err see(void *context, const struct wal_batch *batch, struct als_why *why)
{
    (void)why;
    struct seen *seen = context;
    seen->batches++;
    seen->hash = hash_bytes(batch->body, batch->size, seen->hash ^ batch->number ^ batch->first);
    return ALS_OK;
}

static void go_on(struct os *os, struct os_dir *dir, struct wal *wal, struct seen *seen)
{
    struct wal_head head = wal_head(wal);
    struct wal_draft draft = {.first = head.position + 1, .count = 1, .body = S("more")};
    const uint8_t *kept = NULL;
    err code = wal_append(wal, head.batch, &draft, 1, true, &kept, NULL);
    assert(code == ALS_OK && memcmp(kept, "more", 4) == 0);
    struct wal_batch batch = {
        .number = head.batch + 1, .first = draft.first, .body = kept, .size = 4};
    code = see(seen, &batch, NULL);
    wal_close(wal);

    struct seen again = {};
    struct wal_report report;
    struct wal *second = NULL;
    code = wal_open(os, dir, options, see, &again, &report, &second, NULL);
    assert(code == ALS_OK && report.torn_bytes == 0 && !report.rewritten);
    assert(again.batches == seen->batches && again.hash == seen->hash);
    wal_close(second);
}

static void run(struct os *os, struct os_dir *dir)
{
    struct seen seen = {};
    struct wal_report report;
    struct wal *wal = NULL;
    struct wal_verdict verdict;
    struct als_why why = {""};
    err checked = wal_verify(os, dir, NULL, NULL, &verdict, &why);
    why.text[0] = '\0';
    err code = wal_open(os, dir, options, see, &seen, &report, &wal, &why);
    assert(checked != ALS_OK ||
           (verdict.finding == WAL_DAMAGED ? code == ALS_CORRUPT
                                           : code == ALS_OK || code == ALS_CORRUPT));
    assert(code == ALS_OK || why.text[0] != '\0');
    assert(code == ALS_OK || code == ALS_CORRUPT || code == ALS_FORMAT_TOO_NEW);
    if (code == ALS_OK)
        go_on(os, dir, wal, &seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > BYTES_MAX)
        return 0;
    uint8_t how = data[0];
    uint8_t *bytes = malloc(size);
    assert(bytes);
    memcpy(bytes, data + 1, size - 1);
    size_t first = how & 2 ? (size - 1) / 16 * 8 : size - 1;
    if (how & 1) {
        make_checksums_right(bytes, first);
        make_checksums_right(bytes + first, size - 1 - first);
    }
    AUTO(sim) sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir = NULL;
    err code = os->dir_open(os, NULL, S("wal"), true, &dir, NULL);
    assert(code == ALS_OK);
    uint64_t length = how & 4 ? options.file_bytes : 0;
    put_file(os, dir, S("0000000000000001.wal"), (str){(const char *)bytes, first},
             how & 2 ? 0 : length);
    if (how & 2)
        put_file(os, dir, S("0000000000000002.wal"),
                 (str){(const char *)bytes + first, size - 1 - first}, length);
    run(os, dir);
    os->dir_close(dir);
    free(bytes);
    return 0;
}
