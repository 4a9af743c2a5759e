// SPDX-License-Identifier: Apache-2.0
#include "query/query.h"

#include "base/arena.h"
#include "event/event.h"

#include <stdlib.h>

enum { ARENA_BLOCK_BYTES = 1024, ARENA_BYTES_MAX = 64 * 1024 };

struct results {
    struct query query; // its texts are in the arena
    struct view view;
    struct cursor *cursor;
    struct arena arena;
    uint64_t skipped, given;
};

bool query_matches(const struct query *query, const uint8_t *record)
{
    int64_t timestamp_us = record_timestamp(record);
    if (timestamp_us < query->since_us || timestamp_us > query->until_us)
        return false;
    if (query->by_entity && !str_equal(record_entity(record), query->entity))
        return false;
    if (query->by_id) {
        als_id id = record_id(record);
        if (memcmp(id.bytes, query->id.bytes, sizeof id.bytes) != 0)
            return false;
    }
    if (query->type_count == 0)
        return true;
    str type = record_type(record);
    for (size_t i = 0; i < query->type_count; i++)
        if (type_matches(query->types[i], type))
            return true;
    return false;
}

struct results *results_new(void)
{
    AUTO(results) results = calloc(1, sizeof *results);
    if (!results)
        return NULL;
    arena_init(&results->arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    results->cursor = cursor_new();
    return results->cursor ? MOVE(results) : NULL;
}

void results_free(struct results *results)
{
    if (!results)
        return;
    results_close(results);
    cursor_free(results->cursor);
    arena_deinit(&results->arena);
    free(results);
}

static err keep_texts(struct results *results, struct als_why *why)
{
    struct query *query = &results->query;
    arena_reset(&results->arena);
    query->entity = arena_copy(&results->arena, query->entity);
    str *types = ARENA_ARRAY(&results->arena, str, query->type_count + 1);
    bool kept = query->entity.ptr && types;
    for (size_t i = 0; kept && i < query->type_count; i++) {
        types[i] = arena_copy(&results->arena, query->types[i]);
        kept = types[i].ptr != NULL;
    }
    query->types = types;
    return kept ? ALS_OK : FAIL(why, ALS_NO_MEMORY, "the query cannot be opened");
}

// Opens the narrowest cursor; what it sees to is no longer asked of each record.
static err open_cursor(struct results *results, struct als_why *why)
{
    struct query *query = &results->query;
    struct cursor *cursor = results->cursor;
    struct view view = results->view;
    struct cursor_bounds bounds = {
        .after = query->after, .up_to = query->up_to, .descending = query->descending};
    err code = ALS_OK;
    if (query->by_id) {
        cursor_over_id(cursor, view, query->id, bounds);
        query->by_id = false;
    } else if (query->by_entity) {
        code = cursor_over_entity(cursor, view, query->entity, bounds, why);
        query->by_entity = false;
    } else if (query->type_count) {
        code = cursor_over_types(cursor, view, query->types, query->type_count, bounds, why);
        query->type_count = 0;
    } else
        cursor_over_all(cursor, view, bounds);
    return code;
}

err results_open(struct results *results, struct store *store, const struct query *query,
                 struct als_why *why)
{
    results->query = *query;
    results->skipped = results->given = 0;
    TRY(keep_texts(results, why));
    results->view = view_pin(store);
    err code = open_cursor(results, why);
    if (code != ALS_OK)
        results_close(results);
    return code;
}

void results_next(struct results *results, struct als_event *ret_event)
{
    ret_event->position = 0;
    if (results->given == results->query.limit)
        return;
    const uint8_t *record;
    als_position position;
    while ((position = cursor_next(results->cursor, &record)) != 0) {
        if (!query_matches(&results->query, record))
            continue;
        if (results->skipped < results->query.offset) {
            results->skipped++;
            continue;
        }
        results->given++;
        record_decode(record, position, ret_event);
        ret_event->tenant = store_tenant(results->view.store);
        return;
    }
}

void results_close(struct results *results)
{
    view_unpin(results->view);
    results->view = (struct view){NULL, 0};
}

enum cursor_path results_path(const struct results *results)
{
    return cursor_path(results->cursor);
}

als_position results_position(const struct results *results)
{
    return results->view.position;
}
