// SPDX-License-Identifier: Apache-2.0
#include "schema/unicode.h"

#include "base/own.h"

#include <assert.h>

enum kind { UNICODE_CATEGORY, UNICODE_SCRIPT, UNICODE_BINARY, UNICODE_INTERNAL };

// An array for each property, and a table of them by the number that the names stand with.
#define RANGES(row) static const struct code_range ranges_##row[] = {
#define END_RANGES                                                                                 \
    }                                                                                              \
    ;
#include "schema/unicode.def"
#undef RANGES
#undef END_RANGES

#define ROW(n)                                                                                     \
    {                                                                                              \
        ranges_##n, COUNT_OF(ranges_##n)                                                           \
    }
#define TEN(n)                                                                                     \
    ROW(n##0), ROW(n##1), ROW(n##2), ROW(n##3), ROW(n##4), ROW(n##5), ROW(n##6), ROW(n##7),        \
        ROW(n##8), ROW(n##9)
static const struct code_ranges rows[] = {
    ROW(0),  ROW(1),  ROW(2),  ROW(3),  ROW(4),   ROW(5),   ROW(6),   ROW(7),   ROW(8),
    ROW(9),  TEN(1),  TEN(2),  TEN(3),  TEN(4),   TEN(5),   TEN(6),   TEN(7),   TEN(8),
    TEN(9),  TEN(10), TEN(11), TEN(12), TEN(13),  TEN(14),  TEN(15),  TEN(16),  TEN(17),
    TEN(18), TEN(19), TEN(20), TEN(21), ROW(220), ROW(221), ROW(222), ROW(223), ROW(224),
};
static const struct {
    const char *name;
    enum kind kind;
    uint32_t row;
} names[] = {
#define NAMES
#include "schema/unicode.def"
#undef NAMES
};

static const struct code_range all[] = {{0, UNICODE_LAST}};
static const struct code_range ascii[] = {{0, 0x7f}};

static bool find(str name, enum kind kind, struct code_ranges *ret_ranges)
{
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (names[i].kind != kind || !str_equal(str_of(names[i].name), name))
            continue;
        *ret_ranges = rows[names[i].row];
        return true;
    }
    return false;
}

bool unicode_property(str name, struct code_ranges *ret_ranges, bool *ret_complement)
{
    str value = name;
    str key = str_cut(&value, '=');
    *ret_complement = false;
    if (key.len < name.len) {
        if (str_equal(key, S("General_Category")) || str_equal(key, S("gc")))
            return find(value, UNICODE_CATEGORY, ret_ranges);
        return (str_equal(key, S("Script")) || str_equal(key, S("sc"))) &&
               find(value, UNICODE_SCRIPT, ret_ranges);
    }
    if (str_equal(name, S("Any")) || str_equal(name, S("ASCII"))) {
        *ret_ranges = (struct code_ranges){name.len == 3 ? all : ascii, 1};
        return true;
    }
    if (str_equal(name, S("Assigned"))) {
        *ret_complement = true;
        return find(S("Cn"), UNICODE_CATEGORY, ret_ranges);
    }
    return find(name, UNICODE_CATEGORY, ret_ranges) || find(name, UNICODE_BINARY, ret_ranges);
}

bool code_ranges_hold(struct code_ranges ranges, uint32_t point)
{
    size_t low = 0, high = ranges.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges.items[middle].last < point)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ranges.count && ranges.items[low].first <= point;
}

bool unicode_is(const char *name, uint32_t point)
{
    struct code_ranges ranges;
    bool known = find(str_of(name), UNICODE_CATEGORY, &ranges) ||
                 find(str_of(name), UNICODE_BINARY, &ranges) ||
                 find(str_of(name), UNICODE_INTERNAL, &ranges);
    assert(known);
    return code_ranges_hold(ranges, point);
}

bool unicode_is_script(const char *name, uint32_t point)
{
    struct code_ranges ranges;
    bool known = find(str_of(name), UNICODE_SCRIPT, &ranges);
    assert(known);
    return code_ranges_hold(ranges, point);
}
