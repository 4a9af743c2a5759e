// SPDX-License-Identifier: Apache-2.0
// The view is pinned only between finding something and running dry: a follower that waits holds
// nothing that a trim would wait for.
#include "follow/follow.h"

static void told(struct watch *watch)
{
    struct follower *follower =
        (struct follower *)((char *)watch - offsetof(struct follower, watch));
    follower->wake(follower->context);
}

err follower_init(struct follower *follower, struct store *store, als_position position,
                  void (*wake)(void *), void *context, struct als_why *why)
{
    *follower = (struct follower){.store = store,
                                  .position = position,
                                  .wake = wake,
                                  .context = context,
                                  .filter = {.since_us = INT64_MIN, .until_us = INT64_MAX},
                                  .watch = {.tell = told}};
    follower->cursor = cursor_new();
    return follower->cursor ? ALS_OK : FAIL(why, ALS_NO_MEMORY, "the follower cannot be opened");
}

static void run_dry(struct follower *follower)
{
    cursor_reset(follower->cursor);
    view_unpin(follower->view);
    follower->view = (struct view){0};
}

void follower_deinit(struct follower *follower)
{
    store_unwatch(follower->store, &follower->watch);
    run_dry(follower);
    cursor_free(follower->cursor);
    follower->cursor = NULL;
}

void follower_filter(struct follower *follower, struct query filter)
{
    run_dry(follower);
    filter.since_us = INT64_MIN;
    filter.until_us = INT64_MAX;
    follower->filter = filter;
}

// Opens a cursor over what is published and not seen; false when there is nothing.
static err look(struct follower *follower, bool *ret_something, struct als_why *why)
{
    const struct query *filter = &follower->filter;
    *ret_something = false;
    follower->view = view_pin(follower->store);
    follower->up_to = follower->view.position;
    if (follower->up_to <= follower->position) {
        run_dry(follower);
        return ALS_OK;
    }
    struct cursor_bounds bounds = {.after = follower->position, .up_to = follower->up_to};
    err code = ALS_OK;
    if (filter->by_entity)
        code = cursor_over_entity(follower->cursor, follower->view, filter->entity, bounds, why);
    else if (filter->type_count)
        code = cursor_over_types(follower->cursor, follower->view, filter->types,
                                 filter->type_count, bounds, why);
    else
        code = cursor_over_all(follower->cursor, follower->view, bounds, why);
    if (code != ALS_OK)
        run_dry(follower);
    *ret_something = code == ALS_OK;
    return code;
}

// Walks the open cursor to the next match. The call is over when there is an event, or after enough
// looks.
static err walk(struct follower *follower, int *looks, struct als_event *ret_event, bool *ret_over,
                struct als_why *why)
{
    struct als_event event;
    *ret_over = true;
    for (;;) {
        TRY(cursor_next(follower->cursor, &event, why));
        if (event.position == 0)
            break;
        follower->position = event.position;
        if (query_matches(&follower->filter, &event)) {
            *ret_event = event;
            return ALS_OK;
        }
        if (++*looks == FOLLOW_LOOKS_MAX)
            return ALS_OK;
    }
    follower->position = follower->up_to;
    run_dry(follower);
    *ret_over = false;
    return ALS_OK;
}

err follower_next(struct follower *follower, struct als_event *ret_event, struct als_why *why)
{
    struct als_event event = {.position = 0};
    int looks = 0;
    for (bool over = false; !over;) {
        bool something = follower->view.store != NULL;
        if (!something)
            TRY(look(follower, &something, why));
        if (something) {
            TRY(walk(follower, &looks, &event, &over, why));
            continue;
        }
        follower->watch.position = follower->position + 1;
        over = store_watch(follower->store, &follower->watch);
    }
    if (event.position == 0 && looks == FOLLOW_LOOKS_MAX)
        follower->wake(follower->context); // there may be more: come back after others had a turn
    *ret_event = event;
    return ALS_OK;
}
