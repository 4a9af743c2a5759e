// SPDX-License-Identifier: Apache-2.0
#include "segment/format.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "base/own.h"
#include "segment/parquet.h"
#include "segment/segment.h"

#include <assert.h>

#define COLUMN(text, its_kind, its_meaning)                                                        \
    .name = {text, sizeof(text) - 1}, .kind = its_kind, .meaning = its_meaning

const struct column columns[COLUMNS] = {
    [COLUMN_POSITION] = {COLUMN("position", KIND_INTEGER, MEANS_UINT64), .ranged = true},
    [COLUMN_ENTITY] = {COLUMN("entity_id", KIND_NAME, MEANS_UTF8), .ranged = true, .bloom = true},
    [COLUMN_VERSION] = {COLUMN("version", KIND_INTEGER, MEANS_UINT64), .ranged = true},
    [COLUMN_TYPE] = {COLUMN("event_type", KIND_NAME, MEANS_UTF8), .ranged = true, .bloom = true},
    [COLUMN_ID] = {COLUMN("id", KIND_ID, MEANS_UUID), .bloom = true},
    [COLUMN_TIMESTAMP] = {COLUMN("timestamp", KIND_INTEGER, MEANS_MICROS), .ranged = true},
    [COLUMN_RECORDED] = {COLUMN("recorded_at", KIND_INTEGER, MEANS_MICROS), .ranged = true},
    [COLUMN_PAYLOAD] = {COLUMN("payload", KIND_TEXT, MEANS_JSON)},
    [COLUMN_METADATA] = {COLUMN("metadata", KIND_TEXT, MEANS_JSON), .optional = true},
    [COLUMN_SCHEMA_VERSION] = {COLUMN("schema_version", KIND_NARROW, MEANS_UINT32), .ranged = true},
    [COLUMN_HASH] = {COLUMN("hash", KIND_HASH, MEANS_UINT64)},
};

int column_type(const struct column *column)
{
    static const int types[] = {
        [KIND_INTEGER] = PARQUET_INT64,   [KIND_NARROW] = PARQUET_INT32,
        [KIND_NAME] = PARQUET_BYTE_ARRAY, [KIND_ID] = PARQUET_FIXED,
        [KIND_HASH] = PARQUET_INT64,      [KIND_TEXT] = PARQUET_BYTE_ARRAY,
    };
    return types[column->kind];
}

void facts_count(struct segment_facts *facts, const struct als_event *event)
{
    if (facts->rows++ == 0) {
        facts->first = event->position;
        facts->least_us = facts->greatest_us = event->timestamp_us;
        facts->recorded_first_us = event->recorded_us;
    }
    facts->last = event->position;
    facts->recorded_last_us = event->recorded_us;
    if (event->timestamp_us < facts->least_us)
        facts->least_us = event->timestamp_us;
    if (event->timestamp_us > facts->greatest_us)
        facts->greatest_us = event->timestamp_us;
    facts->new_entities += event->version == 1;
    facts->raw_bytes +=
        event->entity.len + event->type.len + event->payload.len + event->metadata.len;
}

int value_compare(const struct column *column, str a, str b)
{
    if (column->meaning == MEANS_UTF8)
        return str_compare(a, b);
    if (column->kind == KIND_NARROW) {
        uint32_t x = load_le32(a.ptr), y = load_le32(b.ptr);
        return (x > y) - (x < y);
    }
    uint64_t flip = column->meaning == MEANS_MICROS ? UINT64_C(1) << 63 : 0;
    uint64_t x = load_le64(a.ptr) ^ flip, y = load_le64(b.ptr) ^ flip;
    return (x > y) - (x < y);
}

// Flipping the top bit of signed values puts them into the order of unsigned ones.
struct number_range number_range_of(const uint64_t *values, size_t count,
                                    const struct column *column)
{
    uint64_t flip = column->meaning == MEANS_MICROS ? UINT64_C(1) << 63 : 0;
    uint64_t least = UINT64_MAX, greatest = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t value = values[i] ^ flip;
        least = value < least ? value : least;
        greatest = value > greatest ? value : greatest;
    }
    return (struct number_range){least ^ flip, greatest ^ flip};
}

enum { ROW_HEAD = 64 };

// The texts go in as seeds, so that only what is short is copied.
uint64_t row_hash(const struct als_event *event)
{
    uint8_t row[ROW_HEAD + ENTITY_BYTES_MAX + TYPE_BYTES_MAX];
    assert(event->entity.len <= ENTITY_BYTES_MAX && event->type.len <= TYPE_BYTES_MAX);
    store_le64(row, event->position);
    store_le64(row + 8, event->version);
    store_le64(row + 16, (uint64_t)event->timestamp_us);
    store_le64(row + 24, (uint64_t)event->recorded_us);
    memcpy(row + 32, event->id.bytes, sizeof event->id.bytes);
    store_le32(row + 48, event->schema_version);
    store_le16(row + 52, (uint16_t)event->entity.len);
    store_le16(row + 54, (uint16_t)event->type.len);
    store_le32(row + 56, (uint32_t)event->payload.len);
    store_le32(row + 60, (uint32_t)event->metadata.len);
    size_t len = ROW_HEAD;
    memcpy(row + len, event->entity.ptr, event->entity.len);
    len += event->entity.len;
    memcpy(row + len, event->type.ptr, event->type.len);
    len += event->type.len;
    uint64_t seed = hash_bytes(event->payload.ptr, event->payload.len, 0);
    if (event->metadata.len)
        seed = hash_bytes(event->metadata.ptr, event->metadata.len, seed);
    return hash_bytes(row, len, seed);
}

uint64_t hashes_digest(uint64_t digest, const uint64_t *hashes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        digest = (digest << 23 | digest >> 41) ^ hashes[i];
        digest *= UINT64_C(0x9e3779b97f4a7c15); // odd: no two digests become one
    }
    return digest;
}

uint64_t footer_seal(const uint8_t *footer, size_t size, size_t seal_at)
{
    static const char zeros[SEAL_DIGITS] = "0000000000000000";
    uint64_t hash = hash_bytes(footer, seal_at, size);
    hash = hash_bytes(zeros, SEAL_DIGITS, hash);
    return hash_bytes(footer + seal_at + SEAL_DIGITS, size - seal_at - SEAL_DIGITS, hash);
}
