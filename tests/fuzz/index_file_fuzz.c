// SPDX-License-Identifier: Apache-2.0
// Any bytes as the index beside a segment. The first byte says how they are laid out:
//
//   bit 0  the header's fixed parts, the file's length and all checksums are made right, so that
//          what lies behind them is reached
//
// Opening is refused with a reason, or it works: then every lookup gives something that lies within
// the file's bounds or is refused, too, and what verifies finds all its own names.
#include "base/bytes.h"
#include "base/hash.h"
#include "index/index.h"
#include "sim.h"

#include <assert.h>
#include <stdlib.h>

enum { BYTES_MAX = 1 << 16, HEADER = 256, HEADER_CRC = 252, BLOCK = 4096, KEYS = 3, KINDS = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t identity[16] = "the segment's 16";

// Where the checksums begin and the file ends, by the counts of the header, as the format's page
// says. False when that is more than a small file.
static bool length_of(const uint8_t *bytes, size_t *ret_checks, size_t *ret_end)
{
    uint64_t rows = load_le64(bytes + 32), at = HEADER, sizes[KEYS * 2 + KINDS * 3];
    size_t count = 0;
    for (int key = 0; key < KEYS; key++)
        sizes[count++] = load_le64(bytes + 72 + 8 * key) * 32;
    for (int key = 0; key < KEYS; key++)
        sizes[count++] = load_le64(bytes + 96 + 8 * key) * 8;
    for (int kind = 0; kind < KINDS; kind++)
        sizes[count++] = load_le64(bytes + 40 + 8 * kind) * 40;
    for (int kind = 0; kind < KINDS; kind++)
        sizes[count++] = load_le64(bytes + 56 + 8 * kind);
    for (int kind = 0; kind < KINDS; kind++)
        sizes[count++] = rows * 4;
    for (size_t i = 0; i < count; i++) {
        if (sizes[i] > BYTES_MAX)
            return false;
        at = (at + sizes[i] + 63) / 64 * 64;
    }
    *ret_checks = at;
    *ret_end = at + (at + BLOCK - 1) / BLOCK * 8;
    return true;
}

// Gives the bytes as a file whose checksums are right; NULL when its counts are out of the
// question.
static uint8_t *make_right(const uint8_t *data, size_t size, size_t *ret_size)
{
    size_t checks, end;
    if (size < HEADER || !length_of(data, &checks, &end))
        return NULL;
    uint8_t *bytes = calloc(1, end);
    assert(bytes);
    memcpy(bytes, data, size < end ? size : end);
    memcpy(bytes, "ALSIDX\r\n", 8);
    store_le32(bytes + 8, 1);
    store_le32(bytes + 12, HEADER);
    memcpy(bytes + 16, identity, sizeof identity);
    store_le64(bytes + 112 + 8, end);
    store_le32(bytes + HEADER_CRC, crc32c(0, bytes, HEADER_CRC));
    uint64_t seed = hash_bytes(identity, sizeof identity, 0);
    for (size_t block = 0; block * BLOCK < checks; block++) {
        size_t left = checks - block * BLOCK;
        uint64_t check =
            hash_bytes(bytes + block * BLOCK, left < BLOCK ? left : BLOCK, seed + KEYS + block);
        store_le64(bytes + checks + 8 * block, check);
    }
    *ret_size = end;
    return bytes;
}

static void expect(err code, const struct als_why *why)
{
    assert(code == ALS_OK || (code == ALS_CORRUPT && why->text[0]));
}

static void walk(const struct index_rows *rows, struct als_why *why)
{
    for (uint32_t n = 0; n < rows->count; n++) {
        uint32_t row = 0, up_to = 0;
        expect(index_row(rows, n, &row, why), why);
        err code = index_rows_to(rows, row, &up_to, why);
        expect(code, why);
        assert(code != ALS_OK || up_to <= rows->count);
    }
}

static void ask_names(struct index_file *file, enum index_by by, bool sound, struct als_why *why)
{
    uint32_t count = index_file_names(file, by), number = 0;
    for (uint32_t n = 0; n < count; n++) {
        struct index_rows rows = {.count = 0}, found = {.count = 0};
        err code = index_file_name(file, by, n, &rows, why);
        expect(code, why);
        if (code != ALS_OK)
            continue;
        walk(&rows, why);
        code = index_file_find(file, by, rows.name, &found, why);
        expect(code, why);
        assert(!sound || (code == ALS_OK && found.at == rows.at && found.count == rows.count));
        code = index_file_seek(file, by, rows.name, &number, why);
        expect(code, why);
        assert(!sound || (code == ALS_OK && number == n));
    }
    struct index_rows rows;
    expect(index_file_find(file, by, S("absent"), &rows, why), why);
    expect(index_file_seek(file, by, S("m"), &number, why), why);
}

static void ask(struct index_file *file)
{
    struct als_why why = {""};
    err code = index_file_verify(file, &why);
    expect(code, &why);
    ask_names(file, INDEX_ENTITY, code == ALS_OK, &why);
    ask_names(file, INDEX_TYPE, code == ALS_OK, &why);
    for (uint8_t n = 0; n < 64; n++) {
        uint32_t rows[4];
        size_t found = 0;
        als_id id = {{n}};
        expect(index_file_find_id(file, id, rows, COUNT_OF(rows), &found, &why), &why);
        assert(found <= COUNT_OF(rows));
    }
}

static void put_file(struct os *os, struct os_dir *dir, str bytes)
{
    struct os_file *file = NULL;
    err code = os->file_open(dir, S("1.idx"), OS_CREATE, &file, NULL);
    assert(code == ALS_OK);
    code = os_write_one(os, file, 0, bytes, NULL);
    assert(code == ALS_OK);
    os->file_close(file);
}

static void run(str bytes)
{
    AUTO(sim) sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir = NULL;
    err code = os->dir_open(os, NULL, S("segments"), true, &dir, NULL);
    assert(code == ALS_OK);
    put_file(os, dir, bytes);
    struct als_why why = {""};
    struct index_file *file = NULL;
    code = index_file_open(os, dir, S("1.idx"), identity, &file, &why);
    assert(code == ALS_OK || code == ALS_CORRUPT || code == ALS_FORMAT_TOO_NEW);
    assert(code == ALS_OK || why.text[0]);
    if (code == ALS_OK)
        ask(file);
    index_file_close(file);
    os->dir_close(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > BYTES_MAX)
        return 0;
    size_t length = size - 1;
    uint8_t *made = data[0] & 1 ? make_right(data + 1, size - 1, &length) : NULL;
    if (made || !(data[0] & 1))
        run((str){made ? (const char *)made : (const char *)data + 1, length});
    free(made);
    return 0;
}
