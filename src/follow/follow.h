// SPDX-License-Identifier: Apache-2.0
// A follower walks the log from a position and never ends: every event once, in order.
//
// Catching up and being live are the same loop, so there is no hand-over that could lose or double
// an event: it reads what is published, and when there is nothing it leaves a watch.
// Threads: one at a time calls follower_next(), _filter() and _deinit(); `wake` comes from the
// writer.
#pragma once

#include "query/query.h"

struct follower {
    struct store *store;
    struct query filter; // its texts belong to the owner
    als_position position;
    void (*wake)(void *context);
    void *context;

    struct cursor *cursor; // over (position, up_to] while a view is pinned
    struct view view;
    als_position up_to;
    struct watch watch;
};

enum { FOLLOW_LOOKS_MAX = 4096 }; // events that one call looks at

// `position`: everything up to it counts as seen. ALS_NO_MEMORY.
err follower_init(struct follower *follower, KEEPS struct store *store, als_position position,
                  void (*wake)(void *), void *context, struct als_why *why);
void follower_deinit(struct follower *follower);

// Replaces the filter from the next call on.
void follower_filter(struct follower *follower, struct query filter);

// The next event that passes; position 0 when there is none now, and then `wake` is called once as
// soon as there may be one. Slices live until the next call.
err follower_next(struct follower *follower, struct als_event *ret_event, struct als_why *why);
