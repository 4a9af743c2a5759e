// SPDX-License-Identifier: Apache-2.0
#include "server/schema_call.h"

#include "base/time.h"
#include "base/uuid.h"
#include "http/http.h"
#include "server/reply.h"
#include "server/tenant.h"

// ---- Issues

void issues_init(struct issues *issues, struct arena *arena)
{
    *issues = (struct issues){.arena = arena};
    issues->end = &issues->first;
}

void issues_add(void *context, const struct als_schema_issue *told)
{
    struct issues *issues = context;
    struct issue *issue = ARENA_NEW(issues->arena, struct issue);
    if (!issue)
        return; // the answer has as many as there is room for
    *issue = (struct issue){.told = *told};
    issue->told.message = arena_copy(issues->arena, told->message);
    issue->told.keyword = arena_copy(issues->arena, told->keyword);
    issue->told.old_location = arena_copy(issues->arena, told->old_location);
    issue->told.new_location = arena_copy(issues->arena, told->new_location);
    issue->told.example = arena_copy(issues->arena, told->example);
    *issues->end = issue;
    issues->end = &issue->next;
    issues->count++;
}

void issues_put(const struct issues *issues, struct json_writer *writer)
{
    json_open_array(writer);
    for (const struct issue *issue = issues->first; issue; issue = issue->next) {
        const struct als_schema_issue *told = &issue->told;
        json_open_object(writer);
        json_field_string(writer, S("message"), told->message);
        json_field_string(writer, S("direction"), told->forward ? S("FORWARD") : S("BACKWARD"));
        json_field_u64(writer, S("version"), told->version);
        json_field_string(writer, S("keyword"), told->keyword);
        json_field_string(writer, S("old_location"), told->old_location);
        json_field_string(writer, S("new_location"), told->new_location);
        json_field_string(writer, S("kind"), told->undecided ? S("undecided") : S("narrowed"));
        if (told->example.len)
            json_field_raw(writer, S("example"), told->example);
        json_close_object(writer);
    }
    json_close_array(writer);
}

// ---- Requests

static err read_call(struct call *call, struct schema_call *request, struct flaw *flaw)
{
    str tenant = {NULL, 0};
    TRY(params_from_query(http_query(call->request), call->arena, &request->params, flaw));
    if (call->match.route->body == JSON_BODY) {
        TRY(body_read(call, &request->body, flaw));
        TRY(body_text(&request->body, S("tenant_id"), FIELD_OPTIONAL, &tenant, flaw));
    }
    return tenant_of(call, tenant, &request->params, &request->tenant, flaw);
}

static void begin_draft(struct call *call, struct schema_call *request)
{
    request->draft = (struct als_schema_draft)ALS_SCHEMA_DRAFT_INIT;
    request->draft.tenant = request->tenant;
    request->draft.issue = issues_add;
    request->draft.context = &request->issues;
    issues_init(&request->issues, call->arena);
}

struct schema_call *schema_begin_with(struct call *call, schema_refuse *refuse)
{
    struct flaw flaw = {};
    struct schema_call *request = call_state_new(call, sizeof *request);
    if (!request)
        return NULL;
    err code = read_call(call, request, &flaw);
    if (code) {
        refuse(call, code, &flaw);
        return NULL;
    }
    begin_draft(call, request);
    return request;
}

void schema_read(struct call *call, void (*then)(struct call *call))
{
    struct flaw flaw = {};
    struct schema_call *request = call_state_new(call, sizeof *request);
    if (!request || !reading_begin(call, &request->reading, &flaw))
        return;
    request->params = request->reading.params;
    request->tenant = request->reading.tenant;
    begin_draft(call, request);
    reading_wait(call, &request->reading, then);
}

err schema_read_mode(const struct body *body, enum field_need need, enum als_compatibility *mode,
                     struct flaw *flaw)
{
    str name = {NULL, 0};
    TRY(body_text(body, S("compatibility"), need, &name, flaw));
    if (!name.ptr || als_compatibility_named(name, mode))
        return ALS_OK;
    return flaw_set(flaw, ALS_JSON_SHAPE, S("compatibility"),
                    "`compatibility` is one of NONE, BACKWARD, FORWARD, FULL, BACKWARD_TRANSITIVE, "
                    "FORWARD_TRANSITIVE, FULL_TRANSITIVE");
}

// ---- Answers

void schema_put_time(struct json_writer *writer, str key, int64_t us)
{
    char text[TIME_TEXT_MAX];
    json_field_string(writer, key, (str){text, time_format(us, text)});
}

void schema_put(struct json_writer *writer, const struct als_schema_version *schema)
{
    char id[UUID_TEXT_LEN];
    uuid_format(schema->schema_id, id);
    json_field_string(writer, S("id"), (str){id, sizeof id});
    json_field_string(writer, S("subject"), schema->subject);
    json_field_u64(writer, S("version"), schema->version);
    json_field_raw(writer, S("schema"), schema->json);
    schema_put_time(writer, S("created_at"), schema->created_us);
    if (schema->description.ptr)
        json_field_string(writer, S("description"), schema->description);
    else
        json_field_raw(writer, S("description"), S("null"));
    json_field_raw(writer, S("tags"), schema->tags);
    json_field_u64(writer, S("global_id"), schema->id);
    if (schema->references.len > 2)
        json_field_raw(writer, S("references"), schema->references);
    if (schema->deprecated_us != ALS_TIME_UNSET)
        schema_put_time(writer, S("deprecated_at"), schema->deprecated_us);
}

void validation_put(struct json_writer *writer, const struct als_validation *validation)
{
    struct als_validation_view view = als_validation_view(validation);
    json_key(writer, S("errors"));
    json_open_array(writer);
    for (size_t i = 0; i < view.count; i++)
        if (!als_validation_error(validation, i).nested)
            json_put_string(writer, als_validation_error(validation, i).message);
    json_close_array(writer);
    json_field_u64(writer, S("schema_version"), view.version);
    if (view.valid)
        return;
    json_key(writer, S("details"));
    json_open_array(writer);
    for (size_t i = 0; i < view.count; i++) {
        struct als_validation_error error = als_validation_error(validation, i);
        if (error.nested)
            continue;
        json_open_object(writer);
        json_field_string(writer, S("message"), error.message);
        json_field_string(writer, S("keyword"), error.keyword);
        json_field_string(writer, S("instance_location"), error.instance);
        json_field_string(writer, S("schema_location"), error.location);
        json_close_object(writer);
    }
    json_close_array(writer);
    if (view.more) {
        json_key(writer, S("more_errors"));
        json_put_bool(writer, true);
    }
}
