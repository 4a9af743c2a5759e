// SPDX-License-Identifier: Apache-2.0
// Fields of a JSON body that is an object, for handlers that have more to read than parameters.
//
// ALS_JSON_SYNTAX when it is no JSON; ALS_JSON_SHAPE when it is no object, when a field has another
// type, stands twice, or is required and absent. Getters leave the value as it is when the field is
// absent; a null is absent. What they give lives in the body or the call's arena.
#pragma once

#include "server/call.h"
#include "server/flaw.h"
#include "json/json.h"

struct body {
    struct json_doc doc;
    struct arena *arena;
};

enum field_need { FIELD_OPTIONAL, FIELD_REQUIRED };

err body_read(struct call *call, struct body *ret_body, struct flaw *flaw);
err body_text(const struct body *body, str name, enum field_need need, str *value,
              struct flaw *flaw);
err body_u32(const struct body *body, str name, uint32_t *value, struct flaw *flaw);
// Any JSON value as it stands in the body, a null too.
err body_json(const struct body *body, str name, enum field_need need, str *value,
              struct flaw *flaw);
// An array, as text.
err body_array(const struct body *body, str name, str *value, struct flaw *flaw);
// true or false.
err body_optional_switch(const struct body *body, str name, bool *value, struct flaw *flaw);
// true, false, or null when *ret_is_null is set; required.
err body_switch(const struct body *body, str name, bool *ret_value, bool *ret_is_null,
                struct flaw *flaw);
