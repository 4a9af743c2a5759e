// SPDX-License-Identifier: Apache-2.0
// Days are counted by the proleptic Gregorian calendar with the years beginning in March, so that
// the leap day is the last of its year (Howard Hinnant, "chrono-Compatible Low-Level Date
// Algorithms").
#include "base/time.h"

#include <assert.h>

#define US_PER_SECOND INT64_C(1000000)
#define SECONDS_PER_DAY INT64_C(86400)

int64_t time_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

void time_civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned day_of_era = (unsigned)(days - era * 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted = (5 * day_of_year + 2) / 153;
    *ret_day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *ret_month = shifted < 10 ? shifted + 3 : shifted - 9;
    *ret_year = era * 400 + year_of_era + (*ret_month <= 2);
}

static char *put_digits(char *at, unsigned value, int count)
{
    for (int i = count - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + count;
}

size_t time_format(int64_t us, char text[static TIME_TEXT_MAX])
{
    assert(us >= TIME_US_MIN && us <= TIME_US_MAX);
    int64_t seconds = us / US_PER_SECOND, fraction = us % US_PER_SECOND;
    if (fraction < 0) {
        fraction += US_PER_SECOND;
        seconds--;
    }
    int64_t days = seconds / SECONDS_PER_DAY, of_day = seconds % SECONDS_PER_DAY;
    if (of_day < 0) {
        of_day += SECONDS_PER_DAY;
        days--;
    }
    int64_t year;
    unsigned month, day;
    time_civil_from_days(days, &year, &month, &day);
    char *at = put_digits(text, (unsigned)year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, day, 2);
    *at++ = 'T';
    at = put_digits(at, (unsigned)(of_day / 3600), 2);
    *at++ = ':';
    at = put_digits(at, (unsigned)(of_day / 60 % 60), 2);
    *at++ = ':';
    at = put_digits(at, (unsigned)(of_day % 60), 2);
    if (fraction) {
        bool millis = fraction % 1000 == 0;
        *at++ = '.';
        at = put_digits(at, (unsigned)(millis ? fraction / 1000 : fraction), millis ? 3 : 6);
    }
    *at++ = 'Z';
    return (size_t)(at - text);
}

// Takes `count` digits off the front; false when they are not there.
static bool take_digits(str *text, int count, unsigned *ret_value)
{
    if (text->len < (size_t)count)
        return false;
    unsigned value = 0;
    for (int i = 0; i < count; i++) {
        unsigned digit = (unsigned)(unsigned char)text->ptr[i] - '0';
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *text = str_from(*text, (size_t)count);
    *ret_value = value;
    return true;
}

static bool take_char(str *text, const char *any_of)
{
    if (text->len == 0 || text->ptr[0] == '\0' || !strchr(any_of, text->ptr[0]))
        return false;
    *text = str_from(*text, 1);
    return true;
}

static bool take_fraction(str *text, unsigned *ret_us)
{
    unsigned us = 0, scale = 100000;
    size_t digits = 0;
    for (; text->len && text->ptr[0] >= '0' && text->ptr[0] <= '9'; digits++) {
        us += scale * (unsigned)(text->ptr[0] - '0');
        scale /= 10;
        *text = str_from(*text, 1);
    }
    *ret_us = us;
    return digits > 0;
}

static bool take_zone(str *text, int64_t *ret_offset_seconds)
{
    *ret_offset_seconds = 0;
    if (text->len == 1 && take_char(text, "Zz"))
        return true;
    if (str_equal(*text, S("UTC"))) {
        *text = str_from(*text, 3);
        return true;
    }
    bool west = text->len && text->ptr[0] == '-';
    unsigned hours, minutes;
    if (!take_char(text, "+-") || !take_digits(text, 2, &hours) || !take_char(text, ":") ||
        !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_offset_seconds = (west ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
    return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

bool time_parse(str text, int64_t *ret_us)
{
    unsigned year, month, day, hour, minute, second, us = 0;
    if (!take_digits(&text, 4, &year) || !take_char(&text, "-") || !take_digits(&text, 2, &month) ||
        !take_char(&text, "-") || !take_digits(&text, 2, &day) || !take_char(&text, "Tt ") ||
        !take_digits(&text, 2, &hour) || !take_char(&text, ":") ||
        !take_digits(&text, 2, &minute) || !take_char(&text, ":") ||
        !take_digits(&text, 2, &second))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
        minute > 59 || second > 60)
        return false;
    if (take_char(&text, ".") && !take_fraction(&text, &us))
        return false;
    int64_t offset;
    if (!take_zone(&text, &offset) || text.len != 0)
        return false;
    int64_t seconds = time_days_from_civil(year, month, day) * SECONDS_PER_DAY + hour * 3600 +
                      minute * 60 + second - offset;
    int64_t moment = seconds * US_PER_SECOND + us;
    if (moment < TIME_US_MIN || moment > TIME_US_MAX)
        return false;
    *ret_us = moment;
    return true;
}
