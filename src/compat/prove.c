// SPDX-License-Identifier: Apache-2.0
// The proof: everything in a meet satisfies a schema when it satisfies each of its keywords.
//
// Questions about parts of a value may come back to a question that is still open, where schemas
// refer to themselves. It is then assumed: were the open one wrong, a smallest value would show it,
// and that value's parts are smaller. About the same value it must not be assumed, and is not.
// A question whose proof rests on no open one is kept and not asked again.
#include "compat/inside.h"

struct keyword_row {
    str name;
    prove *run;
    unsigned kinds;
};

static const struct keyword_row keywords[] = {
    {S("type"), prove_type, ALL_KINDS},
    {S("const"), prove_const, ALL_KINDS},
    {S("enum"), prove_enum, ALL_KINDS},
    {S("required"), prove_required, OBJECTS},
    {S("properties"), prove_fields, OBJECTS},
    {S("patternProperties"), prove_pattern_fields, OBJECTS},
    {S("additionalProperties"), prove_other_fields, OBJECTS},
    {S("propertyNames"), prove_names, OBJECTS},
    {S("minProperties"), prove_bound, OBJECTS},
    {S("maxProperties"), prove_bound, OBJECTS},
    {S("dependentRequired"), prove_dependencies, OBJECTS},
    {S("dependentSchemas"), prove_dependencies, OBJECTS},
    {S("dependencies"), prove_dependencies, OBJECTS},
    {S("minimum"), prove_bound, NUMBERS},
    {S("exclusiveMinimum"), prove_bound, NUMBERS},
    {S("maximum"), prove_bound, NUMBERS},
    {S("exclusiveMaximum"), prove_bound, NUMBERS},
    {S("multipleOf"), prove_multiple, NUMBERS},
    {S("minLength"), prove_bound, STRINGS},
    {S("maxLength"), prove_bound, STRINGS},
    {S("pattern"), prove_pattern, STRINGS},
    {S("format"), prove_format, ALL_KINDS},
    {S("prefixItems"), prove_prefix, ARRAYS},
    {S("items"), prove_items, ARRAYS},
    {S("additionalItems"), prove_other_items, ARRAYS},
    {S("minItems"), prove_bound, ARRAYS},
    {S("maxItems"), prove_bound, ARRAYS},
    {S("uniqueItems"), prove_unique, ARRAYS},
    {S("contains"), prove_contains, ARRAYS},
    {S("$ref"), prove_reference, ALL_KINDS},
    {S("$dynamicRef"), prove_unknown, ALL_KINDS},
    {S("allOf"), prove_all, ALL_KINDS},
    {S("anyOf"), prove_any, ALL_KINDS},
    {S("oneOf"), prove_one, ALL_KINDS},
    {S("not"), prove_not, ALL_KINDS},
    {S("if"), prove_if, ALL_KINDS},
    {S("unevaluatedProperties"), prove_unevaluated, OBJECTS},
    {S("unevaluatedItems"), prove_unevaluated, ARRAYS},
};

static bool prove_rule(struct check *check, const struct meet *meet, prove *run, struct rule rule);

// Every alternative of the meet's first choice, one after the other.
static bool prove_parts(struct check *check, const struct meet *meet, prove *run, struct rule rule)
{
    bool proven = true;
    check->chosen++;
    for (uint32_t i = 0; i < meet->choices[0].count && (proven || !check->muted); i++) {
        const struct meet *part = meet_chosen(check, meet, i);
        proven = part && prove_rule(check, part, run, rule) && proven;
    }
    check->chosen--;
    return proven;
}

static bool prove_rule(struct check *check, const struct meet *meet, prove *run, struct rule rule)
{
    if (!(meet->kinds & rule.kinds) || meet->never)
        return true;
    if (!check_spend(check, 1) || !check_enter(check))
        return false;
    bool apart = meet->choice_count && check->chosen < COMPAT_CHOICES_MAX;
    uint32_t told = check->reason_count;
    check->muted += apart;
    bool proven = run(check, meet, rule);
    check->muted -= apart;
    if (!proven) {
        const struct meet *touched = meet_of_kinds(check, meet, rule.kinds);
        proven = touched && meet_empty(check, touched);
        // Of objects alone more may be known.
        if (!proven && touched && touched->place_count > meet->place_count) {
            check->reason_count = told;
            proven = run(check, touched, rule);
        }
        if (proven)
            check->reason_count = told;
    }
    if (!proven && apart)
        proven = prove_parts(check, meet, run, rule);
    check->depth--;
    return proven && !check_stopped(check);
}

