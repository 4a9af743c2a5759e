// SPDX-License-Identifier: Apache-2.0
// Random pairs of schemas against random values: whenever the answer is "compatible", no value may
// be accepted by the old schema and refused by the new one. The judge is a small validator of its
// own that shares nothing with the room but the JSON tape. tests/compat/ajv.mjs does the same with
// all keywords and a foreign judge.
//
// A schema is grown from a seed: what stands at a place depends on the place's own seed alone. The
// second schema of a pair is grown from the same seed, but some places are grown otherwise.
#include "compat/compat.h"
#include "test.h"
#include "json/json.h"

#include "base/buf.h"
#include "base/rand.h"

enum { PAIRS = 400, VALUES = 150, TEXT_BYTES_MAX = 1 << 16 };

// ---- The judge.

static bool holds(const struct json_doc *doc, const struct json_node *schema,
                  const struct json_doc *data, const struct json_node *value);

static const struct json_node *keyword(const struct json_doc *doc, const struct json_node *schema,
                                       const char *name)
{
    return json_member(doc, schema, str_of(name));
}

static double number_of(const struct json_doc *doc, const struct json_node *node)
{
    return json_to_double(json_span(doc, node));
}

static bool is_type(str name, const struct json_doc *data, const struct json_node *value)
{
    static const char *const names[] = {"null",   "boolean", "boolean", "number",
                                        "string", "array",   "object"};
    if (str_equal(name, S("integer"))) {
        double number = value->kind == JSON_NUMBER ? number_of(data, value) : 0.5;
        return number == (double)(int64_t)number;
    }
    return str_equal(name, str_of(names[value->kind]));
}

static bool holds_type(const struct json_doc *doc, const struct json_node *type,
                       const struct json_doc *data, const struct json_node *value)
{
    str span = json_span(doc, type);
    if (type->kind == JSON_STRING)
        return is_type((str){span.ptr + 1, span.len - 2}, data, value);
    bool any = false;
    for (const struct json_node *at = json_first(doc, type); at; at = json_after(doc, type, at))
        any = any || holds_type(doc, at, data, value);
    return any;
}

static bool equals(const struct json_doc *doc, const struct json_node *node,
                   const struct json_doc *data, const struct json_node *value)
{
    struct arena arena;
    arena_init(&arena, 1 << 12, 1 << 20);
    bool equal = false;
    CHECK_OK(json_equal(json_span(doc, node), json_span(data, value), &arena, &equal));
    arena_deinit(&arena);
    return equal;
}

static bool holds_listed(const struct json_doc *doc, const struct json_node *list,
                         const struct json_doc *data, const struct json_node *value)
{
    bool any = false;
    for (const struct json_node *at = json_first(doc, list); at; at = json_after(doc, list, at))
        any = any || equals(doc, at, data, value);
    return any;
}

static double size_of(const struct json_doc *data, const struct json_node *value)
{
    if (value->kind == JSON_NUMBER)
        return number_of(data, value);
    return value->kind == JSON_STRING ? value->len - 2.0 : value->count; // the texts are ASCII
}

static bool holds_bounds(const struct json_doc *doc, const struct json_node *schema,
                         const struct json_doc *data, const struct json_node *value)
{
    static const struct {
        const char *name;
        enum json_kind kind;
        int sign;
        bool strict;
    } bounds[] = {
        {"minimum", JSON_NUMBER, 1, false},         {"maximum", JSON_NUMBER, -1, false},
        {"exclusiveMinimum", JSON_NUMBER, 1, true}, {"exclusiveMaximum", JSON_NUMBER, -1, true},
        {"minLength", JSON_STRING, 1, false},       {"maxLength", JSON_STRING, -1, false},
        {"minItems", JSON_ARRAY, 1, false},         {"maxItems", JSON_ARRAY, -1, false},
        {"minProperties", JSON_OBJECT, 1, false},   {"maxProperties", JSON_OBJECT, -1, false},
    };
    for (size_t i = 0; i < COUNT_OF(bounds); i++) {
        const struct json_node *bound = keyword(doc, schema, bounds[i].name);
        if (!bound || value->kind != bounds[i].kind)
            continue;
        double past = (size_of(data, value) - number_of(doc, bound)) * bounds[i].sign;
        if (past < 0 || (past == 0 && bounds[i].strict))
            return false;
    }
    return true;
}

