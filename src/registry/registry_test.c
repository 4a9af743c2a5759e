// SPDX-License-Identifier: Apache-2.0
#include "registry/registry.h"

#include "base/limits.h"
#include "registry/inside.h"
#include "test.h"
#include "json/json.h"

#include <stdlib.h>

// ---- A log of settings in memory

enum { KEPT_MAX = 12000 };

struct keeper {
    struct registry_record records[KEPT_MAX];
    size_t count;
    err fails; // what the next change comes to
    uint64_t now_ns, step_ns;
    struct registry *looked_at; // while a change is being kept; NULL: none is
    size_t looks;
};

// Everything that looks, from within a change: it would wait for ever if it waited for the change.
static void look(struct keeper *keeper)
{
    struct registry *registry = keeper->looked_at;
    struct registry_wanted wanted = {.subject = S("a"), .as_of_us = REGISTRY_NEVER};
    struct registry_draft draft = {.subject = S("a"), .schema = S("true")};
    struct registry_version version;
    str upcasts;
    AUTO(program) program = NULL;
    AUTO(rules) rules = registry_rules(registry);
    CHECK_OK(registry_find(registry, &wanted, &version, NULL));
    CHECK_EQUAL(1, version.version);
    CHECK_OK(registry_find_id(registry, version.id, &version, NULL));
    CHECK_OK(registry_find_same(registry, &draft, &version, NULL));
    CHECK_OK(registry_program(registry, &version, &program, NULL));
    CHECK_OK(registry_upcasts(registry, S("a"), &upcasts, NULL));
    CHECK_EQUAL(1, rules_find(rules, S("a"))->version);
    CHECK(!registry_config(registry, S("a")).has_mode);
    CHECK_EQUAL(COMPAT_MODE_BACKWARD, registry_mode(registry, S("a")));
    CHECK(!registry_enforces(registry, S("a")));
    keeper->looks++;
}

static err keep(void *context, str body, struct registry_record *ret_record, struct als_why *why)
{
    struct keeper *keeper = context;
    if (keeper->fails != ALS_OK)
        return FAIL(why, keeper->fails, "planned");
    if (keeper->looked_at)
        look(keeper);
    CHECK(keeper->count < KEPT_MAX);
    char *copy = malloc(body.len + 1);
    memcpy(copy, body.ptr, body.len);
    *ret_record = keeper->records[keeper->count] =
        (struct registry_record){(int64_t)(keeper->count + 1) * 1000, {copy, body.len}};
    keeper->count++;
    return ALS_OK;
}

static uint64_t monotonic_ns(void *context)
{
    struct keeper *keeper = context;
    return keeper->now_ns += keeper->step_ns;
}

static struct registry *registry_of(struct keeper *keeper)
{
    struct registry_options options = {
        .keep = keep, .monotonic_ns = monotonic_ns, .context = keeper, .hash_seed = 42};
    struct registry *registry = registry_new(options);
    CHECK(registry);
    struct als_why why = {""};
    for (size_t i = 0; i < keeper->count; i++)
        if (registry_apply(registry, &keeper->records[i], &why) != ALS_OK)
            test_fail(__FILE__, __LINE__, "record %zu: %s", i, why.text);
    CHECK_OK(registry_begin(registry, NULL));
    return registry;
}

static void keeper_end(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->count; i++)
        free((char *)keeper->records[i].body.ptr); // ours
    keeper->count = 0;
}

static struct registry_draft draft_of(const char *subject, const char *schema)
{
    return (struct registry_draft){.subject = str_of(subject), .schema = str_of(schema)};
}

static err try_register(struct registry *registry, struct registry_draft draft,
                        struct registry_registered *ret_registered)
{
    struct registry_verdict verdict;
    struct registry_registered registered;
    struct arena arena;
    arena_init(&arena, 4096, MIB(64));
    err code = registry_register(registry, &draft, &arena, &registered, &verdict, NULL);
    arena_deinit(&arena);
    if (code == ALS_OK && ret_registered)
        *ret_registered = registered;
    return code;
}

static uint32_t register_version(struct registry *registry, const char *subject, const char *schema)
{
    struct registry_registered registered;
    CHECK_OK(try_register(registry, draft_of(subject, schema), &registered));
    return registered.version.version;
}

