// SPDX-License-Identifier: Apache-2.0
// A cursor goes through the parts of a view, from one end to the other, and within a part along one
// lane (an entity), or along several that are merged in a heap (types), or from row to row. All
// lists are in order of positions, so the merge is too. Parts are opened when they are reached:
// what a query does not come to is not touched.
//
// Within a hot part a lane counts in positions, within a sealed one in rows plus one, so that 0 is
// the end in both; the two are never compared with each other.
#include "store/inside.h"
#include "store/part.h"

#include "event/event.h"

#include <stdlib.h>

struct lane {
    struct index_walk walk; // of a hot part
    struct index_rows rows; // of a sealed part
    uint32_t at;            // the n-th of `rows` is the next
    uint64_t head;          // the next position or row + 1, 0 at the end
    als_version version;    // of the next event of a sealed part; 0: it must be read
    const uint8_t *record;  // of a hot part
};

struct cursor {
    enum cursor_path path;
    struct view view;
    struct cursor_bounds bounds;
    str entity;
    const str *types;
    size_t type_count;
    als_id id;

    uint32_t left;           // parts that are not done with, the open one included
    struct part *part;       // the open one
    struct segment *segment; // when it is sealed
    struct index_file *file;
    // Of the open part: its positions, or rows plus one, behind `low` and up to `high`.
    uint64_t low, high;
    uint64_t next;          // CURSOR_SCAN: the next of them, 0: none
    struct als_event found; // CURSOR_ID
    struct lane *lanes;
    size_t lane_count, lane_room;
    struct segment_reader *reader; // made at the first sealed part
    struct segment_cache *apart;   // NULL: the store's
    struct segment *own;           // the open part's, through it
};

struct cursor *cursor_new(void)
{
    return calloc(1, sizeof(struct cursor));
}

void cursor_read_apart(struct cursor *cursor, struct segment_cache *cache)
{
    cursor->apart = cache;
}

static void close_own(struct cursor *cursor)
{
    if (!cursor->own)
        return;
    if (cursor->reader)
        segment_reader_reset(cursor->reader);
    segment_close(cursor->own);
    cursor->own = NULL;
}

void cursor_free(struct cursor *cursor)
{
    if (!cursor)
        return;
    close_own(cursor);
    segment_reader_free(cursor->reader);
    free(cursor->lanes);
    free(cursor);
}

void cursor_reset(struct cursor *cursor)
{
    cursor->left = 0;
    cursor->part = NULL;
    cursor->view = (struct view){0};
    close_own(cursor);
    if (cursor->reader)
        segment_reader_reset(cursor->reader);
}

// ---- Lanes of the open part

static bool within(const struct cursor *cursor, uint64_t at)
{
    return at > cursor->low && at <= cursor->high;
}

// Whether no version of an entity is missing between its first and its last row.
static bool counts_up(const struct index_rows *rows)
{
    return rows->first_version && rows->last_version - rows->first_version == rows->count - 1;
}

static err lane_next_row(const struct cursor *cursor, struct lane *lane, struct als_why *why)
{
    bool descending = cursor->bounds.descending;
    uint32_t row;
    lane->head = 0;
    if (descending ? lane->at == 0 : lane->at == lane->rows.count)
        return ALS_OK;
    uint32_t n = descending ? --lane->at : lane->at++;
    TRY(index_row(&lane->rows, n, &row, why));
    lane->head = within(cursor, (uint64_t)row + 1) ? (uint64_t)row + 1 : 0;
    lane->version = counts_up(&lane->rows) ? lane->rows.first_version + n : 0;
    return ALS_OK;
}

// Moves a lane to its next event within the bounds, 0 when there is none. A record in the log will
// be wanted one call later: time enough to fetch it.
static err lane_next(const struct cursor *cursor, struct lane *lane, struct als_why *why)
{
    if (part_is_sealed(cursor->part))
        return lane_next_row(cursor, lane, why);
    als_position position =
        cursor->bounds.descending ? index_walk_previous(&lane->walk) : index_walk_next(&lane->walk);
    lane->head = within(cursor, position) ? position : 0;
    if (lane->head == 0)
        return ALS_OK;
    lane->record = index_record(cursor->part->index, lane->head);
    __builtin_prefetch(lane->record);
    __builtin_prefetch(lane->record + 64);
    return ALS_OK;
}

