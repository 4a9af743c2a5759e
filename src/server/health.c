// SPDX-License-Identifier: Apache-2.0
// GET /health, /health/live and /health/ready.
//
// The first two say that the process answers. Ready is 503 until the history is recovered, and when
// appends are not taken, which is when a disk has failed.
#include "server/reply.h"
#include "json/json.h"

static void reply_status(struct call *call, str status)
{
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_field_string(&writer, S("status"), status);
    json_field_string(&writer, S("service"), S("allsource-core"));
    json_field_string(&writer, S("version"), str_of(als_version_text()));
    json_close_object(&writer);
    reply_json(call, 200);
}

void health_show(struct call *call)
{
    reply_status(call, S("healthy"));
}

void health_live(struct call *call)
{
    reply_status(call, S("live"));
}

void health_ready(struct call *call)
{
    struct als_why why = {""};
    struct als *als = call->server->als;
    err code = ALS_NOT_READY;
    if (als)
        code = als_ready(als, &why);
    else
        err_explain(&why, "the history is being recovered");
    if (code)
        reply_error(call, code, &why);
    else
        reply_status(call, S("ready"));
}
