// SPDX-License-Identifier: Apache-2.0
// The door of Confluent's Schema Registry, for schemas of type JSON: the same registry by the
// paths, bodies and error numbers that existing serializers and tools know.
//
// What differs, for what is registered here is never erased: deleting deprecates, and a permanent
// delete is refused. A subject may have any name here; one that is no event type's checks nothing.
#include "server/confluent.h"

#include "http/http.h"
#include "metrics/metrics.h"
#include "server/reply.h"

#include <ctype.h>

// ---- Lists of versions, as the engine tells them one by one

struct list {
    struct json_writer writer;
    bool deprecated; // those, too
    str prefix;      // of subjects
    uint32_t id;     // 0: any
    str last;        // subject that was put
    size_t count;
    void (*put)(struct list *list, const struct als_schema_version *schema);
};

static bool add_to_list(void *context, const struct als_schema_version *schema)
{
    struct list *list = context;
    if ((list->id && list->id != schema->id) || !str_starts(schema->subject, list->prefix) ||
        (!list->deprecated && schema->deprecated_us != ALS_TIME_UNSET))
        return true;
    list->put(list, schema);
    list->count++;
    return true;
}

static void put_subject_once(struct list *list, const struct als_schema_version *schema)
{
    if (!list->last.ptr || !str_equal(list->last, schema->subject))
        json_put_string(&list->writer, schema->subject);
    list->last = schema->subject;
}

static void put_number(struct list *list, const struct als_schema_version *schema)
{
    json_put_u64(&list->writer, schema->version);
}

static void put_pair(struct list *list, const struct als_schema_version *schema)
{
    json_open_object(&list->writer);
    json_field_string(&list->writer, S("subject"), schema->subject);
    json_field_u64(&list->writer, S("version"), schema->version);
    json_close_object(&list->writer);
}

// Puts an array into the buffer; answers and returns false when it cannot.
static bool put_list(struct call *call, const struct schema_call *request, str subject,
                     struct list *list)
{
    struct als_why why = {""};
    list->writer = reply_writer(call);
    list->deprecated = request->deprecated;
    json_open_array(&list->writer);
    err code = als_schemas(call->server->als, request->tenant, subject, add_to_list, list, &why);
    json_close_array(&list->writer);
    if (code)
        confluent_fail(call, code, &why);
    return code == ALS_OK;
}

void confluent_subjects(struct call *call)
{
    struct flaw flaw = {};
    struct list list = {.put = put_subject_once, .prefix = S("")};
    const struct schema_call *request = confluent_begin(call);
    if (!request)
        return;
    err code = param_text(&request->params, S("subjectPrefix"), &list.prefix, &flaw);
    if (code)
        confluent_fail(call, code, &flaw.why);
    else if (put_list(call, request, S(""), &list))
        confluent_reply(call, 200);
}

void confluent_versions(struct call *call)
{
    struct list list = {.put = put_number};
    struct als_schema_version schema;
    const struct schema_call *request = confluent_begin(call);
    if (request && confluent_find(call, request, 0, &schema) &&
        put_list(call, request, confluent_subject(call), &list))
        confluent_reply(call, 200);
}

// ---- Registering and looking up

static void refuse_draft(struct call *call, const struct schema_call *request, err code,
                         const struct als_why *why)
{
    str subject = confluent_subject(call);
    const struct issue *issue = request->issues.first;
    switch (code) {
    case ALS_SCHEMA_INCOMPATIBLE:
        confluent_refuse(call, CONFLUENT_CONFLICT,
                         "Schema being registered is incompatible with an earlier schema for "
                         "subject \"%.*s\", details: [%.*s]",
                         STR(str_first(subject, 120)),
                         STR(str_first(issue ? issue->told.message : S(""), 240)));
        break;
    case ALS_SCHEMA_INVALID:
    case ALS_JSON_SYNTAX:
    case ALS_TOO_LARGE:
    case ALS_VALIDATION:
        confluent_refuse(call, CONFLUENT_BAD_SCHEMA, "Invalid schema: %s", why->text);
        break;
    case ALS_SUBJECT_NOT_FOUND:
        confluent_refuse(call, CONFLUENT_NO_SUBJECT, "Subject '%.*s' not found.",
                         STR(str_first(subject, 255)));
        break;
    case ALS_SCHEMA_NOT_FOUND:
        confluent_refuse(call, CONFLUENT_NO_SCHEMA, "Schema not found");
        break;
    default:
        confluent_fail(call, code, why);
    }
}

