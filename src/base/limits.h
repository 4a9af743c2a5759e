// SPDX-License-Identifier: Apache-2.0
// Every limit of the engine, with how they relate. What a client or operator can meet is listed
// with its default in docs/limits.md; a test keeps the two equal.
#pragma once

#include <assert.h>
#include <stdint.h>

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

enum {
    ENTITY_BYTES_MAX = 128,
    TYPE_BYTES_MAX = 128,
    TENANT_BYTES_MAX = 64,
    JSON_DEPTH_MAX = 128,  // when a caller names no other
    JSON_DEPTH_CAP = 1024, // what a caller can name at most: the parser keeps a byte for each

    BATCH_EVENTS_MAX = 100000,  // events of one atomic append
    BATCH_CONDITIONS_MAX = 100, // conditions of one append
    CONFLICT_EVENTS_MAX = 10,   // how many of the events in between a conflict names
    QUERY_TYPES_MAX = 64,       // repeated event_type of one query
    CURSOR_TYPES_MAX = 65536,   // types that the prefixes of one query may stand for
    NAMES_PAGE_MAX = 10000,     // names of one page of entities or types
    STATE_HISTORY_EVENTS_MAX = 1000,

    SCHEMA_DEPTH_MAX = 128,           // nesting of a schema's text
    SCHEMA_RULES_MAX = 100000,        // subschemas of one schema, with what it refers to
    SCHEMA_DOCUMENTS_MAX = 256,       // texts that one schema may refer to
    SCHEMA_ENUM_MAX = 100000,         // values of all its enums
    SCHEMA_MULTIPLE_DIGITS_MAX = 128, // significant digits of a multipleOf
    SCHEMA_PATTERN_BYTES_MAX = 8192,  // one pattern's text
    SCHEMA_PATTERN_STATES_MAX = 8192, // and what it becomes, repetitions written out
    SCHEMA_NESTING_MAX = 1024,        // rules within rules while a value is checked
    SCHEMA_STEPS_MAX = 10000000,      // work of one check, beside that for each byte:
    SCHEMA_STEPS_PER_BYTE = 16,       // of the value's text
    SCHEMA_ERRORS_MAX = 100,          // that one explanation lists

    TENANTS_DEFAULT_MAX = 1000,
    APPEND_SLOTS = 1024,    // appends that wait for the writer, all tenants together
    TURN_BATCHES_MAX = 256, // batches that one sync makes durable
};

#define EVENT_BYTES_MAX MIB(1)         // one event: payload, metadata and names (option)
#define REQUEST_BYTES_MAX MIB(64)      // one request's body (option)
#define BATCH_BYTES_MAX MIB(80)        // one encoded batch: a request of many tiny events grows
#define SCHEMA_BYTES_MAX MIB(1)        // the text of one schema, and of each that it refers to
#define SCHEMA_CHECK_MEMORY_MAX GIB(1) // scratch of one check of als_schema_validate()
#define SCHEMA_MEMORY_MAX MIB(64)      // one compiled schema
#define TURN_BYTES_MAX MIB(8)          // past this a turn takes no further batch
#define WAL_FILE_BYTES_DEFAULT MIB(64) // a log file is rolled past this
#define WAL_FILE_BYTES_MIN KIB(4)
#define WAL_FILE_BYTES_MAX GIB(1)

static_assert(JSON_DEPTH_MAX <= JSON_DEPTH_CAP, "the default must be allowed");
static_assert(SCHEMA_DEPTH_MAX <= JSON_DEPTH_CAP, "the parser must take it");
static_assert(ENTITY_BYTES_MAX <= 255 && TYPE_BYTES_MAX <= 255, "name lengths are bytes on disk");
static_assert(EVENT_BYTES_MAX < REQUEST_BYTES_MAX, "an event must fit into a request");
static_assert(REQUEST_BYTES_MAX < BATCH_BYTES_MAX, "a request's events must fit into a batch");
