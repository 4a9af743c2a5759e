// SPDX-License-Identifier: Apache-2.0
#include "metrics/metrics.h"

#include "metrics/family.h"
#include "test.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

// The part of an exposition that belongs to one family, from its HELP line on; empty when absent.
static str section(const struct buf *buf, const char *name)
{
    static char begin[128];
    snprintf(begin, sizeof begin, "# HELP allsource_%s ", name);
    str text = buf_str(buf);
    const char *start = memmem(text.ptr, text.len, begin, strlen(begin));
    if (!start)
        return (str){NULL, 0};
    size_t left = (size_t)(text.ptr + text.len - start);
    const char *end = memmem(start + 1, left - 1, "# HELP", 6);
    return (str){start, end ? (size_t)(end - start) : left};
}

static str printed(struct metrics *metrics, struct buf *buf, const char *name)
{
    buf_reset(buf);
    metrics_print(metrics, buf);
    CHECK(!buf_failed(buf));
    return section(buf, name);
}

struct fixture {
    struct metrics *metrics;
    struct buf buf;
};

static void fixture_deinit(struct fixture *fixture)
{
    metrics_free(fixture->metrics);
    buf_deinit(&fixture->buf);
}

#define FIXTURE(name)                                                                              \
    __attribute__((cleanup(fixture_deinit))) struct fixture name = {.metrics = metrics_new()};     \
    CHECK(name.metrics);                                                                           \
    buf_init(&name.buf, 16 << 20)

TEST(metrics_print_a_histogram_as_the_contract_shows_it)
{
    FIXTURE(f);
    for (int i = 0; i < 10; i++)
        metrics_observe_ns(f.metrics, METRIC_query_duration_seconds, i % 2 ? 1653 : 1654,
                           (str[]){S("entity")});
    metrics_observe_ns(f.metrics, METRIC_query_duration_seconds, 700'000'000, (str[]){S("entity")});
    CHECK_STR(S("# HELP allsource_query_duration_seconds Query duration in seconds\n"
                "# TYPE allsource_query_duration_seconds histogram\n"
                "allsource_query_duration_seconds_bucket{query_type=\"entity\",le=\"0.005\"} 10\n"
                "allsource_query_duration_seconds_bucket{query_type=\"entity\",le=\"0.01\"} 10\n"
                "allsource_query_duration_seconds_bucket{query_type=\"entity\",le=\"0.025\"} 10\n"
                "allsource_query_duration_seconds_bucket{query_type=\"entity\",le=\"0.05\"} 10\n"
                "allsource_query_duration_seconds_bucket{query_type=\"entity\",le=\"0.1\"} 10\n"
                "allsource_query_duration_seconds_bucket{query_type=\"entity\",le=\"0.25\"} 10\n"
                "allsource_query_duration_seconds_bucket{query_type=\"entity\",le=\"0.5\"} 10\n"
                "allsource_query_duration_seconds_bucket{query_type=\"entity\",le=\"1\"} 11\n"
                "allsource_query_duration_seconds_bucket{query_type=\"entity\",le=\"2.5\"} 11\n"
                "allsource_query_duration_seconds_bucket{query_type=\"entity\",le=\"5\"} 11\n"
                "allsource_query_duration_seconds_bucket{query_type=\"entity\",le=\"10\"} 11\n"
                "allsource_query_duration_seconds_bucket{query_type=\"entity\",le=\"+Inf\"} 11\n"
                "allsource_query_duration_seconds_sum{query_type=\"entity\"} 0.700016535\n"
                "allsource_query_duration_seconds_count{query_type=\"entity\"} 11\n"),
              printed(f.metrics, &f.buf, "query_duration_seconds"));
}

