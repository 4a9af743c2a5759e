// SPDX-License-Identifier: Apache-2.0
// The members of a top-level object, one after the other. A flat payload's members are found by
// their own bytes; what is nested is passed in blocks (skip.c).
#include "json/json.h"
#include "json/skip.h"

#include <assert.h>

struct json_member_walk json_walk(str object)
{
    const char *end = object.ptr + object.len;
    const char *at = skip_space(object.ptr, end);
    assert(at < end && *at == '{');
    return (struct json_member_walk){at + 1, end};
}

bool json_walk_next(struct json_member_walk *walk, struct json_pair *ret_pair)
{
    const char *end = walk->end;
    const char *at = skip_space(walk->at, end);
    if (at < end && *at == ',')
        at = skip_space(at + 1, end);
    if (at >= end || *at != '"')
        return false;

    const char *key = at + 1;
    at = skip_string(key, end);
    size_t key_len = (size_t)(at - 1 - key);
    at = skip_space(at, end);
    assert(at < end && *at == ':');
    const char *value = skip_space(at + 1, end);
    at = json_skip_value(value, end);

    *ret_pair = (struct json_pair){
        .key = {key, key_len},
        .value = {value, (size_t)(at - value)},
        .key_escaped = memchr(key, '\\', key_len) != NULL,
    };
    walk->at = at;
    return true;
}
