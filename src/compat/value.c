// SPDX-License-Identifier: Apache-2.0
// Constants, decided exactly: does this value satisfy that schema? Yes, no, or unknown where a
// keyword is not understood (a pattern that is not simple, a reference that leads outside).
#include "compat/inside.h"

#include "compat/exact.h"

typedef enum tri test(struct check *check, struct place value, struct place schema,
                      const struct json_node *keyword);

uint64_t text_points(str text)
{
    uint64_t points = 0;
    for (size_t i = 0; i < text.len; i++)
        points += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return points;
}

bool place_number(struct place place, struct exact *ret_exact)
{
    return place.node->kind == JSON_NUMBER &&
           exact_read(json_span(&place.doc->json, place.node), ret_exact);
}

unsigned value_kinds(struct place value)
{
    struct exact number;
    switch (value.node->kind) {
    case JSON_NULL:
        return NULLS;
    case JSON_FALSE:
    case JSON_TRUE:
        return BOOLEANS;
    case JSON_NUMBER:
        if (!place_number(value, &number))
            return NUMBERS;
        return exact_whole(&number) ? INTEGERS : FRACTIONS;
    case JSON_STRING:
        return STRINGS;
    case JSON_ARRAY:
        return ARRAYS;
    default:
        return OBJECTS;
    }
}

struct place text_value(struct check *check, str text)
{
    struct buf buf;
    buf_init(&buf, 1 << 20);
    struct json_writer writer;
    json_writer_init(&writer, &buf);
    json_put_string(&writer, text);
    str copy = buf_failed(&buf) ? (str){} : arena_copy(check->arena, buf_str(&buf));
    buf_deinit(&buf);
    if (!copy.ptr)
        check->out_of_memory = true;
    return copy.ptr ? place_made(check, copy) : (struct place){};
}

enum tri values_equal(struct check *check, struct place a, struct place b)
{
    bool containers = a.node->kind >= JSON_ARRAY;
    if (a.node->kind != b.node->kind)
        return NO;
    if (a.node->kind < JSON_NUMBER)
        return YES;
    str span_a = json_span(&a.doc->json, a.node), span_b = json_span(&b.doc->json, b.node);
    if (!check_spend(check, 1 + (span_a.len + span_b.len) / (containers ? 8 : 128)))
        return UNKNOWN;
    if (str_equal(span_a, span_b))
        return YES;
    if (a.node->kind == JSON_STRING && !a.node->escaped && !b.node->escaped)
        return NO;
    bool equal = false;
    if (json_equal(span_a, span_b, check->arena, &equal) != ALS_OK) {
        check->out_of_memory = true;
        return UNKNOWN;
    }
    return tri_of(equal);
}

static unsigned kind_named(str name)
{
    static const struct {
        str name;
        unsigned kinds;
    } names[] = {
        {S("null"), NULLS},     {S("boolean"), BOOLEANS}, {S("integer"), INTEGERS},
        {S("number"), NUMBERS}, {S("string"), STRINGS},   {S("array"), ARRAYS},
        {S("object"), OBJECTS},
    };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_equal(names[i].name, name))
            return names[i].kinds;
    return 0;
}

unsigned type_kinds(struct check *check, struct place schema, const struct json_node *type)
{
    const struct json_doc *doc = &schema.doc->json;
    if (type->kind == JSON_STRING)
        return kind_named(node_text(check, schema.doc, type));
    unsigned kinds = 0;
    if (type->kind != JSON_ARRAY)
        return 0;
    for (const struct json_node *name = json_first(doc, type); name;
         name = json_after(doc, type, name)) {
        unsigned one =
            name->kind == JSON_STRING ? kind_named(node_text(check, schema.doc, name)) : 0;
        if (one == 0)
            return 0;
        kinds |= one;
    }
    return kinds;
}

enum tri text_in_array(struct check *check, struct place array, str text)
{
    const struct json_doc *doc = &array.doc->json;
    if (array.node->kind != JSON_ARRAY)
        return UNKNOWN;
    for (const struct json_node *item = json_first(doc, array.node); item;
         item = json_after(doc, array.node, item)) {
        if (!check_spend(check, 1) || item->kind != JSON_STRING)
            return UNKNOWN;
        if (str_equal(node_text(check, array.doc, item), text))
            return YES;
    }
    return NO;
}

static enum tri test_type(struct check *check, struct place value, struct place schema,
                          const struct json_node *keyword)
{
    unsigned allowed = type_kinds(check, schema, keyword), is = value_kinds(value);
    if (allowed == 0)
        return UNKNOWN;
    return (is & allowed) == is ? YES : (is & allowed) == 0 ? NO : UNKNOWN;
}

