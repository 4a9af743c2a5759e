// SPDX-License-Identifier: Apache-2.0
// Words, places and forms of what is wrong; what is refused when a schema is compiled. That
// keywords mean what they should is shown by the suites (tests/schema).
#include "schema/schema.h"

#include "base/limits.h"
#include "test.h"

struct bench {
    struct arena arena;
    struct schema *schema;
    struct buf buf;
};

static void bench_end(struct bench *bench)
{
    schema_free(bench->schema);
    arena_deinit(&bench->arena);
    buf_deinit(&bench->buf);
}
#define BENCH __attribute__((cleanup(bench_end))) struct bench

static void compile(struct bench *bench, const char *text, const struct schema_options *options)
{
    *bench = (struct bench){};
    arena_init(&bench->arena, 1 << 16, 1 << 28);
    buf_init(&bench->buf, 1 << 20);
    struct als_why why = {};
    if (schema_compile(str_of(text), options, &bench->schema, &why) != ALS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", text, why.text);
}

static struct schema_errors explained(struct bench *bench, const char *text)
{
    struct json_doc doc;
    struct json_options options = {.depth_max = JSON_DEPTH_CAP, .span_depth = UINT32_MAX};
    CHECK_OK(json_parse(str_of(text), options, &bench->arena, &doc, NULL, NULL));
    struct schema_errors errors = {};
    CHECK_OK(schema_explain(bench->schema, &doc, &bench->arena, &errors, NULL));
    bool valid;
    CHECK_OK(schema_check(bench->schema, &doc, &bench->arena, &valid, NULL));
    CHECK_EQUAL(errors.count == 0, valid);
    return errors;
}

// One error a line: instance, location, keyword, message.
static str listed(struct bench *bench, const char *text)
{
    struct schema_errors errors = explained(bench, text);
    buf_reset(&bench->buf);
    for (uint32_t i = 0; i < errors.count; i++) {
        const struct schema_error *error = &errors.items[i];
        buf_printf(&bench->buf, "%s%.*s|%.*s|%.*s|%.*s\n", error->parent == UINT32_MAX ? "" : "  ",
                   STR(error->instance), STR(error->location), STR(error->keyword),
                   STR(error->message));
    }
    return buf_str(&bench->buf);
}

static void check_listed(const char *schema, const char *text, const char *expected)
{
    BENCH bench;
    compile(&bench, schema, NULL);
    CHECK_STR(str_of(expected), listed(&bench, text));
}

TEST(schema_says_the_three_messages_of_the_wire_contract)
{
    check_listed("{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":"
                 "\"string\"},\"c\":{\"required\":[\"d\"]}}}",
                 "{\"a\":1,\"c\":{}}",
                 "/a|/properties/a/type|type|a.Type mismatch: expected string, got number\n"
                 "/c|/properties/c/required|required|c.Missing required field: d\n");
}

TEST(schema_tells_required_then_type_then_members_then_the_rest)
{
    check_listed(
        "{\"minProperties\":9,\"properties\":{\"x\":{\"type\":[\"integer\",\"null\"]}},"
        "\"type\":\"array\",\"required\":[\"b\",\"a\"]}",
        "{\"x\":1.5}",
        "|/required|required|Missing required field: b\n"
        "|/required|required|Missing required field: a\n"
        "|/type|type|Type mismatch: expected array, got object\n"
        "/x|/properties/x/type|type|x.Type mismatch: expected null or integer, got number\n"
        "|/minProperties|minProperties|Too few fields: expected at least 9, got 1\n");
}

TEST(schema_names_types_as_the_reference_did)
{
    static const struct {
        const char *value, *name;
    } rows[] = {{"null", "null"}, {"true", "boolean"}, {"1", "number"},
                {"{}", "object"}, {"[]", "array"},     {"1.5", "number"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        BENCH bench;
        compile(&bench, "{\"type\":\"string\"}", NULL);
        struct schema_errors errors = explained(&bench, rows[i].value);
        char expected[80];
        (void)snprintf(expected, sizeof expected, "Type mismatch: expected string, got %s",
                       rows[i].name);
        CHECK_EQUAL(1, errors.count);
        CHECK_STR(str_of(expected), errors.items[0].message);
    }
}

TEST(schema_explains_every_keyword_in_words)
{
    static const struct {
        const char *schema, *value, *listed;
    } rows[] = {
        {"{\"minimum\":1.50}", "1.4", "|/minimum|minimum|Too small: expected at least 1.50\n"},
        {"{\"maximum\":5}", "6", "|/maximum|maximum|Too large: expected at most 5\n"},
        {"{\"exclusiveMinimum\":5}", "5",
         "|/exclusiveMinimum|exclusiveMinimum|Too small: expected more than 5\n"},
        {"{\"exclusiveMaximum\":5}", "5",
         "|/exclusiveMaximum|exclusiveMaximum|Too large: expected less than 5\n"},
        {"{\"multipleOf\":0.1}", "0.25", "|/multipleOf|multipleOf|Not a multiple of 0.1\n"},
        {"{\"minLength\":3}", "\"\\u00e9a\"",
         "|/minLength|minLength|Too short: expected at least 3 characters, got 2\n"},
        {"{\"maxLength\":1}", "\"ab\"",
         "|/maxLength|maxLength|Too long: expected at most 1 characters, got 2\n"},
        {"{\"pattern\":\"^a\"}", "\"b\"", "|/pattern|pattern|Pattern mismatch: expected \"^a\"\n"},
        {"{\"const\":{\"a\":1}}", "2", "|/const|const|Value mismatch: expected {\"a\":1}\n"},
        {"{\"enum\":[1,\"x\"]}", "2", "|/enum|enum|Value not allowed: expected one of [1,\"x\"]\n"},
        {"{\"minItems\":2}", "[1]",
         "|/minItems|minItems|Too few items: expected at least 2, got 1\n"},
        {"{\"maxItems\":0}", "[1]",
         "|/maxItems|maxItems|Too many items: expected at most 0, got 1\n"},
        {"{\"uniqueItems\":true}", "[1,2,1.0]",
         "|/uniqueItems|uniqueItems|Items are not unique: 0 and 2 are equal\n"},
        {"{\"contains\":{\"type\":\"null\"}}", "[1]",
         "|/contains|contains|Too few matching items: expected at least 1, got 0\n"},
        {"{\"contains\":true,\"minContains\":2}", "[1]",
         "|/minContains|minContains|Too few matching items: expected at least 2, got 1\n"},
        {"{\"contains\":true,\"maxContains\":1}", "[1,2]",
         "|/maxContains|maxContains|Too many matching items: expected at most 1, got 2\n"},
        {"{\"maxProperties\":1}", "{\"a\":1,\"b\":2}",
         "|/maxProperties|maxProperties|Too many fields: expected at most 1, got 2\n"},
        {"{\"additionalProperties\":false}", "{\"a\":1}",
         "/a|/additionalProperties|additionalProperties|a.Unexpected field\n"},
        {"{\"unevaluatedProperties\":false}", "{\"a\":1}",
         "/a|/unevaluatedProperties|unevaluatedProperties|a.Unexpected field\n"},
        {"{\"items\":false}", "[1]", "/0|/items|items|0.No value is allowed here\n"},
        {"false", "1", "||false|No value is allowed here\n"},
        {"{\"propertyNames\":{\"maxLength\":1}}", "{\"a\":1,\"bc\":2}",
         "|/propertyNames/maxLength|maxLength|Field name \"bc\": Too long: expected at most 1 "
         "characters, got 2\n"},
        {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}",
         "|/dependentRequired|dependentRequired|Missing field: b, which a requires\n"},
        {"{\"dependentSchemas\":{\"a\":{\"required\":[\"b\"]}}}", "{\"a\":1}",
         "|/dependentSchemas/a/required|required|Missing required field: b\n"},
        {"{\"patternProperties\":{\"^x\":{\"type\":\"null\"}}}", "{\"xy\":1}",
         "/xy|/patternProperties/^x/type|type|xy.Type mismatch: expected null, got number\n"},
        {"{\"not\":{\"type\":\"null\"}}", "null",
         "|/not|not|Matches the schema that it must not\n"},
        {"{\"if\":{\"type\":\"null\"},\"then\":false,\"else\":{\"minimum\":2}}", "1",
         "|/else/minimum|minimum|Too small: expected at least 2\n"},
        {"{\"if\":true,\"then\":{\"minimum\":2}}", "1",
         "|/then/minimum|minimum|Too small: expected at least 2\n"},
        {"{\"prefixItems\":[true,{\"type\":\"null\"}]}", "[1,2]",
         "/1|/prefixItems/1/type|type|1.Type mismatch: expected null, got number\n"},
        {"{\"allOf\":[{},{\"type\":\"null\"}]}", "1",
         "|/allOf/1/type|type|Type mismatch: expected null, got number\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_listed(rows[i].schema, rows[i].value, rows[i].listed);
}

TEST(schema_explains_branches_below_the_keyword_that_tried_them)
{
    check_listed(
        "{\"properties\":{\"a\":{\"anyOf\":[{\"type\":\"null\"},{\"oneOf\":[{\"minimum\":2},"
        "{\"maximum\":0}]}]}}}",
        "{\"a\":1}",
        "/a|/properties/a/anyOf|anyOf|a.Matches none of the 2 schemas\n"
        "  /a|/properties/a/anyOf/0/type|type|a.Type mismatch: expected null, got number\n"
        "  /a|/properties/a/anyOf/1/oneOf|oneOf|a.Matches none of the 2 schemas\n"
        "  /a|/properties/a/anyOf/1/oneOf/0/minimum|minimum|a.Too small: expected at least "
        "2\n"
        "  /a|/properties/a/anyOf/1/oneOf/1/maximum|maximum|a.Too large: expected at most "
        "0\n");
    check_listed("{\"oneOf\":[{\"type\":\"null\"},{\"minimum\":1},{\"minimum\":2}]}", "3",
                 "|/oneOf|oneOf|Matches more than one of the 3 schemas: 1 and 2\n");
    check_listed("{\"anyOf\":[{\"type\":\"null\"},{\"minimum\":1}]}", "3", "");
}

TEST(schema_locates_by_pointers_with_escapes_and_through_references)
{
    check_listed(
        "{\"properties\":{\"a/b\":{\"items\":{\"$ref\":\"#/$defs/x~1~0\"}}},\"$defs\":{"
        "\"x/~\":{\"type\":\"null\"}}}",
        "{\"a/b\":[null,{}]}",
        "/a~1b/1|/properties/a~1b/items/$ref/type|type|a/b.1.Type mismatch: expected null, "
        "got object\n");
    BENCH bench;
    compile(&bench,
            "{\"$id\":\"https://a.example/s\",\"properties\":{\"a\":{\"$ref\":\"t#/$defs/x\"},"
            "\"b\":{\"type\":\"null\"}},\"$defs\":{\"t\":{\"$id\":\"t\",\"$defs\":{\"x\":{"
            "\"maximum\":1}}}}}",
            NULL);
    struct schema_errors errors = explained(&bench, "{\"a\":2,\"b\":1}");
    CHECK_EQUAL(2, errors.count);
    CHECK_STR(S("/properties/a/$ref/maximum"), errors.items[0].location);
    CHECK_STR(S("https://a.example/t#/$defs/x/maximum"), errors.items[0].absolute);
    CHECK_STR(S("/properties/b/type"), errors.items[1].location);
    CHECK_STR(S(""), errors.items[1].absolute);
}

TEST(schema_says_nothing_of_a_member_that_a_later_one_of_its_name_replaces)
{
    check_listed("{\"properties\":{\"a\":{\"type\":\"null\"}},\"additionalProperties\":{\"type\":"
                 "\"null\"}}",
                 "{\"a\":1,\"b\":2,\"a\":null,\"\\u0062\":null,\"c\":3}",
                 "/c|/additionalProperties/type|type|c.Type mismatch: expected null, got number\n");
}

TEST(schema_lists_a_bounded_number_of_errors_and_says_that_there_are_more)
{
    BENCH bench;
    compile(&bench, "{\"items\":{\"type\":\"null\"}}", NULL);
    static char text[2 * SCHEMA_ERRORS_MAX + 4];
    for (uint32_t count = SCHEMA_ERRORS_MAX; count <= SCHEMA_ERRORS_MAX + 1; count++) {
        memset(text, ',', sizeof text);
        for (uint32_t i = 0; i < count; i++)
            text[i * 2 + 1] = '1';
        text[0] = '[';
        text[count * 2] = ']';
        text[count * 2 + 1] = '\0';
        struct schema_errors errors = explained(&bench, text);
        CHECK_EQUAL(SCHEMA_ERRORS_MAX, errors.count);
        CHECK_EQUAL(count > SCHEMA_ERRORS_MAX, errors.more);
    }
}

// What does not count must not use up the room of what does.
TEST(schema_finds_a_branch_that_holds_behind_one_with_more_errors_than_are_listed)
{
    BENCH bench;
    compile(&bench, "{\"anyOf\":[{\"items\":{\"type\":\"null\"}},{\"minItems\":200}]}", NULL);
    static char text[402];
    memset(text, ',', sizeof text);
    for (uint32_t i = 0; i < 200; i++)
        text[i * 2 + 1] = '1';
    text[0] = '[';
    text[400] = ']';
    text[401] = '\0';
    struct schema_errors errors = explained(&bench, text);
    CHECK_EQUAL(0, errors.count);
    CHECK(!errors.more);
}

TEST(schema_writes_the_output_formats_of_the_specification)
{
#define CONST_ERROR                                                                                \
    "{\"valid\":false,\"keywordLocation\":\"/const\",\"instanceLocation\":\"\",\"keyword\":"       \
    "\"const\",\"error\":\"Value mismatch: expected 7\"}"
#define ANY_ERROR                                                                                  \
    "{\"valid\":false,\"keywordLocation\":\"/anyOf\",\"instanceLocation\":\"\",\"keyword\":"       \
    "\"anyOf\",\"error\":\"Matches none of the 2 schemas\""
#define BRANCH_ERRORS                                                                              \
    "{\"valid\":false,\"keywordLocation\":\"/anyOf/0/$ref/type\",\"absoluteKeywordLocation\":"     \
    "\"#/$defs/n/type\",\"instanceLocation\":\"\",\"keyword\":\"type\",\"error\":"                 \
    "\"Type mismatch: expected null, got number\"},"                                               \
    "{\"valid\":false,\"keywordLocation\":\"/anyOf/1/minimum\",\"instanceLocation\":\"\","         \
    "\"keyword\":\"minimum\",\"error\":\"Too small: expected at least 5\"}"
    static const struct {
        const char *name, *json;
    } rows[] = {
        {"flag", "{\"valid\":false}"},
        {"basic",
         "{\"valid\":false,\"errors\":[" CONST_ERROR "," ANY_ERROR "}," BRANCH_ERRORS "]}"},
        {"detailed", "{\"valid\":false,\"errors\":[" CONST_ERROR "," ANY_ERROR
                     ",\"errors\":[" BRANCH_ERRORS "]}]}"},
    };
    BENCH bench;
    compile(&bench,
            "{\"const\":7,\"anyOf\":[{\"$ref\":\"#/$defs/n\"},{\"minimum\":5}],\"$defs\":{"
            "\"n\":{\"type\":\"null\"}}}",
            NULL);
    struct schema_errors errors = explained(&bench, "1");
    enum schema_output output;
    struct json_writer writer;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK(schema_output_named(str_of(rows[i].name), &output));
        buf_reset(&bench.buf);
        json_writer_init(&writer, &bench.buf);
        schema_write(&errors, output, &writer);
        CHECK_STR(str_of(rows[i].json), buf_str(&bench.buf));
    }
    CHECK(!schema_output_named(S("verbose"), &output));
    buf_reset(&bench.buf);
    json_writer_init(&writer, &bench.buf);
    schema_write(&(struct schema_errors){}, SCHEMA_OUTPUT_DETAILED, &writer);
    CHECK_STR(S("{\"valid\":true}"), buf_str(&bench.buf));
}

// ---- Compiling

static void check_refused(const char *text, err code, const char *words)
{
    struct schema *schema = NULL;
    struct als_why why = {};
    err got = schema_compile(str_of(text), NULL, &schema, &why);
    if (got != code)
        test_fail(__FILE__, __LINE__, "%s is %s: %s", text, err_code(got), why.text);
    CHECK_STR(str_of(words), str_of(why.text));
    CHECK(schema == NULL);
}

TEST(schema_compile_says_where_and_why_a_text_is_no_schema)
{
    check_refused(
        "{\"type\":\"nothing\"}", ALS_VALIDATION,
        "this is not a JSON Schema: type.Value not allowed: expected one of [\"array\", "
        "\"boolean\", \"integer\", \"null\", \"number\", \"object\", \"string\"] at #/type");
    check_refused(
        "{\"properties\":{\"a\":{\"minLength\":-1}}}", ALS_VALIDATION,
        "this is not a JSON Schema: properties.a.minLength.Too small: expected at least 0 "
        "at #/properties/a/minLength");
    check_refused("{\"$defs\":{\"unused\":{\"required\":\"a\"}}}", ALS_VALIDATION,
                  "this is not a JSON Schema: $defs.unused.required.Type mismatch: expected array, "
                  "got string at #/$defs/unused/required");
    check_refused("[]", ALS_VALIDATION,
                  "this is not a JSON Schema: Type mismatch: expected boolean or object, got array "
                  "at #");
    check_refused("{", ALS_JSON_SYNTAX,
                  "expected a key in double quotes, but found the end of the text at line 1, "
                  "column 2 (byte offset 1)");
    check_refused("{\"pattern\":\"(a\"}", ALS_VALIDATION,
                  "expected ')' at byte 2 of the pattern at #/pattern");
    check_refused("{\"patternProperties\":{\"a{2,1}\":true}}", ALS_VALIDATION,
                  "the numbers of a repetition are out of order at byte 6 of the pattern at "
                  "#/patternProperties/a{2,1}");
    check_refused("{\"multipleOf\":0}", ALS_VALIDATION,
                  "this is not a JSON Schema: multipleOf.Too small: expected more than 0 at "
                  "#/multipleOf");
    check_refused("{\"$schema\":7}", ALS_VALIDATION, "expected a string at #/$schema");
    check_refused("{\"$schema\":\"http://json-schema.org/draft-04/schema#\"}", ALS_VALIDATION,
                  "the `$schema` 'http://json-schema.org/draft-04/schema#' is neither draft-07 nor "
                  "2020-12, nor known here");
}

TEST(schema_compile_says_which_reference_leads_nowhere)
{
    check_refused("{\"$ref\":\"#/$defs/a\"}", ALS_VALIDATION,
                  "the reference '#/$defs/a' leads nowhere at #");
    check_refused("{\"items\":{\"$ref\":\"#a\"}}", ALS_VALIDATION,
                  "the reference '#a' leads nowhere: there is no such anchor at #/items");
    check_refused("{\"$ref\":\"http://a.example/b\"}", ALS_VALIDATION,
                  "the reference 'http://a.example/b' leads nowhere: there is no schema "
                  "'http://a.example/b' at #");
    check_refused("{\"$ref\":\"#/~2\"}", ALS_VALIDATION,
                  "the reference '#/~2' leads nowhere: '~' stands before 0 or 1 only at #");
    check_refused("{\"$ref\":\"#/%zz\"}", ALS_VALIDATION,
                  "the reference '#/%zz' leads nowhere: its fragment is malformed at #");
    check_refused("{\"$ref\":\"#/enum/0\",\"enum\":[1]}", ALS_VALIDATION,
                  "expected a schema, which is an object or a boolean, at #/enum/0");
    check_refused("{\"$ref\":\"#/allOf/01\",\"allOf\":[true,true]}", ALS_VALIDATION,
                  "the reference '#/allOf/01' leads nowhere at #");
    check_refused("{\"$defs\":{\"a\":{\"$anchor\":\"x\"},\"b\":{\"$anchor\":\"x\"}}}",
                  ALS_VALIDATION, "the anchor is there twice at #/$defs/a");
    check_refused("{\"$defs\":{\"a\":{\"$id\":\"x\"},\"b\":{\"$id\":\"x\"}}}", ALS_VALIDATION,
                  "this `$id` is there twice at #/$defs/a");
}

TEST(schema_compile_refuses_circles_that_do_not_go_into_the_value)
{
    static const char words[] =
        "schemas refer to each other in a circle without going into the value at #";
    check_refused("{\"$ref\":\"#\"}", ALS_VALIDATION, words);
    check_refused(
        "{\"anyOf\":[{\"type\":\"null\"},{\"$ref\":\"#\"}]}", ALS_VALIDATION,
        "schemas refer to each other in a circle without going into the value at #/anyOf/1");
    check_refused("{\"$defs\":{\"a\":{\"not\":{\"$ref\":\"#/$defs/b\"}},\"b\":{\"if\":{\"$ref\":"
                  "\"#/$defs/a\"}}}}",
                  ALS_VALIDATION,
                  "schemas refer to each other in a circle without going into the value at "
                  "#/$defs/b/if");
    check_refused("{\"dependentSchemas\":{\"a\":{\"$ref\":\"#\"}}}", ALS_VALIDATION,
                  "schemas refer to each other in a circle without going into the value at "
                  "#/dependentSchemas/a");
    BENCH bench;
    compile(&bench, "{\"items\":{\"$ref\":\"#\"},\"additionalProperties\":{\"$ref\":\"#\"}}", NULL);
    CHECK_EQUAL(0, explained(&bench, "[[{\"a\":[]}]]").count);
}

TEST(schema_chooses_the_draft_by_its_dialect_and_otherwise_by_the_options)
{
    static const struct {
        const char *text;
        enum schema_draft asked, got;
    } rows[] = {
        {"{}", SCHEMA_DRAFT_DEFAULT, SCHEMA_DRAFT_2020_12},
        {"true", SCHEMA_DRAFT_07, SCHEMA_DRAFT_07},
        {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}", SCHEMA_DRAFT_2020_12,
         SCHEMA_DRAFT_07},
        {"{\"$schema\":\"http://json-schema.org/draft-07/schema\"}", SCHEMA_DRAFT_DEFAULT,
         SCHEMA_DRAFT_07},
        {"{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\"}", SCHEMA_DRAFT_07,
         SCHEMA_DRAFT_2020_12},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        BENCH bench;
        compile(&bench, rows[i].text, &(struct schema_options){.draft = rows[i].asked});
        CHECK_EQUAL(rows[i].got, schema_draft(bench.schema));
        CHECK(schema_bytes(bench.schema) > 0);
    }
}

static err give(void *context, str uri, struct arena *arena, str *ret_text, struct als_why *why)
{
    (void)arena;
    str *asked = context;
    *asked = uri;
    if (str_equal(uri, S("order_line:3")))
        *ret_text = S("{\"type\":\"integer\",\"$defs\":{\"x\":{\"const\":7}}}");
    else if (str_equal(uri, S("broken:1")))
        *ret_text = S("{\"type\":\"no\"}");
    else
        return FAIL(why, ALS_NOT_FOUND, "no such version");
    return ALS_OK;
}

TEST(schema_asks_the_resolver_for_subjects_with_their_version)
{
    str asked;
    struct schema_options options = {.resolve = give, .context = &asked};
    BENCH bench;
    compile(&bench,
            "{\"prefixItems\":[{\"$ref\":\"order_line:3\"},{\"$ref\":\"order_line:3#/$defs/x\"}]}",
            &options);
    CHECK_EQUAL(0, explained(&bench, "[5,7]").count);
    struct schema_errors errors = explained(&bench, "[\"a\",8]");
    CHECK_EQUAL(2, errors.count);
    CHECK_STR(S("order_line:3#/type"), errors.items[0].absolute);
    CHECK_STR(S("order_line:3#/$defs/x/const"), errors.items[1].absolute);

    struct schema *schema = NULL;
    struct als_why why = {};
    CHECK_ERR(ALS_VALIDATION,
              schema_compile(S("{\"$ref\":\"order_line:4\"}"), &options, &schema, &why));
    CHECK_STR(
        S("the reference 'order_line:4' leads nowhere: there is no schema 'order_line:4' at #"),
        str_of(why.text));
    CHECK_ERR(ALS_VALIDATION,
              schema_compile(S("{\"$ref\":\"broken:1\"}"), &options, &schema, &why));
    CHECK_STR(S("this is not the name of a type at broken:1#/type"), str_of(why.text));
    CHECK(schema == NULL);
}

TEST(schema_asserts_formats_only_when_asked)
{
    BENCH silent, strict;
    compile(&silent, "{\"format\":\"date\"}", NULL);
    compile(&strict, "{\"format\":\"date\"}", &(struct schema_options){.assert_formats = true});
    CHECK_EQUAL(0, explained(&silent, "\"2026-02-30\"").count);
    CHECK_STR(S("|/format|format|Format mismatch: expected date\n"),
              listed(&strict, "\"2026-02-30\""));
    CHECK_EQUAL(0, explained(&strict, "\"2026-02-28\"").count);
}

TEST(schema_metaschemas_are_schemas_by_themselves)
{
    static const char *const uris[] = {"http://json-schema.org/draft-07/schema#",
                                       "https://json-schema.org/draft/2020-12/schema",
                                       "https://json-schema.org/draft/2020-12/meta/validation",
                                       "https://json-schema.org/draft/2020-12/meta/content"};
    for (size_t i = 0; i < COUNT_OF(uris); i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "{\"$ref\":\"%s\"}", uris[i]);
        BENCH bench;
        compile(&bench, text, NULL);
        CHECK_EQUAL(0, explained(&bench, text).count);
        CHECK(explained(&bench, "[]").count > 0);
    }
}

