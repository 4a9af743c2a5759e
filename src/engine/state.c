// SPDX-License-Identifier: Apache-2.0
// The state of an entity: its events up to the bounds, folded. Folds are pooled with their memory.
#include "engine/engine.h"

#include "projection/projection.h"
#include "query/query.h"

#include <stdlib.h>

enum { STATE_BYTES_KEPT_MAX = 1 << 20 };
#define STATE_BYTES_MAX MIB(256)

struct als_state {
    struct als_state *next_free;
    struct als *als;
    struct results *results;
    struct fold *fold;
    struct buf json;
    struct als_state_view view;
};

static void state_free(struct als_state *state)
{
    if (!state)
        return;
    results_free(state->results);
    fold_free(state->fold);
    buf_deinit(&state->json);
    free(state);
}

void states_free(struct als *als)
{
    while (als->free_states) {
        struct als_state *state = als->free_states;
        als->free_states = state->next_free;
        state_free(state);
    }
}

static struct als_state *state_take(struct als *als)
{
    lock_take(&als->pool_lock);
    struct als_state *state = als->free_states;
    if (state)
        als->free_states = state->next_free;
    lock_release(&als->pool_lock);
    if (state)
        return state;
    state = calloc(1, sizeof *state);
    if (!state)
        return NULL;
    state->als = als;
    buf_init(&state->json, STATE_BYTES_MAX);
    state->results = results_new();
    state->fold = fold_new();
    if (state->results && state->fold)
        return state;
    state_free(state);
    return NULL;
}

void als_state_close(struct als_state *state)
{
    if (!state)
        return;
    results_close(state->results);
    fold_reset(state->fold);
    buf_reset(&state->json);
    if (state->json.capacity > STATE_BYTES_KEPT_MAX)
        buf_deinit(&state->json);
    lock_take(&state->als->pool_lock);
    state->next_free = state->als->free_states;
    state->als->free_states = state;
    lock_release(&state->als->pool_lock);
}
AUTO_WITH(als_state, als_state_close)

static err fold_all(struct als_state *state, als_version at_version, struct als_why *why)
{
    struct als_event event;
    for (results_next(state->results, &event); event.position;
         results_next(state->results, &event)) {
        if (at_version && event.version > at_version)
            break;
        TRY(fold_apply(state->fold, event.payload, why));
        state->view.event_count++;
        state->view.version = event.version;
        state->view.position = event.position;
        state->view.last_updated_us = event.timestamp_us;
    }
    return ALS_OK;
}

enum als_err als_state_open(struct als *als, const struct als_state_query *query,
                            struct als_state **ret_state, struct als_why *why)
{
    CHECK_ALS(als, why);
    CHECK_SIZED(query, "query", why);
    if (!ret_state)
        return FAIL(why, ALS_INVALID_INPUT, "ret_state is NULL");
    struct store *store;
    TRY(tenant_store(als, query->tenant, &store, why));
    AUTO(als_state) state = state_take(als);
    if (!state)
        return FAIL(why, ALS_NO_MEMORY, "the state cannot be folded");
    struct query events = {.by_entity = true,
                           .entity = query->entity,
                           .since_us = INT64_MIN,
                           .until_us = query->as_of_us,
                           .up_to = query->as_of ? query->as_of : UINT64_MAX,
                           .limit = UINT64_MAX};
    TRY(results_open(state->results, store, &events, why));
    state->view = (struct als_state_view){.as_of = results_position(state->results)};
    if (query->as_of && query->as_of < state->view.as_of)
        state->view.as_of = query->as_of;
    TRY(fold_all(state, query->at_version, why));
    if (state->view.event_count == 0)
        return FAIL(why, ALS_ENTITY_NOT_FOUND, "%.*s", STR(query->entity));
    fold_print(state->fold, &state->json);
    if (buf_failed(&state->json))
        return FAIL(why, ALS_TOO_LARGE, "the state is larger than %llu bytes",
                    (unsigned long long)STATE_BYTES_MAX);
    state->view.json = buf_str(&state->json);
    *ret_state = MOVE(state);
    return ALS_OK;
}

struct als_state_view als_state_view(const struct als_state *state)
{
    return state->view;
}
