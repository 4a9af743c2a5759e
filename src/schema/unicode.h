// SPDX-License-Identifier: Apache-2.0
// Unicode properties as sorted ranges of code points.
#pragma once

#include "base/str.h"

#include <stdint.h>

enum { UNICODE_LAST = 0x10ffff };

struct code_range {
    uint32_t first, last;
};

struct code_ranges {
    const struct code_range *items; // ascending, apart from each other
    size_t count;
};

// What \p{...} names: "L", "Lu", "Script=Greek", "sc=Grek", "General_Category=Letter",
// "Alphabetic", "Any", "ASCII", "Assigned". False when there is no such property. "Assigned" is the
// complement of what is returned, and says so.
bool unicode_property(str name, struct code_ranges *ret_ranges, bool *ret_complement);

bool code_ranges_hold(struct code_ranges ranges, uint32_t point);

// Properties that formats ask for, by their names in unicode.def; they exist.
bool unicode_is(const char *name, uint32_t point);
bool unicode_is_script(const char *name, uint32_t point);
