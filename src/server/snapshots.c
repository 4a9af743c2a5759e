// SPDX-License-Identifier: Apache-2.0
// POST and GET /api/v1/snapshots, GET /api/v1/snapshots/{entity_id}/latest and
// DELETE /api/v1/snapshots/{entity_id}: saved folds.
//
// The key of a snapshot's id is `id` in a list and `snapshot_id` elsewhere, as the contract has it.
#include "base/limits.h"
#include "base/time.h"
#include "base/uuid.h"
#include "http/http.h"
#include "server/reading.h"
#include "server/reply.h"
#include "json/json.h"

enum { SNAPSHOTS_DEFAULT = 100 };

struct snapshots_request {
    struct reading reading;
    str entity; // ptr NULL: none
    str after;
    uint64_t limit;
};

static void put_time(struct json_writer *writer, str key, int64_t us)
{
    char text[TIME_TEXT_MAX];
    json_field_string(writer, key, (str){text, time_format(us, text)});
}

static void put_head(struct json_writer *writer, str id_key, const struct als_snapshot *snapshot)
{
    char id[UUID_TEXT_LEN];
    uuid_format(snapshot->id, id);
    json_open_object(writer);
    json_field_string(writer, id_key, (str){id, sizeof id});
    json_field_string(writer, S("entity_id"), snapshot->entity);
    put_time(writer, S("created_at"), snapshot->created_us);
}

static void put_counts(struct json_writer *writer, const struct als_snapshot *snapshot)
{
    json_field_u64(writer, S("event_count"), snapshot->event_count);
    json_field_u64(writer, S("size_bytes"), snapshot->bytes);
}

// What a list and the latest one have in common; the object stays open.
static void put_info(struct json_writer *writer, str id_key, const struct als_snapshot *snapshot)
{
    static const str kinds[] = {[ALS_SNAPSHOT_MANUAL] = {"manual", 6},
                                [ALS_SNAPSHOT_AUTOMATIC] = {"automatic", 9},
                                [ALS_SNAPSHOT_ONDEMAND] = {"ondemand", 8}};
    put_head(writer, id_key, snapshot);
    put_time(writer, S("as_of"), snapshot->as_of_us);
    put_counts(writer, snapshot);
    json_field_string(writer, S("snapshot_type"), kinds[snapshot->kind]);
    json_field_u64(writer, S("version"), snapshot->version);
    json_field_u64(writer, S("position"), snapshot->position);
}

// Reads what all reads have and goes on with `then`. NULL: answered already.
static struct snapshots_request *request_new(struct call *call, struct flaw *flaw)
{
    struct snapshots_request *request = call_state_new(call, sizeof *request);
    if (!request || !reading_begin(call, &request->reading, flaw))
        return NULL;
    request->limit = SNAPSHOTS_DEFAULT;
    return request;
}

// ---- Making

static void answer_made(struct call *call)
{
    const struct snapshots_request *request = call->state;
    struct als_snapshots *made = NULL;
    struct als_snapshot snapshot;
    struct als_why why = {""};
    err code = als_snapshot_make(call->server->als, request->reading.tenant, request->entity,
                                 ALS_SNAPSHOT_MANUAL, &made, &why);
    if (code) {
        reply_error(call, code, &why);
        return;
    }
    (void)als_snapshots_next(made, &snapshot, NULL); // there is exactly one
    struct json_writer writer = reply_writer(call);
    put_head(&writer, S("snapshot_id"), &snapshot);
    put_counts(&writer, &snapshot);
    json_close_object(&writer);
    als_snapshots_close(made);
    reply_json(call, 200);
}

void snapshot_make_one(struct call *call)
{
    struct flaw flaw = {};
    struct snapshots_request *request = request_new(call, &flaw);
    if (!request)
        return;
    err code = param_text(&request->reading.params, S("entity_id"), &request->entity, &flaw);
    if (code == ALS_OK && !request->entity.ptr)
        code = flaw_set(&flaw, ALS_JSON_SHAPE, S("entity_id"), "missing field `entity_id`");
    if (code)
        reply_flaw(call, code, &flaw);
    else
        reading_wait(call, &request->reading, answer_made);
}

