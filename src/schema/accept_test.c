// SPDX-License-Identifier: Apache-2.0
// What is accepted in one pass over a text is what the tape accepts, and most of what is fine is.
#include "base/rand.h"
#include "schema/schema.h"
#include "test.h"

#include <stdlib.h>

struct rig {
    struct arena arena;
    struct schema *schema;
};

static void rig_end(struct rig *rig)
{
    schema_free(rig->schema);
    arena_deinit(&rig->arena);
}
#define RIG __attribute__((cleanup(rig_end))) struct rig

static struct rig rig_of(str schema)
{
    struct rig rig = {};
    struct schema_options options = {.assert_formats = true};
    struct als_why why = {""};
    arena_init(&rig.arena, 1 << 16, 1 << 26);
    if (schema_compile(schema, &options, &rig.schema, &why) != ALS_OK)
        test_fail(__FILE__, __LINE__, "%.*s: %s", STR(schema), why.text);
    return rig;
}

// By the tape; *ret_spaced as schema_accepts() says it.
static bool is_valid(struct rig *rig, str text, bool *ret_spaced)
{
    struct json_options options = {.span_depth = UINT32_MAX};
    struct json_doc doc;
    bool valid = false;
    if (json_parse(text, options, &rig->arena, &doc, NULL, NULL) != ALS_OK)
        return false;
    *ret_spaced = json_root(&doc)->spaced || json_root(&doc)->len != text.len;
    return schema_check(rig->schema, &doc, &rig->arena, &valid, NULL) == ALS_OK && valid;
}

// Whether it was accepted in one pass, which has to be right.
static bool accepted(struct rig *rig, str text)
{
    bool spaced = false, expected = false;
    arena_reset(&rig->arena);
    // Exactly as large: the sanitizer guards its end.
    char *bytes = malloc(text.len ? text.len : 1);
    memcpy(bytes, text.ptr, text.len);
    str copy = {bytes, text.len};
    bool accepts = schema_accepts(rig->schema, copy, &rig->arena, &spaced);
    if (accepts && !is_valid(rig, copy, &expected))
        test_fail(__FILE__, __LINE__, "accepted: %.*s", STR(text));
    if (accepts)
        CHECK_EQUAL(expected, spaced);
    free(bytes);
    return accepts;
}

static const char order[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"id\",\"total\",\"items\"],"
    "\"properties\":{\"id\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":8},"
    "\"total\":{\"type\":\"number\",\"minimum\":0},\"count\":{\"type\":\"integer\",\"maximum\":99},"
    "\"currency\":{\"enum\":[\"EUR\",\"CHF\"]},\"paid\":{\"type\":\"boolean\"},"
    "\"items\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":3,\"items\":{\"type\":\"string\"}},"
    "\"address\":{\"type\":[\"object\",\"null\"],\"required\":[\"city\"],\"properties\":{\"city\":{"
    "},"
    "\"number\":{\"$ref\":\"#/$defs/number\"}}},\"a name that is longer\":{\"pattern\":\"^x+$\"}},"
    "\"$defs\":{\"number\":{\"type\":\"integer\"}}}";

TEST(schema_accepts_usual_texts_in_one_pass)
{
    static const char *const texts[] = {
        "{\"id\":\"a\",\"total\":1,\"items\":[\"x\"]}",
        "{\"items\":[\"x\",\"y\"],\"total\":0.50,\"id\":\"12345678\"}",
        " {\n  \"id\": \"a\",\n  \"total\" : 1e2 , \"items\": [ \"\\u00e9\" ]\n}\n",
        "{\"id\":\"a\",\"id\":\"b\",\"total\":12345678901234567890.5,\"items\":[\"x\"],\"count\":-"
        "7}",
        "{\"id\":\"\xc3\xa9\\n\",\"total\":1,\"items\":[\"x\"],\"currency\":\"CHF\",\"paid\":"
        "false}",
        "{\"id\":\"a\",\"total\":1,\"items\":[\"x\"],\"address\":null,\"a name that is "
        "longer\":\"xx\"}",
        "{\"id\":\"a\",\"total\":1,\"items\":[\"x\"],\"address\":{\"city\":{\"a\":[1,{}]},"
        "\"number\":1.0}}",
    };
    RIG rig = rig_of(str_of(order));
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (!accepted(&rig, str_of(texts[i])))
            test_fail(__FILE__, __LINE__, "not accepted: %s", texts[i]);
}

