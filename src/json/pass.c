// SPDX-License-Identifier: Apache-2.0
// What the passes share: escapes, UTF-8, literals, room on the tape. Each answers with the first
// byte that no document with this beginning could have there.
#include "json/pass.h"

enum { NODES_FIRST = 16, TEXT_BYTES_A_NODE = 40 }; // a batch of events needs about this many

pass_run *json_pass_best(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") ? json_pass_avx2 : json_pass_sse2;
#else
    return json_pass_portable;
#endif
}

const char *json_refuse(struct pass *pass, const char *at, enum want want)
{
    pass->wrong = at;
    pass->want = want;
    return NULL;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

// Behind four hex digits. A surrogate is told by the first two: "d8" to "db" begin a high one, "dc"
// to "df" a low one.
static const char *hex_end(struct pass *pass, const char *at, bool low, bool *ret_high)
{
    bool d = false;
    *ret_high = false;
    for (int i = 0; i < 4; i++, at++) {
        if (at == pass->end || !is_hex(*at))
            return json_refuse(pass, at, WANT_HEX);
        char digit = (char)(*at | 0x20);
        if (i == 0)
            d = digit == 'd';
        bool low_half = i == 1 && d && digit >= 'c';
        if (low && (i == 0 ? !d : i == 1 && !low_half))
            return json_refuse(pass, at, WANT_LOW_HALF);
        if (!low && low_half)
            return json_refuse(pass, at, WANT_NO_LOW_HALF);
        if (i == 1 && d && !low_half && digit >= '8')
            *ret_high = true;
    }
    return at;
}

const char *json_escape_end(struct pass *pass, const char *at)
{
    at++;
    if (at == pass->end || !*at || !strchr("\"\\/bfnrtu", *at))
        return json_refuse(pass, at, WANT_ESCAPE);
    if (*at != 'u')
        return at + 1;
    bool high;
    at = hex_end(pass, at + 1, false, &high);
    if (!at || !high)
        return at;
    for (int i = 0; i < 2; i++, at++)
        if (at == pass->end || *at != "\\u"[i])
            return json_refuse(pass, at, WANT_PAIR);
    return hex_end(pass, at, true, &high);
}

// What the byte behind a first byte may be; the ones after it are 0x80 to 0xbf. Overlong forms,
// surrogates and what is beyond U+10FFFF fail here.
static int sequence_len(unsigned char first, unsigned char *ret_least, unsigned char *ret_most)
{
    *ret_least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    *ret_most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
}

const char *json_utf8_end(struct pass *pass, const char *at)
{
    while (at < pass->end && (unsigned char)*at >= 0x80) {
        unsigned char least, most;
        int len = sequence_len((unsigned char)*at, &least, &most);
        if (len == 0)
            return json_refuse(pass, at, WANT_UTF8);
        at++;
        for (int i = 1; i < len; i++, at++) {
            if (at == pass->end || (unsigned char)*at < least || (unsigned char)*at > most)
                return json_refuse(pass, at, WANT_UTF8);
            least = 0x80;
            most = 0xbf;
        }
    }
    return at;
}

const char *json_literal_end(struct pass *pass, const char *at)
{
    for (const char *want = *at == 't' ? "true" : *at == 'f' ? "false" : "null"; *want; want++) {
        if (at == pass->end || *at != *want)
            return json_refuse(pass, at, WANT_LITERAL);
        at++;
    }
    return at;
}

bool json_tape_grow(struct pass *pass, uint32_t count)
{
    size_t text_len = (size_t)(pass->end - pass->begin);
    size_t capacity = (size_t)pass->capacity * 2;
    if (count == 0)
        capacity = pass->listed_below == 1 ? 1 : NODES_FIRST + text_len / TEXT_BYTES_A_NODE;
    struct json_node *nodes = ARENA_ARRAY(pass->arena, struct json_node, capacity);
    if (!nodes || capacity > UINT32_MAX)
        return json_refuse(pass, pass->begin, WANT_ROOM);
    if (count)
        memcpy(nodes, pass->nodes, count * sizeof *nodes);
    pass->nodes = nodes;
    pass->capacity = (uint32_t)capacity;
    return true;
}
