// SPDX-License-Identifier: Apache-2.0
#include "analytics/calendar.h"
#include "analytics/made.h"

#include "base/limits.h"

#define DAY_US (INT64_C(86400) * 1000000)

static struct analysis_question frequency_of(enum analysis_window window, int64_t since_us,
                                             int64_t until_us)
{
    return (struct analysis_question){
        .kind = ANALYSIS_FREQUENCY, .window = window, .since_us = since_us, .until_us = until_us};
}

static void check_floor(enum analysis_window window, const char *moment, const char *start)
{
    char text[TIME_TEXT_MAX];
    int64_t us = window_start(window, window_number(window, at(moment)));
    CHECK_STR(str_of(start), ((str){text, time_format(us, text)}));
}

TEST(windows_begin_where_the_calendar_of_utc_has_them)
{
    check_floor(WINDOW_MINUTE, "2026-11-27T03:59:59.999999Z", "2026-11-27T03:59:00Z");
    check_floor(WINDOW_HOUR, "2026-11-27T03:59:59.999999Z", "2026-11-27T03:00:00Z");
    check_floor(WINDOW_DAY, "2026-11-27T23:59:59.999999Z", "2026-11-27T00:00:00Z");
    check_floor(WINDOW_WEEK, "2026-11-29T23:59:59.999999Z", "2026-11-23T00:00:00Z");
    check_floor(WINDOW_WEEK, "2026-11-30T00:00:00Z", "2026-11-30T00:00:00Z");
    check_floor(WINDOW_MONTH, "2024-02-29T23:59:59.999999Z", "2024-02-01T00:00:00Z");
    check_floor(WINDOW_MONTH, "2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z");
    check_floor(WINDOW_MINUTE, "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:00Z");
    check_floor(WINDOW_WEEK, "1969-12-31T23:59:59Z", "1969-12-29T00:00:00Z");
    check_floor(WINDOW_MONTH, "1969-12-31T23:59:59Z", "1969-12-01T00:00:00Z");
    check_floor(WINDOW_MONTH, "0000-01-31T00:00:00Z", "0000-01-01T00:00:00Z");
    check_floor(WINDOW_MONTH, "9999-12-31T23:59:59.999999Z", "9999-12-01T00:00:00Z");
}

TEST(windows_follow_each_other_without_a_gap_for_ten_thousand_years)
{
    for (int64_t us = TIME_US_MIN; us < TIME_US_MAX - DAY_US; us += 17 * DAY_US + 12345678901)
        for (enum analysis_window window = WINDOW_MINUTE; window <= WINDOW_MONTH; window++) {
            int64_t number = window_number(window, us);
            int64_t start_us = window_start(window, number);
            int64_t next_us = window_start(window, number + 1);
            CHECK(start_us <= us && us < next_us);
            CHECK_EQUAL(number, window_number(window, start_us));
            CHECK_EQUAL(number, window_number(window, next_us - 1));
            CHECK_EQUAL(number + 1, window_number(window, next_us));
        }
}

// ---- Against a loop over all events

static bool model_wants(const struct made *made, const struct analysis_question *question, size_t i)
{
    bool wanted = question->type_count == 0;
    for (size_t k = 0; k < question->type_count; k++) {
        str pattern = question->types[k], type = made_type(made, i);
        bool prefix = str_ends(pattern, S("*"));
        wanted |= prefix ? str_starts(type, str_first(pattern, pattern.len - 1))
                         : str_equal(type, pattern);
    }
    return wanted && made->us[i] >= question->since_us && made->us[i] <= question->until_us;
}

static uint64_t model_count(const struct made *made, const struct analysis_question *question,
                            int64_t start_us, int64_t next_us, str type)
{
    uint64_t count = 0;
    for (size_t i = 0; i < made->count; i++)
        count += model_wants(made, question, i) && made->us[i] >= start_us &&
                 made->us[i] < next_us && (!type.ptr || str_equal(type, made_type(made, i)));
    return count;
}