// ---- Listing

static void put_list(struct call *call, struct als_snapshots *list)
{
    struct json_writer writer = reply_writer(call);
    struct als_snapshot snapshot = {};
    uint64_t count = 0;
    json_open_object(&writer);
    json_key(&writer, S("snapshots"));
    json_open_array(&writer);
    for (; als_snapshots_next(list, &snapshot, NULL); count++) {
        put_info(&writer, S("id"), &snapshot);
        json_close_object(&writer);
    }
    json_close_array(&writer);
    json_field_u64(&writer, S("total"), count);
    if (als_snapshots_more(list) && count)
        json_field_string(&writer, S("next_after"), snapshot.entity);
    json_close_object(&writer);
}

static void answer_list(struct call *call)
{
    const struct snapshots_request *request = call->state;
    struct als_snapshots_query query = ALS_SNAPSHOTS_QUERY_INIT;
    query.tenant = request->reading.tenant;
    query.entity = request->entity;
    query.after = request->after;
    query.limit = request->limit;
    struct als_snapshots *list = NULL;
    struct als_why why = {""};
    err code = als_snapshots_open(call->server->als, &query, &list, &why);
    if (code) {
        reply_error(call, code, &why);
        return;
    }
    put_list(call, list);
    als_snapshots_close(list);
    reply_json(call, 200);
}

static err read_list(struct snapshots_request *request, struct flaw *flaw)
{
    const struct params *params = &request->reading.params;
    TRY(param_text(params, S("entity_id"), &request->entity, flaw));
    TRY(param_text(params, S("after"), &request->after, flaw));
    TRY(param_u64(params, S("limit"), SNAPSHOTS_PAGE_MAX, &request->limit, flaw));
    if (request->limit == 0)
        return flaw_set(flaw, ALS_BAD_PARAMETER, S("limit"), "`limit` must be at least 1");
    return ALS_OK;
}

void snapshots_list(struct call *call)
{
    struct flaw flaw = {};
    struct snapshots_request *request = request_new(call, &flaw);
    if (!request)
        return;
    err code = read_list(request, &flaw);
    if (code)
        reply_flaw(call, code, &flaw);
    else
        reading_wait(call, &request->reading, answer_list);
}

// ---- The latest one

static void answer_latest(struct call *call)
{
    const struct snapshots_request *request = call->state;
    struct als_snapshots *latest = NULL;
    struct als_snapshot snapshot;
    struct als_why why = {""};
    str json;
    err code = als_snapshot_latest(call->server->als, request->reading.tenant, request->entity,
                                   &latest, &why);
    if (code) {
        reply_error(call, code, &why);
        return;
    }
    (void)als_snapshots_next(latest, &snapshot, &json); // there is exactly one
    struct json_writer writer = reply_writer(call);
    put_info(&writer, S("snapshot_id"), &snapshot);
    json_field_raw(&writer, S("state"), json);
    json_close_object(&writer);
    als_snapshots_close(latest);
    reply_json(call, 200);
}

static void answer_deleted(struct call *call)
{
    const struct snapshots_request *request = call->state;
    struct als_why why = {""};
    uint64_t count = 0;
    err code = als_snapshot_delete(call->server->als, request->reading.tenant, request->entity,
                                   &count, &why);
    if (code) {
        reply_error(call, code, &why);
        return;
    }
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_field_string(&writer, S("entity_id"), request->entity);
    json_field_u64(&writer, S("deleted"), count);
    json_close_object(&writer);
    reply_json(call, 200);
}

static void begin_of_path(struct call *call, void (*then)(struct call *call))
{
    struct flaw flaw = {};
    struct snapshots_request *request = request_new(call, &flaw);
    if (!request)
        return;
    request->entity = call->match.parameters[0];
    reading_wait(call, &request->reading, then);
}

void snapshot_latest_show(struct call *call)
{
    begin_of_path(call, answer_latest);
}

void snapshots_delete(struct call *call)
{
    begin_of_path(call, answer_deleted);
}
