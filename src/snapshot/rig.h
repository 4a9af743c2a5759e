// SPDX-License-Identifier: Apache-2.0
// For tests: a store on a simulated disk, and appending to it without an engine.
#pragma once

#include "base/limits.h"
#include "event/event.h"
#include "sim.h"
#include "snapshot/snapshot.h"
#include "store/store.h"

#include <stdlib.h>

struct rig {
    struct os *os;
    struct os_dir *dir;
    struct store *store;
    struct snapshots *snapshots;
    struct state *state, *plain;
};

static inline err rig_open(struct rig *rig, struct sim *sim, enum store_sync sync,
                           struct snapshots_options options, struct als_why *why)
{
    *rig = (struct rig){.os = sim_os(sim), .state = state_new(), .plain = state_new()};
    struct store_options store = {.tenant = S("default"), .sync = sync, .wal_file_bytes = KIB(64)};
    struct store_report report;
    TRY(rig->os->dir_open(rig->os, NULL, S("data"), true, &rig->dir, why));
    TRY(store_open(rig->os, rig->dir, store, &report, &rig->store, why));
    return snapshots_new(rig->os, rig->dir, rig->store, options, &rig->snapshots, why);
}

static inline void rig_close(struct rig *rig)
{
    state_free(rig->state);
    state_free(rig->plain);
    snapshots_close(rig->snapshots);
    store_close(rig->store);
    if (rig->dir)
        rig->os->dir_close(rig->dir);
    *rig = (struct rig){};
}

static inline void rig_done(struct append *append)
{
    (void)append; // its fate is in it
}

// One event, durable or not as the store was opened. Its id is made of `id`.
static inline err rig_append(struct rig *rig, str entity, str payload, int64_t timestamp_us,
                             uint64_t id, struct als_why *why)
{
    static const uint8_t head[BATCH_HEAD_BYTES];
    struct record_draft draft = {
        .entity = entity, .type = S("t"), .timestamp_us = timestamp_us, .id = {{0x22}}};
    memcpy(draft.id.bytes + 8, &id, sizeof id);
    struct append_event event = {.offset = BATCH_HEAD_BYTES,
                                 .has_timestamp = true,
                                 .expected_version = STORE_ANY_VERSION,
                                 .entity_hash = store_hash_name(rig->store, entity),
                                 .type_hash = store_hash_name(rig->store, draft.type),
                                 .id_hash = store_hash_id(rig->store, draft.id)};
    struct append append = {.done = rig_done, .events = &event, .count = 1};
    buf_init(&append.bytes, 1 << 20);
    buf_put(&append.bytes, head, sizeof head);
    uint8_t *record = (uint8_t *)buf_room(&append.bytes, record_size_max(&draft, payload.len, 0));
    memcpy(record_begin(record, BATCH_HEAD_BYTES, &draft), payload.ptr, payload.len);
    record_payload_done(record, payload.len);
    buf_grew(&append.bytes, record_finish(record, 0, 0));
    bool first;
    err code = store_post(rig->store, &append, &first, why);
    if (code == ALS_OK) {
        while (store_turn(rig->store))
            continue;
        code = append.code;
    }
    buf_deinit(&append.bytes);
    return code;
}

// The same question with and without snapshots gets the same answer.
static inline err rig_compare(struct rig *rig, const struct state_bounds *bounds,
                              struct als_why *why)
{
    TRY(state_fold(rig->plain, NULL, rig->store, bounds, why));
    TRY(state_fold(rig->state, rig->snapshots, rig->store, bounds, why));
    const struct folded *a = state_folded(rig->plain), *b = state_folded(rig->state);
    if (!str_equal(state_json(rig->plain), state_json(rig->state)))
        return FAIL(why, ALS_INTERNAL, "a state of %.*s differs: %.60s, with snapshots %.60s",
                    STR(bounds->entity), state_json(rig->plain).ptr, state_json(rig->state).ptr);
    if (a->event_count != b->event_count || a->version != b->version ||
        a->position != b->position || a->as_of_us != b->as_of_us ||
        a->greatest_us != b->greatest_us || a->event_recorded_us != b->event_recorded_us ||
        memcmp(a->event_id.bytes, b->event_id.bytes, 16) != 0)
        return FAIL(why, ALS_INTERNAL, "what is folded of %.*s differs: version %u, snapshots %u",
                    STR(bounds->entity), (unsigned)a->version, (unsigned)b->version);
    return ALS_OK;
}
