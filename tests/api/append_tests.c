// SPDX-License-Identifier: Apache-2.0
// Positions, versions, expected versions, ids, conditions, and all or nothing.
#include "store.h"

#include <stdatomic.h>
#include <stdio.h>

TEST(positions_are_gapless_and_versions_count_per_entity)
{
    AUTO(als) als = store_open(NULL);
    struct als_draft drafts[] = {draft_of("a", "t", "1"), draft_of("b", "t", "2"),
                                 draft_of("a", "t", "3")};
    struct als_appended events[3];
    struct als_outcome outcome;
    CHECK_EQUAL(1, append_ok(als, "a", "t", "0"));
    CHECK_OK(append_to(als, NULL, drafts, 3, events, &outcome));
    CHECK_EQUAL(2, outcome.first);
    CHECK_EQUAL(4, outcome.last);
    CHECK_EQUAL(3, outcome.count);
    CHECK(!outcome.duplicate);
    CHECK_EQUAL(2, events[0].version);
    CHECK_EQUAL(1, events[1].version);
    CHECK_EQUAL(3, events[2].version);
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQUAL(2 + i, events[i].position);
        CHECK_EQUAL(outcome.recorded_us, events[i].timestamp_us);
        CHECK_EQUAL(7, events[i].id.bytes[6] >> 4); // UUIDv7
    }
}

TEST(recorded_time_never_goes_back)
{
    AUTO(als) als = store_open(NULL);
    int64_t before = INT64_MIN;
    for (int i = 0; i < 100; i++) {
        struct als_outcome outcome = append_draft(als, draft_of("e", "t", "1"));
        CHECK(outcome.recorded_us >= before);
        before = outcome.recorded_us;
    }
}

TEST(an_expected_version_that_is_not_met_says_what_got_in_between)
{
    AUTO(als) als = store_open(NULL);
    append_ok(als, "e", "first", "1");
    append_ok(als, "other", "t", "1");
    append_ok(als, "e", "second", "1");
    append_ok(als, "e", "third", "1");
    struct als_draft draft = draft_of("e", "t", "1");
    draft.expected_version = 1;
    struct als_outcome outcome = append_draft(als, draft);
    CHECK_ERR(ALS_VERSION_CONFLICT, outcome.code);
    CHECK(outcome.why.text[0]);
    CHECK_EQUAL(0, outcome.index);
    CHECK_EQUAL(1, outcome.expected_version);
    CHECK_EQUAL(3, outcome.actual_version);
    CHECK_EQUAL(2, outcome.between_total);
    CHECK_EQUAL(2, outcome.between_count);
    CHECK_STR(S("third"), str_of(outcome.between[0].type));
    CHECK_EQUAL(3, outcome.between[0].version);
    CHECK_EQUAL(4, outcome.between[0].position);
    CHECK_STR(S("second"), str_of(outcome.between[1].type));
    CHECK_EQUAL(4, event_count(als, NULL));
    draft.expected_version = 3;
    CHECK_ERR(ALS_OK, append_draft(als, draft).code);
}

TEST(a_conflict_tells_the_newest_ten_and_how_many_there_were)
{
    AUTO(als) als = store_open(NULL);
    for (int i = 0; i < 15; i++)
        append_ok(als, "e", "t", "1");
    struct als_draft draft = draft_of("e", "t", "1");
    draft.expected_version = ALS_EXPECT_NONE;
    struct als_outcome outcome = append_draft(als, draft);
    CHECK_ERR(ALS_VERSION_CONFLICT, outcome.code);
    CHECK_EQUAL(15, outcome.between_total);
    CHECK_EQUAL(10, outcome.between_count);
    CHECK_EQUAL(15, outcome.between[0].version);
    CHECK_EQUAL(6, outcome.between[9].version);
}

TEST(an_entity_may_be_demanded_to_exist_or_not_to)
{
    AUTO(als) als = store_open(NULL);
    struct als_draft draft = draft_of("e", "t", "1");
    draft.expected_version = ALS_EXPECT_EXISTS;
    CHECK_ERR(ALS_VERSION_CONFLICT, append_draft(als, draft).code);
    draft.expected_version = ALS_EXPECT_NONE;
    CHECK_ERR(ALS_OK, append_draft(als, draft).code);
    CHECK_ERR(ALS_VERSION_CONFLICT, append_draft(als, draft).code);
    draft.expected_version = ALS_EXPECT_EXISTS;
    CHECK_ERR(ALS_OK, append_draft(als, draft).code);
    draft.expected_version = 5; // more than there are
    CHECK_ERR(ALS_VERSION_CONFLICT, append_draft(als, draft).code);
    draft.expected_version = -2;
    CHECK_ERR(ALS_INVALID_INPUT, append_draft(als, draft).code);
}

