// SPDX-License-Identifier: Apache-2.0
// The grammar of ECMA-262, 22.2.1, with the flag u, by descent; groups nest at most TREE_DEPTH_MAX.
//   choice = sequence { "|" sequence }     sequence = { term }
//   term   = assertion | atom [ quantifier ]
// A look-ahead may not be repeated, as with the flag u. Group names and the numbers of
// back-references are checked when all groups are known.
#include "schema/pattern_parser.h"

#include "base/limits.h"

static err parse_choice(struct parser *parser, struct tree **ret_tree);

static void tree_append(struct tree *parent, struct tree *child)
{
    child->previous = parent->last;
    *(parent->last ? &parent->last->next : &parent->first) = child;
    parent->last = child;
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
            TRY(pattern_unicode_escape(parser, &point));
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
    TRY(pattern_class_escape(parser, &list, &taken));
    if (taken)
        return pattern_set(parser, &list, false, ret_tree);
    uint32_t point;
    TRY(pattern_character_escape(parser, &point));
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
        return pattern_class(parser, ret_tree);
    case '\\':
        parser->at++;
        return parse_escape(parser, ret_tree, ret_look);
    case '.':
        parser->at++;
        return pattern_any(parser, ret_tree);
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