// ---- A meet of few values: each is tried.

static enum tri prove_values(struct check *check, const struct meet *meet, struct place place)
{
    struct values values;
    enum tri proven = YES;
    if (!meet_values(check, meet, &values))
        return UNKNOWN;
    for (const struct json_node *at = values_next(&values, NULL); at;
         at = values_next(&values, at)) {
        struct place value = {values.doc, at};
        enum tri possible = value_in_meet(check, value, meet);
        if (possible == NO)
            continue;
        enum tri accepted = value_accepted(check, value, place);
        proven = tri_and(proven, possible == YES || accepted == YES ? accepted : UNKNOWN);
        if (possible != YES || accepted != NO || meet->choice_count)
            continue;
        struct rule rule = {place, S("enum"), place.node, 0};
        (void)refuse(check, meet, &rule, "value %.*s is allowed by %s and not by %s",
                     STR(shown(json_span(&values.doc->json, at))), sub_name(check),
                     sup_name(check)); // it is false
        refuse_example(check, value);
        if (check->muted)
            return NO;
    }
    if (check_stopped(check))
        return UNKNOWN;
    return proven == NO && meet->choice_count ? UNKNOWN : proven;
}

static bool prove_keywords(struct check *check, const struct meet *meet, struct place place)
{
    bool proven = true;
    for (size_t i = 0; i < COUNT_OF(keywords) && (proven || !check->muted); i++) {
        const struct json_node *value = place_keyword(check, place, keywords[i].name);
        struct rule rule = {place, keywords[i].name, value, keywords[i].kinds};
        if (value)
            proven = prove_rule(check, meet, keywords[i].run, rule) && proven;
    }
    return proven && !check_stopped(check);
}

static bool prove_schema(struct check *check, const struct meet *meet, struct place place)
{
    struct rule whole = {place, S(""), place.node, ALL_KINDS};
    if (place.node->kind == JSON_FALSE)
        return meet_empty(check, meet) ||
               refuse(check, meet, &whole, "%s is allowed by %s and nothing is by %s",
                      kinds_text(check, meet->kinds), sub_name(check), sup_name(check));
    if (place.node->kind != JSON_OBJECT)
        return malformed(check, meet, &whole);
    enum tri by_values = prove_values(check, meet, place);
    return by_values == UNKNOWN ? prove_keywords(check, meet, place) : by_values == YES;
}

// ---- Questions.

// Whether it is open already: then it is answered here.
static bool is_open(struct check *check, const struct meet *meet, struct place place,
                    bool *ret_proven)
{
    for (uint32_t i = 0; i < check->question_count; i++) {
        const struct question *open = &check->questions[i];
        if (open->node != place.node || !meet_equal(open->meet, meet))
            continue;
        *ret_proven = open->descent < check->descent;
        if (i < check->least_assumed)
            check->least_assumed = i;
        struct rule whole = {place, S("$ref"), place.node, ALL_KINDS};
        if (!*ret_proven)
            (void)undecided(check, meet, &whole, "%s refers to itself without an end",
                            sup_name(check)); // it is false
        return true;
    }
    return false;
}

static struct known *known_slot(struct check *check, const struct meet *meet, struct place place)
{
    uint64_t hash = meet_hash(meet) ^ ((uintptr_t)place.node >> 4) * UINT64_C(0x9e3779b97f4a7c15);
    enum { TRIES = 8 };
    for (uint64_t i = 0; i < TRIES; i++) {
        struct known *slot = &check->known[(hash + i) % KNOWN_COUNT];
        if (!slot->meet || (slot->node == place.node && meet_equal(slot->meet, meet)))
            return slot;
    }
    return &check->known[hash % KNOWN_COUNT]; // an older one makes room
}

static bool is_known(struct check *check, const struct meet *meet, struct place place,
                     bool *ret_proven)
{
    const struct known *slot = known_slot(check, meet, place);
    if (!slot->meet || slot->node != place.node || !meet_equal(slot->meet, meet))
        return false;
    *ret_proven = slot->verdict == PROVEN;
    return slot->verdict == PROVEN || check->muted ||
           (slot->verdict == TOLD && slot->reason_count <= check->reason_count);
}