TEST(the_first_expected_version_of_an_entity_speaks_for_its_batch)
{
    AUTO(als) als = store_open(NULL);
    struct als_draft drafts[] = {draft_of("a", "t", "1"), draft_of("a", "t", "2")};
    struct als_outcome outcome;
    drafts[0].expected_version = 0;
    drafts[1].expected_version = 0;
    CHECK_OK(append_to(als, NULL, drafts, 2, NULL, &outcome));
    drafts[0].expected_version = drafts[1].expected_version = 2;
    CHECK_OK(append_to(als, NULL, drafts, 2, NULL, &outcome));
}

TEST(a_batch_is_stored_whole_or_not_at_all)
{
    AUTO(als) als = store_open(NULL);
    append_ok(als, "b", "t", "1");
    struct als_draft drafts[] = {draft_of("a", "t", "1"), draft_of("b", "t", "2")};
    struct als_outcome outcome;
    drafts[1].expected_version = 0;
    CHECK_ERR(ALS_VERSION_CONFLICT, append_to(als, NULL, drafts, 2, NULL, &outcome));
    CHECK_EQUAL(1, outcome.index);
    CHECK_EQUAL(1, event_count(als, NULL));
    drafts[1].expected_version = ALS_EXPECT_ANY;
    drafts[1].payload = S("{");
    CHECK_ERR(ALS_INVALID_EVENT, append_to(als, NULL, drafts, 2, NULL, &outcome));
    CHECK_EQUAL(1, outcome.index);
    CHECK_EQUAL(1, event_count(als, NULL));
    drafts[1].payload = S("{}");
    CHECK_OK(append_to(als, NULL, drafts, 2, NULL, &outcome));
    CHECK_EQUAL(2, outcome.first);
}

TEST(the_same_id_and_content_is_stored_once_also_across_a_restart)
{
    const char *directory = test_directory();
    AUTO(als) als = store_open(directory);
    struct als_draft draft = draft_of("e", "t", "{\"a\":1}");
    draft.has_id = true;
    draft.id = id_of(1);
    draft.expected_version = ALS_EXPECT_NONE;
    struct als_appended first, again;
    struct als_outcome outcome;
    CHECK_OK(append_to(als, NULL, &draft, 1, &first, &outcome));
    CHECK(!outcome.duplicate);
    append_ok(als, "e", "t", "2");
    for (int restarts = 0; restarts < 2; restarts++) {
        CHECK_OK(append_to(als, NULL, &draft, 1, &again, &outcome));
        CHECK(outcome.duplicate);
        CHECK_EQUAL(1, outcome.first);
        CHECK_EQUAL(1, outcome.count);
        CHECK_EQUAL(first.position, again.position);
        CHECK_EQUAL(first.version, again.version);
        CHECK_EQUAL(first.timestamp_us, again.timestamp_us);
        CHECK_EQUAL(2, event_count(als, NULL));
        als_close(MOVE(als));
        als = store_open(directory);
    }
}

TEST(the_same_id_with_other_content_is_refused)
{
    AUTO(als) als = store_open(NULL);
    struct als_draft draft = draft_of("e", "t", "1"), other;
    draft.has_id = true;
    draft.id = id_of(1);
    draft.timestamp_us = 1000;
    CHECK_ERR(ALS_OK, append_draft(als, draft).code);
    other = draft, other.payload = S("2");
    CHECK_ERR(ALS_ID_CONFLICT, append_draft(als, other).code);
    other = draft, other.entity = S("f");
    CHECK_ERR(ALS_ID_CONFLICT, append_draft(als, other).code);
    other = draft, other.type = S("u");
    CHECK_ERR(ALS_ID_CONFLICT, append_draft(als, other).code);
    other = draft, other.metadata = S("{}");
    CHECK_ERR(ALS_ID_CONFLICT, append_draft(als, other).code);
    other = draft, other.timestamp_us = 1001;
    CHECK_ERR(ALS_ID_CONFLICT, append_draft(als, other).code);
    other = draft, other.payload = S(" 1 ");
    CHECK_ERR(ALS_OK, append_draft(als, other).code);
    CHECK_EQUAL(1, event_count(als, NULL));
}