static bool holds_fields(const struct json_doc *doc, const struct json_node *schema,
                         const struct json_doc *data, const struct json_node *value)
{
    const struct json_node *fields = keyword(doc, schema, "properties");
    const struct json_node *others = keyword(doc, schema, "additionalProperties");
    const struct json_node *required = keyword(doc, schema, "required");
    for (const struct json_node *at = required ? json_first(doc, required) : NULL; at;
         at = json_after(doc, required, at)) {
        str span = json_span(doc, at);
        if (!json_member(data, value, (str){span.ptr + 1, span.len - 2}))
            return false;
    }
    for (const struct json_node *at = json_first(data, value); at;
         at = json_after(data, value, at)) {
        const struct json_node *by =
            fields ? json_member(doc, fields, json_key_span(data, at)) : NULL;
        if (!by)
            by = others;
        if (by && !holds(doc, by, data, at))
            return false;
    }
    return true;
}

static bool holds_items(const struct json_doc *doc, const struct json_node *schema,
                        const struct json_doc *data, const struct json_node *value)
{
    const struct json_node *items = keyword(doc, schema, "items");
    for (const struct json_node *at = json_first(data, value); at && items;
         at = json_after(data, value, at))
        if (!holds(doc, items, data, at))
            return false;
    return true;
}

static uint32_t count_of(const struct json_doc *doc, const struct json_node *list,
                         const struct json_doc *data, const struct json_node *value)
{
    uint32_t count = 0;
    for (const struct json_node *at = json_first(doc, list); at; at = json_after(doc, list, at))
        count += holds(doc, at, data, value);
    return count;
}

static bool holds_branches(const struct json_doc *doc, const struct json_node *schema,
                           const struct json_doc *data, const struct json_node *value)
{
    const struct json_node *all = keyword(doc, schema, "allOf");
    const struct json_node *any = keyword(doc, schema, "anyOf");
    const struct json_node *one = keyword(doc, schema, "oneOf");
    const struct json_node *negated = keyword(doc, schema, "not");
    const struct json_node *condition = keyword(doc, schema, "if");
    if ((all && count_of(doc, all, data, value) < all->count) ||
        (any && count_of(doc, any, data, value) == 0) ||
        (one && count_of(doc, one, data, value) != 1) ||
        (negated && holds(doc, negated, data, value)))
        return false;
    bool so = condition && holds(doc, condition, data, value);
    const struct json_node *outcome = keyword(doc, schema, so ? "then" : "else");
    return !condition || !outcome || holds(doc, outcome, data, value);
}

static bool holds(const struct json_doc *doc, const struct json_node *schema,
                  const struct json_doc *data, const struct json_node *value)
{
    if (schema->kind != JSON_OBJECT)
        return schema->kind == JSON_TRUE;
    const struct json_node *ref = keyword(doc, schema, "$ref");
    const struct json_node *type = keyword(doc, schema, "type");
    const struct json_node *list = keyword(doc, schema, "enum");
    const struct json_node *only = keyword(doc, schema, "const");
    if (ref) { // there is one definition
        const struct json_node *definitions = keyword(doc, json_root(doc), "$defs");
        if (!holds(doc, json_member(doc, definitions, S("d")), data, value))
            return false;
    }
    return (!type || holds_type(doc, type, data, value)) &&
           (!list || holds_listed(doc, list, data, value)) &&
           (!only || equals(doc, only, data, value)) && holds_bounds(doc, schema, data, value) &&
           (value->kind != JSON_OBJECT || holds_fields(doc, schema, data, value)) &&
           (value->kind != JSON_ARRAY || holds_items(doc, schema, data, value)) &&
           holds_branches(doc, schema, data, value);
}

// ---- The garden.

struct gardener {
    struct buf *buf;
    uint64_t other; // 0: the first schema; else what decides where the second one differs
};

static uint64_t mixed(uint64_t a, uint64_t b)
{
    struct rand rand = {a ^ (b * UINT64_C(0x9e3779b97f4a7c15))};
    return rand_next(&rand);
}

// A choice of the place `seed`; in the second schema one in twelve is another.
static uint64_t choose(const struct gardener *gardener, uint64_t seed, uint64_t what,
                       uint64_t bound)
{
    uint64_t own = mixed(seed, what);
    if (gardener->other && mixed(own, gardener->other) % 12 == 0)
        own = mixed(own, gardener->other + 1);
    return own % bound;
}

