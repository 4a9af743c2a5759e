// SPDX-License-Identifier: Apache-2.0
// The rules and sentences are those of the reference, in its order, because clients show them.
// "Lower-case" and "numeric" are meant in the sense of Unicode; the ranges are in unicode.def.
#include "base/limits.h"
#include "base/own.h"
#include "event/event.h"

struct range {
    uint32_t first, last, step;
};

static const struct range lower_or_number[] = {
#define LOWER_OR_NUMBER
#include "event/unicode.def"
#undef LOWER_OR_NUMBER
};

static const struct range letter_or_number[] = {
#define LETTER_OR_NUMBER
#include "event/unicode.def"
#undef LETTER_OR_NUMBER
};

static bool in_ranges(uint32_t point, const struct range *ranges, size_t count)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ranges[middle].last < point)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && point >= ranges[low].first &&
           (point - ranges[low].first) % ranges[low].step == 0;
}

// Takes one character off the front of well-formed UTF-8.
static uint32_t take_character(str *text)
{
    const unsigned char *at = (const unsigned char *)text->ptr;
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t point = length == 1 ? at[0] : at[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++)
        point = point << 6 | (at[i] & 0x3f);
    *text = str_from(*text, length);
    return point;
}

static bool is_type_character(uint32_t point)
{
    if (point < 0x80)
        return (point >= 'a' && point <= 'z') || (point >= '0' && point <= '9') || point == '.' ||
               point == '_';
    return in_ranges(point, lower_or_number, COUNT_OF(lower_or_number));
}

static bool is_tenant_character(uint32_t point)
{
    if (point < 0x80)
        return (point >= 'a' && point <= 'z') || (point >= 'A' && point <= 'Z') ||
               (point >= '0' && point <= '9') || point == '-' || point == '_';
    return in_ranges(point, letter_or_number, COUNT_OF(letter_or_number));
}

static bool all_characters(str text, bool (*allowed)(uint32_t))
{
    while (text.len)
        if (!allowed(take_character(&text)))
            return false;
    return true;
}

// What nearly every name is made of, in one table: bit 0 for types, bit 1 for the inside of
// entities. Names with anything else take the long way.
static const uint8_t plain[256] = {
    ['.'] = 3, ['_'] = 3, ['-'] = 2, [':'] = 2, ['/'] = 2, ['@'] = 2, ['#'] = 2, ['0'] = 3,
    ['1'] = 3, ['2'] = 3, ['3'] = 3, ['4'] = 3, ['5'] = 3, ['6'] = 3, ['7'] = 3, ['8'] = 3,
    ['9'] = 3, ['a'] = 3, ['b'] = 3, ['c'] = 3, ['d'] = 3, ['e'] = 3, ['f'] = 3, ['g'] = 3,
    ['h'] = 3, ['i'] = 3, ['j'] = 3, ['k'] = 3, ['l'] = 3, ['m'] = 3, ['n'] = 3, ['o'] = 3,
    ['p'] = 3, ['q'] = 3, ['r'] = 3, ['s'] = 3, ['t'] = 3, ['u'] = 3, ['v'] = 3, ['w'] = 3,
    ['x'] = 3, ['y'] = 3, ['z'] = 3, ['A'] = 2, ['B'] = 2, ['C'] = 2, ['D'] = 2, ['E'] = 2,
    ['F'] = 2, ['G'] = 2, ['H'] = 2, ['I'] = 2, ['J'] = 2, ['K'] = 2, ['L'] = 2, ['M'] = 2,
    ['N'] = 2, ['O'] = 2, ['P'] = 2, ['Q'] = 2, ['R'] = 2, ['S'] = 2, ['T'] = 2, ['U'] = 2,
    ['V'] = 2, ['W'] = 2, ['X'] = 2, ['Y'] = 2, ['Z'] = 2,
};
enum { PLAIN_TYPE = 1, PLAIN_ENTITY = 2 };

static bool is_plain(str name, uint8_t kind, size_t max)
{
    uint8_t all = kind;
    for (size_t i = 0; i < name.len && i <= max; i++)
        all &= plain[(unsigned char)name.ptr[i]];
    return all && name.len && name.len <= max;
}

