// SPDX-License-Identifier: Apache-2.0
// GET and POST /api/v1/events/query, GET /api/v1/entities/{entity_id}/events and
// GET /api/v1/events/{event_id}.
#include "base/uuid.h"
#include "http/http.h"
#include "server/event_json.h"
#include "server/filter.h"
#include "server/reading.h"
#include "server/reply.h"
#include "server/rows.h"
#include "server/shape.h"
#include "json/json.h"

#include <strings.h>

struct events_request {
    struct reading reading;
    struct filter filter;
    als_id id;
    uint32_t schema_version; // the shape that payloads are wanted in; 0: as they were stored
};

// False when it cannot be had, which has been answered. NULL is given when none is wanted.
static bool open_upcaster(struct call *call, const struct events_request *request,
                          struct als_upcaster **ret_upcaster)
{
    struct als_why why = {""};
    err code = shape_open(call->server->als, request->reading.tenant, request->schema_version,
                          ret_upcaster, &why);
    if (code)
        reply_error(call, code, &why);
    return code == ALS_OK;
}

static bool wants_lines(struct call *call)
{
    str accept = http_header(call->request, S("Accept")), type = S("application/x-ndjson");
    for (; accept.len >= type.len; accept = str_from(accept, 1))
        if (strncasecmp(accept.ptr, type.ptr, type.len) == 0)
            return true;
    return false;
}

// A client that goes on says after_position (before_position when descending) = next_position.
static void put_query_tail(const struct rows *rows, struct buf *buf)
{
    buf_put_str(buf, S("],\"count\":"));
    buf_put_u64(buf, rows->count);
    if (rows->cut && rows->count) {
        buf_put_str(buf, S(",\"next_position\":"));
        buf_put_u64(buf, rows->last);
    }
    buf_put_char(buf, '}');
}

static void answer_query(struct call *call)
{
    const struct events_request *request = call->state;
    struct als_query query = request->filter.query;
    query.tenant = request->reading.tenant;
    struct als_upcaster *upcaster;
    if (!open_upcaster(call, request, &upcaster))
        return;
    struct rows *rows = rows_open(call, query);
    if (!rows) {
        als_upcaster_close(upcaster);
        return;
    }
    rows->put = event_json_put;
    rows->upcaster = upcaster;
    rows->metered = true;
    rows->lines = wants_lines(call);
    if (rows->lines)
        rows->content_type = S("application/x-ndjson");
    else {
        rows->put_tail = put_query_tail;
        buf_put_str(http_out(call->request), S("{\"events\":["));
    }
    rows_answer(rows);
}

// `entity` is of the path, and then the parameter of that name is nobody's; ptr NULL: none.
static void begin_query(struct call *call, str entity)
{
    struct flaw flaw = {};
    struct events_request *request = call_state_new(call, sizeof *request);
    if (!request || !reading_begin(call, &request->reading, &flaw))
        return;
    err code = filter_read(&request->reading.params, &request->filter, &flaw);
    if (code == ALS_OK)
        code = shape_read(&request->reading.params, &request->schema_version, &flaw);
    if (code) {
        reply_flaw(call, code, &flaw);
        return;
    }
    if (entity.ptr)
        request->filter.query.entity = entity;
    reading_wait(call, &request->reading, answer_query);
}

void events_query(struct call *call)
{
    begin_query(call, (str){NULL, 0});
}

void entity_events(struct call *call)
{
    begin_query(call, call->match.parameters[0]);
}

static void answer_with_event(struct call *call, const struct als_event *event)
{
    struct als_why why = {""};
    struct als_upcaster *upcaster;
    if (!open_upcaster(call, call->state, &upcaster))
        return;
    err code = shape_put(upcaster, event, http_out(call->request), &why);
    if (code)
        reply_error(call, code, &why);
    else
        reply_json(call, 200);
    als_upcaster_close(upcaster);
}

static void answer_without_event(struct call *call)
{
    struct als_why why;
    err_explain(&why, "%.*s", STR(call->match.parameters[0]));
    reply_error(call, ALS_EVENT_NOT_FOUND, &why);
}

static void answer_event(struct call *call)
{
    const struct events_request *request = call->state;
    struct als_query query = ALS_QUERY_INIT;
    query.tenant = request->reading.tenant;
    query.id = &request->id;
    struct als_cursor *cursor = NULL;
    struct als_event event;
    struct als_why why = {""};
    err code = als_query_open(call->server->als, &query, &cursor, &why);
    if (code == ALS_OK)
        code = als_cursor_next(cursor, &event, &why);
    if (code)
        reply_error(call, code, &why);
    else if (event.position)
        answer_with_event(call, &event);
    else
        answer_without_event(call);
    als_cursor_close(cursor);
}

void event_show(struct call *call)
{
    struct flaw flaw = {};
    struct events_request *request = call_state_new(call, sizeof *request);
    if (!request)
        return;
    if (!uuid_parse(call->match.parameters[0], &request->id)) {
        err code = flaw_set(&flaw, ALS_BAD_PATH, S("event_id"), "`event_id` must be a UUID");
        reply_flaw(call, code, &flaw);
        return;
    }
    if (!reading_begin(call, &request->reading, &flaw))
        return;
    err code = shape_read(&request->reading.params, &request->schema_version, &flaw);
    if (code)
        reply_flaw(call, code, &flaw);
    else
        reading_wait(call, &request->reading, answer_event);
}
