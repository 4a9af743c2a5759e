// SPDX-License-Identifier: Apache-2.0
// Diagnostics, for the doors (server, control, cli) only; rooms below return a `why`.
//
//   2026-11-23T19:44:00.120Z warn msg="torn batch cut" file=7 bytes=312
//
// One line a call, written at once to standard error. A call site that fires more than
// LOG_LINES_PER_SECOND_MAX times in a second is cut short and says how many it swallowed.
#pragma once

#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
enum { LOG_LINES_PER_SECOND_MAX = 50 };

struct log_site { // one per call site, made by the macro
    int64_t second;
    unsigned lines, swallowed;
};

void log_set_level(enum log_level level);
bool log_level_parse(str text, enum log_level *ret_level);

// `msg` is a literal without quotes in it; `format` prints the fields after it: "file=%u bytes=%u".
// Values that come from outside are printed with log_quoted().
void log_line(struct log_site *site, enum log_level level, const char *msg, const char *format, ...)
    ALS_PRINTF(4, 5);

#define LOG_LINE(level, msg, ...)                                                                  \
    do {                                                                                           \
        static struct log_site log_site_;                                                          \
        log_line(&log_site_, (level), (msg), __VA_ARGS__);                                         \
    } while (0)

enum { LOG_QUOTED_MAX = 200 };
// The text in double quotes with everything escaped that could forge a line; cut when long.
// Returns `space`.
const char *log_quoted(str text, char space[static LOG_QUOTED_MAX]);
