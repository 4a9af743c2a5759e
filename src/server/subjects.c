// SPDX-License-Identifier: Apache-2.0
// What is set for a subject: compatibility, enforcement, upcasts; and taking versions out of use.
#include "http/http.h"
#include "server/reply.h"
#include "server/schema_call.h"

static str subject_of(const struct call *call)
{
    return call->match.parameters[0];
}

static void put_null_or_mode(struct json_writer *writer, str key, enum als_compatibility mode)
{
    str name = als_compatibility_name(mode);
    if (name.len)
        json_field_string(writer, key, name);
    else
        json_field_raw(writer, key, S("null"));
}

// The subject is named by the path; it is a type's name unless it has been registered otherwise.
static err set(struct call *call, const struct schema_call *request,
               const struct als_subject *change, struct flaw *flaw)
{
    str subject = subject_of(call);
    struct als_schema_query query = ALS_SCHEMA_QUERY_INIT;
    struct als_schema_version schema;
    query.tenant = request->tenant;
    query.subject = subject;
    query.deprecated = true;
    bool known = als_schema_find(call->server->als, &query, &schema, NULL) == ALS_OK;
    err code = known ? ALS_OK : als_check_type(subject, &flaw->why);
    if (code)
        return flaw_set(flaw, code, S("subject"), "a subject is the name of an event type: %.160s",
                        flaw->why.text);
    return als_subject_set(call->server->als, request->tenant, subject, change, &flaw->why);
}

// ---- /api/v1/schemas/{subject}/compatibility

static void reply_mode(struct call *call, enum als_compatibility mode)
{
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_field_string(&writer, S("subject"), subject_of(call));
    put_null_or_mode(&writer, S("compatibility"), mode);
    json_close_object(&writer);
    reply_json(call, 200);
}

static void set_compatibility(struct call *call)
{
    struct flaw flaw = {};
    struct als_subject change = {.enforcement = ALS_ENFORCEMENT_KEEP};
    struct schema_call *request = schema_begin(call);
    if (!request)
        return;
    err code = schema_read_mode(&request->body, FIELD_REQUIRED, &change.compatibility, &flaw);
    if (code == ALS_OK)
        code = set(call, request, &change, &flaw);
    if (code)
        reply_flaw(call, code, &flaw);
    else
        reply_mode(call, change.compatibility);
}

void compatibility_set(struct call *call)
{
    desk_do(call, set_compatibility, reply_error);
}

static void answer_mode(struct call *call)
{
    const struct schema_call *request = call->state;
    struct als_why why = {""};
    struct als_subject subject;
    err code =
        als_subject_show(call->server->als, request->tenant, subject_of(call), &subject, &why);
    if (code)
        reply_error(call, code, &why);
    else
        reply_mode(call, subject.effective);
}

void compatibility_show(struct call *call)
{
    schema_read(call, answer_mode);
}

// ---- POST /api/v1/schemas/{subject}/compatibility/check

static err compare(struct call *call, struct schema_call *request, bool *ret_compatible,
                   struct als_subject *ret_subject, struct flaw *flaw)
{
    struct als *als = call->server->als;
    request->draft.subject = subject_of(call);
    request->draft.any_name = true; // it must be there, so its name was right
    TRY(body_json(&request->body, S("schema"), FIELD_REQUIRED, &request->draft.json, flaw));
    TRY(body_array(&request->body, S("references"), &request->draft.references, flaw));
    TRY(body_u32(&request->body, S("version"), &request->version, flaw));
    TRY(als_subject_show(als, request->tenant, subject_of(call), ret_subject, &flaw->why));
    return als_schema_compare(als, &request->draft, request->version, ret_compatible, &flaw->why);
}

static void check_compatibility(struct call *call)
{
    struct flaw flaw = {};
    struct als_subject subject;
    bool compatible;
    struct schema_call *request = schema_begin(call);
    if (!request)
        return;
    err code = compare(call, request, &compatible, &subject, &flaw);
    if (code) {
        reply_flaw(call, code, &flaw);
        return;
    }
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_field_string(&writer, S("subject"), subject_of(call));
    json_field_string(&writer, S("compatibility"), als_compatibility_name(subject.effective));
    json_key(&writer, S("compatible"));
    json_put_bool(&writer, compatible);
    json_key(&writer, S("details"));
    issues_put(&request->issues, &writer);
    json_close_object(&writer);
    reply_json(call, 200);
}

void compatibility_check(struct call *call)
{
    desk_do(call, check_compatibility, reply_error);
}

// ---- /api/v1/schemas/{subject}/enforcement