// Whether lane a gives before lane b.
static bool before(const struct cursor *cursor, size_t a, size_t b)
{
    uint64_t x = cursor->lanes[a].head, y = cursor->lanes[b].head;
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

// A lane without events within the bounds is none.
static err add_lane(struct cursor *cursor, struct lane *lane, struct als_why *why)
{
    TRY(lane_next(cursor, lane, why));
    if (lane->head == 0)
        return ALS_OK;
    if (cursor->lane_count == cursor->lane_room) {
        size_t room = cursor->lane_room ? cursor->lane_room * 2 : 4;
        struct lane *lanes = realloc(cursor->lanes, room * sizeof *lanes);
        if (!lanes)
            return FAIL(why, ALS_NO_MEMORY, "the query cannot be opened");
        cursor->lanes = lanes;
        cursor->lane_room = room;
    }
    cursor->lanes[cursor->lane_count++] = *lane;
    return ALS_OK;
}

static err add_list(struct cursor *cursor, const struct index_list *list, struct als_why *why)
{
    if (!list)
        return ALS_OK;
    als_position base = index_base(cursor->part->index);
    als_position edge = cursor->bounds.descending ? cursor->high : cursor->low;
    struct lane lane = {.walk = index_walk_from(list, base, index_list_count_to(list, base, edge))};
    return add_lane(cursor, &lane, why);
}

static err add_rows(struct cursor *cursor, const struct index_rows *rows, struct als_why *why)
{
    if (rows->count == 0)
        return ALS_OK;
    uint64_t edge = cursor->bounds.descending ? cursor->high : cursor->low;
    struct lane lane = {.rows = *rows};
    if (edge)
        TRY(index_rows_to(rows, (uint32_t)(edge - 1), &lane.at, why));
    return add_lane(cursor, &lane, why);
}

static err add_name(struct cursor *cursor, enum index_by by, str name, struct als_why *why)
{
    if (!part_is_sealed(cursor->part))
        return add_list(cursor, index_find(cursor->part->index, by, name), why);
    struct index_rows rows;
    TRY(index_file_find(cursor->file, by, name, &rows, why));
    return add_rows(cursor, &rows, why);
}

// ---- Types

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

static err check_lanes(const struct cursor *cursor, str pattern, struct als_why *why)
{
    if (cursor->lane_count > CURSOR_TYPES_MAX)
        return FAIL(why, ALS_INVALID_QUERY, "event_type: '%.*s' stands for more than %d types",
                    STR(pattern), CURSOR_TYPES_MAX);
    return ALS_OK;
}

enum { PAGE = 128 };

// Adds the lanes of pattern `at`, but for types that an earlier pattern has given already.
static err add_hot_prefix(struct cursor *cursor, size_t at, struct als_why *why)
{
    const str *patterns = cursor->types;
    struct index_page page = {.prefix = str_first(patterns[at], patterns[at].len - 1),
                              .count = PAGE};
    const struct index_list *lists[PAGE];
    for (size_t found = PAGE; found == PAGE;) {
        TRY(index_page(cursor->part->index, INDEX_TYPE, page, lists, &found, why));
        for (size_t i = 0; i < found; i++) {
            page.after = index_list_name(lists[i]);
            if (!matches_any(patterns, at, page.after))
                TRY(add_list(cursor, lists[i], why));
        }
        TRY(check_lanes(cursor, patterns[at], why));
    }
    return ALS_OK;
}

static err add_sealed_prefix(struct cursor *cursor, size_t at, struct als_why *why)
{
    struct index_file *file = cursor->file;
    str prefix = str_first(cursor->types[at], cursor->types[at].len - 1);
    uint32_t number, count = index_file_names(file, INDEX_TYPE);
    TRY(index_file_seek(file, INDEX_TYPE, prefix, &number, why));
    for (; number < count; number++) {
        struct index_rows rows;
        TRY(index_file_name(file, INDEX_TYPE, number, &rows, why));
        if (!str_starts(rows.name, prefix))
            break;
        if (!matches_any(cursor->types, at, rows.name))
            TRY(add_rows(cursor, &rows, why));
        TRY(check_lanes(cursor, cursor->types[at], why));
    }
    return ALS_OK;
}

static err add_prefix(struct cursor *cursor, size_t at, struct als_why *why)
{
    return part_is_sealed(cursor->part) ? add_sealed_prefix(cursor, at, why)
                                        : add_hot_prefix(cursor, at, why);
}

static err add_types(struct cursor *cursor, struct als_why *why)
{
    for (size_t i = 0; i < cursor->type_count; i++) {
        str pattern = cursor->types[i];
        if (str_ends(pattern, S("*")))
            TRY(add_prefix(cursor, i, why));
        else if (!matches_any(cursor->types, i, pattern))
            TRY(add_name(cursor, INDEX_TYPE, pattern, why));
    }
    for (size_t at = cursor->lane_count / 2; at-- > 0;)
        sift_down(cursor, at);
    return ALS_OK;
}

// ---- Parts

// Which rows, plus one, of a sealed part lie within the bounds.
static err find_rows(struct cursor *cursor, struct als_why *why)
{
    struct part *part = cursor->part;
    const struct cursor_bounds *bounds = &cursor->bounds;
    uint32_t low = 0, high = (uint32_t)part->facts.rows;
    if (bounds->after >= part->facts.first)
        TRY(segment_row_of(cursor->segment, bounds->after + 1, &low, why));
    if (bounds->up_to < part->facts.last)
        TRY(segment_row_of(cursor->segment, bounds->up_to + 1, &high, why));
    cursor->low = low;
    cursor->high = high;
    return ALS_OK;
}

static err open_segment(struct cursor *cursor, struct als_why *why)
{
    if (!cursor->apart)
        return part_segment(cursor->part, &cursor->segment, why);
    close_own(cursor);
    TRY(part_segment_apart(cursor->part, cursor->apart, &cursor->own, why));
    cursor->segment = cursor->own;
    return ALS_OK;
}

static err find_bounds(struct cursor *cursor, uint32_t at, struct als_why *why)
{
    if (part_is_sealed(cursor->part)) {
        TRY(open_segment(cursor, why));
        TRY(part_file(cursor->part, &cursor->file, why));
        if (!cursor->reader)
            cursor->reader = segment_reader_new();
        if (!cursor->reader)
            return FAIL(why, ALS_NO_MEMORY, "the query cannot be opened");
        return find_rows(cursor, why);
    }
    als_position first = cursor->part->first;
    cursor->low = cursor->bounds.after < first ? first - 1 : cursor->bounds.after;
    cursor->high = parts_last(cursor->view.parts, at, cursor->bounds.up_to);
    return ALS_OK;
}

static err open_part(struct cursor *cursor, uint32_t at, struct als_why *why)
{
    cursor->part = cursor->view.parts->items[at];
    cursor->lane_count = 0;
    cursor->next = 0;
    TRY(find_bounds(cursor, at, why));
    uint64_t first = cursor->bounds.descending ? cursor->high : cursor->low + 1;
    switch (cursor->path) {
    case CURSOR_SCAN:
        cursor->next = within(cursor, first) ? first : 0;
        return ALS_OK;
    case CURSOR_ENTITY:
        return add_name(cursor, INDEX_ENTITY, cursor->entity, why);
    case CURSOR_TYPE:
        return add_types(cursor, why);
    case CURSOR_ID:
        break;
    }
    struct id_question question = {.id = cursor->id,
                                   .hash = store_hash_id(cursor->view.store, cursor->id),
                                   .up_to = cursor->bounds.up_to};
    TRY(part_find_id(cursor->part, question, &cursor->reader, &cursor->found, why));
    cursor->next = cursor->found.position > cursor->bounds.after ? 1 : 0;
    return ALS_OK;
}

// Whether the part may hold anything within the bounds.
static bool concerns(const struct cursor *cursor, uint32_t at)
{
    const struct part *part = cursor->view.parts->items[at];
    const struct cursor_bounds *bounds = &cursor->bounds;
    als_position last = parts_last(cursor->view.parts, at, cursor->view.position);
    if (part->first > bounds->up_to || last <= bounds->after)
        return false;
    bool untimely =
        part_is_sealed(part) && bounds->timed &&
        (part->facts.greatest_us < bounds->since_us || part->facts.least_us > bounds->until_us);
    return !untimely;
}

// Opens the next part that concerns the cursor; `part` is NULL when there is none.
static err next_part(struct cursor *cursor, struct als_why *why)
{
    bool first = cursor->part == NULL;
    if (!first)
        cursor->left--;
    cursor->part = NULL;
    for (; cursor->left; cursor->left--) {
        uint32_t count = cursor->view.parts->count;
        uint32_t at = cursor->bounds.descending ? cursor->left - 1 : count - cursor->left;
        if (!concerns(cursor, at))
            continue;
        err code = open_part(cursor, at, why);
        if (code != ALS_OK)
            cursor_reset(cursor);
        return code;
    }
    return ALS_OK;
}

static err begin(struct cursor *cursor, enum cursor_path path, struct view view,
                 struct cursor_bounds bounds, struct als_why *why)
{
    if (bounds.up_to > view.position)
        bounds.up_to = view.position;
    cursor->path = path;
    cursor->view = view;
    cursor->bounds = bounds;
    cursor->left = view.store ? view.parts->count : 0;
    cursor->part = NULL;
    return next_part(cursor, why);
}

err cursor_over_all(struct cursor *cursor, struct view view, struct cursor_bounds bounds,
                    struct als_why *why)
{
    return begin(cursor, CURSOR_SCAN, view, bounds, why);
}

err cursor_over_entity(struct cursor *cursor, struct view view, str entity,
                       struct cursor_bounds bounds, struct als_why *why)
{
    cursor->entity = entity;
    return begin(cursor, CURSOR_ENTITY, view, bounds, why);
}

err cursor_over_types(struct cursor *cursor, struct view view, const str *types, size_t count,
                      struct cursor_bounds bounds, struct als_why *why)
{
    cursor->types = types;
    cursor->type_count = count;
    return begin(cursor, CURSOR_TYPE, view, bounds, why);
}

err cursor_over_id(struct cursor *cursor, struct view view, als_id id, struct cursor_bounds bounds,
                   struct als_why *why)
{
    cursor->id = id;
    bounds.descending = true; // the newest parts are the cheapest to ask
    return begin(cursor, CURSOR_ID, view, bounds, why);
}

enum cursor_path cursor_path(const struct cursor *cursor)
{
    return cursor->path;
}

// ---- Walking

static err read_row(struct cursor *cursor, uint64_t at, als_version version,
                    struct als_event *ret_event, struct als_why *why)
{
    bool of_entity = cursor->path == CURSOR_ENTITY;
    struct segment_guess guess = {.entity = of_entity ? cursor->entity : (str){},
                                  .version = of_entity ? version : 0};
    TRY(segment_read(cursor->reader, cursor->segment, (uint32_t)(at - 1), &guess, ret_event, why));
    ret_event->tenant = store_tenant(cursor->view.store);
    return ALS_OK;
}

static void read_record(const struct cursor *cursor, als_position at, const uint8_t *record,
                        struct als_event *ret_event)
{
    record_decode(record, at, ret_event);
    ret_event->tenant = store_tenant(cursor->view.store);
}

static err next_in_order(struct cursor *cursor, struct als_event *ret_event, struct als_why *why)
{
    uint64_t at = cursor->next;
    if (cursor->path == CURSOR_ID) {
        cursor->next = 0;
        cursor->left = 1; // an id is found once
        *ret_event = cursor->found;
        return ALS_OK;
    }
    uint64_t following = cursor->bounds.descending ? at - 1 : at + 1;
    cursor->next = within(cursor, following) ? following : 0;
    if (part_is_sealed(cursor->part))
        return read_row(cursor, at, 0, ret_event, why);
    read_record(cursor, at, index_record(cursor->part->index, at), ret_event);
    return ALS_OK;
}

static err next_of_lanes(struct cursor *cursor, struct als_event *ret_event, struct als_why *why)
{
    struct lane *first = &cursor->lanes[0];
    if (part_is_sealed(cursor->part))
        TRY(read_row(cursor, first->head, first->version, ret_event, why));
    else
        read_record(cursor, first->head, first->record, ret_event);
    TRY(lane_next(cursor, first, why));
    if (first->head == 0)
        *first = cursor->lanes[--cursor->lane_count];
    if (cursor->lane_count > 1)
        sift_down(cursor, 0);
    return ALS_OK;
}

static bool part_has_more(const struct cursor *cursor)
{
    return cursor->next != 0 || cursor->lane_count > 0;
}

err cursor_next(struct cursor *cursor, struct als_event *ret_event, struct als_why *why)
{
    while (cursor->part && !part_has_more(cursor))
        TRY(next_part(cursor, why));
    if (!cursor->part) {
        ret_event->position = 0;
        return ALS_OK;
    }
    err code = cursor->next ? next_in_order(cursor, ret_event, why)
                            : next_of_lanes(cursor, ret_event, why);
    if (code != ALS_OK)
        cursor_reset(cursor);
    return code;
}

bool cursor_lasts(const struct cursor *cursor)
{
    return cursor->part && !part_is_sealed(cursor->part);
}
