// SPDX-License-Identifier: Apache-2.0
// anyOf, oneOf, not, if.
//
// Everything in a meet satisfies an anyOf if one branch holds all of it; or else the meet is cut
// into parts, each of which is within some branch: by kinds of values, then by the values of a
// field that tells the branches apart. A oneOf asks also that the other branches hold nothing of
// the part. "Nothing of A is in B" is the emptiness of both together, so `not` and oneOf need no
// notion of their own.
#include "compat/inside.h"

enum { FIELD_VALUES_MAX = 64, ATTEMPTS_MAX = 16 };

struct branches {
    struct rule rule;
    bool exclusive; // oneOf
};

static bool nothing_in(struct check *check, const struct meet *meet, struct place place)
{
    const struct meet *both = meet_with(check, meet, place);
    return both && meet_empty(check, both);
}

static bool others_hold_nothing(struct check *check, const struct meet *meet,
                                const struct branches *branches, const struct json_node *but)
{
    const struct json_doc *doc = &branches->rule.schema.doc->json;
    const struct json_node *list = branches->rule.value;
    for (const struct json_node *at = json_first(doc, list); at; at = json_after(doc, list, at))
        if (at != but && !nothing_in(check, meet, place_at(branches->rule.schema, at)))
            return false;
    return true;
}

static bool within_one(struct check *check, const struct meet *meet,
                       const struct branches *branches)
{
    const struct json_doc *doc = &branches->rule.schema.doc->json;
    const struct json_node *list = branches->rule.value;
    for (const struct json_node *at = json_first(doc, list); at; at = json_after(doc, list, at)) {
        if (check_stopped(check))
            return false;
        if (proves_quietly(check, meet, place_at(branches->rule.schema, at)) &&
            (!branches->exclusive || others_hold_nothing(check, meet, branches, at)))
            return true;
    }
    return false;
}

// The only branch that holds anything of the meet, or NULL: then its failure is the one to tell.
static const struct json_node *only_branch(struct check *check, const struct meet *meet,
                                           const struct branches *branches)
{
    const struct json_doc *doc = &branches->rule.schema.doc->json;
    const struct json_node *list = branches->rule.value, *found = NULL;
    for (const struct json_node *at = json_first(doc, list); at; at = json_after(doc, list, at)) {
        if (nothing_in(check, meet, place_at(branches->rule.schema, at)))
            continue;
        if (found)
            return NULL;
        found = at;
    }
    return found;
}

// One of few values that no branch has.
static bool told_value(struct check *check, const struct meet *meet,
                       const struct branches *branches)
{
    struct values values;
    if (!meet_values(check, meet, &values))
        return false;
    for (const struct json_node *at = values_next(&values, NULL); at;
         at = values_next(&values, at)) {
        struct place value = {values.doc, at};
        if (value_in_meet(check, value, meet) != YES ||
            value_accepted(check, value, branches->rule.schema) != NO)
            continue;
        (void)refuse(check, meet, &branches->rule, "value %.*s is allowed by %s and not by %s",
                     STR(shown(json_span(&values.doc->json, at))), sub_name(check),
                     sup_name(check)); // it is false
        refuse_example(check, value);
        return true;
    }
    return false;
}

static bool told_branches(struct check *check, const struct meet *meet,
                          const struct branches *branches)
{
    if (meet_empty(check, meet))
        return true;
    if (check->muted || told_value(check, meet, branches))
        return false;
    const struct json_node *only = only_branch(check, meet, branches);
    if (only && !proves(check, meet, place_at(branches->rule.schema, only)))
        return false;
    return undecided(check, meet, &branches->rule,
                     "no single alternative of %.*s is known to hold all %s values of %s%s",
                     STR(branches->rule.name), kinds_text(check, meet->kinds), sub_name(check),
                     branches->exclusive ? " while the others hold none" : "");
}

// A branch says which values this field has.
static bool branch_tells(struct check *check, const struct branches *branches, str name)
{
    const struct json_doc *doc = &branches->rule.schema.doc->json;
    const struct json_node *list = branches->rule.value;
    for (const struct json_node *at = json_first(doc, list); at; at = json_after(doc, list, at)) {
        const struct meet *branch = meet_of(check, place_at(branches->rule.schema, at));
        const struct meet *field = branch ? meet_field(check, branch, name) : NULL;
        struct values values;
        if (field && meet_values(check, field, &values))
            return true;
    }
    return false;
}

// {"properties":{name:{"const":value}},"required":[name]}
static struct place field_is(struct check *check, str name, str value)
{
    struct place text = text_value(check, name);
    struct buf buf;
    buf_init(&buf, 1 << 20);
    if (text.node) {
        str key = text.doc->json.text;
        buf_printf(&buf, "{\"required\":[%.*s],\"properties\":{%.*s:{\"const\":", STR(key),
                   STR(key));
        buf_put_str(&buf, value);
        buf_put_str(&buf, S("}}}"));
    }
    str schema = buf_failed(&buf) || !buf.len ? (str){} : arena_copy(check->arena, buf_str(&buf));
    buf_deinit(&buf);
    if (!schema.ptr)
        check->out_of_memory = true;
    return schema.ptr ? place_made(check, schema) : (struct place){};
}

