// SPDX-License-Identifier: Apache-2.0
// What is wrong, and where. The same run that answers records its failures here; what it records is
// taken back where it turns out not to count. Locations are found only when something has failed.
#include "schema/check.h"

#include "base/limits.h"
#include "schema/location.h"

#include <stdarg.h>
#include <stdio.h>

enum { MESSAGE_BYTES_MAX = 1 << 16, VALUE_BYTES_MAX = 120 };

struct explanation {
    struct arena *arena;
    struct schema_error errors[SCHEMA_ERRORS_MAX];
    uint32_t count;
    bool more;
    uint32_t parent;
    const struct json_node *name, *name_object; // a member's name that is being checked
};

str explain_value(const struct run *run, const struct frame *frame, enum keyword keyword)
{
    const struct json_doc *doc = &run->schema->documents[frame->rule->document].doc;
    const struct json_node *node =
        json_member(doc, &doc->nodes[frame->rule->node], keyword_text(keyword));
    str span = json_span(doc, node);
    if (span.len > VALUE_BYTES_MAX) { // not within a character
        span.len = VALUE_BYTES_MAX;
        while (span.len && ((unsigned char)span.ptr[span.len] & 0xc0) == 0x80)
            span.len--;
    }
    return span;
}

void explain_name(struct run *run, const struct json_node *object, const struct json_node *name)
{
    run->explanation->name_object = object;
    run->explanation->name = name;
}

// ---- Where

// The way through the schemas: where a frame's schema stands in the one that applied it.
static void put_path(const struct run *run, const struct frame *frame, struct buf *buf)
{
    const struct frame *way[SCHEMA_NESTING_MAX + 2];
    size_t count = 0;
    for (const struct frame *at = frame; at && count < COUNT_OF(way); at = at->up)
        way[count++] = at;
    for (; count > 0; count--) {
        const struct frame *at = way[count - 1];
        bool reference = at->via == KEYWORD_REF || at->via == KEYWORD_DYNAMIC_REF;
        if (!at->up)
            continue;
        if (reference) {
            buf_put_char(buf, '/');
            buf_put_str(buf, keyword_text(at->via));
            continue;
        }
        const struct json_doc *doc = &run->schema->documents[at->rule->document].doc;
        location_put(doc, &doc->nodes[at->up->rule->node], &doc->nodes[at->rule->node], buf);
    }
}

static bool led_by_reference(const struct frame *frame)
{
    for (; frame; frame = frame->up)
        if (frame->via == KEYWORD_REF || frame->via == KEYWORD_DYNAMIC_REF)
            return true;
    return false;
}

static void put_keyword(enum keyword keyword, struct buf *buf)
{
    if (keyword == KEYWORD_FALSE)
        return; // the schema itself is the location
    buf_put_char(buf, '/');
    buf_put_str(buf, keyword_text(keyword));
}

static void put_absolute(const struct run *run, const struct rule *rule, struct buf *buf)
{
    const struct resource *resource = &run->schema->resources[rule->resource];
    const struct json_doc *doc = &run->schema->documents[rule->document].doc;
    bool within = resource->document == rule->document;
    buf_put_str(buf, resource->uri);
    buf_put_char(buf, '#');
    location_put(doc, &doc->nodes[within ? resource->node : 0], &doc->nodes[rule->node], buf);
}

static const struct json_node *instance_of(const struct run *run, const struct json_node *node)
{
    return node == run->explanation->name ? run->explanation->name_object : node;
}

// ---- Records

// Copies what was written, or ends the run; empties the buffer.
static str take(struct run *run, struct buf *buf)
{
    str copy = buf_failed(buf) ? (str){NULL, 0} : arena_copy(run->explanation->arena, buf_str(buf));
    if (!copy.ptr) {
        run->work.steps = 0;
        run->work.full = true;
    }
    buf_reset(buf);
    return copy;
}

static void put_message(struct run *run, const struct json_node *node, struct buf *buf)
{
    location_put_dotted(run->doc, instance_of(run, node), buf);
    if (node != run->explanation->name)
        return;
    buf_put_str(buf, S("Field name "));
    str name = json_span(run->doc, node);
    buf_put_str(buf, str_first(name, VALUE_BYTES_MAX));
    buf_put_str(buf, S(": "));
}

