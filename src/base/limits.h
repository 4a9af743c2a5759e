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

    HOT_PARTS_MAX = 16,      // stretches of a tenant's log that are not sealed yet
    SEGMENT_FILES_MAX = 256, // sealed files that stay open, of all tenants; others are mapped only
    COMPACT_FILES_DEFAULT = 3, // so many files are worth merging (option)
    COMPACT_FILES_MAX = 100,
    COMPACT_AGE_SECONDS_DEFAULT = 86400,     // of what `timebased` merges (option)
    COMPACT_INTERVAL_SECONDS_DEFAULT = 3600, // between looks, when nothing is sealed (option)
    COMPACT_SECONDS_MAX = 315360000,         // ten years, of either
    COMPACT_REQUESTS_MAX = 64, // who may wait for compaction or retention, all tenants
    RETENTION_INTERVAL_SECONDS_DEFAULT = 3600, // between looks for what no rule keeps (option)
    RETENTION_RULES_MAX = 256,                 // rules of retention of a tenant
    ZSTD_LEVEL_MAX = 19,                       // of sealed files (option)
    SNAPSHOT_EVENTS_DEFAULT = 100,
    SNAPSHOT_SECONDS_DEFAULT = 3600,
    SNAPSHOTS_PER_ENTITY_DEFAULT = 10,
    SNAPSHOTS_PER_ENTITY_MAX = 100,
    SNAPSHOTS_COUNT_MAX = 262144,     // of a tenant
    SNAPSHOT_DUE_REMEMBERED = 4096,   // entities of which the keeper knows when to ask again
    SNAPSHOTS_PAGE_MAX = 1000,        // snapshots of one page
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

    SUBJECT_BYTES_MAX = 255,
    SUBJECTS_MAX = 10000,        // of one tenant
    SUBJECT_VERSIONS_MAX = 1000, // of one subject, deprecated ones included
    SCHEMA_DESCRIPTION_BYTES_MAX = 4096,
    SCHEMA_TAGS_MAX = 64, // of one version
    SCHEMA_TAG_BYTES_MAX = 128,
    SCHEMA_REFERENCES_MAX = 64,   // of one version, as the Confluent API names them
    SCHEMA_COMPARE_MS_MAX = 3000, // comparing a schema with all earlier versions
    DESK_CALLS_MAX = 64, // changes and comparisons of schemas that wait for the server's desk
    UPCAST_OPERATIONS_MAX = 100, // of one step
    UPCAST_SEGMENTS_MAX = 16,    // of one path
    UPCAST_BYTES_MAX = 65536,    // the text of a subject's upcasts

    TENANTS_DEFAULT_MAX = 1000,
    APPEND_SLOTS = 1024,    // appends that wait for the writer, all tenants together
    TURN_BATCHES_MAX = 256, // batches that one sync makes durable

    ANALYSIS_BUCKETS_MAX = 50000,     // buckets of one frequency: a month of minutes
    ANALYSIS_COUNTS_MAX = 1000000,    // counts in them, one for each type in each
    ANALYSIS_PAIRED_MAX = 4194304,    // events of the two types of one correlation
    ANALYSIS_NAMES_DEFAULT = 1000000, // names that one summary counts exactly (option)
    ANALYSIS_NAMES_CAP = 10000000,    // and what the option may say
    ANALYSES_MAX = 32,                // analyses under way, waiting ones included
    ANALYSTS_MAX = 64,                // threads that work on them (option)
    BACKUP_NAME_BYTES_MAX = 64,

    COMPAT_REASONS_MAX = 100,        // reasons of one comparison of schemas
    COMPAT_EXAMPLE_BYTES_MAX = 1024, // a longer value is not told as an example
    COMPAT_DEPTH_MAX = 100,          // questions within questions
    COMPAT_CHOICES_MAX = 6,          // alternatives of one value that are taken apart at a time
    COMPAT_STEPS_MAX = 10000000,     // about as many comparisons, in each direction
};