// ---- Canonical texts

static void check_canonical(const char *text, const char *expected)
{
    struct arena arena;
    str canonical, again;
    arena_init(&arena, 1 << 16, 1 << 24);
    CHECK_OK(schema_canonical(str_of(text), &arena, &canonical, NULL));
    CHECK_STR(str_of(expected), canonical);
    bool equal = false;
    CHECK_OK(json_equal(str_of(text), canonical, &arena, &equal));
    CHECK(equal);
    CHECK_OK(schema_canonical(canonical, &arena, &again, NULL));
    CHECK_STR(canonical, again);
    arena_deinit(&arena);
}

TEST(schema_canonical_texts_are_equal_exactly_when_values_are)
{
    check_canonical(" { \"b\" : [1, {\"d\":null,\"c\":true}] , \"a\":\"x\\u0041\\/\" } ",
                    "{\"a\":\"xA/\",\"b\":[1,{\"c\":true,\"d\":null}]}");
    check_canonical("{\"a\":1,\"b\":2,\"\\u0061\":3}", "{\"a\":3,\"b\":2}");
    check_canonical("[1.50e1,15,15.0,-0,0e9,1e2,0.10,1E-7,-1.5e+3,123e-2]",
                    "[15,15,15,0,0,100,0.1,1e-7,-1500,1.23]");
    check_canonical("[1e20,1e21,12e21,1.5e400,100000000000000000000000,0.000001,0.00001]",
                    "[100000000000000000000,1e21,1.2e22,1.5e400,1e23,0.000001,0.00001]");
    check_canonical(
        "[10e99999999999999999999,0.1e-99999999999999999999,1e-00000000000000000000001]",
        "[1e100000000000000000000,1e-100000000000000000000,0.1]");
    check_canonical("\"\\ud83d\\ude00\\u00e9\\n\\\"\"", "\"\xf0\x9f\x98\x80\xc3\xa9\\n\\\"\"");
    check_canonical("[]", "[]");
    check_canonical("{}", "{}");
}