static void grow_value(struct buf *buf, struct rand *rand, int depth)
{
    static const char *const plain[] = {"null", "true", "false", "0",    "1",     "2",      "3",
                                        "-1",   "0.5",  "1.5",   "\"\"", "\"a\"", "\"ab\"", "{}"};
    static const char *const names[] = {"a", "b", "c"};
    uint64_t kind = rand_below(rand, depth > 0 ? 4 : 2);
    if (kind < 2) {
        buf_put_str(buf, str_of(plain[rand_below(rand, COUNT_OF(plain))]));
        return;
    }
    bool object = kind == 3, comma = false;
    buf_put_char(buf, object ? '{' : '[');
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (rand_below(rand, 2))
            continue;
        if (comma)
            buf_put_char(buf, ',');
        comma = true;
        if (object)
            buf_printf(buf, "\"%s\":", names[i]);
        grow_value(buf, rand, depth - 1);
    }
    buf_put_char(buf, object ? '}' : ']');
}

static void grow(const struct gardener *gardener, uint64_t seed, int depth);

static void grow_list(const struct gardener *gardener, uint64_t seed, int depth)
{
    buf_put_char(gardener->buf, '[');
    uint64_t count = 1 + choose(gardener, seed, 50, 3);
    for (uint64_t i = 0; i < count; i++) {
        if (i)
            buf_put_char(gardener->buf, ',');
        grow(gardener, mixed(seed, 60 + i), depth - 1);
    }
    buf_put_char(gardener->buf, ']');
}

static void grow_fields(const struct gardener *gardener, uint64_t seed, int depth)
{
    static const char *const names[] = {"a", "b", "c"};
    buf_put_char(gardener->buf, '{');
    bool comma = false;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (choose(gardener, seed, 70 + i, 2))
            continue;
        buf_printf(gardener->buf, "%s\"%s\":", comma ? "," : "", names[i]);
        comma = true;
        grow(gardener, mixed(seed, 80 + i), depth - 1);
    }
    buf_put_char(gardener->buf, '}');
}

static void grow_scalar(const struct gardener *gardener, uint64_t seed, uint64_t which)
{
    static const char *const types[] = {"null",   "boolean", "integer", "number",
                                        "string", "array",   "object"};
    static const char *const numbers[] = {
        "minimum",   "maximum",  "exclusiveMinimum", "exclusiveMaximum", "minLength",
        "maxLength", "minItems", "maxItems",         "minProperties",    "maxProperties"};
    struct buf *buf = gardener->buf;
    struct rand rand = {mixed(seed, choose(gardener, seed, 90, 1000))};
    switch (which) {
    case 0:
    case 1:
        buf_printf(buf, ",\"type\":\"%s\"", types[choose(gardener, seed, 91, COUNT_OF(types))]);
        break;
    case 2:
        buf_printf(buf, ",\"type\":[\"%s\",\"null\"]", types[1 + choose(gardener, seed, 92, 6)]);
        break;
    case 3:
        buf_put_str(buf, S(",\"enum\":["));
        for (int i = 0; i < 3; i++) {
            if (i)
                buf_put_char(buf, ',');
            grow_value(buf, &rand, 1);
        }
        buf_put_char(buf, ']');
        break;
    case 4:
        buf_put_str(buf, S(",\"const\":"));
        grow_value(buf, &rand, 1);
        break;
    case 5:
        buf_printf(buf, ",\"required\":[\"%c\"]", (int)('a' + choose(gardener, seed, 93, 3)));
        break;
    default:
        buf_printf(buf, ",\"%s\":%llu", numbers[choose(gardener, seed, 94, COUNT_OF(numbers))],
                   (unsigned long long)choose(gardener, seed, 95, 4));
    }
}

static void grow_nested(const struct gardener *gardener, uint64_t seed, int depth)
{
    static const char *const lists[] = {"allOf", "anyOf", "oneOf"};
    static const char *const ones[] = {"additionalProperties", "items", "not", "if"};
    struct buf *buf = gardener->buf;
    uint64_t which = choose(gardener, seed, 30, 10);
    if (which < 3) {
        buf_put_str(buf, S(",\"properties\":"));
        grow_fields(gardener, mixed(seed, 31), depth);
    } else if (which < 6) {
        buf_printf(buf, ",\"%s\":", lists[which - 3]);
        grow_list(gardener, mixed(seed, 32), depth);
    } else {
        buf_printf(buf, ",\"%s\":", ones[which - 6]);
        grow(gardener, mixed(seed, 33), depth - 1);
        if (which == 9) {
            buf_put_str(buf, S(",\"then\":"));
            grow(gardener, mixed(seed, 34), depth - 1);
        }
    }
}