static void set_mode(struct registry *registry, const char *subject, enum compat_mode mode)
{
    struct registry_config config = {.sets_mode = true, .has_mode = true, .mode = mode};
    CHECK_OK(registry_configure(registry, str_of(subject), &config, NULL));
}

static bool print_version(void *context, const struct registry_version *version)
{
    buf_printf(context, "%.*s:%u id=%u schema=%.*s text=%.*s tags=%.*s at=%lld gone=%lld\n",
               STR(version->subject), version->version, version->id, STR(version->schema),
               STR(version->description), STR(version->tags), (long long)version->created_us,
               version->deprecated_us == REGISTRY_NEVER ? -1LL : (long long)version->deprecated_us);
    return true;
}

static void print_registry(struct registry *registry, struct buf *buf)
{
    static const char *const subjects[] = {"", "a", "b", "c"};
    buf_reset(buf);
    registry_list(registry, S(""), print_version, buf);
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        str subject = str_of(subjects[i]), upcasts = S("");
        struct registry_config config = registry_config(registry, subject);
        (void)registry_upcasts(registry, subject, &upcasts, NULL); // there may be none
        buf_printf(buf, "%s: %d %d %d %d %d %.*s\n", subjects[i], config.has_mode, config.mode,
                   config.enforce, registry_mode(registry, subject),
                   registry_enforces(registry, subject), STR(upcasts));
    }
}

static struct keeper keeper;

TEST(a_registry_is_the_fold_of_its_records)
{
    keeper = (struct keeper){.count = 0};
    struct registry *registry = registry_of(&keeper);
    struct registry_draft draft = draft_of("a", "{ \"type\" : \"string\" }");
    draft.description = S("quoted \"\\\n text");
    draft.tags = S("[\"t\", \"u\"]");
    draft.config = (struct registry_config){.sets_enforce = true, .enforce = REGISTRY_ENFORCE_ON};
    CHECK_OK(try_register(registry, draft, NULL));
    set_mode(registry, "", COMPAT_MODE_NONE);
    register_version(registry, "a", "{\"type\":\"integer\"}");
    register_version(registry, "b", "{\"type\":\"string\"}");
    set_mode(registry, "b", COMPAT_MODE_FULL_TRANSITIVE);
    set_mode(registry, "c", COMPAT_MODE_FORWARD);
    CHECK_OK(registry_deprecate(registry, S("a"), 2, NULL));
    CHECK_OK(registry_set_upcasts(registry, S("a"), S("{\"steps\": [ ]}"), NULL));
    struct buf before, after;
    buf_init(&before, 1 << 20);
    buf_init(&after, 1 << 20);
    print_registry(registry, &before);
    registry_free(registry);
    registry = registry_of(&keeper);
    print_registry(registry, &after);
    CHECK_STR(buf_str(&before), buf_str(&after));
    CHECK_EQUAL(3, register_version(registry, "a", "{\"type\":\"null\"}"));
    registry_free(registry);
    buf_deinit(&before);
    buf_deinit(&after);
    keeper_end(&keeper);
}

TEST(a_change_that_is_not_kept_has_not_happened)
{
    keeper = (struct keeper){.count = 0};
    AUTO(registry) registry = registry_of(&keeper);
    register_version(registry, "a", "{}");
    struct buf before, after;
    buf_init(&before, 1 << 20);
    buf_init(&after, 1 << 20);
    print_registry(registry, &before);
    keeper.fails = ALS_STORAGE_FULL;
    struct registry_config config = {.sets_mode = true, .has_mode = true};
    CHECK_ERR(ALS_STORAGE_FULL, try_register(registry, draft_of("a", "{\"title\":\"x\"}"), NULL));
    CHECK_ERR(ALS_STORAGE_FULL, try_register(registry, draft_of("b", "{}"), NULL));
    CHECK_ERR(ALS_STORAGE_FULL, registry_configure(registry, S("a"), &config, NULL));
    CHECK_ERR(ALS_STORAGE_FULL, registry_deprecate(registry, S("a"), 1, NULL));
    CHECK_ERR(ALS_STORAGE_FULL, registry_set_upcasts(registry, S("a"), S("{\"steps\":[]}"), NULL));
    print_registry(registry, &after);
    CHECK_STR(buf_str(&before), buf_str(&after));
    keeper.fails = ALS_OK;
    CHECK_EQUAL(2, register_version(registry, "a", "{\"title\":\"x\"}"));
    buf_deinit(&before);
    buf_deinit(&after);
    registry_free(MOVE(registry));
    keeper_end(&keeper);
}

