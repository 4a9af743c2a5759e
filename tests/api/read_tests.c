// SPDX-License-Identifier: Apache-2.0
// Queries, states, names and numbers, against a model where there is one: an array and a loop.
#include "base/rand.h"
#include "store.h"

#include <stdio.h>
#include <unistd.h>

enum { MODEL_EVENTS = 300, MODEL_ENTITIES = 7, MODEL_TYPES = 4 };

static const char *const entities[MODEL_ENTITIES] = {"a", "b", "c", "d", "e", "f", "g"};
static const char *const types[MODEL_TYPES] = {"order.placed", "order.paid", "user.seen", "u"};

struct model_event {
    uint64_t entity, type;
    int64_t timestamp_us;
};

// Fills a store and the array with the same random events; times are out of order.
static void fill(struct als *als, struct rand *rand, struct model_event events[MODEL_EVENTS])
{
    for (int i = 0; i < MODEL_EVENTS; i++) {
        struct model_event *event = &events[i];
        *event =
            (struct model_event){rand_below(rand, MODEL_ENTITIES), rand_below(rand, MODEL_TYPES),
                                 (int64_t)rand_below(rand, 100)};
        struct als_draft draft = draft_of(entities[event->entity], types[event->type], "{\"n\":1}");
        draft.timestamp_us = event->timestamp_us;
        CHECK_OK(append_draft(als, draft).code);
    }
}

static bool type_matches(str wanted, str type)
{
    if (str_ends(wanted, S("*")))
        return str_starts(type, str_first(wanted, wanted.len - 1));
    return str_equal(wanted, type);
}

static bool matches(const struct als_query *query, const struct model_event *event,
                    als_position position)
{
    bool typed = query->type_count == 0;
    for (size_t i = 0; i < query->type_count; i++)
        typed |= type_matches(query->types[i], str_of(types[event->type]));
    return typed &&
           (!query->entity.ptr || str_equal(query->entity, str_of(entities[event->entity]))) &&
           event->timestamp_us >= query->since_us && event->timestamp_us <= query->until_us &&
           position > query->after && (query->before == 0 || position < query->before) &&
           (query->as_of == 0 || position <= query->as_of);
}

static size_t expect(const struct als_query *query, const struct model_event events[MODEL_EVENTS],
                     als_position positions[MODEL_EVENTS])
{
    size_t count = 0;
    uint64_t skipped = 0;
    for (als_position i = 1; i <= MODEL_EVENTS; i++) {
        als_position position = query->descending ? MODEL_EVENTS + 1 - i : i;
        if (!matches(query, &events[position - 1], position) || skipped++ < query->offset)
            continue;
        if (count < query->limit)
            positions[count++] = position;
    }
    return count;
}

static struct als_query random_query(struct rand *rand, str wanted_types[3])
{
    static const str choices[] = {
        {"order.placed", 12}, {"order.*", 7}, {"u*", 2}, {"u", 1}, {"*", 1}, {"absent", 6}};
    struct als_query query = ALS_QUERY_INIT;
    if (rand_below(rand, 2))
        query.entity = str_of(entities[rand_below(rand, MODEL_ENTITIES)]);
    query.types = wanted_types;
    query.type_count = rand_below(rand, 2) ? rand_below(rand, 4) : 0;
    for (size_t i = 0; i < query.type_count; i++)
        wanted_types[i] = choices[rand_below(rand, COUNT_OF(choices))];
    if (rand_below(rand, 2))
        query.since_us = (int64_t)rand_below(rand, 100);
    if (rand_below(rand, 2))
        query.until_us = (int64_t)rand_below(rand, 100);
    if (rand_below(rand, 3) == 0)
        query.after = rand_below(rand, MODEL_EVENTS + 5);
    if (rand_below(rand, 3) == 0)
        query.before = rand_below(rand, MODEL_EVENTS + 5);
    if (rand_below(rand, 3) == 0)
        query.as_of = rand_below(rand, MODEL_EVENTS + 5);
    query.descending = rand_below(rand, 2);
    if (rand_below(rand, 3) == 0)
        query.offset = rand_below(rand, 20);
    if (rand_below(rand, 3) == 0)
        query.limit = rand_below(rand, 20);
    return query;
}