TEST(a_batch_of_which_a_part_is_stored_is_refused)
{
    AUTO(als) als = store_open(NULL);
    struct als_draft drafts[] = {draft_of("a", "t", "1"), draft_of("b", "t", "2"),
                                 draft_of("c", "t", "3")};
    for (uint8_t i = 0; i < 3; i++) {
        drafts[i].has_id = true;
        drafts[i].id = id_of(i);
    }
    struct als_outcome outcome;
    CHECK_OK(append_to(als, NULL, drafts, 2, NULL, &outcome));
    CHECK_ERR(ALS_ID_CONFLICT, append_to(als, NULL, drafts + 1, 2, NULL, &outcome));
    CHECK_EQUAL(2, event_count(als, NULL));
    CHECK_OK(append_to(als, NULL, drafts, 2, NULL, &outcome));
    CHECK(outcome.duplicate);
    drafts[2].id = drafts[1].id; // twice within a batch
    drafts[1].id = drafts[0].id = id_of(77);
    CHECK_ERR(ALS_INVALID_INPUT, append_to(als, NULL, drafts, 2, NULL, &outcome));
    CHECK_EQUAL(2, event_count(als, NULL));
}

TEST(a_condition_refuses_the_append_when_something_matches_behind_its_position)
{
    AUTO(als) als = store_open(NULL);
    append_ok(als, "seat-1", "seat.taken", "1");
    append_ok(als, "seat-2", "seat.freed", "1");
    static const struct {
        struct als_condition condition;
        err code;
    } cases[] = {
        {{S("seat-1"), {NULL, 0}, 0}, ALS_CONDITION_FAILED},
        {{S("seat-1"), {NULL, 0}, 1}, ALS_OK},
        {{{NULL, 0}, S("seat.freed"), 1}, ALS_CONDITION_FAILED},
        {{{NULL, 0}, S("seat.freed"), 2}, ALS_OK},
        {{S("seat-1"), S("seat.freed"), 0}, ALS_OK},
        {{S("seat-2"), S("seat.freed"), 0}, ALS_CONDITION_FAILED},
        {{{NULL, 0}, {NULL, 0}, 1}, ALS_CONDITION_FAILED},
        {{S("nobody"), {NULL, 0}, 0}, ALS_OK},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct als_draft draft = draft_of("booking", "booked", "1");
        struct als_append append = ALS_APPEND_INIT;
        append.drafts = &draft;
        append.count = 1;
        append.conditions = &cases[i].condition;
        append.condition_count = 1;
        struct als_outcome outcome;
        CHECK_ERR(cases[i].code, als_append_wait(als, &append, NULL, &outcome));
        CHECK(outcome.code == ALS_OK || (outcome.between_total >= 1 && outcome.index == 0));
    }
    CHECK_EQUAL(2 + 4, event_count(als, NULL));
}

TEST(wrong_drafts_are_told_at_once_with_their_index)
{
    AUTO(als) als = store_open(NULL);
    static const struct {
        const char *entity, *type, *payload;
        err code;
    } cases[] = {
        {"", "t", "1", ALS_INVALID_INPUT},    {"e", "", "1", ALS_INVALID_INPUT},
        {"e", "T", "1", ALS_INVALID_INPUT},   {" e", "t", "1", ALS_INVALID_INPUT},
        {"e", "t", "", ALS_INVALID_EVENT},    {"e", "t", "{", ALS_INVALID_EVENT},
        {"e", "t", "1 2", ALS_INVALID_EVENT}, {"e", "t", "\"\xff\"", ALS_INVALID_EVENT},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct als_draft drafts[] = {draft_of("e", "t", "1"),
                                     draft_of(cases[i].entity, cases[i].type, cases[i].payload)};
        struct als_append append = ALS_APPEND_INIT;
        append.drafts = drafts;
        append.count = 2;
        size_t index = 99;
        struct als_outcome outcome;
        CHECK_ERR(cases[i].code, als_append_wait(als, &append, NULL, &outcome));
        CHECK_EQUAL(1, outcome.index);
        // The done function is never called; a NULL context would be noticed.
        CHECK_ERR(cases[i].code, als_append(als, &append, (als_done *)abort, NULL, &index, NULL));
        CHECK_EQUAL(1, index);
    }
    CHECK_EQUAL(0, event_count(als, NULL));
}

