// SPDX-License-Identifier: Apache-2.0
// The file of options: lines of
//
//   key = value   # a comment
//
// Values stand as they are, without quotes; a '#' begins a comment at the start of a line or behind
// a blank. A key may stand once.
#include "config/options.h"
#include "os/os.h"

#include <assert.h>

static err read_whole(struct os *os, struct os_file *file, struct arena *arena, str *ret_text,
                      struct als_why *why)
{
    uint64_t size;
    TRY(os->file_size(file, &size, why));
    if (size > CONFIG_FILE_BYTES_MAX)
        return FAIL(why, ALS_TOO_LARGE, "longer than %d bytes", CONFIG_FILE_BYTES_MAX);
    char *bytes = arena_alloc(arena, size ? size : 1);
    if (!bytes)
        return FAIL(why, ALS_NO_MEMORY, "no memory");
    size_t read;
    TRY(os->file_read(file, 0, bytes, size, &read, why));
    *ret_text = (str){bytes, read};
    return ALS_OK;
}

static err read_in(struct os *os, struct os_dir *dir, str name, struct arena *arena, str *ret_text,
                   struct als_why *why)
{
    struct os_file *file;
    TRY(os->file_open(dir, name, OS_READ, &file, why));
    err code = read_whole(os, file, arena, ret_text, why);
    os->file_close(file);
    return code;
}

static err read_path(str path, struct arena *arena, str *ret_text, struct als_why *why)
{
    struct os *os = os_posix();
    size_t slash = path.len;
    while (slash && path.ptr[slash - 1] != '/')
        slash--;
    str parent = slash ? str_first(path, slash) : S(".");
    struct os_dir *dir;
    TRY(os->dir_open(os, NULL, parent, false, &dir, why));
    err code = read_in(os, dir, str_from(path, slash), arena, ret_text, why);
    os->dir_close(dir);
    return code;
}

static str without_comment(str line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] == '#' && (i == 0 || line.ptr[i - 1] == ' ' || line.ptr[i - 1] == '\t'))
            return str_trim(str_first(line, i));
    return str_trim(line);
}

static err read_line(str line, struct place place, struct config *config, struct als_why *why)
{
    line = without_comment(line);
    if (line.len == 0)
        return ALS_OK;
    str file = str_first(place.file, 70), value = line, key = str_trim(str_cut(&value, '='));
    value = str_trim(value);
    if (key.len == line.len)
        return FAIL(why, ALS_INVALID_INPUT, "%.*s:%zu: expected 'key = value'", STR(file),
                    place.line);
    const struct option *option = option_find(key), *nearest = option_nearest(key);
    if (!option && nearest)
        return FAIL(why, ALS_INVALID_INPUT, "%.*s:%zu: key '%.*s' is unknown; did you mean %s?",
                    STR(file), place.line, STR(str_first(key, 40)), nearest->flag);
    if (!option)
        return FAIL(why, ALS_INVALID_INPUT,
                    "%.*s:%zu: key '%.*s' is unknown; keys are the flags of --help", STR(file),
                    place.line, STR(str_first(key, 40)));
    if (str_equal(key, S("config")))
        return FAIL(why, ALS_INVALID_INPUT, "%.*s:%zu: a file cannot name another file", STR(file),
                    place.line);
    if (*option_source(option, config) == CONFIG_FILE)
        return FAIL(why, ALS_INVALID_INPUT, "%.*s:%zu: '%s' is already set further up", STR(file),
                    place.line, option->flag);
    if (value.len > 1 && value.ptr[0] == '"')
        return FAIL(why, ALS_INVALID_INPUT, "%.*s:%zu: values stand without quotes", STR(file),
                    place.line);
    return option_set(option, value, place, config, why);
}

err config_read_file(str path, struct arena *arena, struct config *config, struct als_why *why)
{
    str text;
    struct als_why reason = {};
    if (read_path(path, arena, &text, &reason) != ALS_OK)
        return FAIL(why, ALS_INVALID_INPUT, "--config %.*s: %.*s", STR(str_first(path, 70)), 150,
                    reason.text);
    struct place place = {.source = CONFIG_FILE, .file = path};
    while (text.len) {
        place.line++;
        TRY(read_line(str_cut(&text, '\n'), place, config, why));
    }
    return ALS_OK;
}
