// SPDX-License-Identifier: Apache-2.0
// Host names. An international label is judged by RFC 5892: what its code points are, and for some
// of them what stands around. One that is written in ASCII ("xn--...") is decoded (RFC 3492),
// judged, and must be what encoding gives. The rule for right-to-left labels (RFC 5893) is left
// out.
#include "schema/format_check.h"

#include "schema/unicode.h"
#include "schema/value.h"

enum { LABEL_MAX = 63, HOST_MAX = 253 };

struct label {
    uint32_t points[LABEL_MAX];
    size_t count;
};

// ---- Punycode

enum { BASE = 36, T_MIN = 1, T_MAX = 26, SKEW = 38, DAMP = 700, BIAS = 72, FIRST = 128 };

static uint32_t adapt(uint32_t delta, uint32_t count, bool first)
{
    uint32_t k = 0;
    delta = first ? delta / DAMP : delta / 2;
    delta += delta / count;
    for (; delta > ((BASE - T_MIN) * T_MAX) / 2; k += BASE)
        delta /= BASE - T_MIN;
    return k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
}

static uint32_t threshold(uint32_t k, uint32_t bias)
{
    return k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
}

static int digit_value(char c)
{
    if (is_letter(c))
        return (c | 0x20) - 'a';
    return is_digit(c) ? c - '0' + 26 : -1;
}

// One number of variable length; false when it is malformed or too large.
static bool take_number(str *text, uint32_t bias, uint64_t *ret_number)
{
    uint64_t number = 0, weight = 1;
    for (uint32_t k = BASE;; k += BASE) {
        int digit = text->len ? digit_value(*text->ptr) : -1;
        if (digit < 0)
            return false;
        *text = str_from(*text, 1);
        number += (uint64_t)digit * weight;
        uint32_t t = threshold(k, bias);
        if (number > UINT32_MAX)
            return false;
        if ((uint32_t)digit < t)
            break;
        weight *= BASE - t;
        if (weight > UINT32_MAX)
            return false;
    }
    *ret_number = number;
    return true;
}

// Behind "xn--".
static bool decode(str text, struct label *label)
{
    size_t basic = text.len;
    while (basic > 0 && text.ptr[basic - 1] != '-')
        basic--;
    label->count = 0;
    for (size_t i = 0; i + 1 < basic; i++) {
        char c = text.ptr[i];
        label->points[label->count++] = (uint32_t)((unsigned)(c - 'A') < 26 ? c | 0x20 : c);
    }
    text = str_from(text, basic);
    uint64_t point = FIRST, at = 0, number;
    uint32_t bias = BIAS;
    while (text.len) {
        if (!take_number(&text, bias, &number) || label->count == LABEL_MAX)
            return false;
        uint32_t count = (uint32_t)label->count + 1;
        bias = adapt((uint32_t)number, count,
                     at == 0 && point == FIRST && count == basic + (basic == 0));
        at += number;
        point += at / count;
        at %= count;
        if (point > UNICODE_LAST || (point >= 0xd800 && point < 0xe000))
            return false;
        memmove(&label->points[at + 1], &label->points[at],
                (label->count - at) * sizeof *label->points);
        label->points[at++] = (uint32_t)point;
        label->count++;
    }
    return label->count > 0;
}

// How many characters encoding takes, "xn--" included.
static size_t encoded_length(const struct label *label)
{
    size_t done = 0, len = 4;
    for (size_t i = 0; i < label->count; i++)
        done += label->points[i] < FIRST;
    size_t basic = done;
    len += basic + (basic > 0);
    uint64_t delta = 0;
    uint32_t point = FIRST, bias = BIAS;
    while (done < label->count) {
        uint32_t next = UINT32_MAX;
        for (size_t i = 0; i < label->count; i++)
            if (label->points[i] >= point && label->points[i] < next)
                next = label->points[i];
        delta += (uint64_t)(next - point) * (done + 1);
        point = next;
        for (size_t i = 0; i < label->count; i++) {
            delta += label->points[i] < point;
            if (label->points[i] != point)
                continue;
            uint64_t q = delta;
            for (uint32_t k = BASE;; k += BASE, len++) {
                uint32_t t = threshold(k, bias);
                if (q < t)
                    break;
                q = (q - t) / (BASE - t);
            }
            len++;
            bias = adapt((uint32_t)delta, (uint32_t)done + 1, done == basic);
            delta = 0;
            done++;
        }
        delta++;
        point++;
    }
    return len;
}

// ---- What an international label may hold

