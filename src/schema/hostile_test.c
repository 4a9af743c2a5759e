// SPDX-License-Identifier: Apache-2.0
// Schemas and values that are made to hang a checker or to eat its memory. Each is refused, or
// answered, with bounded work; the bound is asked for, not measured in time.
#include "schema/schema.h"

#include "base/limits.h"
#include "test.h"

#include <stdlib.h>

struct bench {
    struct arena arena;
    struct schema *schema;
    struct buf text, value;
};

static void bench_end(struct bench *bench)
{
    schema_free(bench->schema);
    arena_deinit(&bench->arena);
    buf_deinit(&bench->text);
    buf_deinit(&bench->value);
}
#define BENCH __attribute__((cleanup(bench_end))) struct bench

static void bench_init(struct bench *bench)
{
    *bench = (struct bench){};
    arena_init(&bench->arena, 1 << 16, 1 << 29);
    buf_init(&bench->text, 1 << 23);
    buf_init(&bench->value, 1 << 26);
}

static void repeat(struct buf *buf, const char *piece, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_put_str(buf, str_of(piece));
}

static void compile(struct bench *bench)
{
    struct als_why why = {};
    if (schema_compile(buf_str(&bench->text), NULL, &bench->schema, &why) != ALS_OK)
        test_fail(__FILE__, __LINE__, "%s", why.text);
}

static void check_refused(struct bench *bench, err code, const char *words)
{
    struct als_why why = {};
    err got = schema_compile(buf_str(&bench->text), NULL, &bench->schema, &why);
    if (got != code)
        test_fail(__FILE__, __LINE__, "%s: %s", err_code(got), why.text);
    if (!memmem(why.text, strlen(why.text), words, strlen(words)))
        test_fail(__FILE__, __LINE__, "expected '%s' in: %s", words, why.text);
}

static bool valid(struct bench *bench)
{
    bool answer;
    struct als_why why = {};
    if (schema_check_text(bench->schema, buf_str(&bench->value), &bench->arena, &answer, &why) !=
        ALS_OK)
        test_fail(__FILE__, __LINE__, "%s", why.text);
    return answer;
}

static void check_gives_up(struct bench *bench, const char *words)
{
    bool answer;
    struct als_why why = {};
    CHECK_ERR(ALS_TOO_LARGE, schema_check_text(bench->schema, buf_str(&bench->value), &bench->arena,
                                               &answer, &why));
    if (!memmem(why.text, strlen(why.text), words, strlen(words)))
        test_fail(__FILE__, __LINE__, "expected '%s' in: %s", words, why.text);
}

TEST(hostile_depth_of_a_schema_is_bounded)
{
    BENCH bench;
    bench_init(&bench);
    repeat(&bench.text, "{\"not\":", SCHEMA_DEPTH_MAX - 1);
    buf_put_str(&bench.text, S("{}"));
    repeat(&bench.text, "}", SCHEMA_DEPTH_MAX - 1);
    compile(&bench);
    buf_put_str(&bench.value, S("1"));
    CHECK_EQUAL((SCHEMA_DEPTH_MAX - 1) % 2 == 0, valid(&bench));

    BENCH deeper;
    bench_init(&deeper);
    repeat(&deeper.text, "{\"not\":", SCHEMA_DEPTH_MAX);
    buf_put_str(&deeper.text, S("{}"));
    repeat(&deeper.text, "}", SCHEMA_DEPTH_MAX);
    check_refused(&deeper, ALS_JSON_SYNTAX, "nested too deeply");
}

TEST(hostile_size_of_a_schema_is_bounded)
{
    BENCH bench;
    bench_init(&bench);
    buf_put_str(&bench.text, S("{\"title\":\""));
    repeat(&bench.text, "x", SCHEMA_BYTES_MAX);
    buf_put_str(&bench.text, S("\"}"));
    check_refused(&bench, ALS_TOO_LARGE, "a schema has at most 1048576 bytes");
}

TEST(hostile_number_of_subschemas_is_bounded)
{
    BENCH bench;
    bench_init(&bench);
    buf_put_str(&bench.text, S("{\"allOf\":[{\"a\":1}"));
    repeat(&bench.text, ",{}", SCHEMA_RULES_MAX);
    buf_put_str(&bench.text, S("]}"));
    check_refused(&bench, ALS_TOO_LARGE, "a schema has at most 100000 subschemas");
}

