// SPDX-License-Identifier: Apache-2.0
// Sets of characters: what escapes and classes in brackets mean.
#include "schema/pattern_parser.h"

#include <stdlib.h>

static const struct code_range digits[] = {{'0', '9'}};
static const struct code_range word[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const struct code_range space[] = {
    {9, 13},          {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
    {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff},
};
static const struct code_range line_ends[] = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

// ---- Sets

static int compare_ranges(const void *a, const void *b)
{
    const struct code_range *left = a, *right = b;
    return (left->first > right->first) - (left->first < right->first);
}

size_t ranges_join(struct code_range *ranges, size_t count)
{
    if (count)
        qsort(ranges, count, sizeof *ranges, compare_ranges);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept && ranges[i].first <= ranges[kept - 1].last + 1) {
            if (ranges[i].last > ranges[kept - 1].last)
                ranges[kept - 1].last = ranges[i].last;
        } else {
            ranges[kept++] = ranges[i];
        }
    }
    return kept;
}

size_t ranges_complement(const struct code_range *ranges, size_t count, struct code_range *target)
{
    size_t kept = 0;
    uint32_t from = 0;
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].first > from)
            target[kept++] = (struct code_range){from, ranges[i].first - 1};
        from = ranges[i].last + 1;
    }
    if (from <= UNICODE_LAST)
        target[kept++] = (struct code_range){from, UNICODE_LAST};
    return kept;
}

static err list_add(struct parser *parser, struct range_list *list, const struct code_range *items,
                    size_t count)
{
    if (list->count + count > list->capacity) {
        size_t capacity = (list->count + count) * 2;
        struct code_range *larger =
            ARENA_ARRAY(parser->source->scratch, struct code_range, capacity);
        if (!larger)
            return no_room(parser);
        if (list->count)
            memcpy(larger, list->items, list->count * sizeof *larger);
        list->items = larger;
        list->capacity = capacity;
    }
    memcpy(list->items + list->count, items, count * sizeof *items);
    list->count += count;
    return ALS_OK;
}

static err list_add_class(struct parser *parser, struct range_list *list, struct code_ranges ranges,
                          bool complement)
{
    if (!complement)
        return list_add(parser, list, ranges.items, ranges.count);
    struct code_range *others =
        ARENA_ARRAY(parser->source->scratch, struct code_range, ranges.count + 1);
    if (!others)
        return no_room(parser);
    return list_add(parser, list, others, ranges_complement(ranges.items, ranges.count, others));
}

err pattern_set(struct parser *parser, struct range_list *list, bool negated,
                struct tree **ret_tree)
{
    size_t count = ranges_join(list->items, list->count);
    struct code_range *items = ARENA_ARRAY(parser->source->arena, struct code_range, count + 1);
    struct tree *tree = tree_new(parser, TREE_SET);
    if (!items || !tree)
        return no_room(parser);
    if (negated)
        count = ranges_complement(list->items, count, items);
    else if (count)
        memcpy(items, list->items, count * sizeof *items);
    tree->set = (struct code_ranges){items, count};
    if (count == 1)
        *tree = (struct tree){.kind = TREE_RANGE, .low = items->first, .high = items->last};
    *ret_tree = tree;
    return ALS_OK;
}

// ---- Escapes

static bool hex_digits(struct parser *parser, size_t count, uint32_t *ret_value)
{
    uint32_t value = 0;
    if ((size_t)(parser->end - parser->at) < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        unsigned char c = (unsigned char)parser->at[i];
        if ((unsigned)(c - '0') < 10)
            value = value << 4 | (uint32_t)(c - '0');
        else if ((unsigned)((c | 0x20) - 'a') < 6)
            value = value << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return false;
    }
    parser->at += count;
    *ret_value = value;
    return true;
}

// Behind \u: four digits, maybe a second escape for the other half of a pair, or {digits}.
err pattern_unicode_escape(struct parser *parser, uint32_t *ret_point)
{
    uint32_t point, low;
    if (take(parser, '{')) {
        const char *begin = parser->at;
        uint32_t digit;
        point = 0;
        while (point <= UNICODE_LAST && hex_digits(parser, 1, &digit))
            point = point << 4 | digit;
        if (parser->at == begin || point > UNICODE_LAST || !take(parser, '}'))
            return refuse(parser, "expected \\u{...} with at most 10FFFF");
        *ret_point = point;
        return ALS_OK;
    }
    if (!hex_digits(parser, 4, &point))
        return refuse(parser, "expected four hexadecimal digits behind \\u");
    const char *behind = parser->at;
    if (point >= 0xd800 && point <= 0xdbff && take_text(parser, S("\\u"))) {
        if (hex_digits(parser, 4, &low) && low >= 0xdc00 && low <= 0xdfff)
            point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        else
            parser->at = behind;
    }
    *ret_point = point;
    return ALS_OK;
}