TEST(metrics_print_counters_sorted_by_label_values_with_labels_in_order)
{
    FIXTURE(f);
    str get_404[] = {S("/b"), S("GET"), S("404")}, get_200[] = {S("/b"), S("GET"), S("200")};
    str post[] = {S("/a"), S("POST"), S("200")};
    metrics_add(f.metrics, METRIC_http_requests_total, 1, get_404);
    metrics_add(f.metrics, METRIC_http_requests_total, 2, get_200);
    metrics_add(f.metrics, METRIC_http_requests_total, 3, post);
    metrics_add(f.metrics, METRIC_http_requests_total, 4, get_404);
    CHECK_STR(S("# HELP allsource_http_requests_total Total number of HTTP requests\n"
                "# TYPE allsource_http_requests_total counter\n"
                "allsource_http_requests_total{endpoint=\"/a\",method=\"POST\",status=\"200\"} 3\n"
                "allsource_http_requests_total{endpoint=\"/b\",method=\"GET\",status=\"200\"} 2\n"
                "allsource_http_requests_total{endpoint=\"/b\",method=\"GET\",status=\"404\"} 5\n"),
              printed(f.metrics, &f.buf, "http_requests_total"));
}

TEST(metrics_escape_backslash_quote_and_newline_in_label_values)
{
    FIXTURE(f);
    metrics_add(f.metrics, METRIC_events_ingested_by_type, 1, (str[]){S("a\\b\"c\nd{,}=\xc3\xa9")});
    CHECK_STR(
        S("# HELP allsource_events_ingested_by_type Events ingested by type\n"
          "# TYPE allsource_events_ingested_by_type counter\n"
          "allsource_events_ingested_by_type{event_type=\"a\\\\b\\\"c\\nd{,}=\xc3\xa9\"} 1\n"),
        printed(f.metrics, &f.buf, "events_ingested_by_type"));
}

TEST(metrics_leave_out_a_labelled_family_without_series_and_print_others_from_zero)
{
    FIXTURE(f);
    CHECK_EQUAL(0, printed(f.metrics, &f.buf, "http_requests_total").len);
    CHECK_STR(S("# HELP allsource_events_ingested_total Total number of events ingested\n"
                "# TYPE allsource_events_ingested_total counter\n"
                "allsource_events_ingested_total 0\n"),
              section(&f.buf, "events_ingested_total"));
    CHECK(str_ends(section(&f.buf, "ingestion_duration_seconds"),
                   S("allsource_ingestion_duration_seconds_bucket{le=\"+Inf\"} 0\n"
                     "allsource_ingestion_duration_seconds_sum 0\n"
                     "allsource_ingestion_duration_seconds_count 0\n")));
}

static str last_word(str text)
{
    text = str_trim(text);
    size_t at = text.len;
    while (at && text.ptr[at - 1] != ' ')
        at--;
    return str_from(text, at);
}

