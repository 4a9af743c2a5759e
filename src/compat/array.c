// SPDX-License-Identifier: Apache-2.0
// Arrays: position by position as far as anybody speaks of single positions, then the rest at once.
#include "compat/inside.h"

#include "compat/exact.h"

#include <stdio.h>

bool place_items(struct check *check, struct place place, const struct json_node **ret_prefix,
                 const struct json_node **ret_rest)
{
    const struct json_node *rest = place_keyword(check, place, S("items"));
    const struct json_node *prefix = place_keyword(check, place, S("prefixItems"));
    if (rest && rest->kind == JSON_ARRAY && place.doc->draft == COMPAT_DRAFT_07) {
        prefix = rest;
        rest = place_keyword(check, place, S("additionalItems"));
    }
    *ret_prefix = prefix;
    *ret_rest = rest;
    return (!prefix || prefix->kind == JSON_ARRAY) && (!rest || is_schema(rest));
}

static const struct json_node *child_at(struct check *check, struct place array, uint64_t index)
{
    const struct json_node *child = json_first(&array.doc->json, array.node);
    while (child && index-- > 0 && check_spend(check, 1))
        child = json_after(&array.doc->json, array.node, child);
    return check_stopped(check) ? NULL : child;
}

struct meet *meet_item(struct check *check, const struct meet *meet, uint64_t index)
{
    struct meet *item = meet_new(check);
    for (uint32_t i = 0; item && i < meet->place_count; i++) {
        struct place place = meet->places[i];
        const struct json_node *prefix, *rest;
        if (!place_items(check, place, &prefix, &rest)) {
            item->blurred = ALL_KINDS;
            continue;
        }
        bool single = prefix && index < prefix->count;
        const struct json_node *by =
            single ? child_at(check, place_at(place, prefix), index) : rest;
        if (by)
            meet_add(check, item, place_at(place, by));
    }
    return item;
}

// Behind which position all that is said is about the rest.
static uint64_t prefix_count(struct check *check, const struct meet *meet)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < meet->place_count; i++) {
        const struct json_node *prefix, *rest;
        if (place_items(check, meet->places[i], &prefix, &rest) && prefix && prefix->count > count)
            count = prefix->count;
    }
    return count;
}

bool meet_items_most(struct check *check, const struct meet *meet, uint64_t *ret_count)
{
    bool found = false;
    for (uint32_t i = 0; i < meet->place_count; i++) {
        const struct json_node *prefix, *rest;
        if (!place_items(check, meet->places[i], &prefix, &rest) || !rest ||
            rest->kind != JSON_FALSE)
            continue;
        uint64_t count = prefix ? prefix->count : 0;
        *ret_count = found && *ret_count < count ? *ret_count : count;
        found = true;
    }
    return found;
}

static bool never_so_long(struct check *check, const struct meet *meet, uint64_t count)
{
    enum { TEXT_BYTES = 48 };
    char text[TEXT_BYTES];
    if (check->absence || !(meet->not_count || meet->choice_count))
        return false;
    int len = snprintf(text, sizeof text, "{\"minItems\":%llu}", (unsigned long long)count);
    str schema = arena_copy(check->arena, (str){text, (size_t)len});
    struct place made = schema.ptr ? place_made(check, schema) : (struct place){};
    const struct meet *longer = made.node ? meet_with(check, meet, made) : NULL;
    const struct meet *arrays = longer ? meet_of_kinds(check, longer, ARRAYS) : NULL;
    check->absence = true;
    bool never = arrays && meet_empty(check, arrays);
    check->absence = false;
    return never;
}

static bool proves_item(struct check *check, const struct meet *meet, uint64_t index,
                        struct place schema)
{
    uint64_t most;
    if (meet_count_most(check, meet, ARRAYS, &most) && most <= index)
        return true;
    uint32_t told = check->reason_count;
    const struct meet *item = meet_item(check, meet, index);
    if (!item || proves_part(check, item, schema, (struct step){.item = true}))
        return item != NULL;
    // What is never there needs no proof.
    if (!never_so_long(check, meet, index + 1))
        return false;
    check->reason_count = told;
    return true;
}

bool prove_prefix(struct check *check, const struct meet *meet, struct rule rule)
{
    const struct json_doc *doc = &rule.schema.doc->json;
    bool proven = rule.value->kind == JSON_ARRAY || malformed(check, meet, &rule);
    uint64_t index = 0;
    for (const struct json_node *schema = json_first(doc, rule.value);
         schema && (proven || !check->muted); schema = json_after(doc, rule.value, schema))
        proven = proves_item(check, meet, index++, place_at(rule.schema, schema)) && proven;
    return proven;
}

