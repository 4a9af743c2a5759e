// SPDX-License-Identifier: Apache-2.0
// How the door of Confluent's Schema Registry speaks: its content type, and errors with numbers.
#pragma once

#include "server/schema_call.h"

#include <stdio.h>

enum confluent_error {
    CONFLUENT_CONFLICT = 409,
    CONFLUENT_NO_SUBJECT = 40401,
    CONFLUENT_NO_VERSION = 40402,
    CONFLUENT_NO_SCHEMA = 40403,
    CONFLUENT_NO_CONFIG = 40408,
    CONFLUENT_BAD_SCHEMA = 42201,
    CONFLUENT_BAD_VERSION = 42202,
    CONFLUENT_BAD_LEVEL = 42203,
    CONFLUENT_NOT_ALLOWED = 42205,
    CONFLUENT_STORE = 50001,
};

// Answers with what is in the buffer.
void confluent_reply(struct call *call, int status);
// {"error_code":40401,"message":"..."}; the status is in the number.
void confluent_refuse(struct call *call, unsigned error, const char *format, ...) ALS_PRINTF(3, 4);
// An error of the engine that has no number of its own.
void confluent_fail(struct call *call, err code, const struct als_why *why);

// Begins a call: parameters `deleted`, `permanent` and `verbose`, the tenant, the body. Answers and
// returns NULL when they are wrong.
struct schema_call *confluent_begin(struct call *call);
// The subject of the path; empty when the path has none.
str confluent_subject(const struct call *call);
// The version of the path: a number, "latest" or -1, which are 0. Answers and returns false when it
// is none.
bool confluent_path_version(struct call *call, str text, uint32_t *ret_version);
// Looks a version up; answers and returns false when there is none.
bool confluent_find(struct call *call, const struct schema_call *request, uint32_t version,
                    struct als_schema_version *ret_schema);
// The fields schemaType and schema, and references when there are some.
void confluent_put_schema(struct json_writer *writer, const struct als_schema_version *schema);
// Puts `schema`, `schemaType` and `references` of the body into the draft; answers and returns
// false when they are wrong.
bool confluent_read_draft(struct call *call, struct schema_call *request);
