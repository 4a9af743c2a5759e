// SPDX-License-Identifier: Apache-2.0
// JSON Schema for embedders. A struct als_schema is the room's struct schema by another name.
#include "schema/schema.h"

#include <allsource.h>

#include "base/limits.h"

enum { BLOCK_BYTES = 16 << 10 };

struct resolving {
    const struct als_schema_options *options;
};

static err resolve(void *context, str uri, struct arena *arena, str *ret_text, struct als_why *why)
{
    (void)arena; // texts from outside live by their own rules
    const struct resolving *resolving = context;
    return resolving->options->resolve(resolving->options->context, uri, ret_text, why);
}

enum als_err als_schema_compile(als_str text, const struct als_schema_options *options,
                                struct als_schema **ret_schema, struct als_why *why)
{
    struct als_schema_options defaults = ALS_SCHEMA_OPTIONS_INIT;
    options = options ? options : &defaults;
    if (!ret_schema || (text.len && !text.ptr))
        return FAIL(why, ALS_INVALID_INPUT, "text or ret_schema is NULL");
    if (options->size != sizeof *options)
        return FAIL(why, ALS_INVALID_INPUT, "options were not made by ALS_SCHEMA_OPTIONS_INIT");
    if (options->draft != 0 && options->draft != 7 && options->draft != 2020)
        return FAIL(why, ALS_INVALID_INPUT, "draft is 7 or 2020, not %d", options->draft);
    struct resolving resolving = {options};
    struct schema_options inner = {
        .draft = options->draft == 7 ? SCHEMA_DRAFT_07 : SCHEMA_DRAFT_2020_12,
        .assert_formats = options->assert_formats,
        .resolve = options->resolve ? resolve : NULL,
        .context = &resolving,
    };
    struct schema *schema = NULL;
    TRY(schema_compile(text, &inner, &schema, why));
    *ret_schema = (struct als_schema *)schema;
    return ALS_OK;
}

void als_schema_free(struct als_schema *schema)
{
    schema_free((struct schema *)schema);
}

static err parse(als_str json, struct arena *arena, struct json_doc *doc, struct als_why *why)
{
    struct json_options options = {.span_depth = UINT32_MAX};
    return json_parse(json, options, arena, doc, NULL, why);
}

enum als_err als_schema_validate(const struct als_schema *schema, als_str json, bool *ret_valid,
                                 struct als_why *why)
{
    if (!schema || !ret_valid || (json.len && !json.ptr))
        return FAIL(why, ALS_INVALID_INPUT, "schema, json or ret_valid is NULL");
    struct arena arena;
    arena_init(&arena, BLOCK_BYTES, SCHEMA_CHECK_MEMORY_MAX);
    err code = schema_check_text((const struct schema *)schema, json, &arena, ret_valid, why);
    arena_deinit(&arena);
    return code;
}

static err explain(const struct schema *schema, als_str json, struct arena *arena,
                   struct schema_errors *errors, struct als_why *why)
{
    struct json_doc doc;
    TRY(parse(json, arena, &doc, why));
    return schema_explain(schema, &doc, arena, errors, why);
}

enum als_err als_schema_explain(const struct als_schema *schema, als_str json,
                                enum als_schema_output output,
                                void (*give)(void *context, als_str text), void *context,
                                struct als_why *why)
{
    if (!schema || !give || (json.len && !json.ptr))
        return FAIL(why, ALS_INVALID_INPUT, "schema, json or give is NULL");
    if ((unsigned)output > ALS_SCHEMA_DETAILED)
        return FAIL(why, ALS_INVALID_INPUT, "output is no output format");
    struct arena arena;
    arena_init(&arena, BLOCK_BYTES, SCHEMA_CHECK_MEMORY_MAX);
    struct schema_errors errors = {};
    err code = explain((const struct schema *)schema, json, &arena, &errors, why);
    if (code == ALS_OK) {
        struct buf buf;
        struct json_writer writer;
        buf_init(&buf, SCHEMA_CHECK_MEMORY_MAX);
        json_writer_init(&writer, &buf);
        schema_write(&errors, (enum schema_output)output, &writer);
        if (buf_failed(&buf))
            code = FAIL(why, ALS_TOO_LARGE, "explaining takes too much memory");
        else
            give(context, buf_str(&buf));
        buf_deinit(&buf);
    }
    arena_deinit(&arena);
    return code;
}
