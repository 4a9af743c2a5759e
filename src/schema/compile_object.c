// SPDX-License-Identifier: Apache-2.0
// What restrains objects. All names that `properties` and `required` know stand in one table, which
// is a power of two and at most half full; a multiplier is looked for with which no two of them
// meet, so that a look-up is one comparison. Large sets of names do with few that meet.
#include "schema/compiler.h"

#include "base/bytes.h"
#include "base/rand.h"

enum { MULTIPLIERS_TRIED = 64, MANY = 64 };

static err object_wanted(const struct source *source, enum keyword keyword)
{
    const struct json_node *node = source->found[keyword];
    if (node && node->kind != JSON_OBJECT)
        return refuse_keyword(source, keyword, "expected an object");
    return ALS_OK;
}

// Adds the texts of an array of strings to `names`.
static err add_names(const struct source *source, const struct json_node *array,
                     uint32_t *ret_first, uint32_t *ret_count)
{
    struct compiler *compiler = source->compiler;
    if (array->kind != JSON_ARRAY)
        return refuse_at(compiler, source->place.document, (uint32_t)(array - source->doc->nodes),
                         "expected an array of names");
    *ret_first = compiler->names.count;
    *ret_count = array->count;
    for (const struct json_node *child = json_first(source->doc, array); child;
         child = json_after(source->doc, array, child)) {
        str text;
        TRY(text_of(source, child, &text));
        str *name = LIST_ADD(compiler, &compiler->names, str);
        if (!name)
            return no_room(compiler);
        *name = text;
    }
    return ALS_OK;
}

// ---- The table of names

struct entry {
    str key;
    uint32_t rule;
    bool required;
    uint32_t owner; // the entry of this key that stands first
};

// Tries a multiplier: false when some name would stand further than `probe_max` from its place.
static bool place_entries(struct entry *entries, uint32_t count, uint32_t *places,
                          const struct object_rule *object)
{
    uint32_t mask = (1u << (64 - object->shift)) - 1;
    memset(places, 0xff, ((size_t)mask + 1) * sizeof *places);
    for (uint32_t i = 0; i < count; i++) {
        str key = entries[i].key;
        uint32_t at = name_place(object, text_head(key), text_tail(key), key);
        for (uint32_t probe = 0; places[at] != SLOT_NONE; at = (at + 1) & mask) {
            if (str_equal(entries[places[at]].key, key))
                break;
            if (probe++ == object->probe_max)
                return false;
        }
        if (places[at] == SLOT_NONE)
            places[at] = i;
        entries[i].owner = places[at];
    }
    return true;
}

// Looks for a multiplier with which no two names meet; later tries allow longer ways. Names are not
// secret, and a collision costs little.
static void find_places(struct entry *entries, uint32_t count, uint32_t *places,
                        struct object_rule *object)
{
    struct rand rand = {.state = count};
    object->whole_keys = count > MANY;
    for (uint32_t tried = object->whole_keys ? MULTIPLIERS_TRIED : 0;; tried++) {
        uint32_t allowed = tried < MULTIPLIERS_TRIED ? 0 : tried - MULTIPLIERS_TRIED + 1;
        object->multiplier = rand_next(&rand) | 1;
        object->probe_max = allowed < 16 ? (1u << allowed) - 1 : UINT32_MAX;
        if (place_entries(entries, count, places, object))
            return;
    }
}

static bool is_plain(str key)
{
    for (size_t i = 0; i < key.len; i++)
        if (key.ptr[i] == '"' || key.ptr[i] == '\\' || (unsigned char)key.ptr[i] < ' ')
            return false;
    return true;
}

