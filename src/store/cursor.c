// SPDX-License-Identifier: Apache-2.0
// A cursor is one walk, or a heap of walks that are merged by position: one lane a type. All lists
// are in order of positions, so the merge is too. Sealed segments will add lanes of their own.
#include "store/inside.h"

#include "event/event.h"

#include <stdlib.h>

struct lane {
    struct index_walk walk;
    als_position head; // the next position of this lane, and where its record lies
    const uint8_t *record;
};

struct cursor {
    enum cursor_path path;
    struct view view;
    struct cursor_bounds bounds;
    als_position at; // CURSOR_SCAN and CURSOR_ID: the next position, 0: none
    struct lane *lanes;
    size_t lane_count, lane_room;
};

struct cursor *cursor_new(void)
{
    return calloc(1, sizeof(struct cursor));
}

void cursor_free(struct cursor *cursor)
{
    if (!cursor)
        return;
    free(cursor->lanes);
    free(cursor);
}

static void begin(struct cursor *cursor, enum cursor_path path, struct view view,
                  struct cursor_bounds bounds)
{
    if (bounds.up_to > view.position)
        bounds.up_to = view.position;
    cursor->path = path;
    cursor->view = view;
    cursor->bounds = bounds;
    cursor->at = 0;
    cursor->lane_count = 0;
}

static bool within(const struct cursor *cursor, als_position position)
{
    return position > cursor->bounds.after && position <= cursor->bounds.up_to;
}

// Moves a lane to its next position within the bounds, 0 when there is none. Its record will be
// wanted one call later: time enough to fetch it.
static void lane_next(const struct cursor *cursor, struct lane *lane)
{
    als_position position =
        cursor->bounds.descending ? index_walk_previous(&lane->walk) : index_walk_next(&lane->walk);
    lane->head = within(cursor, position) ? position : 0;
    if (lane->head == 0)
        return;
    lane->record = index_record(cursor->view.store->index, lane->head);
    __builtin_prefetch(lane->record);
    __builtin_prefetch(lane->record + 64);
}

// Whether lane a gives before lane b.
static bool before(const struct cursor *cursor, size_t a, size_t b)
{
    als_position x = cursor->lanes[a].head, y = cursor->lanes[b].head;
    return cursor->bounds.descending ? x > y : x < y;
}

static void swap_lanes(struct cursor *cursor, size_t a, size_t b)
{
    struct lane lane = cursor->lanes[a];
    cursor->lanes[a] = cursor->lanes[b];
    cursor->lanes[b] = lane;
}

static void sift_down(struct cursor *cursor, size_t at)
{
    for (;;) {
        size_t first = at, left = 2 * at + 1, right = left + 1;
        if (left < cursor->lane_count && before(cursor, left, first))
            first = left;
        if (right < cursor->lane_count && before(cursor, right, first))
            first = right;
        if (first == at)
            return;
        swap_lanes(cursor, at, first);
        at = first;
    }
}

// False: no memory. A list without events within the bounds makes no lane.
static bool add_lane(struct cursor *cursor, const struct index_list *list)
{
    als_position base = index_base(cursor->view.store->index);
    als_position edge = cursor->bounds.descending ? cursor->bounds.up_to : cursor->bounds.after;
    struct lane lane = {.walk = index_walk_from(list, base, index_list_count_to(list, base, edge))};
    lane_next(cursor, &lane);
    if (lane.head == 0)
        return true;
    if (cursor->lane_count == cursor->lane_room) {
        size_t room = cursor->lane_room ? cursor->lane_room * 2 : 4;
        struct lane *lanes = realloc(cursor->lanes, room * sizeof *lanes);
        if (!lanes)
            return false;
        cursor->lanes = lanes;
        cursor->lane_room = room;
    }
    cursor->lanes[cursor->lane_count++] = lane;
    return true;
}

void cursor_over_all(struct cursor *cursor, struct view view, struct cursor_bounds bounds)
{
    begin(cursor, CURSOR_SCAN, view, bounds);
    als_position first = cursor->bounds.descending ? cursor->bounds.up_to : bounds.after + 1;
    cursor->at = within(cursor, first) ? first : 0;
}