enum tri value_listed(struct check *check, struct place value, struct place keyword, bool list)
{
    const struct json_doc *doc = &keyword.doc->json;
    if (!list)
        return values_equal(check, value, keyword);
    enum tri found = keyword.node->kind == JSON_ARRAY ? NO : UNKNOWN;
    if (found == UNKNOWN)
        return UNKNOWN;
    for (const struct json_node *item = json_first(doc, keyword.node); item && found != YES;
         item = json_after(doc, keyword.node, item))
        found = tri_or(found, values_equal(check, value, place_at(keyword, item)));
    return found;
}

static enum tri test_const(struct check *check, struct place value, struct place schema,
                           const struct json_node *keyword)
{
    return value_listed(check, value, place_at(schema, keyword), false);
}

static enum tri test_enum(struct check *check, struct place value, struct place schema,
                          const struct json_node *keyword)
{
    return value_listed(check, value, place_at(schema, keyword), true);
}

// The number that a bound is about: the value itself, or how large it is.
static bool measure(struct check *check, struct place value, struct exact *ret_size)
{
    if (value.node->kind == JSON_NUMBER)
        return place_number(value, ret_size);
    bool text = value.node->kind == JSON_STRING;
    if (text && !check_spend(check, 1 + value.node->len / 16))
        return false;
    *ret_size =
        exact_of(text ? text_points(node_text(check, value.doc, value.node)) : value.node->count);
    return true;
}

static enum tri test_order(struct check *check, struct place value, struct place schema,
                           const struct json_node *keyword, int sign, bool equal)
{
    struct exact size, bound;
    if (!place_number(place_at(schema, keyword), &bound) || !measure(check, value, &size))
        return UNKNOWN;
    int order = exact_compare(&size, &bound) * sign;
    return tri_of(order > 0 || (equal && order == 0));
}

static enum tri test_least(struct check *check, struct place value, struct place schema,
                           const struct json_node *keyword)
{
    return test_order(check, value, schema, keyword, 1, true);
}
static enum tri test_most(struct check *check, struct place value, struct place schema,
                          const struct json_node *keyword)
{
    return test_order(check, value, schema, keyword, -1, true);
}
static enum tri test_above(struct check *check, struct place value, struct place schema,
                           const struct json_node *keyword)
{
    return test_order(check, value, schema, keyword, 1, false);
}
static enum tri test_below(struct check *check, struct place value, struct place schema,
                           const struct json_node *keyword)
{
    return test_order(check, value, schema, keyword, -1, false);
}

static enum tri test_multiple(struct check *check, struct place value, struct place schema,
                              const struct json_node *keyword)
{
    struct exact number, divisor;
    if (!check_spend(check, 16) || !place_number(value, &number) ||
        !place_number(place_at(schema, keyword), &divisor) || divisor.count == 0 ||
        divisor.negative)
        return UNKNOWN;
    int multiple = exact_multiple(&number, &divisor);
    return multiple < 0 ? UNKNOWN : tri_of(multiple);
}

static enum tri test_pattern(struct check *check, struct place value, struct place schema,
                             const struct json_node *keyword)
{
    if (keyword->kind != JSON_STRING)
        return UNKNOWN;
    return name_matches(check, node_text(check, schema.doc, keyword),
                        node_text(check, value.doc, value.node));
}

static enum tri test_format(struct check *check, struct place value, struct place schema,
                            const struct json_node *keyword)
{
    (void)value, (void)schema, (void)keyword;
    return check->options.assert_formats ? UNKNOWN : YES;
}

static enum tri test_unknown(struct check *check, struct place value, struct place schema,
                             const struct json_node *keyword)
{
    (void)check, (void)value, (void)schema, (void)keyword;
    return UNKNOWN;
}

static enum tri test_required(struct check *check, struct place value, struct place schema,
                              const struct json_node *keyword)
{
    const struct json_doc *doc = &schema.doc->json;
    if (keyword->kind != JSON_ARRAY)
        return UNKNOWN;
    for (const struct json_node *name = json_first(doc, keyword); name;
         name = json_after(doc, keyword, name)) {
        if (name->kind != JSON_STRING || !check_spend(check, 1 + value.node->count / 8))
            return UNKNOWN;
        if (!json_member(&value.doc->json, value.node, node_text(check, schema.doc, name)))
            return NO;
    }
    return YES;
}

// ---- Fields. Every schema that speaks about one field, as object.c does for a meet.

