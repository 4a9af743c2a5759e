// SPDX-License-Identifier: Apache-2.0
#include "server/params.h"

#include "base/limits.h"
#include "server/filter.h"

#include "test.h"

// A fixture's arena lives for one test; the program's end frees what a failed one leaves.
struct given {
    struct arena arena;
    struct params params;
    struct flaw flaw;
    err code;
};

static struct given given_query(const char *query)
{
    struct given given = {};
    arena_init(&given.arena, 4096, 1 << 20);
    given.code = params_from_query(str_of(query), &given.arena, &given.params, &given.flaw);
    return given;
}

static struct given given_json(const char *text)
{
    struct given given = {};
    struct json_doc doc;
    arena_init(&given.arena, 4096, 1 << 20);
    CHECK_OK(json_parse(str_of(text), (struct json_options){.span_depth = 2}, &given.arena, &doc,
                        NULL, NULL));
    given.code = params_from_json(&doc, &given.arena, &given.params, &given.flaw);
    return given;
}

static void end(struct given *given)
{
    arena_deinit(&given->arena);
}

static err filter_of(struct given *given, struct filter *filter)
{
    return filter_read(&given->params, filter, &given->flaw);
}

TEST(a_query_string_is_decoded_with_plus_as_a_space)
{
    struct given given = given_query("entity_id=a+b%2Bc%C3%A9&x");
    str value = {};
    CHECK_OK(given.code);
    CHECK_OK(param_text(&given.params, S("entity_id"), &value, &given.flaw));
    CHECK_STR(S("a b+c\xc3\xa9"), value);
    end(&given);
}

TEST(an_empty_value_is_present_and_an_absent_one_leaves_the_default)
{
    struct given given = given_query("entity_id=&a&&b=1");
    str entity = {NULL, 0}, other = S("before");
    CHECK_OK(param_text(&given.params, S("entity_id"), &entity, &given.flaw));
    CHECK(entity.ptr && entity.len == 0);
    CHECK_OK(param_text(&given.params, S("tenant_id"), &other, &given.flaw));
    CHECK_STR(S("before"), other);
    end(&given);
}

TEST(badly_encoded_parameters_are_refused)
{
    static const char *const bad[] = {"a=%",   "a=%4",     "a=%zz",
                                      "a=%FF", "%C0%80=1", "x=1&a=%ED%A0%80"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct given given = given_query(bad[i]);
        CHECK_ERR(ALS_BAD_PARAMETER, given.code);
        end(&given);
    }
}

TEST(a_repeated_known_parameter_is_refused_and_an_unknown_one_is_nobodys)
{
    struct given given = given_query("limit=1&limit=1&zzz=1&zzz=2");
    struct filter filter;
    CHECK_ERR(ALS_BAD_PARAMETER, filter_of(&given, &filter));
    CHECK_STR(S("limit"), str_of(given.flaw.field));
    end(&given);
    given = given_query("zzz=1&zzz=2&limit=3");
    CHECK_OK(filter_of(&given, &filter));
    CHECK_EQUAL(3, filter.query.limit);
    end(&given);
}

TEST(numbers_are_digits_within_their_limit)
{
    static const char *const bad[] = {
        "limit=",    "limit=-1",  "limit=+1",   "limit=1.0",
        "limit=1e2", "limit=0x1", "limit=%201", "limit=18446744073709551616"};
    struct filter filter;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct given given = given_query(bad[i]);
        CHECK_ERR(ALS_BAD_PARAMETER, filter_of(&given, &filter));
        CHECK_STR(S("limit"), str_of(given.flaw.field));
        end(&given);
    }
    uint64_t value = 0;
    struct given given = given_query("n=10000&m=10001");
    CHECK_OK(param_u64(&given.params, S("n"), 10000, &value, &given.flaw));
    CHECK_EQUAL(10000, value);
    CHECK_ERR(ALS_BAD_PARAMETER, param_u64(&given.params, S("m"), 10000, &value, &given.flaw));
    CHECK_EQUAL(10000, given.flaw.limit);
    CHECK_EQUAL(10000, value);
    end(&given);
}

TEST(times_need_a_date_a_time_and_a_zone)
{
    static const char *const bad[] = {"since=", "since=2025-01-01", "since=1735689600",
                                      "since=2025-01-01T00:00:00",
                                      "since=2025-01-01T00:00:00+02:00"};
    struct filter filter;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct given given = given_query(bad[i]);
        CHECK_ERR(ALS_BAD_PARAMETER, filter_of(&given, &filter));
        CHECK_STR(S("since"), str_of(given.flaw.field));
        end(&given);
    }
    struct given given =
        given_query("since=1970-01-01T00:00:01Z&until=1970-01-01T02:00:02%2B02:00&as_of="
                    "1970-01-01+00:00:03Z");
    CHECK_OK(filter_of(&given, &filter));
    CHECK_EQUAL(1000000, filter.query.since_us);
    CHECK_EQUAL(2000000, filter.query.until_us);
    end(&given);
}

