// SPDX-License-Identifier: Apache-2.0
// Strings and layout of checked text: unescape, compare with a key, minify. Checked means that
// every escape is whole and every surrogate has its other half, so nothing here can fail.
#include "json/json.h"
#include "json/skip.h"

#include <assert.h>

static uint32_t hex_value(const char *digits)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = digits[i];
        value = value << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

static size_t put_utf8(uint32_t point, char *target)
{
    if (point < 0x80) {
        target[0] = (char)point;
        return 1;
    }
    size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char firsts[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--, point >>= 6)
        target[i] = (char)(0x80 | (point & 0x3f));
    target[0] = (char)(firsts[len] | point);
    return len;
}

// One escape from its backslash on: at most 4 bytes for at least 6, or 1 for 2. Returns how many
// bytes it takes; `*ret_len` how many it gives.
static size_t unescape_one(const char *at, char *target, size_t *ret_len)
{
    static const char plain[] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                 ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    if (at[1] != 'u') {
        *target = plain[(unsigned char)at[1]];
        *ret_len = 1;
        return 2;
    }
    uint32_t point = hex_value(at + 2);
    bool pair = point >= 0xd800 && point <= 0xdbff;
    if (pair)
        point = 0x10000 + ((point - 0xd800) << 10) + (hex_value(at + 8) - 0xdc00);
    *ret_len = put_utf8(point, target);
    return pair ? 12 : 6;
}

size_t json_unescape(str content, char *target)
{
    size_t len = 0;
    while (content.len) {
        size_t plain = str_find(content, '\\');
        if (plain)
            memmove(target + len, content.ptr, plain);
        len += plain;
        content = str_from(content, plain);
        if (content.len) {
            char piece[4];
            size_t piece_len;
            content = str_from(content, unescape_one(content.ptr, piece, &piece_len));
            memcpy(target + len, piece, piece_len);
            len += piece_len;
        }
    }
    return len;
}

static str text_of(str content, bool escaped, struct arena *arena)
{
    if (!escaped)
        return content;
    char *target = arena_alloc(arena, content.len);
    return target ? (str){target, json_unescape(content, target)} : (str){NULL, 0};
}

str json_text(const struct json_doc *doc, const struct json_node *node, struct arena *arena)
{
    assert(node->kind == JSON_STRING);
    str span = json_span(doc, node);
    return text_of((str){span.ptr + 1, span.len - 2}, node->escaped, arena);
}

str json_key_text(const struct json_doc *doc, const struct json_node *node, struct arena *arena)
{
    return text_of(json_key_span(doc, node), node->key_escaped, arena);
}

bool json_key_is(const struct json_doc *doc, const struct json_node *node, str key)
{
    str content = json_key_span(doc, node);
    if (!node->key_escaped)
        return str_equal(content, key);
    while (content.len) {
        char piece[4] = {*content.ptr};
        size_t taken = 1, len = 1;
        if (*content.ptr == '\\')
            taken = unescape_one(content.ptr, piece, &len);
        if (!str_starts(key, (str){piece, len}))
            return false;
        key = str_from(key, len);
        content = str_from(content, taken);
    }
    return key.len == 0;
}

// The target may be the value's own memory: what is written never overtakes what is read.
size_t json_minify(str value, char *target)
{
    const char *at = value.ptr, *end = value.ptr + value.len;
    size_t len = 0;
    while (at < end) {
        const char *start = skip_space(at, end);
        for (at = start; at < end && !is_space(*at);)
            at = *at == '"' ? skip_string(at + 1, end) : at + 1;
        memmove(target + len, start, (size_t)(at - start));
        len += (size_t)(at - start);
    }
    return len;
}
