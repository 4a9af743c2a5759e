// SPDX-License-Identifier: Apache-2.0
// Analyses through the public header: on several threads, waiting and not, given up, refused.
#include "base/rand.h"
#include "base/time.h"
#include "store.h"

#include <stdio.h>

AUTO_WITH(als_analysis, als_analysis_close)

#define SECOND_US INT64_C(1000000)

enum { BATCH_EVENTS = 1000 };

// `count` events of 10 entities and 3 types, a second apart from 1970 on.
static void fill(struct als *als, size_t count)
{
    static const char *const types[] = {"order.placed", "order.paid", "user.seen"};
    static const char *const entities[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    static struct als_draft drafts[BATCH_EVENTS];
    for (size_t first = 0; first < count; first += BATCH_EVENTS) {
        size_t some = count - first < BATCH_EVENTS ? count - first : BATCH_EVENTS;
        for (size_t i = 0; i < some; i++) {
            drafts[i] = draft_of(entities[(first + i) % 10], types[(first + i) % 3], "{}");
            drafts[i].timestamp_us = (int64_t)(first + i) * SECOND_US;
        }
        CHECK_OK(append_to(als, NULL, drafts, some, NULL, NULL));
    }
}

static struct als_analysis_query query_of(enum als_analysis_kind kind)
{
    struct als_analysis_query query = ALS_ANALYSIS_QUERY_INIT;
    query.kind = kind;
    query.since_us = 0;
    return query;
}

static struct als_analysis *analyse(struct als *als, const struct als_analysis_query *query)
{
    struct als_analysis *analysis = NULL;
    struct als_why why = {""};
    if (als_analysis_wait(als, query, &analysis, &why) != ALS_OK)
        test_fail(__FILE__, __LINE__, "%s", why.text);
    return analysis;
}

TEST(an_analysis_of_many_tasks_has_each_event_once)
{
    enum { EVENTS = 132000, HOURS = (EVENTS + 3599) / 3600 };
    AUTO(als) als = store_open_quick();
    fill(als, EVENTS);
    struct als_analysis_query query = query_of(ALS_FREQUENCY);
    query.window = ALS_WINDOW_HOUR;
    query.until_us = (EVENTS - 1) * SECOND_US;
    AUTO(als_analysis) frequency = analyse(als, &query);
    struct als_frequency answer = als_analysis_frequency(frequency);
    CHECK_EQUAL(EVENTS, answer.total);
    CHECK_EQUAL(HOURS, answer.bucket_count);
    CHECK_EQUAL(EVENTS, als_analysis_position(frequency));
    for (size_t i = 0; i < HOURS; i++) {
        struct als_bucket bucket = als_analysis_bucket(frequency, i);
        CHECK_EQUAL((int64_t)i * 3600 * SECOND_US, bucket.start_us);
        CHECK_EQUAL(i == HOURS - 1 ? EVENTS % 3600 : 3600, bucket.count);
        CHECK_EQUAL(3, bucket.type_count);
    }
    CHECK_STR(S("order.paid"), als_analysis_bucket_type(frequency, 0, 0).name);
    CHECK_EQUAL(1200, als_analysis_bucket_type(frequency, 0, 0).count);

    struct als_analysis_query all = query_of(ALS_SUMMARY);
    AUTO(als_analysis) summary = analyse(als, &all);
    struct als_summary sums = als_analysis_summary(summary);
    CHECK_EQUAL(EVENTS, sums.total);
    CHECK_EQUAL(10, sums.entities.unique);
    CHECK_EQUAL(3, sums.types.unique);
    CHECK(sums.entities.exact && sums.types.exact);
    CHECK_EQUAL(EVENTS / 10, sums.entities.top[9].count);
    CHECK_EQUAL(0, sums.first_us);
    CHECK_EQUAL((EVENTS - 1) * SECOND_US, sums.last_us);
}

static void count_sealed(void *context, uint64_t duration_ns)
{
    (void)duration_ns;
    counter_raise(context);
}

TEST(a_segment_that_is_cut_into_tasks_has_each_event_once)
{
    enum { EVENTS = 150000, TASK_ROWS = 102400 };
    struct counter sealed = COUNTER_INIT;
    struct als_options options = ALS_OPTIONS_INIT;
    options.durability = ALS_DURABILITY_NONE;
    options.seal_bytes = 8 << 20;
    options.sealed = count_sealed;
    options.context = &sealed;
    AUTO(als) als = NULL;
    CHECK_OK(als_open(NULL, &options, &als, NULL));
    fill(als, EVENTS);
    counter_wait(&sealed, 1);
    struct als_stats stats;
    CHECK_OK(als_stats(als, S("default"), &stats, NULL));
    CHECK(stats.sealed > TASK_ROWS && stats.sealed < EVENTS);
    struct als_analysis_query query = query_of(ALS_FREQUENCY);
    query.window = ALS_WINDOW_MINUTE;
    query.until_us = (EVENTS - 1) * SECOND_US;
    AUTO(als_analysis) frequency = analyse(als, &query);
    CHECK_EQUAL(EVENTS, als_analysis_frequency(frequency).total);
    for (size_t i = 0; i < EVENTS / 60; i++)
        CHECK_EQUAL(60, als_analysis_bucket(frequency, i).count);
}

TEST(an_analysis_of_an_entity_or_of_types_has_only_theirs)
{
    AUTO(als) als = store_open_quick();
    fill(als, 3000);
    struct als_analysis_query query = query_of(ALS_SUMMARY);
    query.entity = S("c");
    AUTO(als_analysis) one = analyse(als, &query);
    CHECK_EQUAL(300, als_analysis_summary(one).total);
    CHECK_STR(S("c"), als_analysis_summary(one).entities.top[0].name);
    str types[] = {S("order.*")};
    query.types = types;
    query.type_count = 1;
    AUTO(als_analysis) both = analyse(als, &query);
    CHECK_EQUAL(200, als_analysis_summary(both).total);
    query.entity = (str){};
    AUTO(als_analysis) orders = analyse(als, &query);
    CHECK_EQUAL(2000, als_analysis_summary(orders).total);
    CHECK_EQUAL(2, als_analysis_summary(orders).types.unique);
    query.tenant = S("other");
    AUTO(als_analysis) nothing = analyse(als, &query);
    CHECK_EQUAL(0, als_analysis_summary(nothing).total);
}

TEST(a_correlation_pairs_within_entities_and_tells_the_earliest)
{
    AUTO(als) als = store_open_quick();
    fill(als, 3000); // an entity has an event each 10 seconds, of one type each 30
    struct als_analysis_query query = query_of(ALS_CORRELATION);
    query.type_a = S("order.placed");
    query.type_b = S("order.paid");
    query.within_seconds = 10;
    AUTO(als_analysis) analysis = analyse(als, &query);
    struct als_correlation answer = als_analysis_correlation(analysis);
    CHECK_EQUAL(1000, answer.total_a);
    CHECK_EQUAL(1000, answer.total_b);
    CHECK_EQUAL(997, answer.pairs); // the last three are paid ten seconds after the last event
    CHECK_EQUAL(answer.pairs, answer.paired_a);
    CHECK(answer.mean_seconds == 10);
    CHECK_EQUAL(5, answer.example_count);
    CHECK_EQUAL(0, answer.examples[0].a_us);
    CHECK_EQUAL(10 * SECOND_US, answer.examples[0].b_us);
    CHECK_STR(S("a"), answer.examples[0].entity);
}

TEST(without_until_an_analysis_ends_now)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "e", "t", "1");
    struct als_draft draft = draft_of("e", "t", "1");
    draft.timestamp_us = ALS_TIME_MAX;
    CHECK_OK(append_draft(als, draft).code);
    struct als_analysis_query query = query_of(ALS_SUMMARY);
    query.until_us = ALS_TIME_UNSET;
    AUTO(als_analysis) now = analyse(als, &query);
    CHECK_EQUAL(1, als_analysis_summary(now).total);
    query.until_us = ALS_TIME_MAX;
    AUTO(als_analysis) ever = analyse(als, &query);
    CHECK_EQUAL(2, als_analysis_summary(ever).total);
}

