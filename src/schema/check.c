// SPDX-License-Identifier: Apache-2.0
// Checking a value by a rule. The rule's parts are tried in the order in which failures are told:
// required, type, members, then the rest.
//
// unevaluatedProperties and unevaluatedItems need to know what the other keywords of their schema,
// and those of the schemas applied in place, have evaluated. So they open a set of marks for the
// children of the value, the keywords below add to it, and what failed in the meantime takes its
// marks with it. Where no such keyword is above, there is no set and nothing is marked.
#include "schema/check.h"

#include "base/limits.h"
#include "schema/content.h"
#include "schema/format.h"
#include "schema/number.h"

#include <stdio.h>

// ---- Space

void *run_alloc(struct run *run, size_t size, size_t count)
{
    void *room = arena_alloc_array(run->work.arena, size, count);
    if (!room) {
        run->work.steps = 0;
        run->work.full = true;
    }
    return room;
}

str run_text(struct run *run, const struct json_node *node)
{
    str content = value_content((struct value){run->doc, node});
    if (!node->escaped)
        return content;
    if (content.len > run->text_capacity) {
        size_t capacity = content.len * 2;
        char *larger = run_alloc(run, 1, capacity);
        if (!larger)
            return (str){NULL, 0};
        run->text = larger;
        run->text_capacity = capacity;
    }
    return (str){run->text, json_unescape(content, run->text)};
}

static uint32_t words_of(uint32_t children)
{
    return children / 64 + 1;
}

marks marks_new(struct run *run, uint32_t children)
{
    uint32_t words = words_of(children);
    if (!work_spend(&run->work, words / 8))
        return MARKS_NONE;
    if (run->mark_count + words > run->mark_capacity) {
        uint32_t capacity = (run->mark_count + words) * 2;
        uint64_t *larger = run_alloc(run, sizeof *larger, capacity);
        if (!larger)
            return MARKS_NONE;
        if (run->mark_count)
            memcpy(larger, run->marks, run->mark_count * sizeof *larger);
        run->marks = larger;
        run->mark_capacity = capacity;
    }
    marks set = run->mark_count;
    memset(run->marks + set, 0, words * sizeof *run->marks);
    run->mark_count += words;
    return set;
}

void marks_drop(struct run *run, marks set)
{
    if (set != MARKS_NONE)
        run->mark_count = set;
}

void marks_join(struct run *run, marks target, marks source, uint32_t children)
{
    if (target == MARKS_NONE || source == MARKS_NONE)
        return;
    for (uint32_t i = 0; i < words_of(children); i++)
        run->marks[target + i] |= run->marks[source + i];
}

// ---- Scalars

static str span_of(const struct run *run, const struct json_node *node)
{
    return json_span(run->doc, node);
}

static const char *actual_type(const struct json_node *node)
{
    static const char *const names[] = {"null",   "boolean", "boolean", "number",
                                        "string", "array",   "object"};
    return names[node->kind];
}

static void expected_types(uint8_t types, char *target, size_t room)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } names[] = {
        {1 << JSON_NULL, "null"},     {1 << JSON_TRUE, "boolean"}, {1 << JSON_NUMBER, "number"},
        {1 << JSON_STRING, "string"}, {1 << JSON_ARRAY, "array"},  {1 << JSON_OBJECT, "object"},
    };
    size_t len = 0;
    target[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (!(types & names[i].bit))
            continue;
        const char *name = names[i].name;
        if (names[i].bit == 1 << JSON_NUMBER && types & TYPES_INTEGER)
            name = "integer";
        int added = snprintf(target + len, room - len, "%s%s", len ? " or " : "", name);
        len += (size_t)added; // the names fit
    }
}

static bool type_holds(const struct run *run, const struct rule *rule, const struct json_node *node)
{
    if (!(rule->types >> node->kind & 1))
        return false;
    bool integers = rule->types & TYPES_INTEGER && node->kind == JSON_NUMBER;
    return !integers || number_is_integer(span_of(run, node));
}

