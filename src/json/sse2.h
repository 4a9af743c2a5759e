// SPDX-License-Identifier: Apache-2.0
// The searches with what every x86-64 has: sixteen bytes at a time.
#pragma once

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
