// SPDX-License-Identifier: Apache-2.0
// Numbers as decimal text, without rounding.
#pragma once

#include "base/str.h"

// The same decimal value: "1e2" and "100.0", "0" and "-0e7". Both are checked numbers.
bool json_number_equal(str a, str b);
