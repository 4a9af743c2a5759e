// SPDX-License-Identifier: Apache-2.0
// Options from one table (options.def): flag, environment, file key, default, range and help in one
// row. Parsed once, checked as a whole, then frozen.
//
// Later wins: default < file (--config FILE: "key = value" lines, '#' comments) < environment
// (ALLSOURCE_KEY) < flags (--key VALUE, --key=VALUE). A list that is given replaces the list of an
// earlier source. The environment is passed in: there is no getenv in the tree.
// Threads: plain functions over their arguments.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"

enum { CONFIG_LISTEN_MAX = 8, CONFIG_FILE_BYTES_MAX = 65536 };

enum config_source { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT, CONFIG_FLAG };

enum config_durability { // when an append is answered
    CONFIG_DURABILITY_SYNC,
    CONFIG_DURABILITY_INTERVAL,
    CONFIG_DURABILITY_NONE,
};

enum config_strategy {
    CONFIG_SIZEBASED,
    CONFIG_TIMEBASED,
    CONFIG_COUNTBASED,
    CONFIG_FULLCOMPACTION,
};

struct config {
#define TEXT(name, flag, value, help) str name;
#define LIST(name, flag, value, help)                                                              \
    str name[CONFIG_LISTEN_MAX];                                                                   \
    size_t name##_count;
#define NUMBER(name, flag, value, least, most, help) uint64_t name;
#define SWITCH(name, flag, help) bool name;
#include "config/options.def"
    // What the texts of the same name mean.
    bool schemas_strict;
    bool schemas_assert_formats;
    enum config_durability durability_kind;
    uint32_t durability_interval_ms; // of CONFIG_DURABILITY_INTERVAL, else 0
    enum log_level log_least;
    bool auto_snapshot_on, auto_compact_on;
    enum config_strategy compact_kind;
    bool help, version, print_config; // asked for on the command line
    struct config_origins {           // where each value came from
#define TEXT(name, flag, value, help) enum config_source name;
#define LIST(name, flag, value, help) enum config_source name;
#define NUMBER(name, flag, value, least, most, help) enum config_source name;
#define SWITCH(name, flag, help) enum config_source name;
#include "config/options.def"
    } from;
};

// Reads `words` (without the program's name) and `environment` (NAME=VALUE, NULL-ended; may be
// NULL). Texts are borrowed from them or live in the arena.
// ALS_INVALID_INPUT names the option, its range and where the bad value came from; an unknown flag
// or key is told with the nearest known one. A word that is no flag is refused. An unknown
// ALLSOURCE_ variable is refused when it looks like a misspelt one, else ignored: other programs,
// and orchestrators that name a service so, set such variables, too. An empty one counts as unset.
// When --help or --version is among the words, nothing else is looked at.
err config_read(char *const *words, size_t count, char *const *environment, struct arena *arena,
                struct config *ret_config, struct als_why *why);

// Whether only this machine can reach HOST:PORT. False for what is no such address.
bool config_is_loopback(str address);

// Values and where each came from; --config reads it back.
void config_print(const struct config *config, struct buf *buf);
void config_help(struct buf *buf);    // the table, for --help; 100 columns
void config_version(struct buf *buf); // the line for --version

// docs/options.md, whole.
void config_reference(struct buf *buf);