static void register_schema(struct call *call)
{
    struct als_why why = {""};
    struct als_schema_version schema;
    bool existing;
    struct schema_call *request = confluent_begin(call);
    if (!request || !confluent_read_draft(call, request))
        return;
    err code = als_schema_register(call->server->als, &request->draft, &schema, &existing, &why);
    if (code) {
        refuse_draft(call, request, code, &why);
        return;
    }
    if (!existing)
        metrics_add(call->server->metrics, METRIC_schemas_registered_total, 1, NULL);
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_field_u64(&writer, S("id"), schema.id);
    json_close_object(&writer);
    confluent_reply(call, 200);
}

void confluent_register(struct call *call)
{
    desk_do(call, register_schema, confluent_fail);
}

static void put_version(struct call *call, const struct als_schema_version *schema)
{
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_field_string(&writer, S("subject"), schema->subject);
    json_field_u64(&writer, S("version"), schema->version);
    json_field_u64(&writer, S("id"), schema->id);
    confluent_put_schema(&writer, schema);
    json_close_object(&writer);
    confluent_reply(call, 200);
}

void confluent_look_up(struct call *call)
{
    struct als_why why = {""};
    struct als_schema_version schema;
    struct schema_call *request = confluent_begin(call);
    if (!request || !confluent_read_draft(call, request))
        return;
    err code = als_schema_same(call->server->als, &request->draft, &schema, &why);
    if (code)
        refuse_draft(call, request, code, &why);
    else
        put_version(call, &schema);
}

// ---- One version

static const struct schema_call *find_of_path(struct call *call,
                                              struct als_schema_version *ret_schema)
{
    struct schema_call *request = confluent_begin(call);
    if (request && confluent_path_version(call, call->match.parameters[1], &request->version) &&
        confluent_find(call, request, request->version, ret_schema))
        return request;
    return NULL;
}

static void put_json(struct call *call, str json)
{
    struct json_writer writer = reply_writer(call);
    json_put_raw(&writer, json);
    confluent_reply(call, 200);
}

void confluent_version(struct call *call)
{
    struct als_schema_version schema;
    if (find_of_path(call, &schema))
        put_version(call, &schema);
}

void confluent_version_schema(struct call *call)
{
    struct als_schema_version schema;
    if (find_of_path(call, &schema))
        put_json(call, schema.json);
}

// ---- Deleting is deprecating

static bool may_delete(struct call *call, const struct schema_call *request)
{
    static const str choices[] = {{"false", 5}, {"true", 4}, {"", 0}};
    struct flaw flaw = {};
    unsigned permanent = 0;
    err code = param_choice(&request->params, S("permanent"), choices, &permanent, &flaw);
    if (code)
        confluent_fail(call, code, &flaw.why);
    else if (permanent)
        confluent_refuse(call, CONFLUENT_NOT_ALLOWED,
                         "Schemas are never erased: events may carry their version. Without "
                         "`permanent` they are taken out of use");
    return code == ALS_OK && !permanent;
}

static void delete_version(struct call *call)
{
    struct als_why why = {""};
    struct als_schema_version schema;
    const struct schema_call *request = find_of_path(call, &schema);
    if (!request || !may_delete(call, request))
        return;
    err code = als_schema_deprecate(call->server->als, request->tenant, schema.subject,
                                    schema.version, &why);
    if (code) {
        refuse_draft(call, request, code, &why);
        return;
    }
    struct json_writer writer = reply_writer(call);
    json_put_u64(&writer, schema.version);
    confluent_reply(call, 200);
}