static struct schema_error *record(struct run *run, const struct frame *frame,
                                   const struct json_node *node, enum keyword keyword,
                                   struct buf *buf)
{
    struct explanation *explanation = run->explanation;
    if (explanation->count == SCHEMA_ERRORS_MAX) {
        explanation->more = true;
        return NULL;
    }
    struct schema_error *error = &explanation->errors[explanation->count++];
    *error = (struct schema_error){.parent = explanation->parent};
    bool named = keyword != KEYWORD_FALSE || frame->up == NULL;
    error->keyword = keyword_text(named ? keyword : frame->via);
    location_put(run->doc, json_root(run->doc), instance_of(run, node), buf);
    error->instance = take(run, buf);
    put_path(run, frame, buf);
    put_keyword(keyword, buf);
    error->location = take(run, buf);
    if (led_by_reference(frame)) {
        put_absolute(run, frame->rule, buf);
        put_keyword(keyword, buf);
        error->absolute = take(run, buf);
    }
    put_message(run, node, buf);
    return error;
}

bool explain_failure(struct run *run, const struct frame *frame, const struct json_node *node,
                     enum keyword keyword, const char *format, ...)
{
    if (run_over(run))
        return false;
    struct buf buf;
    buf_init(&buf, MIB(4));
    struct schema_error *error = record(run, frame, node, keyword, &buf);
    if (error) {
        char words[512];
        va_list arguments;
        va_start(arguments, format);
        int len = vsnprintf(words, sizeof words, format, arguments);
        va_end(arguments);
        str text = {words, len < 0 ? 0 : strlen(words)};
        while (text.len && !str_is_utf8(text)) // was cut within a character
            text.len--;
        buf_put_str(&buf, text);
        error->message = take(run, &buf);
    }
    buf_deinit(&buf);
    return false;
}

struct explain_point explain_point(const struct run *run)
{
    const struct explanation *explanation = run->explanation;
    return (struct explain_point){explanation->count, explanation->parent, explanation->more};
}

void explain_forget(struct run *run, struct explain_point point)
{
    run->explanation->count = point.count;
    run->explanation->parent = point.parent;
    run->explanation->more = point.more;
}

struct explain_point explain_open(struct run *run, const struct frame *frame,
                                  const struct json_node *node, enum keyword keyword)
{
    struct explain_point point = explain_point(run);
    (void)explain_failure(run, frame, node, keyword, "%s", ""); // its words come later
    if (run->explanation->count > point.count)
        run->explanation->parent = point.count;
    return point;
}

void explain_close(struct run *run, struct explain_point point, const char *format, ...)
{
    struct explanation *explanation = run->explanation;
    bool there = explanation->parent == point.count && explanation->count > point.count;
    explanation->parent = point.parent;
    if (!there || run_over(run))
        return;
    struct schema_error *error = &explanation->errors[point.count];
    struct buf buf;
    buf_init(&buf, MIB(4));
    char words[200];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(words, sizeof words, format, arguments); // our own words, which fit
    va_end(arguments);
    buf_put_str(&buf, error->message);
    buf_put_str(&buf, str_of(words));
    error->message = take(run, &buf);
    buf_deinit(&buf);
}

// ---- The door

err schema_explain_node(const struct schema *schema, const struct json_doc *doc,
                        const struct json_node *node, struct arena *arena,
                        struct schema_errors *ret_errors, struct als_why *why)
{
    struct explanation *explanation = ARENA_NEW(arena, struct explanation);
    if (!explanation)
        return FAIL(why, ALS_TOO_LARGE, "explaining takes too much memory");
    *explanation = (struct explanation){.arena = arena, .parent = UINT32_MAX};
    struct run run = run_begin(schema, doc, arena);
    run.explanation = explanation;
    bool valid = rule_check(&run, NULL, KEYWORD_FALSE, schema->root, node, MARKS_NONE);
    TRY(run_end(&run, why));
    assert(valid == (explanation->count == 0));
    *ret_errors =
        (struct schema_errors){explanation->errors, explanation->count, explanation->more};
    return ALS_OK;
}

err schema_explain(const struct schema *schema, const struct json_doc *doc, struct arena *arena,
                   struct schema_errors *ret_errors, struct als_why *why)
{
    return schema_explain_node(schema, doc, json_root(doc), arena, ret_errors, why);
}
