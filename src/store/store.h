// SPDX-License-Identifier: Apache-2.0
// One tenant's events: one order, one writer at a time, any number of readers.
//
// The store gives positions and versions, judges expected versions, ids and conditions, makes
// batches durable through its log, indexes them and publishes the position. Views and cursors read
// what was published. It makes no threads: whoever has one takes the turns (the engine's writers,
// the simulator).
// Threads: store_post() and everything that reads may be called by any thread; store_turn(),
// store_settle() and store_close() by one at a time;
// store_seal() by one, store_compact() by one, each beside the others.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/own.h"
#include "base/str.h"

struct os;
struct os_dir;
struct part;
struct segment;
struct segment_cache;
struct segment_facts;
struct store;
struct store_log;
struct parts;

// ---- Life

enum store_sync {
    STORE_SYNC_EACH,  // a turn is answered when it is durable
    STORE_SYNC_LATER, // answered at once; store_settle() makes it durable
};

struct store_calls { // what the store tells its owner; functions may be NULL
    void (*synced)(void *context, uint64_t duration_ns, size_t batches);
    void *context;
};

struct store_options {
    str tenant;
    enum store_sync sync;
    uint64_t wal_file_bytes;
    uint64_t seal_bytes;  // records of about so many bytes become one segment; 0: the default
    uint64_t seal_events; // or so many events; 0: the default
    int zstd_level;       // of segments; 0: the default
    KEEPS struct segment_cache *cache; // pages of segments; NULL: a small one of the store's own
    struct store_calls calls;
};

struct store_report { // what opening found
    uint64_t events;
    uint64_t segments;
    uint64_t torn_bytes; // cut off the end of the log
    bool rewritten;      // the log's end was copied to a new file
};

// Opens the store in `dir`, empty if there is nothing, and recovers all its events.
// ALS_CORRUPT names the file; nothing is changed then.
err store_open(KEEPS struct os *os, KEEPS struct os_dir *dir, struct store_options options,
               struct store_report *ret_report, struct store **ret_store, struct als_why *why);
// Answers what still waits in the mailbox, makes all durable, and frees. No view may be pinned.
void store_close(struct store *store);
AUTO_WITH(store, store_close)

str store_tenant(const struct store *store);

// ---- Appending

// Of one event in an append; the caller fills the first part.
struct append_event {
    uint32_t offset; // of its record in `bytes`
    bool has_id, has_timestamp;
    int64_t expected_version; // STORE_ANY_VERSION, -1 for "must exist", or the version before it
    uint64_t entity_hash, type_hash, id_hash; // store_hash_name(), store_hash_id()

    struct index_list *entity, *type; // the writer's
    als_position position;            // results
    als_version version;
    int64_t timestamp_us;
};
#define STORE_ANY_VERSION INT64_MIN

struct append_condition {
    str entity, type; // empty: any
    als_position after;
};

enum { APPEND_BETWEEN_MAX = 10 };

struct append_between { // an event that got in between
    als_position position;
    als_version version;
    als_id id;
    uint8_t type_len;
    char type[TYPE_BYTES_MAX];
};

// One append on its way: an encoded batch with what was demanded, and in the end its fate. The
// caller owns it and lends it to the store from store_post() until `done`.
struct append {
    struct append *next;
    struct buf bytes; // the batch (event.h); the writer fills in versions and times
    struct append_event *events;
    uint32_t count;
    const struct append_condition *conditions;
    uint32_t condition_count;
    // Called once, by the thread that takes the turn; the append is the caller's again.
    void (*done)(struct append *append);
    void *owner; // the caller's

    err code;
    struct als_why why;
    bool duplicate; // stored before: positions, versions and times are those of then
    als_position first;
    int64_t recorded_us;
    uint32_t index; // of the event or condition that was refused
    als_version actual_version;
    uint64_t between_total; // ALS_VERSION_CONFLICT, ALS_CONDITION_FAILED
    uint32_t between_count;
    struct append_between between[APPEND_BETWEEN_MAX]; // newest first
};

uint64_t store_hash_name(const struct store *store, str name);
uint64_t store_hash_id(const struct store *store, als_id id);

