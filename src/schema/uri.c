// SPDX-License-Identifier: Apache-2.0
#include "schema/uri.h"

struct uri uri_split(str text)
{
    struct uri uri = {};
    size_t at = str_find(text, '#');
    uri.has_fragment = at < text.len;
    uri.fragment = str_from(text, at + uri.has_fragment);
    text = str_first(text, at);
    at = str_find(text, '?');
    uri.has_query = at < text.len;
    uri.query = str_from(text, at + uri.has_query);
    text = str_first(text, at);
    at = str_find(text, ':');
    if (at > 0 && at < text.len && at < str_find(text, '/')) {
        uri.has_scheme = true;
        uri.scheme = str_first(text, at);
        text = str_from(text, at + 1);
    }
    if (str_starts(text, S("//"))) {
        text = str_from(text, 2);
        uri.has_authority = true;
        uri.authority = str_first(text, str_find(text, '/'));
        text = str_from(text, uri.authority.len);
    }
    uri.path = text;
    return uri;
}

// RFC 3986, 5.2.4, in place: what is written never overtakes what is read.
static size_t without_dots(char *path, size_t len)
{
    str rest = {path, len};
    size_t written = 0;
    while (rest.len) {
        if (str_starts(rest, S("../")) || str_starts(rest, S("./"))) {
            rest = str_from(rest, rest.ptr[1] == '.' ? 3 : 2);
        } else if (str_starts(rest, S("/./"))) {
            rest = str_from(rest, 2);
        } else if (str_equal(rest, S("/."))) {
            rest = S("/");
        } else if (str_starts(rest, S("/../")) || str_equal(rest, S("/.."))) {
            rest = rest.len > 3 ? str_from(rest, 3) : S("/");
            while (written && path[--written] != '/')
                ;
        } else if (str_equal(rest, S(".")) || str_equal(rest, S(".."))) {
            rest.len = 0;
        } else {
            size_t slash = str_find(str_from(rest, 1), '/') + 1;
            memmove(path + written, rest.ptr, slash);
            written += slash;
            rest = str_from(rest, slash);
        }
    }
    return written;
}

struct writing {
    char *ptr;
    size_t len;
};

static void put(struct writing *writing, str text)
{
    if (text.len)
        memcpy(writing->ptr + writing->len, text.ptr, text.len);
    writing->len += text.len;
}

// The path of the base up to its last slash.
static str parent_path(const struct uri *base)
{
    size_t len = base->path.len;
    while (len && base->path.ptr[len - 1] != '/')
        len--;
    if (len == 0 && base->has_authority && base->path.len == 0)
        return S("/");
    return str_first(base->path, len);
}

// Which parts come from where: RFC 3986, 5.2.2.
str uri_resolve(str base_text, str reference, struct arena *arena)
{
    struct uri base = uri_split(base_text), uri = uri_split(reference), target = uri;
    str before = {NULL, 0};
    bool dots = true;
    if (!uri.has_scheme) {
        target.has_scheme = base.has_scheme;
        target.scheme = base.scheme;
        if (!uri.has_authority) {
            target.has_authority = base.has_authority;
            target.authority = base.authority;
            if (uri.path.len == 0) {
                dots = false;
                target.path = base.path;
                target.has_query = uri.has_query || base.has_query;
                target.query = uri.has_query ? uri.query : base.query;
            } else if (*uri.path.ptr != '/') {
                before = parent_path(&base);
            }
        }
    }
    struct writing writing = {arena_alloc(arena, base_text.len + reference.len + 8), 0};
    if (!writing.ptr)
        return (str){NULL, 0};
    if (target.has_scheme) {
        put(&writing, target.scheme);
        put(&writing, S(":"));
    }
    if (target.has_authority) {
        put(&writing, S("//"));
        put(&writing, target.authority);
    }
    size_t path = writing.len;
    put(&writing, before);
    put(&writing, target.path);
    if (dots)
        writing.len = path + without_dots(writing.ptr + path, writing.len - path);
    if (target.has_query) {
        put(&writing, S("?"));
        put(&writing, target.query);
    }
    return (str){writing.ptr, writing.len};
}

static int hex_value(char c)
{
    if ((unsigned)(c - '0') < 10)
        return c - '0';
    return (unsigned)((c | 0x20) - 'a') < 6 ? (c | 0x20) - 'a' + 10 : -1;
}

str uri_decode(str text, struct arena *arena)
{
    if (text.len == 0 || str_find(text, '%') == text.len)
        return text.ptr ? text : S("");
    char *target = arena_alloc(arena, text.len);
    size_t len = 0;
    if (!target)
        return (str){NULL, 0};
    for (size_t i = 0; i < text.len; i++) {
        target[len] = text.ptr[i];
        if (text.ptr[i] == '%') {
            int high = i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
            int low = high >= 0 ? hex_value(text.ptr[i + 2]) : -1;
            if (low < 0)
                return (str){NULL, 0};
            target[len] = (char)(high << 4 | low);
            i += 2;
        }
        len++;
    }
    str decoded = {target, len};
    return str_is_utf8(decoded) ? decoded : (str){NULL, 0};
}