TEST(schema_accepts_no_text_that_is_wrong)
{
    static const char *const texts[] = {
        "",
        " ",
        "{}",
        "[]",
        "{\"id\":\"a\",\"total\":1,\"items\":[]}",
        "{\"id\":\"a\",\"total\":1,\"items\":[\"a\",\"b\",\"c\",\"d\"]}",
        "{\"id\":\"a\",\"total\":1}",
        "{\"id\":\"\",\"total\":1,\"items\":[\"x\"]}",
        "{\"id\":\"123456789\",\"total\":1,\"items\":[\"x\"]}",
        "{\"id\":\"a\",\"total\":-0.5,\"items\":[\"x\"]}",
        "{\"id\":\"a\",\"total\":01,\"items\":[\"x\"]}",
        "{\"id\":\"a\",\"total\":1.,\"items\":[\"x\"]}",
        "{\"id\":\"a\",\"total\":-,\"items\":[\"x\"]}",
        "{\"id\":\"a\",\"total\":1,\"items\":[\"x\"],}",
        "{\"id\":\"a\",\"total\":1,\"items\":[\"x\",]}",
        "{\"id\":\"a\",\"total\":1,\"items\":[\"x\"]",
        "{\"id\":\"a\",\"total\":1,\"items\":[\"x\"]}}",
        "{\"id\":\"a\",\"total\":1,\"items\":[\"x\"],\"other\":1}",
        "{\"id\":\"a\",\"total\":1,\"items\":[\"x\"],\"currency\":\"USD\"}",
        "{\"id\":\"a\",\"total\":1,\"items\":[\"x\"],\"paid\":trUe}",
        "{\"id\":\"a\",\"total\":1,\"items\":[\"x\"],\"paid\":nul}",
        "{\"id\":\"a\",\"total\":1,\"items\":[\"x\"],\"address\":{\"city\":[}}",
        "{\"id\":\"a\",\"total\":1,\"items\":[\"x\"],\"address\":{}}",
        "{\"id\":\"a\",\"total\":1,\"items\":[\"x\"],\"a name that is longer\":\"y\"}",
        "{\"id\":\"a\x01\",\"total\":1,\"items\":[\"x\"]}",
        "{\"id\":\"\xff\",\"total\":1,\"items\":[\"x\"]}",
        "{\"id\":\"\\ud800\",\"total\":1,\"items\":[\"x\"]}",
    };
    RIG rig = rig_of(str_of(order));
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (accepted(&rig, str_of(texts[i])))
            test_fail(__FILE__, __LINE__, "accepted: %s", texts[i]);
}

// A key with a quote in it stands in no text as it is.
TEST(schema_accepts_no_key_that_lacks_its_escapes)
{
    RIG rig = rig_of(S("{\"properties\":{\"a\\\"b\":true,\"c\\u0001d\":true,\"e\\\\f\":true}}"));
    CHECK(!accepted(&rig, S("{\"a\"b\":1}")));
    CHECK(!accepted(&rig, S("{\"c\x01d\":1}")));
    CHECK(!accepted(&rig, S("{\"e\\qf\":1}")));
    CHECK(!accepted(&rig, S("{\"e\\f\":1,}")));
    CHECK(accepted(&rig, S("{\"x\":1}")));
}

