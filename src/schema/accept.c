// SPDX-License-Identifier: Apache-2.0
// Accepting a text in one pass, without a tape. Most texts that are checked are fine, small, and
// made by programs that write their fields in one order: so the schema says what to expect, and a
// member that comes in its turn is compared with the text as it stands. Scalars are read and asked
// of their leaf, then of their rule. Objects and arrays that a rule looks at as a whole get a tape
// of their own. Whatever is unexpected ends the pass, which then knows nothing: errors are found
// and told by the slower way.
//
// Nothing here is less strict than json_parse() and rule_check(). A member that fails ends the
// pass even if a later one has its key, and what a doubled key requires is required once.
#include "schema/leaf.h"

#include "base/bytes.h"
#include "base/limits.h"

#define HOT static inline __attribute__((always_inline))

enum { ACCEPT_DEPTH_MAX = 16 }; // deeper values get a tape
static_assert((int)ACCEPT_DEPTH_MAX < (int)JSON_DEPTH_MAX &&
                  (int)ACCEPT_DEPTH_MAX < (int)SCHEMA_NESTING_MAX,
              "this pass is never the one that a depth ends");

struct reading {
    struct run run;
    struct json_doc doc; // the text
    const char *end;
    uint32_t depth;
    bool spaced;
};

static const char *take_value(struct reading *reading, const struct frame *frame,
                              const struct leaf *leaf, uint32_t rule, const char *at);

static const char *skip_space(struct reading *reading, const char *at)
{
    const char *behind = json_take_space(at, reading->end);
    reading->spaced |= behind != at;
    return behind;
}

// The byte at `at` with the white space before it passed; NUL at the end.
HOT char next_byte(struct reading *reading, const char **at)
{
    if (__builtin_expect(*at == reading->end || (unsigned char)**at <= ' ', 0))
        *at = skip_space(reading, *at);
    return *at < reading->end ? **at : '\0';
}

// ---- Leaves: behind a value that its leaf takes at once; NULL otherwise, whatever it is

HOT const char *take_string(const struct reading *reading, const struct leaf *leaf, const char *at)
{
    struct json_taken taken = json_take_string(at + 1, reading->end);
    if (!taken.at || !leaf_types(leaf, JSON_STRING))
        return NULL;
    size_t len = (size_t)(taken.at - at) - 2;
    bool accepted =
        leaf_takes_string(reading->run.schema, leaf, at + 1, reading->end, len, taken.escaped);
    return accepted ? taken.at : NULL;
}

HOT const char *take_number(const struct reading *reading, const struct leaf *leaf, const char *at)
{
    int64_t whole;
    bool fraction;
    const char *behind = plain_number(at, reading->end, &whole, &fraction);
    if (!behind || !leaf_types(leaf, JSON_NUMBER))
        return NULL;
    return leaf_takes_number(leaf, whole, fraction) ? behind : NULL;
}

HOT const char *take_leaf(const struct reading *reading, const struct leaf *leaf, const char *at)
{
    if (at == reading->end)
        return NULL;
    char byte = *at;
    if (byte == '"')
        return take_string(reading, leaf, at);
    if ((unsigned)(byte - '0') < 10 || byte == '-')
        return take_number(reading, leaf, at);
    if (byte != 't' && byte != 'f' && byte != 'n')
        return NULL;
    bool typed = leaf_types(leaf, byte == 'n' ? JSON_NULL : JSON_TRUE);
    return typed && leaf->kind != LEAF_WORD ? json_take_literal(at, reading->end) : NULL;
}

// ---- Objects

// Behind the slot's key and its colon, when they stand at `at` as they are; else NULL.
HOT const char *behind_key(const struct reading *reading, const struct slot *slot, const char *at)
{
    const struct key_text *text = &slot->text;
    size_t len = text->len, left = (size_t)(reading->end - at);
    if (left < sizeof(uint64_t) || left < len || !text->ptr)
        return NULL;
    if ((load_le64(at) ^ text->first) << text->unused_bits)
        return NULL;
    if (len > sizeof(uint64_t) && load_le64(at + len - sizeof(uint64_t)) != text->last)
        return NULL;
    bool same = len <= 2 * sizeof(uint64_t) || memcmp(at, text->ptr, len) == 0;
    return same ? at + len : NULL;
}

