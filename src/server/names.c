// SPDX-License-Identifier: Apache-2.0
// GET /api/v1/entities and GET /api/v1/event-types: what names there are, a page at a time.
#include "http/http.h"
#include "server/reading.h"
#include "server/reply.h"
#include "json/json.h"

enum { NAMES_DEFAULT = 100, NAMES_MAX = 10000 };

struct names_request {
    struct reading reading;
    struct als_names_query query;
};

static void put_name(struct json_writer *writer, enum als_names_of of, const struct als_name *name)
{
    json_open_object(writer);
    json_field_string(writer, of == ALS_NAMES_ENTITIES ? S("entity_id") : S("event_type"),
                      name->name);
    json_field_u64(writer, S("event_count"), name->count);
    json_field_u64(writer, S("last_position"), name->last);
    json_close_object(writer);
}

// `names` gives one more than `limit` when there is a next page. A name is valid until the next.
static void put_page(struct call *call, enum als_names_of of, struct als_names *names,
                     uint64_t limit)
{
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_key(&writer, of == ALS_NAMES_ENTITIES ? S("entities") : S("event_types"));
    json_open_array(&writer);
    struct als_name name;
    str last = {NULL, 0};
    uint64_t count = 0;
    bool more;
    while ((more = als_names_next(names, &name)) && count < limit) {
        put_name(&writer, of, &name);
        last = ++count == limit ? arena_copy(call->arena, name.name) : last;
    }
    json_close_array(&writer);
    if (more && last.ptr)
        json_field_string(&writer, S("next_after"), last);
    json_close_object(&writer);
}

static void answer_names(struct call *call)
{
    const struct names_request *request = call->state;
    struct als_names_query query = request->query;
    query.limit++;
    struct als_names *names = NULL;
    struct als_why why = {""};
    err code = als_names_open(call->server->als, &query, &names, &why);
    if (code) {
        reply_error(call, code, &why);
        return;
    }
    put_page(call, query.of, names, request->query.limit);
    als_names_close(names);
    reply_json(call, 200);
}

static err read_names(struct names_request *request, struct flaw *flaw)
{
    const struct params *params = &request->reading.params;
    request->query.limit = NAMES_DEFAULT;
    TRY(param_text(params, S("prefix"), &request->query.prefix, flaw));
    TRY(param_text(params, S("after"), &request->query.after, flaw));
    return param_u64(params, S("limit"), NAMES_MAX, &request->query.limit, flaw);
}

static void begin_names(struct call *call, enum als_names_of of)
{
    struct flaw flaw = {};
    struct names_request *request = call_state_new(call, sizeof *request);
    if (!request || !reading_begin(call, &request->reading, &flaw))
        return;
    request->query = (struct als_names_query)ALS_NAMES_QUERY_INIT;
    request->query.of = of;
    request->query.tenant = request->reading.tenant;
    err code = read_names(request, &flaw);
    if (code)
        reply_flaw(call, code, &flaw);
    else
        reading_wait(call, &request->reading, answer_names);
}

void entities_list(struct call *call)
{
    begin_names(call, ALS_NAMES_ENTITIES);
}

void types_list(struct call *call)
{
    begin_names(call, ALS_NAMES_TYPES);
}
