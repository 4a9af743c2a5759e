// SPDX-License-Identifier: Apache-2.0
// One sentence a keyword, asked in both directions: what loosens is backward compatible and not
// forward compatible, what tightens the other way round.
#include "compat/ask.h"

#include <stdlib.h>

static bool compatible(const char *old_schema, const char *new_schema,
                       enum compat_direction direction)
{
    struct arena arena;
    arena_init(&arena, 1 << 16, 1 << 24);
    struct compat_options options = {.direction = direction};
    bool yes = ask(&arena, old_schema, new_schema, options).compatible;
    arena_deinit(&arena);
    return yes;
}

static void show(const char *old_schema, const char *new_schema, enum compat_direction direction)
{
    struct arena arena;
    arena_init(&arena, 1 << 16, 1 << 24);
    struct compat_answer answer =
        ask(&arena, old_schema, new_schema, (struct compat_options){.direction = direction});
    fprintf(stderr, "    old %s\n    new %s\n", old_schema, new_schema);
    for (uint32_t i = 0; i < answer.count; i++)
        fprintf(stderr, "    %.*s\n", STR(answer.reasons[i].message));
    arena_deinit(&arena);
}

// The narrow schema's values are all among the wide one's, and not the other way round.
static void check_narrower(const char *narrow, const char *wide, int line)
{
    bool loosened = compatible(narrow, wide, COMPAT_BACKWARD);
    bool tightened = compatible(wide, narrow, COMPAT_FORWARD);
    if (!loosened || !tightened)
        show(narrow, wide, COMPAT_BACKWARD);
    if (!loosened || !tightened || compatible(wide, narrow, COMPAT_BACKWARD) ||
        compatible(narrow, wide, COMPAT_FORWARD) || compatible(narrow, wide, COMPAT_FULL))
        test_fail(__FILE__, line, "%s is not told to be narrower than %s", narrow, wide);
}
#define NARROWER(narrow, wide) check_narrower(narrow, wide, __LINE__)

static void check_equal(const char *a, const char *b, int line)
{
    if (compatible(a, b, COMPAT_FULL) && compatible(b, a, COMPAT_FULL))
        return;
    show(a, b, COMPAT_FULL);
    test_fail(__FILE__, line, "%s is not told to equal %s", a, b);
}
#define SAME(a, b) check_equal(a, b, __LINE__)

static void check_apart(const char *a, const char *b, int line)
{
    if (compatible(a, b, COMPAT_BACKWARD) || compatible(a, b, COMPAT_FORWARD))
        test_fail(__FILE__, line, "%s and %s are told to be related", a, b);
}
#define APART(a, b) check_apart(a, b, __LINE__)

#define DRAFT_07 "\"$schema\":\"http://json-schema.org/draft-07/schema#\""

TEST(boolean_schemas_hold_everything_or_nothing)
{
    NARROWER("false", "true");
    SAME("true", "{}");
    SAME("false", "{\"not\":{}}");
    NARROWER("false", "{\"type\":\"string\"}");
    NARROWER("{\"type\":\"string\"}", "true");
}

TEST(types_are_sets)
{
    NARROWER("{\"type\":\"string\"}", "{\"type\":[\"string\",\"null\"]}");
    NARROWER("{\"type\":\"integer\"}", "{\"type\":\"number\"}");
    SAME("{\"type\":[\"integer\",\"number\"]}", "{\"type\":\"number\"}");
    SAME("{\"type\":[\"null\",\"boolean\",\"number\",\"string\",\"array\",\"object\"]}", "{}");
    SAME("{\"type\":\"integer\"}", "{\"type\":\"number\",\"multipleOf\":1}");
    APART("{\"type\":\"string\"}", "{\"type\":\"integer\"}");
}

TEST(required_fields_narrow)
{
    NARROWER("{\"required\":[\"a\",\"b\"]}", "{\"required\":[\"b\"]}");
    NARROWER("{\"type\":\"object\",\"required\":[\"a\"]}", "{\"type\":\"object\"}");
    SAME("{\"type\":\"string\",\"required\":[\"a\"]}", "{\"type\":\"string\"}");
    NARROWER("{\"required\":[\"a\"]}",
             "{\"minProperties\":1,\"type\":[\"object\",\"string\",\"null\","
             "\"number\",\"array\",\"boolean\"]}");
}

