// SPDX-License-Identifier: Apache-2.0
// The pass itself. A source file that includes this defines before it:
//
//   PASS_NAME    the name of the pass
//   plain_end()  the first byte from `at` on that a string cannot simply run over: a quote, a
//                backslash, a control character, a byte from 0x80 on; or the end of the text
//   space_end()  the first byte from `at` on that is no white space, or the end
//
// One loop, no recursion. Its state is a depth and, for each open container, the bracket that will
// close it. Listed containers are chained through their nodes: while one is open its `next` holds
// the index of the one around it. No byte at or behind `end` is read.
// The state lives in locals that never escape, so that it stays in registers; hence the forced
// inlining.
#include "json/pieces.h"

struct spot {
    uint32_t depth; // how many containers are open
    uint32_t listed_below;
    struct json_node *nodes;
    uint32_t count, capacity;
    uint32_t open; // index of the innermost listed container
    uint32_t key_start, key_len;
    bool key_escaped;
    bool entered; // the value just taken is a container whose first child comes next
};

HOT struct json_node *list(struct pass *pass, struct spot *spot)
{
    if (__builtin_expect(spot->count == spot->capacity, 0)) {
        if (!json_tape_grow(pass, spot->count))
            return NULL;
        spot->nodes = pass->nodes;
        spot->capacity = pass->capacity;
    }
    return &spot->nodes[spot->count++];
}

HOT const char *list_scalar(struct pass *pass, struct spot *spot, enum json_kind kind,
                            const char *start, struct json_taken taken)
{
    if (!taken.at || spot->depth >= spot->listed_below)
        return taken.at;
    struct json_node *node = list(pass, spot);
    if (!node)
        return NULL;
    *node = (struct json_node){
        .kind = kind,
        .escaped = taken.escaped,
        .key_escaped = spot->key_escaped,
        .start = (uint32_t)(start - pass->begin),
        .len = (uint32_t)(taken.at - start),
        .key_start = spot->key_start,
        .key_len = spot->key_len,
        .next = spot->count,
    };
    return taken.at;
}

// To the first byte of the next child: over the member's key, if this is an object.
HOT const char *take_key(struct pass *pass, struct spot *spot, bool object, const char *at)
{
    spot->key_start = spot->key_len = 0;
    spot->key_escaped = false;
    at = skip_space(pass, at);
    if (!object)
        return at;
    if (at == pass->end || *at != '"')
        return json_refuse(pass, at, WANT_KEY);
    const char *start = at + 1;
    struct json_taken taken = take_string(pass, start);
    if (!taken.at)
        return NULL;
    spot->key_start = (uint32_t)(start - pass->begin);
    spot->key_len = (uint32_t)(taken.at - 1 - start);
    spot->key_escaped = taken.escaped;
    at = skip_space(pass, taken.at);
    if (at == pass->end || *at != ':')
        return json_refuse(pass, at, WANT_COLON);
    return skip_space(pass, at + 1);
}

HOT void close_container(const struct pass *pass, struct spot *spot, const char *at)
{
    spot->depth--;
    if (spot->depth >= spot->listed_below)
        return;
    struct json_node *node = &spot->nodes[spot->open];
    spot->open = node->next;
    node->next = spot->count;
    node->len = (uint32_t)(at - pass->begin) - node->start;
    node->spaced = pass->spaced && pass->spaced > pass->begin + node->start;
}

HOT const char *open_container(struct pass *pass, struct spot *spot, char *closers, const char *at)
{
    if (spot->depth == pass->depth_max)
        return json_refuse(pass, at, WANT_LESS_DEPTH);
    bool object = *at == '{';
    if (spot->depth < spot->listed_below) {
        struct json_node *node = list(pass, spot);
        if (!node)
            return NULL;
        *node = (struct json_node){
            .kind = object ? JSON_OBJECT : JSON_ARRAY,
            .key_escaped = spot->key_escaped,
            .sealed = spot->depth + 1 == spot->listed_below,
            .start = (uint32_t)(at - pass->begin),
            .key_start = spot->key_start,
            .key_len = spot->key_len,
            .next = spot->open,
        };
        spot->open = spot->count - 1;
    }
    char closer = object ? '}' : ']';
    closers[++spot->depth] = closer;
    at = skip_space(pass, at + 1);
    if (at < pass->end && *at == closer) {
        close_container(pass, spot, at + 1);
        return at + 1;
    }
    if (spot->depth <= spot->listed_below)
        spot->nodes[spot->open].count = 1;
    spot->entered = true;
    return take_key(pass, spot, object, at);
}

// Behind the value at `at`, or, when it is a container with children, at the first of them.
HOT const char *take_value(struct pass *pass, struct spot *spot, char *closers, const char *at)
{
    spot->entered = false;
    if (at == pass->end)
        return json_refuse(pass, at, WANT_VALUE);
    switch (*at) {
    case '"':
        return list_scalar(pass, spot, JSON_STRING, at, take_string(pass, at + 1));
    case '{':
    case '[':
        return open_container(pass, spot, closers, at);
    case '-':
    case '0' ... '9':
        return list_scalar(pass, spot, JSON_NUMBER, at,
                           (struct json_taken){take_number(pass, at), false});
    case 't':
    case 'f':
    case 'n': {
        enum json_kind kind = *at == 't' ? JSON_TRUE : *at == 'f' ? JSON_FALSE : JSON_NULL;
        return list_scalar(pass, spot, kind, at,
                           (struct json_taken){take_literal(pass, at), false});
    }
    default:
        return json_refuse(pass, at, WANT_VALUE);
    }
}

// Behind a value: closes the containers that end here, then goes to the next child. At depth 0 the
// root has ended.
HOT const char *take_ends(struct pass *pass, struct spot *spot, const char *closers, const char *at)
{
    while (spot->depth) {
        at = skip_space(pass, at);
        char closer = closers[spot->depth];
        if (at < pass->end && *at == ',') {
            if (spot->depth <= spot->listed_below)
                spot->nodes[spot->open].count++;
            return take_key(pass, spot, closer == '}', at + 1);
        }
        if (at == pass->end || *at != closer)
            return json_refuse(pass, at,
                               closer == '}' ? WANT_COMMA_IN_OBJECT : WANT_COMMA_IN_ARRAY);
        at++;
        close_container(pass, spot, at);
    }
    return at;
}

const char *PASS_NAME(struct pass *pass)
{
    char closers[JSON_DEPTH_CAP + 1];
    struct spot spot = {
        .listed_below = pass->listed_below,
        .nodes = pass->nodes,
        .capacity = pass->capacity,
    };
    const char *at = skip_space(pass, pass->begin);
    do {
        at = take_value(pass, &spot, closers, at);
        if (at && !spot.entered)
            at = take_ends(pass, &spot, closers, at);
    } while (at && spot.depth);
    pass->count = spot.count;
    return at;
}
