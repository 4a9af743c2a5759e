// SPDX-License-Identifier: Apache-2.0
// Objects. One pass over the members: each key is looked up among the names that the schema knows,
// tried by the patterns, and what neither knows is additional. A name that was met leaves its bit,
// so that what is required is one comparison at the end.
//
// Of a doubled key the last one counts. Nobody pays for that but who doubles keys: a member that
// fails is asked whether a later one has its key, and if so the failure is forgotten.
#include "schema/check.h"

struct members {
    struct run *run;
    const struct frame *frame;
    const struct object_rule *object;
    const struct json_node *node;
    marks set;
};

bool member_check(struct run *run, const struct frame *frame, enum keyword via, uint32_t rule,
                  const struct json_node *parent, const struct json_node *child)
{
    struct explain_point point = {};
    if (run->explanation)
        point = explain_point(run);
    if (rule_check(run, frame, via, rule, child, MARKS_NONE))
        return true;
    if (parent->kind != JSON_OBJECT ||
        !value_is_shadowed((struct value){run->doc, parent}, child, &run->work))
        return false;
    if (run->explanation)
        explain_forget(run, point);
    return true;
}

static bool name_check(struct members *members, const struct json_node *member)
{
    struct run *run = members->run;
    struct json_node name = {
        .kind = JSON_STRING,
        .start = member->key_start - 1,
        .len = member->key_len + 2,
        .escaped = member->key_escaped,
    };
    if (run->explanation)
        explain_name(run, members->node, &name);
    bool valid = rule_check(run, members->frame, KEYWORD_PROPERTY_NAMES,
                            members->object->property_names, &name, MARKS_NONE);
    if (run->explanation)
        explain_name(run, NULL, NULL);
    return valid;
}

// Patterns and additionalProperties, for a member that may be `known` by its name.
static bool others_check(struct members *members, const struct json_node *member, bool *known)
{
    struct run *run = members->run;
    const struct object_rule *object = members->object;
    bool valid = true;
    if (object->pattern_count) {
        struct json_node name = {.start = member->key_start - 1,
                                 .len = member->key_len + 2,
                                 .escaped = member->key_escaped};
        for (uint32_t i = 0; i < object->pattern_count && (valid || run->explanation); i++) {
            const struct pattern_property *property = &run->schema->patterns[object->patterns + i];
            str key = run_text(run, &name); // again, for a check uses the same room
            if (!key.ptr || !pattern_matches(property->pattern, key, &run->work))
                continue;
            *known = true;
            valid &= member_check(run, members->frame, KEYWORD_PATTERN_PROPERTIES, property->rule,
                                  members->node, member);
        }
    }
    if (*known || object->additional == RULE_NONE)
        return valid;
    *known = true;
    return member_check(run, members->frame, KEYWORD_ADDITIONAL_PROPERTIES, object->additional,
                        members->node, member) &&
           valid;
}

// *ret_slot: what the schema knows of its name, or NULL.
static bool one_check(struct members *members, const struct json_node *member, uint32_t index,
                      const struct slot **ret_slot)
{
    struct run *run = members->run;
    const struct object_rule *object = members->object;
    const struct slot *slot = name_find(run, object, member);
    bool known = slot && slot->rule != RULE_NONE, valid = true;
    *ret_slot = slot;
    if (known && slot->rule != RULE_TRUE)
        valid = member_check(run, members->frame, KEYWORD_PROPERTIES, slot->rule, members->node,
                             member);
    if (object->pattern_count || (!known && object->additional != RULE_NONE))
        if (valid || run->explanation)
            valid &= others_check(members, member, &known);
    if (members->set != MARKS_NONE && known)
        marks_add(run, members->set, index);
    if (object->property_names != RULE_NONE && (valid || run->explanation))
        valid &= name_check(members, member);
    return valid;
}