TEST(fields_are_compared_one_by_one)
{
    NARROWER("{\"properties\":{\"a\":{\"type\":\"integer\"}}}",
             "{\"properties\":{\"a\":{\"type\":\"number\"}}}");
    NARROWER("{\"properties\":{\"a\":{\"type\":\"integer\"}}}", "{}");
    SAME("{\"properties\":{\"a\":true}}", "{}");
    APART("{\"properties\":{\"a\":{\"type\":\"integer\"}}}",
          "{\"properties\":{\"b\":{\"type\":\"integer\"}}}");
    NARROWER("{\"properties\":{\"a\":{\"properties\":{\"b\":{\"minimum\":3}}}}}",
             "{\"properties\":{\"a\":{\"properties\":{\"b\":{\"minimum\":2}}}}}");
    SAME("{\"properties\":{\"a\":false}}", "{\"not\":{\"type\":\"object\",\"required\":[\"a\"]}}");
}

TEST(closed_objects_hold_fewer_fields)
{
    NARROWER("{\"properties\":{\"a\":{}},\"additionalProperties\":false}",
             "{\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"string\"}}");
    NARROWER(
        "{\"properties\":{\"a\":{}},\"additionalProperties\":false}",
        "{\"properties\":{\"a\":{},\"b\":{\"type\":\"string\"}},\"additionalProperties\":false}");
    NARROWER("{\"additionalProperties\":false}", "{\"maxProperties\":1}");
    SAME("{\"type\":\"object\",\"additionalProperties\":false}",
         "{\"type\":\"object\",\"maxProperties\":0}");
    SAME("{\"properties\":{\"a\":{}},\"unevaluatedProperties\":false}",
         "{\"properties\":{\"a\":{}},\"additionalProperties\":false}");
}

TEST(pattern_fields_are_compared_by_pattern)
{
    NARROWER("{\"patternProperties\":{\"^x-\":{\"type\":\"integer\"}}}",
             "{\"patternProperties\":{\"^x-\":{\"type\":\"number\"}}}");
    NARROWER(
        "{\"patternProperties\":{\"^x-\":{\"type\":\"integer\"}},\"additionalProperties\":false}",
        "{\"patternProperties\":{\"^x-\":{\"type\":\"number\"}}}");
    NARROWER("{\"additionalProperties\":{\"type\":\"integer\"}}",
             "{\"patternProperties\":{\"(hard|er)\":{\"type\":\"number\"}}}");
    NARROWER("{\"patternProperties\":{\"^x-\":{\"type\":\"integer\"}}}",
             "{\"properties\":{\"x-a\":{\"type\":\"number\"}}}");
    APART("{\"patternProperties\":{\"^x-\":{\"type\":\"integer\"}}}",
          "{\"properties\":{\"y-a\":{\"type\":\"number\"}}}");
    NARROWER("{\"patternProperties\":{\"(a|b)\":{\"type\":\"integer\"}},"
             "\"additionalProperties\":{\"type\":\"integer\"}}",
             "{\"additionalProperties\":{\"type\":\"number\"}}");
}

TEST(names_of_fields_are_values_too)
{
    NARROWER("{\"propertyNames\":{\"enum\":[\"a\"]}}", "{\"propertyNames\":{\"maxLength\":1}}");
    NARROWER("{\"propertyNames\":{\"maxLength\":3}}", "{\"propertyNames\":{\"maxLength\":4}}");
    NARROWER("{\"properties\":{\"ab\":{}},\"additionalProperties\":false}",
             "{\"propertyNames\":{\"pattern\":\"^[a-z]+$\"}}");
    NARROWER("{\"propertyNames\":{\"enum\":[\"a\"]},\"properties\":{\"a\":{\"type\":\"integer\"}}}",
             "{\"additionalProperties\":{\"type\":\"number\"}}");
}

