// SPDX-License-Identifier: Apache-2.0
// Any bytes as a segment. The first byte says how the file is made:
//
//   bit 0  the bytes are edits (two of place, one of value) of a sound segment, not the file itself
//   bit 1  checksums of pages are made right again
//   bit 2  checksums of row groups and the seal are made right again
//
// so that what lies behind the checksums is reached. Opening, verifying, reading each row, scanning
// and importing work or give a reason, and what one of them refuses is never half done.
#include "base/bytes.h"
#include "base/hash.h"
#include "base/rand.h"
#include "segment/bits.h"
#include "segment/crc.h"
#include "segment/inside.h"
#include "segment/segment.h"
#include "sim.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { BYTES_MAX = 1 << 18, ROWS = 60, ROWS_READ = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// ---- A sound segment.

static void add_rows(struct segment_writer *writer)
{
    struct rand rand = {1};
    struct als_event event = {};
    for (int i = 0; i < ROWS; i++) {
        char entity[16], payload[64];
        int entity_len = snprintf(entity, sizeof entity, "entity-%d", i % 7);
        int payload_len = snprintf(payload, sizeof payload, "{\"n\":%llu,\"same\":\"text\"}",
                                   (unsigned long long)rand_below(&rand, 1000000));
        event.position += 1 + rand_below(&rand, 2);
        event.version = (als_version)i / 7 + 1;
        event.timestamp_us = (int64_t)rand_below(&rand, 1000000000);
        event.id.bytes[0] = (uint8_t)i;
        event.entity = (str){entity, (size_t)entity_len};
        event.type = S("type");
        event.payload = (str){payload, (size_t)payload_len};
        event.metadata = i % 3 ? S("{}") : (str){};
        err code = segment_writer_add(writer, &event, NULL);
        assert(code == ALS_OK);
    }
}

static str sound_segment(struct os *os, struct os_dir *dir)
{
    struct segment_writer *writer = NULL;
    struct segment_facts facts;
    struct segment_write_options options = {.tenant = S("t")};
    err code = segment_writer_open(os, dir, S("sound"), options, &writer, NULL);
    assert(code == ALS_OK);
    add_rows(writer);
    code = segment_writer_finish(writer, &facts, NULL);
    assert(code == ALS_OK);
    segment_writer_close(writer);
    struct os_file *file = NULL;
    char *bytes = malloc(facts.bytes);
    size_t got = 0;
    code = os->file_open(dir, S("sound"), OS_READ, &file, NULL);
    assert(code == ALS_OK && bytes);
    code = os->file_read(file, 0, bytes, facts.bytes, &got, NULL);
    assert(code == ALS_OK && got == facts.bytes);
    os->file_close(file);
    return (str){bytes, got};
}

// ---- Making checksums right.

