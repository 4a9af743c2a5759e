// SPDX-License-Identifier: Apache-2.0
// Opening, closing, options, names, and what bad arguments come to.
#include "store.h"

#include <stdatomic.h>
#include <stdio.h>

TEST(a_directory_that_is_not_there_is_made)
{
    char path[512];
    snprintf(path, sizeof path, "%s/new", test_directory());
    AUTO(als) als = store_open(path);
    CHECK_EQUAL(1, append_ok(als, "e", "t", "1"));
}

TEST(a_directory_is_open_once)
{
    const char *directory = test_directory();
    AUTO(als) als = store_open(directory);
    struct als *second = NULL;
    struct als_why why = {""};
    CHECK_ERR(ALS_LOCKED, als_open(directory, NULL, &second, &why));
    CHECK(second == NULL && why.text[0]);
    als_close(MOVE(als));
    als = store_open(directory);
    CHECK_EQUAL(1, append_ok(als, "e", "t", "1"));
}

TEST(without_a_directory_two_stores_do_not_meet)
{
    AUTO(als) first = store_open(NULL);
    AUTO(als) second = store_open(NULL);
    append_ok(first, "e", "t", "1");
    CHECK_EQUAL(1, event_count(first, NULL));
    CHECK_EQUAL(0, event_count(second, NULL));
}

TEST(enders_take_null)
{
    als_close(NULL);
    als_cursor_close(NULL);
    als_state_close(NULL);
    als_names_close(NULL);
    als_follower_close(NULL);
}

TEST(codes_have_stable_names)
{
    CHECK_STR(S("version_conflict"), str_of(als_err_code(ALS_VERSION_CONFLICT)));
    CHECK_STR(S("Concurrency error: "), str_of(als_err_prefix(ALS_VERSION_CONFLICT)));
    CHECK_EQUAL(409, als_err_http(ALS_VERSION_CONFLICT));
    CHECK_STR(S("ok"), str_of(als_err_code(ALS_OK)));
    CHECK_STR(str_of(ALLSOURCE_VERSION), str_of(als_version_text()));
}

