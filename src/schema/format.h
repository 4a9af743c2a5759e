// SPDX-License-Identifier: Apache-2.0
// The formats of strings.
#pragma once

#include "base/arena.h"
#include "base/str.h"

enum format {
    FORMAT_NONE, // not known: everything is of it
#define X(name, text, check) FORMAT_##name,
#include "schema/format.def"
#undef X
    FORMAT_COUNT,
};

enum format format_named(str name);
str format_name(enum format format);

// Whether `text`, which is UTF-8, is of the format. `scratch` is used by `regex` alone.
bool format_holds(enum format format, str text, struct arena *scratch);
