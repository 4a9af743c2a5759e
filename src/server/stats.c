// SPDX-License-Identifier: Apache-2.0
// GET /api/v1/stats of a tenant, and GET /metrics of the whole server.
#include "base/buf.h"
#include "http/http.h"
#include "metrics/metrics.h"
#include "server/reading.h"
#include "server/reply.h"
#include "json/json.h"

static void answer_stats(struct call *call)
{
    const struct reading *reading = call->state;
    struct als_stats stats;
    struct als_why why = {""};
    err code = als_stats(call->server->als, reading->tenant, &stats, &why);
    if (code) {
        reply_error(call, code, &why);
        return;
    }
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_field_u64(&writer, S("total_events"), stats.events);
    json_field_u64(&writer, S("total_entities"), stats.entities);
    json_field_u64(&writer, S("total_event_types"), stats.types);
    json_field_u64(&writer, S("total_ingested"), stats.ingested);
    json_field_u64(&writer, S("position"), stats.position);
    json_field_u64(&writer, S("wal_files"), stats.wal_files);
    json_field_u64(&writer, S("wal_bytes"), stats.wal_bytes);
    json_field_u64(&writer, S("index_bytes"), stats.index_bytes);
    json_close_object(&writer);
    reply_json(call, 200);
}

void stats_show(struct call *call)
{
    struct flaw flaw = {};
    struct reading *reading = call_state_new(call, sizeof *reading);
    if (reading && reading_begin(call, reading, &flaw))
        reading_wait(call, reading, answer_stats);
}

void metrics_show(struct call *call)
{
    struct buf *out = http_out(call->request);
    buf_reset(out);
    metrics_print(call->server->metrics, out);
    if (buf_failed(out)) {
        struct als_why why;
        err_explain(&why, "no buffer for the metrics");
        reply_error(call, ALS_NO_MEMORY, &why);
        return;
    }
    http_answer(call->request, (struct http_answer){
                                   .status = 200,
                                   .content_type = S("text/plain; version=0.0.4"),
                                   .body = buf_str(out),
                               });
}
