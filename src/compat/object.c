// SPDX-License-Identifier: Apache-2.0
// Objects: every field is of one class, and each class is asked about once. A class is one name
// that somebody lists, or all unlisted names that match one pattern, or all the others. Whether a
// listed name matches a pattern is found out for simple patterns; where it is not, what could make
// the proof fail is assumed.
#include "compat/exact.h"
#include "compat/inside.h"

#include <stdlib.h>

// The names that the meet lists; `complete` when a value can have no other.
struct names {
    str *items;
    uint32_t count, room;
    bool complete;
};

static bool requires(struct check *check, const struct meet *meet, str name, uint32_t hops);

// Some listed dependency brings the name along.
static bool depended_upon(struct check *check, const struct meet *meet, struct place place,
                          str keyword_name, str name, uint32_t hops)
{
    const struct json_node *keyword = place_keyword(check, place, keyword_name);
    const struct json_doc *doc = &place.doc->json;
    if (!keyword || keyword->kind != JSON_OBJECT)
        return false;
    for (const struct json_node *at = json_first(doc, keyword); at;
         at = json_after(doc, keyword, at))
        if (at->kind == JSON_ARRAY && text_in_array(check, place_at(place, at), name) == YES &&
            requires(check, meet, node_key(check, place.doc, at), hops - 1))
            return true;
    return false;
}

static bool requires(struct check *check, const struct meet *meet, str name, uint32_t hops)
{
    for (uint32_t i = 0; i < meet->place_count; i++) {
        struct place place = meet->places[i];
        const struct json_node *required = place_keyword(check, place, S("required"));
        if (required && text_in_array(check, place_at(place, required), name) == YES)
            return true;
    }
    for (uint32_t i = 0; i < meet->place_count && hops > 0; i++) {
        struct place place = meet->places[i];
        if (depended_upon(check, meet, place, S("dependentRequired"), name, hops) ||
            (place.doc->draft == COMPAT_DRAFT_07 &&
             depended_upon(check, meet, place, S("dependencies"), name, hops)))
            return true;
    }
    return false;
}

bool meet_requires(struct check *check, const struct meet *meet, str name)
{
    enum { HOPS = 3 };
    return requires(check, meet, name, HOPS);
}

uint64_t meet_required_count(struct check *check, const struct meet *meet)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < meet->place_count; i++) {
        const struct json_node *required = place_keyword(check, meet->places[i], S("required"));
        // A name that stands twice in it counts once; so we believe one that lists one.
        if (required && required->kind == JSON_ARRAY && required->count && most == 0)
            most = 1;
    }
    return most;
}

// ---- What is said of one class of fields.

static bool is_applicator(struct check *check, struct place place)
{
    static const str names[] = {S("allOf"), S("anyOf"), S("oneOf"),       S("not"),
                                S("if"),    S("$ref"),  S("$dynamicRef"), S("dependentSchemas")};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (place_keyword(check, place, names[i]))
            return true;
    return false;
}

// additionalProperties, or unevaluatedProperties where nothing but its neighbours evaluates any.
static const struct json_node *other_fields(struct check *check, struct place place)
{
    const struct json_node *other = place_keyword(check, place, S("additionalProperties"));
    if (other)
        return other;
    other = place_keyword(check, place, S("unevaluatedProperties"));
    return other && !is_applicator(check, place) ? other : NULL;
}

static const struct json_node *object_keyword(struct check *check, struct place place, str name)
{
    const struct json_node *keyword = place_keyword(check, place, name);
    return keyword && keyword->kind == JSON_OBJECT ? keyword : NULL;
}

// One of several holds; which one depends on the name.
static void add_one_of(struct check *check, struct meet *field, struct place place,
                       const struct json_node *patterns, const struct json_node *other,
                       const bool *possible)
{
    static const struct json_node anything = {.kind = JSON_TRUE, .len = 0};
    struct place *places = check_alloc(check, (patterns->count + 1) * sizeof *places);
    uint32_t count = 0, index = 0;
    if (!places)
        return;
    places[count++] = place_at(place, other ? other : &anything);
    for (const struct json_node *at = json_first(&place.doc->json, patterns); at;
         at = json_after(&place.doc->json, patterns, at))
        if (possible[index++])
            places[count++] = place_at(place, at);
    if (count == 1)
        meet_add(check, field, places[0]);
    else
        meet_add_choice(check, field,
                        (struct choice){.kind = CHOICE_PLACES, .places = places, .count = count});
}