void confluent_delete_version(struct call *call)
{
    desk_do(call, delete_version, confluent_fail);
}

static void delete_subject(struct call *call)
{
    struct list list = {.put = put_number};
    struct als_why why = {""};
    struct als_schema_version schema;
    struct schema_call *request = confluent_begin(call);
    if (!request || !may_delete(call, request))
        return;
    request->deprecated = false; // those are gone already
    if (!confluent_find(call, request, 0, &schema) ||
        !put_list(call, request, schema.subject, &list))
        return;
    err code = als_schema_deprecate(call->server->als, request->tenant, schema.subject, 0, &why);
    if (code)
        refuse_draft(call, request, code, &why);
    else
        confluent_reply(call, 200);
}

void confluent_delete_subject(struct call *call)
{
    desk_do(call, delete_subject, confluent_fail);
}

// ---- By id

static const struct schema_call *find_by_id(struct call *call,
                                            struct als_schema_version *ret_schema)
{
    uint64_t id = 0;
    struct als_why why = {""};
    const struct schema_call *request = confluent_begin(call);
    if (!request)
        return NULL;
    bool number = str_to_u64(call->match.parameters[0], &id) && id <= UINT32_MAX;
    err code = number ? als_schema_of_id(call->server->als, request->tenant, (uint32_t)id,
                                         ret_schema, &why)
                      : ALS_SCHEMA_NOT_FOUND;
    if (code == ALS_OK)
        return request;
    if (code == ALS_SCHEMA_NOT_FOUND)
        confluent_refuse(call, CONFLUENT_NO_SCHEMA, "Schema %.*s not found",
                         STR(str_first(call->match.parameters[0], 40)));
    else
        confluent_fail(call, code, &why);
    return NULL;
}

void confluent_id(struct call *call)
{
    struct als_schema_version schema;
    if (!find_by_id(call, &schema))
        return;
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    confluent_put_schema(&writer, &schema);
    json_close_object(&writer);
    confluent_reply(call, 200);
}

void confluent_id_schema(struct call *call)
{
    struct als_schema_version schema;
    if (find_by_id(call, &schema))
        put_json(call, schema.json);
}

static void list_of_id(struct call *call,
                       void (*put)(struct list *list, const struct als_schema_version *schema))
{
    struct als_schema_version schema;
    const struct schema_call *request = find_by_id(call, &schema);
    struct list list = {.put = put, .id = request ? schema.id : 0};
    if (request && put_list(call, request, S(""), &list))
        confluent_reply(call, 200);
}

void confluent_id_versions(struct call *call)
{
    list_of_id(call, put_pair);
}

void confluent_id_subjects(struct call *call)
{
    list_of_id(call, put_subject_once);
}

void confluent_types(struct call *call)
{
    put_json(call, S("[\"JSON\"]"));
}

void confluent_mode(struct call *call)
{
    put_json(call, S("{\"mode\":\"READWRITE\"}"));
}

// ---- Levels of compatibility

static void reply_level(struct call *call, str key, enum als_compatibility level)
{
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_field_string(&writer, key, als_compatibility_name(level));
    json_close_object(&writer);
    confluent_reply(call, 200);
}

static const struct schema_call *show_subject(struct call *call, struct als_subject *ret_subject)
{
    struct als_why why = {""};
    const struct schema_call *request = confluent_begin(call);
    if (!request)
        return NULL;
    err code = als_subject_show(call->server->als, request->tenant, confluent_subject(call),
                                ret_subject, &why);
    if (code)
        confluent_fail(call, code, &why);
    return code ? NULL : request;
}

static void refuse_no_config(struct call *call)
{
    confluent_refuse(call, CONFLUENT_NO_CONFIG,
                     "Subject '%.*s' does not have subject-level compatibility configured",
                     STR(str_first(confluent_subject(call), 255)));
}

