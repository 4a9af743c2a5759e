// SPDX-License-Identifier: Apache-2.0
// Request bodies that append: bytes to drafts.
//
// Order of checks: the JSON is well-formed (ALS_JSON_SYNTAX, 400); every known field has its type
// and stands once, and the required ones are there (ALS_JSON_SHAPE, 422). What the texts may say is
// the engine's to check. Unknown fields are ignored; null is absent, but in `payload` a value.
// Everything lives in the arena or in the body.
#pragma once

#include "base/arena.h"
#include "server/flaw.h"

#include <allsource.h>

struct draft_list {
    struct als_draft *drafts;
    size_t count;
    struct als_condition *conditions;
    size_t condition_count;
    str tenant; // ptr is NULL when the body names none
};

enum draft_form {
    DRAFT_EVENT, // one object
    DRAFT_BATCH, // an array of them, or {"events":[...],"conditions":[...],"tenant_id":...}
    DRAFT_LINES, // NDJSON: an object a line; empty lines are skipped
};

// `events_max` bounds a batch: more is ALS_TOO_LARGE; none is ALS_INVALID_INPUT.
err draft_read(enum draft_form form, str body, size_t events_max, struct arena *arena,
               struct draft_list *ret_list, struct flaw *flaw);