// Puts the append into the mailbox. ALS_QUEUE_FULL at once when too many wait, ALS_STORAGE_FAILED
// when the log takes no more; `done` is not called then. `*ret_first` says that nobody has been
// told yet that a turn is wanted: the caller sees to it that one is taken.
err store_post(struct store *store, struct append *append, bool *ret_first, struct als_why *why);

// Takes what waits, up to a limit, makes it durable with one sync, publishes and answers.
// Returns whether more waits.
bool store_turn(struct store *store);

// Whether appends wait. When none does, the next store_post() is the first again. For the thread
// that took the turn.
bool store_has_work(struct store *store);

// Makes durable what was answered before, and marks the log as whole. For idle moments, and for
// STORE_SYNC_LATER at its interval. Does nothing when there is nothing to say.
err store_settle(struct store *store, struct als_why *why);
bool store_is_settled(const struct store *store); // any thread
bool store_has_failed(const struct store *store); // any thread

// ---- Sealing. Threads: one at a time, beside the writer and the compactor.

// Turns the oldest stretch of the log that is closed into a segment: written, synced, read back and
// compared before the manifest has it. *ret_sealed says whether there was one. What fails leaves
// everything as it was, and may be tried again.
err store_seal(struct store *store, bool *ret_sealed, struct als_why *why);
bool store_wants_seal(struct store *store); // any thread
// Memory of the index of what is not sealed, in bytes. Any thread.
uint64_t store_tail_bytes(struct store *store);
// The same of the stretch that still grows, which nothing seals. The writer.
uint64_t store_growing_bytes(const struct store *store);
// Has that stretch end here, though it is short: it can be sealed then. Nothing happens when it is
// empty, or for want of memory. The writer, between turns.
void store_end_stretch(struct store *store);

// ---- Compaction: neighbouring segments become one. Threads: one at a time, beside the writer and
// the sealer. Whatever else replaces segments takes its turn on the same thread.

enum store_strategy {
    STORE_BY_SIZE,  // tiers: so many files of like size, one behind the other
    STORE_BY_AGE,   // what was recorded before `before_us`
    STORE_BY_COUNT, // as soon as there are so many, whatever their size
    STORE_ALL,      // whatever fits into one file
};

struct store_compaction {
    enum store_strategy strategy;
    uint32_t files_min;    // at least 2: so many files are worth merging
    uint64_t target_bytes; // a file of this size is left alone; none becomes larger than twice that
    uint64_t small_bytes;  // STORE_BY_SIZE merges files below it, whatever their tier; 0: none
    int64_t before_us;
    // Told now and then how much of a merge is done, in bytes read and written. It may wait; false
    // gives up. NULL: not.
    bool (*paced)(void *context, uint64_t done, uint64_t total);
    void *context;
};

struct store_compacted {
    uint64_t files; // that were merged; 0: nothing qualified
    uint64_t bytes_before, bytes_after, events;
};

// Merges once: written, synced, read back and compared before the manifest has it, and nothing is
// removed before that. What fails leaves everything as it was. ALS_CORRUPT: a segment cannot be
// read; it is passed over until the store is opened again, the others are not. ALS_NOT_READY: it
// was given up.
err store_compact(struct store *store, const struct store_compaction *how,
                  struct store_compacted *ret_compacted, struct als_why *why);

// ---- Retention: what no rule keeps is taken out of sealed files. Positions and versions stay what
// they are. Threads: as compaction, and on the same thread.

#define STORE_ANY_AGE INT64_MIN
struct store_rule {
    str types;         // a type, or a prefix with a '*' behind it; the longest one that fits counts
    int64_t before_us; // what was recorded before goes; STORE_ANY_AGE: nothing for its age
    uint64_t count_max; // of each type the newest so many stay; 0: all
    uint64_t bytes_max; // of each type the newest of so many bytes together, payload and metadata
};

struct store_retention {
    const struct store_rule *rules;
    size_t rule_count;
    bool all; // false: a file is made anew only when it loses at least a quarter of its events
    uint64_t files_max; // it ends when so many lost events, and there may be more; 0: no bound
    // Told now and then how many bytes were read and written, and are to be with the file under
    // way. It may wait; false gives up. NULL: not.
    bool (*paced)(void *context, uint64_t done, uint64_t total);
    void *context;
};

struct store_retained {
    uint64_t files, files_removed;      // that lost events; that went as a whole
    uint64_t bytes_before, bytes_after; // of those files
    uint64_t events;
};