TEST(names_beyond_the_option_are_estimated_and_said_to_be)
{
    struct als_options options = ALS_OPTIONS_INIT;
    options.durability = ALS_DURABILITY_NONE;
    options.analytics_names_max = 5;
    AUTO(als) als = NULL;
    CHECK_OK(als_open(NULL, &options, &als, NULL));
    fill(als, 1000);
    struct als_analysis_query query = query_of(ALS_SUMMARY);
    AUTO(als_analysis) analysis = analyse(als, &query);
    struct als_summary answer = als_analysis_summary(analysis);
    CHECK(!answer.entities.exact && answer.entities.error_percent > 0.8);
    CHECK_EQUAL(10, answer.entities.unique); // few are told apart by the sketch, too
    CHECK(answer.types.exact && answer.types.error_percent == 0);
}

// ---- Under way

static void raise(void *counter)
{
    counter_raise(counter);
}

TEST(analyses_that_run_at_once_each_have_their_answer)
{
    enum { ANALYSES = 24 };
    AUTO(als) als = store_open_quick();
    fill(als, 70000);
    struct counter counter = COUNTER_INIT;
    struct als_analysis *analyses[ANALYSES];
    for (size_t i = 0; i < ANALYSES; i++) {
        struct als_analysis_query query = query_of(i % 2 ? ALS_SUMMARY : ALS_FREQUENCY);
        query.until_us = 69999 * SECOND_US;
        CHECK_OK(als_analysis_start(als, &query, raise, &counter, &analyses[i], NULL));
    }
    counter_wait(&counter, ANALYSES);
    for (size_t i = 0; i < ANALYSES; i++) {
        CHECK_OK(als_analysis_outcome(analyses[i], NULL));
        CHECK_EQUAL(70000, i % 2 ? als_analysis_summary(analyses[i]).total
                                 : als_analysis_frequency(analyses[i]).total);
        als_analysis_close(analyses[i]);
    }
}

