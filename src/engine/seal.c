// SPDX-License-Identifier: Apache-2.0
// Sealing on the keeper's thread. What fails stays in the log, where it is as safe as before, and
// is tried again after a while: a disk that is full is not helped by being filled over and over.
#include "engine/engine.h"

enum { SEAL_RETRY_S = 10 };

bool seal_turn(struct tenant *tenant)
{
    struct als *als = tenant->als;
    struct store *store = atomic_load(&tenant->store);
    uint64_t start_ns = als->os->monotonic_ns(als->os);
    if (!store_wants_seal(store) || start_ns < tenant->seal_after_ns)
        return false;
    bool sealed;
    struct als_why why = {""};
    err code = store_seal(store, &sealed, &why);
    uint64_t end_ns = als->os->monotonic_ns(als->os);
    if (code != ALS_OK) {
        tenant->seal_after_ns = end_ns + UINT64_C(1000000000) * SEAL_RETRY_S;
        notice(als, ALS_NOTICE_SEAL_FAILED, tenant_name(tenant), 0, why.text);
        return false;
    }
    if (!sealed)
        return false;
    if (als->options.sealed)
        als->options.sealed(als->options.context, end_ns - start_ns);
    settle_soon(tenant);
    return store_wants_seal(store);
}