// The items from `first` on.
static bool prove_rest(struct check *check, const struct meet *meet, uint64_t first,
                       struct place schema)
{
    uint64_t last = prefix_count(check, meet);
    bool proven = true;
    for (uint64_t index = first; index < last && (proven || !check->muted); index++)
        proven = proves_item(check, meet, index, schema) && proven;
    return proves_item(check, meet, last < first ? first : last, schema) && proven;
}

bool prove_items(struct check *check, const struct meet *meet, struct rule rule)
{
    const struct json_node *prefix, *rest;
    if (!place_items(check, rule.schema, &prefix, &rest))
        return malformed(check, meet, &rule);
    if (rule.value->kind == JSON_ARRAY)
        return prove_prefix(check, meet, rule);
    return prove_rest(check, meet, prefix ? prefix->count : 0, place_at(rule.schema, rule.value));
}

bool prove_other_items(struct check *check, const struct meet *meet, struct rule rule)
{
    const struct json_node *prefix, *rest;
    if (!place_items(check, rule.schema, &prefix, &rest))
        return malformed(check, meet, &rule);
    if (!prefix)
        return true; // without an array of items it means nothing
    return prove_rest(check, meet, prefix->count, place_at(rule.schema, rule.value));
}

bool prove_unique(struct check *check, const struct meet *meet, struct rule rule)
{
    if (rule.value->kind == JSON_FALSE)
        return true;
    if (rule.value->kind != JSON_TRUE)
        return malformed(check, meet, &rule);
    for (uint32_t i = 0; i < meet->place_count; i++) {
        const struct json_node *unique = place_keyword(check, meet->places[i], S("uniqueItems"));
        if (unique && unique->kind == JSON_TRUE)
            return true;
    }
    uint64_t most;
    if (meet_count_most(check, meet, ARRAYS, &most) && most <= 1)
        return true;
    return refuse(check, meet, &rule, "%s allows only different items and %s also equal ones",
                  sup_name(check), sub_name(check));
}

// ---- contains

struct contained {
    struct place schema;
    struct exact least, most;
    bool bounded;
};

static bool read_contains(struct check *check, struct place place, struct contained *ret)
{
    const struct json_node *schema = place_keyword(check, place, S("contains"));
    const struct json_node *least = place_keyword(check, place, S("minContains"));
    const struct json_node *most = place_keyword(check, place, S("maxContains"));
    if (!schema || !is_schema(schema))
        return false;
    *ret = (struct contained){place_at(place, schema), exact_of(1), exact_of(0), most != NULL};
    return (!least || place_number(place_at(place, least), &ret->least)) &&
           (!most || place_number(place_at(place, most), &ret->most));
}

static bool every_item_is(struct check *check, const struct meet *meet, struct place schema)
{
    check->muted++;
    bool all = prove_rest(check, meet, 0, schema);
    check->muted--;
    return all;
}

static bool contains_enough(struct check *check, const struct meet *meet,
                            const struct contained *want)
{
    struct exact zero = exact_of(0), count = exact_of(meet_count_least(check, meet, ARRAYS));
    if (exact_compare(&want->least, &zero) <= 0)
        return true;
    for (uint32_t i = 0; i < meet->place_count; i++) {
        struct contained have;
        if (read_contains(check, meet->places[i], &have) &&
            exact_compare(&have.least, &want->least) >= 0 &&
            proves_quietly(check, meet_of(check, have.schema), want->schema))
            return true;
    }
    return exact_compare(&count, &want->least) >= 0 && every_item_is(check, meet, want->schema);
}

static bool contains_few(struct check *check, const struct meet *meet, const struct contained *want)
{
    uint64_t most;
    if (!want->bounded)
        return true;
    if (meet_count_most(check, meet, ARRAYS, &most)) {
        struct exact count = exact_of(most);
        if (exact_compare(&count, &want->most) <= 0)
            return true;
    }
    for (uint32_t i = 0; i < meet->place_count; i++) {
        struct contained have;
        if (read_contains(check, meet->places[i], &have) && have.bounded &&
            exact_compare(&have.most, &want->most) <= 0 &&
            proves_quietly(check, meet_of(check, want->schema), have.schema))
            return true;
    }
    return false;
}

bool prove_contains(struct check *check, const struct meet *meet, struct rule rule)
{
    struct contained want;
    if (!read_contains(check, rule.schema, &want))
        return malformed(check, meet, &rule);
    if (!contains_enough(check, meet, &want))
        return undecided(check, meet, &rule,
                         "it is not known whether every array of %s holds enough of the items that "
                         "%s asks for",
                         sub_name(check), sup_name(check));
    if (!contains_few(check, meet, &want))
        return undecided(check, meet, &rule,
                         "it is not known whether arrays of %s hold too many of the items that %s "
                         "counts",
                         sub_name(check), sup_name(check));
    return true;
}
