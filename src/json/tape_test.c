// SPDX-License-Identifier: Apache-2.0
#include "test.h"
#include "json/json.h"
#include "json/pass.h"

struct fixture {
    struct arena arena;
    struct json_doc doc;
};

static void fixture_end(struct fixture *fixture)
{
    arena_deinit(&fixture->arena);
}
#define FIXTURE __attribute__((cleanup(fixture_end))) struct fixture

static struct fixture parsed(const char *text, uint32_t span_depth)
{
    struct fixture fixture = {};
    arena_init(&fixture.arena, 4096, 1 << 20);
    CHECK_OK(json_parse(str_of(text), (struct json_options){.span_depth = span_depth},
                        &fixture.arena, &fixture.doc, NULL, NULL));
    return fixture;
}

static const char sample[] =
    "{ \"id\": 7, \"tags\": [\"a\", [1,2]],\n\"payload\":{\"x\":{\"y\":[]}},"
    "\"na\\u006de\":\"caf\\u00e9\", \"id\" :8}";

TEST(json_tape_lists_the_values_down_to_the_span_depth)
{
    static const uint32_t counts[] = {1, 6, 9, 12, 12};
    for (uint32_t depth = 0; depth < COUNT_OF(counts); depth++) {
        FIXTURE f = parsed(sample, depth);
        CHECK_EQUAL(counts[depth], f.doc.count);
        CHECK_EQUAL(5, json_root(&f.doc)->count);
        CHECK_EQUAL(depth == 0, json_root(&f.doc)->sealed);
        CHECK_EQUAL(depth == 0, json_first(&f.doc, json_root(&f.doc)) == NULL);
    }
}

TEST(json_tape_keeps_spans_keys_and_counts)
{
    FIXTURE f = parsed(sample, 1);
    const struct json_node *root = json_root(&f.doc);
    CHECK_STR(str_of(sample), json_span(&f.doc, root));
    CHECK(root->spaced && root->kind == JSON_OBJECT);

    const struct json_node *node = json_first(&f.doc, root);
    CHECK_STR(S("id"), json_key_span(&f.doc, node));
    CHECK_STR(S("7"), json_span(&f.doc, node));
    CHECK(node->kind == JSON_NUMBER && !node->spaced);

    node = json_after(&f.doc, root, node);
    CHECK_STR(S("tags"), json_key_span(&f.doc, node));
    CHECK_STR(S("[\"a\", [1,2]]"), json_span(&f.doc, node));
    CHECK(node->kind == JSON_ARRAY && node->sealed && node->spaced);
    CHECK_EQUAL(2, node->count);

    node = json_after(&f.doc, root, node);
    CHECK_STR(S("{\"x\":{\"y\":[]}}"), json_span(&f.doc, node));
    CHECK(node->sealed && !node->spaced);
    CHECK_EQUAL(1, node->count);

    node = json_after(&f.doc, root, node);
    CHECK_STR(S("na\\u006de"), json_key_span(&f.doc, node));
    CHECK(node->key_escaped && node->escaped);
    CHECK_STR(S("name"), json_key_text(&f.doc, node, &f.arena));
    CHECK_STR(S("caf\xc3\xa9"), json_text(&f.doc, node, &f.arena));

    node = json_after(&f.doc, root, node);
    CHECK_STR(S("8"), json_span(&f.doc, node));
    CHECK(json_after(&f.doc, root, node) == NULL);
}

TEST(json_tape_gives_elements_no_key_even_behind_objects)
{
    FIXTURE f = parsed("[{\"k\":[{\"l\":1},2]},[3],4]", UINT32_MAX);
    const struct json_node *root = json_root(&f.doc);
    size_t elements = 0;
    for (const struct json_node *node = json_first(&f.doc, root); node;
         node = json_after(&f.doc, root, node), elements++)
        CHECK(node->key_start == 0 && node->key_len == 0);
    CHECK_EQUAL(3, elements);
    CHECK_EQUAL(9, f.doc.count);
}

TEST(json_member_finds_the_last_of_a_doubled_key_whatever_its_spelling)
{
    FIXTURE f = parsed("{\"a\":1,\"\\u0061\":2,\"ab\":3,\"\":4,\"\\ud83d\\ude00\":5}", 1);
    const struct json_node *root = json_root(&f.doc);
    CHECK_STR(S("2"), json_span(&f.doc, json_member(&f.doc, root, S("a"))));
    CHECK_STR(S("3"), json_span(&f.doc, json_member(&f.doc, root, S("ab"))));
    CHECK_STR(S("4"), json_span(&f.doc, json_member(&f.doc, root, S(""))));
    CHECK_STR(S("5"), json_span(&f.doc, json_member(&f.doc, root, S("\xf0\x9f\x98\x80"))));
    CHECK(json_member(&f.doc, root, S("b")) == NULL);
    CHECK(json_member(&f.doc, root, S("\xf0\x9f\x98")) == NULL);
    CHECK(json_member(&f.doc, json_first(&f.doc, root), S("a")) == NULL);
}

