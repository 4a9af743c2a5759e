// SPDX-License-Identifier: Apache-2.0
// Divisibility of decimals. Let the number be a * 10^p and the divisor b * 10^q with integers a, b
// that do not end in 0, and e = p - q. The quotient is an integer when b divides a * 10^e. If e is
// negative that cannot be: a would have to be divisible by 10. Otherwise the remainder of a by b is
// taken digit by digit and e zeros are appended; once there are as many as b has factors of 2 and
// of 5 (each of its digits gives at most 3.4), more zeros change nothing. So 1e1000000 costs what
// the divisor's digits cost.
#include "schema/number.h"

#include "base/hash.h"
#include "base/limits.h"

#include <stdio.h>

enum {
    LIMB_BITS = 32,
    LIMBS_MAX = SCHEMA_MULTIPLE_DIGITS_MAX * 10 / 3 / LIMB_BITS + 2, // with room for one digit more
    SMALL_DIGITS = 18, // a divisor of so many digits, and ten times it, fit into 64 bits
};

struct divisor {
    struct json_decimal value;
    size_t digits;  // significant ones
    uint64_t small; // the digits as an integer; 0 when there are too many
    size_t limb_count;
    uint32_t limbs[LIMBS_MAX]; // else this, lowest first
};

static size_t digit_count(const struct json_decimal *decimal)
{
    size_t count = (size_t)(decimal->end - decimal->first);
    return memchr(decimal->first, '.', count) ? count - 1 : count;
}

// Of the power of ten that the digits, taken as an integer, are multiplied by: the sign.
static int scale_sign(const struct json_decimal *decimal)
{
    int64_t shift = decimal->point - (int64_t)digit_count(decimal);
    struct json_decimal nothing = {};
    int64_t scale = json_exponent_difference(decimal, &nothing) + shift;
    return (scale > 0) - (scale < 0);
}

bool number_is_integer(str number)
{
    size_t plain = 0;
    while (plain < number.len &&
           (number.ptr[plain] == '-' || (unsigned)(number.ptr[plain] - '0') < 10))
        plain++;
    if (plain == number.len)
        return true;
    struct json_decimal decimal = json_decimal_read(number);
    return decimal.first == decimal.end || scale_sign(&decimal) >= 0;
}

bool number_is_plain(str number, int64_t *ret_value)
{
    bool negative = number.len && *number.ptr == '-';
    size_t at = negative;
    if (number.len - at > SMALL_DIGITS)
        return false;
    int64_t value = 0;
    for (; at < number.len; at++) {
        unsigned digit = (unsigned)(number.ptr[at] - '0');
        if (digit > 9)
            return false;
        value = value * 10 + (int64_t)digit;
    }
    *ret_value = negative ? -value : value;
    return true;
}

bool number_to_count(str number, uint64_t *ret_count)
{
    struct json_decimal decimal = json_decimal_read(number), nothing = {};
    bool zero = decimal.first == decimal.end;
    if (!zero && (decimal.negative || scale_sign(&decimal) < 0))
        return false;
    enum { FITS = 19 };
    int64_t digits = json_exponent_difference(&decimal, &nothing) + decimal.point;
    uint64_t count = zero || digits <= FITS ? 0 : UINT64_MAX;
    const char *at = decimal.first;
    for (int64_t i = 0; count != UINT64_MAX && !zero && i < digits; i++)
        count = count * 10 + (uint64_t)(json_next_digit(&at, decimal.end) - '0');
    *ret_count = count;
    return true;
}

uint64_t number_hash(str number)
{
    struct json_decimal decimal = json_decimal_read(number);
    struct json_decimal nothing = {};
    uint64_t hash = decimal.first == decimal.end ? 0 : 1 + (uint64_t)decimal.negative;
    const char *at = decimal.first;
    while (at < decimal.end)
        hash = (hash + (uint64_t)json_next_digit(&at, decimal.end)) * UINT64_C(0x9e3779b97f4a7c15);
    if (hash)
        hash += (uint64_t)(json_exponent_difference(&decimal, &nothing) + decimal.point);
    return hash_bytes(&hash, sizeof hash, 0);
}

// limbs = limbs * 10 + digit
static void limbs_append(uint32_t *limbs, size_t count, uint32_t digit)
{
    uint64_t carry = digit;
    for (size_t i = 0; i < count; i++) {
        carry += (uint64_t)limbs[i] * 10;
        limbs[i] = (uint32_t)carry;
        carry >>= LIMB_BITS;
    }
}

static bool limbs_below(const uint32_t *a, const uint32_t *b, size_t count)
{
    for (size_t i = count; i > 0; i--)
        if (a[i - 1] != b[i - 1])
            return a[i - 1] < b[i - 1];
    return false;
}

static void limbs_subtract(uint32_t *a, const uint32_t *b, size_t count)
{
    uint64_t borrow = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t difference = (uint64_t)a[i] - b[i] - borrow;
        a[i] = (uint32_t)difference;
        borrow = difference >> 63;
    }
}