TEST(every_query_gives_what_an_array_and_a_loop_give)
{
    FOR_EACH_SEED(seed, 3) {
        struct rand rand = {seed};
        AUTO(als) als = store_open_quick();
        struct model_event events[MODEL_EVENTS];
        fill(als, &rand, events);
        for (int round = 0; round < 500; round++) {
            str wanted_types[3];
            struct als_query query = random_query(&rand, wanted_types);
            als_position positions[MODEL_EVENTS];
            size_t count = expect(&query, events, positions);
            AUTO(als_cursor) cursor = NULL;
            struct als_event event;
            CHECK_OK(als_query_open(als, &query, &cursor, NULL));
            for (size_t i = 0; i < count; i++) {
                CHECK_OK(als_cursor_next(cursor, &event, NULL));
                CHECK_EQUAL(positions[i], event.position);
                CHECK_STR(str_of(types[events[positions[i] - 1].type]), event.type);
            }
            CHECK_OK(als_cursor_next(cursor, &event, NULL));
            CHECK_EQUAL(0, event.position);
            CHECK_OK(als_cursor_next(cursor, &event, NULL)); // and stays at the end
            CHECK_EQUAL(0, event.position);
        }
    }
}

TEST(a_cursor_does_not_see_what_is_appended_later)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "e", "t", "1");
    struct als_query query = ALS_QUERY_INIT;
    AUTO(als_cursor) cursor = NULL;
    CHECK_OK(als_query_open(als, &query, &cursor, NULL));
    append_ok(als, "e", "t", "2");
    struct als_event event;
    CHECK_EQUAL(1, als_cursor_position(cursor));
    CHECK_OK(als_cursor_next(cursor, &event, NULL));
    CHECK_EQUAL(1, event.position);
    CHECK_OK(als_cursor_next(cursor, &event, NULL));
    CHECK_EQUAL(0, event.position);
}

TEST(slices_of_a_cursor_live_as_long_as_it)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "first", "t", "{\"n\":1}");
    append_ok(als, "second", "t", "{\"n\":2}");
    struct als_query query = ALS_QUERY_INIT;
    AUTO(als_cursor) cursor = NULL;
    struct als_event first, second;
    CHECK_OK(als_query_open(als, &query, &cursor, NULL));
    CHECK_OK(als_cursor_next(cursor, &first, NULL));
    CHECK_OK(als_cursor_next(cursor, &second, NULL));
    for (int i = 0; i < 1000; i++)
        append_ok(als, "more", "t", "{\"n\":3}");
    CHECK_STR(S("first"), first.entity);
    CHECK_STR(S("{\"n\":1}"), first.payload);
    CHECK_STR(S("second"), second.entity);
}

TEST(the_path_follows_from_the_filters)
{
    AUTO(als) als = store_open_quick();
    struct als_draft draft = draft_of("e", "t", "1");
    draft.has_id = true;
    draft.id = id_of(3);
    CHECK_OK(append_draft(als, draft).code);
    append_ok(als, "e", "t", "2");
    str type = S("t"), prefix = S("t*");
    als_id absent = id_of(4);
    static const enum als_path paths[] = {ALS_PATH_SCAN, ALS_PATH_ENTITY, ALS_PATH_TYPE,
                                          ALS_PATH_TYPE, ALS_PATH_ID,     ALS_PATH_ID};
    static const uint64_t counts[] = {2, 2, 2, 2, 1, 0};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct als_query query = ALS_QUERY_INIT;
        query.entity = i == 1 ? S("e") : query.entity;
        query.types = i == 2 ? &type : i == 3 ? &prefix : NULL;
        query.type_count = i == 2 || i == 3;
        query.id = i == 4 ? &draft.id : i == 5 ? &absent : NULL;
        AUTO(als_cursor) cursor = NULL;
        CHECK_OK(als_query_open(als, &query, &cursor, NULL));
        CHECK_EQUAL(paths[i], als_cursor_path(cursor));
        CHECK_EQUAL(counts[i], count_of(als, query));
    }
}

TEST(what_is_unknown_has_no_events)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "e", "t", "1");
    str type = S("absent");
    struct als_query query = ALS_QUERY_INIT;
    query.entity = S("absent");
    CHECK_EQUAL(0, count_of(als, query));
    query.entity = (str){NULL, 0};
    query.types = &type;
    query.type_count = 1;
    CHECK_EQUAL(0, count_of(als, query));
    CHECK_EQUAL(0, event_count(als, "absent"));
}

TEST(too_many_types_are_refused)
{
    AUTO(als) als = store_open_quick();
    str wanted[65];
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        wanted[i] = S("t");
    append_ok(als, "e", "t", "1");
    struct als_query query = ALS_QUERY_INIT;
    query.types = wanted;
    query.type_count = 64;
    CHECK_EQUAL(1, count_of(als, query));
    query.type_count = 65;
    AUTO(als_cursor) cursor = NULL;
    err code = als_query_open(als, &query, &cursor, NULL);
    CHECK(code == ALS_INVALID_QUERY || code == ALS_INVALID_INPUT);
}

// ---- States

