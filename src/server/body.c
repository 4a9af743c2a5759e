// SPDX-License-Identifier: Apache-2.0
#include "server/body.h"

#include "http/http.h"

err body_read(struct call *call, struct body *ret_body, struct flaw *flaw)
{
    struct json_options options = {.span_depth = 1};
    struct body body = {.arena = call->arena};
    TRY(json_parse(http_body(call->request), options, call->arena, &body.doc, NULL, &flaw->why));
    if (json_root(&body.doc)->kind != JSON_OBJECT)
        return flaw_set(flaw, ALS_JSON_SHAPE, S(""), "the body must be an object");
    *ret_body = body;
    return ALS_OK;
}

// The field, or NULL. A null is a value when it is asked for one.
static err find(const struct body *body, str name, const struct json_node **ret_node,
                struct flaw *flaw)
{
    const struct json_doc *doc = &body->doc;
    const struct json_node *root = json_root(doc), *found = NULL;
    for (const struct json_node *node = json_first(doc, root); node;
         node = json_after(doc, root, node)) {
        if (!json_key_is(doc, node, name))
            continue;
        if (found)
            return flaw_set(flaw, ALS_JSON_SHAPE, name, "`%.*s` stands twice", STR(name));
        found = node;
    }
    *ret_node = found;
    return ALS_OK;
}

static err check_need(const struct json_node *node, str name, enum field_need need,
                      struct flaw *flaw)
{
    if (node || need == FIELD_OPTIONAL)
        return ALS_OK;
    return flaw_set(flaw, ALS_JSON_SHAPE, name, "missing field `%.*s`", STR(name));
}

static err find_kind(const struct body *body, str name, enum json_kind kind, const char *what,
                     const struct json_node **ret_node, struct flaw *flaw)
{
    const struct json_node *node = NULL;
    TRY(find(body, name, &node, flaw));
    if (node && node->kind == JSON_NULL)
        node = NULL;
    if (node && node->kind != kind)
        return flaw_set(flaw, ALS_JSON_SHAPE, name, "`%.*s` must be %s", STR(name), what);
    *ret_node = node;
    return ALS_OK;
}

err body_text(const struct body *body, str name, enum field_need need, str *value,
              struct flaw *flaw)
{
    const struct json_node *node = NULL;
    TRY(find_kind(body, name, JSON_STRING, "a string", &node, flaw));
    TRY(check_need(node, name, need, flaw));
    if (!node)
        return ALS_OK;
    str text = json_text(&body->doc, node, body->arena);
    if (!text.ptr)
        return flaw_set(flaw, ALS_TOO_LARGE, name, "the request takes more memory than it may");
    *value = text;
    return ALS_OK;
}

err body_u32(const struct body *body, str name, uint32_t *value, struct flaw *flaw)
{
    const struct json_node *node = NULL;
    uint64_t number;
    TRY(find_kind(body, name, JSON_NUMBER, "an unsigned integer", &node, flaw));
    if (!node)
        return ALS_OK;
    if (!json_to_u64(json_span(&body->doc, node), &number) || number > UINT32_MAX)
        return flaw_set(flaw, ALS_JSON_SHAPE, name, "`%.*s` must be an unsigned integer",
                        STR(name));
    *value = (uint32_t)number;
    return ALS_OK;
}

err body_json(const struct body *body, str name, enum field_need need, str *value,
              struct flaw *flaw)
{
    const struct json_node *node = NULL;
    TRY(find(body, name, &node, flaw));
    TRY(check_need(node, name, need, flaw));
    if (node)
        *value = json_span(&body->doc, node);
    return ALS_OK;
}

err body_array(const struct body *body, str name, str *value, struct flaw *flaw)
{
    const struct json_node *node = NULL;
    TRY(find_kind(body, name, JSON_ARRAY, "an array", &node, flaw));
    if (node)
        *value = json_span(&body->doc, node);
    return ALS_OK;
}

err body_switch(const struct body *body, str name, bool *ret_value, bool *ret_is_null,
                struct flaw *flaw)
{
    const struct json_node *node = NULL;
    TRY(find(body, name, &node, flaw));
    TRY(check_need(node, name, FIELD_REQUIRED, flaw));
    if (node->kind != JSON_NULL && node->kind != JSON_TRUE && node->kind != JSON_FALSE)
        return flaw_set(flaw, ALS_JSON_SHAPE, name, "`%.*s` must be true, false or null",
                        STR(name));
    *ret_value = node->kind == JSON_TRUE;
    *ret_is_null = node->kind == JSON_NULL;
    return ALS_OK;
}

err body_optional_switch(const struct body *body, str name, bool *value, struct flaw *flaw)
{
    const struct json_node *node = NULL;
    TRY(find(body, name, &node, flaw));
    if (!node || node->kind == JSON_NULL)
        return ALS_OK;
    if (node->kind != JSON_TRUE && node->kind != JSON_FALSE)
        return flaw_set(flaw, ALS_JSON_SHAPE, name, "`%.*s` must be true or false", STR(name));
    *value = node->kind == JSON_TRUE;
    return ALS_OK;
}
