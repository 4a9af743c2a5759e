// SPDX-License-Identifier: Apache-2.0
// A subject's mapping, read: what mapping.c checks and reshape.c carries out.
#pragma once

#include "base/limits.h"
#include "registry/inside.h"

enum operation_kind { UPCAST_RENAME, UPCAST_DEFAULT, UPCAST_MOVE, UPCAST_DROP, UPCAST_CAST };

enum cast_kind { CAST_STRING, CAST_NUMBER, CAST_INTEGER, CAST_BOOLEAN };

struct path {
    str text; // as it was written, for messages
    uint32_t count;
    str segments[UPCAST_SEGMENTS_MAX]; // unescaped
};

struct operation {
    enum operation_kind kind;
    enum cast_kind cast;
    struct path path;
    struct path to; // UPCAST_MOVE
    str key;        // UPCAST_RENAME
    str value;      // UPCAST_DEFAULT: JSON text
};

struct step {
    uint32_t from; // to from + 1
    uint32_t count;
    const struct operation *operations;
};

struct mapping {
    _Atomic uint32_t refs;
    struct arena arena; // of everything in it
    uint32_t unversioned;
    uint32_t count;
    struct step *steps; // by `from`
};
