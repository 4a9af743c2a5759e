// SPDX-License-Identifier: Apache-2.0
// An analysis under way: what is asked, of which view, and the threads that share it.
#pragma once

#include "analytics/analytics.h"
#include "engine/engine.h"

// What a thread keeps from one analysis to the next.
struct analyst_hands {
    struct cursor *cursor;
    struct segment_scan *scan;
};

struct analysis_piece;

struct als_analysis {
    struct als *als;
    struct als_analysis *next; // all that are under way, oldest first
    struct analysis_question question;
    bool by_entity;
    str entity;
    str types[QUERY_TYPES_MAX]; // of the question, or both of a correlation
    size_t type_count;
    struct arena texts;
    struct view view;      // until it is done
    als_position position; // that was pinned
    atomic_bool given_up;
    struct analysis_piece *pieces; // of segments, one task each; the other tasks are the tail's
    size_t piece_count;
    als_position sealed; // the cursor begins behind it
    uint64_t task_count;
    void (*done)(void *context);
    void *context;

    uint64_t next_task;     // from here on guarded by the lock of the analysts
    uint32_t threads;       // that work on it
    struct analysis *total; // what those who have finished have found
    err code;               // how it ended
    struct als_why why;
};

// Puts it among those under way. ALS_QUEUE_FULL, ALS_NOT_READY.
err analysts_post(struct als_analysis *job, struct als_why *why);

// analysis_task.c
// Cuts the view of the analysis into tasks.
err analysis_tasks(struct als_analysis *job, struct als_why *why);
// Gives the events of one task of the analysis to a share of it.
err analysis_task(const struct als_analysis *job, uint64_t task, struct analyst_hands *hands,
                  struct analysis *share, struct als_why *why);