static void check_bucket(const struct made *made, const struct analysis_question *question,
                         const struct analysis *analysis, size_t number)
{
    int64_t first = window_number(question->window, question->since_us);
    int64_t start_us = window_start(question->window, first + (int64_t)number);
    int64_t next_us = window_start(question->window, first + (int64_t)number + 1);
    struct frequency_bucket bucket = frequency_bucket(analysis, number);
    CHECK_EQUAL(start_us, bucket.start_us);
    CHECK_EQUAL(model_count(made, question, start_us, next_us, (str){}), bucket.count);
    uint64_t sum = 0;
    for (size_t i = 0; i < bucket.type_count; i++) {
        struct counted type = frequency_type(analysis, number, i);
        CHECK(type.count > 0);
        CHECK_EQUAL(model_count(made, question, start_us, next_us, type.name), type.count);
        CHECK(i == 0 || str_compare(frequency_type(analysis, number, i - 1).name, type.name) < 0);
        sum += type.count;
    }
    CHECK_EQUAL(bucket.count, sum);
}

static void compare(struct made *made, const struct analysis_question *question)
{
    AUTO(analysis) analysis = made_analyse(made, question);
    struct frequency_answer answer = analysis_frequency(analysis);
    uint64_t total = model_count(made, question, INT64_MIN, INT64_MAX, (str){});
    CHECK_EQUAL(total, answer.total);
    CHECK_EQUAL(total ? window_count(question->window, question->since_us, question->until_us) : 0,
                answer.bucket_count);
    for (size_t i = 0; i < answer.bucket_count; i++)
        check_bucket(made, question, analysis, i);
}

TEST(frequency_of_blocks_and_events_in_shares_is_that_of_a_loop_over_all)
{
    static const str some[] = {{"order.1", 7}, {"user*", 5}};
    static const uint64_t spans[] = {3600, 86400, 20 * 86400, 100 * 86400, 700 * 86400};
    FOR_EACH_SEED(seed, 60) {
        enum analysis_window window = (enum analysis_window)(seed % 5);
        int64_t from = at("2023-12-30T22:58:00Z");
        uint64_t span_us = spans[window] * 1000000;
        struct made *made = made_new(seed, 1000, from, span_us);
        int64_t since = from + (int64_t)rand_below(&made->rand, span_us);
        int64_t until = since + (int64_t)rand_below(&made->rand, span_us);
        struct analysis_question question = frequency_of(window, since, until);
        compare(made, &question);
        question.types = some;
        question.type_count = 2;
        compare(made, &question);
        free(made);
    }
}

TEST(frequency_includes_the_first_and_the_last_moment_asked_for_and_none_beside_them)
{
    struct made *made = made_new(1, 4, at("2025-01-01T00:00:00Z"), 1);
    int64_t since = at("2025-01-01T10:00:30Z"), until = at("2025-01-01T12:00:30Z");
    made->us[0] = since - 1, made->us[1] = since, made->us[2] = until, made->us[3] = until + 1;
    struct analysis_question question = frequency_of(WINDOW_HOUR, since, until);
    AUTO(analysis) analysis = made_analyse(made, &question);
    CHECK_EQUAL(2, analysis_frequency(analysis).total);
    CHECK_EQUAL(3, analysis_frequency(analysis).bucket_count);
    CHECK_EQUAL(1, frequency_bucket(analysis, 0).count);
    CHECK_EQUAL(0, frequency_bucket(analysis, 1).count);
    CHECK_EQUAL(0, frequency_bucket(analysis, 1).type_count);
    CHECK_EQUAL(1, frequency_bucket(analysis, 2).count);
    free(made);
}

