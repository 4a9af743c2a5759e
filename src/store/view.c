// SPDX-License-Identifier: Apache-2.0
#include "store/inside.h"

struct view view_pin(struct store *store)
{
    if (!store)
        return (struct view){NULL, 0};
    atomic_fetch_add(&store->views, 1);
    return (struct view){store, store_position(store)};
}

void view_unpin(struct view view)
{
    if (view.store)
        atomic_fetch_sub(&view.store->views, 1);
}

const uint8_t *view_record(struct view view, als_position position)
{
    return index_record(view.store->index, position);
}

als_version view_version(struct view view, str entity)
{
    const struct index_list *list =
        view.store ? index_find(view.store->index, INDEX_ENTITY, entity) : NULL;
    return list ? index_list_count_to(list, index_base(view.store->index), view.position) : 0;
}

enum { PAGE = 128 };

// A name whose first event is behind the view does not exist for it.
static bool name_in_view(struct view view, const struct index_list *list, struct store_name *name)
{
    als_position base = index_base(view.store->index);
    uint64_t count = index_list_count_to(list, base, view.position);
    if (count == 0)
        return false;
    struct index_walk walk = index_walk_from(list, base, count);
    *name = (struct store_name){
        .name = index_list_name(list), .count = count, .last = index_walk_previous(&walk)};
    return true;
}

err view_names(struct view view, enum store_names_of of, str prefix, str after,
               struct store_name *ret_names, size_t count, size_t *ret_found, struct als_why *why)
{
    enum index_by by = of == STORE_ENTITIES ? INDEX_ENTITY : INDEX_TYPE;
    struct index_page page = {.prefix = prefix, .after = after};
    const struct index_list *lists[PAGE];
    size_t found = 0, got = page.count = PAGE;
    while (view.store && found < count && got == page.count) {
        page.count = count - found < PAGE ? count - found : PAGE;
        TRY(index_page(view.store->index, by, page, lists, &got, why));
        for (size_t i = 0; i < got; i++) {
            page.after = index_list_name(lists[i]);
            found += name_in_view(view, lists[i], &ret_names[found]);
        }
    }
    *ret_found = found;
    return ALS_OK;
}