// Goes through the files, the newest ones first. The newest sealed event of each entity and each
// type stays in any case. What was removed before a failure is told. Errors as of store_compact().
err store_retain(struct store *store, const struct store_retention *how,
                 struct store_retained *ret_retained, struct als_why *why);

// ---- Reading

// What one reader sees: everything up to `position`, in parts that stay as they are while it is
// pinned. A plain value.
struct view {
    struct store *store; // NULL: a tenant without a store, which has no events
    struct parts *parts;
    als_position position;
};
struct view view_pin(struct store *store); // NULL is accepted
void view_unpin(struct view view);

// The entity's version in the view, 0 when it has no event there.
err view_version(struct view view, str entity, als_version *ret_version, struct als_why *why);
// How many of its events up to a position are there: as many as versions, unless retention took
// some out.
err view_count(struct view view, str entity, als_position up_to, uint64_t *ret_count,
               struct als_why *why);
bool store_is_thinned(const struct store *store); // retention has taken something out. Any thread

als_position store_position(const struct store *store); // published

enum cursor_path { CURSOR_SCAN, CURSOR_ENTITY, CURSOR_TYPE, CURSOR_ID };

struct cursor_bounds {
    als_position after; // positions behind this
    als_position up_to; // and up to this; at most the view's
    bool descending;
    // Whole segments without a timestamp in here may be left out; others are not filtered.
    bool timed;
    int64_t since_us, until_us;
};

// Walks events of a view in order of positions. The memory is the cursor's own and kept over
// its next opening; one thread. Names are the caller's while it walks.
struct cursor;
struct cursor *cursor_new(void); // NULL: no memory
void cursor_free(struct cursor *cursor);
AUTO_WITH(cursor, cursor_free)

err cursor_over_all(struct cursor *cursor, struct view view, struct cursor_bounds bounds,
                    struct als_why *why);
err cursor_over_entity(struct cursor *cursor, struct view view, KEEPS str entity,
                       struct cursor_bounds bounds, struct als_why *why);
// Any of the types; one that ends in '*' is a prefix.
err cursor_over_types(struct cursor *cursor, struct view view, KEEPS const str *types, size_t count,
                      struct cursor_bounds bounds, struct als_why *why);
err cursor_over_id(struct cursor *cursor, struct view view, als_id id, struct cursor_bounds bounds,
                   struct als_why *why);
// Whether a type is the pattern, or begins with what stands before the pattern's trailing '*'.
bool type_matches(str pattern, str type);

enum cursor_path cursor_path(const struct cursor *cursor);
// The next event; position 0 at the end. The slices live until the cursor's next call. What is
// sealed may be damaged: ALS_CORRUPT, and the cursor is at its end.
err cursor_next(struct cursor *cursor, struct als_event *ret_event, struct als_why *why);
// Whether the slices of the event that was just given live as long as the view instead.
bool cursor_lasts(const struct cursor *cursor);
// Lets go of what the last event needed. Before the view is unpinned.
void cursor_reset(struct cursor *cursor);

enum store_names_of { STORE_ENTITIES, STORE_TYPES };
struct store_name {
    str name; // lives as long as the view
    uint64_t count;
    als_position last;
};
// Names in bytewise order that begin with `prefix`, behind `after`; at most `count` of them.
err view_names(struct view view, enum store_names_of of, str prefix, str after,
               struct store_name *ret_names, size_t count, size_t *ret_found, struct als_why *why);

// What of a view is sealed, oldest first.
struct store_segment {
    const struct segment_facts *facts;
    struct part *part;
};
// Its file's name in the directory segments/.
enum { SEGMENT_NAME_MAX = 80 };
str store_segment_name(const struct store_segment *segment, char space[static SEGMENT_NAME_MAX]);
// At most `room` of them are given; how many there are is returned.
size_t view_segments(struct view view, struct store_segment *ret_segments, size_t room);
als_position view_sealed(struct view view); // everything up to here is in segments
// The open segment of a part; it lives as long as the view.
err view_segment(struct view view, struct part *part, struct segment **ret_segment,
                 struct als_why *why);