static bool in(uint32_t point, const uint32_t *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == point)
            return true;
    return false;
}
#define IN(point, ...)                                                                             \
    in((point), (const uint32_t[]){__VA_ARGS__},                                                   \
       sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static bool is_allowed(uint32_t point)
{
    if (IN(point, 0xdf, 0x3c2, 0x6fd, 0x6fe, 0xf0b, 0x3007))
        return true;
    if (IN(point, 0x640, 0x7fa, 0x302e, 0x302f, 0x3031, 0x3032, 0x3033, 0x3034, 0x3035, 0x303b))
        return false;
    if (point < 128)
        return point == '-' || is_digit((char)point) || (point >= 'a' && point <= 'z');
    bool old_jamo = (point >= 0x1100 && point <= 0x11ff) || (point >= 0xa960 && point <= 0xa97f) ||
                    (point >= 0xd7b0 && point <= 0xd7ff);
    if (old_jamo || unicode_is("Unstable", point) ||
        unicode_is("Default_Ignorable_Code_Point", point))
        return false;
    return unicode_is("Ll", point) || unicode_is("Lo", point) || unicode_is("Lm", point) ||
           unicode_is("Mn", point) || unicode_is("Mc", point) || unicode_is("Nd", point);
}

// Letters that join on both sides of a zero width non-joiner (RFC 5892, A.1).
static bool joins_around(const struct label *label, size_t at)
{
    size_t left = at, right = at + 1;
    while (left > 0 && unicode_is("Joins_Through", label->points[left - 1]))
        left--;
    while (right < label->count && unicode_is("Joins_Through", label->points[right]))
        right++;
    if (left == 0 || right == label->count)
        return false;
    uint32_t before = label->points[left - 1], behind = label->points[right];
    return (unicode_is("Joins_Left", before) || unicode_is("Joins_Both", before)) &&
           (unicode_is("Joins_Right", behind) || unicode_is("Joins_Both", behind));
}

static bool has_kana_or_han(const struct label *label)
{
    for (size_t i = 0; i < label->count; i++)
        if (label->points[i] != 0x30fb && (unicode_is_script("Hiragana", label->points[i]) ||
                                           unicode_is_script("Katakana", label->points[i]) ||
                                           unicode_is_script("Han", label->points[i])))
            return true;
    return false;
}

static bool has_between(const struct label *label, uint32_t first, uint32_t last)
{
    for (size_t i = 0; i < label->count; i++)
        if (label->points[i] >= first && label->points[i] <= last)
            return true;
    return false;
}

enum context { CONTEXT_NONE, CONTEXT_GOOD, CONTEXT_BAD };

// Code points that are allowed in some surroundings only (RFC 5892, appendix A).
static enum context context_of(const struct label *label, size_t at)
{
    uint32_t point = label->points[at];
    uint32_t before = at > 0 ? label->points[at - 1] : 0;
    uint32_t behind = at + 1 < label->count ? label->points[at + 1] : 0;
    bool good;
    if (point == 0xb7)
        good = before == 'l' && behind == 'l';
    else if (point == 0x375)
        good = behind && unicode_is_script("Greek", behind);
    else if (point == 0x5f3 || point == 0x5f4)
        good = before && unicode_is_script("Hebrew", before);
    else if (point == 0x30fb)
        good = has_kana_or_han(label);
    else if (point >= 0x660 && point <= 0x669)
        good = !has_between(label, 0x6f0, 0x6f9);
    else if (point >= 0x6f0 && point <= 0x6f9)
        good = !has_between(label, 0x660, 0x669);
    else if (point == 0x200d)
        good = before && unicode_is("Virama", before);
    else if (point == 0x200c)
        good = (before && unicode_is("Virama", before)) || joins_around(label, at);
    else
        return CONTEXT_NONE;
    return good ? CONTEXT_GOOD : CONTEXT_BAD;
}

static bool is_international(const struct label *label)
{
    const uint32_t *points = label->points;
    size_t count = label->count;
    if (count == 0 || points[0] == '-' || points[count - 1] == '-' ||
        (count > 3 && points[2] == '-' && points[3] == '-') || unicode_is("M", points[0]) ||
        encoded_length(label) > LABEL_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        enum context context = context_of(label, i);
        if (context == CONTEXT_BAD || (context == CONTEXT_NONE && !is_allowed(points[i])))
            return false;
    }
    return true;
}

// ---- Host names

static bool is_ascii_label(str text)
{
    if (text.len == 0 || text.len > LABEL_MAX || *text.ptr == '-' || text.ptr[text.len - 1] == '-')
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!is_letter(text.ptr[i]) && !is_digit(text.ptr[i]) && text.ptr[i] != '-')
            return false;
    bool reserved = text.len > 3 && text.ptr[2] == '-' && text.ptr[3] == '-';
    if (!reserved)
        return true;
    struct label label;
    if ((text.ptr[0] | 0x20) != 'x' || (text.ptr[1] | 0x20) != 'n' ||
        !decode(str_from(text, 4), &label) || !is_international(&label))
        return false;
    for (size_t i = 0; i < label.count; i++)
        if (label.points[i] >= 128)
            return encoded_length(&label) == text.len;
    return false;
}

