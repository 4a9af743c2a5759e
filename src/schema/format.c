// SPDX-License-Identifier: Apache-2.0
#include "schema/format.h"

#include "base/own.h"
#include "schema/format_check.h"
#include "schema/pattern.h"

static const struct {
    const char *name;
    bool (*holds)(str text);
} formats[FORMAT_COUNT] = {
#define X(name, text, check) [FORMAT_##name] = {text, check},
#include "schema/format.def"
#undef X
};

enum format format_named(str name)
{
    for (size_t i = 1; i < COUNT_OF(formats); i++)
        if (str_equal(str_of(formats[i].name), name))
            return (enum format)i;
    return FORMAT_NONE;
}

str format_name(enum format format)
{
    return str_of(formats[format].name);
}

bool format_holds(enum format format, str text, struct arena *scratch)
{
    if (format == FORMAT_REGEX)
        return pattern_is_valid(text, scratch);
    return formats[format].holds(text);
}
