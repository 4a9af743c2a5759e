// SPDX-License-Identifier: Apache-2.0
// UUIDs (RFC 9562): reading, writing, and making version 7.
#pragma once

#include "base/str.h"

enum { UUID_TEXT_LEN = 36 };

// Lower case with hyphens; writes no NUL.
void uuid_format(als_id id, char text[static UUID_TEXT_LEN]);
// Upper or lower case; with or without hyphens, braces or "urn:uuid:".
bool uuid_parse(str text, als_id *ret_id);
// Version 7: milliseconds of `now_us`, then `random`, of which the version and variant bits are
// overwritten. Unique because `random` is.
als_id uuid_v7(int64_t now_us, const uint8_t random[static 10]);

static inline bool uuid_equal(als_id a, als_id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}
