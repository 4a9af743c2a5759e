// SPDX-License-Identifier: Apache-2.0
// What is wrong with a payload, as a thing that can be asked.
#include "engine/engine.h"

#include "schema/schema.h"
#include "json/json.h"

#include <stdlib.h>

enum { VALIDATION_BLOCK_BYTES = 16 << 10 };
#define VALIDATION_BYTES_MAX MIB(256)
#define OUTPUT_BYTES_MAX MIB(64)

struct als_validation {
    struct arena arena;
    struct program *program;
    struct schema_errors errors;
    struct buf output;
    str subject;
    uint32_t version;
};

void als_validation_close(struct als_validation *validation)
{
    if (!validation)
        return;
    program_unref(validation->program);
    arena_deinit(&validation->arena);
    buf_deinit(&validation->output);
    free(validation);
}
AUTO_WITH(als_validation, als_validation_close)

static err explain(struct als_validation *validation, str payload, struct als_why *why)
{
    struct json_options options = {.span_depth = UINT32_MAX};
    struct json_doc doc;
    struct arena *arena = &validation->arena;
    str kept = arena_copy(arena, payload); // errors may be slices of it
    if (!kept.ptr)
        return FAIL(why, ALS_TOO_LARGE, "the payload");
    TRY(json_parse(kept, options, arena, &doc, NULL, why));
    return schema_explain(program_schema(validation->program), &doc, arena, &validation->errors,
                          why);
}

err validation_new(struct program *program, str subject, uint32_t version, str payload,
                   struct als_validation **ret_validation, struct als_why *why)
{
    AUTO(als_validation) validation = calloc(1, sizeof *validation);
    if (!validation)
        return FAIL(why, ALS_NO_MEMORY, "the validation");
    arena_init(&validation->arena, VALIDATION_BLOCK_BYTES, VALIDATION_BYTES_MAX);
    buf_init(&validation->output, OUTPUT_BYTES_MAX);
    program_ref(program);
    validation->program = program;
    validation->subject = subject;
    validation->version = version;
    TRY(explain(validation, payload, why));
    *ret_validation = MOVE(validation);
    return ALS_OK;
}

enum als_err als_validation_open(struct als *als, const struct als_validation_query *query,
                                 struct als_validation **ret_validation, struct als_why *why)
{
    CHECK_ALS(als, why);
    CHECK_SIZED(query, "query", why);
    if (!ret_validation)
        return FAIL(why, ALS_INVALID_INPUT, "ret_validation is NULL");
    struct registry *registry;
    struct registry_version version;
    struct registry_wanted wanted = {
        .subject = query->subject, .version = query->version, .as_of_us = REGISTRY_NEVER};
    TRY(schemas_of(als, query->tenant, &registry, why));
    if (!registry)
        return FAIL(why, ALS_SUBJECT_NOT_FOUND, "Subject not found: %.*s",
                    STR(str_first(query->subject, SUBJECT_BYTES_MAX / 2)));
    TRY(registry_find(registry, &wanted, &version, why));
    AUTO(program) program = NULL;
    TRY(registry_program(registry, &version, &program, why));
    uint64_t begun_ns = als->os->monotonic_ns(als->os);
    struct als_validation *validation;
    TRY(validation_new(program, version.subject, version.version, query->payload, &validation,
                       why));
    bool valid = validation->errors.count == 0;
    if (als->options.validated)
        als->options.validated(als->options.context, version.subject, valid, !valid,
                               als->os->monotonic_ns(als->os) - begun_ns);
    *ret_validation = validation;
    return ALS_OK;
}

struct als_validation_view als_validation_view(const struct als_validation *validation)
{
    const struct schema_errors *errors = &validation->errors;
    return (struct als_validation_view){.valid = errors->count == 0,
                                        .more = errors->more,
                                        .count = errors->count,
                                        .subject = validation->subject,
                                        .version = validation->version};
}

struct als_validation_error als_validation_error(const struct als_validation *validation,
                                                 size_t index)
{
    if (index >= validation->errors.count)
        return (struct als_validation_error){.message = {NULL, 0}};
    const struct schema_error *error = &validation->errors.items[index];
    return (struct als_validation_error){.message = error->message,
                                         .instance = error->instance,
                                         .location = error->location,
                                         .keyword = error->keyword,
                                         .nested = error->parent != UINT32_MAX};
}

als_str als_validation_json(struct als_validation *validation, enum als_schema_output output)
{
    static const enum schema_output outputs[] = {[ALS_SCHEMA_FLAG] = SCHEMA_OUTPUT_FLAG,
                                                 [ALS_SCHEMA_BASIC] = SCHEMA_OUTPUT_BASIC,
                                                 [ALS_SCHEMA_DETAILED] = SCHEMA_OUTPUT_DETAILED};
    struct json_writer writer;
    if ((unsigned)output > ALS_SCHEMA_DETAILED)
        return S("");
    buf_reset(&validation->output);
    json_writer_init(&writer, &validation->output);
    schema_write(&validation->errors, outputs[output], &writer);
    return buf_failed(&validation->output) ? S("") : buf_str(&validation->output);
}
