// SPDX-License-Identifier: Apache-2.0
// The output formats of 2020-12, section 12.4. Annotations are not listed: nobody asked for them.
#include "schema/schema.h"

bool schema_output_named(str name, enum schema_output *ret_output)
{
    static const char *const names[] = {"flag", "basic", "detailed"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_equal(str_of(names[i]), name)) {
            *ret_output = (enum schema_output)i;
            return true;
        }
    return false;
}

static void write_fields(const struct schema_error *error, struct json_writer *writer)
{
    json_key(writer, S("valid"));
    json_put_bool(writer, false);
    json_field_string(writer, S("keywordLocation"), error->location);
    if (error->absolute.len)
        json_field_string(writer, S("absoluteKeywordLocation"), error->absolute);
    json_field_string(writer, S("instanceLocation"), error->instance);
    json_field_string(writer, S("keyword"), error->keyword);
    json_field_string(writer, S("error"), error->message);
}

static void write_flat(const struct schema_errors *errors, struct json_writer *writer)
{
    json_key(writer, S("errors"));
    json_open_array(writer);
    for (uint32_t i = 0; i < errors->count; i++) {
        json_open_object(writer);
        write_fields(&errors->items[i], writer);
        json_close_object(writer);
    }
    json_close_array(writer);
}

// A parent stands before its children and these together, so the open ones are a path: what does
// not belong to the last of it closes it. Its depth is bounded by the number of errors.
static void write_tree(const struct schema_errors *errors, struct json_writer *writer)
{
    uint32_t open = UINT32_MAX;
    json_key(writer, S("errors"));
    json_open_array(writer);
    for (uint32_t i = 0; i < errors->count; i++) {
        const struct schema_error *error = &errors->items[i];
        for (; open != error->parent && open != UINT32_MAX; open = errors->items[open].parent) {
            json_close_array(writer);
            json_close_object(writer);
        }
        json_open_object(writer);
        write_fields(error, writer);
        bool parent = i + 1 < errors->count && errors->items[i + 1].parent == i;
        if (parent) {
            json_key(writer, S("errors"));
            json_open_array(writer);
            open = i;
        } else {
            json_close_object(writer);
        }
    }
    for (; open != UINT32_MAX; open = errors->items[open].parent) {
        json_close_array(writer);
        json_close_object(writer);
    }
    json_close_array(writer);
}

void schema_write(const struct schema_errors *errors, enum schema_output output,
                  struct json_writer *writer)
{
    bool valid = errors->count == 0;
    json_open_object(writer);
    json_key(writer, S("valid"));
    json_put_bool(writer, valid);
    if (!valid && output == SCHEMA_OUTPUT_BASIC)
        write_flat(errors, writer);
    if (!valid && output == SCHEMA_OUTPUT_DETAILED)
        write_tree(errors, writer);
    json_close_object(writer);
}
