// SPDX-License-Identifier: Apache-2.0
// AllSource: an event store in a library. This header is its manual.
//
// Events are appended to a tenant's log and never change. A tenant is a store of its own, with one
// gapless order of positions; within it every entity has its own gapless versions. An append is
// durable before it is answered (unless the options say otherwise), all or nothing, and may demand
// that nobody was faster (expected versions, conditions).
//
// The least one needs:
//
//   struct als *als;
//   struct als_options options = ALS_OPTIONS_INIT;
//   if (als_open("data", &options, &als, &why)) ...
//   struct als_draft draft = ALS_DRAFT_INIT;
//   draft.entity = als_text("order-42");
//   draft.type = als_text("order.placed");
//   draft.payload = als_text("{\"total\":99}");
//   struct als_append append = ALS_APPEND_INIT;
//   append.drafts = &draft, append.count = 1;
//   if (als_append_wait(als, &append, NULL, &outcome)) ...
//   als_close(als);
//
// Rules, all without exception:
// - Errors: a call returns ALS_OK or the code of <allsource/err.def>, with words in `why` (NULL is
//   accepted). A failed call changes nothing and leaves its outputs untouched. Bad arguments are
//   ALS_INVALID_INPUT, never undefined.
// - Memory: slices in arguments are borrowed for the call. Slices in results live as long as the
//   thing they came from. What an `_open` gave, its `_close` ends; closing NULL does nothing.
// - Threads: a struct als may be used by any number of threads; a cursor, state or follower by one
//   at a time. Callbacks say on which thread they run; they must return soon and must not close
//   what is calling them.
// - Structs that callers fill begin with their size, set by their _INIT, so that they may grow.
#ifndef ALLSOURCE_H
#define ALLSOURCE_H

#include <allsource/types.h>

#include <stdbool.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

struct als;
struct als_cursor;
struct als_state;
struct als_names;
struct als_follower;
struct als_validation;
struct als_upcaster;
struct als_analysis;

static inline als_str als_text(const char *text)
{
    als_str slice = {text, text ? strlen(text) : 0};
    return slice;
}

ALS_API const char *als_version_text(void);            // "0.7.0"
ALS_API const char *als_err_code(enum als_err code);   // "version_conflict"; stable for ever
ALS_API int als_err_http(enum als_err code);           // 409
ALS_API const char *als_err_prefix(enum als_err code); // "Concurrency error: "

// ---- Life

enum als_durability {
    ALS_DURABILITY_SYNC,     // an append is answered when it is on the disk
    ALS_DURABILITY_INTERVAL, // answered at once; on the disk at most interval_ms later
    ALS_DURABILITY_NONE,     // answered at once; on the disk when the system likes
};

enum als_notice_kind {
    ALS_NOTICE_TORN_END,        // a crash had cut the log's end; nothing acknowledged was lost
    ALS_NOTICE_STORAGE_FAILED,  // the disk failed: this tenant takes no more appends until restart
    ALS_NOTICE_STORAGE_FULL,    // an append was refused for want of space
    ALS_NOTICE_RECOVERED,       // a tenant's store was opened
    ALS_NOTICE_DAMAGED,         // a tenant's store cannot be opened; the others are
    ALS_NOTICE_SNAPSHOT_FAILED, // a snapshot could not be saved; answers do not depend on it
    ALS_NOTICE_SEAL_FAILED,     // a stretch of the log could not be sealed; it stays in the log
    ALS_NOTICE_COMPACT_FAILED,  // sealed files could not be merged; they stay as they are
    ALS_NOTICE_RETAIN_FAILED,   // events could not be taken out of sealed files; they stay there
};

struct als_notice {
    enum als_notice_kind kind;
    als_str tenant;
    uint64_t count; // bytes cut, events recovered
    const char *text;
};

// Which sealed files are merged; see "Compaction" below.
enum als_strategy {
    ALS_STRATEGY_USUAL, // the engine's; for the engine: by size
    ALS_STRATEGY_SIZE,  // files of like size, and then theirs: each event is moved a few times only
    ALS_STRATEGY_AGE,   // files that are old enough
    ALS_STRATEGY_COUNT, // whatever lies together, once there is enough of it
    ALS_STRATEGY_FULL,  // whatever fits into one file
};

struct als_compacted {                  // by one merge, or several together
    uint64_t merges;                    // files that were made
    uint64_t files;                     // files that they were made of
    uint64_t bytes_before, bytes_after; // of these, and of those
    uint64_t events;
    uint64_t duration_ns;
};

struct als_retained {                   // by rules of retention, in one run or several
    uint64_t runs, events;              // and how many were removed
    uint64_t files, files_removed;      // that lost events; those of them that lost all
    uint64_t bytes_before, bytes_after; // of these files
    uint64_t duration_ns;
};

struct als_options {
    size_t size;
    enum als_durability durability;
    uint32_t interval_ms;
    uint32_t writers;     // threads that take turns writing for the tenants; 0: 1
    uint32_t tenants_max; // 0: 1,000
    uint32_t batch_events_max;
    uint64_t event_bytes_max; // names, payload and metadata of one event
    uint64_t wal_file_bytes;
    // History is sealed, in the background: so many bytes of the log become one Parquet file. 0: 64
    // MiB.
    uint64_t seal_bytes;
    int zstd_level;       // of what is sealed, 1 to 19; 0: 1
    uint64_t cache_bytes; // for pages of sealed files, of all tenants together; 0: 128 MiB
    // Called when something happened that an operator should know; any thread. May be NULL.
    void (*notice)(void *context, const struct als_notice *notice);
    // Called after each sync of a log with how long it took and how many appends it made durable;
    // writer threads. May be NULL.
    void (*synced)(void *context, uint64_t duration_ns, size_t appends);
    void *context; // of all

    // Automatic snapshots, in the background: of an entity at each so many events, and when it gets
    // an event while its newest snapshot is older than so many seconds. 0: 100, 3,600 and 10.
    bool no_auto_snapshot;
    uint32_t snapshot_events;
    uint32_t snapshot_seconds;
    uint32_t snapshots_per_entity; // at most 100; the newest are kept
    // Called after each snapshot with how long it took; any thread. May be NULL.
    void (*snapshot_made)(void *context, uint64_t duration_ns);
    // Called after each file that was sealed with how long it took; any thread. May be NULL.
    void (*sealed)(void *context, uint64_t duration_ns);

    bool schemas_strict; // events are checked unless their subject says otherwise
    // Called after payloads of one subject have been checked, with how many passed, how many did
    // not and how long the first took; the thread that appends. May be NULL; the same `context`.
    void (*validated)(void *context, als_str subject, size_t valid, size_t invalid,
                      uint64_t duration_ns);

