// SPDX-License-Identifier: Apache-2.0
// Percent-encoding and query strings.
#include "http.h"
#include "test.h"

TEST(http_decodes_percent_and_plus)
{
    static const struct {
        const char *text;
        bool plus;
        const char *decoded; // NULL: refused
    } rows[] = {
        {"", false, ""},
        {"abc", false, "abc"},
        {"a%20b+c", false, "a b+c"},
        {"a%20b+c", true, "a b c"},
        {"%2B%2b", true, "++"},
        {"%2F..%2f", false, "/../"},
        {"%C3%A9%e2%82%ac", false, "\xc3\xa9\xe2\x82\xac"},
        {"%", false, NULL},
        {"%4", false, NULL},
        {"a%4", false, NULL},
        {"%zz", false, NULL},
        {"%4g", false, NULL},
        {"% 41", false, NULL},
        {"%ff", false, NULL},
        {"%c3", false, NULL},
        {"%ed%a0%80", false, NULL},
        {"%c0%80", false, NULL},
        {"\xc3", false, NULL},
    };
    struct arena arena;
    arena_init(&arena, 1024, 65536);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        str decoded = {NULL, 0};
        bool accepted = http_decode(str_of(rows[i].text), rows[i].plus, &arena, &decoded);
        if (accepted != (rows[i].decoded != NULL))
            test_fail(__FILE__, __LINE__, "'%s'", rows[i].text);
        if (accepted)
            CHECK_STR(str_of(rows[i].decoded), decoded);
    }
    str zero;
    CHECK(http_decode(S("a%00b"), false, &arena, &zero));
    CHECK_STR(S("a\0b"), zero);
    arena_deinit(&arena);
}

TEST(http_walks_the_parameters_of_a_query)
{
    static const struct {
        const char *query, *walked; // "name=value;", "!" for one that cannot be decoded
    } rows[] = {
        {"", ""},
        {"a=1", "a=1;"},
        {"a=1&b=2", "a=1;b=2;"},
        {"a", "a=;"},
        {"a=", "a=;"},
        {"=1", "=1;"},
        {"&&a=1&", "a=1;"},
        {"a=b=c", "a=b=c;"},
        {"a=x+y%2Bz&%61=2", "a=x y+z;a=2;"},
        {"a=%zz&b=2", "!b=2;"},
        {"%ff=1&b=2", "!b=2;"},
        {"a=1;b=2", "a=1;b=2;"},
    };
    struct arena arena;
    arena_init(&arena, 1024, 65536);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf walked;
        buf_init(&walked, 1000);
        str rest = str_of(rows[i].query), name, value;
        bool bad;
        while (http_next_parameter(&rest, &arena, &name, &value, &bad)) {
            if (bad)
                buf_put_str(&walked, S("!"));
            else
                buf_printf(&walked, "%.*s=%.*s;", STR(name), STR(value));
        }
        CHECK_STR(str_of(rows[i].walked), buf_str(&walked));
        buf_deinit(&walked);
    }
    arena_deinit(&arena);
}