static void reply_enforcement(struct call *call, const struct schema_call *request)
{
    struct als_why why = {""};
    struct als_subject subject;
    err code =
        als_subject_show(call->server->als, request->tenant, subject_of(call), &subject, &why);
    if (code) {
        reply_error(call, code, &why);
        return;
    }
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_field_string(&writer, S("subject"), subject_of(call));
    json_key(&writer, S("enforce"));
    if (subject.enforcement == ALS_ENFORCEMENT_INHERIT)
        json_put_null(&writer);
    else
        json_put_bool(&writer, subject.enforcement == ALS_ENFORCEMENT_ON);
    json_key(&writer, S("enforced"));
    json_put_bool(&writer, subject.enforced);
    json_close_object(&writer);
    reply_json(call, 200);
}

static void set_enforcement(struct call *call)
{
    struct flaw flaw = {};
    bool on, null;
    struct als_subject change = {.compatibility = ALS_COMPATIBILITY_KEEP};
    struct schema_call *request = schema_begin(call);
    if (!request)
        return;
    err code = body_switch(&request->body, S("enforce"), &on, &null, &flaw);
    if (code == ALS_OK) {
        change.enforcement = null ? ALS_ENFORCEMENT_INHERIT
                             : on ? ALS_ENFORCEMENT_ON
                                  : ALS_ENFORCEMENT_OFF;
        code = set(call, request, &change, &flaw);
    }
    if (code)
        reply_flaw(call, code, &flaw);
    else
        reply_enforcement(call, request);
}

void enforcement_set(struct call *call)
{
    desk_do(call, set_enforcement, reply_error);
}

static void answer_enforcement(struct call *call)
{
    reply_enforcement(call, call->state);
}

void enforcement_show(struct call *call)
{
    schema_read(call, answer_enforcement);
}

// ---- /api/v1/schemas/{subject}/upcasts

static void reply_upcasts(struct call *call, const struct schema_call *request)
{
    struct als_why why = {""};
    str upcasts;
    err code =
        als_upcasts_show(call->server->als, request->tenant, subject_of(call), &upcasts, &why);
    if (code) {
        reply_error(call, code, &why);
        return;
    }
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_field_string(&writer, S("subject"), subject_of(call));
    json_field_raw(&writer, S("upcasts"), upcasts);
    json_close_object(&writer);
    reply_json(call, 200);
}

static void set_upcasts(struct call *call)
{
    struct als_why why = {""};
    struct schema_call *request = schema_begin(call);
    if (!request)
        return;
    err code = als_upcasts_set(call->server->als, request->tenant, subject_of(call),
                               http_body(call->request), &why);
    if (code)
        reply_error(call, code, &why);
    else
        reply_upcasts(call, request);
}

void upcasts_set(struct call *call)
{
    desk_do(call, set_upcasts, reply_error);
}

static void answer_upcasts(struct call *call)
{
    reply_upcasts(call, call->state);
}

void upcasts_show(struct call *call)
{
    schema_read(call, answer_upcasts);
}

// ---- DELETE /api/v1/schemas/{subject}/versions/{version}

static void reply_deprecated(struct call *call, const struct schema_call *request)
{
    struct als_schema_query query = ALS_SCHEMA_QUERY_INIT;
    struct als_schema_version schema;
    struct als_why why = {""};
    query.tenant = request->tenant;
    query.subject = subject_of(call);
    query.version = request->version;
    err code = als_schema_find(call->server->als, &query, &schema, &why);
    if (code) {
        reply_error(call, code, &why);
        return;
    }
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_field_string(&writer, S("subject"), schema.subject);
    json_field_u64(&writer, S("version"), schema.version);
    schema_put_time(&writer, S("deprecated_at"), schema.deprecated_us);
    json_close_object(&writer);
    reply_json(call, 200);
}

static void deprecate(struct call *call)
{
    struct flaw flaw = {};
    uint64_t number;
    struct schema_call *request = schema_begin(call);
    if (!request)
        return;
    err code = ALS_OK;
    if (!str_to_u64(call->match.parameters[1], &number) || number == 0 || number > UINT32_MAX)
        code = flaw_set(&flaw, ALS_BAD_PATH, S("version"),
                        "`version` must be the number of a version");
    if (code == ALS_OK) {
        request->version = (uint32_t)number;
        code = als_schema_deprecate(call->server->als, request->tenant, subject_of(call),
                                    request->version, &flaw.why);
    }
    if (code)
        reply_flaw(call, code, &flaw);
    else
        reply_deprecated(call, request);
}

void schemas_deprecate(struct call *call)
{
    desk_do(call, deprecate, reply_error);
}