// A required field of the meet's with few values, by which the branches can be told apart.
static bool telling_field(struct check *check, const struct meet *meet,
                          const struct branches *branches, str *ret_name, struct values *ret)
{
    for (uint32_t i = 0; i < meet->place_count; i++) {
        struct place place = meet->places[i];
        const struct json_node *required = place_keyword(check, place, S("required"));
        const struct json_doc *doc = &place.doc->json;
        if (!required || required->kind != JSON_ARRAY)
            continue;
        for (const struct json_node *at = json_first(doc, required); at;
             at = json_after(doc, required, at)) {
            str name = at->kind == JSON_STRING ? node_text(check, place.doc, at) : S("");
            const struct meet *field = meet_field(check, meet, name);
            if (check_stopped(check) || !field)
                return false;
            if (meet_values(check, field, ret) && ret->array &&
                ret->array->count <= FIELD_VALUES_MAX && ret->array->count > 1 &&
                branch_tells(check, branches, name)) {
                *ret_name = name;
                return true;
            }
        }
    }
    return false;
}

static bool prove_by_field(struct check *check, const struct meet *meet,
                           const struct branches *branches)
{
    str name;
    struct values values;
    if (meet->kinds != OBJECTS || !telling_field(check, meet, branches, &name, &values))
        return told_branches(check, meet, branches);
    bool proven = true;
    for (const struct json_node *at = values_next(&values, NULL); at && (proven || !check->muted);
         at = values_next(&values, at)) {
        struct place fixed = field_is(check, name, json_span(&values.doc->json, at));
        const struct meet *part = fixed.node ? meet_with(check, meet, fixed) : NULL;
        proven = part &&
                 (within_one(check, part, branches) || told_branches(check, part, branches)) &&
                 proven;
    }
    return proven;
}

static bool prove_by_kinds(struct check *check, const struct meet *meet,
                           const struct branches *branches)
{
    static const unsigned parts[] = {NULLS, BOOLEANS, NUMBERS, STRINGS, ARRAYS, OBJECTS};
    bool proven = true;
    for (size_t i = 0; i < COUNT_OF(parts) && (proven || !check->muted); i++) {
        if (!(meet->kinds & parts[i]))
            continue;
        const struct meet *part = meet_of_kinds(check, meet, parts[i]);
        if (!part)
            return false;
        bool ok = within_one(check, part, branches);
        if (!ok && part->kinds == NUMBERS) {
            const struct meet *whole = meet_of_kinds(check, part, INTEGERS);
            const struct meet *broken = meet_of_kinds(check, part, FRACTIONS);
            ok = whole && broken && within_one(check, whole, branches) &&
                 within_one(check, broken, branches);
        }
        proven = (ok || prove_by_field(check, part, branches)) && proven;
    }
    return proven;
}

static bool prove_branches(struct check *check, const struct meet *meet, struct branches branches)
{
    const struct rule *rule = &branches.rule;
    if (rule->value->kind != JSON_ARRAY || rule->value->count == 0)
        return malformed(check, meet, rule);
    if (rule->value->count == 1) {
        const struct json_node *only = json_first(&rule->schema.doc->json, rule->value);
        return proves(check, meet, place_at(rule->schema, only));
    }
    // The caller takes the choices of the meet apart and asks again, unless it is done here. Where
    // that is many times many, only the parts are tried.
    bool apart = meet->choice_count && check->chosen < COMPAT_CHOICES_MAX;
    uint64_t attempts = apart ? (uint64_t)meet->choices[0].count * rule->value->count : 0;
    if (attempts <= ATTEMPTS_MAX && within_one(check, meet, &branches))
        return true;
    if (apart)
        return false;
    return prove_by_kinds(check, meet, &branches);
}

bool prove_any(struct check *check, const struct meet *meet, struct rule rule)
{
    return prove_branches(check, meet, (struct branches){.rule = rule});
}

bool prove_one(struct check *check, const struct meet *meet, struct rule rule)
{
    return prove_branches(check, meet, (struct branches){.rule = rule, .exclusive = true});
}

bool prove_all(struct check *check, const struct meet *meet, struct rule rule)
{
    const struct json_doc *doc = &rule.schema.doc->json;
    bool proven = rule.value->kind == JSON_ARRAY || malformed(check, meet, &rule);
    for (const struct json_node *at = json_first(doc, rule.value); at && (proven || !check->muted);
         at = json_after(doc, rule.value, at))
        proven = proves(check, meet, place_at(rule.schema, at)) && proven;
    return proven;
}

bool prove_not(struct check *check, const struct meet *meet, struct rule rule)
{
    struct place negated = place_at(rule.schema, rule.value);
    if (!is_schema(rule.value))
        return malformed(check, meet, &rule);
    if (nothing_in(check, meet, negated))
        return true;
    const struct meet *refused = meet_of(check, negated);
    for (uint32_t i = 0; refused && i < meet->not_count; i++)
        if (proves_quietly(check, refused, meet->nots[i]))
            return true;
    return undecided(
        check, meet, &rule,
        "%s has 'not', and it is not known that %s allows nothing of what that refuses",
        sup_name(check), sub_name(check));
}

bool prove_if(struct check *check, const struct meet *meet, struct rule rule)
{
    const struct json_node *then = place_keyword(check, rule.schema, S("then"));
    const struct json_node *otherwise = place_keyword(check, rule.schema, S("else"));
    struct place condition = place_at(rule.schema, rule.value);
    bool proven = true;
    if (then) {
        const struct meet *so = meet_with(check, meet, condition);
        proven = so && proves(check, so, place_at(rule.schema, then));
    }
    if (otherwise && (proven || !check->muted) && !proves_quietly(check, meet, condition)) {
        struct meet *not_so = meet_copy(check, meet);
        if (not_so)
            meet_add_not(check, not_so, condition);
        proven = not_so && proves(check, not_so, place_at(rule.schema, otherwise)) && proven;
    }
    return proven;
}
