// SPDX-License-Identifier: Apache-2.0
#include "server/filter.h"

err filter_read_names(const struct params *params, struct filter *filter, struct flaw *flaw)
{
    filter->query = (struct als_query)ALS_QUERY_INIT;
    TRY(param_text(params, S("entity_id"), &filter->query.entity, flaw));
    TRY(param_texts(params, S("event_type"), QUERY_TYPES_MAX, filter->types,
                    &filter->query.type_count, flaw));
    filter->query.types = filter->types;
    return ALS_OK;
}

static err read_times(const struct params *params, struct als_query *query, struct flaw *flaw)
{
    int64_t as_of = ALS_TIME_MAX;
    TRY(param_time(params, S("as_of"), &as_of, flaw));
    TRY(param_time(params, S("since"), &query->since_us, flaw));
    TRY(param_time(params, S("until"), &query->until_us, flaw));
    if (as_of < query->until_us)
        query->until_us = as_of;
    return ALS_OK;
}

// For the engine 0 is "no bound"; for a client who writes it down it is a bound that nothing
// passes, which is what "before 1" says.
static void bound_by_zero(struct als_query *query)
{
    query->before = 1;
}

static err read_positions(const struct params *params, struct als_query *query, struct flaw *flaw)
{
    const uint64_t absent = UINT64_MAX;
    uint64_t as_of = absent, before = absent;
    TRY(param_u64(params, S("after_position"), UINT64_MAX, &query->after, flaw));
    TRY(param_u64(params, S("as_of_position"), UINT64_MAX, &as_of, flaw));
    TRY(param_u64(params, S("before_position"), UINT64_MAX, &before, flaw));
    if (as_of != absent)
        query->as_of = as_of;
    if (before != absent)
        query->before = before;
    if (as_of == 0 || before == 0)
        bound_by_zero(query);
    return ALS_OK;
}

err filter_read(const struct params *params, struct filter *filter, struct flaw *flaw)
{
    static const str orders[] = {{"asc", 3}, {"desc", 4}, {"", 0}};
    struct als_query *query = &filter->query;
    unsigned order = 0;
    TRY(filter_read_names(params, filter, flaw));
    TRY(read_times(params, query, flaw));
    TRY(read_positions(params, query, flaw));
    TRY(param_choice(params, S("order"), orders, &order, flaw));
    query->descending = order == 1;
    TRY(param_u64(params, S("offset"), UINT64_MAX, &query->offset, flaw));
    TRY(param_u64(params, S("limit"), UINT64_MAX, &query->limit, flaw));
    return ALS_OK;
}
