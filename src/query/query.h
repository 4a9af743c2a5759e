// SPDX-License-Identifier: Apache-2.0
// Which events, in which order, how many: filter, plan and page over a pinned view.
//
// The plan is the narrowest index that the question allows: id, entity, types, else a scan; what
// the index does not say is filtered off the record. Bounds on time and position hold on every
// path.
// Threads: results belong to one thread.
#pragma once

#include "base/err.h"
#include "base/own.h"
#include "base/str.h"
#include "store/store.h"

struct query {
    bool by_entity, by_id;
    str entity;
    const str *types; // any of these, a trailing '*' is a prefix; none: any
    size_t type_count;
    als_id id;
    int64_t since_us, until_us; // inclusive
    als_position after;         // positions behind this
    als_position up_to;         // and up to this
    bool descending;
    uint64_t offset, limit;
};

// Whether the event is one that the query asks for, but for positions, order and number.
bool query_matches(const struct query *query, const struct als_event *event);

struct results;
struct results *results_new(void); // NULL: no memory
void results_free(struct results *results);
AUTO_WITH(results, results_free)

// Pins a view of the store (NULL: a tenant without events) until results_close(). Names are copied.
err results_open(struct results *results, struct store *store, const struct query *query,
                 struct als_why *why);
// The next match; position 0 at the end. Slices live until the next call. ALS_CORRUPT ends it.
err results_next(struct results *results, struct als_event *ret_event, struct als_why *why);
// Whether the slices of the event that was just given live until results_close() instead.
bool results_last(const struct results *results);
void results_close(struct results *results);

enum cursor_path results_path(const struct results *results);
als_position results_position(const struct results *results); // of the pinned view
