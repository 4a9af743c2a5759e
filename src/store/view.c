// SPDX-License-Identifier: Apache-2.0
// A view is the list of parts and the published position, taken together under one short lock. The
// writer puts a new part into the list before it publishes a position in it, so the list of a view
// covers the view's position.
#include "store/inside.h"
#include "store/part.h"

struct view view_pin(struct store *store)
{
    if (!store)
        return (struct view){0};
    lock_take(&store->view_lock);
    struct view view = {store, store->parts, store_position(store)};
    atomic_fetch_add_explicit(&view.parts->refs, 1, memory_order_relaxed);
    lock_release(&store->view_lock);
    atomic_fetch_add_explicit(&store->views, 1, memory_order_relaxed);
    return view;
}

void view_unpin(struct view view)
{
    if (!view.store)
        return;
    parts_unref(view.parts);
    atomic_fetch_sub_explicit(&view.store->views, 1, memory_order_release);
}

err store_extend(struct store *store, struct part *added, struct als_why *why)
{
    struct parts *space = parts_space(store);
    if (!space)
        return FAIL(why, ALS_NO_MEMORY, "a list of the parts of history");
    store_show(store, &(struct replacing){.added = added}, space);
    return ALS_OK;
}

// The list may grow at its end while somebody gets ready to show something.
enum { SPARE_PARTS = HOT_PARTS_MAX + 1 };

struct parts *parts_space(struct store *store)
{
    lock_take(&store->view_lock);
    uint32_t room = (store->parts ? store->parts->count : 0) + SPARE_PARTS;
    lock_release(&store->view_lock);
    return parts_new(room);
}

void store_show(struct store *store, const struct replacing *replacing, struct parts *space)
{
    lock_take(&store->view_lock);
    struct parts *old = store->parts;
    uint32_t at = old->count;
    if (replacing->count)
        for (at = 0; old->items[at] != replacing->parts[0]; at++)
            continue;
    parts_fill(space, old, (struct parts_change){at, replacing->count, replacing->added});
    store->parts = space;
    lock_release(&store->view_lock);
    parts_unref(old); // not under the lock: what dies may take it
}

err view_version(struct view view, str entity, als_version *ret_version, struct als_why *why)
{
    *ret_version = 0;
    return view.store ? parts_version(view.parts, view.parts->count, entity, view.position,
                                      ret_version, why)
                      : ALS_OK;
}

static err count_sealed(struct part *part, str entity, als_position up_to, uint64_t *count,
                        struct als_why *why)
{
    struct index_file *file;
    struct index_rows rows;
    struct segment *segment;
    uint32_t row, found = 0;
    TRY(part_file(part, &file, why));
    TRY(index_file_find(file, INDEX_ENTITY, entity, &rows, why));
    if (rows.count == 0 || rows.last <= up_to) {
        *count += rows.count;
        return ALS_OK;
    }
    TRY(part_segment(part, &segment, why));
    TRY(segment_row_of(segment, up_to + 1, &row, why));
    if (row)
        TRY(index_rows_to(&rows, row - 1, &found, why));
    *count += found;
    return ALS_OK;
}

err view_count(struct view view, str entity, als_position up_to, uint64_t *ret_count,
               struct als_why *why)
{
    *ret_count = 0;
    up_to = up_to < view.position ? up_to : view.position;
    for (uint32_t i = 0; view.store && i < view.parts->count; i++) {
        struct part *part = view.parts->items[i];
        if (part->first > up_to)
            break;
        if (part_is_sealed(part)) {
            TRY(count_sealed(part, entity, up_to, ret_count, why));
            continue;
        }
        const struct index_list *list = index_find(part->index, INDEX_ENTITY, entity);
        if (list)
            *ret_count += index_list_count_to(list, index_base(part->index), up_to);
    }
    return ALS_OK;
}

size_t view_segments(struct view view, struct store_segment *ret_segments, size_t room)
{
    size_t count = 0;
    for (uint32_t i = 0; view.store && i < view.parts->count; i++) {
        struct part *part = view.parts->items[i];
        if (!part_is_sealed(part))
            break;
        if (count < room)
            ret_segments[count] = (struct store_segment){&part->facts, part};
        count++;
    }
    return count;
}

str store_segment_name(const struct store_segment *segment, char space[static SEGMENT_NAME_MAX])
{
    return part_name(segment->facts, ".parquet", space);
}

als_position view_sealed(struct view view)
{
    if (!view.store)
        return 0;
    uint32_t sealed = 0;
    while (part_is_sealed(view.parts->items[sealed]))
        sealed++; // the last part is always hot
    return view.parts->items[sealed]->first - 1;
}

err view_segment(struct view view, struct part *part, struct segment **ret_segment,
                 struct als_why *why)
{
    (void)view; // it is what keeps the part
    return part_segment(part, ret_segment, why);
}
