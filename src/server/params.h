// SPDX-License-Identifier: Apache-2.0
// Named parameters of a request: a query string, a JSON object with the same names, or both.
//
// Unknown names are ignored because nobody asks for them. A name that stands twice is refused when
// it is asked for, event_type excepted, which may repeat (in JSON it may be an array). An empty
// value is present; a JSON null is not.
// Getters leave the value as it is when the parameter is absent. What is wrong is ALS_BAD_PARAMETER
// (400) in a query string and ALS_JSON_SHAPE (422) in a body; the flaw names the parameter.
#pragma once

#include "server/flaw.h"
#include "json/json.h"

enum param_kind {
    PARAM_QUERY,  // text of a query string
    PARAM_STRING, // of a JSON body
    PARAM_NUMBER,
    PARAM_OTHER, // a JSON value that no parameter takes
};

struct param {
    str name, value;
    enum param_kind kind;
};

struct params {
    struct param *items; // in the arena
    size_t count, capacity;
};

// Both add to `params`, which begins as {}.
err params_from_query(str query, struct arena *arena, struct params *params, struct flaw *flaw);
err params_from_json(const struct json_doc *doc, struct arena *arena, struct params *params,
                     struct flaw *flaw);

err param_text(const struct params *params, str name, str *value, struct flaw *flaw);
err param_u64(const struct params *params, str name, uint64_t most, uint64_t *value,
              struct flaw *flaw);
err param_time(const struct params *params, str name, int64_t *us, struct flaw *flaw);
// `choices` are names that end with an empty one; the value is an index into them.
err param_choice(const struct params *params, str name, const str *choices, unsigned *value,
                 struct flaw *flaw);
// All values of a name that may repeat, at most `most`.
err param_texts(const struct params *params, str name, size_t most, str *values, size_t *ret_count,
                struct flaw *flaw);
