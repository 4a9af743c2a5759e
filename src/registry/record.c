// SPDX-License-Identifier: Apache-2.0
// A change of the registry as a JSON object. What is not there was not changed; a null takes back
// what was set. docs/formats/settings.md lists the fields.
#include "registry/inside.h"

#include "base/uuid.h"

static const str kinds[] = {[RECORD_REGISTER] = {"register", 8},
                            [RECORD_DEPRECATE] = {"deprecate", 9},
                            [RECORD_CONFIGURE] = {"configure", 9},
                            [RECORD_UPCASTS] = {"upcasts", 7}};

// ---- Writing

static void write_config(const struct registry_config *config, struct json_writer *writer)
{
    if (config->sets_mode) {
        json_key(writer, S("compatibility"));
        if (config->has_mode)
            json_put_string(writer, compat_mode_name(config->mode));
        else
            json_put_null(writer);
    }
    if (config->sets_enforce) {
        json_key(writer, S("enforce"));
        if (config->enforce == REGISTRY_ENFORCE_DEFAULT)
            json_put_null(writer);
        else
            json_put_bool(writer, config->enforce == REGISTRY_ENFORCE_ON);
    }
}

static void write_version(const struct record *record, struct json_writer *writer)
{
    char id[UUID_TEXT_LEN];
    uuid_format(record->schema_id, id);
    json_field_u64(writer, S("id"), record->id);
    json_field_string(writer, S("schema_id"), (str){id, sizeof id});
    if (record->description.ptr)
        json_field_string(writer, S("description"), record->description);
    if (record->tags.len)
        json_field_raw(writer, S("tags"), record->tags);
    if (record->references.len)
        json_field_raw(writer, S("references"), record->references);
    json_field_raw(writer, S("schema"), record->schema);
}

void record_write(const struct record *record, struct buf *buf)
{
    struct json_writer writer;
    json_writer_init(&writer, buf);
    json_open_object(&writer);
    json_field_string(&writer, S("do"), kinds[record->kind]);
    if (record->subject.len)
        json_field_string(&writer, S("subject"), record->subject);
    if (record->version)
        json_field_u64(&writer, S("version"), record->version);
    if (record->kind == RECORD_REGISTER)
        write_version(record, &writer);
    if (record->kind == RECORD_UPCASTS && record->upcasts.len)
        json_field_raw(&writer, S("upcasts"), record->upcasts);
    write_config(&record->config, &writer);
    json_close_object(&writer);
}

// ---- Reading

struct fields {
    const struct json_doc *doc;
    struct arena *kept;
    struct als_why *why;
};

static err wrong(const struct fields *fields, const char *name)
{
    return FAIL(fields->why, ALS_CORRUPT, "a change of the schema registry has a wrong `%s`", name);
}

// NULL when it is absent.
static const struct json_node *field(const struct fields *fields, const char *name)
{
    return json_member(fields->doc, json_root(fields->doc), str_of(name));
}

static err read_text(const struct fields *fields, const char *name, str *text)
{
    const struct json_node *node = field(fields, name);
    if (!node)
        return ALS_OK;
    if (node->kind != JSON_STRING)
        return wrong(fields, name);
    *text = json_text(fields->doc, node, fields->kept);
    return text->ptr ? ALS_OK : FAIL(fields->why, ALS_NO_MEMORY, "the schema registry");
}

static err read_number(const struct fields *fields, const char *name, uint32_t *number)
{
    const struct json_node *node = field(fields, name);
    uint64_t value;
    if (!node)
        return ALS_OK;
    if (node->kind != JSON_NUMBER || !json_to_u64(json_span(fields->doc, node), &value) ||
        value == 0 || value > UINT32_MAX)
        return wrong(fields, name);
    *number = (uint32_t)value;
    return ALS_OK;
}

static err read_raw(const struct fields *fields, const char *name, enum json_kind kind, str *text)
{
    const struct json_node *node = field(fields, name);
    if (!node)
        return ALS_OK;
    if (node->kind != kind)
        return wrong(fields, name);
    *text = json_span(fields->doc, node);
    return ALS_OK;
}

static err read_config(const struct fields *fields, struct registry_config *config)
{
    const struct json_node *mode = field(fields, "compatibility");
    const struct json_node *enforce = field(fields, "enforce");
    config->sets_mode = mode != NULL;
    config->has_mode = mode && mode->kind != JSON_NULL;
    if (config->has_mode) {
        str name = json_span(fields->doc, mode);
        if (mode->kind != JSON_STRING ||
            !compat_mode_named((str){name.ptr + 1, name.len - 2}, &config->mode))
            return wrong(fields, "compatibility");
    }
    config->sets_enforce = enforce != NULL;
    if (enforce && enforce->kind == JSON_TRUE)
        config->enforce = REGISTRY_ENFORCE_ON;
    else if (enforce && enforce->kind == JSON_FALSE)
        config->enforce = REGISTRY_ENFORCE_OFF;
    else if (enforce && enforce->kind != JSON_NULL)
        return wrong(fields, "enforce");
    return ALS_OK;
}

static err read_kind(const struct fields *fields, enum record_kind *ret_kind)
{
    str name = {NULL, 0};
    TRY(read_text(fields, "do", &name));
    for (unsigned i = 0; i < COUNT_OF(kinds); i++)
        if (str_equal(kinds[i], name)) {
            *ret_kind = (enum record_kind)i;
            return ALS_OK;
        }
    return FAIL(fields->why, ALS_FORMAT_TOO_NEW,
                "the schema registry was changed by a newer version of this program ('%.*s')",
                STR(str_first(name, 40)));
}

static err read_version(const struct fields *fields, struct record *record)
{
    str id = {NULL, 0};
    const struct json_node *schema = field(fields, "schema");
    TRY(read_text(fields, "schema_id", &id));
    TRY(read_number(fields, "id", &record->id));
    TRY(read_text(fields, "description", &record->description));
    TRY(read_raw(fields, "tags", JSON_ARRAY, &record->tags));
    TRY(read_raw(fields, "references", JSON_ARRAY, &record->references));
    if (!schema || !uuid_parse(id, &record->schema_id) || record->id == 0 || record->version == 0)
        return wrong(fields, "schema");
    record->schema = json_span(fields->doc, schema);
    return ALS_OK;
}

err record_read(str body, struct arena *scratch, struct arena *kept, struct record *ret_record,
                struct als_why *why)
{
    struct json_options options = {.depth_max = JSON_DEPTH_CAP, .span_depth = 1};
    struct json_doc doc;
    struct als_why inner;
    if (json_parse(body, options, scratch, &doc, NULL, &inner) != ALS_OK ||
        json_root(&doc)->kind != JSON_OBJECT)
        return FAIL(why, ALS_CORRUPT, "a change of the schema registry is no JSON object");
    struct fields fields = {&doc, kept, why};
    struct record record = {.subject = {NULL, 0}};
    TRY(read_kind(&fields, &record.kind));
    TRY(read_text(&fields, "subject", &record.subject));
    TRY(read_number(&fields, "version", &record.version));
    TRY(read_config(&fields, &record.config));
    if (record.kind == RECORD_REGISTER)
        TRY(read_version(&fields, &record));
    if (record.kind == RECORD_UPCASTS)
        TRY(read_raw(&fields, "upcasts", JSON_OBJECT, &record.upcasts));
    if (record.subject.len == 0 && record.kind != RECORD_CONFIGURE)
        return wrong(&fields, "subject");
    *ret_record = record;
    return ALS_OK;
}
