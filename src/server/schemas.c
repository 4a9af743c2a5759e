// SPDX-License-Identifier: Apache-2.0
// The registry of schemas: registering, reading, validating. Contract 1.F.
#include "base/uuid.h"
#include "http/http.h"
#include "metrics/metrics.h"
#include "server/reply.h"
#include "server/schema_call.h"

#include <stdio.h>

// ---- POST /api/v1/schemas

static void reply_registered(struct call *call, const struct als_schema_version *schema,
                             bool existing)
{
    struct json_writer writer = reply_writer(call);
    char id[UUID_TEXT_LEN];
    uuid_format(schema->schema_id, id);
    json_open_object(&writer);
    json_field_string(&writer, S("schema_id"), (str){id, sizeof id});
    json_field_string(&writer, S("subject"), schema->subject);
    json_field_u64(&writer, S("version"), schema->version);
    schema_put_time(&writer, S("created_at"), schema->created_us);
    json_field_u64(&writer, S("global_id"), schema->id);
    if (existing) {
        json_key(&writer, S("existing"));
        json_put_bool(&writer, true);
    }
    json_close_object(&writer);
    reply_json(call, 200);
}

static void reply_incompatible(struct call *call, const struct schema_call *request,
                               const struct als_why *why)
{
    struct json_writer writer = reply_error_begin(call, ALS_SCHEMA_INCOMPATIBLE, why->text);
    json_key(&writer, S("details"));
    issues_put(&request->issues, &writer);
    reply_error_end(call, &writer, ALS_SCHEMA_INCOMPATIBLE);
}

static err read_enforce(const struct body *body, enum als_enforcement *enforcement,
                        struct flaw *flaw)
{
    str span = {NULL, 0};
    TRY(body_json(body, S("enforce"), FIELD_OPTIONAL, &span, flaw));
    if (!span.ptr)
        return ALS_OK;
    bool on, null;
    TRY(body_switch(body, S("enforce"), &on, &null, flaw));
    if (!null)
        *enforcement = on ? ALS_ENFORCEMENT_ON : ALS_ENFORCEMENT_OFF;
    return ALS_OK;
}

static err read_draft(struct schema_call *request, struct flaw *flaw)
{
    const struct body *body = &request->body;
    struct als_schema_draft *draft = &request->draft;
    TRY(body_text(body, S("subject"), FIELD_REQUIRED, &draft->subject, flaw));
    TRY(body_json(body, S("schema"), FIELD_REQUIRED, &draft->json, flaw));
    TRY(body_text(body, S("description"), FIELD_OPTIONAL, &draft->description, flaw));
    TRY(body_array(body, S("tags"), &draft->tags, flaw));
    TRY(body_array(body, S("references"), &draft->references, flaw));
    TRY(schema_read_mode(body, FIELD_OPTIONAL, &draft->compatibility, flaw));
    TRY(read_enforce(body, &draft->enforcement, flaw));
    err code = als_check_type(draft->subject, &flaw->why);
    if (code)
        return flaw_set(flaw, code, S("subject"), "a subject is the name of an event type: %.160s",
                        flaw->why.text);
    return ALS_OK;
}

static void register_schema(struct call *call)
{
    struct flaw flaw = {};
    struct als_schema_version schema;
    bool existing;
    struct schema_call *request = schema_begin(call);
    if (!request)
        return;
    err code = read_draft(request, &flaw);
    if (code == ALS_OK)
        code =
            als_schema_register(call->server->als, &request->draft, &schema, &existing, &flaw.why);
    if (code == ALS_OK) {
        if (!existing)
            metrics_add(call->server->metrics, METRIC_schemas_registered_total, 1, NULL);
        reply_registered(call, &schema, existing);
    } else if (code == ALS_SCHEMA_INCOMPATIBLE)
        reply_incompatible(call, request, &flaw.why);
    else
        reply_flaw(call, code, &flaw);
}

void schemas_register(struct call *call)
{
    desk_do(call, register_schema, reply_error);
}

// ---- GET /api/v1/schemas

// Subjects stand together, so the one before tells whether this one is new.
struct subjects {
    struct json_writer writer;
    str last;
    uint64_t total;
    bool deprecated;
};

