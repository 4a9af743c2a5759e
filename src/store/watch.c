// SPDX-License-Identifier: Apache-2.0
// The writer looks at one number, the least position that anybody watches, and takes the lock only
// when it has been reached. A watcher stores its position there under the lock and only then looks
// at the published one, so either it sees the position or the writer sees the watch.
#include "store/inside.h"

static void unlink_watch(struct watches *watches, struct watch *watch)
{
    if (watch->previous)
        watch->previous->next = watch->next;
    else
        watches->first = watch->next;
    if (watch->next)
        watch->next->previous = watch->previous;
    watch->next = watch->previous = NULL;
    watch->armed = false;
}

static void find_next(struct watches *watches)
{
    als_position next = UINT64_MAX;
    for (const struct watch *watch = watches->first; watch; watch = watch->next)
        next = watch->position < next ? watch->position : next;
    atomic_store(&watches->next, next);
}

bool store_watch(struct store *store, struct watch *watch)
{
    struct watches *watches = &store->watches;
    lock_take(&watches->lock);
    if (watch->armed)
        unlink_watch(watches, watch); // asked again before it was told
    watch->armed = true;
    watch->previous = NULL;
    watch->next = watches->first;
    if (watch->next)
        watch->next->previous = watch;
    watches->first = watch;
    if (watch->position < atomic_load(&watches->next))
        atomic_store(&watches->next, watch->position);
    bool waits = atomic_load(&store->position) < watch->position;
    if (!waits) {
        unlink_watch(watches, watch);
        find_next(watches);
    }
    lock_release(&watches->lock);
    return waits;
}

void store_unwatch(struct store *store, struct watch *watch)
{
    struct watches *watches = &store->watches;
    lock_take(&watches->lock); // `tell` runs under it, so it is not running behind this line
    if (watch->armed) {
        unlink_watch(watches, watch);
        find_next(watches);
    }
    lock_release(&watches->lock);
}

void watches_tell(struct store *store, als_position position)
{
    struct watches *watches = &store->watches;
    if (atomic_load(&watches->next) > position)
        return;
    lock_take(&watches->lock);
    for (struct watch *watch = watches->first; watch;) {
        struct watch *next = watch->next;
        if (watch->position <= position) {
            unlink_watch(watches, watch);
            watch->tell(watch);
        }
        watch = next;
    }
    find_next(watches);
    lock_release(&watches->lock);
}
