// SPDX-License-Identifier: Apache-2.0
// Everything that is a least or a greatest number. An upper bound is a lower one of the negated
// number, so there is one comparison. Among whole numbers, "above 3" is "at least 4".
#include "compat/inside.h"

#include "compat/exact.h"

struct bound_row {
    str name;
    unsigned kinds;
    bool upper, strict;
    const char *what;
};

static const struct bound_row rows[] = {
    {S("minimum"), NUMBERS, false, false, "smaller numbers"},
    {S("exclusiveMinimum"), NUMBERS, false, true, "smaller numbers"},
    {S("maximum"), NUMBERS, true, false, "greater numbers"},
    {S("exclusiveMaximum"), NUMBERS, true, true, "greater numbers"},
    {S("minLength"), STRINGS, false, false, "shorter texts"},
    {S("maxLength"), STRINGS, true, false, "longer texts"},
    {S("minItems"), ARRAYS, false, false, "shorter arrays"},
    {S("maxItems"), ARRAYS, true, false, "longer arrays"},
    {S("minProperties"), OBJECTS, false, false, "fewer fields"},
    {S("maxProperties"), OBJECTS, true, false, "more fields"},
};

struct bound {
    struct exact number; // negated when it is an upper one
    bool known, strict;
};

static struct exact negated_if(struct exact number, bool negate)
{
    if (negate && number.count)
        number.negative = !number.negative;
    return number;
}

// Whether bound `a` lets nothing through that `b` does not.
static bool as_tight(const struct bound *a, const struct bound *b)
{
    int order = a->known ? exact_compare(&a->number, &b->number) : -1;
    return order > 0 || (order == 0 && (a->strict || !b->strict));
}

static void tighten(struct bound *bound, struct bound other)
{
    if (!bound->known || !as_tight(bound, &other))
        *bound = other;
}

static void tighten_to(struct bound *bound, uint64_t count, bool upper)
{
    tighten(bound, (struct bound){negated_if(exact_of(count), upper), true, false});
}

static struct bound bound_of(struct check *check, const struct meet *meet, unsigned kinds,
                             bool upper)
{
    struct bound bound = {.known = false};
    uint64_t count;
    for (uint32_t i = 0; i < meet->place_count; i++) {
        for (size_t r = 0; r < COUNT_OF(rows); r++) {
            if (rows[r].kinds != kinds || rows[r].upper != upper)
                continue;
            struct place place = meet->places[i];
            const struct json_node *value = place_keyword(check, place, rows[r].name);
            struct exact number;
            if (value && place_number(place_at(place, value), &number))
                tighten(&bound, (struct bound){negated_if(number, upper), true, rows[r].strict});
        }
    }
    if (kinds != NUMBERS && !upper)
        tighten_to(&bound, 0, false);
    if (kinds == OBJECTS && !upper)
        tighten_to(&bound, meet_required_count(check, meet), false);
    if (kinds == OBJECTS && upper && meet_closed_count(check, meet, &count))
        tighten_to(&bound, count, true);
    if (kinds == ARRAYS && upper && meet_items_most(check, meet, &count))
        tighten_to(&bound, count, true);
    if (bound.known && (kinds != NUMBERS || (meet->kinds & NUMBERS) == INTEGERS) &&
        exact_ceiling(&bound.number, bound.strict, &bound.number))
        bound.strict = false;
    return bound;
}

bool prove_bound(struct check *check, const struct meet *meet, struct rule rule)
{
    const struct bound_row *row = rows;
    while (!str_equal(row->name, rule.name))
        row++;
    struct exact number;
    if (!place_number(place_at(rule.schema, rule.value), &number))
        return malformed(check, meet, &rule);
    struct bound want = {negated_if(number, row->upper), true, row->strict};
    struct bound have = bound_of(check, meet, row->kinds, row->upper);
    if (as_tight(&have, &want))
        return true;
    str value = shown(json_span(&rule.schema.doc->json, rule.value));
    return refuse(check, meet, &rule, "%s has %.*s %.*s and %s allows %s", sup_name(check),
                  STR(rule.name), STR(value), sub_name(check), row->what);
}

bool bounds_empty(struct check *check, const struct meet *meet, unsigned kind)
{
    unsigned kinds = kind & NUMBERS ? (unsigned)NUMBERS : kind;
    struct meet of_kind = *meet;
    of_kind.kinds &= kind;
    struct bound least = bound_of(check, &of_kind, kinds, false);
    struct bound most = bound_of(check, &of_kind, kinds, true);
    if (!least.known || !most.known)
        return false;
    most.number = negated_if(most.number, true);
    int order = exact_compare(&least.number, &most.number);
    return order > 0 || (order == 0 && (least.strict || most.strict));
}

bool meet_count_most(struct check *check, const struct meet *meet, unsigned kind,
                     uint64_t *ret_count)
{
    struct bound bound = bound_of(check, meet, kind, true);
    struct exact number = negated_if(bound.number, true);
    return bound.known && exact_to_u64(&number, ret_count);
}

uint64_t meet_count_least(struct check *check, const struct meet *meet, unsigned kind)
{
    struct bound bound = bound_of(check, meet, kind, false);
    uint64_t count = 0;
    return bound.known && exact_to_u64(&bound.number, &count) ? count : 0;
}
