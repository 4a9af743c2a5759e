// SPDX-License-Identifier: Apache-2.0
#include "server/draft.h"

#include "base/limits.h"

#include "test.h"

#include <stdlib.h>

#define TYPE_ENTITY "\"event_type\":\"a.b\",\"entity_id\":\"e\""
#define LEAST "{" TYPE_ENTITY ",\"payload\":1}"

struct given {
    struct arena arena;
    struct draft_list list;
    struct flaw flaw;
    err code;
};

static struct given read(enum draft_form form, str body)
{
    struct given given = {};
    arena_init(&given.arena, 4096, 8 << 20);
    given.code = draft_read(form, body, 3, &given.arena, &given.list, &given.flaw);
    return given;
}

static void end(struct given *given)
{
    arena_deinit(&given->arena);
}

static void refused(enum draft_form form, str body, err code, const char *field)
{
    struct given given = read(form, body);
    if (given.code != code || !str_equal(str_of(given.flaw.field), str_of(field)))
        fprintf(stderr, "    body:     %s\n    why:      %s\n", test_text(body),
                given.flaw.why.text);
    CHECK_ERR(code, given.code);
    CHECK_STR(str_of(field), str_of(given.flaw.field));
    CHECK(given.flaw.why.text[0]);
    end(&given);
}

TEST(an_event_with_all_its_fields_becomes_a_draft)
{
    struct given given =
        read(DRAFT_EVENT,
             S("{\"unknown\":{\"x\":[1]},\"id\":\"0E984725-C51C-4BF4-9960-E1C80E27ABA0\","
               "\"event_type\":\"user.created\",\"entity_id\":\"u\\u0031\",\"payload\":{\"n\": 1},"
               "\"metadata\":{\"a\":1},\"tenant_id\":\"acme\","
               "\"timestamp\":\"1970-01-01T00:00:01.5Z\",\"expected_version\":7}"));
    CHECK_OK(given.code);
    CHECK_EQUAL(1, given.list.count);
    const struct als_draft *draft = given.list.drafts;
    CHECK_STR(S("user.created"), draft->type);
    CHECK_STR(S("u1"), draft->entity);
    CHECK_STR(S("{\"n\": 1}"), draft->payload);
    CHECK_STR(S("{\"a\":1}"), draft->metadata);
    CHECK_EQUAL(ALS_JSON_CHECKED, draft->json);
    CHECK(draft->has_id);
    CHECK_EQUAL(0x0e, draft->id.bytes[0]);
    CHECK_EQUAL(1500000, draft->timestamp_us);
    CHECK_EQUAL(7, draft->expected_version);
    CHECK_STR(S("acme"), given.list.tenant);
    end(&given);
}

TEST(optional_fields_may_be_absent_or_null)
{
    static const char *const bodies[] = {
        LEAST, "{" TYPE_ENTITY ",\"payload\":1,\"id\":null,\"metadata\":null,\"tenant_id\":null,"
               "\"timestamp\":null,\"expected_version\":null}"};
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct given given = read(DRAFT_EVENT, str_of(bodies[i]));
        CHECK_OK(given.code);
        const struct als_draft *draft = given.list.drafts;
        CHECK(!draft->has_id && draft->metadata.len == 0 && !given.list.tenant.ptr);
        CHECK_EQUAL(ALS_TIME_UNSET, draft->timestamp_us);
        CHECK_EQUAL(ALS_EXPECT_ANY, draft->expected_version);
        CHECK_EQUAL(ALS_JSON_MINIFIED, draft->json);
        end(&given);
    }
}

TEST(null_is_a_payload_but_no_payload_is_none)
{
    struct given given = read(DRAFT_EVENT, S("{" TYPE_ENTITY ",\"payload\":null}"));
    CHECK_OK(given.code);
    CHECK_STR(S("null"), given.list.drafts[0].payload);
    end(&given);
    refused(DRAFT_EVENT, S("{" TYPE_ENTITY "}"), ALS_JSON_SHAPE, "payload");
}

