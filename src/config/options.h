// SPDX-License-Identifier: Apache-2.0
// The table of options.def as rows that can be walked, and values that are set through them.
#pragma once

#include "config/config.h"

enum option_kind { OPTION_GROUP, OPTION_TEXT, OPTION_LIST, OPTION_NUMBER, OPTION_SWITCH };

struct option {
    enum option_kind kind;
    const char *flag;                    // "" of a group
    const char *value;                   // the default; "" of a group or switch
    const char *least, *most;            // of a number, else NULL
    const char *help;                    // the title of a group
    size_t offset, count_offset, origin; // of the value, a list's length and the source in config
};
extern const struct option options[];
extern const size_t option_count;

// Where a value was met. `file` and `line` are of CONFIG_FILE.
struct place {
    enum config_source source;
    str file;
    size_t line;
};

enum { OPTION_NAME_MAX = 64, PLACE_TEXT_MAX = 160 };

const struct option *option_find(str flag); // NULL when there is none
// The one whose flag is most like the text; NULL when none is.
const struct option *option_nearest(str flag);
// "ALLSOURCE_DATA_DIR"; returns `space`.
const char *option_variable(const struct option *option, char space[static OPTION_NAME_MAX]);

// Sets all options to what the table says.
void options_set_defaults(struct config *config);
// Lists are split at commas, but for flags, which append to what earlier flags gave.
err option_set(const struct option *option, str value, struct place place, struct config *config,
               struct als_why *why);
// Fails with the text before the value, "--threads" or "/etc/allsource.conf:7: threads".
const char *place_name(struct place place, const struct option *option,
                       char space[static PLACE_TEXT_MAX]);

str *option_text(const struct option *option, const struct config *config); // TEXT, first of LIST
size_t *option_list_count(const struct option *option, const struct config *config);
uint64_t *option_number(const struct option *option, const struct config *config);
bool *option_switch(const struct option *option, const struct config *config);
enum config_source *option_source(const struct option *option, const struct config *config);

// Digits with an optional k, m or g; false when it is anything else or does not fit.
bool number_read(str text, uint64_t *ret_value);

// The whole file as lines of "key = value", set as CONFIG_FILE. The arena keeps the texts.
err config_read_file(str path, struct arena *arena, struct config *config, struct als_why *why);

// What no single row can say: grammars, and values that contradict each other. Fills the fields
// that tell what texts mean, and writes "localhost" in listen addresses as 127.0.0.1.
err config_check(struct config *config, struct arena *arena, struct als_why *why);