void confluent_config(struct call *call)
{
    static const str choices[] = {{"false", 5}, {"true", 4}, {"", 0}};
    struct flaw flaw = {};
    struct als_subject subject;
    unsigned global = confluent_subject(call).len == 0;
    const struct schema_call *request = show_subject(call, &subject);
    if (!request)
        return;
    err code = param_choice(&request->params, S("defaultToGlobal"), choices, &global, &flaw);
    if (code)
        confluent_fail(call, code, &flaw.why);
    else if (!global && subject.compatibility == ALS_COMPATIBILITY_INHERIT)
        refuse_no_config(call);
    else
        reply_level(call, S("compatibilityLevel"), subject.effective);
}

static bool set_level(struct call *call, const struct schema_call *request,
                      enum als_compatibility level)
{
    struct als_why why = {""};
    struct als_subject change = {.compatibility = level, .enforcement = ALS_ENFORCEMENT_KEEP};
    err code =
        als_subject_set(call->server->als, request->tenant, confluent_subject(call), &change, &why);
    if (code)
        confluent_fail(call, code, &why);
    return code == ALS_OK;
}

// In any case, as that registry takes it.
static bool level_named(str name, enum als_compatibility *ret_level)
{
    char upper[32];
    if (name.len > sizeof upper)
        return false;
    for (size_t i = 0; i < name.len; i++)
        upper[i] = (char)toupper((unsigned char)name.ptr[i]);
    return als_compatibility_named((str){upper, name.len}, ret_level);
}

static void set_config(struct call *call)
{
    struct flaw flaw = {};
    str name = {NULL, 0};
    enum als_compatibility level;
    const struct schema_call *request = confluent_begin(call);
    if (!request)
        return;
    err code = body_text(&request->body, S("compatibility"), FIELD_REQUIRED, &name, &flaw);
    if (code || !level_named(name, &level))
        confluent_refuse(call, CONFLUENT_BAD_LEVEL,
                         "Invalid compatibility level. Valid values are none, backward, forward, "
                         "full, backward_transitive, forward_transitive, and full_transitive");
    else if (set_level(call, request, level))
        reply_level(call, S("compatibility"), level);
}

void confluent_set_config(struct call *call)
{
    desk_do(call, set_config, confluent_fail);
}

static void reset_config(struct call *call)
{
    struct als_subject subject;
    const struct schema_call *request = show_subject(call, &subject);
    if (!request)
        return;
    if (subject.compatibility == ALS_COMPATIBILITY_INHERIT)
        refuse_no_config(call);
    else if (set_level(call, request, ALS_COMPATIBILITY_INHERIT))
        reply_level(call, S("compatibilityLevel"), subject.compatibility);
}

void confluent_reset_config(struct call *call)
{
    desk_do(call, reset_config, confluent_fail);
}

static void check_compatibility(struct call *call)
{
    struct als_why why = {""};
    struct als_schema_version old;
    bool compatible;
    struct schema_call *request = confluent_begin(call);
    if (!request || !confluent_path_version(call, call->match.parameters[1], &request->version) ||
        !confluent_find(call, request, request->version, &old) ||
        !confluent_read_draft(call, request))
        return;
    uint32_t version = call->match.parameters[1].ptr ? old.version : 0; // 0: as the level says
    err code = als_schema_compare(call->server->als, &request->draft, version, &compatible, &why);
    if (code) {
        refuse_draft(call, request, code, &why);
        return;
    }
    struct json_writer writer = reply_writer(call);
    json_open_object(&writer);
    json_key(&writer, S("is_compatible"));
    json_put_bool(&writer, compatible);
    if (request->verbose) {
        json_key(&writer, S("messages"));
        json_open_array(&writer);
        for (const struct issue *issue = request->issues.first; issue; issue = issue->next)
            json_put_string(&writer, issue->told.message);
        json_close_array(&writer);
    }
    json_close_object(&writer);
    confluent_reply(call, 200);
}

void confluent_compatibility(struct call *call)
{
    desk_do(call, check_compatibility, confluent_fail);
}