static bool put_subject(void *context, const struct als_schema_version *schema)
{
    struct subjects *subjects = context;
    bool counts = subjects->deprecated || schema->deprecated_us == ALS_TIME_UNSET;
    if (!counts || (subjects->last.ptr && str_equal(subjects->last, schema->subject)))
        return true;
    json_put_string(&subjects->writer, schema->subject);
    subjects->last = schema->subject;
    subjects->total++;
    return true;
}

static err read_deprecated(struct schema_call *request, struct flaw *flaw)
{
    static const str choices[] = {{"false", 5}, {"true", 4}, {"", 0}};
    unsigned value = 0;
    TRY(param_choice(&request->params, S("deprecated"), choices, &value, flaw));
    request->deprecated = value == 1;
    return ALS_OK;
}

static void answer_list(struct call *call)
{
    struct schema_call *request = call->state;
    struct flaw flaw = {};
    struct subjects subjects = {.total = 0};
    err code = read_deprecated(request, &flaw);
    if (code == ALS_OK) {
        subjects.deprecated = request->deprecated;
        subjects.writer = reply_writer(call);
        json_open_object(&subjects.writer);
        json_key(&subjects.writer, S("subjects"));
        json_open_array(&subjects.writer);
        code = als_schemas(call->server->als, request->tenant, S(""), put_subject, &subjects,
                           &flaw.why);
    }
    if (code) {
        reply_flaw(call, code, &flaw);
        return;
    }
    json_close_array(&subjects.writer);
    json_field_u64(&subjects.writer, S("total"), subjects.total);
    json_close_object(&subjects.writer);
    reply_json(call, 200);
}

void schemas_list(struct call *call)
{
    schema_read(call, answer_list);
}

// ---- GET /api/v1/schemas/{subject}

// 0 is "the latest" to the engine and no version to a client.
static err no_version_0(str subject, struct flaw *flaw)
{
    return flaw_set(flaw, ALS_SCHEMA_NOT_FOUND, S("version"),
                    "Schema version 0 not found for subject: %.*s", STR(str_first(subject, 120)));
}

static err find(struct call *call, struct schema_call *request,
                struct als_schema_version *ret_schema, struct flaw *flaw)
{
    struct als_schema_query query = ALS_SCHEMA_QUERY_INIT;
    const uint64_t absent = UINT64_MAX;
    uint64_t version = absent;
    query.tenant = request->tenant;
    query.subject = call->match.parameters[0];
    TRY(param_u64(&request->params, S("version"), UINT32_MAX, &version, flaw));
    TRY(param_time(&request->params, S("as_of"), &query.as_of_us, flaw));
    TRY(read_deprecated(request, flaw));
    if (version == 0)
        return no_version_0(query.subject, flaw);
    query.version = version == absent ? 0 : (uint32_t)version;
    query.deprecated = request->deprecated;
    return als_schema_find(call->server->als, &query, ret_schema, &flaw->why);
}

static err put_found(struct call *call, struct schema_call *request, struct flaw *flaw)
{
    struct als_schema_version schema;
    struct als_subject subject;
    TRY(find(call, request, &schema, flaw));
    TRY(als_subject_show(call->server->als, request->tenant, schema.subject, &subject, &flaw->why));
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    schema_put(&writer, &schema);
    json_field_string(&writer, S("compatibility"), als_compatibility_name(subject.effective));
    json_key(&writer, S("enforced"));
    json_put_bool(&writer, subject.enforced);
    json_close_object(&writer);
    return ALS_OK;
}

static void answer_show(struct call *call)
{
    struct flaw flaw = {};
    err code = put_found(call, call->state, &flaw);
    if (code)
        reply_flaw(call, code, &flaw);
    else
        reply_json(call, 200);
}

void schemas_show(struct call *call)
{
    schema_read(call, answer_show);
}

// ---- GET /api/v1/schemas/{subject}/versions

struct numbers {
    struct json_writer *writer;
    bool deprecated;
    size_t count, others;
};