TEST(counts_of_fields_are_bounds)
{
    NARROWER("{\"minProperties\":2}", "{\"minProperties\":1}");
    NARROWER("{\"maxProperties\":1}", "{\"maxProperties\":2}");
    SAME("{\"minProperties\":2.0}", "{\"minProperties\":2}");
}

TEST(dependencies_are_followed)
{
    NARROWER("{\"required\":[\"b\"]}", "{\"dependentRequired\":{\"a\":[\"b\"]}}");
    NARROWER("{\"dependentRequired\":{\"a\":[\"b\",\"c\"]}}",
             "{\"dependentRequired\":{\"a\":[\"b\"]}}");
    SAME("{" DRAFT_07 ",\"dependencies\":{\"a\":[\"b\"]}}",
         "{\"dependentRequired\":{\"a\":[\"b\"]}}");
    SAME("{" DRAFT_07 ",\"dependencies\":{\"a\":{\"required\":[\"b\"]}}}",
         "{\"dependentSchemas\":{\"a\":{\"required\":[\"b\"]}}}");
    NARROWER("{\"properties\":{\"a\":false}}", "{\"dependentRequired\":{\"a\":[\"b\"]}}");
    SAME("{\"required\":[\"a\"],\"dependentSchemas\":{\"a\":{\"minProperties\":3}}}",
         "{\"required\":[\"a\"],\"minProperties\":3,\"type\":[\"object\",\"null\",\"boolean\","
         "\"number\",\"string\",\"array\"],\"dependentSchemas\":{\"a\":{\"minProperties\":3}}}");
}

TEST(dependencies_say_nothing_of_what_is_no_object)
{
    CHECK(!compatible("{\"required\":[\"a\"],\"dependentSchemas\":{\"a\":{\"type\":\"null\"}}}",
                      "{\"maximum\":3}", COMPAT_BACKWARD));
    CHECK(!compatible("{" DRAFT_07 ",\"type\":\"null\",\"required\":[\"a\"],"
                      "\"dependencies\":{\"a\":false}}",
                      "{\"type\":\"string\"}", COMPAT_BACKWARD));
}

TEST(listed_values_are_compared_one_by_one)
{
    NARROWER("{\"enum\":[1,\"a\"]}", "{\"enum\":[\"a\",1.0,null]}");
    NARROWER("{\"const\":{\"a\":1,\"b\":2}}", "{\"enum\":[{\"b\":2.0,\"a\":1},3]}");
    NARROWER("{\"enum\":[1,2]}", "{\"type\":\"integer\"}");
    NARROWER("{\"enum\":[1,2]}", "{\"minimum\":1}");
    NARROWER("{\"enum\":[1,2,30],\"maximum\":10}", "{\"enum\":[1,2,3]}");
    SAME("{\"type\":\"boolean\"}", "{\"enum\":[false,true]}");
    SAME("{\"type\":[\"boolean\",\"null\"]}", "{\"enum\":[false,null,true]}");
    NARROWER("{\"const\":\"abc\"}", "{\"pattern\":\"^[a-c]+$\"}");
    NARROWER("{\"const\":[1,2]}", "{\"uniqueItems\":true,\"contains\":{\"const\":2}}");
    APART("{\"const\":1}", "{\"const\":true}");
}

TEST(numeric_bounds_are_exact)
{
    NARROWER("{\"minimum\":3}", "{\"minimum\":2.9999999999999999999999999}");
    NARROWER("{\"exclusiveMinimum\":3}", "{\"minimum\":3}");
    NARROWER("{\"maximum\":-3}", "{\"exclusiveMaximum\":-2.5}");
    NARROWER("{\"exclusiveMaximum\":5}", "{\"maximum\":5}");
    SAME("{\"type\":\"integer\",\"exclusiveMinimum\":3}", "{\"type\":\"integer\",\"minimum\":4}");
    SAME("{\"type\":\"integer\",\"minimum\":3.5}", "{\"type\":\"integer\",\"minimum\":4}");
    SAME("{\"type\":\"integer\",\"maximum\":-3.5}", "{\"type\":\"integer\",\"maximum\":-4}");
    NARROWER("{\"minimum\":1e300}", "{\"minimum\":1e299}");
    NARROWER("{\"minimum\":0}", "{\"minimum\":-0.1}");
}