#define EVENT_BYTES_MAX MIB(1)         // one event: payload, metadata and names (option)
#define REQUEST_BYTES_MAX MIB(64)      // one request's body (option)
#define BATCH_BYTES_MAX MIB(80)        // one encoded batch: a request of many tiny events grows
#define SCHEMA_BYTES_MAX MIB(1)        // the text of one schema, and of each that it refers to
#define SCHEMAS_BYTES_MAX MIB(256)     // the texts of all schemas of a tenant
#define SCHEMA_CHECK_MEMORY_MAX GIB(1) // scratch of one check of als_schema_validate()
#define SCHEMA_MEMORY_MAX MIB(64)      // one compiled schema
#define TURN_BYTES_MAX MIB(8)          // past this a turn takes no further batch
#define SETTING_BYTES_MAX MIB(4)       // one setting: a schema with its description and tags
#define SETTINGS_FILE_BYTES KIB(256)   // what the first setting of a tenant reserves
#define MANIFEST_FILE_BYTES KIB(64)    // what the first segment of a tenant reserves
#define SEAL_BYTES_DEFAULT MIB(64)     // records of about so many bytes become one segment (option)
#define SEAL_BYTES_MIN KIB(4)
#define SEAL_BYTES_MAX GIB(1)
#define SEAL_EVENTS_MAX 4000000               // or so many events, however small
#define COMPACT_ROWS_MAX 1000000              // events of one file that compaction makes
#define COMPACT_TARGET_BYTES_DEFAULT MIB(128) // a file of this size is left alone (option)
#define COMPACT_TARGET_BYTES_MIN KIB(4)
#define COMPACT_TARGET_BYTES_MAX GIB(1)     // and none is made that is larger than twice that
#define COMPACT_SMALL_BYTES_DEFAULT MIB(10) // when asked, files below it are merged (option)
#define COMPACT_RATE_DEFAULT MIB(64)        // bytes a second, in the background (option)
#define COMPACT_RATE_MIN KIB(1)
#define CACHE_BYTES_DEFAULT MIB(128)     // pages of sealed files, of all tenants together (option)
#define TAIL_INDEX_BYTES_DEFAULT MIB(64) // index of what is not sealed, of a tenant (option)
#define TAIL_INDEX_BYTES_MIN MIB(1)
#define ALL_TAILS_INDEX_BYTES_DEFAULT MIB(256) // the same of all tenants together (option)
#define RETENTION_SECONDS_MAX 3155760000       // a hundred years, of a rule
#define RETENTION_BYTES_MAX MIB(1)             // all rules of a tenant, as they are read or written
#define RETAIN_TYPES_BYTES_MAX MIB(64)         // names of types that rules of retention are for
#define STORE_CACHE_BYTES MIB(4)       // pages of segments, for a store that is given no cache
#define WAL_FILE_BYTES_DEFAULT MIB(64) // a log file is rolled past this
#define WAL_FILE_BYTES_MIN KIB(4)
#define WAL_FILE_BYTES_MAX GIB(1)
#define CATALOG_BYTES_MAX MIB(64)         // the list of a backup's files
#define ANALYSIS_NAMES_BYTES_MAX MIB(256) // names that one thread keeps for one analysis
#define SNAPSHOT_STATE_BYTES_MAX MIB(16)  // a larger state is folded, but not saved
#define SNAPSHOTS_FILE_BYTES MIB(16)      // a file of snapshots is full past this
#define SNAPSHOTS_BYTES_MAX GIB(4)        // of a tenant; then its oldest file goes

static_assert(SNAPSHOTS_PAGE_MAX >= SNAPSHOTS_PER_ENTITY_MAX, "an entity fits on a page");
static_assert(JSON_DEPTH_MAX <= JSON_DEPTH_CAP, "the default must be allowed");
static_assert(SCHEMA_DEPTH_MAX <= JSON_DEPTH_CAP, "the parser must take it");
static_assert(ENTITY_BYTES_MAX <= 255 && TYPE_BYTES_MAX <= 255, "name lengths are bytes on disk");
static_assert(EVENT_BYTES_MAX < REQUEST_BYTES_MAX, "an event must fit into a request");
static_assert(REQUEST_BYTES_MAX < BATCH_BYTES_MAX, "a request's events must fit into a batch");
