// SPDX-License-Identifier: Apache-2.0
// The state of an entity: its events up to the bounds, folded, from a snapshot where one fits. What
// folds is pooled with its memory.
#include "engine/engine.h"

#include "snapshot/snapshot.h"

#include <stdlib.h>

struct als_state {
    struct als_state *next_free;
    struct als *als;
    struct state *state;
    struct als_state_view view;
};

static void als_state_free(struct als_state *state)
{
    state_free(state->state);
    free(state);
}

void states_free(struct als *als)
{
    while (als->free_states) {
        struct als_state *state = als->free_states;
        als->free_states = state->next_free;
        als_state_free(state);
    }
}

struct als_state *state_take(struct als *als)
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
    state->state = state_new();
    if (state->state)
        return state;
    free(state);
    return NULL;
}

struct state *state_inside(struct als_state *state)
{
    return state->state;
}

void als_state_close(struct als_state *state)
{
    if (!state)
        return;
    state_reset(state->state);
    lock_take(&state->als->pool_lock);
    state->next_free = state->als->free_states;
    state->als->free_states = state;
    lock_release(&state->als->pool_lock);
}
AUTO_WITH(als_state, als_state_close)

static struct als_state_view view_of(const struct state *state, als_position as_of)
{
    const struct folded *folded = state_folded(state);
    als_position pinned = state_pinned(state);
    return (struct als_state_view){.json = state_json(state),
                                   .event_count = folded->event_count,
                                   .version = folded->version,
                                   .position = folded->position,
                                   .last_updated_us = folded->as_of_us,
                                   .as_of = as_of && as_of < pinned ? as_of : pinned};
}

enum als_err als_state_open(struct als *als, const struct als_state_query *query,
                            struct als_state **ret_state, struct als_why *why)
{
    CHECK_ALS(als, why);
    CHECK_SIZED(query, "query", why);
    if (!ret_state)
        return FAIL(why, ALS_INVALID_INPUT, "ret_state is NULL");
    struct tenant *tenant;
    struct store *store;
    TRY(tenant_find(als, query->tenant, &tenant, why));
    TRY(tenant_store(als, query->tenant, &store, why));
    AUTO(als_state) state = state_take(als);
    if (!state)
        return FAIL(why, ALS_NO_MEMORY, "the state cannot be folded");
    struct state_bounds bounds = {.entity = query->entity,
                                  .as_of_us = query->as_of_us,
                                  .as_of = query->as_of,
                                  .at_version = query->at_version};
    struct snapshots *snapshots = store ? tenant->snapshots : NULL;
    TRY(state_fold(state->state, snapshots, store, &bounds, why));
    state->view = view_of(state->state, query->as_of);
    if (state->view.event_count == 0)
        return FAIL(why, ALS_ENTITY_NOT_FOUND, "%.*s", STR(query->entity));
    *ret_state = MOVE(state);
    return ALS_OK;
}

struct als_state_view als_state_view(const struct als_state *state)
{
    return state->view;
}
