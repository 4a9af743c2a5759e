// SPDX-License-Identifier: Apache-2.0
#include "server/params.h"

#include "base/time.h"
#include "http/http.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static bool reserve(struct params *params, size_t more, struct arena *arena)
{
    size_t wanted = params->count + more;
    if (wanted <= params->capacity)
        return true;
    struct param *items = ARENA_ARRAY(arena, struct param, wanted);
    if (!items)
        return false;
    if (params->count)
        memcpy(items, params->items, params->count * sizeof *items);
    params->items = items;
    params->capacity = wanted;
    return true;
}

static void add(struct params *params, str name, str value, enum param_kind kind)
{
    assert(params->count < params->capacity);
    if (!value.ptr)
        value = S(""); // present, though empty
    params->items[params->count++] = (struct param){name, value, kind};
}

static err no_room(struct flaw *flaw)
{
    return flaw_set(flaw, ALS_TOO_LARGE, S(""),
                    "the parameters take more memory than a request has");
}

err params_from_query(str query, struct arena *arena, struct params *params, struct flaw *flaw)
{
    if (query.len == 0)
        return ALS_OK;
    size_t most = 1;
    for (size_t i = 0; i < query.len; i++)
        most += query.ptr[i] == '&';
    if (!reserve(params, most, arena))
        return no_room(flaw);

    str name, value;
    bool bad;
    while (http_next_parameter(&query, arena, &name, &value, &bad)) {
        if (bad)
            return flaw_set(flaw, ALS_BAD_PARAMETER, S(""),
                            "a parameter is not properly percent-encoded UTF-8");
        add(params, name, value, PARAM_QUERY);
    }
    return ALS_OK;
}

static err add_json(struct params *params, str name, const struct json_doc *doc,
                    const struct json_node *node, struct arena *arena)
{
    str span = json_span(doc, node);
    switch (node->kind) {
    case JSON_NULL:
        break;
    case JSON_NUMBER:
        add(params, name, span, PARAM_NUMBER);
        break;
    case JSON_STRING:
        span = json_text(doc, node, arena);
        if (!span.ptr)
            return ALS_TOO_LARGE;
        add(params, name, span, PARAM_STRING);
        break;
    case JSON_FALSE:
    case JSON_TRUE:
    case JSON_ARRAY:
    case JSON_OBJECT:
        add(params, name, span, PARAM_OTHER);
        break;
    }
    return ALS_OK;
}

static err add_member(struct params *params, const struct json_doc *doc,
                      const struct json_node *member, struct arena *arena)
{
    str name = json_key_text(doc, member, arena);
    if (!name.ptr)
        return ALS_TOO_LARGE;
    if (member->kind != JSON_ARRAY || !str_equal(name, S("event_type")))
        return add_json(params, name, doc, member, arena);
    if (!reserve(params, member->count, arena))
        return ALS_TOO_LARGE;
    for (const struct json_node *item = json_first(doc, member); item;
         item = json_after(doc, member, item))
        TRY(add_json(params, name, doc, item, arena));
    return ALS_OK;
}

err params_from_json(const struct json_doc *doc, struct arena *arena, struct params *params,
                     struct flaw *flaw)
{
    const struct json_node *root = json_root(doc);
    if (root->kind != JSON_OBJECT)
        return flaw_set(flaw, ALS_JSON_SHAPE, S(""), "the parameters must be a JSON object");
    for (const struct json_node *member = json_first(doc, root); member;
         member = json_after(doc, root, member)) {
        if (!reserve(params, 1, arena) || add_member(params, doc, member, arena))
            return no_room(flaw);
    }
    return ALS_OK;
}

static err code_of(const struct param *param)
{
    return param->kind == PARAM_QUERY ? ALS_BAD_PARAMETER : ALS_JSON_SHAPE;
}

// *ret_param is NULL when it is absent.
static err find(const struct params *params, str name, const struct param **ret_param,
                struct flaw *flaw)
{
    const struct param *found = NULL;
    for (size_t i = 0; i < params->count; i++) {
        if (!str_equal(params->items[i].name, name))
            continue;
        if (found)
            return flaw_set(flaw, code_of(&params->items[i]), name,
                            "'%.*s' is given more than once", STR(name));
        found = &params->items[i];
    }
    *ret_param = found;
    return ALS_OK;
}

static err check_text(const struct param *param, struct flaw *flaw)
{
    if (param->kind == PARAM_QUERY || param->kind == PARAM_STRING)
        return ALS_OK;
    return flaw_set(flaw, code_of(param), param->name, "'%.*s' must be a string", STR(param->name));
}

err param_text(const struct params *params, str name, str *value, struct flaw *flaw)
{
    const struct param *param;
    TRY(find(params, name, &param, flaw));
    if (!param)
        return ALS_OK;
    TRY(check_text(param, flaw));
    *value = param->value;
    return ALS_OK;
}

err param_u64(const struct params *params, str name, uint64_t most, uint64_t *value,
              struct flaw *flaw)
{
    const struct param *param;
    TRY(find(params, name, &param, flaw));
    if (!param)
        return ALS_OK;
    uint64_t number;
    if ((param->kind == PARAM_QUERY || param->kind == PARAM_NUMBER) &&
        str_to_u64(param->value, &number) && number <= most) {
        *value = number;
        return ALS_OK;
    }
    err code = flaw_set(flaw, code_of(param), name, "'%.*s' must be an integer from 0 to %" PRIu64,
                        STR(name), most);
    flaw->limit = most;
    return code;
}

err param_time(const struct params *params, str name, int64_t *us, struct flaw *flaw)
{
    const struct param *param;
    TRY(find(params, name, &param, flaw));
    if (!param)
        return ALS_OK;
    TRY(check_text(param, flaw));
    if (time_parse(param->value, us))
        return ALS_OK;
    return flaw_set(flaw, code_of(param), name,
                    "'%.*s' must be an RFC 3339 time with date, time and zone, such as "
                    "2025-01-01T00:00:00Z (a '+' is written %%2B in a query string)",
                    STR(name));
}

err param_choice(const struct params *params, str name, const str *choices, unsigned *value,
                 struct flaw *flaw)
{
    const struct param *param;
    TRY(find(params, name, &param, flaw));
    if (!param)
        return ALS_OK;
    TRY(check_text(param, flaw));
    char list[128] = "";
    for (unsigned i = 0; choices[i].len; i++) {
        if (str_equal(param->value, choices[i])) {
            *value = i;
            return ALS_OK;
        }
        size_t len = strlen(list);
        (void)snprintf(list + len, sizeof list - len, "%s%.*s", i ? ", " : "", STR(choices[i]));
    }
    return flaw_set(flaw, code_of(param), name, "'%.*s' must be one of: %s", STR(name), list);
}

err param_texts(const struct params *params, str name, size_t most, str *values, size_t *ret_count,
                struct flaw *flaw)
{
    size_t count = 0;
    for (size_t i = 0; i < params->count; i++) {
        const struct param *param = &params->items[i];
        if (!str_equal(param->name, name))
            continue;
        TRY(check_text(param, flaw));
        if (count == most) {
            err code = flaw_set(flaw, code_of(param), name, "'%.*s' may be given %zu times at most",
                                STR(name), most);
            flaw->limit = most;
            return code;
        }
        values[count++] = param->value;
    }
    *ret_count = count;
    return ALS_OK;
}