static bool type_failed(struct run *run, const struct frame *frame, const struct json_node *node)
{
    if (!run->explanation)
        return false;
    if (frame->rule->never) {
        bool field = frame->via == KEYWORD_ADDITIONAL_PROPERTIES ||
                     frame->via == KEYWORD_UNEVALUATED_PROPERTIES;
        return explain_failure(run, frame, node, KEYWORD_FALSE, "%s",
                               field ? "Unexpected field" : "No value is allowed here");
    }
    char expected[80];
    expected_types(frame->rule->types, expected, sizeof expected);
    return explain_failure(run, frame, node, KEYWORD_TYPE, "Type mismatch: expected %s, got %s",
                           expected, actual_type(node));
}

static bool bound_check(struct run *run, const struct frame *frame, const struct json_node *node,
                        const struct json_decimal *value)
{
    const struct number_rule *rule = &run->schema->numbers[frame->rule->number];
    const struct {
        const struct bound *bound;
        enum keyword keyword;
        int forbidden, also; // outcomes of the comparison
        const char *words;
    } rows[] = {
        {&rule->minimum, KEYWORD_MINIMUM, -1, -1, "Too small: expected at least"},
        {&rule->maximum, KEYWORD_MAXIMUM, 1, 1, "Too large: expected at most"},
        {&rule->exclusive_minimum, KEYWORD_EXCLUSIVE_MINIMUM, -1, 0,
         "Too small: expected more than"},
        {&rule->exclusive_maximum, KEYWORD_EXCLUSIVE_MAXIMUM, 1, 0,
         "Too large: expected less than"},
    };
    bool valid = true;
    for (size_t i = 0; i < COUNT_OF(rows) && (valid || run->explanation); i++) {
        if (!rows[i].bound->given)
            continue;
        int order = json_decimal_compare(value, &rows[i].bound->value);
        order = (order > 0) - (order < 0);
        if (order != rows[i].forbidden && order != rows[i].also)
            continue;
        valid = FAILED(run, frame, node, rows[i].keyword, "%s %.*s", rows[i].words,
                       STR(explain_value(run, frame, rows[i].keyword)));
    }
    return valid;
}

bool number_check(struct run *run, const struct frame *frame, const struct json_node *node)
{
    const struct number_rule *rule = &run->schema->numbers[frame->rule->number];
    str span = span_of(run, node);
    int64_t plain;
    if (rule->plain && number_is_plain(span, &plain) && plain >= rule->low && plain <= rule->high &&
        (rule->step == 0 || plain % rule->step == 0))
        return true;
    if (!work_spend(&run->work, 1 + span.len / 16))
        return false;
    struct json_decimal value = json_decimal_read(span);
    bool valid = bound_check(run, frame, node, &value);
    if (!rule->divisor || (!valid && !run->explanation))
        return valid;
    if (!work_spend(&run->work, divisor_cost(rule->divisor, span)))
        return false;
    if (!divisor_divides(rule->divisor, span))
        valid = FAILED(run, frame, node, KEYWORD_MULTIPLE_OF, "Not a multiple of %.*s",
                       STR(explain_value(run, frame, KEYWORD_MULTIPLE_OF)));
    return valid;
}

static bool length_check(struct run *run, const struct frame *frame, const struct json_node *node)
{
    const struct string_rule *rule = &run->schema->strings[frame->rule->string];
    str content = value_content((struct value){run->doc, node});
    enum { BYTES_MOST = 12 }; // one character as two escapes
    if (content.len <= rule->max_length && content.len / BYTES_MOST >= rule->min_length)
        return true;
    if (!work_spend(&run->work, 1 + content.len / 32))
        return false;
    uint64_t length = text_length(content, node->escaped);
    if (length < rule->min_length)
        return FAILED(run, frame, node, KEYWORD_MIN_LENGTH,
                      "Too short: expected at least %llu characters, got %llu",
                      (unsigned long long)rule->min_length, (unsigned long long)length);
    if (length > rule->max_length)
        return FAILED(run, frame, node, KEYWORD_MAX_LENGTH,
                      "Too long: expected at most %llu characters, got %llu",
                      (unsigned long long)rule->max_length, (unsigned long long)length);
    return true;
}

static bool content_check(struct run *run, const struct frame *frame, const struct json_node *node,
                          str text)
{
    const struct string_rule *rule = &run->schema->strings[frame->rule->string];
    if (rule->base64 && !content_decode(text, run->work.arena, &text))
        return FAILED(run, frame, node, KEYWORD_CONTENT_ENCODING, "Not encoded in base64");
    if (!text.ptr) { // the arena is full
        run->work.steps = 0;
        run->work.full = true;
        return false;
    }
    if (rule->json && json_check(text, 0, NULL) != ALS_OK)
        return FAILED(run, frame, node, KEYWORD_CONTENT_MEDIA_TYPE, "Not a JSON text");
    return true;
}