    uint32_t analytics_threads;   // 0: one per processor; at most 64. Started by the first analysis
    uint32_t analytics_names_max; // that a summary counts exactly; 0: 1,000,000; at most 10,000,000

    // `format` of registered schemas refuses payloads; else it is an annotation, as draft 2020-12
    // has it.
    bool schemas_assert_formats;

    // Memory of the index of a tenant's events that are not sealed. Where it is more while a file
    // can be sealed, appends wait for that. At least 1 MiB; 0: 64 MiB.
    uint64_t tail_index_bytes;

    // Sealed files are merged, in the background: whenever one was sealed, and each so many
    // seconds. 0 stands for 3 files, 128 MiB, 10 MiB, a day, an hour and 64 MiB.
    bool no_auto_compact;
    enum als_strategy compact_strategy;
    uint32_t compact_files;        // so many are worth merging; from 2 to 100
    uint64_t compact_target_bytes; // a file of this size is left alone; none gets twice as large
    uint64_t compact_small_bytes;  // als_compact() by size merges files below it in any case
    uint32_t compact_age_seconds;  // what is old enough for ALS_STRATEGY_AGE
    uint32_t compact_interval_seconds; //
    uint64_t compact_bytes_per_second; // read and written by merges that nobody waits for
    // Called after each merge; one thread. May be NULL.
    void (*compacted)(void *context, const struct als_compacted *compacted);

    // Between looks for events that no rule of retention keeps. 0: an hour.
    uint32_t retention_interval_seconds;
    // Called after each run of them; one thread. May be NULL.
    void (*retained)(void *context, const struct als_retained *retained);

    // The same as tail_index_bytes of all tenants together. Where it is more, those that have most
    // are sealed though they are short, and what waits for that may take as much again before
    // appends wait, too. At least 1 MiB; 0: 256 MiB.
    uint64_t all_tails_index_bytes;
};
#define ALS_OPTIONS_INIT                                                                           \
    {                                                                                              \
        sizeof(struct als_options), ALS_DURABILITY_SYNC, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL,    \
            NULL, false, 0, 0, 0, NULL, NULL, false, NULL, 0, 0, false, 0, false,                  \
            ALS_STRATEGY_USUAL, 0, 0, 0, 0, 0, 0, NULL, 0, NULL, 0                                 \
    }

// Opens the data directory, making it if absent, and locks it: ALS_LOCKED when another process has
// it. A NULL directory keeps everything in a temporary one that als_close() removes. All
// stores are recovered before it returns; a damaged one fails its own calls with ALS_CORRUPT and
// no others. `options` may be NULL.
ALS_API enum als_err als_open(const char *directory, const struct als_options *options,
                              struct als **ret_als, struct als_why *why);
// Finishes the appends that were taken, makes everything durable and frees. All cursors, states
// and followers must be closed before.
ALS_API void als_close(struct als *als);

// ALS_OK when appends are taken; ALS_STORAGE_FAILED with the tenant when one's disk has failed.
ALS_API enum als_err als_ready(struct als *als, struct als_why *why);

// ---- Names. The rules are those of the wire contract, in bytes; the message says which was
// broken.

ALS_API enum als_err als_check_type(als_str type, struct als_why *why);
ALS_API enum als_err als_check_entity(als_str entity, struct als_why *why);
ALS_API enum als_err als_check_tenant(als_str tenant, struct als_why *why);

// ---- Appending

#define ALS_EXPECT_ANY INT64_MIN // no demand
#define ALS_EXPECT_EXISTS (-1)   // the entity has at least one event
#define ALS_EXPECT_NONE 0        // the entity has no event yet
#define ALS_TIME_UNSET INT64_MIN

// How much of a JSON text was done before: the store keeps it checked and minified.
enum als_json {
    ALS_JSON_TEXT,     // anything: it is checked here, ALS_INVALID_EVENT when it is not JSON
    ALS_JSON_CHECKED,  // known to be valid, may hold white space
    ALS_JSON_MINIFIED, // known to be valid and without insignificant white space
};

