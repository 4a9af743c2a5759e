// SPDX-License-Identifier: Apache-2.0
// Whether nothing at all satisfies a meet: kinds, bounds or listed values contradict each other, a
// required field or item can be nothing, or everything that is left is what a `not` refuses.
#include "compat/inside.h"

#include "compat/exact.h"

enum { ITEMS_LOOKED_AT = 16 };

static bool values_refused(struct check *check, const struct meet *meet)
{
    struct values values;
    if (!meet_values(check, meet, &values))
        return false;
    for (const struct json_node *at = values_next(&values, NULL); at; at = values_next(&values, at))
        if (value_in_meet(check, (struct place){values.doc, at}, meet) != NO)
            return false;
    return !check_stopped(check);
}

// A number with a fraction is no multiple of a whole one.
static bool only_whole(struct check *check, const struct meet *meet)
{
    for (uint32_t i = 0; i < meet->place_count; i++) {
        struct place place = meet->places[i];
        const struct json_node *value = place_keyword(check, place, S("multipleOf"));
        struct exact number;
        if (value && place_number(place_at(place, value), &number) && exact_whole(&number))
            return true;
    }
    return false;
}

static bool some_item_impossible(struct check *check, const struct meet *meet)
{
    uint64_t count = meet_count_least(check, meet, ARRAYS);
    for (uint64_t i = 0; i < count && i < ITEMS_LOOKED_AT; i++) {
        const struct meet *item = meet_item(check, meet, i);
        if (item && meet_empty(check, item))
            return true;
    }
    return false;
}

static bool some_field_impossible(struct check *check, const struct meet *meet)
{
    for (uint32_t i = 0; i < meet->place_count; i++) {
        struct place place = meet->places[i];
        const struct json_node *required = place_keyword(check, place, S("required"));
        const struct json_doc *doc = &place.doc->json;
        if (!required || required->kind != JSON_ARRAY)
            continue;
        for (const struct json_node *at = json_first(doc, required); at;
             at = json_after(doc, required, at)) {
            const struct meet *field =
                at->kind == JSON_STRING ? meet_field(check, meet, node_text(check, place.doc, at))
                                        : NULL;
            if (field && meet_empty(check, field))
                return true;
        }
    }
    return false;
}

static bool kind_empty(struct check *check, const struct meet *meet, unsigned kind)
{
    if (kind & (NULLS | BOOLEANS))
        return false;
    if (bounds_empty(check, meet, kind))
        return true;
    if (kind == FRACTIONS)
        return only_whole(check, meet);
    if (kind == ARRAYS)
        return some_item_impossible(check, meet);
    return kind == OBJECTS && some_field_impossible(check, meet);
}

static bool every_kind_empty(struct check *check, const struct meet *meet)
{
    for (unsigned kind = NULLS; kind <= OBJECTS; kind <<= 1)
        if (meet->kinds & kind && !kind_empty(check, meet, kind))
            return false;
    return true;
}

static bool refused_by_nots(struct check *check, const struct meet *meet)
{
    for (uint32_t i = 0; i < meet->not_count; i++)
        if (proves_quietly(check, meet, meet->nots[i]))
            return true;
    return false;
}

static bool every_choice_empty(struct check *check, const struct meet *meet)
{
    if (meet->choice_count == 0 || check->chosen == COMPAT_CHOICES_MAX)
        return false;
    check->chosen++;
    bool empty = true;
    for (uint32_t i = 0; i < meet->choices[0].count && empty; i++) {
        const struct meet *part = meet_chosen(check, meet, i);
        empty = part && meet_empty(check, part);
    }
    check->chosen--;
    return empty;
}

bool meet_empty(struct check *check, const struct meet *meet)
{
    if (check_stopped(check))
        return false;
    if (meet->never || meet->kinds == 0)
        return true;
    if (*meet->holds_some || !check_spend(check, 1) || !check_enter(check))
        return false;
    *meet->holds_some = true; // a proof that it is empty must not ask whether it is
    check->muted++;
    bool empty = values_refused(check, meet) || every_kind_empty(check, meet) ||
                 refused_by_nots(check, meet) || every_choice_empty(check, meet);
    check->muted--;
    check->depth--;
    *meet->holds_some = !empty;
    return empty && !check_stopped(check);
}
