// SPDX-License-Identifier: Apache-2.0
// Sorts many names bytewise.
#pragma once

#include "base/str.h"

struct sort_name {
    uint64_t key; // the sorter's
    const char *text;
    uint32_t number; // the caller's
    uint8_t len;
};

// The names are different from each other. Shorter ones come before those they begin.
void sort_names(struct sort_name *names, size_t count);