// The first `done` keeps the only thread until all places are taken.
struct gate {
    struct counter arrived, open, done;
};

static void wait_at_gate(void *context)
{
    struct gate *gate = context;
    counter_raise(&gate->arrived);
    counter_wait(&gate->open, 1);
    counter_raise(&gate->done);
}

static void count_done(void *context)
{
    counter_raise(&((struct gate *)context)->done);
}

TEST(too_many_analyses_are_refused_and_those_given_up_end)
{
    enum { ROOM = 32 };
    struct als_options options = ALS_OPTIONS_INIT;
    options.durability = ALS_DURABILITY_NONE;
    options.analytics_threads = 1;
    AUTO(als) als = NULL;
    CHECK_OK(als_open(NULL, &options, &als, NULL));
    fill(als, 1000);
    struct gate gate = {COUNTER_INIT, COUNTER_INIT, COUNTER_INIT};
    struct als_analysis_query query = query_of(ALS_SUMMARY);
    struct als_analysis *first, *others[ROOM], *refused = NULL;
    CHECK_OK(als_analysis_start(als, &query, wait_at_gate, &gate, &first, NULL));
    counter_wait(&gate.arrived, 1);
    for (size_t i = 0; i < ROOM; i++)
        CHECK_OK(als_analysis_start(als, &query, count_done, &gate, &others[i], NULL));
    struct als_why why;
    CHECK_ERR(ALS_QUEUE_FULL, als_analysis_start(als, &query, count_done, &gate, &refused, &why));
    CHECK(!refused && strstr(why.text, "32 analyses"));
    als_analysis_cancel(others[3]);
    counter_raise(&gate.open);
    counter_wait(&gate.done, 1 + ROOM);
    CHECK_OK(als_analysis_outcome(first, NULL));
    als_analysis_close(first);
    for (size_t i = 0; i < ROOM; i++) {
        CHECK_ERR(i == 3 ? ALS_NOT_READY : ALS_OK, als_analysis_outcome(others[i], NULL));
        CHECK_EQUAL(i == 3 ? 0 : 1000, als_analysis_summary(others[i]).total);
        als_analysis_close(others[i]);
    }
}

