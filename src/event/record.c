// SPDX-License-Identifier: Apache-2.0
// A batch:   i64 recorded_us, then records.
// A record:  at  0  u32 size of the record
//            at  4  u32 distance from the batch's first byte to this record
//            at  8  u8  length of the entity's name, 1 to 128
//            at  9  u8  length of the type's name, 1 to 128
//            at 10  u16 flags: which optional parts follow
//            at 12  u32 length of the payload
//            at 16  u64 version
//            at 24  i64 timestamp_us
//            at 32  16 bytes id
//            at 48  entity, type, payload, then the parts in the order of their flags:
//                   bit 0 metadata: u32 length, text      bit 1 schema version: u32
//                   bit 2 encryption key id: u32          bit 3 content hash: 32 bytes
// Names stand in every record, uninterned: a record is read without its neighbours, which is what
// a point read wants, and the columns of sealed segments fold the names anyway.
// The distance at 4 leads from a record to the moment that its batch shares.
#include "event/event.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "base/time.h"

#include <assert.h>

enum {
    AT_SIZE = 0,
    AT_OFFSET = 4,
    AT_ENTITY_LEN = 8,
    AT_TYPE_LEN = 9,
    AT_FLAGS = 10,
    AT_PAYLOAD_LEN = 12,
    AT_VERSION = 16,
    AT_TIMESTAMP = 24,
    AT_ID = 32,
};

enum {
    HAS_METADATA = 1 << 0,
    HAS_SCHEMA_VERSION = 1 << 1,
    HAS_KEY_ID = 1 << 2,
    HAS_HASH = 1 << 3,
    FLAGS_KNOWN = HAS_METADATA | HAS_SCHEMA_VERSION | HAS_KEY_ID | HAS_HASH,
};

enum { HASH_BYTES = 32 };

size_t record_size_max(const struct record_draft *draft, size_t payload_len, size_t metadata_len)
{
    return RECORD_HEAD_BYTES + draft->entity.len + draft->type.len + payload_len + 4 +
           metadata_len + 4;
}

uint8_t *record_begin(uint8_t *record, uint32_t offset, const struct record_draft *draft)
{
    assert(draft->entity.len <= ENTITY_BYTES_MAX && draft->type.len <= TYPE_BYTES_MAX);
    uint32_t flags = (draft->has_metadata ? HAS_METADATA : 0u) |
                     (draft->schema_version ? HAS_SCHEMA_VERSION : 0u);
    store_le32(record + AT_OFFSET, offset);
    record[AT_ENTITY_LEN] = (uint8_t)draft->entity.len;
    record[AT_TYPE_LEN] = (uint8_t)draft->type.len;
    store_le16(record + AT_FLAGS, (uint16_t)flags);
    store_le64(record + AT_VERSION, 0);
    record_set_timestamp(record, draft->timestamp_us);
    memcpy(record + AT_ID, draft->id.bytes, sizeof draft->id.bytes);
    uint8_t *at = record + RECORD_HEAD_BYTES;
    memcpy(at, draft->entity.ptr, draft->entity.len);
    at += draft->entity.len;
    memcpy(at, draft->type.ptr, draft->type.len);
    return at + draft->type.len;
}

static const uint8_t *payload_at(const uint8_t *record)
{
    return record + RECORD_HEAD_BYTES + record[AT_ENTITY_LEN] + record[AT_TYPE_LEN];
}

uint8_t *record_payload_done(uint8_t *record, size_t payload_len)
{
    store_le32(record + AT_PAYLOAD_LEN, (uint32_t)payload_len);
    uint8_t *end = record + (payload_at(record) - record) + payload_len;
    return load_le16(record + AT_FLAGS) & HAS_METADATA ? end + 4 : end;
}

uint32_t record_finish(uint8_t *record, size_t metadata_len, uint32_t schema_version)
{
    uint32_t flags = load_le16(record + AT_FLAGS);
    uint8_t *at = record + (payload_at(record) - record) + load_le32(record + AT_PAYLOAD_LEN);
    if (flags & HAS_METADATA) {
        store_le32(at, (uint32_t)metadata_len);
        at += 4 + metadata_len;
    }
    if (flags & HAS_SCHEMA_VERSION) {
        store_le32(at, schema_version);
        at += 4;
    }
    uint32_t size = (uint32_t)(at - record);
    store_le32(record + AT_SIZE, size);
    return size;
}

void batch_set_recorded(uint8_t *batch, int64_t recorded_us)
{
    store_le64(batch, (uint64_t)recorded_us);
}

void record_set_version(uint8_t *record, als_version version)
{
    store_le64(record + AT_VERSION, version);
}

void record_set_timestamp(uint8_t *record, int64_t timestamp_us)
{
    store_le64(record + AT_TIMESTAMP, (uint64_t)timestamp_us);
}