bool string_check(struct run *run, const struct frame *frame, const struct json_node *node)
{
    const struct string_rule *rule = &run->schema->strings[frame->rule->string];
    bool content = rule->base64 || rule->json;
    bool valid = length_check(run, frame, node);
    if ((!rule->pattern && !rule->format && !content) || (!valid && !run->explanation))
        return valid;
    str text = run_text(run, node);
    if (!text.ptr || !work_spend(&run->work, 1 + text.len / 16))
        return false;
    if (rule->pattern && !pattern_matches(rule->pattern, text, &run->work))
        valid = FAILED(run, frame, node, KEYWORD_PATTERN, "Pattern mismatch: expected %.*s",
                       STR(explain_value(run, frame, KEYWORD_PATTERN)));
    if (rule->format && (valid || run->explanation) &&
        !format_holds(rule->format, text, run->work.arena))
        valid = FAILED(run, frame, node, KEYWORD_FORMAT, "Format mismatch: expected %.*s",
                       STR(format_name(rule->format)));
    if (content && (valid || run->explanation))
        valid &= content_check(run, frame, node, text);
    return valid;
}

static bool set_check(struct run *run, uint32_t index, const struct json_node *node)
{
    const struct value_set *set = &run->schema->value_sets[index];
    const struct json_doc *doc = &run->schema->documents[set->document].doc;
    const struct member_value *values = run->schema->values + set->values;
    struct value value = {run->doc, node};
    if (set->count == 1)
        return value_equal(value, (struct value){doc, &doc->nodes[values->node]}, &run->work);
    uint64_t hash = value_hash(value, &run->work);
    uint32_t low = 0, high = set->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (values[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < set->count && values[low].hash == hash; low++)
        if (value_equal(value, (struct value){doc, &doc->nodes[values[low].node]}, &run->work))
            return true;
    return false;
}

bool values_check(struct run *run, const struct frame *frame, const struct json_node *node)
{
    const struct rule *rule = frame->rule;
    bool valid = true;
    if (rule->parts & PART_CONST && !set_check(run, rule->const_set, node))
        valid = FAILED(run, frame, node, KEYWORD_CONST, "Value mismatch: expected %.*s",
                       STR(explain_value(run, frame, KEYWORD_CONST)));
    if (rule->parts & PART_ENUM && (valid || run->explanation) &&
        !set_check(run, rule->enum_set, node))
        valid = FAILED(run, frame, node, KEYWORD_ENUM, "Value not allowed: expected one of %.*s",
                       STR(explain_value(run, frame, KEYWORD_ENUM)));
    return valid;
}

// ---- What nobody evaluated

static bool unevaluated_check(struct run *run, const struct frame *frame,
                              const struct json_node *node, marks own)
{
    bool object = node->kind == JSON_OBJECT;
    enum keyword via = object ? KEYWORD_UNEVALUATED_PROPERTIES : KEYWORD_UNEVALUATED_ITEMS;
    uint32_t rule = object ? frame->rule->unevaluated_properties : frame->rule->unevaluated_items;
    bool valid = true;
    uint32_t index = 0;
    for (const struct json_node *child = json_first(run->doc, node);
         child && (valid || run->explanation) && !run_over(run);
         child = json_after(run->doc, node, child), index++) {
        if (marks_hold(run, own, index))
            continue;
        if (!member_check(run, frame, via, rule, node, child))
            valid = false;
        marks_add(run, own, index);
    }
    return valid;
}

// ---- The rule

static bool parts_check(struct run *run, const struct frame *frame, const struct json_node *node,
                        marks set)
{
    uint16_t parts = frame->rule->parts;
    bool all = run->explanation != NULL, valid = true;
    if (node->kind == JSON_OBJECT && parts & PART_OBJECT)
        valid = object_check(run, frame, node, set);
    else if (node->kind == JSON_STRING && parts & PART_STRING)
        valid = string_check(run, frame, node);
    else if (node->kind == JSON_NUMBER && parts & PART_NUMBER)
        valid = number_check(run, frame, node);
    else if (node->kind == JSON_ARRAY && parts & PART_ARRAY)
        valid = array_check(run, frame, node, set);
    if (parts & (PART_CONST | PART_ENUM) && (valid || all))
        valid &= values_check(run, frame, node);
    if (parts & PART_COMBINE && (valid || all))
        valid &= combine_check(run, frame, node, set);
    return valid;
}

static bool marked_check(struct run *run, const struct frame *frame, const struct json_node *node,
                         marks set)
{
    const struct rule *rule = frame->rule;
    bool here = (node->kind == JSON_OBJECT && rule->unevaluated_properties != RULE_NONE) ||
                (node->kind == JSON_ARRAY && rule->unevaluated_items != RULE_NONE);
    if (!here)
        return parts_check(run, frame, node, set);
    marks own = marks_new(run, node->count);
    if (own == MARKS_NONE)
        return false;
    bool valid = parts_check(run, frame, node, own);
    if (valid || run->explanation)
        valid &= unevaluated_check(run, frame, node, own);
    marks_join(run, set, own, node->count);
    marks_drop(run, own);
    return valid;
}

bool rule_check(struct run *run, const struct frame *up, enum keyword via, uint32_t index,
                const struct json_node *node, marks set)
{
    const struct rule *rule = &run->schema->rules[index];
    struct frame frame = {up, rule, via};
    if (!work_spend(&run->work, 1))
        return false;
    bool valid = true;
    if (run->explanation && rule->parts & PART_OBJECT && node->kind == JSON_OBJECT)
        valid = object_missing(run, &frame, node);
    if (rule->types != TYPES_ALL && !type_holds(run, rule, node)) {
        valid = type_failed(run, &frame, node);
        if (!run->explanation)
            return false;
    }
    if (rule->parts == 0)
        return valid;
    if (run->depth == SCHEMA_NESTING_MAX) {
        run->too_deep = true;
        run->work.steps = 0;
        return false;
    }
    run->depth++;
    valid &= rule->parts & PART_UNEVALUATED ? marked_check(run, &frame, node, set)
                                            : parts_check(run, &frame, node, set);
    run->depth--;
    return valid;
}

// ---- The door

struct run run_begin(const struct schema *schema, const struct json_doc *doc, struct arena *arena)
{
    uint64_t steps = SCHEMA_STEPS_MAX + (uint64_t)SCHEMA_STEPS_PER_BYTE * doc->text.len;
    return (struct run){.schema = schema, .doc = doc, .work = {.steps = steps, .arena = arena}};
}

err run_end(const struct run *run, struct als_why *why)
{
    if (run->too_deep)
        return FAIL(why, ALS_TOO_LARGE, "the schema nests deeper than %d rules in this value",
                    SCHEMA_NESTING_MAX);
    if (run->work.full)
        return FAIL(why, ALS_TOO_LARGE, "checking the value takes too much memory");
    if (run_over(run))
        return FAIL(why, ALS_TOO_LARGE,
                    "checking the value takes more than %d steps, and %d for each of its bytes",
                    SCHEMA_STEPS_MAX, SCHEMA_STEPS_PER_BYTE);
    return ALS_OK;
}

err schema_check_node(const struct schema *schema, const struct json_doc *doc,
                      const struct json_node *node, struct arena *arena, bool *ret_valid,
                      struct als_why *why)
{
    struct run run = run_begin(schema, doc, arena);
    bool valid = rule_check(&run, NULL, KEYWORD_FALSE, schema->root, node, MARKS_NONE);
    TRY(run_end(&run, why));
    *ret_valid = valid;
    return ALS_OK;
}

err schema_check(const struct schema *schema, const struct json_doc *doc, struct arena *arena,
                 bool *ret_valid, struct als_why *why)
{
    return schema_check_node(schema, doc, json_root(doc), arena, ret_valid, why);
}

err schema_check_text(const struct schema *schema, str text, struct arena *arena, bool *ret_valid,
                      struct als_why *why)
{
    struct json_doc doc;
    struct json_options options = {.span_depth = UINT32_MAX};
    bool spaced;
    if (schema_accepts(schema, text, arena, &spaced)) {
        *ret_valid = true;
        return ALS_OK;
    }
    TRY(json_parse(text, options, arena, &doc, NULL, why));
    return schema_check(schema, &doc, arena, ret_valid, why);
}
