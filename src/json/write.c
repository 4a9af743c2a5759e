// SPDX-License-Identifier: Apache-2.0
// The writer. Whether a comma is due is one flag: a value or a closing bracket sets it, an opening
// bracket or a key clears it.
#include "json/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void json_writer_init(struct json_writer *writer, struct buf *buf)
{
    *writer = (struct json_writer){.buf = buf};
}

static void put_comma(struct json_writer *writer)
{
    if (writer->comma)
        buf_put_char(writer->buf, ',');
    writer->comma = true;
}

static void open_container(struct json_writer *writer, char bracket)
{
    put_comma(writer);
    buf_put_char(writer->buf, bracket);
    writer->comma = false;
}

static void close_container(struct json_writer *writer, char bracket)
{
    buf_put_char(writer->buf, bracket);
    writer->comma = true;
}

void json_open_object(struct json_writer *writer)
{
    open_container(writer, '{');
}

void json_close_object(struct json_writer *writer)
{
    close_container(writer, '}');
}

void json_open_array(struct json_writer *writer)
{
    open_container(writer, '[');
}

void json_close_array(struct json_writer *writer)
{
    close_container(writer, ']');
}

static void put_escape(struct buf *buf, char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char shorts[] = {['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
                                  ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't'};
    char letter = shorts[(unsigned char)c];
    if (letter)
        buf_put(buf, (char[]){'\\', letter}, 2);
    else
        buf_put(buf, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

static void put_quoted(struct buf *buf, str text)
{
    buf_put_char(buf, '"');
    size_t done = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= ' ' && c != '"' && c != '\\')
            continue;
        buf_put(buf, text.ptr + done, i - done);
        put_escape(buf, (char)c);
        done = i + 1;
    }
    buf_put(buf, text.ptr + done, text.len - done);
    buf_put_char(buf, '"');
}

void json_key(struct json_writer *writer, str key)
{
    put_comma(writer);
    put_quoted(writer->buf, key);
    buf_put_char(writer->buf, ':');
    writer->comma = false;
}

void json_put_string(struct json_writer *writer, str text)
{
    put_comma(writer);
    put_quoted(writer->buf, text);
}

void json_put_u64(struct json_writer *writer, uint64_t value)
{
    put_comma(writer);
    buf_put_u64(writer->buf, value);
}

void json_put_i64(struct json_writer *writer, int64_t value)
{
    put_comma(writer);
    buf_put_i64(writer->buf, value);
}

// The fewest digits that read back as the same double, d[0].d[1]d[2]... * 10^exponent.
struct digits {
    char digits[18];
    int count;
    int exponent;
};

enum { DIGITS_ENOUGH = 17 }; // always tell a double from its neighbours

// printf() rounds correctly but writes the locale's decimal point: so its digits are picked out.
static struct digits round_to(double value, int count)
{
    char text[40];
    (void)snprintf(text, sizeof text, "%.*e", count - 1,
                   value); // at most 25 characters and a point
    struct digits result = {};
    char *at = text;
    for (; *at != 'e'; at++)
        if (*at >= '0' && *at <= '9')
            result.digits[result.count++] = *at;
    result.exponent = atoi(at + 1);
    return result;
}

static struct digits without_zeros(struct digits digits)
{
    while (digits.count > 1 && digits.digits[digits.count - 1] == '0')
        digits.count--;
    return digits;
}

static bool reads_back(struct digits digits, double value)
{
    char text[48];
    int len = snprintf(text, sizeof text, "%.*se%d", digits.count, digits.digits,
                       digits.exponent - digits.count + 1);
    return json_to_double((str){text, (size_t)len}) == value;
}

// Adds one to the last digit. Behind a 9 there is nothing to find: it would be a number of fewer
// digits, and those have been tried.
static struct digits one_up(struct digits digits)
{
    char *last = &digits.digits[digits.count - 1];
    *last = (char)(*last + (*last < '9'));
    return digits;
}

// Up to 15 digits survive the way to an ordinary double and back, so if 15 are right then they are,
// without their zeros, the fewest. Doubles near zero hold fewer: there every count is tried. Above
// a power of two the gap to the next double is twice that below: the nearest number of 16 digits
// may be another double while the next one up is this.
static struct digits fewest_digits(double value)
{
    bool subnormal = value < 2.2250738585072014e-308;
    for (int count = subnormal ? 1 : 15; count < DIGITS_ENOUGH; count++) {
        struct digits digits = round_to(value, count);
        if (reads_back(digits, value))
            return without_zeros(digits);
        if (reads_back(one_up(digits), value))
            return one_up(digits);
    }
    return without_zeros(round_to(value, DIGITS_ENOUGH));
}

static void put_zeros(struct buf *buf, int count)
{
    for (; count > 0; count--)
        buf_put_char(buf, '0');
}

// Plain from 0.00001 to below 10^16, else with an exponent: as the reference writes them.
static void put_digits(struct buf *buf, struct digits digits)
{
    int whole = digits.exponent + 1; // digits before the point
    if (whole > -5 && whole <= 0) {
        buf_put_str(buf, S("0."));
        put_zeros(buf, -whole);
        buf_put(buf, digits.digits, (size_t)digits.count);
    } else if (whole > 0 && whole <= 16) {
        int before = whole < digits.count ? whole : digits.count;
        buf_put(buf, digits.digits, (size_t)before);
        put_zeros(buf, whole - before);
        buf_put_char(buf, '.');
        buf_put(buf, digits.digits + before, (size_t)(digits.count - before));
        put_zeros(buf, digits.count <= whole);
    } else {
        buf_put_char(buf, digits.digits[0]);
        if (digits.count > 1)
            buf_put_char(buf, '.');
        buf_put(buf, digits.digits + 1, (size_t)(digits.count - 1));
        buf_put_char(buf, 'e');
        buf_put_i64(buf, digits.exponent);
    }
}

void json_put_double(struct json_writer *writer, double value)
{
    if (!isfinite(value)) {
        json_put_null(writer);
        return;
    }
    put_comma(writer);
    if (signbit(value))
        buf_put_char(writer->buf, '-');
    put_digits(writer->buf, fewest_digits(fabs(value)));
}

void json_put_bool(struct json_writer *writer, bool value)
{
    json_put_raw(writer, value ? S("true") : S("false"));
}

void json_put_null(struct json_writer *writer)
{
    json_put_raw(writer, S("null"));
}

void json_put_raw(struct json_writer *writer, str json)
{
    put_comma(writer);
    buf_put_str(writer->buf, json);
}

void json_field_string(struct json_writer *writer, str key, str text)
{
    json_key(writer, key);
    json_put_string(writer, text);
}

void json_field_u64(struct json_writer *writer, str key, uint64_t value)
{
    json_key(writer, key);
    json_put_u64(writer, value);
}

void json_field_raw(struct json_writer *writer, str key, str json)
{
    json_key(writer, key);
    json_put_raw(writer, json);
}
