// SPDX-License-Identifier: Apache-2.0
#include "server/confluent.h"

#include "base/log.h"
#include "http/http.h"
#include "server/reply.h"

#include <stdarg.h>

void confluent_reply(struct call *call, int status)
{
    struct buf *out = http_out(call->request);
    if (buf_failed(out)) {
        struct als_why why;
        err_explain(&why, "no buffer for the answer");
        reply_error(call, ALS_NO_MEMORY, &why);
        return;
    }
    http_answer(call->request, (struct http_answer){
                                   .status = status,
                                   .content_type = S("application/vnd.schemaregistry.v1+json"),
                                   .body = buf_str(out),
                               });
}

static void refuse_with(struct call *call, unsigned error, str message)
{
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_field_u64(&writer, S("error_code"), error);
    json_field_string(&writer, S("message"), message);
    json_close_object(&writer);
    confluent_reply(call, (int)(error >= 1000 ? error / 100 : error));
}

void confluent_refuse(struct call *call, unsigned error, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    refuse_with(call, error, str_first((str){text, sizeof text - 1}, (size_t)len));
}

void confluent_fail(struct call *call, err code, const struct als_why *why)
{
    int status = err_http(code);
    char words[LOG_QUOTED_MAX];
    if (status >= 500)
        LOG_LINE(LOG_WARN, "request failed", "status=%d code=%s why=%s", status, err_code(code),
                 log_quoted(str_of(why->text), words));
    confluent_refuse(call, status == 500 ? CONFLUENT_STORE : (unsigned)status, "%s%s",
                     err_prefix(code), why->text);
}

// ---- Requests

static err read_switch(const struct params *params, str name, bool *value, struct flaw *flaw)
{
    static const str choices[] = {{"false", 5}, {"true", 4}, {"", 0}};
    unsigned choice = *value;
    TRY(param_choice(params, name, choices, &choice, flaw));
    *value = choice == 1;
    return ALS_OK;
}

static void fail_flaw(struct call *call, err code, const struct flaw *flaw)
{
    confluent_fail(call, code, &flaw->why);
}

struct schema_call *confluent_begin(struct call *call)
{
    struct flaw flaw = {};
    struct schema_call *request = schema_begin_with(call, fail_flaw);
    if (!request)
        return NULL;
    err code = read_switch(&request->params, S("deleted"), &request->deprecated, &flaw);
    if (code == ALS_OK)
        code = read_switch(&request->params, S("verbose"), &request->verbose, &flaw);
    if (code) {
        confluent_fail(call, code, &flaw.why);
        return NULL;
    }
    request->draft.any_name = true;
    request->draft.subject = confluent_subject(call);
    return request;
}

str confluent_subject(const struct call *call)
{
    str subject = call->match.parameters[0];
    return subject.ptr ? subject : S("");
}

bool confluent_path_version(struct call *call, str text, uint32_t *ret_version)
{
    uint64_t number = 0;
    bool latest = !text.ptr || str_equal(text, S("latest")) || str_equal(text, S("-1"));
    if (!latest && (!str_to_u64(text, &number) || number == 0 || number > INT32_MAX)) {
        confluent_refuse(call, CONFLUENT_BAD_VERSION,
                         "The specified version '%.*s' is not a valid version id. Allowed values "
                         "are between [1, 2^31-1] and the string \"latest\"",
                         STR(str_first(text, 60)));
        return false;
    }
    *ret_version = (uint32_t)number;
    return true;
}

// With all versions deprecated, a subject is there only for those who ask for deleted ones.
static bool has_subject(struct call *call, const struct schema_call *request)
{
    struct als_schema_query query = ALS_SCHEMA_QUERY_INIT;
    struct als_schema_version schema;
    query.tenant = request->tenant;
    query.subject = confluent_subject(call);
    query.deprecated = request->deprecated;
    return als_schema_find(call->server->als, &query, &schema, NULL) == ALS_OK;
}

bool confluent_find(struct call *call, const struct schema_call *request, uint32_t version,
                    struct als_schema_version *ret_schema)
{
    struct als_schema_query query = ALS_SCHEMA_QUERY_INIT;
    struct als_why why = {""};
    str subject = confluent_subject(call);
    query.tenant = request->tenant;
    query.subject = subject;
    query.version = version;
    query.deprecated = request->deprecated;
    bool there = has_subject(call, request);
    err code = there ? als_schema_find(call->server->als, &query, ret_schema, &why)
                     : ALS_SUBJECT_NOT_FOUND;
    bool hidden = code == ALS_OK && !request->deprecated && version != 0 &&
                  ret_schema->deprecated_us != ALS_TIME_UNSET;
    if (code == ALS_SUBJECT_NOT_FOUND)
        confluent_refuse(call, CONFLUENT_NO_SUBJECT, "Subject '%.*s' not found.",
                         STR(str_first(subject, 255)));
    else if (code == ALS_SCHEMA_NOT_FOUND || hidden)
        confluent_refuse(call, CONFLUENT_NO_VERSION, "Version %u not found.", version);
    else if (code)
        confluent_fail(call, code, &why);
    return code == ALS_OK && !hidden;
}

void confluent_put_schema(struct json_writer *writer, const struct als_schema_version *schema)
{
    json_field_string(writer, S("schemaType"), S("JSON"));
    if (schema->references.len > 2)
        json_field_raw(writer, S("references"), schema->references);
    json_field_string(writer, S("schema"), schema->json);
}

bool confluent_read_draft(struct call *call, struct schema_call *request)
{
    struct flaw flaw = {};
    str type = S("AVRO"); // what that registry takes it for when nothing is said
    struct als_schema_draft *draft = &request->draft;
    err code = body_text(&request->body, S("schemaType"), FIELD_OPTIONAL, &type, &flaw);
    if (code == ALS_OK)
        code = body_text(&request->body, S("schema"), FIELD_REQUIRED, &draft->json, &flaw);
    if (code == ALS_OK)
        code = body_array(&request->body, S("references"), &draft->references, &flaw);
    if (code)
        confluent_refuse(call, CONFLUENT_BAD_SCHEMA, "%s", flaw.why.text);
    else if (!str_equal(type, S("JSON")))
        confluent_refuse(call, CONFLUENT_BAD_SCHEMA,
                         "Invalid schema type %.*s: this registry has only JSON (say "
                         "\"schemaType\":\"JSON\")",
                         STR(str_first(type, 40)));
    else if (draft->json.len == 0)
        confluent_refuse(call, CONFLUENT_BAD_SCHEMA, "Empty schema");
    else
        return true;
    return false;
}
