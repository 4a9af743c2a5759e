// SPDX-License-Identifier: Apache-2.0
// What every verb is given, and how it speaks to the person in front of it.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "cli/cli.h"

#include <stdio.h>

struct os;

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct cli {
    struct os *os;
    FILE *out, *err;
    bool out_terminal, err_terminal; // a person reads it
    unsigned columns;                // of that person's terminal
    const char *verb;
    char **words; // behind the verb
    size_t count;
    char **environment;
    cli_serve *serve;
    struct arena *arena; // lives as long as the verb runs
};

#define X(name, help) int verb_##name(struct cli *cli);
#define XX(function, name, help) X(function, help)
#include "cli/commands.def"
#undef XX
#undef X

// The value of an environment variable; {NULL, 0} when it is not set.
str cli_environment(const struct cli *cli, const char *name);

// Prints "allsource VERB: words" to standard error.
void cli_say(struct cli *cli, const char *format, ...) ALS_PRINTF(2, 3);
// Prints the words of a failure, with the prefix of its code, and is EXIT_FAILED.
int cli_failed(struct cli *cli, err code, const struct als_why *why);

// Writes to standard output; false when that is impossible (a full disk, a closed pipe), which the
// verb's cli_finish() will tell.
bool cli_write(struct cli *cli, str text);
// Flushes what was written: `code`, or EXIT_FAILED with words when the output is not complete.
int cli_finish(struct cli *cli, int code);

// Waits; a signal may cut it short.
void cli_pause(uint32_t wait_ms);
