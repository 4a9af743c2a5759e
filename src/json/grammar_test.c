// SPDX-License-Identifier: Apache-2.0
// What is JSON and what is not: every case by all passes, alone and inside of other values.
#include "test.h"
#include "json/pass.h"

#define BYTES(literal)                                                                             \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

// Every pass that this processor can run.
static size_t list_passes(pass_run *ret_passes[3])
{
    size_t count = 0;
    ret_passes[count++] = json_pass_portable;
#if defined(__x86_64__)
    ret_passes[count++] = json_pass_sse2;
    if (json_pass_best() == json_pass_avx2)
        ret_passes[count++] = json_pass_avx2;
#endif
    return count;
}

static void check_all(str text, bool accepted)
{
    pass_run *passes[3];
    size_t count = list_passes(passes);
    for (size_t i = 0; i < count; i++) {
        struct als_why why;
        err code = json_check_by(passes[i], text, 0, NULL, &why);
        if ((code == ALS_OK) != accepted)
            test_fail(__FILE__, __LINE__, "pass %zu %s %s", i, accepted ? "refuses" : "accepts",
                      test_text(text));
    }
}

// A value is as good or bad as itself in an array, as a member, between white space, and far enough
// from the start that the wide searches meet it at another place of their block.
static void check_everywhere(str value, bool accepted)
{
    static const char padding[] = "                                        ";
    struct buf buf;
    buf_init(&buf, 1 << 20);
    check_all(value, accepted);
    for (int spaces = 0; spaces < 40; spaces++) {
        buf_reset(&buf);
        buf_printf(&buf, "[%.*s", spaces, padding);
        buf_put_str(&buf, value);
        buf_put_str(&buf, S("]"));
        check_all(buf_str(&buf), accepted);

        buf_reset(&buf);
        buf_printf(&buf, "{\"%.*s\":", spaces, padding);
        buf_put_str(&buf, value);
        buf_printf(&buf, "\n,\"k\":[]}%.*s", spaces, padding);
        check_all(buf_str(&buf), accepted);
    }
    buf_deinit(&buf);
}