TEST(multiples_are_exact)
{
    NARROWER("{\"multipleOf\":0.02}", "{\"multipleOf\":0.01}");
    NARROWER("{\"multipleOf\":6}", "{\"multipleOf\":1.5}");
    APART("{\"multipleOf\":4}", "{\"multipleOf\":6}");
    NARROWER("{\"type\":\"integer\"}", "{\"multipleOf\":0.5,\"type\":\"number\"}");
    SAME("{\"multipleOf\":1e2}", "{\"multipleOf\":100}");
}

TEST(texts_have_lengths_and_patterns)
{
    NARROWER("{\"minLength\":2}", "{\"minLength\":1}");
    NARROWER("{\"maxLength\":2}", "{\"maxLength\":3}");
    SAME("{\"minLength\":0}", "{}");
    NARROWER("{\"pattern\":\"^a\"}", "{}");
    SAME("{\"pattern\":\"^(a|b)$\"}", "{\"pattern\":\"^(a|b)$\"}");
    APART("{\"pattern\":\"^a\"}", "{\"pattern\":\"^b\"}");
    NARROWER("{\"pattern\":\"^a\",\"minLength\":4}", "{\"minLength\":3,\"pattern\":\"^a\"}");
}

TEST(items_are_compared_by_position)
{
    NARROWER("{\"items\":{\"type\":\"integer\"}}", "{\"items\":{\"type\":\"number\"}}");
    NARROWER("{\"prefixItems\":[{\"type\":\"integer\"}]}",
             "{\"prefixItems\":[{\"type\":\"number\"}]}");
    NARROWER("{\"items\":{\"type\":\"integer\"}}", "{\"prefixItems\":[{\"type\":\"number\"}]}");
    NARROWER("{\"prefixItems\":[{\"const\":1}],\"items\":false}",
             "{\"items\":{\"type\":\"integer\"}}");
    SAME("{" DRAFT_07 ",\"items\":[{\"type\":\"string\"}],\"additionalItems\":{\"type\":\"null\"}}",
         "{\"prefixItems\":[{\"type\":\"string\"}],\"items\":{\"type\":\"null\"}}");
    NARROWER("{\"minItems\":2}", "{\"minItems\":1}");
    NARROWER("{\"maxItems\":1,\"items\":{\"const\":1}}", "{\"prefixItems\":[{\"const\":1}]}");
    SAME("{\"items\":false}", "{\"not\":{\"type\":\"array\",\"minItems\":1}}");
    NARROWER("{\"uniqueItems\":true}", "{\"uniqueItems\":false}");
    NARROWER("{\"maxItems\":1}", "{\"uniqueItems\":true}");
}

TEST(contained_items_are_counted)
{
    NARROWER("{\"contains\":{\"const\":1}}", "{\"contains\":{\"type\":\"integer\"}}");
    NARROWER("{\"contains\":{\"const\":1},\"minContains\":2}", "{\"contains\":{\"const\":1}}");
    NARROWER("{\"contains\":{\"const\":1},\"maxContains\":2}",
             "{\"contains\":{\"const\":1},\"maxContains\":3}");
    NARROWER("{\"items\":{\"const\":1},\"minItems\":1}", "{\"contains\":{\"type\":\"integer\"}}");
    SAME("{" DRAFT_07 ",\"contains\":{\"const\":1},\"minContains\":2}",
         "{\"contains\":{\"const\":1}}");
}

