// SPDX-License-Identifier: Apache-2.0
// URIs as far as schemas need them (RFC 3986): split, resolve, read a fragment.
#pragma once

#include "base/arena.h"
#include "base/str.h"

struct uri {
    str scheme, authority, path, query, fragment;
    bool has_scheme, has_authority, has_query, has_fragment;
};

// Splits without checking characters; formats do that. A first segment with a colon is a scheme
// even where it could not be one ("order_paid:3"), so that it is never taken for a relative path.
struct uri uri_split(str text);

// `reference` as seen from `base`, without fragment. {NULL, 0} when the arena is full.
str uri_resolve(str base, str reference, struct arena *arena);

// The text with %XX decoded; {NULL, 0} when it is malformed, not UTF-8, or the arena is full.
str uri_decode(str text, struct arena *arena);
