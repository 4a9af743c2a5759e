// SPDX-License-Identifier: Apache-2.0
// Thirty-two bytes at a time for long strings, on processors that can. Most strings are short, and
// half of all wide loads would cross a cache line: the first look is narrow, as in the SSE2 pass.
// Only what is wide is compiled for AVX2; the rest gains nothing from it (gcc 12 makes the
// constants anew for every string then: measured 15 % slower).
#include "json/pass.h"

#if defined(__x86_64__)
#define PASS_NAME json_pass_avx2
#define WIDE __attribute__((noinline, target("avx2")))
#include "json/simd.h"

static WIDE const char *long_plain_end(const struct pass *pass, const char *at)
{
    for (; pass->end - at >= 32; at += 32) {
        __m256i bytes = _mm256_loadu_si256((const __m256i_u *)at);
        __m256i quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
        __m256i backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
        __m256i odd = _mm256_subs_epi8(bytes, _mm256_set1_epi8(' '));
        __m256i any = _mm256_or_si256(_mm256_or_si256(quote, backslash), odd);
        uint32_t hits = (uint32_t)_mm256_movemask_epi8(any);
        if (hits)
            return at + __builtin_ctz(hits);
    }
    return simd_plain_tail(pass, at);
}

static inline const char *plain_end(const struct pass *pass, const char *at)
{
    if (__builtin_expect(pass->end - at >= 16, 1)) {
        uint32_t hits = simd_string_hits(at);
        if (__builtin_expect(hits != 0, 1))
            return at + __builtin_ctz(hits);
        at += 16;
    }
    return long_plain_end(pass, at);
}

static inline const char *space_end(const struct pass *pass, const char *at)
{
    return simd_space_end(pass, at);
}

#include "json/pass_body.h"
#endif
