// SPDX-License-Identifier: Apache-2.0
// Sixteen bytes at a time; every x86-64 has these instructions.
#include "json/pass.h"

#if defined(__x86_64__)
#define PASS_NAME json_pass_sse2
#include "json/simd.h"

static __attribute__((noinline)) const char *plain_tail(const struct pass *pass, const char *at)
{
    return simd_plain_tail(pass, at);
}

static inline const char *plain_end(const struct pass *pass, const char *at)
{
    for (; pass->end - at >= 16; at += 16) {
        uint32_t hits = simd_string_hits(at);
        if (__builtin_expect(hits != 0, 1))
            return at + __builtin_ctz(hits);
    }
    return plain_tail(pass, at);
}

static inline const char *space_end(const struct pass *pass, const char *at)
{
    return simd_space_end(pass, at);
}

#include "json/pass_body.h"
#endif