TEST(conjunctions_are_taken_together)
{
    SAME("{\"allOf\":[{\"minimum\":1},{\"maximum\":5}]}", "{\"minimum\":1,\"maximum\":5}");
    NARROWER("{\"allOf\":[{\"type\":[\"string\",\"null\"]},{\"type\":[\"null\",\"integer\"]}]}",
             "{\"type\":[\"null\",\"string\"]}");
    NARROWER("{\"allOf\":[{\"properties\":{\"a\":{\"minimum\":1}}},{\"required\":[\"a\"]}]}",
             "{\"required\":[\"a\"]}");
}

TEST(alternatives_are_taken_apart)
{
    NARROWER("{\"type\":\"string\"}", "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}");
    SAME("{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}",
         "{\"type\":[\"string\",\"null\"]}");
    SAME("{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}",
         "{\"oneOf\":[{\"type\":\"null\"},{\"type\":\"string\"}]}");
    NARROWER("{\"anyOf\":[{\"const\":1},{\"const\":2}]}", "{\"enum\":[1,2,3]}");
    SAME("{\"type\":\"number\"}", "{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"number\"}]}");
    NARROWER(
        "{\"properties\":{\"a\":{\"enum\":[\"x\",\"y\"]}},\"required\":[\"a\"]}",
        "{\"anyOf\":[{\"properties\":{\"a\":{\"const\":\"x\"}}},"
        "{\"properties\":{\"a\":{\"const\":\"y\"}}},{\"properties\":{\"a\":{\"const\":\"z\"}}}]}");
}

#define CAT                                                                                        \
    "{\"type\":\"object\",\"required\":[\"kind\"],\"properties\":{\"kind\":{\"const\":\"cat\"}"
#define DOG                                                                                        \
    "{\"type\":\"object\",\"required\":[\"kind\"],\"properties\":{\"kind\":{\"const\":\"dog\"}"

TEST(a_oneof_needs_branches_that_exclude_each_other)
{
    NARROWER(CAT "}}", "{\"oneOf\":[" CAT "}}," DOG "}}]}");
    NARROWER("{\"oneOf\":[" CAT ",\"a\":{\"type\":\"integer\"}}}," DOG "}}]}",
             "{\"oneOf\":[" CAT ",\"a\":{\"type\":\"number\"}}}," DOG "}}]}");
    APART("{\"type\":\"integer\"}", "{\"oneOf\":[{\"type\":\"number\"},{\"minimum\":3}]}");
    SAME("{\"oneOf\":[{\"multipleOf\":2},{\"multipleOf\":3}]}",
         "{\"oneOf\":[{\"multipleOf\":3},{\"multipleOf\":2}]}");
}

TEST(negations_are_proven_by_contradiction)
{
    NARROWER("{\"type\":\"string\"}", "{\"not\":{\"type\":\"null\"}}");
    NARROWER("{\"not\":{\"type\":[\"null\",\"string\"]}}", "{\"not\":{\"type\":\"null\"}}");
    NARROWER("{\"type\":\"integer\",\"minimum\":5}",
             "{\"not\":{\"maximum\":4,\"type\":\"number\"}}");
    NARROWER("{\"type\":\"object\",\"properties\":{\"a\":false}}",
             "{\"not\":{\"required\":[\"a\"],\"type\":\"object\"}}");
}

TEST(conditions_are_split)
{
    SAME("{\"if\":{\"type\":\"string\"},\"then\":{\"minLength\":1},\"else\":{\"minimum\":0}}",
         "{\"minLength\":1,\"minimum\":0}");
    NARROWER("{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\",\"c\"]}}",
             "{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]}}");
    SAME("{\"then\":false}", "{}");
}

TEST(references_are_followed_within_the_document)
{
    SAME("{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"type\":\"string\"}}}",
         "{\"type\":\"string\"}");
    SAME("{\"$ref\":\"#a\",\"$defs\":{\"x\":{\"$anchor\":\"a\",\"type\":\"string\"}}}",
         "{\"type\":\"string\"}");
    NARROWER(
        "{\"$ref\":\"#/$defs/a~1b\",\"minLength\":1,\"$defs\":{\"a/b\":{\"type\":\"string\"}}}",
        "{\"type\":\"string\"}");
    SAME("{" DRAFT_07 ",\"$ref\":\"#/definitions/a\",\"minLength\":1,"
         "\"definitions\":{\"a\":{\"type\":\"string\"}}}",
         "{\"type\":\"string\"}");
    // The same text of a reference means nothing by itself.
    NARROWER("{\"properties\":{\"f\":{\"$ref\":\"#/$defs/"
             "a\"}},\"$defs\":{\"a\":{\"type\":\"integer\"}}}",
             "{\"properties\":{\"f\":{\"$ref\":\"#/$defs/"
             "a\"}},\"$defs\":{\"a\":{\"type\":\"number\"}}}");
}