// The checksum is the fourth number of the header; it is put into as many bytes as it has.
static void repair_page(uint8_t *at, const uint8_t *end)
{
    struct parquet_page page;
    const uint8_t *body = parquet_take_page(at, end, &page);
    if (!body || page.stored_bytes > (uint64_t)(end - body) || !page.has_crc)
        return;
    for (int field = 0; field < 3; field++)
        for (at++; *at++ >= 0x80;)
            ;
    int32_t crc = (int32_t)crc32_of(body, page.stored_bytes);
    uint64_t value = (uint64_t)(int64_t)crc << 1 ^ (uint64_t)((int64_t)crc >> 63);
    for (at++; *at >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at = (uint8_t)(value & 0x7f);
}

static void repair_chunk(str bytes, const struct parquet_chunk *chunk)
{
    uint8_t *file = (uint8_t *)(uintptr_t)bytes.ptr;
    if (chunk->offset_index_offset > bytes.len ||
        chunk->offset_index_bytes > bytes.len - chunk->offset_index_offset)
        return;
    struct thrift_in in = {file + chunk->offset_index_offset,
                           file + chunk->offset_index_offset + chunk->offset_index_bytes, false};
    uint32_t count = parquet_take_places(&in);
    struct parquet_place place;
    for (uint32_t i = 0; i < count && parquet_take_place(&in, &place); i++)
        if (place.offset <= bytes.len && place.bytes <= bytes.len - place.offset)
            repair_page(file + place.offset, file + place.offset + place.bytes);
    if (chunk->dictionary_offset && chunk->dictionary_offset < chunk->data_offset &&
        chunk->data_offset <= bytes.len)
        repair_page(file + chunk->dictionary_offset, file + chunk->data_offset);
}

static void put_hex(str bytes, str key, size_t skip, uint64_t value)
{
    char *at = memmem(bytes.ptr, bytes.len, key.ptr, key.len);
    char digits[SEAL_DIGITS + 1];
    (void)snprintf(digits, sizeof digits, "%016llx", (unsigned long long)value);
    if (at && (size_t)(bytes.ptr + bytes.len - at) >= key.len + 2 + skip + SEAL_DIGITS)
        memcpy(at + key.len + 2 + skip, digits, SEAL_DIGITS);
}

static void repair(str bytes, uint8_t how)
{
    static struct parquet_group group;
    const uint8_t *file = (const uint8_t *)bytes.ptr;
    uint64_t footer_bytes = load_le32(file + bytes.len - FOOTER_TAIL);
    struct parquet_footer parts;
    if (footer_bytes > bytes.len - FOOTER_TAIL - 4)
        return;
    uint64_t footer_at = bytes.len - FOOTER_TAIL - footer_bytes;
    if (!parquet_take_footer(file + footer_at, footer_bytes, &parts) ||
        !parquet_take_group(&parts.groups, &group) || group.column_count != COLUMNS)
        return;
    for (uint32_t i = 0; i < group.column_count && how & 2; i++)
        repair_chunk(bytes, &group.chunks[i]);
    uint64_t indexes = group.chunks[0].offset_index_offset;
    if (!(how & 4) || indexes > footer_at)
        return;
    put_hex(bytes, KEY_CHECKS, 0, hash_bytes(file + 4, footer_at - 4, 0));
    put_hex(bytes, KEY_CHECKS, 16, hash_bytes(file + indexes, footer_at - indexes, 0));
    const uint8_t *seal = memmem(file, bytes.len, KEY_SEAL.ptr, KEY_SEAL.len);
    if (seal && seal > file + footer_at)
        put_hex(bytes, KEY_SEAL, 0,
                footer_seal(file + footer_at, bytes.len - footer_at,
                            (size_t)(seal - file) - footer_at + KEY_SEAL.len + 2));
}

// ---- Reading.

static void check_code(err code, const struct als_why *why)
{
    assert(code == ALS_OK || code == ALS_CORRUPT || code == ALS_FORMAT_TOO_NEW ||
           code == ALS_NO_MEMORY);
    assert(code == ALS_OK || why->text[0] != '\0');
}

// Whatever is guessed, the answer is the same.
static void read_row(struct segment_reader *reader, struct segment *segment, uint32_t row)
{
    static const struct segment_guess guess = {.entity = {"user-1", 6}, .version = 1};
    struct als_event event = {}, other = {};
    struct als_why why = {""};
    err code = segment_read(reader, segment, row, NULL, &event, &why);
    check_code(code, &why);
    uint64_t hash = code == ALS_OK ? row_hash(&event) : 0;
    err other_code = segment_read(reader, segment, row, &guess, &other, &why);
    check_code(other_code, &why);
    assert(code != ALS_OK || other_code != ALS_OK || hash == row_hash(&other));
}

static void read_rows(struct segment *segment)
{
    struct segment_reader *reader = segment_reader_new();
    struct als_why why = {""};
    assert(reader);
    for (uint32_t row = 0; row < ROWS_READ && row < segment_facts(segment)->rows; row++)
        read_row(reader, segment, row);
    segment_reader_free(reader);
    uint32_t row;
    check_code(segment_row_of(segment, segment_facts(segment)->last, &row, &why), &why);
}

static void scan_rows(struct segment *segment)
{
    struct segment_scan *scan = segment_scan_new();
    struct segment_block block;
    struct als_why why = {""};
    assert(scan);
    segment_scan_begin(scan, segment, SEGMENT_ALL, 0);
    err code;
    uint64_t rows = 0, bytes = 0;
    do {
        code = segment_scan_next(scan, &block, &why);
        check_code(code, &why);
        for (uint32_t i = 0; code == ALS_OK && i < block.count; i++) {
            bytes += hash_bytes(block.payloads[i].ptr, block.payloads[i].len, 0) & 1;
            bytes += block.entity_names[block.entities[i]].len;
            bytes += block.type_names[block.types[i]].len + block.ids[i].bytes[15];
        }
        rows += code == ALS_OK ? block.count : 0;
    } while (code == ALS_OK && block.count > 0);
    assert(rows <= segment_facts(segment)->rows && bytes < UINT64_MAX);
    segment_scan_free(scan);
}

static err count_event(void *context, const struct als_event *event, struct als_why *why)
{
    (void)why;
    uint64_t *sum = context;
    *sum += hash_bytes(event->payload.ptr, event->payload.len, event->entity.len) & 1;
    return ALS_OK;
}

static void import_rows(struct os *os, struct os_dir *dir)
{
    uint64_t sum = 0;
    struct als_why why = {""};
    err code = segment_import(os, dir, S("s"), count_event, &sum, &why);
    check_code(code == ALS_UNSUPPORTED ? ALS_CORRUPT : code, &why);
}

static void open_and_read(struct os *os, struct os_dir *dir, str bytes)
{
    struct os_file *file = NULL;
    err code = os->file_open(dir, S("s"), OS_CREATE, &file, NULL);
    assert(code == ALS_OK);
    code = os_write_one(os, file, 0, bytes, NULL);
    assert(code == ALS_OK);
    os->file_close(file);
    struct segment_cache *cache = segment_cache_new(MIB(1));
    struct segment *segment = NULL;
    struct als_why why = {""};
    assert(cache);
    code = segment_open(os, dir, S("s"), cache, &segment, &why);
    check_code(code, &why);
    if (code == ALS_OK) {
        check_code(segment_verify(segment, NULL, NULL, &why), &why);
        read_rows(segment);
        scan_rows(segment);
        segment_close(segment);
    }
    segment_cache_free(cache);
    import_rows(os, dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > BYTES_MAX)
        return 0;
    struct sim *sim = sim_new(1);
    struct os *os = sim_os(sim);
    struct os_dir *dir = NULL;
    err code = os->dir_open(os, NULL, S("segments"), true, &dir, NULL);
    assert(code == ALS_OK);
    uint8_t how = data[0];
    str bytes = {};
    if (how & 1) {
        bytes = sound_segment(os, dir);
        for (size_t i = 1; i + 3 <= size; i += 3)
            ((char *)(uintptr_t)bytes.ptr)[load_le16(data + i) % bytes.len] = (char)data[i + 2];
    } else {
        char *copy = malloc(size);
        assert(copy);
        memcpy(copy, data + 1, size - 1);
        bytes = (str){copy, size - 1};
    }
    if (bytes.len >= FILE_BYTES_MIN)
        repair(bytes, how);
    open_and_read(os, dir, bytes);
    free((char *)(uintptr_t)bytes.ptr);
    os->dir_close(dir);
    sim_free(sim);
    return 0;
}
