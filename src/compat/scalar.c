// SPDX-License-Identifier: Apache-2.0
// Keywords that look at one value and not into it.
#include "compat/inside.h"

#include "compat/exact.h"

bool prove_type(struct check *check, const struct meet *meet, struct rule rule)
{
    unsigned allowed = type_kinds(check, rule.schema, rule.value);
    unsigned extra = meet->kinds & ~allowed;
    if (allowed == 0)
        return malformed(check, meet, &rule);
    if (extra == 0)
        return true;
    const struct meet *rest = meet_of_kinds(check, meet, extra);
    if (rest && meet_empty(check, rest))
        return true;
    if (meet->kinds == ALL_KINDS)
        return refuse(check, meet, &rule, "%s allows values of every type and %s only %s",
                      sub_name(check), sup_name(check), kinds_text(check, allowed));
    return refuse(check, meet, &rule, "type %s is allowed by %s and not by %s",
                  kinds_text(check, extra), sub_name(check), sup_name(check));
}

// A meet of few values was asked for them one by one; this one has many, or could not be decided.
bool prove_enum(struct check *check, const struct meet *meet, struct rule rule)
{
    struct values values;
    bool list = str_equal(rule.name, S("enum"));
    if (list && rule.value->kind != JSON_ARRAY)
        return malformed(check, meet, &rule);
    if (!meet_values(check, meet, &values))
        return refuse(check, meet, &rule, "%s allows only listed values and %s others, too",
                      sup_name(check), sub_name(check));
    bool proven = true;
    for (const struct json_node *at = values_next(&values, NULL); at && proven;
         at = values_next(&values, at)) {
        struct place value = {values.doc, at};
        if (value_in_meet(check, value, meet) == NO)
            continue;
        proven = value_listed(check, value, place_at(rule.schema, rule.value), list) == YES;
    }
    return proven || refuse(check, meet, &rule, "%s does not list all values that %s lists",
                            sup_name(check), sub_name(check));
}

bool prove_const(struct check *check, const struct meet *meet, struct rule rule)
{
    return prove_enum(check, meet, rule);
}

bool prove_multiple(struct check *check, const struct meet *meet, struct rule rule)
{
    struct exact want, have, one = exact_of(1);
    if (!place_number(place_at(rule.schema, rule.value), &want) || want.count == 0 || want.negative)
        return malformed(check, meet, &rule);
    if (!(meet->kinds & FRACTIONS) && exact_multiple(&one, &want) == 1)
        return true;
    for (uint32_t i = 0; i < meet->place_count; i++) {
        struct place place = meet->places[i];
        const struct json_node *value = place_keyword(check, place, S("multipleOf"));
        if (value && place_number(place_at(place, value), &have) && have.count &&
            exact_multiple(&have, &want) == 1)
            return true;
    }
    str value = shown(json_span(&rule.schema.doc->json, rule.value));
    return refuse(check, meet, &rule, "%s allows only multiples of %.*s and %s other numbers, too",
                  sup_name(check), STR(value), sub_name(check));
}

// The same text for the same keyword.
static bool said_already(struct check *check, const struct meet *meet, const struct rule *rule)
{
    str want = node_text(check, rule->schema.doc, rule->value);
    for (uint32_t i = 0; i < meet->place_count; i++) {
        struct place place = meet->places[i];
        const struct json_node *value = place_keyword(check, place, rule->name);
        if (value && value->kind == JSON_STRING &&
            str_equal(node_text(check, place.doc, value), want) && !check_stopped(check))
            return true;
    }
    return false;
}

bool prove_pattern(struct check *check, const struct meet *meet, struct rule rule)
{
    if (rule.value->kind != JSON_STRING)
        return malformed(check, meet, &rule);
    str pattern = node_text(check, rule.schema.doc, rule.value);
    return always_matches(pattern) || said_already(check, meet, &rule) ||
           refuse(check, meet, &rule, "%s has the pattern '%.*s' and %s does not have it",
                  sup_name(check), STR(shown(pattern)), sub_name(check));
}

bool prove_format(struct check *check, const struct meet *meet, struct rule rule)
{
    if (!check->options.assert_formats)
        return true;
    if (rule.value->kind != JSON_STRING)
        return malformed(check, meet, &rule);
    str format = node_text(check, rule.schema.doc, rule.value);
    return said_already(check, meet, &rule) ||
           undecided(check, meet, &rule, "%s has the format '%.*s' and %s does not have it",
                     sup_name(check), STR(shown(format)), sub_name(check));
}

bool prove_unknown(struct check *check, const struct meet *meet, struct rule rule)
{
    for (uint32_t i = 0; i < meet->place_count; i++)
        if (places_same(check, meet->places[i], rule.schema))
            return true;
    return undecided(check, meet, &rule, "%.*s of %s is not followed", STR(rule.name),
                     sup_name(check));
}
