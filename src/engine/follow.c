// SPDX-License-Identifier: Apache-2.0
// Followers and waits over tenants that may not have a store yet: until it is made they wait for
// its birth, then for positions.
#include "engine/engine.h"

#include "base/arena.h"
#include "follow/follow.h"

#include <stdlib.h>

// ---- Waiting for a store. True: it waits; false: the store is there.

static bool await_birth(struct tenant *tenant, struct wait *wait)
{
    struct als *als = tenant->als;
    lock_take(&als->tenants_lock);
    bool waits = !atomic_load(&tenant->store);
    if (waits && !wait->waiting) {
        wait->waiting = true;
        wait->next = tenant->waits;
        tenant->waits = wait;
    }
    lock_release(&als->tenants_lock);
    return waits;
}

static void forget_birth(struct tenant *tenant, struct wait *wait)
{
    lock_take(&tenant->als->tenants_lock);
    for (struct wait **at = &tenant->waits; wait->waiting && *at; at = &(*at)->next)
        if (*at == wait) {
            *at = wait->next;
            break;
        }
    wait->waiting = false;
    lock_release(&tenant->als->tenants_lock);
}

// ---- Followers

enum { FILTER_BLOCK_BYTES = 512, FILTER_BYTES_MAX = 64 << 10 };

struct als_follower {
    struct tenant *tenant;
    struct follower follower; // once there is a store
    bool begun;
    als_position after;
    void (*wake)(void *context);
    void *context;
    struct wait wait;
    struct query filter;
    struct arena texts[2]; // of the filter in use and of the next one, in turn
    int text_turn;
};

static void follower_born(struct wait *wait, struct store *store)
{
    struct als_follower *follower =
        (struct als_follower *)((char *)wait - offsetof(struct als_follower, wait));
    (void)store; // the next call finds it
    follower->wake(follower->context);
}

static err begin(struct als_follower *follower, struct als_why *why)
{
    struct store *store = atomic_load(&follower->tenant->store);
    als_position after = follower->after == ALS_FROM_NOW ? store_position(store) : follower->after;
    TRY(follower_init(&follower->follower, store, after, follower->wake, follower->context, why));
    follower_filter(&follower->follower, follower->filter);
    follower->begun = true;
    return ALS_OK;
}

void als_follower_close(struct als_follower *follower)
{
    if (!follower)
        return;
    forget_birth(follower->tenant, &follower->wait);
    if (follower->begun)
        follower_deinit(&follower->follower);
    arena_deinit(&follower->texts[0]);
    arena_deinit(&follower->texts[1]);
    free(follower);
}
AUTO_WITH(als_follower, als_follower_close)

enum als_err als_follower_filter(struct als_follower *follower, als_str entity,
                                 const als_str *types, size_t type_count, struct als_why *why)
{
    if (type_count > QUERY_TYPES_MAX)
        return FAIL(why, ALS_INVALID_QUERY, "event_type: at most %d of them, got %zu",
                    QUERY_TYPES_MAX, type_count);
    follower->text_turn = !follower->text_turn;
    struct arena *texts = &follower->texts[follower->text_turn];
    arena_reset(texts);
    als_str *kept = ARENA_ARRAY(texts, als_str, type_count + 1);
    struct query filter = {.by_entity = entity.ptr != NULL,
                           .entity = arena_copy(texts, entity),
                           .types = kept,
                           .type_count = type_count};
    bool fits = kept && filter.entity.ptr;
    for (size_t i = 0; fits && i < type_count; i++) {
        kept[i] = arena_copy(texts, types[i]);
        fits = kept[i].ptr != NULL;
    }
    if (!fits)
        return FAIL(why, ALS_TOO_LARGE, "the filter is larger than %d bytes", FILTER_BYTES_MAX);
    follower->filter = filter;
    if (follower->begun)
        follower_filter(&follower->follower, filter);
    return ALS_OK;
}

enum als_err als_follow_open(struct als *als, const struct als_follow *follow,
                             struct als_follower **ret_follower, struct als_why *why)
{
    CHECK_ALS(als, why);
    CHECK_SIZED(follow, "follow", why);
    if (!ret_follower || !follow->wake)
        return FAIL(why, ALS_INVALID_INPUT, "ret_follower or follow.wake is NULL");
    struct tenant *tenant;
    TRY(tenant_await(als, follow->tenant, &tenant, why));
    if (tenant->damage != ALS_OK)
        return FAIL(why, tenant->damage, "%s", tenant->damage_why.text);
    AUTO(als_follower) follower = calloc(1, sizeof *follower);
    if (!follower)
        return FAIL(why, ALS_NO_MEMORY, "the follower cannot be opened");
    follower->tenant = tenant;
    follower->after = follow->after;
    follower->wake = follow->wake;
    follower->context = follow->context;
    follower->wait.born = follower_born;
    arena_init(&follower->texts[0], FILTER_BLOCK_BYTES, FILTER_BYTES_MAX);
    arena_init(&follower->texts[1], FILTER_BLOCK_BYTES, FILTER_BYTES_MAX);
    TRY(als_follower_filter(follower, follow->entity, follow->types, follow->type_count, why));
    if (atomic_load(&tenant->store))
        TRY(begin(follower, why));
    else if (follow->after == ALS_FROM_NOW)
        follower->after = 0; // everything that will ever be in it is new
    *ret_follower = MOVE(follower);
    return ALS_OK;
}

