// SPDX-License-Identifier: Apache-2.0
// Carrying out a mapping on the payload of one event.
//
// The payload becomes a tree, but only along the paths that are touched: a value is a slice of the
// old text until somebody goes into it, and is copied as it is if nobody does. Memory is the
// caller's arena, so nothing is freed. Recursion is along the segments of a path and the depth of
// what was opened, both bounded.
#include "registry/mapping.h"

#include <stdio.h>

struct value {
    struct value *next; // in its container
    str key;            // of a member, unescaped
    str text;           // JSON, unless it is open
    const struct json_doc *doc;
    const struct json_node *node; // NULL: not parsed yet
    enum json_kind kind;
    bool open; // a container whose children are listed here
    struct value *first, *last;
};

struct reshaping {
    struct arena *arena;
    const struct operation *operation;
    str trouble; // empty: none so far
    bool full;   // the arena
};

static const str star = {"*", 1};

static void trouble(struct reshaping *reshaping, const char *words)
{
    static const char *const names[] = {"rename", "default", "move", "drop", "cast"};
    const struct operation *operation = reshaping->operation;
    char text[256];
    int len = snprintf(text, sizeof text, "%s of %.*s: %s", names[operation->kind],
                       STR(str_first(operation->path.text, 120)), words);
    if (reshaping->trouble.len == 0)
        reshaping->trouble =
            arena_copy(reshaping->arena, (str){text, (size_t)len < sizeof text ? (size_t)len : 0});
    reshaping->full |= reshaping->trouble.ptr == NULL;
}

static bool stopped(const struct reshaping *reshaping)
{
    return reshaping->full || reshaping->trouble.len > 0;
}

// ---- The tree

static struct value *value_new(struct reshaping *reshaping, str text, enum json_kind kind)
{
    struct value *value = ARENA_NEW(reshaping->arena, struct value);
    if (value)
        *value = (struct value){.text = text, .kind = kind};
    else
        reshaping->full = true;
    return value;
}

