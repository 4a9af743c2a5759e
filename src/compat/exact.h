// SPDX-License-Identifier: Apache-2.0
// Decimal numbers without rounding, up to a length that no honest schema passes.
#pragma once

#include "base/str.h"

enum { EXACT_DIGITS_MAX = 64, EXACT_POWER_MAX = 500 };

// digits * 10^power; the first and the last digit are not 0; no digits: zero.
struct exact {
    bool negative;
    uint8_t digits[EXACT_DIGITS_MAX]; // 0 to 9
    uint32_t count;
    int64_t power;
};

// False when it has too many digits or too great an exponent. The text is a checked JSON number.
bool exact_read(str number, struct exact *ret_exact);
struct exact exact_of(uint64_t value);
int exact_compare(const struct exact *a, const struct exact *b);
bool exact_whole(const struct exact *a);
bool exact_to_u64(const struct exact *a, uint64_t *ret_value);
// The least whole number that is not below it, or (`above`) greater than it; false when it has too
// many digits.
bool exact_ceiling(const struct exact *a, bool above, struct exact *ret_whole);
// -1 when unknown, else whether `a` is a whole multiple of `b`, which is above 0.
int exact_multiple(const struct exact *a, const struct exact *b);
