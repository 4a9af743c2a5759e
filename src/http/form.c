// SPDX-License-Identifier: Apache-2.0
// Percent-encoding (RFC 3986) and query strings (application/x-www-form-urlencoded).
#include "http.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool http_decode(str text, bool plus_is_space, struct arena *arena, str *ret_text)
{
    char *out = arena_alloc(arena, text.len + 1);
    if (!out)
        return false;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex(text.ptr[i + 1]) : -1;
            int low = high >= 0 ? hex(text.ptr[i + 2]) : -1;
            if (low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[len++] = c;
    }
    out[len] = '\0';
    if (!str_is_utf8((str){out, len}))
        return false;
    *ret_text = (str){out, len};
    return true;
}

bool http_next_parameter(str *rest, struct arena *arena, str *ret_name, str *ret_value,
                         bool *ret_bad)
{
    *ret_bad = false;
    str pair = {NULL, 0};
    while (pair.len == 0) { // "a=1&&b=2" has two parameters
        if (rest->len == 0)
            return false;
        pair = str_cut(rest, '&');
    }
    str value = pair, name = str_cut(&value, '=');
    *ret_bad =
        !http_decode(name, true, arena, ret_name) || !http_decode(value, true, arena, ret_value);
    return true;
}