static enum tri test_patterns(struct check *check, struct place field, str name,
                              struct place schema, enum tri *ret_matched)
{
    const struct json_doc *doc = &schema.doc->json;
    const struct json_node *patterns = place_keyword(check, schema, S("patternProperties"));
    enum tri good = YES;
    if (patterns && patterns->kind != JSON_OBJECT)
        return UNKNOWN;
    for (const struct json_node *at = patterns ? json_first(doc, patterns) : NULL; at;
         at = json_after(doc, patterns, at)) {
        enum tri matches = name_matches(check, node_key(check, schema.doc, at), name);
        *ret_matched = tri_or(*ret_matched, matches);
        if (matches == NO)
            continue;
        enum tri accepted = value_accepted(check, field, place_at(schema, at));
        good = tri_and(good, matches == YES || accepted == YES ? accepted : UNKNOWN);
    }
    return good;
}

static enum tri test_field(struct check *check, struct place field, str name, struct place schema)
{
    const struct json_node *properties = place_keyword(check, schema, S("properties"));
    const struct json_node *other = place_keyword(check, schema, S("additionalProperties"));
    const struct json_node *named = NULL;
    if (properties && properties->kind != JSON_OBJECT)
        return UNKNOWN;
    if (properties && check_spend(check, 1 + properties->count / 8))
        named = json_member(&schema.doc->json, properties, name);
    enum tri matched = tri_of(named != NULL);
    enum tri good = named ? value_accepted(check, field, place_at(schema, named)) : YES;
    good = tri_and(good, test_patterns(check, field, name, schema, &matched));
    if (!other || matched == YES)
        return good;
    enum tri accepted = value_accepted(check, field, place_at(schema, other));
    return tri_and(good, matched == NO || accepted == YES ? accepted : UNKNOWN);
}

// properties, patternProperties and additionalProperties together.
static enum tri test_fields(struct check *check, struct place value, struct place schema,
                            const struct json_node *keyword)
{
    (void)keyword;
    const struct json_doc *doc = &value.doc->json;
    enum tri good = YES;
    for (const struct json_node *field = json_first(doc, value.node); field && good != NO;
         field = json_after(doc, value.node, field)) {
        str name = node_key(check, value.doc, field);
        good = tri_and(good, test_field(check, place_at(value, field), name, schema));
    }
    return good;
}

static enum tri test_names(struct check *check, struct place value, struct place schema,
                           const struct json_node *keyword)
{
    const struct json_doc *doc = &value.doc->json;
    enum tri good = YES;
    for (const struct json_node *field = json_first(doc, value.node); field && good != NO;
         field = json_after(doc, value.node, field)) {
        struct place name = text_value(check, node_key(check, value.doc, field));
        good = name.node ? tri_and(good, value_accepted(check, name, place_at(schema, keyword)))
                         : UNKNOWN;
    }
    return good;
}

// dependentRequired, dependentSchemas and draft-07's dependencies, by what a member's value is.
static enum tri test_dependencies(struct check *check, struct place value, struct place schema,
                                  const struct json_node *keyword)
{
    const struct json_doc *doc = &schema.doc->json;
    enum tri good = keyword->kind == JSON_OBJECT ? YES : UNKNOWN;
    if (good == UNKNOWN)
        return UNKNOWN;
    for (const struct json_node *at = json_first(doc, keyword); at && good != NO;
         at = json_after(doc, keyword, at)) {
        if (!check_spend(check, 1 + value.node->count / 8))
            return UNKNOWN;
        if (!json_member(&value.doc->json, value.node, node_key(check, schema.doc, at)))
            continue;
        good = tri_and(good, at->kind == JSON_ARRAY
                                 ? test_required(check, value, schema, at)
                                 : value_accepted(check, value, place_at(schema, at)));
    }
    return good;
}

// Whether `dependencies` is read in 2020-12 is left open: who refuses by it may be wrong.
static enum tri test_old_dependencies(struct check *check, struct place value, struct place schema,
                                      const struct json_node *keyword)
{
    enum tri good = test_dependencies(check, value, schema, keyword);
    return good == NO && schema.doc->draft != COMPAT_DRAFT_07 ? UNKNOWN : good;
}

// ---- Items.

