// SPDX-License-Identifier: Apache-2.0
// What the files of this room share.
#pragma once

#include "base/limits.h"
#include "index/index.h"
#include "store/log.h"
#include "store/store.h"

#include <stdatomic.h>

// Appends that wait for the writer, oldest first.
struct mailbox {
    struct lock lock;
    struct append *first, *last;
    uint32_t count;
    bool scheduled; // somebody was told to take a turn, and none has found the box empty since
};

struct watches {
    struct lock lock;
    struct watch *first;
    _Atomic als_position next; // the least position that is watched, UINT64_MAX when none is
};

struct store {
    struct os *os;
    struct store_options options;
    char tenant[TENANT_BYTES_MAX];

    struct mailbox mailbox;
    struct watches watches;
    struct index *index;

    _Atomic als_position position; // published
    _Atomic uint32_t views;        // pinned
    _Atomic bool failed;           // the log takes no more
    _Atomic bool unsettled;        // appended since the last settle

    // The writer's.
    struct store_log *log;
    int64_t recorded_us; // of the last batch
    als_position next;   // the position that the next event of this turn gets
    uint32_t stamp;      // of the append that is being judged
    struct append *turn_appends[TURN_BATCHES_MAX];
    struct log_record turn_records[TURN_BATCHES_MAX];
    const uint8_t *turn_bodies[TURN_BATCHES_MAX];

    struct lock stat_lock;
    struct log_stat log_stat; // as of the last turn; guarded by stat_lock
};

// judge.c: does the append hold what it demands? Gives positions and versions, places records and
// ids. Its verdict is in append->code; what was refused has changed nothing.
void judge(struct store *store, struct append *append, struct append *const *accepted,
           size_t accepted_count);
// Forgets what judge() prepared, for the turn could not be made durable.
void judge_undo(struct append *append);
// Fills in which events got in between, once all of the turn is published.
void judge_explain(struct store *store, struct append *append);

bool same_id(const uint8_t *record, const void *id);

// watch.c
void watches_tell(struct store *store, als_position position);
