// SPDX-License-Identifier: Apache-2.0
// contentEncoding and contentMediaType of draft-07, where formats are asserted. In 2020-12 they are
// annotations.
#pragma once

#include "base/arena.h"
#include "base/str.h"

// Base64 (RFC 4648, section 4, padded). *ret_bytes is made in the arena; ptr NULL when it is full.
bool content_decode(str text, struct arena *arena, str *ret_bytes);
