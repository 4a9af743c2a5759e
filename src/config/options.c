// SPDX-License-Identifier: Apache-2.0
// One value: found in the table by its name, read by its kind, stored at its offset.
#include "config/options.h"

#include <assert.h>
#include <stdio.h>

#define IN(name) offsetof(struct config, name)
const struct option options[] = {
#define GROUP(title) {.kind = OPTION_GROUP, .flag = "", .value = "", .help = title},
#define TEXT(name, flag, value, help)                                                              \
    {OPTION_TEXT, flag, value, NULL, NULL, help, IN(name), 0, IN(from.name)},
#define LIST(name, flag, value, help)                                                              \
    {OPTION_LIST, flag, value, NULL, NULL, help, IN(name), IN(name##_count), IN(from.name)},
#define NUMBER(name, flag, value, least, most, help)                                               \
    {OPTION_NUMBER, flag, #value, #least, #most, help, IN(name), 0, IN(from.name)},
#define SWITCH(name, flag, help)                                                                   \
    {OPTION_SWITCH, flag, "", NULL, NULL, help, IN(name), 0, IN(from.name)},
#include "config/options.def"
};
#undef IN
const size_t option_count = COUNT_OF(options);

static void *field(const struct config *config, size_t offset)
{
    return (char *)config + offset;
}

str *option_text(const struct option *option, const struct config *config)
{
    assert(option->kind == OPTION_TEXT || option->kind == OPTION_LIST);
    return field(config, option->offset);
}

size_t *option_list_count(const struct option *option, const struct config *config)
{
    assert(option->kind == OPTION_LIST);
    return field(config, option->count_offset);
}

uint64_t *option_number(const struct option *option, const struct config *config)
{
    assert(option->kind == OPTION_NUMBER);
    return field(config, option->offset);
}

bool *option_switch(const struct option *option, const struct config *config)
{
    assert(option->kind == OPTION_SWITCH);
    return field(config, option->offset);
}

enum config_source *option_source(const struct option *option, const struct config *config)
{
    assert(option->kind != OPTION_GROUP);
    return field(config, option->origin);
}

const struct option *option_find(str flag)
{
    for (size_t i = 0; i < option_count; i++)
        if (options[i].kind != OPTION_GROUP && str_equal(flag, str_of(options[i].flag)))
            return &options[i];
    return NULL;
}

// How many letters must be put in, taken out or replaced to make one of the other (Levenshtein).
static size_t distance(str a, str b)
{
    assert(a.len < OPTION_NAME_MAX && b.len < OPTION_NAME_MAX);
    size_t row[OPTION_NAME_MAX];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.len];
}

const struct option *option_nearest(str flag)
{
    const struct option *nearest = NULL;
    size_t least = SIZE_MAX;
    if (flag.len >= OPTION_NAME_MAX)
        return NULL;
    for (size_t i = 0; i < option_count; i++) {
        str known = str_of(options[i].flag);
        if (options[i].kind == OPTION_GROUP)
            continue;
        size_t far = distance(flag, known);
        if (far < least && far <= 1 + known.len / 4) { // beyond that it is another word
            least = far;
            nearest = &options[i];
        }
    }
    return nearest;
}

const char *option_variable(const struct option *option, char space[static OPTION_NAME_MAX])
{
    size_t at = (size_t)snprintf(space, OPTION_NAME_MAX, "ALLSOURCE_");
    for (const char *c = option->flag; *c; c++) {
        assert(at + 1 < OPTION_NAME_MAX);
        space[at++] = (char)(*c == '-' ? '_' : *c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    }
    space[at] = '\0';
    return space;
}

const char *place_name(struct place place, const struct option *option,
                       char space[static PLACE_TEXT_MAX])
{
    char variable[OPTION_NAME_MAX];
    if (place.source == CONFIG_FILE)
        (void)snprintf(space, PLACE_TEXT_MAX, "%.*s:%zu: %s", STR(str_first(place.file, 70)),
                       place.line, option->flag);
    else if (place.source == CONFIG_ENVIRONMENT)
        (void)snprintf(space, PLACE_TEXT_MAX, "%s", option_variable(option, variable));
    else
        (void)snprintf(space, PLACE_TEXT_MAX, "--%s", option->flag);
    return space;
}

bool number_read(str text, uint64_t *ret_value)
{
    unsigned shift = 0;
    if (text.len) {
        char last = text.ptr[text.len - 1];
        shift = last == 'k' || last == 'K'   ? 10
                : last == 'm' || last == 'M' ? 20
                : last == 'g' || last == 'G' ? 30
                                             : 0;
    }
    uint64_t value;
    if (!str_to_u64(str_first(text, text.len - (shift != 0)), &value) ||
        __builtin_mul_overflow(value, UINT64_C(1) << shift, &value))
        return false;
    *ret_value = value;
    return true;
}

static uint64_t bound(const char *text)
{
    uint64_t value = 0;
    bool read = number_read(str_of(text), &value);
    assert(read); // the table is ours
    return value;
}

void options_set_defaults(struct config *config)
{
    *config = (struct config){};
    for (size_t i = 0; i < option_count; i++) {
        const struct option *option = &options[i];
        switch (option->kind) {
        case OPTION_TEXT:
            *option_text(option, config) = str_of(option->value);
            break;
        case OPTION_LIST:
            *option_text(option, config) = str_of(option->value);
            *option_list_count(option, config) = 1;
            break;
        case OPTION_NUMBER:
            *option_number(option, config) = bound(option->value);
            break;
        case OPTION_SWITCH:
        case OPTION_GROUP:
            break;
        }
    }
}

// Every value can be written in a file and be printed without harm: no control characters, nothing
// that would begin a comment.
static bool is_clean(str value)
{
    if (value.len == 0 || !str_equal(value, str_trim(value)) || value.ptr[0] == '#')
        return false;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c < 0x20 || c == 0x7f || (c == '#' && value.ptr[i - 1] == ' '))
            return false;
    }
    return true;
}

static err add_to_list(const struct option *option, str value, const char *name,
                       struct config *config, struct als_why *why)
{
    size_t *count = option_list_count(option, config);
    if (*count == CONFIG_LISTEN_MAX)
        return FAIL(why, ALS_INVALID_INPUT, "%s: at most %d values", name, CONFIG_LISTEN_MAX);
    if (!is_clean(value))
        return FAIL(why, ALS_INVALID_INPUT, "%s: a value is empty or has odd characters", name);
    option_text(option, config)[(*count)++] = value;
    return ALS_OK;
}

static err set_list(const struct option *option, str value, struct place place, const char *name,
                    struct config *config, struct als_why *why)
{
    if (place.source == CONFIG_FLAG) {
        if (*option_source(option, config) != CONFIG_FLAG)
            *option_list_count(option, config) = 0;
        return add_to_list(option, value, name, config, why);
    }
    *option_list_count(option, config) = 0;
    do
        TRY(add_to_list(option, str_trim(str_cut(&value, ',')), name, config, why));
    while (value.len);
    return ALS_OK;
}

static err set_number(const struct option *option, str value, const char *name,
                      struct config *config, struct als_why *why)
{
    uint64_t number;
    if (!number_read(value, &number) || number < bound(option->least) ||
        number > bound(option->most))
        return FAIL(why, ALS_INVALID_INPUT,
                    "%s: '%.*s' is no number from %s to %s (k, m and g stand for 1024, its square "
                    "and its cube)",
                    name, STR(str_first(value, 40)), option->least, option->most);
    *option_number(option, config) = number;
    return ALS_OK;
}

err option_set(const struct option *option, str value, struct place place, struct config *config,
               struct als_why *why)
{
    char space[PLACE_TEXT_MAX];
    const char *name = place_name(place, option, space);
    switch (option->kind) {
    case OPTION_TEXT:
        if (!is_clean(value))
            return FAIL(why, ALS_INVALID_INPUT,
                        "%s: a value is needed, without control characters, blanks at its ends "
                        "and ' #'",
                        name);
        *option_text(option, config) = value;
        break;
    case OPTION_LIST:
        TRY(set_list(option, value, place, name, config, why));
        break;
    case OPTION_NUMBER:
        TRY(set_number(option, value, name, config, why));
        break;
    case OPTION_SWITCH:
        if (!str_equal(value, S("true")) && !str_equal(value, S("false")))
            return FAIL(why, ALS_INVALID_INPUT, "%s: '%.*s' is neither true nor false", name,
                        STR(str_first(value, 40)));
        *option_switch(option, config) = str_equal(value, S("true"));
        break;
    case OPTION_GROUP:
        assert(false); // has no value, and no name to be found by
    }
    *option_source(option, config) = place.source;
    return ALS_OK;
}
