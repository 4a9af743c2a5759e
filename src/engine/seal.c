// SPDX-License-Identifier: Apache-2.0
// Sealing on the keeper's thread. What fails stays in the log, where it is as safe as before, and
// is tried again after a while: a disk that is full is not helped by being filled over and over.
//
// Those who append wait for each other and for the disk many times in the time that one file takes,
// so sealing gives way to them, unless it falls behind: then appends would wait for it in the end.
#include "engine/engine.h"

enum { SEAL_RETRY_S = 10 };
enum { BEHIND_PART = 4 }; // of the bound on the tail's index: from there on sealing is in a hurry

struct sealing {
    struct tenant *tenant;
    bool sealed;
    err code;
};

static void seal(void *context)
{
    struct sealing *sealing = context;
    struct tenant *tenant = sealing->tenant;
    struct als *als = tenant->als;
    struct als_why why = {""};
    uint64_t start_ns = als->os->monotonic_ns(als->os);
    err code = store_seal(atomic_load(&tenant->store), &sealing->sealed, &why);
    uint64_t end_ns = als->os->monotonic_ns(als->os);
    atomic_store(&tenant->seal_after_ns,
                 code == ALS_OK ? 0 : end_ns + UINT64_C(1000000000) * SEAL_RETRY_S);
    if (code != ALS_OK)
        notice(als, ALS_NOTICE_SEAL_FAILED, tenant_name(tenant), 0, why.text);
    else if (sealing->sealed && als->options.sealed)
        als->options.sealed(als->options.context, end_ns - start_ns);
    sealing->code = code;
}

static bool is_urgent(const struct tenant *tenant, struct store *store)
{
    return store_tail_bytes(store) > tenant->als->options.tail_index_bytes / BEHIND_PART ||
           tails_are_behind(tenant->als);
}

bool seal_turn(struct tenant *tenant)
{
    struct als *als = tenant->als;
    struct store *store = atomic_load(&tenant->store);
    struct sealing sealing = {.tenant = tenant};
    if (!store_wants_seal(store) ||
        als->os->monotonic_ns(als->os) < atomic_load(&tenant->seal_after_ns))
        return false;
    if (is_urgent(tenant, store))
        seal(&sealing);
    else
        background_run(seal, &sealing);
    tails_count_sealed(tenant, store);
    stall_over(tenant);
    if (sealing.sealed)
        give_memory_back(als);
    if (sealing.code != ALS_OK || !sealing.sealed)
        return false;
    settle_soon(tenant);
    if (!als->options.no_auto_compact)
        compactor_wake(tenant);
    return store_wants_seal(store);
}