// What one schema says of the field `name`.
static void add_field(struct check *check, struct meet *field, struct place place, str name)
{
    const struct json_node *properties = object_keyword(check, place, S("properties"));
    const struct json_node *patterns = object_keyword(check, place, S("patternProperties"));
    const struct json_node *other = other_fields(check, place), *named = NULL;
    if (properties && check_spend(check, 1 + properties->count / 8))
        named = json_member(&place.doc->json, properties, name);
    if (named)
        meet_add(check, field, place_at(place, named));
    if (!patterns) {
        if (!named && other)
            meet_add(check, field, place_at(place, other));
        return;
    }
    bool *possible = check_alloc(check, patterns->count + 1);
    enum tri matched = tri_of(named != NULL);
    uint32_t index = 0;
    for (const struct json_node *at = json_first(&place.doc->json, patterns); at && possible;
         at = json_after(&place.doc->json, patterns, at)) {
        enum tri matches = name_matches(check, node_key(check, place.doc, at), name);
        possible[index++] = matches == UNKNOWN;
        matched = tri_or(matched, matches);
        if (matches == YES)
            meet_add(check, field, place_at(place, at));
    }
    if (possible && matched != YES)
        add_one_of(check, field, place, patterns, other, possible);
}

// What one schema says of unlisted names that match `pattern`, or (when that is NULL) that match
// none of the patterns of `besides`.
static void add_class(struct check *check, struct meet *field, struct place place,
                      const str *pattern, struct place besides)
{
    const struct json_node *patterns = object_keyword(check, place, S("patternProperties"));
    const struct json_node *other = other_fields(check, place);
    if (!patterns) {
        if (other)
            meet_add(check, field, place_at(place, other));
        return;
    }
    bool *possible = check_alloc(check, patterns->count + 1);
    bool same = false;
    uint32_t index = 0;
    for (const struct json_node *at = json_first(&place.doc->json, patterns); at && possible;
         at = json_after(&place.doc->json, patterns, at)) {
        str text = node_key(check, place.doc, at);
        bool this_one = pattern && str_equal(*pattern, text);
        bool never = !pattern && besides.node && check_spend(check, 1) &&
                     json_member(&besides.doc->json, besides.node, text);
        if (this_one)
            meet_add(check, field, place_at(place, at));
        same = same || this_one;
        possible[index++] = !this_one && !never;
    }
    if (possible && !same)
        add_one_of(check, field, place, patterns, other, possible);
}

// Whether a schema's propertyNames refuses the name.
static bool name_refused(struct check *check, const struct meet *meet, str name)
{
    for (uint32_t i = 0; i < meet->place_count; i++) {
        struct place place = meet->places[i];
        const struct json_node *names = place_keyword(check, place, S("propertyNames"));
        struct place text = names ? text_value(check, name) : (struct place){};
        if (text.node && value_accepted(check, text, place_at(place, names)) == NO)
            return true;
    }
    return false;
}

struct meet *meet_field(struct check *check, const struct meet *meet, str name)
{
    struct meet *field = meet_new(check);
    for (uint32_t i = 0; field && i < meet->place_count; i++)
        add_field(check, field, meet->places[i], name);
    if (field && name_refused(check, meet, name))
        field->never = true;
    return field;
}

static bool names_pattern(struct check *check, const struct meet *meet, struct place patterns);

static struct meet *meet_class(struct check *check, const struct meet *meet, const str *pattern,
                               struct place besides)
{
    struct meet *field = meet_new(check);
    for (uint32_t i = 0; field && i < meet->place_count; i++)
        add_class(check, field, meet->places[i], pattern, besides);
    if (field && !pattern && besides.node && names_pattern(check, meet, besides))
        field->never = true; // every name matches one of them
    return field;
}

// ---- Which names there are.

static void add_name(struct check *check, struct names *names, str name)
{
    if (names->count == names->room) {
        uint32_t room = names->room ? names->room * 2 : 16;
        str *larger = check_alloc(check, room * sizeof *larger);
        if (!larger)
            return;
        if (names->count)
            memcpy(larger, names->items, names->count * sizeof *larger);
        names->items = larger;
        names->room = room;
    }
    names->items[names->count++] = name;
}

// All that a value's names satisfy, or NULL when there is nothing.
static struct meet *meet_of_names(struct check *check, const struct meet *meet)
{
    struct meet *names = meet_new(check);
    for (uint32_t i = 0; names && i < meet->place_count; i++) {
        const struct json_node *schema = place_keyword(check, meet->places[i], S("propertyNames"));
        if (schema)
            meet_add(check, names, place_at(meet->places[i], schema));
    }
    if (names)
        names->kinds &= STRINGS;
    return names;
}