TEST(hostile_enum_of_many_values_is_found_in_and_bounded)
{
    BENCH bench;
    bench_init(&bench);
    buf_put_str(&bench.text, S("{\"items\":{\"enum\":[-1"));
    for (int i = 0; i < 50000; i++)
        buf_printf(&bench.text, ",\"value %d\"", i);
    buf_put_str(&bench.text, S("]}}"));
    compile(&bench);
    // A look-up each, not a comparison with all: those would be more steps than there are.
    buf_put_str(&bench.value, S("[-1"));
    for (int i = 0; i < 50000; i++)
        buf_printf(&bench.value, ",\"value %d\"", i);
    buf_put_char(&bench.value, ']');
    CHECK(valid(&bench));
    buf_reset(&bench.value);
    buf_put_str(&bench.value, S("[\"value 50000\"]"));
    CHECK(!valid(&bench));

    BENCH larger;
    bench_init(&larger);
    buf_put_str(&larger.text, S("{\"enum\":[0"));
    repeat(&larger.text, ",0", SCHEMA_ENUM_MAX);
    buf_put_str(&larger.text, S("]}"));
    check_refused(&larger, ALS_TOO_LARGE, "the enums of a schema have at most 100000 values");
}

TEST(hostile_bomb_of_references_ends_with_the_steps)
{
    // Each level applies the next ten times: 10^12 ways through.
    BENCH bench;
    bench_init(&bench);
    buf_put_str(&bench.text, S("{\"$ref\":\"#/$defs/l0\",\"$defs\":{"));
    for (int level = 0; level < 12; level++) {
        buf_printf(&bench.text, "\"l%d\":{\"allOf\":[{}", level);
        for (int i = 0; i < 10; i++)
            buf_printf(&bench.text, ",{\"$ref\":\"#/$defs/l%d\"}", level + 1);
        buf_put_str(&bench.text, S("]},"));
    }
    buf_put_str(&bench.text, S("\"l12\":{\"type\":\"integer\"}}}"));
    compile(&bench);
    buf_put_str(&bench.value, S("1"));
    check_gives_up(&bench, "checking the value takes more than 10000000 steps");
    buf_reset(&bench.value);
    buf_put_str(&bench.value, S("\"x\""));
    CHECK(!valid(&bench)); // the first way already fails
}

