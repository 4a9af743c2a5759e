// SPDX-License-Identifier: Apache-2.0
// The parser of patterns, as its two files know it: terms and groups (pattern_parse.c), sets of
// characters and escapes (pattern_class.c).
#pragma once

#include "schema/pattern_code.h"

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

static inline err refuse(struct parser *parser, const char *what)
{
    return FAIL(parser->why, ALS_VALIDATION, "%s at byte %zu of the pattern", what,
                (size_t)(parser->at - parser->source->text.ptr));
}

static inline err no_room(struct parser *parser)
{
    return FAIL(parser->why, ALS_TOO_LARGE, "the pattern takes too much memory");
}

static inline bool more(const struct parser *parser)
{
    return parser->at < parser->end;
}

static inline bool take(struct parser *parser, char c)
{
    if (!more(parser) || *parser->at != c)
        return false;
    parser->at++;
    return true;
}

static inline bool take_text(struct parser *parser, str text)
{
    if (!str_starts((str){parser->at, (size_t)(parser->end - parser->at)}, text))
        return false;
    parser->at += text.len;
    return true;
}

static inline uint32_t next_point(struct parser *parser)
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

static inline struct tree *tree_new(struct parser *parser, enum tree_kind kind)
{
    struct tree *tree = ARENA_NEW(parser->source->scratch, struct tree);
    if (tree)
        *tree = (struct tree){.kind = kind};
    return tree;
}

// ---- pattern_class.c

// The classes \d \D \w \W \s \S \p \P: false when the next escape is none of them.
err pattern_class_escape(struct parser *parser, struct range_list *list, bool *ret_taken);
// A character behind its backslash, as in and outside a class.
err pattern_character_escape(struct parser *parser, uint32_t *ret_point);
err pattern_unicode_escape(struct parser *parser, uint32_t *ret_point); // behind its u
// The tree of one code point out of the list, which is kept in the lasting arena.
err pattern_set(struct parser *parser, struct range_list *list, bool negated,
                struct tree **ret_tree);
err pattern_class(struct parser *parser, struct tree **ret_tree); // behind '['
err pattern_any(struct parser *parser, struct tree **ret_tree);   // what '.' means
