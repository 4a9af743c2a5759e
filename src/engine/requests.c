// SPDX-License-Identifier: Apache-2.0
// Callers who wait until the keeper of long work has done something for them, tenant by tenant and
// kind by kind, oldest first. While any wait, what is under way goes on as fast as it can.
#include "engine/engine.h"

static struct keeper *keeper_of(const struct tenant *tenant)
{
    return &tenant->als->keepers[KEEPER_LONG];
}

err requests_put(struct tenant *tenant, struct requests *requests, struct request *request,
                 struct als_why *why)
{
    struct als *als = tenant->als;
    struct keeper *keeper = keeper_of(tenant);
    lock_take(&keeper->lock);
    bool stopping = keeper->stopping, full = als->requests == COMPACT_REQUESTS_MAX;
    if (!stopping && !full) {
        request->next = NULL;
        if (requests->first)
            requests->last->next = request;
        else
            requests->first = request;
        requests->last = request;
        als->requests++;
        signal_one(&keeper->signal); // what is under way need not be slow any more
    }
    lock_release(&keeper->lock);
    if (stopping)
        return FAIL(why, ALS_NOT_READY, "the engine is being closed");
    if (full)
        return FAIL(why, ALS_QUEUE_FULL, "%d callers wait for compaction or retention already",
                    COMPACT_REQUESTS_MAX);
    compactor_wake(tenant);
    return ALS_OK;
}

struct request *requests_take(struct tenant *tenant, struct requests *requests)
{
    struct keeper *keeper = keeper_of(tenant);
    lock_take(&keeper->lock);
    struct request *request = requests->first;
    if (request) {
        requests->first = request->next;
        tenant->als->requests--;
    }
    lock_release(&keeper->lock);
    return request;
}
