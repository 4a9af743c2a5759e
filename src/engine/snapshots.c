// SPDX-License-Identifier: Apache-2.0
// Snapshots: those that are asked for, and those that the keeper makes.
//
// The keeper follows each tenant's log from where it was when the store was opened. At each so many
// events of an entity, counted by its versions, it saves the fold up to exactly that event; the
// versions say so, and nothing has to be counted or looked up. The time rule does look an entity
// up, and goes by the server's clock: old events that are imported in one go do not each become
// due. Behind a writer that is faster than it, it does not make what its successors would push out,
// and when it is very far behind it leaves events out: a snapshot that is missing is made later.
#include "engine/engine.h"

#include "follow/follow.h"
#include "snapshot/snapshot.h"

#include <stdlib.h>

enum { TURN_EVENTS = 4096, BEHIND_EVENTS_MAX = 1 << 20 };

struct saver { // the keeper's part of a tenant
    struct follower follower;
    bool following;
};

static void saver_woken(void *context)
{
    keeper_wake(context);
}

err snapshots_begin(struct tenant *tenant, struct store *store, struct als_why *why)
{
    struct als *als = tenant->als;
    struct snapshots_options options = SNAPSHOTS_OPTIONS_INIT;
    options.per_entity = als->options.snapshots_per_entity;
    struct saver *saver = calloc(1, sizeof *saver);
    if (!saver)
        return FAIL(why, ALS_NO_MEMORY, "no memory for snapshots");
    err code = snapshots_new(als->os, tenant->dir, store, options, &tenant->snapshots, why);
    if (code == ALS_OK && !als->options.no_auto_snapshot) {
        code =
            follower_init(&saver->follower, store, store_position(store), saver_woken, tenant, why);
        saver->following = code == ALS_OK;
    }
    tenant->saver = saver;
    if (code != ALS_OK)
        snapshots_end(tenant);
    return code;
}

void snapshots_end(struct tenant *tenant)
{
    if (tenant->saver && tenant->saver->following)
        follower_deinit(&tenant->saver->follower);
    free(tenant->saver);
    tenant->saver = NULL;
    snapshots_close(tenant->snapshots);
    tenant->snapshots = NULL;
}

// ---- Making

static err make(struct tenant *tenant, struct state *state, str entity, als_position as_of,
                enum snapshot_kind kind, struct snapshot *ret_snapshot, struct als_why *why)
{
    struct als *als = tenant->als;
    uint64_t start_ns = als->os->monotonic_ns(als->os);
    TRY(snapshot_make(tenant->snapshots, state, entity, as_of, kind, ret_snapshot, why));
    if (als->options.snapshot_made)
        als->options.snapshot_made(als->options.context, als->os->monotonic_ns(als->os) - start_ns);
    return ALS_OK;
}

static bool wants_snapshot(struct tenant *tenant, const struct als_event *event)
{
    const struct als_options *options = &tenant->als->options;
    if (event->version % options->snapshot_events == 0) {
        struct view view = view_pin(atomic_load(&tenant->store));
        als_version version;
        err code = view_version(view, event->entity, &version, NULL);
        view_unpin(view);
        als_version behind = version - event->version;
        return code == ALS_OK &&
               behind < (uint64_t)options->snapshots_per_entity * options->snapshot_events;
    }
    return snapshots_due(tenant->snapshots, tenant->als->due, event->entity, event->recorded_us,
                         options->snapshot_seconds);
}

static void make_automatic(struct tenant *tenant, struct state *state,
                           const struct als_event *event)
{
    struct snapshot made;
    struct als_why why = {""};
    err code = make(tenant, state, event->entity, event->position, SNAPSHOT_AUTOMATIC, &made, &why);
    if (code != ALS_OK && code != ALS_TOO_LARGE) // that it is too large is no news at every event
        notice(tenant->als, ALS_NOTICE_SNAPSHOT_FAILED, tenant_name(tenant), 1, why.text);
}

static void catch_up(struct tenant *tenant)
{
    struct saver *saver = tenant->saver;
    struct store *store = atomic_load(&tenant->store);
    als_position now = store_position(store);
    if (now - saver->follower.position <= BEHIND_EVENTS_MAX)
        return;
    follower_deinit(&saver->follower);
    saver->following = follower_init(&saver->follower, store, now - BEHIND_EVENTS_MAX / 2,
                                     saver_woken, tenant, NULL) == ALS_OK;
}

static bool follow(struct tenant *tenant, struct state *state)
{
    struct saver *saver = tenant->saver;
    struct als_event event;
    if (saver->following)
        catch_up(tenant);
    for (int i = 0; saver->following && i < TURN_EVENTS; i++) {
        if (follower_next(&saver->follower, &event, NULL) != ALS_OK || event.position == 0)
            return false; // it wakes us
        if (wants_snapshot(tenant, &event))
            make_automatic(tenant, state, &event);
    }
    return saver->following;
}

bool snapshots_turn(struct tenant *tenant)
{
    struct als_state *state = state_take(tenant->als);
    if (!state)
        return false;
    bool more = follow(tenant, state_inside(state));
    als_state_close(state);
    return snapshots_clean(tenant->snapshots, NULL) || more; // what fails waits for another time
}

// ---- <allsource.h>

struct als_snapshots {
    struct als_state *state; // holds the JSON; NULL: a list
    bool more;
    size_t count, at;
    struct snapshot items[];
};

void als_snapshots_close(struct als_snapshots *snapshots)
{
    if (!snapshots)
        return;
    als_state_close(snapshots->state);
    free(snapshots);
}
AUTO_WITH(als_snapshots, als_snapshots_close)

