// SPDX-License-Identifier: Apache-2.0
// The grammar of ECMA-262, 22.2.1, with the flag u, by descent; groups nest at most TREE_DEPTH_MAX.
//   choice = sequence { "|" sequence }     sequence = { term }
//   term   = assertion | atom [ quantifier ]
// A look-ahead may not be repeated, as with the flag u. Group names and the numbers of
// back-references are checked when all groups are known.
#include "schema/pattern_code.h"

#include "base/limits.h"
#include "base/own.h"

#include <stdlib.h>

struct parser {
    const struct pattern_source *source;
    struct als_why *why;
    const char *at, *end;
    uint32_t groups;    // that capture
    uint32_t reference; // the highest number that is referred to
    bool refers;
    str names[64];
    uint32_t name_count;
    str named_reference; // the last one; checked against the names at the end
    uint32_t depth;
};

// The ranges of a class while it is read.
struct range_list {
    struct code_range *items;
    size_t count, capacity;
};

static const struct code_range digits[] = {{'0', '9'}};
static const struct code_range word[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const struct code_range space[] = {
    {9, 13},          {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
    {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff},
};
static const struct code_range line_ends[] = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

static err parse_choice(struct parser *parser, struct tree **ret_tree);

static err refuse(struct parser *parser, const char *what)
{
    return FAIL(parser->why, ALS_VALIDATION, "%s at byte %zu of the pattern", what,
                (size_t)(parser->at - parser->source->text.ptr));
}

static err no_room(struct parser *parser)
{
    return FAIL(parser->why, ALS_TOO_LARGE, "the pattern takes too much memory");
}

static bool more(const struct parser *parser)
{
    return parser->at < parser->end;
}

static bool take(struct parser *parser, char c)
{
    if (!more(parser) || *parser->at != c)
        return false;
    parser->at++;
    return true;
}

static bool take_text(struct parser *parser, str text)
{
    if (!str_starts((str){parser->at, (size_t)(parser->end - parser->at)}, text))
        return false;
    parser->at += text.len;
    return true;
}

static uint32_t next_point(struct parser *parser)
{
    struct text_reader reader = {parser->at, parser->end};
    if (*parser->at == '\\') { // text_next() would take it for an escape of JSON
        parser->at++;
        return '\\';
    }
    uint32_t point = text_next(&reader);
    parser->at = reader.at;
    return point;
}

static struct tree *tree_new(struct parser *parser, enum tree_kind kind)
{
    struct tree *tree = ARENA_NEW(parser->source->scratch, struct tree);
    if (tree)
        *tree = (struct tree){.kind = kind};
    return tree;
}

static void tree_append(struct tree *parent, struct tree *child)
{
    child->previous = parent->last;
    *(parent->last ? &parent->last->next : &parent->first) = child;
    parent->last = child;
}

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

// The tree of one code point out of the list, which is kept in the lasting arena.
static err set_make(struct parser *parser, struct range_list *list, bool negated,
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
static err unicode_escape(struct parser *parser, uint32_t *ret_point)
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

// The classes \d \D \w \W \s \S \p \P: false when the next escape is none of them.
static err class_escape(struct parser *parser, struct range_list *list, bool *ret_taken)
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

// A character behind its backslash, as in and outside a class.
static err character_escape(struct parser *parser, uint32_t *ret_point)
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
        return unicode_escape(parser, ret_point);
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
    TRY(class_escape(parser, list, ret_class));
    return *ret_class ? ALS_OK : character_escape(parser, ret_point);
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

// Behind '['.
static err parse_class(struct parser *parser, struct tree **ret_tree)
{
    struct range_list list = {};
    bool negated = take(parser, '^');
    while (more(parser) && *parser->at != ']')
        TRY(class_member(parser, &list));
    if (!take(parser, ']'))
        return refuse(parser, "expected ']'");
    return set_make(parser, &list, negated, ret_tree);
}

// ---- Groups

static bool is_name_character(uint32_t point, bool first)
{
    return point == '$' || point == '_' || unicode_is("ID_Start", point) ||
           (!first && (point == 0x200c || point == 0x200d || unicode_is("ID_Continue", point)));
}

// Behind '<': the name of a group, up to and with '>'.
static err parse_name(struct parser *parser, str *ret_name)
{
    const char *begin = parser->at;
    while (more(parser) && *parser->at != '>') {
        bool first = parser->at == begin;
        uint32_t point = next_point(parser);
        if (point == '\\') {
            if (!take(parser, 'u'))
                return refuse(parser, "this is not the name of a group");
            TRY(unicode_escape(parser, &point));
        }
        if (!is_name_character(point, first))
            return refuse(parser, "this is not the name of a group");
    }
    *ret_name = (str){begin, (size_t)(parser->at - begin)};
    if (ret_name->len == 0 || !take(parser, '>'))
        return refuse(parser, "expected the name of a group and '>'");
    return ALS_OK;
}

static err name_group(struct parser *parser)
{
    str name;
    TRY(parse_name(parser, &name));
    for (uint32_t i = 0; i < parser->name_count; i++)
        if (str_equal(parser->names[i], name))
            return refuse(parser, "two groups have the same name");
    if (parser->name_count == COUNT_OF(parser->names))
        return refuse(parser, "there are too many named groups");
    parser->names[parser->name_count++] = name;
    return ALS_OK;
}

// Behind '('. *ret_look: it is an assertion that may not be repeated.
static err parse_group(struct parser *parser, struct tree **ret_tree, bool *ret_look)
{
    struct tree *look = NULL;
    bool ahead = take_text(parser, S("?=")), behind = !ahead && take_text(parser, S("?<="));
    bool not_ahead = !ahead && !behind && take_text(parser, S("?!"));
    bool not_behind = !ahead && !behind && !not_ahead && take_text(parser, S("?<!"));
    if (ahead || behind || not_ahead || not_behind) {
        look = tree_new(parser, TREE_LOOK);
        if (!look)
            return no_room(parser);
        look->behind = behind || not_behind;
        look->negated = not_ahead || not_behind;
    } else if (!take_text(parser, S("?:"))) {
        parser->groups++;
        if (take_text(parser, S("?<")))
            TRY(name_group(parser));
    }
    if (++parser->depth > TREE_DEPTH_MAX)
        return refuse(parser, "groups are nested too deeply");
    struct tree *inner;
    TRY(parse_choice(parser, &inner));
    parser->depth--;
    if (!take(parser, ')'))
        return refuse(parser, "expected ')'");
    if (look)
        tree_append(look, inner);
    *ret_tree = look ? look : inner;
    *ret_look = look != NULL;
    return ALS_OK;
}

// ---- Terms

static err back_reference(struct parser *parser, bool *ret_taken)
{
    *ret_taken = false;
    if (!more(parser))
        return ALS_OK;
    if (take(parser, 'k')) {
        if (!take(parser, '<'))
            return refuse(parser, "expected '<' behind \\k");
        TRY(parse_name(parser, &parser->named_reference));
    } else if (*parser->at >= '1' && *parser->at <= '9') {
        uint32_t number = 0;
        while (more(parser) && (unsigned)(*parser->at - '0') < 10 && number < 100000)
            number = number * 10 + (uint32_t)(*parser->at++ - '0');
        if (number > parser->reference)
            parser->reference = number;
    } else {
        return ALS_OK;
    }
    *ret_taken = parser->refers = true;
    if (parser->source->only_check)
        return ALS_OK;
    return refuse(parser, "back-references are not supported, for they cannot be matched in "
                          "linear time,");
}

static err leaf(struct parser *parser, enum tree_kind kind, uint32_t low, uint32_t high,
                struct tree **ret_tree)
{
    struct tree *tree = tree_new(parser, kind);
    if (!tree)
        return no_room(parser);
    tree->low = low;
    tree->high = high;
    *ret_tree = tree;
    return ALS_OK;
}

// Behind a backslash outside a class. *ret_look: an assertion.
static err parse_escape(struct parser *parser, struct tree **ret_tree, bool *ret_look)
{
    if (more(parser) && (*parser->at == 'b' || *parser->at == 'B')) {
        *ret_look = true;
        return leaf(parser, TREE_ASSERT, *parser->at++ == 'b' ? OP_WORD : OP_NOT_WORD, 0, ret_tree);
    }
    bool taken;
    TRY(back_reference(parser, &taken));
    if (taken)
        return leaf(parser, TREE_SEQUENCE, 0, 0, ret_tree);
    struct range_list list = {};
    TRY(class_escape(parser, &list, &taken));
    if (taken)
        return set_make(parser, &list, false, ret_tree);
    uint32_t point;
    TRY(character_escape(parser, &point));
    return leaf(parser, TREE_RANGE, point, point, ret_tree);
}

static err parse_atom(struct parser *parser, struct tree **ret_tree, bool *ret_look)
{
    *ret_look = false;
    char c = *parser->at;
    switch (c) {
    case '^':
    case '$':
        parser->at++;
        *ret_look = true;
        return leaf(parser, TREE_ASSERT, c == '^' ? OP_START : OP_END, 0, ret_tree);
    case '(':
        parser->at++;
        return parse_group(parser, ret_tree, ret_look);
    case '[':
        parser->at++;
        return parse_class(parser, ret_tree);
    case '\\':
        parser->at++;
        return parse_escape(parser, ret_tree, ret_look);
    case '.': {
        struct range_list list = {};
        parser->at++;
        TRY(list_add(parser, &list, line_ends, COUNT_OF(line_ends)));
        return set_make(parser, &list, true, ret_tree);
    }
    case '*':
    case '+':
    case '?':
        return refuse(parser, "there is nothing to repeat");
    case '{':
    case '}':
    case ']':
        return refuse(parser, "a bracket that means itself needs a backslash");
    default: {
        uint32_t point = next_point(parser);
        return leaf(parser, TREE_RANGE, point, point, ret_tree);
    }
    }
}

// Digits of a quantifier; what is larger than any pattern may become is cut there.
static bool take_count(struct parser *parser, uint32_t *ret_count)
{
    const char *begin = parser->at;
    uint32_t count = 0;
    while (more(parser) && (unsigned)(*parser->at - '0') < 10) {
        count = count * 10 + (uint32_t)(*parser->at++ - '0');
        if (count > SCHEMA_PATTERN_STATES_MAX)
            count = SCHEMA_PATTERN_STATES_MAX + 1;
    }
    *ret_count = count;
    return parser->at > begin;
}

static err parse_quantifier(struct parser *parser, uint32_t *ret_low, uint32_t *ret_high,
                            bool *ret_taken)
{
    *ret_taken = true;
    *ret_low = 0;
    *ret_high = UINT32_MAX;
    if (take(parser, '+')) {
        *ret_low = 1;
    } else if (take(parser, '?')) {
        *ret_high = 1;
    } else if (take(parser, '{')) {
        if (!take_count(parser, ret_low))
            return refuse(parser, "expected a number behind '{'");
        if (!take(parser, ','))
            *ret_high = *ret_low;
        else if (!take_count(parser, ret_high))
            *ret_high = UINT32_MAX;
        if (!take(parser, '}'))
            return refuse(parser, "expected '}'");
        if (*ret_low > *ret_high)
            return refuse(parser, "the numbers of a repetition are out of order");
    } else if (!take(parser, '*')) {
        *ret_taken = false;
        return ALS_OK;
    }
    (void)take(parser, '?'); // greedy or not, it matches or it does not
    return ALS_OK;
}

static err parse_term(struct parser *parser, struct tree **ret_tree)
{
    bool look, repeated;
    uint32_t low, high;
    struct tree *atom, *repeat;
    TRY(parse_atom(parser, &atom, &look));
    TRY(parse_quantifier(parser, &low, &high, &repeated));
    if (repeated && look)
        return refuse(parser, "an assertion cannot be repeated");
    *ret_tree = atom;
    if (!repeated)
        return ALS_OK;
    TRY(leaf(parser, TREE_REPEAT, low, high, &repeat));
    tree_append(repeat, atom);
    *ret_tree = repeat;
    return ALS_OK;
}

static err parse_choice(struct parser *parser, struct tree **ret_tree)
{
    struct tree *choice, *sequence, *term = NULL; // gcc under TSan sees no value
    TRY(leaf(parser, TREE_CHOICE, 0, 0, &choice));
    do {
        TRY(leaf(parser, TREE_SEQUENCE, 0, 0, &sequence));
        tree_append(choice, sequence);
        while (more(parser) && *parser->at != '|' && *parser->at != ')') {
            TRY(parse_term(parser, &term));
            tree_append(sequence, term);
        }
    } while (take(parser, '|'));
    *ret_tree = choice;
    return ALS_OK;
}

err pattern_parse(const struct pattern_source *source, struct tree **ret_tree, struct als_why *why)
{
    if (source->text.len > SCHEMA_PATTERN_BYTES_MAX)
        return FAIL(why, ALS_TOO_LARGE, "a pattern has at most %d bytes, this one has %zu",
                    SCHEMA_PATTERN_BYTES_MAX, source->text.len);
    struct parser parser = {.source = source,
                            .why = why,
                            .at = source->text.ptr,
                            .end = source->text.ptr + source->text.len};
    struct tree *tree;
    TRY(parse_choice(&parser, &tree));
    if (more(&parser))
        return refuse(&parser, "there is no '(' for this ')'");
    bool known = parser.named_reference.len == 0;
    for (uint32_t i = 0; i < parser.name_count; i++)
        known |= str_equal(parser.names[i], parser.named_reference);
    if (!known || parser.reference > parser.groups)
        return refuse(&parser, "a back-reference to a group that is not there,");
    *ret_tree = tree;
    return ALS_OK;
}
