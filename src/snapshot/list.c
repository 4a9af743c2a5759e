// SPDX-License-Identifier: Apache-2.0
// Lists of snapshots. What is listed was looked up in the log first, so the list never shows a
// snapshot that would not be used.
#include "snapshot/inside.h"

#include "store/store.h"

#include <stdlib.h>

// Serials of the entries seen so far, so that each pick gives the next one.
struct behind {
    als_position position;
    uint64_t serial;
};

static bool passes_behind(const struct entry *entry, const void *context)
{
    const struct behind *behind = context;
    return entry->position != behind->position ? entry->position < behind->position
                                               : entry->serial < behind->serial;
}

// Greatest time first; what is equal stays newest first.
static void sort_by_time(struct snapshot *snapshots, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct snapshot moved = snapshots[i];
        size_t at = i;
        for (; at && snapshots[at - 1].folded.as_of_us < moved.folded.as_of_us; at--)
            snapshots[at] = snapshots[at - 1];
        snapshots[at] = moved;
    }
}

// Those of one entity, at most `room`. An empty name is any of that hash.
static err list_hash(struct snapshots *snapshots, struct state *state, uint64_t hash, str entity,
                     struct snapshot *ret_snapshots, size_t room, size_t *ret_count,
                     struct als_why *why)
{
    struct behind behind = {UINT64_MAX, UINT64_MAX};
    struct entry entry;
    size_t count = 0;
    while (count < room && files_pick(snapshots, hash, passes_behind, &behind, &entry)) {
        struct record record;
        err code = state_use(state, snapshots, &entry, false, &record, why);
        files_unpin(snapshots, &entry);
        behind = (struct behind){entry.position, entry.serial};
        if (code != ALS_OK && code != ALS_NOT_FOUND)
            return code;
        if (code == ALS_OK && (!entity.len || str_equal(record_entity_of(&record), entity)))
            ret_snapshots[count++] = record.snapshot;
    }
    sort_by_time(ret_snapshots, count);
    *ret_count = count;
    return ALS_OK;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

// The hashes of all entities behind that of `after`, in order.
static err hashes_behind(struct snapshots *snapshots, str after, uint64_t **ret_hashes,
                         size_t *ret_count, struct als_why *why)
{
    uint64_t least = after.len ? store_hash_name(snapshots->store, after) : 0;
    size_t count = 0;
    lock_take(&snapshots->lock);
    const struct directory *directory = &snapshots->directory;
    uint64_t *hashes = malloc((directory->group_count + 1) * sizeof *hashes);
    for (uint32_t i = 0; hashes && i < directory->group_room; i++) {
        const struct group *group = &directory->groups[i];
        if (group->first && (!after.len || group->hash > least))
            hashes[count++] = group->hash;
    }
    lock_release(&snapshots->lock);
    if (!hashes)
        return FAIL(why, ALS_NO_MEMORY, "no memory for a list of snapshots");
    qsort(hashes, count, sizeof *hashes, by_value);
    *ret_hashes = hashes;
    *ret_count = count;
    return ALS_OK;
}

static err list_all(struct snapshots *snapshots, struct state *state,
                    const struct snapshot_page *page, size_t *ret_count, bool *ret_more,
                    struct als_why *why)
{
    uint64_t *hashes;
    size_t hash_count, filled = 0, i = 0;
    TRY(hashes_behind(snapshots, page->after, &hashes, &hash_count, why));
    err code = ALS_OK;
    for (; i < hash_count && code == ALS_OK; i++) {
        if (page->room - filled < snapshots->options.per_entity)
            break; // the next one may not fit
        size_t count = 0;
        code = list_hash(snapshots, state, hashes[i], (str){NULL, 0}, page->snapshots + filled,
                         page->room - filled, &count, why);
        filled += count;
    }
    free(hashes);
    TRY(code);
    *ret_count = filled;
    *ret_more = i < hash_count;
    return ALS_OK;
}

err snapshot_list(struct snapshots *snapshots, struct state *state,
                  const struct snapshot_page *page, size_t *ret_count, bool *ret_more,
                  struct als_why *why)
{
    files_load(snapshots);
    state_reset(state);
    if (page->entity.len == 0)
        return list_all(snapshots, state, page, ret_count, ret_more, why);
    uint64_t hash = store_hash_name(snapshots->store, page->entity);
    TRY(list_hash(snapshots, state, hash, page->entity, page->snapshots, page->room, ret_count,
                  why));
    *ret_more = false;
    return ALS_OK;
}
