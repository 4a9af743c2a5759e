// SPDX-License-Identifier: Apache-2.0
// How a function fails here: it returns an err, puts words into `why`, and hands both up.
#pragma once

#include <allsource/types.h>

typedef enum als_err err;

// Returns the call's code to our caller unless it is ALS_OK.
#define TRY(call)                                                                                  \
    do {                                                                                           \
        err try_code_ = (call);                                                                    \
        if (try_code_ != ALS_OK)                                                                   \
            return try_code_;                                                                      \
    } while (0)

// Fills `why` (which may be NULL) and is the code.
#define FAIL(why, code, ...) (err_explain((why), __VA_ARGS__), (code))

// The stable name of a code, "version_conflict"; what clients see as `code`.
const char *err_code(err code);
// The HTTP status of a code.
int err_http(err code);
// How the message of a code begins, "Concurrency error: "; empty for ALS_OK.
const char *err_prefix(err code);

void err_explain(struct als_why *why, const char *format, ...) ALS_PRINTF(2, 3);
