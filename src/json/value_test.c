// SPDX-License-Identifier: Apache-2.0
#include "base/rand.h"
#include "test.h"
#include "json/json.h"
#include "json/number.h"

#include <math.h>
#include <stdlib.h>

TEST(json_unescape_gives_the_characters_meant)
{
    static const struct {
        const char *content;
        str text;
    } rows[] = {
        {"", S("")},
        {"abc", S("abc")},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", S("\"\\/\b\f\n\r\t")},
        {"a\\u0000b", S("a\0b")},
        {"\\u0041\\u00e9\\u6f22\\uFFFF", S("A\xc3\xa9\xe6\xbc\xa2\xef\xbf\xbf")},
        {"x\\ud83d\\uDE00y", S("x\xf0\x9f\x98\x80y")},
        {"\\udbff\\udfff", S("\xf4\x8f\xbf\xbf")},
        {"\\\\u0041", S("\\u0041")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char target[64];
        str content = str_of(rows[i].content);
        CHECK_STR(rows[i].text, ((str){target, json_unescape(content, target)}));
        memcpy(target, content.ptr, content.len);
        CHECK_STR(rows[i].text, ((str){target, json_unescape((str){target, content.len}, target)}));
    }
}

TEST(json_integers_are_taken_only_when_they_are_and_fit)
{
    int64_t i;
    uint64_t u;
    CHECK(json_to_i64(S("-9223372036854775808"), &i) && i == INT64_MIN);
    CHECK(json_to_i64(S("9223372036854775807"), &i) && i == INT64_MAX);
    CHECK(json_to_i64(S("-0"), &i) && i == 0);
    CHECK(!json_to_i64(S("9223372036854775808"), &i));
    CHECK(!json_to_i64(S("-9223372036854775809"), &i));
    CHECK(json_to_u64(S("18446744073709551615"), &u) && u == UINT64_MAX);
    CHECK(json_to_u64(S("-0"), &u) && u == 0);
    CHECK(!json_to_u64(S("18446744073709551616"), &u));
    CHECK(!json_to_u64(S("-1"), &u));
    CHECK(!json_to_u64(S("1.0"), &u) && !json_to_u64(S("1e2"), &u) && !json_to_i64(S("1e2"), &i));
}

TEST(json_decimals_are_ordered_by_value_whatever_their_spelling_and_size)
{
    // Each is less than the next; those joined by '=' are equal.
    static const char *const rows[][2] = {
        {"-1e99999999999999999999999", "-10e99999999999999999999998"},
        {"-1e400", "-10e399"},
        {"-12.50", "-125e-1"},
        {"-12.4999999999999999999999", "-12.4999999999999999999999"},
        {"-1e-400", "-0.1e-399"},
        {"0", "-0.0e5"},
        {"1e-99999999999999999999999", "0.1e-99999999999999999999998"},
        {"0.1", "1e-1"},
        {"0.10000000000000000000000000000000001", "1000000000000000000000000000000000.1e-34"},
        {"9007199254740992", "9007199254740992.0"},
        {"9007199254740993", "9.007199254740993E+15"},
        {"99999999999999999999", "99999999999999999999"},
        {"1e20", "100000000000000000000"},
        {"1e99999999999999999999999", "100e99999999999999999999997"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct json_decimal a = json_decimal_read(str_of(rows[i][0]));
        struct json_decimal same = json_decimal_read(str_of(rows[i][1]));
        CHECK_EQUAL(0, json_decimal_compare(&a, &same));
        for (size_t k = i + 1; k < COUNT_OF(rows); k++) {
            struct json_decimal b = json_decimal_read(str_of(rows[k][1]));
            CHECK(json_decimal_compare(&a, &b) < 0);
            CHECK(json_decimal_compare(&b, &a) > 0);
        }
    }
}

TEST(json_doubles_are_rounded_like_strtod)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "1",
        "-1.5",
        "0.1",
        "1e22",
        "1e23",
        "9007199254740993",
        "1e-22",
        "123456.789e-10",
        "2.2250738585072011e-308",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "1e500",
        "-1e500",
        "1e-500",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "0e99999999999999",
        "0.00000000000000000000000000000000000000000000000000000000000000000001e80",
        "100000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
        "9007199254740993.00000000000000000000000000000000000000000000000000000000000000000001",
        "179769313486231580793728971405301e277",
        "8.5e2",
        "1E+2",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        double want = strtod(texts[i], NULL), got = json_to_double(str_of(texts[i]));
        if (want != got || signbit(want) != signbit(got))
            test_fail(__FILE__, __LINE__, "%s is %.17g, expected %.17g", texts[i], got, want);
    }
    FOR_EACH_SEED(seed, 2000) {
        struct rand rand = {seed};
        char text[64];
        (void)snprintf(text, sizeof text, "%s%llu.%lluE%d", seed % 2 ? "-" : "",
                       (unsigned long long)rand_below(&rand, seed % 3 ? 1000 : UINT64_MAX),
                       (unsigned long long)rand_next(&rand), (int)rand_below(&rand, 700) - 350);
        CHECK(strtod(text, NULL) == json_to_double(str_of(text)));
    }
}