static enum json_kind kind_of(str text)
{
    switch (text.ptr[0]) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

static void append_child(struct value *container, struct value *child)
{
    child->next = NULL;
    if (container->last)
        container->last->next = child;
    else
        container->first = child;
    container->last = child;
}

static bool parse_value(struct reshaping *reshaping, struct value *value)
{
    struct json_options options = {.depth_max = JSON_DEPTH_CAP, .span_depth = UINT32_MAX};
    struct json_doc *doc = ARENA_NEW(reshaping->arena, struct json_doc);
    if (!doc || json_parse(value->text, options, reshaping->arena, doc, NULL, NULL) != ALS_OK)
        return false;
    value->doc = doc;
    value->node = json_root(doc);
    return true;
}

// Lists the children of a container; false when there is no memory.
static bool open_value(struct reshaping *reshaping, struct value *value)
{
    if (value->open)
        return true;
    if (!value->node && !parse_value(reshaping, value)) {
        reshaping->full = true;
        return false;
    }
    const struct json_doc *doc = value->doc;
    for (const struct json_node *node = json_first(doc, value->node); node;
         node = json_after(doc, value->node, node)) {
        struct value *child = value_new(reshaping, json_span(doc, node), node->kind);
        if (!child)
            return false;
        child->doc = doc;
        child->node = node;
        if (value->kind == JSON_OBJECT)
            child->key = json_key_text(doc, node, reshaping->arena);
        reshaping->full |= value->kind == JSON_OBJECT && !child->key.ptr;
        append_child(value, child);
    }
    value->open = true;
    return true;
}

// The last of a doubled key counts.
static struct value *member(const struct value *object, str key)
{
    struct value *found = NULL;
    for (struct value *child = object->first; child; child = child->next)
        if (str_equal(child->key, key))
            found = child;
    return found;
}

static struct value *element(const struct value *array, str segment)
{
    uint64_t index;
    if (!str_to_u64(segment, &index))
        return NULL;
    struct value *child = array->first;
    while (child && index--)
        child = child->next;
    return child;
}

// The child of an open container, or NULL.
static struct value *child_of(const struct value *container, str segment)
{
    return container->kind == JSON_OBJECT ? member(container, segment)
                                          : element(container, segment);
}

static void detach(struct value *container, const struct value *gone)
{
    struct value *child = container->first;
    container->first = container->last = NULL;
    while (child) {
        struct value *next = child->next;
        if (child != gone)
            append_child(container, child);
        child = next;
    }
}

// All of that name, for the last one hides the others.
static void detach_key(struct value *object, str key)
{
    struct value *child = object->first;
    object->first = object->last = NULL;
    while (child) {
        struct value *next = child->next;
        if (!str_equal(child->key, key))
            append_child(object, child);
        child = next;
    }
}

static void detach_all(struct value *container)
{
    container->first = container->last = NULL;
}

static bool is_container(const struct value *value)
{
    return value->kind == JSON_OBJECT || value->kind == JSON_ARRAY;
}

// Replaces what the value says; its place and its key stay.
static void become(struct value *value, str text)
{
    value->text = text;
    value->kind = kind_of(text);
    value->doc = NULL;
    value->node = NULL;
    value->open = false;
    value->first = value->last = NULL;
}

// The container in which the last segment of `path` stands, made of objects where it is missing.
static struct value *make_parent(struct reshaping *reshaping, struct value *root,
                                 const struct path *path)
{
    struct value *at = root;
    for (uint32_t i = 0; i < path->count; i++) {
        if (!is_container(at)) {
            trouble(reshaping, "what stands on the way is no object");
            return NULL;
        }
        if (!open_value(reshaping, at))
            return NULL;
        if (i == path->count - 1)
            break;
        struct value *child = child_of(at, path->segments[i]);
        if (!child) {
            if (at->kind == JSON_ARRAY) {
                trouble(reshaping, "an array on the way has no such element");
                return NULL;
            }
            if (!(child = value_new(reshaping, S("{}"), JSON_OBJECT)))
                return NULL;
            child->key = path->segments[i];
            append_child(at, child);
        }
        at = child;
    }
    return at;
}

// ---- Casts

static bool is_number(str text)
{
    return text.len && (text.ptr[0] == '-' || (text.ptr[0] >= '0' && text.ptr[0] <= '9')) &&
           json_check(text, 1, NULL) == ALS_OK && text.ptr[text.len - 1] >= '0' &&
           text.ptr[text.len - 1] <= '9';
}

// "12.00" is 12; {NULL, 0} when it is no whole number that we can write without loss.
static str whole(str number)
{
    size_t point = str_find(number, '.');
    for (size_t i = point + 1; i < number.len; i++)
        if (number.ptr[i] != '0')
            return (str){NULL, 0};
    if (str_find(number, 'e') < number.len || str_find(number, 'E') < number.len)
        return (str){NULL, 0};
    return str_first(number, point);
}

static str quoted(struct reshaping *reshaping, str text)
{
    char *bytes = arena_alloc(reshaping->arena, text.len + 2);
    if (!bytes) {
        reshaping->full = true;
        return S("null");
    }
    bytes[0] = bytes[text.len + 1] = '"';
    memcpy(bytes + 1, text.ptr, text.len);
    return (str){bytes, text.len + 2};
}

static void cast_to_string(struct reshaping *reshaping, struct value *value)
{
    if (value->kind != JSON_STRING)
        become(value, quoted(reshaping, value->text));
}

static void cast_to_number(struct reshaping *reshaping, struct value *value, bool integer)
{
    str text = value->text;
    if (value->kind == JSON_STRING)
        text = (str){text.ptr + 1, text.len - 2};
    if (!is_number(text)) {
        trouble(reshaping, "this is no number");
        return;
    }
    if (integer) {
        text = whole(text);
        if (!text.ptr) {
            trouble(reshaping, "this is no whole number");
            return;
        }
    }
    become(value, text);
}

static void cast_to_boolean(struct reshaping *reshaping, struct value *value)
{
    static const str yes[] = {{"\"true\"", 6}, {"\"1\"", 3}, {"1", 1}};
    static const str no[] = {{"\"false\"", 7}, {"\"0\"", 3}, {"0", 1}};
    if (value->kind == JSON_TRUE || value->kind == JSON_FALSE)
        return;
    for (size_t i = 0; i < COUNT_OF(yes); i++)
        if (str_equal(value->text, yes[i]) || str_equal(value->text, no[i])) {
            become(value, str_equal(value->text, yes[i]) ? S("true") : S("false"));
            return;
        }
    trouble(reshaping, "this is neither true nor false");
}

static void cast(struct reshaping *reshaping, struct value *value)
{
    if (value->kind == JSON_NULL)
        return; // nothing stays nothing, whatever its type
    if (is_container(value)) {
        trouble(reshaping, "an object or array has no other type");
        return;
    }
    switch (reshaping->operation->cast) {
    case CAST_STRING:
        cast_to_string(reshaping, value);
        break;
    case CAST_NUMBER:
        cast_to_number(reshaping, value, false);
        break;
    case CAST_INTEGER:
        cast_to_number(reshaping, value, true);
        break;
    case CAST_BOOLEAN:
        cast_to_boolean(reshaping, value);
    }
}

// ---- Operations

static void rename_member(struct reshaping *reshaping, struct value *object, str key)
{
    struct value *child = object->kind == JSON_OBJECT ? member(object, key) : NULL;
    str to = reshaping->operation->key;
    if (!child || str_equal(key, to))
        return;
    if (member(object, to)) {
        trouble(reshaping, "the new name is taken");
        return;
    }
    child->key = to;
    detach_key(object, key);
}

static void set_default(struct reshaping *reshaping, struct value *object, str key)
{
    if (object->kind != JSON_OBJECT || member(object, key))
        return;
    str text = reshaping->operation->value;
    struct value *child = value_new(reshaping, text, kind_of(text));
    if (!child)
        return;
    child->key = key;
    append_child(object, child);
}

// One place where the last segment stands.
static void operate(struct reshaping *reshaping, struct value *container, struct value *child,
                    str segment)
{
    switch (reshaping->operation->kind) {
    case UPCAST_RENAME:
        rename_member(reshaping, container, segment);
        break;
    case UPCAST_DEFAULT:
        set_default(reshaping, container, segment);
        break;
    case UPCAST_DROP:
        if (child && container->kind == JSON_OBJECT)
            detach_key(container, segment);
        else if (child)
            detach(container, child);
        break;
    case UPCAST_CAST:
        if (child)
            cast(reshaping, child);
        break;
    case UPCAST_MOVE:
        break; // has two ends and is not done here
    }
}

// What is missing on the way to a default is made; for all others it means there is nothing to do.
static struct value *missing(struct reshaping *reshaping, struct value *object, str key)
{
    if (reshaping->operation->kind != UPCAST_DEFAULT || object->kind != JSON_OBJECT)
        return NULL;
    struct value *child = value_new(reshaping, S("{}"), JSON_OBJECT);
    if (!child)
        return NULL;
    child->key = key;
    append_child(object, child);
    return child;
}

static void visit(struct reshaping *reshaping, struct value *at, uint32_t depth)
{
    const struct path *path = &reshaping->operation->path;
    if (!is_container(at) || stopped(reshaping) || !open_value(reshaping, at))
        return;
    str segment = path->segments[depth];
    bool last = depth + 1 == path->count;
    bool every = at->kind == JSON_ARRAY && str_equal(segment, star);
    struct value *child = every ? at->first : child_of(at, segment);
    if (!child && !last && !every)
        child = missing(reshaping, at, segment);
    if (last && !every)
        operate(reshaping, at, child, segment);
    if (last && every && reshaping->operation->kind == UPCAST_DROP) {
        detach_all(at);
        return;
    }
    for (; last && every && child; child = child->next)
        operate(reshaping, at, child, segment);
    for (; !last && child; child = every ? child->next : NULL)
        visit(reshaping, child, depth + 1);
}

static void move(struct reshaping *reshaping, struct value *root)
{
    const struct operation *operation = reshaping->operation;
    const struct path *path = &operation->path, *to = &operation->to;
    struct value *source = root, *moved = root;
    for (uint32_t i = 0; i < path->count && moved; i++) {
        source = moved;
        if (!is_container(source))
            return;
        if (!open_value(reshaping, source))
            return;
        moved = child_of(source, path->segments[i]);
    }
    if (!moved)
        return;
    struct value *target = make_parent(reshaping, root, to);
    if (!target)
        return;
    str key = to->segments[to->count - 1];
    if (target->kind != JSON_OBJECT || member(target, key)) {
        trouble(reshaping, target->kind == JSON_OBJECT ? "the new place is taken"
                                                       : "the new place is in an array");
        return;
    }
    if (source->kind == JSON_OBJECT)
        detach_key(source, path->segments[path->count - 1]);
    else
        detach(source, moved);
    moved->key = key;
    append_child(target, moved);
}

// ---- Back to text

static void write_value(struct json_writer *writer, const struct value *value, unsigned depth,
                        struct reshaping *reshaping)
{
    if (depth > JSON_DEPTH_MAX) {
        trouble(reshaping, "the result is nested too deeply");
        return;
    }
    if (!value->open) {
        json_put_raw(writer, value->text);
        return;
    }
    bool object = value->kind == JSON_OBJECT;
    if (object)
        json_open_object(writer);
    else
        json_open_array(writer);
    for (const struct value *child = value->first; child; child = child->next) {
        if (object)
            json_key(writer, child->key);
        write_value(writer, child, depth + 1, reshaping);
    }
    if (object)
        json_close_object(writer);
    else
        json_close_array(writer);
}

static err text_of(struct reshaping *reshaping, const struct value *root, str *ret_text)
{
    struct buf buf;
    struct json_writer writer;
    buf_init(&buf, MIB(128));
    json_writer_init(&writer, &buf);
    write_value(&writer, root, 0, reshaping);
    *ret_text = buf_failed(&buf) ? (str){NULL, 0} : arena_copy(reshaping->arena, buf_str(&buf));
    buf_deinit(&buf);
    return ret_text->ptr ? ALS_OK : ALS_TOO_LARGE;
}

static void take_step(struct reshaping *reshaping, struct value *root, const struct step *step)
{
    for (uint32_t i = 0; i < step->count && !stopped(reshaping); i++) {
        reshaping->operation = &step->operations[i];
        if (reshaping->operation->kind == UPCAST_MOVE)
            move(reshaping, root);
        else
            visit(reshaping, root, 0);
    }
}

err mapping_apply(const struct mapping *mapping, str payload, uint32_t version, uint32_t target,
                  struct arena *arena, struct upcast *ret_upcast)
{
    struct reshaping reshaping = {.arena = arena};
    struct value *root = NULL;
    for (uint32_t i = 0; mapping && i < mapping->count && !stopped(&reshaping); i++) {
        const struct step *step = &mapping->steps[i];
        if (step->from < version || step->from >= target || step->count == 0)
            continue;
        if (!root && !(root = value_new(&reshaping, payload, kind_of(payload))))
            break;
        take_step(&reshaping, root, step);
    }
    struct upcast upcast = {.payload = payload, .version = target};
    if (root && root->open && !stopped(&reshaping))
        TRY(text_of(&reshaping, root, &upcast.payload));
    if (reshaping.full)
        return ALS_TOO_LARGE;
    if (reshaping.trouble.len)
        upcast = (struct upcast){payload, version, reshaping.trouble};
    *ret_upcast = upcast;
    return ALS_OK;
}
