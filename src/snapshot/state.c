// SPDX-License-Identifier: Apache-2.0
// The fold of an entity's events, begun from a snapshot where one may be used.
//
// 1. A snapshot is a fold of all events of the entity up to its position. So it may begin a fold
//    with bounds if all its events pass them: its position, its version, and the greatest of its
//    timestamps, which need not be the last one.
// 2. What is folded behind it are the events behind its position. An event that comes late has a
//    late position, too, whatever its timestamp; none can get lost.
// 3. A snapshot that was read from the disk is of this history if the last event that it folded is
//    in the history, recorded at the same moment. A log that a power cut has shortened has lost it,
//    and what takes its place is recorded later.
// 4. Nor may it hold events that retention has taken out of the history: what it has folded must be
//    as many as there are up to its position.
#include "snapshot/inside.h"

#include "base/arena.h"
#include "base/mutant.h"
#include "projection/projection.h"
#include "query/query.h"

#include <stdlib.h>

enum { STATE_BYTES_KEPT_MAX = 1 << 20 };
#define STATE_BYTES_MAX MIB(256)
// Payloads that were copied and have been replaced since: so many bytes may lie about.
#define KEPT_GARBAGE_MAX MIB(1)

struct state {
    struct results *results;
    struct fold *fold;
    struct buf base, printed;
    struct arena kept;            // payloads that the fold borrows and that would not stay
    size_t kept_bytes, kept_live; // all of them; those that the last tidying left
    struct folded folded;
    str json;
    als_position pinned;
    uint64_t events_read;
};

struct state *state_new(void)
{
    struct state *state = calloc(1, sizeof *state);
    if (!state)
        return NULL;
    buf_init(&state->base, STATE_BYTES_MAX);
    buf_init(&state->printed, STATE_BYTES_MAX);
    arena_init(&state->kept, KIB(16), 4 * STATE_BYTES_MAX);
    state->results = results_new();
    state->fold = fold_new();
    if (state->results && state->fold)
        return state;
    state_free(state);
    return NULL;
}

void state_free(struct state *state)
{
    if (!state)
        return;
    results_free(state->results);
    fold_free(state->fold);
    buf_deinit(&state->base);
    buf_deinit(&state->printed);
    arena_deinit(&state->kept);
    free(state);
}

static void buf_let_go(struct buf *buf)
{
    buf_reset(buf);
    if (buf->capacity > STATE_BYTES_KEPT_MAX)
        buf_deinit(buf);
}

void state_reset(struct state *state)
{
    results_close(state->results);
    fold_reset(state->fold);
    buf_let_go(&state->base);
    buf_let_go(&state->printed);
    arena_reset(&state->kept);
    state->kept_bytes = state->kept_live = 0;
    state->folded = (struct folded){.greatest_us = INT64_MIN};
    state->json = (str){NULL, 0};
    state->pinned = 0;
    state->events_read = 0;
}

const struct folded *state_folded(const struct state *state)
{
    return &state->folded;
}

str state_json(const struct state *state)
{
    return state->json;
}

als_position state_pinned(const struct state *state)
{
    return state->pinned;
}

uint64_t state_events_read(const struct state *state)
{
    return state->events_read;
}

// ---- Beginning with a snapshot

static bool passes_bounds(const struct entry *entry, const void *context)
{
    const struct state_bounds *bounds = context;
    int64_t greatest_us =
        MUTANT(SNAPSHOT_AS_OF_TAKEN_FOR_GREATEST) ? entry->as_of_us : entry->greatest_us;
    return greatest_us <= bounds->as_of_us &&
           (!bounds->as_of || entry->position <= bounds->as_of) &&
           (!bounds->at_version || entry->version <= bounds->at_version);
}

// Whether the log has the last event that was folded.
static err is_of_this_log(struct state *state, struct store *store, const struct record *record,
                          bool *ret_is, struct als_why *why)
{
    const struct folded *folded = &record->snapshot.folded;
    struct query query = {.by_entity = true,
                          .entity = record_entity_of(record),
                          .since_us = INT64_MIN,
                          .until_us = INT64_MAX,
                          .after = folded->position - 1,
                          .up_to = folded->position,
                          .limit = 1};
    struct als_event event;
    TRY(results_open(state->results, store, &query, why));
    err code = results_next(state->results, &event, why);
    *ret_is = code == ALS_OK && event.position == folded->position &&
              event.version == folded->version && event.recorded_us == folded->event_recorded_us &&
              memcmp(event.id.bytes, folded->event_id.bytes, sizeof event.id.bytes) == 0;
    results_close(state->results);
    return code;
}

// Whether every event that was folded is still there.
static err is_whole(struct store *store, const struct record *record, bool *ret_is,
                    struct als_why *why)
{
    const struct folded *folded = &record->snapshot.folded;
    uint64_t count = 0;
    struct view view = view_pin(store);
    err code = view_count(view, record_entity_of(record), folded->position, &count, why);
    view_unpin(view);
    *ret_is = count == folded->event_count;
    return code;
}

err state_use(struct state *state, struct snapshots *snapshots, const struct entry *entry,
              bool with_json, struct record *ret_record, struct als_why *why)
{
    err code = files_read(snapshots, entry, ret_record, with_json ? &state->base : NULL, why);
    bool sound = code == ALS_OK, is = true;
    if (sound && !entry->proven)
        code = is_of_this_log(state, snapshots->store, ret_record, &is, why);
    if (sound && code == ALS_OK && is && store_is_thinned(snapshots->store))
        code = is_whole(snapshots->store, ret_record, &is, why);
    if (MUTANT(SNAPSHOT_HISTORY_IGNORED))
        is = true;
    if (code == ALS_OK && is) {
        if (!entry->proven)
            files_prove(snapshots, entry->hash, entry->serial);
        return ALS_OK;
    }
    if (code != ALS_OK && code != ALS_CORRUPT)
        return code;
    files_drop(snapshots, entry->hash, entry->serial);
    return ALS_NOT_FOUND;
}