// The half-way point between two doubles has up to 767 digits, and what follows decides.
TEST(json_doubles_look_at_the_last_of_a_thousand_digits)
{
    char text[2048];
    for (int tail = 0; tail < 2; tail++) {
        int len = snprintf(text, sizeof text, "9007199254740993.");
        memset(text + len, '0', 1500);
        text[len + 1499] = (char)('0' + tail);
        double got = json_to_double((str){text, (size_t)len + 1500});
        CHECK(got == (tail ? 9007199254740994.0 : 9007199254740992.0));
    }
}

TEST(json_numbers_are_equal_by_value_without_rounding)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {"1", "1.0", true},
        {"100", "1e2", true},
        {"1E+2", "10.00e1", true},
        {"0", "-0.0e-17", true},
        {"0", "1e-999999", false},
        {"0.001", "1e-3", true},
        {"0.00120", "12e-4", true},
        {"1200", "0.0012e6", true},
        {"1", "-1", false},
        {"1", "10", false},
        {"12", "1.2", false},
        {"12", "21", false},
        {"9007199254740993", "9007199254740992", false},
        {"0.1", "0.1000000000000000000000000000000000000000000000000000001", false},
        {"1e500", "10e499", true},
        {"1e500", "1e501", false},
        {"1e99999999999999999999", "1e99999999999999999998", false},
        {"1e99999999999999999999", "10e99999999999999999998", true},
        {"1e100000000000000000000", "10e99999999999999999999", true},
        {"1e-100000000000000000000", "0.1e-99999999999999999999", true},
        {"1e-99999999999999999999", "1e99999999999999999999", false},
        {"1e0000000000000000000000002", "100", true},
        {"1e-0", "1", true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK_EQUAL(rows[i].equal, json_number_equal(str_of(rows[i].a), str_of(rows[i].b)));
        CHECK_EQUAL(rows[i].equal, json_number_equal(str_of(rows[i].b), str_of(rows[i].a)));
    }
}

static bool equal(const char *a, const char *b)
{
    struct arena arena;
    arena_init(&arena, 4096, 1 << 20);
    bool result = false;
    CHECK_OK(json_equal(str_of(a), str_of(b), &arena, &result));
    arena_deinit(&arena);
    return result;
}

TEST(json_equal_compares_values_not_spellings)
{
    CHECK(
        equal("{\"a\":1,\"b\":[true,null]}", " { \"b\" : [ true , null ] , \"\\u0061\" : 1.0 } "));
    CHECK(equal("{\"a\":1,\"a\":2}", "{\"a\":2}"));
    CHECK(equal("{\"a\":1,\"b\":0,\"\\u0061\":2}", "{\"b\":0,\"a\":2}"));
    CHECK(!equal("{\"a\":1,\"a\":2}", "{\"a\":1}"));
    CHECK(equal("\"\\u00e9\"", "\"\xc3\xa9\""));
    CHECK(equal("\"\\ud83d\\ude00\\/\"", "\"\xf0\x9f\x98\x80/\""));
    CHECK(!equal("\"a\"", "\"A\""));
    CHECK(!equal("\"1\"", "1"));
    CHECK(!equal("[]", "{}"));
    CHECK(!equal("null", "false"));
    CHECK(!equal("[1,2]", "[2,1]"));
    CHECK(!equal("[1,2]", "[1,2,3]"));
    CHECK(!equal("{\"a\":1}", "{\"a\":1,\"b\":2}"));
    CHECK(!equal("{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}"));
    CHECK(equal("[[[[{\"x\":[[]]}]]]]", "[[[[{ \"x\":[[ ]]}]]]]"));
    CHECK(!equal("[[[[{\"x\":[[]]}]]]]", "[[[[{ \"x\":[[0]]}]]]]"));
}