// propertyNames says: a pattern that is among `patterns`.
static bool names_pattern(struct check *check, const struct meet *meet, struct place patterns)
{
    const struct meet *names = meet_of_names(check, meet);
    for (uint32_t i = 0; names && i < names->place_count; i++) {
        struct place place = names->places[i];
        const struct json_node *pattern = place_keyword(check, place, S("pattern"));
        if (pattern && pattern->kind == JSON_STRING &&
            json_member(&patterns.doc->json, patterns.node, node_text(check, place.doc, pattern)))
            return true;
    }
    return false;
}

// The names of an enum or const of propertyNames: no others are possible.
static bool finite_names(struct check *check, const struct meet *meet, struct names *names)
{
    const struct meet *schema = meet_of_names(check, meet);
    struct values values;
    if (!schema || !meet_values(check, schema, &values))
        return false;
    for (const struct json_node *at = values_next(&values, NULL); at; at = values_next(&values, at))
        if (at->kind == JSON_STRING)
            add_name(check, names, node_text(check, values.doc, at));
    names->complete = true;
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return str_compare(*(const str *)a, *(const str *)b);
}

static bool no_fields(struct check *check, const struct meet *meet)
{
    struct exact most, one = exact_of(1);
    for (uint32_t i = 0; i < meet->place_count; i++) {
        struct place place = meet->places[i];
        const struct json_node *value = place_keyword(check, place, S("maxProperties"));
        if (value && place_number(place_at(place, value), &most) && exact_compare(&most, &one) < 0)
            return true;
    }
    return false;
}

static struct names names_of(struct check *check, const struct meet *meet)
{
    struct names names = {};
    if (no_fields(check, meet)) {
        names.complete = true;
        return names;
    }
    if (finite_names(check, meet, &names))
        return names;
    for (uint32_t i = 0; i < meet->place_count; i++) {
        struct place place = meet->places[i];
        const struct json_node *properties = object_keyword(check, place, S("properties"));
        const struct json_node *patterns = place_keyword(check, place, S("patternProperties"));
        const struct json_node *other = other_fields(check, place);
        const struct json_doc *doc = &place.doc->json;
        if (other && other->kind == JSON_FALSE && !patterns)
            names.complete = true;
        for (const struct json_node *at = properties ? json_first(doc, properties) : NULL; at;
             at = json_after(doc, properties, at))
            add_name(check, &names, node_key(check, place.doc, at));
    }
    if (names.count && check_spend(check, names.count))
        qsort(names.items, names.count, sizeof *names.items, compare_names);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < names.count; i++)
        if (i == 0 || !str_equal(names.items[i], names.items[kept - 1]))
            names.items[kept++] = names.items[i];
    names.count = kept;
    return names;
}

bool meet_closed_count(struct check *check, const struct meet *meet, uint64_t *ret_count)
{
    struct names names = names_of(check, meet);
    *ret_count = names.count;
    return names.complete && !check_stopped(check);
}

// All of it with the field there.
static struct meet *meet_having(struct check *check, const struct meet *meet, str name)
{
    struct place text = text_value(check, name);
    struct buf buf;
    buf_init(&buf, 1 << 20);
    buf_put_str(&buf, S("{\"required\":["));
    if (text.node)
        buf_put_str(&buf, text.doc->json.text);
    buf_put_str(&buf, S("]}"));
    str schema = buf_failed(&buf) ? (str){} : arena_copy(check->arena, buf_str(&buf));
    buf_deinit(&buf);
    if (!schema.ptr || !text.node) {
        check->out_of_memory = true;
        return NULL;
    }
    struct place made = place_made(check, schema);
    return made.node ? meet_with(check, meet, made) : NULL;
}

// ---- Proofs.

// Whether the choices and negations of the meet keep the field away.
static bool never_has(struct check *check, const struct meet *meet, str name)
{
    if (check->absence || !(meet->not_count || meet->choice_count))
        return false;
    check->absence = true;
    const struct meet *having = meet_having(check, meet, name);
    having = having ? meet_of_kinds(check, having, OBJECTS) : NULL;
    bool never = having && meet_empty(check, having);
    check->absence = false;
    return never;
}

// What is proven of a field is proven, too, when the field can never be there.
static bool proves_field(struct check *check, const struct meet *meet, str name,
                         struct place schema)
{
    uint32_t told = check->reason_count;
    const struct meet *field = meet_field(check, meet, name);
    if (!field || proves_part(check, field, schema, (struct step){.name = name}))
        return field != NULL;
    if (!never_has(check, meet, name))
        return false;
    check->reason_count = told;
    return true;
}