TEST(metrics_print_gauges_with_the_fewest_digits_that_lose_nothing)
{
    FIXTURE(f);
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0"},
        {1, "1"},
        {-3, "-3"},
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {123456789012345, "123456789012345"},
        {9007199254740993.0, "9007199254740992"},
        {1e300, "1e+300"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
        {NAN, "NaN"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        metrics_set(f.metrics, METRIC_storage_size_bytes, rows[i].value);
        CHECK_STR(str_of(rows[i].text),
                  last_word(printed(f.metrics, &f.buf, "storage_size_bytes")));
    }
    metrics_change(f.metrics, METRIC_http_requests_in_flight, 3);
    metrics_change(f.metrics, METRIC_http_requests_in_flight, -5);
    CHECK_STR(S("-2"), last_word(printed(f.metrics, &f.buf, "http_requests_in_flight")));
}

TEST(metrics_sum_nanoseconds_exactly_and_put_a_bound_into_its_own_bucket)
{
    FIXTURE(f);
    static const uint64_t observed[] = {
        0, 1, 5'000'000, 5'000'001, 10'000'000'000, 10'000'000'001, 86'400'000'000'000};
    for (size_t i = 0; i < COUNT_OF(observed); i++)
        metrics_observe_ns(f.metrics, METRIC_wal_sync_duration_seconds, observed[i], NULL);
    str text = printed(f.metrics, &f.buf, "wal_sync_duration_seconds");
    static const char *const lines[] = {"_bucket{le=\"0.005\"} 3\n",
                                        "_bucket{le=\"0.01\"} 4\n",
                                        "_bucket{le=\"5\"} 4\n",
                                        "_bucket{le=\"10\"} 5\n",
                                        "_bucket{le=\"+Inf\"} 7\n",
                                        "_sum 86420.010000003\n",
                                        "_count 7\n"};
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (!memmem(text.ptr, text.len, lines[i], strlen(lines[i])))
            test_fail(__FILE__, __LINE__, "no line ends in '%s'", lines[i]);
}

static uint64_t value_of(str text, const char *type)
{
    char begin[128];
    snprintf(begin, sizeof begin, "{event_type=\"%s\"} ", type);
    const char *at = memmem(text.ptr, text.len, begin, strlen(begin));
    return at ? strtoull(at + strlen(begin), NULL, 10) : 0;
}

static size_t lines_in(str text)
{
    size_t lines = 0;
    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n';
    return lines;
}

// The reference lets clients make as many series as they like.
TEST(metrics_w41_label_values_that_clients_choose_are_bounded)
{
    FIXTURE(f);
    enum { TYPES = 10'000 };
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < TYPES; i++) {
            char type[32];
            snprintf(type, sizeof type, "type.%d", i);
            metrics_add(f.metrics, METRIC_events_ingested_by_type, 1, (str[]){str_of(type)});
        }
    str text = printed(f.metrics, &f.buf, "events_ingested_by_type");
    CHECK_EQUAL(2 + METRICS_CHILDREN_MAX + 1, lines_in(text));
    CHECK_EQUAL(2, value_of(text, "type.0"));
    CHECK_EQUAL(2, value_of(text, "type.127"));
    CHECK_EQUAL(0, value_of(text, "type.128"));
    CHECK_EQUAL(2 * (TYPES - METRICS_CHILDREN_MAX), value_of(text, "other"));
}

TEST(metrics_bound_the_series_of_our_own_labels_as_well)
{
    FIXTURE(f);
    for (unsigned i = 0; i < 3000; i++) {
        char status[16];
        snprintf(status, sizeof status, "%u", i);
        str labels[] = {S("/x"), S("GET"), str_of(status)};
        metrics_add(f.metrics, METRIC_http_requests_total, 1, labels);
    }
    str text = printed(f.metrics, &f.buf, "http_requests_total");
    CHECK_EQUAL(2 + METRICS_SERIES_MAX + 1, lines_in(text));
    static const char other[] = "{endpoint=\"other\",method=\"other\",status=\"other\"} 1976\n";
    CHECK(memmem(text.ptr, text.len, other, strlen(other)));
}

TEST(metrics_count_a_client_type_named_other_and_the_overflow_in_one_series)
{
    FIXTURE(f);
    static char endless[METRICS_LABEL_BYTES_MAX + 1];
    memset(endless, 'x', sizeof endless);
    metrics_add(f.metrics, METRIC_events_ingested_by_type, 1, (str[]){S("other")});
    metrics_add(f.metrics, METRIC_events_ingested_by_type, 1, (str[]){S("\xff not text")});
    metrics_add(f.metrics, METRIC_events_ingested_by_type, 1,
                (str[]){{endless, METRICS_LABEL_BYTES_MAX + 1}});
    metrics_add(f.metrics, METRIC_events_ingested_by_type, 1,
                (str[]){{endless, METRICS_LABEL_BYTES_MAX}});
    str text = printed(f.metrics, &f.buf, "events_ingested_by_type");
    CHECK_EQUAL(2 + 2, lines_in(text));
    CHECK_EQUAL(3, value_of(text, "other"));
}

TEST(metrics_tell_values_apart_whose_concatenation_is_equal)
{
    FIXTURE(f);
    metrics_add(f.metrics, METRIC_http_requests_total, 1, (str[]){S("ab"), S("c"), S("")});
    metrics_add(f.metrics, METRIC_http_requests_total, 1, (str[]){S("a"), S("bc"), S("")});
    metrics_add(f.metrics, METRIC_http_requests_total, 1, (str[]){S("a"), S("b"), S("c")});
    CHECK_EQUAL(2 + 3, lines_in(printed(f.metrics, &f.buf, "http_requests_total")));
}

enum { THREADS = 2 * STRIPES, ROUNDS = 10'000, TYPES = 200 };

struct race {
    struct metrics *metrics;
    pthread_barrier_t start;
};

static void run_race(struct race *race, unsigned threads, void *(*run)(void *context))
{
    pthread_t ids[THREADS];
    CHECK(pthread_barrier_init(&race->start, NULL, threads) == 0);
    for (size_t i = 0; i < threads; i++)
        CHECK(pthread_create(&ids[i], NULL, run, race) == 0);
    for (size_t i = 0; i < threads; i++)
        CHECK(pthread_join(ids[i], NULL) == 0);
    pthread_barrier_destroy(&race->start);
}

static void *count_much(void *context)
{
    struct race *race = context;
    struct metrics *metrics = race->metrics;
    struct buf buf;
    buf_init(&buf, 16 << 20);
    bool prints = pthread_barrier_wait(&race->start) == PTHREAD_BARRIER_SERIAL_THREAD;
    for (unsigned i = 0; i < ROUNDS; i++) {
        char type[32];
        snprintf(type, sizeof type, "t%u", i % TYPES);
        str label[] = {str_of(type)};
        metrics_add(metrics, METRIC_events_ingested_by_type, 1, label);
        metrics_add(metrics, METRIC_events_ingested_total, 3, NULL);
        metrics_change(metrics, METRIC_http_requests_in_flight, i % 2 ? -1 : 1);
        metrics_observe_ns(metrics, METRIC_query_duration_seconds, 1'000'000 * (i % 20), label);
        if (prints && i % 500 == 0) {
            buf_reset(&buf);
            metrics_print(metrics, &buf);
        }
    }
    buf_deinit(&buf);
    return NULL;
}

static uint64_t sum_of_values(str text)
{
    uint64_t sum = 0;
    while (text.len) {
        str line = str_cut(&text, '\n');
        uint64_t value = 0;
        if (!str_starts(line, S("#")))
            CHECK(str_to_u64(last_word(line), &value));
        sum += value;
    }
    return sum;
}

// One of the threads prints as well; the assertion in family_sorted() watches for duplicates.
TEST(metrics_lose_no_count_when_more_threads_than_stripes_count_at_once)
{
    FIXTURE(f);
    struct race race = {.metrics = f.metrics};
    run_race(&race, THREADS, count_much);

    CHECK_EQUAL(3ULL * THREADS * ROUNDS, metrics_read(f.metrics, METRIC_events_ingested_total));
    str text = printed(f.metrics, &f.buf, "events_ingested_by_type");
    CHECK_EQUAL(2 + METRICS_CHILDREN_MAX + 1, lines_in(text));
    CHECK_EQUAL(THREADS * ROUNDS, sum_of_values(text));
    CHECK_STR(S("0"), last_word(section(&f.buf, "http_requests_in_flight")));

    uint64_t observed = 0, ns = 0;
    struct family *family = &f.metrics->families[METRIC_query_duration_seconds];
    struct series *sorted[METRICS_SERIES_MAX + 1];
    for (size_t i = family_sorted(family, sorted); i-- > 0;) {
        ns += family_total(family, sorted[i], SUM);
        for (size_t bucket = 0; bucket < BUCKETS; bucket++)
            observed += family_total(family, sorted[i], bucket);
    }
    CHECK_EQUAL(THREADS * ROUNDS, observed);
    CHECK_EQUAL(THREADS * ROUNDS / 20 * 190'000'000LL, ns);
}

static void *count_new_types(void *context)
{
    struct race *race = context;
    pthread_barrier_wait(&race->start);
    for (unsigned i = 0; i < METRICS_CHILDREN_MAX; i++) {
        char type[32];
        snprintf(type, sizeof type, "t%u", i);
        metrics_add(race->metrics, METRIC_events_ingested_by_type, 1, (str[]){str_of(type)});
    }
    return NULL;
}

TEST(metrics_make_a_series_once_when_threads_race_for_it)
{
    enum { RACERS = 4 };
    for (int round = 0; round < 200; round++) {
        FIXTURE(f);
        struct race race = {.metrics = f.metrics};
        run_race(&race, RACERS, count_new_types);
        str text = printed(f.metrics, &f.buf, "events_ingested_by_type");
        CHECK_EQUAL(2 + METRICS_CHILDREN_MAX, lines_in(text)); // nobody was turned to "other"
        CHECK_EQUAL(RACERS * METRICS_CHILDREN_MAX, sum_of_values(text));
    }
}

static int compare_lines(const void *a, const void *b)
{
    return str_compare(*(const str *)a, *(const str *)b);
}

// Names, HELP and TYPE once a family and in order, no series twice: what a scraper refuses a whole
// page for.
TEST(metrics_print_families_in_order_and_no_series_twice)
{
    FIXTURE(f);
    static const str labels[] = {S("a"), S("b"), S("c")};
    for (int i = 0; i < METRIC_COUNT; i++)
        if (family_rows[i].kind == COUNTER)
            metrics_add(f.metrics, (enum metric)i, 1, labels);
        else if (family_rows[i].kind == HISTOGRAM)
            metrics_observe_ns(f.metrics, (enum metric)i, 1, labels);
    metrics_print(f.metrics, &f.buf);
    static str names[4096];
    size_t count = 0, families = 0;
    str text = buf_str(&f.buf), before = {NULL, 0};
    while (text.len) {
        str line = str_cut(&text, '\n');
        if (!str_starts(line, S("#"))) {
            CHECK(count < COUNT_OF(names));
            names[count++] = str_first(line, line.len - last_word(line).len);
        } else if (str_starts(line, S("# HELP "))) {
            str rest = str_from(line, 7), name = str_cut(&rest, ' ');
            CHECK(str_compare(before, name) < 0 && rest.len > 0);
            str type = str_first(text, str_find(text, '\n'));
            CHECK(str_starts(type, S("# TYPE ")) && str_starts(str_from(type, 7), name));
            before = name;
            families++;
        }
    }
    CHECK_EQUAL(METRIC_COUNT, families);
    qsort(names, count, sizeof names[0], compare_lines);
    for (size_t i = 1; i < count; i++)
        CHECK(!str_equal(names[i - 1], names[i]));
}

static void refresh_entities(void *context, struct metrics *metrics)
{
    metrics_set(metrics, METRIC_storage_entities_total, (double)++*(int *)context);
}

TEST(metrics_refresh_gauges_before_each_exposition)
{
    FIXTURE(f);
    int calls = 41;
    metrics_on_print(f.metrics, refresh_entities, &calls);
    CHECK_STR(S("42"), last_word(printed(f.metrics, &f.buf, "storage_entities_total")));
    CHECK_STR(S("43"), last_word(printed(f.metrics, &f.buf, "storage_entities_total")));
}

TEST(metrics_accept_no_set_at_all)
{
    metrics_add(NULL, METRIC_queries_total, 1, NULL);
    metrics_set(NULL, METRIC_tenants_open, 1);
    metrics_change(NULL, METRIC_tenants_open, 1);
    metrics_observe_ns(NULL, METRIC_query_duration_seconds, 1, NULL);
    metrics_on_print(NULL, refresh_entities, NULL);
    CHECK_EQUAL(0, metrics_read(NULL, METRIC_ingestion_errors_total));
    struct buf buf;
    buf_init(&buf, 100);
    metrics_print(NULL, &buf);
    CHECK_EQUAL(0, buf.len);
    metrics_free(NULL);
}
