// SPDX-License-Identifier: Apache-2.0
// The table for people: --help, --print-config, docs/options.md.
#include "config/options.h"

#include <assert.h>
#include <stdio.h>

enum { HELP_COLUMNS = 100, HELP_INDENT = 36, ORIGIN_COLUMN = 44 };

// Splits "DIR: the directory" into how help calls the value and what the option does.
static str value_name(const struct option *option, str *ret_help)
{
    str help = str_of(option->help);
    for (size_t i = 0; i + 1 < help.len; i++) {
        if (i > 0 && help.ptr[i] == ':' && help.ptr[i + 1] == ' ') {
            *ret_help = str_from(help, i + 2);
            return str_first(help, i);
        }
        if ((help.ptr[i] < 'A' || help.ptr[i] > 'Z') && help.ptr[i] != ':')
            break;
    }
    *ret_help = help;
    return option->kind == OPTION_NUMBER ? S("N") : S("VALUE");
}

static void put_blanks(struct buf *buf, size_t count)
{
    while (count-- > 0)
        buf_put_char(buf, ' ');
}

// A word on this line, or on the next when it does not fit.
static void put_word(struct buf *buf, size_t *column, str word)
{
    if (*column > HELP_INDENT && *column + 1 + word.len > HELP_COLUMNS) {
        buf_put_char(buf, '\n');
        put_blanks(buf, HELP_INDENT);
        *column = HELP_INDENT;
    }
    if (*column > HELP_INDENT) {
        buf_put_char(buf, ' ');
        ++*column;
    }
    buf_put_str(buf, word);
    *column += word.len;
}

// A flag at the left and what it does at the right; `values` is not broken.
static void help_row(struct buf *buf, str flag, str help, str values)
{
    size_t column = HELP_INDENT;
    assert(flag.len + 4 <= HELP_INDENT);
    buf_put_str(buf, S("  "));
    buf_put_str(buf, flag);
    put_blanks(buf, HELP_INDENT - 2 - flag.len);
    while (help.len)
        put_word(buf, &column, str_cut(&help, ' '));
    if (values.len)
        put_word(buf, &column, values);
    buf_put_char(buf, '\n');
}

static void help_option(struct buf *buf, const struct option *option)
{
    char flag[HELP_COLUMNS], values[HELP_COLUMNS] = "";
    str help, name = value_name(option, &help);
    if (option->kind == OPTION_SWITCH)
        (void)snprintf(flag, sizeof flag, "--%s", option->flag); // the assertion above measures
    else
        (void)snprintf(flag, sizeof flag, "--%s %.*s", option->flag, STR(name));
    if (option->kind == OPTION_NUMBER)
        (void)snprintf(values, sizeof values, "[%s; %s to %s]", option->value, option->least,
                       option->most);
    else if (*option->value)
        (void)snprintf(values, sizeof values, "[%s]", option->value);
    help_row(buf, str_of(flag), help, str_of(values));
}

void config_help(struct buf *buf)
{
    buf_put_str(
        buf, S("Usage: allsourced [--FLAG VALUE]...\n\n"
               "An event store: appends events over HTTP, keeps them for good, and answers from "
               "them.\n\n"
               "Every flag can be given in four places, of which the later wins: the default in "
               "brackets, a file\n(--config), the environment (--data-dir is ALLSOURCE_DATA_DIR) "
               "and the command line.\nNumbers take the suffixes k, m and g: 64m is 64 * 1024 * "
               "1024. A flag without a value can be\ntaken back with =false.\n"));
    for (size_t i = 0; i < option_count; i++)
        if (options[i].kind == OPTION_GROUP)
            buf_printf(buf, "\n%s\n", options[i].help);
        else
            help_option(buf, &options[i]);
    buf_put_str(buf, S("\nAnswers, and does nothing else\n"));
    help_row(buf, S("--help, -h"), S("this text"), S(""));
    help_row(buf, S("--version, -V"), S("the version"), S(""));
    help_row(buf, S("--print-config"),
             S("every value and where it came from, in the form of a file for --config"), S(""));
    buf_put_str(buf, S("\nExamples\n"
                       "  allsourced --data-dir /var/lib/allsource\n"
                       "  allsourced --listen 127.0.0.1:8080 --listen [::1]:8080\n"
                       "  allsourced --ephemeral --listen 127.0.0.1:0 --log-level debug\n"
                       "  ALLSOURCE_DURABILITY=interval:50 allsourced --print-config\n"));
}

void config_version(struct buf *buf)
{
    buf_put_str(buf, S("allsourced " ALLSOURCE_VERSION "\n"));
}