static bool proves_field_quietly(struct check *check, const struct meet *meet, str name,
                                 struct place schema)
{
    check->muted++;
    bool proven = proves_field(check, meet, name, schema);
    check->muted--;
    return proven;
}

bool prove_required(struct check *check, const struct meet *meet, struct rule rule)
{
    const struct json_doc *doc = &rule.schema.doc->json;
    bool proven = rule.value->kind == JSON_ARRAY || malformed(check, meet, &rule);
    for (const struct json_node *at = json_first(doc, rule.value); at && (proven || !check->muted);
         at = json_after(doc, rule.value, at)) {
        str name = at->kind == JSON_STRING ? node_text(check, rule.schema.doc, at) : S("");
        if (at->kind != JSON_STRING)
            proven = malformed(check, meet, &rule);
        else if (!meet_requires(check, meet, name))
            proven = refuse(check, meet, &rule, "field '%.*s' is required by %s and %s %s",
                            STR(shown(name)), sup_name(check),
                            check->direction == COMPAT_BACKWARD ? "was optional" : "is optional in",
                            check->direction == COMPAT_BACKWARD ? "before" : sub_name(check));
    }
    return proven;
}

bool prove_fields(struct check *check, const struct meet *meet, struct rule rule)
{
    const struct json_doc *doc = &rule.schema.doc->json;
    bool proven = rule.value->kind == JSON_OBJECT || malformed(check, meet, &rule);
    for (const struct json_node *at = json_first(doc, rule.value); at && (proven || !check->muted);
         at = json_after(doc, rule.value, at)) {
        str name = node_key(check, rule.schema.doc, at);
        const struct meet *field = meet_field(check, meet, name);
        bool anything = field && field->kinds == ALL_KINDS && field->place_count == 0 &&
                        field->choice_count == 0 && !field->never && !meet->blurred &&
                        meet->choice_count == 0;
        if (anything && !proves_quietly(check, field, place_at(rule.schema, at)))
            proven = refuse(check, meet, &rule,
                            "field '%.*s' could hold anything by %s, which does not speak of it, "
                            "and is restricted by %s",
                            STR(shown(name)), sub_name(check), sup_name(check));
        else if (!anything)
            proven = proves_field(check, meet, name, place_at(rule.schema, at)) && proven;
    }
    return proven;
}

// Fields of the meet's that the rule's schema may apply to.
static bool prove_named(struct check *check, const struct meet *meet, str name, struct place schema,
                        const struct rule *rule)
{
    const struct meet *field = meet_field(check, meet, name);
    if (schema.node->kind == JSON_FALSE && field && !meet_empty(check, field) &&
        !proves_field_quietly(check, meet, name, schema))
        return refuse(check, meet, rule, "field '%.*s' is allowed by %s and not by %s",
                      STR(shown(name)), sub_name(check), sup_name(check));
    return proves_field(check, meet, name, schema);
}

static bool prove_pattern_field(struct check *check, const struct meet *meet,
                                const struct names *names, str pattern, const struct rule *rule,
                                struct place schema)
{
    bool proven = true;
    for (uint32_t i = 0; i < names->count && (proven || !check->muted); i++)
        if (name_matches(check, pattern, names->items[i]) != NO)
            proven = prove_named(check, meet, names->items[i], schema, rule) && proven;
    if (names->complete)
        return proven;
    const struct meet *field = meet_class(check, meet, &pattern, (struct place){});
    return field &&
           proves_part(check, field, schema, (struct step){.name = pattern, .key = true}) && proven;
}

bool prove_pattern_fields(struct check *check, const struct meet *meet, struct rule rule)
{
    const struct json_doc *doc = &rule.schema.doc->json;
    bool proven = rule.value->kind == JSON_OBJECT || malformed(check, meet, &rule);
    struct names names = names_of(check, meet);
    for (const struct json_node *at = json_first(doc, rule.value); at && (proven || !check->muted);
         at = json_after(doc, rule.value, at))
        proven = prove_pattern_field(check, meet, &names, node_key(check, rule.schema.doc, at),
                                     &rule, place_at(rule.schema, at)) &&
                 proven;
    return proven;
}

static bool surely_matched(struct check *check, struct place patterns, str name)
{
    const struct json_doc *doc = &patterns.doc->json;
    for (const struct json_node *at = patterns.node ? json_first(doc, patterns.node) : NULL; at;
         at = json_after(doc, patterns.node, at))
        if (check_spend(check, 1) &&
            name_matches(check, node_key(check, patterns.doc, at), name) == YES)
            return true;
    return false;
}

