// SPDX-License-Identifier: Apache-2.0
// The keeper: one thread for all that can wait. What wants it sets a flag of its tenant; the keeper
// goes round the tenants that have one and gives each kind of work one small turn, so no tenant and
// no kind waits long for another. Between rounds it rests, so that a busy writer pays for one wake
// in a while and not for one in each of its turns.
#include "engine/engine.h"

#include "snapshot/snapshot.h"

#include <assert.h>
#include <stdlib.h>

// With 5 ms, appending in memory was some 10 % slower than without a keeper; with 50 it is level.
enum { KEEPER_REST_MS = 50 };

// Each does a small piece and returns whether there is more. They run on the keeper only.
static bool (*const turns[])(struct tenant *tenant) = {snapshots_turn, seal_turn};

void keeper_wake(struct tenant *tenant)
{
    struct als *als = tenant->als;
    if (atomic_exchange(&tenant->keep, true))
        return; // it is on its way
    lock_take(&als->keeper_lock);
    als->keep_wanted = true;
    signal_one(&als->keep);
    lock_release(&als->keeper_lock);
}

static bool is_stopping(struct als *als)
{
    lock_take(&als->keeper_lock);
    bool stopping = als->keeper_stopping;
    lock_release(&als->keeper_lock);
    return stopping;
}

// Returns whether some tenant has more to do.
static bool go_round(struct als *als)
{
    bool more = false;
    for (struct tenant *tenant = atomic_load(&als->tenants); tenant; tenant = tenant->next) {
        if (!atomic_load(&tenant->store) || !atomic_exchange(&tenant->keep, false))
            continue;
        bool again = false;
        for (size_t i = 0; i < COUNT_OF(turns) && !is_stopping(als); i++)
            again |= turns[i](tenant);
        if (again)
            atomic_store(&tenant->keep, true);
        more |= again;
    }
    return more;
}

static void *keeper_run(void *context)
{
    struct als *als = context;
    lock_take(&als->keeper_lock);
    while (!als->keeper_stopping) {
        if (!als->keep_wanted) {
            signal_wait(&als->keep, &als->keeper_lock);
            continue;
        }
        als->keep_wanted = false;
        lock_release(&als->keeper_lock);
        bool more = go_round(als);
        uint64_t rest_ns = als->os->monotonic_ns(als->os) + UINT64_C(1000000) * KEEPER_REST_MS;
        lock_take(&als->keeper_lock);
        while (!more && !als->keeper_stopping &&
               signal_wait_until(&als->keep, &als->keeper_lock, rest_ns))
            continue;
        als->keep_wanted |= more;
    }
    lock_release(&als->keeper_lock);
    return NULL;
}

err keeper_start(struct als *als, struct als_why *why)
{
    als->due = calloc(1, sizeof *als->due);
    if (!als->due || pthread_create(&als->keeper, NULL, keeper_run, als) != 0)
        return FAIL(why, ALS_NO_MEMORY, "the keeper thread cannot be started");
    als->keeper_started = true;
    return ALS_OK;
}

static void join(struct als *als)
{
    int error = pthread_join(als->keeper, NULL);
    assert(error == 0);
    (void)error;
}

void keeper_stop(struct als *als)
{
    lock_take(&als->keeper_lock);
    als->keeper_stopping = true;
    signal_all(&als->keep);
    lock_release(&als->keeper_lock);
    if (als->keeper_started)
        join(als);
    als->keeper_started = false;
    free(als->due);
    als->due = NULL;
}