TEST(who_looks_waits_for_no_change)
{
    keeper = (struct keeper){.count = 0};
    struct registry *registry = registry_of(&keeper);
    CHECK_EQUAL(1, register_version(registry, "a", "true"));
    keeper.looked_at = registry;
    CHECK_EQUAL(2, register_version(registry, "a", "{}"));
    CHECK_EQUAL(1, keeper.looks);
    keeper.looked_at = NULL;
    registry_free(registry);
    keeper_end(&keeper);
}

// It would be durable, and the registry could not be opened again.
TEST(a_change_that_could_not_be_read_again_is_refused)
{
    keeper = (struct keeper){.count = 0};
    struct registry *registry = registry_of(&keeper);
    struct registry_draft draft = draft_of("a", "{}");
    draft.description = S("\xff");
    CHECK_ERR(ALS_VALIDATION, try_register(registry, draft, NULL));
    draft.description = S("text");
    draft.tags = S("[\"t\"");
    CHECK_ERR(ALS_VALIDATION, try_register(registry, draft, NULL));
    draft.tags = S("[]");
    draft.references = S("[");
    CHECK_ERR(ALS_SCHEMA_INVALID, try_register(registry, draft, NULL));
    draft.references = S("");
    size_t bytes_max = registry->kept.bytes_max;
    registry->kept.bytes_max = registry->kept.bytes_held + 1000;
    CHECK_ERR(ALS_TOO_LARGE, try_register(registry, draft, NULL));
    CHECK_EQUAL(0, keeper.count);
    registry->kept.bytes_max = bytes_max;
    CHECK_OK(try_register(registry, draft, NULL));
    registry_free(registry);
    registry_free(registry_of(&keeper));
    keeper_end(&keeper);
}

TEST(what_is_set_already_makes_no_record)
{
    keeper = (struct keeper){.count = 0};
    struct registry *registry = registry_of(&keeper);
    register_version(registry, "a", "{}");
    for (int i = 0; i < 3; i++) {
        set_mode(registry, "a", COMPAT_MODE_FULL);
        CHECK_EQUAL(2, keeper.count);
    }
    set_mode(registry, "", COMPAT_MODE_NONE);
    set_mode(registry, "", COMPAT_MODE_NONE);
    CHECK_EQUAL(3, keeper.count);
    struct registry_config config = {.sets_mode = true, .sets_enforce = true};
    CHECK_OK(registry_configure(registry, S("a"), &config, NULL));
    CHECK_EQUAL(COMPAT_MODE_NONE, registry_mode(registry, S("a")));
    CHECK_EQUAL(4, keeper.count);
    for (int i = 0; i < 3; i++)
        CHECK_OK(registry_set_upcasts(registry, S("a"), S("{ \"steps\" : [] }"), NULL));
    CHECK_EQUAL(5, keeper.count);
    CHECK_OK(registry_set_upcasts(registry, S("a"), S(""), NULL));
    CHECK_OK(registry_set_upcasts(registry, S("a"), S(""), NULL));
    CHECK_EQUAL(6, keeper.count);
    registry_free(registry);
    keeper_end(&keeper);
}

TEST(equal_content_shares_an_id_whatever_the_subject)
{
    keeper = (struct keeper){.count = 0};
    AUTO(registry) registry = registry_of(&keeper);
    struct registry_registered first, second, third;
    CHECK_OK(try_register(registry, draft_of("a", "{\"minimum\":1.0,\"maximum\":2}"), &first));
    CHECK_OK(try_register(registry, draft_of("b", "{\"maximum\":2,\"minimum\":1}"), &second));
    CHECK_OK(try_register(registry, draft_of("b", "{\"minimum\":1}"), &third));
    CHECK_EQUAL(1, first.version.id);
    CHECK_EQUAL(1, second.version.id);
    CHECK_EQUAL(2, third.version.id);
    CHECK(!first.existing && !second.existing);
    CHECK_OK(
        try_register(registry, draft_of("a", " { \"maximum\" : 2e0, \"minimum\" : 1 } "), &second));
    CHECK(second.existing);
    CHECK_EQUAL(1, second.version.version);
    struct registry_version found;
    CHECK_OK(registry_find_id(registry, 1, &found, NULL));
    CHECK_STR(S("a"), found.subject);
    CHECK_ERR(ALS_SCHEMA_NOT_FOUND, registry_find_id(registry, 0, &found, NULL));
    CHECK_ERR(ALS_SCHEMA_NOT_FOUND, registry_find_id(registry, 3, &found, NULL));
    registry_free(MOVE(registry));
    keeper_end(&keeper);
}

