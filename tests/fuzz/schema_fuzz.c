// SPDX-License-Identifier: Apache-2.0
// Any bytes as a schema, a zero byte, and a value: the quick answer and the explained one agree,
// what is accepted in one pass is accepted from the tape, every error can be written and located,
// and what compiles once compiles again from its canonical text.
#include "base/limits.h"
#include "schema/schema.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_errors(const struct schema_errors *errors, struct arena *arena)
{
    for (uint32_t i = 0; i < errors->count; i++) {
        const struct schema_error *error = &errors->items[i];
        assert(error->parent == UINT32_MAX || error->parent < i);
        assert(error->message.len > 0 && str_is_utf8(error->message));
        assert(str_is_utf8(error->instance) && str_is_utf8(error->location));
    }
    for (int output = SCHEMA_OUTPUT_FLAG; output <= SCHEMA_OUTPUT_DETAILED; output++) {
        struct buf buf;
        struct json_writer writer;
        buf_init(&buf, 1 << 26);
        json_writer_init(&writer, &buf);
        schema_write(errors, (enum schema_output)output, &writer);
        assert(buf_failed(&buf) || json_check(buf_str(&buf), JSON_DEPTH_CAP, NULL) == ALS_OK);
        buf_deinit(&buf);
    }
    (void)arena;
}

static bool check_value(const struct schema *schema, const struct json_doc *doc,
                        struct arena *arena, bool *ret_valid)
{
    struct als_why why = {};
    struct schema_errors errors = {};
    err quick = schema_check(schema, doc, arena, ret_valid, &why);
    err slow = schema_explain(schema, doc, arena, &errors, &why);
    // Explaining goes on where the quick answer stops, so it may be the only one to run out of
    // steps.
    assert(quick == ALS_OK || quick == ALS_TOO_LARGE);
    assert(slow == ALS_OK || slow == ALS_TOO_LARGE);
    if (slow == ALS_OK)
        check_errors(&errors, arena);
    if (quick != ALS_OK || slow != ALS_OK)
        return false;
    assert(*ret_valid == (errors.count == 0));
    return true;
}

static void check_accepted(const struct schema *schema, str text, struct arena *arena)
{
    struct json_options options = {.span_depth = UINT32_MAX};
    struct json_doc doc;
    bool spaced, valid;
    if (!schema_accepts(schema, text, arena, &spaced))
        return;
    assert(json_parse(text, options, arena, &doc, NULL, NULL) == ALS_OK);
    err code = schema_check(schema, &doc, arena, &valid, NULL);
    assert(code == ALS_TOO_LARGE || (code == ALS_OK && valid));
    char *small = malloc(text.len);
    assert(small && spaced == (json_minify(text, small) != text.len));
    free(small);
}

static void check_again(str text, const struct json_doc *doc, bool valid, struct arena *arena)
{
    struct schema_options options = {.assert_formats = true, .trusted = true};
    str canonical;
    bool again;
    AUTO(schema) schema = NULL;
    if (schema_canonical(text, arena, &canonical, NULL) != ALS_OK ||
        schema_compile(canonical, &options, &schema, NULL) != ALS_OK)
        return; // sorted keys may be too deep in memory, no more
    if (check_value(schema, doc, arena, &again))
        assert(again == valid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size + 1);
    assert(bytes);
    if (size)
        memcpy(bytes, data, size);
    str value = {bytes, size};
    str text = str_cut(&value, '\0');
    struct arena arena;
    arena_init(&arena, 1 << 16, 1 << 26);
    struct schema_options options = {.assert_formats = true};
    struct json_options parse = {.depth_max = JSON_DEPTH_CAP, .span_depth = UINT32_MAX};
    struct json_doc doc;
    struct als_why why = {};
    bool valid;
    AUTO(schema) schema = NULL;
    if (schema_compile(text, &options, &schema, &why) == ALS_OK) {
        check_accepted(schema, value, &arena);
        if (json_parse(value, parse, &arena, &doc, NULL, NULL) == ALS_OK &&
            check_value(schema, &doc, &arena, &valid))
            check_again(text, &doc, valid, &arena);
    } else {
        assert(why.text[0] != '\0');
    }
    arena_deinit(&arena);
    free(bytes);
    return 0;
}
