// SPDX-License-Identifier: Apache-2.0
// The layers: default, file, environment, command line, each laid over the one before.
//
// The file is named by the environment or the command line, so these two are read first to learn
// its name, and then again over what the file says.
#include "config/config.h"

#include "config/options.h"

#include <assert.h>

static err refuse_unknown(const char *before, str word, str flag, struct als_why *why)
{
    const struct option *nearest = option_nearest(flag);
    if (!nearest)
        return FAIL(why, ALS_INVALID_INPUT, "%s'%.*s' is unknown; --help lists the flags", before,
                    STR(str_first(word, 60)));
    return FAIL(why, ALS_INVALID_INPUT, "%s'%.*s' is unknown; did you mean --%s?", before,
                STR(str_first(word, 60)), nearest->flag);
}

static bool is_request(str word, struct config *config)
{
    if (str_equal(word, S("--help")) || str_equal(word, S("-h")))
        config->help = true;
    else if (str_equal(word, S("--version")) || str_equal(word, S("-V")))
        config->version = true;
    else if (str_equal(word, S("--print-config")))
        config->print_config = true;
    else
        return false;
    return true;
}

// Reads the flag at words[*at] and moves *at behind it and its value.
static err read_flag(char *const *words, size_t count, size_t *at, struct config *config,
                     struct als_why *why)
{
    str word = str_of(words[(*at)++]);
    if (is_request(word, config))
        return ALS_OK;
    str value = word, name = str_cut(&value, '=');
    bool has_value = name.len < word.len;
    if (!str_starts(word, S("--"))) {
        str bare = str_starts(name, S("-")) ? str_from(name, 1) : name;
        return refuse_unknown("flags begin with '--', and there are no other arguments: ", word,
                              bare, why);
    }
    const struct option *option = option_find(str_from(name, 2));
    if (!option)
        return refuse_unknown("flag ", name, str_from(name, 2), why);
    if (!has_value && option->kind == OPTION_SWITCH)
        value = S("true");
    else if (!has_value) {
        if (*at == count || str_starts(str_of(words[*at]), S("--")))
            return FAIL(why, ALS_INVALID_INPUT, "--%s needs a value", option->flag);
        value = str_of(words[(*at)++]);
    }
    return option_set(option, value, (struct place){.source = CONFIG_FLAG}, config, why);
}

static err read_flags(char *const *words, size_t count, struct config *config, struct als_why *why)
{
    for (size_t at = 0; at < count;)
        TRY(read_flag(words, count, &at, config, why));
    return ALS_OK;
}

static const struct option *option_of_variable(str name)
{
    for (size_t i = 0; i < option_count; i++) {
        char space[OPTION_NAME_MAX];
        if (options[i].kind != OPTION_GROUP &&
            str_equal(name, str_of(option_variable(&options[i], space))))
            return &options[i];
    }
    return NULL;
}

static err read_variable(str variable, struct config *config, struct als_why *why)
{
    str value = variable, name = str_cut(&value, '=');
    if (!str_starts(name, S("ALLSOURCE_")) || value.len == 0)
        return ALS_OK;
    const struct option *option = option_of_variable(name);
    if (option)
        return option_set(option, value, (struct place){.source = CONFIG_ENVIRONMENT}, config, why);

    char flag[OPTION_NAME_MAX];
    str bare = str_from(name, strlen("ALLSOURCE_"));
    if (bare.len >= sizeof flag)
        return ALS_OK;
    for (size_t i = 0; i < bare.len; i++) {
        char c = bare.ptr[i];
        flag[i] = (char)(c == '_' ? '-' : c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    const struct option *nearest = option_nearest((str){flag, bare.len});
    char space[OPTION_NAME_MAX];
    if (nearest)
        return FAIL(why, ALS_INVALID_INPUT,
                    "the environment has %.*s, which is unknown; did you mean %s?",
                    STR(str_first(name, 60)), option_variable(nearest, space));
    return ALS_OK; // another program's
}

static err read_environment(char *const *environment, struct config *config, struct als_why *why)
{
    for (; environment && *environment; environment++)
        TRY(read_variable(str_of(*environment), config, why));
    return ALS_OK;
}

err config_read(char *const *words, size_t count, char *const *environment, struct arena *arena,
                struct config *ret_config, struct als_why *why)
{
    struct config config;
    options_set_defaults(&config);
    for (size_t i = 0; i < count; i++)
        (void)is_request(str_of(words[i]), &config); // others are read below
    if (config.help || config.version) {
        *ret_config = config;
        return ALS_OK;
    }
    TRY(read_environment(environment, &config, why));
    TRY(read_flags(words, count, &config, why));
    if (config.config_file.len) {
        str file = config.config_file;
        options_set_defaults(&config);
        TRY(config_read_file(file, arena, &config, why));
        TRY(read_environment(environment, &config, why));
        TRY(read_flags(words, count, &config, why));
    }
    TRY(config_check(&config, arena, why));
    *ret_config = config;
    return ALS_OK;
}
