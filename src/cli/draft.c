// SPDX-License-Identifier: Apache-2.0
#include "cli/draft.h"

#include "base/time.h"
#include "base/uuid.h"
#include "os/os.h"
#include "json/json.h"

#include <allsource.h>

// The text of a member that must be a string; absent and null are {NULL, 0}.
static err text_member(const struct json_doc *doc, const char *key, struct arena *arena,
                       str *ret_text, struct als_why *why)
{
    const struct json_node *node = json_member(doc, json_root(doc), str_of(key));
    *ret_text = (str){NULL, 0};
    if (!node || node->kind == JSON_NULL)
        return ALS_OK;
    if (node->kind != JSON_STRING)
        return FAIL(why, ALS_JSON_SHAPE, "%s must be a string", key);
    str text = json_text(doc, node, arena);
    if (!text.ptr)
        return FAIL(why, ALS_TOO_LARGE, "%s is too long", key);
    *ret_text = text;
    return ALS_OK;
}

static err check_names(const struct json_doc *doc, struct arena *arena, struct als_why *why)
{
    str type, entity, tenant;
    TRY(text_member(doc, "event_type", arena, &type, why));
    TRY(text_member(doc, "entity_id", arena, &entity, why));
    TRY(text_member(doc, "tenant_id", arena, &tenant, why));
    if (!type.ptr)
        return FAIL(why, ALS_JSON_SHAPE, "event_type is missing");
    if (!entity.ptr)
        return FAIL(why, ALS_JSON_SHAPE, "entity_id is missing");
    TRY(als_check_type(type, why));
    TRY(als_check_entity(entity, why));
    return tenant.ptr ? als_check_tenant(tenant, why) : ALS_OK;
}

static err check_values(const struct json_doc *doc, struct arena *arena, bool *ret_has_id,
                        struct als_why *why)
{
    str id, timestamp;
    als_id parsed;
    int64_t us;
    if (!json_member(doc, json_root(doc), S("payload")))
        return FAIL(why, ALS_JSON_SHAPE, "payload is missing (null is a payload, too)");
    TRY(text_member(doc, "id", arena, &id, why));
    if (id.ptr && !uuid_parse(id, &parsed))
        return FAIL(why, ALS_INVALID_INPUT, "id '%.*s' is not a UUID", STR(str_first(id, 60)));
    TRY(text_member(doc, "timestamp", arena, &timestamp, why));
    if (timestamp.ptr && !time_parse(timestamp, &us))
        return FAIL(why, ALS_INVALID_INPUT, "timestamp '%.*s' is not an RFC 3339 moment",
                    STR(str_first(timestamp, 60)));
    *ret_has_id = id.ptr != NULL;
    return ALS_OK;
}

static void put_with_id(const struct json_doc *doc, struct os *os, struct buf *body)
{
    uint8_t random[10];
    os->entropy(os, random, sizeof random);
    char id[UUID_TEXT_LEN];
    uuid_format(uuid_v7(os->now_us(os), random), id);

    const struct json_node *root = json_root(doc);
    const struct json_node *null = json_member(doc, root, S("id")); // a member must not stand twice
    size_t cut = null ? null->start - root->start : 1;
    str object = json_span(doc, root);
    buf_put_str(body, str_first(object, cut));
    buf_put_str(body, null ? S("\"") : S("\"id\":\""));
    buf_put(body, id, sizeof id);
    buf_put_str(body, null ? S("\"") : S("\","));
    buf_put_str(body, str_from(object, cut + (null ? null->len : 0)));
}

err draft_put(str line, struct os *os, struct arena *arena, struct buf *body, struct als_why *why)
{
    arena_reset(arena);
    struct json_doc doc;
    struct json_options options = {.span_depth = 1};
    TRY(json_parse(line, options, arena, &doc, NULL, why));
    const struct json_node *root = json_root(&doc);
    if (root->kind != JSON_OBJECT)
        return FAIL(why, ALS_JSON_SHAPE, "an event is a JSON object");
    bool has_id;
    TRY(check_names(&doc, arena, why));
    TRY(check_values(&doc, arena, &has_id, why));
    if (has_id)
        buf_put_str(body, json_span(&doc, root));
    else
        put_with_id(&doc, os, body);
    buf_put_char(body, '\n');
    if (buf_failed(body))
        return FAIL(why, ALS_TOO_LARGE, "the batch does not fit into memory");
    return ALS_OK;
}
