// SPDX-License-Identifier: Apache-2.0
// What the handlers of schemas have in common.
#pragma once

#include "server/body.h"
#include "server/desk.h"
#include "server/params.h"
#include "server/reading.h"
#include "server/reply.h"

#include <allsource.h>

struct json_writer;

// Why a schema may not follow, gathered in the arena while the engine tells.
struct issues {
    struct arena *arena;
    struct issue {
        struct issue *next;
        struct als_schema_issue told;
    } * first, **end;
    size_t count;
};
void issues_init(struct issues *issues, struct arena *arena);
void issues_add(void *issues, const struct als_schema_issue *issue); // for als_schema_draft.issue
// An array of objects.
void issues_put(const struct issues *issues, struct json_writer *writer);

struct schema_call {
    struct reading reading; // of a GET
    struct params params;   // of the query string
    struct body body;       // of a POST or PUT
    struct als_schema_draft draft;
    struct issues issues;
    str tenant;
    uint32_t version; // of the path
    uint32_t id;      // of the path
    bool deprecated;  // deprecated ones count, too
    bool verbose;
};

// Reads the query string, the body when the route takes one, and the tenant (a field `tenant_id` of
// the body, too); begins a draft with it. Answers by `refuse` and returns NULL when they are wrong.
typedef void schema_refuse(struct call *call, err code, const struct flaw *flaw);
struct schema_call *schema_begin_with(struct call *call, schema_refuse *refuse);
static inline struct schema_call *schema_begin(struct call *call)
{
    return schema_begin_with(call, reply_flaw);
}
// Waits for min_position as reads do, then runs `then`.
void schema_read(struct call *call, void (*then)(struct call *call));

// The field `compatibility`, one of the seven names.
err schema_read_mode(const struct body *body, enum field_need need, enum als_compatibility *mode,
                     struct flaw *flaw);

// The fields of a schema, in an open object.
void schema_put(struct json_writer *writer, const struct als_schema_version *schema);
void schema_put_time(struct json_writer *writer, str key, int64_t us);
// "errors", texts, and "details", with the places.
void validation_put(struct json_writer *writer, const struct als_validation *validation);