enum als_err als_follower_next(struct als_follower *follower, struct als_event *ret_event,
                               struct als_why *why)
{
    if (!follower->begun) {
        ret_event->position = 0;
        if (await_birth(follower->tenant, &follower->wait))
            return ALS_OK;
        TRY(begin(follower, why));
    }
    return follower_next(&follower->follower, ret_event, why);
}

als_position als_follower_position(const struct als_follower *follower)
{
    if (follower->begun)
        return follower->follower.position;
    return follower->after == ALS_FROM_NOW ? 0 : follower->after;
}

// ---- als_when()

// Exactly one of position, time and closing ends a wait: the one that claims it. It is freed when
// als_when() has let go of it, too, for it may be over before everything is set up.
static bool when_claim(struct when *when)
{
    return !atomic_exchange(&when->over, true);
}

static void when_unref(struct when *when)
{
    if (atomic_fetch_sub(&when->refs, 1) == 1)
        free(when);
}

static void when_unlink(struct when *when)
{
    struct als *als = when->als;
    lock_take(&als->whens_lock);
    for (struct when **at = &als->whens; *at; at = &(*at)->next)
        if (*at == when) {
            *at = when->next;
            break;
        }
    lock_release(&als->whens_lock);
}

static void when_told(struct watch *watch)
{
    struct when *when = (struct when *)((char *)watch - offsetof(struct when, watch));
    if (!when_claim(when))
        return; // the ticker has it and waits for us in store_unwatch()
    when_unlink(when);
    when->reached(when->context, true);
    when_unref(when);
}

static void when_born(struct wait *wait, struct store *store)
{
    struct when *when = (struct when *)((char *)wait - offsetof(struct when, wait));
    if (!store_watch(store, &when->watch))
        when_told(&when->watch);
}

bool whens_any(struct als *als)
{
    lock_take(&als->whens_lock);
    bool any = als->whens != NULL;
    lock_release(&als->whens_lock);
    return any;
}

static struct when *take_expired(struct als *als, uint64_t now_ns)
{
    struct when *expired = NULL;
    lock_take(&als->whens_lock);
    for (struct when **at = &als->whens; *at && !expired; at = &(*at)->next)
        if ((*at)->deadline_ns <= now_ns && when_claim(*at)) {
            expired = *at;
            *at = expired->next;
            break;
        }
    lock_release(&als->whens_lock);
    return expired;
}

static void when_disarm(struct when *when)
{
    forget_birth(when->tenant, &when->wait);
    struct store *store = atomic_load(&when->tenant->store);
    if (store)
        store_unwatch(store, &when->watch);
}

void whens_expire(struct als *als, uint64_t now_ns)
{
    for (struct when *when; (when = take_expired(als, now_ns)) != NULL;) {
        when_disarm(when);
        when->reached(when->context, false);
        when_unref(when);
    }
}

enum als_err als_when(struct als *als, als_str tenant_slice, als_position position,
                      uint32_t timeout_ms, void (*reached)(void *context, bool reached),
                      void *context, struct als_why *why)
{
    CHECK_ALS(als, why);
    struct tenant *tenant;
    if (!reached)
        return FAIL(why, ALS_INVALID_INPUT, "reached is NULL");
    TRY(tenant_await(als, tenant_slice, &tenant, why));
    struct store *store = atomic_load(&tenant->store);
    if (position == 0 || (store && store_position(store) >= position)) {
        reached(context, true);
        return ALS_OK;
    }
    struct when *when = calloc(1, sizeof *when);
    if (!when)
        return FAIL(why, ALS_NO_MEMORY, "the wait for position %llu", (unsigned long long)position);
    atomic_store(&when->refs, 2); // ours, and that of whoever ends it
    when->als = als;
    when->tenant = tenant;
    when->reached = reached;
    when->context = context;
    when->wait.born = when_born;
    when->watch = (struct watch){.position = position, .tell = when_told};
    when->deadline_ns = als->os->monotonic_ns(als->os) + UINT64_C(1000000) * timeout_ms;
    lock_take(&als->whens_lock);
    when->next = als->whens;
    als->whens = when;
    lock_release(&als->whens_lock);
    tick_soon(als);
    if (!await_birth(tenant, &when->wait))
        when_born(&when->wait, atomic_load(&tenant->store));
    if (atomic_load(&when->over))
        when_disarm(when); // it ended before it was armed
    when_unref(when);
    return ALS_OK;
}
