// SPDX-License-Identifier: Apache-2.0
// Calendar windows of UTC, each with a number: one more than that of the window before it.
#pragma once

#include "analytics/analytics.h"

// The number of the window that a moment is in.
int64_t window_number(enum analysis_window window, int64_t us);
// The first moment of a window.
int64_t window_start(enum analysis_window window, int64_t number);

// How many windows there are from that of `since_us` to that of `until_us`, both counted; the
// second is not before the first.
static inline uint64_t window_count(enum analysis_window window, int64_t since_us, int64_t until_us)
{
    return (uint64_t)(window_number(window, until_us) - window_number(window, since_us)) + 1;
}
