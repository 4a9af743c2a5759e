// SPDX-License-Identifier: Apache-2.0
// Words: flags, defaults, hints, moments, help.
#include "cli/words.h"

#include "base/time.h"
#include "os/os.h"
#include "test.h"

struct asked {
    str text, operand, since;
    struct word_list list;
    struct word_number number;
    bool on;
};

#define AT(member) offsetof(struct asked, member)
static const struct flag flags[] = {
    {"text", "T", FLAG_TEXT, AT(text), "ALLSOURCE_TEXT", "a text"},
    {"list", "T", FLAG_LIST, AT(list), NULL, "some texts"},
    {"number", "N", FLAG_NUMBER, AT(number), NULL, "a number"},
    {"since", "MOMENT", FLAG_MOMENT, AT(since), NULL, "a moment"},
    {"on", NULL, FLAG_SWITCH, AT(on), NULL, "a switch"},
};
static const struct manual manual = {
    .usage = "[FLAGS] [THING]",
    .text = "What it does.\n",
    .examples = "  allsource test\n",
    .flags = flags,
    .flag_count = COUNT_OF(flags),
    .operand = "THING",
    .operand_at = AT(operand),
};
#undef AT

static struct arena arena;

static err read_words(struct asked *asked, bool *help, struct als_why *why, char **words,
                      size_t count)
{
    char variable[] = "ALLSOURCE_TEXT=from outside", other[] = "ALLSOURCE_TEX=no";
    char *environment[] = {other, variable, NULL};
    arena_deinit(&arena);
    arena_init(&arena, 1024, 1 << 20);
    struct cli cli = {.os = os_posix(),
                      .verb = "test",
                      .words = words,
                      .count = count,
                      .environment = environment,
                      .arena = &arena};
    return words_read(&cli, &manual, asked, help, why);
}

#define READ(asked, why, ...)                                                                      \
    __extension__({                                                                                \
        char *words_[] = {__VA_ARGS__};                                                            \
        bool help_;                                                                                \
        read_words((asked), &help_, (why), words_, COUNT_OF(words_));                              \
    })

// main() is given words that it might write to; nobody here does.
static char *word(const char *text)
{
    return (char *)(uintptr_t)text;
}

TEST(flags_take_their_value_from_behind_an_equals_sign_or_the_next_word)
{
    struct asked asked = {.on = false};
    struct als_why why;
    CHECK_OK(READ(&asked, &why, word("--text"), word("a=b"), word("--number=42"), word("--on"),
                  word("--list"), word("x"), word("--list=y"), word("thing")));
    CHECK_STR(S("a=b"), asked.text);
    CHECK_STR(S("thing"), asked.operand);
    CHECK(asked.number.given && asked.on);
    CHECK_EQUAL(42, asked.number.value);
    CHECK_EQUAL(2, asked.list.count);
    CHECK_STR(S("x"), asked.list.items[0]);
    CHECK_STR(S("y"), asked.list.items[1]);
}

TEST(a_flag_that_is_not_given_stays_what_it_was_or_comes_from_the_environment)
{
    struct asked asked = {.text = S("default"), .number = {7, false}};
    struct als_why why;
    CHECK_OK(READ(&asked, &why, word("--on")));
    CHECK_STR(S("from outside"), asked.text);
    CHECK_EQUAL(7, asked.number.value);
    CHECK(!asked.number.given && !asked.operand.ptr);
}

TEST(an_empty_value_is_a_value)
{
    struct asked asked = {.on = false};
    struct als_why why;
    CHECK_OK(READ(&asked, &why, word("--text=")));
    CHECK(asked.text.ptr && asked.text.len == 0);
}

TEST(behind_two_dashes_nothing_is_a_flag)
{
    struct asked asked = {.on = false};
    struct als_why why;
    CHECK_OK(READ(&asked, &why, word("--"), word("--on")));
    CHECK_STR(S("--on"), asked.operand);
    CHECK(!asked.on);
    CHECK_OK(READ(&(struct asked){.on = false}, &why, word("-"))); // standard input
}