// Behind \p or \P.
static err property_escape(struct parser *parser, bool negated, struct range_list *list)
{
    const char *close =
        take(parser, '{') ? memchr(parser->at, '}', (size_t)(parser->end - parser->at)) : NULL;
    if (!close)
        return refuse(parser, "expected \\p{Property}");
    struct code_ranges ranges;
    bool complement;
    if (!unicode_property((str){parser->at, (size_t)(close - parser->at)}, &ranges, &complement))
        return refuse(parser, "unknown Unicode property");
    parser->at = close + 1;
    return list_add_class(parser, list, ranges, complement != negated);
}

err pattern_class_escape(struct parser *parser, struct range_list *list, bool *ret_taken)
{
    static const struct {
        char name;
        struct code_ranges ranges;
    } classes[] = {{'d', {digits, COUNT_OF(digits)}},
                   {'w', {word, COUNT_OF(word)}},
                   {'s', {space, COUNT_OF(space)}}};
    char c = more(parser) ? *parser->at : '\0';
    *ret_taken = true;
    if (c == 'p' || c == 'P') {
        parser->at++;
        return property_escape(parser, c == 'P', list);
    }
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        if ((c | 0x20) != classes[i].name)
            continue;
        parser->at++;
        return list_add_class(parser, list, classes[i].ranges, c != classes[i].name);
    }
    *ret_taken = false;
    return ALS_OK;
}

err pattern_character_escape(struct parser *parser, uint32_t *ret_point)
{
    static const char controls[] = "fnrtv", meanings[] = "\f\n\r\t\v";
    if (!more(parser))
        return refuse(parser, "expected something behind the backslash");
    char c = *parser->at;
    const char *control = c ? strchr(controls, c) : NULL;
    if (control) {
        parser->at++;
        *ret_point = (unsigned char)meanings[control - controls];
        return ALS_OK;
    }
    bool digit_behind = parser->at + 1 < parser->end && (unsigned)(parser->at[1] - '0') < 10;
    bool letter_behind =
        parser->at + 1 < parser->end && (unsigned)((parser->at[1] | 0x20) - 'a') < 26;
    if (c == '0' && !digit_behind) {
        parser->at++;
        *ret_point = 0;
        return ALS_OK;
    }
    if (c == 'c' && letter_behind) {
        *ret_point = (uint32_t)parser->at[1] & 31;
        parser->at += 2;
        return ALS_OK;
    }
    if (c == 'x') {
        parser->at++;
        return hex_digits(parser, 2, ret_point)
                   ? ALS_OK
                   : refuse(parser, "expected two hexadecimal digits behind \\x");
    }
    if (c == 'u') {
        parser->at++;
        return pattern_unicode_escape(parser, ret_point);
    }
    bool letter_or_digit = (unsigned)((c | 0x20) - 'a') < 26 || (unsigned)(c - '0') < 10;
    if (letter_or_digit || (unsigned char)c >= 0x80 || (unsigned char)c <= ' ')
        return refuse(parser, "this character is not one that can be escaped");
    parser->at++;
    *ret_point = (unsigned char)c;
    return ALS_OK;
}

// ---- Classes

// One end of a range in a class, or a whole class there (*ret_class).
static err class_atom(struct parser *parser, struct range_list *list, uint32_t *ret_point,
                      bool *ret_class)
{
    *ret_class = false;
    if (!take(parser, '\\')) {
        *ret_point = next_point(parser);
        return ALS_OK;
    }
    if (take(parser, 'b')) {
        *ret_point = '\b';
        return ALS_OK;
    }
    TRY(pattern_class_escape(parser, list, ret_class));
    return *ret_class ? ALS_OK : pattern_character_escape(parser, ret_point);
}

static err class_member(struct parser *parser, struct range_list *list)
{
    uint32_t low, high;
    bool whole, other_whole = false;
    TRY(class_atom(parser, list, &low, &whole));
    bool range = parser->at + 1 < parser->end && parser->at[0] == '-' && parser->at[1] != ']';
    if (!range)
        return whole ? ALS_OK : list_add(parser, list, &(struct code_range){low, low}, 1);
    parser->at++;
    TRY(class_atom(parser, list, &high, &other_whole));
    if (whole || other_whole)
        return refuse(parser, "a class of characters cannot be the end of a range");
    if (low > high)
        return refuse(parser, "the range of characters is out of order");
    return list_add(parser, list, &(struct code_range){low, high}, 1);
}

err pattern_class(struct parser *parser, struct tree **ret_tree)
{
    struct range_list list = {};
    bool negated = take(parser, '^');
    while (more(parser) && *parser->at != ']')
        TRY(class_member(parser, &list));
    if (!take(parser, ']'))
        return refuse(parser, "expected ']'");
    return pattern_set(parser, &list, negated, ret_tree);
}

err pattern_any(struct parser *parser, struct tree **ret_tree)
{
    struct range_list list = {};
    TRY(list_add(parser, &list, line_ends, COUNT_OF(line_ends)));
    return pattern_set(parser, &list, true, ret_tree);
}
