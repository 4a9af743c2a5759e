// SPDX-License-Identifier: Apache-2.0
// The bytes of the log: file headers and frames. docs/formats/wal.md is the table; this is its
// code.
#pragma once

#include "base/str.h"

enum {
    WAL_FORMAT = 1,
    WAL_HEADER_BYTES = 256,
    WAL_FRAME_BYTES = 48, // of a frame's header
    WAL_ALIGN = 8,
    WAL_LABEL_MAX = 64,
    WAL_UNSYNCED_MAX = UINT16_MAX,
};

// Where the log stands behind a frame: what the next one must continue.
struct wal_link {
    uint64_t batch;        // number of the frame
    als_position position; // of the last event up to and with it
    uint64_t hash;         // of the frame
};

static inline bool wal_link_equal(struct wal_link a, struct wal_link b)
{
    return a.batch == b.batch && a.position == b.position && a.hash == b.hash;
}

struct wal_header {
    uint64_t log;   // random; the same in all files of a log
    uint64_t file;  // the number in its name
    uint64_t epoch; // random; this file's own
    struct wal_link before;
    uint64_t durable; // the last batch known to be durable when the file got its name
    int64_t created_us;
    uint64_t size; // how long the file was made
    uint8_t label_size;
    char label[WAL_LABEL_MAX];
};

struct wal_frame {
    uint32_t size; // header and body, without padding
    uint64_t number;
    als_position first;
    int64_t recorded_us;
    uint64_t previous; // hash of the frame before
    uint32_t count;    // 0: a mark
    uint16_t unsynced; // number - the last batch known to be durable when this was written
    uint16_t flags;    // 0 in this format
};

void wal_header_encode(const struct wal_header *header, uint8_t bytes[static WAL_HEADER_BYTES]);

enum wal_header_state { WAL_HEADER_GOOD, WAL_HEADER_BAD, WAL_HEADER_TOO_NEW };
enum wal_header_state wal_header_decode(const uint8_t bytes[static WAL_HEADER_BYTES],
                                        struct wal_header *ret_header);

// What the checksums of a log's frames begin with. Random per log, so that bytes a client chose
// never pass for a frame, and frames of another log neither.
uint32_t wal_salt(uint64_t log);

// Encodes the header of a frame with this body. `padding` zero bytes must follow the body.
void wal_frame_encode(const struct wal_frame *frame, str body, uint32_t salt,
                      uint8_t bytes[static WAL_FRAME_BYTES]);
// Whether a whole frame lies at `bytes`, of which `room` may be read. The chain is not checked.
bool wal_frame_decode(const uint8_t *bytes, uint64_t room, uint32_t salt,
                      struct wal_frame *ret_frame);
// The fields alone, of a frame that is known to be whole; and its number, when it is not.
void wal_frame_load(const uint8_t bytes[static WAL_FRAME_BYTES], struct wal_frame *ret_frame);
uint64_t wal_frame_number(const uint8_t bytes[static WAL_FRAME_BYTES]);
// Whether `frame` continues the log behind `link`.
bool wal_frame_follows(const struct wal_frame *frame, struct wal_link link);

static inline uint64_t wal_frame_span(uint64_t size) // with padding
{
    return (size + WAL_ALIGN - 1) / WAL_ALIGN * WAL_ALIGN;
}

// The link behind a frame whose encoded header and body are these.
struct wal_link wal_link_behind(struct wal_link link, const struct wal_frame *frame,
                                const uint8_t header[static WAL_FRAME_BYTES], const void *body);