TEST(as_of_is_an_upper_bound_beside_until)
{
    struct filter filter;
    struct given given = given_query("as_of=1970-01-01T00:00:01Z&until=1970-01-01T00:00:09Z");
    CHECK_OK(filter_of(&given, &filter));
    CHECK_EQUAL(1000000, filter.query.until_us);
    end(&given);
}

TEST(a_position_bound_of_zero_lets_nothing_through)
{
    static const char *const queries[] = {"as_of_position=0", "before_position=0"};
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        struct filter filter;
        struct given given = given_query(queries[i]);
        CHECK_OK(filter_of(&given, &filter));
        CHECK_EQUAL(1, filter.query.before);
        end(&given);
    }
}

TEST(event_type_may_repeat_up_to_its_limit)
{
    char query[QUERY_TYPES_MAX * 16 + 32] = "";
    for (int i = 0; i < QUERY_TYPES_MAX; i++)
        strcat(query, "event_type=a*&");
    struct filter filter;
    struct given given = given_query(query);
    CHECK_OK(filter_of(&given, &filter));
    CHECK_EQUAL(QUERY_TYPES_MAX, filter.query.type_count);
    CHECK_STR(S("a*"), filter.query.types[QUERY_TYPES_MAX - 1]);
    end(&given);

    given = given_query(strcat(query, "event_type=a"));
    CHECK_ERR(ALS_BAD_PARAMETER, filter_of(&given, &filter));
    CHECK_EQUAL(QUERY_TYPES_MAX, given.flaw.limit);
    end(&given);
}

TEST(the_order_is_asc_or_desc)
{
    struct filter filter;
    struct given given = given_query("order=desc");
    CHECK_OK(filter_of(&given, &filter));
    CHECK(filter.query.descending);
    end(&given);
    given = given_query("order=DESC");
    CHECK_ERR(ALS_BAD_PARAMETER, filter_of(&given, &filter));
    end(&given);
}

TEST(a_json_object_gives_the_same_parameters)
{
    struct filter filter;
    struct given given = given_json(
        "{\"entity_id\":\"a\\u0062\",\"event_type\":[\"x\",\"y.*\"],\"limit\":7,\"offset\":null,"
        "\"zzz\":{\"deep\":[1]},\"order\":\"desc\",\"since\":\"1970-01-01T00:00:01Z\"}");
    CHECK_OK(given.code);
    CHECK_OK(filter_of(&given, &filter));
    CHECK_STR(S("ab"), filter.query.entity);
    CHECK_EQUAL(2, filter.query.type_count);
    CHECK_STR(S("y.*"), filter.query.types[1]);
    CHECK_EQUAL(7, filter.query.limit);
    CHECK_EQUAL(0, filter.query.offset);
    CHECK_EQUAL(1000000, filter.query.since_us);
    CHECK(filter.query.descending);
    end(&given);
}

TEST(a_parameter_of_a_body_that_has_another_type_is_unprocessable)
{
    static const struct {
        const char *body, *field;
    } bad[] = {{"{\"limit\":\"7\"}", "limit"},
               {"{\"limit\":-1}", "limit"},
               {"{\"limit\":1.0}", "limit"},
               {"{\"limit\":true}", "limit"},
               {"{\"entity_id\":5}", "entity_id"},
               {"{\"entity_id\":[\"a\"]}", "entity_id"},
               {"{\"event_type\":[1]}", "event_type"},
               {"{\"event_type\":{}}", "event_type"},
               {"{\"since\":5}", "since"},
               {"{\"since\":\"2025-01-01\"}", "since"},
               {"{\"order\":\"up\"}", "order"},
               {"{\"limit\":1,\"limit\":1}", "limit"}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct filter filter;
        struct given given = given_json(bad[i].body);
        CHECK_OK(given.code);
        CHECK_ERR(ALS_JSON_SHAPE, filter_of(&given, &filter));
        CHECK_STR(str_of(bad[i].field), str_of(given.flaw.field));
        end(&given);
    }
    struct given given = given_json("[1]");
    CHECK_ERR(ALS_JSON_SHAPE, given.code);
    end(&given);
}

TEST(more_parameters_than_an_arena_holds_are_too_large)
{
    struct given given = {};
    arena_init(&given.arena, 64, 256);
    CHECK_ERR(ALS_TOO_LARGE,
              params_from_query(S("a&b&c&d&e&f&g&h"), &given.arena, &given.params, &given.flaw));
    end(&given);
}