static bool put_number(void *context, const struct als_schema_version *schema)
{
    struct numbers *numbers = context;
    if ((schema->deprecated_us != ALS_TIME_UNSET) != numbers->deprecated) {
        numbers->others++;
        return true;
    }
    json_put_u64(numbers->writer, schema->version);
    numbers->count++;
    return true;
}

static err put_versions(struct call *call, const struct schema_call *request, struct als_why *why)
{
    struct als *als = call->server->als;
    str subject = call->match.parameters[0];
    struct json_writer writer = reply_writer(call);
    struct numbers numbers = {.writer = &writer};
    json_open_object(&writer);
    json_field_string(&writer, S("subject"), subject);
    json_key(&writer, S("versions"));
    json_open_array(&writer);
    TRY(als_schemas(als, request->tenant, subject, put_number, &numbers, why));
    json_close_array(&writer);
    if (numbers.count + numbers.others == 0)
        return FAIL(why, ALS_SUBJECT_NOT_FOUND, "Subject not found: %.*s",
                    STR(str_first(subject, 120)));
    if (numbers.others) {
        numbers.deprecated = true;
        json_key(&writer, S("deprecated"));
        json_open_array(&writer);
        TRY(als_schemas(als, request->tenant, subject, put_number, &numbers, why));
        json_close_array(&writer);
    }
    json_close_object(&writer);
    return ALS_OK;
}

static void answer_versions(struct call *call)
{
    struct als_why why = {""};
    err code = put_versions(call, call->state, &why);
    if (code)
        reply_error(call, code, &why);
    else
        reply_json(call, 200);
}

void schemas_versions(struct call *call)
{
    schema_read(call, answer_versions);
}

// ---- POST /api/v1/schemas/validate

static const str outputs[] = {{"default", 7}, {"flag", 4}, {"basic", 5}, {"detailed", 8}, {"", 0}};

static err read_validation(const struct schema_call *request, struct als_validation_query *query,
                           unsigned *ret_output, struct flaw *flaw)
{
    const struct body *body = &request->body;
    *query = (struct als_validation_query)ALS_VALIDATION_QUERY_INIT;
    query->tenant = request->tenant;
    query->version = UINT32_MAX;
    TRY(body_text(body, S("subject"), FIELD_REQUIRED, &query->subject, flaw));
    TRY(body_u32(body, S("version"), &query->version, flaw));
    if (query->version == 0)
        return no_version_0(query->subject, flaw);
    if (query->version == UINT32_MAX)
        query->version = 0;
    TRY(body_json(body, S("payload"), FIELD_REQUIRED, &query->payload, flaw));
    return param_choice(&request->params, S("output"), outputs, ret_output, flaw);
}

static void put_validation(struct json_writer *writer, struct als_validation *validation,
                           unsigned output)
{
    if (output > 0) {
        json_put_raw(writer, als_validation_json(validation, (enum als_schema_output)(output - 1)));
        return;
    }
    json_open_object(writer);
    json_key(writer, S("valid"));
    json_put_bool(writer, als_validation_view(validation).valid);
    validation_put(writer, validation);
    json_close_object(writer);
}

static void validate(struct call *call)
{
    struct flaw flaw = {};
    struct als_validation *validation = NULL;
    struct als_validation_query query;
    unsigned output = 0;
    err code = read_validation(call->state, &query, &output, &flaw);
    if (code == ALS_OK)
        code = als_validation_open(call->server->als, &query, &validation, &flaw.why);
    if (code) {
        reply_flaw(call, code, &flaw);
        return;
    }
    struct json_writer writer = reply_writer(call);
    put_validation(&writer, validation, output);
    als_validation_close(validation);
    reply_json(call, 200);
}

// The latest version is compiled; another one is compiled for this payload, which may take long.
void schemas_validate(struct call *call)
{
    struct flaw flaw = {};
    str version = {NULL, 0};
    const struct schema_call *request = schema_begin(call);
    if (!request)
        return;
    err code = body_json(&request->body, S("version"), FIELD_OPTIONAL, &version, &flaw);
    if (code == ALS_OK && version.ptr)
        desk_do(call, validate, reply_error);
    else
        validate(call); // which finds the flaw again
}
