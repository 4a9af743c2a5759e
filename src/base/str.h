// SPDX-License-Identifier: Apache-2.0
// Slices: borrowed bytes with a length.
#pragma once

#include <allsource/types.h>

#include <stdbool.h>
#include <string.h>

typedef als_str str;

#define S(literal) ((str){"" literal, sizeof(literal) - 1})
// For printf: "%.*s", STR(slice). Slices that are printed are short; longer ones are cut at 1 MiB.
#define STR(slice)                                                                                 \
    (int)((slice).len > 1048576 ? 1048576 : (slice).len), (slice).ptr ? (slice).ptr : ""

static inline str str_of(const char *text)
{
    return (str){text, text ? strlen(text) : 0};
}

static inline bool str_equal(str a, str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

// Bytewise order, a shorter prefix first: <0, 0, >0.
static inline int str_compare(str a, str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static inline bool str_starts(str text, str prefix)
{
    return text.len >= prefix.len &&
           (prefix.len == 0 || memcmp(text.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool str_ends(str text, str suffix)
{
    return text.len >= suffix.len && (suffix.len == 0 || memcmp(text.ptr + text.len - suffix.len,
                                                                suffix.ptr, suffix.len) == 0);
}

static inline str str_from(str text, size_t start)
{
    return start >= text.len ? (str){text.ptr + text.len, 0}
                             : (str){text.ptr + start, text.len - start};
}

static inline str str_first(str text, size_t len)
{
    return (str){text.ptr, text.len < len ? text.len : len};
}

// Where `c` is first, or text.len.
static inline size_t str_find(str text, char c)
{
    const char *at = text.len ? memchr(text.ptr, c, text.len) : NULL;
    return at ? (size_t)(at - text.ptr) : text.len;
}

// Cuts the part before the first `separator` off `*rest` and returns it; the separator is dropped.
str str_cut(str *rest, char separator);
str str_trim(str text); // without ASCII white space at both ends

// Decimal digits only, nothing else; false when it is not a number or does not fit.
bool str_to_u64(str text, uint64_t *ret_value);
bool str_to_i64(str text, int64_t *ret_value); // with an optional '-'

// Well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF).
bool str_is_utf8(str text);
