// SPDX-License-Identifier: Apache-2.0
#include "base/limits.h"
#include "base/rand.h"
#include "schema/pattern_code.h"
#include "test.h"

#include <stdlib.h>

struct bench {
    struct arena arena, scratch;
    struct value_work work;
    uint64_t table_work;
};

static void bench_end(struct bench *bench)
{
    arena_deinit(&bench->arena);
    arena_deinit(&bench->scratch);
}
#define BENCH __attribute__((cleanup(bench_end))) struct bench

static void bench_init(struct bench *bench)
{
    *bench = (struct bench){.work = {.steps = UINT64_C(1) << 40, .arena = &bench->scratch},
                            .table_work = 1000000000};
    arena_init(&bench->arena, 1 << 16, 1 << 26);
    arena_init(&bench->scratch, 1 << 16, 1 << 26);
}

static bool matches_both_ways(struct bench *bench, str pattern_text, str text)
{
    const struct pattern *pattern;
    struct als_why why = {};
    err code = pattern_compile(pattern_text, &bench->arena, &bench->scratch, &bench->table_work,
                               &pattern, &why);
    if (code != ALS_OK)
        test_fail(__FILE__, __LINE__, "%.*s: %s", STR(pattern_text), why.text);
    bool matches = pattern_matches(pattern, text, &bench->work);
    struct pattern slow = *pattern;
    slow.table = NULL;
    if (pattern_matches(&slow, text, &bench->work) != matches)
        test_fail(__FILE__, __LINE__, "%.*s is matched otherwise by its table", STR(pattern_text));
    return matches;
}

TEST(pattern_matches_what_ecmascript_matches)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } rows[] = {
        {"", "", true},
        {"", "a", true},
        {"a", "bab", true},
        {"^a", "ba", false},
        {"a$", "ab", false},
        {"^a*$", "aaa", true},
        {"^a*$", "aab", false},
        {"^$", "", true},
        {"^$", "\n", false},
        {"^a$", "a\n", false},
        {"^a$", "b\na\nc", false},
        {"^(foo|bar)$", "bar", true},
        {"^(foo|bar)$", "barfoo", false},
        {"^(foo|bar|)+$", "barfoo", true},
        {"^a{3}$", "aaa", true},
        {"^a{3}$", "aaaa", false},
        {"^a{2,}$", "a", false},
        {"^a{2,}$", "aaaaa", true},
        {"^a{0,2}$", "aaa", false},
        {"^(?:ab){1,2}$", "abab", true},
        {"^(a|b){2}c?$", "abc", true},
        {"^(){5}a$", "a", true},
        {"^(a*)*$", "aaaa", true},
        {"^(a*)*$", "aaaab", false},
        {"^a+?b??$", "aab", true},
        {"x*", "y", true},
        {"^.$", "\n", false},
        {"^.$", "\xe2\x80\xa8", false},
        {"^.$", "\xf0\x9f\x90\xb2", true},
        {"^[^]$", "\n", true},
        {"^a[]?$", "a", true},
        {"[]", "a", false},
        {"^[a-c-]+$", "a-b", true},
        {"^[\\w-]+$", "a-b_9", true},
        {"^[^a-c]$", "d", true},
        {"^[^a-c]$", "b", false},
        {"^[\\]\\\\^-]+$", "]\\^-", true},
        {"^\\d+$", "0123456789", true},
        {"^\\d+$", "\xd9\xa0", false}, // an Arabic zero
        {"^\\D$", "\xd9\xa0", true},
        {"^\\w+$", "caf\xc3\xa9", false},
        {"^\\W$", "\xc3\xa9", true},
        {"^\\s+$", " \t\n\v\f\r\xc2\xa0\xef\xbb\xbf\xe2\x80\xa9\xe2\x80\x83\xe3\x80\x80", true},
        {"^\\s$", "\x01", false},
        {"^\\S$", "\xc2\xa0", false},
        {"^\\t\\n\\v\\f\\r$", "\t\n\v\f\r", true},
        {"^\\cC$", "\x03", true},
        {"^\\x41\\u0042\\u{43}\\u{1f432}$", "ABC\xf0\x9f\x90\xb2", true},
        {"^\\ud83d\\udc32*$", "\xf0\x9f\x90\xb2\xf0\x9f\x90\xb2", true},
        {"^\xf0\x9f\x90\xb2*$", "\xf0\x9f\x90\xb2\xf0\x9f\x90\xb2", true},
        {"^[\xf0\x9f\x90\xb2-\xf0\x9f\x90\xb4]$", "\xf0\x9f\x90\xb3", true},
        {"^\\0$", "", false},
        {"\\p{Letter}cole",
         "\xc3\xa9"
         "cole",
         true},
        {"^\\p{Lu}\\p{Ll}+$",
         "\xc3\x89"
         "cole",
         true},
        {"^\\p{Lu}$", "a", false},
        {"^\\P{Lu}$", "a", true},
        {"^\\p{Script=Greek}+$", "\xce\xb1\xce\xb2", true},
        {"^\\p{sc=Grek}+$", "ab", false},
        {"^\\p{digit}+$", "4\xd9\xa2", true},
        {"^[\\p{L}\\p{Nd}_]+$",
         "\xc3\xa9"
         "9_",
         true},
        {"^[^\\P{L}]$", "\xc3\xa9", true},
        {"^\\p{ASCII}+$", "abc", true},
        {"^\\p{Any}$", "\xf4\x8f\xbf\xbf", true},
        {"^\\p{Assigned}$", "\xcd\xb8", false}, // U+0378
        {"^\\p{gc=Decimal_Number}$", "7", true},
        {"^\\p{Emoji_Presentation}$", "\xf0\x9f\x90\xb2", true},
        {"\\bfoo\\b", "a foo.", true},
        {"\\bfoo\\b", "afoo", false},
        {"\\Boo", "foo", true},
        {"\\b", "", false},
        {"\\B", "", true},
        {"^(?!foo).*$", "foobar", false},
        {"^(?!foo).*$", "barfoo", true},
        {"^(?=.*\\d)(?=.*[a-z]).{4,}$", "ab1d", true},
        {"^(?=.*\\d)(?=.*[a-z]).{4,}$", "abcd", false},
        {"^(?=.*\\d)(?=.*[a-z]).{4,}$", "a1", false},
        {"(?<=\\$)\\d+", "costs $42", true},
        {"(?<=\\$)\\d+", "costs 42", false},
        {"(?<!\\$)\\b\\d+$", "costs $42", false},
        {"(?<!a)b", "ab", false},
        {"(?<!a)b", "cb", true},
        {"^(?:(?!ab).)*$", "acbb", true},
        {"^(?:(?!ab).)*$", "ccab", false},
        {"(?=a(?!b))", "abac", true},
        {"(?=a(?!b))", "abab", false},
        {"^(?=(a|b)c$)", "bc", true},
        {"(?<=^ab?)c", "abc", true},
        {"(?<=^ab?)c", "aabc", false},
        {"^(?<year>\\d{4})-(?<month>\\d\\d)$", "2026-11", true},
        {"^\\-\\@\\/\\\"$", "-@/\"", true},
        {"^[\\-\\.]+$", "-.", true},
        {"\\\\", "a\\b", true},
        {"\\\\n", "\n", false},
        {"^\\(\\)\\[\\]\\{\\}\\|\\*\\+\\?\\.\\^\\$$", "()[]{}|*+?.^$", true},
        {"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,}$", "first.last@example.org", true},
        {"a|^b|c$", "cb", false},
        {"a|^b|c$", "xc", true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        BENCH bench;
        bench_init(&bench);
        str text = str_of(rows[i].text);
        if (matches_both_ways(&bench, str_of(rows[i].pattern), text) != rows[i].matches)
            test_fail(__FILE__, __LINE__, "%s on \"%s\" is not %d", rows[i].pattern,
                      test_text(text), rows[i].matches);
    }
}

