// SPDX-License-Identifier: Apache-2.0
// Numbers keep their text; here it is read. All of it is text of the caller's: a megabyte of digits
// or an exponent of a hundred digits is legal and is neither stored nor rounded when compared.
#include "json/number.h"

#include "json/json.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    // A double is decided by this many digits, if one more tells whether anything follows.
    DIGITS_MAX = 770,
    EXACT_DIGITS = 15, // integers and powers of ten up to these are doubles without rounding
    EXACT_POWER = 22,
};

// Past this a double is an infinity or zero: no text is long enough to bring an exponent back.
static const int64_t EXPONENT_MAX = INT64_C(100000000000);

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static struct json_decimal read_exponent(struct json_decimal decimal, str rest)
{
    if (rest.len == 0)
        return decimal;
    rest = str_from(rest, 1); // the e
    decimal.exponent_negative = *rest.ptr == '-';
    if (!is_digit(*rest.ptr))
        rest = str_from(rest, 1);
    while (rest.len && *rest.ptr == '0')
        rest = str_from(rest, 1);
    decimal.exponent = rest;
    return decimal;
}

struct json_decimal json_decimal_read(str number)
{
    struct json_decimal decimal = {.negative = *number.ptr == '-'};
    const char *at = number.ptr + decimal.negative, *end = number.ptr + number.len;
    bool behind_point = false;
    for (; at < end && (*at == '0' || *at == '.'); at++) {
        decimal.point -= behind_point;
        behind_point |= *at == '.';
    }
    decimal.first = decimal.end = at;
    for (; at < end && (is_digit(*at) || *at == '.'); at++) {
        behind_point |= *at == '.';
        decimal.point += !behind_point;
        if (*at != '0' && *at != '.')
            decimal.end = at + 1;
    }
    return read_exponent(decimal, (str){at, (size_t)(end - at)});
}

// By the digits alone, which is by value where the first ones stand at the same place.
static int compare_digits(const struct json_decimal *a, const struct json_decimal *b)
{
    const char *at = a->first, *other = b->first;
    while (at < a->end || other < b->end) {
        char digit = json_next_digit(&at, a->end), other_digit = json_next_digit(&other, b->end);
        if (digit != other_digit)
            return digit < other_digit ? -1 : 1;
    }
    return 0;
}

// Digit by digit from the highest. What has grown past a bound never comes back: each further digit
// multiplies by ten and changes by at most eighteen. So it is exact wherever it is small, and large
// wherever it is large.
int64_t json_exponent_difference(const struct json_decimal *a, const struct json_decimal *b)
{
    static const int64_t bound = INT64_C(1000000000000000);
    size_t len = a->exponent.len > b->exponent.len ? a->exponent.len : b->exponent.len;
    int64_t difference = 0;
    for (size_t left = len; left > 0; left--) {
        int64_t from_a =
            left <= a->exponent.len ? a->exponent.ptr[a->exponent.len - left] - '0' : 0;
        int64_t from_b =
            left <= b->exponent.len ? b->exponent.ptr[b->exponent.len - left] - '0' : 0;
        difference = difference * 10 + (a->exponent_negative ? -from_a : from_a) -
                     (b->exponent_negative ? -from_b : from_b);
        if (difference > bound || difference < -bound)
            return difference;
    }
    return difference;
}

bool json_number_equal(str a, str b)
{
    struct json_decimal x = json_decimal_read(a), y = json_decimal_read(b);
    bool zero = x.first == x.end, other_zero = y.first == y.end;
    if (zero || other_zero)
        return zero && other_zero;
    return x.negative == y.negative && json_exponent_difference(&x, &y) == y.point - x.point &&
           compare_digits(&x, &y) == 0;
}

int json_decimal_compare(const struct json_decimal *a, const struct json_decimal *b)
{
    int sign = a->first == a->end ? 0 : a->negative ? -1 : 1;
    int other_sign = b->first == b->end ? 0 : b->negative ? -1 : 1;
    if (sign != other_sign || sign == 0)
        return (sign > other_sign) - (sign < other_sign);
    int64_t places = json_exponent_difference(a, b) + a->point - b->point;
    return places ? (places < 0 ? -sign : sign) : sign * compare_digits(a, b);
}

bool json_to_i64(str number, int64_t *ret_value)
{
    return str_to_i64(number, ret_value);
}

bool json_to_u64(str number, uint64_t *ret_value)
{
    if (str_equal(number, S("-0"))) {
        *ret_value = 0;
        return true;
    }
    return str_to_u64(number, ret_value);
}

static int64_t capped_exponent(const struct json_decimal *decimal)
{
    int64_t value = 0;
    for (size_t i = 0; i < decimal->exponent.len && value < EXPONENT_MAX; i++)
        value = value * 10 + (decimal->exponent.ptr[i] - '0');
    return decimal->exponent_negative ? -value : value;
}

// strtod() rounds correctly but wants an end to its text and the locale's decimal point: so it is
// given digits and an exponent, in the C locale. glibc keeps that one, there is nothing to free.
static double round_digits(const char *digits, size_t len, int64_t exponent)
{
    char text[DIGITS_MAX + 32];
    memcpy(text, digits, len);
    (void)snprintf(text + len, sizeof text - len, "e%lld", (long long)exponent); // measured
    locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double value = strtod_l(text, NULL, locale);
    freelocale(locale);
    return value;
}

double json_to_double(str number)
{
    static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct json_decimal decimal = json_decimal_read(number);
    char digits[DIGITS_MAX + 1];
    size_t len = 0;
    int64_t whole = 0;
    const char *at = decimal.first;
    while (at < decimal.end && len < DIGITS_MAX) {
        digits[len++] = json_next_digit(&at, decimal.end);
        if (len <= EXACT_DIGITS)
            whole = whole * 10 + (digits[len - 1] - '0');
    }
    if (at < decimal.end)
        digits[len++] = '1'; // something follows, that is all that matters of it

    // The digits as an integer: 0.d1d2d3 * 10^p is d1d2d3 * 10^(p - len).
    int64_t exponent = decimal.point + capped_exponent(&decimal) - (int64_t)len;
    double value;
    if (len == 0)
        value = 0;
    else if (len <= EXACT_DIGITS && exponent >= 0 && exponent <= EXACT_POWER)
        value = (double)whole * powers[exponent];
    else if (len <= EXACT_DIGITS && exponent < 0 && exponent >= -EXACT_POWER)
        value = (double)whole / powers[-exponent];
    else
        value = round_digits(digits, len, exponent);
    return decimal.negative ? -value : value;
}