TEST(frequency_without_events_or_backwards_has_no_buckets)
{
    struct made *made = made_new(1, 100, at("2025-01-01T00:00:00Z"), 1000);
    struct analysis_question before =
        frequency_of(WINDOW_DAY, at("2024-01-01T00:00:00Z"), at("2024-02-01T00:00:00Z"));
    AUTO(analysis) nothing = made_analyse(made, &before);
    CHECK_EQUAL(0, analysis_frequency(nothing).bucket_count);
    struct analysis_question backwards =
        frequency_of(WINDOW_DAY, at("2026-01-01T00:00:00Z"), at("2024-01-01T00:00:00Z"));
    AUTO(analysis) none = made_analyse(made, &backwards);
    CHECK_EQUAL(0, analysis_frequency(none).bucket_count);
    CHECK_EQUAL(0, analysis_frequency(none).total);
    free(made);
}

TEST(frequency_of_the_year_0_begins_no_bucket_before_it)
{
    struct made *made = made_new(1, 10, TIME_US_MIN, 1000);
    struct analysis_question question =
        frequency_of(WINDOW_WEEK, TIME_US_MIN, TIME_US_MIN + 7 * DAY_US);
    AUTO(analysis) analysis = made_analyse(made, &question);
    CHECK_EQUAL(2, analysis_frequency(analysis).bucket_count);
    CHECK_EQUAL(TIME_US_MIN, frequency_bucket(analysis, 0).start_us);
    CHECK_EQUAL(10, frequency_bucket(analysis, 0).count);
    free(made);
}

TEST(frequency_refuses_one_bucket_too_many_before_any_work)
{
    int64_t minute = 60 * 1000000;
    struct als_why why;
    struct analysis_question question =
        frequency_of(WINDOW_MINUTE, 0, ANALYSIS_BUCKETS_MAX * minute - 1);
    CHECK_OK(analysis_check(&question, &why));
    question.until_us++;
    CHECK_ERR(ALS_INVALID_QUERY, analysis_check(&question, &why));
    CHECK(strstr(why.text, "50001 buckets, at most 50000"));
    question.until_us = TIME_US_MAX;
    question.since_us = TIME_US_MIN;
    CHECK_ERR(ALS_INVALID_QUERY, analysis_check(&question, &why));
}

TEST(frequency_refuses_one_count_too_many_and_names_the_limit)
{
    struct analysis_question question = frequency_of(WINDOW_MINUTE, 0, INT64_C(60000000) * 19999);
    AUTO(analysis) analysis = NULL;
    CHECK_OK(analysis_new(&question, &analysis, NULL));
    struct als_why why;
    char type[16];
    err code = ALS_OK;
    uint64_t given = 0;
    for (uint32_t i = 0; code == ALS_OK; i++) {
        (void)snprintf(type, sizeof type, "t%u", i / 20000);
        struct als_event event = {.timestamp_us = INT64_C(60000000) * (i % 20000),
                                  .type = str_of(type)};
        code = analysis_take_event(analysis, &event, &why);
        given += code == ALS_OK;
    }
    CHECK_ERR(ALS_TOO_LARGE, code);
    CHECK_EQUAL(ANALYSIS_COUNTS_MAX, given);
    CHECK(strstr(why.text, "more than 1000000 counts"));
}

TEST(an_analysis_that_was_given_up_takes_nothing_more)
{
    atomic_bool given_up = false;
    struct analysis_question question = frequency_of(WINDOW_MINUTE, 0, 1000);
    question.given_up = &given_up;
    AUTO(analysis) analysis = NULL;
    CHECK_OK(analysis_new(&question, &analysis, NULL));
    struct als_event event = {.type = S("t")};
    CHECK_OK(analysis_take_event(analysis, &event, NULL));
    atomic_store(&given_up, true);
    CHECK_ERR(ALS_NOT_READY, analysis_take_event(analysis, &event, NULL));
    struct segment_block block = {};
    CHECK_ERR(ALS_NOT_READY, analysis_take_block(analysis, &block, NULL));
}