err divisor_make(str number, struct arena *arena, struct divisor **ret_divisor, struct als_why *why)
{
    struct json_decimal value = json_decimal_read(number);
    size_t digits = digit_count(&value);
    if (digits > SCHEMA_MULTIPLE_DIGITS_MAX)
        return FAIL(why, ALS_TOO_LARGE, "a multipleOf has at most %d significant digits",
                    SCHEMA_MULTIPLE_DIGITS_MAX);
    struct divisor *divisor = ARENA_NEW(arena, struct divisor);
    if (!divisor)
        return FAIL(why, ALS_TOO_LARGE, "the schema takes too much memory");
    *divisor = (struct divisor){.value = value, .digits = digits, .limb_count = LIMBS_MAX};
    const char *at = value.first;
    while (at < value.end) {
        uint32_t digit = (uint32_t)(json_next_digit(&at, value.end) - '0');
        if (digits <= SMALL_DIGITS)
            divisor->small = divisor->small * 10 + digit;
        limbs_append(divisor->limbs, LIMBS_MAX, digit);
    }
    while (divisor->limb_count > 1 && divisor->limbs[divisor->limb_count - 2] == 0)
        divisor->limb_count--; // one is left for the digit more
    *ret_divisor = divisor;
    return ALS_OK;
}

static bool divides_small(uint64_t small, const struct json_decimal *decimal, size_t zeros)
{
    uint64_t rest = 0;
    const char *at = decimal->first;
    while (at < decimal->end)
        rest = (rest * 10 + (uint64_t)(json_next_digit(&at, decimal->end) - '0')) % small;
    for (; zeros && rest; zeros--)
        rest = rest * 10 % small;
    return rest == 0;
}

static void take_digit(const struct divisor *divisor, uint32_t *rest, uint32_t digit)
{
    limbs_append(rest, divisor->limb_count, digit);
    while (!limbs_below(rest, divisor->limbs, divisor->limb_count))
        limbs_subtract(rest, divisor->limbs, divisor->limb_count);
}

static bool divides_large(const struct divisor *divisor, const struct json_decimal *decimal,
                          size_t zeros)
{
    uint32_t rest[LIMBS_MAX] = {};
    const char *at = decimal->first;
    while (at < decimal->end)
        take_digit(divisor, rest, (uint32_t)(json_next_digit(&at, decimal->end) - '0'));
    for (; zeros; zeros--)
        take_digit(divisor, rest, 0);
    for (size_t i = 0; i < divisor->limb_count; i++)
        if (rest[i])
            return false;
    return true;
}

bool divisor_divides(const struct divisor *divisor, str number)
{
    struct json_decimal decimal = json_decimal_read(number);
    if (decimal.first == decimal.end)
        return true;
    int64_t scale = json_exponent_difference(&decimal, &divisor->value) +
                    (decimal.point - (int64_t)digit_count(&decimal)) -
                    (divisor->value.point - (int64_t)divisor->digits);
    if (scale < 0)
        return false;
    size_t enough = divisor->digits * 4 + 4;
    size_t zeros = (uint64_t)scale < enough ? (size_t)scale : enough;
    return divisor->small ? divides_small(divisor->small, &decimal, zeros)
                          : divides_large(divisor, &decimal, zeros);
}

uint64_t divisor_cost(const struct divisor *divisor, str number)
{
    uint64_t digits = number.len + divisor->digits * 4;
    return 1 + (divisor->small ? digits / 8 : digits * divisor->limb_count * 2);
}

// The exponent's digits are moved by `shift`, which may be far shorter than they are.
static size_t put_exponent(const struct json_decimal *decimal, int64_t shift, char *target)
{
    struct json_decimal nothing = {};
    if (decimal->exponent.len <= 15) {
        int64_t exponent = json_exponent_difference(decimal, &nothing) + shift;
        return (size_t)snprintf(target, 24, "e%lld", (long long)exponent); // fits
    }
    // More digits than a word: schoolbook addition of the shift to the magnitude.
    size_t len = 0;
    target[len++] = 'e';
    if (decimal->exponent_negative)
        target[len++] = '-';
    char *digits = target + len;
    digits[0] = '0';
    memcpy(digits + 1, decimal->exponent.ptr, decimal->exponent.len);
    int64_t carry = decimal->exponent_negative ? -shift : shift;
    for (size_t i = decimal->exponent.len + 1; i > 0 && carry; i--) {
        int64_t sum = digits[i - 1] - '0' + carry;
        int64_t digit = (sum % 10 + 10) % 10;
        digits[i - 1] = (char)('0' + digit);
        carry = (sum - digit) / 10;
    }
    size_t digits_len = decimal->exponent.len + 1, zeros = 0;
    while (digits[zeros] == '0')
        zeros++;
    memmove(digits, digits + zeros, digits_len - zeros);
    return len + digits_len - zeros;
}

// An integer is written out while that takes at most 21 digits, a fraction while at most 6 zeros
// follow its point; else one digit, the others behind a point, and an exponent.
size_t number_canonical(str number, char *target)
{
    enum { INTEGER_DIGITS = 21, FRACTION_ZEROS = 6 };
    struct json_decimal decimal = json_decimal_read(number);
    struct json_decimal nothing = {};
    if (decimal.first == decimal.end) {
        *target = '0';
        return 1;
    }
    size_t len = 0, digits = digit_count(&decimal);
    if (decimal.negative)
        target[len++] = '-';
    int64_t point = json_exponent_difference(&decimal, &nothing) + decimal.point;
    bool plain = point > -FRACTION_ZEROS && point <= INTEGER_DIGITS;
    if (plain && point <= 0) {
        target[len++] = '0';
        target[len++] = '.';
        for (; point < 0; point++)
            target[len++] = '0';
        point = -1; // no further one
    }
    int64_t point_at = plain ? point : 1;
    const char *at = decimal.first;
    for (size_t i = 0; i < digits; i++) {
        if ((int64_t)i == point_at)
            target[len++] = '.';
        target[len++] = json_next_digit(&at, decimal.end);
    }
    for (size_t i = digits; plain && (int64_t)i < point; i++)
        target[len++] = '0';
    return plain ? len : len + put_exponent(&decimal, decimal.point - 1, target + len);
}
