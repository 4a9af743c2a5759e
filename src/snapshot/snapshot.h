// SPDX-License-Identifier: Apache-2.0
// Saved folds: the state of an entity up to a position, kept so that nobody folds it again.
//
// A snapshot is a cache and never the truth. Losing any of them, or all, changes no answer: what is
// torn, flipped, or belongs to a history that the log no longer has is noticed and left alone. So
// nothing here is synced as it is written; only what a clean stop or a rewrite leaves is.
// Format: docs/formats/snapshots.md.
// Threads: any thread may call anything but snapshots_new() and snapshots_close(); a state belongs
// to one thread.
#pragma once

#include "base/err.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"

struct os;
struct os_dir;
struct store;
struct snapshots;

// ---- Life

struct snapshots_options {
    uint32_t per_entity;  // at most so many of an entity; the newest stay
    uint32_t count_max;   // of all entities together; then the oldest file goes with all it has
    uint64_t bytes_max;   // of all files together; likewise
    uint64_t file_bytes;  // a file is full past this
    uint64_t state_bytes; // a larger state is not saved
};
#define SNAPSHOTS_OPTIONS_INIT                                                                     \
    {                                                                                              \
        .per_entity = SNAPSHOTS_PER_ENTITY_DEFAULT, .count_max = SNAPSHOTS_COUNT_MAX,              \
        .bytes_max = SNAPSHOTS_BYTES_MAX, .file_bytes = SNAPSHOTS_FILE_BYTES,                      \
        .state_bytes = SNAPSHOT_STATE_BYTES_MAX                                                    \
    }

// Reads nothing yet: the first that asks does. `dir` is the tenant's; snapshots/ below it is made
// with the first snapshot. ALS_NO_MEMORY.
err snapshots_new(KEEPS struct os *os, KEEPS struct os_dir *dir, KEEPS struct store *store,
                  struct snapshots_options options, struct snapshots **ret_snapshots,
                  struct als_why *why);
// Makes what is there durable, as far as the disk lets it, and frees. No state may be folding.
void snapshots_close(struct snapshots *snapshots);
AUTO_WITH(snapshots, snapshots_close)

// ---- The state of an entity, with snapshots or without

// Events that pass all three are folded, in the order of positions.
struct state_bounds {
    str entity;
    int64_t as_of_us;       // timestamps up to this
    als_position as_of;     // positions up to this; 0: no bound
    als_version at_version; // versions up to this; 0: no bound
};

// What the fold of events is, beside its JSON.
struct folded {
    uint64_t event_count;
    als_version version; // of the last event, like the rest
    als_position position;
    int64_t as_of_us;    // its timestamp
    int64_t greatest_us; // the greatest timestamp of all: events may be late
    als_id event_id;
    int64_t event_recorded_us;
};

struct state;                  // memory for folding, reused
struct state *state_new(void); // NULL: no memory
void state_free(struct state *state);
AUTO_WITH(state, state_free)
void state_reset(struct state *state); // lets go of everything but some memory

// Folds the events that pass, beginning with the newest snapshot of which every event passes
// (`snapshots` NULL: with nothing). The same answer in both cases, to the byte. No events:
// event_count 0. ALS_TOO_LARGE.
err state_fold(struct state *state, struct snapshots *snapshots, struct store *store,
               const struct state_bounds *bounds, struct als_why *why);
const struct folded *state_folded(const struct state *state);
str state_json(const struct state *state);            // until state_reset()
als_position state_pinned(const struct state *state); // the position that was seen
uint64_t state_events_read(const struct state *state);

// ---- Snapshots

enum snapshot_kind { SNAPSHOT_MANUAL, SNAPSHOT_AUTOMATIC, SNAPSHOT_ONDEMAND, SNAPSHOT_KINDS };

struct snapshot {
    als_id id;
    enum snapshot_kind kind;
    int64_t created_us;
    struct folded folded;
    uint32_t json_len;
    uint8_t entity_len;
    char entity[ENTITY_BYTES_MAX];
};

// Saves the fold of the entity up to `as_of` (0: all there is), made from the snapshot before it.
// Works in `state`, where the JSON stands afterwards. ALS_ENTITY_NOT_FOUND when there is no event,
// ALS_TOO_LARGE when the state is larger than is saved.
err snapshot_make(struct snapshots *snapshots, struct state *state, str entity, als_position as_of,
                  enum snapshot_kind kind, struct snapshot *ret_snapshot, struct als_why *why);

// The newest of an entity with its JSON in state_json(). ALS_NOT_FOUND.
err snapshot_latest(struct snapshots *snapshots, struct state *state, str entity,
                    struct snapshot *ret_snapshot, struct als_why *why);

// Those of one entity, the greatest `as_of_us` first and the newest first among equals; at most
// `room`. With an empty entity those of all, entity by entity in an order that stays while the
// process runs, of entities behind `after` (empty: from the first); it ends before an entity that
// does not fit. `*ret_more`: it ended so.
struct snapshot_page {
    str entity, after;
    struct snapshot *snapshots;
    size_t room;
};
err snapshot_list(struct snapshots *snapshots, struct state *state,
                  const struct snapshot_page *page, size_t *ret_count, bool *ret_more,
                  struct als_why *why);

// Forgets those of an entity; they stay gone when it could be written, as a power cut allows.
err snapshot_delete(struct snapshots *snapshots, str entity, uint64_t *ret_count,
                    struct als_why *why);

// ---- Work that waits

// Whether an entity that has just got an event, recorded at `recorded_us`, has a newest snapshot
// that is older than `seconds`. True at most once in that time, whatever becomes of it. It is asked
// for every event, so what was answered is remembered for as long as the answer must stay no; an
// older snapshot that becomes the newest one, for that was removed, may be noticed late.
struct due_memory { // of one thread, for all its stores; zeros to begin with
    struct {
        uint64_t hash;
        int64_t before_us; // an event that is recorded before this moment makes nothing due
    } answers[SNAPSHOT_DUE_REMEMBERED];
};
bool snapshots_due(struct snapshots *snapshots, struct due_memory *memory, str entity,
                   int64_t recorded_us, uint32_t seconds);

// Removes or rewrites one file that is mostly garbage. Returns whether there was one; a failure
// leaves the file for another time.
bool snapshots_clean(struct snapshots *snapshots, struct als_why *why);

struct snapshots_stat {
    uint64_t count, entities, files, bytes, live_bytes;
};
struct snapshots_stat snapshots_stat(struct snapshots *snapshots); // of what was read so far