bool prove_other_fields(struct check *check, const struct meet *meet, struct rule rule)
{
    const struct json_node *listed = object_keyword(check, rule.schema, S("properties"));
    const struct json_node *patterns = place_keyword(check, rule.schema, S("patternProperties"));
    struct place schema = place_at(rule.schema, rule.value);
    struct place besides = place_at(rule.schema, patterns);
    if (patterns && patterns->kind != JSON_OBJECT)
        return malformed(check, meet, &rule);
    struct names names = names_of(check, meet);
    bool proven = true;
    for (uint32_t i = 0; i < names.count && (proven || !check->muted); i++) {
        str name = names.items[i];
        bool named = listed && check_spend(check, 1 + listed->count / 8) &&
                     json_member(&rule.schema.doc->json, listed, name);
        if (!named && !surely_matched(check, besides, name))
            proven = prove_named(check, meet, name, schema, &rule) && proven;
    }
    if (names.complete || (!proven && check->muted))
        return proven;
    const struct meet *field = meet_class(check, meet, NULL, besides);
    if (field && schema.node->kind == JSON_FALSE && !meet_empty(check, field))
        return refuse(check, meet, &rule,
                      "fields that are not listed are allowed by %s and not by "
                      "%s",
                      sub_name(check), sup_name(check));
    return field && proves_part(check, field, schema, (struct step){.name = S("*"), .key = true}) &&
           proven;
}

bool prove_names(struct check *check, const struct meet *meet, struct rule rule)
{
    struct place schema = place_at(rule.schema, rule.value);
    struct names names = names_of(check, meet);
    const struct meet *any = meet_of_names(check, meet);
    if (any && proves_quietly(check, any, schema))
        return true;
    if (!names.complete)
        return any &&
               proves_part(check, any, schema, (struct step){.name = S("names"), .key = true});
    bool proven = true;
    for (uint32_t i = 0; i < names.count && (proven || !check->muted); i++) {
        struct place text = text_value(check, names.items[i]);
        enum tri accepted = text.node ? value_accepted(check, text, schema) : UNKNOWN;
        if (accepted == YES)
            continue;
        const struct meet *field = meet_field(check, meet, names.items[i]);
        if (field && meet_empty(check, field))
            continue;
        proven = accepted == NO
                     ? refuse(check, meet, &rule,
                              "a field named '%.*s' is allowed by %s and not "
                              "by %s",
                              STR(shown(names.items[i])), sub_name(check), sup_name(check))
                     : undecided(check, meet, &rule,
                                 "it is not known whether %s allows a field named '%.*s'",
                                 sup_name(check), STR(shown(names.items[i])));
    }
    return proven;
}

// ---- Dependencies: what holds when the field is there.

static bool prove_dependency(struct check *check, const struct meet *meet, struct rule rule,
                             const struct json_node *at)
{
    str name = node_key(check, rule.schema.doc, at);
    const struct meet *field = meet_field(check, meet, name);
    const struct meet *having = meet_having(check, meet, name);
    if (!field || !having)
        return false;
    having = meet_of_kinds(check, having, OBJECTS);
    if (field->never || meet_empty(check, field))
        return true;
    if (at->kind != JSON_ARRAY)
        return proves(check, having, place_at(rule.schema, at));
    rule.value = at;
    return prove_required(check, having, rule);
}

bool prove_dependencies(struct check *check, const struct meet *meet, struct rule rule)
{
    const struct json_doc *doc = &rule.schema.doc->json;
    bool proven = rule.value->kind == JSON_OBJECT || malformed(check, meet, &rule);
    for (const struct json_node *at = json_first(doc, rule.value); at && (proven || !check->muted);
         at = json_after(doc, rule.value, at))
        proven = prove_dependency(check, meet, rule, at) && proven;
    return proven;
}

bool prove_unevaluated(struct check *check, const struct meet *meet, struct rule rule)
{
    for (uint32_t i = 0; i < meet->place_count; i++)
        if (places_same(check, meet->places[i], rule.schema))
            return true;
    bool fields = str_equal(rule.name, S("unevaluatedProperties"));
    str seen = fields ? S("additionalProperties") : S("items");
    bool simple = !is_applicator(check, rule.schema) &&
                  (fields || !place_keyword(check, rule.schema, S("contains")));
    if (rule.value->kind == JSON_TRUE || (simple && place_keyword(check, rule.schema, seen)))
        return true;
    if (simple && fields)
        return prove_other_fields(check, meet, rule);
    return undecided(check, meet, &rule, "what %.*s applies to depends on other keywords of %s",
                     STR(rule.name), sup_name(check));
}
