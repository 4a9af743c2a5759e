// SPDX-License-Identifier: Apache-2.0
// `type`, and what restrains numbers, strings and whole values.
#include "schema/compiler.h"

#include "base/limits.h"
#include "schema/format.h"
#include "schema/value.h"

#include <stdlib.h>

static err add_type(const struct source *source, const struct json_node *node, uint8_t *types)
{
    static const struct {
        const char *name;
        uint8_t types;
    } names[] = {
        {"null", 1 << JSON_NULL},     {"boolean", 1 << JSON_FALSE | 1 << JSON_TRUE},
        {"number", 1 << JSON_NUMBER}, {"integer", TYPES_INTEGER},
        {"string", 1 << JSON_STRING}, {"array", 1 << JSON_ARRAY},
        {"object", 1 << JSON_OBJECT},
    };
    str name;
    TRY(text_of(source, node, &name));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_equal(str_of(names[i].name), name)) {
            *types |= names[i].types;
            return ALS_OK;
        }
    return refuse_at(source->compiler, source->place.document,
                     (uint32_t)(node - source->doc->nodes), "this is not the name of a type");
}

static err compile_type(const struct source *source, struct rule *rule)
{
    const struct json_node *node = source->found[KEYWORD_TYPE];
    if (!node)
        return ALS_OK;
    rule->typed = true;
    rule->types = 0;
    if (node->kind == JSON_ARRAY) {
        for (const struct json_node *child = json_first(source->doc, node); child;
             child = json_after(source->doc, node, child))
            TRY(add_type(source, child, &rule->types));
    } else {
        TRY(add_type(source, node, &rule->types));
    }
    if (rule->types & 1 << JSON_NUMBER)
        rule->types &= (uint8_t)~TYPES_INTEGER;
    else if (rule->types & TYPES_INTEGER)
        rule->types |= 1 << JSON_NUMBER;
    return ALS_OK;
}

// ---- Numbers

static err compile_bound(const struct source *source, enum keyword keyword, struct bound *bound)
{
    const struct json_node *node = source->found[keyword];
    if (!node)
        return ALS_OK;
    if (node->kind != JSON_NUMBER)
        return refuse_keyword(source, keyword, "expected a number");
    *bound = (struct bound){json_decimal_read(json_span(source->doc, node)), true};
    return ALS_OK;
}

// Where the bounds are plain integers, plain integers are compared as such.
static void compile_plain(const struct source *source, struct number_rule *number)
{
    static const enum keyword bounds[] = {KEYWORD_MINIMUM, KEYWORD_MAXIMUM,
                                          KEYWORD_EXCLUSIVE_MINIMUM, KEYWORD_EXCLUSIVE_MAXIMUM,
                                          KEYWORD_MULTIPLE_OF};
    int64_t values[COUNT_OF(bounds)];
    for (size_t i = 0; i < COUNT_OF(bounds); i++) {
        const struct json_node *node = source->found[bounds[i]];
        values[i] = 0;
        if (node && !number_is_plain(json_span(source->doc, node), &values[i]))
            return;
    }
    number->plain = true;
    number->low = number->minimum.given ? values[0] : INT64_MIN;
    number->high = number->maximum.given ? values[1] : INT64_MAX;
    if (number->exclusive_minimum.given && values[2] >= number->low)
        number->low = values[2] + 1;
    if (number->exclusive_maximum.given && values[3] <= number->high)
        number->high = values[3] - 1;
    number->step = values[4];
}

static err compile_number(const struct source *source, struct rule *rule)
{
    struct compiler *compiler = source->compiler;
    const struct json_node *multiple = source->found[KEYWORD_MULTIPLE_OF];
    struct number_rule number = {};
    TRY(compile_bound(source, KEYWORD_MINIMUM, &number.minimum));
    TRY(compile_bound(source, KEYWORD_MAXIMUM, &number.maximum));
    TRY(compile_bound(source, KEYWORD_EXCLUSIVE_MINIMUM, &number.exclusive_minimum));
    TRY(compile_bound(source, KEYWORD_EXCLUSIVE_MAXIMUM, &number.exclusive_maximum));
    if (multiple) {
        struct json_decimal zero = json_decimal_read(S("0"));
        struct bound value = {};
        TRY(compile_bound(source, KEYWORD_MULTIPLE_OF, &value));
        if (json_decimal_compare(&value.value, &zero) <= 0)
            return refuse_keyword(source, KEYWORD_MULTIPLE_OF, "expected a number above 0");
        TRY(divisor_make(json_span(source->doc, multiple), compiler->keep, &number.divisor,
                         compiler->why));
    }
    if (!number.minimum.given && !number.maximum.given && !number.exclusive_minimum.given &&
        !number.exclusive_maximum.given && !multiple)
        return ALS_OK;
    compile_plain(source, &number);
    struct number_rule *made = LIST_ADD(compiler, &compiler->numbers, struct number_rule);
    if (!made)
        return no_room(compiler);
    *made = number;
    rule->number = compiler->numbers.count - 1;
    rule->parts |= PART_NUMBER;
    return ALS_OK;
}