TEST(names_are_checked_by_the_rules_of_the_contract)
{
    struct als_why why;
    char longest[130];
    memset(longest, 'a', sizeof longest);
    CHECK_OK(als_check_type(S("order.placed_2"), &why));
    CHECK_OK(als_check_type((str){longest, 128}, &why));
    CHECK_ERR(ALS_INVALID_INPUT, als_check_type((str){longest, 129}, &why));
    CHECK_ERR(ALS_INVALID_INPUT, als_check_type(S(""), &why));
    CHECK_ERR(ALS_INVALID_INPUT, als_check_type(S("Order"), &why));
    CHECK(strstr(why.text, "must be lowercase"));
    CHECK_ERR(ALS_INVALID_INPUT, als_check_type(S(".a"), NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_check_type(S("a..b"), NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_check_type((str){NULL, 0}, NULL));
    CHECK_OK(als_check_entity(S("Order 42/x"), &why));
    CHECK_ERR(ALS_INVALID_INPUT, als_check_entity(S(" x"), &why));
    CHECK_ERR(ALS_INVALID_INPUT, als_check_entity(S("a\nb"), &why));
    CHECK_ERR(ALS_INVALID_INPUT, als_check_entity((str){longest, 129}, &why));
    CHECK_OK(als_check_tenant(S("acme-1_x"), &why));
    CHECK_ERR(ALS_INVALID_INPUT, als_check_tenant(S("a/b"), &why));
    CHECK_ERR(ALS_INVALID_INPUT, als_check_tenant(S(".."), &why));
    CHECK_ERR(ALS_INVALID_INPUT, als_check_tenant((str){longest, 65}, &why));
}

TEST(a_store_that_works_is_ready)
{
    AUTO(als) als = store_open(NULL);
    append_ok(als, "e", "t", "1");
    CHECK_OK(als_ready(als, NULL));
}

TEST(missing_arguments_are_invalid_input)
{
    AUTO(als) als = store_open(NULL);
    struct als *other = NULL;
    struct als_outcome outcome;
    struct als_append append = ALS_APPEND_INIT;
    struct als_query query = ALS_QUERY_INIT;
    struct als_state_query state = ALS_STATE_QUERY_INIT;
    struct als_names_query names = ALS_NAMES_QUERY_INIT;
    struct als_follow follow = ALS_FOLLOW_INIT;
    struct als_cursor *cursor = NULL;
    struct als_state *ret_state = NULL;
    struct als_names *ret_names = NULL;
    struct als_follower *follower = NULL;
    CHECK_ERR(ALS_INVALID_INPUT, als_open(test_directory(), NULL, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_append_wait(als, NULL, NULL, &outcome));
    CHECK_ERR(ALS_INVALID_INPUT, als_append_wait(als, &append, NULL, &outcome)); // no drafts
    CHECK_ERR(ALS_INVALID_INPUT, als_append(als, &append, NULL, NULL, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_query_open(als, NULL, &cursor, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_query_open(als, &query, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_state_open(als, NULL, &ret_state, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_state_open(als, &state, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_names_open(als, NULL, &ret_names, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_names_open(als, &names, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_follow_open(als, NULL, &follower, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_follow_open(als, &follow, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_tenants(als, NULL, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_stats(als, als_text(NULL), NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_when(als, als_text(NULL), 1, 1, NULL, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_verify(NULL, NULL, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_dump(NULL, S("default"), NULL, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_rebuild_index(NULL, als_text(NULL), NULL, NULL, NULL));
    CHECK(!other && !cursor && !ret_state && !ret_names && !follower);
}

TEST(a_store_that_is_null_is_invalid_input)
{
    struct als_outcome outcome;
    struct als_stats stats;
    struct als_draft draft = draft_of("e", "t", "1");
    struct als_query query = ALS_QUERY_INIT;
    struct als_state_query state = ALS_STATE_QUERY_INIT;
    struct als_names_query names = ALS_NAMES_QUERY_INIT;
    struct als_follow follow = ALS_FOLLOW_INIT;
    struct als_cursor *cursor = NULL;
    struct als_state *ret_state = NULL;
    struct als_names *ret_names = NULL;
    struct als_follower *follower = NULL;
    state.entity = S("e");
    CHECK_ERR(ALS_INVALID_INPUT, als_ready(NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, append_to(NULL, NULL, &draft, 1, NULL, &outcome));
    CHECK_ERR(ALS_INVALID_INPUT, als_query_open(NULL, &query, &cursor, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_state_open(NULL, &state, &ret_state, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_names_open(NULL, &names, &ret_names, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_follow_open(NULL, &follow, &follower, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_stats(NULL, als_text(NULL), &stats, NULL));
    CHECK(!cursor && !ret_state && !ret_names && !follower);
}

TEST(a_struct_without_its_size_is_invalid_input)
{
    AUTO(als) als = store_open(NULL);
    struct als *other = NULL;
    struct als_options options = ALS_OPTIONS_INIT;
    struct als_query query = ALS_QUERY_INIT;
    struct als_state_query state = ALS_STATE_QUERY_INIT;
    struct als_append append = ALS_APPEND_INIT;
    struct als_draft draft = draft_of("e", "t", "1");
    struct als_cursor *cursor = NULL;
    struct als_state *ret_state = NULL;
    struct als_outcome outcome;
    options.size = query.size = state.size = append.size = 0;
    append.drafts = &draft;
    append.count = 1;
    CHECK_ERR(ALS_INVALID_INPUT, als_open(NULL, &options, &other, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_query_open(als, &query, &cursor, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_state_open(als, &state, &ret_state, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_append_wait(als, &append, NULL, &outcome));
    CHECK(!other && !cursor && !ret_state);
}

TEST(limits_of_the_options_hold_at_their_value_and_not_past_it)
{
    struct als_options options = ALS_OPTIONS_INIT;
    options.event_bytes_max = 300;
    options.batch_events_max = 3;
    options.tenants_max = 2;
    AUTO(als) als = NULL;
    CHECK_OK(als_open(NULL, &options, &als, NULL));

    char payload[400];
    struct als_draft draft = draft_of("e", "t", payload);
    memset(payload, '1', sizeof payload);
    draft.payload.len = 298; // the two names have a byte each
    CHECK_ERR(ALS_OK, append_draft(als, draft).code);
    draft.payload.len = 299;
    CHECK_ERR(ALS_TOO_LARGE, append_draft(als, draft).code);

    struct als_draft drafts[4];
    struct als_outcome outcome;
    for (size_t i = 0; i < COUNT_OF(drafts); i++)
        drafts[i] = draft_of("e", "t", "1");
    CHECK_OK(append_to(als, NULL, drafts, 3, NULL, &outcome));
    CHECK_ERR(ALS_TOO_LARGE, append_to(als, NULL, drafts, 4, NULL, &outcome));

    CHECK_EQUAL(1, append_for(als, "second", "e", "t", "1"));
    CHECK_ERR(ALS_TENANT_LIMIT, append_to(als, "third", drafts, 1, NULL, &outcome));
    CHECK_EQUAL(2, append_for(als, "second", "e", "t", "1"));
    CHECK_EQUAL(4, event_count(als, NULL));
}

struct heard {
    atomic_int recovered, syncs;
    _Atomic uint64_t events;
};

static void hear_notice(void *context, const struct als_notice *notice)
{
    struct heard *heard = context;
    if (notice->kind != ALS_NOTICE_RECOVERED || !str_equal(notice->tenant, S("default")))
        return;
    heard->recovered++;
    heard->events += notice->count;
}

static void hear_sync(void *context, uint64_t duration_ns, size_t appends)
{
    struct heard *heard = context;
    (void)duration_ns;
    heard->syncs += appends > 0;
}

TEST(an_operator_hears_of_recovery_and_of_syncs)
{
    const char *directory = test_directory();
    AUTO(als) als = store_open(directory);
    append_ok(als, "e", "t", "1");
    append_ok(als, "e", "t", "2");
    als_close(MOVE(als));

    struct heard heard = {};
    struct als_options options = ALS_OPTIONS_INIT;
    options.notice = hear_notice;
    options.synced = hear_sync;
    options.context = &heard;
    CHECK_OK(als_open(directory, &options, &als, NULL));
    CHECK_EQUAL(2, event_count(als, NULL));
    CHECK_EQUAL(1, heard.recovered);
    CHECK_EQUAL(2, heard.events);
    CHECK_EQUAL(0, heard.syncs);
    append_ok(als, "e", "t", "3");
    CHECK_EQUAL(1, heard.syncs);
}

TEST(closing_keeps_everything_whatever_the_durability)
{
    static const enum als_durability kinds[] = {ALS_DURABILITY_SYNC, ALS_DURABILITY_INTERVAL,
                                                ALS_DURABILITY_NONE};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        const char *directory = test_directory();
        struct als_options options = ALS_OPTIONS_INIT;
        options.durability = kinds[i];
        options.interval_ms = 1000;
        AUTO(als) als = NULL;
        CHECK_OK(als_open(directory, &options, &als, NULL));
        for (int n = 0; n < 100; n++)
            append_ok(als, "e", "t", "{\"n\":1}");
        als_close(MOVE(als));
        als = store_open(directory);
        CHECK_EQUAL(100, event_count(als, NULL));
        CHECK_EQUAL(101, append_ok(als, "e", "t", "1"));
    }
}

TEST(an_event_comes_back_to_the_byte_after_reopening)
{
    const char *directory = test_directory();
    AUTO(als) als = store_open(directory);
    struct als_draft draft =
        draft_of("Entity é", "a.b", " {\"b\" : 1.10, \"a\":[1E2, \"\\u00e9 \"]}");
    draft.metadata = S("{ \"correlation_id\": \"x\" }");
    draft.has_id = true;
    draft.id = id_of(9);
    draft.timestamp_us = -1;
    draft.schema_version = 7;
    struct als_outcome outcome = append_draft(als, draft);
    CHECK_ERR(ALS_OK, outcome.code);
    als_close(MOVE(als));

    als = store_open(directory);
    struct als_query query = ALS_QUERY_INIT;
    AUTO(als_cursor) cursor = NULL;
    struct als_event event;
    CHECK_OK(als_query_open(als, &query, &cursor, NULL));
    CHECK_OK(als_cursor_next(cursor, &event, NULL));
    CHECK_EQUAL(1, event.position);
    CHECK_EQUAL(1, event.version);
    CHECK(memcmp(&draft.id, &event.id, sizeof event.id) == 0);
    CHECK_EQUAL(-1, event.timestamp_us);
    CHECK_EQUAL(outcome.recorded_us, event.recorded_us);
    CHECK_EQUAL(7, event.schema_version);
    CHECK_STR(S("default"), event.tenant);
    CHECK_STR(S("Entity é"), event.entity);
    CHECK_STR(S("a.b"), event.type);
    CHECK_STR(S("{\"b\":1.10,\"a\":[1E2,\"\\u00e9 \"]}"), event.payload);
    CHECK_STR(S("{\"correlation_id\":\"x\"}"), event.metadata);
}