static err make_text(struct compiler *compiler, str key, struct key_text *ret_text)
{
    enum { AROUND = 3, WORD = sizeof(uint64_t) }; // two quotes and a colon
    *ret_text = (struct key_text){.ptr = NULL};
    if (!is_plain(key))
        return ALS_OK;
    size_t len = key.len + AROUND;
    size_t room = len < WORD ? WORD : len;
    char *bytes = arena_alloc(compiler->keep, room);
    if (!bytes)
        return no_room(compiler);
    memset(bytes, 0, room);
    bytes[0] = bytes[key.len + 1] = '"';
    bytes[key.len + 2] = ':';
    memcpy(bytes + 1, key.ptr, key.len);
    *ret_text = (struct key_text){.ptr = bytes,
                                  .len = len,
                                  .first = load_le64(bytes),
                                  .last = load_le64(bytes + room - WORD),
                                  .unused_bits = (uint8_t)(len < WORD ? 8 * (WORD - len) : 0)};
    return ALS_OK;
}

// A slot for each different name: of a doubled one the last rule counts.
static err make_slots(struct compiler *compiler, struct entry *entries, uint32_t count,
                      struct object_rule *object)
{
    object->slots = compiler->slots.count;
    for (uint32_t i = 0; i < count; i++) {
        struct entry *entry = &entries[i], *owner = &entries[entry->owner];
        if (entry == owner) {
            struct slot *slot = LIST_ADD(compiler, &compiler->slots, struct slot);
            if (!slot)
                return no_room(compiler);
            *slot = (struct slot){.head = text_head(entry->key),
                                  .tail = text_tail(entry->key),
                                  .key = entry->key,
                                  .rule = RULE_NONE,
                                  .required = REQUIRED_NO};
            TRY(make_text(compiler, entry->key, &slot->text));
            entry->owner = object->slot_count++; // by the slot's number from here on
        } else {
            entry->owner = owner->owner;
        }
        struct slot *slot = LIST_AT(compiler->slots, struct slot, object->slots + entry->owner);
        if (entry->rule != RULE_NONE)
            slot->rule = entry->rule;
        if (entry->required && slot->required == REQUIRED_NO) {
            slot->required = object->required_bits++;
            slot->bit = slot->required < 64 ? UINT64_C(1) << slot->required : 0;
        }
    }
    return ALS_OK;
}

static err build_table(struct compiler *compiler, struct entry *entries, uint32_t count,
                       struct object_rule *object)
{
    object->shift = 63;
    while (UINT64_C(1) << (64 - object->shift) < (uint64_t)count * 2)
        object->shift--;
    uint32_t size = 1u << (64 - object->shift);
    object->places = compiler->lists.count;
    for (uint32_t i = 0; i < size; i++)
        if (!LIST_ADD(compiler, &compiler->lists, uint32_t))
            return no_room(compiler);
    uint32_t *places = LIST_AT(compiler->lists, uint32_t, object->places);
    find_places(entries, count, places, object);
    TRY(make_slots(compiler, entries, count, object));
    for (uint32_t i = 0; i < size; i++)
        if (places[i] != SLOT_NONE)
            places[i] = entries[places[i]].owner;
    return ALS_OK;
}

static err compile_names(const struct source *source, struct object_rule *object)
{
    struct compiler *compiler = source->compiler;
    const struct json_node *properties = source->found[KEYWORD_PROPERTIES];
    const struct json_node *required = source->found[KEYWORD_REQUIRED];
    TRY(object_wanted(source, KEYWORD_PROPERTIES));
    if (required)
        TRY(add_names(source, required, &object->required, &object->required_count));
    size_t room = (properties ? properties->count : 0) + object->required_count;
    if (room == 0)
        return ALS_OK;
    struct entry *entries = ARENA_ARRAY(&compiler->scratch, struct entry, room);
    if (!entries)
        return no_room(compiler);
    uint32_t count = 0;
    for (const struct json_node *child = properties ? json_first(source->doc, properties) : NULL;
         child; child = json_after(source->doc, properties, child)) {
        struct entry *entry = &entries[count++];
        *entry = (struct entry){};
        TRY(key_of(source, child, &entry->key));
        TRY(rule_of_node(source, child, &entry->rule));
    }
    for (uint32_t i = 0; i < object->required_count; i++) {
        str name = *LIST_AT(compiler->names, str, object->required + i);
        entries[count++] = (struct entry){.key = name, .rule = RULE_NONE, .required = true};
    }
    return build_table(compiler, entries, count, object);
}