TEST(the_tenant_of_an_append_is_checked)
{
    AUTO(als) als = store_open(NULL);
    struct als_draft draft = draft_of("e", "t", "1");
    struct als_outcome outcome;
    CHECK_ERR(ALS_INVALID_INPUT, append_to(als, "../x", &draft, 1, NULL, &outcome));
    CHECK_ERR(ALS_INVALID_INPUT, append_to(als, "a b", &draft, 1, NULL, &outcome));
}

TEST(two_tenants_share_nothing)
{
    AUTO(als) als = store_open(test_directory());
    struct als_draft draft = draft_of("e", "t", "{\"a\":1}");
    draft.has_id = true;
    draft.id = id_of(1);
    draft.expected_version = ALS_EXPECT_NONE;
    struct als_outcome outcome;
    CHECK_OK(append_to(als, "one", &draft, 1, NULL, &outcome));
    draft.payload = S("{\"a\":2}"); // the same id, another content, another store
    CHECK_OK(append_to(als, "two", &draft, 1, NULL, &outcome));
    CHECK_EQUAL(1, outcome.first);
    CHECK(!outcome.duplicate);
    append_for(als, "two", "f", "u", "1");
    CHECK_EQUAL(1, event_count(als, "one"));
    CHECK_EQUAL(2, event_count(als, "two"));
    CHECK_EQUAL(0, event_count(als, NULL));
}

struct done_calls {
    struct counter counter;
    als_position last;
    bool in_order;
};

static void done_called(void *context, const struct als_outcome *outcome,
                        const struct als_appended *events)
{
    struct done_calls *calls = context;
    calls->in_order &= outcome->code == ALS_OK && events[0].position == outcome->first &&
                       outcome->first == calls->last + 1;
    calls->last = outcome->last;
    counter_raise(&calls->counter);
}

TEST(done_is_called_once_for_each_append_in_the_order_they_were_taken)
{
    AUTO(als) als = store_open(NULL);
    struct done_calls calls = {.counter = COUNTER_INIT, .in_order = true};
    enum { APPENDS = 500 };
    for (int i = 0; i < APPENDS; i++) {
        struct als_draft draft = draft_of("e", "t", "{\"n\":1}");
        struct als_append append = ALS_APPEND_INIT;
        append.drafts = &draft;
        append.count = 1;
        CHECK_OK(als_append(als, &append, done_called, &calls, NULL, NULL));
    }
    counter_wait(&calls.counter, APPENDS);
    als_close(MOVE(als));
    CHECK_EQUAL(APPENDS, calls.counter.count);
    CHECK(calls.in_order);
}

TEST(closing_finishes_the_appends_that_were_taken)
{
    const char *directory = test_directory();
    AUTO(als) als = store_open(directory);
    struct done_calls calls = {.counter = COUNTER_INIT, .in_order = true};
    struct als_draft draft = draft_of("e", "t", "1");
    struct als_append append = ALS_APPEND_INIT;
    append.drafts = &draft;
    append.count = 1;
    for (int i = 0; i < 100; i++)
        CHECK_OK(als_append(als, &append, done_called, &calls, NULL, NULL));
    als_close(MOVE(als));
    CHECK_EQUAL(100, calls.counter.count);
    als = store_open(directory);
    CHECK_EQUAL(100, event_count(als, NULL));
}

// ---- Under contention

enum { RACERS = 8, RACES = 100 };

struct race {
    struct als *als;
    atomic_int wins[RACES];
    atomic_int surprises;
};

static void *run_race(void *context)
{
    struct race *race = context;
    for (int version = 0; version < RACES; version++) {
        struct als_draft draft = draft_of("e", "t", "1");
        draft.expected_version = version;
        struct als_outcome outcome;
        err code = append_to(race->als, NULL, &draft, 1, NULL, &outcome);
        if (code == ALS_OK)
            race->wins[version]++;
        else if (code != ALS_VERSION_CONFLICT)
            race->surprises++;
    }
    return NULL;
}

TEST(of_many_writers_that_expect_a_version_exactly_one_wins)
{
    AUTO(als) als = store_open(NULL);
    struct race race = {.als = als};
    pthread_t threads[RACERS];
    for (int i = 0; i < RACERS; i++)
        CHECK(pthread_create(&threads[i], NULL, run_race, &race) == 0);
    for (int i = 0; i < RACERS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQUAL(0, race.surprises);
    for (int version = 0; version < RACES; version++)
        CHECK_EQUAL(1, race.wins[version]);
    CHECK_EQUAL(RACES, event_count(als, NULL));
}
