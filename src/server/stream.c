// SPDX-License-Identifier: Apache-2.0
#include "server/stream.h"

#include "http/http.h"
#include "server/shape.h"
#include "server/tenant.h"

err stream_start_read(struct call *call, struct stream_start *start, struct flaw *flaw)
{
    struct params params = {};
    struct als_follow *follow = &start->follow;
    *follow = (struct als_follow)ALS_FOLLOW_INIT;
    TRY(params_from_query(http_query(call->request), call->arena, &params, flaw));
    TRY(filter_read_names(&params, &start->filter, flaw));
    TRY(param_u64(&params, S("from_position"), ALS_FROM_NOW - 1, &follow->after, flaw));
    TRY(shape_read(&params, &start->schema_version, flaw));
    TRY(tenant_of(call, (str){NULL, 0}, &params, &follow->tenant, flaw));
    follow->entity = start->filter.query.entity;
    follow->types = start->filter.types;
    follow->type_count = start->filter.query.type_count;
    return ALS_OK;
}

bool stream_has_room(const struct server *server)
{
    const struct http_server *http = atomic_load(&server->http);
    uint64_t sockets = http ? http_socket_stat(http).open : 0;
    return server->sse_count + sockets < server->sockets_max;
}

err stream_no_room(const struct server *server, struct flaw *flaw)
{
    err code = flaw_set(flaw, ALS_QUEUE_FULL, S(""), "there are as many streams as there may be");
    flaw->limit = server->sockets_max;
    return code;
}