#define TREE(leaf)                                                                                 \
    "{\"type\":\"object\",\"properties\":{\"value\":" leaf                                         \
    ",\"children\":{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}}},\"required\":[\"value\"]}"

TEST(schemas_that_refer_to_themselves_are_compared)
{
    SAME(TREE("{\"type\":\"integer\"}"), TREE("{\"type\":\"integer\",\"$comment\":\"x\"}"));
    NARROWER(TREE("{\"type\":\"integer\"}"), TREE("{\"type\":\"number\"}"));
    APART(TREE("{\"type\":\"string\"}"), TREE("{\"type\":\"number\"}"));
    // A circle that never goes into the value proves nothing.
    CHECK(!compatible("true", "{\"$ref\":\"#\"}", COMPAT_BACKWARD));
    CHECK(!compatible("true",
                      "{\"allOf\":[{\"$ref\":\"#/$defs/a\"}],\"$defs\":{\"a\":{\"anyOf\":["
                      "{\"$ref\":\"#\"},{\"$ref\":\"#/$defs/a\"}]}}}",
                      COMPAT_BACKWARD));
}

TEST(references_out_of_the_document_equal_only_themselves)
{
    SAME("{\"properties\":{\"u\":{\"$ref\":\"user:3\"}}}",
         "{\"properties\":{\"u\":{\"$ref\":\"user:3\"}},\"title\":\"t\"}");
    APART("{\"$ref\":\"user:3\"}", "{\"$ref\":\"user:4\"}");
    NARROWER("{\"$ref\":\"user:3\"}", "{}");
    APART("{\"$id\":\"http://x/a\",\"$ref\":\"b\"}", "{\"$id\":\"http://y/a\",\"$ref\":\"b\"}");
    APART("{\"$id\":\"http://x/a\",\"properties\":{\"f\":{\"$ref\":\"../x/../"
          "a\"}},\"minProperties\":1}",
          "{\"$id\":\"http://x/a\",\"properties\":{\"f\":{\"$ref\":\"../x/../"
          "a\"}},\"maxProperties\":9}");
    SAME("{\"$id\":\"http://x/a\",\"properties\":{\"f\":{\"$ref\":\"http://x/a#/$defs/b\"}},"
         "\"$defs\":{\"b\":{\"type\":\"null\"}}}",
         "{\"properties\":{\"f\":{\"type\":\"null\"}}}");
}

TEST(what_is_not_understood_is_never_a_yes)
{
    APART("{\"$dynamicRef\":\"#a\"}", "{\"$dynamicRef\":\"#b\"}");
    CHECK(!compatible("{}", "{\"$dynamicRef\":\"#a\",\"$dynamicAnchor\":\"a\"}", COMPAT_BACKWARD));
    CHECK(!compatible("{}", "{\"allOf\":[{}],\"unevaluatedProperties\":false}", COMPAT_BACKWARD));
    CHECK(!compatible("{}", "{\"minimum\":\"3\"}", COMPAT_BACKWARD));
    CHECK(!compatible("{\"const\":\"a\"}", "{\"type\":\"text\"}", COMPAT_BACKWARD));
    CHECK(!compatible("{}", "{\"$schema\":\"http://json-schema.org/draft-04/schema#\"}",
                      COMPAT_BACKWARD));
    CHECK(!compatible("{}", "{\"title\":\"x\",\"title\":\"y\"}", COMPAT_BACKWARD));
    CHECK(!compatible("{}", "3", COMPAT_BACKWARD));
}