static void check_state(struct als *als, struct als_state_query query, const char *json,
                        uint64_t count, als_version version)
{
    AUTO(als_state) state = NULL;
    CHECK_OK(als_state_open(als, &query, &state, NULL));
    struct als_state_view view = als_state_view(state);
    CHECK_STR(str_of(json), view.json);
    CHECK_EQUAL(count, view.event_count);
    CHECK_EQUAL(version, view.version);
}

TEST(a_state_is_the_fold_of_the_payloads_at_any_moment)
{
    AUTO(als) als = store_open_quick();
    static const char *const payloads[] = {"{\"a\":{\"x\":1},\"b\":1.10}", "[1]",
                                           "{\"a\":{\"y\":2},\"c\":null}", "{\"b\":2}"};
    static const int64_t times[] = {10, 20, 40, 30}; // the last happened before the third
    for (size_t i = 0; i < COUNT_OF(payloads); i++) {
        struct als_draft draft = draft_of("e", "t", payloads[i]);
        draft.timestamp_us = times[i];
        CHECK_OK(append_draft(als, draft).code);
        append_ok(als, "other", "t", "{\"a\":0}");
    }
    struct als_state_query query = ALS_STATE_QUERY_INIT;
    query.entity = S("e");
    check_state(als, query, "{\"a\":{\"y\":2},\"b\":2,\"c\":null}", 4, 4);
    query.at_version = 2;
    check_state(als, query, "{\"a\":{\"x\":1},\"b\":1.10}", 2, 2);
    query.at_version = 0;
    query.as_of = 5;
    check_state(als, query, "{\"a\":{\"y\":2},\"b\":1.10,\"c\":null}", 3, 3);
    query.as_of = 0;
    query.as_of_us = 30;
    check_state(als, query, "{\"a\":{\"x\":1},\"b\":2}", 3, 4);
    query.as_of_us = 10;
    check_state(als, query, "{\"a\":{\"x\":1},\"b\":1.10}", 1, 1);
    query.as_of_us = 9;
    AUTO(als_state) state = NULL;
    CHECK_ERR(ALS_ENTITY_NOT_FOUND, als_state_open(als, &query, &state, NULL));
}

TEST(a_state_tells_where_it_stands)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "other", "t", "{}");
    struct als_draft draft = draft_of("e", "t", "{\"a\":1}");
    draft.timestamp_us = 77;
    CHECK_OK(append_draft(als, draft).code);
    append_ok(als, "other", "t", "{}");
    struct als_state_query query = ALS_STATE_QUERY_INIT;
    query.entity = S("e");
    AUTO(als_state) state = NULL;
    CHECK_OK(als_state_open(als, &query, &state, NULL));
    struct als_state_view view = als_state_view(state);
    CHECK_EQUAL(2, view.position);
    CHECK_EQUAL(77, view.last_updated_us);
    CHECK_EQUAL(3, view.as_of);
}

TEST(an_entity_without_events_is_not_found)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "e", "t", "{}");
    struct als_state_query query = ALS_STATE_QUERY_INIT;
    AUTO(als_state) state = NULL;
    struct als_why why = {""};
    query.entity = S("absent");
    CHECK_ERR(ALS_ENTITY_NOT_FOUND, als_state_open(als, &query, &state, &why));
    CHECK_STR(S("absent"), str_of(why.text));
    query.tenant = S("absent");
    query.entity = S("e");
    CHECK_ERR(ALS_ENTITY_NOT_FOUND, als_state_open(als, &query, &state, NULL));
    CHECK(!state);
}

TEST(of_doubled_keys_the_last_counts)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "e", "t", "{\"a\":1,\"\\u0061\":2}");
    struct als_state_query query = ALS_STATE_QUERY_INIT;
    query.entity = S("e");
    AUTO(als_state) state = NULL;
    CHECK_OK(als_state_open(als, &query, &state, NULL));
    str json = als_state_view(state).json;
    CHECK(str_ends(json, S(":2}")) && str_find(json, '1') == json.len);
}

// ---- Names and numbers

TEST(names_page_in_bytewise_order_with_counts_and_last_positions)
{
    AUTO(als) als = store_open_quick();
    static const char *const made[] = {"b", "a", "c2", "c1", "b", "B", "é"};
    for (size_t i = 0; i < COUNT_OF(made); i++)
        append_ok(als, made[i], i % 2 ? "odd" : "even", "1");
    static const struct als_name expected[] = {{S("B"), 1, 6},  {S("a"), 1, 2},  {S("b"), 2, 5},
                                               {S("c1"), 1, 4}, {S("c2"), 1, 3}, {S("é"), 1, 7}};
    str after = {NULL, 0};
    size_t at = 0;
    for (int page = 0; page < 4; page++) { // two names a page
        struct als_names_query query = ALS_NAMES_QUERY_INIT;
        query.limit = 2;
        query.after = after;
        AUTO(als_names) names = NULL;
        struct als_name name;
        CHECK_OK(als_names_open(als, &query, &names, NULL));
        int count = 0;
        while (als_names_next(names, &name)) {
            CHECK(at < COUNT_OF(expected));
            CHECK_STR(expected[at].name, name.name);
            CHECK_EQUAL(expected[at].count, name.count);
            CHECK_EQUAL(expected[at].last, name.last);
            after = expected[at++].name;
            count++;
        }
        CHECK_EQUAL(page < 3 ? 2 : 0, count);
    }
    CHECK_EQUAL(COUNT_OF(expected), at);
}

