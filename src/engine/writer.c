// SPDX-License-Identifier: Apache-2.0
// A tenant is in the run queue at most once and with at most one writer: that is what makes "one
// writer at a time" true. Work that comes while a writer is with it brings it back to the queue.
#include "engine/engine.h"

#include <assert.h>

static void enqueue_locked(struct als *als, struct tenant *tenant)
{
    tenant->next_queued = NULL;
    if (als->last_queued)
        als->last_queued->next_queued = tenant;
    else
        als->first_queued = tenant;
    als->last_queued = tenant;
    tenant->run = TENANT_QUEUED;
}

static void want_locked(struct tenant *tenant, bool wake)
{
    if (tenant->run == TENANT_IDLE)
        enqueue_locked(tenant->als, tenant);
    else if (tenant->run == TENANT_RUNNING)
        tenant->run = TENANT_RUNNING_AGAIN;
    if (wake)
        signal_one(&tenant->als->work);
}

void schedule(struct tenant *tenant, bool wake)
{
    lock_take(&tenant->als->run_lock);
    want_locked(tenant, wake);
    lock_release(&tenant->als->run_lock);
}

void tick_soon(struct als *als)
{
    lock_take(&als->run_lock);
    if (!als->tick_wanted) {
        als->tick_wanted = true;
        signal_one(&als->tick);
    }
    lock_release(&als->run_lock);
}

void settle_soon(struct tenant *tenant)
{
    lock_take(&tenant->als->run_lock);
    tenant->settle = true;
    want_locked(tenant, true);
    lock_release(&tenant->als->run_lock);
}

static struct tenant *take_locked(struct als *als, bool *ret_settle)
{
    struct tenant *tenant = als->first_queued;
    if (!tenant)
        return NULL;
    als->first_queued = tenant->next_queued;
    if (!als->first_queued)
        als->last_queued = NULL;
    tenant->run = TENANT_RUNNING;
    *ret_settle = tenant->settle;
    tenant->settle = false;
    return tenant;
}

static void put_back(struct tenant *tenant, bool more)
{
    struct als *als = tenant->als;
    lock_take(&als->run_lock);
    bool again = more || tenant->run == TENANT_RUNNING_AGAIN || tenant->settle;
    tenant->run = TENANT_IDLE;
    if (again) {
        enqueue_locked(als, tenant);
        signal_one(&als->work);
    }
    lock_release(&als->run_lock);
}

static void settle(struct tenant *tenant, struct store *store)
{
    struct als_why why = {0};
    err code = store_settle(store, &why);
    if (code == ALS_STORAGE_FAILED)
        notice(tenant->als, ALS_NOTICE_STORAGE_FAILED, tenant_name(tenant), 0, why.text);
}

static bool sealing_is_behind(const struct tenant *tenant, struct store *store)
{
    return store_wants_seal(store) && !atomic_load(&tenant->seal_after_ns) &&
           (store_tail_bytes(store) > tenant->als->options.tail_index_bytes ||
            tails_are_behind(tenant->als));
}

// Whether appends have to wait for sealing: seal_turn() brings them back. What cannot be sealed
// holds nobody up. The flag is set before the second look, so that sealing that ends in between
// sees it.
static bool stalls(struct tenant *tenant, struct store *store)
{
    if (!store_has_work(store) || !sealing_is_behind(tenant, store))
        return false;
    bool waits_already = atomic_exchange(&tenant->stalled, true);
    if (!sealing_is_behind(tenant, store)) {
        atomic_store(&tenant->stalled, false);
        return false;
    }
    if (!waits_already)
        atomic_fetch_add(&tenant->als->stalls, 1);
    keeper_wake(tenant);
    return true;
}

void stall_over(struct tenant *tenant)
{
    if (atomic_exchange(&tenant->stalled, false))
        schedule(tenant, true);
}

static void turn(struct tenant *tenant, bool wants_settle)
{
    struct als *als = tenant->als;
    struct store *store = atomic_load(&tenant->store);
    bool ends = atomic_exchange(&tenant->ends_stretch, false);
    if (ends)
        store_end_stretch(store);
    bool did = !stalls(tenant, store) && store_turn(store);
    slots_give(tenant);
    if (did || ends)
        tails_count(tenant, store);
    if (did)
        tails_bound(als);
    if (wants_settle && !did)
        settle(tenant, store);
    if (did && !store_is_settled(store) && als->options.durability != ALS_DURABILITY_NONE)
        tick_soon(als);
    if ((did || ends) && store_wants_seal(store))
        keeper_wake(tenant);
    put_back(tenant, did && store_has_work(store));
}

