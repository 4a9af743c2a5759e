// SPDX-License-Identifier: Apache-2.0
// Sealing on the keeper's thread. What fails stays in the log, where it is as safe as before, and
// is tried again after a while: a disk that is full is not helped by being filled over and over.
#include "engine/engine.h"

enum { SEAL_RETRY_S = 10 };

static err seal(struct tenant *tenant, bool *ret_sealed)
{
    struct als *als = tenant->als;
    struct als_why why = {""};
    uint64_t start_ns = als->os->monotonic_ns(als->os);
    err code = store_seal(atomic_load(&tenant->store), ret_sealed, &why);
    uint64_t end_ns = als->os->monotonic_ns(als->os);
    atomic_store(&tenant->seal_after_ns,
                 code == ALS_OK ? 0 : end_ns + UINT64_C(1000000000) * SEAL_RETRY_S);
    if (code != ALS_OK)
        notice(als, ALS_NOTICE_SEAL_FAILED, tenant_name(tenant), 0, why.text);
    else if (*ret_sealed && als->options.sealed)
        als->options.sealed(als->options.context, end_ns - start_ns);
    return code;
}

bool seal_turn(struct tenant *tenant)
{
    struct als *als = tenant->als;
    struct store *store = atomic_load(&tenant->store);
    bool sealed = false;
    if (!store_wants_seal(store) ||
        als->os->monotonic_ns(als->os) < atomic_load(&tenant->seal_after_ns))
        return false;
    err code = seal(tenant, &sealed);
    tails_count_sealed(tenant, store);
    stall_over(tenant);
    if (sealed)
        give_memory_back(als);
    if (code != ALS_OK || !sealed)
        return false;
    settle_soon(tenant);
    if (!als->options.no_auto_compact)
        compactor_wake(tenant);
    return store_wants_seal(store);
}
