// SPDX-License-Identifier: Apache-2.0
// How far a long job is: a line that redraws itself on a person's terminal.
//
// The arithmetic is apart from the drawing, so that it can be tested without a clock.
#pragma once

#include "base/buf.h"

struct cli;

struct progress {
    struct cli *cli;
    const char *what; // "events"
    bool shown;       // on a terminal, and wanted
    uint64_t start_ns, drawn_ns;
    uint64_t total_bytes; // 0: unknown
    bool on_screen;
};

// `bytes` of `total_bytes` (0: unknown) are done after `elapsed_ns`, which is `count` things.
struct progress_numbers {
    uint64_t total_bytes, bytes, count, elapsed_ns;
};

double progress_rate(struct progress_numbers numbers);  // things a second
double progress_share(struct progress_numbers numbers); // 0 to 1; -1 when the total is unknown
double progress_left(struct progress_numbers numbers);  // seconds; -1 when unknown
void progress_line(struct progress_numbers numbers, const char *what, size_t columns,
                   struct buf *buf);

void progress_begin(struct progress *progress, struct cli *cli, const char *what, bool wanted,
                    uint64_t total_bytes);
// Draws, at most ten times a second.
void progress_show(struct progress *progress, uint64_t bytes, uint64_t count);
// Takes the line off the screen, so that words may be printed.
void progress_clear(struct progress *progress);
double progress_seconds(const struct progress *progress);
