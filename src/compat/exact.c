// SPDX-License-Identifier: Apache-2.0
#include "compat/exact.h"

#include <assert.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// Takes zeros off both ends.
static void trim(struct exact *exact)
{
    while (exact->count && exact->digits[exact->count - 1] == 0) {
        exact->count--;
        exact->power++;
    }
    uint32_t zeros = 0;
    while (zeros < exact->count && exact->digits[zeros] == 0)
        zeros++;
    memmove(exact->digits, exact->digits + zeros, exact->count - zeros);
    exact->count -= zeros;
    if (exact->count == 0) {
        exact->power = 0;
        exact->negative = false;
    }
}

static bool read_exponent(str rest, int64_t *ret_power)
{
    bool negative = rest.len && *rest.ptr == '-';
    int64_t power = 0;
    for (size_t i = 0; i < rest.len; i++) {
        if (!is_digit(rest.ptr[i]))
            continue; // the sign
        power = power * 10 + (rest.ptr[i] - '0');
        if (power > EXACT_POWER_MAX)
            return false;
    }
    *ret_power = negative ? -power : power;
    return true;
}

bool exact_read(str number, struct exact *ret_exact)
{
    struct exact exact = {.negative = number.len && *number.ptr == '-'};
    bool behind_point = false;
    size_t at = exact.negative;
    for (; at < number.len && number.ptr[at] != 'e' && number.ptr[at] != 'E'; at++) {
        if (number.ptr[at] == '.') {
            behind_point = true;
            continue;
        }
        if (exact.count == EXACT_DIGITS_MAX)
            return false;
        exact.power -= behind_point;
        if (exact.count || number.ptr[at] != '0')
            exact.digits[exact.count++] = (uint8_t)(number.ptr[at] - '0');
    }
    int64_t power = 0;
    if (at < number.len && !read_exponent(str_from(number, at + 1), &power))
        return false;
    exact.power += power;
    trim(&exact);
    *ret_exact = exact;
    return true;
}

struct exact exact_of(uint64_t value)
{
    struct exact exact = {};
    uint8_t reversed[20];
    uint32_t count = 0;
    for (; value; value /= 10)
        reversed[count++] = (uint8_t)(value % 10);
    while (count)
        exact.digits[exact.count++] = reversed[--count];
    trim(&exact);
    return exact;
}

static int compare_sizes(const struct exact *a, const struct exact *b)
{
    int64_t top_a = a->count + a->power, top_b = b->count + b->power;
    if (top_a != top_b)
        return top_a < top_b ? -1 : 1;
    uint32_t count = a->count < b->count ? a->count : b->count;
    int order = memcmp(a->digits, b->digits, count);
    return order ? order : (a->count > b->count) - (a->count < b->count);
}

int exact_compare(const struct exact *a, const struct exact *b)
{
    int sign_a = a->count == 0 ? 0 : a->negative ? -1 : 1;
    int sign_b = b->count == 0 ? 0 : b->negative ? -1 : 1;
    if (sign_a != sign_b)
        return sign_a < sign_b ? -1 : 1;
    return sign_a == 0 ? 0 : sign_a * compare_sizes(a, b);
}

bool exact_whole(const struct exact *a)
{
    return a->power >= 0;
}

bool exact_to_u64(const struct exact *a, uint64_t *ret_value)
{
    if (a->negative || a->power < 0 || a->count + a->power > 19)
        return false;
    uint64_t value = 0;
    for (uint32_t i = 0; i < a->count; i++)
        value = value * 10 + a->digits[i];
    for (int64_t i = 0; i < a->power; i++)
        value *= 10;
    *ret_value = value;
    return true;
}

// One more, or one less towards zero when it is negative; it is whole.
static bool add_one(struct exact *a)
{
    if (a->count + a->power > EXACT_DIGITS_MAX - 1)
        return false;
    for (; a->power > 0; a->power--)
        a->digits[a->count++] = 0;
    if (a->count == 0) {
        *a = exact_of(1);
        return true;
    }
    int step = a->negative ? -1 : 1, carry = step;
    for (uint32_t i = a->count; i > 0 && carry; i--) {
        int digit = a->digits[i - 1] + carry;
        carry = digit < 0 || digit > 9 ? step : 0;
        a->digits[i - 1] = (uint8_t)((digit + 10) % 10);
    }
    if (carry) { // only when growing: a negative number is at least 1 in size
        memmove(a->digits + 1, a->digits, a->count);
        a->digits[0] = 1;
        a->count++;
    }
    trim(a);
    return true;
}

bool exact_ceiling(const struct exact *a, bool above, struct exact *ret_whole)
{
    struct exact whole = *a;
    bool cut = whole.power < 0;
    if (cut) {
        uint32_t fraction = (uint32_t)-whole.power;
        whole.count = fraction < whole.count ? whole.count - fraction : 0;
        whole.power = 0;
        bool negative = whole.negative;
        trim(&whole);
        // Cutting goes towards zero: that is up for a negative number and down for others.
        if (!negative && !add_one(&whole))
            return false;
    } else if (above && !add_one(&whole))
        return false;
    *ret_whole = whole;
    return true;
}

int exact_multiple(const struct exact *a, const struct exact *b)
{
    if (a->count == 0)
        return 1;
    if (a->power < b->power)
        return 0; // b * 10^k with k above 0 would end in a zero more than `a` does
    if (a->count == b->count && memcmp(a->digits, b->digits, a->count) == 0)
        return 1;
    if (b->count > 18)
        return -1;
    __extension__ typedef unsigned __int128 wide;
    uint64_t divisor = 0, rest = 0;
    for (uint32_t i = 0; i < b->count; i++)
        divisor = divisor * 10 + b->digits[i];
    assert(divisor > 0);
    for (int64_t i = 0; i < a->count + a->power - b->power; i++)
        rest = (uint64_t)(((wide)rest * 10 + (i < a->count ? a->digits[i] : 0)) % divisor);
    return rest == 0;
}
