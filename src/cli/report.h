// SPDX-License-Identifier: Apache-2.0
// What backup and restore tell: how far they are, and what came of it.
#pragma once

#include "cli/progress.h"

#include <allsource.h>

struct report_progress {
    struct progress line;
    uint64_t bytes;
};
bool report_moved(void *context, uint64_t bytes); // of a struct report_progress

// Prints the summary and is the verb's exit code.
int report_end(struct cli *cli, const struct als_backup_report *report, str name, bool json);