static void grow(const struct gardener *gardener, uint64_t seed, int depth)
{
    struct buf *buf = gardener->buf;
    uint64_t form = choose(gardener, seed, 1, 20);
    if (form < 2) {
        buf_put_str(buf, form ? S("true") : S("false"));
        return;
    }
    // Each keyword in a schema of its own, so that no name stands twice.
    buf_printf(buf, "{\"allOf\":[{\"title\":\"%llu\"", (unsigned long long)depth);
    grow_scalar(gardener, mixed(seed, 2), choose(gardener, seed, 3, 9));
    buf_put_str(buf, S("},{\"title\":\"\""));
    if (form < 10)
        grow_scalar(gardener, mixed(seed, 4), choose(gardener, seed, 5, 9));
    buf_put_str(buf, S("}]"));
    if (form == 2 && depth > 0) // the definition itself has depth 0
        buf_put_str(buf, S(",\"$ref\":\"#/$defs/d\""));
    if (depth > 0 && form > 5 && choose(gardener, seed, 6, 4)) {
        buf_put_str(buf, S(",\"anyOf\":[{\"title\":\"\""));
        grow_nested(gardener, mixed(seed, 7), depth);
        buf_put_str(buf, S("}]"));
    }
    buf_put_char(buf, '}');
}

static str grow_schema(struct arena *arena, uint64_t seed, uint64_t other)
{
    struct buf buf;
    buf_init(&buf, TEXT_BYTES_MAX);
    struct gardener gardener = {&buf, other};
    buf_put_str(&buf, S("{\"allOf\":["));
    grow(&gardener, mixed(seed, 100), 3);
    buf_put_str(&buf, S("],\"$defs\":{\"d\":"));
    grow(&gardener, mixed(seed, 101), 0);
    buf_put_str(&buf, S("}}"));
    str text = arena_copy(arena, buf_str(&buf));
    CHECK(!buf_failed(&buf) && text.ptr);
    buf_deinit(&buf);
    return text;
}

static struct json_doc parsed(struct arena *arena, str text)
{
    struct json_doc doc;
    struct json_options options = {.span_depth = UINT32_MAX};
    CHECK_OK(json_parse(text, options, arena, &doc, NULL, NULL));
    return doc;
}

static struct json_doc some_value(struct arena *arena, struct rand *rand)
{
    struct buf buf;
    buf_init(&buf, TEXT_BYTES_MAX);
    grow_value(&buf, rand, 3);
    str text = arena_copy(arena, buf_str(&buf));
    buf_deinit(&buf);
    return parsed(arena, text);
}

struct score {
    uint32_t compatible, refuted;
};

static void try_pair(uint64_t seed, struct score *score)
{
    struct arena arena;
    arena_init(&arena, 1 << 18, 1 << 26);
    struct rand rand = {seed * 77};
    str texts[2] = {grow_schema(&arena, seed, 0), grow_schema(&arena, seed, 1 + seed % 1000)};
    struct json_doc old_schema = parsed(&arena, texts[0]), new_schema = parsed(&arena, texts[1]);
    struct compat_answer answer;
    CHECK_OK(compat_check(texts[0], texts[1], (struct compat_options){}, &arena, &answer, NULL));
    score->compatible += answer.compatible;
    bool refuted = false;
    for (int i = 0; i < VALUES && !refuted; i++) {
        struct json_doc value = some_value(&arena, &rand);
        refuted = holds(&old_schema, json_root(&old_schema), &value, json_root(&value)) &&
                  !holds(&new_schema, json_root(&new_schema), &value, json_root(&value));
        if (refuted && answer.compatible)
            test_fail(__FILE__, __LINE__, "%.*s is refused\n    old %.*s\n    new %.*s",
                      STR(value.text), STR(texts[0]), STR(texts[1]));
    }
    score->refuted += refuted;
    arena_deinit(&arena);
}

TEST(no_value_contradicts_a_yes)
{
    struct score score = {};
    FOR_EACH_SEED(seed, PAIRS)
        try_pair(seed, &score);
    // Else the pairs said nothing: both answers must be common, and so must the refuting value.
    if (test_seed_first() != test_seed_last(PAIRS)) {
        CHECK(score.compatible > PAIRS / 8);
        CHECK(score.refuted > PAIRS / 8);
    }
}
