// SPDX-License-Identifier: Apache-2.0
// Moments on the wire: RFC 3339 text <-> UTC microseconds since 1970. Reading a clock is `os`.
#pragma once

#include "base/str.h"

enum { TIME_TEXT_MAX = 32 };

// The years 0000 to 9999, which is what RFC 3339 can write.
#define TIME_US_MIN (-62167219200000000)
#define TIME_US_MAX 253402300799999999

// "2026-11-23T19:49:39.272568Z": UTC; the fraction has 0, 3 or 6 digits, the fewest that lose
// nothing. Writes no NUL; returns the length. The moment must lie within TIME_US_MIN and _MAX.
size_t time_format(int64_t us, char text[static TIME_TEXT_MAX]);

// Accepts RFC 3339 with date, time and zone; 'T', 't' or a space between date and time; 'Z', 'z',
// "UTC" or an offset. Digits beyond microseconds are dropped; a leap second (60) counts as the
// next second. False when it is anything else.
bool time_parse(str text, int64_t *ret_us);

// Days since 1970 of a date in the proleptic Gregorian calendar, and back; month and day from 1.
int64_t time_days_from_civil(int64_t year, unsigned month, unsigned day);
void time_civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);
