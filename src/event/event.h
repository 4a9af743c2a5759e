// SPDX-License-Identifier: Apache-2.0
// What an event is: the rules of its names, and its encoding in a batch.
//
// A batch is what one append makes durable: a moment and records, one an event. Its bytes are the
// same in every log. The format is in docs/formats/batch.md; every integer is little-endian.
// Threads: plain functions over the caller's memory.
#pragma once

#include "base/err.h"
#include "base/str.h"

// ---- Names. ALS_INVALID_INPUT with the sentences of the wire contract.

err event_check_type(str type, struct als_why *why);
err event_check_entity(str entity, struct als_why *why);
err event_check_tenant(str tenant, struct als_why *why);

// ---- Records

enum {
    BATCH_HEAD_BYTES = 8,   // recorded_us
    RECORD_HEAD_BYTES = 48, // before the names
};

// What is known of an event when its record is begun; position and version come with the turn.
struct record_draft {
    str entity, type;
    als_id id;
    int64_t timestamp_us;
    uint32_t schema_version;
    bool has_metadata;
};

// The room a record may take, for texts of these lengths.
size_t record_size_max(const struct record_draft *draft, size_t payload_len, size_t metadata_len);

// A record is written in three steps, so that texts are minified straight into it:
// begin (returns where the payload goes), payload_done (returns where the metadata goes),
// and finish (returns the record's size). `offset` is the record's distance from the batch's start.
uint8_t *record_begin(uint8_t *record, uint32_t offset, const struct record_draft *draft);
uint8_t *record_payload_done(uint8_t *record, size_t payload_len);
uint32_t record_finish(uint8_t *record, size_t metadata_len, uint32_t schema_version);

// Set by the writer, in place.
void batch_set_recorded(uint8_t *batch, int64_t recorded_us);
void record_set_version(uint8_t *record, als_version version);
void record_set_timestamp(uint8_t *record, int64_t timestamp_us);

// ---- Reading. The bytes were checked by batch_check() when they came from a disk.

// ALS_CORRUPT unless the bytes are a whole batch of `count` records; ALS_FORMAT_TOO_NEW when a
// record has parts that this version does not know.
err batch_check(const uint8_t *batch, size_t size, uint32_t count, struct als_why *why);

// The record behind this one; the first is at BATCH_HEAD_BYTES.
const uint8_t *record_next(const uint8_t *record);
uint32_t record_offset(const uint8_t *record); // from the batch's start

als_id record_id(const uint8_t *record);
str record_entity(const uint8_t *record);
str record_type(const uint8_t *record);
als_version record_version(const uint8_t *record);
int64_t record_timestamp(const uint8_t *record);

// All of it; the slices point into the record. The tenant is left alone.
void record_decode(const uint8_t *record, als_position position, struct als_event *ret_event);
