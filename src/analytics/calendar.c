// SPDX-License-Identifier: Apache-2.0
// A month is counted as year * 12 + month, everything else in days or parts of them: UTC here has
// no leap seconds, so a day is 86,400 seconds.
#include "analytics/calendar.h"

#include "base/time.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US (86400 * SECOND_US)

enum { MONDAY = 3 }; // 1970-01-01 was the fourth day of its week

static int64_t divide_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t window_number(enum analysis_window window, int64_t us)
{
    switch (window) {
    case WINDOW_MINUTE:
        return divide_down(us, 60 * SECOND_US);
    case WINDOW_HOUR:
        return divide_down(us, 3600 * SECOND_US);
    case WINDOW_DAY:
        return divide_down(us, DAY_US);
    case WINDOW_WEEK:
        return divide_down(divide_down(us, DAY_US) + MONDAY, 7);
    case WINDOW_MONTH:
        break;
    }
    int64_t year;
    unsigned month, day;
    time_civil_from_days(divide_down(us, DAY_US), &year, &month, &day);
    return year * 12 + month - 1;
}

int64_t window_start(enum analysis_window window, int64_t number)
{
    switch (window) {
    case WINDOW_MINUTE:
        return number * 60 * SECOND_US;
    case WINDOW_HOUR:
        return number * 3600 * SECOND_US;
    case WINDOW_DAY:
        return number * DAY_US;
    case WINDOW_WEEK:
        return (number * 7 - MONDAY) * DAY_US;
    case WINDOW_MONTH:
        break;
    }
    int64_t year = divide_down(number, 12);
    return time_days_from_civil(year, (unsigned)(number - year * 12) + 1, 1) * DAY_US;
}
