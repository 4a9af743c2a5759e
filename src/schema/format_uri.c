// SPDX-License-Identifier: Apache-2.0
// URIs and IRIs by the characters that each part may hold; JSON Pointers; UUIDs.
#include "schema/format_check.h"

#include "schema/uri.h"
#include "schema/value.h"

// What a part may hold beside unreserved characters, sub-delimiters and %XX.
struct part {
    const char *more;
    bool international, private_use;
};

static bool is_foreign(uint32_t point, const struct part *part)
{
    bool noncharacter = (point & 0xfffe) == 0xfffe || (point >= 0xfdd0 && point <= 0xfdef);
    bool private_use = (point >= 0xe000 && point <= 0xf8ff) || point >= 0xf0000;
    bool tag = point >= 0xe0000 && point <= 0xe0fff;
    if (private_use)
        return part->private_use && !noncharacter;
    return point >= 0xa0 && !noncharacter && !(point >= 0xfff0 && point <= 0xffff) && !tag;
}

static bool part_holds(str text, struct part part)
{
    struct text_reader reader = text_reader(text);
    while (reader.at < reader.end) {
        char c = *reader.at;
        if ((unsigned char)c >= 0x80) {
            if (!part.international || !is_foreign(text_next(&reader), &part))
                return false;
            continue;
        }
        reader.at++;
        if (c == '%') {
            if (reader.end - reader.at < 2 || !is_hex(reader.at[0]) || !is_hex(reader.at[1]))
                return false;
            reader.at += 2;
        } else if (!is_letter(c) && !is_digit(c) &&
                   !(c && (strchr("-._~!$&'()*+,;=", c) || strchr(part.more, c)))) {
            return false;
        }
    }
    return true;
}

static bool is_scheme(str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_letter(text.ptr[i]) && (i == 0 || (!is_digit(text.ptr[i]) && text.ptr[i] != '+' &&
                                                   text.ptr[i] != '-' && text.ptr[i] != '.')))
            return false;
    return text.len > 0;
}

static bool is_future_address(str text)
{
    size_t dot = str_find(text, '.');
    if (text.len < 4 || (*text.ptr | 0x20) != 'v' || dot < 2 || dot + 1 >= text.len)
        return false;
    for (size_t i = 1; i < dot; i++)
        if (!is_hex(text.ptr[i]))
            return false;
    str rest = str_from(text, dot + 1);
    return str_find(rest, '%') == rest.len && part_holds(rest, (struct part){.more = ":"});
}

static bool is_authority(str text, bool international)
{
    size_t at = text.len;
    while (at > 0 && text.ptr[at - 1] != '@')
        at--;
    if (at > 0 && !part_holds(str_first(text, at - 1), (struct part){":", international, false}))
        return false;
    str host = str_from(text, at), port = {NULL, 0};
    if (host.len && *host.ptr == '[') {
        size_t close = str_find(host, ']');
        if (close == host.len)
            return false;
        str address = {host.ptr + 1, close - 1};
        port = str_from(host, close + 1);
        if (port.len && *port.ptr != ':')
            return false;
        port = str_from(port, port.len > 0);
        return (port.len == 0 || all_digits(port)) &&
               (is_ipv6(address) || is_future_address(address));
    }
    size_t colon = str_find(host, ':');
    port = str_from(host, colon + (colon < host.len));
    return (port.len == 0 || all_digits(port)) &&
           part_holds(str_first(host, colon), (struct part){"", international, false});
}

static bool is_reference(str text, bool absolute, bool international)
{
    struct uri uri = uri_split(text);
    if (uri.has_scheme ? !is_scheme(uri.scheme) : absolute)
        return false;
    if (!uri.has_scheme && !uri.has_authority) { // a colon would have made a scheme
        str segment = str_first(uri.path, str_find(uri.path, '/'));
        if (str_find(segment, ':') < segment.len)
            return false;
    }
    if (uri.has_authority && !is_authority(uri.authority, international))
        return false;
    return part_holds(uri.path, (struct part){":@/", international, false}) &&
           part_holds(uri.query, (struct part){":@/?", international, true}) &&
           part_holds(uri.fragment, (struct part){":@/?", international, false});
}

bool is_uri(str text)
{
    return is_reference(text, true, false);
}

bool is_uri_reference(str text)
{
    return is_reference(text, false, false);
}

bool is_iri(str text)
{
    return is_reference(text, true, true);
}

bool is_iri_reference(str text)
{
    return is_reference(text, false, true);
}

// One variable of a template: a name of letters, digits, '_', '.', %XX; then "*" or ":length".
static bool is_variable(str text)
{
    if (str_ends(text, S("*"))) {
        text.len--;
    } else if (str_find(text, ':') < text.len) {
        str length = text;
        text = str_cut(&length, ':');
        if (!all_digits(length) || length.len > 4 || *length.ptr == '0')
            return false;
    }
    bool dot = true; // none first, none behind another, none last
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool escape =
            c == '%' && i + 2 < text.len && is_hex(text.ptr[i + 1]) && is_hex(text.ptr[i + 2]);
        if ((c == '.' && dot) || (c != '.' && c != '_' && !is_letter(c) && !is_digit(c) && !escape))
            return false;
        dot = c == '.';
        i += escape ? 2 : 0;
    }
    return !dot;
}

static bool is_expression(str text)
{
    if (text.len && strchr("+#./;?&=,!@|", *text.ptr))
        text = str_from(text, 1);
    for (bool more = true; more;) {
        size_t comma = str_find(text, ',');
        more = comma < text.len;
        if (!is_variable(str_first(text, comma)))
            return false;
        text = str_from(text, comma + more);
    }
    return true;
}

bool is_uri_template(str text)
{
    while (text.len) {
        size_t open = str_find(text, '{');
        str literal = str_first(text, open);
        if (str_find(literal, '\'') < literal.len ||
            !part_holds(literal, (struct part){":@/?#[]", true, true}))
            return false;
        text = str_from(text, open);
        if (text.len == 0)
            return true;
        size_t close = str_find(text, '}');
        if (close == text.len || !is_expression((str){text.ptr + 1, close - 1}))
            return false;
        text = str_from(text, close + 1);
    }
    return true;
}

bool is_uuid(str text)
{
    if (text.len != 36)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text.ptr[i] != '-' : !is_hex(text.ptr[i]))
            return false;
    }
    return true;
}

bool is_json_pointer(str text)
{
    if (text.len && *text.ptr != '/')
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '~' &&
            (i + 1 == text.len || (text.ptr[i + 1] != '0' && text.ptr[i + 1] != '1')))
            return false;
    return true;
}

bool is_relative_json_pointer(str text)
{
    size_t digits = 0;
    while (digits < text.len && is_digit(text.ptr[digits]))
        digits++;
    if (digits == 0 || (digits > 1 && *text.ptr == '0'))
        return false;
    str rest = str_from(text, digits);
    return str_equal(rest, S("#")) || is_json_pointer(rest);
}