TEST(escaped_keys_are_the_keys_they_spell)
{
    struct given given = read(
        DRAFT_EVENT, S("{\"event\\u005ftype\":\"a\",\"entity_id\":\"e\",\"p\\u0061yload\":[]}"));
    CHECK_OK(given.code);
    CHECK_STR(S("a"), given.list.drafts[0].type);
    CHECK_STR(S("[]"), given.list.drafts[0].payload);
    end(&given);
    refused(DRAFT_EVENT, S("{" TYPE_ENTITY ",\"payload\":1,\"p\\u0061yload\":2}"), ALS_JSON_SHAPE,
            "payload");
}

TEST(fields_of_the_wrong_type_are_unprocessable_and_named)
{
    static const struct {
        const char *body, *field;
    } bad[] = {
        {"[]", ""},
        {"5", ""},
        {"null", ""},
        {"{}", "event_type"},
        {"{\"event_type\":5,\"entity_id\":\"e\",\"payload\":1}", "event_type"},
        {"{\"event_type\":null,\"entity_id\":\"e\",\"payload\":1}", "event_type"},
        {"{\"event_type\":\"a\",\"payload\":1}", "entity_id"},
        {"{\"event_type\":\"a\",\"entity_id\":[],\"payload\":1}", "entity_id"},
        {"{" TYPE_ENTITY ",\"payload\":1,\"payload\":1}", "payload"},
        {"{" TYPE_ENTITY ",\"payload\":1,\"metadata\":null,\"metadata\":{}}", "metadata"},
        {"{" TYPE_ENTITY ",\"payload\":1,\"tenant_id\":5}", "tenant_id"},
        {"{" TYPE_ENTITY ",\"payload\":1,\"id\":5}", "id"},
        {"{" TYPE_ENTITY ",\"payload\":1,\"id\":\"5\"}", "id"},
        {"{" TYPE_ENTITY ",\"payload\":1,\"timestamp\":1}", "timestamp"},
        {"{" TYPE_ENTITY ",\"payload\":1,\"timestamp\":\"2025-01-01\"}", "timestamp"},
        {"{" TYPE_ENTITY ",\"payload\":1,\"expected_version\":\"1\"}", "expected_version"},
        {"{" TYPE_ENTITY ",\"payload\":1,\"expected_version\":1.0}", "expected_version"},
        {"{" TYPE_ENTITY ",\"payload\":1,\"expected_version\":-2}", "expected_version"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        refused(DRAFT_EVENT, str_of(bad[i].body), ALS_JSON_SHAPE, bad[i].field);
}

TEST(expected_versions_reach_from_must_exist_to_the_largest)
{
    static const struct {
        const char *text;
        int64_t version;
    } good[] = {
        {"-1", ALS_EXPECT_EXISTS}, {"0", ALS_EXPECT_NONE}, {"9223372036854775807", INT64_MAX}};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        char body[200];
        (void)snprintf(body, sizeof body, "{" TYPE_ENTITY ",\"payload\":1,\"expected_version\":%s}",
                       good[i].text);
        struct given given = read(DRAFT_EVENT, str_of(body));
        CHECK_OK(given.code);
        CHECK_EQUAL(good[i].version, given.list.drafts[0].expected_version);
        end(&given);
    }
    refused(DRAFT_EVENT,
            S("{" TYPE_ENTITY ",\"payload\":1,\"expected_version\":9223372036854775808}"),
            ALS_JSON_SHAPE, "expected_version");
}

TEST(what_is_no_json_is_refused_before_anything_else)
{
    static const char *const bad[] = {"", "{", "{\"event_type\":5,}", LEAST "x", "\xff", "nul"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        refused(DRAFT_EVENT, str_of(bad[i]), ALS_JSON_SYNTAX, "");
}

// "[[[...]]]" of this depth as the payload of an event within `before` and `after`.
static str nested(char *space, const char *before, int depth, const char *after)
{
    size_t at = (size_t)sprintf(space, "%s{" TYPE_ENTITY ",\"payload\":", before);
    memset(space + at, '[', (size_t)depth);
    memset(space + at + depth, ']', (size_t)depth);
    at += 2 * (size_t)depth;
    at += (size_t)sprintf(space + at, "}%s", after);
    return (str){space, at};
}

TEST(a_payload_may_be_as_deep_as_the_limit_whatever_is_around_it)
{
    static const struct {
        enum draft_form form;
        const char *before, *after;
    } forms[] = {{DRAFT_EVENT, "", ""},
                 {DRAFT_BATCH, "[", "]"},
                 {DRAFT_BATCH, "{\"events\":[", "]}"},
                 {DRAFT_LINES, "", "\n"}};
    char space[1000];
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct given given =
            read(forms[i].form, nested(space, forms[i].before, JSON_DEPTH_MAX, forms[i].after));
        CHECK_OK(given.code);
        end(&given);
        given =
            read(forms[i].form, nested(space, forms[i].before, JSON_DEPTH_MAX + 1, forms[i].after));
        CHECK_ERR(ALS_JSON_SYNTAX, given.code);
        end(&given);
    }
}

TEST(a_batch_is_an_array_an_object_or_lines)
{
    static const struct {
        enum draft_form form;
        const char *body;
    } batches[] = {{DRAFT_BATCH, " [" LEAST "," LEAST "]"},
                   {DRAFT_BATCH, "{\"events\":[" LEAST "," LEAST "],\"conditions\":null,\"x\":1}"},
                   {DRAFT_LINES, LEAST "\n" LEAST},
                   {DRAFT_LINES, "\n" LEAST "\r\n \n" LEAST "\n\n"}};
    for (size_t i = 0; i < COUNT_OF(batches); i++) {
        struct given given = read(batches[i].form, str_of(batches[i].body));
        CHECK_OK(given.code);
        CHECK_EQUAL(2, given.list.count);
        CHECK_STR(S("a.b"), given.list.drafts[1].type);
        CHECK_EQUAL(0, given.list.condition_count);
        end(&given);
    }
}

TEST(a_batch_holds_at_least_one_event_and_at_most_its_limit)
{
    refused(DRAFT_BATCH, S("[]"), ALS_INVALID_INPUT, "events");
    refused(DRAFT_BATCH, S("{\"events\":[]}"), ALS_INVALID_INPUT, "events");
    refused(DRAFT_LINES, S(""), ALS_INVALID_INPUT, "events");
    refused(DRAFT_LINES, S("\n \n"), ALS_INVALID_INPUT, "events");
    struct given given = read(DRAFT_BATCH, S("[" LEAST "," LEAST "," LEAST "]"));
    CHECK_OK(given.code);
    end(&given);
    static const char *const large[] = {"[" LEAST "," LEAST "," LEAST "," LEAST "]",
                                        LEAST "\n" LEAST "\n" LEAST "\n" LEAST};
    for (size_t i = 0; i < COUNT_OF(large); i++) {
        given = read(i == 0 ? DRAFT_BATCH : DRAFT_LINES, str_of(large[i]));
        CHECK_ERR(ALS_TOO_LARGE, given.code);
        CHECK_EQUAL(3, given.flaw.limit);
        end(&given);
    }
}

TEST(what_is_wrong_in_a_batch_is_named_with_its_place)
{
    refused(DRAFT_BATCH, S("[" LEAST ",{\"event_type\":\"a\",\"payload\":1}]"), ALS_JSON_SHAPE,
            "events[1].entity_id");
    refused(DRAFT_BATCH, S("[" LEAST ",7]"), ALS_JSON_SHAPE, "events[1]");
    refused(DRAFT_LINES, S(LEAST "\n\n{\"event_type\":1}"), ALS_JSON_SHAPE, "events[1].event_type");
    refused(DRAFT_LINES, S(LEAST "\n{"), ALS_JSON_SYNTAX, "events[1]");
    refused(DRAFT_BATCH, S("{\"events\":[" LEAST ",{}]}"), ALS_JSON_SHAPE, "events[1].event_type");
    refused(DRAFT_BATCH, S("{}"), ALS_JSON_SHAPE, "events");
    refused(DRAFT_BATCH, S("{\"events\":5}"), ALS_JSON_SHAPE, "events");
    refused(DRAFT_BATCH, S("5"), ALS_JSON_SHAPE, "");
}

TEST(conditions_have_a_position_and_perhaps_names)
{
    struct given given =
        read(DRAFT_BATCH,
             S("{\"conditions\":[{\"after_position\":5},{\"entity_id\":\"e\",\"event_type\":\"t\","
               "\"after_position\":0}],\"events\":[" LEAST "]}"));
    CHECK_OK(given.code);
    CHECK_EQUAL(2, given.list.condition_count);
    CHECK_EQUAL(5, given.list.conditions[0].after);
    CHECK(!given.list.conditions[0].entity.ptr && !given.list.conditions[0].type.ptr);
    CHECK_STR(S("e"), given.list.conditions[1].entity);
    CHECK_STR(S("t"), given.list.conditions[1].type);
    end(&given);

    refused(DRAFT_BATCH, S("{\"events\":[" LEAST "],\"conditions\":{}}"), ALS_JSON_SHAPE,
            "conditions");
    refused(DRAFT_BATCH, S("{\"events\":[" LEAST "],\"conditions\":[{}]}"), ALS_JSON_SHAPE,
            "conditions[0].after_position");
    refused(DRAFT_BATCH, S("{\"events\":[" LEAST "],\"conditions\":[{\"after_position\":-1}]}"),
            ALS_JSON_SHAPE, "conditions[0].after_position");
    refused(DRAFT_BATCH,
            S("{\"events\":[" LEAST "],\"conditions\":[{\"after_position\":1,\"entity_id\":1}]}"),
            ALS_JSON_SHAPE, "conditions[0].entity_id");
}

TEST(there_may_be_as_many_conditions_as_the_limit)
{
    for (int extra = 0; extra < 2; extra++) {
        char body[BATCH_CONDITIONS_MAX * 32 + 400] = "{\"events\":[" LEAST "],\"conditions\":[";
        for (int i = 0; i < BATCH_CONDITIONS_MAX + extra; i++)
            strcat(body, i ? ",{\"after_position\":1}" : "{\"after_position\":1}");
        struct given given = read(DRAFT_BATCH, str_of(strcat(body, "]}")));
        CHECK_ERR(extra ? ALS_TOO_LARGE : ALS_OK, given.code);
        end(&given);
    }
}

TEST(a_batch_has_one_tenant)
{
#define OF(tenant) "{" TYPE_ENTITY ",\"payload\":1,\"tenant_id\":\"" tenant "\"}"
    struct given given = read(DRAFT_BATCH, S("[" LEAST "," OF("x") "," OF("x") "]"));
    CHECK_OK(given.code);
    CHECK_STR(S("x"), given.list.tenant);
    end(&given);
    refused(DRAFT_BATCH, S("[" OF("x") "," OF("y") "]"), ALS_INVALID_INPUT, "events[1].tenant_id");
    refused(DRAFT_BATCH, S("{\"tenant_id\":\"x\",\"events\":[" OF("y") "]}"), ALS_INVALID_INPUT,
            "events[0].tenant_id");
#undef OF
}

TEST(a_body_that_takes_more_memory_than_there_is_is_too_large)
{
    struct given given = {};
    arena_init(&given.arena, 64, 300);
    CHECK_ERR(ALS_TOO_LARGE, draft_read(DRAFT_BATCH, S("[" LEAST "," LEAST "]"), 3, &given.arena,
                                        &given.list, &given.flaw));
    end(&given);
}