err cursor_over_entity(struct cursor *cursor, struct view view, str entity,
                       struct cursor_bounds bounds, struct als_why *why)
{
    begin(cursor, CURSOR_ENTITY, view, bounds);
    const struct index_list *list =
        view.store ? index_find(view.store->index, INDEX_ENTITY, entity) : NULL;
    if (list && !add_lane(cursor, list))
        return FAIL(why, ALS_NO_MEMORY, "the query cannot be opened");
    return ALS_OK;
}

bool type_matches(str pattern, str type)
{
    if (pattern.len && pattern.ptr[pattern.len - 1] == '*')
        return str_starts(type, str_first(pattern, pattern.len - 1));
    return str_equal(pattern, type);
}

static bool matches_any(const str *patterns, size_t count, str type)
{
    for (size_t i = 0; i < count; i++)
        if (type_matches(patterns[i], type))
            return true;
    return false;
}

enum { PAGE = 128 };

// Adds the lanes of a prefix, but for types that an earlier pattern has given already.
static err add_prefix(struct cursor *cursor, const str *patterns, size_t at, struct als_why *why)
{
    struct index *index = cursor->view.store->index;
    struct index_page page = {.prefix = str_first(patterns[at], patterns[at].len - 1),
                              .count = PAGE};
    const struct index_list *lists[PAGE];
    for (size_t found = PAGE; found == PAGE;) {
        TRY(index_page(index, INDEX_TYPE, page, lists, &found, why));
        for (size_t i = 0; i < found; i++) {
            page.after = index_list_name(lists[i]);
            if (matches_any(patterns, at, page.after))
                continue;
            if (!add_lane(cursor, lists[i]))
                return FAIL(why, ALS_NO_MEMORY, "the query cannot be opened");
        }
        if (cursor->lane_count > CURSOR_TYPES_MAX)
            return FAIL(why, ALS_INVALID_QUERY, "event_type: '%.*s' stands for more than %d types",
                        STR(patterns[at]), CURSOR_TYPES_MAX);
    }
    return ALS_OK;
}

err cursor_over_types(struct cursor *cursor, struct view view, const str *types, size_t count,
                      struct cursor_bounds bounds, struct als_why *why)
{
    begin(cursor, CURSOR_TYPE, view, bounds);
    for (size_t i = 0; view.store && i < count; i++) {
        if (str_ends(types[i], S("*"))) {
            TRY(add_prefix(cursor, types, i, why));
            continue;
        }
        const struct index_list *list = index_find(view.store->index, INDEX_TYPE, types[i]);
        if (list && !matches_any(types, i, types[i]) && !add_lane(cursor, list))
            return FAIL(why, ALS_NO_MEMORY, "the query cannot be opened");
    }
    for (size_t at = cursor->lane_count / 2; at-- > 0;)
        sift_down(cursor, at);
    return ALS_OK;
}

void cursor_over_id(struct cursor *cursor, struct view view, als_id id, struct cursor_bounds bounds)
{
    begin(cursor, CURSOR_ID, view, bounds);
    if (!view.store)
        return;
    als_position position = index_find_id(view.store->index, store_hash_id(view.store, id),
                                          cursor->bounds.up_to, same_id, &id);
    cursor->at = within(cursor, position) ? position : 0;
}

enum cursor_path cursor_path(const struct cursor *cursor)
{
    return cursor->path;
}

static als_position next_in_order(struct cursor *cursor, const uint8_t **ret_record)
{
    als_position position = cursor->at;
    if (position == 0)
        return 0;
    als_position following = cursor->bounds.descending ? position - 1 : position + 1;
    cursor->at = cursor->path == CURSOR_SCAN && within(cursor, following) ? following : 0;
    *ret_record = index_record(cursor->view.store->index, position);
    return position;
}

static als_position next_of_lanes(struct cursor *cursor, const uint8_t **ret_record)
{
    if (cursor->lane_count == 0)
        return 0;
    struct lane *first = &cursor->lanes[0];
    als_position position = first->head;
    *ret_record = first->record;
    lane_next(cursor, first);
    if (first->head == 0)
        *first = cursor->lanes[--cursor->lane_count];
    if (cursor->lane_count > 1)
        sift_down(cursor, 0);
    return position;
}

als_position cursor_next(struct cursor *cursor, const uint8_t **ret_record)
{
    bool in_order = cursor->path == CURSOR_SCAN || cursor->path == CURSOR_ID;
    return in_order ? next_in_order(cursor, ret_record) : next_of_lanes(cursor, ret_record);
}