static const char *take_key(struct reading *reading, const struct object_rule *object,
                            const char *at, const struct slot **ret_slot)
{
    if (next_byte(reading, &at) != '"')
        return NULL;
    struct json_taken taken = json_take_string(at + 1, reading->end);
    if (!taken.at || taken.escaped)
        return NULL;
    const char *behind = taken.at;
    str key = {at + 1, (size_t)(behind - at) - 2};
    if (object->slot_count)
        *ret_slot = slot_find(reading->run.schema, object, text_head(key), text_tail(key), key);
    return next_byte(reading, &behind) == ':' ? behind + 1 : NULL;
}

// Behind the members of an object whose first is at `at`, and its bracket.
static const char *take_members(struct reading *reading, const struct frame *frame, const char *at)
{
    const struct schema *schema = reading->run.schema;
    const struct object_rule *object = &schema->objects[frame->rule->object];
    const struct slot *guess = schema->slots + object->slots, *last = guess + object->slot_count;
    uint32_t additional = object->additional == RULE_NONE ? RULE_TRUE : object->additional;
    uint64_t seen = 0;
    for (;; at++) {
        const struct slot *slot = guess;
        const char *value = guess < last ? behind_key(reading, guess, at) : NULL;
        if (!value) {
            slot = NULL;
            value = take_key(reading, object, at, &slot);
        }
        if (!value)
            return NULL;
        if (slot) {
            guess = slot + 1;
            seen |= slot->bit;
        }
        bool known = slot && slot->rule != RULE_NONE;
        const struct leaf *leaf = known ? &slot->leaf : &schema->leaves[additional];
        at = take_leaf(reading, leaf, value);
        if (!at)
            at = take_value(reading, frame, leaf, known ? slot->rule : additional, value);
        if (!at)
            return NULL;
        if (__builtin_expect(at < reading->end && *at == ',', 1))
            continue;
        char byte = next_byte(reading, &at);
        if (byte == '}')
            return all_required(object, seen) ? at + 1 : NULL;
        if (byte != ',')
            return NULL;
    }
}

static const char *take_object(struct reading *reading, const struct frame *frame, const char *at)
{
    at++;
    if (next_byte(reading, &at) != '}')
        return take_members(reading, frame, at);
    const struct object_rule *object = &reading->run.schema->objects[frame->rule->object];
    return object->required_bits ? NULL : at + 1;
}

// ---- Arrays

static const char *take_items(struct reading *reading, const struct frame *frame, const char *at)
{
    const struct schema *schema = reading->run.schema;
    const struct array_rule *array = &schema->arrays[frame->rule->array];
    uint32_t rest = array->items == RULE_NONE ? RULE_TRUE : array->items;
    uint64_t count = 0;
    for (;; at++, count++) {
        uint32_t rule = count < array->prefix_count ? schema->lists[array->prefix + count] : rest;
        const struct leaf *leaf = &schema->leaves[rule];
        const char *behind = take_leaf(reading, leaf, at);
        at = behind ? behind : take_value(reading, frame, leaf, rule, at);
        if (!at)
            return NULL;
        char byte = next_byte(reading, &at);
        if (byte == ']')
            break;
        if (byte != ',')
            return NULL;
    }
    count++;
    return count >= array->min_items && count <= array->max_items ? at + 1 : NULL;
}

static const char *take_array(struct reading *reading, const struct frame *frame, const char *at)
{
    at++;
    if (next_byte(reading, &at) != ']')
        return take_items(reading, frame, at);
    return reading->run.schema->arrays[frame->rule->array].min_items ? NULL : at + 1;
}

// ---- Any value

static bool rule_accepts(struct reading *reading, const struct frame *frame, uint32_t rule,
                         const struct json_doc *doc, const struct json_node *node)
{
    const struct json_doc *before = reading->run.doc;
    reading->run.doc = doc;
    bool valid = rule_check(&reading->run, frame, KEYWORD_PROPERTIES, rule, node, MARKS_NONE);
    reading->run.doc = before;
    return valid;
}