// Where the optional parts end, or NULL when they do not fit before `end`.
static const uint8_t *parts_end(const uint8_t *at, const uint8_t *end, uint32_t flags)
{
    if (flags & HAS_METADATA) {
        if (end - at < 4 || (size_t)(end - at) - 4 < load_le32(at))
            return NULL;
        at += 4 + load_le32(at);
    }
    size_t fixed = (flags & HAS_SCHEMA_VERSION ? 4u : 0u) + (flags & HAS_KEY_ID ? 4u : 0u) +
                   (flags & HAS_HASH ? (size_t)HASH_BYTES : 0u);
    return (size_t)(end - at) < fixed ? NULL : at + fixed;
}

static err record_check(const uint8_t *record, size_t left, uint32_t offset, struct als_why *why)
{
    if (left < RECORD_HEAD_BYTES)
        return FAIL(why, ALS_CORRUPT, "record at %u of a batch is cut", offset);
    uint32_t size = load_le32(record + AT_SIZE), flags = load_le16(record + AT_FLAGS);
    if (flags & ~(uint32_t)FLAGS_KNOWN)
        return FAIL(why, ALS_FORMAT_TOO_NEW,
                    "record at %u of a batch has parts (flags %#x) of a newer version", offset,
                    flags);
    uint64_t fixed = RECORD_HEAD_BYTES + (uint64_t)record[AT_ENTITY_LEN] + record[AT_TYPE_LEN] +
                     load_le32(record + AT_PAYLOAD_LEN);
    if (size > left || fixed > size || load_le32(record + AT_OFFSET) != offset)
        return FAIL(why, ALS_CORRUPT, "record at %u of a batch has impossible lengths", offset);
    if (record[AT_ENTITY_LEN] == 0 || record[AT_ENTITY_LEN] > ENTITY_BYTES_MAX ||
        record[AT_TYPE_LEN] == 0 || record[AT_TYPE_LEN] > TYPE_BYTES_MAX)
        return FAIL(why, ALS_CORRUPT, "record at %u of a batch has impossible names", offset);
    if (parts_end(record + fixed, record + size, flags) != record + size)
        return FAIL(why, ALS_CORRUPT, "record at %u of a batch has impossible parts", offset);
    int64_t timestamp_us = record_timestamp(record);
    if (timestamp_us < TIME_US_MIN || timestamp_us > TIME_US_MAX)
        return FAIL(why, ALS_CORRUPT, "record at %u of a batch has an impossible time", offset);
    return ALS_OK;
}

err batch_check(const uint8_t *batch, size_t size, uint32_t count, struct als_why *why)
{
    if (size < BATCH_HEAD_BYTES || size > UINT32_MAX)
        return FAIL(why, ALS_CORRUPT, "a batch of %zu bytes is impossible", size);
    uint32_t offset = BATCH_HEAD_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        TRY(record_check(batch + offset, size - offset, offset, why));
        offset += load_le32(batch + offset + AT_SIZE);
    }
    if (offset != size)
        return FAIL(why, ALS_CORRUPT, "a batch of %u events has %zu bytes behind the last", count,
                    size - offset);
    return ALS_OK;
}

const uint8_t *record_next(const uint8_t *record)
{
    return record + load_le32(record + AT_SIZE);
}

uint32_t record_offset(const uint8_t *record)
{
    return load_le32(record + AT_OFFSET);
}

als_id record_id(const uint8_t *record)
{
    als_id id;
    memcpy(id.bytes, record + AT_ID, sizeof id.bytes);
    return id;
}

str record_entity(const uint8_t *record)
{
    return (str){(const char *)record + RECORD_HEAD_BYTES, record[AT_ENTITY_LEN]};
}

str record_type(const uint8_t *record)
{
    return (str){(const char *)record + RECORD_HEAD_BYTES + record[AT_ENTITY_LEN],
                 record[AT_TYPE_LEN]};
}

als_version record_version(const uint8_t *record)
{
    return load_le64(record + AT_VERSION);
}

int64_t record_timestamp(const uint8_t *record)
{
    return (int64_t)load_le64(record + AT_TIMESTAMP);
}

void record_decode(const uint8_t *record, als_position position, struct als_event *ret_event)
{
    uint32_t flags = load_le16(record + AT_FLAGS);
    const uint8_t *payload = payload_at(record);
    str payload_text = {(const char *)payload, load_le32(record + AT_PAYLOAD_LEN)};
    const uint8_t *part = payload + payload_text.len;
    ret_event->position = position;
    ret_event->version = record_version(record);
    ret_event->id = record_id(record);
    ret_event->timestamp_us = record_timestamp(record);
    ret_event->recorded_us = (int64_t)load_le64(record - record_offset(record));
    ret_event->entity = record_entity(record);
    ret_event->type = record_type(record);
    ret_event->payload = payload_text;
    ret_event->metadata = (str){NULL, 0};
    if (flags & HAS_METADATA) {
        ret_event->metadata = (str){(const char *)part + 4, load_le32(part)};
        part += 4 + load_le32(part);
    }
    ret_event->schema_version = flags & HAS_SCHEMA_VERSION ? load_le32(part) : 0;
}
