// SPDX-License-Identifier: Apache-2.0
// Options from one table (options.def): flag, environment, file key, default, range and help in one
// row. Parsed once, checked as a whole, then frozen.
//
// Later wins: default < file (--config FILE: "key = value" lines, '#' comments) < environment
// (ALLSOURCE_KEY) < flags (--key VALUE, --key=VALUE). No other getenv in the tree.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { CONFIG_LISTEN_MAX = 8 };

enum config_source { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT, CONFIG_FLAG };

struct config {
#define TEXT(name, flag, value, help) str name;
#define LIST(name, flag, value, help)                                                              \
    str name[CONFIG_LISTEN_MAX];                                                                   \
    size_t name##_count;
#define NUMBER(name, flag, value, least, most, help) uint64_t name;
#define SWITCH(name, flag, help) bool name;
#include "config/options.def"
    bool help, version, print_config; // asked for on the command line
    struct config_origins {           // where each value came from
#define TEXT(name, flag, value, help) enum config_source name;
#define LIST(name, flag, value, help) enum config_source name;
#define NUMBER(name, flag, value, least, most, help) enum config_source name;
#define SWITCH(name, flag, help) enum config_source name;
#include "config/options.def"
    } from;
};

// Reads `words` (without the program's name) and `environment` (NAME=VALUE, NULL-ended). Texts are
// borrowed or live in the arena. ALS_INVALID_INPUT names the option, its range and where the bad
// value came from; an unknown flag or key is told with the nearest known one. A word that is no
// flag is refused.
err config_read(char *const *words, size_t count, char *const *environment, struct arena *arena,
                struct config *ret_config, struct als_why *why);

void config_print(const struct config *config, struct buf *buf); // values and where from
void config_help(struct buf *buf);                               // the table, for --help