struct als_draft {
    als_str entity, type;
    als_str payload;  // required; "null" is a payload
    als_str metadata; // empty: none
    enum als_json json;
    bool has_id;
    als_id id;                // the idempotency key when has_id, else the store makes one
    int64_t timestamp_us;     // ALS_TIME_UNSET: the moment it is recorded
    int64_t expected_version; // the entity's version before this event, or ALS_EXPECT_...
    uint32_t schema_version;
};
#define ALS_DRAFT_INIT                                                                             \
    {                                                                                              \
        {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, ALS_JSON_TEXT, false, {{0}}, ALS_TIME_UNSET,   \
            ALS_EXPECT_ANY, 0                                                                      \
    }

// Refuses the append if an event that matches exists behind `after`. An empty entity or type
// matches any; both empty: any event at all.
struct als_condition {
    als_str entity, type;
    als_position after;
};

struct als_append {
    size_t size;
    als_str tenant; // empty: "default"
    const struct als_draft *drafts;
    size_t count; // 1 or more; they become one atomic batch of neighbouring positions
    const struct als_condition *conditions;
    size_t condition_count;
    bool hold; // do not wake a writer for it: this thread will call als_turn()
    // When a payload is refused by its schema (ALS_VALIDATION), what is wrong with it is put here,
    // to be closed by the caller. May be NULL.
    struct als_validation **ret_validation;
};
#define ALS_APPEND_INIT                                                                            \
    {                                                                                              \
        sizeof(struct als_append), {NULL, 0}, NULL, 0, NULL, 0, false, NULL                        \
    }

struct als_appended {
    als_id id;
    als_position position;
    als_version version;
    int64_t timestamp_us;
};

struct als_conflict_event {
    als_id id;
    als_position position;
    als_version version;
    char type[129];
};

// What became of an append.
struct als_outcome {
    enum als_err code;
    struct als_why why;
    als_position first, last; // of the batch
    int64_t recorded_us;
    size_t count;
    bool duplicate; // all of it had been stored before, under the same ids: this is that outcome
    // ALS_VERSION_CONFLICT, ALS_CONDITION_FAILED, ALS_ID_CONFLICT: which draft or condition, and
    // what got in between, newest first (as many as fit, of `between_total`).
    size_t index;
    int64_t expected_version;
    als_version actual_version;
    size_t between_count, between_total;
    struct als_conflict_event between[10];
};

// Called once, on a writer thread. `events` (NULL unless the code is ALS_OK) has outcome->count
// entries; both are valid during the call.
typedef void als_done(void *context, const struct als_outcome *outcome,
                      const struct als_appended *events);

// Takes the append and returns; `done` is called when its fate is known. What is wrong with the
// drafts themselves, a full queue (ALS_QUEUE_FULL) and too large a batch (ALS_TOO_LARGE) are
// returned at once and `done` is not called; *ret_index (may be NULL) then says which draft.
// Rules: expected_version of the first of several events of one entity speaks for all of them. The
// same id with the same content is a success (duplicate); with other content ALS_ID_CONFLICT, and
// so is a batch of which only a part is stored already. The same id twice in one batch is
// ALS_INVALID_INPUT. When the type of an event has a schema that is enforced (see Schemas), a
// payload that it refuses is ALS_VALIDATION, and an accepted event gets the version as its
// schema_version.
ALS_API enum als_err als_append(struct als *als, const struct als_append *append, als_done *done,
                                void *context, size_t *ret_index, struct als_why *why);
// Writes what is held, on this thread, for event loops that save the change of threads: they hold
// the appends of one round and then take one turn, which makes all of them durable together. The
// `done` functions run on this thread. Returns false when there was nothing to do (a writer that
// was awake may have been faster). Whoever holds an append must take a turn soon: until then it
// and what others append to its tenant may wait.
ALS_API bool als_turn(struct als *als);
// The same as als_append(), waiting. `ret_events` (may be NULL) has room for append->count entries.
// Returns ret_outcome->code; the outcome is filled in every case.
ALS_API enum als_err als_append_wait(struct als *als, const struct als_append *append,
                                     struct als_appended *ret_events,
                                     struct als_outcome *ret_outcome);

// ---- Querying

#define ALS_TIME_MIN (-62167219200000000) // year 0
#define ALS_TIME_MAX 253402300799999999   // the last microsecond of year 9999

struct als_query {
    size_t size;
    als_str tenant;       // empty: "default"
    als_str entity;       // any if `ptr` is NULL
    const als_str *types; // any of these; one that ends in '*' is a prefix; none: any
    size_t type_count;    // at most 64
    const als_id *id;     // only the event with this id; NULL: any
    int64_t since_us;     // timestamps from here (inclusive)
    int64_t until_us;     // to here (inclusive)
    als_position after;   // positions behind this
    als_position before;  // positions before this; 0: no bound
    als_position as_of;   // positions up to this one, included; 0: no bound
    bool descending;      // newest position first
    uint64_t offset;      // skip so many matches
    uint64_t limit;       // then give at most so many; UINT64_MAX: all
};
#define ALS_QUERY_INIT                                                                             \
    {                                                                                              \
        sizeof(struct als_query), {NULL, 0}, {NULL, 0}, NULL, 0, NULL, ALS_TIME_MIN, ALS_TIME_MAX, \
            0, 0, 0, false, 0, UINT64_MAX                                                          \
    }

enum als_path { // how a query finds its events
    ALS_PATH_SCAN,
    ALS_PATH_ENTITY,
    ALS_PATH_TYPE,
    ALS_PATH_ID,
};

// Pins what is readable now: later appends do not show. An unknown tenant, entity or type gives no
// events. The cursor holds no lock; an open one keeps files from being removed, so close it.
ALS_API enum als_err als_query_open(struct als *als, const struct als_query *query,
                                    struct als_cursor **ret_cursor, struct als_why *why);
// The next match; position 0 at the end. The slices live until the next call. ALS_CORRUPT when a
// sealed file that it comes to is damaged.
ALS_API enum als_err als_cursor_next(struct als_cursor *cursor, struct als_event *ret_event,
                                     struct als_why *why);
ALS_API enum als_path als_cursor_path(const struct als_cursor *cursor);
ALS_API als_position als_cursor_position(const struct als_cursor *cursor); // what was pinned
ALS_API void als_cursor_close(struct als_cursor *cursor);

// ---- The state of an entity: the fold of its events, now or at any moment.
//
// Objects are merged key by key at the top level, in the order of positions; a null is a value;
// payloads that are not objects change nothing but are counted.

struct als_state_query {
    size_t size;
    als_str tenant, entity;
    int64_t as_of_us;       // only events with a timestamp up to this (inclusive)
    als_position as_of;     // only positions up to this one; 0: no bound
    als_version at_version; // only versions up to this one; 0: no bound
};
#define ALS_STATE_QUERY_INIT                                                                       \
    {                                                                                              \
        sizeof(struct als_state_query), {NULL, 0}, {NULL, 0}, ALS_TIME_MAX, 0, 0                   \
    }

struct als_state_view {
    als_str json;            // the merged object
    uint64_t event_count;    // folded
    als_version version;     // of the last event that was folded
    als_position position;   // its position
    int64_t last_updated_us; // its timestamp
    als_position as_of;      // the position that was pinned: a query with this as_of sees the same
};

// ALS_ENTITY_NOT_FOUND when no event passes the bounds.
ALS_API enum als_err als_state_open(struct als *als, const struct als_state_query *query,
                                    struct als_state **ret_state, struct als_why *why);
ALS_API struct als_state_view als_state_view(const struct als_state *state);
ALS_API void als_state_close(struct als_state *state);

// ---- Snapshots: saved folds. A state query begins with one where it can, and its answer is the
// same without. They are a cache on disk: a crash may take the last ones, and the directory
// snapshots/ of a tenant may be deleted whenever the engine is closed.

enum als_snapshot_kind { ALS_SNAPSHOT_MANUAL, ALS_SNAPSHOT_AUTOMATIC, ALS_SNAPSHOT_ONDEMAND };

struct als_snapshot {
    als_id id;
    als_str entity;
    enum als_snapshot_kind kind;
    int64_t created_us;
    int64_t as_of_us; // the timestamp of the last event in it
    als_position position;
    als_version version;
    uint64_t event_count;
    uint64_t bytes; // of its JSON
};

// What a call below gave: one snapshot, perhaps with its JSON, or a list.
struct als_snapshots;

// Folds the entity's events up to now, from the snapshot before, and saves the result.
// ALS_ENTITY_NOT_FOUND when it has none; ALS_TOO_LARGE when the state is larger than 16 MiB.
// `ret_snapshots` may be NULL; else als_snapshots_next() gives the one, and its JSON.
ALS_API enum als_err als_snapshot_make(struct als *als, als_str tenant, als_str entity,
                                       enum als_snapshot_kind kind,
                                       struct als_snapshots **ret_snapshots, struct als_why *why);
// The one made last, with its JSON. ALS_NOT_FOUND.
ALS_API enum als_err als_snapshot_latest(struct als *als, als_str tenant, als_str entity,
                                         struct als_snapshots **ret_snapshots, struct als_why *why);

struct als_snapshots_query {
    size_t size;
    als_str tenant;
    als_str
        entity; // empty: of all, entity by entity in an order that stays while the engine is open
    als_str after;  // of all: entities behind this one; empty: from the first
    uint64_t limit; // of all: no further entity when there are so many; at most 1,000
};
#define ALS_SNAPSHOTS_QUERY_INIT                                                                   \
    {                                                                                              \
        sizeof(struct als_snapshots_query), {NULL, 0}, {NULL, 0}, {NULL, 0}, 100                   \
    }

// Within an entity the greatest as_of_us comes first, and among equals the newest.
ALS_API enum als_err als_snapshots_open(struct als *als, const struct als_snapshots_query *query,
                                        struct als_snapshots **ret_snapshots, struct als_why *why);
// False at the end. The slices live until als_snapshots_close(). `ret_json` may be NULL; it is
// empty for a list.
ALS_API bool als_snapshots_next(struct als_snapshots *snapshots, struct als_snapshot *ret_snapshot,
                                als_str *ret_json);
ALS_API bool als_snapshots_more(const struct als_snapshots *snapshots); // entities behind the last
ALS_API void als_snapshots_close(struct als_snapshots *snapshots);

// Deletes the snapshots of an entity, which changes no state.
ALS_API enum als_err als_snapshot_delete(struct als *als, als_str tenant, als_str entity,
                                         uint64_t *ret_count, struct als_why *why);

// ---- Compaction: sealed files that lie together become one, so that they stay few
//
// Nothing that can be read changes by it. The new file is made beside the old ones, synced, read
// back and compared before it takes their place, and they are removed when the last cursor that was
// opened before is closed. What fails leaves everything as it was; a file that cannot be read is
// passed over from then on, until the engine is opened again.

struct als_compact {
    size_t size;
    als_str tenant;
    enum als_strategy strategy;
};
#define ALS_COMPACT_INIT                                                                           \
    {                                                                                              \
        sizeof(struct als_compact), {NULL, 0}, ALS_STRATEGY_USUAL                                  \
    }

typedef void als_compact_done(void *context, enum als_err code,
                              const struct als_compacted *compacted, const struct als_why *why);
// Merges what qualifies until nothing does, as fast as it goes, and then calls `done` once; any
// thread, perhaps before it returns. What was merged before a failure is in `compacted`. Not called
// when it returns an error: ALS_QUEUE_FULL when many wait, ALS_NOT_READY after als_compact_end().
ALS_API enum als_err als_compact(struct als *als, const struct als_compact *compact,
                                 als_compact_done *done, void *context, struct als_why *why);
// Gives up the merge that is under way and takes no more; automatic ones end, too. Whoever waits is
// answered ALS_NOT_READY before it returns. als_close() does it if nobody did.
ALS_API void als_compact_end(struct als *als);

struct als_compaction {         // of a tenant, since the engine was opened
    struct als_compacted total; //
    uint64_t last_ns;           // how long the last merge took
    uint64_t failures;          // merges that failed
    uint64_t unreadable;        // files that are passed over
    uint64_t waiting;           // calls of als_compact() that were not answered yet
    bool running;
    uint64_t bytes_done, bytes_total; // of the merge under way, read and written, about
    // The options as they are in force.
    bool automatic;
    enum als_strategy strategy;
    uint32_t files, age_seconds, interval_seconds;
    uint64_t target_bytes, small_bytes, bytes_per_second;
};
// Unknown tenants have zeros and the options.
ALS_API enum als_err als_compaction(struct als *als, als_str tenant,
                                    struct als_compaction *ret_compaction, struct als_why *why);

// ---- Retention: sealed events that no rule keeps are removed
//
// Rules are a JSON object with an array `rules`. Each has an `event_type`, exact or a prefix with a
// '*' behind it, and what is kept of each type that it is for: `max_age_seconds` since it was
// recorded, the newest `max_count`, the newest of `max_bytes` together. The exact rule counts, or
// the one with the longest prefix; without one, all is kept. The newest sealed event of each entity
// and of each type stays in any case. Positions and versions of what is left never change; the ids
// of what was removed are not known any more. docs/retention.md has it all.

// Durable when it returns; a tenant that does not exist is made. ALS_INVALID_INPUT names the field.
ALS_API enum als_err als_retention_set(struct als *als, als_str tenant, als_str rules,
                                       struct als_why *why);

typedef void als_retain_done(void *context, enum als_err code, const struct als_retained *retained,
                             const struct als_why *why);
// Removes all that no rule keeps, as fast as it goes, and then calls `done` once, as als_compact()
// does; als_compact_end() ends it, too. By itself the engine makes a file anew only when it loses
// at least a quarter of its events.
ALS_API enum als_err als_retain(struct als *als, als_str tenant, als_retain_done *done,
                                void *context, struct als_why *why);

struct als_retention {         // of a tenant
    als_str rules;             // as they were set; lives until als_close()
    struct als_retained total; // since the engine was opened
    uint64_t failures;
    int64_t last_us;  // when the last run ended, 0: there was none
    uint64_t removed; // events ever
    uint32_t interval_seconds;
};
ALS_API enum als_err als_retention(struct als *als, als_str tenant,
                                   struct als_retention *ret_retention, struct als_why *why);

// ---- What there is: names with counts, in bytewise order of the names

enum als_names_of { ALS_NAMES_ENTITIES, ALS_NAMES_TYPES };

struct als_names_query {
    size_t size;
    als_str tenant;
    enum als_names_of of;
    als_str prefix;
    als_str after; // names behind this one; empty: from the first
    uint64_t limit;
};
#define ALS_NAMES_QUERY_INIT                                                                       \
    {                                                                                              \
        sizeof(struct als_names_query), {NULL, 0}, ALS_NAMES_ENTITIES, {NULL, 0}, {NULL, 0}, 100   \
    }

struct als_name {
    als_str name;
    uint64_t count; // events; for an entity that is its version
    als_position last;
};

ALS_API enum als_err als_names_open(struct als *als, const struct als_names_query *query,
                                    struct als_names **ret_names, struct als_why *why);
// False at the end.
ALS_API bool als_names_next(struct als_names *names, struct als_name *ret_name);
ALS_API void als_names_close(struct als_names *names);

typedef bool als_each_tenant(void *context, als_str tenant); // false ends
ALS_API enum als_err als_tenants(struct als *als, als_each_tenant *each, void *context,
                                 struct als_why *why);

// ---- JSON Schema, draft-07 and 2020-12, chosen by `$schema`. A compiled schema never changes: any
// number of threads may check by it. No call here looks at the network or at a store.

struct als_schema;

// Gives the text of a schema that a `$ref` leads to outside its own document, by an absolute URI
// without fragment, or what stands there when there is no base ("order.placed:3"). The text must
// live until als_schema_compile() returns. ALS_NOT_FOUND when there is none.
typedef enum als_err als_schema_resolve(void *context, als_str uri, als_str *ret_text,
                                        struct als_why *why);

struct als_schema_options {
    size_t size;
    int draft;           // of a text without `$schema`: 7, or 2020; 0 is 2020
    bool assert_formats; // `format` decides, too
    als_schema_resolve *resolve;
    void *context;
};
#define ALS_SCHEMA_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(struct als_schema_options), 0, false, NULL, NULL                                    \
    }

