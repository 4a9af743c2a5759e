// SPDX-License-Identifier: Apache-2.0
// RFC 3339 to the letter: real days, hours to 23, a 60th second only where a leap second may be
// (the last of a day in UTC), and durations as its appendix A has them, whose units follow each
// other without a gap ("P1Y2D" is none).
#include "schema/format_check.h"

bool all_digits(str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_digit(text.ptr[i]))
            return false;
    return text.len > 0;
}

// Two digits at `at`, at most `high`; -1 otherwise.
static int two_digits(str text, size_t at, int high)
{
    if (at + 2 > text.len || !is_digit(text.ptr[at]) || !is_digit(text.ptr[at + 1]))
        return -1;
    int value = (text.ptr[at] - '0') * 10 + (text.ptr[at + 1] - '0');
    return value <= high ? value : -1;
}

bool is_date(str text)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (text.len != 10 || text.ptr[4] != '-' || text.ptr[7] != '-')
        return false;
    int century = two_digits(text, 0, 99), year = two_digits(text, 2, 99);
    int month = two_digits(text, 5, 12), day = two_digits(text, 8, 31);
    if (century < 0 || year < 0 || month < 1 || day < 1)
        return false;
    year += century * 100;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= days[month - 1] + (month == 2 && leap);
}

// "Z" or an offset; *ret_minutes is what to take off for UTC.
static bool is_offset(str text, int *ret_minutes)
{
    *ret_minutes = 0;
    if (text.len == 1)
        return (*text.ptr | 0x20) == 'z';
    if (text.len != 6 || (*text.ptr != '+' && *text.ptr != '-') || text.ptr[3] != ':')
        return false;
    int hours = two_digits(text, 1, 23), minutes = two_digits(text, 4, 59);
    *ret_minutes = (hours * 60 + minutes) * (*text.ptr == '-' ? -1 : 1);
    return hours >= 0 && minutes >= 0;
}

bool is_time(str text)
{
    if (text.len < 9 || text.ptr[2] != ':' || text.ptr[5] != ':')
        return false;
    int hour = two_digits(text, 0, 23), minute = two_digits(text, 3, 59);
    int second = two_digits(text, 6, 60), offset;
    size_t at = 8;
    if (text.ptr[at] == '.') {
        for (at++; at < text.len && is_digit(text.ptr[at]);)
            at++;
        if (at == 9)
            return false;
    }
    if (hour < 0 || minute < 0 || second < 0 || !is_offset(str_from(text, at), &offset))
        return false;
    enum { DAY = 24 * 60 };
    return second < 60 || (hour * 60 + minute - offset + DAY) % DAY == DAY - 1;
}

bool is_date_time(str text)
{
    return text.len > 11 && (text.ptr[10] | 0x20) == 't' && is_date(str_first(text, 10)) &&
           is_time(str_from(text, 11));
}

// Numbers with units out of `units`, in that order and without a gap. False when there is none.
static bool take_units(str *text, const char *units)
{
    const char *expected = NULL;
    while (text->len && is_digit(*text->ptr)) {
        size_t at = 0;
        while (at < text->len && is_digit(text->ptr[at]))
            at++;
        char unit = at < text->len ? text->ptr[at] : '\0';
        const char *found = unit ? strchr(units, unit) : NULL;
        if (!found || (expected && found != expected))
            return false;
        expected = found + 1;
        *text = str_from(*text, at + 1);
    }
    return expected != NULL;
}

bool is_duration(str text)
{
    if (text.len < 3 || *text.ptr != 'P')
        return false;
    text = str_from(text, 1);
    str weeks = text;
    if (take_units(&weeks, "W"))
        return weeks.len == 0;
    if (*text.ptr != 'T' && !take_units(&text, "YMD"))
        return false;
    if (text.len == 0)
        return true;
    if (*text.ptr != 'T')
        return false;
    text = str_from(text, 1);
    return take_units(&text, "HMS") && text.len == 0;
}
