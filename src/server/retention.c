// SPDX-License-Identifier: Apache-2.0
// GET and PUT /api/v1/retention, and POST /api/v1/retention/run.
//
// A run is the engine's, on a thread of its own, and whoever asked waits without one, as for
// compaction.
#include "http/http.h"
#include "server/reading.h"
#include "server/reply.h"
#include "server/schema_call.h"
#include "json/json.h"

static void put_retained(struct json_writer *writer, const struct als_retained *retained)
{
    json_field_u64(writer, S("events_removed"), retained->events);
    json_field_u64(writer, S("files_rewritten"), retained->files - retained->files_removed);
    json_field_u64(writer, S("files_removed"), retained->files_removed);
    json_field_u64(writer, S("bytes_before"), retained->bytes_before);
    json_field_u64(writer, S("bytes_after"), retained->bytes_after);
    json_field_u64(writer, S("duration_ms"), retained->duration_ns / 1'000'000);
}

// ---- The rules

// The engine's text is an object with the one field `rules`.
static void put_rules(struct json_writer *writer, str rules)
{
    struct json_member_walk walk = json_walk(rules);
    struct json_pair pair;
    if (json_walk_next(&walk, &pair))
        json_field_raw(writer, S("rules"), pair.value);
}

static void put_stats(struct json_writer *writer, const struct als_retention *seen)
{
    json_key(writer, S("stats"));
    json_open_object(writer);
    json_field_u64(writer, S("runs"), seen->total.runs);
    put_retained(writer, &seen->total);
    json_field_u64(writer, S("failures"), seen->failures);
    json_field_u64(writer, S("events_removed_ever"), seen->removed);
    if (seen->last_us)
        schema_put_time(writer, S("last_run"), seen->last_us);
    json_close_object(writer);
}

static void reply_retention(struct call *call, str tenant)
{
    struct als_retention seen;
    struct als_why why = {""};
    err code = als_retention(call->server->als, tenant, &seen, &why);
    if (code) {
        reply_error(call, code, &why);
        return;
    }
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    put_rules(&writer, seen.rules);
    json_field_u64(&writer, S("interval_seconds"), seen.interval_seconds);
    put_stats(&writer, &seen);
    json_close_object(&writer);
    reply_json(call, 200);
}

static void answer_show(struct call *call)
{
    const struct reading *reading = call->state;
    reply_retention(call, reading->tenant);
}

void retention_show(struct call *call)
{
    struct flaw flaw = {};
    struct reading *reading = call_state_new(call, sizeof *reading);
    if (reading && reading_begin(call, reading, &flaw))
        reading_wait(call, reading, answer_show);
}

static void set(struct call *call)
{
    struct als_why why = {""};
    struct schema_call *request = schema_begin(call);
    if (!request)
        return;
    err code =
        als_retention_set(call->server->als, request->tenant, http_body(call->request), &why);
    if (code)
        reply_error(call, code, &why);
    else
        reply_retention(call, request->tenant);
}

void retention_set(struct call *call)
{
    desk_do(call, set, reply_error);
}

// ---- Keeping them now

struct run {
    struct reading reading;
    err code;
    struct als_retained retained;
    struct als_why why;
};

// What was removed before it failed is gone, so a failure says it, too.
static void answer_run(struct call *call)
{
    const struct run *run = call->state;
    if (run->code != ALS_OK) {
        struct json_writer writer = reply_error_begin(call, run->code, run->why.text);
        put_retained(&writer, &run->retained);
        reply_error_end(call, &writer, run->code);
        return;
    }
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    put_retained(&writer, &run->retained);
    json_close_object(&writer);
    reply_json(call, 200);
}

static void done(void *context, enum als_err code, const struct als_retained *retained,
                 const struct als_why *why)
{
    struct call *call = context;
    struct run *run = call->state;
    run->code = code;
    run->retained = *retained;
    run->why = *why;
    call_continue(call);
}

static void ask(struct call *call)
{
    const struct run *run = call->state;
    struct als_why why = {""};
    call->then = answer_run;
    err code = als_retain(call->server->als, run->reading.tenant, done, call, &why);
    if (code != ALS_OK) // else nothing of the request may be touched here any more
        reply_error(call, code, &why);
}

void retention_run(struct call *call)
{
    struct flaw flaw = {};
    struct run *run = call_state_new(call, sizeof *run);
    if (run && reading_begin(call, &run->reading, &flaw))
        reading_wait(call, &run->reading, ask);
}
