// SPDX-License-Identifier: Apache-2.0
// Sixteen bytes at a time: the searches of the SSE2 pass, and the last bytes of the AVX2 one.
#pragma once

#include "json/pass.h"

#include <immintrin.h>

// A bit for each of the 16 bytes that a string cannot simply run over. Only top bits are gathered:
// a signed subtraction leaves one in control characters and in all bytes from 0x80 on.
static inline uint32_t simd_string_hits(const char *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i_u *)at);
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    __m128i odd = _mm_subs_epi8(bytes, _mm_set1_epi8(' '));
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), odd));
}

// Fewer than 16 bytes from the end it looks at the last 16 once more and drops what is before `at`:
// nothing behind the end is read.
static inline const char *simd_plain_tail(const struct pass *pass, const char *at)
{
    for (; pass->end - at >= 16; at += 16) {
        uint32_t hits = simd_string_hits(at);
        if (hits)
            return at + __builtin_ctz(hits);
    }
    if (pass->end - pass->begin >= 16) {
        const char *last = pass->end - 16;
        uint32_t hits = simd_string_hits(last) >> (at - last);
        return hits ? at + __builtin_ctz(hits) : pass->end;
    }
    while (at < pass->end && *at != '"' && *at != '\\' && (signed char)*at >= ' ')
        at++;
    return at;
}

static inline const char *simd_space_end(const struct pass *pass, const char *at)
{
    for (; pass->end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i_u *)at);
        __m128i space = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(' '));
        __m128i line = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n'));
        __m128i feed = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r'));
        __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
        __m128i any = _mm_or_si128(_mm_or_si128(space, line), _mm_or_si128(feed, tab));
        uint32_t other = ~(uint32_t)_mm_movemask_epi8(any) & 0xffff;
        if (other)
            return at + __builtin_ctz(other);
    }
    while (at < pass->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}