// Compiles a schema; the text is not needed afterwards. ALS_VALIDATION says where it is no schema,
// which reference leads nowhere, which pattern is wrong; ALS_JSON_SYNTAX; ALS_TOO_LARGE past a
// limit.
ALS_API enum als_err als_schema_compile(als_str text, const struct als_schema_options *options,
                                        struct als_schema **ret_schema, struct als_why *why);
ALS_API void als_schema_free(struct als_schema *schema);

// Whether a JSON text satisfies the schema. ALS_JSON_SYNTAX; ALS_TOO_LARGE when finding out would
// take too long or too much memory.
ALS_API enum als_err als_schema_validate(const struct als_schema *schema, als_str json,
                                         bool *ret_valid, struct als_why *why);

enum als_schema_output { // the output formats of the specification
    ALS_SCHEMA_FLAG,
    ALS_SCHEMA_BASIC,
    ALS_SCHEMA_DETAILED,
};
// The same with what is wrong and where, as one JSON object that is given to `give` once.
ALS_API enum als_err als_schema_explain(const struct als_schema *schema, als_str json,
                                        enum als_schema_output output,
                                        void (*give)(void *context, als_str text), void *context,
                                        struct als_why *why);

// ---- Schemas: what the payloads of a type of event must look like. docs/schemas.md
//
// A subject is the name of an event type. Its versions are JSON Schemas (draft-07 or 2020-12),
// numbered from 1, that never change; one may be deprecated, which takes it out of use but not
// away. All changes are durable when they return. Slices of results live as long as the struct als.