struct store_stat {
    uint64_t events, entities, types;
    uint64_t wal_files, wal_bytes, wal_bytes_allocated, wal_syncs, wal_sync_ns;
    uint64_t segments, segment_bytes, sealed; // files, their bytes, positions in them
    uint64_t unfit;                           // files that compaction passes over
    uint64_t removed;                         // events that retention took out; not in `events`
    uint64_t index_bytes;
    uint64_t waiting;
};
// Numbers that may be a turn old. Any thread.
struct store_stat store_stat(struct store *store);

// ---- Offline: a store that nobody has open.

enum store_finding {
    STORE_SOUND,
    STORE_TORN,          // a log's end was cut by a crash; opening cuts it off
    STORE_INDEX_DAMAGED, // the index beside a segment; store_rebuild_indexes()
};
struct store_verdict {
    enum store_finding finding;
    char file[128]; // of the first bad byte, below the store's directory; empty: none is to blame
    uint64_t offset, torn_bytes;
    uint64_t files, bytes, events;
};
typedef err store_each(void *context, const struct als_event *event, struct als_why *why);
// Reads every byte and gives every event in order, changing nothing; `each` may be NULL, and its
// error ends it.
// ALS_CORRUPT: damage, and the verdict may name the file.
err store_verify(struct os *os, struct os_dir *dir, str tenant, store_each *each, void *context,
                 struct store_verdict *ret_verdict, struct als_why *why);
// The same in memory that does not grow with the number of entities: whether versions go on as they
// should is not looked at.
err store_verify_bytes(struct os *os, struct os_dir *dir, str tenant, store_each *each,
                       void *context, struct store_verdict *ret_verdict, struct als_why *why);

// ---- Copies of a store, for backup and restore

struct store_copying {
    str tenant;
    bool bytes;         // copies sealed files where a second name would do
    als_position up_to; // store_copy(): events up to here; UINT64_MAX: all
    // Told how many bytes have come to the copy since the last time; false ends it with
    // ALS_NOT_READY. May be NULL.
    bool (*paced)(void *context, uint64_t bytes);
    void *context;
};
struct store_copied {
    als_position position; // the copy has all events up to here
    uint64_t events, segments;
    uint64_t linked; // files that are the source's under a second name
};
// Writes what the view sees into the empty directory `target`, as a store of its own whose files
// are no longer than they must be. Appending, sealing and what else replaces segments may go on.
// When it fails the directory is of no use. Durable when it returns.
err store_copy_view(struct os *os, struct view view, struct os_dir *target,
                    const struct store_copying *copying, struct store_copied *ret_copied,
                    struct als_why *why);
// The same from a store that nobody has open. ALS_UNSUPPORTED when `up_to` lies before what was
// sealed when retention removed events up to there: what was removed may be what was newest then.
err store_copy(struct os *os, struct os_dir *source, struct os_dir *target,
               const struct store_copying *copying, struct store_copied *ret_copied,
               struct als_why *why);

// Makes the index beside every segment anew, from the segment, which is read and checked whole. An
// index that is there stays until the new one is durable and was found sound. Nothing else is
// changed. ALS_CORRUPT, ALS_FORMAT_TOO_NEW: the segment `file` cannot be read; the others are done.
struct store_rebuilt {
    uint64_t segments, done;      // files
    uint64_t bytes, bytes_done;   // of segments
    uint64_t events, index_bytes; // of those that are done
    char file[128]; // the first that failed, below the store's directory; empty: none is to blame
};
// Called before the first segment and behind each; its error ends it.
typedef err store_rebuilt_each(void *context, const struct store_rebuilt *rebuilt,
                               struct als_why *why);
struct store_rebuild_watch {
    store_rebuilt_each *each;
    void *context;
};
err store_rebuild_indexes(struct os *os, struct os_dir *dir, str tenant,
                          const struct store_rebuild_watch *watch,
                          struct store_rebuilt *ret_rebuilt, struct als_why *why);

// ---- Hearing of new positions

// Somebody who wants to know when the store has passed a position. The caller owns the struct and
// keeps it until it was told or has taken it back.
struct watch {
    struct watch *next, *previous;
    als_position position; // tell when the store has this
    bool armed;
    void (*tell)(struct watch *watch); // the writer's thread; the watch is disarmed before
};

// False when the store has the position already: `tell` is not called then.
bool store_watch(struct store *store, struct watch *watch);
// After it returned, `tell` is not called, nor running. Not from within `tell`.
void store_unwatch(struct store *store, struct watch *watch);
