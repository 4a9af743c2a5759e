// SPDX-License-Identifier: Apache-2.0
// What is wrong with a request: the words, and which field and which limit they are about.
#pragma once

#include "base/err.h"
#include "base/str.h"

enum { FLAW_FIELD_MAX = 96 };

struct flaw {
    struct als_why why;
    char field[FLAW_FIELD_MAX]; // "events[3].entity_id"; empty: about none
    uint64_t limit;             // the limit that was passed; 0: none
};

// Fills the flaw and is the code.
err flaw_set(struct flaw *flaw, err code, str field, const char *format, ...) ALS_PRINTF(4, 5);

// The flaw was found in list[index]: says so before its field and its words.
void flaw_within(struct flaw *flaw, const char *list, size_t index);
