// SPDX-License-Identifier: Apache-2.0
// Thirty-two bytes at a time, on processors that can.
#include "json/pass.h"

#if defined(__x86_64__)
#define PASS_NAME json_pass_avx2
#define PASS_TARGET __attribute__((target("avx2,bmi")))
#include "json/simd.h"

// A signed comparison finds control characters and all bytes from 0x80 on in one.
static inline PASS_TARGET const char *plain_end(const struct pass *pass, const char *at)
{
    for (; pass->end - at >= 32; at += 32) {
        __m256i bytes = _mm256_loadu_si256((const __m256i_u *)at);
        __m256i quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
        __m256i backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
        __m256i odd = _mm256_cmpgt_epi8(_mm256_set1_epi8(' '), bytes);
        __m256i any = _mm256_or_si256(_mm256_or_si256(quote, backslash), odd);
        uint32_t hits = (uint32_t)_mm256_movemask_epi8(any);
        if (__builtin_expect(hits != 0, 1))
            return at + __builtin_ctz(hits);
    }
    return simd_plain_tail(pass, at);
}

static inline PASS_TARGET const char *space_end(const struct pass *pass, const char *at)
{
    return simd_space_end(pass, at);
}

#include "json/pass_body.h"
#endif