TEST(an_identical_schema_is_compatible_whatever_it_uses)
{
    SAME("{\"allOf\":[{\"properties\":{\"a\":{\"pattern\":\"(a+)+$\"}}}],\"unevaluatedProperties\":"
         "false,\"not\":{\"required\":[\"z\"]},\"contains\":{\"format\":\"email\"}}",
         "{\"allOf\":[{\"properties\":{\"a\":{\"pattern\":\"(a+)+$\"}}}],\"unevaluatedProperties\":"
         "false,\"not\":{\"required\":[\"z\"]},\"contains\":{\"format\":\"email\"}}");
}

TEST(empty_schemas_are_within_everything)
{
    NARROWER("{\"type\":\"integer\",\"minimum\":3,\"exclusiveMaximum\":3}", "{\"type\":\"null\"}");
    NARROWER("{\"type\":\"string\",\"minLength\":3,\"maxLength\":2}", "{\"type\":\"null\"}");
    NARROWER("{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":false}}",
             "{\"type\":\"null\"}");
    NARROWER("{\"enum\":[1,2],\"type\":\"string\"}", "{\"type\":\"null\"}");
    NARROWER("{\"type\":\"integer\",\"exclusiveMinimum\":3,\"exclusiveMaximum\":4}",
             "{\"type\":\"null\"}");
    NARROWER("{\"enum\":[]}", "{\"type\":\"null\"}");
}

static bool compatible_by(const char *a, const char *b, struct compat_options options)
{
    struct arena arena;
    arena_init(&arena, 1 << 16, 1 << 24);
    bool yes = ask(&arena, a, b, options).compatible;
    arena_deinit(&arena);
    return yes;
}

TEST(formats_count_only_when_they_are_asserted)
{
    struct compat_options lax = {}, asserted = {.assert_formats = true};
    CHECK(compatible_by("{}", "{\"format\":\"email\"}", lax));
    CHECK(!compatible_by("{}", "{\"format\":\"email\"}", asserted));
    CHECK(compatible_by("{\"format\":\"email\"}", "{\"format\":\"email\",\"title\":\"x\"}",
                        asserted));
    CHECK(!compatible_by("{\"const\":\"x\"}", "{\"format\":\"email\"}", asserted));
}

static const struct compat_reason *reason(const struct compat_answer *answer, const char *message)
{
    for (uint32_t i = 0; i < answer->count; i++)
        if (str_equal(answer->reasons[i].message, str_of(message)))
            return &answer->reasons[i];
    for (uint32_t i = 0; i < answer->count; i++)
        fprintf(stderr, "    told: %.*s\n", STR(answer->reasons[i].message));
    test_fail(__FILE__, __LINE__, "not told: %s", message);
}

TEST(every_reason_is_told_with_both_places)
{
    struct arena arena;
    arena_init(&arena, 1 << 16, 1 << 24);
    struct compat_answer answer = ask(
        &arena,
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"},\"b\":{\"properties\":"
        "{\"c/d\":{\"enum\":[1,2]}}}}}",
        "{\"type\":\"object\",\"required\":[\"f\"],\"properties\":{\"a\":{\"type\":\"integer\"},"
        "\"b\":"
        "{\"properties\":{\"c/d\":{\"enum\":[2,3]}}}}}",
        (struct compat_options){.direction = COMPAT_FULL});
    const struct compat_reason *found =
        reason(&answer, "Backward compatibility: field 'f' is required by the new schema and was "
                        "optional before");
    CHECK_STR(S("/required"), found->new_location);
    CHECK_STR(S(""), found->old_location);
    CHECK_EQUAL(COMPAT_NARROWED, found->kind);
    found = reason(&answer, "Backward compatibility: type number with a fraction is allowed by the "
                            "old schema and not by the new schema (at 'a')");
    CHECK_STR(S("/properties/a/type"), found->new_location);
    CHECK_STR(S("/properties/a/type"), found->old_location);
    found =
        reason(&answer, "Forward compatibility: value 3 is allowed by the new schema and not by "
                        "the old schema (at 'b.c/d')");
    CHECK_STR(S("/properties/b/properties/c~1d/enum"), found->new_location);
    CHECK_STR(S("3"), found->example);
    CHECK_EQUAL(COMPAT_FORWARD, found->direction);
    arena_deinit(&arena);
}

