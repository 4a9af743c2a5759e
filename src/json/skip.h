// SPDX-License-Identifier: Apache-2.0
// Moving over checked text: here nothing is doubted, so values are passed without being read.
#pragma once

#include "base/str.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *skip_space(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

// Behind a string whose content begins at `at`.
static inline const char *skip_string(const char *at, const char *end)
{
    while (at < end) {
#if defined(__x86_64__)
        for (uint32_t hits = 0; !hits && end - at >= 16;) {
            __m128i bytes = _mm_loadu_si128((const __m128i_u *)at);
            hits = (uint32_t)_mm_movemask_epi8(
                _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                             _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
            at += hits ? __builtin_ctz(hits) : 16;
        }
#endif
        while (at < end && *at != '"' && *at != '\\')
            at++;
        if (at < end && *at == '"')
            return at + 1;
        at += 2;
    }
    return end;
}

// Behind the array or object that begins at `at`.
const char *json_skip_container(const char *at, const char *end);
// Behind the value of any kind that begins at `at`.
const char *json_skip_value(const char *at, const char *end);
