// SPDX-License-Identifier: Apache-2.0
#include "schema/content.h"

static int value_of(char c)
{
    if ((unsigned)(c - 'A') < 26)
        return c - 'A';
    if ((unsigned)(c - 'a') < 26)
        return c - 'a' + 26;
    if ((unsigned)(c - '0') < 10)
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool content_decode(str text, struct arena *arena, str *ret_bytes)
{
    if (text.len % 4)
        return false;
    size_t padding = str_ends(text, S("==")) ? 2 : str_ends(text, S("=")) ? 1 : 0;
    char *bytes = arena_alloc(arena, text.len / 4 * 3 + 1);
    *ret_bytes = (str){bytes, 0};
    unsigned bits = 0;
    for (size_t i = 0; bytes && i < text.len; i++) {
        bool pad = i >= text.len - padding;
        int value = pad ? 0 : value_of(text.ptr[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (unsigned)value;
        if (i % 4 != 3)
            continue;
        for (int shift = 16; shift >= 0; shift -= 8)
            bytes[ret_bytes->len++] = (char)(bits >> shift & 0xff);
        bits = 0;
    }
    ret_bytes->len -= bytes ? padding : 0;
    return true;
}