TEST(names_may_be_asked_for_by_prefix)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "e", "order.placed", "1");
    append_ok(als, "e", "order.paid", "1");
    append_ok(als, "e", "orders", "1");
    append_ok(als, "e", "a", "1");
    struct als_names_query query = ALS_NAMES_QUERY_INIT;
    query.of = ALS_NAMES_TYPES;
    query.prefix = S("order.");
    AUTO(als_names) names = NULL;
    struct als_name name;
    CHECK_OK(als_names_open(als, &query, &names, NULL));
    CHECK(als_names_next(names, &name));
    CHECK_STR(S("order.paid"), name.name);
    CHECK(als_names_next(names, &name));
    CHECK_STR(S("order.placed"), name.name);
    CHECK(!als_names_next(names, &name));
}

static bool collect(void *context, str tenant)
{
    char *text = context;
    snprintf(text + strlen(text), 64, "%.*s;", STR(tenant));
    return true;
}

static bool only_first(void *context, str tenant)
{
    (void)tenant;
    ++*(int *)context;
    return false;
}

TEST(tenants_are_listed_also_those_that_are_not_open_yet)
{
    const char *directory = test_directory();
    AUTO(als) als = store_open(directory);
    append_for(als, "one", "e", "t", "1");
    append_for(als, "two", "e", "t", "1");
    als_close(MOVE(als));
    als = store_open(directory);
    char text[256] = "";
    int calls = 0;
    CHECK_OK(als_tenants(als, collect, text, NULL));
    CHECK(strstr(text, "one;") && strstr(text, "two;"));
    CHECK_OK(als_tenants(als, only_first, &calls, NULL));
    CHECK_EQUAL(1, calls);
}

TEST(numbers_are_those_of_a_tenant_or_of_all)
{
    AUTO(als) als = store_open_quick();
    append_for(als, "one", "a", "t", "1");
    append_for(als, "one", "b", "t", "1");
    append_for(als, "two", "a", "u", "1");
    struct als_stats stats;
    CHECK_OK(als_stats(als, S("one"), &stats, NULL));
    CHECK_EQUAL(2, stats.events);
    CHECK_EQUAL(2, stats.entities);
    CHECK_EQUAL(1, stats.types);
    CHECK_EQUAL(2, stats.position);
    CHECK_EQUAL(2, stats.ingested);
    CHECK(stats.wal_bytes > 0 && stats.wal_files >= 1 && stats.index_bytes > 0);
    CHECK_OK(als_stats(als, als_text(NULL), &stats, NULL));
    CHECK_EQUAL(3, stats.events);
    CHECK(stats.tenants >= 2);
    CHECK_OK(als_stats(als, S("absent"), &stats, NULL));
    CHECK_EQUAL(0, stats.events);
    CHECK_EQUAL(0, stats.position);
}

// ---- Files.

TEST(files_lead_to_the_log_and_pin_a_position)
{
    AUTO(als) als = store_open(test_directory());
    struct als_files *nobody = NULL, *files = NULL;
    CHECK_OK(als_files_open(als, als_text("nobody"), &nobody, NULL));
    CHECK_EQUAL(0, als_files_view(nobody).position);
    CHECK_EQUAL(0, als_files_view(nobody).directory.len);
    als_files_close(nobody);
    for (int i = 0; i < 3; i++)
        append_ok(als, "a", "t.u", "{}");
    CHECK_OK(als_files_open(als, als_text(""), &files, NULL));
    append_ok(als, "a", "t.u", "{}");
    struct als_files_view view = als_files_view(files);
    CHECK_EQUAL(3, view.position);
    CHECK(view.sealed <= view.position && view.directory.ptr[0] == '/');
    CHECK_EQUAL('\0', view.directory.ptr[view.directory.len]);
    char path[4096];
    (void)snprintf(path, sizeof path, "%.*s/wal", STR(view.directory));
    CHECK(access(path, R_OK | X_OK) == 0);
    als_files_close(files);
    als_files_close(NULL);
    CHECK_ERR(ALS_INVALID_INPUT, als_files_open(als, als_text("no/name"), &files, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_files_open(als, als_text(""), NULL, NULL));
}
