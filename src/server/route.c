// SPDX-License-Identifier: Apache-2.0
#include "server/route.h"

#include "http/http.h"

#include <strings.h>

static bool is_parameter(str segment)
{
    return segment.len > 2 && segment.ptr[0] == '{';
}

// Both begin with '/'. The parameters are left as they were sent.
static bool template_matches(str template, str path, str raw[static ROUTE_PARAMETERS_MAX],
                             size_t *ret_count)
{
    size_t count = 0;
    while (template.len && path.len) {
        template = str_from(template, 1);
        path = str_from(path, 1);
        size_t wanted_len = str_find(template, '/'), given_len = str_find(path, '/');
        str wanted = str_first(template, wanted_len), given = str_first(path, given_len);
        template = str_from(template, wanted_len);
        path = str_from(path, given_len);
        if (given.len == 0)
            return false;
        if (is_parameter(wanted)) {
            if (count == ROUTE_PARAMETERS_MAX)
                return false;
            raw[count++] = given;
        } else if (!str_equal(wanted, given))
            return false;
    }
    *ret_count = count;
    return template.len == 0 && path.len == 0;
}

static void add_method(char allow[static ROUTE_ALLOW_MAX], str method)
{
    size_t len = strlen(allow);
    if (len + method.len + 3 > ROUTE_ALLOW_MAX)
        return;
    if (len) {
        memcpy(allow + len, ", ", 2);
        len += 2;
    }
    memcpy(allow + len, method.ptr, method.len);
    allow[len + method.len] = '\0';
}

static const struct route *find_method(const struct route *routes, size_t count, str path,
                                       str method, char allow[static ROUTE_ALLOW_MAX])
{
    const struct route *found = NULL;
    allow[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (!str_equal(routes[i].path, path))
            continue;
        bool get = str_equal(routes[i].method, S("GET"));
        add_method(allow, routes[i].method);
        if (get)
            add_method(allow, S("HEAD"));
        if (str_equal(routes[i].method, method) || (get && str_equal(method, S("HEAD"))))
            found = &routes[i];
    }
    add_method(allow, S("OPTIONS"));
    return found;
}

enum route_found route_find(const struct route *routes, size_t count, str method, str path,
                            struct arena *arena, struct route_match *ret_match)
{
    if (path.len == 0 || path.ptr[0] != '/')
        return ROUTE_UNKNOWN_PATH;
    str raw[ROUTE_PARAMETERS_MAX];
    size_t raw_count = 0, at = 0;
    while (at < count && !template_matches(routes[at].path, path, raw, &raw_count))
        at++;
    if (at == count)
        return ROUTE_UNKNOWN_PATH;

    struct route_match match = {.route = &routes[at]};
    const struct route *wanted = find_method(routes, count, routes[at].path, method, match.allow);
    if (!wanted) {
        *ret_match = match;
        return ROUTE_OTHER_METHOD;
    }
    match.route = wanted;
    for (size_t i = 0; i < raw_count; i++)
        if (!http_decode(raw[i], false, arena, &match.parameters[i]))
            return ROUTE_BAD_PARAMETER;
    *ret_match = match;
    return ROUTE_FOUND;
}

static bool equal_ignoring_case(str a, str b)
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

static str media_type(str content_type)
{
    return str_trim(str_first(content_type, str_find(content_type, ';')));
}

bool media_type_is_lines(str content_type)
{
    str type = media_type(content_type);
    return equal_ignoring_case(type, S("application/x-ndjson")) ||
           equal_ignoring_case(type, S("application/ndjson"));
}

static bool media_type_is_json(str content_type)
{
    str type = media_type(content_type), prefix = S("application/"), suffix = S("+json");
    if (equal_ignoring_case(type, S("application/json")))
        return true;
    return type.len > prefix.len + suffix.len &&
           equal_ignoring_case(str_first(type, prefix.len), prefix) &&
           equal_ignoring_case(str_from(type, type.len - suffix.len), suffix);
}

bool route_takes(enum route_body body, str content_type)
{
    switch (body) {
    case JSON_BODY:
        return media_type_is_json(content_type);
    case BATCH_BODY:
        return media_type_is_json(content_type) || media_type_is_lines(content_type);
    case NO_BODY:
    case UPGRADE:
        break;
    }
    return true;
}