static void *writer_run(void *context)
{
    struct als *als = context;
    lock_take(&als->run_lock);
    for (;;) {
        bool wants_settle;
        struct tenant *tenant = take_locked(als, &wants_settle);
        if (!tenant && als->stopping)
            break;
        if (!tenant) {
            signal_wait(&als->work, &als->run_lock);
            continue;
        }
        lock_release(&als->run_lock);
        turn(tenant, wants_settle);
        lock_take(&als->run_lock);
    }
    lock_release(&als->run_lock);
    return NULL;
}

bool take_turns(struct als *als, const _Atomic bool *done)
{
    bool any = false;
    while (!done || !atomic_load(done)) {
        bool wants_settle;
        lock_take(&als->run_lock);
        struct tenant *tenant = take_locked(als, &wants_settle);
        lock_release(&als->run_lock);
        if (!tenant)
            break;
        turn(tenant, wants_settle);
        any = true;
    }
    return any;
}

// Asks for a settle where a log has been quiet since the last tick, or always when appends are
// answered before they are durable. Returns whether there is something to come back for.
static bool tick(struct als *als)
{
    bool again = false, interval = als->options.durability == ALS_DURABILITY_INTERVAL;
    for (struct tenant *tenant = atomic_load(&als->tenants); tenant; tenant = tenant->next) {
        struct store *store = atomic_load(&tenant->store);
        if (!store || store_is_settled(store) || store_has_failed(store))
            continue;
        again = true;
        als_position position = store_position(store);
        bool quiet = tenant->quiet_since == position;
        tenant->quiet_since = position;
        if (!quiet && !interval)
            continue;
        settle_soon(tenant);
    }
    whens_expire(als, als->os->monotonic_ns(als->os));
    return again || whens_any(als);
}

static void *ticker_run(void *context)
{
    struct als *als = context;
    uint64_t tick_ns = UINT64_C(1000000) * TICK_MS;
    if (als->options.durability == ALS_DURABILITY_INTERVAL && als->options.interval_ms < TICK_MS)
        tick_ns = UINT64_C(1000000) * (als->options.interval_ms ? als->options.interval_ms : 1);
    lock_take(&als->run_lock);
    while (!als->stopping) {
        if (!als->tick_wanted) {
            signal_wait(&als->tick, &als->run_lock);
            continue;
        }
        uint64_t deadline_ns = als->os->monotonic_ns(als->os) + tick_ns;
        while (!als->stopping && signal_wait_until(&als->tick, &als->run_lock, deadline_ns))
            continue;
        als->tick_wanted = false;
        lock_release(&als->run_lock);
        bool again = tick(als);
        lock_take(&als->run_lock);
        als->tick_wanted |= again;
    }
    lock_release(&als->run_lock);
    return NULL;
}

err writers_start(struct als *als, struct als_why *why)
{
    for (uint32_t i = 0; i < als->options.writers; i++, als->writer_count++)
        if (pthread_create(&als->writers[i], NULL, writer_run, als) != 0)
            return FAIL(why, ALS_NO_MEMORY, "a writer thread cannot be started");
    if (pthread_create(&als->ticker, NULL, ticker_run, als) != 0)
        return FAIL(why, ALS_NO_MEMORY, "the ticker thread cannot be started");
    als->ticker_started = true;
    return ALS_OK;
}

static void join(pthread_t thread)
{
    int error = pthread_join(thread, NULL);
    assert(error == 0);
    (void)error;
}

void writers_stop(struct als *als)
{
    lock_take(&als->run_lock);
    als->stopping = true;
    signal_all(&als->work);
    signal_all(&als->tick);
    lock_release(&als->run_lock);
    for (; als->writer_count; als->writer_count--)
        join(als->writers[als->writer_count - 1]);
    if (als->ticker_started)
        join(als->ticker);
    als->ticker_started = false;
}
