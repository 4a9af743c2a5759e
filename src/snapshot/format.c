// SPDX-License-Identifier: Apache-2.0
// The bytes of docs/formats/snapshots.md. Checksums begin with the file's salt, so nothing that a
// client wrote, and no record of another file, passes for a record.
#include "snapshot/inside.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mutant.h"

#include <assert.h>
#include <stdio.h>

enum { FORMAT = 1, NUMBER_DIGITS = 16 };
static const char magic[8] = {'A', 'L', 'S', 'N', 'A', 'P', '\r', '\n'};

void file_head_encode(uint64_t number, uint64_t epoch, uint8_t bytes[static FILE_HEAD_BYTES])
{
    memset(bytes, 0, FILE_HEAD_BYTES);
    memcpy(bytes, magic, sizeof magic);
    store_le32(bytes + 8, FORMAT);
    store_le32(bytes + 12, FILE_HEAD_BYTES);
    store_le64(bytes + 16, number);
    store_le64(bytes + 24, epoch);
    store_le32(bytes + 60, crc32c(0, bytes, 60));
}

enum file_head file_head_decode(const uint8_t bytes[static FILE_HEAD_BYTES], uint64_t number,
                                uint32_t *ret_salt)
{
    if (memcmp(bytes, magic, sizeof magic) != 0 || load_le32(bytes + 60) != crc32c(0, bytes, 60))
        return FILE_HEAD_TORN;
    if (load_le32(bytes + 8) != FORMAT || load_le32(bytes + 12) != FILE_HEAD_BYTES ||
        load_le64(bytes + 16) != number)
        return FILE_HEAD_FOREIGN;
    *ret_salt = crc32c(0, bytes + 24, 8);
    return FILE_HEAD_GOOD;
}

size_t record_encode(const struct record *record, str json, uint32_t salt,
                     uint8_t bytes[static RECORD_TOP_BYTES_MAX])
{
    const struct snapshot *snapshot = &record->snapshot;
    const struct folded *folded = &snapshot->folded;
    assert(json.len == snapshot->json_len);
    memset(bytes, 0, RECORD_HEAD_BYTES);
    store_le32(bytes + 4, snapshot->json_len);
    store_le32(bytes + 8, crc32c(salt, json.ptr, json.len));
    bytes[12] = record->forget ? RECORD_FORGET : (uint8_t)snapshot->kind;
    bytes[13] = snapshot->entity_len;
    store_le64(bytes + 16, record->serial);
    memcpy(bytes + 24, snapshot->id.bytes, 16);
    store_le64(bytes + 40, folded->position);
    store_le64(bytes + 48, folded->version);
    store_le64(bytes + 56, folded->event_count);
    store_le64(bytes + 64, (uint64_t)folded->as_of_us);
    store_le64(bytes + 72, (uint64_t)folded->greatest_us);
    store_le64(bytes + 80, (uint64_t)snapshot->created_us);
    store_le64(bytes + 88, (uint64_t)folded->event_recorded_us);
    memcpy(bytes + 96, folded->event_id.bytes, 16);
    memcpy(bytes + RECORD_HEAD_BYTES, snapshot->entity, snapshot->entity_len);
    size_t len = RECORD_HEAD_BYTES + (size_t)snapshot->entity_len;
    store_le32(bytes, crc32c(salt, bytes + 4, len - 4));
    return len;
}

bool record_decode_top(const uint8_t *bytes, size_t len, uint32_t salt, struct record *ret_record)
{
    if (len < RECORD_HEAD_BYTES)
        return false;
    size_t top = RECORD_HEAD_BYTES + (size_t)bytes[13];
    if (bytes[13] == 0 || bytes[13] > ENTITY_BYTES_MAX || len < top)
        return false;
    if (load_le32(bytes) != crc32c(salt, bytes + 4, top - 4))
        return false;
    bool forget = bytes[12] == RECORD_FORGET;
    if ((!forget && bytes[12] >= SNAPSHOT_KINDS) || load_le32(bytes + 4) > INT32_MAX)
        return false;
    struct record record = {.serial = load_le64(bytes + 16),
                            .forget = forget,
                            .json_crc = load_le32(bytes + 8),
                            .snapshot = {.kind = forget ? 0 : bytes[12],
                                         .created_us = (int64_t)load_le64(bytes + 80),
                                         .json_len = load_le32(bytes + 4),
                                         .entity_len = bytes[13]}};
    record.snapshot.folded = (struct folded){.position = load_le64(bytes + 40),
                                             .version = load_le64(bytes + 48),
                                             .event_count = load_le64(bytes + 56),
                                             .as_of_us = (int64_t)load_le64(bytes + 64),
                                             .greatest_us = (int64_t)load_le64(bytes + 72),
                                             .event_recorded_us = (int64_t)load_le64(bytes + 88)};
    memcpy(record.snapshot.id.bytes, bytes + 24, 16);
    memcpy(record.snapshot.folded.event_id.bytes, bytes + 96, 16);
    memcpy(record.snapshot.entity, bytes + RECORD_HEAD_BYTES, bytes[13]);
    *ret_record = record;
    return true;
}

bool record_json_is_whole(const struct record *record, str json, uint32_t salt)
{
    return MUTANT(SNAPSHOT_CHECKSUM_IGNORED) ||
           (json.len == record->snapshot.json_len &&
            crc32c(salt, json.ptr, json.len) == record->json_crc);
}

str snapshot_file_name(uint64_t number, char space[static SNAPSHOT_NAME_MAX])
{
    int len = snprintf(space, SNAPSHOT_NAME_MAX, "%016llx.snap", (unsigned long long)number);
    return (str){space, (size_t)len};
}

bool snapshot_file_number(str name, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (name.len != NUMBER_DIGITS + 5 || !str_ends(name, S(".snap")))
        return false;
    for (size_t i = 0; i < NUMBER_DIGITS; i++) {
        char c = name.ptr[i];
        bool decimal = c >= '0' && c <= '9';
        if (!decimal && !(c >= 'a' && c <= 'f'))
            return false;
        number = number << 4 | (uint64_t)(decimal ? c - '0' : c - 'a' + 10);
    }
    *ret_number = number;
    return number != 0;
}