// ---- The others

static err compile_patterns(const struct source *source, struct object_rule *object)
{
    struct compiler *compiler = source->compiler;
    const struct json_node *map = source->found[KEYWORD_PATTERN_PROPERTIES];
    TRY(object_wanted(source, KEYWORD_PATTERN_PROPERTIES));
    object->patterns = compiler->patterns.count;
    for (const struct json_node *child = map ? json_first(source->doc, map) : NULL; child;
         child = json_after(source->doc, map, child)) {
        str text;
        TRY(key_of(source, child, &text));
        struct pattern_property property;
        TRY(pattern_of(source, text, child, &property.pattern));
        TRY(rule_of_node(source, child, &property.rule));
        struct pattern_property *made =
            LIST_ADD(compiler, &compiler->patterns, struct pattern_property);
        if (!made)
            return no_room(compiler);
        *made = property;
        object->pattern_count++;
    }
    return ALS_OK;
}

static err compile_dependencies(const struct source *source, enum keyword keyword,
                                struct object_rule *object)
{
    struct compiler *compiler = source->compiler;
    const struct json_node *map = source->found[keyword];
    TRY(object_wanted(source, keyword));
    for (const struct json_node *child = map ? json_first(source->doc, map) : NULL; child;
         child = json_after(source->doc, map, child)) {
        struct dependency dependency = {.keyword = keyword, .rule = RULE_NONE};
        TRY(key_of(source, child, &dependency.key));
        bool names = keyword == KEYWORD_DEPENDENT_REQUIRED ||
                     (keyword == KEYWORD_DEPENDENCIES && child->kind == JSON_ARRAY);
        if (names)
            TRY(add_names(source, child, &dependency.names, &dependency.name_count));
        else
            TRY(rule_of_node(source, child, &dependency.rule));
        struct dependency *made = LIST_ADD(compiler, &compiler->dependencies, struct dependency);
        if (!made)
            return no_room(compiler);
        *made = dependency;
        object->dependency_count++;
    }
    return ALS_OK;
}

err compile_object(const struct source *source, struct rule *rule)
{
    struct compiler *compiler = source->compiler;
    struct object_rule object = {};
    TRY(compile_names(source, &object));
    TRY(compile_patterns(source, &object));
    TRY(rule_of_keyword(source, KEYWORD_ADDITIONAL_PROPERTIES, &object.additional));
    TRY(rule_of_keyword(source, KEYWORD_PROPERTY_NAMES, &object.property_names));
    object.dependencies = compiler->dependencies.count;
    TRY(compile_dependencies(source, KEYWORD_DEPENDENT_REQUIRED, &object));
    TRY(compile_dependencies(source, KEYWORD_DEPENDENT_SCHEMAS, &object));
    TRY(compile_dependencies(source, KEYWORD_DEPENDENCIES, &object));
    TRY(count_of(source, KEYWORD_MIN_PROPERTIES, 0, &object.min_properties));
    TRY(count_of(source, KEYWORD_MAX_PROPERTIES, UINT64_MAX, &object.max_properties));
    if (!object.slot_count && !object.pattern_count && object.additional == RULE_NONE &&
        object.property_names == RULE_NONE && !object.dependency_count &&
        object.min_properties == 0 && object.max_properties == UINT64_MAX)
        return ALS_OK;
    object.plain =
        !object.pattern_count && object.property_names == RULE_NONE && object.required_bits <= 64;
    object.quick = object.plain && !object.dependency_count && object.min_properties == 0 &&
                   object.max_properties == UINT64_MAX;
    struct object_rule *made = LIST_ADD(compiler, &compiler->objects, struct object_rule);
    if (!made)
        return no_room(compiler);
    *made = object;
    rule->object = compiler->objects.count - 1;
    rule->parts |= PART_OBJECT;
    return ALS_OK;
}
