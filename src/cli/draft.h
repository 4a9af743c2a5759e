// SPDX-License-Identifier: Apache-2.0
// One line of input on its way to the server: checked here, so that what is wrong is told with the
// number of its line, and given an id, so that a batch may be sent twice and is stored once.
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct os;

// Appends the event and a line's end to `body`. ALS_INVALID_INPUT, ALS_JSON_SYNTAX and so on say
// what is wrong with the line; nothing was put then. `arena` is reset.
err draft_put(str line, struct os *os, struct arena *arena, struct buf *body, struct als_why *why);