TEST(json_equal_says_too_large_when_the_arena_is_full)
{
    struct arena arena;
    arena_init(&arena, 256, 512);
    bool result = true;
    CHECK_ERR(ALS_TOO_LARGE,
              json_equal(S("[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8]"),
                         S("[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7, 8]"), &arena, &result));
    CHECK(result);
    arena_deinit(&arena);
}

TEST(json_minify_takes_out_white_space_between_and_none_within)
{
    static const struct {
        const char *text, *small;
    } rows[] = {
        {"1", "1"},
        {" [ 1 , 2 ]\n", "[1,2]"},
        {"{ \" a b \" : \" \\\" \\\\\" , \"c\\\"\" :\t{ } }",
         "{\" a b \":\" \\\" \\\\\",\"c\\\"\":{}}"},
        {"[\"                                 \", \"a\" ]",
         "[\"                                 \",\"a\"]"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char target[128];
        str text = str_of(rows[i].text);
        CHECK_STR(str_of(rows[i].small), ((str){target, json_minify(text, target)}));
        memcpy(target, text.ptr, text.len);
        CHECK_STR(str_of(rows[i].small),
                  ((str){target, json_minify((str){target, text.len}, target)}));
    }
}

TEST(json_walk_gives_each_member_and_passes_over_what_is_in_it)
{
    static const struct {
        const char *key, *value;
        bool escaped;
    } members[] = {
        {"a", "1", false},
        {"b\\\"", "\"}\\\\\"", true},
        {"c",
         "{\"x\":[\"]\",{\"}\\\\\\\"\":\"\\\\\"}], \"y\": \"01234567890123456789012345678901\"}",
         false},
        {"", "[[[]], [\"[\"]  ]", false},
        {"d", "{}", false},
        {"e", "-1.5e3", false},
        {"f", "null", false},
        {"a", "\"again\"", false},
    };
    for (int padding = 0; padding < 70; padding++) {
        char text[1024];
        int len = snprintf(text, sizeof text, "%*s{%*s", padding % 3, "", padding, "");
        for (size_t i = 0; i < COUNT_OF(members); i++)
            len += snprintf(text + len, sizeof text - (size_t)len, "%s\"%s\"%s:%s%s",
                            i ? (padding % 2 ? "," : " ,\n") : "", members[i].key,
                            padding % 2 ? "" : " ", padding % 2 ? "" : "\t", members[i].value);
        len += snprintf(text + len, sizeof text - (size_t)len, "%s}", padding % 2 ? "" : " ");
        CHECK_OK(json_check((str){text, (size_t)len}, 0, NULL));
        struct json_member_walk walk = json_walk((str){text, (size_t)len});
        struct json_pair pair;
        for (size_t i = 0; i < COUNT_OF(members); i++) {
            CHECK(json_walk_next(&walk, &pair));
            CHECK_STR(str_of(members[i].key), pair.key);
            CHECK_STR(str_of(members[i].value), pair.value);
            CHECK_EQUAL(members[i].escaped, pair.key_escaped);
        }
        CHECK(!json_walk_next(&walk, &pair));
        CHECK(!json_walk_next(&walk, &pair));
    }
}

TEST(json_walk_of_an_empty_object_gives_nothing)
{
    struct json_pair pair;
    struct json_member_walk walk = json_walk(S(" { } "));
    CHECK(!json_walk_next(&walk, &pair));
}