static const str good_values[] = {
    BYTES("null"),
    BYTES("true"),
    BYTES("false"),
    BYTES("0"),
    BYTES("-0"),
    BYTES("7"),
    BYTES("-7"),
    BYTES("1234567890123456789012345678901234567890"),
    BYTES("0.5"),
    BYTES("-0.0"),
    BYTES("10.00000000000000000000000000000000000000001"),
    BYTES("1e5"),
    BYTES("1E5"),
    BYTES("1e+5"),
    BYTES("1e-5"),
    BYTES("1E+05"),
    BYTES("0e0"),
    BYTES("0e+1"),
    BYTES("-1.5e-003"),
    BYTES("1.0E+500"),
    BYTES("1e-99999"),
    BYTES("-1e99999999999999999999"),
    BYTES("\"\""),
    BYTES("\" \""),
    BYTES("\"abc\""),
    BYTES("\"/\""),
    BYTES("\"'\""),
    BYTES("\"\x7f\""),
    BYTES("\"\\\"\""),
    BYTES("\"\\\\\""),
    BYTES("\"\\/\""),
    BYTES("\"\\b\\f\\n\\r\\t\""),
    BYTES("\"\\u0000\""),
    BYTES("\"\\u0022\""),
    BYTES("\"\\u005C\""),
    BYTES("\"\\uabCD\""),
    BYTES("\"\\ud7ff\""),
    BYTES("\"\\uE000\""),
    BYTES("\"\\uFFFF\""),
    BYTES("\"\\uFdD0\""),
    BYTES("\"\\ud83d\\ude00\""),
    BYTES("\"\\uDBFF\\uDFFF\""),
    BYTES("\"\\ud800\\udc00x\""),
    BYTES("\"\\\\u0000\""),
    BYTES("\"\\\\\\\"\""),
    BYTES("\"// no comment /* */\""),
    BYTES("\"\xc2\x80\""),
    BYTES("\"\xdf\xbf\""),
    BYTES("\"\xe0\xa0\x80\""),
    BYTES("\"\xed\x9f\xbf\""),
    BYTES("\"\xee\x80\x80\""),
    BYTES("\"\xef\xbf\xbf\""),
    BYTES("\"\xef\xbb\xbf\""),
    BYTES("\"\xf0\x90\x80\x80\""),
    BYTES("\"\xf4\x8f\xbf\xbf\""),
    BYTES("\"\xe2\x80\xa8\xe2\x80\xa9\""),
    BYTES("\"a\xc3\xa9z\xe6\xbc\xa2\xf0\x9f\x98\x80!\""),
    BYTES("\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""),
    BYTES("\"0123456789abcde\\n0123456789abcde\xc3\xa9"
          "0123456789abcdef0123456789\""),
    BYTES("[]"),
    BYTES("{}"),
    BYTES("[ ]"),
    BYTES("{\t\r\n }"),
    BYTES("[[]]"),
    BYTES("[[],{},\"\"]"),
    BYTES("[null,1,\"1\",{}]"),
    BYTES("[1\n\n,\t2 ]"),
    BYTES("{\"\":0}"),
    BYTES("{\"a\":{}}"),
    BYTES("{\"a\":1,\"a\":2}"),
    BYTES("{\"a\":1,\"a\":1}"),
    BYTES("{\"\\u0061\\\"\":[]}"),
    BYTES("{ \"a\" : [ 1 , { \"b\" : null } ] , \"c\" : \"d\" }"),
    BYTES("{\"a\\u0000b\":0}"),
    BYTES("{\"\xc3\xa9\":\"\xc3\xa9\"}"),
    BYTES("[[[[[[[[[[]]]]]]]]]]"),
    BYTES("[0,-0,0.0,0e0]"),
};

static const str bad_values[] = {
    // numbers
    BYTES("-"),
    BYTES("+"),
    BYTES("+1"),
    BYTES("--1"),
    BYTES("-a"),
    BYTES("- 1"),
    BYTES("01"),
    BYTES("-01"),
    BYTES("00"),
    BYTES("012.5"),
    BYTES("-00"),
    BYTES(".5"),
    BYTES("-.5"),
    BYTES("1."),
    BYTES("-1."),
    BYTES("0."),
    BYTES("1.e5"),
    BYTES("0.e1"),
    BYTES("1..5"),
    BYTES("1.2.3"),
    BYTES("1e"),
    BYTES("1E"),
    BYTES("1e+"),
    BYTES("1e-"),
    BYTES("0e"),
    BYTES("0E+"),
    BYTES("1.0e"),
    BYTES("1.0e+"),
    BYTES("1.0e-"),
    BYTES("1e5.5"),
    BYTES("1ee5"),
    BYTES("1e+-5"),
    BYTES("1eE2"),
    BYTES("e5"),
    BYTES("E"),
    BYTES("0x1F"),
    BYTES("0x"),
    BYTES("1_000"),
    BYTES("1 000"),
    BYTES("1a"),
    BYTES("1.5f"),
    BYTES("1+2"),
    BYTES("1-"),
    BYTES("NaN"),
    BYTES("-NaN"),
    BYTES("nan"),
    BYTES("Infinity"),
    BYTES("-Infinity"),
    BYTES("inf"),
    BYTES("Inf"),
    BYTES("1.\xd9\xa1"),
    BYTES("\xef\xbc\x91"),
    BYTES("-\x31\x00"),
    BYTES("1\x00"),
    BYTES("0b1"),
    BYTES("0o7"),
    BYTES("1e\xc3\xa5"),
    BYTES("123\xe5"),
    BYTES("-1.0."),
    BYTES("$1"),
    BYTES("1,000."),
    // literals and words
    BYTES("True"),
    BYTES("TRUE"),
    BYTES("False"),
    BYTES("Null"),
    BYTES("NULL"),
    BYTES("t"),
    BYTES("tru"),
    BYTES("truE"),
    BYTES("truth"),
    BYTES("truee"),
    BYTES("f"),
    BYTES("fals"),
    BYTES("fal5e"),
    BYTES("falsey"),
    BYTES("n"),
    BYTES("nul"),
    BYTES("nulll"),
    BYTES("nu"),
    BYTES("none"),
    BYTES("undefined"),
    BYTES("abc"),
    BYTES("true false"),
    BYTES("truefalse"),
    BYTES("tr\\u0075e"),
    BYTES("nul\x00"),
    BYTES("true\x00"),
    BYTES("_"),
    BYTES("\\n"),
    // strings
    BYTES("\""),
    BYTES("\"a"),
    BYTES("a\""),
    BYTES("\"\"\""),
    BYTES("\"a\"b\""),
    BYTES("'a'"),
    BYTES("`a`"),
    BYTES("\xe2\x80\x9c"
          "a\xe2\x80\x9d"),
    BYTES("\"\\"),
    BYTES("\"\\\""),
    BYTES("\"\\\\\\\""),
    BYTES("\"\\x41\""),
    BYTES("\"\\a\""),
    BYTES("\"\\v\""),
    BYTES("\"\\'\""),
    BYTES("\"\\0\""),
    BYTES("\"\\U0041\""),
    BYTES("\"\\ \""),
    BYTES("\"\\\n\""),
    BYTES("\"\\\x00\""),
    BYTES("\"\\\xc3\xa9\""),
    BYTES("\"\\u\""),
    BYTES("\"\\u0\""),
    BYTES("\"\\u00\""),
    BYTES("\"\\u004\""),
    BYTES("\"\\u004"),
    BYTES("\"\\u"),
    BYTES("\"\\u00G0\""),
    BYTES("\"\\u 041\""),
    BYTES("\"\\u+041\""),
    BYTES("\"\\u-041\""),
    BYTES("\"\\u00/1\""),
    BYTES("\"\\u00:1\""),
    BYTES("\"\\u00@1\""),
    BYTES("\"\\u00`1\""),
    BYTES("\"\\u00g1\""),
    BYTES("\"\\u{41}\""),
    BYTES("\"\\\\u{41}"),
    BYTES("\"\\u00\xc3\xa9\""),
    BYTES("\"\\ud800\""),
    BYTES("\"\\uDBFF\""),
    BYTES("\"\\udc00\""),
    BYTES("\"\\udfff\""),
    BYTES("\"\\ud800\\ud800\""),
    BYTES("\"\\ud800\\u0041\""),
    BYTES("\"\\ud800\\ue000\""),
    BYTES("\"\\ud800x\""),
    BYTES("\"\\ud800\\n\""),
    BYTES("\"\\ud800\\\\\""),
    BYTES("\"\\ud800\\u\""),
    BYTES("\"\\ud800\\udb00\""),
    BYTES("\"\\ud800\\udcg0\""),
    BYTES("\"\\udc00\\ud800\""),
    BYTES("\"\\ud83d\\ude0\""),
    BYTES("\"\\ud800 \\udc00\""),
    BYTES("\"\\ud800\xc3\xa9\""),
    // bytes that are not UTF-8
    BYTES("\"\x80\""),
    BYTES("\"\xbf\""),
    BYTES("\"\xc0\x80\""),
    BYTES("\"\xc0\xaf\""),
    BYTES("\"\xc1\xbf\""),
    BYTES("\"\xc3\""),
    BYTES("\"\xc3"),
    BYTES("\"\xc3\x28\""),
    BYTES("\"\xc3\xa9\xa9\""),
    BYTES("\"\xe0\x80\x80\""),
    BYTES("\"\xe0\x9f\xbf\""),
    BYTES("\"\xe2\x82\""),
    BYTES("\"\xe2\x28\xa1\""),
    BYTES("\"\xe2\x82\x28\""),
    BYTES("\"\xed\xa0\x80\""),
    BYTES("\"\xed\xbf\xbf\""),
    BYTES("\"\xed\xa0\xbd\xed\xb8\x80\""),
    BYTES("\"\xf0\x80\x80\x80\""),
    BYTES("\"\xf0\x8f\xbf\xbf\""),
    BYTES("\"\xf0\x9f\x98\""),
    BYTES("\"\xf0\x28\x8c\xbc\""),
    BYTES("\"\xf0\x90\x28\xbc\""),
    BYTES("\"\xf0\x90\x8c\x28\""),
    BYTES("\"\xf4\x90\x80\x80\""),
    BYTES("\"\xf5\x80\x80\x80\""),
    BYTES("\"\xf8\x88\x80\x80\x80\""),
    BYTES("\"\xfe\""),
    BYTES("\"\xff\""),
    BYTES("\"\xe9\""),
    BYTES("\xff"),
    BYTES("\xc3\xa9"),
    BYTES("\xe5"),
    BYTES("\"abcdefghijklmnopqrstuvwxyz0123456789\xff"
          "abc\""),
    // arrays
    BYTES("["),
    BYTES("]"),
    BYTES("[1"),
    BYTES("1]"),
    BYTES("[1,"),
    BYTES("[1,]"),
    BYTES("[,]"),
    BYTES("[,1]"),
    BYTES("[1,,2]"),
    BYTES("[1,,]"),
    BYTES("[,"),
    BYTES("[1 2]"),
    BYTES("[1:2]"),
    BYTES("[1;2]"),
    BYTES("[\"a\"\"b\"]"),
    BYTES("[\"a\" \"b\"]"),
    BYTES("[1]]"),
    BYTES("[1}"),
    BYTES("[}"),
    BYTES("[[]"),
    BYTES("[][]"),
    BYTES("[*]"),
    BYTES("[\"\": 1]"),
    BYTES("[1\x0b,2]"),
    BYTES("[\x0c]"),
    BYTES("[\xc2\xa0]"),
    BYTES("[\xe2\x80\xaf]"),
    BYTES("[\xe2\x81\xa0]"),
    BYTES("[\x00]"),
    BYTES("[1\x00]"),
    BYTES("[\\u0020]"),
    BYTES("[\x1f]"),
    BYTES("[\n1\n,1"),
    BYTES("[...]"),
    BYTES("[a"),
    BYTES("[\"a"),
    BYTES("[\"\\"),
    BYTES("<.>"),
    BYTES("[<null>]"),
    BYTES("[1,\n1\n,\x0b]"),
    BYTES("((1))"),
    BYTES("[1,2]3"),
    BYTES("[[,]]"),
    BYTES("[{}"),
    // objects
    BYTES("{"),
    BYTES("}"),
    BYTES("{]"),
    BYTES("{\"a\""),
    BYTES("{\"a\":"),
    BYTES("{\"a\":1"),
    BYTES("{\"a\":1,"),
    BYTES("{\"a\":1,}"),
    BYTES("{\"a\":1,,\"b\":2}"),
    BYTES("{,}"),
    BYTES("{,\"a\":1}"),
    BYTES("{\"a\"}"),
    BYTES("{\"a\",1}"),
    BYTES("{\"a\" 1}"),
    BYTES("{\"a\"::1}"),
    BYTES("{\"a\":}"),
    BYTES("{\"a\":,}"),
    BYTES("{:1}"),
    BYTES("{a:1}"),
    BYTES("{'a':1}"),
    BYTES("{1:1}"),
    BYTES("{null:1}"),
    BYTES("{[]:1}"),
    BYTES("{\"a\":1 \"b\":2}"),
    BYTES("{\"a\":1;\"b\":2}"),
    BYTES("{\"a\"=1}"),
    BYTES("{\"a\":1]"),
    BYTES("{\"a\":1}}"),
    BYTES("{\"a\":{}"),
    BYTES("{}{}"),
    BYTES("{\"a\":b}"),
    BYTES("{\"a\":\"b\"c}"),
    BYTES("{\"a"),
    BYTES("{\"a\\\":1}"),
    BYTES("{\"\\u00\":1}"),
    BYTES("{\"\\ud800\":1}"),
    BYTES("{\"\xff\":1}"),
    BYTES("{\"a\x01\":1}"),
    BYTES("{\"a\tb\":1}"),
    BYTES("{\"a\":1,1}"),
    BYTES("{\"a\":1,\"b\"}"),
    BYTES("{\"a\":1\x00}"),
    BYTES("{\"a\"\x00:1}"),
    BYTES("{***}"),
    BYTES("{\"a\":1 2}"),
    BYTES("{\"a\":'b'}"),
    BYTES("{\"a\":\"a\" 123}"),
    BYTES("{\xf0\x9f\x87\xa8}"),
    BYTES("{\"k\":01}"),
    // comments
    BYTES("// c\n1"),
    BYTES("1 // c"),
    BYTES("/* c */1"),
    BYTES("1/* c */"),
    BYTES("# c\n1"),
    BYTES("1 # c"),
    BYTES("[1,/* c */2]"),
    BYTES("{\"a\":/**/1}"),
    BYTES("{/**/\"a\":1}"),
    BYTES("{\"a\":1}/"),
    BYTES("{\"a\":1}//"),
    BYTES("{\"a\":1}#"),
    BYTES("{\"a\":1}/**/"),
    BYTES("<!-- -->1"),
};

TEST(json_accepts_every_form_of_a_value)
{
    for (size_t i = 0; i < COUNT_OF(good_values); i++)
        check_everywhere(good_values[i], true);
}

TEST(json_refuses_every_malformed_value)
{
    for (size_t i = 0; i < COUNT_OF(bad_values); i++)
        check_all(bad_values[i], false);
}

// What is bad alone is bad wherever a value may stand; only what would close the quotes or brackets
// around it, or is one value too many, becomes another text there.
TEST(json_refuses_malformed_scalars_wherever_they_stand)
{
    for (size_t i = 0; i < COUNT_OF(bad_values); i++)
        if (!memchr("[]{}\"1a`", bad_values[i].ptr[0], 8) || bad_values[i].len > 4)
            if (!strpbrk(bad_values[i].ptr, ",]}") && bad_values[i].ptr[0] != '"')
                check_everywhere(bad_values[i], false);
}

TEST(json_refuses_what_stands_around_a_value)
{
    static const str texts[] = {
        BYTES(""),
        BYTES(" "),
        BYTES("\n\t \r"),
        BYTES("\xef\xbb\xbf"),
        BYTES("\xef\xbb\xbf{}"),
        BYTES("\xef\xbb"),
        BYTES("{}\xef\xbb\xbf"),
        BYTES("\xff\xfe[\x00]\x00"),
        BYTES("\x00[\x00]"),
        BYTES("\x00"),
        BYTES("1\x00"),
        BYTES("\"\"\x00"),
        BYTES("{}\x00"),
        BYTES(" 1 2"),
        BYTES("{} []"),
        BYTES("1,"),
        BYTES(",1"),
        BYTES("[],"),
        BYTES("1:2"),
        BYTES("\"a\":1"),
        BYTES("\x0c"
              "1"),
        BYTES("1\x0b"),
        BYTES("\xc2\xa0"
              "1"),
        BYTES("1\xc2\x85"),
        BYTES("\xe2\x80\xa8"
              "1"),
        BYTES("\xe3\x80\x80[]"),
        BYTES("1\x1a"),
        BYTES("\x1e{}\n"),
        BYTES(")]}',\n{}"),
        BYTES("{}\n{}"),
        BYTES("[]x"),
        BYTES("null "
              "null"),
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        check_all(texts[i], false);
}

TEST(json_accepts_all_white_space_around_a_value_and_its_parts)
{
    check_all(S(" \n\r\t{ \n\r\t\"a\" \n\r\t: \n\r\t[ \n\r\t1 \n\r\t, \n\r\t2 \n\r\t] \n\r\t, "
                "\"b\":\n{\r}\t} \n\r\t"),
              true);
    check_all(S("\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n1"), true);
}

TEST(json_refuses_every_control_character_unescaped_in_a_string)
{
    for (int place = 1; place < 70; place++) {
        char text[72];
        memset(text, 'x', sizeof text);
        text[0] = text[71] = '"';
        check_all((str){text, sizeof text}, true);
        for (char c = 0; c < 0x20; c++) {
            text[place] = c;
            check_all((str){text, sizeof text}, false);
        }
        text[place] = 0x7f;
        check_all((str){text, sizeof text}, true);
    }
}

TEST(json_refuses_every_other_byte_as_white_space)
{
    for (int c = 0; c < 256; c++) {
        char text[] = {'[', (char)c, '1', (char)c, ']'};
        bool space = c == ' ' || c == '\n' || c == '\r' || c == '\t';
        if (c != '"' && (c < '0' || c > '9'))
            check_all((str){text, sizeof text}, space);
    }
}

TEST(json_takes_every_character_of_unicode_and_no_surrogate)
{
    for (uint32_t point = 0x80; point < 0x110000; point += point < 0x3000 ? 1 : 61) {
        char text[8] = "\"";
        size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        uint32_t rest = point;
        for (size_t i = len; i > 1; i--, rest >>= 6)
            text[i] = (char)(0x80 | (rest & 0x3f));
        text[1] = (char)((len == 2 ? 0xc0 : len == 3 ? 0xe0 : 0xf0) | rest);
        text[len + 1] = '"';
        check_all((str){text, len + 2}, point < 0xd800 || point > 0xdfff);
    }
}

static err check_deep(char open, char close, uint32_t depth, uint32_t depth_max)
{
    char text[4096];
    size_t len = 0;
    for (uint32_t i = 0; i < depth; i++) {
        text[len++] = open;
        if (open == '{' && i + 1 < depth) {
            memcpy(text + len, "\"\":", 3);
            len += 3;
        }
    }
    memset(text + len, close, depth);
    return json_check((str){text, len + depth}, depth_max, NULL);
}

TEST(json_takes_nesting_up_to_the_limit_and_not_beyond)
{
    CHECK_OK(check_deep('[', ']', JSON_DEPTH_MAX, 0));
    CHECK_ERR(ALS_JSON_SYNTAX, check_deep('[', ']', JSON_DEPTH_MAX + 1, 0));
    CHECK_OK(check_deep('{', '}', JSON_DEPTH_MAX, 0));
    CHECK_ERR(ALS_JSON_SYNTAX, check_deep('{', '}', JSON_DEPTH_MAX + 1, 0));
    CHECK_OK(check_deep('[', ']', 3, 3));
    CHECK_ERR(ALS_JSON_SYNTAX, check_deep('[', ']', 4, 3));
    CHECK_OK(check_deep('[', ']', JSON_DEPTH_CAP, JSON_DEPTH_CAP));
    CHECK_ERR(ALS_JSON_SYNTAX, check_deep('[', ']', JSON_DEPTH_CAP + 1, JSON_DEPTH_CAP));
}

TEST(json_refuses_a_hundred_thousand_open_brackets_cleanly)
{
    static char text[400000];
    memset(text, '[', 100000);
    check_all((str){text, 100000}, false);
    for (size_t i = 0; i < sizeof text; i += 4)
        memcpy(text + i, (const char[]){'{', '"', '"', ':'}, 4);
    check_all((str){text, sizeof text}, false);
}
