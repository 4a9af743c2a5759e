// SPDX-License-Identifier: Apache-2.0
#include "engine/retention_rules.h"

#include "base/buf.h"
#include "base/limits.h"
#include "event/event.h"
#include "json/json.h"

#include <stddef.h>
#include <stdlib.h>

void retention_rules_free(struct retention_rules *rules)
{
    if (!rules)
        return;
    arena_deinit(&rules->arena);
    free(rules);
}

static const struct {
    const char *name;
    uint64_t max;
    size_t offset;
} fields[] = {
    {"max_age_seconds", RETENTION_SECONDS_MAX, offsetof(struct retention_rule, age_seconds)},
    {"max_count", INT64_MAX, offsetof(struct retention_rule, count)},
    {"max_bytes", INT64_MAX, offsetof(struct retention_rule, bytes)},
};

struct reading { // of one rule
    const struct json_doc *doc;
    struct arena *arena;
    size_t at;
    struct als_why *why;
};

static err read_types(const struct reading *reading, const struct json_node *node, str *types)
{
    struct als_why what = {""};
    if (node->kind != JSON_STRING)
        return FAIL(reading->why, ALS_INVALID_INPUT, "rules[%zu].event_type: a text is wanted",
                    reading->at);
    *types = json_text(reading->doc, node, reading->arena);
    if (!types->ptr)
        return FAIL(reading->why, ALS_NO_MEMORY, "rules of retention");
    str prefix = str_ends(*types, S("*")) ? str_first(*types, types->len - 1) : (str){NULL, 0};
    if (prefix.ptr && prefix.len <= TYPE_BYTES_MAX && !memchr(prefix.ptr, '*', prefix.len))
        return ALS_OK;
    if (event_check_type(*types, &what) == ALS_OK)
        return ALS_OK;
    return FAIL(reading->why, ALS_INVALID_INPUT, "rules[%zu].event_type: %s", reading->at,
                what.text);
}

static err read_limit(const struct reading *reading, const struct json_node *node, size_t field,
                      struct retention_rule *rule)
{
    uint64_t value = 0;
    str text = json_span(reading->doc, node);
    bool number = node->kind == JSON_NUMBER && json_to_u64(text, &value);
    if (!number || value == 0 || value > fields[field].max)
        return FAIL(reading->why, ALS_INVALID_INPUT,
                    "rules[%zu].%s: %.*s, a whole number from 1 to %llu", reading->at,
                    fields[field].name, STR(str_first(text, 40)),
                    (unsigned long long)fields[field].max);
    memcpy((char *)rule + fields[field].offset, &value, sizeof value);
    return ALS_OK;
}

static err read_field(const struct reading *reading, const struct json_node *node,
                      struct retention_rule *rule)
{
    if (json_key_is(reading->doc, node, S("event_type")))
        return read_types(reading, node, &rule->types);
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (json_key_is(reading->doc, node, str_of(fields[i].name)))
            return read_limit(reading, node, i, rule);
    return FAIL(reading->why, ALS_INVALID_INPUT, "rules[%zu].%.*s: there is no such field",
                reading->at, STR(str_first(json_key_span(reading->doc, node), 40)));
}

static err read_rule(const struct reading *reading, const struct json_node *node,
                     struct retention_rules *rules)
{
    struct retention_rule rule = {.age_seconds = 0};
    if (node->kind != JSON_OBJECT)
        return FAIL(reading->why, ALS_INVALID_INPUT, "rules[%zu]: an object is wanted",
                    reading->at);
    const struct json_node *field = json_first(reading->doc, node);
    for (; field; field = json_after(reading->doc, node, field))
        TRY(read_field(reading, field, &rule));
    if (!rule.types.ptr)
        return FAIL(reading->why, ALS_INVALID_INPUT, "rules[%zu].event_type: it is missing",
                    reading->at);
    for (size_t i = 0; i < rules->count; i++)
        if (str_equal(rules->items[i].types, rule.types))
            return FAIL(reading->why, ALS_INVALID_INPUT,
                        "rules[%zu].event_type: rules[%zu] is for '%.*s' already", reading->at, i,
                        STR(rule.types));
    rules->items[rules->count++] = rule;
    return ALS_OK;
}

static err find_list(const struct json_doc *doc, const struct json_node **ret_list,
                     struct als_why *why)
{
    const struct json_node *root = json_root(doc);
    if (root->kind != JSON_OBJECT)
        return FAIL(why, ALS_INVALID_INPUT, "rules of retention are an object with a field rules");
    const struct json_node *field = json_first(doc, root);
    for (; field; field = json_after(doc, root, field))
        if (!json_key_is(doc, field, S("rules")) && !json_key_is(doc, field, S("tenant_id")))
            return FAIL(why, ALS_INVALID_INPUT, "%.*s: there is no such field",
                        STR(str_first(json_key_span(doc, field), 40)));
    *ret_list = json_member(doc, root, S("rules"));
    if (!*ret_list || (*ret_list)->kind != JSON_ARRAY)
        return FAIL(why, ALS_INVALID_INPUT, "rules: an array is wanted");
    return ALS_OK;
}

err retention_rules_read(str text, struct retention_rules *rules, struct als_why *why)
{
    struct json_doc doc;
    struct json_options options = {.span_depth = UINT32_MAX};
    const struct json_node *list;
    TRY(json_parse(text, options, &rules->arena, &doc, NULL, why));
    TRY(find_list(&doc, &list, why));
    struct reading reading = {.doc = &doc, .arena = &rules->arena, .why = why};
    const struct json_node *node = json_first(&doc, list);
    for (; node; node = json_after(&doc, list, node), reading.at++) {
        if (reading.at == RETENTION_RULES_MAX)
            return FAIL(why, ALS_TOO_LARGE, "rules: at most %d", RETENTION_RULES_MAX);
        TRY(read_rule(&reading, node, rules));
    }
    return ALS_OK;
}

struct retention_rules *retention_rules_new(void)
{
    struct retention_rules *rules =
        malloc(sizeof *rules + RETENTION_RULES_MAX * sizeof(struct retention_rule));
    if (!rules)
        return NULL;
    rules->number = 0;
    rules->count = 0;
    arena_init(&rules->arena, KIB(4), RETENTION_BYTES_MAX);
    return rules;
}

void retention_rules_write(const struct retention_rules *rules, struct buf *buf)
{
    struct json_writer writer;
    json_writer_init(&writer, buf);
    json_open_object(&writer);
    json_key(&writer, S("rules"));
    json_open_array(&writer);
    for (size_t i = 0; i < rules->count; i++) {
        const struct retention_rule *rule = &rules->items[i];
        json_open_object(&writer);
        json_field_string(&writer, S("event_type"), rule->types);
        for (size_t k = 0; k < COUNT_OF(fields); k++) {
            uint64_t value;
            memcpy(&value, (const char *)rule + fields[k].offset, sizeof value);
            if (value)
                json_field_u64(&writer, str_of(fields[k].name), value);
        }
        json_close_object(&writer);
    }
    json_close_array(&writer);
    json_close_object(&writer);
}
