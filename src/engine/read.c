// SPDX-License-Identifier: Apache-2.0
// Queries and names. Cursors are pooled with the memory that they have grown.
#include "engine/engine.h"

#include "query/query.h"

#include <stdlib.h>

struct als_cursor {
    struct als_cursor *next_free;
    struct als *als;
    struct results *results;
};

static struct als_cursor *cursor_take(struct als *als)
{
    lock_take(&als->pool_lock);
    struct als_cursor *cursor = als->free_cursors;
    if (cursor)
        als->free_cursors = cursor->next_free;
    lock_release(&als->pool_lock);
    if (cursor)
        return cursor;
    cursor = calloc(1, sizeof *cursor);
    if (!cursor)
        return NULL;
    cursor->als = als;
    cursor->results = results_new();
    if (cursor->results)
        return cursor;
    free(cursor);
    return NULL;
}

void als_cursor_close(struct als_cursor *cursor)
{
    if (!cursor)
        return;
    results_close(cursor->results);
    lock_take(&cursor->als->pool_lock);
    cursor->next_free = cursor->als->free_cursors;
    cursor->als->free_cursors = cursor;
    lock_release(&cursor->als->pool_lock);
}
AUTO_WITH(als_cursor, als_cursor_close)

void pools_free(struct als *als)
{
    while (als->free_cursors) {
        struct als_cursor *cursor = als->free_cursors;
        als->free_cursors = cursor->next_free;
        results_free(cursor->results);
        free(cursor);
    }
    states_free(als);
}

static err plan(const struct als_query *asked, struct query *ret_query, struct als_why *why)
{
    if (asked->type_count > QUERY_TYPES_MAX)
        return FAIL(why, ALS_INVALID_QUERY, "event_type: at most %d of them, got %zu",
                    QUERY_TYPES_MAX, asked->type_count);
    if (asked->type_count && !asked->types)
        return FAIL(why, ALS_INVALID_INPUT, "query.types is NULL");
    als_position up_to = asked->as_of ? asked->as_of : UINT64_MAX;
    if (asked->before && asked->before - 1 < up_to)
        up_to = asked->before - 1;
    // No event's time lies outside of these: a bound there is none, and is not asked of each event.
    int64_t since_us = asked->since_us <= ALS_TIME_MIN ? INT64_MIN : asked->since_us;
    int64_t until_us = asked->until_us >= ALS_TIME_MAX ? INT64_MAX : asked->until_us;
    *ret_query = (struct query){.by_entity = asked->entity.ptr != NULL,
                                .by_id = asked->id != NULL,
                                .entity = asked->entity,
                                .types = asked->types,
                                .type_count = asked->type_count,
                                .since_us = since_us,
                                .until_us = until_us,
                                .after = asked->after,
                                .up_to = up_to,
                                .descending = asked->descending,
                                .offset = asked->offset,
                                .limit = asked->limit};
    if (asked->id)
        ret_query->id = *asked->id;
    return ALS_OK;
}

enum als_err als_query_open(struct als *als, const struct als_query *query,
                            struct als_cursor **ret_cursor, struct als_why *why)
{
    CHECK_ALS(als, why);
    CHECK_SIZED(query, "query", why);
    if (!ret_cursor)
        return FAIL(why, ALS_INVALID_INPUT, "ret_cursor is NULL");
    struct query planned;
    struct store *store;
    TRY(plan(query, &planned, why));
    TRY(tenant_store(als, query->tenant, &store, why));
    AUTO(als_cursor) cursor = cursor_take(als);
    if (!cursor)
        return FAIL(why, ALS_NO_MEMORY, "the query cannot be opened");
    TRY(results_open(cursor->results, store, &planned, why));
    *ret_cursor = MOVE(cursor);
    return ALS_OK;
}

enum als_err als_cursor_next(struct als_cursor *cursor, struct als_event *ret_event,
                             struct als_why *why)
{
    return results_next(cursor->results, ret_event, why);
}

enum als_path als_cursor_path(const struct als_cursor *cursor)
{
    static const enum als_path paths[] = {[CURSOR_SCAN] = ALS_PATH_SCAN,
                                          [CURSOR_ENTITY] = ALS_PATH_ENTITY,
                                          [CURSOR_TYPE] = ALS_PATH_TYPE,
                                          [CURSOR_ID] = ALS_PATH_ID};
    return paths[results_path(cursor->results)];
}

als_position als_cursor_position(const struct als_cursor *cursor)
{
    return results_position(cursor->results);
}

// ---- Names

struct als_names {
    size_t count, at;
    struct view view;
    struct store_name names[];
};

void als_names_close(struct als_names *names)
{
    if (!names)
        return;
    view_unpin(names->view);
    free(names);
}
AUTO_WITH(als_names, als_names_close)

enum als_err als_names_open(struct als *als, const struct als_names_query *query,
                            struct als_names **ret_names, struct als_why *why)
{
    CHECK_ALS(als, why);
    CHECK_SIZED(query, "query", why);
    if (!ret_names)
        return FAIL(why, ALS_INVALID_INPUT, "ret_names is NULL");
    if (query->limit > NAMES_PAGE_MAX)
        return FAIL(why, ALS_INVALID_QUERY, "limit: at most %d names at once, got %llu",
                    NAMES_PAGE_MAX, (unsigned long long)query->limit);
    struct store *store;
    TRY(tenant_store(als, query->tenant, &store, why));
    size_t limit = (size_t)query->limit;
    AUTO(als_names) names = malloc(sizeof *names + limit * sizeof names->names[0]);
    if (!names)
        return FAIL(why, ALS_NO_MEMORY, "a page of %zu names", limit);
    *names = (struct als_names){.view = view_pin(store)};
    TRY(view_names(names->view, query->of == ALS_NAMES_TYPES ? STORE_TYPES : STORE_ENTITIES,
                   query->prefix, query->after, names->names, limit, &names->count, why));
    *ret_names = MOVE(names);
    return ALS_OK;
}

bool als_names_next(struct als_names *names, struct als_name *ret_name)
{
    if (names->at == names->count)
        return false;
    const struct store_name *name = &names->names[names->at++];
    *ret_name = (struct als_name){.name = name->name, .count = name->count, .last = name->last};
    return true;
}
