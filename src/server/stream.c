// SPDX-License-Identifier: Apache-2.0
#include "server/stream.h"

#include "http/http.h"
#include "server/tenant.h"

err stream_start_read(struct call *call, struct stream_start *start, struct flaw *flaw)
{
    struct params params = {};
    struct als_follow *follow = &start->follow;
    *follow = (struct als_follow)ALS_FOLLOW_INIT;
    TRY(params_from_query(http_query(call->request), call->arena, &params, flaw));
    TRY(filter_read_names(&params, &start->filter, flaw));
    TRY(param_u64(&params, S("from_position"), ALS_FROM_NOW - 1, &follow->after, flaw));
    TRY(tenant_of(call, (str){NULL, 0}, &params, &follow->tenant, flaw));
    follow->entity = start->filter.query.entity;
    follow->types = start->filter.types;
    follow->type_count = start->filter.query.type_count;
    return ALS_OK;
}