// ---- Strings

// Whether a keyword of draft-07's content, which is asserted where formats are, has this value.
static bool content_is(const struct source *source, enum keyword keyword, str value)
{
    const struct json_node *node = source->found[keyword];
    return source->compiler->options->assert_formats && node && node->kind == JSON_STRING &&
           text_equal(value_content((struct value){source->doc, node}), node->escaped, value,
                      false);
}

static err compile_string(const struct source *source, struct rule *rule)
{
    struct compiler *compiler = source->compiler;
    const struct json_node *pattern = source->found[KEYWORD_PATTERN];
    const struct json_node *format = source->found[KEYWORD_FORMAT];
    struct string_rule string = {};
    TRY(count_of(source, KEYWORD_MIN_LENGTH, 0, &string.min_length));
    TRY(count_of(source, KEYWORD_MAX_LENGTH, UINT64_MAX, &string.max_length));
    str text;
    if (pattern) {
        TRY(text_of(source, pattern, &text));
        TRY(pattern_of(source, text, pattern, &string.pattern));
    }
    if (format) {
        TRY(text_of(source, format, &text));
        if (compiler->options->assert_formats ||
            (source->home.vocabularies & VOCABULARY_FORMAT_ASSERTION))
            string.format = (uint8_t)format_named(text);
    }
    string.base64 = content_is(source, KEYWORD_CONTENT_ENCODING, S("base64"));
    string.json = content_is(source, KEYWORD_CONTENT_MEDIA_TYPE, S("application/json"));
    if (!pattern && !string.format && !string.base64 && !string.json && string.min_length == 0 &&
        string.max_length == UINT64_MAX)
        return ALS_OK;
    struct string_rule *made = LIST_ADD(compiler, &compiler->strings, struct string_rule);
    if (!made)
        return no_room(compiler);
    *made = string;
    rule->string = compiler->strings.count - 1;
    rule->parts |= PART_STRING;
    return ALS_OK;
}

// ---- Values

static int compare_values(const void *a, const void *b)
{
    const struct member_value *left = a, *right = b;
    return (left->hash > right->hash) - (left->hash < right->hash);
}

static err add_value(const struct source *source, const struct json_node *node)
{
    struct compiler *compiler = source->compiler;
    if (++compiler->enum_values > SCHEMA_ENUM_MAX)
        return FAIL(compiler->why, ALS_TOO_LARGE, "the enums of a schema have at most %d values",
                    SCHEMA_ENUM_MAX);
    struct value_work work = {.steps = SCHEMA_STEPS_MAX, .arena = &compiler->scratch};
    struct member_value *value = LIST_ADD(compiler, &compiler->values, struct member_value);
    if (!value)
        return no_room(compiler);
    value->hash = value_hash((struct value){source->doc, node}, &work);
    value->node = (uint32_t)(node - source->doc->nodes);
    return work.steps ? ALS_OK : no_room(compiler);
}

static err compile_set(const struct source *source, enum keyword keyword, uint32_t *ret_set)
{
    struct compiler *compiler = source->compiler;
    const struct json_node *node = source->found[keyword];
    uint32_t first = compiler->values.count;
    if (keyword == KEYWORD_CONST) {
        TRY(add_value(source, node));
    } else {
        if (node->kind != JSON_ARRAY)
            return refuse_keyword(source, keyword, "expected an array");
        for (const struct json_node *child = json_first(source->doc, node); child;
             child = json_after(source->doc, node, child))
            TRY(add_value(source, child));
    }
    uint32_t count = compiler->values.count - first;
    if (count)
        qsort(LIST_AT(compiler->values, struct member_value, first), count,
              sizeof(struct member_value), compare_values);
    struct value_set *set = LIST_ADD(compiler, &compiler->value_sets, struct value_set);
    if (!set)
        return no_room(compiler);
    *set = (struct value_set){source->place.document, first, count};
    *ret_set = compiler->value_sets.count - 1;
    return ALS_OK;
}

err compile_scalar(const struct source *source, struct rule *rule)
{
    TRY(compile_type(source, rule));
    TRY(compile_number(source, rule));
    TRY(compile_string(source, rule));
    if (source->found[KEYWORD_CONST]) {
        TRY(compile_set(source, KEYWORD_CONST, &rule->const_set));
        rule->parts |= PART_CONST;
    }
    if (source->found[KEYWORD_ENUM]) {
        TRY(compile_set(source, KEYWORD_ENUM, &rule->enum_set));
        rule->parts |= PART_ENUM;
    }
    return ALS_OK;
}