TEST(after_all_were_cancelled_no_analysis_is_taken)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "e", "t", "1");
    als_analyses_cancel(als);
    struct als_analysis_query query = query_of(ALS_SUMMARY);
    struct als_analysis *analysis = NULL;
    CHECK_ERR(ALS_NOT_READY, als_analysis_wait(als, &query, &analysis, NULL));
    CHECK(analysis == NULL);
}

TEST(bad_questions_are_refused_and_wrong_answers_are_zeros)
{
    AUTO(als) als = store_open_quick();
    append_ok(als, "e", "t", "1");
    struct als_analysis *analysis = NULL;
    struct als_analysis_query good = query_of(ALS_FREQUENCY), query = good;
    CHECK_ERR(ALS_INVALID_INPUT, als_analysis_wait(NULL, &good, &analysis, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_analysis_wait(als, NULL, &analysis, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_analysis_wait(als, &good, NULL, NULL));
    CHECK_ERR(ALS_INVALID_INPUT, als_analysis_start(als, &good, NULL, NULL, &analysis, NULL));
    query.size = 0;
    CHECK_ERR(ALS_INVALID_INPUT, als_analysis_wait(als, &query, &analysis, NULL));
    query = good, query.kind = (enum als_analysis_kind)7;
    CHECK_ERR(ALS_INVALID_INPUT, als_analysis_wait(als, &query, &analysis, NULL));
    query = good, query.window = (enum als_window)7;
    CHECK_ERR(ALS_INVALID_INPUT, als_analysis_wait(als, &query, &analysis, NULL));
    query = good, query.type_count = 1;
    CHECK_ERR(ALS_INVALID_INPUT, als_analysis_wait(als, &query, &analysis, NULL));
    query = good, query.type_count = 65;
    CHECK_ERR(ALS_INVALID_QUERY, als_analysis_wait(als, &query, &analysis, NULL));
    query = good, query.since_us = ALS_TIME_MIN - 1;
    CHECK_ERR(ALS_INVALID_QUERY, als_analysis_wait(als, &query, &analysis, NULL));
    query = good, query.until_us = ALS_TIME_MAX, query.window = ALS_WINDOW_DAY;
    CHECK_ERR(ALS_INVALID_QUERY, als_analysis_wait(als, &query, &analysis, NULL));
    query = good, query.tenant = S("/");
    CHECK_ERR(ALS_INVALID_INPUT, als_analysis_wait(als, &query, &analysis, NULL));
    query = query_of(ALS_CORRELATION);
    CHECK_ERR(ALS_INVALID_INPUT, als_analysis_wait(als, &query, &analysis, NULL));
    CHECK(analysis == NULL);
    query = query_of(ALS_SUMMARY);
    AUTO(als_analysis) summary = analyse(als, &query);
    CHECK_EQUAL(1, als_analysis_summary(summary).total);
    CHECK_EQUAL(0, als_analysis_frequency(summary).total);
    CHECK_EQUAL(0, als_analysis_bucket(summary, 0).count);
    CHECK_EQUAL(0, als_analysis_bucket_type(summary, 0, 0).count);
    CHECK_EQUAL(0, als_analysis_correlation(summary).total_a);
    als_analysis_close(NULL);
    als_analysis_cancel(NULL);
}
