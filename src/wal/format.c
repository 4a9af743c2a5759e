// SPDX-License-Identifier: Apache-2.0
// The frame's checksum covers everything of it behind the checksum itself, padding included. The
// hash that chains frames is XXH3-64 of the encoded header, seeded with XXH3-64 of the body: two
// pieces, so that neither writing nor reading has to copy them together.
#include "wal/format.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mutant.h"

static const char magic[8] = {'A', 'L', 'S', 'W', 'A', 'L', '\r', '\n'};

enum { // offsets in a file's header
    AT_FORMAT = 8,
    AT_HEADER_BYTES = 12,
    AT_LOG = 16,
    AT_FILE = 24,
    AT_EPOCH = 32,
    AT_FIRST_BATCH = 40,
    AT_DURABLE = 48,
    AT_FIRST_POSITION = 56,
    AT_PREVIOUS = 64,
    AT_CREATED = 72,
    AT_FILE_SIZE = 80,
    AT_LABEL_SIZE = 88,
    AT_LABEL = 89,
    AT_RESERVED = AT_LABEL + WAL_LABEL_MAX,
    AT_HEADER_CRC = 252,
};
static_assert(AT_RESERVED <= AT_HEADER_CRC, "the label runs into the checksum");

void wal_header_encode(const struct wal_header *header, uint8_t bytes[static WAL_HEADER_BYTES])
{
    assert(header->label_size <= WAL_LABEL_MAX);
    memset(bytes, 0, WAL_HEADER_BYTES);
    memcpy(bytes, magic, sizeof magic);
    store_le32(bytes + AT_FORMAT, WAL_FORMAT);
    store_le32(bytes + AT_HEADER_BYTES, WAL_HEADER_BYTES);
    store_le64(bytes + AT_LOG, header->log);
    store_le64(bytes + AT_FILE, header->file);
    store_le64(bytes + AT_EPOCH, header->epoch);
    store_le64(bytes + AT_FIRST_BATCH, header->before.batch + 1);
    store_le64(bytes + AT_DURABLE, header->durable);
    store_le64(bytes + AT_FIRST_POSITION, header->before.position + 1);
    store_le64(bytes + AT_PREVIOUS, header->before.hash);
    store_le64(bytes + AT_CREATED, (uint64_t)header->created_us);
    store_le64(bytes + AT_FILE_SIZE, header->size);
    bytes[AT_LABEL_SIZE] = header->label_size;
    memcpy(bytes + AT_LABEL, header->label, header->label_size);
    store_le32(bytes + AT_HEADER_CRC, crc32c(0, bytes, AT_HEADER_CRC));
}

enum wal_header_state wal_header_decode(const uint8_t bytes[static WAL_HEADER_BYTES],
                                        struct wal_header *ret_header)
{
    if (memcmp(bytes, magic, sizeof magic) != 0)
        return WAL_HEADER_BAD;
    if (load_le32(bytes + AT_HEADER_CRC) != crc32c(0, bytes, AT_HEADER_CRC) &&
        !MUTANT(HEADER_CHECKSUM_IGNORED))
        return WAL_HEADER_BAD;
    if (load_le32(bytes + AT_FORMAT) > WAL_FORMAT)
        return WAL_HEADER_TOO_NEW;
    struct wal_header header = {
        .log = load_le64(bytes + AT_LOG),
        .file = load_le64(bytes + AT_FILE),
        .epoch = load_le64(bytes + AT_EPOCH),
        .before = {.batch = load_le64(bytes + AT_FIRST_BATCH) - 1,
                   .position = load_le64(bytes + AT_FIRST_POSITION) - 1,
                   .hash = load_le64(bytes + AT_PREVIOUS)},
        .durable = load_le64(bytes + AT_DURABLE),
        .created_us = (int64_t)load_le64(bytes + AT_CREATED),
        .size = load_le64(bytes + AT_FILE_SIZE),
        .label_size = bytes[AT_LABEL_SIZE],
    };
    bool sane = load_le32(bytes + AT_FORMAT) == WAL_FORMAT &&
                load_le32(bytes + AT_HEADER_BYTES) == WAL_HEADER_BYTES &&
                header.label_size <= WAL_LABEL_MAX && header.before.batch != UINT64_MAX &&
                header.before.position != UINT64_MAX && header.durable >= header.before.batch;
    if (!sane)
        return WAL_HEADER_BAD;
    memcpy(header.label, bytes + AT_LABEL, header.label_size);
    *ret_header = header;
    return WAL_HEADER_GOOD;
}