TEST(rules_that_are_held_outlive_what_replaces_them)
{
    keeper = (struct keeper){.count = 0};
    AUTO(registry) registry = registry_of(&keeper);
    CHECK(!registry_rules(registry));
    register_version(registry, "a", "{\"type\":\"string\"}");
    CHECK(!registry_enforced_rules(registry));
    struct rules *before = registry_rules(registry);
    struct registry_config config = {.sets_enforce = true, .enforce = REGISTRY_ENFORCE_ON};
    CHECK_OK(registry_configure(registry, S("a"), &config, NULL));
    set_mode(registry, "a", COMPAT_MODE_NONE);
    register_version(registry, "a", "{\"type\":\"integer\"}");
    struct rules *after = registry_enforced_rules(registry);
    CHECK(before && after);
    CHECK_EQUAL(1, rules_find(before, S("a"))->version);
    CHECK(!rules_find(before, S("a"))->enforced);
    CHECK_EQUAL(2, rules_find(after, S("a"))->version);
    CHECK(rules_find(after, S("a"))->enforced);
    CHECK(!rules_find(after, S("b")));
    struct arena arena;
    bool valid;
    arena_init(&arena, 4096, 1 << 20);
    const struct schema *old = program_schema(rules_find(before, S("a"))->program);
    CHECK_OK(schema_check_text(old, S("\"text\""), &arena, &valid, NULL));
    CHECK(valid);
    arena_deinit(&arena);
    rules_unref(before);
    rules_unref(after);
    registry_free(MOVE(registry));
    keeper_end(&keeper);
}

TEST(a_mode_that_comes_with_a_version_judges_it_already)
{
    keeper = (struct keeper){.count = 0};
    AUTO(registry) registry = registry_of(&keeper);
    register_version(registry, "a", "{\"maximum\":10}");
    struct registry_draft draft = draft_of("a", "{\"maximum\":5}");
    struct registry_registered registered;
    struct registry_verdict verdict;
    struct arena arena;
    arena_init(&arena, 4096, MIB(64));
    CHECK_ERR(ALS_SCHEMA_INCOMPATIBLE,
              registry_register(registry, &draft, &arena, &registered, &verdict, NULL));
    draft.config =
        (struct registry_config){.sets_mode = true, .has_mode = true, .mode = COMPAT_MODE_FORWARD};
    CHECK_OK(registry_register(registry, &draft, &arena, &registered, &verdict, NULL));
    CHECK_EQUAL(2, registered.version.version);
    draft = draft_of("a", "{\"maximum\":7}"); // and is the subject's from then on
    CHECK_ERR(ALS_SCHEMA_INCOMPATIBLE,
              registry_register(registry, &draft, &arena, &registered, &verdict, NULL));
    CHECK_EQUAL(COMPAT_FORWARD, verdict.reasons[0].reason.direction);
    arena_deinit(&arena);
    registry_free(MOVE(registry));
    keeper_end(&keeper);
}

TEST(a_message_of_many_reasons_ends_where_a_reason_ends)
{
    keeper = (struct keeper){.count = 0};
    AUTO(registry) registry = registry_of(&keeper);
    register_version(registry, "a", "{\"type\":\"object\"}");
    struct registry_draft draft =
        draft_of("a", "{\"type\":\"object\",\"required\":[\"a\",\"b\",\"c\",\"d\"]}");
    struct registry_registered registered;
    struct registry_verdict verdict;
    struct als_why why;
    struct arena arena;
    arena_init(&arena, 4096, MIB(64));
    CHECK_ERR(ALS_SCHEMA_INCOMPATIBLE,
              registry_register(registry, &draft, &arena, &registered, &verdict, &why));
    CHECK_STR(
        S("Schema compatibility check failed: Backward compatibility: field 'a' is required by "
          "the new schema and was optional before, Backward compatibility: field 'b' is "
          "required by the new schema and was optional before (and 2 more)"),
        str_of(why.text));
    arena_deinit(&arena);
    registry_free(MOVE(registry));
    keeper_end(&keeper);
}

