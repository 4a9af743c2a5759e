// SPDX-License-Identifier: Apache-2.0
// What every read has in common: its parameters, its tenant, and the position it waits for.
#pragma once

#include "server/call.h"
#include "server/params.h"

enum { READING_TIMEOUT_MS_DEFAULT = 5000, READING_TIMEOUT_MS_MAX = 60000 };

struct reading {
    struct params params;
    str tenant;
    als_position min_position;
    uint64_t timeout_ms;
};

// The parameters stand in the query string, and for a POST in the JSON body, too. Answers and
// returns false when they are wrong.
bool reading_begin(struct call *call, struct reading *ret_reading, struct flaw *flaw);

// Runs `then` when the tenant has min_position: at once, or later on the loop thread. Answers 504
// when it takes too long and 503 when the server stops. The caller returns after it.
void reading_wait(struct call *call, const struct reading *reading,
                  void (*then)(struct call *call));