enum als_compatibility {       // what must hold between a new version and earlier ones
    ALS_COMPATIBILITY_KEEP,    // in changes: as it is
    ALS_COMPATIBILITY_INHERIT, // a subject's: as the tenant's; the tenant's: BACKWARD
    ALS_COMPATIBILITY_NONE,
    ALS_COMPATIBILITY_BACKWARD,            // the new one accepts all that the latest accepted
    ALS_COMPATIBILITY_BACKWARD_TRANSITIVE, // and all that any earlier one accepted
    ALS_COMPATIBILITY_FORWARD,             // the latest accepts all that the new one accepts
    ALS_COMPATIBILITY_FORWARD_TRANSITIVE,
    ALS_COMPATIBILITY_FULL, // both
    ALS_COMPATIBILITY_FULL_TRANSITIVE,
};
// "BACKWARD"; empty for KEEP and INHERIT.
ALS_API als_str als_compatibility_name(enum als_compatibility compatibility);
// False when it is none of the seven names.
ALS_API bool als_compatibility_named(als_str name, enum als_compatibility *ret_compatibility);

enum als_enforcement { // whether events are checked when they are appended
    ALS_ENFORCEMENT_KEEP,
    ALS_ENFORCEMENT_INHERIT, // as options.schemas_strict says
    ALS_ENFORCEMENT_OFF,
    ALS_ENFORCEMENT_ON,
};

struct als_schema_version { // one version of a subject
    als_id schema_id;
    uint32_t id; // of the content within the tenant: 1, 2, 3...; equal schemas share it
    als_str subject;
    uint32_t version;
    als_str json;        // as registered, without insignificant white space
    als_str description; // ptr is NULL when there is none
    als_str tags;        // JSON array of strings
    als_str references;  // JSON array of {"name","subject","version"}
    int64_t created_us;
    int64_t deprecated_us; // ALS_TIME_UNSET: it is not
};

// Why a schema may not follow another.
struct als_schema_issue {
    uint32_t version; // the earlier one
    bool forward;     // the new one accepts what the earlier one refuses, else the reverse
    bool undecided;   // it could not be found out
    als_str message, keyword;
    als_str old_location, new_location; // JSON Pointers
    als_str example;                    // a JSON value that only one of the two accepts, or empty
};

struct als_schema_draft {
    size_t size;
    als_str tenant, subject;
    als_str json;        // the schema
    als_str description; // ptr NULL: none
    als_str tags;        // JSON array of strings; empty: none
    // JSON array; an absolute `$ref` to a `name` leads to that version. A `$ref` to
    // "SUBJECT:VERSION" needs no entry.
    als_str references;
    enum als_compatibility compatibility; // of the subject, set with it
    enum als_enforcement enforcement;
    // Called for each reason of ALS_SCHEMA_INCOMPATIBLE, on this thread. May be NULL.
    void (*issue)(void *context, const struct als_schema_issue *issue);
    void *context;
    bool any_name; // the subject may be other than the name of an event type
};
#define ALS_SCHEMA_DRAFT_INIT                                                                      \
    {                                                                                              \
        sizeof(struct als_schema_draft), {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0},    \
            {NULL, 0}, ALS_COMPATIBILITY_KEEP, ALS_ENFORCEMENT_KEEP, NULL, NULL, false             \
    }

// The next version of the subject, or the one that says the same already (*ret_existing, which may
// be NULL); then nothing else of the draft counts. ALS_SCHEMA_INVALID, ALS_SCHEMA_INCOMPATIBLE.
ALS_API enum als_err als_schema_register(struct als *als, const struct als_schema_draft *draft,
                                         struct als_schema_version *ret_schema, bool *ret_existing,
                                         struct als_why *why);
// Whether the draft could be registered as far as compatibility goes: after what the subject's
// setting says when `version` is 0, else after that version. Changes nothing.
ALS_API enum als_err als_schema_compare(struct als *als, const struct als_schema_draft *draft,
                                        uint32_t version, bool *ret_compatible,
                                        struct als_why *why);

struct als_schema_query {
    size_t size;
    als_str tenant, subject;
    uint32_t version; // 0: the latest that is not deprecated
    int64_t as_of_us; // as things stood then; ALS_TIME_MAX: now
    bool deprecated;  // a deprecated one may be the latest, too
};
#define ALS_SCHEMA_QUERY_INIT                                                                      \
    {                                                                                              \
        sizeof(struct als_schema_query), {NULL, 0}, {NULL, 0}, 0, ALS_TIME_MAX, false              \
    }
// ALS_SUBJECT_NOT_FOUND, ALS_SCHEMA_NOT_FOUND.
ALS_API enum als_err als_schema_find(struct als *als, const struct als_schema_query *query,
                                     struct als_schema_version *ret_schema, struct als_why *why);