TEST(a_comparison_that_takes_too_long_is_undecided)
{
    keeper = (struct keeper){.count = 0};
    AUTO(registry) registry = registry_of(&keeper);
    for (int i = 0; i < 3; i++) {
        char schema[32];
        snprintf(schema, sizeof schema, "{\"maximum\":%d}", 10 + i);
        register_version(registry, "a", schema);
    }
    set_mode(registry, "a", COMPAT_MODE_BACKWARD_TRANSITIVE);
    keeper.step_ns = SCHEMA_COMPARE_MS_MAX * UINT64_C(600000); // two of three fit
    struct registry_draft draft = draft_of("a", "{\"maximum\":20}");
    struct registry_verdict verdict;
    struct arena arena;
    arena_init(&arena, 4096, MIB(64));
    CHECK_OK(registry_compare(registry, &draft, 0, &arena, &verdict, NULL));
    CHECK(!verdict.compatible);
    CHECK(verdict.count > 0);
    CHECK_EQUAL(COMPAT_UNDECIDED, verdict.reasons[0].reason.kind);
    keeper.step_ns = 0;
    CHECK_OK(registry_compare(registry, &draft, 0, &arena, &verdict, NULL));
    CHECK(verdict.compatible);
    arena_deinit(&arena);
    registry_free(MOVE(registry));
    keeper_end(&keeper);
}

TEST(limits_hold_at_their_value_and_not_one_past_it)
{
    keeper = (struct keeper){.count = 0};
    AUTO(registry) registry = registry_of(&keeper);
    char subject[SUBJECT_BYTES_MAX + 2];
    memset(subject, 's', sizeof subject);
    subject[SUBJECT_BYTES_MAX] = '\0';
    CHECK_OK(try_register(registry, draft_of(subject, "{}"), NULL));
    subject[SUBJECT_BYTES_MAX] = 's';
    subject[SUBJECT_BYTES_MAX + 1] = '\0';
    CHECK_ERR(ALS_TOO_LARGE, try_register(registry, draft_of(subject, "{}"), NULL));
    set_mode(registry, "", COMPAT_MODE_NONE);
    for (uint32_t n = 1; n <= SUBJECT_VERSIONS_MAX + 1; n++) {
        char schema[32];
        snprintf(schema, sizeof schema, "{\"maximum\":%u}", n);
        CHECK_ERR(n <= SUBJECT_VERSIONS_MAX ? ALS_OK : ALS_TOO_LARGE,
                  try_register(registry, draft_of("a", schema), NULL));
    }
    registry_free(MOVE(registry));
    keeper_end(&keeper);
}

TEST(records_of_a_newer_program_and_damaged_ones_are_told_apart)
{
    static const struct {
        const char *body;
        err code;
    } rows[] = {
        {"{\"do\":\"abolish\"}", ALS_FORMAT_TOO_NEW},
        {"{}", ALS_FORMAT_TOO_NEW},
        {"", ALS_CORRUPT},
        {"[]", ALS_CORRUPT},
        {"{\"do\":\"deprecate\"}", ALS_CORRUPT},
        {"{\"do\":\"deprecate\",\"subject\":\"a\",\"version\":1}", ALS_CORRUPT},
        {"{\"do\":\"register\",\"subject\":\"a\",\"version\":1}", ALS_CORRUPT},
        {"{\"do\":\"register\",\"subject\":\"a\",\"version\":2,\"id\":1,\"schema_id\":"
         "\"018f0000-0000-7000-8000-000000000001\",\"schema\":{}}",
         ALS_CORRUPT},
        {"{\"do\":\"register\",\"subject\":\"a\",\"version\":1,\"id\":2,\"schema_id\":"
         "\"018f0000-0000-7000-8000-000000000001\",\"schema\":{}}",
         ALS_CORRUPT},
        {"{\"do\":\"configure\",\"compatibility\":\"SIDEWAYS\"}", ALS_CORRUPT},
        {"{\"do\":\"configure\",\"enforce\":1}", ALS_CORRUPT},
        {"{\"do\":\"configure\",\"compatibility\":null,\"enforce\":null}", ALS_OK},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        keeper = (struct keeper){.count = 0};
        AUTO(registry) registry = registry_of(&keeper);
        struct registry_record record = {1, str_of(rows[i].body)};
        struct als_why why = {""};
        err code = registry_apply(registry, &record, &why);
        if (code != rows[i].code || (code != ALS_OK && !why.text[0]))
            test_fail(__FILE__, __LINE__, "%s: %s", rows[i].body, err_code(code));
    }
}