// Each reference goes to its element at once; looking through the array would be quadratic.
TEST(hostile_references_into_one_long_array_are_followed)
{
    enum { ELEMENTS = 20'000 };
    BENCH bench;
    bench_init(&bench);
    buf_put_str(&bench.text, S("{\"properties\":{"));
    for (int i = 0; i < ELEMENTS; i++)
        buf_printf(&bench.text, "%s\"p%d\":{\"$ref\":\"#/x/%d\"}", i ? "," : "", i, i);
    buf_put_str(&bench.text, S("},\"x\":["));
    for (int i = 0; i < ELEMENTS; i++)
        buf_printf(&bench.text, "%s{\"const\":%d}", i ? "," : "", i);
    buf_put_str(&bench.text, S("]}"));
    compile(&bench);
    for (int i = 0; i < ELEMENTS; i += 331) {
        buf_reset(&bench.value);
        buf_printf(&bench.value, "{\"p%d\":%d}", i, i);
        CHECK(valid(&bench));
        buf_reset(&bench.value);
        buf_printf(&bench.value, "{\"p%d\":%d}", i, i + 1);
        CHECK(!valid(&bench));
    }
}

TEST(hostile_tree_of_choices_ends_with_the_steps)
{
    BENCH bench;
    bench_init(&bench);
    buf_put_str(&bench.text, S("{\"$ref\":\"#/$defs/l0\",\"$defs\":{"));
    for (int level = 0; level < 40; level++)
        buf_printf(&bench.text,
                   "\"l%d\":{\"oneOf\":[{\"$ref\":\"#/$defs/l%d\"},{\"not\":{\"$ref\":\"#/$defs/"
                   "l%d\"}}]},",
                   level, level + 1, level + 1);
    buf_put_str(&bench.text, S("\"l40\":{\"type\":\"integer\"}}}"));
    compile(&bench);
    buf_put_str(&bench.value, S("1"));
    check_gives_up(&bench, "checking the value takes more than 10000000 steps");
}

TEST(hostile_circle_through_a_dynamic_reference_ends_at_the_nesting)
{
    BENCH bench;
    bench_init(&bench);
    buf_put_str(
        &bench.text,
        S("{\"$id\":\"https://a.example/a\",\"$dynamicAnchor\":\"n\",\"$ref\":\"b\",\"$defs\":{"
          "\"b\":{\"$id\":\"b\",\"$defs\":{\"c\":{\"$dynamicAnchor\":\"n\"}},\"$dynamicRef\":"
          "\"#n\"}}}"));
    compile(&bench);
    buf_put_str(&bench.value, S("1"));
    check_gives_up(&bench, "the schema nests deeper than 1024 rules in this value");
}

TEST(hostile_recursion_into_a_deep_value_is_followed)
{
    BENCH bench;
    bench_init(&bench);
    buf_put_str(&bench.text, S("{\"items\":{\"$ref\":\"#\"},\"type\":\"array\"}"));
    compile(&bench);
    repeat(&bench.value, "[", JSON_DEPTH_MAX);
    repeat(&bench.value, "]", JSON_DEPTH_MAX);
    CHECK(valid(&bench));
}

TEST(hostile_names_that_share_their_ends_do_not_pile_up)
{
    BENCH bench;
    bench_init(&bench);
    buf_put_str(&bench.text, S("{\"additionalProperties\":false,\"properties\":{\"x\":true"));
    for (int i = 0; i < 20000; i++)
        buf_printf(&bench.text, ",\"prefix..%06d..suffix\":true", i);
    buf_put_str(&bench.text, S("}}"));
    compile(&bench);
    buf_put_str(&bench.value, S("{\"x\":1"));
    for (int i = 0; i < 20000; i++)
        buf_printf(&bench.value, ",\"prefix..%06d..suffix\":1", i);
    buf_put_char(&bench.value, '}');
    CHECK(valid(&bench));
}

TEST(hostile_doubled_keys_end_with_the_steps_or_before)
{
    BENCH bench;
    bench_init(&bench);
    buf_put_str(&bench.text, S("{\"additionalProperties\":false}"));
    compile(&bench);
    buf_put_str(&bench.value, S("{\"a\":1"));
    repeat(&bench.value, ",\"a\":1", 100000);
    buf_put_char(&bench.value, '}');
    CHECK(!valid(&bench));

    BENCH counted;
    bench_init(&counted);
    buf_put_str(&counted.text, S("{\"maxProperties\":1}"));
    compile(&counted);
    buf_put_str(&counted.value, buf_str(&bench.value));
    CHECK(valid(&counted)); // each is replaced by the one behind it

    // One that stands twice makes all be looked at in pairs: 10^10 of them.
    buf_reset(&counted.value);
    buf_put_str(&counted.value, S("{\"a\":1,\"a\":1"));
    for (int i = 0; i < 100000; i++)
        buf_printf(&counted.value, ",\"%d\":1", i);
    buf_put_char(&counted.value, '}');
    check_gives_up(&counted, "checking the value takes more than 10000000 steps");
}

TEST(hostile_items_that_are_nearly_equal_are_told_apart)
{
    BENCH bench;
    bench_init(&bench);
    buf_put_str(&bench.text, S("{\"uniqueItems\":true}"));
    compile(&bench);
    buf_put_str(&bench.value, S("[0"));
    for (int i = 0; i < 50000; i++)
        buf_printf(&bench.value, ",{\"a\":%d,\"b\":[1,2]}", i);
    buf_put_char(&bench.value, ']');
    CHECK(valid(&bench));

    buf_reset(&bench.value);
    buf_put_str(&bench.value, S("[0"));
    for (int i = 0; i < 20000; i++) {
        buf_put_str(&bench.value, S(",\""));
        repeat(&bench.value, i % 2 ? "x" : "\\u0078", 600);
        buf_printf(&bench.value, "%d\"", i);
    }
    buf_put_char(&bench.value, ']');
    CHECK(valid(&bench));
    bench.value.len--;
    buf_put_str(&bench.value, S(",\""));
    repeat(&bench.value, "\\u0078", 600);
    buf_put_str(&bench.value, S("19999\"]"));
    CHECK(!valid(&bench));
}

TEST(hostile_numbers_cost_what_their_text_costs)
{
    BENCH bench;
    bench_init(&bench);
    buf_put_str(&bench.text,
                S("{\"items\":{\"multipleOf\":1e-400,\"maximum\":1e999999999999999999999,\"type\":"
                  "\"integer\",\"not\":{\"const\":1e999999999999999999998}}}"));
    compile(&bench);
    buf_put_str(&bench.value,
                S("[1e400,1e999999999999999999997,10e999999999999999999998,12300e-2]"));
    CHECK(valid(&bench));
    buf_reset(&bench.value);
    buf_put_str(&bench.value, S("[10e999999999999999999997]"));
    CHECK(!valid(&bench));

    BENCH digits;
    bench_init(&digits);
    buf_put_str(&digits.text, S("{\"multipleOf\":1"));
    repeat(&digits.text, "7", SCHEMA_MULTIPLE_DIGITS_MAX);
    buf_put_str(&digits.text, S("}"));
    check_refused(&digits, ALS_TOO_LARGE, "a multipleOf has at most 128 significant digits");
    digits.text.len -= 2;
    buf_put_char(&digits.text, '}');
    compile(&digits);
    repeat(&digits.value, "7", 30000);
    CHECK(!valid(&digits));
    buf_reset(&digits.value);
    repeat(&digits.value, "7", 10000000);
    check_gives_up(&digits, "checking the value takes more than 10000000 steps");
}

TEST(hostile_pattern_on_a_long_text_ends_with_the_steps)
{
    BENCH bench;
    bench_init(&bench);
    buf_put_str(&bench.text, S("{\"pattern\":\"(?:a?){2000}\\\\b(?:a?){2000}!\"}"));
    compile(&bench);
    buf_put_char(&bench.value, '"');
    repeat(&bench.value, "a", 1000000);
    buf_put_char(&bench.value, '"');
    check_gives_up(&bench, "checking the value takes more than 10000000 steps");
}

TEST(hostile_patterns_in_numbers_are_bounded_by_memory)
{
    BENCH bench;
    bench_init(&bench);
    buf_put_str(&bench.text, S("{\"patternProperties\":{\"x\":true"));
    for (int i = 0; i < 2000; i++)
        buf_printf(&bench.text, ",\"[\\\\p{L}%d]{400}\":true", i);
    buf_put_str(&bench.text, S("}}"));
    struct als_why why = {};
    err code = schema_compile(buf_str(&bench.text), NULL, &bench.schema, &why);
    CHECK(code == ALS_OK || code == ALS_TOO_LARGE);
    if (code == ALS_OK)
        CHECK(schema_bytes(bench.schema) <= SCHEMA_MEMORY_MAX);
}

static err endless(void *context, str uri, struct arena *arena, str *ret_text, struct als_why *why)
{
    (void)uri;
    (void)why;
    int *asked = context;
    char text[64];
    (void)snprintf(text, sizeof text, "{\"$ref\":\"next:%d\"}", ++*asked);
    *ret_text = arena_copy(arena, str_of(text));
    return ALS_OK;
}

TEST(hostile_chain_of_schemas_that_refer_to_further_ones_is_bounded)
{
    int asked = 0;
    struct schema_options options = {.resolve = endless, .context = &asked};
    struct schema *schema = NULL;
    struct als_why why = {};
    CHECK_ERR(ALS_TOO_LARGE, schema_compile(S("{\"$ref\":\"next:0\"}"), &options, &schema, &why));
    CHECK_STR(S("a schema refers to at most 256 others"), str_of(why.text));
    CHECK_EQUAL(SCHEMA_DOCUMENTS_MAX, asked);
}

TEST(hostile_value_does_not_fit_into_a_small_arena_and_that_is_said)
{
    BENCH bench;
    bench_init(&bench);
    buf_put_str(&bench.text, S("{\"uniqueItems\":true,\"unevaluatedItems\":true}"));
    compile(&bench);
    struct arena small;
    arena_init(&small, 1 << 12, 1 << 18);
    struct json_doc doc;
    struct json_options options = {.span_depth = UINT32_MAX};
    buf_put_str(&bench.value, S("[0"));
    repeat(&bench.value, ",\"x\"", 20000);
    buf_put_char(&bench.value, ']');
    CHECK_OK(json_parse(buf_str(&bench.value), options, &bench.arena, &doc, NULL, NULL));
    bool answer;
    struct als_why why = {};
    CHECK_ERR(ALS_TOO_LARGE, schema_check(bench.schema, &doc, &small, &answer, &why));
    CHECK_STR(S("checking the value takes too much memory"), str_of(why.text));
    arena_deinit(&small);
}
