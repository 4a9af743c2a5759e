// SPDX-License-Identifier: Apache-2.0
// The pieces of the grammar one by one, for who knows what to expect. A string without anything odd
// in its first bytes is the common case and makes no pass.
#if defined(__x86_64__)
#include "json/sse2.h"
#else
#include "json/portable.h"
#endif

#include "json/pieces.h"

static __attribute__((noinline)) struct json_taken take_odd(const char *at, const char *end)
{
    struct pass pass = {.begin = at, .end = end};
    return take_string(&pass, at);
}

struct json_taken json_take_string(const char *at, const char *end)
{
#if defined(__x86_64__)
    if (__builtin_expect(end - at >= 16, 1)) {
        uint32_t hits = simd_string_hits(at);
        const char *odd = at + (hits ? __builtin_ctz(hits) : 0);
        if (__builtin_expect(hits && *odd == '"', 1))
            return (struct json_taken){odd + 1, false};
    }
#endif
    return take_odd(at, end);
}

const char *json_take_number(const char *at, const char *end)
{
    struct pass pass = {.begin = at, .end = end};
    return at < end ? take_number(&pass, at) : NULL;
}

const char *json_take_literal(const char *at, const char *end)
{
    struct pass pass = {.begin = at, .end = end};
    return at < end ? take_literal(&pass, at) : NULL;
}

const char *json_take_space(const char *at, const char *end)
{
    struct pass pass = {.begin = at, .end = end};
    return skip_space(&pass, at);
}

const char *json_take_value(const char *at, const char *end, uint32_t depth_max, bool *ret_spaced)
{
    struct pass pass = {.begin = at, .end = end, .depth_max = depth_max};
    const char *behind = json_pass_best()(&pass);
    *ret_spaced = pass.spaced != NULL;
    return behind;
}