// items, prefixItems and additionalItems together.
static enum tri test_items(struct check *check, struct place value, struct place schema,
                           const struct json_node *keyword)
{
    (void)keyword;
    const struct json_doc *doc = &value.doc->json;
    const struct json_node *prefix, *items;
    if (!place_items(check, schema, &prefix, &items))
        return UNKNOWN;
    const struct json_node *first = prefix ? json_first(&schema.doc->json, prefix) : NULL;
    enum tri good = YES;
    for (const struct json_node *item = json_first(doc, value.node); item && good != NO;
         item = json_after(doc, value.node, item)) {
        const struct json_node *by = first ? first : items;
        if (by)
            good =
                tri_and(good, value_accepted(check, place_at(value, item), place_at(schema, by)));
        if (first)
            first = json_after(&schema.doc->json, prefix, first);
    }
    return good;
}

static enum tri test_contains(struct check *check, struct place value, struct place schema,
                              const struct json_node *keyword)
{
    const struct json_doc *doc = &value.doc->json;
    uint64_t sure = 0, possible = 0;
    for (const struct json_node *item = json_first(doc, value.node); item;
         item = json_after(doc, value.node, item)) {
        enum tri accepted = value_accepted(check, place_at(value, item), place_at(schema, keyword));
        sure += accepted == YES;
        possible += accepted != NO;
    }
    struct exact least = exact_of(1), most, low = exact_of(sure), high = exact_of(possible);
    const struct json_node *min = place_keyword(check, schema, S("minContains"));
    const struct json_node *max = place_keyword(check, schema, S("maxContains"));
    if ((min && !place_number(place_at(schema, min), &least)) ||
        (max && !place_number(place_at(schema, max), &most)))
        return UNKNOWN;
    enum tri enough = exact_compare(&low, &least) >= 0   ? YES
                      : exact_compare(&high, &least) < 0 ? NO
                                                         : UNKNOWN;
    if (!max)
        return enough;
    enum tri few = exact_compare(&high, &most) <= 0 ? YES
                   : exact_compare(&low, &most) > 0 ? NO
                                                    : UNKNOWN;
    return tri_and(enough, few);
}

static enum tri test_unique(struct check *check, struct place value, struct place schema,
                            const struct json_node *keyword)
{
    (void)schema;
    const struct json_doc *doc = &value.doc->json;
    if (keyword->kind == JSON_FALSE)
        return YES;
    if (keyword->kind != JSON_TRUE)
        return UNKNOWN;
    enum tri twice = NO;
    for (const struct json_node *a = json_first(doc, value.node); a;
         a = json_after(doc, value.node, a))
        for (const struct json_node *b = json_after(doc, value.node, a); b;
             b = json_after(doc, value.node, b))
            twice = tri_or(twice, values_equal(check, place_at(value, a), place_at(value, b)));
    return tri_not(twice);
}

// ---- Schemas of schemas.

static enum tri test_all(struct check *check, struct place value, struct place schema,
                         const struct json_node *keyword)
{
    const struct json_doc *doc = &schema.doc->json;
    enum tri good = keyword->kind == JSON_ARRAY ? YES : UNKNOWN;
    for (const struct json_node *at = json_first(doc, keyword); at && good != NO;
         at = json_after(doc, keyword, at))
        good = tri_and(good, value_accepted(check, value, place_at(schema, at)));
    return good;
}

static enum tri test_any(struct check *check, struct place value, struct place schema,
                         const struct json_node *keyword)
{
    const struct json_doc *doc = &schema.doc->json;
    enum tri good = keyword->kind == JSON_ARRAY && keyword->count ? NO : UNKNOWN;
    for (const struct json_node *at = json_first(doc, keyword); at && good != YES;
         at = json_after(doc, keyword, at))
        good = tri_or(good, value_accepted(check, value, place_at(schema, at)));
    return good;
}

static enum tri test_one(struct check *check, struct place value, struct place schema,
                         const struct json_node *keyword)
{
    const struct json_doc *doc = &schema.doc->json;
    uint64_t sure = 0, unknown = keyword->kind == JSON_ARRAY ? 0 : 1;
    for (const struct json_node *at = json_first(doc, keyword); at && sure < 2;
         at = json_after(doc, keyword, at)) {
        enum tri accepted = value_accepted(check, value, place_at(schema, at));
        sure += accepted == YES;
        unknown += accepted == UNKNOWN;
    }
    if (sure > 1)
        return NO;
    return unknown ? UNKNOWN : tri_of(sure == 1);
}

static enum tri test_not(struct check *check, struct place value, struct place schema,
                         const struct json_node *keyword)
{
    return tri_not(value_accepted(check, value, place_at(schema, keyword)));
}

