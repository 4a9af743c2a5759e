// SPDX-License-Identifier: Apache-2.0
// The pages for people say what the tables say.
#include "config/options.h"
#include "test.h"

static str file_text(const char *path)
{
    static char space[2][1 << 20];
    static int turn;
    char *text = space[turn++ & 1];
    FILE *file = fopen(path, "r");
    if (!file)
        test_fail(__FILE__, __LINE__, "%s cannot be read", path);
    size_t len = fread(text, 1, sizeof space[0], file);
    fclose(file);
    CHECK(len < sizeof space[0]);
    return (str){text, len};
}

static void check_mentions(str page, const char *quoted)
{
    if (!memmem(page.ptr, page.len, quoted, strlen(quoted)))
        test_fail(__FILE__, __LINE__, "docs/limits.md does not mention %s", quoted);
}

TEST(docs_options_is_what_the_table_prints)
{
    struct buf buf;
    buf_init(&buf, 1 << 20);
    config_reference(&buf);
    bool equal = str_equal(buf_str(&buf), file_text(ALLSOURCE_SOURCE "/docs/options.md"));
    buf_deinit(&buf);
    if (!equal)
        test_fail(__FILE__, __LINE__, "build the target print-tables and commit docs/options.md");
}

// "    NAME = 128, // why" of an enum, "#define NAME MIB(1)" of what does not fit into one.
static str limit_name(str line)
{
    bool defined = str_starts(line, S("#define "));
    str rest = str_trim(str_from(line, defined ? strlen("#define ") : 0));
    size_t len = 0;
    while (len < rest.len &&
           ((rest.ptr[len] >= 'A' && rest.ptr[len] <= 'Z') ||
            (rest.ptr[len] >= '0' && rest.ptr[len] <= '9') || rest.ptr[len] == '_'))
        len++;
    str behind = str_from(rest, len);
    bool limit = len > 0 && str_starts(behind, defined ? S(" ") : S(" = "));
    return limit ? str_first(rest, len) : (str){NULL, 0};
}

TEST(docs_limits_mention_every_limit_of_base)
{
    str page = file_text(ALLSOURCE_SOURCE "/docs/limits.md");
    size_t count = 0;
    for (str rest = file_text(ALLSOURCE_SOURCE "/src/base/limits.h"); rest.len;) {
        str name = limit_name(str_cut(&rest, '\n'));
        char quoted[80];
        if (name.len == 0)
            continue;
        snprintf(quoted, sizeof quoted, "`%.*s`", STR(name));
        check_mentions(page, quoted);
        count++;
    }
    CHECK(count >= 18); // the header is written as this test reads it
}

TEST(docs_limits_mention_every_numeric_option_with_its_default)
{
    str page = file_text(ALLSOURCE_SOURCE "/docs/limits.md");
    for (size_t i = 0; i < option_count; i++) {
        char quoted[120];
        if (options[i].kind != OPTION_NUMBER)
            continue;
        snprintf(quoted, sizeof quoted, "`--%s` | %s |", options[i].flag, options[i].value);
        check_mentions(page, quoted);
    }
}
