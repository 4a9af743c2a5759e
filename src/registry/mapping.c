// SPDX-License-Identifier: Apache-2.0
// Reading a mapping. Everything that can be wrong with it is found here, at the registration, so
// that carrying it out can only fail because of an event.
#include "registry/mapping.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAPPING_BLOCK_BYTES = 4 << 10 };
#define MAPPING_BYTES_MAX MIB(4)

void mapping_ref(struct mapping *mapping)
{
    atomic_fetch_add_explicit(&mapping->refs, 1, memory_order_relaxed);
}

void mapping_unref(struct mapping *mapping)
{
    if (!mapping || atomic_fetch_sub(&mapping->refs, 1) != 1)
        return;
    arena_deinit(&mapping->arena);
    free(mapping);
}

uint32_t mapping_unversioned(const struct mapping *mapping)
{
    return mapping ? mapping->unversioned : 0;
}

// ---- Reading

struct reading {
    struct mapping *mapping;
    struct json_doc doc;
    const struct json_node *step, *operation; // where we are; NULL: nowhere yet
    uint32_t step_index, operation_index;
    struct als_why *why;
};

static err wrong(const struct reading *reading, const char *text)
{
    if (reading->operation)
        return FAIL(reading->why, ALS_VALIDATION, "steps[%u].operations[%u]: %s",
                    reading->step_index, reading->operation_index, text);
    if (reading->step)
        return FAIL(reading->why, ALS_VALIDATION, "steps[%u]: %s", reading->step_index, text);
    return FAIL(reading->why, ALS_VALIDATION, "upcasts: %s", text);
}

static err no_memory(const struct reading *reading)
{
    return FAIL(reading->why, ALS_NO_MEMORY, "the upcasts");
}

static const struct json_node *field(const struct reading *reading, const char *name)
{
    const struct json_node *object = reading->operation ? reading->operation
                                     : reading->step    ? reading->step
                                                        : json_root(&reading->doc);
    return json_member(&reading->doc, object, str_of(name));
}

// A required string.
static err read_text(const struct reading *reading, const char *name, str *ret_text)
{
    const struct json_node *node = field(reading, name);
    if (!node || node->kind != JSON_STRING) {
        char text[64];
        (void)snprintf(text, sizeof text, "needs the string `%.30s`", name); // all are shorter
        return wrong(reading, text);
    }
    *ret_text = json_text(&reading->doc, node, &reading->mapping->arena);
    return ret_text->ptr ? ALS_OK : no_memory(reading);
}

// "~1" is '/', "~0" is '~'; false for any other.
static bool unescape_segment(str *segment, struct arena *arena)
{
    str text = arena_copy(arena, *segment);
    if (!text.ptr)
        return false;
    char *target = (char *)text.ptr; // our own copy
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '~') {
            char code = ++i < text.len ? text.ptr[i] : 'x';
            if (code != '0' && code != '1')
                return false;
            c = code == '0' ? '~' : '/';
        }
        target[len++] = c;
    }
    *segment = (str){text.ptr, len};
    return true;
}

static err read_path(const struct reading *reading, const char *name, struct path *ret_path)
{
    struct path path = {.count = 0};
    TRY(read_text(reading, name, &path.text));
    str rest = path.text;
    if (rest.len == 0 || rest.ptr[0] != '/')
        return wrong(reading, "a path begins with '/'");
    while (rest.len) {
        rest = str_from(rest, 1);
        size_t len = str_find(rest, '/');
        str segment = str_first(rest, len);
        rest = str_from(rest, len);
        if (path.count == UPCAST_SEGMENTS_MAX)
            return wrong(reading, "a path has too many segments");
        if (!unescape_segment(&segment, &reading->mapping->arena))
            return wrong(reading, "in a path '~' is written \"~0\" and '/' is written \"~1\"");
        path.segments[path.count++] = segment;
    }
    *ret_path = path;
    return ALS_OK;
}

static err read_move(const struct reading *reading, struct operation *operation)
{
    TRY(read_path(reading, "to", &operation->to));
    const struct path *path = &operation->path, *to = &operation->to;
    uint32_t shared = 0;
    while (shared < path->count && shared < to->count &&
           str_equal(path->segments[shared], to->segments[shared]))
        shared++;
    if (shared == path->count)
        return wrong(reading, "a value cannot be moved into itself");
    return ALS_OK;
}

static err read_cast(const struct reading *reading, struct operation *operation)
{
    static const str casts[] = {[CAST_STRING] = {"string", 6},
                                [CAST_NUMBER] = {"number", 6},
                                [CAST_INTEGER] = {"integer", 7},
                                [CAST_BOOLEAN] = {"boolean", 7}};
    str name;
    TRY(read_text(reading, "to", &name));
    for (unsigned i = 0; i < COUNT_OF(casts); i++)
        if (str_equal(casts[i], name)) {
            operation->cast = (enum cast_kind)i;
            return ALS_OK;
        }
    return wrong(reading, "`to` is one of string, number, integer, boolean");
}

static err read_value(const struct reading *reading, struct operation *operation)
{
    const struct json_node *value = field(reading, "value");
    if (!value)
        return wrong(reading, "needs a `value`");
    str span = json_span(&reading->doc, value);
    char *text = arena_alloc(&reading->mapping->arena, span.len + 1);
    if (!text)
        return no_memory(reading);
    operation->value = (str){text, json_minify(span, text)};
    return ALS_OK;
}