// As short as it can be written: 64m.
static void put_number(struct buf *buf, uint64_t value)
{
    static const struct {
        unsigned shift;
        char suffix;
    } units[] = {{30, 'g'}, {20, 'm'}, {10, 'k'}};
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (value && value % (UINT64_C(1) << units[i].shift) == 0) {
            buf_printf(buf, "%llu%c", (unsigned long long)(value >> units[i].shift),
                       units[i].suffix);
            return;
        }
    buf_put_u64(buf, value);
}

static void put_value(struct buf *buf, const struct option *option, const struct config *config)
{
    switch (option->kind) {
    case OPTION_TEXT:
        buf_put_str(buf, *option_text(option, config));
        break;
    case OPTION_LIST:
        for (size_t i = 0; i < *option_list_count(option, config); i++) {
            buf_put_str(buf, i ? S(", ") : S(""));
            buf_put_str(buf, option_text(option, config)[i]);
        }
        break;
    case OPTION_NUMBER:
        put_number(buf, *option_number(option, config));
        break;
    case OPTION_SWITCH:
        buf_put_str(buf, *option_switch(option, config) ? S("true") : S("false"));
        break;
    case OPTION_GROUP:
        break;
    }
}

static void print_option(struct buf *buf, const struct option *option, const struct config *config)
{
    size_t start = buf->len;
    bool names_file = str_equal(str_of(option->flag), S("config"));
    if (names_file && option_text(option, config)->len == 0)
        return;
    buf_printf(buf, "%s%s = ", names_file ? "# " : "", option->flag); // no file may name a file
    put_value(buf, option, config);
    size_t written = buf->len - start;
    put_blanks(buf, written < ORIGIN_COLUMN ? ORIGIN_COLUMN - written : 1);
    char variable[OPTION_NAME_MAX];
    switch (*option_source(option, config)) {
    case CONFIG_DEFAULT:
        buf_put_str(buf, S("# default\n"));
        break;
    case CONFIG_FILE:
        buf_put_str(buf, S("# file\n"));
        break;
    case CONFIG_ENVIRONMENT:
        buf_printf(buf, "# environment, %s\n", option_variable(option, variable));
        break;
    case CONFIG_FLAG:
        buf_printf(buf, "# command line, --%s\n", option->flag);
        break;
    }
}

void config_print(const struct config *config, struct buf *buf)
{
    for (size_t i = 0; i < option_count; i++)
        if (options[i].kind == OPTION_GROUP)
            buf_printf(buf, "%s# %s\n", i ? "\n" : "", options[i].help);
        else
            print_option(buf, &options[i], config);
}

// '|' and '<' mean something in a Markdown table.
static void put_cell(struct buf *buf, str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '|' || text.ptr[i] == '<')
            buf_put_char(buf, '\\');
        buf_put_char(buf, text.ptr[i]);
    }
}

static void reference_row(struct buf *buf, const struct option *option)
{
    char variable[OPTION_NAME_MAX];
    str help, name = value_name(option, &help);
    buf_printf(buf, "| `--%s", option->flag);
    if (option->kind != OPTION_SWITCH)
        buf_printf(buf, " %.*s", STR(name));
    buf_printf(buf, "` | `%s` | ", option_variable(option, variable));
    if (option->kind == OPTION_SWITCH)
        buf_put_str(buf, S("off"));
    else if (*option->value)
        buf_printf(buf, "`%s`", option->value);
    buf_put_str(buf, S(" | "));
    if (option->kind == OPTION_NUMBER)
        buf_printf(buf, "`%s` to `%s`", option->least, option->most);
    buf_put_str(buf, S(" | "));
    put_cell(buf, help);
    buf_put_str(buf, S(" |\n"));
}

void config_reference(struct buf *buf)
{
    buf_put_str(
        buf, S("# Options of allsourced\n\n"
               "This page is printed from `src/config/options.def` (`cmake --build build/dev "
               "--target print-tables`).\n\n"
               "Later wins: the default, a file (`--config FILE`, lines of `key = value`, keys are "
               "the flags without\n`--`, `#` begins a comment), the environment, the command line. "
               "Numbers take the suffixes `k`, `m`, `g`\n(times 1024). `--listen` may be given "
               "several times; in file and environment its values are separated\nby commas. "
               "`allsourced --print-config` shows every value and where it came from.\n\n"
               "The environment may hold `ALLSOURCE_` variables of other programs: unknown ones "
               "are refused only when\nthey look like a misspelt option. An empty variable counts "
               "as unset.\n"));
    for (size_t i = 0; i < option_count; i++)
        if (options[i].kind == OPTION_GROUP)
            buf_printf(buf,
                       "\n## %s\n\n| flag | environment | default | range | meaning |\n"
                       "|---|---|---|---|---|\n",
                       options[i].help);
        else
            reference_row(buf, &options[i]);
}