// ALS_NOT_FOUND when no snapshot passes. Terminates: what is of no use leaves the directory.
static err begin(struct snapshots *snapshots, struct state *state,
                 const struct state_bounds *bounds, struct record *ret_record, struct als_why *why)
{
    files_load(snapshots);
    uint64_t hash = store_hash_name(snapshots->store, bounds->entity);
    err code = ALS_NOT_FOUND;
    struct entry entry;
    while (code == ALS_NOT_FOUND && files_pick(snapshots, hash, passes_bounds, bounds, &entry)) {
        code = state_use(state, snapshots, &entry, true, ret_record, why);
        files_unpin(snapshots, &entry);
    }
    if (code == ALS_OK && !str_equal(record_entity_of(ret_record), bounds->entity))
        return ALS_NOT_FOUND; // two names of one hash
    return code;
}

// ---- Folding

// The fold is begun anew from its own text, which is all of what was kept that still counts.
static err tidy(struct state *state, struct als_why *why)
{
    fold_print(state->fold, &state->printed);
    fold_reset(state->fold);
    arena_reset(&state->kept);
    state->kept_bytes = state->kept_live = state->printed.len;
    str text = arena_copy(&state->kept, buf_str(&state->printed));
    if (buf_failed(&state->printed) || !text.ptr)
        return FAIL(why, ALS_TOO_LARGE, "the state is larger than %llu bytes",
                    (unsigned long long)STATE_BYTES_MAX);
    buf_reset(&state->printed);
    return fold_apply(state->fold, text, why);
}

// A payload that lies in the log stays while the results are open; one of a segment goes with its
// page, so it is copied.
static err keep_payload(struct state *state, str *payload, struct als_why *why)
{
    if (results_last(state->results))
        return ALS_OK;
    if (state->kept_bytes > 2 * state->kept_live + KEPT_GARBAGE_MAX)
        TRY(tidy(state, why));
    state->kept_bytes += payload->len;
    *payload = arena_copy(&state->kept, *payload);
    return payload->ptr ? ALS_OK : FAIL(why, ALS_NO_MEMORY, "the state of an entity");
}

static err fold_event(struct state *state, const struct als_event *event, struct als_why *why)
{
    str payload = event->payload;
    if (state->events_read++ == 0 && state->base.len)
        TRY(fold_apply(state->fold, buf_str(&state->base), why));
    TRY(keep_payload(state, &payload, why));
    return fold_apply(state->fold, payload, why);
}

static err fold_events(struct state *state, als_version at_version, struct als_why *why)
{
    struct folded *folded = &state->folded;
    for (;;) {
        struct als_event event;
        TRY(results_next(state->results, &event, why));
        if (event.position == 0 || (at_version && event.version > at_version))
            return ALS_OK;
        TRY(fold_event(state, &event, why));
        folded->event_count++;
        folded->version = event.version;
        folded->position = event.position;
        folded->as_of_us = event.timestamp_us;
        if (event.timestamp_us > folded->greatest_us)
            folded->greatest_us = event.timestamp_us;
        folded->event_id = event.id;
        folded->event_recorded_us = event.recorded_us;
    }
}

err state_fold(struct state *state, struct snapshots *snapshots, struct store *store,
               const struct state_bounds *bounds, struct als_why *why)
{
    state_reset(state);
    struct record record;
    if (snapshots && begin(snapshots, state, bounds, &record, NULL) == ALS_OK)
        state->folded = record.snapshot.folded;
    else
        buf_reset(&state->base); // whatever was wrong with it: the events are there
    struct query query = {.by_entity = true,
                          .entity = bounds->entity,
                          .since_us = INT64_MIN,
                          .until_us = bounds->as_of_us,
                          .after = state->folded.position,
                          .up_to = bounds->as_of ? bounds->as_of : UINT64_MAX,
                          .limit = UINT64_MAX};
    TRY(results_open(state->results, store, &query, why));
    state->pinned = results_position(state->results);
    TRY(fold_events(state, bounds->at_version, why));
    if (state->events_read == 0 && state->base.len) {
        state->json = buf_str(&state->base);
        return ALS_OK;
    }
    fold_print(state->fold, &state->printed);
    if (buf_failed(&state->printed))
        return FAIL(why, ALS_TOO_LARGE, "the state is larger than %llu bytes",
                    (unsigned long long)STATE_BYTES_MAX);
    state->json = buf_str(&state->printed);
    return ALS_OK;
}

// ---- Reading snapshots

err snapshot_latest(struct snapshots *snapshots, struct state *state, str entity,
                    struct snapshot *ret_snapshot, struct als_why *why)
{
    state_reset(state);
    struct state_bounds all = {.entity = entity, .as_of_us = INT64_MAX};
    struct record record;
    err code = begin(snapshots, state, &all, &record, why);
    if (code == ALS_NOT_FOUND)
        return FAIL(why, ALS_NOT_FOUND, "no snapshot of entity %.*s", STR(entity));
    TRY(code);
    state->json = buf_str(&state->base);
    *ret_snapshot = record.snapshot;
    return ALS_OK;
}