TEST(json_parse_says_too_large_when_the_arena_is_full_and_leaves_its_outputs)
{
    static char text[100001];
    memset(text, ',', sizeof text);
    for (size_t i = 1; i < sizeof text; i += 2)
        text[i] = '1';
    text[0] = '[';
    text[sizeof text - 1] = ']';
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    struct json_doc doc = {.count = 77};
    struct json_error error = {.offset = 5};
    struct als_why why;
    CHECK_ERR(ALS_TOO_LARGE,
              json_parse((str){text, sizeof text}, (struct json_options){.span_depth = 1}, &arena,
                         &doc, &error, &why));
    CHECK_EQUAL(77, doc.count);
    CHECK_EQUAL(5, error.offset);
    arena_reset(&arena);
    CHECK_OK(
        json_parse((str){text, sizeof text}, (struct json_options){}, &arena, &doc, NULL, NULL));
    CHECK_EQUAL(50000, json_root(&doc)->count);
    arena_deinit(&arena);
}

static void check_error(const char *text, size_t offset, bool truncated, const char *words)
{
    struct json_error error = {};
    struct als_why why;
    CHECK_ERR(ALS_JSON_SYNTAX, json_check_by(json_pass_best(), str_of(text), 0, &error, &why));
    CHECK_STR(str_of(words), str_of(why.text));
    CHECK_EQUAL(offset, error.offset);
    CHECK_EQUAL(truncated, error.truncated);
}

TEST(json_errors_teach_what_was_expected_and_where)
{
    check_error("", 0, true,
                "expected a value, but the text is empty at line 1, column 1 (byte offset 0)");
    check_error("{\"a\":1", 6, true,
                "expected ',' or '}' after the value, but found the end of the text at line 1, "
                "column 7 (byte offset 6)");
    check_error("{\n  \"\xc3\xa9\": 'x'\n}", 10, false,
                "expected a value, but found ''' at line 2, column 8 (byte offset 10); "
                "strings stand between double quotes");
    check_error("[1,2,]", 5, false,
                "expected a value, but found ']' at line 1, column 6 (byte offset 5); "
                "no comma before a closing bracket");
    check_error("{\"a\":1,}", 7, false,
                "expected a key in double quotes, but found '}' at line 1, column 8 "
                "(byte offset 7); no comma before a closing bracket");
    check_error("\xef\xbb\xbf{}", 0, false,
                "expected a value, but found byte 0xef at line 1, column 1 (byte offset 0); "
                "a byte-order mark is not JSON");
    check_error("[01]", 2, false,
                "expected ',' or ']' after the value, but found '1' at line 1, column 3 "
                "(byte offset 2); a number has no leading zeros, and is decimal");
    check_error("[NaN]", 1, false,
                "expected a value, but found 'N' at line 1, column 2 (byte offset 1); "
                "JSON has no NaN; null is in lower case");
    check_error("\"\\ud83d\"", 7, false,
                "expected \\u and a low surrogate after the high one, but found '\"' at line 1, "
                "column 8 (byte offset 7)");
    check_error("{} // done", 3, false,
                "expected nothing more after the value, but found '/' at line 1, column 4 "
                "(byte offset 3); JSON has no comments");
    check_error("\"a\nb\"", 2, false,
                "expected a control character in a string to be escaped, but found byte 0x0a at "
                "line 1, column 3 (byte offset 2); write \\n for a line break, or close the string "
                "before it");
    struct als_why why;
    CHECK_ERR(ALS_JSON_SYNTAX, json_check(S("[[[]]]"), 2, &why));
    CHECK_STR(
        S("nested too deeply at line 1, column 3 (byte offset 2): at most 2 levels are taken"),
        str_of(why.text));
}

static void check_first(const char *text, err expected, size_t expected_len)
{
    size_t len = 999;
    CHECK_ERR(expected, json_first_value(str_of(text), 0, &len, NULL));
    CHECK_EQUAL(expected == ALS_OK ? expected_len : 999, len);
}

TEST(json_first_value_cuts_a_stream_into_values)
{
    check_first("{\"a\":[1]}\n{\"b\"", ALS_OK, 9);
    check_first("\n {\"a\":[1]}", ALS_OK, 11);
    check_first("true", ALS_OK, 4);
    check_first("true\n", ALS_OK, 4);
    check_first("12", ALS_OK, 0);
    check_first("-1.5e3\n", ALS_OK, 6);
    check_first("1,2", ALS_OK, 1);
    check_first("\"a\"x", ALS_OK, 3);
    check_first("", ALS_OK, 0);
    check_first("  \n", ALS_OK, 0);
    check_first("01", ALS_JSON_SYNTAX, 0);
    check_first("nullx", ALS_JSON_SYNTAX, 0);
    check_first("1x", ALS_JSON_SYNTAX, 0);
    check_first("{\"a\":1,]", ALS_JSON_SYNTAX, 0);
    check_first("]", ALS_JSON_SYNTAX, 0);
}

TEST(json_first_value_waits_for_more_at_every_cut_of_a_good_text)
{
    str text = S(" {\"a\\u00e9\\ud83d\\ude00\xf0\x9f\x98\x80\":[1.5e-3,true,null,\"x\"],\"b\":{}}");
    for (size_t cut = 0; cut <= text.len; cut++) {
        size_t len = 999;
        CHECK_OK(json_first_value(str_first(text, cut), 0, &len, NULL));
        CHECK_EQUAL(cut == text.len ? text.len : 0, len);
    }
}
