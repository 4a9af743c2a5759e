// SPDX-License-Identifier: Apache-2.0
// Whether two texts are the same value. Both are put on tapes; a list of pairs that are still to be
// compared takes the place of recursion. A pair is of nodes that are met once, so the list is never
// longer than the shorter tape. Members are sorted by their unescaped keys and matched in order.
#include "json/json.h"

#include "base/limits.h"
#include "json/number.h"

#include <stdlib.h>

struct pair {
    const struct json_node *a, *b;
};

struct comparison {
    struct json_doc a, b;
    struct arena *arena;
    struct pair *pairs; // to be compared
    size_t count;
    bool differs;
};

struct member {
    str key;
    const struct json_node *node;
};

struct members {
    struct member *items;
    size_t count;
};

static err no_room(struct als_why *why)
{
    return FAIL(why, ALS_TOO_LARGE, "the JSON values are too large to be compared");
}

// By key, and of one key the later one first.
static int compare_members(const void *a, const void *b)
{
    const struct member *left = a, *right = b;
    int order = str_compare(left->key, right->key);
    return order ? order : (left->node < right->node) - (left->node > right->node);
}

// The members that count, in the order of their keys; items is NULL when the arena is full.
static struct members sorted_members(const struct json_doc *doc, const struct json_node *object,
                                     struct arena *arena)
{
    struct members members = {.items = ARENA_ARRAY(arena, struct member, object->count)};
    if (!members.items)
        return members;
    for (const struct json_node *child = json_first(doc, object); child;
         child = json_after(doc, object, child)) {
        str key = json_key_text(doc, child, arena);
        if (!key.ptr)
            return (struct members){};
        members.items[members.count++] = (struct member){key, child};
    }
    qsort(members.items, members.count, sizeof *members.items, compare_members);
    size_t kept = 0;
    for (size_t i = 0; i < members.count; i++)
        if (i == 0 || !str_equal(members.items[i].key, members.items[kept - 1].key))
            members.items[kept++] = members.items[i];
    members.count = kept;
    return members;
}

static err compare_objects(struct comparison *state, struct pair pair, struct als_why *why)
{
    struct members a = sorted_members(&state->a, pair.a, state->arena);
    struct members b = sorted_members(&state->b, pair.b, state->arena);
    if (!a.items || !b.items)
        return no_room(why);
    state->differs = a.count != b.count;
    for (size_t i = 0; i < a.count && !state->differs; i++) {
        state->differs = !str_equal(a.items[i].key, b.items[i].key);
        state->pairs[state->count++] = (struct pair){a.items[i].node, b.items[i].node};
    }
    return ALS_OK;
}

static void compare_arrays(struct comparison *state, struct pair pair)
{
    const struct json_node *a = json_first(&state->a, pair.a), *b = json_first(&state->b, pair.b);
    state->differs = pair.a->count != pair.b->count;
    while (a && b && !state->differs) {
        state->pairs[state->count++] = (struct pair){a, b};
        a = json_after(&state->a, pair.a, a);
        b = json_after(&state->b, pair.b, b);
    }
}

static err compare_strings(struct comparison *state, struct pair pair, struct als_why *why)
{
    str a = json_text(&state->a, pair.a, state->arena);
    str b = json_text(&state->b, pair.b, state->arena);
    if (!a.ptr || !b.ptr)
        return no_room(why);
    state->differs = !str_equal(a, b);
    return ALS_OK;
}

static err compare_pair(struct comparison *state, struct pair pair, struct als_why *why)
{
    str a = json_span(&state->a, pair.a), b = json_span(&state->b, pair.b);
    state->differs = pair.a->kind != pair.b->kind;
    if (state->differs || str_equal(a, b))
        return ALS_OK;
    switch (pair.a->kind) {
    case JSON_NUMBER:
        state->differs = !json_number_equal(a, b);
        return ALS_OK;
    case JSON_STRING:
        return compare_strings(state, pair, why);
    case JSON_ARRAY:
        compare_arrays(state, pair);
        return ALS_OK;
    case JSON_OBJECT:
        return compare_objects(state, pair, why);
    default:
        return ALS_OK; // null, true and false have one spelling
    }
}

err json_equal(str a, str b, struct arena *arena, bool *ret_equal)
{
    struct comparison state = {.arena = arena};
    if (str_equal(a, b)) {
        *ret_equal = true;
        return ALS_OK;
    }
    struct json_options options = {.depth_max = JSON_DEPTH_CAP, .span_depth = UINT32_MAX};
    TRY(json_parse(a, options, arena, &state.a, NULL, NULL));
    TRY(json_parse(b, options, arena, &state.b, NULL, NULL));
    uint32_t least = state.a.count < state.b.count ? state.a.count : state.b.count;
    state.pairs = ARENA_ARRAY(arena, struct pair, least);
    if (!state.pairs)
        return no_room(NULL);
    state.pairs[state.count++] = (struct pair){json_root(&state.a), json_root(&state.b)};
    while (state.count > 0 && !state.differs) {
        struct pair pair = state.pairs[--state.count];
        TRY(compare_pair(&state, pair, NULL));
    }
    *ret_equal = !state.differs;
    return ALS_OK;
}
