// SPDX-License-Identifier: Apache-2.0
// Keepers: threads for all that can wait. What wants one sets a flag of its tenant; the keeper goes
// round the tenants that have one and gives each kind of its work one small turn, so no tenant and
// no kind waits long for another. What takes long has a keeper of its own. Between rounds it
// rests, so that a busy writer pays for one wake in a while and not for one in each of its turns.
#include "engine/engine.h"

#include "snapshot/snapshot.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>

// With 5 ms, appending in memory was some 10 % slower than without a keeper; with 50 it is level.
enum { KEEPER_REST_MS = 50, TURNS_MAX = 4, GIVE_BACK_MS = 1000 };

// Each does a small piece and returns whether there is more. They run on their keeper only.
static bool (*const turns[KEEPERS][TURNS_MAX])(struct tenant *tenant) = {
    [KEEPER_SHORT] = {snapshots_turn, seal_turn},
    [KEEPER_LONG] = {compact_turn, retention_turn},
};

static void wake(struct tenant *tenant, enum keeper_of of)
{
    struct keeper *keeper = &tenant->als->keepers[of];
    if (atomic_exchange(&tenant->keep[of], true))
        return; // it is on its way
    lock_take(&keeper->lock);
    keeper->wanted = true;
    signal_one(&keeper->signal);
    lock_release(&keeper->lock);
}

void keeper_wake(struct tenant *tenant)
{
    wake(tenant, KEEPER_SHORT);
}

void compactor_wake(struct tenant *tenant)
{
    wake(tenant, KEEPER_LONG);
}

static bool is_stopping(struct keeper *keeper)
{
    lock_take(&keeper->lock);
    bool stopping = keeper->stopping;
    lock_release(&keeper->lock);
    return stopping;
}

void give_memory_back(struct als *als)
{
    uint64_t now = als->os->monotonic_ns(als->os);
    uint64_t last = atomic_load(&als->given_back_ns);
    if (now - last < UINT64_C(1000000) * GIVE_BACK_MS ||
        !atomic_compare_exchange_strong(&als->given_back_ns, &last, now))
        return;
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

static bool take_turns_of(struct keeper *keeper, struct tenant *tenant)
{
    bool more = false;
    for (size_t i = 0; i < TURNS_MAX && turns[keeper->of][i] && !is_stopping(keeper); i++)
        more |= turns[keeper->of][i](tenant);
    return more;
}

// Returns whether some tenant has more to do.
static bool go_round(struct keeper *keeper, bool all)
{
    bool more = false;
    for (struct tenant *tenant = atomic_load(&keeper->als->tenants); tenant;
         tenant = tenant->next) {
        atomic_bool *keep = &tenant->keep[keeper->of];
        if (!atomic_load(&tenant->store) || !(atomic_exchange(keep, false) || all))
            continue;
        bool again = take_turns_of(keeper, tenant);
        if (again)
            atomic_store(keep, true);
        more |= again;
    }
    return more;
}

static uint64_t now_ns(const struct keeper *keeper)
{
    return keeper->als->os->monotonic_ns(keeper->als->os);
}

// Until somebody wants it or a look at all tenants is due; returns whether it is.
static bool wait_locked(struct keeper *keeper)
{
    uint64_t now = now_ns(keeper);
    while (!keeper->stopping && !keeper->wanted && now < keeper->look_ns) {
        (void)signal_wait_until(&keeper->signal, &keeper->lock, keeper->look_ns);
        now = now_ns(keeper);
    }
    bool due = now >= keeper->look_ns;
    if (due)
        keeper->look_ns = now + keeper->interval_ns;
    return due;
}

static void *keeper_run(void *context)
{
    struct keeper *keeper = context;
    if (keeper->of == KEEPER_LONG)
        background_enter(); // what it does takes long, and can
    lock_take(&keeper->lock);
    for (bool all; all = wait_locked(keeper), !keeper->stopping;) {
        keeper->wanted = false;
        lock_release(&keeper->lock);
        bool more = go_round(keeper, all);
        uint64_t rest_ns = now_ns(keeper) + UINT64_C(1000000) * KEEPER_REST_MS;
        lock_take(&keeper->lock);
        while (!more && !keeper->stopping &&
               signal_wait_until(&keeper->signal, &keeper->lock, rest_ns))
            continue;
        keeper->wanted |= more;
    }
    lock_release(&keeper->lock);
    return NULL;
}

// ---- Life

void keepers_init(struct als *als)
{
    for (int of = 0; of < KEEPERS; of++) {
        struct keeper *keeper = &als->keepers[of];
        *keeper = (struct keeper){.als = als, .of = (enum keeper_of)of};
        lock_init(&keeper->lock, LOCK_KEEPER);
        signal_init(&keeper->signal);
    }
}

void keepers_deinit(struct als *als)
{
    for (int of = 0; of < KEEPERS; of++) {
        signal_deinit(&als->keepers[of].signal);
        lock_deinit(&als->keepers[of].lock);
    }
    free(als->due);
    als->due = NULL;
}

static err start(struct keeper *keeper, uint64_t interval_s, struct als_why *why)
{
    keeper->interval_ns = UINT64_C(1000000000) * interval_s;
    keeper->look_ns = interval_s ? now_ns(keeper) : UINT64_MAX;
    if (pthread_create(&keeper->thread, NULL, keeper_run, keeper) != 0)
        return FAIL(why, ALS_NO_MEMORY, "a keeper's thread cannot be started");
    keeper->started = true;
    return ALS_OK;
}

err keepers_start(struct als *als, struct als_why *why)
{
    const struct als_options *options = &als->options;
    als->due = calloc(1, sizeof *als->due);
    if (!als->due)
        return FAIL(why, ALS_NO_MEMORY, "no memory for the keeper");
    TRY(start(&als->keepers[KEEPER_SHORT], 0, why));
    uint64_t interval_s = options->retention_interval_seconds;
    if (!options->no_auto_compact && options->compact_interval_seconds < interval_s)
        interval_s = options->compact_interval_seconds;
    return start(&als->keepers[KEEPER_LONG], interval_s, why);
}

void keeper_stop(struct keeper *keeper)
{
    lock_take(&keeper->lock);
    bool started = keeper->started;
    keeper->stopping = true;
    keeper->started = false;
    signal_all(&keeper->signal);
    lock_release(&keeper->lock);
    int error = started ? pthread_join(keeper->thread, NULL) : 0;
    assert(error == 0);
    (void)error;
}
