// SPDX-License-Identifier: Apache-2.0
// From a closed stretch of the log to a segment.
//
//   1. The files are made and read back (make.c).
//   2. The manifest says that the segment exists: from here on the log's copy is not needed.
//   3. New views see the segment. When the last older view is gone, the hot part dies and the
//      writer lets the log go.
// A crash before 2 leaves files that no manifest knows, which the next opening removes; after 2 the
// log's copy is passed over.
#include "store/inside.h"

#include "base/mutant.h"
#include "os/os.h"

// What became of segments that were replaced: their files go with the last view that sees them.
static void drop(const struct replacing *replacing)
{
    const struct part *added = replacing->added;
    for (uint32_t i = 0; i < replacing->count; i++) {
        struct part *part = replacing->parts[i];
        bool stays = added && added->facts.generation == part->facts.generation;
        if (part_is_sealed(part) && !stays)
            atomic_store(&part->dropped, true);
    }
}

static size_t place_in_manifest(const struct manifest *manifest, const struct part *first)
{
    size_t at, count;
    const struct manifest_entry *entries = manifest_entries(manifest, &count);
    if (!part_is_sealed(first))
        return count;
    for (at = 0; entries[at].facts.generation != first->facts.generation; at++)
        continue;
    return at;
}

// The files that were added are of no use when the manifest certainly does not have them.
static err tell_manifest(struct store *store, const struct replacing *replacing,
                         struct als_why *why)
{
    struct part *added = replacing->added;
    bool sealed = part_is_sealed(replacing->parts[0]);
    struct manifest_entry entry = {.facts = {.first = 0}};
    if (added)
        entry = part_entry(added);
    struct manifest_change change = {.at = place_in_manifest(store->manifest, replacing->parts[0]),
                                     .removed = sealed ? replacing->count : 0,
                                     .added = &entry,
                                     .added_count = added ? 1 : 0};
    err code = manifest_commit(store->manifest, &change, why);
    if (code != ALS_OK && added && !added->origin && !manifest_failed(store->manifest))
        atomic_store(&added->dropped, true);
    return code;
}

static err commit(struct store *store, const struct replacing *replacing, struct als_why *why)
{
    // Nothing may fail once the manifest has it, so what showing it needs is made before.
    struct parts *space = parts_space(store);
    if (!space)
        return FAIL(why, ALS_NO_MEMORY, "a list of segments");
    if (MUTANT(COMPACT_DELETES_EARLY) && part_is_sealed(replacing->parts[0]))
        part_remove_files(replacing->parts[0]);
    err code = tell_manifest(store, replacing, why);
    if (code != ALS_OK) {
        parts_unref(space);
        return code;
    }
    store_show(store, replacing, space);
    drop(replacing);
    return ALS_OK;
}

err store_commit(struct store *store, const struct replacing *replacing, struct als_why *why)
{
    gate_enter(&store->gate);
    err code = commit(store, replacing, why);
    gate_leave(&store->gate);
    return code;
}

static err open_directory(struct store *store, struct als_why *why)
{
    return store->segments_dir ? ALS_OK
                               : store->os->dir_open(store->os, store->dir, S("segments"), true,
                                                     &store->segments_dir, why);
}

err store_begin_segment(struct store *store, uint64_t *ret_generation, struct als_why *why)
{
    gate_enter(&store->gate);
    err code = open_directory(store, why);
    if (code == ALS_OK)
        *ret_generation = manifest_take_generation(store->manifest);
    gate_leave(&store->gate);
    return code;
}

err store_can_seal(struct store *store, struct als_why *why)
{
    gate_enter(&store->gate);
    bool failed = manifest_failed(store->manifest);
    gate_leave(&store->gate);
    if (failed || store_has_failed(store))
        return FAIL(why, ALS_STORAGE_FAILED,
                    "the disk has failed: nothing is sealed until the server is restarted");
    return ALS_OK;
}

static err seal(struct store *store, struct view view, uint32_t at, struct als_why *why)
{
    struct part *source = view.parts->items[at];
    struct making making = {
        .view = view, .first = source->first, .last = parts_last(view.parts, at, view.position)};
    struct manifest_entry entry = {.new_types = source->new_types};
    TRY(make_segment(store, &making, &entry.facts, why));
    AUTO(part) part = part_new_sealed(store, &entry);
    if (!part)
        return FAIL(why, ALS_NO_MEMORY, "a segment cannot be shown");
    struct replacing replacing = {.parts = &view.parts->items[at], .count = 1, .added = part};
    TRY(store_commit(store, &replacing, why));
    atomic_store(&store->sealed, making.last);
    return ALS_OK;
}

bool store_wants_seal(struct store *store)
{
    return atomic_load(&store->closed) > atomic_load(&store->sealed) && !store_has_failed(store);
}

err store_seal(struct store *store, bool *ret_sealed, struct als_why *why)
{
    *ret_sealed = false;
    TRY(store_can_seal(store, why));
    struct view view = view_pin(store);
    uint32_t at = 0;
    while (part_is_sealed(view.parts->items[at]))
        at++;
    bool closed = at + 1 < view.parts->count; // not the one that is being filled
    err code = closed ? seal(store, view, at, why) : ALS_OK;
    *ret_sealed = closed && code == ALS_OK;
    view_unpin(view);
    return code;
}
