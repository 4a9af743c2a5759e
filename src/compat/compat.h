// SPDX-License-Identifier: Apache-2.0
// Whether one JSON Schema may follow another, decided on what the two accept.
//
// BACKWARD: whatever the old schema accepts, the new one accepts, so new readers understand old
// data. FORWARD: the reverse. FULL: both. The answer is "compatible" only when that is proven; what
// cannot be decided is incompatible, with the reason and the places. So a yes is never wrong, and a
// no may be: docs/schemas.md lists what is decided and what is not.
// Drafts: draft-07 and 2020-12, each schema by its own `$schema`. `$ref` leads to places of its own
// document; a reference to another document equals the same reference in the other schema, and
// nothing more is known of it. The schemas are taken to be ones that the schema room compiles: a
// keyword whose value is wrong makes the answer "cannot be decided".
// Limits: COMPAT_* in base/limits.h. Work and memory are bounded whatever the schemas are.
// Threads: plain functions over the caller's memory.
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"

enum compat_direction {
    COMPAT_BACKWARD,
    COMPAT_FORWARD,
    COMPAT_FULL,
};

// The modes of a subject, as clients name them. Transitive: against every earlier version, not only
// the latest; walking the versions is the caller's.
enum compat_mode {
    COMPAT_MODE_NONE,
    COMPAT_MODE_BACKWARD,
    COMPAT_MODE_BACKWARD_TRANSITIVE,
    COMPAT_MODE_FORWARD,
    COMPAT_MODE_FORWARD_TRANSITIVE,
    COMPAT_MODE_FULL,
    COMPAT_MODE_FULL_TRANSITIVE,
};

// False when `name` is none of them; they are case-sensitive.
bool compat_mode_named(str name, enum compat_mode *ret_mode);
str compat_mode_name(enum compat_mode mode);
bool compat_mode_transitive(enum compat_mode mode);
// False for NONE, which asks nothing.
bool compat_mode_direction(enum compat_mode mode, enum compat_direction *ret_direction);

enum compat_draft {
    COMPAT_DRAFT_2020_12, // the default, as everywhere here
    COMPAT_DRAFT_07,
};

struct compat_options {
    enum compat_direction direction;
    enum compat_draft draft; // of a text that has no `$schema`
    bool assert_formats; // `format` refuses values; else it is an annotation and is not compared
};

enum compat_kind {
    COMPAT_NARROWED,  // something that was accepted is refused
    COMPAT_UNDECIDED, // it could not be found out
};

struct compat_reason {
    enum compat_kind kind;
    enum compat_direction direction; // BACKWARD or FORWARD, also of a FULL check
    // For people: "Backward compatibility: field 'f' is required by the new schema and was optional
    // before". An undecided one goes on with "cannot be decided because ...".
    str message;
    str keyword;                    // of the schema that refuses; empty when it is none
    str old_location, new_location; // JSON Pointers; "" is the whole schema
    // A JSON value that one of the two accepts at this place and the other refuses; empty when none
    // was found.
    str example;
};

struct compat_answer {
    bool compatible; // exactly when count is 0
    bool more;       // there may be more reasons than are told
    uint32_t count;
    const struct compat_reason *reasons;
};

// Compares two schemas. The answer and its texts live in `arena`, which also gives all memory that
// is needed meanwhile: some 8 MiB serve any ordinary pair, and a full arena is "cannot be decided".
// Fails with ALS_JSON_SYNTAX when a text is not JSON (or is deeper than JSON_DEPTH_MAX), and with
// ALS_TOO_LARGE when not even the two tapes or the answer fit into the arena.
err compat_check(str old_schema, str new_schema, struct compat_options options, struct arena *arena,
                 struct compat_answer *ret_answer, struct als_why *why);
