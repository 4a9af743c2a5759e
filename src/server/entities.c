// SPDX-License-Identifier: Apache-2.0
// GET /api/v1/entities/{entity_id}/state and /snapshot: the fold of an entity's events.
//
// The state comes first and pins a position; the history is the query that sees exactly the events
// that were folded, up to that position. So the two agree whatever is appended in between.
#include "base/limits.h"
#include "base/time.h"
#include "http/http.h"
#include "server/event_json.h"
#include "server/reading.h"
#include "server/reply.h"
#include "server/rows.h"
#include "json/json.h"

enum history { HISTORY_TAIL, HISTORY_NONE, HISTORY_ALL };

struct state_request {
    struct reading reading;
    struct als_state_query query;
    int64_t as_of_us; // ALS_TIME_UNSET when it was not given
    bool before_all;  // a bound says "nothing"
    unsigned history;
    struct als_state_view view;
    bool truncated;
};

static void reply_unknown_entity(struct call *call)
{
    struct als_why why;
    err_explain(&why, "%.*s", STR(call->match.parameters[0]));
    reply_error(call, ALS_ENTITY_NOT_FOUND, &why);
}

// Opens the state of the path's entity, or answers and returns NULL.
static struct als_state *open_state(struct call *call, const struct als_state_query *query)
{
    struct als_state *state = NULL;
    struct als_why why = {""};
    err code = als_state_open(call->server->als, query, &state, &why);
    if (code == ALS_ENTITY_NOT_FOUND)
        reply_unknown_entity(call);
    else if (code)
        reply_error(call, code, &why);
    return state;
}

static void put_time(struct json_writer *writer, str key, int64_t us)
{
    char text[TIME_TEXT_MAX];
    json_field_string(writer, key, (str){text, time_format(us, text)});
}

static void put_state_head(struct call *call, const struct state_request *request)
{
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_field_string(&writer, S("entity_id"), request->query.entity);
    if (request->as_of_us == ALS_TIME_UNSET)
        json_field_raw(&writer, S("as_of"), S("null"));
    else
        put_time(&writer, S("as_of"), request->as_of_us);
    json_field_raw(&writer, S("current_state"), request->view.json);
    json_field_u64(&writer, S("event_count"), request->view.event_count);
    json_key(&writer, S("history"));
    json_open_array(&writer);
}

static void put_state_tail(const struct rows *rows, struct buf *buf)
{
    const struct state_request *request = rows->context;
    char text[TIME_TEXT_MAX];
    buf_put_str(buf, S("],\"last_updated\":\""));
    buf_put(buf, text, time_format(request->view.last_updated_us, text));
    buf_put_str(buf, S("\",\"version\":"));
    buf_put_u64(buf, request->view.version);
    buf_put_str(buf, S(",\"position\":"));
    buf_put_u64(buf, request->view.position);
    if (request->truncated)
        buf_put_str(buf, S(",\"history_truncated\":true"));
    buf_put_char(buf, '}');
}

// The events that were folded, or as many of the newest as the answer shows.
static struct als_query history_query(struct state_request *request)
{
    const struct als_state_view *view = &request->view;
    struct als_query query = ALS_QUERY_INIT;
    query.tenant = request->query.tenant;
    query.entity = request->query.entity;
    query.until_us = request->query.as_of_us;
    query.as_of = view->position;
    if (request->history == HISTORY_NONE)
        query.limit = 0;
    if (request->history == HISTORY_TAIL && view->event_count > STATE_HISTORY_EVENTS_MAX) {
        query.offset = view->event_count - STATE_HISTORY_EVENTS_MAX;
        request->truncated = true;
    }
    return query;
}

static void answer_state(struct call *call)
{
    struct state_request *request = call->state;
    if (request->before_all) {
        reply_unknown_entity(call);
        return;
    }
    struct als_state *state = open_state(call, &request->query);
    if (!state)
        return;
    request->view = als_state_view(state);
    struct rows *rows = rows_open(call, history_query(request));
    if (rows) {
        put_state_head(call, request);
        rows->put = event_json_put_history;
        rows->put_tail = put_state_tail;
        rows->context = request;
        rows_answer(rows);
    }
    als_state_close(state);
}

static err read_state(struct state_request *request, struct flaw *flaw)
{
    static const str histories[] = {{"tail", 4}, {"none", 4}, {"all", 3}, {"", 0}};
    const struct params *params = &request->reading.params;
    const uint64_t absent = UINT64_MAX;
    uint64_t as_of = absent, at_version = absent;
    request->as_of_us = ALS_TIME_UNSET;
    TRY(param_time(params, S("as_of"), &request->as_of_us, flaw));
    TRY(param_u64(params, S("as_of_position"), UINT64_MAX, &as_of, flaw));
    TRY(param_u64(params, S("at_version"), UINT64_MAX, &at_version, flaw));
    TRY(param_choice(params, S("history"), histories, &request->history, flaw));
    if (request->as_of_us != ALS_TIME_UNSET)
        request->query.as_of_us = request->as_of_us;
    if (as_of != absent)
        request->query.as_of = as_of;
    if (at_version != absent)
        request->query.at_version = at_version;
    request->before_all = as_of == 0 || at_version == 0;
    return ALS_OK;
}

// The bounds of a state are read when `bounded`; its continuation is `then`.
static void begin_state(struct call *call, bool bounded, void (*then)(struct call *call))
{
    struct flaw flaw = {};
    struct state_request *request = call_state_new(call, sizeof *request);
    if (!request || !reading_begin(call, &request->reading, &flaw))
        return;
    request->query = (struct als_state_query)ALS_STATE_QUERY_INIT;
    request->query.tenant = request->reading.tenant;
    request->query.entity = call->match.parameters[0];
    err code = bounded ? read_state(request, &flaw) : ALS_OK;
    if (code)
        reply_flaw(call, code, &flaw);
    else
        reading_wait(call, &request->reading, then);
}

void entity_state(struct call *call)
{
    begin_state(call, true, answer_state);
}

static void answer_snapshot(struct call *call)
{
    struct state_request *request = call->state;
    struct als_state *state = open_state(call, &request->query);
    if (!state)
        return;
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_field_string(&writer, S("entity_id"), request->query.entity);
    json_field_raw(&writer, S("snapshot"), als_state_view(state).json);
    json_field_string(&writer, S("from_projection"), S("entity_snapshots"));
    json_close_object(&writer);
    als_state_close(state);
    reply_json(call, 200);
}

void entity_snapshot(struct call *call)
{
    begin_state(call, false, answer_snapshot);
}
