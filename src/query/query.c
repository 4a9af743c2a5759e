// SPDX-License-Identifier: Apache-2.0
#include "query/query.h"

#include "base/arena.h"
#include "base/uuid.h"

#include <stdlib.h>

enum { ARENA_BLOCK_BYTES = 1024, ARENA_BYTES_MAX = 64 * 1024 };

struct results {
    struct query query; // its texts are in the arena
    bool filtered;      // the cursor gives more than what was asked for
    struct view view;
    struct cursor *cursor;
    struct arena arena;
    uint64_t skipped, given;
};

bool query_matches(const struct query *query, const struct als_event *event)
{
    if (event->timestamp_us < query->since_us || event->timestamp_us > query->until_us)
        return false;
    if (query->by_entity && !str_equal(event->entity, query->entity))
        return false;
    if (query->by_id && !uuid_equal(event->id, query->id))
        return false;
    if (query->type_count == 0)
        return true;
    for (size_t i = 0; i < query->type_count; i++)
        if (type_matches(query->types[i], event->type))
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
    struct cursor_bounds bounds = {.after = query->after,
                                   .up_to = query->up_to,
                                   .descending = query->descending,
                                   .timed =
                                       query->since_us > INT64_MIN || query->until_us < INT64_MAX,
                                   .since_us = query->since_us,
                                   .until_us = query->until_us};
    if (query->by_id) {
        query->by_id = false;
        return cursor_over_id(cursor, view, query->id, bounds, why);
    }
    if (query->by_entity) {
        query->by_entity = false;
        return cursor_over_entity(cursor, view, query->entity, bounds, why);
    }
    if (query->type_count) {
        size_t count = query->type_count;
        query->type_count = 0;
        return cursor_over_types(cursor, view, query->types, count, bounds, why);
    }
    return cursor_over_all(cursor, view, bounds, why);
}

static bool is_filtered(const struct query *query)
{
    return query->since_us > INT64_MIN || query->until_us < INT64_MAX || query->by_entity ||
           query->by_id || query->type_count > 0;
}

err results_open(struct results *results, struct store *store, const struct query *query,
                 struct als_why *why)
{
    results->query = *query;
    results->skipped = results->given = 0;
    TRY(keep_texts(results, why));
    results->view = view_pin(store);
    err code = open_cursor(results, why);
    results->filtered = is_filtered(&results->query);
    if (code != ALS_OK)
        results_close(results);
    return code;
}

err results_next(struct results *results, struct als_event *ret_event, struct als_why *why)
{
    ret_event->position = 0;
    while (results->given < results->query.limit) {
        TRY(cursor_next(results->cursor, ret_event, why));
        if (ret_event->position == 0)
            break;
        if (results->filtered && !query_matches(&results->query, ret_event))
            continue;
        if (results->skipped < results->query.offset) {
            results->skipped++;
            continue;
        }
        results->given++;
        return ALS_OK;
    }
    ret_event->position = 0;
    return ALS_OK;
}

bool results_last(const struct results *results)
{
    return cursor_lasts(results->cursor);
}

void results_close(struct results *results)
{
    cursor_reset(results->cursor);
    view_unpin(results->view);
    results->view = (struct view){0};
}

enum cursor_path results_path(const struct results *results)
{
    return cursor_path(results->cursor);
}

als_position results_position(const struct results *results)
{
    return results->view.position;
}