static enum tri test_if(struct check *check, struct place value, struct place schema,
                        const struct json_node *keyword)
{
    const struct json_node *then = place_keyword(check, schema, S("then"));
    const struct json_node *otherwise = place_keyword(check, schema, S("else"));
    enum tri condition = value_accepted(check, value, place_at(schema, keyword));
    enum tri if_so = YES, if_not = YES;
    if (then && condition != NO)
        if_so = value_accepted(check, value, place_at(schema, then));
    if (otherwise && condition != YES)
        if_not = value_accepted(check, value, place_at(schema, otherwise));
    if (condition == UNKNOWN)
        return if_so == if_not ? if_so : UNKNOWN;
    return condition == YES ? if_so : if_not;
}

static const struct {
    str name;
    test *run;
    unsigned kinds;
} tests[] = {
    {S("type"), test_type, ALL_KINDS},
    {S("const"), test_const, ALL_KINDS},
    {S("enum"), test_enum, ALL_KINDS},
    {S("minimum"), test_least, NUMBERS},
    {S("maximum"), test_most, NUMBERS},
    {S("exclusiveMinimum"), test_above, NUMBERS},
    {S("exclusiveMaximum"), test_below, NUMBERS},
    {S("multipleOf"), test_multiple, NUMBERS},
    {S("minLength"), test_least, STRINGS},
    {S("maxLength"), test_most, STRINGS},
    {S("pattern"), test_pattern, STRINGS},
    {S("format"), test_format, ALL_KINDS},
    {S("minItems"), test_least, ARRAYS},
    {S("maxItems"), test_most, ARRAYS},
    {S("uniqueItems"), test_unique, ARRAYS},
    {S("items"), test_items, ARRAYS},
    {S("prefixItems"), test_items, ARRAYS},
    {S("contains"), test_contains, ARRAYS},
    {S("minProperties"), test_least, OBJECTS},
    {S("maxProperties"), test_most, OBJECTS},
    {S("required"), test_required, OBJECTS},
    {S("properties"), test_fields, OBJECTS},
    {S("patternProperties"), test_fields, OBJECTS},
    {S("additionalProperties"), test_fields, OBJECTS},
    {S("propertyNames"), test_names, OBJECTS},
    {S("dependentRequired"), test_dependencies, OBJECTS},
    {S("dependentSchemas"), test_dependencies, OBJECTS},
    {S("dependencies"), test_old_dependencies, OBJECTS},
    {S("allOf"), test_all, ALL_KINDS},
    {S("anyOf"), test_any, ALL_KINDS},
    {S("oneOf"), test_one, ALL_KINDS},
    {S("not"), test_not, ALL_KINDS},
    {S("if"), test_if, ALL_KINDS},
    {S("unevaluatedProperties"), test_unknown, OBJECTS},
    {S("unevaluatedItems"), test_unknown, ARRAYS},
    {S("$dynamicRef"), test_unknown, ALL_KINDS},
};

static enum tri test_object(struct check *check, struct place value, struct place schema)
{
    const struct json_node *ref = place_keyword(check, schema, S("$ref"));
    enum tri good = YES;
    if (ref) {
        struct place target = place_referred(check, schema, ref);
        good = target.node ? value_accepted(check, value, target) : UNKNOWN;
        if (schema.doc->draft == COMPAT_DRAFT_07)
            return good;
    }
    unsigned kinds = value_kinds(value);
    for (size_t i = 0; i < COUNT_OF(tests) && good != NO; i++) {
        const struct json_node *keyword =
            tests[i].kinds & kinds ? place_keyword(check, schema, tests[i].name) : NULL;
        if (keyword)
            good = tri_and(good, tests[i].run(check, value, schema, keyword));
    }
    return check_stopped(check) ? UNKNOWN : good;
}

enum tri value_accepted(struct check *check, struct place value, struct place schema)
{
    if (schema.node->kind != JSON_OBJECT)
        return is_schema(schema.node) ? tri_of(schema.node->kind == JSON_TRUE) : UNKNOWN;
    if (!check_spend(check, 1) || !check_enter(check))
        return UNKNOWN;
    enum tri answer = test_object(check, value, schema);
    check->depth--;
    return answer;
}

enum tri value_in_meet(struct check *check, struct place value, const struct meet *meet)
{
    enum tri good = tri_of(!meet->never);
    unsigned kinds = value_kinds(value);
    if ((kinds & meet->kinds) != kinds)
        good = kinds & meet->kinds ? tri_and(good, UNKNOWN) : NO;
    for (uint32_t i = 0; i < meet->place_count && good != NO; i++)
        good = tri_and(good, value_accepted(check, value, meet->places[i]));
    for (uint32_t i = 0; i < meet->not_count && good != NO; i++)
        good = tri_and(good, tri_not(value_accepted(check, value, meet->nots[i])));
    return good;
}