TEST(what_cannot_be_decided_says_so)
{
    struct arena arena;
    arena_init(&arena, 1 << 16, 1 << 24);
    struct compat_answer answer = ask(&arena, "{\"properties\":{\"a\":{\"pattern\":\"^a\"}}}",
                                      "{\"properties\":{\"a\":{\"pattern\":\"^[ab]\"}}}",
                                      (struct compat_options){.direction = COMPAT_BACKWARD});
    const struct compat_reason *found = reason(
        &answer, "Backward compatibility: cannot be decided because the new schema has the pattern "
                 "'^[ab]' and the old schema does not have it (at 'a')");
    CHECK_EQUAL(COMPAT_UNDECIDED, found->kind);
    arena_deinit(&arena);
}

TEST(modes_have_the_names_that_clients_use)
{
    static const char *names[] = {"NONE",           "BACKWARD",           "BACKWARD_TRANSITIVE",
                                  "FORWARD",        "FORWARD_TRANSITIVE", "FULL",
                                  "FULL_TRANSITIVE"};
    enum compat_mode mode;
    enum compat_direction direction;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        CHECK(compat_mode_named(str_of(names[i]), &mode));
        CHECK_EQUAL(i, mode);
        CHECK_STR(str_of(names[i]), compat_mode_name(mode));
        CHECK_EQUAL(i > 0 && i % 2 == 0, compat_mode_transitive(mode));
        CHECK_EQUAL(i != 0, compat_mode_direction(mode, &direction));
    }
    CHECK(!compat_mode_named(S("full"), &mode));
    CHECK(!compat_mode_named(S(""), &mode));
}

TEST(a_text_that_is_not_json_is_an_error)
{
    struct arena arena;
    arena_init(&arena, 1 << 16, 1 << 24);
    struct compat_answer answer;
    CHECK_ERR(ALS_JSON_SYNTAX,
              compat_check(S("{"), S("{}"), (struct compat_options){}, &arena, &answer, NULL));
    CHECK_ERR(ALS_JSON_SYNTAX,
              compat_check(S("{}"), S(""), (struct compat_options){}, &arena, &answer, NULL));
    arena_deinit(&arena);
}

// ---- docs/schemas.md

#define NAME(type_, more)                                                                          \
    "{\"type\":\"object\",\"properties\":{\"name\":" type_ more ",\"additionalProperties\":false}"
#define OLD NAME("{\"type\":\"string\"}", "},\"required\":[\"name\"]")

TEST(the_examples_of_the_docs_are_true)
{
    static const struct {
        const char *new_schema;
        bool backward, forward;
    } rows[] = {
        {NAME("{\"type\":\"string\"}", ",\"age\":{}},\"required\":[\"name\"]"), true, false},
        {NAME("{\"type\":\"string\"}", ",\"age\":{}},\"required\":[\"name\",\"age\"]"), false,
         false},
        {NAME("{\"type\":\"string\"}", "}"), true, false},
        {NAME("{\"type\":[\"string\",\"null\"]}", "},\"required\":[\"name\"]"), true, false},
        {NAME("{\"type\":\"string\",\"maxLength\":40}", "},\"required\":[\"name\"]"), false, true},
        {NAME("{\"type\":\"string\",\"description\":\"x\"}", "},\"required\":[\"name\"]"), true,
         true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK_EQUAL(rows[i].backward, compatible(OLD, rows[i].new_schema, COMPAT_BACKWARD));
        CHECK_EQUAL(rows[i].forward, compatible(OLD, rows[i].new_schema, COMPAT_FORWARD));
        CHECK_EQUAL(rows[i].backward && rows[i].forward,
                    compatible(OLD, rows[i].new_schema, COMPAT_FULL));
    }
}