ALS_API enum als_err als_schema_of_id(struct als *als, als_str tenant, uint32_t id,
                                      struct als_schema_version *ret_schema, struct als_why *why);
// The version of the draft's subject that says the same and is not deprecated.
ALS_API enum als_err als_schema_same(struct als *als, const struct als_schema_draft *draft,
                                     struct als_schema_version *ret_schema, struct als_why *why);
// Every version, deprecated ones too, by subject and number; of one subject unless it is empty.
// `each` must not call back into the library.
typedef bool als_each_schema(void *context, const struct als_schema_version *schema); // false ends
ALS_API enum als_err als_schemas(struct als *als, als_str tenant, als_str subject,
                                 als_each_schema *each, void *context, struct als_why *why);
// 0: all versions of the subject.
ALS_API enum als_err als_schema_deprecate(struct als *als, als_str tenant, als_str subject,
                                          uint32_t version, struct als_why *why);

struct als_subject {
    enum als_compatibility compatibility; // what is set, or INHERIT
    enum als_enforcement enforcement;
    enum als_compatibility effective; // what it comes to
    bool enforced;
};
// An empty subject is the tenant's setting. One that nobody has named has nothing set.
ALS_API enum als_err als_subject_show(struct als *als, als_str tenant, als_str subject,
                                      struct als_subject *ret_subject, struct als_why *why);
// The subject need not have a schema yet. Only `compatibility` and `enforcement` count.
ALS_API enum als_err als_subject_set(struct als *als, als_str tenant, als_str subject,
                                     const struct als_subject *change, struct als_why *why);

// What is wrong with a payload, in full.
struct als_validation_query {
    size_t size;
    als_str tenant, subject;
    uint32_t version; // 0: the latest
    als_str payload;  // JSON text
};
#define ALS_VALIDATION_QUERY_INIT                                                                  \
    {                                                                                              \
        sizeof(struct als_validation_query), {NULL, 0}, {NULL, 0}, 0,                              \
        {                                                                                          \
            NULL, 0                                                                                \
        }                                                                                          \
    }
struct als_validation_view {
    bool valid;
    bool more;    // there are more errors than are listed
    size_t count; // of errors
    als_str subject;
    uint32_t version;
};
struct als_validation_error {
    als_str message;  // "a.Type mismatch: expected string, got number"
    als_str instance; // JSON Pointer to the value that is wrong
    als_str location; // JSON Pointer to the keyword
    als_str keyword;
    bool nested; // it explains another one: a branch of an anyOf, oneOf, if or not
};
// ALS_JSON_SYNTAX when the payload is not JSON; a payload that is refused is no failure.
ALS_API enum als_err als_validation_open(struct als *als, const struct als_validation_query *query,
                                         struct als_validation **ret_validation,
                                         struct als_why *why);
ALS_API struct als_validation_view als_validation_view(const struct als_validation *validation);
ALS_API struct als_validation_error als_validation_error(const struct als_validation *validation,
                                                         size_t index);
// An output format of the JSON Schema specification, as JSON. Lives as long as the validation,
// until the next call; empty when there is no memory.
ALS_API als_str als_validation_json(struct als_validation *validation,
                                    enum als_schema_output output);
ALS_API void als_validation_close(struct als_validation *validation);

// ---- Upcasting: events of old versions in the shape of a later one. Stored events never change.

// JSON, see docs/schemas.md. An empty text removes what was set.
ALS_API enum als_err als_upcasts_set(struct als *als, als_str tenant, als_str subject,
                                     als_str upcasts, struct als_why *why);
ALS_API enum als_err als_upcasts_show(struct als *als, als_str tenant, als_str subject,
                                      als_str *ret_upcasts, struct als_why *why);

struct als_upcast {
    als_str payload;         // valid until the next call
    uint32_t schema_version; // the version whose shape it has; 0: unknown
    uint32_t from;           // the version that it was stored with, when it was mapped; else 0
    als_str error;           // why it could not be mapped: then it is as it was stored. Empty: none
};
#define ALS_SCHEMA_LATEST UINT32_MAX
// Sees the schemas as they are when it is asked. Used by one thread at a time.
ALS_API enum als_err als_upcaster_open(struct als *als, als_str tenant, uint32_t version,
                                       struct als_upcaster **ret_upcaster, struct als_why *why);
ALS_API enum als_err als_upcaster_event(struct als_upcaster *upcaster,
                                        const struct als_event *event,
                                        struct als_upcast *ret_upcast, struct als_why *why);
ALS_API void als_upcaster_close(struct als_upcaster *upcaster);

// ---- Numbers

struct als_stats {
    uint64_t tenants; // open now
    uint64_t events, entities, types;
    uint64_t ingested; // by this process, recovered ones included
    als_position position;
    uint64_t wal_files, wal_bytes, wal_bytes_allocated;
    uint64_t wal_syncs, wal_sync_ns;
    uint64_t segments, segment_bytes;               // sealed files, and
    uint64_t sealed;                                // how many events are in them
    uint64_t index_bytes;                           // of the events that are not, in memory
    uint64_t cache_bytes, cache_hits, cache_misses; // pages of sealed files; of all tenants
    uint64_t queue_waiting;                         // appends taken and not yet answered
    uint64_t failed;                                // tenants whose disk failed
    uint64_t damaged;                   // tenants that cannot be opened; only in the sums over all
    uint64_t snapshots, snapshot_bytes; // of tenants whose snapshots were asked for
    uint64_t append_stalls;             // times that appends of a tenant had to wait for sealing
    uint64_t removed;                   // events that retention took out; they are in no other sum
};

// Of one tenant; an empty slice: sums over all that are open. Unknown tenants have zeros.
ALS_API enum als_err als_stats(struct als *als, als_str tenant, struct als_stats *ret_stats,
                               struct als_why *why);

// ---- Following: every event once, in order, from any position, for as long as one likes

#define ALS_FROM_NOW UINT64_MAX

struct als_follow {
    size_t size;
    als_str tenant;
    als_position after; // events behind this; 0: from the beginning; ALS_FROM_NOW: new ones only
    als_str entity;     // any if `ptr` is NULL
    const als_str *types;
    size_t type_count;
    // Required. Called on any thread after als_follower_next() found nothing and there may be
    // something now: once per such finding. It should only hand the news on.
    void (*wake)(void *context);
    void *context;
};
#define ALS_FOLLOW_INIT                                                                            \
    {                                                                                              \
        sizeof(struct als_follow), {NULL, 0}, ALS_FROM_NOW, {NULL, 0}, NULL, 0, NULL, NULL         \
    }