TEST(pattern_matches_zeros_and_surrogates_are_never_there)
{
    BENCH bench;
    bench_init(&bench);
    CHECK(matches_both_ways(&bench, S("^a\\0b$"), S("a\0b")));
    CHECK(!matches_both_ways(&bench, S("[\\ud800-\\udfff]"), S("\xf0\x9f\x90\xb2")));
}

TEST(pattern_refuses_what_is_no_expression_and_says_where)
{
    static const struct {
        const char *pattern, *words;
    } rows[] = {
        {"^(abc]", "a bracket that means itself needs a backslash at byte 5 of the pattern"},
        {"(", "expected ')' at byte 1 of the pattern"},
        {"a)", "there is no '(' for this ')' at byte 1 of the pattern"},
        {"[a", "expected ']' at byte 2 of the pattern"},
        {"[b-a]", "the range of characters is out of order at byte 4 of the pattern"},
        {"[\\d-z]", "a class of characters cannot be the end of a range at byte 5 of the pattern"},
        {"*a", "there is nothing to repeat at byte 0 of the pattern"},
        {"a**", "there is nothing to repeat at byte 2 of the pattern"},
        {"a{2,1}", "the numbers of a repetition are out of order at byte 6 of the pattern"},
        {"a{", "expected a number behind '{' at byte 2 of the pattern"},
        {"^*", "an assertion cannot be repeated at byte 2 of the pattern"},
        {"(?=a)*", "an assertion cannot be repeated at byte 6 of the pattern"},
        {"\\Z", "this character is not one that can be escaped at byte 1 of the pattern"},
        {"\\a", "this character is not one that can be escaped at byte 1 of the pattern"},
        {"\\", "expected something behind the backslash at byte 1 of the pattern"},
        {"\\u12", "expected four hexadecimal digits behind \\u at byte 2 of the pattern"},
        {"\\u{110000}", "expected \\u{...} with at most 10FFFF at byte 9 of the pattern"},
        {"\\p{Nothing}", "unknown Unicode property at byte 3 of the pattern"},
        {"\\pL", "expected \\p{Property} at byte 2 of the pattern"},
        {"(?<n>a)(?<n>b)", "two groups have the same name at byte 12 of the pattern"},
        {"(?<1>a)", "this is not the name of a group at byte 4 of the pattern"},
        {"\\1", "back-references are not supported, for they cannot be matched in linear time, at "
                "byte 2 of the pattern"},
        {"(a)\\1", "back-references are not supported, for they cannot be matched in linear time, "
                   "at byte 5 of the pattern"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        BENCH bench;
        bench_init(&bench);
        const struct pattern *pattern = NULL;
        struct als_why why;
        CHECK_ERR(ALS_VALIDATION,
                  pattern_compile(str_of(rows[i].pattern), &bench.arena, &bench.scratch,
                                  &bench.table_work, &pattern, &why));
        CHECK_STR(str_of(rows[i].words), str_of(why.text));
        CHECK(pattern == NULL);
    }
}

TEST(pattern_is_valid_knows_expressions_that_we_do_not_match)
{
    BENCH bench;
    bench_init(&bench);
    CHECK(pattern_is_valid(S("(a)\\1"), &bench.scratch));
    CHECK(pattern_is_valid(S("\\k<n>(?<n>a)"), &bench.scratch));
    CHECK(pattern_is_valid(S("([abc])+\\s+$"), &bench.scratch));
    CHECK(!pattern_is_valid(S("^(abc]"), &bench.scratch));
    CHECK(!pattern_is_valid(S("(a)\\2"), &bench.scratch));
    CHECK(!pattern_is_valid(S("\\k<m>(?<n>a)"), &bench.scratch));
}

TEST(pattern_has_limits_on_its_text_its_states_and_its_depth)
{
    BENCH bench;
    bench_init(&bench);
    const struct pattern *pattern;
    struct als_why why;
    static char text[SCHEMA_PATTERN_BYTES_MAX + 1];
    memset(text, 'a', sizeof text);
    CHECK_OK(pattern_compile((str){text, sizeof text - 2}, &bench.arena, &bench.scratch,
                             &bench.table_work, &pattern, NULL));
    CHECK_ERR(ALS_TOO_LARGE, pattern_compile((str){text, sizeof text}, &bench.arena, &bench.scratch,
                                             &bench.table_work, &pattern, &why));
    CHECK_OK(pattern_compile(S("^a{8000}$"), &bench.arena, &bench.scratch, &bench.table_work,
                             &pattern, NULL));
    CHECK_ERR(ALS_TOO_LARGE, pattern_compile(S("a{8192}"), &bench.arena, &bench.scratch,
                                             &bench.table_work, &pattern, &why));
    CHECK_STR(S("the pattern has more than 8192 states when its repetitions are written out"),
              str_of(why.text));
    CHECK_ERR(ALS_TOO_LARGE, pattern_compile(S("((a{99}){99}){99}"), &bench.arena, &bench.scratch,
                                             &bench.table_work, &pattern, &why));
    CHECK_ERR(ALS_TOO_LARGE, pattern_compile(S("a{99999999999999999999}"), &bench.arena,
                                             &bench.scratch, &bench.table_work, &pattern, &why));
    memset(text, '(', 5000);
    CHECK_ERR(ALS_VALIDATION, pattern_compile((str){text, 5000}, &bench.arena, &bench.scratch,
                                              &bench.table_work, &pattern, &why));
    CHECK_OK(pattern_compile(S("((){9999999}){9999999}"), &bench.arena, &bench.scratch,
                             &bench.table_work, &pattern, NULL));
}

// Each of these takes a matcher that goes back exponentially long.
TEST(pattern_does_not_hang_on_catastrophic_expressions)
{
    static const char *const patterns[] = {
        "^(a+)+$",
        "^(a|a)*$",
        "^(a|aa)+$",
        "(x+x+)+y",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(.*)*=",
        "^(?:a?){500}a{500}$",
        "(?=(a+)+$)b",
        "^(a*)*\\b(a*)*b$",
        "(?<=(a+)+)!",
        "((a?)*){50}!",
    };
    static char text[20000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '?';
    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        BENCH bench;
        bench_init(&bench);
        CHECK(!matches_both_ways(&bench, str_of(patterns[i]), (str){text, sizeof text}));
        uint64_t spent = (UINT64_C(1) << 40) - bench.work.steps;
        CHECK(spent < UINT64_C(3000) * sizeof text);
    }
}

TEST(pattern_stops_when_its_work_is_used_up)
{
    BENCH bench;
    bench_init(&bench);
    const struct pattern *pattern;
    CHECK_OK(pattern_compile(S("\\b(?:a?){500}\\b!"), &bench.arena, &bench.scratch,
                             &bench.table_work, &pattern, NULL));
    static char text[20000];
    memset(text, 'a', sizeof text);
    bench.work.steps = 10000;
    CHECK(!pattern_matches(pattern, (str){text, sizeof text}, &bench.work));
    CHECK_EQUAL(0, bench.work.steps);
}
