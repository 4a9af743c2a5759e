// SPDX-License-Identifier: Apache-2.0
// Text that arrives in pieces, handed on line by line.
#pragma once

#include "base/buf.h"
#include "base/str.h"

// A line without its "\n" or "\r\n"; valid during the call. False ends the feeding.
typedef bool lines_each(void *context, str line);

struct lines {
    struct buf partial; // of a line that is not complete
    lines_each *each;
    void *context;
    bool too_long; // a line was longer than the cap
};

void lines_init(struct lines *lines, size_t line_bytes_max, lines_each *each, void *context);
void lines_deinit(struct lines *lines);
// False when `each` ended it or a line is too long.
bool lines_feed(struct lines *lines, str piece);
// Hands on a last line that has no end.
bool lines_end(struct lines *lines);
// Forgets the line under way: a new text begins.
void lines_reset(struct lines *lines);