static bool members_check(struct members *members)
{
    struct run *run = members->run;
    uint32_t index = 0, bits = members->object->required_bits;
    uint64_t seen = 0;
    marks many = MARKS_NONE; // more names are required than a word has bits
    bool valid = true;
    if (bits > 64)
        many = marks_new(run, bits);
    for (const struct json_node *child = json_first(run->doc, members->node);
         child && (valid || run->explanation) && !run_over(run);
         child = json_after(run->doc, members->node, child), index++) {
        const struct slot *slot;
        if (!one_check(members, child, index, &slot))
            valid = false;
        if (slot && slot->required != REQUIRED_NO) {
            if (bits <= 64)
                seen |= UINT64_C(1) << slot->required;
            else if (many != MARKS_NONE)
                marks_add(run, many, slot->required);
        }
    }
    if (bits <= 64 && bits > 0)
        valid &= seen == UINT64_MAX >> (64 - bits);
    for (uint32_t i = 0; many != MARKS_NONE && i < bits && valid; i++)
        valid = marks_hold(run, many, i);
    marks_drop(run, many);
    return valid;
}

// ---- What goes by the object as a whole

bool object_missing(struct run *run, const struct frame *frame, const struct json_node *node)
{
    const struct object_rule *object = &run->schema->objects[frame->rule->object];
    bool valid = true;
    for (uint32_t i = 0; i < object->required_count; i++) {
        str name = run->schema->names[object->required + i];
        if (!work_spend(&run->work, 1 + node->count / 8))
            return false;
        if (!json_member(run->doc, node, name))
            valid = FAILED(run, frame, node, KEYWORD_REQUIRED, "Missing required field: %.*s",
                           STR(name));
    }
    return valid;
}

static bool count_check(struct run *run, const struct frame *frame, const struct json_node *node)
{
    const struct object_rule *object = &run->schema->objects[frame->rule->object];
    if (object->min_properties == 0 && node->count <= object->max_properties)
        return true;
    uint64_t count = value_key_count((struct value){run->doc, node}, &run->work);
    bool valid = true;
    if (count < object->min_properties)
        valid = FAILED(run, frame, node, KEYWORD_MIN_PROPERTIES,
                       "Too few fields: expected at least %llu, got %llu",
                       (unsigned long long)object->min_properties, (unsigned long long)count);
    if (count > object->max_properties)
        valid = FAILED(run, frame, node, KEYWORD_MAX_PROPERTIES,
                       "Too many fields: expected at most %llu, got %llu",
                       (unsigned long long)object->max_properties, (unsigned long long)count);
    return valid;
}

static bool names_check(struct run *run, const struct frame *frame, const struct json_node *node,
                        const struct dependency *dependency)
{
    bool valid = true;
    for (uint32_t i = 0; i < dependency->name_count && (valid || run->explanation); i++) {
        str name = run->schema->names[dependency->names + i];
        if (!work_spend(&run->work, 1 + node->count / 8))
            return false;
        if (!json_member(run->doc, node, name))
            valid =
                FAILED(run, frame, node, dependency->keyword,
                       "Missing field: %.*s, which %.*s requires", STR(name), STR(dependency->key));
    }
    return valid;
}

static bool dependencies_check(struct members *members)
{
    struct run *run = members->run;
    const struct object_rule *object = members->object;
    bool valid = true;
    for (uint32_t i = 0; i < object->dependency_count && (valid || run->explanation); i++) {
        const struct dependency *dependency = &run->schema->dependencies[object->dependencies + i];
        if (!work_spend(&run->work, 1 + members->node->count / 8))
            return false;
        if (!json_member(run->doc, members->node, dependency->key))
            continue;
        if (dependency->rule == RULE_NONE)
            valid &= names_check(run, members->frame, members->node, dependency);
        else
            valid &= rule_check(run, members->frame, dependency->keyword, dependency->rule,
                                members->node, members->set);
    }
    return valid;
}

bool object_check(struct run *run, const struct frame *frame, const struct json_node *node,
                  marks set)
{
    const struct object_rule *object = &run->schema->objects[frame->rule->object];
    struct members members = {run, frame, object, node, set};
    bool all = run->explanation != NULL;
    bool valid = object->plain && !all && set == MARKS_NONE
                     ? members_accepted(run, frame, object, node)
                     : members_check(&members);
    if (valid || all)
        valid &= count_check(run, frame, node);
    if (object->dependency_count && (valid || all))
        valid &= dependencies_check(&members);
    return valid;
}