static void keep(struct check *check, const struct meet *meet, struct place place, bool proven)
{
    *known_slot(check, meet, place) = (struct known){
        .meet = meet,
        .node = place.node,
        .verdict = proven         ? PROVEN
                   : check->muted ? NOT_PROVEN
                                  : TOLD,
        .reason_count = check->reason_count,
    };
}

static bool ask(struct check *check, const struct meet *meet, struct place place)
{
    uint32_t outer_assumed = check->least_assumed, mine = check->question_count;
    struct place near = check->near;
    for (uint32_t i = meet->place_count; i > 0; i--)
        if (meet->places[i - 1].doc == sub_doc(check))
            check->near = meet->places[i - 1];
    check->questions[check->question_count++] = (struct question){meet, place.node, check->descent};
    check->least_assumed = UINT32_MAX;
    bool proven = prove_schema(check, meet, place);
    if ((!proven || check->least_assumed >= mine) && !check_stopped(check))
        keep(check, meet, place, proven);
    if (check->least_assumed >= mine)
        check->least_assumed = UINT32_MAX;
    if (outer_assumed < check->least_assumed)
        check->least_assumed = outer_assumed;
    check->question_count--;
    check->near = near;
    return proven;
}

bool proves(struct check *check, const struct meet *meet, struct place place)
{
    bool proven = false;
    if (!meet || check_stopped(check))
        return false;
    if (meet->never || place.node->kind == JSON_TRUE)
        return true;
    for (uint32_t i = 0; i < meet->place_count; i++)
        if (meet->places[i].node == place.node)
            return true;
    uint64_t size = (uint64_t)meet->place_count + meet->not_count;
    if (!check_spend(check, 1 + check->question_count + size / 4) ||
        check->question_count == COMPAT_DEPTH_MAX || !check_enter(check))
        return false;
    if (!is_open(check, meet, place, &proven) && !is_known(check, meet, place, &proven))
        proven = ask(check, meet, place);
    check->depth--;
    return proven && !check_stopped(check);
}

bool proves_quietly(struct check *check, const struct meet *meet, struct place place)
{
    check->muted++;
    bool proven = proves(check, meet, place);
    check->muted--;
    return proven;
}

bool proves_part(struct check *check, const struct meet *meet, struct place place, struct step step)
{
    uint32_t chosen = check->chosen;
    step.before = check->path;
    check->path = &step;
    check->descent++;
    check->chosen = 0;
    bool proven = proves(check, meet, place);
    check->chosen = chosen;
    check->descent--;
    check->path = step.before;
    return proven;
}

bool prove_reference(struct check *check, const struct meet *meet, struct rule rule)
{
    struct place target = place_referred(check, rule.schema, rule.value);
    if (target.node)
        return proves(check, meet, target);
    for (uint32_t i = 0; i < meet->place_count; i++) {
        const struct json_node *ref = place_keyword(check, meet->places[i], S("$ref"));
        if (ref && !place_referred(check, meet->places[i], ref).node &&
            references_same(check, meet->places[i], ref, rule.schema, rule.value))
            return true;
    }
    return undecided(check, meet, &rule, "the reference %.*s leads out of %s",
                     STR(shown(json_span(&rule.schema.doc->json, rule.value))), sup_name(check));
}

void check_pass(struct check *check)
{
    struct place sub = {sub_doc(check), json_root(&sub_doc(check)->json)};
    struct place sup = {sup_doc(check), json_root(&sup_doc(check)->json)};
    struct rule whole = {sup, S(""), sup.node, ALL_KINDS};
    uint32_t told = check->reason_count;
    check->near = sub;
    const struct meet *meet = meet_of(check, sub);
    if (check->old_doc->strange || check->new_doc->strange) {
        bool old = check->old_doc->strange != NULL;
        const struct document *doc = old ? check->old_doc : check->new_doc;
        (void)undecided(check, meet, &whole,
                        "the %s schema has a $schema that is not known here, or that changes "
                        "within it, or a key that stands twice, at '%.*s'",
                        old ? "old" : "new", STR(node_pointer(check, doc, doc->strange)));
        return; // it is told
    }
    if ((meet && places_same(check, sub, sup)) || proves(check, meet, sup))
        return;
    if (check->reason_count == told || check_stopped(check))
        (void)undecided(check, meet, &whole, "%s",
                        check->out_of_memory  ? "the schemas take too much memory to be compared"
                        : check->out_of_steps ? "the schemas take too long to be compared"
                        : check->too_deep     ? "the schemas are nested too deeply"
                                              : "the proof was not found"); // it is told
}