// A value of which no more is asked than that it is JSON.
static const char *take_any(struct reading *reading, const char *at)
{
    bool spaced = false;
    at = json_take_value(at, reading->end, JSON_DEPTH_MAX - reading->depth, &spaced);
    reading->spaced |= spaced;
    return at;
}

static const char *take_with_tape(struct reading *reading, const struct frame *frame, uint32_t rule,
                                  const char *at)
{
    const char *behind = take_any(reading, at);
    if (!behind || rule == RULE_FALSE)
        return NULL;
    struct json_options options = {.span_depth = UINT32_MAX};
    struct json_doc doc;
    str text = {at, (size_t)(behind - at)};
    if (json_parse(text, options, reading->run.work.arena, &doc, NULL, NULL) != ALS_OK)
        return NULL;
    return rule_accepts(reading, frame, rule, &doc, json_root(&doc)) ? behind : NULL;
}

static const char *take_container(struct reading *reading, const struct frame *up,
                                  const struct leaf *leaf, uint32_t index, const char *at)
{
    enum json_kind kind = *at == '{' ? JSON_OBJECT : JSON_ARRAY;
    if (leaf_types(leaf, kind) && leaf->kind != LEAF_WORD)
        return take_any(reading, at);
    if (leaf->kind != LEAF_DEEP || reading->depth == ACCEPT_DEPTH_MAX)
        return take_with_tape(reading, up, index, at);
    const struct rule *rule = &reading->run.schema->rules[leaf->rule];
    struct frame frame = {up, rule, KEYWORD_PROPERTIES};
    if (!(rule->types >> kind & 1))
        return NULL;
    if (!(rule->parts & (kind == JSON_OBJECT ? PART_OBJECT : PART_ARRAY)))
        return take_any(reading, at);
    reading->depth++;
    at = kind == JSON_OBJECT ? take_object(reading, &frame, at) : take_array(reading, &frame, at);
    reading->depth--;
    return at;
}

// A scalar that its leaf did not take: its rule is asked.
static const char *take_scalar(struct reading *reading, const struct frame *frame, uint32_t rule,
                               const char *at)
{
    struct json_node node = {.kind = JSON_STRING};
    struct json_taken taken = {NULL, false};
    if (*at == '"') {
        taken = json_take_string(at + 1, reading->end);
    } else if (*at == '-' || (unsigned)(*at - '0') < 10) {
        node.kind = JSON_NUMBER;
        taken.at = json_take_number(at, reading->end);
    } else {
        node.kind = *at == 't' ? JSON_TRUE : *at == 'f' ? JSON_FALSE : JSON_NULL;
        taken.at = json_take_literal(at, reading->end);
    }
    if (!taken.at)
        return NULL;
    node.escaped = taken.escaped;
    node.start = (uint32_t)(at - reading->doc.text.ptr);
    node.len = (uint32_t)(taken.at - at);
    return rule_accepts(reading, frame, rule, &reading->doc, &node) ? taken.at : NULL;
}

static const char *take_value(struct reading *reading, const struct frame *frame,
                              const struct leaf *leaf, uint32_t rule, const char *at)
{
    char byte = next_byte(reading, &at);
    if (byte == '{' || byte == '[')
        return take_container(reading, frame, leaf, rule, at);
    if (byte == '\0')
        return NULL;
    const char *behind = take_leaf(reading, leaf, at);
    return behind ? behind : take_scalar(reading, frame, rule, at);
}

bool schema_accepts(const struct schema *schema, str text, struct arena *arena, bool *ret_spaced)
{
    uint32_t root = schema->root;
    const struct leaf *leaf = &schema->leaves[root];
    if (leaf->kind == LEAF_NONE || text.len > UINT32_MAX)
        return false;
    struct reading reading = {.doc = {.text = text}, .end = text.ptr + text.len};
    reading.run = run_begin(schema, &reading.doc, arena);
    const char *at = take_value(&reading, NULL, leaf, root, text.ptr);
    if (!at || next_byte(&reading, &at) != '\0' || at < reading.end || run_over(&reading.run))
        return false;
    *ret_spaced = reading.spaced;
    return true;
}
