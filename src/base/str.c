// SPDX-License-Identifier: Apache-2.0
#include "base/str.h"

str str_cut(str *rest, char separator)
{
    size_t at = str_find(*rest, separator);
    str part = str_first(*rest, at);
    *rest = str_from(*rest, at + 1);
    return part;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

str str_trim(str text)
{
    while (text.len && is_blank(text.ptr[0]))
        text = str_from(text, 1);
    while (text.len && is_blank(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

bool str_to_u64(str text, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.ptr[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *ret_value = value;
    return true;
}

bool str_to_i64(str text, int64_t *ret_value)
{
    bool negative = text.len && text.ptr[0] == '-';
    uint64_t value;
    if (!str_to_u64(negative ? str_from(text, 1) : text, &value))
        return false;
    if (value > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *ret_value = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

// The table 3-7 of the Unicode standard, as ranges of the second byte.
static size_t utf8_sequence(const unsigned char *at, size_t left)
{
    unsigned lead = at[0];
    if (lead < 0x80)
        return 1;
    unsigned low = 0x80, high = 0xbf;
    size_t length;
    if (lead >= 0xc2 && lead <= 0xdf)
        length = 2;
    else if (lead >= 0xe0 && lead <= 0xef) {
        length = 3;
        low = lead == 0xe0 ? 0xa0 : low;
        high = lead == 0xed ? 0x9f : high;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        length = 4;
        low = lead == 0xf0 ? 0x90 : low;
        high = lead == 0xf4 ? 0x8f : high;
    } else
        return 0;
    if (left < length || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

bool str_is_utf8(str text)
{
    const unsigned char *bytes = (const unsigned char *)text.ptr;
    for (size_t at = 0; at < text.len;) {
        size_t length = utf8_sequence(bytes + at, text.len - at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}