TEST(schema_accepts_rules_that_look_at_the_whole_by_a_tape_of_their_own)
{
    RIG rig =
        rig_of(S("{\"properties\":{\"u\":{\"uniqueItems\":true},\"n\":{\"minProperties\":1},\"p\":{"
                 "\"patternProperties\":{\"^x\":{\"type\":\"string\"}}},\"o\":{\"anyOf\":[{"
                 "\"type\":\"null\"},"
                 "{\"required\":[\"k\"]}]},\"d\":{\"format\":\"date\"},\"m\":{\"multipleOf\":0.01},"
                 "\"t\":{\"prefixItems\":[{\"type\":\"string\"}],\"items\":{\"type\":\"number\"}},"
                 "\"r\":{\"$ref\":\"#\"},\"never\":false}}"));
    CHECK(
        accepted(&rig, S("{\"u\":[1,2],\"n\":{\"a\":1},\"p\":{\"xa\":\"b\"},\"o\":{\"k\":[ ]}}")));
    CHECK(
        accepted(&rig, S("{\"o\":null,\"d\":\"2026-11-27\",\"m\":4.35,\"r\":{\"r\":{\"u\":[]}}}")));
    CHECK(accepted(&rig, S("{\"t\":[\"a\",1,2.5]}")));
    CHECK(!accepted(&rig, S("{\"t\":[1]}")));
    CHECK(!accepted(&rig, S("{\"u\":[1,1.0]}")));
    CHECK(!accepted(&rig, S("{\"n\":{}}")));
    CHECK(!accepted(&rig, S("{\"p\":{\"xa\":1}}")));
    CHECK(!accepted(&rig, S("{\"o\":{}}")));
    CHECK(!accepted(&rig, S("{\"d\":\"2026-11-32\"}")));
    CHECK(!accepted(&rig, S("{\"m\":4.355}")));
    CHECK(!accepted(&rig, S("{\"r\":{\"r\":{\"u\":[1,1]}}}")));
    CHECK(!accepted(&rig, S("{\"never\":{}}")));
}

TEST(schema_accepts_deep_values_as_the_tape_does)
{
    RIG rig = rig_of(S("{\"properties\":{\"a\":{\"$ref\":\"#\"},\"n\":{\"type\":\"number\"}}}"));
    for (int depth = 1; depth < 140; depth++) {
        struct buf buf;
        buf_init(&buf, 1 << 16);
        for (int i = 0; i < depth; i++)
            buf_put_str(&buf, S("{\"a\":"));
        buf_put_str(&buf, S("{\"n\":1}"));
        for (int i = 0; i < depth; i++)
            buf_put_char(&buf, '}');
        CHECK_EQUAL(depth < 128, accepted(&rig, buf_str(&buf)));
        buf_deinit(&buf);
    }
}

static void put_field(struct buf *buf, struct rand *rand, bool spaced)
{
    static const char *const keys[] = {"id",   "total", "count",   "currency",
                                       "paid", "items", "address", "a name that is longer"};
    static const char *const values[] = {
        "\"a\"",         "1",
        "0.5",           "99",
        "\"EUR\"",       "true",
        "[\"x\"]",       "{\"city\":1}",
        "\"xx\"",        "null",
        "\"\\u00e9\"",   "-1",
        "1e3",           "[\"x\",\"a text of more than sixteen bytes\"]",
        "{\"city\": {}}"};
    uint64_t key = rand_below(rand, COUNT_OF(keys));
    bool fits = rand_below(rand, 8) != 0;
    buf_printf(buf, spaced ? "\"%s\": %s" : "\"%s\":%s", keys[key],
               values[fits ? key : rand_below(rand, COUNT_OF(values))]);
}

static void put_order(struct buf *buf, struct rand *rand)
{
    bool spaced = rand_below(rand, 4) == 0;
    buf_put_str(buf, S("{\"id\":\"A-17\",\"total\":3,\"items\":[\"x\"]"));
    for (uint64_t i = rand_below(rand, 6); i > 0; i--) {
        buf_put_str(buf, spaced ? S(", ") : S(","));
        put_field(buf, rand, spaced);
    }
    buf_put_char(buf, '}');
}

static void damage(struct buf *buf, struct rand *rand)
{
    static const char bytes[] = "\"\\{}[]:,0123456789.eE+-tfn \n\x01\x80";
    size_t place = rand_below(rand, buf->len);
    if (rand_below(rand, 3))
        buf->ptr[place] = bytes[rand_below(rand, sizeof bytes)];
    else
        buf->len = place;
}

TEST(schema_accepts_only_what_the_tape_accepts_on_random_and_damaged_texts)
{
    RIG rig = rig_of(str_of(order));
    size_t accepts = 0, valid = 0;
    FOR_EACH_SEED(seed, 20000) {
        struct rand rand = {seed};
        struct buf buf;
        bool spaced;
        buf_init(&buf, 1 << 16);
        put_order(&buf, &rand);
        if (seed % 2)
            damage(&buf, &rand);
        accepts += accepted(&rig, buf_str(&buf));
        valid += is_valid(&rig, buf_str(&buf), &spaced);
        buf_deinit(&buf);
    }
    // It leaves nothing to the tape but escaped keys and members that a later one overrides.
    CHECK(accepts * 10 >= valid * 9 || test_seed_first() == test_seed_last(20000));
}