bool is_hostname(str text)
{
    if (text.len == 0 || text.len > HOST_MAX)
        return false;
    for (bool more = true; more;) {
        size_t dot = str_find(text, '.');
        more = dot < text.len;
        if (!is_ascii_label(str_first(text, dot)))
            return false;
        text = str_from(text, dot + more);
    }
    return true;
}

static bool is_dot(uint32_t point)
{
    return IN(point, '.', 0x3002, 0xff0e, 0xff61);
}

// One label off the text; *ret_len: what it takes as ASCII.
static bool take_label(struct text_reader *reader, size_t *ret_len, bool *ret_more)
{
    struct label label = {};
    const char *begin = reader->at, *end = begin;
    bool ascii = true;
    *ret_more = false;
    while (reader->at < reader->end && !*ret_more) {
        if (*reader->at == '\\')
            return false;
        uint32_t point = text_next(reader);
        if (is_dot(point)) {
            *ret_more = true;
            continue;
        }
        end = reader->at;
        ascii &= point < 128;
        if (label.count == LABEL_MAX)
            return false;
        label.points[label.count++] = point;
    }
    *ret_len = ascii ? label.count : encoded_length(&label);
    return ascii ? is_ascii_label((str){begin, (size_t)(end - begin)}) : is_international(&label);
}

bool is_idn_hostname(str text)
{
    struct text_reader reader = text_reader(text);
    size_t total = 0;
    for (bool more = true; more;) {
        size_t len;
        if (!take_label(&reader, &len, &more))
            return false;
        total += len + more;
    }
    return total <= HOST_MAX;
}

// ---- Addresses

bool is_ipv4(str text)
{
    for (int part = 0; part < 4; part++) {
        size_t dot = str_find(text, '.');
        str number = str_first(text, dot);
        bool last = dot == text.len;
        uint64_t value;
        if (last != (part == 3) || number.len == 0 || number.len > 3 ||
            !str_to_u64(number, &value) || value > 255 || (number.len > 1 && *number.ptr == '0'))
            return false;
        text = str_from(text, dot + !last);
    }
    return true;
}

bool is_ipv6(str text)
{
    int groups = 0;
    bool gap = false;
    if (str_starts(text, S("::"))) {
        gap = true;
        text = str_from(text, 2);
        if (text.len == 0)
            return true;
    }
    for (;;) {
        size_t colon = str_find(text, ':');
        str group = str_first(text, colon);
        bool last = colon == text.len;
        if (last && str_find(group, '.') < group.len)
            return is_ipv4(group) && (gap ? groups + 2 < 8 : groups + 2 == 8);
        if (group.len == 0 || group.len > 4)
            return false;
        for (size_t i = 0; i < group.len; i++)
            if (!is_hex(group.ptr[i]))
                return false;
        groups++;
        if (last)
            return gap ? groups < 8 : groups == 8;
        text = str_from(text, colon + 1);
        if (text.len && *text.ptr == ':') {
            if (gap)
                return false;
            gap = true;
            text = str_from(text, 1);
            if (text.len == 0)
                return groups < 8;
        }
    }
}

// ---- Mail

static bool is_atom_character(char c, bool international)
{
    return is_letter(c) || is_digit(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c)) ||
           (international && (unsigned char)c >= 0x80);
}

static bool is_local_part(str text, bool international)
{
    if (text.len > 1 && *text.ptr == '"' && text.ptr[text.len - 1] == '"') {
        for (size_t i = 1; i + 1 < text.len; i++) {
            unsigned char c = (unsigned char)text.ptr[i];
            bool escaped = c == '\\' && i + 2 < text.len;
            if (escaped)
                c = (unsigned char)text.ptr[++i];
            if (c < ' ' || c == 0x7f || (!escaped && (c == '"' || c == '\\')) ||
                (c >= 0x80 && !international))
                return false;
        }
        return true;
    }
    bool dot = true; // one may not stand first, last, or behind another
    for (size_t i = 0; i < text.len; i++) {
        bool is_dot_here = text.ptr[i] == '.';
        if ((is_dot_here && dot) ||
            (!is_dot_here && !is_atom_character(text.ptr[i], international)))
            return false;
        dot = is_dot_here;
    }
    return !dot;
}

static bool is_mail_domain(str text, bool international)
{
    if (text.len > 2 && *text.ptr == '[' && text.ptr[text.len - 1] == ']') {
        str address = {text.ptr + 1, text.len - 2};
        return str_starts(address, S("IPv6:")) ? is_ipv6(str_from(address, 5)) : is_ipv4(address);
    }
    return international ? is_idn_hostname(text) : is_hostname(text);
}

static bool is_mail(str text, bool international)
{
    size_t at = text.len;
    while (at > 0 && text.ptr[at - 1] != '@')
        at--;
    return at > 1 && is_local_part(str_first(text, at - 1), international) &&
           is_mail_domain(str_from(text, at), international);
}

bool is_email(str text)
{
    return is_mail(text, false);
}

bool is_idn_email(str text)
{
    return is_mail(text, true);
}
