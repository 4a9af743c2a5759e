// SPDX-License-Identifier: Apache-2.0
// What a schema is compiled to: arrays of small structs that name each other by index.
//
// A rule is one subschema. `parts` says which groups of keywords it has; a group that is absent
// costs a bit test. Rules are shared: a reference to a place names the rule of that place, so a
// recursive schema is a finite program. Rule 0 accepts everything, rule 1 nothing.
// The texts that the rules came from are kept, for explaining and for the values of enums.
#pragma once

#include "base/hash.h"
#include "schema/number.h"
#include "schema/pattern.h"
#include "schema/schema.h"

enum keyword {
#define X(name, text, drafts, vocabulary, holds) KEYWORD_##name,
#include "schema/keyword.def"
#undef X
    KEYWORD_COUNT,
    KEYWORD_FALSE = KEYWORD_COUNT, // the schema `false`
};

enum {
    RULE_TRUE = 0,
    RULE_FALSE = 1,
    RULE_FIRST = 2,
};
#define RULE_NONE UINT32_MAX // the keyword is absent

enum part {
    PART_CONST = 1 << 0,
    PART_ENUM = 1 << 1,
    PART_NUMBER = 1 << 2,
    PART_STRING = 1 << 3,
    PART_ARRAY = 1 << 4,
    PART_OBJECT = 1 << 5,
    PART_COMBINE = 1 << 6, // keywords that apply to the same value: allOf, $ref ...
    PART_UNEVALUATED = 1 << 7,
};

enum {
    TYPES_ALL = 0x7f,       // a bit for each json_kind
    TYPES_INTEGER = 1 << 7, // a number must be an integer
};

struct rule {
    uint8_t types;
    bool typed; // there is a `type`
    bool never; // the schema `false`
    uint16_t parts;
    uint32_t const_set, enum_set;
    uint32_t number, string, array, object;
    uint32_t combine, combine_count;
    uint32_t unevaluated_properties, unevaluated_items;
    uint32_t resource;       // whose dynamic scope is entered
    uint32_t document, node; // where it is written
};

struct bound {
    struct json_decimal value;
    bool given;
};

struct number_rule {
    // What a plain integer of at most 18 digits must be within, when `plain` is set.
    int64_t low, high, step; // step: 0 when there is none
    bool plain;
    struct bound minimum, maximum, exclusive_minimum, exclusive_maximum;
    struct divisor *divisor; // NULL: no multipleOf
};

struct string_rule {
    uint64_t min_length, max_length;
    const struct pattern *pattern; // NULL: none
    uint8_t format;                // enum format; FORMAT_NONE when it does not decide
    bool base64, json;             // what contentEncoding and contentMediaType demand
};

struct array_rule {
    uint32_t prefix, prefix_count; // rules, in lists
    uint32_t items;                // for those behind the prefix
    uint32_t contains;
    uint64_t min_contains, max_contains, min_items, max_items;
    bool unique;
    bool contains_marks; // 2020-12: what contains accepts is evaluated
    bool items_legacy;   // draft-07: a list of `items`, then additionalItems
};

// What a rule asks for when it is one of the common small ones, so that a value can be accepted
// where it is met. Only ever a yes: what a leaf does not accept is asked of the rule.
enum leaf_kind {
    LEAF_NONE,   // there is more to the rule
    LEAF_TYPE,   // nothing but `types`
    LEAF_RANGE,  // a number from `low` to `high`
    LEAF_LENGTH, // a string of `low` to `high` bytes is surely long enough and not too long
    LEAF_WORD,   // one of `high` short strings, in `words` from `low` on
    LEAF_DEEP,   // no leaf: an object or array that can be read member by member (accept.c)
};

struct leaf {
    uint8_t types; // as a rule's; of the last and the first 0
    uint8_t kind;  // enum leaf_kind
    uint32_t rule; // LEAF_DEEP: the rule, or the one that it refers to
    int64_t low, high;
};

// A key as it stands in a text without white space, with its quotes and the colon: "key":
struct key_text {
    const char *ptr; // NULL: it cannot stand there as it is, for it needs escapes
    size_t len;
    uint64_t first, last; // its first 8 bytes and its last
    uint8_t unused_bits;  // of the first, when there are fewer
};

