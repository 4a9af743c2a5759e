// SPDX-License-Identifier: Apache-2.0
// The pieces of the grammar: strings, numbers, words, white space. A source file that includes this
// has defined plain_end() and space_end() before it (pass_body.h tells what they do).
// No byte at or behind `end` is read.
#include "base/bytes.h"
#include "json/pass.h"

#define HOT static inline __attribute__((always_inline))

static struct json_taken string_rest(struct pass *pass, const char *at)
{
    bool escaped = false;
    while (at && at < pass->end) {
        unsigned char c = (unsigned char)*at;
        if (c == '"')
            return (struct json_taken){at + 1, escaped};
        if (c < 0x20)
            return (struct json_taken){json_refuse(pass, at, WANT_NO_CONTROL), escaped};
        escaped |= c == '\\';
        at = c == '\\' ? json_escape_end(pass, at) : json_utf8_end(pass, at);
        if (at)
            at = plain_end(pass, at);
    }
    return (struct json_taken){at ? json_refuse(pass, at, WANT_QUOTE) : NULL, escaped};
}

// `at` is behind the opening quote.
HOT struct json_taken take_string(struct pass *pass, const char *at)
{
    at = plain_end(pass, at);
    if (__builtin_expect(at < pass->end && *at == '"', 1))
        return (struct json_taken){at + 1, false};
    return string_rest(pass, at);
}

HOT bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

// At least one digit.
HOT const char *take_digits(struct pass *pass, const char *at)
{
    if (at == pass->end || !is_digit(*at))
        return json_refuse(pass, at, WANT_DIGIT);
    do
        at++;
    while (at < pass->end && is_digit(*at));
    return at;
}

HOT const char *take_number(struct pass *pass, const char *at)
{
    at += *at == '-';
    at = at < pass->end && *at == '0' ? at + 1 : take_digits(pass, at);
    if (at && at < pass->end && *at == '.')
        at = take_digits(pass, at + 1);
    if (at && at < pass->end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < pass->end && (*at == '+' || *at == '-');
        at = take_digits(pass, at);
    }
    return at;
}

HOT const char *take_literal(struct pass *pass, const char *at)
{
    if (__builtin_expect(pass->end - at > 4, 1)) {
        uint32_t word = load_le32(at);
        if (word == load_le32("true") || word == load_le32("null"))
            return at + 4;
        if (word == load_le32("fals") && at[4] == 'e')
            return at + 5;
    }
    return json_literal_end(pass, at);
}

HOT const char *skip_space(struct pass *pass, const char *at)
{
    if (__builtin_expect(at < pass->end && (unsigned char)*at <= ' ', 0)) {
        const char *from = at;
        at = space_end(pass, at);
        if (at != from)
            pass->spaced = from;
    }
    return at;
}
