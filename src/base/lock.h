// SPDX-License-Identifier: Apache-2.0
// Locks with a rank: a thread may only take a lock of a higher rank than it holds. Debug builds
// assert it, so a deadlock is found by the first test that walks the path, not by bad luck.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

// Lowest first; each names what it guards.
enum lock_rank {
    LOCK_BACKUP = 1, // engine: the thread that makes a backup
    LOCK_ENGINE,     // engine: map of tenants to stores
    LOCK_REGISTRY,   // registry: changes; held while one is decided and made durable
    LOCK_SETTINGS,   // settings: the log of settings
    LOCK_SUBJECTS,   // registry: what there is; held for a look or the entry of a change
    LOCK_NAMES,      // index: the ordered names, made when asked for
    LOCK_WATCH,      // store: list of those who want to hear of new positions; held while they do
    LOCK_MAILBOX,    // store: appends that wait for the writer
    LOCK_RUN_QUEUE,  // engine: stores that have work
    LOCK_KEEPER,     // engine: tenants that want a turn of the keeper
    LOCK_ANALYSTS,   // engine: analyses under way
    LOCK_SNAPSHOT_WRITER, // snapshot: one at a time appends, cleans or loads
    LOCK_SNAPSHOTS,       // snapshot: what is where
    LOCK_SLOTS,           // engine: free append slots
    LOCK_WAITER,          // engine: one caller that waits for its append
    LOCK_SERVER,          // server: list of open event streams
    LOCK_DESK,            // server: requests that wait for the desk
    LOCK_WORKERS,         // worker: processes and the jobs that wait for one
    LOCK_HTTP,            // http: requests of a loop that are to be continued
    LOCK_STREAM,          // http: sockets of the stream loop
    LOCK_VIEW,            // store: which parts a new view sees
    LOCK_PART,            // store: the files of a sealed part, opened when first wanted
    LOCK_POOL,            // any pool of buffers; small facts of a room
    LOCK_METRICS,         // metrics: making a child of a labelled family
    LOCK_LOG,             // base: the diagnostic log
    LOCK_RANKS
};

struct lock {
    pthread_mutex_t mutex;
    enum lock_rank rank;
};

void lock_init(struct lock *lock, enum lock_rank rank);
void lock_deinit(struct lock *lock);
void lock_take(struct lock *lock);
void lock_release(struct lock *lock);

// A condition on the monotonic clock.
struct signal {
    pthread_cond_t cond;
};

void signal_init(struct signal *signal);
void signal_deinit(struct signal *signal);
// The lock is held by the caller, and again when it returns. Wakes may be spurious.
void signal_wait(struct signal *signal, struct lock *lock);
// False when `deadline_ns` (monotonic clock) has passed.
bool signal_wait_until(struct signal *signal, struct lock *lock, uint64_t deadline_ns);
void signal_one(struct signal *signal);
void signal_all(struct signal *signal);
