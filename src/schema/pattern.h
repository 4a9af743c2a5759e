// SPDX-License-Identifier: Apache-2.0
// Regular expressions of ECMA-262 (with its flag u), matched in time that is linear in the text.
//
// All of the syntax is understood but one thing: a back-reference (\1, \k<name>) is refused, for no
// linear matcher can follow it. Look-ahead and look-behind are matched. There are no captures: a
// pattern matches somewhere in a text or it does not. Leniently, any ASCII punctuation may be
// escaped (\-, \@). Why our own: docs/adr/0015-patterns.md.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "schema/value.h"

struct pattern;

// Compiles into `arena`; what is needed only meanwhile goes into `scratch`. Making tables, which
// match faster, counts `*table_work` down and is left out when that is used up; the pattern matches
// all the same. ALS_VALIDATION with
// where and why when it is no regular expression or has a back-reference; ALS_TOO_LARGE past
// SCHEMA_PATTERN_BYTES_MAX, SCHEMA_PATTERN_STATES_MAX, or when an arena is full.
err pattern_compile(str text, struct arena *arena, struct arena *scratch, uint64_t *table_work,
                    const struct pattern **ret_pattern, struct als_why *why);

// Whether the text is a regular expression at all (back-references included).
bool pattern_is_valid(str text, struct arena *scratch);

// Whether it matches somewhere in `text`, which is UTF-8. Means nothing when `work` ran out.
bool pattern_matches(const struct pattern *pattern, str text, struct value_work *work);