// Follows a tenant that does not exist yet, too.
ALS_API enum als_err als_follow_open(struct als *als, const struct als_follow *follow,
                                     struct als_follower **ret_follower, struct als_why *why);
// The next event that passes the filter; position 0 when there is none now. The slices live until
// the next call. A call looks at a bounded number of events; when it stops early for that reason,
// it says position 0 and wakes at once.
ALS_API enum als_err als_follower_next(struct als_follower *follower, struct als_event *ret_event,
                                       struct als_why *why);
// Everything up to this position has been given or did not pass the filter.
ALS_API als_position als_follower_position(const struct als_follower *follower);
// Replaces the filter from the next call on.
ALS_API enum als_err als_follower_filter(struct als_follower *follower, als_str entity,
                                         const als_str *types, size_t type_count,
                                         struct als_why *why);
// After it returned, `wake` is not called any more.
ALS_API void als_follower_close(struct als_follower *follower);

// Calls `reached` once: with true when the tenant has the position (at once, on this thread, if it
// has it already), with false after timeout_ms or when the engine is closed. Else on any thread.
ALS_API enum als_err als_when(struct als *als, als_str tenant, als_position position,
                              uint32_t timeout_ms, void (*reached)(void *context, bool reached),
                              void *context, struct als_why *why);

// ---- Analytics: how many events when, of what and whom, and what happens near what.
//
// An analysis looks at all events with a timestamp in a span: of a tenant, or of an entity. It runs
// on threads of the engine's own, which share the history among them, and no append waits for it.
// docs/analytics.md says what the answers mean.

enum als_analysis_kind { ALS_FREQUENCY, ALS_SUMMARY, ALS_CORRELATION };
enum als_window { // of UTC; a week begins on Monday
    ALS_WINDOW_MINUTE,
    ALS_WINDOW_HOUR,
    ALS_WINDOW_DAY,
    ALS_WINDOW_WEEK,
    ALS_WINDOW_MONTH,
};

struct als_analysis_query {
    size_t size;
    enum als_analysis_kind kind;
    als_str tenant;       // empty: "default"
    als_str entity;       // any if `ptr` is NULL
    const als_str *types; // frequency, summary: as in a query
    size_t type_count;
    int64_t since_us;        // inclusive
    int64_t until_us;        // inclusive; ALS_TIME_UNSET: now
    enum als_window window;  // frequency
    als_str type_a, type_b;  // correlation; may be the same
    uint64_t within_seconds; // correlation: whole seconds between the two, at most
};
#define ALS_ANALYSIS_QUERY_INIT                                                                    \
    {                                                                                              \
        sizeof(struct als_analysis_query), ALS_SUMMARY, {NULL, 0}, {NULL, 0}, NULL, 0,             \
            ALS_TIME_MIN, ALS_TIME_MAX, ALS_WINDOW_DAY, {NULL, 0}, {NULL, 0}, 0                    \
    }

// Pins what is readable now, takes the question and returns. `done` is called once, on a thread of
// the engine, perhaps before this returns; then als_analysis_outcome() says what became of it.
// Refused at once: ALS_INVALID_QUERY (too many buckets), ALS_QUEUE_FULL (too many under way).
ALS_API enum als_err als_analysis_start(struct als *als, const struct als_analysis_query *query,
                                        void (*done)(void *context), void *context,
                                        struct als_analysis **ret_analysis, struct als_why *why);
// The same, waiting; there is an answer when it returns ALS_OK.
ALS_API enum als_err als_analysis_wait(struct als *als, const struct als_analysis_query *query,
                                       struct als_analysis **ret_analysis, struct als_why *why);
// Any thread, before als_analysis_close(): it ends soon, with ALS_NOT_READY unless it was done.
ALS_API void als_analysis_cancel(struct als_analysis *analysis);
// Cancels all that are under way, and refuses further ones. Before als_close(), which waits.
ALS_API void als_analyses_cancel(struct als *als);
// Not before `done` has been called; it may be called from there.
ALS_API void als_analysis_close(struct als_analysis *analysis);

// ALS_OK: there is an answer. ALS_TOO_LARGE names the limit that was met, ALS_CORRUPT the damage.
ALS_API enum als_err als_analysis_outcome(const struct als_analysis *analysis, struct als_why *why);
// The answers, zeros when there is none of that kind; slices live as long as the analysis.
ALS_API als_position als_analysis_position(const struct als_analysis *analysis); // what was pinned

struct als_counted {
    als_str name;
    uint64_t count; // it has so many at least
    uint64_t error; // and so many more at most; 0: exact
};

struct als_frequency {
    uint64_t total;             // the sum over all buckets
    int64_t since_us, until_us; // as asked; until is now if it was not set
    size_t bucket_count;        // from that of since to that of until; 0 when there is no event
};
struct als_bucket {
    int64_t start_us;
    uint64_t count;
    size_t type_count; // types that occur in it
};
ALS_API struct als_frequency als_analysis_frequency(const struct als_analysis *analysis);
ALS_API struct als_bucket als_analysis_bucket(const struct als_analysis *analysis, size_t bucket);
// In bytewise order of the names.
ALS_API struct als_counted als_analysis_bucket_type(const struct als_analysis *analysis,
                                                    size_t bucket, size_t type);

struct als_summary_names {
    uint64_t unique;
    bool exact;           // false: `unique` is an estimate, and counts have an error
    double error_percent; // of the estimate, one standard deviation
    size_t top_count;
    struct als_counted top[10]; // most first; among equals in bytewise order of the names
};
struct als_summary {
    uint64_t total;
    int64_t first_us, last_us; // when there is an event
    struct als_summary_names entities, types;
};
ALS_API struct als_summary als_analysis_summary(const struct als_analysis *analysis);

// A pair is two events of one entity, one of each type, in either order; of one type twice, two
// different events in the order of time.
struct als_pair {
    als_str entity;
    int64_t a_us, b_us;
};
struct als_correlation {
    uint64_t total_a, total_b; // events of each type
    uint64_t pairs;
    uint64_t paired_a;   // events of type a that are in a pair
    double mean_seconds; // of the whole seconds between the two; 0 without pairs
    size_t example_count;
    struct als_pair examples[5]; // the earliest
};
ALS_API struct als_correlation als_analysis_correlation(const struct als_analysis *analysis);

// ---- Files: a tenant's events as they lie on the disk, for readers beside the engine (SQL)
//
// What is sealed lies in Parquet files, one row an event; the rest, the tail, in the log's files
// below `directory`/wal. Together they are exactly the events up to `position`. An open view keeps
// all these files where they are, so close it; a reader opens them for reading only.