TEST(wrong_words_are_told_with_what_would_be_right)
{
    static const struct {
        const char *words[3], *told;
    } cases[] = {
        {{"--txet", "x"}, "did you mean --text?"},
        {{"--num=4"}, "did you mean --number?"},
        {{"--quite-different"}, "there is no flag --quite-different"},
        {{"--number", "4x"}, "whole number, not '4x'"},
        {{"--number=-1"}, "whole number"},
        {{"--number=18446744073709551616"}, "whole number"},
        {{"--number"}, "needs a value: --number N"},
        {{"--on=true"}, "takes no value"},
        {{"--since=yesterday"}, "takes a moment"},
        {{"-x"}, "two dashes"},
        {{"a", "b"}, "'b' is one word too many"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asked asked = {.on = false};
        struct als_why why = {""};
        char *words[3];
        size_t count = 0;
        for (; count < 3 && cases[i].words[count]; count++)
            words[count] = word(cases[i].words[count]);
        bool help;
        CHECK_ERR(ALS_INVALID_INPUT, read_words(&asked, &help, &why, words, count));
        if (!strstr(why.text, cases[i].told))
            test_fail(__FILE__, __LINE__, "'%s' does not say '%s'", why.text, cases[i].told);
    }
}

TEST(help_is_given_whatever_else_is_said)
{
    struct asked asked = {.on = false};
    struct als_why why;
    char *words[] = {word("--help"), word("--nonsense")};
    bool help = false;
    CHECK_OK(read_words(&asked, &help, &why, words, 2));
    CHECK(help);
}

TEST(help_names_every_flag_and_where_else_it_is_read_from)
{
    struct buf buf;
    buf_init(&buf, 1 << 16);
    words_help("test", &manual, &buf);
    buf_put_char(&buf, '\0');
    CHECK(strstr(buf.ptr, "usage: allsource test [FLAGS] [THING]"));
    CHECK(strstr(buf.ptr, "--number N"));
    CHECK(strstr(buf.ptr, "[ALLSOURCE_TEXT]"));
    CHECK(strstr(buf.ptr, "some texts (repeatable)"));
    buf_deinit(&buf);
}

TEST(the_nearest_word_is_one_slip_away_and_not_any_word)
{
    static const char *const verbs[] = {"serve", "append", "query", "state", "stats", "tail"};
    static const struct {
        const char *word, *nearest;
    } cases[] = {{"qery", "query"},   {"qurey", "query"},    {"stat", "state"},
                 {"apend", "append"}, {"appendd", "append"}, {"stts", "stats"},
                 {"delete", NULL},    {"x", NULL},           {"", NULL},
                 {"tial", "tail"},    {"app", "append"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *nearest = words_nearest(str_of(cases[i].word), verbs, COUNT_OF(verbs));
        CHECK_STR(str_of(cases[i].nearest), str_of(nearest));
    }
}

TEST(moments_are_dates_times_and_ages)
{
    int64_t now_us, us;
    CHECK(time_parse(S("2025-06-15T12:00:00Z"), &now_us));
    static const struct {
        const char *text, *moment;
    } cases[] = {
        {"2025-01-31T12:00:00Z", "2025-01-31T12:00:00Z"},
        {"2025-01-31T12:00:00.5+02:00", "2025-01-31T10:00:00.500Z"},
        {"2025-01-31", "2025-01-31T00:00:00Z"},
        {"0s", "2025-06-15T12:00:00Z"},
        {"90s", "2025-06-15T11:58:30Z"},
        {"15m", "2025-06-15T11:45:00Z"},
        {"2h", "2025-06-15T10:00:00Z"},
        {"7d", "2025-06-08T12:00:00Z"},
        {"1w", "2025-06-08T12:00:00Z"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CHECK(moment_read(str_of(cases[i].text), now_us, &us));
        char text[TIME_TEXT_MAX];
        CHECK_STR(str_of(cases[i].moment), ((str){text, time_format(us, text)}));
    }
    static const char *const wrong[] = {
        "",     "h",          "5",         "5x",           "-5m",
        "1.5h", "2025-02-30", "2025-1-31", "99999999999s", "1000000000w"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        CHECK(!moment_read(str_of(wrong[i]), now_us, &us));
}
