// SPDX-License-Identifier: Apache-2.0
// The front of the passes, and the way along the tape they leave.
#include "json/json.h"

#include "json/pass.h"

#include <assert.h>

static_assert(sizeof(struct json_node) <= 28, "a batch has tens of thousands of nodes");

static struct pass pass_over(str text, uint32_t depth_max)
{
    assert(depth_max <= JSON_DEPTH_CAP);
    const char *begin = text.len ? text.ptr : "";
    return (struct pass){
        .begin = begin,
        .end = begin + text.len,
        .depth_max = depth_max ? depth_max : JSON_DEPTH_MAX,
    };
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// One value, and nothing but white space behind it.
static bool take_all(pass_run *run, struct pass *pass)
{
    const char *at = run(pass);
    for (; at && at < pass->end && is_space(*at); at++)
        pass->spaced = at;
    if (at && at < pass->end)
        at = json_refuse(pass, at, WANT_END);
    return at != NULL;
}

static err refusal(const struct pass *pass, struct json_error *ret_error, struct als_why *why)
{
    if (pass->want == WANT_ROOM)
        return FAIL(why, ALS_TOO_LARGE, "the JSON text has more values than there is memory for");
    if (ret_error) {
        ret_error->offset = (size_t)(pass->wrong - pass->begin);
        ret_error->truncated = pass->wrong == pass->end;
    }
    json_explain(pass, why);
    return ALS_JSON_SYNTAX;
}

static err check_len(str text, struct als_why *why)
{
    if (text.len > UINT32_MAX)
        return FAIL(why, ALS_TOO_LARGE, "a JSON text of %zu bytes; at most %u are taken", text.len,
                    UINT32_MAX);
    return ALS_OK;
}

err json_parse_by(pass_run *run, str text, struct json_options options, struct arena *arena,
                  struct json_doc *ret_doc, struct json_error *ret_error, struct als_why *why)
{
    TRY(check_len(text, why));
    struct pass pass = pass_over(text, options.depth_max);
    uint32_t span_depth = options.span_depth;
    pass.listed_below = (span_depth < JSON_DEPTH_CAP ? span_depth : JSON_DEPTH_CAP) + 1;
    pass.arena = arena;
    if (!take_all(run, &pass))
        return refusal(&pass, ret_error, why);
    *ret_doc = (struct json_doc){.text = text, .nodes = pass.nodes, .count = pass.count};
    return ALS_OK;
}

err json_check_by(pass_run *run, str text, uint32_t depth_max, struct json_error *ret_error,
                  struct als_why *why)
{
    TRY(check_len(text, why));
    struct pass pass = pass_over(text, depth_max);
    return take_all(run, &pass) ? ALS_OK : refusal(&pass, ret_error, why);
}

err json_parse(str text, struct json_options options, struct arena *arena, struct json_doc *ret_doc,
               struct json_error *ret_error, struct als_why *why)
{
    return json_parse_by(json_pass_best(), text, options, arena, ret_doc, ret_error, why);
}

err json_check(str text, uint32_t depth_max, struct als_why *why)
{
    return json_check_by(json_pass_best(), text, depth_max, NULL, why);
}

err json_check_spaced(str text, uint32_t depth_max, bool *ret_spaced, struct als_why *why)
{
    TRY(check_len(text, why));
    struct pass pass = pass_over(text, depth_max);
    if (!take_all(json_pass_best(), &pass))
        return refusal(&pass, NULL, why);
    *ret_spaced = pass.spaced != NULL;
    return ALS_OK;
}

// "12" may go on as "123": a number is complete only when something follows. Nothing but white
// space, a comma or a bracket may follow one, nor a word: "01" and "nullx" are no two values.
static bool is_behind_scalar(char c)
{
    return is_space(c) || c == ',' || c == ']' || c == '}';
}

err json_first_value(str text, uint32_t depth_max, size_t *ret_len, struct als_why *why)
{
    TRY(check_len(text, why));
    struct pass pass = pass_over(text, depth_max);
    const char *at = json_pass_best()(&pass);
    if (at) {
        char last = at[-1];
        bool number = last >= '0' && last <= '9';
        bool scalar = number || (last != '"' && last != ']' && last != '}');
        if (scalar && at < pass.end && !is_behind_scalar(*at))
            at = json_refuse(&pass, at, WANT_BEHIND_SCALAR);
        else if (number && at == pass.end)
            at = pass.begin;
    } else if (pass.wrong == pass.end) {
        at = pass.begin;
    }
    if (!at)
        return refusal(&pass, NULL, why);
    *ret_len = (size_t)(at - pass.begin);
    return ALS_OK;
}

const struct json_node *json_first(const struct json_doc *doc, const struct json_node *container)
{
    assert(container >= doc->nodes && container < doc->nodes + doc->count);
    bool has_children = container->next > (uint32_t)(container - doc->nodes) + 1;
    return has_children ? container + 1 : NULL;
}

const struct json_node *json_after(const struct json_doc *doc, const struct json_node *container,
                                   const struct json_node *child)
{
    return child->next < container->next ? doc->nodes + child->next : NULL;
}

const struct json_node *json_member(const struct json_doc *doc, const struct json_node *object,
                                    str key)
{
    if (object->kind != JSON_OBJECT)
        return NULL;
    const struct json_node *found = NULL;
    for (const struct json_node *member = json_first(doc, object); member;
         member = json_after(doc, object, member))
        if (json_key_is(doc, member, key))
            found = member;
    return found;
}