static err snapshots_new_list(struct als *als, size_t room, struct als_snapshots **ret_snapshots,
                              struct als_why *why)
{
    struct als_snapshots *snapshots =
        calloc(1, sizeof *snapshots + room * sizeof snapshots->items[0]);
    if (snapshots)
        snapshots->state = state_take(als);
    if (snapshots && snapshots->state) {
        *ret_snapshots = snapshots;
        return ALS_OK;
    }
    free(snapshots);
    return FAIL(why, ALS_NO_MEMORY, "no memory for snapshots");
}

// NULL: a tenant without events.
static err find_tenant(struct als *als, als_str name, struct tenant **ret_tenant,
                       struct als_why *why)
{
    struct store *store;
    TRY(tenant_store(als, name, &store, why));
    TRY(tenant_find(als, name, ret_tenant, why));
    if (!store)
        *ret_tenant = NULL;
    return ALS_OK;
}

enum als_err als_snapshot_make(struct als *als, als_str tenant_slice, als_str entity,
                               enum als_snapshot_kind kind, struct als_snapshots **ret_snapshots,
                               struct als_why *why)
{
    CHECK_ALS(als, why);
    if ((unsigned)kind > ALS_SNAPSHOT_ONDEMAND)
        return FAIL(why, ALS_INVALID_INPUT, "kind is no such value");
    struct tenant *tenant;
    TRY(find_tenant(als, tenant_slice, &tenant, why));
    if (!tenant)
        return FAIL(why, ALS_ENTITY_NOT_FOUND, "%.*s", STR(entity));
    AUTO(als_snapshots) one = NULL;
    TRY(snapshots_new_list(als, 1, &one, why));
    TRY(make(tenant, state_inside(one->state), entity, 0, (enum snapshot_kind)kind, &one->items[0],
             why));
    one->count = 1;
    keeper_wake(tenant); // a file may be mostly garbage now
    if (ret_snapshots)
        *ret_snapshots = MOVE(one);
    return ALS_OK;
}

enum als_err als_snapshot_latest(struct als *als, als_str tenant_slice, als_str entity,
                                 struct als_snapshots **ret_snapshots, struct als_why *why)
{
    CHECK_ALS(als, why);
    if (!ret_snapshots)
        return FAIL(why, ALS_INVALID_INPUT, "ret_snapshots is NULL");
    struct tenant *tenant;
    TRY(find_tenant(als, tenant_slice, &tenant, why));
    if (!tenant)
        return FAIL(why, ALS_NOT_FOUND, "no snapshot of entity %.*s", STR(entity));
    AUTO(als_snapshots) one = NULL;
    TRY(snapshots_new_list(als, 1, &one, why));
    TRY(snapshot_latest(tenant->snapshots, state_inside(one->state), entity, &one->items[0], why));
    one->count = 1;
    *ret_snapshots = MOVE(one);
    return ALS_OK;
}

enum als_err als_snapshots_open(struct als *als, const struct als_snapshots_query *query,
                                struct als_snapshots **ret_snapshots, struct als_why *why)
{
    CHECK_ALS(als, why);
    CHECK_SIZED(query, "query", why);
    if (!ret_snapshots)
        return FAIL(why, ALS_INVALID_INPUT, "ret_snapshots is NULL");
    if (query->limit > SNAPSHOTS_PAGE_MAX || query->limit == 0)
        return FAIL(why, ALS_INVALID_QUERY, "limit: 1 to %d snapshots at once, got %llu",
                    SNAPSHOTS_PAGE_MAX, (unsigned long long)query->limit);
    struct tenant *tenant;
    TRY(find_tenant(als, query->tenant, &tenant, why));
    // The last entity is given whole, and one of them always fits.
    size_t per_entity = als->options.snapshots_per_entity;
    size_t room = query->entity.len ? per_entity : (size_t)query->limit + per_entity - 1;
    AUTO(als_snapshots) list = NULL;
    TRY(snapshots_new_list(als, room, &list, why));
    struct snapshot_page page = {
        .entity = query->entity, .after = query->after, .snapshots = list->items, .room = room};
    if (tenant)
        TRY(snapshot_list(tenant->snapshots, state_inside(list->state), &page, &list->count,
                          &list->more, why));
    *ret_snapshots = MOVE(list);
    return ALS_OK;
}

bool als_snapshots_next(struct als_snapshots *snapshots, struct als_snapshot *ret_snapshot,
                        als_str *ret_json)
{
    if (snapshots->at == snapshots->count)
        return false;
    const struct snapshot *item = &snapshots->items[snapshots->at++];
    *ret_snapshot = (struct als_snapshot){.id = item->id,
                                          .entity = {item->entity, item->entity_len},
                                          .kind = (enum als_snapshot_kind)item->kind,
                                          .created_us = item->created_us,
                                          .as_of_us = item->folded.as_of_us,
                                          .position = item->folded.position,
                                          .version = item->folded.version,
                                          .event_count = item->folded.event_count,
                                          .bytes = item->json_len};
    if (ret_json)
        *ret_json = state_json(state_inside(snapshots->state));
    return true;
}

bool als_snapshots_more(const struct als_snapshots *snapshots)
{
    return snapshots->more;
}

enum als_err als_snapshot_delete(struct als *als, als_str tenant_slice, als_str entity,
                                 uint64_t *ret_count, struct als_why *why)
{
    CHECK_ALS(als, why);
    if (!ret_count)
        return FAIL(why, ALS_INVALID_INPUT, "ret_count is NULL");
    struct tenant *tenant;
    TRY(find_tenant(als, tenant_slice, &tenant, why));
    uint64_t count = 0;
    if (tenant)
        TRY(snapshot_delete(tenant->snapshots, entity, &count, why));
    if (count)
        keeper_wake(tenant);
    *ret_count = count;
    return ALS_OK;
}
