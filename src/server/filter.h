// SPDX-License-Identifier: Apache-2.0
// Parameters that say which events: the filters of queries and streams.
#pragma once

#include "base/limits.h"
#include "server/params.h"

#include <allsource.h>

struct filter {
    struct als_query query; // everything but the tenant
    str types[QUERY_TYPES_MAX];
};

// entity_id, event_type (repeated, "*" at the end for a prefix), as_of, since, until,
// as_of_position, after_position, before_position, order, offset, limit. The filter is filled in
// place, because its query points into it.
err filter_read(const struct params *params, struct filter *filter, struct flaw *flaw);

// Only entity_id and event_type, as streams take them.
err filter_read_names(const struct params *params, struct filter *filter, struct flaw *flaw);