TEST(a_damaged_reference_is_refused_with_words)
{
    keeper = (struct keeper){.count = 0};
    AUTO(registry) registry = registry_of(&keeper);
    struct registry_record record = {
        1, S("{\"do\":\"register\",\"subject\":\"a\",\"version\":1,\"id\":1,\"schema_id\":"
             "\"018f0000-0000-7000-8000-000000000001\",\"schema\":{\"$ref\":\"x\"},\"references\":"
             "[[],{\"name\":\"x\",\"subject\":5,\"version\":1}]}")};
    struct als_why why = {""};
    CHECK_OK(registry_apply(registry, &record, &why));
    CHECK_ERR(ALS_FORMAT_TOO_NEW, registry_begin(registry, &why));
    CHECK(strstr(why.text, "x"));
}

// ---- Mappings

static const char *reshape(const char *steps, const char *payload)
{
    static char text[4096];
    struct mapping *mapping;
    struct als_why why = {""};
    if (mapping_read(str_of(steps), &mapping, &why) != ALS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", steps, why.text);
    struct arena arena;
    struct upcast upcast;
    arena_init(&arena, 4096, MIB(16));
    CHECK_OK(mapping_apply(mapping, str_of(payload), 1, 9, &arena, &upcast));
    if (upcast.trouble.len)
        CHECK_STR(str_of(payload), upcast.payload);
    CHECK_EQUAL(upcast.trouble.len ? 1 : 9, upcast.version);
    snprintf(text, sizeof text, "%.*s%.*s", STR(upcast.trouble),
             STR(upcast.trouble.len ? S("") : upcast.payload));
    arena_deinit(&arena);
    mapping_unref(mapping);
    return text;
}

#define OPERATIONS(text) "{\"steps\":[{\"from\":1,\"operations\":[" text "]}]}"

static const struct {
    const char *steps, *payload, *wanted;
} reshapings[] = {
    {OPERATIONS("{\"op\":\"rename\",\"path\":\"/a\",\"to\":\"b\"}"), "{\"a\":1,\"c\":2}",
     "{\"b\":1,\"c\":2}"},
    {OPERATIONS("{\"op\":\"rename\",\"path\":\"/a\",\"to\":\"b\"}"), "{\"a\":1,\"a\":2}",
     "{\"b\":2}"},
    {OPERATIONS("{\"op\":\"rename\",\"path\":\"/a\",\"to\":\"b\"}"), "{\"a\":1,\"b\":2}",
     "rename of /a: the new name is taken"},
    {OPERATIONS("{\"op\":\"rename\",\"path\":\"/a\",\"to\":\"a\"}"), "{\"a\":1}", "{\"a\":1}"},
    {OPERATIONS("{\"op\":\"rename\",\"path\":\"/a/b\",\"to\":\"c\"}"), "{\"a\":1}", "{\"a\":1}"},
    {OPERATIONS("{\"op\":\"rename\",\"path\":\"/a\",\"to\":\"q\\\"\"}"), "{\"\\u0061\":1}",
     "{\"q\\\"\":1}"},
    {OPERATIONS("{\"op\":\"default\",\"path\":\"/a\",\"value\":{ \"x\" : [1] }}"), "{}",
     "{\"a\":{\"x\":[1]}}"},
    {OPERATIONS("{\"op\":\"default\",\"path\":\"/a\",\"value\":1}"), "{\"a\":null}",
     "{\"a\":null}"},
    {OPERATIONS("{\"op\":\"default\",\"path\":\"/a/b/c\",\"value\":1}"), "{\"d\":0}",
     "{\"d\":0,\"a\":{\"b\":{\"c\":1}}}"},
    {OPERATIONS("{\"op\":\"default\",\"path\":\"/a/x\",\"value\":1},"
                "{\"op\":\"default\",\"path\":\"/a/x/y\",\"value\":1}"),
     "{}", "{\"a\":{\"x\":1}}"},
    {OPERATIONS("{\"op\":\"move\",\"path\":\"/a/b\",\"to\":\"/c/d\"}"), "{\"a\":{\"b\":[1]}}",
     "{\"a\":{},\"c\":{\"d\":[1]}}"},
    {OPERATIONS("{\"op\":\"move\",\"path\":\"/a/1\",\"to\":\"/b\"}"), "{\"a\":[1,2,3]}",
     "{\"a\":[1,3],\"b\":2}"},
    {OPERATIONS("{\"op\":\"move\",\"path\":\"/a\",\"to\":\"/b\"}"), "{\"a\":1,\"b\":2}",
     "move of /a: the new place is taken"},
    {OPERATIONS("{\"op\":\"move\",\"path\":\"/a\",\"to\":\"/b/c\"}"), "{\"a\":1,\"b\":2}",
     "move of /a: what stands on the way is no object"},
    {OPERATIONS("{\"op\":\"move\",\"path\":\"/a\",\"to\":\"/b/7\"}"), "{\"a\":1,\"b\":[]}",
     "move of /a: the new place is in an array"},
    {OPERATIONS("{\"op\":\"move\",\"path\":\"/x\",\"to\":\"/b\"}"), "{\"a\":1}", "{\"a\":1}"},
    {OPERATIONS("{\"op\":\"drop\",\"path\":\"/a\"}"), "{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2}"},
    {OPERATIONS("{\"op\":\"drop\",\"path\":\"/a/*\"}"), "{\"a\":[1,[2]]}", "{\"a\":[]}"},
    {OPERATIONS("{\"op\":\"drop\",\"path\":\"/a/*/b\"}"), "{\"a\":[{\"b\":1},2,{\"c\":3}]}",
     "{\"a\":[{},2,{\"c\":3}]}"},
    {OPERATIONS("{\"op\":\"drop\",\"path\":\"/a/*\"}"), "{\"a\":{\"*\":1,\"b\":2}}",
     "{\"a\":{\"b\":2}}"},
    {OPERATIONS("{\"op\":\"cast\",\"path\":\"/a\",\"to\":\"string\"}"), "{\"a\":1.50e2}",
     "{\"a\":\"1.50e2\"}"},
    {OPERATIONS("{\"op\":\"cast\",\"path\":\"/a\",\"to\":\"string\"}"), "{\"a\":true}",
     "{\"a\":\"true\"}"},
    {OPERATIONS("{\"op\":\"cast\",\"path\":\"/a\",\"to\":\"number\"}"), "{\"a\":\"-1.5\"}",
     "{\"a\":-1.5}"},
    {OPERATIONS("{\"op\":\"cast\",\"path\":\"/a\",\"to\":\"number\"}"), "{\"a\":\" 1\"}",
     "cast of /a: this is no number"},
    {OPERATIONS("{\"op\":\"cast\",\"path\":\"/a\",\"to\":\"number\"}"), "{\"a\":\"01\"}",
     "cast of /a: this is no number"},
    {OPERATIONS("{\"op\":\"cast\",\"path\":\"/a\",\"to\":\"number\"}"), "{\"a\":\"\"}",
     "cast of /a: this is no number"},
    {OPERATIONS("{\"op\":\"cast\",\"path\":\"/a\",\"to\":\"number\"}"), "{\"a\":\"1\\n\"}",
     "cast of /a: this is no number"},
    {OPERATIONS("{\"op\":\"cast\",\"path\":\"/a\",\"to\":\"integer\"}"), "{\"a\":\"12.00\"}",
     "{\"a\":12}"},
    {OPERATIONS("{\"op\":\"cast\",\"path\":\"/a\",\"to\":\"integer\"}"), "{\"a\":12.5}",
     "cast of /a: this is no whole number"},
    {OPERATIONS("{\"op\":\"cast\",\"path\":\"/a\",\"to\":\"boolean\"}"), "{\"a\":\"false\"}",
     "{\"a\":false}"},
    {OPERATIONS("{\"op\":\"cast\",\"path\":\"/a\",\"to\":\"boolean\"}"), "{\"a\":1}",
     "{\"a\":true}"},
    {OPERATIONS("{\"op\":\"cast\",\"path\":\"/a\",\"to\":\"boolean\"}"), "{\"a\":2}",
     "cast of /a: this is neither true nor false"},
    {OPERATIONS("{\"op\":\"cast\",\"path\":\"/a\",\"to\":\"string\"}"), "{\"a\":null}",
     "{\"a\":null}"},
    {OPERATIONS("{\"op\":\"cast\",\"path\":\"/a\",\"to\":\"string\"}"), "{\"a\":{}}",
     "cast of /a: an object or array has no other type"},
    {OPERATIONS("{\"op\":\"drop\",\"path\":\"/a\"}"), "[1]", "[1]"},
    {OPERATIONS("{\"op\":\"drop\",\"path\":\"/a\"}"), "\"text\"", "\"text\""},
    {OPERATIONS("{\"op\":\"cast\",\"path\":\"/0\",\"to\":\"string\"}"), "[1,2]", "[\"1\",2]"},
};

TEST(operations_do_what_they_say)
{
    for (size_t i = 0; i < COUNT_OF(reshapings); i++) {
        const char *found = reshape(reshapings[i].steps, reshapings[i].payload);
        if (strcmp(found, reshapings[i].wanted) != 0)
            test_fail(__FILE__, __LINE__, "%s of %s gives %s", reshapings[i].steps,
                      reshapings[i].payload, found);
    }
}

TEST(steps_are_taken_in_the_order_of_versions_from_where_the_event_is)
{
    struct mapping *mapping;
    str text =
        S("{\"steps\":["
          "{\"from\":3,\"operations\":[{\"op\":\"rename\",\"path\":\"/c\",\"to\":\"d\"}]},"
          "{\"from\":1,\"operations\":[{\"op\":\"rename\",\"path\":\"/a\",\"to\":\"b\"}]},"
          "{\"from\":2,\"operations\":[{\"op\":\"rename\",\"path\":\"/b\",\"to\":\"c\"}]}]}");
    CHECK_OK(mapping_read(text, &mapping, NULL));
    static const struct {
        uint32_t version, target;
        const char *payload, *wanted;
    } rows[] = {
        {1, 4, "{\"a\":1}", "{\"d\":1}"}, {1, 3, "{\"a\":1}", "{\"c\":1}"},
        {2, 4, "{\"b\":1}", "{\"d\":1}"}, {2, 4, "{\"a\":1}", "{\"a\":1}"},
        {1, 2, "{\"a\":1}", "{\"b\":1}"}, {4, 9, "{\"a\":1}", "{\"a\":1}"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena arena;
        struct upcast upcast;
        arena_init(&arena, 4096, MIB(1));
        CHECK_OK(mapping_apply(mapping, str_of(rows[i].payload), rows[i].version, rows[i].target,
                               &arena, &upcast));
        CHECK_STR(str_of(rows[i].wanted), upcast.payload);
        CHECK_EQUAL(rows[i].target, upcast.version);
        arena_deinit(&arena);
    }
    mapping_unref(mapping);
}

TEST(a_full_arena_is_told)
{
    struct mapping *mapping;
    CHECK_OK(mapping_read(S(OPERATIONS("{\"op\":\"drop\",\"path\":\"/a\"}")), &mapping, NULL));
    for (size_t most = 0; most < 2000; most += 40) {
        struct arena arena;
        struct upcast upcast;
        arena_init(&arena, 64, most);
        err code =
            mapping_apply(mapping, S("{\"a\":1,\"b\":[2,{\"c\":3}]}"), 1, 2, &arena, &upcast);
        CHECK(code == ALS_OK || code == ALS_TOO_LARGE);
        if (code == ALS_OK)
            CHECK_STR(S("{\"b\":[2,{\"c\":3}]}"), upcast.payload);
        arena_deinit(&arena);
    }
    mapping_unref(mapping);
}

TEST(what_a_mapping_moves_deeper_and_deeper_ends)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_put_str(&text, S("{\"steps\":[{\"from\":1,\"operations\":["));
    for (int i = 0; i < 40; i++)
        buf_printf(&text, "%s{\"op\":\"move\",\"path\":\"/%d\",\"to\":\"/%d/a/b/c/d\"}",
                   i ? "," : "", i, i + 1);
    buf_put_str(&text, S("]}]}"));
    struct mapping *mapping;
    struct arena arena;
    struct upcast upcast;
    arena_init(&arena, 4096, MIB(16));
    CHECK_OK(mapping_read(buf_str(&text), &mapping, NULL));
    CHECK_OK(mapping_apply(mapping, S("{\"0\":1}"), 1, 2, &arena, &upcast));
    CHECK(upcast.trouble.len > 0);
    CHECK_STR(S("{\"0\":1}"), upcast.payload);
    arena_deinit(&arena);
    mapping_unref(mapping);
    buf_deinit(&text);
}
