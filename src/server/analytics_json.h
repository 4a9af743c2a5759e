// SPDX-License-Identifier: Apache-2.0
// Answers of analyses as JSON.
#pragma once

#include "json/json.h"

#include <allsource.h>

// The names of windows on the wire, ended by an empty one.
extern const str window_names[];

// A frequency may be long: it is printed chunk by chunk.
struct frequency_print {
    const struct als_analysis *analysis;
    enum als_window window;
    struct json_writer writer;
    size_t bucket, type; // the next ones
    bool in_bucket, ended;
};
void frequency_print_begin(struct frequency_print *print, const struct als_analysis *analysis,
                           enum als_window window, struct buf *buf);
// Adds to the buffer until it holds some 64 KiB or the answer is complete (`ended`). False: no
// memory.
bool frequency_print_chunk(struct frequency_print *print, struct buf *buf);

// Whole objects.
void summary_put(struct json_writer *writer, const struct als_analysis *analysis);
void correlation_put(struct json_writer *writer, const struct als_analysis *analysis, str type_a,
                     str type_b);
