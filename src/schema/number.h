// SPDX-License-Identifier: Apache-2.0
// Questions to numbers as decimal text, answered without rounding and without writing them out:
// the work is bounded by the length of the texts, whatever the exponents.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "json/json.h"

// "1.0" and "10e-1" are integers, "1e-1" is not.
bool number_is_integer(str number);

// The value of an integer of at most 18 digits that is written without point and exponent.
bool number_is_plain(str number, int64_t *ret_value);

// The value of an integer that is not negative; UINT64_MAX stands for all that are larger.
bool number_to_count(str number, uint64_t *ret_count);

// Equal numbers have equal hashes.
uint64_t number_hash(str number);

// What a multipleOf divides by, prepared.
struct divisor;

// `number` is positive and lives as long as the divisor. ALS_TOO_LARGE when it has more than
// SCHEMA_MULTIPLE_DIGITS_MAX significant digits or the arena is full.
err divisor_make(str number, struct arena *arena, struct divisor **ret_divisor,
                 struct als_why *why);
bool divisor_divides(const struct divisor *divisor, str number);
// In steps.
uint64_t divisor_cost(const struct divisor *divisor, str number);

// The shortest exact decimal: "15", "-0.5", "1.5e400". `target` has room for number.len + 32 bytes.
size_t number_canonical(str number, char *target);
