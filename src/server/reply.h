// SPDX-License-Identifier: Apache-2.0
// How answers are made: JSON out of the request's buffer, and errors in one shape.
//
//   {"error":"<prefix of the code><words>","code":"version_conflict","field":...,"limit":...}
#pragma once

#include "server/call.h"
#include "server/flaw.h"
#include "json/json.h"

struct buf;

// The buffer for the answer, empty, and a writer on it.
struct json_writer reply_writer(struct call *call);
// Answers with what is in the buffer.
void reply_json(struct call *call, int status);

void reply_error(struct call *call, err code, const struct als_why *why);
void reply_flaw(struct call *call, err code, const struct flaw *flaw);

// For errors with details: begin, put more fields, end.
struct json_writer reply_error_begin(struct call *call, err code, const char *text);
void reply_error_end(struct call *call, struct json_writer *writer, err code);

// Counts it when the disk is to blame; for answers that fail after they have begun.
void reply_note_failure(struct call *call, err code);

void reply_not_allowed(struct call *call); // 405 with the methods of call->match.allow
void reply_preflight(struct call *call);
