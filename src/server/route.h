// SPDX-License-Identifier: Apache-2.0
// Which resource a path is, and which of its methods a request wants.
//
// Pure functions over a table; the table itself is routes.def.
#pragma once

#include "base/arena.h"
#include "base/str.h"

struct call;

enum route_body {
    NO_BODY,    // a body is read and ignored
    JSON_BODY,  // application/json or application/*+json, else 415
    BATCH_BODY, // the same, or NDJSON
    UPGRADE,    // the handler runs when the headers are known, to become a WebSocket
};

struct route {
    str method, path;
    void (*handle)(struct call *call);
    enum route_body body;
};

enum { ROUTE_PARAMETERS_MAX = 2, ROUTE_ALLOW_MAX = 64 };

enum route_found {
    ROUTE_FOUND,
    ROUTE_UNKNOWN_PATH,
    ROUTE_OTHER_METHOD,  // the path is known; `allow` says for which methods
    ROUTE_BAD_PARAMETER, // not UTF-8 when decoded, or the arena is full
};

struct route_match {
    const struct route *route;            // any of the resource's unless ROUTE_UNKNOWN_PATH
    str parameters[ROUTE_PARAMETERS_MAX]; // decoded, in the order of the template
    char allow[ROUTE_ALLOW_MAX];
};

// `path` is as sent. No segment may be empty, so a trailing slash is another (unknown) path.
enum route_found route_find(const struct route *routes, size_t count, str method, str path,
                            struct arena *arena, struct route_match *ret_match);

// Whether `content_type` is one that a route with this body takes; parameters are ignored.
bool route_takes(enum route_body body, str content_type);
bool media_type_is_lines(str content_type); // NDJSON