static bool has_bare_dots(str type)
{
    char before = '.';
    for (size_t i = 0; i < type.len; before = type.ptr[i++])
        if (type.ptr[i] == '.' && before == '.')
            return true;
    return before == '.';
}

err event_check_type(str type, struct als_why *why)
{
    if (is_plain(type, PLAIN_TYPE, TYPE_BYTES_MAX) && !has_bare_dots(type))
        return ALS_OK;
    if (type.len == 0)
        return FAIL(why, ALS_INVALID_INPUT, "Event type cannot be empty");
    if (type.len > TYPE_BYTES_MAX)
        return FAIL(why, ALS_INVALID_INPUT, "Event type cannot exceed %d characters, got %zu",
                    TYPE_BYTES_MAX, type.len);
    if (!str_is_utf8(type))
        return FAIL(why, ALS_INVALID_INPUT, "Event type must be valid UTF-8");
    if (!all_characters(type, is_type_character))
        return FAIL(why, ALS_INVALID_INPUT,
                    "Event type '%.*s' must be lowercase with dots/underscores. "
                    "Convention: namespace.entity.action",
                    STR(type));
    if (type.ptr[0] == '.' || type.ptr[type.len - 1] == '.')
        return FAIL(why, ALS_INVALID_INPUT, "Event type '%.*s' cannot start or end with a dot",
                    STR(type));
    for (size_t i = 1; i < type.len; i++)
        if (type.ptr[i] == '.' && type.ptr[i - 1] == '.')
            return FAIL(why, ALS_INVALID_INPUT, "Event type '%.*s' cannot have consecutive dots",
                        STR(type));
    return ALS_OK;
}

// White_Space of Unicode.
static bool is_space(uint32_t point)
{
    return (point >= 0x09 && point <= 0x0d) || point == 0x20 || point == 0x85 || point == 0xa0 ||
           point == 0x1680 || (point >= 0x2000 && point <= 0x200a) || point == 0x2028 ||
           point == 0x2029 || point == 0x202f || point == 0x205f || point == 0x3000;
}

err event_check_entity(str entity, struct als_why *why)
{
    if (is_plain(entity, PLAIN_ENTITY, ENTITY_BYTES_MAX))
        return ALS_OK;
    if (entity.len == 0)
        return FAIL(why, ALS_INVALID_INPUT, "Entity ID cannot be empty");
    if (entity.len > ENTITY_BYTES_MAX)
        return FAIL(why, ALS_INVALID_INPUT, "Entity ID cannot exceed %d characters, got %zu",
                    ENTITY_BYTES_MAX, entity.len);
    if (!str_is_utf8(entity))
        return FAIL(why, ALS_INVALID_INPUT, "Entity ID must be valid UTF-8");
    bool first_is_space = false, last_is_space = false, all_space = true, first = true;
    for (str rest = entity; rest.len;) {
        uint32_t point = take_character(&rest);
        if (point < 0x20 || (point >= 0x7f && point <= 0x9f))
            return FAIL(why, ALS_INVALID_INPUT, "Entity ID cannot contain control characters");
        last_is_space = is_space(point);
        first_is_space |= first && last_is_space;
        all_space &= last_is_space;
        first = false;
    }
    if (all_space)
        return FAIL(why, ALS_INVALID_INPUT, "Entity ID cannot be only whitespace");
    if (first_is_space || last_is_space)
        return FAIL(why, ALS_INVALID_INPUT, "Entity ID cannot have leading or trailing whitespace");
    return ALS_OK;
}

err event_check_tenant(str tenant, struct als_why *why)
{
    if (tenant.len == 0)
        return FAIL(why, ALS_INVALID_INPUT, "Tenant ID cannot be empty");
    if (tenant.len > TENANT_BYTES_MAX)
        return FAIL(why, ALS_INVALID_INPUT, "Tenant ID cannot exceed %d characters, got %zu",
                    TENANT_BYTES_MAX, tenant.len);
    if (!str_is_utf8(tenant) || !all_characters(tenant, is_tenant_character))
        return FAIL(why, ALS_INVALID_INPUT,
                    "Tenant ID must be letters, digits, hyphens and underscores");
    return ALS_OK;
}