struct als_file {
    als_str path;                  // absolute
    als_position first, last;      // of its rows
    uint64_t rows;                 // last - first + 1, unless retention took some out
    int64_t least_us, greatest_us; // timestamps
    uint64_t bytes;
};

struct als_files;
struct als_files_view {
    als_position position;        // pinned: all events up to here
    als_position sealed;          // those up to here are in `files`, those behind it in the log
    als_str directory;            // absolute, with a NUL behind it; empty: the tenant has no events
    const struct als_file *files; // in order of positions
    size_t count;
};

// An unknown tenant has no events and no directory.
ALS_API enum als_err als_files_open(struct als *als, als_str tenant, struct als_files **ret_files,
                                    struct als_why *why);
ALS_API struct als_files_view als_files_view(const struct als_files *files);
ALS_API void als_files_close(struct als_files *files);

// ---- Backups: directories from which a data directory can be made again. docs/backup.md
//
// A backup has, of every tenant, all events up to one position and none behind it, with the
// settings as they stood there. Sealed files are in it under a second name where the file system
// allows it, so it takes little time and space; the rest is copied. It is whole when its file
// CATALOG is there, which is written last.

struct als_backup_report {
    uint64_t tenants, events;
    uint64_t files, bytes;
    uint64_t linked;       // files that are the data directory's own under a second name
    als_position position; // of the last tenant that was taken
    int64_t created_us;
};

struct als_backup_options {
    size_t size;
    als_str name;    // of a directory that is made in the given one; empty: the given one
    als_str tenant;  // only this one; empty: all
    bool copy;       // sealed files, too, for a backup that shares no byte with the source
    bool unverified; // do not read it back and check it
    // Told how many bytes were copied or read since the last time; false ends it with
    // ALS_NOT_READY. May be NULL.
    bool (*progress)(void *context, uint64_t bytes);
    void *context;
};
#define ALS_BACKUP_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(struct als_backup_options), {NULL, 0}, {NULL, 0}, false, false, NULL, NULL          \
    }

// Makes one in `directory`, which is made when absent and must be empty (ALS_EXISTS); NULL: the
// directory `backups` of the data directory, where options.name is needed. Appending goes on.
// `ret_report` may be NULL. What a failure leaves behind is no backup and may be deleted.
ALS_API enum als_err als_backup(struct als *als, const char *directory,
                                const struct als_backup_options *options,
                                struct als_backup_report *ret_report, struct als_why *why);
typedef void als_backup_done(void *context, enum als_err code,
                             const struct als_backup_report *report, const struct als_why *why);
// The same on a thread of its own, which calls `done` once. One at a time: ALS_BUSY. als_close()
// ends one that is under way. The slices of `options` are needed for the call only.
ALS_API enum als_err als_backup_start(struct als *als, const char *directory,
                                      const struct als_backup_options *options,
                                      als_backup_done *done, void *context, struct als_why *why);
// The same of a data directory that nobody has open.
ALS_API enum als_err als_backup_offline(const char *data_directory, const char *directory,
                                        const struct als_backup_options *options,
                                        struct als_backup_report *ret_report, struct als_why *why);
// What the catalog says. ALS_NOT_FOUND: it is no backup, or was never finished.
ALS_API enum als_err als_backup_show(const char *backup, struct als_backup_report *ret_report,
                                     struct als_why *why);

typedef bool als_each_backup(void *context, als_str name,
                             const struct als_backup_report *report); // false ends
// The whole backups in a directory, in no order; NULL as for als_backup(). None when there is no
// such directory.
ALS_API enum als_err als_backups(struct als *als, const char *directory, als_each_backup *each,
                                 void *context, struct als_why *why);

struct als_restore_options {
    size_t size;
    als_str tenant; // only this one; empty: all
    // Only events up to here, of one tenant, with the settings as they stood there; 0: all.
    als_position at_position;
    bool (*progress)(void *context, uint64_t bytes); // as above
    void *context;
};
#define ALS_RESTORE_OPTIONS_INIT                                                                   \
    {                                                                                              \
        sizeof(struct als_restore_options), {NULL, 0}, 0, NULL, NULL                               \
    }
// Makes a data directory in `directory`, which is made when absent and must be empty (ALS_EXISTS);
// NULL: only checks the backup. Every byte of the backup is compared with its catalog and the
// history in it checked as als_verify() does: ALS_CORRUPT names the file. Until it has returned
// ALS_OK the directory cannot be opened.
ALS_API enum als_err als_restore(const char *backup, const char *directory,
                                 const struct als_restore_options *options,
                                 struct als_backup_report *ret_report, struct als_why *why);

// ---- Offline: a data directory that nobody has open. Verify and dump change nothing.

struct als_finding {
    als_str tenant;
    // ALS_OK: sound; ALS_CORRUPT: damaged; ALS_STORAGE: only a torn end; ALS_INDEX: only an index
    // is damaged, which als_rebuild_index() makes anew.
    enum als_err code;
    als_str file;    // of the first bad byte, relative to the directory
    uint64_t offset; // in that file
    uint64_t files, bytes, events;
    struct als_why why;
};
typedef bool als_each_finding(void *context, const struct als_finding *finding); // false ends
typedef bool als_each_event(void *context, const struct als_event *event);       // false ends

// Reads every byte of every tenant, checks every checksum, chain, position and version, and reports
// each tenant once. The result is the worst code found.
ALS_API enum als_err als_verify(const char *directory, als_each_finding *each, void *context,
                                struct als_why *why);
// Gives every event of a tenant in order, as far as the history is sound.
ALS_API enum als_err als_dump(const char *directory, als_str tenant, als_each_event *each,
                              void *context, struct als_why *why);

// How far als_rebuild_index() is with a tenant: told when it begins, behind each sealed file, and
// at the end.
struct als_rebuilding {
    als_str tenant;
    bool ended;        // it is done with the tenant, or gave it up: `code`
    enum als_err code; // ALS_CORRUPT: a sealed file is damaged; the others are done
    als_str file;      // the first such file, relative to the directory; empty: none is to blame
    uint64_t files, files_done;             // sealed files
    uint64_t bytes, bytes_done;             // of theirs
    uint64_t events_done, index_bytes_done; // of the files that are done
    struct als_why why;
};
typedef bool als_each_rebuilding(void *context, const struct als_rebuilding *rebuilding);

// Makes the index beside each sealed file anew, from the file, which is read and checked whole. An
// index is replaced when the new one is durable and was found sound, so it may be broken off at any
// moment. `tenant` empty: all of them. False from `each` ends it. The result is the worst code.
ALS_API enum als_err als_rebuild_index(const char *directory, als_str tenant,
                                       als_each_rebuilding *each, void *context,
                                       struct als_why *why);

#ifdef __cplusplus
}
#endif
#endif
