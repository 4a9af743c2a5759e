// SPDX-License-Identifier: Apache-2.0
// The tails of all tenants together.
//
// A tail is sealed when it is long enough. That of a tenant with few events never is, and its index
// stays in memory; so do those of a thousand such tenants. Each turn counts what its tenant's tail
// takes; where the sum of those that still grow is more than they may have, the largest are ended
// and sealed as they are, until the rest fits. One that waits to be sealed is not ended once more,
// and one that is next to nothing stays: to seal it would free nothing, and make a file an event.
//
// What waits comes on top. Where that makes it twice as much, appends of those who have something
// to seal wait for it, as they do when their own tail is too long (writer.c).
#include "engine/engine.h"

#define WORTH_SEALING_BYTES KIB(32)

static void set_share(struct tenant *tenant, uint64_t bytes)
{
    uint64_t before = atomic_exchange(&tenant->tail_bytes, bytes);
    atomic_fetch_add(&tenant->als->tails_bytes, bytes - before); // modulo 2^64: it may be less
}

// To look at every stretch takes a lock; where only one is left its writer knows without.
void tails_count(struct tenant *tenant, struct store *store)
{
    set_share(tenant,
              store_wants_seal(store) ? store_tail_bytes(store) : store_growing_bytes(store));
}

void tails_count_sealed(struct tenant *tenant, struct store *store)
{
    set_share(tenant, store_tail_bytes(store));
}

// The largest of those that grow; `ret_sum` is what all of them take.
static struct tenant *find_largest(struct als *als, uint64_t *ret_sum)
{
    struct tenant *largest = NULL;
    uint64_t sum = 0, most = 0;
    for (struct tenant *tenant = atomic_load(&als->tenants); tenant; tenant = tenant->next) {
        struct store *store = atomic_load(&tenant->store);
        if (!store || store_wants_seal(store) || atomic_load(&tenant->ends_stretch))
            continue;
        uint64_t bytes = atomic_load(&tenant->tail_bytes);
        sum += bytes;
        if (bytes > most) {
            most = bytes;
            largest = tenant;
        }
    }
    *ret_sum = sum;
    return largest;
}

void tails_bound(struct als *als)
{
    uint64_t sum, most = als->options.all_tails_index_bytes;
    if (atomic_load(&als->tails_bytes) <= most)
        return;
    for (;;) {
        struct tenant *largest = find_largest(als, &sum);
        if (!largest || sum <= most || atomic_load(&largest->tail_bytes) < WORTH_SEALING_BYTES)
            return;
        atomic_store(&largest->ends_stretch, true);
        schedule(largest, true);
    }
}

bool tails_are_behind(const struct als *als)
{
    return atomic_load(&als->tails_bytes) > 2 * als->options.all_tails_index_bytes;
}