enum { // offsets in a frame
    AT_CRC = 0,
    AT_SIZE = 4,
    AT_NUMBER = 8,
    AT_FIRST = 16,
    AT_RECORDED = 24,
    AT_FRAME_PREVIOUS = 32,
    AT_COUNT = 40,
    AT_UNSYNCED = 44,
    AT_FLAGS = 46,
};

uint32_t wal_salt(uint64_t log)
{
    uint8_t bytes[8];
    store_le64(bytes, log);
    return crc32c(0, bytes, sizeof bytes);
}

void wal_frame_encode(const struct wal_frame *frame, str body, uint32_t salt,
                      uint8_t bytes[static WAL_FRAME_BYTES])
{
    static const uint8_t zeros[WAL_ALIGN];

    assert(frame->size == WAL_FRAME_BYTES + body.len);
    assert((frame->count == 0) == (body.len == 0));
    store_le32(bytes + AT_SIZE, frame->size);
    store_le64(bytes + AT_NUMBER, frame->number);
    store_le64(bytes + AT_FIRST, frame->first);
    store_le64(bytes + AT_RECORDED, (uint64_t)frame->recorded_us);
    store_le64(bytes + AT_FRAME_PREVIOUS, frame->previous);
    store_le32(bytes + AT_COUNT, frame->count);
    store_le16(bytes + AT_UNSYNCED, frame->unsynced);
    store_le16(bytes + AT_FLAGS, frame->flags);
    uint32_t crc = crc32c(salt, bytes + AT_SIZE, WAL_FRAME_BYTES - AT_SIZE);
    crc = crc32c(crc, body.ptr, body.len);
    crc = crc32c(crc, zeros, wal_frame_span(frame->size) - frame->size);
    store_le32(bytes + AT_CRC, crc);
}

void wal_frame_load(const uint8_t bytes[static WAL_FRAME_BYTES], struct wal_frame *ret_frame)
{
    *ret_frame = (struct wal_frame){
        .size = load_le32(bytes + AT_SIZE),
        .number = load_le64(bytes + AT_NUMBER),
        .first = load_le64(bytes + AT_FIRST),
        .recorded_us = (int64_t)load_le64(bytes + AT_RECORDED),
        .previous = load_le64(bytes + AT_FRAME_PREVIOUS),
        .count = load_le32(bytes + AT_COUNT),
        .unsynced = load_le16(bytes + AT_UNSYNCED),
        .flags = load_le16(bytes + AT_FLAGS),
    };
}

uint64_t wal_frame_number(const uint8_t bytes[static WAL_FRAME_BYTES])
{
    return load_le64(bytes + AT_NUMBER);
}

bool wal_frame_decode(const uint8_t *bytes, uint64_t room, uint32_t salt,
                      struct wal_frame *ret_frame)
{
    if (room < WAL_FRAME_BYTES)
        return false;
    struct wal_frame frame;
    wal_frame_load(bytes, &frame);
    uint64_t span = wal_frame_span(frame.size);
    if (frame.size < WAL_FRAME_BYTES || span > room || frame.number == 0 ||
        frame.unsynced > frame.number || (frame.count == 0) != (frame.size == WAL_FRAME_BYTES))
        return false;
    if (load_le32(bytes + AT_CRC) != crc32c(salt, bytes + AT_SIZE, span - AT_SIZE) &&
        !MUTANT(CHECKSUM_IGNORED))
        return false;
    *ret_frame = frame;
    return true;
}

bool wal_frame_follows(const struct wal_frame *frame, struct wal_link link)
{
    return frame->number == link.batch + 1 && frame->first == link.position + 1 &&
           (frame->previous == link.hash || MUTANT(CHAIN_IGNORED));
}

struct wal_link wal_link_behind(struct wal_link link, const struct wal_frame *frame,
                                const uint8_t header[static WAL_FRAME_BYTES], const void *body)
{
    uint64_t seed = hash_bytes(body, frame->size - WAL_FRAME_BYTES, 0);
    return (struct wal_link){.batch = frame->number,
                             .position = link.position + frame->count,
                             .hash = hash_bytes(header, WAL_FRAME_BYTES, seed)};
}
