// SPDX-License-Identifier: Apache-2.0
// A refusal in words: what was expected, what is there, where, and, for the mistakes that people
// make, what to do about it. Runs once per refused text, so it may look around in it.
#include "json/pass.h"

#include <stdio.h>

static const char *const wanted[] = {
    [WANT_VALUE] = "a value",
    [WANT_KEY] = "a key in double quotes",
    [WANT_COLON] = "':' between the key and its value",
    [WANT_COMMA_IN_ARRAY] = "',' or ']' after the value",
    [WANT_COMMA_IN_OBJECT] = "',' or '}' after the value",
    [WANT_END] = "nothing more after the value",
    [WANT_BEHIND_SCALAR] = "white space or the end after the value",
    [WANT_LITERAL] = "true, false or null",
    [WANT_DIGIT] = "a digit",
    [WANT_QUOTE] = "the closing '\"' of a string",
    [WANT_NO_CONTROL] = "a control character in a string to be escaped",
    [WANT_ESCAPE] = "one of \" \\ / b f n r t u after the backslash",
    [WANT_HEX] = "four hex digits after \\u",
    [WANT_PAIR] = "\\u and a low surrogate after the high one",
    [WANT_LOW_HALF] = "a low surrogate (\\udc00 to \\udfff) after the high one",
    [WANT_NO_LOW_HALF] = "a high surrogate before a low one",
    [WANT_UTF8] = "well-formed UTF-8",
    [WANT_LESS_DEPTH] = "no deeper nesting",
};

// A mistake is known by what was wanted, the byte that is there (0: any) and the last byte before
// it that is no white space (0: any). The first row that fits is given.
enum { ANY_WANT = -1 };
static const struct {
    int want;
    char found, before;
    const char *hint;
} hints[] = {
    {ANY_WANT, '\xef', 0, "a byte-order mark is not JSON"},
    {WANT_VALUE, ']', ',', "no comma before a closing bracket"},
    {WANT_VALUE, '}', ',', "no comma before a closing bracket"},
    {WANT_KEY, '}', ',', "no comma before a closing bracket"},
    {WANT_VALUE, ',', 0, "a comma stands only between two values"},
    {WANT_KEY, ',', 0, "a comma stands only between two members"},
    {WANT_VALUE, '\'', 0, "strings stand between double quotes"},
    {WANT_KEY, '\'', 0, "keys stand between double quotes"},
    {WANT_NO_CONTROL, '\n', 0, "write \\n for a line break, or close the string before it"},
    {WANT_NO_CONTROL, '\t', 0, "write \\t for a tab"},
    {WANT_NO_CONTROL, 0, 0, "write it as \\u and four hex digits"},
    {WANT_VALUE, 'N', 0, "JSON has no NaN; null is in lower case"},
    {WANT_VALUE, 'I', 0, "JSON has no Infinity"},
    {WANT_DIGIT, 'I', '-', "JSON has no Infinity"},
    {WANT_LITERAL, 'a', 'n', "JSON has no NaN"},
    {WANT_VALUE, 'T', 0, "true is in lower case"},
    {WANT_VALUE, 'F', 0, "false is in lower case"},
    {WANT_VALUE, '+', 0, "a number has no plus sign"},
    {WANT_VALUE, '.', 0, "a number has a digit before its point"},
    {WANT_ESCAPE, 'x', 0, "use \\u and four hex digits"},
    {WANT_VALUE, '/', 0, "JSON has no comments"},
    {WANT_KEY, '/', 0, "JSON has no comments"},
    {WANT_COMMA_IN_ARRAY, '/', 0, "JSON has no comments"},
    {WANT_COMMA_IN_OBJECT, '/', 0, "JSON has no comments"},
    {WANT_END, '/', 0, "JSON has no comments"},
};

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

static const char *find_hint(const struct pass *pass, const char *at)
{
    const char *before = at;
    while (before > pass->begin && strchr(" \t\r\n", before[-1]) && before[-1])
        before--;
    char last = before > pass->begin ? before[-1] : '\0';
    bool mark = pass->end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0;
    for (size_t i = 0; i < COUNT_OF(hints); i++) {
        if ((hints[i].want == ANY_WANT || hints[i].want == (int)pass->want) &&
            (!hints[i].found || hints[i].found == *at) &&
            (!hints[i].before || hints[i].before == last) && (hints[i].found != '\xef' || mark))
            return hints[i].hint;
    }
    bool behind = pass->want == WANT_COMMA_IN_ARRAY || pass->want == WANT_COMMA_IN_OBJECT ||
                  pass->want == WANT_END || pass->want == WANT_BEHIND_SCALAR;
    if (behind && before == at && last == '0' && is_word(*at))
        return "a number has no leading zeros, and is decimal";
    if (pass->want == WANT_VALUE && is_word(*at))
        return "words stand between double quotes";
    return NULL;
}

// "'x'", or "byte 0x1b" for what cannot be shown.
static void show_byte(char c, char *ret_text, size_t size)
{
    if (c > ' ' && c < 0x7f)
        (void)snprintf(ret_text, size, "'%c'", c);
    else
        (void)snprintf(ret_text, size, "byte 0x%02x", (unsigned char)c);
}

// Lines and columns are counted from 1; a column is a character, not a byte.
static void find_line(const struct pass *pass, size_t *ret_line, size_t *ret_column)
{
    size_t line = 1, column = 1;
    for (const char *at = pass->begin; at < pass->wrong; at++) {
        bool continues = ((unsigned char)*at & 0xc0) == 0x80;
        line += *at == '\n';
        column = *at == '\n' ? 1 : column + !continues;
    }
    *ret_line = line;
    *ret_column = column;
}

void json_explain(const struct pass *pass, struct als_why *why)
{
    if (!why)
        return;
    char place[96], found[16] = "";
    size_t line, column;
    find_line(pass, &line, &column);
    (void)snprintf(place, sizeof place, "at line %zu, column %zu (byte offset %zu)", line, column,
                   (size_t)(pass->wrong - pass->begin));
    const char *hint = NULL;
    if (pass->wrong < pass->end) {
        show_byte(*pass->wrong, found, sizeof found);
        hint = find_hint(pass, pass->wrong);
    }
    const char *wants = wanted[pass->want];
    if (pass->want == WANT_LESS_DEPTH)
        err_explain(why, "nested too deeply %s: at most %u levels are taken", place,
                    pass->depth_max);
    else if (pass->wrong == pass->end && pass->begin == pass->end)
        err_explain(why, "expected a value, but the text is empty %s", place);
    else
        err_explain(why, "expected %s, but found %s %s%s%s", wants,
                    pass->wrong == pass->end ? "the end of the text" : found, place,
                    hint ? "; " : "", hint ? hint : "");
}
