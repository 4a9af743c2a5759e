// SPDX-License-Identifier: Apache-2.0
// JSON Schema as embedders meet it.
#include <allsource.h>

#include "test.h"

struct given {
    char text[1000];
    size_t len;
};

static void keep(void *context, als_str text)
{
    struct given *given = context;
    CHECK(text.len < sizeof given->text);
    memcpy(given->text, text.ptr, text.len);
    given->len = text.len;
}

static enum als_err line_schema(void *context, als_str uri, als_str *ret_text, struct als_why *why)
{
    (void)why;
    *(als_str *)context = uri;
    if (!str_equal(uri, S("order.line:2")))
        return ALS_NOT_FOUND;
    *ret_text = als_text("{\"required\":[\"sku\"]}");
    return ALS_OK;
}

TEST(api_schema_compiles_validates_and_explains)
{
    als_str asked = {NULL, 0};
    struct als_schema_options options = ALS_SCHEMA_OPTIONS_INIT;
    options.resolve = line_schema;
    options.context = &asked;
    struct als_schema *schema = NULL;
    struct als_why why = {""};
    CHECK_OK(als_schema_compile(als_text("{\"items\":{\"$ref\":\"order.line:2\"}}"), &options,
                                &schema, &why));
    bool valid = false;
    CHECK_OK(als_schema_validate(schema, als_text("[{\"sku\":1}]"), &valid, &why));
    CHECK(valid);
    CHECK_OK(als_schema_validate(schema, als_text("[{}]"), &valid, &why));
    CHECK(!valid);
    struct given given = {};
    CHECK_OK(als_schema_explain(schema, als_text("[{}]"), ALS_SCHEMA_BASIC, keep, &given, &why));
    CHECK_STR(S("{\"valid\":false,\"errors\":[{\"valid\":false,\"keywordLocation\":\"/items/$ref/"
                "required\",\"absoluteKeywordLocation\":\"order.line:2#/required\","
                "\"instanceLocation\":\"/0\",\"keyword\":\"required\",\"error\":\"0.Missing "
                "required field: sku\"}]}"),
              ((str){given.text, given.len}));
    CHECK_ERR(ALS_JSON_SYNTAX, als_schema_validate(schema, als_text("[{]"), &valid, &why));
    als_schema_free(schema);
    als_schema_free(NULL);
}

TEST(api_schema_refuses_bad_arguments_and_leaves_its_outputs)
{
    struct als_schema *schema = NULL;
    struct als_schema_options options = ALS_SCHEMA_OPTIONS_INIT;
    bool valid = true;
    CHECK_ERR(ALS_INVALID_INPUT, als_schema_compile(als_text("{}"), NULL, NULL, NULL));
    options.draft = 4;
    CHECK_ERR(ALS_INVALID_INPUT, als_schema_compile(als_text("{}"), &options, &schema, NULL));
    options.size = 1;
    CHECK_ERR(ALS_INVALID_INPUT, als_schema_compile(als_text("{}"), &options, &schema, NULL));
    CHECK_ERR(ALS_VALIDATION, als_schema_compile(als_text("{\"type\":1}"), NULL, &schema, NULL));
    CHECK_ERR(ALS_JSON_SYNTAX, als_schema_compile(als_text(""), NULL, &schema, NULL));
    CHECK(schema == NULL);
    CHECK_ERR(ALS_INVALID_INPUT, als_schema_validate(NULL, als_text("1"), &valid, NULL));
    CHECK_OK(als_schema_compile(als_text("false"), NULL, &schema, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_schema_validate(schema, als_text("1"), NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_schema_explain(schema, als_text("1"),
                                                    (enum als_schema_output)7, keep, NULL, NULL));
    als_schema_free(schema);
}

TEST(api_schema_takes_the_draft_of_texts_without_one_from_the_options)
{
    struct als_schema_options options = ALS_SCHEMA_OPTIONS_INIT;
    for (int draft = 0; draft < 3; draft++) {
        static const int drafts[] = {0, 2020, 7};
        options.draft = drafts[draft];
        struct als_schema *schema = NULL;
        bool valid;
        CHECK_OK(
            als_schema_compile(als_text("{\"prefixItems\":[false]}"), &options, &schema, NULL));
        CHECK_OK(als_schema_validate(schema, als_text("[1]"), &valid, NULL));
        CHECK_EQUAL(drafts[draft] == 7, valid);
        als_schema_free(schema);
    }
}
