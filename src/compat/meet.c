// SPDX-License-Identifier: Apache-2.0
// What holds at once. Adding a schema follows its references and its allOf, so that the places of a
// meet are all that is known, each once: a schema that refers to itself, or a pyramid of references
// that would be huge if it were written out, ends here. Alternatives are kept aside as choices,
// until a proof needs them.
#include "compat/inside.h"

static void add(struct check *check, struct meet *meet, struct place place);

struct meet *meet_new(struct check *check)
{
    struct meet *meet = check_alloc(check, sizeof *meet);
    bool *holds_some = check_alloc(check, sizeof *holds_some);
    if (!meet || !holds_some)
        return NULL;
    *holds_some = false;
    *meet = (struct meet){.kinds = ALL_KINDS, .holds_some = holds_some};
    return meet;
}

// Room for one more; false when memory is out.
static bool grow(struct check *check, void **items, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room)
        return true;
    uint32_t more = *room ? *room * 2 : 4;
    void *larger = check_alloc(check, more * size);
    if (!larger)
        return false;
    if (count)
        memcpy(larger, *items, count * size);
    *items = larger;
    *room = more;
    return true;
}

#define PUSH(check, meet, what, item)                                                              \
    do {                                                                                           \
        void *items_ = (meet)->what##s;                                                            \
        if (grow((check), &items_, (meet)->what##_count, &(meet)->what##_room, sizeof(item))) {    \
            (meet)->what##s = items_;                                                              \
            (meet)->what##s[(meet)->what##_count++] = (item);                                      \
        }                                                                                          \
    } while (0)

struct meet *meet_copy(struct check *check, const struct meet *meet)
{
    uint64_t size = (uint64_t)meet->place_count + meet->not_count + meet->choice_count;
    struct meet *copy = check_spend(check, 1 + size / 4) ? meet_new(check) : NULL;
    if (!copy)
        return NULL;
    copy->kinds = meet->kinds;
    copy->blurred = meet->blurred;
    copy->never = meet->never;
    for (uint32_t i = 0; i < meet->place_count; i++)
        PUSH(check, copy, place, meet->places[i]);
    for (uint32_t i = 0; i < meet->not_count; i++)
        PUSH(check, copy, not, meet->nots[i]);
    for (uint32_t i = 0; i < meet->choice_count; i++)
        PUSH(check, copy, choice, meet->choices[i]);
    return copy;
}

void meet_add_not(struct check *check, struct meet *meet, struct place place)
{
    if (!check_spend(check, 1 + meet->not_count / 8))
        return;
    for (uint32_t i = 0; i < meet->not_count; i++)
        if (meet->nots[i].node == place.node)
            return;
    if (place.node->kind == JSON_TRUE)
        meet->never = true;
    else if (place.node->kind == JSON_OBJECT)
        PUSH(check, meet, not, place);
}

void meet_add_choice(struct check *check, struct meet *meet, struct choice choice)
{
    PUSH(check, meet, choice, choice);
}

static void add_each(struct check *check, struct meet *meet, struct place place)
{
    const struct json_doc *doc = &place.doc->json;
    for (const struct json_node *child = json_first(doc, place.node); child;
         child = json_after(doc, place.node, child))
        add(check, meet, place_at(place, child));
}

static void add_alternatives(struct check *check, struct meet *meet, struct place place, str name,
                             enum choice_kind kind)
{
    const struct json_node *branches = place_keyword(check, place, name);
    if (!branches)
        return;
    if (branches->kind != JSON_ARRAY || branches->count == 0)
        meet->blurred = ALL_KINDS;
    else if (branches->count == 1)
        add_each(check, meet, place_at(place, branches));
    else
        meet_add_choice(
            check, meet,
            (struct choice){
                .kind = kind, .doc = place.doc, .node = branches, .count = branches->count});
}

static void add_condition(struct check *check, struct meet *meet, struct place place)
{
    if (place_keyword(check, place, S("if")) &&
        (place_keyword(check, place, S("then")) || place_keyword(check, place, S("else"))))
        meet_add_choice(
            check, meet,
            (struct choice){.kind = CHOICE_IF, .doc = place.doc, .node = place.node, .count = 2});
}

static void narrow_kinds(struct check *check, struct meet *meet, struct place place)
{
    const struct json_node *type = place_keyword(check, place, S("type"));
    const struct json_node *only = place_keyword(check, place, S("const"));
    const struct json_node *list = place_keyword(check, place, S("enum"));
    unsigned named = type ? type_kinds(check, place, type) : 0;
    if (named)
        meet->kinds &= named;
    if (only)
        meet->kinds &= value_kinds(place_at(place, only));
    if (!list || list->kind != JSON_ARRAY)
        return;
    unsigned listed = 0;
    for (const struct json_node *item = json_first(&place.doc->json, list); item;
         item = json_after(&place.doc->json, list, item))
        listed |= value_kinds(place_at(place, item));
    meet->kinds &= listed;
}

// Keywords that say more than we make use of on this side.
static void blur(struct check *check, struct meet *meet, struct place place)
{
    static const struct {
        str name;
        unsigned kinds;
    } keywords[] = {
        {S("pattern"), STRINGS},         {S("unevaluatedProperties"), OBJECTS},
        {S("unevaluatedItems"), ARRAYS}, {S("$dynamicRef"), ALL_KINDS},
        {S("not"), ALL_KINDS},           {S("dependentSchemas"), OBJECTS},
        {S("dependencies"), OBJECTS},    {S("format"), ALL_KINDS},
    };
    size_t count = COUNT_OF(keywords) - !check->options.assert_formats;
    for (size_t i = 0; i < count; i++)
        if (place_keyword(check, place, keywords[i].name))
            meet->blurred |= keywords[i].kinds;
}

static void add_object(struct check *check, struct meet *meet, struct place place)
{
    PUSH(check, meet, place, place);
    const struct json_node *ref = place_keyword(check, place, S("$ref"));
    const struct json_node *all = place_keyword(check, place, S("allOf"));
    const struct json_node *negated = place_keyword(check, place, S("not"));
    struct place target = ref ? place_referred(check, place, ref) : place;
    if (!target.node)
        meet->blurred = ALL_KINDS;
    else if (ref)
        add(check, meet, target);
    narrow_kinds(check, meet, place);
    blur(check, meet, place);
    if (all && all->kind == JSON_ARRAY)
        add_each(check, meet, place_at(place, all));
    add_alternatives(check, meet, place, S("anyOf"), CHOICE_ANY);
    add_alternatives(check, meet, place, S("oneOf"), CHOICE_ONE);
    if (negated)
        meet_add_not(check, meet, place_at(place, negated));
    add_condition(check, meet, place);
}

static void add(struct check *check, struct meet *meet, struct place place)
{
    if (place.node->kind == JSON_FALSE)
        meet->never = true;
    if (place.node->kind == JSON_TRUE || place.node->kind == JSON_FALSE)
        return;
    if (place.node->kind != JSON_OBJECT || !check_spend(check, 1 + meet->place_count / 8) ||
        !check_enter(check)) {
        meet->blurred = ALL_KINDS;
        return;
    }
    bool known = false;
    for (uint32_t i = 0; i < meet->place_count; i++)
        known = known || meet->places[i].node == place.node;
    if (!known)
        add_object(check, meet, place);
    check->depth--;
}

// Schemas that hold because a required field is there.
static void add_dependent(struct check *check, struct meet *meet, struct place place, str name)
{
    const struct json_node *keyword = place_keyword(check, place, name);
    const struct json_doc *doc = &place.doc->json;
    if (!keyword || keyword->kind != JSON_OBJECT)
        return;
    for (const struct json_node *at = json_first(doc, keyword); at;
         at = json_after(doc, keyword, at))
        if (is_schema(at) && meet_requires(check, meet, node_key(check, place.doc, at)))
            add(check, meet, place_at(place, at));
}

// Dependencies speak of objects only, so they hold of a meet that has nothing else.
static void settle(struct check *check, struct meet *meet)
{
    if (meet->kinds != OBJECTS || !(meet->blurred & OBJECTS))
        return;
    for (uint32_t i = 0; i < meet->place_count; i++) {
        add_dependent(check, meet, meet->places[i], S("dependentSchemas"));
        if (meet->places[i].doc->draft == COMPAT_DRAFT_07)
            add_dependent(check, meet, meet->places[i], S("dependencies"));
    }
}

void meet_add(struct check *check, struct meet *meet, struct place place)
{
    if (!meet)
        return;
    add(check, meet, place);
    settle(check, meet);
}

struct meet *meet_of(struct check *check, struct place place)
{
    struct meet *meet = meet_new(check);
    meet_add(check, meet, place);
    return meet;
}

struct meet *meet_with(struct check *check, const struct meet *meet, struct place place)
{
    struct meet *copy = meet_copy(check, meet);
    if (place.node)
        meet_add(check, copy, place);
    return copy;
}

const struct meet *meet_of_kinds(struct check *check, const struct meet *meet, unsigned kinds)
{
    if ((meet->kinds & ~kinds) == 0)
        return meet;
    struct meet *copy = meet_copy(check, meet);
    if (!copy)
        return NULL;
    copy->kinds &= kinds;
    settle(check, copy);
    return copy;
}

static void add_branch(struct check *check, struct meet *meet, const struct choice *choice,
                       uint32_t index)
{
    uint32_t at = 0;
    struct place near = {choice->doc, choice->node};
    if (!check_spend(check, 1 + choice->count / 8))
        return;
    for (const struct json_node *child = json_first(&choice->doc->json, choice->node); child;
         child = json_after(&choice->doc->json, choice->node, child), at++) {
        if (at == index)
            meet_add(check, meet, place_at(near, child));
        else if (choice->kind == CHOICE_ONE)
            meet_add_not(check, meet, place_at(near, child));
    }
}

static void add_outcome(struct check *check, struct meet *meet, const struct choice *choice,
                        bool holds)
{
    struct place schema = {choice->doc, choice->node};
    const struct json_node *condition = place_keyword(check, schema, S("if"));
    const struct json_node *outcome = place_keyword(check, schema, holds ? S("then") : S("else"));
    if (condition && holds)
        meet_add(check, meet, place_at(schema, condition));
    if (condition && !holds)
        meet_add_not(check, meet, place_at(schema, condition));
    if (condition && outcome)
        meet_add(check, meet, place_at(schema, outcome));
}

struct meet *meet_chosen(struct check *check, const struct meet *meet, uint32_t index)
{
    struct meet *copy = meet_copy(check, meet);
    if (!copy || copy->choice_count == 0)
        return copy;
    struct choice choice = copy->choices[0];
    copy->choice_count--;
    memmove(copy->choices, copy->choices + 1, copy->choice_count * sizeof *copy->choices);
    if (choice.kind == CHOICE_PLACES)
        meet_add(check, copy, choice.places[index]);
    else if (choice.kind == CHOICE_IF)
        add_outcome(check, copy, &choice, index == 0);
    else
        add_branch(check, copy, &choice, index);
    return copy;
}

bool meet_equal(const struct meet *a, const struct meet *b)
{
    bool equal = a->kinds == b->kinds && a->never == b->never && a->place_count == b->place_count &&
                 a->not_count == b->not_count && a->choice_count == b->choice_count;
    for (uint32_t i = 0; equal && i < a->place_count; i++)
        equal = a->places[i].node == b->places[i].node;
    for (uint32_t i = 0; equal && i < a->not_count; i++)
        equal = a->nots[i].node == b->nots[i].node;
    for (uint32_t i = 0; equal && i < a->choice_count; i++) {
        const struct choice *x = &a->choices[i], *y = &b->choices[i];
        equal = x->kind == y->kind && x->node == y->node && x->count == y->count;
        for (uint32_t k = 0; equal && x->kind == CHOICE_PLACES && k < x->count; k++)
            equal = x->places[k].node == y->places[k].node;
    }
    return equal;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

uint64_t meet_hash(const struct meet *meet)
{
    uint64_t hash = meet->kinds;
    for (uint32_t i = 0; i < meet->place_count; i++)
        hash = mix(hash, (uintptr_t)meet->places[i].node);
    for (uint32_t i = 0; i < meet->not_count; i++)
        hash = mix(hash, (uintptr_t)meet->nots[i].node);
    return mix(hash, meet->choice_count);
}

bool meet_values(struct check *check, const struct meet *meet, struct values *ret_values)
{
    for (uint32_t i = 0; i < meet->place_count; i++) {
        struct place place = meet->places[i];
        const struct json_node *only = place_keyword(check, place, S("const"));
        const struct json_node *list = place_keyword(check, place, S("enum"));
        if (!only && (!list || list->kind != JSON_ARRAY))
            continue;
        *ret_values = (struct values){place.doc, only ? NULL : list, only};
        return true;
    }
    if (meet->kinds & ~(unsigned)(NULLS | BOOLEANS) || check_stopped(check))
        return false;
    if (!check->small_values.node)
        check->small_values = place_made(check, S("[null,true,false]"));
    if (!check->small_values.node)
        return false;
    *ret_values = (struct values){check->small_values.doc, check->small_values.node, NULL};
    return true;
}

const struct json_node *values_next(const struct values *values, const struct json_node *at)
{
    if (values->single)
        return at ? NULL : values->single;
    return at ? json_after(&values->doc->json, values->array, at)
              : json_first(&values->doc->json, values->array);
}