// A name that an object's keywords know, in the order in which they name it.
struct slot {
    uint64_t head, tail; // its first 8 bytes and its last, or 0
    str key;
    uint32_t rule;     // RULE_NONE: only required
    uint32_t required; // its number among the required ones, or REQUIRED_NO
    uint64_t bit;      // the same as a bit, when it is one of the first 64; else 0
    struct key_text text;
    struct leaf leaf; // of the rule
};
enum { REQUIRED_NO = UINT32_MAX };

// A string of at most 8 bytes without escapes.
struct word {
    uint64_t head;
    uint64_t len;
};

struct pattern_property {
    const struct pattern *pattern;
    uint32_t rule;
};

// dependentRequired, dependentSchemas, dependencies.
struct dependency {
    str key;
    enum keyword keyword;
    uint32_t rule;              // RULE_NONE: names
    uint32_t names, name_count; // in names
};

struct object_rule {
    uint32_t slots, slot_count;
    uint32_t places, shift; // in lists: a table of 2^(64 - shift) slots; SLOT_NONE where none is
    uint64_t multiplier;
    bool whole_keys;    // all of a key is hashed
    bool plain;         // there are no patterns and nothing asks for names
    bool quick;         // and nothing goes by the object as a whole but what it requires
    uint32_t probe_max; // how far a name may stand from its place
    uint32_t required, required_count; // in names
    uint32_t required_bits;            // how many different ones
    uint32_t patterns, pattern_count;
    uint32_t additional;
    uint32_t property_names;
    uint32_t dependencies, dependency_count;
    uint64_t min_properties, max_properties;
};
#define SLOT_NONE UINT32_MAX

// One keyword that applies rules to the same value.
struct combine {
    enum keyword keyword;
    uint32_t rules, count; // in lists; IF: if, then, else (RULE_NONE when absent)
    uint32_t anchor;       // DYNAMIC_REF: the name that is looked up in the scope; or ANCHOR_NONE
};
#define ANCHOR_NONE UINT32_MAX

struct member_value {
    uint64_t hash;
    uint32_t node;
};

// The values of an enum or a const: all of one document.
struct value_set {
    uint32_t document;
    uint32_t values, count; // in values, sorted by hash
};

struct dynamic_anchor {
    uint32_t resource, anchor, rule;
};

struct document {
    str uri; // as it was asked for
    struct json_doc doc;
};

struct resource {
    str uri; // without fragment
    uint32_t document, node;
};

struct schema {
    struct arena arena; // holds all of it, itself included
    enum schema_draft draft;
    uint32_t root;
    const struct rule *rules;
    const struct number_rule *numbers;
    const struct string_rule *strings;
    const struct array_rule *arrays;
    const struct object_rule *objects;
    const struct slot *slots;
    const struct leaf *leaves; // by rule
    const struct word *words;
    const struct pattern_property *patterns;
    const struct dependency *dependencies;
    const struct combine *combines;
    const uint32_t *lists;
    const str *names;
    const struct value_set *value_sets;
    const struct member_value *values;
    const struct dynamic_anchor *anchors; // few
    uint32_t anchor_count;
    const struct document *documents;
    const struct resource *resources;
    uint32_t rule_count;
};

// The name of a keyword.
str keyword_text(enum keyword keyword);

// The first 8 bytes of a text, the others 0; and the last 8, 0 where there are no more than 8.
static inline uint64_t text_head(str text)
{
    uint64_t word = 0;
    memcpy(&word, text.ptr, text.len < sizeof word ? text.len : sizeof word);
    return word;
}
static inline uint64_t text_tail(str text)
{
    uint64_t word = 0;
    if (text.len > sizeof word)
        memcpy(&word, text.ptr + text.len - sizeof word, sizeof word);
    return word;
}

// Where a name belongs in an object's table. Small tables are asked all the time and take what is
// at hand; in large ones, names that share their ends would pile up.
static inline uint32_t name_place(const struct object_rule *object, uint64_t head, uint64_t tail,
                                  str key)
{
    uint64_t hash = object->whole_keys ? hash_bytes(key.ptr, key.len, object->multiplier)
                                       : (head ^ tail << 7 ^ key.len) * object->multiplier;
    return (uint32_t)(hash >> object->shift);
}