static err read_operation(const struct reading *reading, struct operation *ret_operation)
{
    static const str kinds[] = {[UPCAST_RENAME] = {"rename", 6},
                                [UPCAST_DEFAULT] = {"default", 7},
                                [UPCAST_MOVE] = {"move", 4},
                                [UPCAST_DROP] = {"drop", 4},
                                [UPCAST_CAST] = {"cast", 4}};
    struct operation operation = {.kind = COUNT_OF(kinds)};
    if (reading->operation->kind != JSON_OBJECT)
        return wrong(reading, "an operation is an object");
    str name;
    TRY(read_text(reading, "op", &name));
    for (unsigned i = 0; i < COUNT_OF(kinds); i++)
        if (str_equal(kinds[i], name))
            operation.kind = (enum operation_kind)i;
    if ((unsigned)operation.kind == COUNT_OF(kinds))
        return wrong(reading, "`op` is one of rename, default, move, drop, cast");
    TRY(read_path(reading, "path", &operation.path));
    if (operation.kind == UPCAST_RENAME)
        TRY(read_text(reading, "to", &operation.key));
    if (operation.kind == UPCAST_DEFAULT)
        TRY(read_value(reading, &operation));
    if (operation.kind == UPCAST_MOVE)
        TRY(read_move(reading, &operation));
    if (operation.kind == UPCAST_CAST)
        TRY(read_cast(reading, &operation));
    *ret_operation = operation;
    return ALS_OK;
}

static err read_version(const struct reading *reading, const char *name, const char *words,
                        uint32_t *ret_version)
{
    const struct json_node *node = field(reading, name);
    uint64_t number;
    if (!node || node->kind != JSON_NUMBER ||
        !json_to_u64(json_span(&reading->doc, node), &number) || number == 0 ||
        number > SUBJECT_VERSIONS_MAX)
        return wrong(reading, words);
    *ret_version = (uint32_t)number;
    return ALS_OK;
}

static err read_operations(struct reading *reading, struct step *step)
{
    const struct json_node *list = field(reading, "operations");
    if (!list || list->kind != JSON_ARRAY || list->count > UPCAST_OPERATIONS_MAX)
        return wrong(reading, "needs `operations`, an array of at most 100");
    static_assert(UPCAST_OPERATIONS_MAX == 100, "the words say so");
    struct operation *operations =
        ARENA_ARRAY(&reading->mapping->arena, struct operation, list->count + 1);
    if (!operations)
        return no_memory(reading);
    uint32_t count = 0;
    for (const struct json_node *item = json_first(&reading->doc, list); item;
         item = json_after(&reading->doc, list, item)) {
        reading->operation = item;
        reading->operation_index = count;
        TRY(read_operation(reading, &operations[count++]));
    }
    reading->operation = NULL;
    step->operations = operations;
    step->count = count;
    return ALS_OK;
}

static err read_step(struct reading *reading)
{
    struct mapping *mapping = reading->mapping;
    struct step step = {.from = 0};
    if (reading->step->kind != JSON_OBJECT)
        return wrong(reading, "a step is an object");
    TRY(read_version(reading, "from", "needs `from`, the version that it starts at", &step.from));
    TRY(read_operations(reading, &step));
    uint32_t at = mapping->count;
    for (; at > 0 && mapping->steps[at - 1].from > step.from; at--)
        mapping->steps[at] = mapping->steps[at - 1];
    mapping->steps[at] = step;
    mapping->count++;
    if (at > 0 && mapping->steps[at - 1].from == step.from)
        return wrong(reading, "there is another step from the same version");
    return ALS_OK;
}

static err read_steps(struct reading *reading)
{
    struct mapping *mapping = reading->mapping;
    const struct json_node *root = json_root(&reading->doc), *list = field(reading, "steps");
    if (root->kind != JSON_OBJECT || !list || list->kind != JSON_ARRAY ||
        list->count > SUBJECT_VERSIONS_MAX)
        return wrong(reading, "an object with `steps`, an array of at most 1000");
    static_assert(SUBJECT_VERSIONS_MAX == 1000, "the words say so");
    const struct json_node *unversioned = field(reading, "unversioned");
    if (unversioned && unversioned->kind != JSON_NULL)
        TRY(read_version(reading, "unversioned", "`unversioned` is the number of a version",
                         &mapping->unversioned));
    mapping->steps = ARENA_ARRAY(&mapping->arena, struct step, list->count + 1);
    if (!mapping->steps)
        return no_memory(reading);
    for (const struct json_node *item = json_first(&reading->doc, list); item;
         item = json_after(&reading->doc, list, item)) {
        reading->step = item;
        reading->step_index = mapping->count;
        TRY(read_step(reading));
    }
    return ALS_OK;
}

static struct mapping *mapping_new(void)
{
    struct mapping *mapping = calloc(1, sizeof *mapping);
    if (!mapping)
        return NULL;
    mapping->refs = 1;
    arena_init(&mapping->arena, MAPPING_BLOCK_BYTES, MAPPING_BYTES_MAX);
    return mapping;
}

err mapping_read(str text, struct mapping **ret_mapping, struct als_why *why)
{
    if (text.len > UPCAST_BYTES_MAX)
        return FAIL(why, ALS_TOO_LARGE, "the upcasts of a subject are at most %d bytes, got %zu",
                    UPCAST_BYTES_MAX, text.len);
    AUTO(mapping) mapping = mapping_new();
    if (!mapping)
        return FAIL(why, ALS_NO_MEMORY, "the upcasts");
    struct reading reading = {.mapping = mapping, .why = why};
    str kept = arena_copy(&mapping->arena, text); // names are slices of it
    struct json_options options = {.span_depth = UINT32_MAX};
    TRY(json_parse(kept, options, &mapping->arena, &reading.doc, NULL, why));
    TRY(read_steps(&reading));
    *ret_mapping = MOVE(mapping);
    return ALS_OK;
}
