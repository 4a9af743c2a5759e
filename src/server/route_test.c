// SPDX-License-Identifier: Apache-2.0
#include "server/route.h"

#include "test.h"

static const struct route routes[] = {
#define X(method_, path_, handler, body_)                                                          \
    {{#method_, sizeof #method_ - 1}, {path_, sizeof path_ - 1}, NULL, body_},
#include "server/routes.def"
#undef X
};

// The answer of route_find() for a path, with what it left.
struct answer {
    enum route_found found;
    struct route_match match;
    struct arena arena;
};

static struct answer ask(const char *method, const char *path)
{
    struct answer answer = {};
    arena_init(&answer.arena, 1024, 4096);
    answer.found = route_find(routes, COUNT_OF(routes), str_of(method), str_of(path), &answer.arena,
                              &answer.match);
    return answer;
}

static enum route_found found(const char *method, const char *path)
{
    struct answer answer = ask(method, path);
    arena_deinit(&answer.arena);
    return answer.found;
}

TEST(a_path_finds_the_template_that_it_fills)
{
    struct answer answer = ask("GET", "/api/v1/entities/user-1/state");
    CHECK_EQUAL(ROUTE_FOUND, answer.found);
    CHECK_STR(S("/api/v1/entities/{entity_id}/state"), answer.match.route->path);
    CHECK_STR(S("user-1"), answer.match.parameters[0]);
    arena_deinit(&answer.arena);
}

TEST(a_parameter_is_percent_decoded_slashes_included_and_plus_stays)
{
    struct answer answer = ask("GET", "/api/v1/entities/a%2Fb%20c+%C3%A9/snapshot");
    CHECK_EQUAL(ROUTE_FOUND, answer.found);
    CHECK_STR(S("a/b c+\xc3\xa9"), answer.match.parameters[0]);
    arena_deinit(&answer.arena);
}

TEST(a_parameter_that_is_not_utf8_or_badly_encoded_is_refused)
{
    CHECK_EQUAL(ROUTE_BAD_PARAMETER, found("GET", "/api/v1/entities/%FF/state"));
    CHECK_EQUAL(ROUTE_BAD_PARAMETER, found("GET", "/api/v1/entities/%C0%80/state"));
    CHECK_EQUAL(ROUTE_BAD_PARAMETER, found("GET", "/api/v1/entities/%4/state"));
}

TEST(unknown_paths_trailing_slashes_and_empty_segments_do_not_match)
{
    static const char *const paths[] = {"",
                                        "health",
                                        "/",
                                        "/health/",
                                        "//health",
                                        "/Health",
                                        "/healthy",
                                        "/api/v1/entities/",
                                        "/api/v1/entities//state",
                                        "/api/v1/entities/u1",
                                        "/api/v1/entities/u1/state/",
                                        "/api/v1/events/query/x",
                                        "/api/v1/%65vents"};
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        CHECK_EQUAL(ROUTE_UNKNOWN_PATH, found("GET", paths[i]));
}

TEST(a_literal_segment_wins_over_a_parameter)
{
    struct answer answer = ask("GET", "/api/v1/events/batch");
    CHECK_EQUAL(ROUTE_OTHER_METHOD, answer.found);
    CHECK_STR(S("POST, OPTIONS"), str_of(answer.match.allow));
    arena_deinit(&answer.arena);
}

TEST(another_method_is_told_which_ones_there_are)
{
    struct answer answer = ask("DELETE", "/api/v1/events/query");
    CHECK_EQUAL(ROUTE_OTHER_METHOD, answer.found);
    CHECK_STR(S("GET, HEAD, POST, OPTIONS"), str_of(answer.match.allow));
    arena_deinit(&answer.arena);
    CHECK_EQUAL(ROUTE_OTHER_METHOD, found("get", "/health"));
    CHECK_EQUAL(ROUTE_OTHER_METHOD, found("HEAD", "/api/v1/events"));
}

TEST(head_finds_what_get_does)
{
    struct answer answer = ask("HEAD", "/api/v1/events/query");
    CHECK_EQUAL(ROUTE_FOUND, answer.found);
    CHECK_STR(S("GET"), answer.match.route->method);
    arena_deinit(&answer.arena);
}

// What the order of the table is for.
TEST(no_route_of_the_table_is_hidden_by_one_before_it)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        struct arena arena;
        struct route_match match;
        arena_init(&arena, 1024, 4096);
        CHECK_EQUAL(ROUTE_FOUND, route_find(routes, COUNT_OF(routes), routes[i].method,
                                            routes[i].path, &arena, &match));
        CHECK(match.route == &routes[i]);
        arena_deinit(&arena);
    }
}

TEST(json_bodies_are_taken_by_their_media_type)
{
    static const char *const json[] = {"application/json", "Application/JSON",
                                       "application/json; charset=utf-8",
                                       "application/cloudevents+json", "application/a+json ;x=y"};
    for (size_t i = 0; i < COUNT_OF(json); i++) {
        CHECK(route_takes(JSON_BODY, str_of(json[i])));
        CHECK(route_takes(BATCH_BODY, str_of(json[i])));
    }
    static const char *const other[] = {"",
                                        "text/plain",
                                        "application/jsonp",
                                        "application/+json",
                                        "text/json",
                                        "application/x-www-form-urlencoded",
                                        "json"};
    for (size_t i = 0; i < COUNT_OF(other); i++) {
        CHECK(!route_takes(JSON_BODY, str_of(other[i])));
        CHECK(!route_takes(BATCH_BODY, str_of(other[i])));
        CHECK(route_takes(NO_BODY, str_of(other[i])));
    }
}

TEST(lines_are_taken_by_batches_only)
{
    CHECK(route_takes(BATCH_BODY, S("application/x-ndjson")));
    CHECK(route_takes(BATCH_BODY, S("application/x-ndjson; charset=utf-8")));
    CHECK(!route_takes(JSON_BODY, S("application/x-ndjson")));
    CHECK(media_type_is_lines(S("application/NDJSON")));
    CHECK(!media_type_is_lines(S("application/json")));
}
